package actions

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/skycrafters/responder"
)

// What repairs of instances have in common that keep snapshots of their volumes
// first.

const (
	volumeARN   = "arn:${AWS::Partition}:ec2:*:${AWS::AccountId}:volume/*"
	snapshotARN = "arn:${AWS::Partition}:ec2:*::snapshot/*" // snapshots are of no account
)

// snapshotParam is the parameter that asks for snapshots.
func snapshotParam() responder.Param {
	return responder.Param{Name: "snapshot", Type: responder.BoolParam,
		Doc: "Whether snapshots of the instances' volumes are made first, tagged `" + snapshotStep + "` with run and step."}
}

// snapshotPermissions are what snapshots need, on what a call names or on all.
func snapshotPermissions(instances, volumes, snapshots []string) []responder.Permission {
	return []responder.Permission{
		{Actions: []string{"ec2:DescribeSnapshots"}, Resources: []string{"*"}},
		{Actions: []string{"ec2:CreateSnapshots"}, Resources: slices.Concat(instances, volumes, snapshots)},
		{Actions: []string{"ec2:CreateTags"}, Resources: snapshots, Condition: map[string]map[string]string{"StringEquals": {"ec2:CreateAction": "CreateSnapshots"}}},
	}
}

// afterSnapshots says that snapshots come first, where they are asked for.
func afterSnapshots(call responder.Call) string {
	if flag(call, "snapshot") {
		return ", after snapshots of their volumes"
	}
	return ""
}

// keptSnapshots says what lasts of snapshots of instances' volumes, nothing of none.
func keptSnapshots(ids []string) []string {
	if len(ids) == 0 {
		return nil
	}
	return []string{"snapshots of the volumes of " + listed(ids) + ", which are kept and cost money"}
}

// snapshotStep and snapshotInstance are the tags by which a step knows the
// snapshots again that it has made.
const (
	snapshotStep     = "responder:step"
	snapshotInstance = "responder:instance"
)

// unkept gives the instances with volumes that this step has made no snapshots of.
func (f foundInstances) unkept(ctx context.Context, call responder.Call) ([]string, error) {
	kept := map[string]bool{}
	pages := ec2.NewDescribeSnapshotsPaginator(f.api, &ec2.DescribeSnapshotsInput{OwnerIds: []string{"self"}, Filters: []types.Filter{ec2Filter("tag:"+snapshotStep, call.Key)}})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, awsError("ec2:DescribeSnapshots", err, reads)
		}
		for _, snapshot := range page.Snapshots {
			kept[ec2Tags(snapshot.Tags)[snapshotInstance]] = true
		}
	}
	return slices.DeleteFunc(f.there(), func(id string) bool {
		return kept[id] || !slices.ContainsFunc(f.known[id].BlockDeviceMappings, func(d types.InstanceBlockDeviceMapping) bool { return d.Ebs != nil })
	}), nil
}

// snapshot makes snapshots of all volumes of each instance, at one moment, unless
// an attempt before has, and gives their ids and those of the instances that are
// not kept. It does not wait for them to be complete. before says what will be done.
func (f foundInstances) snapshot(ctx context.Context, call responder.Call, before string) (made, left []string, err error) {
	missing, err := f.unkept(ctx, call)
	if err != nil {
		return nil, f.there(), err
	}
	done, err := each(ctx, missing, func(ctx context.Context, id string) error {
		out, err := f.api.CreateSnapshots(ctx, &ec2.CreateSnapshotsInput{
			InstanceSpecification: &types.InstanceSpecification{InstanceId: &id},
			Description:           aws.String("Made by Responder before it " + before + " " + id),
			TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeSnapshot, Tags: []types.Tag{
				{Key: aws.String(snapshotStep), Value: &call.Key}, {Key: aws.String(snapshotInstance), Value: &id}}}},
		})
		switch {
		case hasCode(err, "InvalidInstanceID.NotFound"): // gone meanwhile
			return nil
		case err != nil:
			return awsError("ec2:CreateSnapshots", err, mutates)
		}
		for _, snapshot := range out.Snapshots {
			made = append(made, aws.ToString(snapshot.SnapshotId))
		}
		return nil
	})
	return made, slices.DeleteFunc(missing, func(id string) bool { return slices.Contains(done, id) }), err
}
