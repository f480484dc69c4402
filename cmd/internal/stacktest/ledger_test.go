package stacktest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
)

// ledger is what must come of everything that was accepted. Safe for concurrent use.
type ledger struct {
	mu       sync.Mutex
	accepted int // events of accepted requests, each time they were sent
	failed   int // requests that were answered 503, and sent again
	runs     map[string]expected
}

// expected is how a run must end.
type expected struct {
	state  responder.RunState
	cause  string   // a part of it
	failed int      // steps that failed
	told   []string // paths of the steps that post to the webhook
}

func (l *ledger) accept(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted += n
}

func (l *ledger) fail() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed++
}

func (l *ledger) expect(id string, e expected) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.runs == nil {
		l.runs = map[string]expected{}
	}
	l.runs[id] = e
}

// enter notes what must come of an event that the stack has accepted: its rules
// are evaluated here, the same as there.
func (d *deployed) enter(t *testing.T, event responder.Event) {
	t.Helper()
	findings, problems := d.definitions.Rules.Evaluate(event)
	for _, problem := range problems {
		t.Errorf("event %s: %v", event.ID(), problem)
	}
	for _, finding := range findings {
		for _, flow := range d.definitions.Flows.All() {
			if !flow.Disabled && dispatch.For(flow, finding.Rule) {
				d.ledger.expect(finding.RunID(flow.Name), d.outcome(t, flow, event))
			}
		}
	}
}

// outcome says how a run of a shipped flow ends here, for an event whose user or
// instances are not in this account: a check says no, and one of another account
// than the stack's cannot be made.
func (d *deployed) outcome(t *testing.T, flow responder.Flow, event responder.Event) expected {
	t.Helper()
	switch flow.Name {
	case "RootLogin", "SuspiciousLoginHour", "SuspiciousLoginIP", "ResponderTampered":
		return expected{state: responder.RunSucceeded, told: []string{"0.0"}}
	case "NonCompliantUserCreated", "UnauthorizedInstanceCreated":
		if event.Account() != d.Account {
			return expected{state: responder.RunFailed, cause: "is not among the member accounts", failed: 1, told: []string{"0", "2"}}
		}
		return expected{state: responder.RunStopped, told: []string{"0", "2"}}
	}
	t.Fatalf("how does flow %s end? Say so here", flow.Name)
	return expected{}
}

// differs says how a run is not as expected, "" if it is.
func (e expected) differs(run responder.RunSummary) string {
	if run.State != e.state || !strings.Contains(run.Cause, e.cause) || run.FailedSteps != e.failed {
		return fmt.Sprintf("run %s of flow %s is %s (%s) with %d failed steps, want %s (… %s …) with %d", run.ID, run.Flow, run.State, run.Cause, run.FailedSteps, e.state, e.cause, e.failed)
	}
	return ""
}

// list reads the summaries of all runs in the table, by id.
func (d *deployed) list(ctx context.Context) (map[string]responder.RunSummary, error) {
	runs := map[string]responder.RunSummary{}
	query := responder.RunQuery{Max: 500}
	for {
		page, err := d.runs.List(ctx, query)
		if err != nil {
			return nil, err
		}
		for _, run := range page.Runs {
			runs[run.ID] = run
		}
		if query.Cursor = page.Next; query.Cursor == "" {
			return runs, nil
		}
	}
}

// testAccounted: of every accepted event there is what must come of it, once, and
// nothing else is in the table.
func testAccounted(t *testing.T, d *deployed) {
	want := d.ledger.runs
	if len(want) < 20 {
		t.Fatalf("only %d runs are expected: the events do not show much", len(want))
	}
	await(t, 6*time.Minute, func(ctx context.Context) string {
		runs, err := d.list(ctx)
		if err != nil {
			return err.Error()
		}
		for id := range runs {
			if _, known := want[id]; !known {
				t.Fatalf("run %s of flow %s is of no accepted event", id, runs[id].Flow)
			}
		}
		var missing []string
		for _, id := range slices.Sorted(maps.Keys(want)) {
			if run, there := runs[id]; !there {
				missing = append(missing, "run "+id+" is not there")
			} else if said := want[id].differs(run); said != "" {
				if run.State.Ended() {
					t.Fatal(said)
				}
				missing = append(missing, said)
			}
		}
		if len(missing) > 0 {
			return fmt.Sprintf("%d of %d runs: %s", len(missing), len(want), missing[0])
		}
		return ""
	})
	states := map[responder.RunState]int{}
	for _, e := range want {
		states[e.state]++
	}
	shown(t, "%d events accepted, those sent again included; %d runs, each once and as expected: %v", d.ledger.accepted, len(want), states)
}
