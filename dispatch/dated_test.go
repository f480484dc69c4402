package dispatch

import (
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

// TestStepsAreDated: each step that was reached says since when, and until when;
// one that is tried anew has not ended.
func TestStepsAreDated(t *testing.T) {
	w := newWorld(t, fullFlow)
	d := w.dispatcher()
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.live(d, time.Minute, time.Second)
	run := w.get("denied-instance")
	for path, s := range run.Steps {
		if s.Began.IsZero() || over(s.State) == s.Ended.IsZero() {
			t.Errorf("of a run that waits, step %s is %s from %v to %v", path, s.State, s.Began, s.Ended)
		}
	}
	w.live(d, 15*time.Minute, time.Second)
	run = w.get("denied-instance")
	Walk(run.Flow.Steps, func(path string, step *responder.Step) {
		s := run.Steps[path]
		switch {
		case s == nil:
		case s.Began.Before(run.Created) || s.Ended.Before(s.Began) || s.Ended.After(run.Updated):
			t.Errorf("step %s is %s from %v to %v", path, s.State, s.Began, s.Ended)
		case step.Kind == responder.StepWait && s.Ended.Sub(s.Began) < step.Wait:
			t.Errorf("the wait of %v took %v", step.Wait, s.Ended.Sub(s.Began))
		}
	})

	failed := &responder.Run{
		State: responder.RunFailed, Flow: responder.FlowSnapshot{Steps: []responder.Step{{Kind: responder.StepCheck}}},
		Steps: map[string]*responder.StepState{"0": {State: responder.StepFailed, Kind: responder.Check, Began: epoch, Ended: epoch.Add(time.Second), Attempts: []responder.Attempt{{Began: epoch, Ended: epoch.Add(time.Second), Error: "no"}}}},
	}
	again := retried(failed, responder.Audit{At: epoch.Add(time.Hour), By: "ann", What: responder.DeedRetry})
	if s := again.Steps["0"]; !s.Began.Equal(epoch) || !s.Ended.IsZero() || failed.Steps["0"].Ended.IsZero() {
		t.Errorf("a step that is tried anew is %+v", s)
	}
	ended := cancelled(again, responder.Audit{At: epoch.Add(2 * time.Hour), By: "ann", What: responder.DeedCancel})
	if s := ended.Steps["0"]; !s.Ended.Equal(epoch.Add(2 * time.Hour)) {
		t.Errorf("a step given up is %+v", s)
	}
	old := &responder.StepState{State: responder.StepSucceeded}
	if at := dated(&responder.Run{Steps: map[string]*responder.StepState{"0": old}}, &responder.Run{Steps: map[string]*responder.StepState{"0": {State: responder.StepSucceeded}}}, epoch); !at.Steps["0"].Ended.IsZero() {
		t.Error("a step that ended before this was noted is given a time")
	}
}
