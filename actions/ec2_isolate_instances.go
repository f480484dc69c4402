package actions

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/skycrafters/responder"
)

const (
	interfaceARN     = "arn:${AWS::Partition}:ec2:*:${AWS::AccountId}:network-interface/*"
	securityGroupARN = "arn:${AWS::Partition}:ec2:*:${AWS::AccountId}:security-group/*"
	vpcARN           = "arn:${AWS::Partition}:ec2:*:${AWS::AccountId}:vpc/*"
)

// ec2IsolateInstances cuts instances off the network.
type ec2IsolateInstances struct{ instances }

var _ repair = (*ec2IsolateInstances)(nil)

// Spec implements responder.Action.
func (a *ec2IsolateInstances) Spec() responder.Spec {
	return responder.Spec{
		Name: "EC2IsolateInstances",
		Kind: responder.Repair,
		Doc: "Cuts EC2 instances in the event's account and region off the network: all their network interfaces get one security group, " + isolationName +
			", which has no rules and is made where a VPC has none. The instances run on, their role included.",
		Params: append(instanceParams(), snapshotParam()),
		Result: map[string]string{
			"isolated":  "ids of the instances that this attempt cut off, wholly or the rest of them",
			"already":   "ids of the instances that were cut off",
			"ended":     "ids of the instances that were terminated or shutting down",
			"missing":   "ids that EC2 does not know (any more)",
			"snapshots": "ids of the snapshots that this attempt made",
		},
		Permissions: isolatePermissions([]string{instanceARN}, []string{interfaceARN}, []string{securityGroupARN}, []string{vpcARN}, []string{volumeARN}, []string{snapshotARN}, true),
		Inverse:     "EC2RestoreSecurityGroups gives the network interfaces the security groups that they had; the security group " + isolationName + " and the snapshots stay.",
		Undo:        []string{"EC2RestoreSecurityGroups"},
	}
}

// isolatePermissions are what a call needs, on what it names or on all.
func isolatePermissions(instances, interfaces, groups, vpcs, volumes, snapshots []string, snapshot bool) []responder.Permission {
	needs := []responder.Permission{
		{Actions: []string{"ec2:DescribeInstances", "ec2:DescribeSecurityGroups"}, Resources: []string{"*"}},
		{Actions: []string{"ec2:ModifyNetworkInterfaceAttribute"}, Resources: slices.Concat(instances, interfaces, groups)},
		{Actions: []string{"ec2:CreateSecurityGroup"}, Resources: slices.Concat(groups, vpcs)},
		{Actions: []string{"ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress"}, Resources: groups},
	}
	if snapshot {
		needs = append(needs, snapshotPermissions(instances, volumes, snapshots)...)
	}
	return needs
}

// cutOff is how far instances are cut off the network.
type cutOff struct {
	foundInstances
	groups map[string]isolation // by VPC
	faces  []face               // all of the instances that have not ended
}

// face is a network interface of an instance.
type face struct {
	id, instance, vpc string
	groups            []string
}

// look looks at the instances that a call is about, and at the groups of their VPCs.
func (a *ec2IsolateInstances) look(ctx context.Context, call responder.Call) (cutOff, error) {
	found, err := a.find(ctx, a, call)
	if err != nil {
		return cutOff{}, err
	}
	c := cutOff{foundInstances: found, groups: map[string]isolation{}}
	for _, id := range found.there() {
		for _, known := range found.known[id].NetworkInterfaces {
			vpc := aws.ToString(known.VpcId)
			if _, seen := c.groups[vpc]; !seen {
				if c.groups[vpc], err = isolationOf(ctx, found.api, call.Account, vpc); err != nil {
					return cutOff{}, err
				}
			}
			c.faces = append(c.faces, face{aws.ToString(known.NetworkInterfaceId), id, vpc, groupIDs(known.Groups)})
		}
	}
	return c, nil
}

// open gives the interfaces that are not cut off: of other groups, or of one that
// has rules.
func (c cutOff) open() []face {
	return slices.DeleteFunc(slices.Clone(c.faces), func(f face) bool {
		group := c.groups[f.vpc]
		return group.closed() && sameGroups(f.groups, []string{group.id})
	})
}

// Do implements responder.Action. It can be repeated. A snapshot that fails keeps
// no instance connected: it fails the step afterwards.
func (a *ec2IsolateInstances) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	c, err := a.look(ctx, call)
	if err != nil {
		return nil, err
	}
	result := responder.Result{}
	var kept error
	if flag(call, "snapshot") {
		var made []string
		made, _, kept = c.snapshot(ctx, call, "isolated")
		put(result, "snapshots", made)
	}
	open := c.open()
	if err := c.close(ctx, call.Account, open); err != nil {
		return nil, both(err, kept)
	}
	if kept != nil {
		return nil, fmt.Errorf("the instances are isolated, but not all their volumes are kept: %w", kept)
	}
	isOpen := func(id string) bool {
		return slices.ContainsFunc(open, func(f face) bool { return f.instance == id })
	}
	put(result, "isolated", slices.DeleteFunc(c.there(), func(id string) bool { return !isOpen(id) }))
	put(result, "already", slices.DeleteFunc(c.there(), isOpen))
	put(result, "ended", c.in(ended...))
	put(result, "missing", c.in(""))
	return result, nil
}

// close gives interfaces the group of their VPC.
func (c cutOff) close(ctx context.Context, account string, open []face) error {
	type ensured struct {
		group string
		err   error
	}
	groups, faces := map[string]ensured{}, map[string]face{}
	var ids []string
	for _, f := range open {
		ids, faces[f.id] = append(ids, f.id), f
	}
	_, err := each(ctx, ids, func(ctx context.Context, id string) error {
		vpc := faces[id].vpc
		if _, asked := groups[vpc]; !asked {
			group, err := ensureIsolation(ctx, c.api, account, vpc)
			groups[vpc] = ensured{group, err}
		}
		if err := groups[vpc].err; err != nil {
			return err
		}
		_, err := c.api.ModifyNetworkInterfaceAttribute(ctx, &ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: &id, Groups: []string{groups[vpc].group}})
		if err != nil && !hasCode(err, "InvalidNetworkInterfaceID.NotFound") { // gone meanwhile
			return awsError("ec2:ModifyNetworkInterfaceAttribute", err, mutates)
		}
		return nil
	})
	return err
}

// both gives one error of two, the graver first; either may be nil.
func both(a, b error) error {
	switch {
	case a == nil || b == nil:
		return graver(a, b)
	case gravity(b) > gravity(a):
		a, b = b, a
	}
	return fmt.Errorf("%w; and: %v", a, b)
}

// Verify implements responder.Verifier: done if every network interface of the
// instances has the group alone and the group has no rules; with `snapshot`, if
// the snapshots are made, too.
func (a *ec2IsolateInstances) Verify(ctx context.Context, call responder.Call) (responder.Verdict, error) {
	c, err := a.look(ctx, call)
	if err != nil || len(c.open()) > 0 || !flag(call, "snapshot") {
		return verdict(len(c.open()) == 0, err)
	}
	missing, err := c.unkept(ctx, call)
	return verdict(len(missing) == 0, err)
}

// Survey implements responder.Surveyor.
func (a *ec2IsolateInstances) Survey(ctx context.Context, call responder.Call) (responder.Survey, error) {
	c, err := a.look(ctx, call)
	if err != nil {
		return responder.Survey{}, err
	}
	survey := c.survey(call)
	var had []string
	for _, f := range c.open() {
		had = append(had, interfaceGroups{f.id, f.groups}.String())
	}
	if len(had) > 0 {
		survey.Found["security_groups"] = had
		survey.Undo = []responder.Binding{{Action: "EC2RestoreSecurityGroups", Params: map[string]any{"interfaces": had}}}
	}
	for vpc, group := range c.groups {
		if group.id != "" && !group.closed() {
			survey.Lasting = append(survey.Lasting, "the rules that somebody gave security group "+group.id+" ("+isolationName+" of "+vpc+")")
		}
	}
	slices.Sort(survey.Lasting)
	if flag(call, "snapshot") {
		missing, err := c.unkept(ctx, call)
		if err != nil {
			return responder.Survey{}, err
		}
		survey.Lasting = append(survey.Lasting, keptSnapshots(missing)...)
	}
	return survey, nil
}

// Needs implements responder.Narrower. Interfaces, groups and volumes are not
// known before it is looked.
func (a *ec2IsolateInstances) Needs(call responder.Call) []responder.Permission {
	ids, err := instanceIDs(call)
	if err != nil {
		return nil // Do refuses it
	}
	region, err := regionTarget(call)
	if err != nil {
		return nil
	}
	instances, _ := ec2ARNs(call, "instance", ids...)
	interfaces, _ := ec2ARNs(call, "network-interface", "*")
	groups, _ := ec2ARNs(call, "security-group", "*")
	vpcs, _ := ec2ARNs(call, "vpc", "*")
	volumes, _ := ec2ARNs(call, "volume", "*")
	return isolatePermissions(instances, interfaces, groups, vpcs, volumes, []string{"arn:${AWS::Partition}:ec2:" + region + "::snapshot/*"}, flag(call, "snapshot"))
}

// Describe implements responder.Describer.
func (a *ec2IsolateInstances) Describe(call responder.Call) string {
	return "isolate " + inline(plain(call.Params["ids"])) + afterSnapshots(call)
}
