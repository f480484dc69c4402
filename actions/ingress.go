package actions

import (
	"context"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/skycrafters/responder"
)

const securityGroupRuleARN = "arn:${AWS::Partition}:ec2:*:${AWS::AccountId}:security-group-rule/*"

// ingress is what the actions on the rules of a security group have in common
// that let everybody in.
type ingress struct{ *access }

// foundGroup is the security group that a call is about, as EC2 knows it now.
type foundGroup struct {
	id    string
	group *types.SecurityGroup // nil: there is none any more
	open  []foundRule
	api   EC2API
}

// foundRule is an open rule of a group.
type foundRule struct {
	ingressRule
	id   string
	tags []types.Tag
}

// find looks for the group that a call of an action is about.
func (i ingress) find(ctx context.Context, by responder.Action, call responder.Call) (foundGroup, error) {
	id, err := textTarget(call, "group", groupID)
	if err != nil {
		return foundGroup{}, err
	}
	region, err := regionTarget(call)
	if err != nil {
		return foundGroup{}, err
	}
	api, err := client(ctx, i.access, i.aws.EC2, by, call, region)
	if err != nil {
		return foundGroup{}, err
	}
	found := foundGroup{id: id, api: api}
	out, err := api.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{Filters: []types.Filter{ec2Filter("group-id", id)}})
	switch {
	case err != nil:
		return foundGroup{}, awsError("ec2:DescribeSecurityGroups", err, reads)
	case len(out.SecurityGroups) == 0:
		return found, nil
	}
	found.group = &out.SecurityGroups[0]
	pages := ec2.NewDescribeSecurityGroupRulesPaginator(api, &ec2.DescribeSecurityGroupRulesInput{Filters: []types.Filter{ec2Filter("group-id", id)}})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return foundGroup{}, awsError("ec2:DescribeSecurityGroupRules", err, reads)
		}
		for _, rule := range page.SecurityGroupRules {
			if open, ok := openRule(rule); ok {
				found.open = append(found.open, foundRule{open, aws.ToString(rule.SecurityGroupRuleId), rule.Tags})
			}
		}
	}
	return found, nil
}

// survey begins a survey: of the group with its open rules, or of nothing.
func (f foundGroup) survey(call responder.Call) responder.Survey {
	if f.group == nil {
		return responder.Survey{}
	}
	return responder.Survey{
		Targets: []responder.Target{ec2Target(call, "security-group", f.id, f.group.Tags)},
		Found:   map[string]any{"name": aws.ToString(f.group.GroupName), "open": texts(f.open)},
	}
}

// undo gives a repair of this group with some rules; none of none.
func (f foundGroup) undo(action string, rules []string) []responder.Binding {
	if len(rules) == 0 {
		return nil
	}
	return []responder.Binding{{Action: action, Params: map[string]any{"group": f.id, "rules": rules}}}
}

// texts gives rules as the parameter `rules` has them.
func texts[R interface{ String() string }](rules []R) []string {
	said := []string{}
	for _, r := range rules {
		said = append(said, r.String())
	}
	return said
}

// needs gives the permissions of a call about one group.
func (i ingress) needs(call responder.Call, action string) []responder.Permission {
	id, err := textTarget(call, "group", groupID)
	if err != nil {
		return nil // Do refuses it
	}
	group, err := ec2ARNs(call, "security-group", id)
	if err != nil {
		return nil
	}
	rules, _ := ec2ARNs(call, "security-group-rule", "*") // whose ids are not known before it is looked
	return ingressPermissions(action, append(group, rules...))
}

// ingressPermissions are those of an action on the rules of groups.
func ingressPermissions(action string, on []string) []responder.Permission {
	return []responder.Permission{
		{Actions: []string{"ec2:DescribeSecurityGroups", "ec2:DescribeSecurityGroupRules"}, Resources: []string{"*"}},
		{Actions: []string{action}, Resources: on},
	}
}

// rulesParam reads the parameter `rules`; nil if the step does not have it.
func rulesParam(call responder.Call) ([]ingressRule, error) {
	if _, given := call.Params["rules"]; !given {
		return nil, nil
	}
	said, err := listTarget(call, "rules", ruleForm, "rules")
	if err != nil {
		return nil, err
	}
	var rules []ingressRule
	for _, text := range said {
		rule, err := parseIngressRule(text)
		if err != nil {
			return nil, err
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

var portForm = regexp.MustCompile(`^[0-9]{1,5}(-[0-9]{1,5})?$`)

// ports is a range of ports.
type ports struct{ from, to int32 }

// portsParam reads the parameter `ports`; nil if the step does not have it.
func portsParam(call responder.Call) ([]ports, error) {
	if _, given := call.Params["ports"]; !given {
		return nil, nil
	}
	said, err := listTarget(call, "ports", portForm, "ports")
	if err != nil {
		return nil, err
	}
	var all []ports
	for _, text := range said {
		first, last, between := strings.Cut(text, "-")
		if !between {
			last = first
		}
		p := ports{number(first), number(last)}
		if p.from > p.to || p.to > 65535 {
			return nil, permanentf("no target: ports holds %s", malformed(text))
		}
		all = append(all, p)
	}
	return all, nil
}

// lets reports whether a rule lets somebody reach one of the ports.
func (p ports) lets(rule ingressRule) bool {
	switch rule.protocol {
	case "-1":
		return true
	case "tcp", "udp":
		return rule.from == -1 || rule.from <= p.to && p.from <= rule.to
	}
	return false
}

// groupParam is the parameter that names a security group.
func groupParam() responder.Param {
	return responder.Param{Name: "group", Type: responder.TextParam, Required: true, Doc: "The security group's id."}
}
