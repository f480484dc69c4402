package actions

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
)

// CloudTrailAPI is what the actions on trails ask of CloudTrail.
type CloudTrailAPI interface {
	GetTrail(context.Context, *cloudtrail.GetTrailInput, ...func(*cloudtrail.Options)) (*cloudtrail.GetTrailOutput, error)
	GetTrailStatus(context.Context, *cloudtrail.GetTrailStatusInput, ...func(*cloudtrail.Options)) (*cloudtrail.GetTrailStatusOutput, error)
	ListTags(context.Context, *cloudtrail.ListTagsInput, ...func(*cloudtrail.Options)) (*cloudtrail.ListTagsOutput, error)
	StartLogging(context.Context, *cloudtrail.StartLoggingInput, ...func(*cloudtrail.Options)) (*cloudtrail.StartLoggingOutput, error)
}

// cloudTrailCalls is a client of just the calls that are made; see ec2Calls.
type cloudTrailCalls struct {
	getTrail       func(context.Context, *cloudtrail.GetTrailInput, ...func(*cloudtrail.Options)) (*cloudtrail.GetTrailOutput, error)
	getTrailStatus func(context.Context, *cloudtrail.GetTrailStatusInput, ...func(*cloudtrail.Options)) (*cloudtrail.GetTrailStatusOutput, error)
	listTags       func(context.Context, *cloudtrail.ListTagsInput, ...func(*cloudtrail.Options)) (*cloudtrail.ListTagsOutput, error)
	startLogging   func(context.Context, *cloudtrail.StartLoggingInput, ...func(*cloudtrail.Options)) (*cloudtrail.StartLoggingOutput, error)
}

// GetTrail implements CloudTrailAPI.
func (c cloudTrailCalls) GetTrail(ctx context.Context, in *cloudtrail.GetTrailInput, options ...func(*cloudtrail.Options)) (*cloudtrail.GetTrailOutput, error) {
	return c.getTrail(ctx, in, options...)
}

// GetTrailStatus implements CloudTrailAPI.
func (c cloudTrailCalls) GetTrailStatus(ctx context.Context, in *cloudtrail.GetTrailStatusInput, options ...func(*cloudtrail.Options)) (*cloudtrail.GetTrailStatusOutput, error) {
	return c.getTrailStatus(ctx, in, options...)
}

// ListTags implements CloudTrailAPI.
func (c cloudTrailCalls) ListTags(ctx context.Context, in *cloudtrail.ListTagsInput, options ...func(*cloudtrail.Options)) (*cloudtrail.ListTagsOutput, error) {
	return c.listTags(ctx, in, options...)
}

// StartLogging implements CloudTrailAPI.
func (c cloudTrailCalls) StartLogging(ctx context.Context, in *cloudtrail.StartLoggingInput, options ...func(*cloudtrail.Options)) (*cloudtrail.StartLoggingOutput, error) {
	return c.startLogging(ctx, in, options...)
}
