package lambdas

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"gopkg.in/yaml.v3"

	"github.com/skycrafters/responder/actions"
	"github.com/skycrafters/responder/cmd/internal/wiring"
	"github.com/skycrafters/responder/internal/dynamodb"
)

const repository = "../../.."

// functions are those of template.yaml.
var functions = []string{"IngestFunction", "DetectFunction", "DispatchFunction"}

// node is an object of the template. CloudFormation's tags are left out: !Ref X
// reads as the text X.
type node map[string]any

func readTemplate(t *testing.T) node {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repository, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var template node
	if err := yaml.Unmarshal(data, &template); err != nil {
		t.Fatal(err)
	}
	return template
}

// at follows keys to the object at their end, which must be there.
func (n node) at(t *testing.T, keys ...string) node {
	t.Helper()
	for i, key := range keys {
		child, ok := n[key].(node)
		if !ok {
			t.Fatalf("template.yaml has no object %s", strings.Join(keys[:i+1], "."))
		}
		n = child
	}
	return n
}

func (n node) number(t *testing.T, key string) int {
	t.Helper()
	number, ok := n[key].(int)
	if !ok {
		t.Fatalf("template.yaml: %s is %v, not a number", key, n[key])
	}
	return number
}

func (n node) properties(t *testing.T, resource string) node {
	t.Helper()
	return n.at(t, "Resources", resource, "Properties")
}

// named gives the resource that `!GetAtt X.Arn` reads as.
func named(t *testing.T, reference any) string {
	t.Helper()
	name, ok := strings.CutSuffix(fmt.Sprint(reference), ".Arn")
	if !ok {
		t.Fatalf("template.yaml: %v is not the ARN of a resource", reference)
	}
	return name
}

func TestTemplateFunctions(t *testing.T) {
	template := readTemplate(t)
	for _, name := range functions {
		resource := template.at(t, "Resources", name)
		properties := resource.at(t, "Properties")
		if role := named(t, properties["Role"]); template.at(t, "Resources", role)["Type"] != "AWS::IAM::Role" {
			t.Errorf("%s has no role of its own: SAM would give it one that may do too much", name)
		}
		if method := resource.at(t, "Metadata")["BuildMethod"]; method != "makefile" {
			t.Errorf("%s is built by %v", name, method)
		}
	}
	globals := template.at(t, "Globals", "Function")
	if globals["CodeUri"] != "." || !reflect.DeepEqual(globals["Architectures"], []any{"Architecture"}) {
		t.Errorf("functions are built from %v for %v", globals["CodeUri"], globals["Architectures"])
	}
	dispatch := template.properties(t, "DispatchFunction")
	if dispatch["RecursiveLoop"] != "Allow" {
		t.Error("Dispatch would be cut off: it sends to the queue that feeds it")
	}
	if rate := dispatch.at(t, "Events", "Sweep", "Properties")["Schedule"]; rate != "rate(1 minute)" {
		t.Errorf("the sweep runs at %v", rate)
	}
}

// TestTemplateQueues holds what SQS and Lambda ask of each other.
func TestTemplateQueues(t *testing.T) {
	template := readTemplate(t)
	fed := 0
	for _, name := range functions {
		function := template.properties(t, name)
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
			queue := template.properties(t, named(t, mapping["Queue"]))
			if visible, timeout := queue.number(t, "VisibilityTimeout"), function.number(t, "Timeout"); visible < 6*timeout+window {
				t.Errorf("%s: a visibility timeout of %d s is too short for a function's of %d s", name, visible, timeout)
			}
			redrive := queue.at(t, "RedrivePolicy")
			if n := redrive.number(t, "maxReceiveCount"); n < 5 {
				t.Errorf("%s: messages die after %d receives; throttled ones count", name, n)
			}
			dead := template.properties(t, named(t, redrive["deadLetterTargetArn"]))
			if kept := dead.number(t, "MessageRetentionPeriod"); kept <= queue.number(t, "MessageRetentionPeriod") {
				t.Errorf("%s: dead letters are kept for %d s, no longer than the queue's messages", name, kept)
			}
		}
	}
	if fed != 2 {
		t.Errorf("%d functions are fed by queues, want 2", fed)
	}
}

// TestTemplateTables compares the tables with what the adapters work on.
func TestTemplateTables(t *testing.T) {
	template := readTemplate(t)
	for name, want := range map[string]*awsdynamodb.CreateTableInput{
		"RunsTable": dynamodb.RunsTable(""), "CountersTable": dynamodb.CountersTable(""),
	} {
		table := template.properties(t, name)
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

// TestTemplateFlowsPolicy compares what Dispatch may do for flows with what the
// enabled flows can do: no less, and no more.
func TestTemplateFlowsPolicy(t *testing.T) {
	catalogue := actions.New(actions.Deps{})
	definitions, problems := wiring.Load(filepath.Join(repository, "rules.yml"), filepath.Join(repository, "flows.yml"), catalogue)
	if definitions == nil {
		t.Fatal(problems)
	}
	var want []string
	for _, name := range wiring.ActionsUsed(definitions, catalogue) {
		for _, p := range catalogue[name].Spec().Permissions {
			want = append(want, fmt.Sprint(p.Actions, p.Resources, len(p.Condition)))
		}
	}
	template := readTemplate(t)
	var got []string
	for _, policy := range template.properties(t, "DispatchRole")["Policies"].([]any) {
		policy := policy.(node)
		if policy["PolicyName"] != "flows" {
			continue
		}
		for _, s := range policy.at(t, "PolicyDocument")["Statement"].([]any) {
			s := s.(node)
			if s["Effect"] != "Allow" {
				t.Errorf("statement %v has the effect %v", s["Sid"], s["Effect"])
			}
			conditions, _ := s["Condition"].(node)
			got = append(got, fmt.Sprint(s["Action"], s["Resource"], len(conditions)))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("DispatchRole's policy `flows` is\n  %s\nbut the enabled flows need\n  %s\nPut there what `responder policy` prints.",
			strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestTemplateEmailTopic(t *testing.T) {
	if name := readTemplate(t).properties(t, "EmailTopic")["TopicName"]; name != actions.EmailTopicName {
		t.Errorf("the topic is called %v, and SendEmail may publish to %s", name, actions.EmailTopicName)
	}
}

// TestTemplateRoles: only what IAM cannot narrow down may be done to everything.
func TestTemplateRoles(t *testing.T) {
	template := readTemplate(t)
	for _, name := range slices.Sorted(maps.Keys(template.at(t, "Resources"))) {
		if template.at(t, "Resources", name)["Type"] != "AWS::IAM::Role" {
			continue
		}
		for _, policy := range template.properties(t, name)["Policies"].([]any) {
			for _, s := range policy.(node).at(t, "PolicyDocument")["Statement"].([]any) {
				s := s.(node)
				actions := fmt.Sprint(s["Action"])
				if strings.Contains(actions, "*") {
					t.Errorf("%s may do %s", name, actions)
				}
				if slices.Contains(strings.Fields(strings.Trim(fmt.Sprint(s["Resource"]), "[]")), "*") && actions != "[ec2:DescribeInstances]" {
					t.Errorf("%s may do %s to everything", name, actions)
				}
			}
		}
	}
}
