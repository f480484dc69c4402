package dispatch

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// Control is what people can do to runs: cancel, retry, run again, undo. It needs no
// flows and no actions, so it works from anywhere that reaches the store and the
// queue. Whatever it does, it does by one conditional write, which names who did
// it; done twice it is done once. Safe for concurrent use.
//
// Its methods give the run as it is stored afterwards. They give an error that
// is *Refused where a run does not allow it, ErrNotFound, or ErrUndecodable. With
// a run and another error, all is done but that it could not be rung for: the
// sweep will.
type Control struct {
	Runs     responder.RunStore
	Findings responder.Sender // for wakes
	Now      func() time.Time // nil: time.Now
	Token    func() string    // names an attempt to write; nil: crypto/rand
}

// Control gives what people can do to the Dispatcher's runs.
func (d *Dispatcher) Control() Control {
	return Control{Runs: d.Runs, Findings: d.Findings, Now: d.Now, Token: d.Token}
}

// Refused is why something cannot be done to a run as it stands.
type Refused struct{ Reason string }

func (e *Refused) Error() string { return e.Reason }

func refuse(format string, args ...any) error { return &Refused{fmt.Sprintf(format, args...)} }

// What an audit keeps, at most.
const (
	maxAudit     = 100 // of retries of a run, and as many cancellations
	maxAuditText = 200 // bytes of who, and of why
	maxAgain     = 1000
	maxRounds    = 10 // of which each but the last met another's write
)

// Cancel ends a run that has not ended, or is parked. What waits is given up; an
// attempt under way is let come to its end, and is recorded, but nothing
// follows it. why may be empty. A run that is cancelled already stays as it is.
func (c Control) Cancel(ctx context.Context, id, by, why string) (*responder.Run, error) {
	run, err := c.change(ctx, id, responder.DeedCancel, by, why, func(run *responder.Run, entry responder.Audit) (*responder.Run, error) {
		switch {
		case run.State == responder.RunCancelled:
			return nil, nil
		case run.State.Ended() && run.State != responder.RunParked:
			return nil, refuse("run %s is over: it has %s", id, past(run.State))
		}
		return cancelled(run, entry), nil
	})
	return run, during("cancel", err)
}

// Retry carries on a run that failed, was cancelled or is parked, from the steps
// that ended it; what succeeded stays. A repair of which nobody knows whether it
// was done is looked into first. The run keeps its steps and its age; attempts,
// resumptions and the flow's timeout count anew. A run that is under way stays
// as it is; one that is being undone is refused.
func (c Control) Retry(ctx context.Context, id, by string) (*responder.Run, error) {
	run, err := c.change(ctx, id, responder.DeedRetry, by, "", func(run *responder.Run, entry responder.Audit) (*responder.Run, error) {
		switch run.State {
		case responder.RunFailed, responder.RunCancelled, responder.RunParked:
		case responder.RunSucceeded, responder.RunStopped, responder.RunSuppressed:
			return nil, refuse("run %s has %s: there is nothing to retry, but it can be run again", id, past(run.State))
		default:
			return nil, nil
		}
		if len(run.Audit) >= maxAudit {
			return nil, refuse("run %s has been retried too often: run it again", id)
		}
		undos, err := undosOf(ctx, c.Runs, run)
		if err != nil {
			return nil, err
		}
		if n := len(undos); n > 0 && !undos[n-1].State.Ended() {
			return nil, refuse("run %s is being undone, by run %s: wait for its end, or cancel that", id, undos[n-1].ID)
		}
		return retried(run, entry), nil
	})
	return run, during("retry", err)
}

// Again makes a new run of the same finding and flow, under the id of the first
// with #2, #3 … behind it. It begins with the flow as it is then, and its guards
// are read anew: an event that has grown old gets dry repairs. Neither the flow's
// `if` nor its cooldown is asked: somebody was. While such a run is under way no
// further one is made: it is the one given.
func (c Control) Again(ctx context.Context, id, by string) (*responder.Run, error) {
	run, err := c.again(ctx, id, by)
	return run, during("run again", err)
}

func (c Control) again(ctx context.Context, id, by string) (*responder.Run, error) {
	old, err := c.Runs.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	switch {
	case old.Undoes != nil:
		return nil, refuse("run %s undoes another: run %s again", id, old.Undoes.Run)
	case old.Tells():
		return nil, refuse("run %s tells of other runs: it can be retried, and not run again", id)
	case !old.State.Ended():
		return nil, refuse("run %s is under way: cancel it first", id)
	}
	now := c.now()
	first, _, _ := strings.Cut(id, "#")
	entry, err := audit(responder.DeedAgain, by, "of run "+id, now)
	if err != nil {
		return nil, err
	}
	run := &responder.Run{
		V: 1, Token: c.token(), Flow: responder.FlowSnapshot{Name: old.Flow.Name}, Finding: old.Finding, CausedBy: old.CausedBy, Mode: old.Mode,
		State: responder.RunRunning, Due: now, Steps: map[string]*responder.StepState{},
		Audit: []responder.Audit{entry}, Created: now, Updated: now,
	}
	for n := number(id) + 1; n <= maxAgain; n++ {
		run.ID = first + "#" + strconv.Itoa(n)
		err := c.Runs.Create(ctx, run)
		if err == nil {
			return run, c.ring(ctx, run)
		}
		if !errors.Is(err, responder.ErrExists) {
			return nil, err
		}
		there, err := c.Runs.Get(ctx, run.ID)
		if err != nil || !there.State.Ended() {
			return there, err
		}
	}
	return nil, refuse("run %s has been run again too often", first)
}

// number is what stands behind # in the id of a run, 1 if nothing does.
func number(id string) int {
	_, text, _ := strings.Cut(id, "#")
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 1
	}
	return n
}

// change does something to a run as it stands. do gives the run as it is to be,
// or nil to leave it.
func (c Control) change(ctx context.Context, id string, what responder.Deed, by, why string, do func(*responder.Run, responder.Audit) (*responder.Run, error)) (*responder.Run, error) {
	for range maxRounds {
		run, err := c.Runs.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		entry, err := audit(what, by, why, c.now())
		if err != nil {
			return nil, err
		}
		after, err := do(run, entry)
		if err != nil {
			return nil, err
		}
		if after == nil {
			return run, nil
		}
		after.Token, after.Updated = c.token(), entry.At
		err = c.Runs.Save(ctx, after)
		if after.State.Ended() && (errors.Is(err, responder.ErrTooLarge) || errors.Is(err, responder.ErrUnencodable)) {
			after = slim(after)
			err = c.Runs.Save(ctx, after)
		}
		switch {
		case errors.Is(err, responder.ErrStale):
			continue
		case err != nil:
			return nil, err
		case after.State.Ended():
			return after, nil
		}
		return after, c.ring(ctx, after)
	}
	return nil, fmt.Errorf("run %s changed %d times meanwhile: %w", id, maxRounds, responder.ErrStale)
}

// audit makes an entry.
func audit(what responder.Deed, by, why string, now time.Time) (responder.Audit, error) {
	entry := responder.Audit{At: now, By: cut(cleanText(strings.TrimSpace(by)), maxAuditText), What: what, Why: cut(cleanText(strings.TrimSpace(why)), maxAuditText)}
	if entry.By == "" {
		return entry, errors.New("who does it is not said")
	}
	return entry, nil
}

// ring sends a wake for a run that is due.
func (c Control) ring(ctx context.Context, run *responder.Run) error {
	if err := ring(ctx, c.Findings, run.ID, run.Due, c.now()); err != nil {
		return fmt.Errorf("not rung for; the sweep will: %w", err)
	}
	return nil
}

func (c Control) now() time.Time {
	if c.Now == nil {
		return time.Now().UTC().Round(0)
	}
	return c.Now().UTC().Round(0)
}

func (c Control) token() string {
	if c.Token == nil {
		return rand.Text()
	}
	return c.Token()
}

// during says what has failed.
func during(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// past says what has become of a run that is over: "it has …".
func past(state responder.RunState) string {
	switch state {
	case responder.RunStopped, responder.RunSuppressed, responder.RunCancelled:
		return "been " + string(state)
	}
	return string(state)
}
