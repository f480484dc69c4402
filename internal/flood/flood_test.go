package flood

import (
	"flag"
	"path/filepath"
	"testing"
	"time"

	"github.com/skycrafters/responder/internal/evidence"
	"github.com/skycrafters/responder/internal/memory"
	"github.com/skycrafters/responder/internal/sqlite"
)

var events = flag.Int("events", 1200, "how many there are")

// TestFlood: four workers hold every limit of a flow to the unit, on memory and on
// a file.
func TestFlood(t *testing.T) {
	for name, open := range map[string]func(*testing.T, *Clock) World{"memory": inMemory, "sqlite": inFile} {
		t.Run(name, func(t *testing.T) {
			clock := NewClock()
			f := Through(t, open(t, clock), *events)
			evidence.Report(t, map[string]string{"memory": "Flood, in memory", "sqlite": "Flood, on SQLite"}[name], f.Evidence())
		})
	}
}

func inMemory(t *testing.T, clock *Clock) World {
	runs := &memory.Runs{}
	return World{
		Events: memory.NewQueue("events", clock.Now, memory.QueueOptions{}), Findings: memory.NewQueue("findings", clock.Now, memory.QueueOptions{}),
		Runs: runs, Lister: runs, Counters: memory.NewCounters(clock.Now), Halts: &memory.Halts{}, Clock: clock,
	}
}

func inFile(t *testing.T, clock *Clock) World {
	db, err := sqlite.Open(filepath.Join(t.TempDir(), "responder.db"), sqlite.Options{Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	visible := sqlite.QueueOptions{Visibility: 12 * time.Hour}
	runs := db.Runs()
	return World{
		Events: db.Queue("events", visible), Findings: db.Queue("findings", visible), Runs: runs, Lister: runs, Counters: db.Counters(), Halts: db.Halts(), Clock: clock,
	}
}
