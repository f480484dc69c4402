package simulation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
)

// request is something that somebody asks of a run.
type request struct {
	what responder.Deed
	id   string // of the run
	name string // of who asks, and what: the same in no other request

	asked time.Time // by the clock of who asks
	began time.Time // really

	answer  responder.Answer // to a question; of an undo, the step alone
	step    bool             // undoes a step alone
	insists bool             // asks until an answer comes
}

// by is who the store is told to have asked.
func (r request) by(tenure string) string {
	if r.answer.Who != (responder.Identity{}) {
		return r.answer.Who.String()
	}
	return tenure
}

// bother lets people do things to a run that is to come, at moments of their own.
func (w *world) bother(id string, e *expected) {
	for i := range 2 {
		name := fmt.Sprintf("person %d at %s", i, e.name)
		for _, deed := range []struct {
			what responder.Deed
			kind kind
		}{{responder.DeedCancel, cancels}, {responder.DeedRetry, retries}, {responder.DeedAgain, runsAgain}, {responder.DeedUndo, undoes}} {
			if w.strikes(deed.kind, name) {
				at := e.sent.Add(w.span(fmt.Sprint(name, deed.what), time.Millisecond, 20*24*time.Hour))
				w.ask(request{what: deed.what, id: id, name: fmt.Sprintf("%s, %s", name, deed.what)}, time.Until(at))
			}
		}
	}
}

// react lets people do something about what has just become of a run.
func (w *world) react(run *responder.Run) {
	if w.guarded {
		w.puts(run)
		if run.State == responder.RunParked {
			w.revive(run)
		}
	}
	if !run.State.Ended() {
		w.interrupt(run.ID, fmt.Sprintf("the write of %s version %d", w.nameOf(run.ID), run.Version))
		return
	}
	w.review(run)
}

// interrupt lets somebody cancel a run while something is going on with it.
func (w *world) interrupt(id, during string) {
	if w.strikes(interrupts, during) {
		w.ask(request{what: responder.DeedCancel, id: id, name: "person at " + during}, w.span("interrupts "+during, time.Millisecond, 5*time.Second))
	}
}

// review lets people do something about a run that has come to an end.
func (w *world) review(run *responder.Run) {
	name := fmt.Sprintf("the end of %s version %d", w.nameOf(run.ID), run.Version)
	after := w.span(name, time.Millisecond, 2*24*time.Hour)
	switch run.State {
	case responder.RunFailed, responder.RunCancelled:
		if w.strikes(retries, name) {
			w.ask(request{what: responder.DeedRetry, id: run.ID, name: "person after " + name + ", retry"}, after)
			return
		}
	}
	if !oftenRepeated(run.ID) && w.strikes(runsAgain, name) {
		w.ask(request{what: responder.DeedAgain, id: run.ID, name: "person after " + name + ", again"}, after)
	}
	for _, k := range []kind{undoes, undoesStep} {
		if w.guarded && w.strikes(k, name) {
			w.ask(request{what: responder.DeedUndo, id: run.ID, name: fmt.Sprintf("person after %s, %s", name, k), step: k == undoesStep}, w.span(name+string(k), time.Millisecond, 2*24*time.Hour))
		}
	}
}

// oftenRepeated reports whether people have had enough of a finding's runs. Each
// that ends may lead to another; many, which do the same thing to the same resource,
// would trip the breaker for each other, be parked, and be retried until that is
// refused.
func oftenRepeated(id string) bool {
	_, repetition, _ := strings.Cut(id, "#")
	n, err := strconv.Atoi(repetition)
	return err == nil && n > 10
}

// ask lets somebody make a request in a while, perhaps twice.
func (w *world) ask(r request, after time.Duration) {
	w.insist(r, after)
	if w.strikes(askedTwice, r.name) {
		r.name += " (again)"
		w.insist(r, after+w.span(r.name, time.Microsecond, time.Hour))
	}
}

// insist makes a request, and perhaps makes it anew where no answer came.
func (w *world) insist(r request, after time.Duration) {
	w.mu.Lock()
	w.asking++
	w.mu.Unlock()
	w.people.Go(func() {
		defer w.answered()
		time.Sleep(after)
		for n := 1; n <= 3 || r.insists; n++ {
			l := newLife(w, fmt.Sprintf("%s, try %d", r.name, n), w.skew(r.name))
			mine := r // a try that died may still arrive
			mine.asked, mine.began = l.now(), time.Now()
			l.request = &mine
			answered := l.do(mine)
			l.cancel()
			if answered || !r.insists && !w.chance(l.name+" is not the last", .7) {
				return
			}
			time.Sleep(w.span(l.name+" rests", time.Second, time.Hour))
		}
	})
}

// answered notes that somebody asks for nothing any more.
func (w *world) answered() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asking--
	w.requests++
	w.stir()
}

// do makes a request, as a process of its own that may die over it. It says
// whether an answer came.
func (l *life) do(r request) bool {
	control := dispatch.Control{Runs: store{l}, Findings: sender{l}, Now: l.told, Token: l.token}
	ctx, by, asked := context.WithValue(l.ctx, tenureKey{}, l.name), l.name, time.Now()
	var run *responder.Run
	var err error
	switch r.what {
	case responder.DeedCancel:
		run, err = control.Cancel(ctx, r.id, by, "")
	case responder.DeedRetry:
		run, err = control.Retry(ctx, r.id, by)
	case responder.DeedAgain:
		run, err = control.Again(ctx, r.id, by)
	case responder.DeedApprove, responder.DeedDeny:
		run, err = control.Decide(ctx, r.id, r.answer)
	case responder.DeedUndo:
		if r.step {
			l.request.answer.Step = l.stepToUndo(r.id)
			r = *l.request
		}
		run, err = control.Undo(ctx, r.id, r.answer.Step, by, "")
	}
	if l.dead() {
		return false
	}
	return l.judgeAnswer(r, asked, run, err)
}

// judgeAnswer: what people are told is so, or was so while they asked. It says
// whether they were told something.
func (l *life) judgeAnswer(r request, asked time.Time, run *responder.Run, err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	broken := func(format string, args ...any) {
		l.broken("people are told what is so", "%s: %s", l.name, fmt.Sprintf(format, args...))
	}
	ended := responder.RunState.Ended
	underWay := func(s responder.RunState) bool { return !s.Ended() }
	is := func(of ...responder.RunState) func(responder.RunState) bool {
		return func(s responder.RunState) bool { return slices.Contains(of, s) }
	}
	var refused *dispatch.Refused
	switch {
	case errors.As(err, &refused):
		l.tell("%s: refused: %v", l.name, err)
		why := map[responder.Deed]func(responder.RunState) bool{
			responder.DeedCancel: is(responder.RunSucceeded, responder.RunStopped, responder.RunFailed, responder.RunSuppressed),
			responder.DeedRetry:  is(responder.RunSucceeded, responder.RunStopped, responder.RunSuppressed),
			responder.DeedAgain:  underWay,
		}[r.what]
		_, undo := undoneBy(r.id)
		switch {
		case r.what == responder.DeedAgain && (undo || l.warns(r.id)):
		case r.what == responder.DeedRetry && l.undoing(r.id, asked):
		case r.what == responder.DeedUndo:
			if !undo && !l.refusesUndo(r, asked) {
				broken("refused for no reason: %v", err)
			}
		case r.what == responder.DeedApprove || r.what == responder.DeedDeny:
			if !l.refusesAnswer(r, asked) {
				broken("refused for no reason: %v", err)
			}
		case !l.was(r.id, asked, why):
			broken("refused for no reason: %v", err)
		}
		return !r.insists || !l.undoing(r.id, asked) // who insists waits for the end of that
	case errors.Is(err, responder.ErrNotFound):
		if stored := l.stored[r.id]; stored != nil && len(l.past[r.id]) > 0 && l.past[r.id][0].at.Before(asked) {
			broken("it is there, and was not found")
		}
		return true
	case run == nil:
		return false
	}
	l.tell("%s: told that %s is %s (%v)", l.name, l.nameOf(run.ID), run.State, err)
	switch r.what {
	case responder.DeedCancel:
		if run.State != responder.RunCancelled || !l.was(r.id, asked, is(responder.RunCancelled)) {
			broken("told that it is %s", run.State)
		}
	case responder.DeedRetry:
		if run.State.Ended() || !l.was(r.id, asked, underWay) {
			broken("told that it is %s", run.State)
		}
	case responder.DeedAgain:
		if first(run.ID) != first(r.id) || number(run.ID) <= number(r.id) || l.stored[run.ID] == nil || !l.was(run.ID, asked, underWay) || !l.was(r.id, asked, ended) {
			broken("told of %s", l.nameOf(run.ID))
		}
	case responder.DeedApprove, responder.DeedDeny:
		a := run.Steps[r.answer.Step].Approval
		if a == nil || a.Who == nil || *a.Who != r.answer.Who || (a.Decision == responder.Approved) != r.answer.Yes && l.editedAt.IsZero() {
			broken("told that it is decided otherwise: %+v", a)
		}
	case responder.DeedUndo:
		if of, ok := undoneBy(run.ID); !ok || of != r.id || l.stored[run.ID] == nil {
			broken("told of %s", l.nameOf(run.ID))
		}
	}
	return true
}

// refusesAnswer reports whether there is a reason not to take somebody's answer. The
// caller holds mu.
func (l *life) refusesAnswer(r request, asked time.Time) bool {
	a, known := l.asked[r.answer.Digest]
	said, decided := l.answers[r.answer.Digest]
	stored := l.stored[r.id]
	if !known || stored == nil || !entitled(r.answer.Who, a.By) || a.Veto && r.answer.Yes || decided && (said.who != r.answer.Who || said.yes != r.answer.Yes) {
		return true
	}
	state := stored.run.Steps[r.answer.Step]
	over := state == nil || state.Approval == nil || state.Approval.Digest != r.answer.Digest || state.State != responder.StepWaiting || state.Approval.Decision != ""
	return over || l.was(r.id, asked, responder.RunState.Ended) || !l.now().Before(a.Until)
}

// refusesUndo reports whether there is a reason not to undo. The caller holds mu.
func (l *life) refusesUndo(r request, asked time.Time) bool {
	stored := l.stored[r.id]
	if stored == nil || l.was(r.id, asked, func(s responder.RunState) bool { return !s.Ended() || s == responder.RunCancelled }) || l.lastUndone(r.id).After(asked) {
		return true
	}
	under := slices.ContainsFunc(l.undosOf(r.id), func(u *responder.Run) bool { return !u.State.Ended() })
	paths, _ := l.recorded(stored.run)
	if r.answer.Step != "" {
		paths = slices.DeleteFunc(paths, func(path string) bool { return path != r.answer.Step })
	}
	return under && r.answer.Step != "" || len(paths) == 0
}

// moment is a state of a run, from a time on.
type moment struct {
	at    time.Time
	state responder.RunState
}

// was reports whether something was so of a run at some time since. The caller holds mu.
func (w *world) was(id string, since time.Time, so func(responder.RunState) bool) bool {
	for i, m := range w.past[id] {
		last := i == len(w.past[id])-1
		if so(m.state) && (last || !w.past[id][i+1].at.Before(since)) {
			return true
		}
	}
	return false
}

// first is the id of a run without what Again put behind it.
func first(id string) string {
	id, _, _ = strings.Cut(id, "#")
	return id
}

// number is what stands behind it; 1: nothing does.
func number(id string) int {
	_, text, _ := strings.Cut(id, "#")
	n, err := strconv.Atoi(text)
	if err != nil {
		return 1
	}
	return n
}
