package actions_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
	"github.com/skycrafters/responder/internal/memory"
)

// engine is the real engine over some actions, with runs in memory and a told clock.
type engine struct {
	*dispatch.Dispatcher
	t         *testing.T
	catalogue responder.Catalogue
	flows     atomic.Pointer[dispatch.Flows]
	runs      *memory.Runs
	queue     *memory.Queue
	clock     time.Time
	finding   responder.Finding
}

// newEngine makes an engine of one flow, whose repairs are live, for a finding of
// now in an account.
func newEngine(t *testing.T, catalogue responder.Catalogue, account, region, guards, steps string) *engine {
	t.Helper()
	e := &engine{t: t, catalogue: catalogue, runs: &memory.Runs{}, clock: now.Add(time.Minute)}
	e.load("", guards, steps)
	clock := func() time.Time { return e.clock }
	e.queue = memory.NewQueue("findings", clock, memory.QueueOptions{})
	e.finding = responder.Finding{Rule: "r", Title: "t", Key: "k", Resources: []string{"x"},
		Event: fmt.Appendf(nil, `{"id":"e","account":%q,"region":%q,"time":"2026-11-23T07:00:00Z","detail":{}}`, account, region)}
	d, err := dispatch.New(dispatch.Config{
		Flows: e.flows.Load, Catalogue: catalogue, Runs: e.runs, Findings: e.queue, Counters: memory.NewCounters(clock),
		Halts: &memory.Halts{}, Mode: responder.ModeLive, Now: clock, Jitter: func() float64 { return 0.5 },
	})
	if err != nil {
		t.Fatal(err)
	}
	e.Dispatcher = d
	return e
}

// load gives the flow other words, as a deployment does.
func (e *engine) load(file, guards, steps string) {
	e.t.Helper()
	flows, problems := dispatch.Load(fstest.MapFS{"flows.yml": {Data: []byte(file + "flows:\n  - name: f\n    rule: r\n    repairs: live\n" + guards + "    sequential:\n" + steps)}},
		"flows.yml", dispatch.LoadOptions{Catalogue: e.catalogue})
	if err := problems.Err(); err != nil {
		e.t.Fatal(err)
	}
	e.flows.Store(flows)
}

// run lets the finding be handled until its run has ended.
func (e *engine) run() *responder.Run {
	e.t.Helper()
	message, err := responder.Bell{Finding: &e.finding}.Encode()
	if err != nil {
		e.t.Fatal(err)
	}
	e.hear(responder.Delivery{ID: "1", Body: message})
	return e.ended(e.finding.RunID("f"))
}

func (e *engine) hear(deliveries ...responder.Delivery) {
	e.t.Helper()
	for _, failure := range e.Handle(e.t.Context(), deliveries) {
		e.t.Fatal(failure.Err)
	}
}

// ended rings a run until it has ended, however long its waits are.
func (e *engine) ended(id string) *responder.Run {
	e.t.Helper()
	for range 100 {
		run, err := e.runs.Get(e.t.Context(), id)
		if err != nil {
			e.t.Fatal(err)
		}
		if run.State.Ended() {
			return run
		}
		if run.Due.After(e.clock) {
			e.clock = run.Due.Add(time.Millisecond)
		}
		wake, err := responder.Bell{Wake: id}.Encode()
		if err != nil {
			e.t.Fatal(err)
		}
		e.hear(responder.Delivery{ID: "w", Body: wake})
	}
	e.t.Fatalf("run %s does not end", id)
	return nil
}

// undo puts back what the run did.
func (e *engine) undo() *responder.Run {
	e.t.Helper()
	undo, err := e.Control().Undo(e.t.Context(), e.finding.RunID("f"), "", "ann", "a mistake")
	if err != nil {
		e.t.Fatal(err)
	}
	return e.ended(undo.ID)
}

// told is what a run says of its steps, in short.
func told(run *responder.Run) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", run.State, run.Cause)
	for path, s := range run.Steps {
		fmt.Fprintf(&b, "\n%s %s %s %s %v", path, s.Action, s.State, s.Error, s.Result)
	}
	return b.String()
}
