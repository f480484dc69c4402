package dispatch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/skycrafters/responder"
)

// maxCounted bounds how far suppressed findings are counted: a counter's cost
// grows with what it holds.
const maxCounted = 1000

// cooldown is what a flow says of keeping quiet, ready to be judged.
type cooldown struct {
	span    time.Duration
	by      []func(env map[string]any) (any, error)
	repairs bool // the flow has some: only notices are suppressed
}

// key names the window of a flow that a finding falls into.
func (c *cooldown) key(flow string, env map[string]any) (string, error) {
	values := make([]any, len(c.by))
	for i, value := range c.by {
		var err error
		if values[i], err = value(env); err != nil {
			return "", err
		}
	}
	data, err := json.Marshal(values)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return "cooldown/" + flow + "/" + hex.EncodeToString(sum[:]), nil
}

// suppressed counts a finding under its flow's cooldown: 0 lets it through, else
// it is the n-th since one was, as far as is counted. The same finding again is
// let through again. A window is fixed: it ends `for` after the finding that was
// let through. Where the cooldown cannot be judged, it keeps nothing quiet.
//
// It costs two writes to the counters.
func (d *Dispatcher) suppressed(ctx context.Context, flow *loaded, id string, env map[string]any, now time.Time) (int, error) {
	key, err := flow.cooldown.key(flow.Name, env)
	if err != nil {
		d.Logger.Warn().Str("run", id).Str("flow", flow.Name).Str("error", cleanText(err.Error())).Msg("the cooldown cannot be judged: let through")
		return 0, nil
	}
	if d.Counters == nil {
		return 0, errors.New("cooldown: there are no counters")
	}
	until := now.Add(flow.cooldown.span)
	_, first, err := d.Counters.Add(ctx, key, id, 1, until)
	if err != nil {
		return 0, fmt.Errorf("cooldown: %w", err)
	}
	// The first is counted with those that follow, so that both counters end alike.
	n, _, err := d.Counters.Add(ctx, key+"/suppressed", id, maxCounted+1, until)
	if err != nil {
		return 0, fmt.Errorf("cooldown: %w", err)
	}
	if first {
		return 0, nil
	}
	return max(1, n-1), nil
}

// suppress gives a new run as a cooldown leaves it.
func (c *cooldown) suppress(run *responder.Run, n int, now time.Time) *responder.Run {
	run.Suppressed = n
	if c.repairs {
		return run
	}
	return settle(run, Decision{End: responder.RunSuppressed, Cause: hushed(run)}, now)
}

// hushed says why a run's notices are suppressed, "" if they are not.
func hushed(run *responder.Run) string {
	switch {
	case run.Suppressed == 0:
		return ""
	case run.Suppressed >= maxCounted:
		return fmt.Sprintf("cooldown: %d or more findings like one before it are suppressed", maxCounted)
	}
	return fmt.Sprintf("cooldown: number %d of the findings like one before it that are suppressed", run.Suppressed)
}

// exists reports whether the store has a run.
func (d *Dispatcher) exists(ctx context.Context, id string) (bool, error) {
	_, err := d.Runs.Get(ctx, id)
	if errors.Is(err, responder.ErrNotFound) {
		return false, nil
	}
	if err != nil && !errors.Is(err, responder.ErrUndecodable) {
		return false, err
	}
	return true, nil
}
