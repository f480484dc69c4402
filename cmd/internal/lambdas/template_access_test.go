package lambdas

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/skycrafters/responder/actions"
)

// statement is one of a policy.
type statement struct {
	node
	actions, resources []string
}

func statements(t *testing.T, document node) (all []statement) {
	t.Helper()
	for _, s := range document.objects("Statement") {
		all = append(all, statement{s, texts(s["Action"]), texts(s["Resource"])})
	}
	return all
}

// allowed are the statements of a role's policies, which all allow, but for what
// is called `never`.
func allowed(t *testing.T, role node) (all []statement) {
	t.Helper()
	for _, policy := range role.objects("Policies") {
		for _, s := range statements(t, policy.at(t, "PolicyDocument")) {
			never := policy["PolicyName"] == "never"
			if want := map[bool]string{false: "Allow", true: "Deny"}[never]; s.node["Effect"] != want {
				t.Errorf("%v: statement %v has the effect %v", role["RoleName"], s.node["Sid"], s.node["Effect"])
			}
			if !never {
				all = append(all, s)
			}
		}
	}
	return all
}

// withEverything has all that parameters can add.
func withEverything(t *testing.T) node {
	t.Helper()
	return evaluate(t, template, map[string]string{
		"Emails": "a@example.com", "AlarmEmails": "a@example.com", "OrganizationId": "o-a1b2c3d4e5", "SlackWebhookUrl": "https://x",
		"KmsKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/k",
	})
}

// TestTemplateRoles: only what IAM cannot narrow down may be done to everything.
func TestTemplateRoles(t *testing.T) {
	stack := withEverything(t)
	for name, role := range stack.ofType(t, "AWS::IAM::Role") {
		// A stack's name may have 40 characters, in the region with the longest name.
		fixed, ok := strings.CutSuffix(strings.TrimPrefix(fmt.Sprint(role["RoleName"]), "responder"), "eu-west-1")
		if !ok || 40+len(fixed)+len("ap-southeast-1") > 64 {
			t.Errorf("%s is called %v: roles are global, and their names have 64 characters at most", name, role["RoleName"])
		}
		for _, s := range allowed(t, role) {
			if slices.ContainsFunc(s.actions, func(a string) bool { return strings.Contains(a, "*") }) {
				t.Errorf("%s may do %s", name, s.actions)
			}
			if slices.Contains(s.resources, "*") && !slices.Equal(s.actions, []string{"ec2:DescribeInstances"}) {
				t.Errorf("%s may do %s to everything", name, s.actions)
			}
		}
	}
}

// TestTemplateTrust: functions' roles are Lambda's alone, the operator's is for
// people of the account, and starts nothing; Dispatch alone acts at home.
func TestTemplateTrust(t *testing.T) {
	for name, role := range withEverything(t).ofType(t, "AWS::IAM::Role") {
		want := node{"Service": "lambda.amazonaws.com"}
		switch name {
		case "OperatorRole":
			want = node{"AWS": "arn:aws:iam::111122223333:root"}
		case "HomeRole":
			want = node{"AWS": "DispatchRole.Arn"}
		}
		for _, s := range statements(t, role.at(t, "AssumeRolePolicyDocument")) {
			if !reflect.DeepEqual(s.node["Principal"], want) || !slices.Equal(s.actions, []string{"sts:AssumeRole"}) {
				t.Errorf("%s trusts %s with %s", name, compact(t, s.node["Principal"]), s.actions)
			}
		}
		for _, s := range allowed(t, role) {
			if name == "OperatorRole" && slices.ContainsFunc(s.actions, func(a string) bool { return strings.HasPrefix(a, "lambda:") || strings.HasPrefix(a, "sns:") }) {
				t.Errorf("people may do %s", s.actions)
			}
		}
	}
}

// TestTemplateKey: roles may use the customer's key, and no key where there is none.
func TestTemplateKey(t *testing.T) {
	uses := func(stack node) (roles []string) {
		for name, role := range stack.ofType(t, "AWS::IAM::Role") {
			for _, s := range allowed(t, role) {
				if slices.Equal(s.actions, []string{"kms:Decrypt", "kms:GenerateDataKey"}) && slices.Equal(s.resources, []string{"arn:aws:kms:eu-west-1:111122223333:key/k"}) {
					roles = append(roles, name)
				} else if strings.Contains(fmt.Sprint(s.actions), "kms:") {
					t.Errorf("%s may do %s with %s", name, s.actions, s.resources)
				}
			}
		}
		slices.Sort(roles)
		return roles
	}
	key := evaluate(t, template, map[string]string{"KmsKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/k"})
	if got := uses(key); !slices.Equal(got, []string{"ApproveRole", "DetectRole", "DispatchRole", "IngestRole", "OperatorRole"}) {
		t.Errorf("the key is for %v", got)
	}
	if got := uses(evaluate(t, template, nil)); got != nil {
		t.Errorf("a key that is not there is for %v", got)
	}
}

// guards are the policies of resources that keep data, by logical id.
func guards(t *testing.T, stack node) map[string]node {
	t.Helper()
	all := map[string]node{}
	for _, kind := range []struct{ policy, resource, document string }{
		{"AWS::SQS::QueuePolicy", "Queues", "PolicyDocument"}, {"AWS::SNS::TopicPolicy", "Topics", "PolicyDocument"},
		{"AWS::SecretsManager::ResourcePolicy", "SecretId", "ResourcePolicy"},
	} {
		for _, policy := range stack.ofType(t, kind.policy) {
			for _, resource := range texts(policy[kind.resource]) {
				all[resource] = policy.at(t, kind.document)
			}
		}
	}
	for id, table := range stack.ofType(t, "AWS::DynamoDB::Table") {
		all[id] = table.at(t, "ResourcePolicy", "PolicyDocument")
	}
	return all
}

// TestTemplateResourcePolicies: what a role is allowed to do with data, its
// resource's policy denies to everybody but such roles.
func TestTemplateResourcePolicies(t *testing.T) {
	stack := withEverything(t)
	guarded := guards(t, stack)
	for _, kind := range []string{"AWS::SQS::Queue", "AWS::DynamoDB::Table", "AWS::SNS::Topic", "AWS::SecretsManager::Secret"} {
		for id := range stack.ofType(t, kind) {
			if guarded[id] == nil {
				t.Errorf("%s has no policy", id)
			}
		}
	}

	roles := map[string]string{} // by what policies call them
	permitted := map[string]map[string][]string{}
	topic := fmt.Sprint(stack.properties(t, "EmailTopic")["TopicName"])
	for id, role := range stack.ofType(t, "AWS::IAM::Role") {
		roles[id+".Arn"] = id
		roles[fmt.Sprintf("arn:aws:iam::111122223333:role/%s", role["RoleName"])] = id
		for _, s := range allowed(t, role) {
			for _, resource := range s.resources {
				logical, _, _ := strings.Cut(strings.TrimSuffix(resource, ".Arn"), ".")
				if strings.HasSuffix(resource, ":"+topic) {
					logical = "EmailTopic"
				}
				if permitted[logical] == nil {
					permitted[logical] = map[string][]string{}
				}
				for _, action := range s.actions {
					permitted[logical][action] = append(permitted[logical][action], id)
				}
			}
		}
	}

	for resource, document := range guarded {
		covered := map[string]bool{"sqs:GetQueueAttributes": true} // tells nothing of messages
		for _, s := range statements(t, document) {
			if s.node["Effect"] != "Deny" {
				continue
			}
			if s.node["Principal"] != "*" {
				t.Errorf("%s denies %s to %v alone", resource, s.actions, s.node["Principal"])
			}
			condition := s.node.at(t, "Condition")
			if reflect.DeepEqual(condition, node{"Bool": node{"aws:SecureTransport": "false"}}) {
				covered["TLS"] = true
				continue
			}
			if exempt, ok := condition["BoolIfExists"]; ok && !reflect.DeepEqual(exempt, node{"aws:PrincipalIsAWSService": "false"}) || len(condition) > 1 && !ok {
				t.Errorf("%s denies %s on %s", resource, s.actions, compact(t, condition))
			}
			var spared []string
			for _, arn := range texts(condition.at(t, "ArnNotEquals")["aws:PrincipalArn"]) {
				id, known := roles[arn]
				if !known {
					t.Errorf("%s spares %s, which is no role", resource, arn)
				}
				spared = append(spared, id)
			}
			var may []string
			for action, ids := range permitted[resource] {
				if slices.ContainsFunc(s.actions, func(pattern string) bool { ok, err := path.Match(pattern, action); return ok && err == nil }) {
					covered[action] = true
					may = append(may, ids...)
				}
			}
			slices.Sort(spared)
			slices.Sort(may)
			if may = slices.Compact(may); !slices.Equal(spared, may) {
				t.Errorf("%s denies %s to all but %v, and IAM allows it to %v", resource, s.actions, spared, may)
			}
		}
		for action, ids := range permitted[resource] {
			if !covered[action] {
				t.Errorf("%s denies %s to nobody; %v need it", resource, action, ids)
			}
		}
		if !covered["TLS"] && resource != "ApiKey" { // Secrets Manager speaks nothing else
			t.Errorf("%s can be reached without TLS", resource)
		}
	}
}

// TestTemplateAllows: resources let nobody in by their own policies but
// EventBridge, from the bus's rule, and CloudWatch's alarms.
func TestTemplateAllows(t *testing.T) {
	type grant struct{ resource, principal, action, condition string }
	var got []grant
	for resource, document := range guards(t, withEverything(t)) {
		for _, s := range statements(t, document) {
			if s.node["Effect"] == "Allow" {
				got = append(got, grant{resource, fmt.Sprint(s.node.at(t, "Principal")["Service"]), strings.Join(s.actions, " "), compact(t, s.node["Condition"])})
			}
		}
	}
	slices.SortFunc(got, func(a, b grant) int { return strings.Compare(a.resource, b.resource) })
	fromBus := `{"ArnEquals":{"aws:SourceArn":"BusRule.Arn"}}`
	want := []grant{
		{"AlarmTopic", "cloudwatch.amazonaws.com", "sns:Publish", `{"ArnLike":{"aws:SourceArn":"arn:aws:cloudwatch:eu-west-1:111122223333:alarm:responder-*"},"StringEquals":{"aws:SourceAccount":"111122223333"}}`},
		{"EventsDead", "events.amazonaws.com", "sqs:SendMessage", fromBus},
		{"EventsQueue", "events.amazonaws.com", "sqs:SendMessage", fromBus},
	}
	if !slices.Equal(got, want) {
		t.Errorf("resources let in\n  %v, want\n  %v", got, want)
	}
}

// TestTemplateBus: only an organization that is named may put events there, and
// only AWS's own events go on.
func TestTemplateBus(t *testing.T) {
	if policy, there := evaluate(t, template, nil).at(t, "Resources")["BusPolicy"]; there {
		t.Errorf("without an organization the bus takes events from %v", policy)
	}
	stack := withEverything(t)
	s := stack.properties(t, "BusPolicy").at(t, "Statement")
	if want := (node{"StringEquals": node{"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}); !reflect.DeepEqual(s["Condition"], want) || s["Action"] != "events:PutEvents" {
		t.Errorf("the bus allows %v on %v", s["Action"], s["Condition"])
	}
	rule := stack.properties(t, "BusRule")
	if want := (node{"source": []any{node{"prefix": "aws."}}}); !reflect.DeepEqual(rule["EventPattern"], want) {
		t.Errorf("the bus passes on %v", rule["EventPattern"])
	}
	if rule["State"] != "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS" {
		t.Error("the bus keeps back read-only calls that a forwarder was to forward")
	}
	for _, target := range rule.objects("Targets") {
		if target["Arn"] != "EventsQueue.Arn" || target.at(t, "DeadLetterConfig")["Arn"] != "EventsDead.Arn" {
			t.Errorf("the bus sends to %s", compact(t, target))
		}
	}
}

// TestTemplateEmailTopic: it is the one that SendEmail may publish to, and
// another stack has another.
func TestTemplateEmailTopic(t *testing.T) {
	name := withEverything(t).properties(t, "EmailTopic")["TopicName"]
	if name != "responder-email" {
		t.Errorf("the topic of the stack responder is called %v", name)
	}
	want := []string{fmt.Sprintf("arn:aws:sns:eu-west-1:111122223333:%v", name)}
	for _, p := range actions.New(actions.Deps{})["SendEmail"].Spec().Permissions {
		if got := substituted(p.Resources); !slices.Equal(got, want) {
			t.Errorf("SendEmail may publish to %v, and the topic is %v", got, want)
		}
	}
}

// TestTemplateOwnRoles: what Responder's own functions cause stays dry, whichever it is.
func TestTemplateOwnRoles(t *testing.T) {
	stack := evaluate(t, template, nil)
	own := strings.Split(fmt.Sprint(stack.properties(t, "DispatchFunction").at(t, "Environment", "Variables")["OWN_ROLES"]), ",")
	var want []string
	for _, name := range functions {
		want = append(want, fmt.Sprint(stack.properties(t, name)["Role"]))
	}
	if !slices.Equal(slices.Sorted(slices.Values(own)), slices.Sorted(slices.Values(want))) {
		t.Errorf("Dispatch takes %v for Responder's roles, which are %v", own, want)
	}
}
