package dispatch

import (
	"context"
	"time"

	"github.com/skycrafters/responder"
)

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

// worker readies a worker for a run. What the run is about is made out here if it
// is not known: zero.
func (d *Dispatcher) worker(run *responder.Run, about subject) (*worker, error) {
	scene, err := d.scene(run, about)
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
	w.alarm()
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
	if state := w.run.Steps[o.at()]; state == nil || !underWay(state) { // somebody has cancelled the run and had it retried, which begins this anew
		w.Logger.Warn().Str("run", w.run.ID).Str("step", o.at()).Msg("an attempt landed that the run does not know any more")
		return
	}
	w.apply(o)
	state := w.run.Steps[o.at()]
	w.Logger.Debug().Str("run", w.run.ID).Str("step", o.at()).Str("action", state.Action).Str("state", string(state.State)).Str("error", state.Error).Msg("attempt made")
}

// early is ctx, over by the margin before its deadline.
func early(ctx context.Context) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, deadline.Add(-margin))
	}
	return context.WithCancel(ctx)
}
