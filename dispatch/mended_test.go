package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/memory"
)

// A number that JSON cannot say fails its step; the run does not hang on it.
func TestNotANumber(t *testing.T) {
	w := newWorld(t, "flows:\n  - rule: RootLogin\n    sequential:\n      - SendEmail: {copies: '{{ float(\"NaN\") }}'}\n      - SendSlack: {message: after}\n")
	w.send(w.finding("RootLogin"))
	w.turn(w.dispatcher())
	run := w.get("RootLogin")
	if run.State != responder.RunSucceeded || run.Steps["0"].State != responder.StepFailed || run.Steps["1"].State != responder.StepSucceeded {
		t.Error(outline(run))
	}
}

// A sweep does not ring again for a run while the bell may be on its way.
func TestSweepDoesNotPileUp(t *testing.T) {
	w := newWorld(t, shortFlow)
	ctx := context.Background()
	run := &responder.Run{V: 1, ID: "r", State: responder.RunWaiting, Due: w.clock.Now(), Created: w.clock.Now(), Finding: w.finding("UnauthorizedInstanceCreated")}
	if err := w.runs.Create(ctx, run); err != nil {
		t.Fatal(err)
	}
	d := w.dispatcher()
	rang := 0
	for range 30 { // five minutes in which nobody takes the messages
		n, err := d.Sweep(ctx)
		if err != nil {
			t.Fatal(err)
		}
		rang += n
		w.clock.Advance(10 * time.Second)
	}
	if rang != 6 {
		t.Errorf("rang %d times in five minutes, want once in fifty seconds", rang)
	}
}

// undecodable is a store in which one run is of a later version.
type undecodable struct {
	*memory.Runs
	mu     sync.Mutex
	parked map[string]time.Time
}

func (u *undecodable) Get(context.Context, string) (*responder.Run, error) {
	return nil, fmt.Errorf("get: %w", responder.ErrFutureVersion)
}

func (u *undecodable) Park(_ context.Context, id string, until time.Time) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.parked[id] = until
	return nil
}

func (u *undecodable) Unpark(context.Context, *responder.Run) error { return errors.New("what?") }

// unparking notes which runs are given their places back.
type unparking struct {
	*memory.Runs
	unparked []string
}

func (u *unparking) Park(context.Context, string, time.Time) error { return errors.New("what?") }

func (u *unparking) Unpark(_ context.Context, run *responder.Run) error {
	u.unparked = append(u.unparked, string(run.State))
	return nil
}

// TestUnpark: a wake of a run that needs nothing gives it its place in the store
// back, in case somebody who could not decode it has put it by.
func TestUnpark(t *testing.T) {
	w := newWorld(t, "flows: [{name: f, rule: UnauthorizedInstanceCreated, sequential: [wait: 10d]}]")
	store := &unparking{Runs: w.runs}
	w.config.Runs = store
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.turn(w.dispatcher())
	wake := func() {
		body, err := responder.Bell{Wake: w.get("f").ID}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if failures := w.dispatcher().Handle(context.Background(), []responder.Delivery{{ID: "1", Body: body}}); len(failures) != 0 {
			t.Fatal(failures)
		}
	}
	wake()
	if _, err := w.control().Cancel(context.Background(), w.get("f").ID, "ann", ""); err != nil {
		t.Fatal(err)
	}
	wake()
	if want := []string{"waiting", "cancelled"}; !slices.Equal(store.unparked, want) {
		t.Errorf("unparked %v, want %v", store.unparked, want)
	}
}

// The wake of a run that cannot be decoded is no dead letter; the run is parked.
func TestUndecodableRun(t *testing.T) {
	w := newWorld(t, shortFlow)
	store := &undecodable{Runs: w.runs, parked: map[string]time.Time{}}
	w.config.Runs = store
	body, err := responder.Bell{Wake: "r"}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if failures := w.dispatcher().Handle(context.Background(), []responder.Delivery{{ID: "1", Body: body}}); len(failures) != 0 {
		t.Errorf("failures: %v", failures)
	}
	if want := w.clock.Now().Add(parkFor); !store.parked["r"].Equal(want) {
		t.Errorf("parked until %v, want %v", store.parked["r"], want)
	}
}

// marking lets a second go by as soon as an attempt is stored as under way.
type marking struct {
	*memory.Runs
	clock *clock
}

func (m marking) Create(ctx context.Context, run *responder.Run) error {
	m.mark(run)
	return m.Runs.Create(ctx, run)
}

func (m marking) Save(ctx context.Context, run *responder.Run) error {
	m.mark(run)
	return m.Runs.Save(ctx, run)
}

func (m marking) mark(run *responder.Run) {
	if state := run.Steps["0.0"]; state != nil && underWay(state) {
		m.clock.Advance(time.Second)
	}
}

// A wait in one branch ends in time though another branch's attempt is under
// way: also if it falls due just while that attempt is being started.
func TestBranchesDoNotHoldEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "flows:\n  - rule: UnauthorizedInstanceCreated\n    repairs: live\n    parallel:\n      - remediate: {}\n        timeout: 5s\n      - sequential: [wait: 1s, SendSlack: {message: in time}]\n")
		w.config.Runs = marking{w.runs, w.clock}
		told := make(chan struct{})
		w.terminate.answer = func(ctx context.Context, _ int, _ responder.Call) (responder.Result, error) {
			select {
			case <-told:
				return nil, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		w.slack.answer = func(context.Context, int, responder.Call) (responder.Result, error) {
			close(told)
			return nil, nil
		}
		f := w.finding("UnauthorizedInstanceCreated")
		f.Event = []byte(strings.ReplaceAll(string(f.Event), "bob", "ann"))
		w.send(f)
		w.turn(w.dispatcher())
		if run := w.get("UnauthorizedInstanceCreated"); run.State != responder.RunSucceeded || len(run.Steps["0.0"].Attempts) != 1 {
			t.Error(outline(run))
		}
	})
}

func TestSamePrincipal(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"arn:aws:iam::1:role/r", "arn:aws:iam::1:role/r", true},
		{"arn:aws:iam::1:role/r", "arn:aws:iam::1:role/some/path/r", true},
		{"arn:aws:iam::1:role/r", "arn:aws:iam::2:role/r", false},
		{"arn:aws:iam::1:role/r", "arn:aws:iam::1:user/r", false},
		{"arn:aws:iam::1:role/r", "arn:aws:iam::1:role/r2", false},
		{"", "", false},
	} {
		if got := samePrincipal(c.a, c.b); got != c.want {
			t.Errorf("%q and %q: %v", c.a, c.b, got)
		}
	}
}

// TestLandedThenHeld: what guards, or a flow that was disarmed, made of a look that had
// landed before its worker heard of the cancellation, does not count: the look alone does.
func TestLandedThenHeld(t *testing.T) {
	steps := []responder.Step{{Kind: responder.StepAction, Action: "R"}}
	for name, o := range map[string]Outcome{
		"held back": Skipped{Path: "0", Would: "it", Why: "protected", Guard: GuardProtected},
		"disarmed":  Recorded{Path: "0", Would: "it", Why: "repairs are dry"},
	} {
		run := newRun(steps...)
		run.Lease = epoch.Add(time.Hour)
		run = Apply(run, Begun{Path: "0", Action: "R", Kind: responder.Repair}, epoch, half)
		run = Apply(run, Attempting{Path: "0", Survey: true}, epoch, half)
		seen := Apply(run, Surveyed{Path: "0", Found: &responder.Survey{Targets: []responder.Target{{ARN: "arn:aws:a"}}}}, epoch, half)
		seen = Apply(seen, o, epoch, half)
		after := landed(cancelled(run, responder.Audit{At: epoch, By: "bob"}), seen)
		if s := after.Steps["0"]; s.State != responder.StepCancelled || s.Dry || s.Attempts[0].Ended.IsZero() {
			t.Errorf("%s: %s", name, outline(after))
		}
	}
}

// TestCallKey: what is begun anew is another deed to the other side; an attempt is not.
func TestCallKey(t *testing.T) {
	retry := func(at time.Duration) responder.Audit {
		return responder.Audit{What: responder.DeedRetry, At: epoch.Add(at)}
	}
	run := newRun(responder.Step{Kind: responder.StepAction, Action: "R", OnError: &responder.OnError{Policy: responder.PolicySteps, Steps: []responder.Step{{}}}})
	run.ID = "r"
	run.Steps = map[string]*responder.StepState{
		"0": {Approval: &responder.Approval{Digest: "0123456789abcdef"}, Began: epoch.Add(time.Minute)}, "0.tell.0": {Began: epoch}, "0.error.0": {Began: epoch.Add(time.Minute)},
	}
	want := func(path, key string) {
		t.Helper()
		if got := callKey(run, path); got != key {
			t.Errorf("step %s has the key %s, want %s", path, got, key)
		}
	}
	want("0", "r/0")
	want("0.tell.0", "r/0.tell.0@0123456789ab")
	want("0.error.0", "r/0.error.0")
	run.Audit = []responder.Audit{retry(2 * time.Minute)}
	want("0", "r/0")
	want("0.error.0", "r/0.error.0") // it was begun before
	run.Audit = []responder.Audit{retry(time.Second), {What: responder.DeedCancel, At: epoch}, retry(time.Minute), retry(2 * time.Minute)}
	want("0.error.0", "r/0.error.0@2")
	want("0", "r/0")
	run.Steps["0"].Approval = &responder.Approval{Digest: "fedcba9876543210"}
	want("0.tell.0", "r/0.tell.0@fedcba987654")
}

// deafRuns is a store that fails to read a run a few times.
type deafRuns struct {
	responder.RunStore
	fails int
}

func (r *deafRuns) Get(ctx context.Context, id string) (*responder.Run, error) {
	if r.fails > 0 {
		r.fails--
		return nil, errors.New("throttled")
	}
	return r.RunStore.Get(ctx, id)
}

// TestLandedThoughReadsFail: what was in the air when its run was cancelled is recorded
// though the store cannot be read at once.
func TestLandedThoughReadsFail(t *testing.T) {
	for fails := range maxReads {
		w := newWorld(t, "flows: [{name: f, rule: UnauthorizedInstanceCreated, sequential: [SendSlack: {}]}]")
		deaf := &deafRuns{RunStore: w.config.Runs}
		w.config.Runs = deaf
		w.slack.answer = func(ctx context.Context, _ int, _ responder.Call) (responder.Result, error) {
			_, err := w.control().Cancel(ctx, w.get("f").ID, "bob", "")
			deaf.fails = fails
			return nil, err
		}
		w.send(w.finding("UnauthorizedInstanceCreated"))
		w.turn(w.dispatcher())
		if run := w.get("f"); run.State != responder.RunCancelled || ended(run) != "0 succeeded" || !run.Lease.IsZero() {
			t.Errorf("after %d reads that failed: %s", fails, outline(run))
		}
	}
}
