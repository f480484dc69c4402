package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/skycrafters/responder"
)

// origin says of an event that one of Responder's own roles caused which run that
// was, and notes in that run to which one its doing has led; nil of all other
// events. The role is judged by its ARN; the session's name is asked only then,
// and only for a run that is there.
//
// It is noted before the run it led to is stored: whoever dies in between, the
// finding comes again.
func (d *Dispatcher) origin(ctx context.Context, event responder.Event, led string) (*responder.Origin, error) {
	if !d.guards.causedBy(event) {
		return nil, nil
	}
	origin := &responder.Origin{Session: cut(cleanText(event.Session()), maxAuditText)}
	id := responder.SessionRun(event.Session())
	if id == "" {
		return origin, nil
	}
	for range maxRounds {
		run, err := d.Runs.Get(ctx, id)
		switch {
		case errors.Is(err, responder.ErrNotFound):
			return origin, nil
		case errors.Is(err, responder.ErrUndecodable): // it is there, and not to be changed
			origin.Run = id
			return origin, nil
		case err != nil:
			return nil, err
		}
		origin.Run = id
		if slices.Contains(run.Caused, led) || len(run.Caused) >= responder.MaxCaused || id == led {
			return origin, nil
		}
		run.Caused = append(slices.Clip(run.Caused), led)
		run.Token = d.Token()
		switch err := d.Runs.Save(ctx, run); {
		case errors.Is(err, responder.ErrStale): // somebody carries it on
			continue
		case errors.Is(err, responder.ErrTooLarge), errors.Is(err, responder.ErrUnencodable): // the other side tells it
			return origin, nil
		case err != nil:
			return nil, err
		}
		if now := d.now(); !run.State.Ended() && !run.Lease.After(now) { // whoever was about to take it up has met this write
			return origin, d.ring(ctx, id, run.Due, now)
		}
		return origin, nil
	}
	return nil, fmt.Errorf("run %s changed %d times meanwhile: %w", id, maxRounds, responder.ErrStale)
}
