package dispatch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/memory"
)

// control is somebody at a command line: with the store and the queue, no more.
func (w *world) control() Control {
	return Control{Runs: w.runs, Findings: w.queue, Now: w.clock.Now}
}

// audited lists what was done to a run: "cancel by bob: why".
func audited(run *responder.Run) string {
	var texts []string
	for _, a := range run.Audit {
		texts = append(texts, strings.TrimSuffix(fmt.Sprintf("%s by %s: %s", a.What, a.By, a.Why), ": "))
	}
	return strings.Join(texts, ", ")
}

func isRefused(err error) bool {
	var refused *Refused
	return errors.As(err, &refused)
}

// TestCancel: a run that waits is over at once; what it was at is given up, and
// nothing comes after it.
func TestCancel(t *testing.T) {
	w := newWorld(t, fullFlow)
	w.send(w.finding("UnauthorizedInstanceCreated"))
	d := w.dispatcher()
	w.turn(d)
	id := w.get("denied-instance").ID
	for range 2 { // the second time changes nothing
		run, err := w.control().Cancel(context.Background(), id, " bob ", "a false\nalarm")
		if err != nil || run.State != responder.RunCancelled || run.Version != w.get("denied-instance").Version {
			t.Fatalf("%+v, %v", run, err)
		}
	}
	run := w.get("denied-instance")
	if run.Cause != "cancelled by bob: a false alarm" || audited(run) != "cancel by bob: a false alarm" || !run.Due.IsZero() || !run.Lease.IsZero() || !run.Audit[0].At.Equal(w.clock.Now()) {
		t.Errorf("%s%+v", outline(run), run)
	}
	if got := ended(run); !strings.HasSuffix(got, "1 cancelled") || run.Steps["1"].Result["why"] != runOver {
		t.Error(got)
	}
	did := len(w.did())
	w.live(d, 20*time.Minute, 10*time.Second)
	if after := w.get("denied-instance"); after.Version != run.Version || len(w.did()) != did {
		t.Errorf("%s%v", outline(after), w.did())
	}
}

// TestRefused: what cannot be done is refused, and changes nothing.
func TestRefused(t *testing.T) {
	ctx := context.Background()
	for state, want := range map[responder.RunState]string{ // cancel, retry, again
		responder.RunRunning: "yes no-op no", responder.RunWaiting: "yes no-op no", responder.RunAwaitingApproval: "yes no-op no",
		responder.RunSucceeded: "no no yes", responder.RunStopped: "no no yes", responder.RunSuppressed: "no no yes",
		responder.RunFailed: "no yes yes", responder.RunCancelled: "no-op yes yes", responder.RunParked: "yes yes yes",
	} {
		var got []string
		for _, do := range []func(Control) (*responder.Run, error){
			func(c Control) (*responder.Run, error) { return c.Cancel(ctx, "r", "bob", "") },
			func(c Control) (*responder.Run, error) { return c.Retry(ctx, "r", "bob") },
			func(c Control) (*responder.Run, error) { return c.Again(ctx, "r", "bob") },
		} {
			w := newWorld(t, shortFlow)
			before := &responder.Run{V: 1, ID: "r", State: state, Flow: responder.FlowSnapshot{Name: "f"}, Finding: w.finding("RootLogin"), Steps: map[string]*responder.StepState{}}
			if err := w.runs.Create(ctx, before); err != nil {
				t.Fatal(err)
			}
			run, err := do(w.control())
			after, getErr := w.runs.Get(ctx, "r")
			switch {
			case getErr != nil:
				t.Fatal(getErr)
			case err == nil && run.ID == "r" && run.Version == 1:
				got = append(got, "no-op")
			case err == nil && len(run.Audit) == 1:
				got = append(got, "yes")
			case isRefused(err) && run == nil && after.Version == 1:
				got = append(got, "no")
			default:
				t.Errorf("%s: %+v, %v", state, run, err)
			}
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s: %s, want %s", state, text, want)
		}
	}
	w := newWorld(t, shortFlow)
	if _, err := w.control().Cancel(ctx, "nobody", "bob", ""); !errors.Is(err, responder.ErrNotFound) || !strings.HasPrefix(err.Error(), "cancel: ") {
		t.Error(err)
	}
	if _, err := w.control().Again(ctx, "nobody", "bob"); !errors.Is(err, responder.ErrNotFound) {
		t.Error(err)
	}
	if err := w.runs.Create(ctx, &responder.Run{V: 1, ID: "r", State: responder.RunFailed, Finding: w.finding("RootLogin")}); err != nil {
		t.Fatal(err)
	}
	for _, by := range []string{"", " \n", "\x00"} {
		if run, err := w.control().Retry(ctx, "r", by); err == nil || run != nil {
			t.Errorf("%q did it: %v", by, run)
		}
	}
}

// TestCancelInTheAir: while an attempt is under way its run is cancelled. It
// lands, what came of it is written down, and nothing follows.
func TestCancelInTheAir(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"done", nil, "0 succeeded, 1 succeeded, 2 succeeded"},
		{"refused", &responder.Permanent{Err: errors.New("no")}, "0 succeeded, 1 succeeded, 2 failed"},
		{"busy", &responder.Transient{Err: errors.New("busy")}, "0 succeeded, 1 succeeded, 2 cancelled"},
		{"nobody knows", &responder.Unknown{Err: errors.New("no reply")}, "0 succeeded, 1 succeeded, 2 cancelled"},
	} {
		w := newWorld(t, shortFlow)
		w.terminate.answer = func(ctx context.Context, _ int, _ responder.Call) (responder.Result, error) {
			run, err := w.control().Cancel(ctx, w.get("UnauthorizedInstanceCreated").ID, "bob", "")
			if err != nil || run.State != responder.RunCancelled || run.Lease.IsZero() || !underWay(run.Steps["2"]) {
				t.Errorf("%s: %+v, %v", tt.name, run, err)
			}
			if ctx.Err() != nil {
				t.Errorf("%s: the attempt is broken off", tt.name)
			}
			return responder.Result{"ids": "i-1"}, tt.err
		}
		w.send(w.finding("UnauthorizedInstanceCreated"))
		w.live(w.dispatcher(), 10*time.Minute, 10*time.Second)
		run := w.get("UnauthorizedInstanceCreated")
		a := run.Steps["2"].Attempts
		if run.State != responder.RunCancelled || ended(run) != tt.want || !run.Lease.IsZero() || len(a) != 1 || a[0].Ended.IsZero() || audited(run) != "cancel by bob" {
			t.Errorf("%s: %s%+v", tt.name, outline(run), run)
		}
		if tt.err == nil && run.Steps["2"].Result["ids"] != "i-1" || (tt.err != nil) != (a[0].Error != "") || a[0].Unknown != (tt.name == "nobody knows") {
			t.Errorf("%s: %+v", tt.name, run.Steps["2"])
		}
		if w.terminate.count() != 1 || w.terminate.looked != 0 || len(w.did()) != 3 {
			t.Errorf("%s: did %v", tt.name, w.did())
		}
	}
}

// TestCancelTwoInTheAir: attempts side by side all land.
func TestCancelTwoInTheAir(t *testing.T) {
	w := newWorld(t, "flows: [{name: f, rule: UnauthorizedInstanceCreated, sequential: [{parallel: [SendSlack: {}, SendEmail: {}]}, SendSlack: {}]}]")
	var both sync.WaitGroup
	both.Add(2)
	cancelled := make(chan bool)
	answer := func(ctx context.Context, _ int, _ responder.Call) (responder.Result, error) {
		both.Done()
		<-cancelled
		return nil, ctx.Err()
	}
	w.slack.answer, w.email.answer = answer, answer
	go func() {
		both.Wait()
		if _, err := w.control().Cancel(context.Background(), w.get("f").ID, "bob", ""); err != nil {
			t.Error(err)
		}
		close(cancelled)
	}()
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.turn(w.dispatcher())
	if run := w.get("f"); run.State != responder.RunCancelled || ended(run) != "0 cancelled, 0.0 succeeded, 0.1 succeeded" {
		t.Error(outline(run))
	}
}

// TestCancelThenRetryAfterDeath: the worker that held a cancelled run is dead.
// The run that is retried waits until its lease is over; then the repair, of
// which nobody knows, is looked into before it is tried again.
func TestCancelThenRetryAfterDeath(t *testing.T) {
	w := newWorld(t, shortFlow)
	began, never := make(chan bool), make(chan bool)
	w.terminate.answer = func(_ context.Context, n int, _ responder.Call) (responder.Result, error) {
		if n == 1 {
			close(began)
			<-never
		}
		return nil, nil
	}
	w.send(w.finding("UnauthorizedInstanceCreated"))
	gone := w.dispatcher()
	var wg sync.WaitGroup
	wg.Go(func() { w.turn(gone) })
	<-began
	ctx := context.Background()
	lease := w.get("UnauthorizedInstanceCreated").Lease
	run, err := w.control().Cancel(ctx, w.get("UnauthorizedInstanceCreated").ID, "bob", "")
	if err != nil {
		t.Fatal(err)
	}
	run, err = w.control().Retry(ctx, run.ID, "ann")
	if err != nil || run.State != responder.RunRunning || !run.Lease.Equal(lease) || !run.Due.Equal(lease) {
		t.Fatalf("%+v, %v", run, err)
	}
	d := w.dispatcher()
	w.live(d, time.Minute, time.Second)
	if w.terminate.looked != 0 || w.terminate.count() != 1 {
		t.Error("touched under a lease")
	}
	w.live(d, lease.Sub(w.clock.Now())+2*time.Minute, time.Second)
	close(never)
	wg.Wait()
	run = w.get("UnauthorizedInstanceCreated")
	if run.State != responder.RunSucceeded || audited(run) != "cancel by bob, retry by ann" || w.terminate.looked != 1 {
		t.Errorf("%s%s, looked %d times", outline(run), audited(run), w.terminate.looked)
	}
}

// contested is a store in which others write, too, and whose replies may be lost.
type contested struct {
	*memory.Runs
	others int
	lost   bool
}

func (c *contested) Save(ctx context.Context, run *responder.Run) error {
	if c.others > 0 {
		c.others--
		other, err := c.Runs.Get(ctx, run.ID)
		if err != nil {
			return err
		}
		other.Token = "other"
		if err := c.Runs.Save(ctx, other); err != nil {
			return err
		}
	}
	err := c.Runs.Save(ctx, run)
	if err == nil && c.lost {
		return errors.New("no reply")
	}
	return err
}

// TestControlContested: what others write is not written over; what is refused
// for ever is told; a wake that is lost is left to the sweep.
func TestControlContested(t *testing.T) {
	ctx := context.Background()
	for others, want := range map[int]error{0: nil, 1: nil, maxRounds - 1: nil, maxRounds: responder.ErrStale} {
		w := newWorld(t, fullFlow)
		w.send(w.finding("UnauthorizedInstanceCreated"))
		w.turn(w.dispatcher())
		before := w.get("denied-instance")
		c := w.control()
		c.Runs = &contested{Runs: w.runs, others: others}
		if _, err := c.Cancel(ctx, before.ID, "bob", ""); !errors.Is(err, want) {
			t.Errorf("%d others: %v", others, err)
		}
		after := w.get("denied-instance")
		if (want == nil) != (after.State == responder.RunCancelled) || want == nil && (after.Version != before.Version+int64(others)+1 || len(after.Audit) != 1) {
			t.Errorf("%d others: %s%+v", others, outline(after), after)
		}
	}

	w := newWorld(t, fullFlow)
	w.send(w.finding("UnauthorizedInstanceCreated"))
	d := w.dispatcher()
	w.turn(d)
	id := w.get("denied-instance").ID
	c := w.control()
	c.Runs = &contested{Runs: w.runs, lost: true}
	if _, err := c.Cancel(ctx, id, "bob", ""); err == nil {
		t.Error("nobody knows, and all is said to be well")
	}
	if run, err := w.control().Cancel(ctx, id, "bob", ""); err != nil || len(run.Audit) != 1 {
		t.Errorf("said again: %+v, %v", run, err)
	}
	c = w.control()
	c.Findings = mute{}
	run, err := c.Retry(ctx, id, "ann")
	if run == nil || run.State != responder.RunRunning || err == nil || !strings.Contains(err.Error(), "the sweep will") {
		t.Errorf("%+v, %v", run, err)
	}
	w.live(d, 20*time.Minute, 10*time.Second)
	if run := w.get("denied-instance"); run.State != responder.RunSucceeded {
		t.Error(outline(run))
	}
}

// mute sends nothing.
type mute struct{}

func (mute) Send(context.Context, ...responder.Message) error { return errors.New("no queue") }

// TestAuditIsBounded: retries end somewhere; who cancels is always heard.
func TestAuditIsBounded(t *testing.T) {
	w := newWorld(t, shortFlow)
	ctx := context.Background()
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.turn(w.dispatcher())
	run := w.get("UnauthorizedInstanceCreated")
	run.State = responder.RunFailed
	for range maxAudit - 1 {
		run.Audit = append(run.Audit, responder.Audit{By: "bob", What: responder.DeedRetry})
	}
	if err := w.runs.Save(ctx, run); err != nil {
		t.Fatal(err)
	}
	c := w.control()
	if _, err := c.Retry(ctx, run.ID, "ann"); err != nil {
		t.Fatal(err)
	}
	if run, err := c.Cancel(ctx, run.ID, strings.Repeat("é", 500), strings.Repeat("x", 5000)); err != nil || len(run.Audit) != maxAudit+1 || len(run.Audit[maxAudit].By) > maxAuditText || len(run.Cause) > 2*maxAuditText+50 {
		t.Errorf("%+v, %v", run, err)
	}
	if _, err := c.Retry(ctx, run.ID, "ann"); !isRefused(err) {
		t.Error(err)
	}
}

// TestCancelTooLarge: a run that no store takes any more can be cancelled all the same.
func TestCancelTooLarge(t *testing.T) {
	w := newWorld(t, fullFlow)
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.turn(w.dispatcher())
	run := w.get("denied-instance")
	noise, source := make([]byte, 8<<10), rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte('a' + source.IntN(26))
	}
	run.Steps["0"].Result = map[string]any{"noise": string(noise)}
	if err := w.runs.Save(context.Background(), run); err != nil {
		t.Fatal(err)
	}
	c := w.control()
	c.Runs = small{w.runs, 2000}
	if run, err := c.Cancel(context.Background(), run.ID, "bob", ""); err != nil || run.State != responder.RunCancelled || len(run.Audit) != 1 {
		t.Errorf("%+v, %v", run, err)
	}
}

// TestAgainMode: a new run is as live as the Dispatcher that begins it.
func TestAgainMode(t *testing.T) {
	w := newWorld(t, shortFlow)
	w.config.Mode = responder.ModeDry
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.turn(w.dispatcher())
	w.config.Mode = responder.ModeLive
	run, err := w.control().Again(context.Background(), w.get("UnauthorizedInstanceCreated").ID, "ann")
	if err != nil || run.Mode != responder.ModeDry {
		t.Fatalf("%+v, %v", run, err)
	}
	w.turn(w.dispatcher())
	if run, err = w.runs.Get(context.Background(), run.ID); err != nil || run.Mode != responder.ModeLive || w.terminate.count() != 1 {
		t.Errorf("%+v, %v", run, err)
	}
}

// TestNotItsLease: a worker that has lost its lease writes nothing into a run
// that was cancelled under another's.
func TestNotItsLease(t *testing.T) {
	w := newWorld(t, shortFlow)
	f := w.finding("UnauthorizedInstanceCreated")
	run := &responder.Run{V: 1, ID: "r", State: responder.RunCancelled, Finding: f, Lease: epoch.Add(time.Hour), Flow: w.flows.Load().byName["UnauthorizedInstanceCreated"].snapshot()}
	if err := w.runs.Create(context.Background(), run); err != nil {
		t.Fatal(err)
	}
	for lease, want := range map[time.Time]bool{epoch.Add(time.Hour): true, epoch: false, {}: false} {
		holder, err := w.dispatcher().worker(run, subject{})
		if err != nil {
			t.Fatal(err)
		}
		holder.lease = lease
		if got := holder.overruled(context.Background(), responder.ErrStale); got != want {
			t.Errorf("held until %v: %v", lease, got)
		}
		if holder.overruled(context.Background(), errors.New("no disk")) {
			t.Error("no disk is no word of anybody's")
		}
	}
}
