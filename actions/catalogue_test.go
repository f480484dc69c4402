package actions_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
)

var (
	iamAction = regexp.MustCompile(`^[a-z0-9]+:[A-Z][A-Za-z0-9]+$`)
	paramName = regexp.MustCompile(`^[a-z][A-Za-z]*$`)
)

func TestSpecs(t *testing.T) {
	for name, action := range actions.New(actions.Deps{}) {
		spec := action.Spec()
		if spec.Name != name || !strings.HasSuffix(spec.Doc, ".") || len(spec.Result) == 0 {
			t.Errorf("%s: name %q, doc %q, %d results", name, spec.Name, spec.Doc, len(spec.Result))
		}
		seen := map[string]bool{}
		for _, p := range spec.Params {
			if seen[p.Name] || !paramName.MatchString(p.Name) || p.Type == "" || !strings.HasSuffix(p.Doc, ".") {
				t.Errorf("%s: parameter %+v", name, p)
			}
			if p.Secret && !p.Static {
				t.Errorf("%s: the secret %s may come from an event", name, p.Name)
			}
			seen[p.Name] = true
		}
		for key, doc := range spec.Result {
			if key == "" || doc == "" {
				t.Errorf("%s: result %q: %q", name, key, doc)
			}
		}
		for _, p := range spec.Permissions {
			if len(p.Resources) == 0 || slices.ContainsFunc(p.Actions, func(a string) bool { return !iamAction.MatchString(a) }) {
				t.Errorf("%s: permission %+v", name, p)
			}
			changes := slices.ContainsFunc(p.Actions, func(a string) bool { return !strings.Contains(a, ":Describe") })
			if changes && slices.Contains(p.Resources, "*") {
				t.Errorf("%s: %v on everything", name, p.Actions)
			}
		}
		switch _, verifies := action.(responder.Verifier); spec.Kind {
		case responder.Repair:
			if !verifies || len(spec.Permissions) == 0 || !slices.ContainsFunc(spec.Params, func(p responder.Param) bool { return p.Required }) {
				t.Errorf("%s is a repair: verifies %v, %d permissions, or no required target", name, verifies, len(spec.Permissions))
			}
		case responder.Check:
			if verifies || len(spec.Permissions) == 0 {
				t.Errorf("%s is a check: verifies %v, %d permissions", name, verifies, len(spec.Permissions))
			}
		case responder.Notice:
			if spec.Escape == nil || verifies {
				t.Errorf("%s is a notice: no escape, or it verifies", name)
			}
		default:
			t.Errorf("%s: kind %q", name, spec.Kind)
		}
	}
}

// TestWithoutAWS has every action answer where there is nothing to act with.
func TestWithoutAWS(t *testing.T) {
	all := map[string]map[string]any{
		"IAMUserExists": bob.Params, "SendEmail": {"topicARN": topic}, "EC2InstanceAlive": {"ids": []any{one}}, "EC2TerminateInstances": {"ids": []any{one}},
		"CloudTrailStartLogging": {"trail": "main"}, "InvokeLambda": {"function": functionOf}, "StartExecution": {"stateMachine": machineOf},
	}
	for name, r := range iamRepairs {
		all[name] = r.params
	}
	for name, params := range all {
		call := responder.Call{Params: params, Account: account, Region: "us-east-1", Finding: responder.Finding{Event: json.RawMessage(`{}`)}}
		if _, err := actions.New(actions.Deps{})[name].Do(t.Context(), call); !isPermanent(err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
