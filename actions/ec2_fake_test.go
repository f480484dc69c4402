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

	groups    map[string]*fakeGroup // by id
	faces     map[string][]string   // interface → groups; eni-X is of i-X
	snapshots []types.Snapshot
	shares    map[string][]string // snapshot or image → with whom
}

// fakeGroup is a security group.
type fakeGroup struct {
	name, vpc string
	rules     []types.SecurityGroupRule
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

// world is all that can change, but for what a repair makes and says that it stays.
func (f *fakeEC2) world() any {
	rules := map[string][]string{}
	for id, group := range f.groups {
		if group.name == isolationName {
			continue
		}
		rules[id] = nil
		for _, r := range group.rules {
			rules[id] = append(rules[id], fmt.Sprint(*r.IpProtocol, " ", *r.FromPort, " ", *r.ToPort, " ", aws.ToString(r.CidrIpv4), aws.ToString(r.CidrIpv6), aws.ToString(r.PrefixListId), " ", aws.ToString(r.Description)))
		}
		slices.Sort(rules[id])
	}
	faces := map[string][]string{}
	for id, groups := range f.faces {
		faces[id] = slices.Sorted(slices.Values(groups))
	}
	shares := map[string][]string{}
	for id, with := range f.shares {
		shares[id] = slices.Sorted(slices.Values(with))
	}
	return []any{maps.Clone(f.states), rules, faces, shares}
}

const (
	isolationName = "ResponderIsolation"
	web, ssh      = "sg-0000000000000000a", "sg-0000000000000000b"
	made          = "sg-0000000000000000f"
	face1, face2  = "eni-00000000000000001", "eni-00000000000000002"
)

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
			NetworkInterfaceId: aws.String("eni-" + number), VpcId: aws.String("vpc-1"), Groups: identifiers(f.faces["eni-"+number]),
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

func identifiers(groups []string) (all []types.GroupIdentifier) {
	for _, id := range groups {
		all = append(all, types.GroupIdentifier{GroupId: &id})
	}
	return all
}

func (f *fakeEC2) DescribeSecurityGroups(_ context.Context, in *ec2.DescribeSecurityGroupsInput, _ ...func(*ec2.Options)) (*ec2.DescribeSecurityGroupsOutput, error) {
	if err := f.call("DescribeSecurityGroups"); err != nil {
		return nil, err
	}
	out := &ec2.DescribeSecurityGroupsOutput{}
	for id, group := range f.groups {
		is := map[string]string{"group-id": id, "group-name": group.name, "vpc-id": group.vpc, "owner-id": account}
		if slices.ContainsFunc(in.Filters, func(filter types.Filter) bool { return !slices.Contains(filter.Values, is[*filter.Name]) }) {
			continue
		}
		found := types.SecurityGroup{GroupId: &id, GroupName: &group.name, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("blue")}}}
		for _, r := range group.rules {
			p := types.IpPermission{IpProtocol: r.IpProtocol, FromPort: r.FromPort, ToPort: r.ToPort}
			if *r.IsEgress {
				found.IpPermissionsEgress = append(found.IpPermissionsEgress, p)
			} else {
				found.IpPermissions = append(found.IpPermissions, p)
			}
		}
		out.SecurityGroups = append(out.SecurityGroups, found)
	}
	return out, nil
}

func (f *fakeEC2) DescribeSecurityGroupRules(_ context.Context, in *ec2.DescribeSecurityGroupRulesInput, _ ...func(*ec2.Options)) (*ec2.DescribeSecurityGroupRulesOutput, error) {
	if err := f.call("DescribeSecurityGroupRules"); err != nil {
		return nil, err
	}
	ids, err := filtered(in.Filters, "group-id")
	if err != nil || f.groups[ids[0]] == nil {
		return &ec2.DescribeSecurityGroupRulesOutput{}, err
	}
	known, names := map[string]types.SecurityGroupRule{}, []string{}
	for _, r := range f.groups[ids[0]].rules {
		known[*r.SecurityGroupRuleId], names = r, append(names, *r.SecurityGroupRuleId)
	}
	some, next, err := page(in.NextToken, names)
	out := &ec2.DescribeSecurityGroupRulesOutput{NextToken: next}
	for _, id := range some {
		out.SecurityGroupRules = append(out.SecurityGroupRules, known[id])
	}
	return out, err
}

func (f *fakeEC2) CreateSecurityGroup(_ context.Context, in *ec2.CreateSecurityGroupInput, _ ...func(*ec2.Options)) (*ec2.CreateSecurityGroupOutput, error) {
	if err := f.call("CreateSecurityGroup"); err != nil {
		return nil, err
	}
	for _, group := range f.groups {
		if group.name == *in.GroupName && group.vpc == *in.VpcId {
			return nil, awsErr("InvalidGroup.Duplicate")
		}
	}
	f.groups[made] = &fakeGroup{name: *in.GroupName, vpc: *in.VpcId, rules: []types.SecurityGroupRule{rule("-1", -1, "0.0.0.0/0", "", true)}}
	return &ec2.CreateSecurityGroupOutput{GroupId: aws.String(made)}, nil
}

// rule gives a rule of one port.
func rule(protocol string, port int32, place, description string, egress bool) types.SecurityGroupRule {
	r := types.SecurityGroupRule{
		SecurityGroupRuleId: aws.String(fmt.Sprintf("sgr-%s-%d-%s", protocol, port, place)), IpProtocol: &protocol, FromPort: &port, ToPort: &port, IsEgress: &egress}
	if description != "" {
		r.Description = &description
	}
	switch {
	case strings.HasPrefix(place, "pl-"):
		r.PrefixListId = &place
	case strings.Contains(place, ":"):
		r.CidrIpv6 = &place
	default:
		r.CidrIpv4 = &place
	}
	return r
}

func (f *fakeEC2) RevokeSecurityGroupEgress(_ context.Context, in *ec2.RevokeSecurityGroupEgressInput, _ ...func(*ec2.Options)) (*ec2.RevokeSecurityGroupEgressOutput, error) {
	if err := f.call("RevokeSecurityGroupEgress"); err != nil {
		return nil, err
	}
	if len(in.IpPermissions) == 0 || f.groups[*in.GroupId] == nil {
		return nil, awsErr("InvalidParameterValue")
	}
	group := f.groups[*in.GroupId]
	group.rules = slices.DeleteFunc(group.rules, func(r types.SecurityGroupRule) bool { return *r.IsEgress })
	return &ec2.RevokeSecurityGroupEgressOutput{}, nil
}

func (f *fakeEC2) RevokeSecurityGroupIngress(_ context.Context, in *ec2.RevokeSecurityGroupIngressInput, _ ...func(*ec2.Options)) (*ec2.RevokeSecurityGroupIngressOutput, error) {
	if err := f.call("RevokeSecurityGroupIngress"); err != nil {
		return nil, err
	}
	group := f.groups[*in.GroupId]
	switch {
	case group == nil:
		return nil, awsErr("InvalidGroup.NotFound")
	case len(in.IpPermissions) > 0:
		group.rules = slices.DeleteFunc(group.rules, func(r types.SecurityGroupRule) bool { return !*r.IsEgress })
		return &ec2.RevokeSecurityGroupIngressOutput{}, nil
	}
	for _, id := range in.SecurityGroupRuleIds {
		if !slices.ContainsFunc(group.rules, func(r types.SecurityGroupRule) bool { return *r.SecurityGroupRuleId == id }) {
			return nil, awsErr("InvalidSecurityGroupRuleId.NotFound")
		}
	}
	group.rules = slices.DeleteFunc(group.rules, func(r types.SecurityGroupRule) bool {
		return slices.Contains(in.SecurityGroupRuleIds, *r.SecurityGroupRuleId)
	})
	return &ec2.RevokeSecurityGroupIngressOutput{}, nil
}

func (f *fakeEC2) AuthorizeSecurityGroupIngress(_ context.Context, in *ec2.AuthorizeSecurityGroupIngressInput, _ ...func(*ec2.Options)) (*ec2.AuthorizeSecurityGroupIngressOutput, error) {
	if err := f.call("AuthorizeSecurityGroupIngress"); err != nil {
		return nil, err
	}
	group := f.groups[*in.GroupId]
	if group == nil {
		return nil, awsErr("InvalidGroup.NotFound")
	}
	for _, p := range in.IpPermissions {
		port := aws.Int32(-1)
		if p.FromPort != nil {
			port = p.FromPort
		}
		for _, r := range p.IpRanges {
			group.rules = append(group.rules, rule(*p.IpProtocol, *port, *r.CidrIp, aws.ToString(r.Description), false))
		}
		for _, r := range p.Ipv6Ranges {
			group.rules = append(group.rules, rule(*p.IpProtocol, *port, *r.CidrIpv6, aws.ToString(r.Description), false))
		}
	}
	return &ec2.AuthorizeSecurityGroupIngressOutput{}, nil
}

func (f *fakeEC2) DescribeNetworkInterfaces(_ context.Context, in *ec2.DescribeNetworkInterfacesInput, _ ...func(*ec2.Options)) (*ec2.DescribeNetworkInterfacesOutput, error) {
	if err := f.call("DescribeNetworkInterfaces"); err != nil {
		return nil, err
	}
	ids, err := filtered(in.Filters, "network-interface-id")
	out := &ec2.DescribeNetworkInterfacesOutput{}
	for _, id := range ids {
		if groups, ok := f.faces[id]; ok {
			out.NetworkInterfaces = append(out.NetworkInterfaces, types.NetworkInterface{NetworkInterfaceId: &id, Groups: identifiers(groups), TagSet: []types.Tag{{Key: aws.String("team"), Value: aws.String("blue")}}})
		}
	}
	return out, err
}

func (f *fakeEC2) ModifyNetworkInterfaceAttribute(_ context.Context, in *ec2.ModifyNetworkInterfaceAttributeInput, _ ...func(*ec2.Options)) (*ec2.ModifyNetworkInterfaceAttributeOutput, error) {
	if err := f.call("ModifyNetworkInterfaceAttribute"); err != nil {
		return nil, err
	}
	if _, ok := f.faces[*in.NetworkInterfaceId]; !ok {
		return nil, awsErr("InvalidNetworkInterfaceID.NotFound")
	}
	for _, id := range in.Groups {
		if f.groups[id] == nil {
			return nil, awsErr("InvalidGroup.NotFound")
		}
	}
	f.faces[*in.NetworkInterfaceId] = in.Groups
	return &ec2.ModifyNetworkInterfaceAttributeOutput{}, nil
}

func (f *fakeEC2) DescribeSnapshots(_ context.Context, in *ec2.DescribeSnapshotsInput, _ ...func(*ec2.Options)) (*ec2.DescribeSnapshotsOutput, error) {
	if err := f.call("DescribeSnapshots"); err != nil {
		return nil, err
	}
	out := &ec2.DescribeSnapshotsOutput{}
	if len(in.OwnerIds) != 1 || in.OwnerIds[0] != "self" {
		return nil, awsErr("InvalidParameterValue")
	}
	if *in.Filters[0].Name == "snapshot-id" {
		for _, id := range f.shared(in.Filters[0].Values) {
			out.Snapshots = append(out.Snapshots, types.Snapshot{SnapshotId: &id, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("blue")}}})
		}
	}
	for _, snapshot := range f.snapshots {
		if *in.Filters[0].Name == "tag:responder:step" && *snapshot.Tags[0].Value == in.Filters[0].Values[0] {
			out.Snapshots = append(out.Snapshots, snapshot)
		}
	}
	return out, nil
}

func (f *fakeEC2) CreateSnapshots(_ context.Context, in *ec2.CreateSnapshotsInput, _ ...func(*ec2.Options)) (*ec2.CreateSnapshotsOutput, error) {
	if err := f.call("CreateSnapshots"); err != nil {
		return nil, err
	}
	if f.states[*in.InstanceSpecification.InstanceId] == "" {
		return nil, awsErr("InvalidInstanceID.NotFound")
	}
	id := fmt.Sprintf("snap-%017d", len(f.snapshots))
	f.snapshots = append(f.snapshots, types.Snapshot{SnapshotId: &id, Tags: in.TagSpecifications[0].Tags})
	return &ec2.CreateSnapshotsOutput{Snapshots: []types.SnapshotInfo{{SnapshotId: &id}}}, nil
}

// shared gives those of some things that are there.
func (f *fakeEC2) shared(ids []string) []string {
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { _, ok := f.shares[id]; return !ok })
}

func (f *fakeEC2) DescribeSnapshotAttribute(_ context.Context, in *ec2.DescribeSnapshotAttributeInput, _ ...func(*ec2.Options)) (*ec2.DescribeSnapshotAttributeOutput, error) {
	if err := f.call("DescribeSnapshotAttribute"); err != nil {
		return nil, err
	}
	out := &ec2.DescribeSnapshotAttributeOutput{}
	for _, partner := range f.shares[*in.SnapshotId] {
		if partner == "public" {
			out.CreateVolumePermissions = append(out.CreateVolumePermissions, types.CreateVolumePermission{Group: types.PermissionGroupAll})
		} else {
			out.CreateVolumePermissions = append(out.CreateVolumePermissions, types.CreateVolumePermission{UserId: &partner})
		}
	}
	if _, ok := f.shares[*in.SnapshotId]; !ok {
		return nil, awsErr("InvalidSnapshot.NotFound")
	}
	return out, nil
}

func (f *fakeEC2) ModifySnapshotAttribute(_ context.Context, in *ec2.ModifySnapshotAttributeInput, _ ...func(*ec2.Options)) (*ec2.ModifySnapshotAttributeOutput, error) {
	if err := f.call("ModifySnapshotAttribute"); err != nil {
		return nil, err
	}
	partners := slices.Clone(in.UserIds)
	if slices.Equal(in.GroupNames, []string{"all"}) {
		partners = append(partners, "public")
	}
	if in.OperationType == types.OperationTypeAdd {
		return &ec2.ModifySnapshotAttributeOutput{}, f.share(*in.SnapshotId, "InvalidSnapshot.NotFound", partners, nil)
	}
	return &ec2.ModifySnapshotAttributeOutput{}, f.share(*in.SnapshotId, "InvalidSnapshot.NotFound", nil, partners)
}

func (f *fakeEC2) share(id, missing string, add, remove []string) error {
	with, ok := f.shares[id]
	if !ok {
		return awsErr(missing)
	}
	f.shares[id] = append(slices.DeleteFunc(slices.Clone(with), func(p string) bool { return slices.Contains(remove, p) }), add...)
	return nil
}

func (f *fakeEC2) DescribeImages(_ context.Context, in *ec2.DescribeImagesInput, _ ...func(*ec2.Options)) (*ec2.DescribeImagesOutput, error) {
	if err := f.call("DescribeImages"); err != nil {
		return nil, err
	}
	out := &ec2.DescribeImagesOutput{}
	ids, err := filtered(in.Filters, "image-id")
	for _, id := range f.shared(ids) {
		out.Images = append(out.Images, types.Image{ImageId: &id, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("blue")}}})
	}
	return out, err
}

func (f *fakeEC2) DescribeImageAttribute(_ context.Context, in *ec2.DescribeImageAttributeInput, _ ...func(*ec2.Options)) (*ec2.DescribeImageAttributeOutput, error) {
	if err := f.call("DescribeImageAttribute"); err != nil {
		return nil, err
	}
	out := &ec2.DescribeImageAttributeOutput{}
	for _, partner := range f.shares[*in.ImageId] {
		switch {
		case partner == "public":
			out.LaunchPermissions = append(out.LaunchPermissions, types.LaunchPermission{Group: types.PermissionGroupAll})
		case strings.HasPrefix(partner, "arn:"):
			out.LaunchPermissions = append(out.LaunchPermissions, types.LaunchPermission{OrganizationArn: &partner})
		default:
			out.LaunchPermissions = append(out.LaunchPermissions, types.LaunchPermission{UserId: &partner})
		}
	}
	if _, ok := f.shares[*in.ImageId]; !ok {
		return nil, awsErr("InvalidAMIID.NotFound")
	}
	return out, nil
}

func (f *fakeEC2) ModifyImageAttribute(_ context.Context, in *ec2.ModifyImageAttributeInput, _ ...func(*ec2.Options)) (*ec2.ModifyImageAttributeOutput, error) {
	if err := f.call("ModifyImageAttribute"); err != nil {
		return nil, err
	}
	partners := func(permissions []types.LaunchPermission) (all []string) {
		for _, p := range permissions {
			partner := aws.ToString(p.UserId) + aws.ToString(p.OrganizationArn)
			if p.Group != "" {
				partner = "public"
			}
			all = append(all, partner)
		}
		return all
	}
	return &ec2.ModifyImageAttributeOutput{}, f.share(*in.ImageId, "InvalidAMIID.NotFound", partners(in.LaunchPermission.Add), partners(in.LaunchPermission.Remove))
}
