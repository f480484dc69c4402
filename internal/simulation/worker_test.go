package simulation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
)

// errDead is what a worker that has died sees of the world: nothing works any more.
var errDead = errors.New("the worker is dead")

// life is one life of a worker: from its start to its crash.
type life struct {
	*world
	name       string // "w1.3": the third life of w1
	skew       time.Duration
	dispatcher *dispatch.Dispatcher
	ctx        context.Context
	cancel     context.CancelFunc
	gone       chan struct{} // closed when it has died
	once       sync.Once
	request    *request // of somebody who does something to a run; nil for a worker
}

// newLife begins one, of a worker or of somebody who does something to a run.
func newLife(w *world, name string, skew time.Duration) *life {
	l := &life{world: w, name: name, skew: skew, gone: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// tenureKey finds in a context which call of Handle it belongs to: the holder of a lease.
type tenureKey struct{}

func tenureOf(ctx context.Context) string {
	tenure, _ := ctx.Value(tenureKey{}).(string)
	return tenure
}

// work lets a worker live, die and live again until the history is over.
func (w *world) work(name string, skew time.Duration) {
	for lives := 1; ; lives++ {
		l := newLife(w, fmt.Sprintf("%s.%d", name, lives), skew)
		l.live()
		select {
		case <-w.over:
			return
		case <-time.After(w.span(l.name+" rests", 100*time.Millisecond, 5*time.Minute)):
		}
	}
}

// skew is how far a worker's clock is off, for all its lives.
func (w *world) skew(name string) time.Duration {
	if !w.strikes(skewed, name) {
		return 0
	}
	return time.Duration((2*w.roll("skew of "+name) - 1) * float64(5*time.Minute))
}

// live runs the worker's loops until it dies or the history is over.
func (l *life) live() {
	defer l.cancel()
	var err error
	config := dispatch.Config{
		Flows: l.current, Catalogue: catalogue(l, l.guarded), Runs: store{l}, Findings: sender{l}, Counters: counters{l},
		Mode: responder.ModeLive, Lease: l.plan.lease, Concurrency: l.plan.together,
		Now:    l.told,
		Jitter: func() float64 { return l.roll(fmt.Sprint("jitter ", time.Now().UnixNano())) },
		Token:  l.token,
	}
	if l.guarded {
		config.Counters, config.Halts = budget{counters{l}}, halts{l}
	}
	l.dispatcher, err = dispatch.New(config)
	if err != nil {
		l.violate("simulation", "%v", err)
		return
	}
	var loops sync.WaitGroup
	for n := range l.plan.hands {
		loops.Go(func() { l.receive(fmt.Sprintf("%s hand %d", l.name, n)) })
	}
	loops.Go(l.sweep)
	select {
	case <-l.gone:
	case <-l.over:
		l.die()
	}
	loops.Wait()
}

// now is the worker's clock.
func (l *life) now() time.Time { return time.Now().Add(l.skew) }

// told is the clock as the engine reads it.
func (l *life) told() time.Time {
	if l.sabotage == fastClock {
		return l.now().Add(30 * time.Second)
	}
	return l.now()
}

// token names a write.
func (l *life) token() string {
	if l.sabotage == oneToken {
		return "token"
	}
	return fmt.Sprint(l.tokens.Add(1))
}

// die ends the life: from now on, nothing that the worker does has an effect.
func (l *life) die() {
	l.once.Do(func() {
		close(l.gone)
		l.cancel()
	})
}

func (l *life) dead() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}

// sleep says whether the worker is still alive afterwards.
func (l *life) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.gone:
		return false
	}
}

// stagger lets calls that are made at one instant be made one after the other,
// in an order that can be replayed. False: the worker has died.
func (l *life) stagger(name string) bool {
	return l.sleep(l.span(fmt.Sprint(name, time.Now().UnixNano()), time.Microsecond, time.Millisecond)) && !l.dead()
}

// receive takes batches from the queue and has them handled.
func (l *life) receive(name string) {
	for n := 0; l.awaitVisible(); n++ {
		take := fmt.Sprintf("%s batch %d", name, n)
		if !l.sleep(l.span(take, time.Millisecond, 200*time.Millisecond)) {
			return
		}
		batch, err := l.take(1 + l.upTo(take+" size", 10))
		if err != nil {
			l.violate("simulation", "%v", err)
			return
		}
		var hands sync.WaitGroup
		for i, part := range l.apart(batch) {
			hands.Go(func() {
				tenure := fmt.Sprintf("%s.%d", take, i)
				if l.stagger(tenure) {
					l.handle(tenure, part)
				}
			})
		}
		hands.Wait()
	}
}

// awaitVisible waits until there may be something on the queue. False: the worker has died.
func (l *life) awaitVisible() bool {
	for {
		at, stirred := l.nextVisible()
		now := time.Now()
		if !at.IsZero() && !at.After(now) {
			return !l.dead()
		}
		var ready <-chan time.Time
		if !at.IsZero() {
			timer := time.NewTimer(at.Sub(now))
			defer timer.Stop()
			ready = timer.C
		}
		select {
		case <-ready:
		case <-stirred:
		case <-l.gone:
			return false
		}
	}
}

func (w *world) nextVisible() (time.Time, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.visible) == 0 {
		return time.Time{}, w.stirred
	}
	return slices.MinFunc(w.visible, time.Time.Compare), w.stirred
}

// take receives what there is on the queue, at most so many.
func (w *world) take(most int) ([]responder.Delivery, error) {
	batch, err := w.queue.Receive(context.Background(), most, 0)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(batch) < most { // nothing else is visible now
		w.visible = slices.DeleteFunc(w.visible, func(at time.Time) bool { return !at.After(now) })
	}
	for range batch {
		w.visible = append(w.visible, now.Add(w.plan.visibility))
	}
	return batch, nil
}

// apart parts a batch so that no part has two deliveries for one run: handled
// by one call, nobody could say which of them went first.
func (l *life) apart(batch []responder.Delivery) [][]responder.Delivery {
	var parts [][]responder.Delivery
	var taken []map[string]bool
	for _, d := range batch {
		runs := l.concerned(d)
		i := slices.IndexFunc(taken, func(ids map[string]bool) bool {
			return !slices.ContainsFunc(runs, func(id string) bool { return ids[id] })
		})
		if i < 0 {
			i = len(parts)
			parts, taken = append(parts, nil), append(taken, map[string]bool{})
		}
		parts[i] = append(parts[i], d)
		for _, id := range runs {
			taken[i][id] = true
		}
	}
	return parts
}

// concerned gives the runs that a delivery is about.
func (l *life) concerned(d responder.Delivery) []string {
	bell, err := responder.DecodeBell(d.Body)
	if err != nil {
		l.violate("simulation", "%v", err)
		return nil
	}
	if bell.Wake != "" {
		return []string{bell.Wake}
	}
	var ids []string
	for _, flow := range flowNames(l.dice) {
		ids = append(ids, bell.Finding.RunID(flow))
	}
	return ids
}

// handle has a batch handled, and acknowledges or gives back each delivery.
func (l *life) handle(tenure string, batch []responder.Delivery) {
	ctx := context.WithValue(l.ctx, tenureKey{}, tenure)
	if l.plan.deadline > 0 {
		timed, cancel := context.WithTimeout(ctx, l.plan.deadline)
		defer cancel()
		ctx = timed
	}
	failed := map[string]responder.Failure{}
	for _, f := range l.dispatcher.Handle(ctx, batch) {
		failed[f.ID] = f
	}
	if l.dead() {
		return
	}
	l.judgeReturn(ctx, tenure)
	ctx = context.WithoutCancel(ctx)
	for _, d := range batch {
		f, bad := failed[d.ID]
		switch {
		case !bad:
			l.judgeHandled(d)
			l.acknowledge(ctx, d)
		case f.Dead:
			l.violate("nothing is given up", "%s was to be buried: %v", l.title(d), f.Err)
		default:
			l.giveBack(ctx, d)
		}
	}
}

// acknowledge removes a message. If that fails it comes again.
func (l *life) acknowledge(ctx context.Context, d responder.Delivery) {
	_, _ = await(ctx, l, "ack of "+l.title(d), faults{refused: ackLost}, func() (struct{}, error) {
		return struct{}{}, l.queue.Ack(context.Background(), d)
	})
}

// giveBack lets a message come again soon. If that fails it comes later.
func (l *life) giveBack(ctx context.Context, d responder.Delivery) {
	after := time.Duration(d.Receives*d.Receives) * time.Second
	_, _ = await(ctx, l, "release of "+l.title(d), faults{refused: ackLost}, func() (struct{}, error) {
		err := l.queue.Release(context.Background(), d, after)
		if err == nil {
			l.appears(time.Now().Add(after))
		}
		return struct{}{}, err
	})
}

// title is what stories call a message.
func (w *world) title(d responder.Delivery) string {
	bell, err := responder.DecodeBell(d.Body)
	switch {
	case err != nil:
		return "message " + d.ID
	case bell.Wake != "":
		return "wake of " + w.nameOf(bell.Wake)
	}
	return bell.Finding.Title
}

// sweepEvery is how far apart the sweeps of a worker are.
const sweepEvery = time.Minute

// sweep sweeps every minute. Minutes in which nothing is due are passed over:
// nobody could tell.
func (l *life) sweep() {
	phase := l.span("phase of "+l.name, time.Second, sweepEvery)
	ctx := context.WithValue(l.ctx, tenureKey{}, l.name+" sweep")
	for last := time.Now(); ; {
		due, stirred := l.nextDue()
		var tick <-chan time.Time
		if !due.IsZero() {
			at := last.Truncate(sweepEvery).Add(phase)
			for !at.After(last) {
				at = at.Add(sweepEvery)
			}
			if due = due.Add(-l.skew); at.Before(due) {
				at = at.Add((due.Sub(at) + sweepEvery - 1).Truncate(sweepEvery))
			}
			timer := time.NewTimer(time.Until(at))
			defer timer.Stop()
			tick = timer.C
		}
		select {
		case <-tick:
			last = time.Now()
		case <-stirred:
			continue
		case <-l.gone:
			return
		}
		if l.strikes(sweepLost, l.nth("sweep of "+l.name)) {
			continue
		}
		if _, err := l.dispatcher.Sweep(ctx); err != nil {
			continue // the next one is in a minute
		}
	}
}

// nextDue is the nearest moment at which a run is due; zero: none is.
func (w *world) nextDue() (time.Time, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var next time.Time
	for _, r := range w.stored {
		if due := r.run.Due; !due.IsZero() && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	return next, w.stirred
}
