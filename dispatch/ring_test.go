package dispatch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/memory"
)

// deaf loses every message that is sent.
type deaf struct{}

func (deaf) Send(context.Context, ...responder.Message) error { return nil }

func TestSweepRingsLostBells(t *testing.T) {
	w := newWorld(t, fullFlow)
	w.config.Findings = deaf{}
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.live(w.dispatcher(), 20*time.Minute, time.Minute)
	if run := w.get("denied-instance"); run.State != responder.RunWaiting {
		t.Fatal(outline(run))
	}
	w.config.Findings = w.queue
	w.live(w.dispatcher(), 3*time.Minute, time.Second)
	if run := w.get("denied-instance"); run.State != responder.RunSucceeded {
		t.Error(outline(run))
	}
}

// TestLostAtBirth: the worker dies when it has stored the run, before its first
// step is done, and the bell is lost.
func TestLostAtBirth(t *testing.T) {
	w := newWorld(t, shortFlow)
	w.killAt = 2
	f := w.finding("UnauthorizedInstanceCreated")
	body, err := responder.Bell{Finding: &f}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	w.dispatcher().Handle(context.Background(), []responder.Delivery{{ID: "1", Body: body}})
	if run := w.get("UnauthorizedInstanceCreated"); !w.isDead() || run.Version != 1 || len(w.deeds) > 0 {
		t.Fatal(outline(run))
	}
	w.killAt, w.dead = 0, make(chan struct{})
	w.live(w.dispatcher(), 5*time.Minute, time.Second)
	if run := w.get("UnauthorizedInstanceCreated"); run.State != responder.RunSucceeded {
		t.Error(outline(run))
	}
}

// partial takes the first of what is sent.
type partial struct{ *memory.Queue }

func (p partial) Send(ctx context.Context, messages ...responder.Message) error {
	if err := p.Queue.Send(ctx, messages[0]); err != nil {
		return err
	}
	failed := map[int]error{}
	for i := range messages[1:] {
		failed[i+1] = errors.New("full")
	}
	return &responder.SendError{Failed: failed}
}

func TestSweepErrors(t *testing.T) {
	w := newWorld(t, fullFlow)
	d := w.dispatcher()
	if n, err := d.Sweep(context.Background()); n != 0 || err != nil {
		t.Error(n, err)
	}
	for i := range 3 {
		f := w.finding("UnauthorizedInstanceCreated")
		f.Number = i
		w.send(f)
	}
	w.turn(d)
	w.clock.Advance(11 * time.Minute)
	d.Findings = partial{w.queue}
	if n, err := d.Sweep(context.Background()); n != 1 || err == nil {
		t.Error(n, err)
	}
	d.Findings = w.queue
	if n, err := d.Sweep(context.Background()); n != 3 || err != nil {
		t.Error(n, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if n, err := d.Sweep(ctx); n != 0 || !errors.Is(err, context.Canceled) {
		t.Error(n, err)
	}
}

// TestEarlyWake: a wake that comes before its time does nothing, and is sent
// again if it was only a little early.
func TestEarlyWake(t *testing.T) {
	w := newWorld(t, fullFlow)
	w.send(w.finding("UnauthorizedInstanceCreated"))
	d := w.dispatcher()
	w.turn(d)
	run := w.get("denied-instance")
	sent := &listener{}
	d.Findings = sent
	for _, tt := range []struct {
		after time.Duration
		want  string
	}{{time.Minute, "[]"}, {9*time.Minute - time.Millisecond, "[1s]"}} {
		w.clock.Advance(tt.after)
		sent.delays = nil
		body, err := responder.Bell{Wake: run.ID}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if failures := d.Handle(context.Background(), []responder.Delivery{{ID: "1", Body: body}}); len(failures) > 0 {
			t.Error(failures)
		}
		if after := w.get("denied-instance"); after.Version != run.Version {
			t.Errorf("the run was touched %v before its time", after.Due.Sub(w.clock.Now()))
		}
		if got := fmt.Sprint(sent.delays); got != tt.want {
			t.Errorf("rang for %s, want %s", got, tt.want)
		}
	}
}

// listener notes the delays of what is sent.
type listener struct{ delays []time.Duration }

func (l *listener) Send(_ context.Context, messages ...responder.Message) error {
	for _, m := range messages {
		if err := m.Check(); err != nil {
			return err
		}
		l.delays = append(l.delays, m.Delay)
	}
	return nil
}

func TestRing(t *testing.T) {
	w := newWorld(t, shortFlow)
	d := w.dispatcher()
	for due, want := range map[time.Duration]string{
		-time.Hour: "[0s]", 0: "[0s]", time.Nanosecond: "[1s]", 10 * time.Second: "[10s]", 10*time.Second + 1: "[11s]",
		15 * time.Minute: "[15m0s]", 15*time.Minute + 1: "[]", time.Hour: "[]",
	} {
		sent := &listener{}
		d.Findings = sent
		if err := d.ring(context.Background(), "r", epoch.Add(due), epoch); err != nil {
			t.Error(err)
		}
		if got := fmt.Sprint(sent.delays); got != want {
			t.Errorf("due in %v: rang %s, want %s", due, got, want)
		}
	}
}

// TestTwoWorkers: while one acts, another is rung for the same run and keeps out;
// when the lease has ended it takes over, and what the first then says is refused.
func TestTwoWorkers(t *testing.T) {
	w := newWorld(t, shortFlow)
	began, proceed := make(chan bool, 9), make(chan bool)
	var first atomic.Bool
	w.terminate.answer = func(context.Context, int, responder.Call) (responder.Result, error) {
		if first.CompareAndSwap(false, true) {
			began <- true
			<-proceed
		}
		return nil, nil
	}
	w.send(w.finding("UnauthorizedInstanceCreated"))
	var wg sync.WaitGroup
	slow, other := w.dispatcher(), w.dispatcher()
	wg.Go(func() { w.turn(slow) })
	<-began
	run := w.get("UnauthorizedInstanceCreated")
	if run.State != responder.RunRunning || !run.Lease.Equal(run.Due) || run.Lease.Before(w.clock.Now().Add(defaultRepairTimeout)) {
		t.Errorf("while acting: %s, leased until %v, due %v", run.State, run.Lease, run.Due)
	}
	if state := run.Steps["2"]; state.State != responder.StepRunning || !underWay(state) {
		t.Errorf("while acting: %+v", state)
	}
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.turn(other)
	if again := w.get("UnauthorizedInstanceCreated"); again.Version != run.Version {
		t.Error("a run under lease was touched")
	}
	w.live(other, 6*time.Minute, 10*time.Second)
	close(proceed)
	wg.Wait()
	run = w.get("UnauthorizedInstanceCreated")
	if run.State != responder.RunSucceeded || len(run.Steps["2"].Attempts) != 3 || run.Steps["2"].Attempts[0].Error != "the worker was lost" || !run.Steps["2"].Attempts[1].Verify {
		t.Errorf("%s%+v", outline(run), run.Steps["2"].Attempts)
	}
}

// TestDeadline: with its time nearly over a worker starts nothing more, and
// rings for the rest.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, shortFlow)
		w.slack.answer = func(ctx context.Context, n int, _ responder.Call) (responder.Result, error) {
			if n == 1 {
				<-ctx.Done() // until time is up
				return nil, ctx.Err()
			}
			return nil, nil
		}
		f := w.finding("UnauthorizedInstanceCreated")
		body, err := responder.Bell{Finding: &f}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		d := w.dispatcher()
		ctx, cancel := context.WithTimeout(context.Background(), margin+200*time.Millisecond)
		defer cancel()
		if failures := d.Handle(ctx, []responder.Delivery{{ID: "1", Body: body}}); len(failures) > 0 {
			t.Fatal(failures)
		}
		if ctx.Err() != nil {
			t.Error("came back after the deadline")
		}
		run := w.get("UnauthorizedInstanceCreated")
		if run.State != responder.RunWaiting || !run.Lease.IsZero() || !strings.HasPrefix(run.Steps["0"].Error, "the worker was lost") {
			t.Errorf("%s%+v", outline(run), run)
		}
		// With no time at all, the run is made, and rung for.
		f.Number = 1
		if body, err = (responder.Bell{Finding: &f}).Encode(); err != nil {
			t.Fatal(err)
		}
		if failures := d.Handle(ctx, []responder.Delivery{{ID: "2", Body: body}}); len(failures) > 0 {
			t.Fatal(failures)
		}
		w.live(d, 4*time.Minute, time.Second)
		page, err := w.runs.List(context.Background(), responder.RunQuery{State: responder.RunSucceeded})
		if err != nil || len(page.Runs) != 2 {
			t.Errorf("%d runs succeeded, %v", len(page.Runs), err)
		}
	})
}

// TestStopped: a worker that is told to stop stores what came of its attempts.
func TestStopped(t *testing.T) {
	w := newWorld(t, `
flows:
  - name: f
    rule: UnauthorizedInstanceCreated
    repairs: live
    sequential:
      - parallel:
          - SendSlack: {message: one}
          - remediate: {}
          - check: {}
      - SendEmail: {}
`)
	ctx, stop := context.WithCancel(context.Background())
	var flying sync.WaitGroup
	flying.Add(3)
	hang := func(ctx context.Context, n int, _ responder.Call) (responder.Result, error) {
		if n > 1 {
			return nil, nil
		}
		flying.Done()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	w.slack.answer, w.terminate.answer, w.alive.answer = hang, hang, hang
	go func() { flying.Wait(); stop() }()
	f := w.finding("UnauthorizedInstanceCreated")
	body, err := responder.Bell{Finding: &f}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	d := w.dispatcher()
	if failures := d.Handle(ctx, []responder.Delivery{{ID: "1", Body: body}}); len(failures) > 0 {
		t.Error(failures)
	}
	run := w.get("f")
	if run.State != responder.RunWaiting || !run.Lease.IsZero() || underWay(run.Steps["0.0"]) || underWay(run.Steps["0.1"]) || !run.Steps["0.1"].Attempts[0].Unknown {
		t.Error(outline(run))
	}
	w.live(d, time.Minute, time.Second)
	if run = w.get("f"); run.State != responder.RunSucceeded || len(run.Steps["0.1"].Attempts) != 3 {
		t.Error(outline(run))
	}
}

// small is a store that takes no large runs.
type small struct {
	*memory.Runs
	max int
}

func (s small) Save(ctx context.Context, run *responder.Run) error {
	data, err := responder.EncodeRun(run)
	if err != nil {
		return err
	}
	if len(data) > s.max {
		return fmt.Errorf("save: %w", responder.ErrTooLarge)
	}
	return s.Runs.Save(ctx, run)
}

func (s small) Create(ctx context.Context, run *responder.Run) error {
	if s.max == 0 {
		return fmt.Errorf("create: %w", responder.ErrTooLarge)
	}
	return s.Runs.Create(ctx, run)
}

func TestTooLarge(t *testing.T) {
	w := newWorld(t, shortFlow)
	noise, source := make([]byte, 8<<10), rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte('a' + source.IntN(26))
	}
	w.slack.answer = func(context.Context, int, responder.Call) (responder.Result, error) {
		return responder.Result{"noise": string(noise)}, nil
	}
	w.config.Runs = small{w.runs, 1400}
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.turn(w.dispatcher())
	run := w.get("UnauthorizedInstanceCreated")
	if run.State != responder.RunFailed || !strings.HasPrefix(run.Cause, "the run has outgrown") || !run.Due.IsZero() {
		t.Errorf("%s", outline(run))
	}
	if w.alive.count() != 0 {
		t.Error("acted without a stored mark")
	}

	w = newWorld(t, shortFlow)
	w.config.Runs = small{w.runs, 0}
	f := w.finding("UnauthorizedInstanceCreated")
	body, err := responder.Bell{Finding: &f}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	failures := w.dispatcher().Handle(context.Background(), []responder.Delivery{{ID: "1", Body: body}})
	if len(failures) != 1 || !failures[0].Dead || !errors.Is(failures[0].Err, responder.ErrTooLarge) {
		t.Error(failures)
	}
}

// broken is a store that takes no writes for a while.
type broken struct {
	*memory.Runs
	down *atomic.Bool
}

func (b broken) Save(ctx context.Context, run *responder.Run) error {
	if b.down.Load() {
		return errors.New("no disk")
	}
	return b.Runs.Save(ctx, run)
}

func (b broken) Get(ctx context.Context, id string) (*responder.Run, error) {
	if b.down.Load() {
		return nil, errors.New("no disk")
	}
	return b.Runs.Get(ctx, id)
}

func TestStoreDown(t *testing.T) {
	w := newWorld(t, shortFlow)
	down := &atomic.Bool{}
	down.Store(true)
	w.config.Runs = broken{w.runs, down}
	w.send(w.finding("UnauthorizedInstanceCreated"))
	d := w.dispatcher()
	w.live(d, 10*time.Second, time.Second)
	if len(w.did()) != 0 {
		t.Error("acted without a stored mark")
	}
	down.Store(false)
	w.live(d, 3*time.Minute, time.Second)
	if run := w.get("UnauthorizedInstanceCreated"); run.State != responder.RunSucceeded {
		t.Error(outline(run))
	}
}

// TestForeignSteps: a run whose steps this version does not understand is parked.
func TestForeignSteps(t *testing.T) {
	w := newWorld(t, shortFlow)
	f := w.finding("UnauthorizedInstanceCreated")
	run := &responder.Run{V: 1, ID: f.RunID("x"), Token: "t", Finding: f, Mode: responder.ModeLive, State: responder.RunRunning, Due: w.clock.Now(), Created: w.clock.Now(),
		Flow: responder.FlowSnapshot{Name: "x", Digest: "d", Steps: []responder.Step{{Kind: responder.StepAction, Action: "SendSlack", If: "telepathy(event)"}}}}
	if err := w.runs.Create(context.Background(), run); err != nil {
		t.Fatal(err)
	}
	d := w.dispatcher()
	if _, err := d.Sweep(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.turn(d)
	if run := w.get("x"); run.State != responder.RunParked || !strings.Contains(run.Cause, `unknown function "telepathy"`) || !run.Due.IsZero() {
		t.Error(outline(run))
	}
}

func TestOnError(t *testing.T) {
	w := newWorld(t, `
flows:
  - name: f
    rule: UnauthorizedInstanceCreated
    sequential:
      - SendSlack: {message: one}
        as: one
        on_error:
          - SendEmail: {subject: "{{ steps.one.error }}"}
      - check: {}
        on_error: continue
      - SendEmail: {subject: "{{ steps.one.state }} in {{ run.flow }}, {{ run.mode }}"}
        if: steps.one.failed
      - SendSlack: {}
        if: steps.one.succeeded
      - SendEmail: {}
        if: rule
        on_error: stop
`)
	w.slack.answer = func(context.Context, int, responder.Call) (responder.Result, error) {
		return nil, &responder.Permanent{Err: errors.New("404")}
	}
	w.alive.answer = w.slack.answer
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.turn(w.dispatcher())
	if got := strings.Join(w.did(), " · "); got != "SendSlack! one · SendEmail 404 · EC2InstanceAlive! · SendEmail failed in f, live" {
		t.Error(got)
	}
	if run := w.get("f"); run.State != responder.RunFailed || !strings.HasPrefix(run.Cause, "step 4 (SendEmail): if: ") || run.Steps["3"].State != responder.StepSkipped {
		t.Error(outline(run))
	}
}

// TestEventDataIsData: what an event says is neither an expression nor a
// JSONPath, and is made harmless for where it goes.
func TestEventDataIsData(t *testing.T) {
	w := newWorld(t, `
flows:
  - name: f
    rule: RootLogin
    sequential:
      - SendSlack: {message: {header: "<b> {{ title }}", values: [{label: a, value: "{{ message }}"}, {label: b, value: "$.findings[0].message"}]}}
      - EC2TerminateInstances: {ids: "{{ resources }}", reason: "{{ title }}"}
`)
	f := w.finding("RootLogin")
	f.Title, f.Message, f.Resources = "<!channel> {{ run.id }}", "$.event.account", []string{"i-1"}
	w.send(f)
	w.turn(w.dispatcher())
	if got := mustJSON(t, w.deeds[0].Call.Params); got != `{"message":{"header":"\u003cb\u003e \u0026lt;!channel\u003e {{ run.id }}","values":[{"label":"a","value":"$.event.account"},{"label":"b","value":"$.event.account"}]}}` {
		t.Error(got)
	}
	// In a repair, something that looks unresolved is refused.
	if run := w.get("f"); run.State != responder.RunFailed || !strings.Contains(run.Cause, "reason of EC2TerminateInstances is not resolved") {
		t.Error(outline(run))
	}
}

func TestConfig(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("nothing is enough")
	}
	w := newWorld(t, shortFlow)
	seen := map[responder.RunState]int{}
	w.config.Observe = func(run *responder.Run) { seen[run.State]++ }
	w.config.Accounts = nil
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.turn(w.dispatcher())
	if seen[responder.RunRunning] != 4 || seen[responder.RunSucceeded] != 1 {
		t.Errorf("observed %v", seen)
	}
	if run := w.get("UnauthorizedInstanceCreated"); run.Version != 5 {
		t.Errorf("%d writes for four steps", run.Version)
	}
}
