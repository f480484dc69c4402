package simulation

import (
	"context"
	"time"

	"github.com/skycrafters/responder"
)

// judgeHandled: a finding that is acknowledged has its runs.
func (w *world) judgeHandled(d responder.Delivery) {
	bell, err := responder.DecodeBell(d.Body)
	if err != nil || bell.Finding == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, flow := range flowNames(w.dice) {
		id := bell.Finding.RunID(flow)
		if w.off.flow == flow && w.due[id] != nil && w.off.touches(time.Now().Add(-maxFrozen), time.Now()) {
			w.due[id].excused = true
			w.stir()
			continue
		}
		if w.due[id] != nil && w.stored[id] == nil {
			w.broken("what is acknowledged is durable", "%s is, and has no run of flow %s", bell.Finding.Title, flow)
		}
	}
}

// judgeReturn: Handle returns before its time is over, so that the front can
// still say what is to come again. It may wait for a store that does not answer.
func (w *world) judgeReturn(ctx context.Context, tenure string) {
	deadline, ok := ctx.Deadline()
	w.mu.Lock()
	defer w.mu.Unlock()
	if late := time.Since(deadline); ok && late > 0 && w.tally[frozen] == 0 {
		w.broken("a batch ends before its deadline", "%s came back %v after it", tenure, late)
	}
}

// judgeUnended tells of runs that did not end in time.
func (w *world) judgeUnended() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, e := range w.due {
		at := w.overdueAt(id)
		if at.IsZero() || at.After(time.Now()) {
			continue
		}
		if r := w.stored[id]; r == nil {
			w.broken("every finding has its run", "%s has none", e.name)
		} else {
			w.broken("nothing is running for ever", "%s is still %s, due %v, version %d", e.name, r.run.State, r.run.Due, r.run.Version)
		}
	}
}

// judgeEnd looks at what the history left.
func (w *world) judgeEnd() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, d := range w.deeds {
		if d.kind == responder.Repair && d.repeats > 0 && !d.doubted && w.tally[skewed] == 0 && w.tally[frozen] == 0 {
			w.broken("a repair of unknown outcome is verified before it is tried again", "%s was done %d times", w.stepName(key), d.effects)
		}
	}
	for _, r := range w.stored {
		if digest, err := responder.Digest(r.run.Flow.Steps); !unadopted(r.run) && (err != nil || digest != r.run.Flow.Digest) {
			w.broken("a run keeps the steps it began with", "%s: digest %s, %v", w.nameOf(r.run.ID), digest, err)
		}
	}
	for id, e := range w.due {
		if r := w.stored[id]; len(w.tally) == 0 && !w.guarded && (r == nil || r.run.State != responder.RunSucceeded && r.run.State != responder.RunSuppressed && r.run.Deadline.IsZero()) {
			w.broken("where nothing fails, flows succeed", "%s did not", e.name)
		}
	}
	for id, r := range w.stored {
		if !r.run.State.Ended() || r.run.State == responder.RunParked {
			w.broken("nothing is running for ever", "%s was left %s", w.nameOf(id), r.run.State)
		}
		if r.run.State == responder.RunCancelled && !r.run.Lease.IsZero() && w.undisturbed() {
			w.broken("what was answered counts", "%s was cancelled, and what was in the air is not recorded", w.nameOf(id))
		}
	}
	if len(w.tally) == 0 && w.lateness > lateBound {
		w.broken("timers are late by a bound at most", "%v", w.lateness)
	}
}

// lateBound is how late a timer may be where nothing goes wrong.
const lateBound = 2 * time.Minute
