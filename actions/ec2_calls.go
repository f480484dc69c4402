package actions

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

// EC2API is what the actions on EC2 ask of it.
type EC2API interface {
	instancesAPI
	securityGroupsAPI
	interfacesAPI
	snapshotsAPI
	sharingAPI
}

type instancesAPI interface {
	DescribeInstances(context.Context, *ec2.DescribeInstancesInput, ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error)
	DescribeInstanceAttribute(context.Context, *ec2.DescribeInstanceAttributeInput, ...func(*ec2.Options)) (*ec2.DescribeInstanceAttributeOutput, error)
	StartInstances(context.Context, *ec2.StartInstancesInput, ...func(*ec2.Options)) (*ec2.StartInstancesOutput, error)
	StopInstances(context.Context, *ec2.StopInstancesInput, ...func(*ec2.Options)) (*ec2.StopInstancesOutput, error)
	TerminateInstances(context.Context, *ec2.TerminateInstancesInput, ...func(*ec2.Options)) (*ec2.TerminateInstancesOutput, error)
}

type securityGroupsAPI interface {
	DescribeSecurityGroups(context.Context, *ec2.DescribeSecurityGroupsInput, ...func(*ec2.Options)) (*ec2.DescribeSecurityGroupsOutput, error)
	DescribeSecurityGroupRules(context.Context, *ec2.DescribeSecurityGroupRulesInput, ...func(*ec2.Options)) (*ec2.DescribeSecurityGroupRulesOutput, error)
	CreateSecurityGroup(context.Context, *ec2.CreateSecurityGroupInput, ...func(*ec2.Options)) (*ec2.CreateSecurityGroupOutput, error)
	RevokeSecurityGroupIngress(context.Context, *ec2.RevokeSecurityGroupIngressInput, ...func(*ec2.Options)) (*ec2.RevokeSecurityGroupIngressOutput, error)
	RevokeSecurityGroupEgress(context.Context, *ec2.RevokeSecurityGroupEgressInput, ...func(*ec2.Options)) (*ec2.RevokeSecurityGroupEgressOutput, error)
	AuthorizeSecurityGroupIngress(context.Context, *ec2.AuthorizeSecurityGroupIngressInput, ...func(*ec2.Options)) (*ec2.AuthorizeSecurityGroupIngressOutput, error)
}

type interfacesAPI interface {
	DescribeNetworkInterfaces(context.Context, *ec2.DescribeNetworkInterfacesInput, ...func(*ec2.Options)) (*ec2.DescribeNetworkInterfacesOutput, error)
	ModifyNetworkInterfaceAttribute(context.Context, *ec2.ModifyNetworkInterfaceAttributeInput, ...func(*ec2.Options)) (*ec2.ModifyNetworkInterfaceAttributeOutput, error)
}

type snapshotsAPI interface {
	DescribeSnapshots(context.Context, *ec2.DescribeSnapshotsInput, ...func(*ec2.Options)) (*ec2.DescribeSnapshotsOutput, error)
	CreateSnapshots(context.Context, *ec2.CreateSnapshotsInput, ...func(*ec2.Options)) (*ec2.CreateSnapshotsOutput, error)
}

type sharingAPI interface {
	DescribeSnapshotAttribute(context.Context, *ec2.DescribeSnapshotAttributeInput, ...func(*ec2.Options)) (*ec2.DescribeSnapshotAttributeOutput, error)
	ModifySnapshotAttribute(context.Context, *ec2.ModifySnapshotAttributeInput, ...func(*ec2.Options)) (*ec2.ModifySnapshotAttributeOutput, error)
	DescribeImages(context.Context, *ec2.DescribeImagesInput, ...func(*ec2.Options)) (*ec2.DescribeImagesOutput, error)
	DescribeImageAttribute(context.Context, *ec2.DescribeImageAttributeInput, ...func(*ec2.Options)) (*ec2.DescribeImageAttributeOutput, error)
	ModifyImageAttribute(context.Context, *ec2.ModifyImageAttributeInput, ...func(*ec2.Options)) (*ec2.ModifyImageAttributeOutput, error)
}

// ec2Calls is an EC2 client of just the calls that are made. A client itself,
// once in an interface, has the linker keep all its 700 operations: 24 MB.
type ec2Calls struct {
	describeInstances               ec2Call[ec2.DescribeInstancesInput, ec2.DescribeInstancesOutput]
	describeInstanceAttribute       ec2Call[ec2.DescribeInstanceAttributeInput, ec2.DescribeInstanceAttributeOutput]
	startInstances                  ec2Call[ec2.StartInstancesInput, ec2.StartInstancesOutput]
	stopInstances                   ec2Call[ec2.StopInstancesInput, ec2.StopInstancesOutput]
	terminateInstances              ec2Call[ec2.TerminateInstancesInput, ec2.TerminateInstancesOutput]
	describeSecurityGroups          ec2Call[ec2.DescribeSecurityGroupsInput, ec2.DescribeSecurityGroupsOutput]
	describeSecurityGroupRules      ec2Call[ec2.DescribeSecurityGroupRulesInput, ec2.DescribeSecurityGroupRulesOutput]
	createSecurityGroup             ec2Call[ec2.CreateSecurityGroupInput, ec2.CreateSecurityGroupOutput]
	revokeSecurityGroupIngress      ec2Call[ec2.RevokeSecurityGroupIngressInput, ec2.RevokeSecurityGroupIngressOutput]
	revokeSecurityGroupEgress       ec2Call[ec2.RevokeSecurityGroupEgressInput, ec2.RevokeSecurityGroupEgressOutput]
	authorizeSecurityGroupIngress   ec2Call[ec2.AuthorizeSecurityGroupIngressInput, ec2.AuthorizeSecurityGroupIngressOutput]
	describeNetworkInterfaces       ec2Call[ec2.DescribeNetworkInterfacesInput, ec2.DescribeNetworkInterfacesOutput]
	modifyNetworkInterfaceAttribute ec2Call[ec2.ModifyNetworkInterfaceAttributeInput, ec2.ModifyNetworkInterfaceAttributeOutput]
	describeSnapshots               ec2Call[ec2.DescribeSnapshotsInput, ec2.DescribeSnapshotsOutput]
	createSnapshots                 ec2Call[ec2.CreateSnapshotsInput, ec2.CreateSnapshotsOutput]
	describeSnapshotAttribute       ec2Call[ec2.DescribeSnapshotAttributeInput, ec2.DescribeSnapshotAttributeOutput]
	modifySnapshotAttribute         ec2Call[ec2.ModifySnapshotAttributeInput, ec2.ModifySnapshotAttributeOutput]
	describeImages                  ec2Call[ec2.DescribeImagesInput, ec2.DescribeImagesOutput]
	describeImageAttribute          ec2Call[ec2.DescribeImageAttributeInput, ec2.DescribeImageAttributeOutput]
	modifyImageAttribute            ec2Call[ec2.ModifyImageAttributeInput, ec2.ModifyImageAttributeOutput]
}

type ec2Call[In, Out any] = func(context.Context, *In, ...func(*ec2.Options)) (*Out, error)

var _ EC2API = ec2Calls{}

func newEC2Calls(client *ec2.Client) ec2Calls {
	return ec2Calls{
		describeInstances:               client.DescribeInstances,
		describeInstanceAttribute:       client.DescribeInstanceAttribute,
		startInstances:                  client.StartInstances,
		stopInstances:                   client.StopInstances,
		terminateInstances:              client.TerminateInstances,
		describeSecurityGroups:          client.DescribeSecurityGroups,
		describeSecurityGroupRules:      client.DescribeSecurityGroupRules,
		createSecurityGroup:             client.CreateSecurityGroup,
		revokeSecurityGroupIngress:      client.RevokeSecurityGroupIngress,
		revokeSecurityGroupEgress:       client.RevokeSecurityGroupEgress,
		authorizeSecurityGroupIngress:   client.AuthorizeSecurityGroupIngress,
		describeNetworkInterfaces:       client.DescribeNetworkInterfaces,
		modifyNetworkInterfaceAttribute: client.ModifyNetworkInterfaceAttribute,
		describeSnapshots:               client.DescribeSnapshots,
		createSnapshots:                 client.CreateSnapshots,
		describeSnapshotAttribute:       client.DescribeSnapshotAttribute,
		modifySnapshotAttribute:         client.ModifySnapshotAttribute,
		describeImages:                  client.DescribeImages,
		describeImageAttribute:          client.DescribeImageAttribute,
		modifyImageAttribute:            client.ModifyImageAttribute,
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

// DescribeSecurityGroups implements EC2API.
func (c ec2Calls) DescribeSecurityGroups(ctx context.Context, in *ec2.DescribeSecurityGroupsInput, options ...func(*ec2.Options)) (*ec2.DescribeSecurityGroupsOutput, error) {
	return c.describeSecurityGroups(ctx, in, options...)
}

// DescribeSecurityGroupRules implements EC2API.
func (c ec2Calls) DescribeSecurityGroupRules(ctx context.Context, in *ec2.DescribeSecurityGroupRulesInput, options ...func(*ec2.Options)) (*ec2.DescribeSecurityGroupRulesOutput, error) {
	return c.describeSecurityGroupRules(ctx, in, options...)
}

// CreateSecurityGroup implements EC2API.
func (c ec2Calls) CreateSecurityGroup(ctx context.Context, in *ec2.CreateSecurityGroupInput, options ...func(*ec2.Options)) (*ec2.CreateSecurityGroupOutput, error) {
	return c.createSecurityGroup(ctx, in, options...)
}

// RevokeSecurityGroupIngress implements EC2API.
func (c ec2Calls) RevokeSecurityGroupIngress(ctx context.Context, in *ec2.RevokeSecurityGroupIngressInput, options ...func(*ec2.Options)) (*ec2.RevokeSecurityGroupIngressOutput, error) {
	return c.revokeSecurityGroupIngress(ctx, in, options...)
}

// RevokeSecurityGroupEgress implements EC2API.
func (c ec2Calls) RevokeSecurityGroupEgress(ctx context.Context, in *ec2.RevokeSecurityGroupEgressInput, options ...func(*ec2.Options)) (*ec2.RevokeSecurityGroupEgressOutput, error) {
	return c.revokeSecurityGroupEgress(ctx, in, options...)
}

// AuthorizeSecurityGroupIngress implements EC2API.
func (c ec2Calls) AuthorizeSecurityGroupIngress(ctx context.Context, in *ec2.AuthorizeSecurityGroupIngressInput, options ...func(*ec2.Options)) (*ec2.AuthorizeSecurityGroupIngressOutput, error) {
	return c.authorizeSecurityGroupIngress(ctx, in, options...)
}

// DescribeNetworkInterfaces implements EC2API.
func (c ec2Calls) DescribeNetworkInterfaces(ctx context.Context, in *ec2.DescribeNetworkInterfacesInput, options ...func(*ec2.Options)) (*ec2.DescribeNetworkInterfacesOutput, error) {
	return c.describeNetworkInterfaces(ctx, in, options...)
}

// ModifyNetworkInterfaceAttribute implements EC2API.
func (c ec2Calls) ModifyNetworkInterfaceAttribute(ctx context.Context, in *ec2.ModifyNetworkInterfaceAttributeInput, options ...func(*ec2.Options)) (*ec2.ModifyNetworkInterfaceAttributeOutput, error) {
	return c.modifyNetworkInterfaceAttribute(ctx, in, options...)
}

// DescribeSnapshots implements EC2API.
func (c ec2Calls) DescribeSnapshots(ctx context.Context, in *ec2.DescribeSnapshotsInput, options ...func(*ec2.Options)) (*ec2.DescribeSnapshotsOutput, error) {
	return c.describeSnapshots(ctx, in, options...)
}

// CreateSnapshots implements EC2API.
func (c ec2Calls) CreateSnapshots(ctx context.Context, in *ec2.CreateSnapshotsInput, options ...func(*ec2.Options)) (*ec2.CreateSnapshotsOutput, error) {
	return c.createSnapshots(ctx, in, options...)
}

// DescribeSnapshotAttribute implements EC2API.
func (c ec2Calls) DescribeSnapshotAttribute(ctx context.Context, in *ec2.DescribeSnapshotAttributeInput, options ...func(*ec2.Options)) (*ec2.DescribeSnapshotAttributeOutput, error) {
	return c.describeSnapshotAttribute(ctx, in, options...)
}

// ModifySnapshotAttribute implements EC2API.
func (c ec2Calls) ModifySnapshotAttribute(ctx context.Context, in *ec2.ModifySnapshotAttributeInput, options ...func(*ec2.Options)) (*ec2.ModifySnapshotAttributeOutput, error) {
	return c.modifySnapshotAttribute(ctx, in, options...)
}

// DescribeImages implements EC2API.
func (c ec2Calls) DescribeImages(ctx context.Context, in *ec2.DescribeImagesInput, options ...func(*ec2.Options)) (*ec2.DescribeImagesOutput, error) {
	return c.describeImages(ctx, in, options...)
}

// DescribeImageAttribute implements EC2API.
func (c ec2Calls) DescribeImageAttribute(ctx context.Context, in *ec2.DescribeImageAttributeInput, options ...func(*ec2.Options)) (*ec2.DescribeImageAttributeOutput, error) {
	return c.describeImageAttribute(ctx, in, options...)
}

// ModifyImageAttribute implements EC2API.
func (c ec2Calls) ModifyImageAttribute(ctx context.Context, in *ec2.ModifyImageAttributeInput, options ...func(*ec2.Options)) (*ec2.ModifyImageAttributeOutput, error) {
	return c.modifyImageAttribute(ctx, in, options...)
}
