package dispatch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

// TestRepairsAfterAFailureAreAskedAboutToo: a repair in the on_error of a group that
// holds a question acts on its yes alone, whatever has failed.
func TestRepairsAfterAFailureAreAskedAboutToo(t *testing.T) {
	const yes, no, nothing = "yes", "no", ""
	for name, tt := range map[string]struct {
		group  string // its first question is answered
		answer string
		then   string // the answer to the next one
		done   int
		why    string
	}{
		"denied":                   {"[{approve: {text: t, for: 20m}, on_deny: fail}, check: {}], on_error: [remediate: {}]", no, nothing, 0, "denied by U0CAROL"},
		"nobody answers":           {"[{approve: {text: t, for: 20m}, on_timeout: fail}, check: {}], on_error: [remediate: {}]", nothing, nothing, 0, "nobody approved it"},
		"objected to":              {"[{veto: {text: t, for: 20m}, on_deny: fail}, check: {}], on_error: [remediate: {}]", no, nothing, 0, "objected to by U0CAROL"},
		"approved":                 {"[approve: {text: t, for: 20m}, check: {}], on_error: [remediate: {}]", yes, nothing, 1, ""},
		"nobody objected":          {"[veto: {text: t, for: 20m}, check: {}], on_error: [remediate: {}]", nothing, nothing, 1, ""},
		"never asked":              {"[check: {}, approve: {text: t, for: 20m}], on_error: [remediate: {}]", nothing, nothing, 0, "never asked"},
		"the second never asked":   {"[approve: {text: t, for: 20m}, check: {}, approve: {text: u}], on_error: [remediate: {}]", yes, nothing, 0, "never asked"},
		"in a group around it":     {"[{sequential: [{approve: {text: t, for: 20m}, on_deny: fail}]}], on_error: [SendEmail: {subject: s}, remediate: {}]", no, nothing, 0, "denied by U0CAROL"},
		"beside others":            {"[{parallel: [{approve: {text: t, for: 20m}, on_deny: fail}, SendEmail: {subject: s}]}], on_error: [remediate: {}]", no, nothing, 0, "denied by U0CAROL"},
		"it asks itself":           {"[{approve: {text: t, for: 20m}, on_deny: fail}], on_error: [approve: {text: u}, remediate: {}]", no, yes, 1, ""},
		"it asks itself, in vain":  {"[{approve: {text: t, for: 20m}, on_deny: fail}], on_error: [approve: {text: u}, remediate: {}]", no, no, 0, ""},
		"what follows a no failed": {"[{approve: {text: t, for: 20m}, on_deny: [{check: {}, on_error: stop}]}], on_error: [remediate: {}]", no, nothing, 0, "denied by U0CAROL"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, askHead+"approvers: {slack: [U0CAROL]}\nflows: [{name: asking, rule: UnauthorizedInstanceCreated, repairs: live, sequential: [{sequential: "+tt.group+"}]}]")
			w.alive.answer = func(context.Context, int, responder.Call) (responder.Result, error) {
				return nil, &responder.Permanent{Err: errors.New("down")}
			}
			w.send(w.finding("UnauthorizedInstanceCreated"))
			d := w.dispatcher()
			for _, answer := range []string{tt.answer, tt.then} {
				w.live(d, time.Minute, 10*time.Second)
				if run := w.get("asking"); answer != nothing {
					if err := w.decide(run, answerTo(run, answer == yes, slackUser(carol))); err != nil {
						t.Fatal(err)
					}
				}
				w.live(d, 25*time.Minute, time.Minute)
			}
			run := w.get("asking")
			if w.terminate.count() != tt.done {
				t.Errorf("terminated %d times\n%s", w.terminate.count(), outline(run))
			}
			for path, state := range run.Steps {
				if why := fmt.Sprint(state.Result["why"]); strings.HasPrefix(path, "0.error") && state.Kind == responder.Repair && tt.why != "" && !strings.Contains(why, tt.why) {
					t.Errorf("%s is %s: %s", path, state.State, why)
				}
			}
		})
	}
}
