package dispatch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/skycrafters/responder"
)

// maxSweep is the most runs that one sweep rings for; the next takes the rest.
// Where many wait until the same time of day, it bounds how late the last is.
const maxSweep = 10_000

// ringAgain is how long after a ring a sweep leaves a run alone: the bell may
// still be on its way through a queue that is behind. It is less than the minute
// between two sweeps of a schedule.
const ringAgain = 50 * time.Second

// rung remembers for whom was rung lately.
type rung struct {
	mu sync.Mutex
	at map[string]time.Time
}

// fresh keeps the ids for which nobody rang lately, and remembers them.
func (r *rung) fresh(ids []string, now time.Time) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.at, func(_ string, at time.Time) bool { return now.Sub(at) >= ringAgain })
	if r.at == nil {
		r.at = map[string]time.Time{}
	}
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { _, lately := r.at[id]; return lately })
	for _, id := range ids {
		r.at[id] = now
	}
	return ids
}

// forget lets the next sweep ring again.
func (r *rung) forget(ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		delete(r.at, id)
	}
}

// Sweep rings for every run that is due: whose wait is over, whose retry is
// due, or whose worker died. It is to be called about once a minute; calling it
// more often, or from several places, does no harm: a run for which it rang just now
// is left alone. It says for how many it rang.
func (d *Dispatcher) Sweep(ctx context.Context) (int, error) {
	now := d.now()
	due, err := d.Runs.Due(ctx, now, maxSweep)
	if err != nil {
		return 0, fmt.Errorf("sweep: due runs: %w", err)
	}
	ids := d.rung.fresh(due, now)
	if len(ids) == 0 {
		return 0, nil
	}
	messages := make([]responder.Message, len(ids))
	for i, id := range ids {
		if messages[i].Body, err = (responder.Bell{Wake: id}).Encode(); err != nil {
			return 0, fmt.Errorf("sweep: run %s: %w", id, err)
		}
	}
	err = d.Findings.Send(ctx, messages...)
	if err != nil {
		d.rung.forget(ids)
	}
	var partly *responder.SendError
	switch {
	case errors.As(err, &partly):
		return len(ids) - len(partly.Failed), fmt.Errorf("sweep: %w", err)
	case err != nil:
		return 0, fmt.Errorf("sweep: %w", err)
	}
	return len(ids), nil
}

// ring sends a wake for a run that is due at a moment, never to arrive before
// it. What is further away than a message can be delayed is left to the sweep.
func (d *Dispatcher) ring(ctx context.Context, id string, due, now time.Time) error {
	return ring(ctx, d.Findings, id, due, now)
}

func ring(ctx context.Context, findings responder.Sender, id string, due, now time.Time) error {
	wait := max(0, due.Sub(now))
	if rest := wait % time.Second; rest > 0 { // queues count in whole seconds
		wait += time.Second - rest
	}
	if wait > responder.MaxDelay {
		return nil
	}
	body, err := (responder.Bell{Wake: id}).Encode()
	if err != nil {
		return fmt.Errorf("wake of run %s: %w", id, err)
	}
	ctx, cancel := aftermath(ctx)
	defer cancel()
	if err := findings.Send(ctx, responder.Message{Body: body, Delay: wait}); err != nil {
		return fmt.Errorf("wake of run %s: %w", id, err)
	}
	return nil
}
