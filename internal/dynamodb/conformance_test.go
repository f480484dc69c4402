package dynamodb_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/dynamodb"
	"github.com/skycrafters/responder/internal/emulator"
	"github.com/skycrafters/responder/internal/porttest"
)

func TestEmulatedRuns(t *testing.T) {
	client := connect(t)
	porttest.Runs(t, func(t *testing.T) porttest.RunsHarness {
		t.Parallel()
		runs := dynamodb.NewRuns(client, create(t, client, dynamodb.RunsTable), newClock().Now)
		return porttest.RunsHarness{Store: runs, Lister: runs, Lag: time.Second}
	})
}

func TestEmulatedCounters(t *testing.T) {
	client := connect(t)
	porttest.Counters(t, func(t *testing.T) porttest.CountersHarness {
		t.Parallel()
		c := newClock() // told, for it is ours that decides, not the table's
		counters := dynamodb.NewCounters(client, create(t, client, dynamodb.CountersTable), c.Now)
		return porttest.CountersHarness{Counters: counters, Now: c.Now, Advance: c.Advance}
	})
}

func TestEmulatedBudget(t *testing.T) {
	client := connect(t)
	porttest.Budget(t, func(t *testing.T) porttest.CountersHarness {
		t.Parallel()
		c := newClock()
		counters := dynamodb.NewCounters(client, create(t, client, dynamodb.CountersTable), c.Now)
		return porttest.CountersHarness{Counters: counters, Now: c.Now, Advance: c.Advance}
	})
}

func TestEmulatedHalts(t *testing.T) {
	client := connect(t)
	porttest.Halts(t, func(t *testing.T) responder.Halts {
		return dynamodb.NewHalts(client, create(t, client, dynamodb.CountersTable))
	})
}

func TestEmulatedHeartbeats(t *testing.T) {
	client := connect(t)
	porttest.Heartbeats(t, func(t *testing.T) responder.Heartbeats {
		t.Parallel()
		return dynamodb.NewHeartbeats(client, create(t, client, dynamodb.CountersTable))
	})
}

func connect(t *testing.T) *awsdynamodb.Client {
	return awsdynamodb.NewFromConfig(emulator.AWS(t))
}

// create makes a table for one test and gives its name.
func create(t *testing.T, client *awsdynamodb.Client, table func(name string) *awsdynamodb.CreateTableInput) string {
	t.Helper()
	return emulator.Table(t, client, table(fmt.Sprintf("conformance-%x", rand.Uint64())))
}

// clock is time as it is told.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 29, 12, 0, 0, 6, time.UTC)} }

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
