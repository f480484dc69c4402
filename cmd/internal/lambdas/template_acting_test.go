package lambdas

import (
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
	"github.com/skycrafters/responder/cmd/internal/wiring"
)

// substituted are texts with the values of CloudFormation's own parameters.
func substituted(texts []string) (all []string) {
	for _, text := range texts {
		all = append(all, variable.ReplaceAllStringFunc(text, func(name string) string { return pseudo[name[2:len(name)-1]] }))
	}
	return all
}

// TestTemplateFlowsPolicy compares what Dispatch, and the role that it takes at
// home, may do for flows with what the enabled flows can do: no less, and no more.
func TestTemplateFlowsPolicy(t *testing.T) {
	const home = "arn:aws:iam::111122223333:role/responder-home-eu-west-1"
	stack := evaluate(t, template, nil)
	notices, acting := flowsNeed(t)
	take := fmt.Sprint([]string{"sts:AssumeRole"}, []string{home}, node(nil))
	wantPolicies(t, "DispatchRole", stack.properties(t, "DispatchRole"), map[string][]string{"notices": notices, "act": {take}})

	role := stack.properties(t, "HomeRole")
	ours := []string{home}
	for _, id := range []string{"IngestRole", "DetectRole", "DispatchRole", "ApproveRole", "OperatorRole"} {
		ours = append(ours, id+".Arn")
	}
	wantPolicies(t, "HomeRole", role, map[string][]string{"flows": acting, "never": {fmt.Sprint([]string{"iam:*"}, ours, node(nil))}})
	if got := "arn:aws:iam::111122223333:role/" + fmt.Sprint(role["RoleName"]); got != home || role["Path"] != nil {
		t.Errorf("the role at home is %s, and Dispatch may take %s", got, home)
	}
	wantTrust(t, role, "DispatchRole.Arn", pseudo["AWS::StackId"])
	wantMembers(t, stack, actions.Members{Role: "HomeRole", Accounts: []string{"111122223333"}, ExternalID: pseudo["AWS::StackId"]})
}

// TestTemplateMembers: where there is a member role, Dispatch may take it in the
// accounts that are listed, and no other at home.
func TestTemplateMembers(t *testing.T) {
	stack := evaluate(t, template, map[string]string{"MemberRoleName": "responder-member", "MemberAccounts": "111122223333,444455556666", "MemberExternalId": "x-1"})
	notices, _ := flowsNeed(t)
	take := fmt.Sprint([]string{"sts:AssumeRole"}, []string{"arn:aws:iam::*:role/responder-member"}, node{"StringEquals": node{"aws:ResourceAccount": []any{"111122223333", "444455556666"}}})
	wantPolicies(t, "DispatchRole", stack.properties(t, "DispatchRole"), map[string][]string{"notices": notices, "act": {take}})
	if role, there := stack.at(t, "Resources")["HomeRole"]; there {
		t.Errorf("with a member role there is another at home: %v", role)
	}
	wantMembers(t, stack, actions.Members{Role: "responder-member", Accounts: []string{"111122223333", "444455556666"}, ExternalID: "x-1"})
}

// TestTemplateActsByARole: whichever role it is, Dispatch itself can repair
// nothing, and check nothing.
func TestTemplateActsByARole(t *testing.T) {
	for _, parameters := range []map[string]string{nil, {"MemberRoleName": "r", "MemberAccounts": "111122223333", "MemberExternalId": "x-1"}} {
		for _, s := range allowed(t, evaluate(t, template, parameters).properties(t, "DispatchRole")) {
			if slices.ContainsFunc(s.actions, func(a string) bool { return strings.HasPrefix(a, "iam:") || strings.HasPrefix(a, "ec2:") }) {
				t.Errorf("with %v, Dispatch itself may do %s", parameters, s.actions)
			}
		}
	}
}

// wantMembers reads what Dispatch is told of the role by which it acts.
func wantMembers(t *testing.T, stack node, want actions.Members) {
	t.Helper()
	variables := stack.properties(t, "DispatchFunction").at(t, "Environment", "Variables")
	got, err := actions.ParseMembers(fmt.Sprint(variables["MEMBER_ROLE"]), fmt.Sprint(variables["MEMBER_ACCOUNTS"]), fmt.Sprint(variables["MEMBER_EXTERNAL_ID"]))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Dispatch is told of %+v, %v, want %+v", got, err, want)
	}
}

// wantTrust compares whom a role trusts with who alone is to take it.
func wantTrust(t *testing.T, role node, who, external string) {
	t.Helper()
	trust := role.at(t, "AssumeRolePolicyDocument").objects("Statement")
	want := node{
		"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": node{"AWS": who},
		"Condition": node{"StringEquals": node{"sts:ExternalId": external}, "ArnEquals": node{"aws:PrincipalArn": who}},
	}
	if len(trust) != 1 || !reflect.DeepEqual(trust[0], want) {
		t.Errorf("it trusts %s", compact(t, trust))
	}
}

// TestMemberRole: whom member-role.yaml lets in, and what it lets them do.
func TestMemberRole(t *testing.T) {
	const dispatch, boundary = "arn:aws:iam::111122223333:role/responder-dispatch-eu-west-1", "arn:aws:iam::444455556666:policy/b"
	parameters := map[string]string{"DispatchRoleArn": dispatch, "ExternalId": "x-1"}
	role := evaluate(t, memberRole, parameters).properties(t, "MemberRole")
	wantTrust(t, role, dispatch, "x-1")
	_, acting := flowsNeed(t)
	own := fmt.Sprint([]string{"iam:*"}, []string{"arn:aws:iam::111122223333:role/responder-member"}, node(nil))
	wantPolicies(t, "MemberRole", role, map[string][]string{"flows": acting, "never": {own}})
	allowed(t, role) // and denied, each as it is called
	if role["PermissionsBoundary"] != nil || role["RoleName"] != "responder-member" {
		t.Errorf("it is called %v, within %v", role["RoleName"], role["PermissionsBoundary"])
	}
	parameters["PermissionsBoundaryArn"], parameters["RoleName"] = boundary, "other"
	role = evaluate(t, memberRole, parameters).properties(t, "MemberRole")
	if role["PermissionsBoundary"] != boundary || role["RoleName"] != "other" || !strings.Contains(compact(t, role["Policies"]), ":role/other") {
		t.Errorf("it is called %v, within %v", role["RoleName"], role["PermissionsBoundary"])
	}
}

// flowsNeed gives what the enabled flows can do by notices, and by checks and
// repairs: a text for each permission.
func flowsNeed(t *testing.T) (notices, acting []string) {
	t.Helper()
	catalogue := actions.New(actions.Deps{})
	definitions, problems := wiring.Load(filepath.Join(repository, "rules.yml"), filepath.Join(repository, "flows.yml"), catalogue)
	if definitions == nil {
		t.Fatal(problems)
	}
	for _, name := range wiring.ActionsUsed(definitions, catalogue) {
		spec := catalogue[name].Spec()
		for _, p := range wiring.Permissions(definitions, catalogue, name) {
			var conditions node
			for operator, keys := range p.Condition {
				if conditions == nil {
					conditions = node{}
				}
				values := node{}
				for key, value := range keys {
					values[key] = substituted([]string{value})[0]
				}
				conditions[operator] = values
			}
			text := fmt.Sprint(p.Actions, substituted(p.Resources), conditions)
			if spec.Kind == responder.Notice {
				notices = append(notices, text)
			} else {
				acting = append(acting, text)
			}
		}
	}
	return notices, acting
}

// wantPolicies compares a role's policies for flows, by name, with those wanted.
func wantPolicies(t *testing.T, name string, role node, want map[string][]string) {
	t.Helper()
	got := map[string][]string{}
	for _, policy := range role.objects("Policies") {
		if policy["PolicyName"] == "stage" {
			continue
		}
		called := fmt.Sprint(policy["PolicyName"])
		for _, s := range statements(t, policy.at(t, "PolicyDocument")) {
			conditions, _ := s.node["Condition"].(node)
			got[called] = append(got[called], fmt.Sprint(s.actions, s.resources, conditions))
		}
	}
	for _, called := range slices.Sorted(maps.Keys(want)) {
		if !slices.Equal(slices.Sorted(slices.Values(got[called])), slices.Sorted(slices.Values(want[called]))) {
			t.Errorf("%s's policy `%s` is\n  %s\nand is to be\n  %s\nrun: make policy",
				name, called, strings.Join(got[called], "\n  "), strings.Join(want[called], "\n  "))
		}
		delete(got, called)
	}
	if len(got) > 0 {
		t.Errorf("%s has policies beside: %v", name, got)
	}
}
