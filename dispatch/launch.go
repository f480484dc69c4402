package dispatch

import (
	"context"
	"errors"
	"fmt"

	"github.com/skycrafters/responder"
)

// take does a task: at once, or, for an attempt, by giving its flight.
func (w *worker) take(ctx context.Context, task Task, flow responder.Flow) (flight, bool) {
	switch task.Verb {
	case Begin:
		w.apply(w.begin(task, flow))
	case Pass:
		w.apply(Passed{Path(task.Path)})
	case Lose:
		w.apply(Tried{Path: Path(task.Path), Err: ErrLost})
	case Heed:
		w.apply(w.heed(task))
	case Attempt, Verify:
		return w.launch(ctx, task, flow)
	}
	return flight{}, false
}

// launch readies an attempt or a look, if it is allowed and possible.
func (w *worker) launch(ctx context.Context, task Task, flow responder.Flow) (flight, bool) {
	state, leave := w.run.Steps[task.Path], w.guards.judge(w.run, flow, w.scene.event)
	if task.Verb == Verify && leave.dry {
		w.apply(Tried{Path: Path(task.Path), Err: unsure(errors.New("a dry run does not look"))})
		return flight{}, false
	}
	if question(w.run, task.Path) != nil {
		leave.quiet = "" // who decides is told, whatever else is kept quiet
	}
	if task.Verb == Attempt {
		if o := leave.forbids(task.Path, state.Kind, func() string { return w.would(task, state) }); o != nil {
			w.apply(o)
			return flight{}, false
		}
	}
	var asks Outcome // the question that comes first, nil for none
	if task.Verb == Attempt && state.Kind == responder.Repair {
		if w.run.Undoes == nil && !w.open(ctx, task.Path) {
			return flight{}, false
		}
		switch o := w.consent(task, state, leave).(type) {
		case nil:
		case Asked:
			asks = o
		default:
			w.apply(o)
			return flight{}, false
		}
	}
	f, err := w.flight(task, state)
	if err != nil {
		w.apply(Tried{Path: Path(task.Path), Err: err})
		return flight{}, false
	}
	if state.Kind == responder.Notice && !w.tells(ctx, task, state, flow, &f) {
		return flight{}, false
	}
	if state.Kind == responder.Repair && f.look == "" {
		ask := w.ask
		if asks != nil { // nobody is asked about what the guards would hold back all the same
			ask = w.sound
		}
		if !w.admits(ctx, task, state, flow, ask) {
			return flight{}, false
		}
	}
	if w.late() {
		return flight{}, false
	}
	if asks != nil && f.look == "" {
		w.apply(asks)
		return flight{}, false
	}
	w.apply(Attempting{Path: Path(task.Path), Verify: f.look == verifying, Survey: f.look == surveying})
	w.flying[task.Path] = f.timeout
	return f, true
}

// late reports whether the run's time was over while guards were asked.
func (w *worker) late() bool { return !w.run.Deadline.IsZero() && !w.run.Deadline.After(w.now()) }

// admits asks the guards of a repair that is about to act, or to be asked about, and
// puts into the run what they say if it may not. Guards that cannot be asked let
// nothing through.
func (w *worker) admits(ctx context.Context, task Task, state *responder.StepState, flow responder.Flow, ask func(context.Context, fence) (held, error)) bool {
	timed, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	h, err := ask(timed, w.judged(w.fence(task, flow)))
	switch {
	case err != nil:
		w.unasked(task.Path, err)
		return false
	case h.guard == "":
		return true
	}
	if err = w.warn(timed, task, state, h); err == nil && h.halts && w.Halts != nil { // told first: whoever comes next finds the flow halted
		err = w.trip(timed, h)
	}
	switch {
	case err != nil:
		w.unasked(task.Path, fmt.Errorf("%s: %w", h.guard, err))
		return false
	case h.halts && w.Halts != nil:
		w.halt(task.Path, h.guard, haltText(responder.Halt{By: byBreaker, Why: h.why}))
		return false
	}
	w.apply(Skipped{Path: Path(task.Path), Would: w.would(task, state), Why: h.why, Guard: h.guard})
	w.Held(HeldReport{Flow: w.run.Flow.Name, Action: state.Action, Guard: h.guard})
	w.Logger.Warn().Str("run", w.run.ID).Str("flow", w.run.Flow.Name).Str("step", task.Path).Str("action", state.Action).
		Str("guard", h.guard).Str("why", h.why).Msg("a guard held it back")
	return false
}

// ask asks the guards, those first that need no look elsewhere.
func (d *Dispatcher) ask(ctx context.Context, f fence) (held, error) {
	if h := f.judge(); h.guard != "" || f.run.Undoes != nil {
		return h, nil
	}
	if h, err := d.count(ctx, f); err != nil || h.guard != "" {
		return h, err
	}
	return d.breaker(ctx, f)
}

// sound asks the guards of a repair that people are to be asked about: nothing is
// counted until it acts, and then all are asked again. What may act as often as the
// breaker allows is not asked for here.
func (d *Dispatcher) sound(ctx context.Context, f fence) (held, error) {
	if h := f.judge(); h.guard != "" {
		return h, nil
	}
	return d.room(ctx, f)
}
