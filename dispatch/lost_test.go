package dispatch

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/skycrafters/responder"
)

// TestLostTooOften: a step whose worker dies at each attempt, or at each look,
// comes to an end, and a repair not before it has been looked into.
func TestLostTooOften(t *testing.T) {
	const done, not, unknown = responder.VerdictDone, responder.VerdictNotDone, responder.VerdictUnknown
	for _, tt := range []struct {
		name     string
		action   string
		attempts int
		looks    []responder.Verdict // what looks find, the last ever after; none: looks are lost, too
		want     string
		tries    int
		total    int
	}{
		{"a notice", "N", 0, nil, "failed: the worker was lost", 10, 10},
		{"one that has one attempt", "N", 1, nil, "failed: the worker was lost", 10, 10},
		{"one that has many", "C", 20, nil, "failed: the worker was lost", 20, 20},
		{"a repair that is never done", "R", 0, []responder.Verdict{not}, "failed: the worker was lost", 10, 20},
		{"one that has one attempt", "R", 1, []responder.Verdict{not}, "failed: the worker was lost", 10, 20},
		{"a repair that was done at last", "R", 0, []responder.Verdict{not, not, not, not, not, not, not, not, not, done}, "succeeded: ", 10, 20},
		{"a repair of which nobody knows", "R", 0, []responder.Verdict{unknown}, "failed: nobody knows whether it was done", 1, 6},
		{"a repair whose looks are lost, too", "R", 0, nil, "failed: nobody knows whether it was done: the worker was lost", 1, 10},
	} {
		step := act(tt.action)
		step.Retry = &responder.Retry{Attempts: tt.attempts}
		run, now, looked := newRun(step), epoch, 0
		for n := 0; ; n++ {
			next := Next(run, now)
			if next.End != "" || n > 200 {
				break
			}
			if len(next.Do) == 0 {
				now = next.Until
				continue
			}
			o := Outcome(Tried{Path: "0", Err: ErrLost})
			switch next.Do[0].Verb {
			case Begin:
				o = Begun{Path: "0", Action: tt.action, Kind: map[string]responder.Kind{"N": responder.Notice, "C": responder.Check, "R": responder.Repair}[tt.action]}
			case Attempt:
				o = Attempting{Path: "0"}
			case Verify:
				run, o = Apply(run, Attempting{Path: "0", Verify: true}, now, half), nil
				if len(tt.looks) > 0 {
					o = Verified{Path: "0", Verdict: tt.looks[min(looked, len(tt.looks)-1)]}
					looked++
				}
			}
			if o != nil {
				run = Apply(run, o, now, half)
			}
		}
		state := run.Steps["0"]
		tries := 0
		for _, a := range state.Attempts {
			if !a.Verify {
				tries++
			}
		}
		if got := string(state.State) + ": " + state.Error; got != tt.want || tries != tt.tries || len(state.Attempts) != tt.total {
			t.Errorf("%s: %s after %d tries, %d attempts in all; want %s after %d, %d", tt.name, got, tries, len(state.Attempts), tt.want, tt.tries, tt.total)
		}
	}
}

// TestLostLook: a worker that is told to stop while it looks has not looked.
func TestLostLook(t *testing.T) {
	w := newWorld(t, "flows: [{name: f, rule: UnauthorizedInstanceCreated, repairs: live, sequential: [{remediate: {}, retry: {attempts: 1}}]}]")
	w.terminate.answer = func(context.Context, int, responder.Call) (responder.Result, error) {
		return nil, &responder.Unknown{Err: errors.New("no reply")}
	}
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.turn(w.dispatcher())
	run := w.get("f")
	w.clock.Advance(run.Due.Sub(w.clock.Now()))
	ctx, stop := context.WithCancel(context.Background())
	w.terminate.verify = func(n int) (responder.Verdict, error) {
		if n > 1 {
			return responder.VerdictDone, nil
		}
		stop()
		return responder.VerdictUnknown, errors.New("told to stop")
	}
	body, err := (responder.Bell{Wake: run.ID}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if failures := w.dispatcher().Handle(ctx, []responder.Delivery{{ID: "1", Body: body}}); len(failures) > 0 {
		t.Fatal(failures)
	}
	if run = w.get("f"); run.State != responder.RunWaiting || !run.Steps["0"].Attempts[1].Lost || run.Steps["0"].Attempts[1].Unknown {
		t.Fatalf("%s%+v", outline(run), run.Steps["0"].Attempts)
	}
	w.live(w.dispatcher(), 10*time.Minute, 10*time.Second)
	if run = w.get("f"); run.State != responder.RunSucceeded {
		t.Error(outline(run))
	}
}

// TestUnmadeIsNoFailure: a worker whose write was refused because the run was
// cancelled has made no attempt, so no step has failed and nobody is warned.
func TestUnmadeIsNoFailure(t *testing.T) {
	w := newWorld(t, shortFlow)
	var log bytes.Buffer
	w.config.Logger = zerolog.New(&log).Level(zerolog.WarnLevel)
	w.slack.answer = func(ctx context.Context, n int, _ responder.Call) (responder.Result, error) {
		if n == 1 {
			if _, err := w.control().Cancel(ctx, w.get("UnauthorizedInstanceCreated").ID, "bob", ""); err != nil {
				t.Error(err)
			}
		}
		return nil, nil
	}
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.turn(w.dispatcher())
	run := w.get("UnauthorizedInstanceCreated")
	if run.State != responder.RunCancelled || len(w.did()) != 1 || run.FailedSteps() != 0 {
		t.Errorf("did %v\n%s", w.did(), outline(run))
	}
	if strings.TrimSpace(log.String()) != "" {
		t.Errorf("logged %s", log.String())
	}
}
