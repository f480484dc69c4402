package lambdas

import (
	"fmt"
	"reflect"
	"testing"
)

// TestTemplateApprove: decisions come by POST alone; IAM stands before those that
// no signature of Slack's is asked of, and the function is never invoked in the
// caller's name.
func TestTemplateApprove(t *testing.T) {
	stack := evaluate(t, template, nil)
	events := stack.properties(t, "ApproveFunction").at(t, "Events")
	got := map[string]any{}
	for name := range events {
		event := events.at(t, name)
		p := event.at(t, "Properties")
		if event["Type"] != "Api" || p["Method"] != "POST" || p["RestApiId"] != "Api" {
			t.Errorf("%s: %v by %v", name, event["Type"], p["Method"])
		}
		got[fmt.Sprint(p["Path"])] = p["Auth"]
	}
	iam := node{"Authorizer": "AWS_IAM", "InvokeRole": "NONE"}
	if want := map[string]any{"/slack/interactions": nil, "/runs/{id}/approve": iam, "/runs/{id}/deny": iam}; !reflect.DeepEqual(got, want) {
		t.Errorf("the paths are %v, want %v", got, want)
	}
}
