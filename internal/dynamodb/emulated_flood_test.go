package dynamodb_test

import (
	"testing"
	"time"

	"github.com/skycrafters/responder/internal/dynamodb"
	"github.com/skycrafters/responder/internal/evidence"
	"github.com/skycrafters/responder/internal/flood"
	"github.com/skycrafters/responder/internal/memory"
)

// TestEmulatedFlood: four workers hold every limit of a flow to the unit on
// DynamoDB, too.
func TestEmulatedFlood(t *testing.T) {
	client, clock := connect(t), flood.NewClock()
	runs := dynamodb.NewRuns(client, create(t, client, dynamodb.RunsTable), clock.Now)
	counters := create(t, client, dynamodb.CountersTable)
	began := time.Now()
	f := flood.Through(t, flood.World{
		Events: memory.NewQueue("events", clock.Now, memory.QueueOptions{}), Findings: memory.NewQueue("findings", clock.Now, memory.QueueOptions{}),
		Runs: runs, Lister: runs, Counters: dynamodb.NewCounters(client, counters, clock.Now), Halts: dynamodb.NewHalts(client, counters), Clock: clock,
	}, 600)
	t.Logf("took %v", time.Since(began).Round(time.Second))
	evidence.Report(t, "AWS: flood", f.Evidence())
}
