package dispatch

import (
	"context"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

func TestSoFar(t *testing.T) {
	at := func(second int) []responder.Attempt {
		return []responder.Attempt{{Ended: time.Unix(int64(second), 0)}}
	}
	run := &responder.Run{Steps: map[string]*responder.StepState{
		"0":   {Action: "Tell", State: responder.StepSucceeded, Params: map[string]any{"n": 2}, Result: map[string]any{"id": "second"}, Attempts: at(2)},
		"1":   {State: responder.StepSucceeded},
		"1.0": {Action: "Tell", State: responder.StepSucceeded, Params: map[string]any{"n": 1}, Body: "b", Result: map[string]any{"id": "first"}, Attempts: at(1)},
		"1.1": {Action: "Tell", State: responder.StepFailed, Attempts: at(3)},
		"2":   {Action: "Tell", State: responder.StepSucceeded, Dry: true},
		"3":   {Action: "Mend", State: responder.StepSucceeded, Attempts: at(4)},
		"4":   {Action: "Tell", State: responder.StepRunning, Attempts: []responder.Attempt{{}}},
	}}
	got := earlier(run, "4", "Tell")
	if len(got) != 2 || got[0].Result["id"] != "first" || got[0].Body != "b" || got[1].Params["n"] != 2 {
		t.Errorf("earlier: %+v", got)
	}
	if got := earlier(run, "3", "Mend"); got != nil {
		t.Errorf("a step is told of itself: %+v", got)
	}
	if got := comeTo(run, "4"); got != "Mend succeeded; 5 steps done" {
		t.Errorf("progress: %q", got)
	}
	for want, steps := range map[string]map[string]*responder.StepState{
		"":                                     {"0": {Action: "Tell", State: responder.StepRunning}, "1": {State: responder.StepSucceeded}},
		"Mend recorded, not done; 1 step done": {"1": {Action: "Mend", State: responder.StepSucceeded, Dry: true}},
		"Mend failed; 1 step done":             {"1": {Action: "Mend", State: responder.StepFailed}},
	} {
		if got := comeTo(&responder.Run{Steps: steps}, "0"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestNoticesAreToldSoFar: a notice is given what its run has come to.
func TestNoticesAreToldSoFar(t *testing.T) {
	w := newWorld(t, `
flows:
  - name: a
    rules: ["*"]
    repairs: live
    sequential:
      - SendSlack: {message: one}
      - remediate: {}
      - SendSlack: {message: two}
`)
	w.slack.answer = func(_ context.Context, n int, _ responder.Call) (responder.Result, error) {
		w.clock.Advance(time.Second)
		return responder.Result{"n": n}, nil
	}
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.live(w.dispatcher(), time.Minute, time.Second)
	var calls []responder.Call
	for _, d := range w.deeds {
		if d.Action == "SendSlack" {
			calls = append(calls, d.Call)
		}
	}
	if len(calls) != 2 || calls[0].Earlier != nil || calls[0].Progress != "" {
		t.Fatalf("%d notices: %+v", len(calls), calls)
	}
	if e := calls[1].Earlier; len(e) != 1 || e[0].Params["message"] != "one" || e[0].Result["n"] == nil {
		t.Errorf("the second is told %+v", e)
	}
	if got := calls[1].Progress; got != "EC2TerminateInstances succeeded; 2 steps done" {
		t.Errorf("progress: %q", got)
	}
}
