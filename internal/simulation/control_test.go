package simulation

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
)

// judgeMove: the state of a run does what the engine's table says, and nothing else.
func judgeMove(from, to responder.RunState, by writing, broken func(string, string, ...any)) {
	who := "worker"
	if by.request != nil {
		who = "person"
	}
	if from == to && who == "worker" && (!to.Ended() || to == responder.RunCancelled) {
		return // it goes on, or what was in the air lands
	}
	if decides := who == "person" && (by.request.what == responder.DeedApprove || by.request.what == responder.DeedDeny); from == to && decides && !to.Ended() {
		return // a worker goes on by it
	}
	if from == to && who == "person" && by.request.what == responder.DeedUndo && to.Ended() {
		return // which run undoes it is noted
	}
	for _, m := range dispatch.RunMoves() {
		if m.Who == who && m.To == to && slices.Contains(m.From, from) {
			return
		}
	}
	promise := "runs move as their states allow"
	if from != "" && from.Ended() {
		promise = "what has ended stays so"
	}
	broken(promise, "a %s made it %s, and it was %q", who, to, from)
}

// judgeCreation looks at a run that is new, and notes that it is to come to its
// end. False: nobody asked for it. The caller holds mu.
func (w *world) judgeCreation(after *responder.Run, by writing, broken func(string, string, ...any)) bool {
	if by.request == nil && after.Warns != nil && after.Version == 1 {
		w.judgeWarning(after, by, broken)
		return true
	}
	if by.request == nil {
		if w.due[after.ID] == nil || after.Version != 1 || number(after.ID) > 1 {
			broken("one run a finding and flow", "nobody asked for it")
			return false
		}
		w.judgeCooldown(after, by, broken)
		return true
	}
	if by.request.what == responder.DeedUndo {
		if !w.judgeUndo(after, by, broken) {
			return false
		}
		w.due[after.ID] = &expected{name: w.nameOf(after.ID), finding: after.Finding, flow: after.Flow.Name, sent: time.Now()}
		return true
	}
	n, before := number(after.ID), first(after.ID)
	if n > 2 {
		before = fmt.Sprintf("%s#%d", before, n-1)
	}
	old := w.stored[before]
	w.made[by.tenure]++
	switch {
	case by.request.what != responder.DeedAgain || first(by.request.id) != first(after.ID) || old == nil:
		broken("run again makes one new run a request", "nobody asked for it")
		return false
	case !w.was(before, by.request.began, responder.RunState.Ended): // who has it retried meanwhile has both
		broken("run again makes one new run a request", "%s is still %s", w.nameOf(before), old.run.State)
	case w.made[by.tenure] > 1:
		broken("run again makes one new run a request", "%s has made %d", by.tenure, w.made[by.tenure])
	}
	if after.Flow.Name != old.run.Flow.Name || after.Finding.RunID("") != old.run.Finding.RunID("") || len(after.Steps) > 0 || after.Suppressed > 0 {
		broken("run again begins from the beginning", "it has the flow %s, %d steps, and is number %d of what is suppressed", after.Flow.Name, len(after.Steps), after.Suppressed)
	}
	w.due[after.ID] = &expected{name: w.nameOf(after.ID), finding: after.Finding, flow: after.Flow.Name, sent: time.Now()}
	return true
}

// judgeAudit: what people did is told by the run, once each, and nothing else is.
func judgeAudit(before, after *responder.Run, by writing, broken func(string, string, ...any)) {
	kept := len(before.Audit)
	want := kept
	if by.request != nil {
		want++
	}
	if len(after.Audit) != want || !slices.Equal(before.Audit, after.Audit[:kept]) {
		broken("what people do is in the audit", "it has %d entries, and had %d", len(after.Audit), kept)
		return
	}
	if by.request == nil {
		return
	}
	what := by.request.what
	if what == responder.DeedUndo && after.Undoes != nil && after.State == responder.RunCancelled {
		what = responder.DeedCancel // somebody has had retried what it was to put back
	}
	if entry := after.Audit[kept]; entry.What != what || entry.By != by.request.by(by.tenure) || entry.At.Before(by.request.asked) || entry.At.After(by.clock) {
		broken("what people do is in the audit", "it says %s by %s at %v", entry.What, entry.By, entry.At)
	}
}

// judgeLanded: nothing comes after a cancellation but what was in the air.
func judgeLanded(before, after *responder.Run, broken func(string, string, ...any)) {
	const promise = "cancelled is cancelled"
	if before.Lease.IsZero() || !after.Lease.IsZero() || !after.Due.IsZero() || after.Cause != before.Cause || len(after.Steps) != len(before.Steps) {
		broken(promise, "leased until %v, and was until %v; it has %d steps, and had %d", after.Lease, before.Lease, len(after.Steps), len(before.Steps))
	}
	for path, was := range before.Steps {
		if is := after.Steps[path]; is == nil || len(is.Attempts) != len(was.Attempts) {
			broken(promise, "step %s was tried", path)
		}
	}
}

// judgeCancelled: a run that is cancelled rests, and where nobody holds it,
// nothing of it is open.
func judgeCancelled(before, after *responder.Run, broken func(string, string, ...any)) {
	if !after.Due.IsZero() || after.Cause == "" || len(after.Steps) != len(before.Steps) {
		broken("cancelled is cancelled", "due %v, cause %q, %d steps of %d", after.Due, after.Cause, len(after.Steps), len(before.Steps))
	}
	for path, is := range after.Steps {
		was := before.Steps[path]
		if was != nil && !over(was.State) && is.State != responder.StepCancelled {
			broken("cancelled is cancelled", "step %s is %s", path, is.State)
		}
		if inAir(is) && after.Lease.IsZero() && !(was != nil && over(was.State)) {
			broken("cancelled is cancelled", "nobody holds the run, and step %s is in the air", path)
		}
	}
}

// judgeRetried: a retry makes ready what ended the run, and nothing else.
func judgeRetried(before, after *responder.Run, m *model, broken func(string, string, ...any)) {
	const promise = "a retry makes again only what failed or never began"
	if after.Resumed != 0 || after.Cause != "" || (before.Flow.Timeout > 0) != after.Deadline.Equal(after.Due.Add(before.Flow.Timeout)) {
		broken(promise, "taken up %d times, cause %q, due %v, its time is over at %v", after.Resumed, after.Cause, after.Due, after.Deadline)
	}
	if len(after.Audit) == 0 {
		return // judgeAudit tells
	}
	lease, due := time.Time{}, after.Audit[len(after.Audit)-1].At
	if before.Lease.After(due) {
		lease, due = before.Lease, before.Lease
	}
	if !after.Lease.Equal(lease) || !after.Due.Equal(due) {
		broken("one lease a run", "retried, it is leased until %v and due %v; it was leased until %v", after.Lease, after.Due, before.Lease)
	}
	anew := func(path string) bool { // reopened, or to begin from the beginning
		was, is := before.Steps[path], after.Steps[path]
		return was != nil && over(was.State) && (is == nil || !over(is.State))
	}
	rescued := func(path string) bool { // it belongs to the on_error of a step that is tried anew
		for _, part := range []string{".error.", ".tell.", ".deny.", ".timeout."} {
			for i := strings.LastIndex(path, part); i > 0; i = strings.LastIndex(path[:i], part) {
				if anew(path[:i]) {
					return true
				}
			}
		}
		return false
	}
	for path, was := range before.Steps {
		is := after.Steps[path]
		switch {
		case is == nil && rescued(path), reflect.DeepEqual(was, is):
		case is != nil && strings.Contains(path, ".tell.") && is.State == responder.StepCancelled: // its question is decided, or its time over
		case is != nil && !over(was.State) && reflect.DeepEqual(unseen(was), unseen(is)): // of a run that was parked
		case was.State != responder.StepFailed && was.State != responder.StepCancelled:
			broken(promise, "step %s was %s", path, was.State)
		case is == nil && len(was.Attempts) > 0:
			broken("what was done stays known", "step %s is forgotten", path)
		case was.State == responder.StepFailed && m.passedBy(path, was):
			broken(promise, "the failure of step %s had been passed by", path)
		case is == nil:
		case isGroup(m.steps[path]) && over(is.State): // its last members landed after the cancellation: the model sees
		case is.State == responder.StepCancelled && m.enough(path): // another branch landed well
		case is.State != responder.StepRunning || is.Retried != len(was.Attempts) || is.Error != "" || !is.Due.IsZero() || !reflect.DeepEqual(is.Attempts, was.Attempts):
			broken(promise, "step %s is %s, with %d attempts, %d of them from before", path, is.State, len(is.Attempts), is.Retried)
		}
	}
}

// unseen is a step without what it knows to touch.
func unseen(state *responder.StepState) responder.StepState {
	bare := *state
	bare.Survey = nil
	return bare
}

// passedBy reports whether a step's failure is none of its run's.
func (m *model) passedBy(path string, state *responder.StepState) bool {
	step := m.steps[path]
	if i := strings.LastIndexByte(path, '.'); i > 0 {
		if group := m.steps[path[:i]]; group != nil && group.Kind == responder.StepParallel && group.Join == responder.JoinAny {
			return false
		}
	}
	if step.OnError != nil {
		return step.OnError.Policy != responder.PolicyStop
	}
	return state.Kind == responder.Notice
}
