package actions

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/skycrafters/responder"
)

// ec2RevokeOpenIngress takes from a security group what lets everybody in.
type ec2RevokeOpenIngress struct{ ingress }

var _ repair = (*ec2RevokeOpenIngress)(nil)

// Spec implements responder.Action.
func (a *ec2RevokeOpenIngress) Spec() responder.Spec {
	return responder.Spec{
		Name: "EC2RevokeOpenIngress",
		Kind: responder.Repair,
		Doc: "Takes from a security group in the event's account and region the rules that let everybody in, from 0.0.0.0/0 or ::/0: all of them, those that reach some ports, or those that are written out. " +
			"Rules that name other places stay.",
		Params: []responder.Param{
			groupParam(),
			{Name: "ports", Type: responder.ListParam, Doc: "Ports or ranges of ports (`22`, `8000-8100`): only TCP and UDP rules that reach one of them are taken, whole, and rules for all traffic."},
			{Name: "rules", Type: responder.ListParam, Doc: "Only these rules are taken; written as EC2AuthorizeIngress takes them."},
		},
		Result: map[string]string{
			"group":   "the security group's id",
			"revoked": "the rules that this attempt took, as EC2AuthorizeIngress takes them",
			"already": "true if there was no such rule, or no such group any more",
		},
		Permissions: ingressPermissions("ec2:RevokeSecurityGroupIngress", []string{securityGroupARN, securityGroupRuleARN}),
		Inverse:     "EC2AuthorizeIngress puts the same rules back, with their descriptions; they have new ids and no tags.",
		Undo:        []string{"EC2AuthorizeIngress"},
	}
}

// meant looks for the group and the rules that a call is about.
func (a *ec2RevokeOpenIngress) meant(ctx context.Context, call responder.Call) (foundGroup, []foundRule, error) {
	reach, err := portsParam(call)
	if err != nil {
		return foundGroup{}, nil, err
	}
	rules, err := rulesParam(call)
	if err != nil {
		return foundGroup{}, nil, err
	}
	found, err := a.find(ctx, a, call)
	if err != nil {
		return foundGroup{}, nil, err
	}
	return found, slices.DeleteFunc(slices.Clone(found.open), func(r foundRule) bool {
		return reach != nil && !slices.ContainsFunc(reach, func(p ports) bool { return p.lets(r.ingressRule) }) ||
			rules != nil && !slices.ContainsFunc(rules, r.same)
	}), nil
}

// Do implements responder.Action. It can be repeated.
func (a *ec2RevokeOpenIngress) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	found, open, err := a.meant(ctx, call)
	switch {
	case err != nil:
		return nil, err
	case len(open) == 0:
		return responder.Result{"group": found.id, "already": true}, nil
	}
	var ids []string
	for _, r := range open {
		ids = append(ids, r.id)
	}
	_, err = found.api.RevokeSecurityGroupIngress(ctx, &ec2.RevokeSecurityGroupIngressInput{GroupId: &found.id, SecurityGroupRuleIds: ids})
	switch {
	case hasCode(err, "InvalidGroup.NotFound"): // gone meanwhile
		return responder.Result{"group": found.id, "already": true}, nil
	case hasCode(err, "InvalidSecurityGroupRuleId.NotFound", "InvalidPermission.NotFound"): // one is gone, and spoils it for all: look again
		return nil, transientf("a rule of %s has gone meanwhile: %w", found.id, err)
	case err != nil:
		return nil, halfway(ctx, awsError("ec2:RevokeSecurityGroupIngress", err, mutates), nil, nil, texts(open))
	}
	return responder.Result{"group": found.id, "revoked": texts(open)}, nil
}

// Verify implements responder.Verifier: done if the group has no such rule, or is
// gone.
func (a *ec2RevokeOpenIngress) Verify(ctx context.Context, call responder.Call) (responder.Verdict, error) {
	_, open, err := a.meant(ctx, call)
	return verdict(len(open) == 0, err)
}

// Survey implements responder.Surveyor.
func (a *ec2RevokeOpenIngress) Survey(ctx context.Context, call responder.Call) (responder.Survey, error) {
	found, open, err := a.meant(ctx, call)
	if err != nil {
		return responder.Survey{}, err
	}
	survey := found.survey(call)
	survey.Undo = found.undo("EC2AuthorizeIngress", texts(open))
	for _, r := range open {
		if len(r.tags) > 0 {
			survey.Lasting = append(survey.Lasting, "the tags of rule "+r.id)
		}
	}
	return survey, nil
}

// Needs implements responder.Narrower.
func (a *ec2RevokeOpenIngress) Needs(call responder.Call) []responder.Permission {
	return a.needs(call, "ec2:RevokeSecurityGroupIngress")
}

// Describe implements responder.Describer.
func (a *ec2RevokeOpenIngress) Describe(call responder.Call) string {
	would := "close security group " + inline(plain(call.Params["group"])) + " to everybody"
	if reach, given := call.Params["ports"]; given {
		would += " on ports " + inline(plain(reach))
	}
	if rules, given := call.Params["rules"]; given {
		would += " by rules " + inline(plain(rules))
	}
	return would
}
