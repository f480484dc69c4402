package actions

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/skycrafters/responder"
)

// ec2StopInstances stops instances.
type ec2StopInstances struct{ instances }

var _ repair = (*ec2StopInstances)(nil)

// Spec implements responder.Action.
func (a *ec2StopInstances) Spec() responder.Spec {
	return responder.Spec{
		Name: "EC2StopInstances",
		Kind: responder.Repair,
		Doc: "Stops EC2 instances in the event's account and region; one that is protected against stopping, or cannot be stopped, stays, " +
			"the others stop, and the step fails naming it.",
		Params: instanceParams(),
		Result: map[string]string{
			"stopped": "ids of the instances that this attempt stopped",
			"already": "ids of the instances that were stopped or stopping, terminated or shutting down",
			"missing": "ids that EC2 does not know (any more)",
		},
		Permissions: statePermissions("ec2:StopInstances"),
		Inverse:     "EC2StartInstances starts those again that ran; what was in memory and on instance store volumes is gone, and a public address that is not elastic is another.",
		Undo:        []string{"EC2StartInstances"},
	}
}

// Do implements responder.Action. It can be repeated. An instance that is still
// starting is refused, as *Transient.
func (a *ec2StopInstances) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	found, err := a.find(ctx, a, call)
	if err != nil {
		return nil, err
	}
	c := change{operation: "ec2:StopInstances", call: func(ctx context.Context, ids []string) error {
		_, err := found.api.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: ids})
		return err
	}}
	c.all(ctx, found.in(up...))
	if err := c.err(ctx); err != nil {
		return nil, err
	}
	result := responder.Result{}
	put(result, "stopped", c.done)
	put(result, "already", append(found.in(down...), found.in(ended...)...))
	put(result, "missing", append(found.in(""), c.missing...))
	return result, nil
}

// Verify implements responder.Verifier: done if no instance is pending or running.
func (a *ec2StopInstances) Verify(ctx context.Context, call responder.Call) (responder.Verdict, error) {
	found, err := a.find(ctx, a, call)
	return verdict(len(found.in(up...)) == 0, err)
}

// Survey implements responder.Surveyor.
func (a *ec2StopInstances) Survey(ctx context.Context, call responder.Call) (responder.Survey, error) {
	found, err := a.find(ctx, a, call)
	if err != nil {
		return responder.Survey{}, err
	}
	survey := found.survey(call)
	running := found.in(up...)
	survey.Undo = found.undo("EC2StartInstances", running)
	if len(running) > 0 {
		survey.Lasting = []string{"what is in memory and on instance store volumes of " + listed(running)}
	}
	var addresses []string
	for _, id := range running {
		if address, ok := passingAddress(found.known[id]); ok {
			addresses = append(addresses, fmt.Sprintf("%s of %s", address, id))
		}
	}
	if len(addresses) > 0 {
		survey.Lasting = append(survey.Lasting, "public addresses: "+listed(addresses))
	}
	return survey, nil
}

// passingAddress gives a public address that an instance loses when it stops:
// one that is Amazon's, not an elastic one of the account's.
func passingAddress(instance types.Instance) (string, bool) {
	for _, face := range instance.NetworkInterfaces {
		if a := face.Association; a != nil && a.PublicIp != nil && a.IpOwnerId != nil && *a.IpOwnerId == "amazon" {
			return *a.PublicIp, true
		}
	}
	return "", false
}

// Needs implements responder.Narrower.
func (a *ec2StopInstances) Needs(call responder.Call) []responder.Permission {
	return a.needs(call, "ec2:StopInstances")
}

// Describe implements responder.Describer.
func (a *ec2StopInstances) Describe(call responder.Call) string {
	return "stop " + inline(plain(call.Params["ids"]))
}
