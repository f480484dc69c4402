package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skycrafters/responder"
)

// maxSweep is the most runs that one sweep rings for; the next takes the rest.
const maxSweep = 1000

// Sweep rings for every run that is due: whose wait is over, whose retry is
// due, or whose worker died. It is to be called about once a minute; calling it
// more often, or from several places, does no harm. It says for how many it rang.
func (d *Dispatcher) Sweep(ctx context.Context) (int, error) {
	ids, err := d.Runs.Due(ctx, d.now(), maxSweep)
	if err != nil {
		return 0, fmt.Errorf("sweep: due runs: %w", err)
	}
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
	if err := d.Findings.Send(ctx, responder.Message{Body: body, Delay: wait}); err != nil {
		return fmt.Errorf("wake of run %s: %w", id, err)
	}
	return nil
}
