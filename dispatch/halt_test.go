package dispatch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/memory"
)

// TestHalt: a flow that is halted tells, and repairs nothing; its runs wait
// before their repair until somebody lets them go on.
func TestHalt(t *testing.T) {
	for _, flow := range []string{"", "UnauthorizedInstanceCreated", "another"} {
		w := newWorld(t, shortFlow)
		halts := &memory.Halts{}
		w.config.Halts = halts
		var told []HeldReport
		w.config.Held = func(h HeldReport) { told = append(told, h) }
		halt := responder.Halt{Flow: flow, By: "ann", Why: "an incident", At: w.clock.Now()}
		if err := halts.Halt(t.Context(), halt); err != nil {
			t.Fatal(err)
		}
		seen := w.sees(nil)
		w.send(w.finding("UnauthorizedInstanceCreated"))
		d := w.dispatcher()
		w.live(d, 2*time.Minute, 10*time.Second)
		run := w.get("UnauthorizedInstanceCreated")
		if flow == "another" {
			if run.State != responder.RunSucceeded || Halted(run.Summary(), halt) {
				t.Errorf("halted by the halt of another\n%s", outline(run))
			}
			continue
		}
		if run.State != responder.RunParked || run.Cause != "halted by ann: an incident" || !Halted(run.Summary(), halt) || *seen != 0 {
			t.Errorf("halt of %q: %s", flow, outline(run))
		}
		if got := strings.Join(w.did(), ", "); got != "SendSlack one, EC2InstanceAlive" {
			t.Errorf("halt of %q: did %s", flow, got)
		}
		if len(told) != 1 || told[0].Guard != GuardHalt {
			t.Errorf("told %v", told)
		}
		if _, err := w.control().Retry(t.Context(), run.ID, "bob"); err != nil {
			t.Fatal(err)
		}
		w.live(d, time.Minute, 10*time.Second)
		if run = w.get("UnauthorizedInstanceCreated"); run.State != responder.RunParked {
			t.Errorf("retried while it is halted: %s", outline(run))
		}
		if _, err := halts.Resume(t.Context(), flow); err != nil {
			t.Fatal(err)
		}
		if _, err := w.control().Retry(t.Context(), run.ID, "bob"); err != nil {
			t.Fatal(err)
		}
		w.live(d, time.Minute, 10*time.Second)
		if run = w.get("UnauthorizedInstanceCreated"); run.State != responder.RunSucceeded || w.terminate.count() != 1 {
			t.Errorf("resumed: %s", outline(run))
		}
	}
}

// TestHaltInTheMidst: a halt stops the next attempt of a repair, and what is in
// doubt is still looked into.
func TestHaltInTheMidst(t *testing.T) {
	w := newWorld(t, shortFlow)
	halts := &memory.Halts{}
	w.config.Halts = halts
	w.terminate.answer = func(ctx context.Context, n int, _ responder.Call) (responder.Result, error) {
		if err := halts.Halt(ctx, responder.Halt{By: "ann", At: w.clock.Now()}); err != nil {
			t.Error(err)
		}
		return nil, errors.New("odd")
	}
	w.terminate.verify = func(int) (responder.Verdict, error) { return responder.VerdictNotDone, nil }
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.live(w.dispatcher(), 2*time.Minute, 10*time.Second)
	run := w.get("UnauthorizedInstanceCreated")
	if run.State != responder.RunParked || run.Cause != "halted by ann" || w.terminate.count() != 1 || w.terminate.looked != 1 {
		t.Errorf("did %d times, looked %d times: %s", w.terminate.count(), w.terminate.looked, outline(run))
	}
}

// TestHaltBesideOthers: branches beside the repair go on as far as they come, and
// the run does not spin.
func TestHaltBesideOthers(t *testing.T) {
	w := newWorld(t, `
flows:
  - name: f
    rule: UnauthorizedInstanceCreated
    repairs: live
    parallel: [remediate: {}, SendSlack: {message: beside}, sequential: [SendEmail: {subject: one}, SendEmail: {subject: two}]]
`)
	halts := &memory.Halts{}
	w.config.Halts = halts
	if err := halts.Halt(t.Context(), responder.Halt{By: "ann", At: w.clock.Now()}); err != nil {
		t.Fatal(err)
	}
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.turn(w.dispatcher())
	if run := w.get("f"); run.State != responder.RunParked || len(w.did()) != 3 || w.terminate.count() != 0 {
		t.Errorf("did %v: %s", w.did(), outline(run))
	}
}

// brokenHalts does not answer.
type brokenHalts struct{}

func (brokenHalts) Halt(context.Context, responder.Halt) error { return errors.New("down") }

func (brokenHalts) Resume(context.Context, string) (responder.Halt, error) {
	return responder.Halt{}, errors.New("down")
}

func (brokenHalts) Halts(context.Context) ([]responder.Halt, error) { return nil, errors.New("down") }

func TestHaltsThatCannotBeReadHalt(t *testing.T) {
	w := newWorld(t, shortFlow)
	w.config.Halts = brokenHalts{}
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.live(w.dispatcher(), time.Minute, time.Second)
	run := w.get("UnauthorizedInstanceCreated")
	if w.terminate.count() != 0 || run.State != responder.RunWaiting || !strings.Contains(run.Steps["2"].Error, "the guards cannot be asked: halts: down") {
		t.Error(outline(run))
	}
}

// TestBreakerSaysItOnce: many workers meet the limit at the same moment; one halts
// the flow, and says so.
func TestBreakerSaysItOnce(t *testing.T) {
	w := fencedWorld(t, "limits: {again: 1, per_hour: 1000, per_account: 1000}", "")
	w.config.Halts = &memory.Halts{}
	var log syncedBuffer
	w.config.Logger = zerolog.New(&log)
	d := w.dispatcher()
	w.send(w.found(0, "UnauthorizedInstanceCreated", "i-1"))
	w.turn(d)
	for n := range 8 {
		w.send(w.found(1+n, "UnauthorizedInstanceCreated", "i-1"))
	}
	w.turn(d)
	if w.states()[responder.RunParked] != 8 {
		t.Error(w.states())
	}
	if n := strings.Count(log.String(), "the breaker halts the flow"); n != 1 {
		t.Errorf("said %d times:\n%s", n, log.String())
	}
}

// syncedBuffer is a buffer for many writers.
type syncedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncedBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncedBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestBreaker: a flow that repairs the same thing more often than it may is
// halted, and stays so for all that comes, until somebody lets it go on.
func TestBreaker(t *testing.T) {
	w := fencedWorld(t, "limits: {again: 3, per_hour: 1000, per_account: 1000}", "")
	halts := &memory.Halts{}
	w.config.Halts = halts
	var told []string
	w.config.Held = func(h HeldReport) { told = append(told, h.Guard) }
	d := w.dispatcher()
	for n := range 6 {
		w.send(w.found(n, "UnauthorizedInstanceCreated", "i-1"))
		w.turn(d)
	}
	if w.terminate.count() != 3 || w.states()[responder.RunParked] != 3 || w.states()[responder.RunSucceeded] != 4 { // one tells of it
		t.Errorf("did %d times, %v", w.terminate.count(), w.states())
	}
	all, err := halts.Halts(t.Context())
	const why = "3 runs have touched arn:aws:ec2:eu-west-1:123412341234:instance/i-1 within an hour: does the flow trigger itself?"
	if err != nil || len(all) != 1 || all[0].By != "breaker" || all[0].Flow != "f" || all[0].Why != why {
		t.Errorf("%+v, %v", all, err)
	}
	if fmt.Sprint(told) != "[limits.again halt halt]" {
		t.Errorf("told %v", told)
	}
	page, err := w.runs.List(t.Context(), responder.RunQuery{State: responder.RunParked})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range page.Runs {
		if r.Cause != "halted by breaker: "+why || !Halted(r, all[0]) {
			t.Errorf("parked: %s", r.Cause)
		}
	}
	w.clock.Advance(time.Hour)
	if _, err := halts.Resume(t.Context(), "f"); err != nil {
		t.Fatal(err)
	}
	for _, r := range page.Runs {
		if _, err := w.control().Retry(t.Context(), r.ID, "ann"); err != nil {
			t.Fatal(err)
		}
	}
	w.live(d, 2*time.Minute, 10*time.Second)
	if w.terminate.count() != 6 {
		t.Errorf("did %d times after it was resumed, %v", w.terminate.count(), w.states())
	}
}

type haltStore = responder.Halts

// lateHalts halts after a number of reads, when whoever read has not acted yet.
type lateHalts struct {
	haltStore
	after, reads int
	then         func() error
}

func (h *lateHalts) Halts(ctx context.Context) ([]responder.Halt, error) {
	all, err := h.haltStore.Halts(ctx)
	if h.reads++; h.reads == h.after {
		err = errors.Join(err, h.then())
	}
	return all, err
}

// TestHaltWhileTheMarkIsStored: a halt that comes between the question and the
// write that marks the attempt is heeded before anything is done.
func TestHaltWhileTheMarkIsStored(t *testing.T) {
	w := fencedWorld(t, "", "")
	halts := &lateHalts{haltStore: &memory.Halts{}, after: 2} // before the look, before the attempt
	halts.then = func() error {
		return halts.Halt(t.Context(), responder.Halt{By: "ann", Why: "an incident", At: w.clock.Now()})
	}
	w.config.Halts = halts
	w.send(w.finding("UnauthorizedInstanceCreated"))
	d := w.dispatcher()
	w.live(d, time.Minute, 5*time.Second)
	run := w.get("f")
	if run.State != responder.RunParked || run.Cause != "halted by ann: an incident" || w.terminate.count() != 0 || lastTry(run.Steps["0"]) != nil {
		t.Errorf("did %d times: %s", w.terminate.count(), outline(run))
	}
	if _, err := halts.Resume(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := w.control().Retry(t.Context(), run.ID, "bob"); err != nil {
		t.Fatal(err)
	}
	w.live(d, time.Minute, 5*time.Second)
	if run = w.get("f"); run.State != responder.RunSucceeded || w.terminate.count() != 1 {
		t.Errorf("resumed: %s", outline(run))
	}
}

// TestHaltsThatCannotBeReadOnceMore: what was marked is taken back, too, where
// nobody can tell whether it may be made.
func TestHaltsThatCannotBeReadOnceMore(t *testing.T) {
	w := fencedWorld(t, "", "")
	down := true
	halts := &lateHalts{haltStore: &memory.Halts{}, after: 3}
	halts.then = func() error {
		if !down {
			return nil
		}
		down = false
		return errors.New("down")
	}
	w.config.Halts = halts
	w.send(w.finding("UnauthorizedInstanceCreated"))
	d := w.dispatcher()
	w.turn(d)
	if run := w.get("f"); w.terminate.count() != 0 || lastTry(run.Steps["0"]) != nil || !strings.Contains(run.Steps["0"].Error, "the guards cannot be asked: halts: down") {
		t.Errorf("did %d times: %s", w.terminate.count(), outline(run))
	}
	w.live(d, time.Minute, time.Second)
	if run := w.get("f"); run.State != responder.RunSucceeded || w.terminate.count() != 1 {
		t.Error(outline(run))
	}
}
