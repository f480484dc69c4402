package simulation

import (
	"slices"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// judgeTry looks at a call of an action before it is made, and notes it.
func (w *world) judgeTry(a action, tenure string, call responder.Call, what string) (*deed, *try) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.deedOf(call.Key)
	d.kind = a.kind
	run, path, state := w.step(call.Key)
	t := &try{at: w.marked(d, run, path, tenure, call.Now), tenure: tenure, flying: true, said: saidNothing}
	d.tries = append(d.tries, t)
	step := w.stepName(call.Key)
	if state == nil {
		w.broken("nothing is done before it is stored that it is", "%s was done, and its run does not know of it", step)
		return d, t
	}
	if holder := w.stored[run.ID].holder; holder != tenure && w.tally[skewed] == 0 {
		w.broken("one lease a run", "%s was done by %s, while %s holds the run", step, tenure, holder)
	}
	if run.State == responder.RunCancelled && !slices.ContainsFunc(state.Attempts, func(m responder.Attempt) bool { return m.Began.Equal(t.at) && w.flies(m) }) {
		w.broken("cancelled is cancelled", "%s was done, and was not in the air when its run was cancelled", step)
	}
	judgeHush(run, step, path, a.kind, w.broken)
	marks := 0
	for _, m := range state.Attempts {
		if m.Try() {
			marks++
		}
	}
	if len(d.tries) > marks {
		w.broken("nothing is done before it is stored that it is", "%s was tried %d times, and its run knows of %d", step, len(d.tries), marks)
	}
	if want := w.whatOf(run, path, state); what != want {
		w.broken("actions get what the flow says", "%s was given %q, not %q", step, what, want)
	}
	if call.Prefix == "" && a.kind == responder.Notice && w.followsDry(run, path) {
		w.broken("a dry run is called one", "%s does not say so", step)
	}
	if a.kind == responder.Repair {
		w.judgeArmed(run, step)
		if w.guarded {
			w.judgeRepair(run, path, state, d, t, call)
		}
	}
	return d, t
}

// flies reports whether a worker may be at an attempt. By a clock that is ahead of the
// worker's its lease is over, and the attempt is written off while it begins.
func (w *world) flies(m responder.Attempt) bool {
	return m.Ended.IsZero() || m.Lost && w.tally[skewed] > 0
}

// marked is when an attempt was marked that its worker had made ready at a moment: guards
// were asked in between. By another clock, another worker's mark may be the later one.
func (w *world) marked(d *deed, run *responder.Run, path, tenure string, ready time.Time) time.Time {
	if run == nil || run.Steps[path] == nil {
		return ready
	}
	for _, a := range run.Steps[path].Attempts {
		if a.Try() && !a.Began.Before(ready) && w.marks[mark{run.ID, path, a.Began}].tenure == tenure && d.try(a.Began) == nil {
			return a.Began
		}
	}
	return ready
}

// judgeArmed: repairs are dry until a flow arms them, and for old events.
func (w *world) judgeArmed(run *responder.Run, step string) {
	if run.Undoes != nil {
		return
	}
	event, err := responder.DecodeEvent(run.Finding.Event)
	if err != nil {
		w.broken("simulation", "%v", err)
		return
	}
	happened, _ := event.Time()
	flow, _ := w.first().Get(run.Flow.Name)
	switch {
	case !run.Flow.Repairs.Armed() || !flow.Repairs.Armed() && w.editedAt.IsZero():
		w.broken("repairs stay dry until a flow arms them", "%s was done", step)
	case w.disarmed(run.Flow.Name):
		w.broken("guards are read at the moment of acting", "%s was done, the flow is dry since %v", step, w.editedAt)
	case run.Created.Sub(happened) > 24*time.Hour:
		w.broken("repairs stay dry for old events", "%s was done for an event of %v", step, happened)
	}
}

// disarmed reports whether a flow repairs nothing since it was edited.
func (w *world) disarmed(flow string) bool {
	slack := storeTimeout
	if w.guarded {
		slack = w.slack()
	}
	if w.editedAt.IsZero() || !w.editedAt.Before(time.Now().Add(-slack)) {
		return false
	}
	now, _ := w.flows[version{guarded: w.guarded, edited: true}].Get(flow)
	return !now.Repairs.Armed()
}

// storeTimeout is how long the engine waits for a write, and so how long lies
// between the moment in which it reads its guards and that in which it acts.
const storeTimeout = 10*time.Second + 200*time.Millisecond

func (w *world) judgeLook(call responder.Call, tenure string) (*deed, *look) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.deedOf(call.Key)
	l := &look{at: call.Now, tenure: tenure}
	d.looks = append(d.looks, l)
	if len(d.tries) == 0 && !w.known(call.Key) && !w.foundNothing(call.Key) {
		w.broken("only what was tried is looked at", "%s", w.stepName(call.Key))
	}
	return d, l
}

// known reports whether a step's run knows of more than the attempt that looks.
func (w *world) known(key string) bool {
	_, _, state := w.step(key)
	return state != nil && len(state.Attempts) > 1
}

// foundNothing reports whether a look has found nothing to act on: then the action is
// asked whether that is what it is for.
func (w *world) foundNothing(key string) bool {
	for _, s := range w.surveys {
		if s.key == key && len(s.targets) == 0 {
			return true
		}
	}
	return false
}

func (w *world) deedOf(key string) *deed {
	d := w.deeds[key]
	if d == nil {
		d = &deed{}
		w.deeds[key] = d
		id, path := placeOf(key)
		w.latest[id+"/"+path] = d
	}
	return d
}

// placeOf gives run and step of a call's key.
func placeOf(key string) (id, path string) {
	id, path, _ = strings.Cut(key, "/")
	path, _, _ = strings.Cut(path, "@")
	return id, path
}

// step finds what the store has of the step that a call's key names.
func (w *world) step(key string) (*responder.Run, string, *responder.StepState) {
	id, path := placeOf(key)
	r := w.stored[id]
	if r == nil {
		return nil, path, nil
	}
	return r.run, path, r.run.Steps[path]
}

// whatOf is what an action is to be given, as the flow or the finding says it.
func (w *world) whatOf(run *responder.Run, path string, state *responder.StepState) string {
	step := newModel(run, w.broken).steps[path]
	switch step.Kind {
	case responder.StepCheck:
		return run.Finding.Check.Params["what"].(string)
	case responder.StepRemediate:
		return run.Finding.Remediate.Params["what"].(string)
	}
	what, _ := step.Params["what"].(string)
	return strings.ReplaceAll(what, "{{ resources[0] }}", run.Finding.Resources[0])
}

// followsDry reports whether a step comes after a repair that was only written down.
func (w *world) followsDry(run *responder.Run, path string) bool {
	m := newModel(run, w.broken)
	for earlier, s := range run.Steps {
		if s.Dry && s.Kind == responder.Repair && m.follows(path, earlier) {
			return true
		}
	}
	return false
}
