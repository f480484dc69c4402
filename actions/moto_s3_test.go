package actions_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/skycrafters/responder"
)

// TestMotoPublicAccess blocks and opens a bucket of an emulator.
func TestMotoPublicAccess(t *testing.T) {
	cfg, catalogue, account := moto(t)
	ctx, region := t.Context(), "eu-west-3"
	api := s3.NewFromConfig(cfg, func(o *s3.Options) { o.Region, o.UsePathStyle = region, true })
	bucket := "responder-" + strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-"))
	must[*s3.CreateBucketOutput](t)(api.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket,
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(region)}}))
	t.Cleanup(func() {
		_, err := api.DeleteBucket(context.Background(), &s3.DeleteBucketInput{Bucket: &bucket})
		if err != nil {
			t.Error(err)
		}
	})
	world := func() any {
		out, err := api.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &bucket})
		if err != nil {
			return settings(nil)
		}
		return settings(out.PublicAccessBlockConfiguration)
	}
	call := ec2Call(map[string]any{"bucket": bucket})
	call.Account = account
	doAndUndo(t, catalogue, "S3BlockPublicAccess", call, world)
	must[responder.Result](t)(catalogue["S3BlockPublicAccess"].Do(ctx, call))
	if world() != [4]bool{true, true, true, true} {
		t.Errorf("got %v", world())
	}
	call.Params = map[string]any{"bucket": bucket, "blockPublicPolicy": true}
	doAndUndo(t, catalogue, "S3SetPublicAccessBlock", call, world)
	call.Params = map[string]any{"bucket": bucket + "-gone"}
	if result, err := catalogue["S3BlockPublicAccess"].Do(ctx, call); err != nil || result["already"] != true {
		t.Errorf("gone: got %v, %v", result, err)
	}
}
