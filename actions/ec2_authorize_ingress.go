package actions

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/skycrafters/responder"
)

// ec2AuthorizeIngress gives a security group rules that let everybody in.
type ec2AuthorizeIngress struct{ ingress }

var _ repair = (*ec2AuthorizeIngress)(nil)

// Spec implements responder.Action.
func (a *ec2AuthorizeIngress) Spec() responder.Spec {
	return responder.Spec{
		Name: "EC2AuthorizeIngress",
		Kind: responder.Repair,
		Doc:  "Gives a security group in the event's account and region rules that let everybody in: what EC2RevokeOpenIngress took from it.",
		Params: []responder.Param{
			groupParam(),
			{Name: "rules", Type: responder.ListParam, Required: true, Static: true,
				Doc: "The rules: protocol, ports, `0.0.0.0/0` or `::/0`, and a description: `tcp 22 0.0.0.0/0 jump host`, `udp 8000-8100 ::/0`, `icmp 8:-1 0.0.0.0/0`, `all all ::/0`."},
		},
		Result: map[string]string{
			"group":      "the security group's id",
			"authorized": "the rules that this attempt put in place",
			"already":    "the rules that were there",
		},
		Permissions: ingressPermissions("ec2:AuthorizeSecurityGroupIngress", []string{securityGroupARN, securityGroupRuleARN}),
		Inverse:     "EC2RevokeOpenIngress takes away the rules that it put in place.",
		Undo:        []string{"EC2RevokeOpenIngress"},
	}
}

// wanted looks for the group, and tells the rules apart that it lacks.
func (a *ec2AuthorizeIngress) wanted(ctx context.Context, call responder.Call) (found foundGroup, lacks, has []ingressRule, err error) {
	rules, err := rulesParam(call)
	if err == nil && rules == nil {
		err = permanentf("no target: rules is empty or not a list of rules")
	}
	if err != nil {
		return foundGroup{}, nil, nil, err
	}
	if found, err = a.find(ctx, a, call); err != nil {
		return foundGroup{}, nil, nil, err
	}
	for _, rule := range rules {
		if slices.ContainsFunc(found.open, func(r foundRule) bool { return r.same(rule) }) {
			has = append(has, rule)
		} else if !slices.ContainsFunc(lacks, rule.same) {
			lacks = append(lacks, rule)
		}
	}
	return found, lacks, has, nil
}

// Do implements responder.Action. It can be repeated.
func (a *ec2AuthorizeIngress) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	found, lacks, has, err := a.wanted(ctx, call)
	switch {
	case err != nil:
		return nil, err
	case found.group == nil:
		return nil, permanentf("not there any more: %s", found.id)
	}
	result := responder.Result{"group": found.id}
	put(result, "already", texts(has))
	if len(lacks) == 0 {
		return result, nil
	}
	var permissions []types.IpPermission
	for _, rule := range lacks {
		permissions = append(permissions, rule.permission())
	}
	_, err = found.api.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: aws.String(found.id), IpPermissions: permissions})
	switch {
	case hasCode(err, "InvalidGroup.NotFound"):
		return nil, permanentf("not there any more: %s", found.id)
	case hasCode(err, "InvalidPermission.Duplicate"): // one is there meanwhile, and spoils it for all: look again
		return nil, transientf("a rule has come to %s meanwhile: %w", found.id, err)
	case err != nil:
		return nil, halfway(ctx, awsError("ec2:AuthorizeSecurityGroupIngress", err, mutates), nil, nil, texts(lacks))
	}
	put(result, "authorized", texts(lacks))
	return result, nil
}

// Verify implements responder.Verifier: done if the group has all the rules.
func (a *ec2AuthorizeIngress) Verify(ctx context.Context, call responder.Call) (responder.Verdict, error) {
	_, lacks, _, err := a.wanted(ctx, call)
	return verdict(len(lacks) == 0, err)
}

// Survey implements responder.Surveyor.
func (a *ec2AuthorizeIngress) Survey(ctx context.Context, call responder.Call) (responder.Survey, error) {
	found, lacks, _, err := a.wanted(ctx, call)
	if err != nil || found.group == nil {
		return responder.Survey{}, err
	}
	survey := found.survey(call)
	survey.Undo = found.undo("EC2RevokeOpenIngress", texts(lacks))
	return survey, nil
}

// Needs implements responder.Narrower.
func (a *ec2AuthorizeIngress) Needs(call responder.Call) []responder.Permission {
	return a.needs(call, "ec2:AuthorizeSecurityGroupIngress")
}

// Describe implements responder.Describer.
func (a *ec2AuthorizeIngress) Describe(call responder.Call) string {
	return "open security group " + inline(plain(call.Params["group"])) + " to everybody by rules " + inline(plain(call.Params["rules"]))
}
