package memory_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/memory"
	"github.com/skycrafters/responder/internal/porttest"
)

// clock is time as it is told.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func openQueue(*testing.T) porttest.QueueHarness {
	c := newClock()
	options := memory.QueueOptions{Visibility: time.Minute, MaxReceives: 3}
	q := memory.NewQueue("events", c.Now, options)
	return porttest.QueueHarness{Queue: q, Dead: q, Visibility: options.Visibility, MaxReceives: options.MaxReceives, Advance: c.Advance}
}

func TestQueue(t *testing.T) { porttest.Queue(t, openQueue) }
func TestDead(t *testing.T)  { porttest.Dead(t, openQueue) }

func TestRuns(t *testing.T) {
	porttest.Runs(t, func(*testing.T) porttest.RunsHarness {
		var runs memory.Runs
		return porttest.RunsHarness{Store: &runs, Lister: &runs}
	})
}

func TestCounters(t *testing.T) {
	porttest.Counters(t, func(*testing.T) porttest.CountersHarness {
		c := newClock()
		return porttest.CountersHarness{Counters: memory.NewCounters(c.Now), Now: c.Now, Advance: c.Advance}
	})
}

func TestBudget(t *testing.T) {
	porttest.Budget(t, func(*testing.T) porttest.CountersHarness {
		c := newClock()
		return porttest.CountersHarness{Counters: memory.NewCounters(c.Now), Now: c.Now, Advance: c.Advance}
	})
}

func TestHalts(t *testing.T) {
	porttest.Halts(t, func(*testing.T) responder.Halts { return &memory.Halts{} })
}

func TestHeartbeats(t *testing.T) {
	porttest.Heartbeats(t, func(*testing.T) responder.Heartbeats { return &memory.Heartbeats{} })
}

func TestSecrets(t *testing.T) {
	porttest.Secrets(t, func(*testing.T) porttest.SecretsHarness {
		c := newClock()
		s := memory.NewSecrets(c.Now)
		return porttest.SecretsHarness{
			Secrets: s, Set: func(_ *testing.T, name, value string) { s.Set(name, value) },
			Now: c.Now, Advance: c.Advance,
		}
	})
}

// A Receive that waits wakes at the very moment a message becomes deliverable,
// and gives up at the very moment its wait is over.
func TestReceiveWaitsToTheMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := memory.NewQueue("events", time.Now, memory.QueueOptions{Visibility: 10 * time.Second})
		began := time.Now()
		if err := q.Send(t.Context(), responder.Message{Body: []byte("x"), Delay: 3 * time.Second}); err != nil {
			t.Fatal(err)
		}
		for _, want := range []struct {
			n  int
			at time.Duration
		}{{1, 3 * time.Second}, {1, 13 * time.Second}, {0, 18 * time.Second}} {
			wait := 12 * time.Second
			if want.n == 0 {
				wait = 5 * time.Second
			}
			deliveries, err := q.Receive(t.Context(), 1, wait)
			if err != nil || len(deliveries) != want.n || time.Since(began) != want.at {
				t.Errorf("Receive gave %d, %v after %v; want %d after %v", len(deliveries), err, time.Since(began), want.n, want.at)
			}
		}
	})
}

func TestReceiveOfNone(t *testing.T) {
	q := memory.NewQueue("events", time.Now, memory.QueueOptions{})
	if _, err := q.Receive(t.Context(), 0, 0); err == nil {
		t.Error("Receive of at most 0 gave no error")
	}
}

func FuzzListCursor(f *testing.F) {
	for _, cursor := range []string{"", "1/a", "-1/a/b", "x", "/", "99999999999999999999/a"} {
		f.Add(cursor)
	}
	var runs memory.Runs
	if err := runs.Create(f.Context(), &responder.Run{V: 1, ID: "a"}); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		if page, err := runs.List(t.Context(), responder.RunQuery{Cursor: cursor}); err != nil && len(page.Runs) > 0 {
			t.Errorf("List gave runs and %v", err)
		}
	})
}
