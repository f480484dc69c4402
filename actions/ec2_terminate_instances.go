package actions

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/skycrafters/responder"
)

// ec2TerminateInstances terminates instances.
type ec2TerminateInstances struct{ instances }

var _ repair = (*ec2TerminateInstances)(nil)

var terminateActions = []string{"ec2:DescribeInstanceAttribute", "ec2:TerminateInstances"}

// Spec implements responder.Action.
func (a *ec2TerminateInstances) Spec() responder.Spec {
	return responder.Spec{
		Name: "EC2TerminateInstances",
		Kind: responder.Repair,
		Doc: "Terminates EC2 instances in the event's account and region; one that is protected against termination stays, " +
			"the others go, and the step fails naming it.",
		Params: instanceParams(),
		Result: map[string]string{
			"terminated": "ids of the instances that this attempt terminated",
			"already":    "ids of the instances that were terminated or shutting down",
			"missing":    "ids that EC2 does not know (any more)",
		},
		Permissions: statePermissions(terminateActions...),
		Inverse:     "Nothing: the instance is gone, and the volumes that are deleted with it.",
	}
}

// Do implements responder.Action. It can be repeated.
func (a *ec2TerminateInstances) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	found, err := a.find(ctx, a, call)
	if err != nil {
		return nil, err
	}
	c := change{operation: "ec2:TerminateInstances", call: func(ctx context.Context, ids []string) error {
		_, err := found.api.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: ids})
		return err
	}}
	c.all(ctx, found.there())
	if err := c.err(ctx); err != nil {
		return nil, err
	}
	result := responder.Result{}
	put(result, "terminated", c.done)
	put(result, "already", found.in(ended...))
	put(result, "missing", append(found.in(""), c.missing...))
	return result, nil
}

// Verify implements responder.Verifier: done if every instance is terminated,
// shutting down or unknown to EC2.
func (a *ec2TerminateInstances) Verify(ctx context.Context, call responder.Call) (responder.Verdict, error) {
	found, err := a.find(ctx, a, call)
	return verdict(len(found.there()) == 0, err)
}

// Survey implements responder.Surveyor. It makes one call for each instance, to
// say which ones are protected against termination.
func (a *ec2TerminateInstances) Survey(ctx context.Context, call responder.Call) (responder.Survey, error) {
	found, err := a.find(ctx, a, call)
	if err != nil {
		return responder.Survey{}, err
	}
	survey := found.survey(call)
	var going, protected, volumes []string
	for _, id := range found.there() {
		out, err := found.api.DescribeInstanceAttribute(ctx, &ec2.DescribeInstanceAttributeInput{
			InstanceId: &id, Attribute: types.InstanceAttributeNameDisableApiTermination})
		switch {
		case hasCode(err, "InvalidInstanceID.NotFound"): // gone meanwhile
			continue
		case err != nil:
			return responder.Survey{}, awsError("ec2:DescribeInstanceAttribute", err, reads)
		case out.DisableApiTermination != nil && aws.ToBool(out.DisableApiTermination.Value):
			protected = append(protected, id)
			continue
		}
		going = append(going, id)
		for _, device := range found.known[id].BlockDeviceMappings {
			if device.Ebs != nil && aws.ToBool(device.Ebs.DeleteOnTermination) {
				volumes = append(volumes, aws.ToString(device.Ebs.VolumeId))
			}
		}
	}
	if len(protected) > 0 {
		survey.Found["protected"] = protected
	}
	if len(going) > 0 {
		survey.Lasting = append(survey.Lasting, "instances "+listed(going))
	}
	if len(volumes) > 0 {
		survey.Lasting = append(survey.Lasting, "volumes, which are deleted with them: "+listed(volumes))
	}
	return survey, nil
}

// Needs implements responder.Narrower.
func (a *ec2TerminateInstances) Needs(call responder.Call) []responder.Permission {
	return a.needs(call, terminateActions...)
}
