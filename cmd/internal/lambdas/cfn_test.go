package lambdas

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

const repository = "../../.."

// node is an object of a template.
type node map[string]any

// pseudo are CloudFormation's own parameters.
var pseudo = map[string]string{
	"AWS::StackName": "responder", "AWS::Region": "eu-west-1", "AWS::AccountId": "111122223333",
	"AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com",
	"AWS::StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/responder/0-1",
}

// evaluate reads a template of the repository as CloudFormation does with these
// parameters, and the defaults of others: functions have their values, and what
// a condition excludes is not there. A Ref to a resource gives its logical id,
// a GetAtt "ID.Attribute".
func evaluate(t *testing.T, file string, parameters map[string]string) node {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repository, file))
	if err != nil {
		t.Fatal(err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		t.Fatal(err)
	}
	e := &evaluator{t: t, file: file, root: document.Content[0], parameters: map[string]any{}}
	for name, declared := range pairs(child(e.root, "Parameters")) {
		var p struct {
			Type    string `yaml:"Type"`
			Default string `yaml:"Default"`
		}
		if err := declared.Decode(&p); err != nil {
			t.Fatal(err)
		}
		value, given := parameters[name]
		if !given {
			value = p.Default
		}
		if p.Type != "CommaDelimitedList" {
			e.parameters[name] = value
			continue
		}
		var list []any
		for item := range strings.SplitSeq(value, ",") {
			list = append(list, strings.TrimSpace(item))
		}
		e.parameters[name] = list
	}
	for name := range parameters {
		if _, declared := e.parameters[name]; !declared {
			t.Fatalf("%s has no parameter %s", file, name)
		}
	}
	return e.value(e.root).(node)
}

type evaluator struct {
	t          *testing.T
	file       string
	root       *yaml.Node
	parameters map[string]any
}

// absent is the value of AWS::NoValue.
type absent struct{}

// value is what a part of the template comes to.
func (e *evaluator) value(n *yaml.Node) any {
	if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		return e.call(n)
	}
	switch n.Kind {
	case yaml.MappingNode:
		object := node{}
		for key, item := range pairs(n) {
			if n == child(e.root, "Conditions") || n == child(e.root, "Rules") {
				break // they are looked up
			}
			value := e.value(item)
			if o, ok := value.(node); ok && n == child(e.root, "Resources") {
				if condition, ok := o["Condition"].(string); ok && !e.condition(condition) {
					continue
				}
			}
			if value != (absent{}) {
				object[key] = value
			}
		}
		return object
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range n.Content {
			if value := e.value(item); value != (absent{}) {
				list = append(list, value)
			}
		}
		return list
	}
	var value any
	if err := n.Decode(&value); err != nil {
		e.t.Fatalf("%s:%d: %v", e.file, n.Line, err)
	}
	return value
}

var variable = regexp.MustCompile(`\$\{([^}!]+)\}`)

// call is what a function comes to.
func (e *evaluator) call(n *yaml.Node) any {
	argument := func(i int) any { return e.value(n.Content[i]) }
	text := func(i int) string { return fmt.Sprint(argument(i)) }
	list := func(i int) []any {
		items, ok := argument(i).([]any)
		if !ok {
			e.t.Fatalf("%s:%d: %s of what is no list", e.file, n.Line, n.Tag)
		}
		return items
	}
	truth := func(item *yaml.Node) bool { return e.value(item).(bool) }
	switch n.Tag {
	case "!Ref":
		return e.ref(n, n.Value)
	case "!GetAtt":
		return n.Value
	case "!Condition":
		return e.condition(n.Value)
	case "!Sub":
		template, local := n.Value, node{}
		if n.Kind == yaml.SequenceNode {
			template, local = n.Content[0].Value, argument(1).(node)
		}
		return variable.ReplaceAllStringFunc(template, func(name string) string {
			name = name[2 : len(name)-1]
			if value, ok := local[name]; ok {
				return fmt.Sprint(value)
			}
			return fmt.Sprint(e.ref(n, name))
		})
	case "!If":
		if e.condition(n.Content[0].Value) {
			return argument(1)
		}
		return argument(2)
	case "!Equals":
		return text(0) == text(1)
	case "!Not":
		return !truth(n.Content[0])
	case "!And":
		return !slices.ContainsFunc(n.Content, func(item *yaml.Node) bool { return !truth(item) })
	case "!FindInMap":
		return e.value(child(child(child(child(e.root, "Mappings"), text(0)), text(1)), text(2)))
	case "!Split":
		var items []any
		for item := range strings.SplitSeq(text(1), text(0)) {
			items = append(items, item)
		}
		return items
	case "!Join":
		var items []string
		for _, item := range list(1) {
			items = append(items, fmt.Sprint(item))
		}
		return strings.Join(items, text(0))
	case "!Select":
		index, items := argument(0).(int), list(1)
		if index >= len(items) {
			e.t.Fatalf("%s:%d: there is no item %d of %d", e.file, n.Line, index, len(items))
		}
		return items[index]
	}
	e.t.Fatalf("%s:%d: %s is not known here", e.file, n.Line, n.Tag)
	return nil
}

// ref is what a name refers to. Attributes are taken too, for Sub.
func (e *evaluator) ref(n *yaml.Node, name string) any {
	if name == "AWS::NoValue" {
		return absent{}
	}
	if value, ok := pseudo[name]; ok {
		return value
	}
	if value, ok := e.parameters[name]; ok {
		return value
	}
	logical, _, _ := strings.Cut(name, ".")
	if child(child(e.root, "Resources"), logical) == nil {
		e.t.Fatalf("%s:%d: %s refers to nothing", e.file, n.Line, name)
	}
	return name
}

func (e *evaluator) condition(name string) bool {
	definition := child(child(e.root, "Conditions"), name)
	if definition == nil {
		e.t.Fatalf("%s has no condition %s", e.file, name)
	}
	return e.value(definition).(bool)
}

// pairs are the keys and values of an object.
func pairs(object *yaml.Node) func(func(string, *yaml.Node) bool) {
	return func(yield func(string, *yaml.Node) bool) {
		for i := 0; object != nil && i+1 < len(object.Content); i += 2 {
			if !yield(object.Content[i].Value, object.Content[i+1]) {
				return
			}
		}
	}
}

// child is the value of an object's key, nil if there is none.
func child(object *yaml.Node, key string) *yaml.Node {
	for k, value := range pairs(object) {
		if k == key {
			return value
		}
	}
	return nil
}

// at follows keys to the object at their end, which must be there.
func (n node) at(t *testing.T, keys ...string) node {
	t.Helper()
	for i, key := range keys {
		object, ok := n[key].(node)
		if !ok {
			t.Fatalf("there is no object %s", strings.Join(keys[:i+1], "."))
		}
		n = object
	}
	return n
}

func (n node) number(t *testing.T, key string) int {
	t.Helper()
	number, ok := n[key].(int)
	if !ok {
		t.Fatalf("%s is %v, not a number", key, n[key])
	}
	return number
}

// texts are a text, or the texts of a list.
func texts(value any) []string {
	switch v := value.(type) {
	case nil:
		return nil
	case []any:
		var all []string
		for _, item := range v {
			all = append(all, fmt.Sprint(item))
		}
		return all
	}
	return []string{fmt.Sprint(value)}
}

// objects are the objects of a list.
func (n node) objects(key string) []node {
	list, _ := n[key].([]any)
	var all []node
	for _, item := range list {
		if object, ok := item.(node); ok {
			all = append(all, object)
		}
	}
	return all
}

func (n node) properties(t *testing.T, resource string) node {
	t.Helper()
	return n.at(t, "Resources", resource, "Properties")
}

// ofType are the properties of the resources of a type, by logical id.
func (n node) ofType(t *testing.T, kind string) map[string]node {
	t.Helper()
	all := map[string]node{}
	for id := range n.at(t, "Resources") {
		if n.at(t, "Resources", id)["Type"] == kind {
			all[id] = n.properties(t, id)
		}
	}
	if len(all) == 0 {
		t.Fatalf("there is no %s", kind)
	}
	return all
}

// named gives the resource whose ARN a GetAtt asks for.
func named(t *testing.T, reference any) string {
	t.Helper()
	name, ok := strings.CutSuffix(fmt.Sprint(reference), ".Arn")
	if !ok {
		t.Fatalf("%v is not the ARN of a resource", reference)
	}
	return name
}
