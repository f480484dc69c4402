package dispatch

import (
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// cancelled gives a run as it is when somebody has cancelled it. If a worker
// holds it, the lease stays, and attempts under way stay open: that worker lets
// them land and writes down what came of them.
func cancelled(run *responder.Run, entry responder.Audit) *responder.Run {
	after := run.Clone()
	held := run.Lease.After(entry.At)
	for _, state := range after.Steps {
		switch {
		case over(state.State):
		case held && underWay(state):
			state.State, state.Result = responder.StepCancelled, remark("", runOver)
		default:
			giveUp(state, runOver, entry.At)
		}
	}
	if !held {
		after.Lease = time.Time{}
	}
	after.State, after.Due, after.Cause = responder.RunCancelled, time.Time{}, "cancelled by "+entry.By
	if entry.Why != "" {
		after.Cause += ": " + entry.Why
	}
	after.Audit = append(after.Audit[:len(after.Audit):len(after.Audit)], entry)
	return dated(run, after, entry.At)
}

// landed gives a cancelled run with what came of the attempts that were under
// way, as the worker that held it has seen it.
func landed(run, seen *responder.Run) *responder.Run {
	after := run.Clone()
	after.Lease = time.Time{}
	for path, state := range after.Steps {
		own, n := seen.Steps[path], len(state.Attempts)
		if state.State != responder.StepCancelled || !underWay(state) || own == nil || len(own.Attempts) < n || own.Attempts[n-1].Ended.IsZero() {
			continue
		}
		copy(state.Attempts, own.Attempts[:n])
		state.Error = own.Attempts[n-1].Error
		// What guards made of it afterwards does not count any more: that was no attempt.
		if over(own.State) && own.State != responder.StepSkipped && !own.Dry && len(own.Attempts) == n {
			state.State, state.Ended, state.Result, state.Error, state.Survey = own.State, own.Ended, own.Result, own.Error, own.Survey
		}
	}
	return after
}

// retried gives a run that has ended as it is when somebody has it retried. A
// lease that is left of a cancellation is let run out first.
func retried(run *responder.Run, entry responder.Audit) *responder.Run {
	after := run.Clone()
	reviver{after}.list(list{"", after.Flow.Steps}, false)
	closeGroups(after, entry.At) // where what was in the air when it was cancelled was the last of them
	for _, state := range after.Steps {
		if over(state.State) { // and what still is, and is not tried anew, nobody sees land any more
			(&change{state: state, now: entry.At}).finish(ErrLost, state.Kind == responder.Repair)
		}
	}
	after.State, after.Cause, after.Due, after.Resumed = responder.RunRunning, "", entry.At, 0
	if after.Lease.After(entry.At) {
		after.Due = after.Lease
	} else {
		after.Lease = time.Time{}
	}
	if g := after.Gathers; g != nil && g.Until.After(after.Due) {
		after.Due = g.Until
	}
	if after.Flow.Timeout > 0 {
		after.Deadline = after.Due.Add(after.Flow.Timeout)
	}
	after.Audit = append(after.Audit[:len(after.Audit):len(after.Audit)], entry)
	return dated(run, after, entry.At)
}

// reviver makes the steps that ended a run ready to be taken once more. It
// changes the run's steps in place.
type reviver struct{ run *responder.Run }

// list goes through steps as far as they have come. all: a failure counts even
// where the step's policy would pass it by, as between branches of which one is
// enough.
func (r reviver) list(l list, all bool) {
	for i := range l.steps {
		if path := child(l.path, i); r.run.Steps[path] != nil {
			r.step(path, &l.steps[i], all)
		}
	}
}

func (r reviver) step(path string, step *responder.Step, all bool) {
	state := r.run.Steps[path]
	switch state.State {
	case responder.StepSucceeded, responder.StepSkipped:
		return
	case responder.StepStopped:
		if state.Approval != nil {
			r.list(after(path, step, state.Approval), false)
		}
		return
	case responder.StepFailed:
		switch policy := policyOf(step, state.Kind); {
		case all || policy == responder.PolicyStop:
		case policy == responder.PolicySteps: // the failure was passed by, and one of these was not
			r.list(list{join(path, branchError), step.OnError.Steps}, false)
			return
		default:
			return
		}
	}
	if !isGroup(step.Kind) {
		r.reset(path, state)
		return
	}
	if over(state.State) && !r.entered(path) { // it came to nothing before its members
		delete(r.run.Steps, path)
		return
	}
	state.State, state.Error, state.Result = responder.StepRunning, "", nil
	for _, inside := range lists(path, step) {
		switch {
		case inside.path == join(path, branchError):
		case step.Join == responder.JoinAny:
			r.race(inside)
		default:
			r.list(inside, false)
		}
	}
	r.forget(path)
}

// race goes through branches of which one is enough. If one has turned out to be, by
// what landed after the run was cancelled, the others stay as they were.
func (r reviver) race(l list) {
	was := r.run.Clone()
	r.list(l, true)
	var lost []int
	for i := range l.steps {
		if s := (survey{run: r.run}); !s.step(child(l.path, i), &l.steps[i]).well {
			lost = append(lost, i)
		}
	}
	if len(lost) == len(l.steps) {
		return
	}
	for _, i := range lost {
		walkStep(child(l.path, i), &l.steps[i], func(path string, _ *responder.Step) {
			if state := was.Steps[path]; state != nil {
				r.run.Steps[path] = state
			}
		})
	}
}

// reset readies a step that does something. What was resolved stays so, and what
// was tried stays known; a step that came to no attempt begins anew.
func (r reviver) reset(path string, state *responder.StepState) {
	agedSurvey(state)
	if !over(state.State) {
		return // it goes on
	}
	r.forget(path)
	if len(state.Attempts) == 0 {
		delete(r.run.Steps, path)
		return
	}
	state.State, state.Error, state.Result, state.Due = responder.StepRunning, "", nil, time.Time{}
	state.Retried = len(state.Attempts)
	if !state.Approval.Granted() { // it is asked about anew
		state.Approval = nil
	}
}

// agedSurvey has what there is looked at anew before the step is tried again.
func agedSurvey(state *responder.StepState) {
	switch {
	case state.Survey == nil:
	case lastTry(state) == nil: // nothing was done: all that was found is past
		state.Survey = nil
	default:
		aged := *state.Survey
		aged.At = time.Time{}
		state.Survey = &aged
	}
}

// entered reports whether a member of a group has been reached.
func (r reviver) entered(path string) bool {
	for other := range r.run.Steps {
		if strings.HasPrefix(other, path+".") && !strings.HasPrefix(other, join(path, branchError)+".") {
			return true
		}
	}
	return false
}

// forget lets the on_error of a step, and what belongs to its question, happen anew.
func (r reviver) forget(path string) {
	for other := range r.run.Steps {
		for _, branch := range []string{branchError, branchTell, branchDeny, branchTimeout} {
			if strings.HasPrefix(other, join(path, branch)+".") {
				delete(r.run.Steps, other)
			}
		}
	}
}

// adopt gives a run that was made to begin with the flow as it is now; cause says
// why it cannot.
func (d *Dispatcher) adopt(run *responder.Run, now time.Time) (adopted *responder.Run, cause string) {
	flows := d.Flows()
	if cause = flows.barred(run.Flow.Name); cause != "" {
		return nil, cause
	}
	flow := flows.byName[run.Flow.Name]
	adopted = run.Clone()
	adopted.Flow, adopted.Mode = flow.snapshot(), d.Mode
	if flow.Timeout > 0 {
		adopted.Deadline = now.Add(flow.Timeout)
	}
	return adopted, ""
}
