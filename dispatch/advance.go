package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skycrafters/responder"
)

// earlyBy is how long before a run is due a wake may come by the skew of
// clocks; one that comes earlier is a stray.
const earlyBy = time.Minute

// advance carries a run on as far as it goes now. nil means that the run is
// stored at rest, or is in the hands of another worker.
func (d *Dispatcher) advance(ctx context.Context, j job) error {
	if j.run != nil {
		err := d.carryOn(ctx, j, j.run)
		if !errors.Is(err, responder.ErrExists) {
			return err
		}
		d.Repeated(j.run.Finding, []string{j.id}) // the same finding in other hands, which were quicker
	}
	run, err := d.Runs.Get(ctx, j.id)
	switch {
	case errors.Is(err, responder.ErrUndecodable) && j.woken:
		return d.park(ctx, j.id, err)
	case errors.Is(err, responder.ErrUndecodable): // its run is there: what is due of it the sweep sees to
		d.Logger.Warn().Str("run", j.id).Err(err).Msg("a finding's run is there, but cannot be decoded")
		return nil
	case err != nil:
		return fmt.Errorf("run %s: %w", j.id, err)
	}
	return d.carryOn(ctx, j, run)
}

// carryOn is advance of a run that is known. ErrExists: it is new, and somebody
// else has stored it meanwhile.
func (d *Dispatcher) carryOn(ctx context.Context, j job, run *responder.Run) error {
	now := d.now()
	switch {
	case run.State.Ended() && run.Version == 0:
		return d.save(ctx, run)
	case run.State.Ended():
		return d.unpark(ctx, j, run)
	}
	if run.Lease.After(now) {
		return nil
	}
	if run.Flow.Digest == "" && len(run.Flow.Steps) == 0 {
		adopted, cause := d.adopt(run, now)
		if adopted == nil {
			return quiet(d.save(ctx, settle(run, Decision{End: responder.RunParked, Cause: cause}, now)))
		}
		run = adopted
	}
	next := Next(run, now)
	if atRest := run.Version > 0 && run.Due.After(now); atRest && next.Until.After(now) {
		if j.woken && next.Until.Sub(now) <= earlyBy {
			return d.ring(ctx, run.ID, next.Until, now)
		}
		return d.unpark(ctx, j, run)
	}
	w, err := d.worker(run, j.about)
	if err != nil { // written by another version, in words this one does not know
		parked := settle(run, Decision{End: responder.RunParked, Cause: cleanText(err.Error())}, now)
		return quiet(d.save(ctx, parked))
	}
	return quiet(w.work(ctx))
}

// parkFor is how long a run that cannot be decoded rests before the sweep tries
// again: somebody may have upgraded.
const parkFor = time.Hour

// park puts by a run that cannot be decoded. Its wake is only the bell, and has
// done what it can.
func (d *Dispatcher) park(ctx context.Context, id string, cause error) error {
	d.Logger.Error().Str("run", id).Err(cause).Msg("run parked: it cannot be decoded")
	d.Parked(id)
	parker, ok := d.Runs.(responder.RunParker)
	if !ok {
		return nil
	}
	if err := parker.Park(ctx, id, d.now().Add(parkFor)); err != nil && !errors.Is(err, responder.ErrNotFound) {
		return fmt.Errorf("park run %s: %w", id, err)
	}
	return nil
}

// unpark gives a run its place in the store back, if somebody who could not decode
// it has put it by: a wake for a run that needs nothing is a sign of that.
func (d *Dispatcher) unpark(ctx context.Context, j job, run *responder.Run) error {
	parker, ok := d.Runs.(responder.RunParker)
	if !ok || !j.woken {
		return nil
	}
	if err := parker.Unpark(ctx, run); err != nil {
		return fmt.Errorf("unpark run %s: %w", run.ID, err)
	}
	return nil
}

// quiet drops ErrStale: another worker has the run, and will do what is to be done.
func quiet(err error) error {
	if errors.Is(err, responder.ErrStale) {
		return nil
	}
	return err
}

// save stores a run under a new token, even if ctx is over: what was done is
// not to be forgotten because somebody stopped waiting for it. Of a new run
// nothing was done: its finding comes again. ErrExists: a new one is there.
func (d *Dispatcher) save(ctx context.Context, run *responder.Run) error {
	store, what := d.Runs.Save, "save"
	bounded, cancel := aftermath(ctx)
	if run.Version == 0 {
		cancel()
		store, what = d.Runs.Create, "create"
		bounded, cancel = context.WithTimeout(ctx, storeTimeout)
	}
	defer cancel()
	run.Token, run.Updated = d.Token(), d.now()
	if err := store(bounded, run); err != nil {
		return fmt.Errorf("%s run %s: %w", what, run.ID, err)
	}
	d.Observe(run)
	return nil
}

// storeTimeout bounds one write of a run, or one send of a wake.
const storeTimeout = 10 * time.Second

// aftermath is a context to store in what was done, even if ctx is over.
func aftermath(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
}
