package actions_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
)

// fakeEC2 is one region: pages of two reservations, and EC2's all-or-nothing.
type fakeEC2 struct {
	states    map[string]types.InstanceStateName
	protected map[string]bool // against termination and stopping
	fails     map[string][]error
	calls     []string
	onCall    func(op string)
	vanish    string // an instance that is gone when it is to be changed
	regions   []string
}

var _ actions.EC2API = (*fakeEC2)(nil)

const (
	one, two, three, four = "i-00000000000000001", "i-00000000000000002", "i-00000000000000003", "i-00000000000000004"

	pending    = types.InstanceStateNamePending
	running    = types.InstanceStateNameRunning
	stopping   = types.InstanceStateNameStopping
	stopped    = types.InstanceStateNameStopped
	ending     = types.InstanceStateNameShuttingDown
	terminated = types.InstanceStateNameTerminated
)

func idsCall(ids ...any) responder.Call {
	return responder.Call{Params: map[string]any{"ids": ids}, Account: account, Region: "eu-west-3"}
}

func (f *fakeEC2) catalogue() responder.Catalogue {
	return actions.New(actions.Deps{AWS: actions.AWS{
		EC2: func(cfg aws.Config) actions.EC2API {
			f.regions = append(f.regions, cfg.Region)
			return f
		},
		STS: func(aws.Config) actions.STSAPI { return &fakeSTS{account: account} },
	}})
}

func (f *fakeEC2) call(op string) error {
	f.calls = append(f.calls, op)
	if f.onCall != nil {
		f.onCall(op)
	}
	if queue := f.fails[op]; len(queue) > 0 {
		f.fails[op] = queue[1:]
		return queue[0]
	}
	return nil
}

// asked gives the IAM actions that were used.
func (f *fakeEC2) asked() []string {
	var used []string
	for _, op := range f.calls {
		used = append(used, "ec2:"+op)
	}
	return used
}

// world is all that can change.
func (f *fakeEC2) world() any { return maps.Clone(f.states) }

// page gives two of the things that a filter is about, by its values.
func page(token *string, found []string) (some []string, next *string, err error) {
	at := 0
	if token != nil {
		if _, err := fmt.Sscan(*token, &at); err != nil {
			return nil, nil, err
		}
	}
	if at+2 < len(found) {
		next = aws.String(fmt.Sprint(at + 2))
	}
	return found[min(at, len(found)):min(at+2, len(found))], next, nil
}

// filtered gives the values of the one filter that a request must have.
func filtered(filters []types.Filter, name string) ([]string, error) {
	if len(filters) != 1 || *filters[0].Name != name || len(filters[0].Values) == 0 || len(filters[0].Values) > 200 {
		return nil, awsErr("InvalidParameterValue")
	}
	return filters[0].Values, nil
}

func (f *fakeEC2) DescribeInstances(_ context.Context, in *ec2.DescribeInstancesInput, _ ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error) {
	if err := f.call("DescribeInstances"); err != nil {
		return nil, err
	}
	found, err := filtered(in.Filters, "instance-id")
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(slices.Clone(found), func(id string) bool { return f.states[id] == "" })
	some, next, err := page(in.NextToken, found)
	out := &ec2.DescribeInstancesOutput{NextToken: next}
	for _, id := range some {
		out.Reservations = append(out.Reservations, types.Reservation{Instances: []types.Instance{f.instance(id)}})
	}
	return out, err
}

func (f *fakeEC2) instance(id string) types.Instance {
	number := strings.TrimPrefix(id, "i-")
	return types.Instance{
		InstanceId: &id, State: &types.InstanceState{Name: f.states[id]},
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("blue")}},
		BlockDeviceMappings: []types.InstanceBlockDeviceMapping{
			{Ebs: &types.EbsInstanceBlockDevice{VolumeId: aws.String("vol-" + number), DeleteOnTermination: aws.Bool(true)}},
			{Ebs: &types.EbsInstanceBlockDevice{VolumeId: aws.String("vol-kept"), DeleteOnTermination: aws.Bool(false)}},
		},
		NetworkInterfaces: []types.InstanceNetworkInterface{{
			Association: &types.InstanceNetworkInterfaceAssociation{IpOwnerId: aws.String("amazon"), PublicIp: aws.String("203.0.113.7")}}},
	}
}

func (f *fakeEC2) DescribeInstanceAttribute(_ context.Context, in *ec2.DescribeInstanceAttributeInput, _ ...func(*ec2.Options)) (*ec2.DescribeInstanceAttributeOutput, error) {
	if err := f.call("DescribeInstanceAttribute"); err != nil {
		return nil, err
	}
	if f.states[*in.InstanceId] == "" {
		return nil, awsErr("InvalidInstanceID.NotFound")
	}
	return &ec2.DescribeInstanceAttributeOutput{DisableApiTermination: &types.AttributeBooleanValue{Value: aws.Bool(f.protected[*in.InstanceId])}}, nil
}

// change brings instances from some states to another, all or none.
func (f *fakeEC2) change(op string, ids []string, from []types.InstanceStateName, to types.InstanceStateName) error {
	if err := f.call(op); err != nil {
		return err
	}
	for _, id := range ids {
		switch {
		case id == f.vanish, f.states[id] == "":
			return awsErr("InvalidInstanceID.NotFound")
		case f.protected[id] && op != "StartInstances":
			return awsErr("OperationNotPermitted")
		case !slices.Contains(from, f.states[id]):
			return awsErr("IncorrectInstanceState")
		}
	}
	for _, id := range ids {
		f.states[id] = to
	}
	return nil
}

func (f *fakeEC2) TerminateInstances(_ context.Context, in *ec2.TerminateInstancesInput, _ ...func(*ec2.Options)) (*ec2.TerminateInstancesOutput, error) {
	return &ec2.TerminateInstancesOutput{}, f.change("TerminateInstances", in.InstanceIds,
		[]types.InstanceStateName{pending, running, stopping, stopped, ending, terminated}, ending)
}

func (f *fakeEC2) StopInstances(_ context.Context, in *ec2.StopInstancesInput, _ ...func(*ec2.Options)) (*ec2.StopInstancesOutput, error) {
	return &ec2.StopInstancesOutput{}, f.change("StopInstances", in.InstanceIds, []types.InstanceStateName{running, stopping, stopped}, stopped)
}

func (f *fakeEC2) StartInstances(_ context.Context, in *ec2.StartInstancesInput, _ ...func(*ec2.Options)) (*ec2.StartInstancesOutput, error) {
	return &ec2.StartInstancesOutput{}, f.change("StartInstances", in.InstanceIds, []types.InstanceStateName{pending, running, stopped}, running)
}
