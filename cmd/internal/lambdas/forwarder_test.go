package lambdas

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const (
	forwarder  = "forwarder.yaml"
	memberRole = "member-role.yaml"
)

// byAPI and byBus are parameters of forwarders of either way.
var (
	byAPI = map[string]string{"Via": "api", "Endpoint": "https://x.example.com/prod/events", "ApiKey": "k", "HomeAccount": "444455556666", "HomeRegion": "us-east-1"}
	byBus = map[string]string{"Via": "bus", "BusArn": "arn:aws:events:us-east-1:444455556666:event-bus/responder", "HomeAccount": "444455556666", "HomeRegion": "us-east-1"}
)

// with adds parameters to others.
func with(parameters map[string]string, more ...string) map[string]string {
	all := map[string]string{}
	for name, value := range parameters {
		all[name] = value
	}
	for i := 0; i < len(more); i += 2 {
		all[more[i]] = more[i+1]
	}
	return all
}

// TestForwarderTemplate: it goes along with a request, and into a StackSet.
func TestForwarderTemplate(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(repository, forwarder))
	if err != nil {
		t.Fatal(err)
	}
	if len(text) >= 51_200 {
		t.Errorf("it is %d bytes; 51,200 go along with a request", len(text))
	}
	if _, transformed := evaluate(t, forwarder, byAPI)["Transform"]; transformed {
		t.Error("it has a transform, which service-managed StackSets refuse")
	}
	for _, alias := range []string{": &", "- &", ": *", "- *"} {
		if strings.Contains(string(text), alias) {
			t.Errorf("it has %q: CloudFormation takes no aliases of YAML", alias)
		}
	}
}

// TestForwarderWays: each has what it needs, and nothing of the other.
func TestForwarderWays(t *testing.T) {
	for via, test := range map[string]struct {
		parameters              map[string]string
		target, action, without string
	}{
		"api": {byAPI, "ApiDestination.Arn", "events:InvokeApiDestination", ""},
		"bus": {byBus, byBus["BusArn"], "events:PutEvents", "ApiDestination Connection"},
	} {
		stack := evaluate(t, forwarder, test.parameters)
		for _, id := range strings.Fields(test.without) {
			if _, there := stack.at(t, "Resources")[id]; there {
				t.Errorf("%s: there is a resource %s", via, id)
			}
		}
		for id, rule := range stack.ofType(t, "AWS::Events::Rule") {
			targets := rule.objects("Targets")
			if len(targets) != 1 {
				t.Fatalf("%s: %s has %d targets", via, id, len(targets))
			}
			target := targets[0]
			if target["Arn"] != test.target || target["RoleArn"] != "Role.Arn" {
				t.Errorf("%s: %s sends to %v as %v", via, id, target["Arn"], target["RoleArn"])
			}
			if target.at(t, "DeadLetterConfig")["Arn"] != "Dead.Arn" || target.at(t, "RetryPolicy").number(t, "MaximumEventAgeInSeconds") != 24*3600 {
				t.Errorf("%s: %s loses what it cannot deliver: %s", via, id, compact(t, target))
			}
			if target["InputTransformer"] != nil || target["Input"] != nil || target["InputPath"] != nil {
				t.Errorf("%s: %s changes events", via, id)
			}
		}
		role := stack.properties(t, "Role")
		may := allowed(t, role)
		if len(may) != 1 || !slices.Equal(may[0].actions, []string{test.action}) || !slices.Equal(may[0].resources, []string{test.target}) {
			t.Errorf("%s: the role may do %v", via, may)
		}
	}
	connection := evaluate(t, forwarder, byAPI).properties(t, "Connection")
	if want := (node{"ApiKeyName": "X-Api-Key", "ApiKeyValue": "k"}); !reflect.DeepEqual(connection.at(t, "AuthParameters")["ApiKeyAuthParameters"], want) {
		t.Errorf("it shows %v", connection["AuthParameters"])
	}
	if evaluate(t, forwarder, nil).at(t, "Parameters", "ApiKey")["NoEcho"] != true {
		t.Error("the key can be read from the stack")
	}
}

// TestForwarderRole: roles are global, so that those of regions must differ, and
// only this region's rules may take it.
func TestForwarderRole(t *testing.T) {
	longest := strings.Repeat("a", 39)
	stack := evaluate(t, forwarder, with(byBus, "Name", longest))
	role := stack.properties(t, "Role")
	name := fmt.Sprint(role["RoleName"])
	if !strings.HasSuffix(name, "-eu-west-1") || len(name)+len("ap-southeast-1")-len("eu-west-1") > 64 {
		t.Errorf("the role is called %s", name)
	}
	var rules []string
	for _, rule := range stack.ofType(t, "AWS::Events::Rule") {
		rules = append(rules, fmt.Sprintf("arn:aws:events:eu-west-1:111122223333:rule/%s", rule["Name"]))
	}
	for _, s := range statements(t, role.at(t, "AssumeRolePolicyDocument")) {
		got := texts(s.node.at(t, "Condition", "ArnEquals")["aws:SourceArn"])
		if !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(rules))) {
			t.Errorf("the role trusts %v, and the rules are %v", got, rules)
		}
	}
}

// TestForwarderDead: only the rules put something there, and nobody reads it in the clear.
func TestForwarderDead(t *testing.T) {
	stack := evaluate(t, forwarder, byBus)
	if queue := stack.properties(t, "Dead"); queue["SqsManagedSseEnabled"] != true || queue.number(t, "MessageRetentionPeriod") != 14*24*3600 {
		t.Errorf("dead letters are kept as %s", compact(t, queue))
	}
	rules := []string{"Canary.Arn", "Forwarded.Arn"}
	for _, s := range statements(t, stack.properties(t, "DeadPolicy").at(t, "PolicyDocument")) {
		condition := s.node.at(t, "Condition")
		switch sid := s.node["Sid"]; sid {
		case "Rules":
			if got := texts(condition.at(t, "ArnEquals")["aws:SourceArn"]); !slices.Equal(slices.Sorted(slices.Values(got)), rules) || s.node.at(t, "Principal")["Service"] != "events.amazonaws.com" {
				t.Errorf("dead letters come from %v", got)
			}
		case "NobodyElse":
			if got := texts(condition.at(t, "ArnNotEquals")["aws:SourceArn"]); !slices.Equal(slices.Sorted(slices.Values(got)), rules) || s.node["Effect"] != "Deny" {
				t.Errorf("dead letters are refused but from %v", got)
			}
		case "TLS":
			if s.node["Effect"] != "Deny" {
				t.Errorf("without TLS: %v", s.node["Effect"])
			}
		default:
			t.Errorf("there is a statement %v", sid)
		}
	}
}

// TestForwarderPattern: what is forwarded cannot be forged, and can be tuned.
func TestForwarderPattern(t *testing.T) {
	forwarded := func(more ...string) node {
		return evaluate(t, forwarder, with(byAPI, more...)).properties(t, "Forwarded")
	}
	usual := forwarded()
	pattern := usual.at(t, "EventPattern")
	if want := []any{node{"prefix": "aws."}}; !reflect.DeepEqual(pattern["source"], want) {
		t.Errorf("sources are %v", pattern["source"])
	}
	if want := []any{"AWS API Call via CloudTrail", "AWS Console Sign In via CloudTrail", "GuardDuty Finding", "Security Hub Findings - Imported"}; !reflect.DeepEqual(pattern["detail-type"], want) {
		t.Errorf("detail-types are %v", pattern["detail-type"])
	}
	if usual["State"] != "ENABLED" || pattern.at(t, "detail")["errorCode"] != nil {
		t.Errorf("the usual rule is %s", compact(t, usual))
	}
	if got := forwarded("ReadOnlyEvents", "true")["State"]; got != "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS" {
		t.Errorf("read-only calls are forwarded by a rule that is %v", got)
	}
	if got := forwarded("FailedCalls", "false").at(t, "EventPattern", "detail")["errorCode"]; !reflect.DeepEqual(got, []any{node{"exists": false}}) {
		t.Errorf("failed calls are left out by %v", got)
	}
	if got := forwarded("Sources", "aws.iam, aws.signin").at(t, "EventPattern")["source"]; !reflect.DeepEqual(got, []any{"aws.iam", "aws.signin"}) {
		t.Errorf("sources are %v", got)
	}
	// EventBridge takes patterns of 2,048 characters.
	if n := len(compact(t, forwarded("Name", strings.Repeat("a", 39), "HomeRegion", "ap-southeast-1").at(t, "EventPattern"))); n > 2048 {
		t.Errorf("the pattern takes %d characters", n)
	}
}

// TestForwarderSparesItself: the routine of Responder's own roles is not
// forwarded, for each event would cause the next; what else they do is.
func TestForwarderSparesItself(t *testing.T) {
	home := evaluate(t, template, nil)
	var own []string
	for _, name := range functions {
		role := home.properties(t, named(t, home.properties(t, name)["Role"]))
		own = append(own, fmt.Sprintf("arn:aws:iam::111122223333:role/%s", role["RoleName"]))
	}
	slices.Sort(own)
	here := evaluate(t, forwarder, map[string]string{"Via": "bus", "BusArn": byBus["BusArn"]})
	there := evaluate(t, forwarder, byBus)
	for where, test := range map[string]struct {
		stack node
		own   []string
	}{
		"at home": {here, own},
		"elsewhere": {there, func() (all []string) {
			for _, arn := range own {
				all = append(all, strings.NewReplacer("111122223333", "444455556666", "eu-west-1", "us-east-1").Replace(arn))
			}
			return all
		}()},
	} {
		detail := test.stack.properties(t, "Forwarded").at(t, "EventPattern", "detail")
		kinds := detail.objects("$or")
		if len(kinds) != 4 {
			t.Fatalf("%s: %d kinds of caller", where, len(kinds))
		}
		anythingBut := func(n node, key string) []string {
			var all []string
			for _, item := range n.objects(key) {
				all = append(all, texts(item["anything-but"])...)
			}
			slices.Sort(all)
			return all
		}
		linked := "arn:aws:iam::111122223333:role/aws-service-role/apidestinations.events.amazonaws.com/AWSServiceRoleForAmazonEventBridgeApiDestinations"
		self := fmt.Sprintf("arn:aws:iam::111122223333:role/%s", test.stack.properties(t, "Role")["RoleName"])
		if got, want := anythingBut(kinds[1].at(t, "userIdentity", "sessionContext", "sessionIssuer"), "arn"), slices.Sorted(slices.Values(append(slices.Clone(test.own), linked))); !slices.Equal(got, want) {
			t.Errorf("%s: what is read is left out of %v, want %v", where, got, want)
		}
		if got, want := anythingBut(kinds[3].at(t, "requestParameters"), "roleArn"), slices.Sorted(slices.Values(append(slices.Clone(test.own), self))); !slices.Equal(got, want) {
			t.Errorf("%s: sessions are left out of %v, want %v", where, got, want)
		}
		if kinds[2]["readOnly"].([]any)[0] != false || !slices.Equal(anythingBut(kinds[2], "eventName"), []string{"CreateLogStream"}) {
			t.Errorf("%s: of what changes something is forwarded %s", where, compact(t, kinds[2]))
		}
	}
}
