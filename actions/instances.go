package actions

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/skycrafters/responder"
)

// instancesAtOnce is how many instances one call is about; a filter takes 200 values.
const instancesAtOnce = 100

const instanceARN = "arn:${AWS::Partition}:ec2:*:${AWS::AccountId}:instance/*"

// instances is what the actions on EC2 instances have in common.
type instances struct{ *access }

// foundInstances are the instances that a call is about, as EC2 knows them now.
type foundInstances struct {
	ids   []string // that are meant, each once
	known map[string]types.Instance
	api   EC2API
}

// find looks for the instances that a call of an action is about, in the event's
// account and region. It asks by filter: a request by ids fails as a whole for
// each one that is not there.
func (i instances) find(ctx context.Context, by responder.Action, call responder.Call) (foundInstances, error) {
	ids, err := instanceIDs(call)
	if err != nil {
		return foundInstances{}, err
	}
	region, err := regionTarget(call)
	if err != nil {
		return foundInstances{}, err
	}
	api, err := client(ctx, i.access, i.aws.EC2, by, call, region)
	if err != nil {
		return foundInstances{}, err
	}
	found := foundInstances{ids: ids, known: map[string]types.Instance{}, api: api}
	for chunk := range slices.Chunk(ids, instancesAtOnce) {
		pages := ec2.NewDescribeInstancesPaginator(api, &ec2.DescribeInstancesInput{Filters: []types.Filter{ec2Filter("instance-id", chunk...)}})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return foundInstances{}, awsError("ec2:DescribeInstances", err, reads)
			}
			for _, reservation := range page.Reservations {
				for _, instance := range reservation.Instances {
					if instance.State != nil {
						found.known[aws.ToString(instance.InstanceId)] = instance
					}
				}
			}
		}
	}
	return found, nil
}

// state gives an instance's state, "" if EC2 does not know it (any more).
func (f foundInstances) state(id string) types.InstanceStateName {
	if instance, ok := f.known[id]; ok {
		return instance.State.Name
	}
	return ""
}

// in gives the instances that are in one of some states; "" is none.
func (f foundInstances) in(states ...types.InstanceStateName) []string {
	return slices.DeleteFunc(slices.Clone(f.ids), func(id string) bool { return !slices.Contains(states, f.state(id)) })
}

// The states of an instance, by what can be done to it. One that is pending or
// stopping is refused for a while what one that is running or stopped is not.
var (
	up    = []types.InstanceStateName{types.InstanceStateNamePending, types.InstanceStateNameRunning}
	down  = []types.InstanceStateName{types.InstanceStateNameStopping, types.InstanceStateNameStopped}
	ended = []types.InstanceStateName{types.InstanceStateNameShuttingDown, types.InstanceStateNameTerminated}
)

// there gives the instances that have not ended.
func (f foundInstances) there() []string {
	return slices.DeleteFunc(slices.Clone(f.ids), func(id string) bool { return f.state(id) == "" || slices.Contains(ended, f.state(id)) })
}

// survey begins a survey of the instances that have not ended: in which state
// each is. One that EC2 does not know may be known when it is acted on, so it is
// a target, too; nobody can say what tags it has.
func (f foundInstances) survey(call responder.Call) responder.Survey {
	var survey responder.Survey
	for _, id := range f.ids {
		state := string(f.state(id))
		if slices.Contains(ended, f.state(id)) {
			continue
		}
		target := ec2Target(call, "instance", id, f.known[id].Tags)
		if state == "" {
			target.TagsUnknown, state = true, "missing"
		}
		survey.Targets = append(survey.Targets, target)
		if survey.Found == nil {
			survey.Found = map[string]any{}
		}
		same, _ := survey.Found[state].([]string)
		survey.Found[state] = append(same, id)
	}
	return survey
}

// undo gives a repair of some of the instances; none of none.
func (f foundInstances) undo(action string, ids []string) []responder.Binding {
	if len(ids) == 0 {
		return nil
	}
	return []responder.Binding{{Action: action, Params: map[string]any{"ids": ids}}}
}

// needs gives the permissions of a call about some instances: to look at any,
// which AWS cannot narrow, and actions on these.
func (i instances) needs(call responder.Call, actions ...string) []responder.Permission {
	ids, err := instanceIDs(call)
	if err != nil {
		return nil // Do refuses it
	}
	arns, err := ec2ARNs(call, "instance", ids...)
	if err != nil {
		return nil
	}
	return []responder.Permission{
		{Actions: []string{"ec2:DescribeInstances"}, Resources: []string{"*"}},
		{Actions: actions, Resources: arns},
	}
}

// instanceParams are the parameters that name instances.
func instanceParams() []responder.Param {
	return []responder.Param{{Name: "ids", Type: responder.ListParam, Required: true, Doc: "The instances' ids."}}
}
