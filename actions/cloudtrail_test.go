package actions_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
)

// fakeTrails is CloudTrail with one trail, of eu-west-1, which is seen in other
// regions and can be started at home alone.
type fakeTrails struct {
	gone    bool
	logging bool
	owner   string
	fails   map[string]error
	calls   []string
	regions []string
	region  string
}

const trailOf = "arn:aws:cloudtrail:eu-west-1:111122223333:trail/main"

func (f *fakeTrails) catalogue() responder.Catalogue {
	return actions.New(actions.Deps{AWS: actions.AWS{
		STS: func(aws.Config) actions.STSAPI { return &fakeSTS{account: account} },
		CloudTrail: func(cfg aws.Config) actions.CloudTrailAPI {
			f.region = cfg.Region
			f.regions = append(f.regions, cfg.Region)
			return f
		},
	}})
}

func (f *fakeTrails) call(op string, name *string) error {
	f.calls = append(f.calls, op)
	if err := f.fails[op]; err != nil {
		return err
	}
	if f.gone || aws.ToString(name) != "main" && aws.ToString(name) != trailOf {
		return awsErr("TrailNotFoundException")
	}
	return nil
}

func (f *fakeTrails) GetTrail(_ context.Context, in *cloudtrail.GetTrailInput, _ ...func(*cloudtrail.Options)) (*cloudtrail.GetTrailOutput, error) {
	if err := f.call("GetTrail", in.Name); err != nil {
		return nil, err
	}
	arn := trailOf
	if f.owner != "" {
		arn = strings.Replace(arn, account, f.owner, 1)
	}
	return &cloudtrail.GetTrailOutput{Trail: &types.Trail{
		Name: aws.String("main"), TrailARN: &arn, HomeRegion: aws.String("eu-west-1"), IsMultiRegionTrail: aws.Bool(true), S3BucketName: aws.String("logs")}}, nil
}

func (f *fakeTrails) GetTrailStatus(_ context.Context, in *cloudtrail.GetTrailStatusInput, _ ...func(*cloudtrail.Options)) (*cloudtrail.GetTrailStatusOutput, error) {
	if err := f.call("GetTrailStatus", in.Name); err != nil {
		return nil, err
	}
	return &cloudtrail.GetTrailStatusOutput{IsLogging: &f.logging, StopLoggingTime: aws.Time(now.Add(-time.Hour)), LatestDeliveryError: aws.String("NoSuch\nBucket")}, nil
}

func (f *fakeTrails) ListTags(_ context.Context, in *cloudtrail.ListTagsInput, _ ...func(*cloudtrail.Options)) (*cloudtrail.ListTagsOutput, error) {
	if err := f.call("ListTags", &in.ResourceIdList[0]); err != nil {
		return nil, err
	}
	return &cloudtrail.ListTagsOutput{ResourceTagList: []types.ResourceTag{{TagsList: []types.Tag{{Key: aws.String("team"), Value: aws.String("red")}}}}}, nil
}

func (f *fakeTrails) StartLogging(_ context.Context, in *cloudtrail.StartLoggingInput, _ ...func(*cloudtrail.Options)) (*cloudtrail.StartLoggingOutput, error) {
	if err := f.call("StartLogging", in.Name); err != nil {
		return nil, err
	}
	if f.region != "eu-west-1" {
		return nil, awsErr("InvalidHomeRegionException")
	}
	f.logging = true
	return &cloudtrail.StartLoggingOutput{}, nil
}

func trailCall(trail any) responder.Call {
	call := repairCall(map[string]any{"trail": trail})
	call.Region = "eu-west-1"
	return call
}

func TestCloudTrailStartLogging(t *testing.T) {
	for _, trail := range []string{"main", trailOf} {
		f := &fakeTrails{}
		found, result := doAndUndo(t, f.catalogue(), "CloudTrailStartLogging", trailCall(trail), func() any { return f.logging })
		want := responder.Survey{
			Targets: []responder.Target{{ARN: trailOf, Account: account, Region: "eu-west-1", Tags: map[string]string{"team": "red"}}},
			Found: map[string]any{"logging": false, "multi_region": true, "bucket": "logs", "delivery_error": "NoSuch Bucket",
				"stopped": "2026-11-23T06:00:00Z"},
			Lasting: []string{"that the trail logs: no repair stops it"},
		}
		if !reflect.DeepEqual(found, want) || !reflect.DeepEqual(result, responder.Result{"trail": trailOf}) {
			t.Errorf("%s: got %+v, %v", trail, found, result)
		}
		used := []string{}
		for _, op := range f.calls {
			used = append(used, "cloudtrail:"+op)
		}
		checkNeeds(t, f.catalogue()["CloudTrailStartLogging"], trailCall(trail), used)
		if found, err := survey(t, f.catalogue()["CloudTrailStartLogging"], trailCall(trail)); err != nil || len(found.Lasting) > 0 || found.Found["logging"] != true {
			t.Errorf("afterwards: %v, %v", found, err)
		}
	}
}

// TestCloudTrailHomeRegion has the event tell of the trail from another region,
// and the ARN name it.
func TestCloudTrailHomeRegion(t *testing.T) {
	for _, tt := range []struct{ trail, region, asked string }{
		{"main", "us-east-1", "us-east-1 eu-west-1"}, {trailOf, "us-east-1", "eu-west-1"}, {trailOf, "", "eu-west-1"},
		{strings.Replace(trailOf, "eu-west-1", "us-east-1", 1), "us-east-1", ""},
	} {
		f := &fakeTrails{}
		call := trailCall(tt.trail)
		call.Region = tt.region
		result, err := f.catalogue()["CloudTrailStartLogging"].Do(t.Context(), call)
		if tt.asked == "" {
			if err == nil {
				t.Errorf("%s: got %v", tt.trail, result)
			}
			continue
		}
		if err != nil || !f.logging || strings.Join(f.regions, " ") != tt.asked {
			t.Errorf("%s in %q: asked in %v, %v", tt.trail, tt.region, f.regions, err)
		}
	}
}

func TestCloudTrailRefused(t *testing.T) {
	f := &fakeTrails{}
	refusesHostile(t, f.catalogue(), "CloudTrailStartLogging", trailCall("main"), []string{"trail"}, func() int { return len(f.calls) })
	for what, tt := range map[string]struct {
		trail, region, says string
	}{
		"another account's": {"arn:aws:cloudtrail:eu-west-1:999988887777:trail/main", "eu-west-1", "the trail is of account 999988887777"},
		"another service's": {"arn:aws:s3:eu-west-1:111122223333:trail/main", "eu-west-1", "malformed"},
		"a host":            {"arn:aws:cloudtrail:evil.example-1:111122223333:trail/main", "eu-west-1", "malformed"},
		"a region of none":  {"arn:aws:cloudtrail:evil:111122223333:trail/main", "eu-west-1", "malformed"},
		"an odd region":     {"main", "evil.example", "malformed"},
		"no region":         {"main", "", "names no region"},
		"two letters":       {"ab", "eu-west-1", "malformed"},
	} {
		call := trailCall(tt.trail)
		call.Region = tt.region
		if _, err := f.catalogue()["CloudTrailStartLogging"].Do(t.Context(), call); !isPermanent(err) || !strings.Contains(err.Error(), tt.says) || len(f.calls) > 0 {
			t.Errorf("%s: got %v, asked %v", what, err, f.calls)
		}
	}
}

func TestCloudTrailFails(t *testing.T) {
	for _, op := range []string{"GetTrail", "GetTrailStatus", "StartLogging"} {
		for what, is := range map[error]func(error) bool{
			awsErr("AccessDeniedException"): isPermanent, awsErr("ThrottlingException"): isTransient, awsErr("ConflictException"): isTransient, errors.New("reset"): nil,
		} {
			if is == nil {
				if is = isTransient; op == "StartLogging" {
					is = isUnknown
				}
			}
			f := &fakeTrails{fails: map[string]error{op: what}}
			if _, err := f.catalogue()["CloudTrailStartLogging"].Do(t.Context(), trailCall("main")); !is(err) || !strings.Contains(err.Error(), "cloudtrail:"+op+": ") {
				t.Errorf("%s %v: got %T %v", op, what, err, err)
			}
		}
	}
	f := &fakeTrails{fails: map[string]error{"ListTags": awsErr("AccessDeniedException")}}
	if _, err := survey(t, f.catalogue()["CloudTrailStartLogging"], trailCall("main")); !isPermanent(err) {
		t.Errorf("tags denied: got %v", err)
	}

	f = &fakeTrails{gone: true}
	repair := f.catalogue()["CloudTrailStartLogging"]
	if _, err := repair.Do(t.Context(), trailCall("main")); !isPermanent(err) || err.Error() != "there is no trail main (any more): it cannot be started" {
		t.Errorf("gone: got %v", err)
	}
	if found, err := survey(t, repair, trailCall("main")); err != nil || !reflect.DeepEqual(found, responder.Survey{}) {
		t.Errorf("gone: found %v, %v", found, err)
	}
	if verdict, err := verify(t, repair, trailCall("main")); verdict != responder.VerdictNotDone || err != nil {
		t.Errorf("gone: verified as %v, %v", verdict, err)
	}

	f = &fakeTrails{owner: "999988887777"} // an organization's, seen from a member
	if _, err := f.catalogue()["CloudTrailStartLogging"].Do(t.Context(), trailCall("main")); !isPermanent(err) || !strings.Contains(err.Error(), "is of account 999988887777") {
		t.Errorf("an organization's: got %v", err)
	}
}
