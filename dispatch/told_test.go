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

// audience notes what it is told.
type audience struct {
	mu       sync.Mutex
	attempts []string
	repeated int
	parked   []string
}

func (a *audience) listen(c *Config) {
	note := func(f func()) {
		a.mu.Lock()
		defer a.mu.Unlock()
		f()
	}
	c.Attempted = func(r AttemptReport) {
		note(func() {
			a.attempts = append(a.attempts, fmt.Sprintf("%s %s verify=%v %v %v", r.Action, r.Kind, r.Verify, r.Took, r.Err))
		})
	}
	c.Repeated = func(responder.Finding, []string) { note(func() { a.repeated++ }) }
	c.Parked = func(id string) { note(func() { a.parked = append(a.parked, id) }) }
}

// TestAttemptsAreTold: each attempt and each look, with how long it took and
// how it ended.
func TestAttemptsAreTold(t *testing.T) {
	w := newWorld(t, shortFlow)
	var told audience
	told.listen(&w.config)
	w.slack.answer = func(_ context.Context, n int, _ responder.Call) (responder.Result, error) {
		w.clock.Advance(time.Duration(n) * time.Second)
		if n == 1 {
			return nil, &responder.Transient{Err: errors.New("429")}
		}
		return nil, nil
	}
	w.terminate.answer = func(_ context.Context, n int, _ responder.Call) (responder.Result, error) {
		if n == 1 {
			return nil, &responder.Unknown{Err: errors.New("no reply")}
		}
		return nil, nil
	}
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.live(w.dispatcher(), 5*time.Minute, time.Second)
	want := []string{
		"SendSlack notice verify=false 1s 429",
		"SendSlack notice verify=false 2s <nil>",
		"EC2InstanceAlive check verify=false 0s <nil>",
		"EC2TerminateInstances repair verify=false 0s outcome unknown: no reply",
		"EC2TerminateInstances repair verify=true 0s <nil>",
		"EC2TerminateInstances repair verify=false 0s <nil>",
		"SendSlack notice verify=false 3s <nil>",
	}
	if !slices.Equal(told.attempts, want) {
		t.Errorf("told:\n%s\nwant\n%s", strings.Join(told.attempts, "\n"), strings.Join(want, "\n"))
	}
	if told.repeated != 0 || len(told.parked) != 0 {
		t.Errorf("told of %d repeated findings, and of %v parked", told.repeated, told.parked)
	}
}

// TestAnswerLost: a function that is killed after its work gets the whole batch
// again. What is finished is left alone, and told of as repeated.
func TestAnswerLost(t *testing.T) {
	w := newWorld(t, strings.Replace(shortFlow, "flows:", "flows:\n  - {name: other, rule: UnauthorizedInstanceCreated, sequential: [SendEmail: {}]}", 1))
	var told audience
	told.listen(&w.config)
	deliveries := w.three()
	var did []string
	for range 2 {
		if failures := w.dispatcher().Handle(context.Background(), deliveries); len(failures) > 0 { // and nobody hears of it
			t.Fatal(failures)
		}
		if did == nil {
			did = w.did()
		}
	}
	if got := w.did(); len(did) != 15 || !slices.Equal(got, did) {
		t.Errorf("did %v, and with the batch again %v", did, got)
	}
	if told.repeated != 3 || len(told.attempts) != 15 {
		t.Errorf("told of %d repeated findings and %d attempts, want 3 and 15", told.repeated, len(told.attempts))
	}
}

// hanging is a store whose Create of one run hangs until time is over.
type hanging struct {
	*memory.Runs
	number int
}

func (h hanging) Create(ctx context.Context, run *responder.Run) error {
	if run.Finding.Number != h.number {
		return h.Runs.Create(ctx, run)
	}
	<-ctx.Done()
	return ctx.Err()
}

// TestDeadlineMidBatch: when time runs out, only what is not made durable comes
// again; of the rest nothing is lost.
func TestDeadlineMidBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, shortFlow)
		w.config.Runs = hanging{w.runs, 1}
		d := w.dispatcher()
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		deliveries := w.three()
		failures := d.Handle(ctx, deliveries)
		if len(failures) != 1 || failures[0].ID != "1" || failures[0].Dead || !errors.Is(failures[0].Err, context.DeadlineExceeded) {
			t.Fatalf("failures are %v, want that of 1, to come again", failures)
		}
		w.config.Runs = w.runs
		w.live(w.dispatcher(), 5*time.Minute, time.Second)
		page, err := w.runs.List(context.Background(), responder.RunQuery{State: responder.RunSucceeded})
		if err != nil || len(page.Runs) != 2 {
			t.Errorf("%d runs succeeded, %v; want 2", len(page.Runs), err)
		}
		if failures := w.dispatcher().Handle(context.Background(), deliveries[1:2]); len(failures) > 0 {
			t.Errorf("what comes again fails: %v", failures)
		}
	})
}

// TestParkedIsTold: a wake parks a run that cannot be decoded. A finding that
// meets one is taken care of, for its run is there; it parks nothing, for that run
// may be over.
func TestParkedIsTold(t *testing.T) {
	w := newWorld(t, shortFlow)
	var told audience
	told.listen(&w.config)
	f := w.finding("UnauthorizedInstanceCreated")
	w.send(f)
	w.turn(w.dispatcher())
	store := &undecodable{Runs: w.runs, parked: map[string]time.Time{}}
	w.config.Runs = store
	d := w.dispatcher()
	wake, err := responder.Bell{Wake: "r"}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := responder.Bell{Finding: &f}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	failures := d.Handle(context.Background(), []responder.Delivery{{ID: "1", Body: wake}, {ID: "2", Body: again}})
	if len(failures) > 0 || len(store.parked) != 1 {
		t.Errorf("failures are %v, parked %v", failures, store.parked)
	}
	if !slices.Equal(told.parked, []string{"r"}) || told.repeated != 1 {
		t.Errorf("told of %v parked, %d repeated", told.parked, told.repeated)
	}
}

// three are deliveries of three findings of one event.
func (w *world) three() (deliveries []responder.Delivery) {
	w.t.Helper()
	f := w.finding("UnauthorizedInstanceCreated")
	for n := range 3 {
		f.Number = n
		body, err := responder.Bell{Finding: &f}.Encode()
		if err != nil {
			w.t.Fatal(err)
		}
		deliveries = append(deliveries, responder.Delivery{ID: fmt.Sprint(n), Body: body})
	}
	return deliveries
}
