package sqlite_test

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/porttest"
	"github.com/skycrafters/responder/internal/sqlite"
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

// openAt opens a file and closes it with the test.
func openAt(t testing.TB, path string, now func() time.Time) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(path, sqlite.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func newPath(t testing.TB) string { return filepath.Join(t.TempDir(), "state", "responder.db") }

func openNew(t testing.TB) (*sqlite.DB, *clock) {
	c := newClock()
	return openAt(t, newPath(t), c.Now), c
}

func openQueue(t *testing.T) porttest.QueueHarness {
	db, c := openNew(t)
	options := sqlite.QueueOptions{Visibility: time.Minute, MaxReceives: 3}
	q := db.Queue("events", options)
	return porttest.QueueHarness{Queue: q, Dead: q, Visibility: options.Visibility, MaxReceives: options.MaxReceives, Advance: c.Advance}
}

func TestQueue(t *testing.T) { porttest.Queue(t, openQueue) }
func TestDead(t *testing.T)  { porttest.Dead(t, openQueue) }

func TestRuns(t *testing.T) {
	porttest.Runs(t, func(t *testing.T) porttest.RunsHarness {
		db, _ := openNew(t)
		return porttest.RunsHarness{Store: db.Runs(), Lister: db.Runs()}
	})
}

func TestCounters(t *testing.T) {
	porttest.Counters(t, func(t *testing.T) porttest.CountersHarness {
		db, c := openNew(t)
		return porttest.CountersHarness{Counters: db.Counters(), Now: c.Now, Advance: c.Advance}
	})
}

func TestBudget(t *testing.T) {
	porttest.Budget(t, func(t *testing.T) porttest.CountersHarness {
		db, c := openNew(t)
		return porttest.CountersHarness{Counters: db.Counters(), Now: c.Now, Advance: c.Advance}
	})
}

func TestHalts(t *testing.T) {
	porttest.Halts(t, func(t *testing.T) responder.Halts {
		db, _ := openNew(t)
		return db.Halts()
	})
}

func TestSecrets(t *testing.T) {
	porttest.Secrets(t, func(t *testing.T) porttest.SecretsHarness {
		db, c := openNew(t)
		return porttest.SecretsHarness{
			Secrets: db.Secrets(),
			Set: func(t *testing.T, name, value string) {
				if err := db.Secrets().Set(t.Context(), name, value); err != nil {
					t.Fatal(err)
				}
			},
			Now: c.Now, Advance: c.Advance,
		}
	})
}
