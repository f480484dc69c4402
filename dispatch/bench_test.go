package dispatch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/memory"
	"github.com/skycrafters/responder/internal/sqlite"
)

// threeSteps is the flow that is measured: a notice, a check, a repair.
const threeSteps = `
flows:
  - name: f
    rule: UnauthorizedInstanceCreated
    repairs: live
    sequential:
      - SendSlack: {message: "{{ title }} in {{ account.name }}"}
      - check: {}
      - remediate: {}
`

// quickly is an action that does nothing, at once.
type quickly struct{ responder.Action }

func (quickly) Do(context.Context, responder.Call) (responder.Result, error) { return nil, nil }

// engine is a Dispatcher of threeSteps on a store and a queue. The actions take
// no time, so that what is measured is the engine and its store.
func engine(b *testing.B, runs responder.RunStore, queue responder.Queue) (*Dispatcher, *world) {
	b.Helper()
	w := newWorld(&testing.T{}, threeSteps)
	for name, action := range w.catalogue {
		w.catalogue[name] = quickly{action}
	}
	w.config.Runs, w.config.Findings, w.config.Now, w.config.Concurrency = runs, queue, time.Now, 200
	w.clock.now = time.Now()
	return w.dispatcher(), w
}

// deliveries are n findings, each of an event of its own.
func deliveries(b *testing.B, w *world, from, n int) []responder.Delivery {
	b.Helper()
	batch := make([]responder.Delivery, n)
	f := w.finding("UnauthorizedInstanceCreated")
	for i := range batch {
		f.Key = fmt.Sprint(b.Name(), from+i)
		body, err := responder.Bell{Finding: &f}.Encode()
		if err != nil {
			b.Fatal(err)
		}
		batch[i] = responder.Delivery{ID: f.Key, Body: body}
	}
	return batch
}

// benchmarkRuns measures runs of three steps from finding to end, some a batch.
func benchmarkRuns(b *testing.B, runs responder.RunStore, queue responder.Queue, batch int) {
	d, w := engine(b, runs, queue)
	n := 0
	for b.Loop() {
		b.StopTimer()
		messages := deliveries(b, w, n, batch)
		n += batch
		b.StartTimer()
		if failures := d.Handle(b.Context(), messages); len(failures) > 0 {
			b.Fatal(failures[0].Err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "runs/s")
}

// store opens a store in a folder.
func store(b *testing.B, folder string) *sqlite.DB {
	b.Helper()
	db, err := sqlite.Open(filepath.Join(folder, "responder.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	return db
}

// inMemory is a folder whose files no disk holds, where there is such a thing:
// an fsync costs nothing there.
func inMemory(b *testing.B) string {
	b.Helper()
	folder, err := os.MkdirTemp("/dev/shm", "responder-bench-")
	if err != nil {
		b.Skipf("no file system in memory: %v", err)
	}
	b.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			b.Error(err)
		}
	})
	return folder
}

// BenchmarkRun measures runs of three steps, one at a time and many a batch: on
// ports in memory (the engine alone), on SQLite with files that no disk holds
// (the store without fsync), and on SQLite on the disk.
func BenchmarkRun(b *testing.B) {
	for _, batch := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("memory/batch=%d", batch), func(b *testing.B) {
			benchmarkRuns(b, &memory.Runs{}, memory.NewQueue("findings", time.Now, memory.QueueOptions{}), batch)
		})
		b.Run(fmt.Sprintf("sqlite-nosync/batch=%d", batch), func(b *testing.B) {
			db := store(b, inMemory(b))
			benchmarkRuns(b, db.Runs(), db.Queue("findings", sqlite.QueueOptions{}), batch)
		})
		b.Run(fmt.Sprintf("sqlite/batch=%d", batch), func(b *testing.B) {
			db := store(b, b.TempDir())
			benchmarkRuns(b, db.Runs(), db.Queue("findings", sqlite.QueueOptions{}), batch)
		})
	}
}

// await fills a store with runs that wait for a month.
func await(b *testing.B, w *world, runs responder.RunStore, n int) {
	b.Helper()
	flow := w.flows.Load().byName["f"].snapshot()
	later := time.Now().Add(30 * 24 * time.Hour)
	var wg sync.WaitGroup
	const hands = 200
	for hand := range hands {
		wg.Go(func() {
			for i := hand; i < n; i += hands {
				f := w.finding("UnauthorizedInstanceCreated")
				f.Key = fmt.Sprintf("waiting %d", i)
				run := &responder.Run{V: 1, ID: f.RunID("f"), Token: "t", Flow: flow, Finding: f, Mode: responder.ModeLive, State: responder.RunWaiting, Due: later, Created: time.Now(), Updated: time.Now()}
				if err := runs.Create(b.Context(), run); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkWaiting measures the same beside many runs that wait, and a sweep
// that finds none of them due.
func BenchmarkWaiting(b *testing.B) {
	for _, waiting := range []int{0, 10_000, 100_000} {
		db := store(b, b.TempDir())
		queue := db.Queue("findings", sqlite.QueueOptions{})
		d, w := engine(b, db.Runs(), queue)
		await(b, w, db.Runs(), waiting)
		for _, batch := range []int{1, 100} {
			b.Run(fmt.Sprintf("waiting=%d/batch=%d", waiting, batch), func(b *testing.B) { benchmarkRuns(b, db.Runs(), queue, batch) })
		}
		b.Run(fmt.Sprintf("waiting=%d/sweep", waiting), func(b *testing.B) {
			for b.Loop() {
				if n, err := d.Sweep(b.Context()); n != 0 || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}
