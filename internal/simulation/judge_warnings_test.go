package simulation

import (
	"slices"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
)

// judgeWarning looks at a new run that warns: its guard has refused something, and it
// is the one of its flow, guard and hour.
func (w *world) judgeWarning(after *responder.Run, by writing, broken func(string, string, ...any)) {
	const promise = "people are warned for a reason, once an hour"
	of := after.Warns
	claim := map[string]string{dispatch.GuardPerHour: "hour/", dispatch.GuardPerAccount: "account/", dispatch.GuardBreaker: "again/"}[of.Guard]
	if claim == "" || !slices.Contains(w.refused[by.tenure], claim+after.Flow.Name) || w.stored[of.Run] == nil {
		broken(promise, "%s of run %s", of.Guard, w.nameOf(of.Run))
	}
	for _, other := range w.stored {
		if o := other.run.Warns; o != nil && o.Guard == of.Guard && other.run.Flow.Name == after.Flow.Name && o.Since.Equal(of.Since) {
			broken(promise, "%s has warned of it", w.nameOf(other.run.ID))
		}
	}
	w.sights[sawWarning]++
	w.due[after.ID] = &expected{name: "warning of " + of.Guard + " of " + w.nameOf(of.Run), finding: after.Finding, flow: after.Flow.Name, sent: time.Now()}
}

// judgeWarned: what stops the repairs of a flow is told before it does. The caller holds mu.
func (w *world) judgeWarned(flow, guard string) {
	since := time.Now().Add(-w.slack() - w.mostSkew())
	for _, r := range w.stored {
		if o := r.run.Warns; o != nil && o.Guard == guard && r.run.Flow.Name == flow && o.Since.Add(time.Hour).After(since) {
			return
		}
	}
	w.broken("what stops repairs is told", "%s of flow %s has no warning", guard, flow)
}

// warns reports whether a run is one that warns. The caller holds mu.
func (w *world) warns(id string) bool { return w.stored[id] != nil && w.stored[id].run.Warns != nil }
