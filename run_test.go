package responder_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

// TestHeldBack: what was to be done and was not, whatever the run says of itself.
func TestHeldBack(t *testing.T) {
	guarded := map[string]any{"guard": "limits.per_hour"}
	for name, tt := range map[string]struct {
		state responder.StepState
		want  int
	}{
		"done":                {responder.StepState{Kind: responder.Repair, State: responder.StepSucceeded}, 0},
		"held back":           {responder.StepState{Kind: responder.Repair, State: responder.StepSkipped, Result: guarded}, 1},
		"repairs are off":     {responder.StepState{Kind: responder.Repair, State: responder.StepSkipped, Result: map[string]any{"why": "off"}}, 0},
		"a notice left out":   {responder.StepState{Kind: responder.Notice, State: responder.StepSkipped, Result: guarded}, 0},
		"a guard as a result": {responder.StepState{Kind: responder.Check, State: responder.StepSucceeded, Result: guarded}, 0},
		"denied":              {responder.StepState{State: responder.StepStopped, Approval: &responder.Approval{Decision: responder.Denied}}, 1},
		"nobody said yes":     {responder.StepState{State: responder.StepSkipped, Approval: &responder.Approval{Decision: responder.TimedOut}}, 1},
		"asked still":         {responder.StepState{State: responder.StepWaiting, Approval: &responder.Approval{}}, 0},
		"approved":            {responder.StepState{State: responder.StepSucceeded, Approval: &responder.Approval{Decision: responder.Approved}}, 0},
	} {
		run := responder.Run{Steps: map[string]*responder.StepState{"0": &tt.state}}
		if got := run.Summary().HeldBack; got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

func TestFailedSteps(t *testing.T) {
	const failed, fine = responder.StepFailed, responder.StepSucceeded
	acts := func(s responder.StepStatus) *responder.StepState {
		return &responder.StepState{State: s, Action: "SendSlack"}
	}
	other := func(s responder.StepStatus) *responder.StepState { return &responder.StepState{State: s} }
	for name, test := range map[string]struct {
		steps map[string]*responder.StepState
		want  int
	}{
		"none":                             {nil, 0},
		"all well":                         {map[string]*responder.StepState{"0": acts(fine), "1": other(fine)}, 0},
		"one of two":                       {map[string]*responder.StepState{"0": acts(failed), "1": acts(fine)}, 1},
		"a group and what failed it":       {map[string]*responder.StepState{"0": other(failed), "0.0": acts(failed), "0.1": acts(failed)}, 2},
		"groups in groups":                 {map[string]*responder.StepState{"0": other(failed), "0.1": other(failed), "0.1.then.0": acts(failed)}, 1},
		"a condition that fails":           {map[string]*responder.StepState{"1": other(failed), "10": acts(failed)}, 2},
		"a step, and its on_error as well": {map[string]*responder.StepState{"0": acts(failed), "0.error.0": acts(failed)}, 2},
	} {
		run := &responder.Run{Steps: test.steps}
		if got := run.Summary().FailedSteps; got != test.want {
			t.Errorf("%s: %d failed steps, want %d", name, got, test.want)
		}
	}
}

// TestRunForms: a run is written in the oldest form that says all it holds, so
// that an older Responder parks what it would misread.
func TestRunForms(t *testing.T) {
	deep := func(step responder.Step) []responder.Step {
		return []responder.Step{{Kind: responder.StepIf, Else: []responder.Step{{Kind: responder.StepSequential, OnError: &responder.OnError{Steps: []responder.Step{step}}}}}}
	}
	for name, tt := range map[string]struct {
		run  responder.Run
		want int
	}{
		"nothing new":      {responder.Run{Flow: responder.FlowSnapshot{Steps: deep(responder.Step{Wait: time.Hour})}, Resumed: 3}, 1},
		"a time of day":    {responder.Run{Flow: responder.FlowSnapshot{Steps: deep(responder.Step{Until: &responder.Until{Clock: "08:00", Zone: "UTC"}})}}, 2},
		"a join of any":    {responder.Run{Flow: responder.FlowSnapshot{Steps: deep(responder.Step{Join: responder.JoinAny})}}, 2},
		"a deadline":       {responder.Run{Deadline: time.Unix(1, 0).UTC()}, 2},
		"quiet notices":    {responder.Run{Suppressed: 1}, 2},
		"an audit":         {responder.Run{Audit: []responder.Audit{{By: "bob", What: responder.DeedCancel}}}, 2},
		"a question":       {responder.Run{Flow: responder.FlowSnapshot{Steps: deep(responder.Step{Kind: responder.StepApprove, Ask: &responder.Ask{}})}}, 3},
		"in a question":    {responder.Run{Flow: responder.FlowSnapshot{Steps: []responder.Step{{Kind: responder.StepVeto, Ask: &responder.Ask{OnDeny: &responder.Sequel{Steps: deep(responder.Step{})}}}}}}, 3},
		"approved repairs": {responder.Run{Flow: responder.FlowSnapshot{Repairs: responder.RepairsApprove}}, 3},
		"a look":           {responder.Run{Steps: map[string]*responder.StepState{"0": {Attempts: []responder.Attempt{{Survey: true}}}}}, 3},
		"a survey":         {responder.Run{Steps: map[string]*responder.StepState{"0": {Survey: &responder.Survey{}}}}, 3},
		"an undo":          {responder.Run{Undoes: &responder.Undoing{Run: "r"}}, 3},
		"an approval":      {responder.Run{Steps: map[string]*responder.StepState{"0": {Approval: &responder.Approval{Asked: time.Unix(1, 0).UTC()}}}}, 3},
		"limited notices":  {responder.Run{Flow: responder.FlowSnapshot{Guards: &responder.Guards{Limits: &responder.Limits{Notices: &responder.Rate{N: 1, Per: time.Hour}}}}}, 4},
		"limits that halt": {responder.Run{Flow: responder.FlowSnapshot{Guards: &responder.Guards{Limits: &responder.Limits{Halt: true}}}}, 5},
		"other limits":     {responder.Run{Flow: responder.FlowSnapshot{Guards: &responder.Guards{Limits: &responder.Limits{PerRun: 1}}}}, 3},
		"telling of many":  {responder.Run{Gathers: &responder.Gathering{Run: "r"}}, 4},
		"a warning":        {responder.Run{Warns: &responder.Warning{Run: "r"}}, 5},
		"our own doing":    {responder.Run{CausedBy: &responder.Origin{Session: "s"}}, 4},
		"it led to others": {responder.Run{Caused: []string{"r"}}, 4},
		"as it was asked":  {responder.Run{V: 2}, 2},
	} {
		run := tt.run
		run.V, run.Finding.Event = max(run.V, 1), []byte("{}")
		data, err := responder.EncodeRun(&run)
		if err != nil {
			t.Fatal(err)
		}
		back, err := responder.DecodeRun(data)
		if err != nil || back.V != tt.want {
			t.Errorf("%s: form %d, %v; want %d", name, back.V, err, tt.want)
		}
		back.V, back.Steps = run.V, run.Steps
		if err == nil && !reflect.DeepEqual(*back, run) {
			t.Errorf("%s: read back %+v, want %+v", name, *back, run)
		}
	}
}

// A summary's account is the event's, whatever stands in it.
func TestSummaryAccount(t *testing.T) {
	for _, raw := range []string{
		`{"account":"1"}`, `{"account":"1","account":"2"}`, `{"account":"1","account":null}`, `{"account":7}`, `{"Account":"1"}`, `{}`, `{"acco\u0075nt":"\u00e9"}`,
		`{"detail":{"account":"1"}}`, `{"account":{"a":"b"}}`, `{`, ``, `[]`, `null`,
	} {
		want := ""
		if event, err := responder.DecodeEvent([]byte(raw)); err == nil {
			want = event.Account()
		}
		run := responder.Run{Finding: responder.Finding{Event: json.RawMessage(raw)}}
		if got := run.Summary().Account; got != want {
			t.Errorf("%s: account %q, the event says %q", raw, got, want)
		}
	}
}

// TestSummaryAbout: a list tells runs of one rule apart.
func TestSummaryAbout(t *testing.T) {
	for want, resources := range map[string][]string{
		"":                                  nil,
		"bob":                               {"bob"},
		"i-1, and 2 more":                   {"i-1", "i-2", "i-3"},
		strings.Repeat("é", 100) + "…":      {strings.Repeat("é", 150)},
		"a" + strings.Repeat("é", 99) + "…": {"a" + strings.Repeat("é", 150)},
	} {
		run := &responder.Run{Finding: responder.Finding{Resources: resources}}
		if got := run.Summary().About; got != want {
			t.Errorf("%v: %q, want %q", resources, got, want)
		}
	}
}
