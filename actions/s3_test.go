package actions_test

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
)

// fakeS3 is one bucket, files, of an account, in a region.
type fakeS3 struct {
	region, asked string // where the bucket is, and where it is asked for
	gone          bool
	block         *types.PublicAccessBlockConfiguration
	fails         map[string]error
	calls         []string
	onCall        func()
}

func (f *fakeS3) call(op string, bucket, owner *string) error {
	f.calls = append(f.calls, "s3:"+op)
	if f.onCall != nil {
		f.onCall()
	}
	switch {
	case f.fails[op] != nil:
		return f.fails[op]
	case *bucket != "files" || f.gone:
		return awsErr("NoSuchBucket")
	case *owner != account:
		return awsErr("AccessDenied")
	case f.asked != f.region:
		return &smithyhttp.ResponseError{Err: awsErr("PermanentRedirect"), Response: &smithyhttp.Response{Response: &http.Response{StatusCode: 301, Header: http.Header{"X-Amz-Bucket-Region": {f.region}}}}}
	}
	return nil
}

func (f *fakeS3) GetPublicAccessBlock(_ context.Context, in *s3.GetPublicAccessBlockInput, _ ...func(*s3.Options)) (*s3.GetPublicAccessBlockOutput, error) {
	err := f.call("GetBucketPublicAccessBlock", in.Bucket, in.ExpectedBucketOwner)
	if err == nil && f.block == nil {
		err = awsErr("NoSuchPublicAccessBlockConfiguration")
	}
	return &s3.GetPublicAccessBlockOutput{PublicAccessBlockConfiguration: f.block}, err
}

func (f *fakeS3) PutPublicAccessBlock(_ context.Context, in *s3.PutPublicAccessBlockInput, _ ...func(*s3.Options)) (*s3.PutPublicAccessBlockOutput, error) {
	err := f.call("PutBucketPublicAccessBlock", in.Bucket, in.ExpectedBucketOwner)
	if err == nil {
		f.block = in.PublicAccessBlockConfiguration
	}
	return &s3.PutPublicAccessBlockOutput{}, err
}

func (f *fakeS3) DeletePublicAccessBlock(_ context.Context, in *s3.DeletePublicAccessBlockInput, _ ...func(*s3.Options)) (*s3.DeletePublicAccessBlockOutput, error) {
	err := f.call("PutBucketPublicAccessBlock", in.Bucket, in.ExpectedBucketOwner)
	if err == nil {
		f.block = nil
	}
	return &s3.DeletePublicAccessBlockOutput{}, err
}

func (f *fakeS3) GetBucketTagging(_ context.Context, in *s3.GetBucketTaggingInput, _ ...func(*s3.Options)) (*s3.GetBucketTaggingOutput, error) {
	return &s3.GetBucketTaggingOutput{TagSet: []types.Tag{{Key: aws.String("team"), Value: aws.String("blue")}}}, f.call("GetBucketTagging", in.Bucket, in.ExpectedBucketOwner)
}

func (f *fakeS3) catalogue() responder.Catalogue {
	return actions.New(actions.Deps{AWS: actions.AWS{
		S3:  func(cfg aws.Config) actions.S3API { f.asked = cfg.Region; return f },
		STS: func(aws.Config) actions.STSAPI { return &fakeSTS{account: account} },
	}})
}

// world is the four settings; none is the same as all off.
func (f *fakeS3) world() any { return settings(f.block) }

func settings(b *types.PublicAccessBlockConfiguration) [4]bool {
	if b == nil {
		return [4]bool{}
	}
	return [4]bool{aws.ToBool(b.BlockPublicAcls), aws.ToBool(b.IgnorePublicAcls), aws.ToBool(b.BlockPublicPolicy), aws.ToBool(b.RestrictPublicBuckets)}
}

func newFakeS3() *fakeS3 { return &fakeS3{region: "eu-west-3", fails: map[string]error{}} }

var s3Repairs = map[string]map[string]any{
	"S3BlockPublicAccess":    {"bucket": "files"},
	"S3SetPublicAccessBlock": {"bucket": "files", "ignorePublicAcls": true, "restrictPublicBuckets": true},
}

func TestS3Repairs(t *testing.T) {
	for name, params := range s3Repairs {
		for _, had := range []*types.PublicAccessBlockConfiguration{nil, {}, {BlockPublicAcls: aws.Bool(true), BlockPublicPolicy: aws.Bool(true)}} {
			for _, region := range []string{"eu-west-3", "us-east-1"} {
				f := newFakeS3()
				f.block, f.region = had, region
				found, _ := doAndUndo(t, f.catalogue(), name, ec2Call(params), f.world)
				want := responder.Target{ARN: "arn:aws:s3:::files", Account: account, Region: region, Tags: map[string]string{"team": "blue"}}
				if !reflect.DeepEqual(found.Targets, []responder.Target{want}) || len(found.Lasting) > 0 || len(found.Found) != 4 {
					t.Errorf("%s: found %+v", name, found)
				}
			}
		}
		f := newFakeS3()
		doOnce(t, f.catalogue()[name], ec2Call(params))
		checkNeeds(t, f.catalogue()[name], ec2Call(params), f.calls)
		if needs := f.catalogue()[name].(responder.Narrower).Needs(ec2Call(params)); len(needs) != 1 || needs[0].Resources[0] != "arn:${AWS::Partition}:s3:::files" {
			t.Errorf("%s: needs %v", name, needs)
		}
		f = newFakeS3()
		refusesHostile(t, f.catalogue(), name, ec2Call(params), []string{"bucket"}, func() int { return len(f.calls) })
		for _, bad := range []string{"arn:aws:s3:::files", "a", "-files", "files-", "fi..les", "files.", "files/../x", "s3://files", "files?acl", "files:80"} {
			if _, err := f.catalogue()[name].Do(t.Context(), ec2Call(map[string]any{"bucket": bad})); !isPermanent(err) || len(f.calls) > 0 {
				t.Errorf("%s: bucket %s: got %v", name, bad, err)
			}
		}
	}
	catalogue := newFakeS3().catalogue()
	for name, want := range map[string]string{"S3BlockPublicAccess": "block public access to bucket files", "S3SetPublicAccessBlock": "set ignorePublicAcls, restrictPublicBuckets alone on bucket files"} {
		if said := catalogue[name].(responder.Describer).Describe(ec2Call(s3Repairs[name])); said != want {
			t.Errorf("%s would %s", name, said)
		}
	}
}

func TestS3RepairsFail(t *testing.T) {
	for name, params := range s3Repairs {
		for _, op := range []string{"GetBucketPublicAccessBlock", "GetBucketTagging", "PutBucketPublicAccessBlock"} {
			changes := strings.HasPrefix(op, "Put")
			for what, is := range map[error]func(error) bool{awsErr("AccessDenied"): isPermanent, awsErr("SlowDown"): isTransient, errors.New("reset"): nil} {
				if is == nil {
					if is = isTransient; changes {
						is = isUnknown
					}
				}
				f := newFakeS3()
				f.fails[op] = what
				repair, call := f.catalogue()[name], ec2Call(params)
				_, looking := survey(t, repair, call)
				_, doing := repair.Do(t.Context(), call)
				_, verifying := verify(t, repair, call)
				for how, err := range map[string]error{"survey": looking, "do": doing, "verify": verifying} {
					if err != nil && (!is(err) || !strings.Contains(err.Error(), "s3:"+op+": ")) {
						t.Errorf("%s, %s, %s %v: got %T %v", name, how, op, what, err, err)
					}
				}
				if changes && (doing == nil || looking != nil) || !changes && looking == nil {
					t.Errorf("%s, %s %v: survey %v, do %v", name, op, what, looking, doing)
				}
			}
		}
		// Gone before, and at each call; another account's.
		for n := range 4 {
			f, seen := newFakeS3(), 0
			f.onCall = func() { seen++; f.gone = seen > n }
			repair, call := f.catalogue()[name], ec2Call(params)
			_, looking := survey(t, repair, call)
			_, doing := repair.Do(t.Context(), call)
			verdict, verifying := verify(t, repair, call)
			if looking != nil || doing != nil || verifying != nil || verdict != responder.VerdictDone {
				t.Errorf("%s, gone at call %d: %v, %v, %v, %v", name, n, looking, doing, verdict, verifying)
			}
		}
		f := newFakeS3()
		f.region = "evil.example/#"
		if _, err := f.catalogue()[name].Do(t.Context(), ec2Call(params)); !isPermanent(err) || len(f.calls) != 1 {
			t.Errorf("%s: sent elsewhere: got %v", name, err)
		}
	}
	for _, bad := range []any{"true", nil, 1.0} {
		f := newFakeS3()
		if _, err := f.catalogue()["S3SetPublicAccessBlock"].Do(t.Context(), ec2Call(map[string]any{"bucket": "files", "blockPublicAcls": bad})); !isPermanent(err) || len(f.calls) > 0 {
			t.Errorf("%v: got %v", bad, err)
		}
	}
}
