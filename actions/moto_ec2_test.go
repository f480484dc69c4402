package actions_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/skycrafters/responder"
)

const motoRegion = "eu-west-3"

// motoEC2 is EC2 of an emulator, by the SDK alone.
type motoEC2 struct {
	*ec2.Client
	account   string
	catalogue responder.Catalogue
}

func newMotoEC2(t *testing.T) motoEC2 {
	t.Helper()
	cfg, catalogue, account := moto(t)
	return motoEC2{ec2.NewFromConfig(cfg, func(o *ec2.Options) { o.Region = motoRegion }), account, catalogue}
}

func (m motoEC2) call(params map[string]any) responder.Call {
	call := repairCall(params)
	call.Account, call.Region = m.account, motoRegion
	return call
}

// launch starts instances with a tag.
func (m motoEC2) launch(t *testing.T, count int32, more ...func(*ec2.RunInstancesInput)) []types.Instance {
	t.Helper()
	images := must[*ec2.DescribeImagesOutput](t)(m.DescribeImages(t.Context(), &ec2.DescribeImagesInput{})).Images
	if len(images) == 0 {
		t.Fatal("the emulator has no images")
	}
	in := &ec2.RunInstancesInput{
		ImageId: images[0].ImageId, MinCount: &count, MaxCount: &count, InstanceType: types.InstanceTypeT3aNano,
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeInstance, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("blue")}}}},
	}
	for _, set := range more {
		set(in)
	}
	return must[*ec2.RunInstancesOutput](t)(m.RunInstances(t.Context(), in)).Instances
}

func instanceIDsOf(instances []types.Instance) (ids []string) {
	for _, i := range instances {
		ids = append(ids, *i.InstanceId)
	}
	return ids
}

func listOf(ids []string) (list []any) {
	for _, id := range ids {
		list = append(list, id)
	}
	return list
}

// instances reads some instances back.
func (m motoEC2) instances(t *testing.T, ids []string) map[string]types.Instance {
	t.Helper()
	known := map[string]types.Instance{}
	for _, r := range must[*ec2.DescribeInstancesOutput](t)(m.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{InstanceIds: ids})).Reservations {
		for _, i := range r.Instances {
			known[*i.InstanceId] = i
		}
	}
	return known
}

// TestMotoStopAndStart stops and starts instances of an emulator, and undoes it.
func TestMotoStopAndStart(t *testing.T) {
	m := newMotoEC2(t)
	ids := instanceIDsOf(m.launch(t, 3))
	must[*ec2.StopInstancesOutput](t)(m.StopInstances(t.Context(), &ec2.StopInstancesInput{InstanceIds: ids[2:]}))
	world := func() any {
		states := map[string]string{}
		for id, i := range m.instances(t, ids) {
			states[id] = string(i.State.Name)
		}
		return states
	}
	call := m.call(map[string]any{"ids": append(listOf(ids), "i-0fffffffffffffff0")})
	found, result := doAndUndo(t, m.catalogue, "EC2StopInstances", call, world)
	if len(found.Targets) != 4 || !found.Targets[3].TagsUnknown || found.Targets[0].ARN != "arn:aws:ec2:eu-west-3:"+m.account+":instance/"+ids[0] || found.Targets[0].Tags["team"] != "blue" || len(found.Found) != 3 {
		t.Errorf("found %+v", found)
	}
	if len(result["stopped"].([]string)) != 2 || len(result["already"].([]string)) != 1 || len(result["missing"].([]string)) != 1 {
		t.Errorf("got %v", result)
	}
	call.Params["ids"] = listOf(ids)
	doAndUndo(t, m.catalogue, "EC2StartInstances", call, world)

	protect := &types.AttributeBooleanValue{Value: aws.Bool(true)}
	must[*ec2.ModifyInstanceAttributeOutput](t)(m.ModifyInstanceAttribute(t.Context(), &ec2.ModifyInstanceAttributeInput{InstanceId: &ids[0], DisableApiTermination: protect}))
	found, err := survey(t, m.catalogue["EC2TerminateInstances"], call)
	if kept := stored(t, found); err != nil || len(kept.Targets) != 3 || len(kept.Lasting) != 2 || len(kept.Found["protected"].([]any)) != 1 {
		t.Errorf("found %+v, %v", found, err)
	}
}

// TestMotoIsolate isolates instances of an emulator, and undoes it.
func TestMotoIsolate(t *testing.T) {
	m, ctx := newMotoEC2(t), t.Context()
	vpc := must[*ec2.CreateVpcOutput](t)(m.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.7.0.0/16")})).Vpc
	subnet := must[*ec2.CreateSubnetOutput](t)(m.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: vpc.VpcId, CidrBlock: aws.String("10.7.1.0/24")})).Subnet
	var groups []string
	for _, name := range []string{"web", "ssh"} {
		group := must[*ec2.CreateSecurityGroupOutput](t)(m.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{GroupName: &name, Description: &name, VpcId: vpc.VpcId}))
		groups = append(groups, *group.GroupId)
	}
	var ids []string
	for range 3 { // with interfaces of their own: moto adds an instance's groups to those of its interfaces
		face := must[*ec2.CreateNetworkInterfaceOutput](t)(m.CreateNetworkInterface(ctx, &ec2.CreateNetworkInterfaceInput{SubnetId: subnet.SubnetId, Groups: groups})).NetworkInterface
		ids = append(ids, instanceIDsOf(m.launch(t, 1, func(in *ec2.RunInstancesInput) {
			in.NetworkInterfaces = []types.InstanceNetworkInterfaceSpecification{{DeviceIndex: aws.Int32(0), NetworkInterfaceId: face.NetworkInterfaceId}}
		}))...)
	}
	world := func() any {
		faces := map[string][]string{}
		for id, i := range m.instances(t, ids) {
			for _, face := range i.NetworkInterfaces {
				for _, group := range face.Groups {
					faces[id] = append(faces[id], *group.GroupId)
				}
			}
			slices.Sort(faces[id])
		}
		return faces
	}
	call := m.call(map[string]any{"ids": listOf(ids), "snapshot": true})
	call.Key = "run-" + ids[0] + "/1"
	found, result := doAndUndo(t, m.catalogue, "EC2IsolateInstances", call, world)
	if len(found.Targets) != 3 || len(found.Undo[0].Params["interfaces"].([]any)) != 3 || len(result["isolated"].([]string)) != 3 || len(result["snapshots"].([]string)) != 3 {
		t.Errorf("found %+v, got %v", found, result)
	}
	must[responder.Result](t)(m.catalogue["EC2IsolateInstances"].Do(ctx, call))
	isolating := must[*ec2.DescribeSecurityGroupsOutput](t)(m.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{Filters: []types.Filter{
		{Name: aws.String("group-name"), Values: []string{isolationName}}, {Name: aws.String("vpc-id"), Values: []string{*vpc.VpcId}}}})).SecurityGroups
	if len(isolating) != 1 || len(isolating[0].IpPermissions)+len(isolating[0].IpPermissionsEgress) > 0 {
		t.Fatalf("groups %+v", isolating)
	}
	for id, i := range m.instances(t, ids) {
		if face := i.NetworkInterfaces[0]; len(face.Groups) != 1 || *face.Groups[0].GroupId != *isolating[0].GroupId {
			t.Errorf("%s is of %v", id, face.Groups)
		}
	}
	snapshots := must[*ec2.DescribeSnapshotsOutput](t)(m.DescribeSnapshots(ctx, &ec2.DescribeSnapshotsInput{Filters: []types.Filter{{Name: aws.String("tag:responder:step"), Values: []string{call.Key}}}})).Snapshots
	if len(snapshots) != 3 {
		t.Errorf("%d snapshots of three volumes", len(snapshots))
	}
	back := m.call(found.Undo[0].Params)
	doAndUndo(t, m.catalogue, "EC2RestoreSecurityGroups", back, world)
}

// TestMotoOpenIngress closes and opens a security group of an emulator.
func TestMotoOpenIngress(t *testing.T) {
	m, ctx := newMotoEC2(t), t.Context()
	vpc := must[*ec2.CreateVpcOutput](t)(m.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.8.0.0/16")})).Vpc
	group := *must[*ec2.CreateSecurityGroupOutput](t)(m.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{
		GroupName: aws.String("open"), Description: aws.String("open"), VpcId: vpc.VpcId})).GroupId
	tcp := func(from, to int32) types.IpPermission {
		return types.IpPermission{IpProtocol: aws.String("tcp"), FromPort: &from, ToPort: &to}
	}
	ssh, web, all, office := tcp(22, 22), tcp(8000, 8100), types.IpPermission{IpProtocol: aws.String("-1")}, tcp(22, 22)
	ssh.IpRanges = []types.IpRange{{CidrIp: aws.String("0.0.0.0/0"), Description: aws.String("jump host")}}
	web.Ipv6Ranges = []types.Ipv6Range{{CidrIpv6: aws.String("::/0"), Description: aws.String("a test")}}
	all.IpRanges = []types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}}
	office.IpRanges = []types.IpRange{{CidrIp: aws.String("10.0.0.0/8"), Description: aws.String("office")}}
	must[*ec2.AuthorizeSecurityGroupIngressOutput](t)(m.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{
		GroupId: &group, IpPermissions: []types.IpPermission{ssh, web, all, office}}))
	world := func() any {
		var said []string
		for _, r := range must[*ec2.DescribeSecurityGroupRulesOutput](t)(m.DescribeSecurityGroupRules(ctx, &ec2.DescribeSecurityGroupRulesInput{
			Filters: []types.Filter{{Name: aws.String("group-id"), Values: []string{group}}}})).SecurityGroupRules {
			said = append(said, fmt.Sprint(*r.IpProtocol, aws.ToInt32(r.FromPort), aws.ToInt32(r.ToPort), aws.ToString(r.CidrIpv4), aws.ToString(r.CidrIpv6), aws.ToString(r.Description), *r.IsEgress))
		}
		slices.Sort(said)
		return said
	}
	for _, params := range []map[string]any{{"group": group}, {"group": group, "ports": []any{"22"}}, {"group": group, "ports": "8050"}} {
		found, result := doAndUndo(t, m.catalogue, "EC2RevokeOpenIngress", m.call(params), world)
		if len(found.Targets) != 1 || found.Targets[0].ARN != "arn:aws:ec2:eu-west-3:"+m.account+":security-group/"+group {
			t.Errorf("found %+v", found)
		}
		t.Log(result["revoked"])
	}
	must[responder.Result](t)(m.catalogue["EC2RevokeOpenIngress"].Do(ctx, m.call(map[string]any{"group": group})))
	if left := world().([]string); len(left) != 2 { // the office, and egress
		t.Errorf("left %v", left)
	}
	doAndUndo(t, m.catalogue, "EC2AuthorizeIngress", m.call(map[string]any{"group": group, "rules": []any{"udp 53 ::/0 names", "all all 0.0.0.0/0"}}), world)
}

// TestMotoPrivate takes a snapshot and an image of an emulator from others, and
// gives them back.
func TestMotoPrivate(t *testing.T) {
	m, ctx := newMotoEC2(t), t.Context()
	volume := must[*ec2.CreateVolumeOutput](t)(m.CreateVolume(ctx, &ec2.CreateVolumeInput{AvailabilityZone: aws.String(motoRegion + "a"), Size: aws.Int32(1)}))
	snapshot := *must[*ec2.CreateSnapshotOutput](t)(m.CreateSnapshot(ctx, &ec2.CreateSnapshotInput{VolumeId: volume.VolumeId})).SnapshotId
	must[*ec2.ModifySnapshotAttributeOutput](t)(m.ModifySnapshotAttribute(ctx, &ec2.ModifySnapshotAttributeInput{SnapshotId: &snapshot, Attribute: types.SnapshotAttributeNameCreateVolumePermission,
		OperationType: types.OperationTypeAdd, GroupNames: []string{"all"}, UserIds: []string{"999988887777"}}))
	image := *must[*ec2.CreateImageOutput](t)(m.CreateImage(ctx, &ec2.CreateImageInput{InstanceId: m.launch(t, 1)[0].InstanceId, Name: aws.String("shared")})).ImageId
	must[*ec2.ModifyImageAttributeOutput](t)(m.ModifyImageAttribute(ctx, &ec2.ModifyImageAttributeInput{ImageId: &image, Attribute: aws.String("launchPermission"),
		LaunchPermission: &types.LaunchPermissionModifications{Add: []types.LaunchPermission{{Group: types.PermissionGroupAll}, {UserId: aws.String("999988887777")}}}}))
	world := func() any {
		var said []string
		for _, p := range must[*ec2.DescribeSnapshotAttributeOutput](t)(m.DescribeSnapshotAttribute(ctx, &ec2.DescribeSnapshotAttributeInput{SnapshotId: &snapshot, Attribute: types.SnapshotAttributeNameCreateVolumePermission})).CreateVolumePermissions {
			said = append(said, "snapshot "+string(p.Group)+aws.ToString(p.UserId))
		}
		for _, p := range must[*ec2.DescribeImageAttributeOutput](t)(m.DescribeImageAttribute(ctx, &ec2.DescribeImageAttributeInput{ImageId: &image, Attribute: types.ImageAttributeNameLaunchPermission})).LaunchPermissions {
			said = append(said, "image "+string(p.Group)+aws.ToString(p.UserId))
		}
		slices.Sort(said)
		return said
	}
	for name, params := range map[string]map[string]any{
		"EC2MakeSnapshotPrivate": {"ids": []any{snapshot, "snap-0123456789abcdef0"}},
		"EC2MakeImagePrivate":    {"ids": image, "from": "public"},
		"EC2ShareSnapshot":       {"ids": snapshot, "with": "444455556666"},
		"EC2ShareImage":          {"ids": image, "with": "444455556666"},
	} {
		found, _ := doAndUndo(t, m.catalogue, name, m.call(params), world)
		if n := len(found.Targets); n != 1 && (n != 2 || !found.Targets[1].TagsUnknown || found.Found["snap-0123456789abcdef0"] != "missing") {
			t.Errorf("%s: found %+v", name, found)
		}
	}
	must[responder.Result](t)(m.catalogue["EC2MakeSnapshotPrivate"].Do(ctx, m.call(map[string]any{"ids": snapshot})))
	if left := world().([]string); len(left) != 2 {
		t.Errorf("left %v", left)
	}
}
