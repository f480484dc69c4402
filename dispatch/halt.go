package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skycrafters/responder"
)

// byBreaker is who halts a flow that repairs one thing again and again.
const byBreaker = "breaker"

// Tripped reports whether it was the breaker that halted a flow, and no person.
func Tripped(halt responder.Halt) bool { return halt.By == byBreaker && halt.Flow != "" }

// halted says why a flow repairs nothing for now, "" if it does. It is a
// consistent read: whoever asks after a halt was made sees it.
func (d *Dispatcher) halted(ctx context.Context, flow string) (string, error) {
	if d.Halts == nil {
		return "", nil
	}
	all, err := d.Halts.Halts(ctx)
	if err != nil {
		return "", fmt.Errorf("halts: %w", err)
	}
	for _, h := range all {
		if h.Flow == "" || h.Flow == flow {
			return haltText(h), nil
		}
	}
	return "", nil
}

// haltText is what a run that is parked by a halt says.
func haltText(h responder.Halt) string {
	if h.Why == "" {
		return "halted by " + cleanText(h.By)
	}
	return cleanText("halted by " + h.By + ": " + h.Why)
}

// Halted reports whether a parked run says that a flow's halt parked it.
func Halted(run responder.RunSummary, halt responder.Halt) bool {
	return run.State == responder.RunParked && run.Cause == haltText(halt) && (halt.Flow == "" || halt.Flow == run.Flow)
}

// open asks whether a repair may be tried at all: whether its flow is halted. If
// it is, the step is left as it is, and the run will be parked.
func (w *worker) open(ctx context.Context, path string) bool {
	why, err := w.closed(ctx)
	return w.heeds(path, why, err)
}

// closed says why the run's flow repairs nothing for now, "" if it does.
func (w *worker) closed(ctx context.Context) (string, error) {
	timed, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return w.halted(timed, w.run.Flow.Name)
}

// heeds does what follows from a halt, or from one that cannot be read, and
// reports whether the repair may be tried.
func (w *worker) heeds(path, why string, err error) bool {
	switch {
	case err != nil:
		w.unasked(path, err)
		return false
	case why != "":
		w.halt(path, GuardHalt, why)
		return false
	}
	return true
}

// still gives those of the attempts whose marks are stored that may be made. Halts
// are read once more: whoever halts later sees the mark in the run, and knows that
// the attempt is under way. What may not be made is taken back.
func (w *worker) still(ctx context.Context, starting []flight) []flight {
	return slices.DeleteFunc(starting, func(f flight) bool {
		if f.kind != responder.Repair || f.look != "" || w.run.Undoes != nil {
			return false
		}
		why, err := w.closed(ctx)
		if err == nil && why == "" {
			return false
		}
		w.cancel([]flight{f})
		return !w.heeds(f.path, why, err)
	})
}

// halt leaves all repairs of the run for now.
func (w *worker) halt(path, guard, why string) {
	w.haltedBy = why
	w.Held(HeldReport{Flow: w.run.Flow.Name, Action: w.run.Steps[path].Action, Guard: guard})
	w.Logger.Warn().Str("run", w.run.ID).Str("flow", w.run.Flow.Name).Str("step", path).Str("guard", guard).Str("why", why).Msg("its flow is halted: the run parks before its repair")
}

// left reports whether a task is a repair of a flow that is halted.
func (w *worker) left(task Task) bool {
	state := w.run.Steps[task.Path]
	return w.haltedBy != "" && task.Verb == Attempt && state != nil && state.Kind == responder.Repair
}

// unasked is what becomes of a step whose guards cannot be asked: it waits as
// after an attempt that was lost.
func (w *worker) unasked(path string, err error) {
	w.Logger.Error().Err(err).Str("run", w.run.ID).Str("step", path).Msg("the guards cannot be asked: nothing is done")
	if w.late() {
		return
	}
	w.apply(Attempting{Path: Path(path), Survey: true})
	w.apply(Surveyed{Path: Path(path), Err: fmt.Errorf("%w: the guards cannot be asked: %w", ErrLost, err)})
}

// breaker counts the runs of a flow that touch a thing, and holds back what is too
// many of them in an hour: its repairs may be what triggers it.
func (d *Dispatcher) breaker(ctx context.Context, f fence) (held, error) {
	budget, ok := d.Counters.(responder.Budget)
	if !ok {
		return held{}, nil
	}
	var claims []responder.Claim
	arns := f.arns()
	for _, arn := range arns {
		claims = append(claims, responder.Claim{
			Key: "again/" + f.matter(arn) + "/" + f.flow, Members: []string{f.run.ID}, Limit: f.limits.Again, Expires: d.now().Add(time.Hour),
		})
	}
	for i, some := range slices.Collect(slices.Chunk(claims, responder.MaxClaims)) {
		full, admitted, err := budget.Admit(ctx, some...)
		if err != nil {
			return held{}, fmt.Errorf("limits: %w", err)
		}
		if !admitted {
			h := hold(GuardBreaker, "%d runs have touched %s within an hour: does the flow trigger itself?", f.limits.Again, arns[i*responder.MaxClaims+full])
			h.halts = true
			return h, nil
		}
	}
	return held{}, nil
}

// trip halts the run's flow, and says so loudly, once: whoever comes after finds it
// halted.
func (w *worker) trip(ctx context.Context, h held) error {
	err := w.Halts.Halt(ctx, responder.Halt{Flow: w.run.Flow.Name, By: byBreaker, Why: h.why, At: w.now()})
	switch {
	case errors.Is(err, responder.ErrExists):
		return nil
	case err != nil:
		return err
	}
	w.Logger.Error().Str("flow", w.run.Flow.Name).Str("run", w.run.ID).Str("why", h.why).Msg("the breaker halts the flow: it repairs again and again")
	return nil
}
