package simulation

import (
	"time"

	"github.com/skycrafters/responder"
)

// judgeWrite looks at what a write made of a run. The caller holds mu.
func (w *world) judgeWrite(after *responder.Run, by writing) {
	name := w.nameOf(after.ID)
	broken := func(promise, format string, args ...any) {
		w.broken(promise, "run %s version %d, by %s: "+format, append([]any{name, after.Version, by.tenure}, args...)...)
	}
	before, from := w.stored[after.ID], responder.RunState("")
	if before == nil {
		if !w.judgeCreation(after, by, broken) {
			return
		}
		before = &record{run: &responder.Run{ID: after.ID, Flow: after.Flow, Finding: after.Finding, Mode: after.Mode, Created: after.Created, Deadline: after.Deadline, Suppressed: after.Suppressed, State: responder.RunRunning}}
	} else {
		from = before.run.State
	}
	if by.version == before.run.Version-1 { // nothing was written: this very write was there already
		if before.tenure != by.tenure || before.run.Token != after.Token {
			broken("a stale writer is refused", "it was told that its write is made, but %s made it", before.tenure)
		}
		return
	}
	if by.version != before.run.Version || after.Version != by.version+1 {
		broken("a stale writer is refused", "it wrote over version %d, which it had not read", before.run.Version)
	}
	holder := before.holder
	if by.request == nil {
		if holder != by.tenure && before.run.Lease.After(by.clock) {
			broken("one lease a run", "held by %s until %v, and it is %v", holder, before.run.Lease, by.clock)
		}
		if holder != by.tenure && w.tally[skewed] == 0 {
			w.judgeTakeover(before, broken)
		}
		holder = by.tenure
	}
	judgeMove(from, after.State, by, broken)
	judgeAudit(before.run, after, by, broken)
	w.judgeRun(before.run, after, by, broken)
	m := newModel(after, broken)
	m.guarded = w.guarded
	w.judgeSteps(before.run, m, by, broken)
	switch {
	case from == responder.RunCancelled && by.request == nil:
		judgeLanded(before.run, after, broken)
	case after.State == responder.RunCancelled:
		judgeCancelled(before.run, after, broken)
	case by.request != nil && by.request.what == responder.DeedRetry:
		judgeRetried(before.run, after, m, broken)
	}
	m.judge(by)
	if m.timedOut() && !newModel(before.run, broken).timedOut() && (after.Deadline.IsZero() || by.clock.Before(after.Deadline)) {
		broken("timers are never early", "its time is over at %v, and it is %v", after.Deadline, by.clock)
	}
	w.stored[after.ID] = &record{run: after, tenure: by.tenure, holder: holder, at: time.Now()}
	w.past[after.ID] = append(w.past[after.ID], moment{time.Now(), after.State})
	if w.talks {
		w.tell("%s v%d by %s: %s", name, after.Version, by.tenure, outline(before.run, after))
	}
}

// judgeTakeover: where clocks agree, a lease outlasts the attempts it is taken for.
func (w *world) judgeTakeover(before *record, broken func(string, string, ...any)) {
	for path := range before.run.Steps {
		d := w.latest[before.run.ID+"/"+path]
		if d == nil {
			continue
		}
		for _, t := range d.tries {
			if t.flying && t.tenure == before.holder {
				broken("a lease outlasts what it is for", "step %s is being tried by %s", path, t.tenure)
			}
		}
	}
}

// judgeRun looks at the run as a whole.
func (w *world) judgeRun(before, after *responder.Run, by writing, broken func(string, string, ...any)) {
	retry := by.request != nil && by.request.what == responder.DeedRetry
	adopted := unadopted(before) && by.request == nil
	if before.Flow.Digest != after.Flow.Digest && !adopted || before.Flow.Name != after.Flow.Name || before.Finding.RunID("") != after.Finding.RunID("") ||
		before.Mode != after.Mode || !before.Created.Equal(after.Created) || !before.Deadline.Equal(after.Deadline) && !adopted && !retry {
		broken("a run keeps the steps it began with", "its flow, finding, mode, creation or deadline has changed")
	}
	if before.Suppressed != after.Suppressed {
		broken("counts add up", "it was number %d of what is suppressed, and is number %d", before.Suppressed, after.Suppressed)
	}
	if before.Resumed > after.Resumed && !retry {
		broken("what was done stays known", "it was taken up %d times, and now %d", before.Resumed, after.Resumed)
	}
	switch after.State {
	case responder.RunCancelled:
	case responder.RunSucceeded, responder.RunStopped, responder.RunFailed, responder.RunSuppressed:
		if !after.Due.IsZero() || !after.Lease.IsZero() {
			broken("an end is an end", "due %v, leased until %v", after.Due, after.Lease)
		}
		if after.State == responder.RunFailed && after.Cause == "" {
			broken("a failed run says its cause", "it has none")
		}
	case responder.RunRunning, responder.RunWaiting, responder.RunAwaitingApproval:
		if after.Due.IsZero() {
			broken("nothing is running for ever", "%s, and due never", after.State)
		}
		if after.State != responder.RunRunning && !after.Lease.IsZero() {
			broken("waiting gives the lease back", "leased until %v", after.Lease)
		}
		if !after.Lease.IsZero() && after.Due.After(after.Lease) {
			broken("nothing is running for ever", "due %v, after the end of its lease %v", after.Due, after.Lease)
		}
	default:
		if !w.guarded || after.State != responder.RunParked {
			broken("nothing is given up", "it is %s: %s", after.State, after.Cause)
			return
		}
		if !after.Due.IsZero() || !after.Lease.IsZero() {
			broken("an end is an end", "due %v, leased until %v", after.Due, after.Lease)
		}
		if before.State != responder.RunParked {
			w.judgeParked(after, broken)
		}
	}
}
