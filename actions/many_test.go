package actions_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
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
	t       *testing.T
	runs    *memory.Runs
	queue   *memory.Queue
	clock   time.Time
	finding responder.Finding
}

// newEngine makes an engine of one flow, whose repairs are live, for a finding of
// now in an account.
func newEngine(t *testing.T, catalogue responder.Catalogue, account, region, guards, steps string) *engine {
	t.Helper()
	flows, problems := dispatch.Load(fstest.MapFS{"flows.yml": {Data: []byte("flows:\n  - name: f\n    rule: r\n    repairs: live\n" + guards + "    sequential:\n" + steps)}},
		"flows.yml", dispatch.LoadOptions{Catalogue: catalogue})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	e := &engine{t: t, runs: &memory.Runs{}, clock: now.Add(time.Minute)}
	clock := func() time.Time { return e.clock }
	e.queue = memory.NewQueue("findings", clock, memory.QueueOptions{})
	e.finding = responder.Finding{Rule: "r", Title: "t", Key: "k", Resources: []string{"x"},
		Event: fmt.Appendf(nil, `{"id":"e","account":%q,"region":%q,"time":"2026-11-23T07:00:00Z","detail":{}}`, account, region)}
	d, err := dispatch.New(dispatch.Config{
		Flows: func() *dispatch.Flows { return flows }, Catalogue: catalogue, Runs: e.runs, Findings: e.queue, Counters: memory.NewCounters(clock),
		Halts: &memory.Halts{}, Mode: responder.ModeLive, Now: clock, Jitter: func() float64 { return 0.5 },
	})
	if err != nil {
		t.Fatal(err)
	}
	e.Dispatcher = d
	return e
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

// TestAFindingOfTenThousand: a repair of more than it takes asks nothing; of more
// than its flow lets a finding touch it does nothing; both say so, soon, and in a
// run that every store takes.
func TestAFindingOfTenThousand(t *testing.T) {
	for _, tt := range []struct {
		n      int
		guards string
		state  responder.RunState
		says   string
		asks   bool
	}{
		{10_000, "", responder.RunFailed, "ids names 10000 things, and an action takes 1000 at most: nothing was asked or done", false},
		{10_000, "    limits: {per_finding: 1000, per_run: 1000, per_hour: 1000, per_account: 1000}\n", responder.RunFailed, "ids names 10000 things", false},
		{500, "", responder.RunSucceeded, "it would touch 500 things; a finding may touch 10", true},
	} {
		f := newFakeEC2()
		f.states = machines{}
		var ids []string
		for i := range tt.n {
			ids = append(ids, fmt.Sprintf("i-%.17s", hashed(i)))
			f.states[ids[i]] = running
		}
		e := newEngine(t, f.catalogue(), account, "eu-west-3", tt.guards, "      - remediate: {}\n")
		e.finding.Resources = ids
		e.finding.Remediate = &responder.Binding{Action: "EC2StopInstances", Params: map[string]any{"ids": listOf(ids)}}
		began := time.Now()
		run := e.run()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%d: %v", tt.n, took)
		}
		said := told(run)
		if run.State != tt.state || !strings.Contains(said, tt.says) || (len(f.calls) > 0) != tt.asks {
			t.Errorf("%d: asked %d times\n%.2000s", tt.n, len(f.calls), said)
		}
		for _, op := range f.calls {
			if !strings.HasPrefix(op, "Describe") {
				t.Errorf("%d: %s", tt.n, op)
			}
		}
		data, err := responder.EncodeRun(run)
		if err != nil || len(data) > responder.MaxRunBytes {
			t.Errorf("%d: %d bytes, %v", tt.n, len(data), err)
		}
		t.Logf("%d resources: a run of %d bytes", tt.n, len(data))
	}
}

// hashed is a number as hexadecimal digits that nothing can be said of.
func hashed(n int) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte{byte(n), byte(n >> 8)}))
}
