package actions

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// An instance is isolated by a security group without rules: nothing comes in,
// nothing goes out. There is one in each VPC, of a fixed name, made where it is
// missing. Rules that somebody gave it are taken from it before it is used.
const (
	isolationName = "ResponderIsolation"
	isolationDoc  = "For instances that Responder has isolated. It must have no rules."
)

// isolation is the group of one VPC. The zero value means that there is none.
type isolation struct {
	id      string
	in, out []types.IpPermission
}

func (g isolation) closed() bool { return g.id != "" && len(g.in)+len(g.out) == 0 }

// isolationOf looks for the group of a VPC, among those of the account alone: in
// a shared VPC another's may have its name.
func isolationOf(ctx context.Context, api EC2API, account, vpc string) (isolation, error) {
	return findIsolation(ctx, api, ec2Filter("vpc-id", vpc), ec2Filter("group-name", isolationName), ec2Filter("owner-id", account))
}

func findIsolation(ctx context.Context, api EC2API, filters ...types.Filter) (isolation, error) {
	out, err := api.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{Filters: filters})
	if err != nil {
		return isolation{}, awsError("ec2:DescribeSecurityGroups", err, reads)
	}
	for _, group := range out.SecurityGroups {
		return isolation{id: aws.ToString(group.GroupId), in: group.IpPermissions, out: group.IpPermissionsEgress}, nil
	}
	return isolation{}, nil
}

// ensureIsolation gives the id of a VPC's group, which has no rules when it
// returns. It can be repeated, and by two at once.
func ensureIsolation(ctx context.Context, api EC2API, account, vpc string) (string, error) {
	group, err := isolationOf(ctx, api, account, vpc)
	if err != nil {
		return "", err
	}
	if group.id == "" {
		if group, err = makeIsolation(ctx, api, account, vpc); err != nil {
			return "", err
		}
	}
	if len(group.out) > 0 {
		if _, err := api.RevokeSecurityGroupEgress(ctx, &ec2.RevokeSecurityGroupEgressInput{GroupId: &group.id, IpPermissions: group.out}); err != nil && !hasCode(err, "InvalidPermission.NotFound") {
			return "", awsError("ec2:RevokeSecurityGroupEgress", err, mutates)
		}
	}
	if len(group.in) > 0 {
		if _, err := api.RevokeSecurityGroupIngress(ctx, &ec2.RevokeSecurityGroupIngressInput{GroupId: &group.id, IpPermissions: group.in}); err != nil && !hasCode(err, "InvalidPermission.NotFound") {
			return "", awsError("ec2:RevokeSecurityGroupIngress", err, mutates)
		}
	}
	return group.id, nil
}

// makeIsolation makes the group of a VPC and reads it back: EC2 gives every new
// group rules that let everything out.
func makeIsolation(ctx context.Context, api EC2API, account, vpc string) (isolation, error) {
	made, err := api.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{
		GroupName: aws.String(isolationName), Description: aws.String(isolationDoc), VpcId: &vpc})
	var group isolation
	switch {
	case hasCode(err, "InvalidGroup.Duplicate"): // another was quicker
		group, err = isolationOf(ctx, api, account, vpc)
	case err != nil:
		return isolation{}, awsError("ec2:CreateSecurityGroup", err, mutates)
	default:
		group, err = findIsolation(ctx, api, ec2Filter("group-id", aws.ToString(made.GroupId)))
	}
	if err == nil && group.id == "" {
		err = transientf("the security group %s of %s was made a moment ago, and cannot be seen yet", isolationName, vpc)
	}
	return group, err
}

// sameGroups reports whether two lists name the same security groups.
func sameGroups(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// groupIDs gives the ids of security groups.
func groupIDs(groups []types.GroupIdentifier) []string {
	var ids []string
	for _, group := range groups {
		ids = append(ids, aws.ToString(group.GroupId))
	}
	return ids
}
