package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skycrafters/responder"
)

// hold stores the run as held by this worker, for longer than any of its
// attempts can take: so a lease needs no renewing while they fly.
func (w *worker) hold(ctx context.Context) error {
	now := w.now()
	until := now.Add(w.Lease)
	for _, timeout := range w.flying {
		if end := now.Add(timeout + w.grace + w.Lease/2); end.After(until) {
			until = end
		}
	}
	w.run = w.run.Clone()
	w.run.State, w.run.Lease, w.run.Due = responder.RunRunning, until, until
	if err := w.save(ctx, w.run); err != nil {
		return err
	}
	w.dirty, w.lease = false, until
	return nil
}

// answered reports whether a write was refused because somebody has answered a
// question of the run that this worker holds, and goes on from there.
func (w *worker) answered(ctx context.Context, err error) bool {
	if !errors.Is(err, responder.ErrStale) || w.lease.IsZero() {
		return false
	}
	stored, err := w.held(ctx)
	if err != nil || stored.State.Ended() || !stored.Lease.Equal(w.lease) {
		return false
	}
	w.run = rebased(stored, w.run, w.now())
	w.dirty = true
	return true
}

// overruled reports whether a write was refused because somebody cancelled the
// run that this worker holds.
func (w *worker) overruled(ctx context.Context, err error) bool {
	if !errors.Is(err, responder.ErrStale) || w.lease.IsZero() {
		return false
	}
	stored, err := w.stored(ctx)
	return err == nil && stored != nil
}

// maxReads is how often a worker that was overruled reads its run, within the time
// of one write.
const maxReads = 3

// held reads the run as it is stored. A read that fails is made again: what this
// worker knows of attempts that have landed is known to nobody else.
func (w *worker) held(ctx context.Context) (run *responder.Run, err error) {
	ctx, cancel := aftermath(ctx)
	defer cancel()
	for range maxReads {
		run, err = w.Runs.Get(ctx, w.run.ID)
		if err == nil || errors.Is(err, responder.ErrNotFound) || errors.Is(err, responder.ErrUndecodable) || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", w.run.ID, err)
	}
	return run, nil
}

// stored reads the run as it was cancelled under this worker's lease; nil: it was not.
func (w *worker) stored(ctx context.Context) (*responder.Run, error) {
	run, err := w.held(ctx)
	if err != nil {
		return nil, err
	}
	if run.State != responder.RunCancelled || !run.Lease.Equal(w.lease) {
		return nil, nil
	}
	return run, nil
}

// record writes into a cancelled run what came of the attempts that were under
// way, and gives the lease back.
func (w *worker) record(ctx context.Context) error {
	stored, err := w.stored(ctx)
	if err != nil || stored == nil {
		return err
	}
	w.Logger.Info().Str("run", w.run.ID).Str("flow", w.run.Flow.Name).Str("cause", stored.Cause).Msg("run cancelled while it was under way")
	return w.save(ctx, landed(stored, w.run))
}

// rest stores the run as at rest, gives the lease back, and rings for what
// comes next.
func (w *worker) rest(ctx context.Context) error {
	now := w.now()
	w.run = settle(w.run, w.decide(now), now)
	if err := w.save(ctx, w.run); err != nil {
		return err
	}
	if w.run.State.Ended() {
		w.Logger.Info().Str("run", w.run.ID).Str("flow", w.run.Flow.Name).Str("rule", w.run.Finding.Rule).
			Str("state", string(w.run.State)).Str("cause", w.run.Cause).Msg("run ended")
		return nil
	}
	if err := w.ring(ctx, w.run.ID, w.run.Due, now); err != nil {
		w.Logger.Warn().Err(err).Msg("not rung for; the sweep will")
	}
	return nil
}

// rested is what is made of a run that could not be stored as at rest.
func (w *worker) rested(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case w.overruled(ctx, err):
		return w.record(ctx)
	}
	return w.untakeable(ctx, err)
}

// decide is Next, with the guard that stands above all steps.
func (w *worker) decide(now time.Time) Decision {
	next := Next(w.run, now)
	if next.End != "" {
		return next
	}
	if cause := w.Flows().barred(w.run.Flow.Name); cause != "" && w.run.Undoes == nil {
		return Decision{End: responder.RunParked, Cause: cause}
	}
	if slices.ContainsFunc(next.Do, w.left) {
		return Decision{End: responder.RunParked, Cause: w.haltedBy}
	}
	return next
}

// settle gives the run as it rests with a decision, free for any worker.
func settle(run *responder.Run, at Decision, now time.Time) *responder.Run {
	rested := run.Clone()
	rested.Lease = time.Time{}
	switch {
	case at.End != "":
		rested.State, rested.Cause, rested.Due = at.End, at.Cause, time.Time{}
		if at.End != responder.RunParked {
			giveUpOpen(rested, runOver, now)
		}
	case len(at.Do) > 0:
		rested.State, rested.Due = responder.RunRunning, now
	case asking(rested):
		rested.State, rested.Due = responder.RunAwaitingApproval, at.Until
	default:
		rested.State, rested.Due = responder.RunWaiting, at.Until
	}
	return dated(run, rested, now)
}

// runOver is why a step was given up that had not come to its end with its run.
const runOver = "the run was over"

// giveUpOpen gives up the steps of a run that have not come to their end. The
// states of its steps are changed in place.
func giveUpOpen(run *responder.Run, why string, now time.Time) {
	for _, state := range run.Steps {
		if !over(state.State) {
			giveUp(state, why, now)
		}
	}
}

// untakeable ends a run that no store takes as failed, without what is the
// matter with it. Other errors are given back.
func (w *worker) untakeable(ctx context.Context, err error) error {
	var cause string
	switch {
	case errors.Is(err, responder.ErrTooLarge):
		cause = "the run has outgrown what a store keeps of one"
	case errors.Is(err, responder.ErrUnencodable):
		cause = "the run holds what no store can keep"
	default:
		return err
	}
	w.Logger.Error().Err(err).Str("run", w.run.ID).Msg("run failed")
	return w.save(ctx, slim(settle(w.run, Decision{End: responder.RunFailed, Cause: cause + "; what its steps were given and gave is left out"}, w.now())))
}

// slim gives a run without what its steps were given and gave.
func slim(run *responder.Run) *responder.Run {
	bare := run.Clone()
	for _, state := range bare.Steps {
		state.Params, state.Body, state.Result = nil, nil, nil
	}
	return bare
}
