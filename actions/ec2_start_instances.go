package actions

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/skycrafters/responder"
)

// ec2StartInstances starts instances that are stopped.
type ec2StartInstances struct{ instances }

var _ repair = (*ec2StartInstances)(nil)

// Spec implements responder.Action.
func (a *ec2StartInstances) Spec() responder.Spec {
	return responder.Spec{
		Name:   "EC2StartInstances",
		Kind:   responder.Repair,
		Doc:    "Starts EC2 instances that are stopped, in the event's account and region; if some are gone, the others start, and the step fails naming them.",
		Params: instanceParams(),
		Result: map[string]string{
			"started": "ids of the instances that this attempt started",
			"already": "ids of the instances that were running or pending",
		},
		Permissions: statePermissions("ec2:StartInstances"),
		Inverse:     "EC2StopInstances stops those again that were stopped.",
		Undo:        []string{"EC2StopInstances"},
	}
}

// Do implements responder.Action. It can be repeated. An instance that is still
// stopping is refused, as *Transient.
func (a *ec2StartInstances) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	found, err := a.find(ctx, a, call)
	if err != nil {
		return nil, err
	}
	c := change{operation: "ec2:StartInstances", call: func(ctx context.Context, ids []string) error {
		_, err := found.api.StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: ids})
		return err
	}}
	c.all(ctx, found.in(down...))
	if gone := append(append(found.in(ended...), found.in("")...), c.missing...); len(gone) > 0 {
		c.left = append(c.left, gone...)
		c.worst = graver(c.worst, permanentf("not there any more: %s", listed(gone)))
	}
	if err := c.err(ctx); err != nil {
		return nil, err
	}
	result := responder.Result{}
	put(result, "started", c.done)
	put(result, "already", found.in(up...))
	return result, nil
}

// Verify implements responder.Verifier: done if every instance is running or
// pending.
func (a *ec2StartInstances) Verify(ctx context.Context, call responder.Call) (responder.Verdict, error) {
	found, err := a.find(ctx, a, call)
	return verdict(len(found.in(up...)) == len(found.ids), err)
}

// Survey implements responder.Surveyor.
func (a *ec2StartInstances) Survey(ctx context.Context, call responder.Call) (responder.Survey, error) {
	found, err := a.find(ctx, a, call)
	if err != nil {
		return responder.Survey{}, err
	}
	survey := found.survey(call)
	survey.Undo = found.undo("EC2StopInstances", found.in(down...))
	return survey, nil
}

// Needs implements responder.Narrower.
func (a *ec2StartInstances) Needs(call responder.Call) []responder.Permission {
	return a.needs(call, "ec2:StartInstances")
}

// Describe implements responder.Describer.
func (a *ec2StartInstances) Describe(call responder.Call) string {
	return "start " + inline(plain(call.Params["ids"]))
}
