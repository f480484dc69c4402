package detect

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/skycrafters/responder"
)

const selfEvents = "../events/_self"

// selfRules loads the rules that are shipped, with something laid over them.
func selfRules(t *testing.T, local string) *Rules {
	t.Helper()
	laid := fstest.MapFS{}
	for _, name := range []string{"rules.yml", "rules/self.yml"} {
		data, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		laid[name] = &fstest.MapFile{Data: data}
	}
	if local != "" {
		laid["rules.local.yml"] = &fstest.MapFile{Data: []byte(local)}
	}
	rules, problems := Load(laid, "rules.yml", nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return rules
}

// seen names the rules of self.yml that find something in an event, and their
// findings.
func seen(t *testing.T, rules *Rules, data string) (names []string, findings []responder.Finding) {
	t.Helper()
	event, err := responder.DecodeEvent([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	findings, problems := rules.Evaluate(event)
	if len(problems) > 0 {
		t.Error(problems)
	}
	findings = slices.DeleteFunc(findings, func(f responder.Finding) bool { return !strings.HasPrefix(f.Rule, "Responder") })
	for _, f := range findings {
		names = append(names, f.Rule)
	}
	return names, findings
}

// selfFiles gives the sample events by their names: RULE[.WHAT].json, or none.WHAT.json.
func selfFiles(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(selfEvents + "/*.json")
	if err != nil || len(paths) < 30 {
		t.Fatalf("%d events, %v", len(paths), err)
	}
	files := map[string]string{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimSuffix(filepath.Base(path), ".json")] = string(data)
	}
	return files
}

// TestSelfRules: each rule that guards Responder sees its events, and no other
// does; deploys, its own functions and services are left alone.
func TestSelfRules(t *testing.T) {
	rules := selfRules(t, "")
	untold := map[string]bool{}
	for _, r := range rules.Infos() {
		if strings.HasPrefix(r.Name, "Responder") {
			untold[r.Name] = true
		}
	}
	files := selfFiles(t)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		rule, _, _ := strings.Cut(name, ".")
		got, findings := seen(t, rules, files[name])
		var want []string
		if rule != "none" {
			want = []string{rule}
			delete(untold, rule)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v", name, got)
			continue
		}
		for _, f := range findings {
			if f.Severity < responder.High || len(f.Resources) == 0 || strings.Contains(f.Message, "nil") || !strings.Contains(f.Message, f.Resources[0]) {
				t.Errorf("%s: %v, %q, %q", name, f.Severity, f.Message, f.Resources)
			}
		}
	}
	if len(untold) > 0 {
		t.Errorf("no event is there for %v", slices.Sorted(maps.Keys(untold)))
	}
}

// TestSelfNeighbours: what merely begins or ends like Responder's is not its own.
func TestSelfNeighbours(t *testing.T) {
	rules := selfRules(t, `lists: {responder_keys: ["arn:aws:kms:eu-west-1:111122223333:key/ours"], responder_apis: [z0]}`)
	ours := regexp.MustCompile(`responder\b`)
	for name, data := range selfFiles(t) {
		if strings.HasPrefix(name, "ResponderBlinded") { // any trail counts
			continue
		}
		for _, neighbour := range []string{"responder-x", "x-responder", "myresponder", "responder2", "Responder"} {
			moved := ours.ReplaceAllString(data, neighbour)
			if got, _ := seen(t, rules, moved); len(got) > 0 {
				t.Errorf("%s, of %s: %v", name, neighbour, got)
			}
		}
	}
}

// TestSelfOtherName: with another name of the stack the rules speak of that one.
func TestSelfOtherName(t *testing.T) {
	rules := selfRules(t, "lists: {responder_stacks: [secops], responder_member_roles: [secops-member]}")
	ours := regexp.MustCompile(`responder\b`)
	for name, data := range selfFiles(t) {
		rule, _, _ := strings.Cut(name, ".")
		got, _ := seen(t, rules, ours.ReplaceAllString(data, "secops"))
		if want := rule != "none"; (len(got) == 1 && got[0] == rule) != want {
			t.Errorf("%s: %v", name, got)
		}
		if got, _ := seen(t, rules, data); len(got) > 0 && rule != "ResponderBlinded" && rule != "ResponderKeyDisabled" && rule != "ResponderApiChanged" { // of any trail, key, API
			t.Errorf("%s, of the other name: %v", name, got)
		}
	}
}

// TestSelfDeployers: once somebody is named who deploys, theirs alone is quiet, by
// CloudFormation or by hand; another's by CloudFormation is not.
func TestSelfDeployers(t *testing.T) {
	named := selfRules(t, `lists: {responder_deployers: ["arn:aws:iam::111122223333:role/deploy *"]}`)
	other := selfRules(t, `lists: {responder_deployers: ["arn:aws:iam::111122223333:role/dep *", "arn:aws:iam::111122223333:role/other *"]}`)
	files := selfFiles(t)
	for _, name := range []string{"none.deploy-function", "none.deploy-role", "none.deploy-queue", "none.deploy-rule", "ResponderStackChanged.update"} {
		if got, _ := seen(t, named, files[name]); len(got) > 0 {
			t.Errorf("%s by who deploys: %v", name, got)
		}
		if got, _ := seen(t, other, files[name]); len(got) != 1 {
			t.Errorf("%s by somebody else: %v", name, got)
		}
	}
}

// TestSelfNamedAPI: of an API that is named any change is told, and of others nothing.
func TestSelfNamedAPI(t *testing.T) {
	rules := selfRules(t, "lists: {responder_apis: [f6g7h8i9j0]}")
	files := selfFiles(t)
	if got, _ := seen(t, rules, files["none.other-api-stage"]); !slices.Equal(got, []string{"ResponderApiChanged"}) {
		t.Errorf("a stage of the API that is named was changed: %v", got)
	}
	for _, name := range []string{"ResponderApiChanged", "ResponderApiChanged.stage"} {
		if got, _ := seen(t, rules, files[name]); len(got) > 0 {
			t.Errorf("%s of another API: %v", name, got)
		}
	}
}

// TestSelfKnowsTheTemplate: what template.yaml and forwarder.yaml name is what the
// rules speak of.
func TestSelfKnowsTheTemplate(t *testing.T) {
	rules := selfRules(t, "")
	names := map[string][]string{}
	for _, file := range []string{"../template.yaml", "../forwarder.yaml"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^\s+(AlarmName|FunctionName|QueueName|RoleName|LogGroupName|TopicName|Name): !Sub (\S*)\$\{(AWS::StackName|Name)\}-(\S+)`).FindAllStringSubmatch(string(data), -1) {
			name := m[2] + "responder-" + strings.NewReplacer("${AWS::Region}", "eu-west-1").Replace(m[4])
			names[m[1]] = append(names[m[1]], name)
		}
		for _, m := range regexp.MustCompile(`(?m)^  (\w+):\n(?:    #.*\n)*    Type: AWS::DynamoDB::Table$`).FindAllStringSubmatch(string(data), -1) {
			names["Table"] = append(names["Table"], "responder-"+m[1]+"-1ABCDEF234567")
		}
	}
	attack := func(source, call, param, value string) string {
		return fmt.Sprintf(`{"source":"aws.%s","account":"111122223333","detail":{"eventSource":"%s.amazonaws.com","eventName":%q,"userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/m"},"requestParameters":{%q:%q}}}`,
			source, source, call, param, value)
	}
	for kind, least := range map[string]int{"AlarmName": 15, "FunctionName": 4, "QueueName": 5, "RoleName": 6, "LogGroupName": 4, "TopicName": 2, "Name": 4, "Table": 2} {
		if len(names[kind]) < least {
			t.Errorf("only %q are seen in the templates as %s", names[kind], kind)
		}
		for _, name := range names[kind] {
			event := map[string]string{
				"AlarmName": attack("monitoring", "DeleteAlarms", "alarmNames", name), "FunctionName": attack("lambda", "DeleteFunction20150331", "functionName", name),
				"QueueName": attack("sqs", "DeleteQueue", "queueUrl", "https://sqs.eu-west-1.amazonaws.com/111122223333/"+name), "RoleName": attack("iam", "DeleteRole", "roleName", name),
				"LogGroupName": attack("logs", "DeleteLogGroup", "logGroupName", name), "TopicName": attack("sns", "DeleteTopic", "topicArn", "arn:aws:sns:eu-west-1:111122223333:"+name),
				"Name": attack("events", "DeleteRule", "name", name), "Table": attack("dynamodb", "DeleteTable", "tableName", name),
			}[kind]
			if name == "responder-api-key" { // a secret's
				event = attack("secretsmanager", "DeleteSecret", "secretId", name)
			}
			events := []string{event}
			if kind == "Table" {
				events = append(events, attack("dynamodb", "PutItem", "tableName", name))
			}
			for _, event := range events {
				if got, _ := seen(t, rules, event); len(got) != 1 {
					t.Errorf("%s %s: %v", kind, name, got)
				}
			}
		}
	}
}
