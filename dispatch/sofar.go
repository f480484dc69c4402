package dispatch

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// soFar are the steps of a run that acted and have come to their end, but for the
// one at path, in the order in which they ended.
func soFar(run *responder.Run, path string) []*responder.StepState {
	type ended struct {
		path string
		*responder.StepState
	}
	var all []ended
	for p, s := range run.Steps {
		if p != path && s.Action != "" && over(s.State) {
			all = append(all, ended{p, s})
		}
	}
	slices.SortFunc(all, func(a, b ended) int {
		return cmp.Or(endOf(a.StepState).Compare(endOf(b.StepState)), strings.Compare(a.path, b.path))
	})
	states := make([]*responder.StepState, len(all))
	for i, e := range all {
		states[i] = e.StepState
	}
	return states
}

// endOf is when a step's last attempt ended, zero if it came to none.
func endOf(s *responder.StepState) time.Time {
	if n := len(s.Attempts); n > 0 {
		return s.Attempts[n-1].Ended
	}
	return time.Time{}
}

// earlier gives what notices of an action have done in a run before the step at
// path.
func earlier(run *responder.Run, path, action string) []responder.Earlier {
	var all []responder.Earlier
	for _, s := range soFar(run, path) {
		if s.Action == action && s.State == responder.StepSucceeded && !s.Dry && len(s.Attempts) > 0 {
			all = append(all, responder.Earlier{Params: s.Params, Body: s.Body, Result: s.Result})
		}
	}
	return all
}

// comeTo says how far a run has come before the step at path:
// "IAMDeleteUser succeeded; 3 steps done".
func comeTo(run *responder.Run, path string) string {
	done := soFar(run, path)
	if len(done) == 0 {
		return ""
	}
	last := done[len(done)-1]
	what := string(last.State)
	if last.Dry {
		what = "recorded, not done"
	}
	steps := "1 step"
	if len(done) > 1 {
		steps = fmt.Sprintf("%d steps", len(done))
	}
	return fmt.Sprintf("%s %s; %s done", last.Action, what, steps)
}
