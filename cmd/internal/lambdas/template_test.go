package lambdas

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/skycrafters/responder/internal/dynamodb"
)

const template = "template.yaml"

// functions are those of template.yaml.
var functions = []string{"IngestFunction", "DetectFunction", "DispatchFunction", "ApproveFunction"}

func TestTemplateFunctions(t *testing.T) {
	stack := evaluate(t, template, nil)
	for _, name := range functions {
		resource := stack.at(t, "Resources", name)
		properties := resource.at(t, "Properties")
		if role := named(t, properties["Role"]); stack.at(t, "Resources", role)["Type"] != "AWS::IAM::Role" {
			t.Errorf("%s has no role of its own: SAM would give it one that may do too much", name)
		}
		if method := resource.at(t, "Metadata")["BuildMethod"]; method != "makefile" {
			t.Errorf("%s is built by %v", name, method)
		}
	}
	globals := stack.at(t, "Globals", "Function")
	if globals["CodeUri"] != "." {
		t.Errorf("functions are built from %v", globals["CodeUri"])
	}
	for parameters, want := range map[string]string{"": "arm64", "x86_64": "x86_64"} {
		given := map[string]string{}
		if parameters != "" {
			given["Architecture"] = parameters
		}
		if got := evaluate(t, template, given).at(t, "Globals", "Function")["Architectures"]; !reflect.DeepEqual(got, []any{want}) {
			t.Errorf("with the parameter Architecture=%s functions are built for %v", parameters, got)
		}
	}
	dispatch := stack.properties(t, "DispatchFunction")
	if dispatch["RecursiveLoop"] != "Allow" {
		t.Error("Dispatch would be cut off: it sends to the queue that feeds it")
	}
	if rate := dispatch.at(t, "Events", "Sweep", "Properties")["Schedule"]; rate != "rate(1 minute)" {
		t.Errorf("the sweep runs at %v", rate)
	}
}

// TestTemplateQueues holds what SQS and Lambda ask of each other.
func TestTemplateQueues(t *testing.T) {
	stack := evaluate(t, template, nil)
	fed := 0
	for _, name := range functions {
		function := stack.properties(t, name)
		for event := range function.at(t, "Events") {
			if source := function.at(t, "Events", event); source["Type"] != "SQS" {
				continue
			}
			fed++
			mapping := function.at(t, "Events", event, "Properties")
			if !reflect.DeepEqual(mapping["FunctionResponseTypes"], []any{"ReportBatchItemFailures"}) {
				t.Errorf("%s: one failure would bring back the whole batch", name)
			}
			window := 0
			if _, ok := mapping["MaximumBatchingWindowInSeconds"]; ok {
				window = mapping.number(t, "MaximumBatchingWindowInSeconds")
			}
			if n := mapping.at(t, "ScalingConfig").number(t, "MaximumConcurrency"); n < 2 || n > 100 {
				t.Errorf("%s runs up to %d times at once", name, n)
			}
			queue := stack.properties(t, named(t, mapping["Queue"]))
			if visible, timeout := queue.number(t, "VisibilityTimeout"), function.number(t, "Timeout"); visible < 6*timeout+window {
				t.Errorf("%s: a visibility timeout of %d s is too short for a function's of %d s", name, visible, timeout)
			}
			redrive := queue.at(t, "RedrivePolicy")
			if n := redrive.number(t, "maxReceiveCount"); n < 5 {
				t.Errorf("%s: messages die after %d receives; throttled ones count", name, n)
			}
			dead := stack.properties(t, named(t, redrive["deadLetterTargetArn"]))
			if kept := dead.number(t, "MessageRetentionPeriod"); kept <= queue.number(t, "MessageRetentionPeriod") {
				t.Errorf("%s: dead letters are kept for %d s, no longer than the queue's messages", name, kept)
			}
		}
	}
	if fed != 2 {
		t.Errorf("%d functions are fed by queues, want 2", fed)
	}
}

// TestTemplateDeadLetters: SQS asks no queue policy when it moves a dead letter,
// so each queue says whose it takes.
func TestTemplateDeadLetters(t *testing.T) {
	for file, more := range map[string]map[string]string{template: nil, forwarder: byBus} {
		stack := evaluate(t, file, more)
		queues := stack.ofType(t, "AWS::SQS::Queue")
		sources := map[string][]any{} // ARNs, by the queue that takes their dead letters
		for _, queue := range queues {
			if redrive, ok := queue["RedrivePolicy"].(node); ok {
				dead := named(t, redrive["deadLetterTargetArn"])
				sources[dead] = append(sources[dead], fmt.Sprintf("arn:aws:sqs:eu-west-1:111122223333:%v", queue["QueueName"]))
			}
		}
		for id, queue := range queues {
			want := node{"redrivePermission": "denyAll"}
			if from := sources[id]; from != nil {
				want = node{"redrivePermission": "byQueue", "sourceQueueArns": from}
			}
			if got := queue["RedriveAllowPolicy"]; !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %s takes dead letters by %s, want %s", file, id, compact(t, got), compact(t, want))
			}
		}
	}
}

// TestTemplateLogs: what LOG_LEVEL lets through Lambda lets through, and the
// lines of metrics, which have no level.
func TestTemplateLogs(t *testing.T) {
	stack := evaluate(t, template, nil)
	for _, name := range functions {
		want := node{"LogFormat": "JSON", "ApplicationLogLevel": "TRACE", "SystemLogLevel": "INFO", "LogGroup": strings.TrimSuffix(name, "Function") + "Log"}
		if got := stack.properties(t, name)["LoggingConfig"]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s logs by %s, want %s", name, compact(t, got), compact(t, want))
		}
	}
}

// TestTemplateTables compares the tables with what the adapters work on.
func TestTemplateTables(t *testing.T) {
	stack := evaluate(t, template, nil)
	for name, want := range map[string]*awsdynamodb.CreateTableInput{
		"RunsTable": dynamodb.RunsTable(""), "CountersTable": dynamodb.CountersTable(""),
	} {
		table := stack.properties(t, name)
		if table["BillingMode"] != string(want.BillingMode) {
			t.Errorf("%s: BillingMode is %v", name, table["BillingMode"])
		}
		var attributes []any
		for _, a := range want.AttributeDefinitions {
			attributes = append(attributes, node{"AttributeName": *a.AttributeName, "AttributeType": string(a.AttributeType)})
		}
		if !reflect.DeepEqual(table["AttributeDefinitions"], attributes) {
			t.Errorf("%s: attributes are %v, want %v", name, table["AttributeDefinitions"], attributes)
		}
		if keys := keySchema(want.KeySchema); !reflect.DeepEqual(table["KeySchema"], keys) {
			t.Errorf("%s: keys are %v, want %v", name, table["KeySchema"], keys)
		}
		var indexes []any
		for _, i := range want.GlobalSecondaryIndexes {
			projection := node{"ProjectionType": string(i.Projection.ProjectionType)}
			if len(i.Projection.NonKeyAttributes) > 0 {
				var names []any
				for _, n := range i.Projection.NonKeyAttributes {
					names = append(names, n)
				}
				projection["NonKeyAttributes"] = names
			}
			indexes = append(indexes, node{"IndexName": *i.IndexName, "KeySchema": keySchema(i.KeySchema), "Projection": projection})
		}
		if got, _ := table["GlobalSecondaryIndexes"].([]any); !reflect.DeepEqual(got, indexes) {
			t.Errorf("%s: indexes are %v, want %v", name, got, indexes)
		}
		if ttl := table.at(t, "TimeToLiveSpecification"); ttl["AttributeName"] != dynamodb.TTLAttribute || ttl["Enabled"] != true {
			t.Errorf("%s: time to live is %v", name, ttl)
		}
		if pitr := table.at(t, "PointInTimeRecoverySpecification"); pitr["PointInTimeRecoveryEnabled"] != true {
			t.Errorf("%s: point-in-time recovery is %v", name, pitr)
		}
	}
}

func keySchema(keys []types.KeySchemaElement) (schema []any) {
	for _, k := range keys {
		schema = append(schema, node{"AttributeName": aws.ToString(k.AttributeName), "KeyType": string(k.KeyType)})
	}
	return schema
}

// TestTemplateEnvironment: functions of another stack would be told of as this one's.
func TestTemplateEnvironment(t *testing.T) {
	stack := evaluate(t, template, nil)
	if got := stack.at(t, "Globals", "Function", "Environment", "Variables")["STACK_NAME"]; got != "responder" {
		t.Errorf("STACK_NAME is %v", got)
	}
	detect := stack.properties(t, "DetectFunction").at(t, "Environment", "Variables")
	forwarder := evaluate(t, forwarder, map[string]string{"Name": "responder"})
	if rule := forwarder.properties(t, "Canary")["Name"]; detect["CANARY_RULE"] != rule {
		t.Errorf("Detect waits for canaries of the rule %v, and forwarders send those of %v", detect["CANARY_RULE"], rule)
	}
	for name, variables := range map[string][]string{
		"IngestFunction":   {"EVENTS_QUEUE_URL", "API_KEY_SECRET"},
		"DetectFunction":   {"EVENTS_QUEUE_URL", "EVENTS_DEAD_URL", "FINDINGS_QUEUE_URL", "COUNTERS_TABLE", "CANARY_RULE"},
		"ApproveFunction":  {"RUNS_TABLE", "COUNTERS_TABLE", "FINDINGS_QUEUE_URL", "SLACK_SIGNING_SECRET"},
		"DispatchFunction": {"FINDINGS_QUEUE_URL", "FINDINGS_DEAD_URL", "RUNS_TABLE", "COUNTERS_TABLE", "SECRETS_PREFIX", "OWN_ROLES", "MEMBER_ROLE", "MEMBER_ACCOUNTS", "MEMBER_EXTERNAL_ID"},
	} {
		got := stack.properties(t, name).at(t, "Environment", "Variables")
		if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, slices.Sorted(slices.Values(variables))) {
			t.Errorf("%s has the variables %v, want %v", name, names, variables)
		}
	}
}

// TestTemplateEncryption: everything that keeps data is encrypted, with the
// customer's key if there is one.
func TestTemplateEncryption(t *testing.T) {
	const key = "arn:aws:kms:eu-west-1:111122223333:key/k"
	everything := map[string]string{"Emails": "a@example.com", "AlarmEmails": "a@example.com"}
	own := evaluate(t, template, everything)
	everything["KmsKeyArn"] = key
	customer := evaluate(t, template, everything)

	for name, queue := range own.ofType(t, "AWS::SQS::Queue") {
		if queue["SqsManagedSseEnabled"] != true {
			t.Errorf("%s is not encrypted", name)
		}
	}
	topicKeys := map[string]any{}
	for name, topic := range own.ofType(t, "AWS::SNS::Topic") {
		topicKeys[name] = topic["KmsMasterKeyId"]
	}
	if want := map[string]any{"EmailTopic": "alias/aws/sns", "AlarmTopic": "AlarmKey"}; !reflect.DeepEqual(topicKeys, want) {
		t.Errorf("topics are encrypted with %v, want %v", topicKeys, want)
	}
	for _, kept := range []struct{ kind, property string }{
		{"AWS::SQS::Queue", "KmsMasterKeyId"}, {"AWS::SNS::Topic", "KmsMasterKeyId"}, {"AWS::SecretsManager::Secret", "KmsKeyId"}, {"AWS::Logs::LogGroup", "KmsKeyId"},
	} {
		for name, properties := range customer.ofType(t, kept.kind) {
			if properties[kept.property] != key {
				t.Errorf("%s is encrypted with %v", name, properties[kept.property])
			}
		}
	}
	for name, table := range customer.ofType(t, "AWS::DynamoDB::Table") {
		if want := (node{"SSEEnabled": true, "SSEType": "KMS", "KMSMasterKeyId": key}); !reflect.DeepEqual(table["SSESpecification"], want) {
			t.Errorf("%s is encrypted by %v", name, table["SSESpecification"])
		}
	}
	if got := customer.at(t, "Globals", "Function")["KmsKeyArn"]; got != key {
		t.Errorf("the functions' variables are encrypted with %v", got)
	}
	if _, made := customer.at(t, "Resources")["AlarmKey"]; made {
		t.Error("a key is made where there is one")
	}
	if _, made := evaluate(t, template, nil).at(t, "Resources")["AlarmKey"]; made {
		t.Error("a key is made that nothing is encrypted with")
	}
}

// TestTemplateSubscribers: each address of a list, and none that is not there.
func TestTemplateSubscribers(t *testing.T) {
	var addresses []string
	for _, name := range "-abcdefghij" {
		if name != '-' {
			addresses = append(addresses, string(name)+"@example.com")
		}
		list, want := strings.Join(addresses, ","), len(addresses)
		stack := evaluate(t, template, map[string]string{"Emails": list, "AlarmEmails": list})
		for _, topic := range []string{"EmailTopic", "AlarmTopic"} {
			var got []string
			if _, there := stack.at(t, "Resources")[topic]; there {
				for _, s := range stack.properties(t, topic).objects("Subscription") {
					got = append(got, s["Endpoint"].(string))
				}
			}
			if strings.Join(got, ",") != list || len(got) != want {
				t.Errorf("%s of %q tells %q", topic, list, got)
			}
		}
		_, told := stack.properties(t, "DispatchFunction").at(t, "Environment", "Variables")["EMAIL_TOPIC_ARN"]
		if told != (want > 0) {
			t.Errorf("with e-mails to %q Dispatch knows of a topic: %v", list, told)
		}
	}
}

// TestTemplateParameters: what a person has to fill in says what it is for, and
// refuses what cannot be meant.
func TestTemplateParameters(t *testing.T) {
	for _, file := range []string{template, forwarder, memberRole} {
		stack := evaluate(t, file, nil)
		var grouped []string
		for _, group := range stack.at(t, "Metadata", "AWS::CloudFormation::Interface").objects("ParameterGroups") {
			grouped = append(grouped, texts(group["Parameters"])...)
		}
		declared := stack.at(t, "Parameters")
		slices.Sort(grouped)
		if names := slices.Sorted(maps.Keys(declared)); !slices.Equal(grouped, names) {
			t.Errorf("%s groups %v of the parameters %v", file, grouped, names)
		}
		for name := range declared {
			p := declared.at(t, name)
			required := file == memberRole && (name == "DispatchRoleArn" || name == "ExternalId")
			if _, ok := p["Default"]; ok == required || p["Description"] == nil {
				t.Errorf("%s: parameter %s has no default or no description", file, name)
			}
			if (p["AllowedPattern"] == nil) != (p["ConstraintDescription"] == nil) {
				t.Errorf("%s: parameter %s does not say what is wrong", file, name)
			}
		}
		for name := range stack.at(t, "Outputs") {
			if stack.at(t, "Outputs", name)["Description"] == nil {
				t.Errorf("%s: output %s has no description", file, name)
			}
			if stack.at(t, "Outputs", name)["Export"] != nil {
				t.Errorf("%s: output %s is exported", file, name)
			}
		}
	}
	const region = "arn:aws:kms:eu-west-1:111122223333:"
	for _, test := range []struct {
		file, parameter string
		good, bad       []string
	}{
		{template, "Emails", []string{"", "a@b", "a@b.c,d@e.f", strings.Repeat("a@b,", 9) + "a@b"},
			[]string{"a", "a@b, c@d", "a@b,", ",a@b", "a@b;c@d e", strings.Repeat("a@b,", 10) + "a@b"}},
		{template, "OrganizationId", []string{"", "o-a1b2c3d4e5"}, []string{"o-", "a1b2c3d4e5", "o-A1B2C3D4E5", "*"}},
		{template, "KmsKeyArn", []string{"", region + "key/0a-b", "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-1"},
			[]string{"alias/x", region + "alias/x", "0a-b", region + "key/*"}},
		{template, "SlackWebhookUrl", []string{"", "https://hooks.slack.com/x"}, []string{"http://x", "https://a b"}},
		{template, "AllowPrivateHosts", []string{"", "localhost", "chat.corp.example, 10.1.0.0/16,fd12::/16"}, []string{"*", "https://x y", ",", "a,,b", "a\n"}},
		{template, "MemberRoleName", []string{"", "responder-member"}, []string{"a/b", "*", "arn:aws:iam::111122223333:role/r", strings.Repeat("r", 65)}},
		{template, "MemberAccounts", []string{"", "111122223333", "111122223333,444455556666"}, []string{"*", "1", "111122223333, 444455556666", "111122223333,"}},
		{template, "MemberExternalId", []string{"", "o-a1b2c3d4e5/responder"}, []string{"x", "a b", "*"}},
		{memberRole, "DispatchRoleArn", []string{"arn:aws-cn:iam::111122223333:role/responder-dispatch-cn-north-1", "arn:aws:iam::111122223333:role/p/r"},
			[]string{"", "*", "arn:aws:iam::111122223333:root", "arn:aws:iam::*:role/r", "arn:aws:iam::111122223333:role/*"}},
		{memberRole, "ExternalId", []string{"o-a1b2c3d4e5/responder"}, []string{"", "x", "*"}},
		{memberRole, "RoleName", []string{"responder-member"}, []string{"", "a/b", "*"}},
		{memberRole, "PermissionsBoundaryArn", []string{"", "arn:aws:iam::aws:policy/x", "arn:aws:iam::111122223333:policy/p/b"}, []string{"*", "arn:aws:iam::111122223333:role/r"}},
		{forwarder, "Name", []string{"responder", "r"}, []string{"", "a b", "1a", strings.Repeat("a", 40)}},
		{forwarder, "HomeAccount", []string{"", "111122223333"}, []string{"1", "arn"}},
		{forwarder, "HomeRegion", []string{"", "us-east-1", "us-gov-west-1", "ap-southeast-7"}, []string{"us", "US-EAST-1", "*"}},
		{forwarder, "Endpoint", []string{"", "https://x.execute-api.eu-west-1.amazonaws.com/prod/events"}, []string{"http://x", "x", "https://x?a=b"}},
		{forwarder, "ApiKey", []string{"", "aB3"}, []string{"a b", "a\n", strings.Repeat("x", 513)}},
		{forwarder, "BusArn", []string{"", "arn:aws:events:eu-west-1:111122223333:event-bus/responder"}, []string{"responder", "arn:aws:events:eu-west-1:111122223333:rule/x"}},
		{forwarder, "Sources", []string{"", "aws.iam", "aws.access-analyzer"}, []string{"iam", "my.aws.iam", "aws.", "awsx", "aws.*"}},
	} {
		p := evaluate(t, test.file, nil).at(t, "Parameters", test.parameter)
		pattern := regexp.MustCompile(`^(?:` + p["AllowedPattern"].(string) + `)$`)
		for _, text := range test.good {
			if !pattern.MatchString(text) {
				t.Errorf("%s refuses %q", test.parameter, text)
			}
		}
		for _, text := range test.bad {
			if pattern.MatchString(text) {
				t.Errorf("%s takes %q", test.parameter, text)
			}
		}
	}
}

// compact is a value as JSON, for messages.
func compact(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
