package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skycrafters/responder"
)

// earlyBy is how long before a run is due a wake may come by the skew of
// clocks; one that comes earlier is a stray.
const earlyBy = time.Minute

// advance carries a run on as far as it goes now. nil means that the run is
// stored at rest, or is in the hands of another worker.
func (d *Dispatcher) advance(ctx context.Context, j job) error {
	run := j.run
	if run == nil {
		var err error
		run, err = d.Runs.Get(ctx, j.id)
		if errors.Is(err, responder.ErrUndecodable) {
			if !j.woken { // its run is there: what is due of it the sweep sees to
				d.Logger.Warn().Str("run", j.id).Err(err).Msg("a finding's run is there, but cannot be decoded")
				return nil
			}
			return d.park(ctx, j.id, err)
		}
		if err != nil {
			return fmt.Errorf("run %s: %w", j.id, err)
		}
	}
	now := d.now()
	if run.State.Ended() {
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
	if next := Next(run, now); next.Until.After(now) {
		if j.woken && next.Until.Sub(now) <= earlyBy {
			return d.ring(ctx, run.ID, next.Until, now)
		}
		return d.unpark(ctx, j, run)
	}
	w, err := d.worker(run)
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
// not to be forgotten because somebody stopped waiting for it.
func (d *Dispatcher) save(ctx context.Context, run *responder.Run) error {
	ctx, cancel := aftermath(ctx)
	defer cancel()
	run.Token, run.Updated = d.Token(), d.now()
	if err := d.Runs.Save(ctx, run); err != nil {
		return fmt.Errorf("save run %s: %w", run.ID, err)
	}
	d.Observe(run)
	return nil
}

// worker carries on one run, holding its lease. Only the goroutine that calls
// work touches it; attempts fly on goroutines of their own and land on a channel.
type worker struct {
	*Dispatcher
	run      *responder.Run
	scene    scene
	flying   map[string]time.Duration // paths of attempts that have not landed, with their timeouts
	landed   chan Outcome
	dirty    bool      // the run has changed since it was stored
	lease    time.Time // as last stored; zero: not yet
	haltedBy string    // why no repair is tried, as last read; "": none was found
}

func (d *Dispatcher) worker(run *responder.Run) (*worker, error) {
	scene, err := d.scene(run)
	if err != nil {
		return nil, err
	}
	taken := run.Clone()
	taken.Resumed++
	return &worker{
		Dispatcher: d, run: taken, scene: scene,
		flying: map[string]time.Duration{},
		landed: make(chan Outcome),
	}, nil
}

// work does what the run needs until it rests: waiting, ended, or given back
// because time is up. Each turn stores what has come of the attempts that
// landed together with the mark of those that are about to start.
func (w *worker) work(ctx context.Context) error {
	airborne, ground := early(ctx)
	defer w.drain()
	defer ground()
	for {
		starting := w.prepare(airborne)
		if len(w.flying) == 0 {
			err := w.rest(ctx)
			if w.answered(ctx, err) {
				continue
			}
			return w.rested(ctx, err)
		}
		if w.dirty {
			if err := w.hold(ctx); err != nil {
				w.cancel(starting)
				if w.answered(ctx, err) {
					continue
				}
				if w.overruled(ctx, err) {
					w.drain() // what flies lands
					return w.record(ctx)
				}
				ground()
				w.drain()
				return w.untakeable(ctx, err)
			}
		}
		starting = w.still(ctx, starting)
		for _, flight := range starting {
			go func() { w.landed <- w.fly(airborne, flight) }()
		}
		if len(w.flying) == 0 {
			continue
		}
		w.await(airborne)
	}
}

// fly makes an attempt, and tells of it.
func (w *worker) fly(ctx context.Context, f flight) Outcome {
	began := w.Now()
	o := f.fly(ctx)
	w.Attempted(AttemptReport{Action: f.action.Spec().Name, Kind: f.kind, Verify: f.look == verifying, Survey: f.look == surveying, Took: w.Now().Sub(began), Err: errorOf(o)})
	return o
}

// errorOf is the error of an attempt or a look, nil if it has none.
func errorOf(o Outcome) error {
	switch o := o.(type) {
	case Tried:
		return o.Err
	case Verified:
		return o.Err
	case Surveyed:
		return o.Err
	}
	return nil
}

// await waits until an attempt lands, or until a timer of another branch is due.
func (w *worker) await(ctx context.Context) {
	timer, due := w.nearest(ctx)
	if due {
		return
	}
	if timer.IsZero() {
		w.land(<-w.landed)
		return
	}
	ring := time.NewTimer(max(time.Millisecond, timer.Sub(w.now())))
	defer ring.Stop()
	select {
	case o := <-w.landed:
		w.land(o)
	case <-ring.C:
	}
}

// nearest gives the nearest timer of the run, zero for none, or says that
// something is to be done already: a timer was due in the meantime. Of a run
// that is to rest, nothing is done any more.
func (w *worker) nearest(ctx context.Context) (timer time.Time, due bool) {
	if _, ok := w.flow(); !ok || ctx.Err() != nil {
		return time.Time{}, false
	}
	next := Next(w.run, w.now())
	for _, task := range next.Do {
		if _, flying := w.flying[task.Path]; !flying && !w.left(task) {
			return time.Time{}, true
		}
	}
	return next.Timer, false
}

// drain waits for the attempts that are still flying.
func (w *worker) drain() {
	for len(w.flying) > 0 {
		w.land(<-w.landed)
	}
}

// cancel takes back attempts that were marked but not made.
func (w *worker) cancel(starting []flight) {
	for _, f := range starting {
		delete(w.flying, f.path)
		w.apply(Unmade{Path(f.path)})
	}
}

// prepare does all that takes no time, and gives the attempts to start. They
// are marked in the run as under way.
func (w *worker) prepare(ctx context.Context) []flight {
	var starting []flight
	for {
		flow, ok := w.flow()
		if !ok || ctx.Err() != nil {
			return starting
		}
		task, ok := w.next()
		if !ok {
			return starting
		}
		if flight, ok := w.take(ctx, task, flow); ok {
			starting = append(starting, flight)
		}
	}
}

// flow gives the run's flow as it is now; false: its runs do not go on. What
// people undo goes on whatever has become of the flow.
func (w *worker) flow() (flow responder.Flow, ok bool) {
	flow, ok = w.Flows().Get(w.run.Flow.Name)
	return flow, w.run.Undoes != nil || ok && !flow.Disabled
}

// next gives the first thing to do, if there is any. It is asked again after
// each: what ends one branch may make another needless.
func (w *worker) next() (Task, bool) {
	for _, task := range Next(w.run, w.now()).Do {
		if _, flying := w.flying[task.Path]; !flying && !w.left(task) {
			return task, true
		}
	}
	return Task{}, false
}

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
	if task.Verb == Attempt && state.Kind == responder.Repair {
		if w.run.Undoes == nil && !w.open(ctx, task.Path) {
			return flight{}, false
		}
		if o := w.consent(task, state, leave); o != nil {
			w.apply(o)
			return flight{}, false
		}
	}
	f, err := w.flight(task, state)
	if err != nil {
		w.apply(Tried{Path: Path(task.Path), Err: err})
		return flight{}, false
	}
	if state.Kind == responder.Repair && f.look == "" && !w.admits(ctx, task, state, flow) {
		return flight{}, false
	}
	w.apply(Attempting{Path: Path(task.Path), Verify: f.look == verifying, Survey: f.look == surveying})
	w.flying[task.Path] = f.timeout
	return f, true
}

// admits asks the guards of a repair that is about to act, and puts into the run
// what they say if it may not. Guards that cannot be asked let nothing through.
func (w *worker) admits(ctx context.Context, task Task, state *responder.StepState, flow responder.Flow) bool {
	timed, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	h, err := w.ask(timed, w.fence(task, flow))
	switch {
	case err != nil:
		w.unasked(task.Path, err)
		return false
	case h.guard == "":
		return true
	case h.guard == GuardBreaker && w.Halts != nil:
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

func (w *worker) apply(o Outcome) {
	before := w.run.Steps[o.at()]
	w.run = Apply(w.run, o, w.now(), w.Jitter)
	w.dirty = true
	after := w.run.Steps[o.at()]
	if after == nil || after.State != responder.StepFailed || before != nil && before.State == responder.StepFailed {
		return
	}
	w.Logger.Warn().Str("run", w.run.ID).Str("flow", w.run.Flow.Name).Str("rule", w.run.Finding.Rule).
		Str("step", o.at()).Str("action", after.Action).Str("error", after.Error).Msg("step failed")
}

func (w *worker) land(o Outcome) {
	delete(w.flying, o.at())
	w.apply(o)
	state := w.run.Steps[o.at()]
	w.Logger.Debug().Str("run", w.run.ID).Str("step", o.at()).Str("action", state.Action).Str("state", string(state.State)).Str("error", state.Error).Msg("attempt made")
}

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

// held reads the run as it is stored.
func (w *worker) held(ctx context.Context) (*responder.Run, error) {
	ctx, cancel := aftermath(ctx)
	defer cancel()
	run, err := w.Runs.Get(ctx, w.run.ID)
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

// early is ctx, over by the margin before its deadline.
func early(ctx context.Context) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, deadline.Add(-margin))
	}
	return context.WithCancel(ctx)
}

// storeTimeout bounds one write of a run, or one send of a wake.
const storeTimeout = 10 * time.Second

// aftermath is a context to store in what was done, even if ctx is over.
func aftermath(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
}
