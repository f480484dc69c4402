package actions

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/skycrafters/responder"
)

// ec2TerminateInstances terminates instances.
type ec2TerminateInstances struct{ instances }

var (
	_ responder.Action   = (*ec2TerminateInstances)(nil)
	_ responder.Verifier = (*ec2TerminateInstances)(nil)
)

// Spec implements responder.Action.
func (a *ec2TerminateInstances) Spec() responder.Spec {
	return responder.Spec{
		Name: "EC2TerminateInstances",
		Kind: responder.Repair,
		Doc: "Terminates EC2 instances in the event's account and region; one that is protected against termination stays, " +
			"the others go, and the step fails naming it.",
		Params: []responder.Param{
			{Name: "ids", Type: responder.ListParam, Required: true, Doc: "The instances' ids."},
		},
		Result: map[string]string{
			"terminated": "ids of the instances that this attempt terminated",
			"already":    "ids of the instances that were terminated or shutting down",
			"missing":    "ids that EC2 does not know (any more)",
		},
		Permissions: []responder.Permission{
			{Actions: []string{"ec2:DescribeInstances"}, Resources: []string{"*"}},
			{Actions: []string{"ec2:TerminateInstances"}, Resources: []string{instanceARN}},
		},
	}
}

// Do implements responder.Action. It can be repeated.
func (a *ec2TerminateInstances) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	ids, api, err := a.at(ctx, a, call)
	if err != nil {
		return nil, err
	}
	known, err := states(ctx, api, ids)
	if err != nil {
		return nil, err
	}
	t := termination{api: api}
	var already, targets []string
	for _, id := range ids {
		switch state, ok := known[id]; {
		case !ok:
			t.missing = append(t.missing, id)
		case isEnding(state):
			already = append(already, id)
		default:
			targets = append(targets, id)
		}
	}
	for chunk := range slices.Chunk(targets, instancesAtOnce) {
		if err := t.terminate(ctx, chunk); err != nil {
			return nil, err
		}
	}
	if len(t.refused) > 0 {
		return nil, permanentf("protected against termination: %s (terminated: %s)", listed(t.refused), listed(t.terminated))
	}
	result := responder.Result{}
	for key, ids := range map[string][]string{"terminated": t.terminated, "already": already, "missing": t.missing} {
		if len(ids) > 0 {
			result[key] = ids
		}
	}
	return result, nil
}

// termination is one attempt to terminate and what became of each instance.
type termination struct {
	api        EC2API
	terminated []string
	missing    []string
	refused    []string // protected, by disableApiTermination or by an operator
}

// terminate terminates together, and one by one where one spoils it for all:
// EC2 spares every instance of a zone in which one is protected, and all if one
// is not there. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html
func (t *termination) terminate(ctx context.Context, ids []string) error {
	_, err := t.api.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: ids})
	refused, missing := hasCode(err, "OperationNotPermitted"), hasCode(err, "InvalidInstanceID.NotFound")
	switch {
	case err == nil:
		t.terminated = append(t.terminated, ids...)
	case !refused && !missing:
		return awsError("ec2:TerminateInstances", err, mutates)
	case len(ids) > 1:
		for _, id := range ids {
			if err := t.terminate(ctx, []string{id}); err != nil {
				return err
			}
		}
	case refused:
		t.refused = append(t.refused, ids...)
	case missing:
		t.missing = append(t.missing, ids...)
	}
	return nil
}

// Verify implements responder.Verifier: done if every instance is terminated,
// shutting down or unknown to EC2.
func (a *ec2TerminateInstances) Verify(ctx context.Context, call responder.Call) (responder.Verdict, error) {
	ids, api, err := a.at(ctx, a, call)
	if err != nil {
		return responder.VerdictUnknown, err
	}
	known, err := states(ctx, api, ids)
	if err != nil {
		return responder.VerdictUnknown, err
	}
	for _, state := range known {
		if !isEnding(state) {
			return responder.VerdictNotDone, nil
		}
	}
	return responder.VerdictDone, nil
}

func listed(ids []string) string {
	if len(ids) == 0 {
		return "none"
	}
	return cut(strings.Join(ids, ", "), 1000)
}
