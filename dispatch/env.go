package dispatch

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/lang"
)

// Names that steps have beyond those of a finding.
const (
	nameSteps    = "steps"
	nameRun      = "run"
	nameQuestion = "question"
)

// findingScope is what a flow's own condition may use.
func findingScope() lang.Scope {
	return lang.Scope{Names: append(lang.EventNames(), lang.FindingNames()...)}
}

// stepScope is what the expressions of a step may use.
func stepScope() lang.Scope {
	scope := findingScope()
	scope.Names = append(scope.Names, nameSteps, nameRun, nameQuestion)
	return scope
}

// stepEnv is the environment of the expressions of the step at a path: what the
// finding says, `run` {id, flow, mode}, `steps`, by the names that steps have been
// given, and, of a notice that tells of a question, `question`.
func stepEnv(finding map[string]any, run *responder.Run, path string) map[string]any {
	env := maps.Clone(finding)
	env[nameQuestion] = questionEnv(run, path)
	env[nameRun] = map[string]any{"id": run.ID, "flow": run.Flow.Name, "mode": string(run.Mode)}
	env[nameSteps] = stepsEnv(run)
	return env
}

// stepsEnv gives the steps that have a name and have been reached, each as
// {state, succeeded, failed, skipped, stopped, cancelled, dry, result, error},
// and what was decided of a question as {decision, approved, denied, by}.
func stepsEnv(run *responder.Run) map[string]any {
	named := map[string]any{}
	Walk(run.Flow.Steps, func(path string, step *responder.Step) {
		state := run.Steps[path]
		if step.As == "" || state == nil {
			return
		}
		var result any
		if state.Result != nil {
			result = state.Result
		}
		said := map[string]any{
			"state":     string(state.State),
			"succeeded": state.State == responder.StepSucceeded,
			"failed":    state.State == responder.StepFailed,
			"skipped":   state.State == responder.StepSkipped,
			"stopped":   state.State == responder.StepStopped,
			"cancelled": state.State == responder.StepCancelled,
			"dry":       state.Dry,
			"result":    result,
			"error":     state.Error,
		}
		if a := state.Approval; a != nil {
			said["decision"], said["approved"], said["denied"] = string(a.Decision), a.Granted(), a.Decision == responder.Denied
			if a.Who != nil {
				said["by"] = a.Who.String()
			}
		}
		named[step.As] = said
	})
	return named
}

// originalDocument is what the JSONPath values of the original are read from:
// {rule, event: {rawEvent, account, region, initiator, initiatingIP}, findings}.
// What the event does not tell is "Unknown", as it was there.
func originalDocument(f responder.Finding, event responder.Event, found time.Time) map[string]any {
	rule := map[string]any{"rule": f.Rule, "name": f.Rule, "provider": "AWS"}
	resources := make([]any, len(f.Resources))
	for i, r := range f.Resources {
		resources[i] = r
	}
	return map[string]any{
		"rule": rule,
		"event": map[string]any{
			"rawEvent":     event.Body,
			"account":      known(event.Account()),
			"region":       known(event.Region()),
			"initiator":    initiator(event.Body),
			"initiatingIP": known(textAt(event.Body, "detail", "sourceIPAddress")),
		},
		"findings": []any{map[string]any{
			"rule":           rule,
			"ruleTitle":      f.Title,
			"severity":       f.Severity.String(),
			"prettySeverity": f.Severity.Title(),
			"message":        f.Message,
			"resources":      resources,
			"triggeredAt":    float64(found.UnixMilli()),
		}},
	}
}

// initiator is whom the original names: IAM users and root.
func initiator(body map[string]any) string {
	switch textAt(body, "detail", "userIdentity", "type") {
	case "IAMUser":
		return known(textAt(body, "detail", "userIdentity", "userName"))
	case "Root":
		return "Root user"
	}
	return known("")
}

func known(text string) string {
	if text == "" {
		return "Unknown"
	}
	return text
}

// textAt follows keys through objects to a text, "" where there is none.
func textAt(object map[string]any, path ...string) string {
	var value any = object
	for _, key := range path {
		inside, _ := value.(map[string]any)
		value = inside[key]
	}
	text, _ := value.(string)
	return text
}

// isPath reports whether the value of a message's line is a JSONPath.
func isPath(value string) bool {
	return strings.HasPrefix(value, "$") && !strings.Contains(value, "{{")
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
