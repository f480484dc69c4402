package actions

import (
	"context"
	"fmt"
	"slices"

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
		Params: append(instanceParams(), snapshotParam()),
		Result: map[string]string{
			"terminated": "ids of the instances that this attempt terminated",
			"already":    "ids of the instances that were terminated or shutting down",
			"missing":    "ids that EC2 does not know (any more)",
			"snapshots":  "ids of the snapshots that this attempt made",
		},
		Permissions: append(statePermissions(terminateActions...), snapshotPermissions([]string{instanceARN}, []string{volumeARN}, []string{snapshotARN})...),
		Inverse:     "Nothing: the instance is gone, and the volumes that are deleted with it; of those that were asked for, snapshots stay.",
	}
}

// Do implements responder.Action. It can be repeated. An instance whose volumes
// cannot be kept, where they shall be, stays.
func (a *ec2TerminateInstances) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	found, err := a.find(ctx, a, call)
	if err != nil {
		return nil, err
	}
	c := change{operation: "ec2:TerminateInstances", call: func(ctx context.Context, ids []string) error {
		_, err := found.api.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: ids})
		return err
	}}
	going, result := found.there(), responder.Result{}
	var kept error
	if flag(call, "snapshot") {
		made, left, err := found.snapshot(ctx, call, "terminated")
		put(result, "snapshots", made)
		if kept = err; err != nil {
			kept = fmt.Errorf("instances whose volumes cannot be kept are left as they are: %w", err)
			going = slices.DeleteFunc(going, func(id string) bool { return slices.Contains(left, id) })
		}
	}
	c.all(ctx, going)
	if err := both(c.err(ctx), kept); err != nil {
		return nil, err
	}
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
	if flag(call, "snapshot") {
		missing, err := found.unkept(ctx, call)
		if err != nil {
			return responder.Survey{}, err
		}
		survey.Lasting = append(survey.Lasting, keptSnapshots(missing)...)
	}
	return survey, nil
}

// Needs implements responder.Narrower.
func (a *ec2TerminateInstances) Needs(call responder.Call) []responder.Permission {
	needs := a.needs(call, terminateActions...)
	if len(needs) == 0 || !flag(call, "snapshot") {
		return needs
	}
	volumes, _ := ec2ARNs(call, "volume", "*")
	return append(needs, snapshotPermissions(needs[1].Resources, volumes, []string{"arn:${AWS::Partition}:ec2:" + call.Region + "::snapshot/*"})...)
}
