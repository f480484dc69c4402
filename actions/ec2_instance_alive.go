package actions

import (
	"context"
	"strings"

	"github.com/skycrafters/responder"
)

// ec2InstanceAlive asks whether any of some instances runs.
type ec2InstanceAlive struct{ instances }

var _ responder.Action = (*ec2InstanceAlive)(nil)

// Spec implements responder.Action.
func (a *ec2InstanceAlive) Spec() responder.Spec {
	return responder.Spec{
		Name:   "EC2InstanceAlive",
		Kind:   responder.Check,
		Doc:    "Goes on if at least one of the EC2 instances is pending or running, in the event's account and region.",
		Params: instanceParams(),
		Result: map[string]string{
			"alive":  "ids of the instances that are pending or running",
			"states": "id → state, of the instances that EC2 knows",
		},
		Permissions: []responder.Permission{{Actions: []string{"ec2:DescribeInstances"}, Resources: []string{"*"}}},
	}
}

// Do implements responder.Action.
func (a *ec2InstanceAlive) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	found, err := a.find(ctx, a, call)
	if err != nil {
		return nil, err
	}
	alive, seen := found.in(up...), map[string]any{}
	for _, id := range found.ids {
		if state := found.state(id); state != "" {
			seen[id] = string(state)
		}
	}
	if len(alive) == 0 {
		return nil, stopf("none of the instances is running any more: %s", cut(strings.Join(found.ids, ", "), 400))
	}
	return responder.Result{"alive": alive, "states": seen}, nil
}
