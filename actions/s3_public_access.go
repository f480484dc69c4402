package actions

import (
	"context"
	"errors"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/skycrafters/responder"
)

// S3API is what the actions on buckets ask of S3.
type S3API interface {
	GetPublicAccessBlock(context.Context, *s3.GetPublicAccessBlockInput, ...func(*s3.Options)) (*s3.GetPublicAccessBlockOutput, error)
	PutPublicAccessBlock(context.Context, *s3.PutPublicAccessBlockInput, ...func(*s3.Options)) (*s3.PutPublicAccessBlockOutput, error)
	DeletePublicAccessBlock(context.Context, *s3.DeletePublicAccessBlockInput, ...func(*s3.Options)) (*s3.DeletePublicAccessBlockOutput, error)
	GetBucketTagging(context.Context, *s3.GetBucketTaggingInput, ...func(*s3.Options)) (*s3.GetBucketTaggingOutput, error)
}

// s3Calls is a client of S3, as ec2Calls is one of EC2.
type s3Calls struct {
	getBlock    func(context.Context, *s3.GetPublicAccessBlockInput, ...func(*s3.Options)) (*s3.GetPublicAccessBlockOutput, error)
	putBlock    func(context.Context, *s3.PutPublicAccessBlockInput, ...func(*s3.Options)) (*s3.PutPublicAccessBlockOutput, error)
	deleteBlock func(context.Context, *s3.DeletePublicAccessBlockInput, ...func(*s3.Options)) (*s3.DeletePublicAccessBlockOutput, error)
	getTags     func(context.Context, *s3.GetBucketTaggingInput, ...func(*s3.Options)) (*s3.GetBucketTaggingOutput, error)
}

var _ S3API = s3Calls{}

func newS3Calls(client *s3.Client) s3Calls {
	return s3Calls{client.GetPublicAccessBlock, client.PutPublicAccessBlock, client.DeletePublicAccessBlock, client.GetBucketTagging}
}

// GetPublicAccessBlock implements S3API.
func (c s3Calls) GetPublicAccessBlock(ctx context.Context, in *s3.GetPublicAccessBlockInput, options ...func(*s3.Options)) (*s3.GetPublicAccessBlockOutput, error) {
	return c.getBlock(ctx, in, options...)
}

// PutPublicAccessBlock implements S3API.
func (c s3Calls) PutPublicAccessBlock(ctx context.Context, in *s3.PutPublicAccessBlockInput, options ...func(*s3.Options)) (*s3.PutPublicAccessBlockOutput, error) {
	return c.putBlock(ctx, in, options...)
}

// DeletePublicAccessBlock implements S3API.
func (c s3Calls) DeletePublicAccessBlock(ctx context.Context, in *s3.DeletePublicAccessBlockInput, options ...func(*s3.Options)) (*s3.DeletePublicAccessBlockOutput, error) {
	return c.deleteBlock(ctx, in, options...)
}

// GetBucketTagging implements S3API.
func (c s3Calls) GetBucketTagging(ctx context.Context, in *s3.GetBucketTaggingInput, options ...func(*s3.Options)) (*s3.GetBucketTaggingOutput, error) {
	return c.getTags(ctx, in, options...)
}

// bucketName is the form of a bucket's name, which becomes part of a host name or
// a path; old buckets have up to 255 characters, capitals and underscores.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
var bucketName = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9_-]|\.[A-Za-z0-9_]){1,253}[A-Za-z0-9_]$`)

const bucketARN = "arn:${AWS::Partition}:s3:::*"

// buckets is what the actions on the public access block of a bucket have in
// common. Each request says whose the bucket must be: S3 refuses it of another
// account's bucket, whatever that bucket's policy allows.
type buckets struct{ *access }

// foundBucket is the bucket that a call is about, and its public access block.
type foundBucket struct {
	name, region string
	gone         bool // there is none (any more)
	block        block
	api          S3API
}

// block is the public access block of a bucket; the zero value is the same as none.
type block struct{ blockACLs, ignoreACLs, blockPolicy, restrict bool }

var blockAll = block{true, true, true, true}

// blockParams are the parameters that make up a block.
var blockParams = []struct {
	name, doc string
	of        func(b *block) *bool
}{
	{"blockPublicAcls", "Whether new public ACLs are refused.", func(b *block) *bool { return &b.blockACLs }},
	{"ignorePublicAcls", "Whether public ACLs have no effect.", func(b *block) *bool { return &b.ignoreACLs }},
	{"blockPublicPolicy", "Whether new public policies are refused.", func(b *block) *bool { return &b.blockPolicy }},
	{"restrictPublicBuckets", "Whether a public policy has no effect for others.", func(b *block) *bool { return &b.restrict }},
}

// params gives the block as the parameters of S3SetPublicAccessBlock.
func (b block) params() map[string]any {
	params := map[string]any{}
	for _, p := range blockParams {
		params[p.name] = *p.of(&b)
	}
	return params
}

// find looks for the bucket that a call of an action is about: in the event's
// region, or in the one that S3 there says it is in.
func (b buckets) find(ctx context.Context, by responder.Action, call responder.Call) (foundBucket, error) {
	name, err := textTarget(call, "bucket", bucketName)
	if err != nil {
		return foundBucket{}, err
	}
	region, err := regionTarget(call)
	if err != nil {
		return foundBucket{}, err
	}
	found, err := b.in(ctx, by, call, name, region)
	if other := redirected(err); other != "" && other != region {
		return b.in(ctx, by, call, name, other)
	}
	return found, err
}

// in looks for the bucket in a region.
func (b buckets) in(ctx context.Context, by responder.Action, call responder.Call, name, region string) (foundBucket, error) {
	api, err := client(ctx, b.access, b.aws.S3, by, call, region)
	if err != nil {
		return foundBucket{}, err
	}
	found := foundBucket{name: name, region: region, api: api}
	out, err := api.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &name, ExpectedBucketOwner: &call.Account})
	switch {
	case hasCode(err, "NoSuchPublicAccessBlockConfiguration"):
		return found, nil
	case hasCode(err, "NoSuchBucket"):
		found.gone = true
		return found, nil
	case err != nil:
		return foundBucket{}, awsError("s3:GetBucketPublicAccessBlock", err, reads)
	}
	if c := out.PublicAccessBlockConfiguration; c != nil {
		found.block = block{aws.ToBool(c.BlockPublicAcls), aws.ToBool(c.IgnorePublicAcls), aws.ToBool(c.BlockPublicPolicy), aws.ToBool(c.RestrictPublicBuckets)}
	}
	return found, nil
}

// redirected gives the region that a bucket is in, where S3 says that it is
// another than the one that was asked; "" where it does not.
func redirected(err error) string {
	var answer *smithyhttp.ResponseError
	if !hasCode(err, "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException") || !errors.As(err, &answer) || answer.Response == nil {
		return ""
	}
	region := answer.Response.Header.Get("x-amz-bucket-region")
	if !regionName.MatchString(region) {
		return ""
	}
	return region
}

// set gives the bucket a block; none where nothing is to be blocked.
func (f foundBucket) set(ctx context.Context, call responder.Call, b block) error {
	var err error
	if b == (block{}) {
		_, err = f.api.DeletePublicAccessBlock(ctx, &s3.DeletePublicAccessBlockInput{Bucket: &f.name, ExpectedBucketOwner: &call.Account})
	} else {
		_, err = f.api.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: &f.name, ExpectedBucketOwner: &call.Account,
			PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{
				BlockPublicAcls: &b.blockACLs, IgnorePublicAcls: &b.ignoreACLs, BlockPublicPolicy: &b.blockPolicy, RestrictPublicBuckets: &b.restrict}})
	}
	if err != nil && !hasCode(err, "NoSuchBucket") { // gone meanwhile: nothing is public any more
		return awsError("s3:PutBucketPublicAccessBlock", err, mutates)
	}
	return nil
}

// survey looks at the bucket for a repair that will give it a block.
func (f foundBucket) survey(ctx context.Context, call responder.Call, b block) (responder.Survey, error) {
	if f.gone {
		return responder.Survey{}, nil
	}
	target := responder.Target{ARN: "arn:" + partition(f.region) + ":s3:::" + f.name, Account: call.Account, Region: f.region}
	out, err := f.api.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: &f.name, ExpectedBucketOwner: &call.Account})
	switch {
	case hasCode(err, "NoSuchBucket"): // gone meanwhile
		return responder.Survey{}, nil
	case err != nil && !hasCode(err, "NoSuchTagSet"):
		return responder.Survey{}, awsError("s3:GetBucketTagging", err, reads)
	case err == nil && len(out.TagSet) > 0:
		target.Tags = map[string]string{}
		for _, tag := range out.TagSet {
			target.Tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
		}
	}
	survey := responder.Survey{Targets: []responder.Target{target}, Found: f.block.params()}
	if f.block != b {
		params := f.block.params()
		params["bucket"] = f.name
		survey.Undo = []responder.Binding{{Action: "S3SetPublicAccessBlock", Params: params}}
	}
	return survey, nil
}

// do gives the bucket that a call of an action is about a block. It can be repeated.
func (b buckets) do(ctx context.Context, by responder.Action, call responder.Call, want block) (responder.Result, error) {
	found, err := b.find(ctx, by, call)
	if err != nil {
		return nil, err
	}
	result := responder.Result{"bucket": found.name}
	if found.gone || found.block == want {
		result["already"] = true
		return result, nil
	}
	if err := found.set(ctx, call, want); err != nil {
		return nil, err
	}
	result["set"] = true
	return result, nil
}

// verify is done if the bucket has the block, or is gone.
func (b buckets) verify(ctx context.Context, by responder.Action, call responder.Call, want block) (responder.Verdict, error) {
	found, err := b.find(ctx, by, call)
	return verdict(found.gone || found.block == want, err)
}

// look surveys the bucket.
func (b buckets) look(ctx context.Context, by responder.Action, call responder.Call, want block) (responder.Survey, error) {
	found, err := b.find(ctx, by, call)
	if err != nil {
		return responder.Survey{}, err
	}
	return found.survey(ctx, call, want)
}

var bucketActions = []string{"s3:GetBucketPublicAccessBlock", "s3:GetBucketTagging", "s3:PutBucketPublicAccessBlock"}

// Needs implements responder.Narrower. To take a block away is to put none.
func (b buckets) Needs(call responder.Call) []responder.Permission {
	name, err := textTarget(call, "bucket", bucketName)
	if err != nil {
		return nil // Do refuses it
	}
	if _, err := regionTarget(call); err != nil {
		return nil
	}
	return []responder.Permission{{Actions: bucketActions, Resources: []string{"arn:${AWS::Partition}:s3:::" + name}}}
}

// bucketParam is the parameter that names a bucket.
func bucketParam() responder.Param {
	return responder.Param{Name: "bucket", Type: responder.TextParam, Required: true, Doc: "The bucket's name."}
}

// bucketResult is what both actions give.
func bucketResult() map[string]string {
	return map[string]string{
		"bucket":  "the bucket's name",
		"set":     "true if this attempt changed the public access block",
		"already": "true if the bucket had it so, or there was no such bucket any more",
	}
}
