package actions

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

// EC2API is what the actions on EC2 ask of it.
type EC2API interface {
	instancesAPI
}

type instancesAPI interface {
	DescribeInstances(context.Context, *ec2.DescribeInstancesInput, ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error)
	DescribeInstanceAttribute(context.Context, *ec2.DescribeInstanceAttributeInput, ...func(*ec2.Options)) (*ec2.DescribeInstanceAttributeOutput, error)
	StartInstances(context.Context, *ec2.StartInstancesInput, ...func(*ec2.Options)) (*ec2.StartInstancesOutput, error)
	StopInstances(context.Context, *ec2.StopInstancesInput, ...func(*ec2.Options)) (*ec2.StopInstancesOutput, error)
	TerminateInstances(context.Context, *ec2.TerminateInstancesInput, ...func(*ec2.Options)) (*ec2.TerminateInstancesOutput, error)
}

// ec2Calls is an EC2 client of just the calls that are made. A client itself,
// once in an interface, has the linker keep all its 700 operations: 24 MB.
type ec2Calls struct {
	describeInstances         ec2Call[ec2.DescribeInstancesInput, ec2.DescribeInstancesOutput]
	describeInstanceAttribute ec2Call[ec2.DescribeInstanceAttributeInput, ec2.DescribeInstanceAttributeOutput]
	startInstances            ec2Call[ec2.StartInstancesInput, ec2.StartInstancesOutput]
	stopInstances             ec2Call[ec2.StopInstancesInput, ec2.StopInstancesOutput]
	terminateInstances        ec2Call[ec2.TerminateInstancesInput, ec2.TerminateInstancesOutput]
}

type ec2Call[In, Out any] = func(context.Context, *In, ...func(*ec2.Options)) (*Out, error)

var _ EC2API = ec2Calls{}

func newEC2Calls(client *ec2.Client) ec2Calls {
	return ec2Calls{
		describeInstances:         client.DescribeInstances,
		describeInstanceAttribute: client.DescribeInstanceAttribute,
		startInstances:            client.StartInstances,
		stopInstances:             client.StopInstances,
		terminateInstances:        client.TerminateInstances,
	}
}

// DescribeInstances implements EC2API.
func (c ec2Calls) DescribeInstances(ctx context.Context, in *ec2.DescribeInstancesInput, options ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error) {
	return c.describeInstances(ctx, in, options...)
}

// DescribeInstanceAttribute implements EC2API.
func (c ec2Calls) DescribeInstanceAttribute(ctx context.Context, in *ec2.DescribeInstanceAttributeInput, options ...func(*ec2.Options)) (*ec2.DescribeInstanceAttributeOutput, error) {
	return c.describeInstanceAttribute(ctx, in, options...)
}

// StartInstances implements EC2API.
func (c ec2Calls) StartInstances(ctx context.Context, in *ec2.StartInstancesInput, options ...func(*ec2.Options)) (*ec2.StartInstancesOutput, error) {
	return c.startInstances(ctx, in, options...)
}

// StopInstances implements EC2API.
func (c ec2Calls) StopInstances(ctx context.Context, in *ec2.StopInstancesInput, options ...func(*ec2.Options)) (*ec2.StopInstancesOutput, error) {
	return c.stopInstances(ctx, in, options...)
}

// TerminateInstances implements EC2API.
func (c ec2Calls) TerminateInstances(ctx context.Context, in *ec2.TerminateInstancesInput, options ...func(*ec2.Options)) (*ec2.TerminateInstancesOutput, error) {
	return c.terminateInstances(ctx, in, options...)
}
