package flood

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/detect"
	"github.com/skycrafters/responder/dispatch"
	"github.com/skycrafters/responder/internal/evidence"
)

// The limits of the flow, beside that of each thing once an hour.
const (
	perFinding = 3
	perRun     = 4
	perHour    = 300
	perAccount = 60
	notices    = 25
)

const (
	workers = 4
	things  = 200  // of each account
	portion = 2000 // events that wait at a time: what queues cost is not the question here
)

var rules = `
rules:
  Flood:
    when: event.detail.kind == "flood"
    resources: [event.detail.ids]
    remediate: {Mend: {ids: "{{ resources }}"}}
`

var flows = fmt.Sprintf(`
flows:
  - name: f
    rule: Flood
    repairs: live
    limits: {per_finding: %d, per_run: %d, per_hour: %d, per_account: %d, per_resource: 1/1h, again: 1000, notices: %d/1h}
    sequential:
      - Tell: {message: found}
      - remediate: {}
      - Mend: {ids: "{{ event.detail.more }}"}
        if: len(event.detail.more) > 0
      - Tell: {message: after}
`, perFinding, perRun, perHour, perAccount, notices)

// Figures are what a flood came to.
type Figures struct {
	Events, Again, Runs int
	Touched             int // things
	Told                int // notices
	LeftOut             int // notices
	Held                map[string]int
}

// Evidence gives them as a row for docs/reliability.md.
func (f Figures) Evidence() evidence.Figures {
	var held []string
	for _, guard := range slices.Sorted(maps.Keys(f.Held)) {
		held = append(held, fmt.Sprintf("%d by %s", f.Held[guard], guard))
	}
	return evidence.Figures{
		Load:    fmt.Sprintf("%d events, %d of them twice, %d runs, by %d workers", f.Events, f.Again, f.Runs, workers),
		Faults:  "none; held back: " + strings.Join(held, ", "),
		Doubled: fmt.Sprintf("0; %d things touched of %d allowed in the hour; %d notices sent, %d told of together", f.Touched, perHour, f.Told, f.LeftOut),
	}
}

// Through lets so many events through a world, by four workers, some of them
// twice, and reports what does not hold.
func Through(t *testing.T, w World, events int) Figures {
	t.Helper()
	done := newDeeds()
	catalogue := responder.Catalogue{"Mend": mend{done}, "Tell": tell{done}}
	files := fstest.MapFS{"rules.yml": {Data: []byte(rules)}, "flows.yml": {Data: []byte(flows)}}
	ruleSet, problems := detect.Load(files, "rules.yml", catalogue)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	flowSet, problems := dispatch.Load(files, "flows.yml", dispatch.LoadOptions{Catalogue: catalogue})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	f := Figures{Events: events}
	held := &tally{}
	crew := make([]worker, workers)
	for i := range crew {
		d, err := dispatch.New(dispatch.Config{
			Flows: func() *dispatch.Flows { return flowSet }, Catalogue: catalogue, Runs: w.Runs, Findings: w.Findings, Counters: w.Counters, Halts: w.Halts,
			Mode: responder.ModeLive, Now: w.Clock.Now, Held: func(h dispatch.HeldReport) { held.add(h.Guard) },
		})
		if err != nil {
			t.Fatal(err)
		}
		crew[i] = worker{w, &detect.Detector{Rules: func() *detect.Rules { return ruleSet }, Findings: w.Findings}, d}
	}
	f.Again = pour(t, w, events, func() { drain(t, crew) })
	for range 45 { // what failed for now is tried again, within the hour
		w.Clock.advance(time.Minute)
		sweep(t, crew[0])
		drain(t, crew)
	}
	judgeHour(t, done)
	w.Clock.advance(20 * time.Minute)
	for range 30 { // what was left out is told, in the next
		sweep(t, crew[0])
		drain(t, crew)
		w.Clock.advance(time.Minute)
	}
	f.Held = held.counts()
	judgeEnd(t, w, done, &f)
	return f
}

// pour puts the events on their queue, some of them twice, and has them worked on
// as often as a portion of them is there. Half are of one account; some name more
// than a finding or a run may touch.
func pour(t *testing.T, w World, events int, work func()) (again int) {
	t.Helper()
	dice := rand.New(rand.NewPCG(1, uint64(events)))
	var batch []responder.Message
	flush := func() {
		if err := w.Events.Send(t.Context(), batch...); err != nil {
			t.Fatal(err)
		}
		again += len(batch)
		batch = batch[:0]
		work()
	}
	for n := range events {
		account := 0
		if dice.IntN(2) == 0 {
			account = dice.IntN(20)
		}
		ids := func(many int) string {
			var all []string
			for range many {
				all = append(all, fmt.Sprintf(`"i-%d"`, dice.IntN(things)))
			}
			return strings.Join(all, ",")
		}
		first, more := 1+dice.IntN(perFinding), 0
		switch dice.IntN(20) {
		case 0:
			first = perFinding + 1 + dice.IntN(4)
		case 1, 2:
			more = 1 + dice.IntN(perFinding)
		}
		event := fmt.Appendf(nil, `{"id":"e-%d","source":"flood","detail-type":"flood","account":"%012d","region":"eu-west-1","time":%q,"detail":{"kind":"flood","ids":[%s],"more":[%s]}}`,
			n, account+1, w.Clock.Now().Format(time.RFC3339), ids(first), ids(more))
		for range 1 + dice.IntN(50)/49 {
			batch = append(batch, responder.Message{Body: event})
		}
		if len(batch) >= portion {
			flush()
		}
	}
	flush()
	return again - events
}

// worker works on both queues.
type worker struct {
	World
	detector   *detect.Detector
	dispatcher *dispatch.Dispatcher
}

// turn works on what can be received of a queue, and says whether that was anything.
func (w worker) turn(ctx context.Context, queue responder.Queue, handle func(context.Context, []responder.Delivery) []responder.Failure) (bool, error) {
	deliveries, err := queue.Receive(ctx, 10, 0)
	if err != nil || len(deliveries) == 0 {
		return false, err
	}
	if failures := handle(ctx, deliveries); len(failures) > 0 {
		return false, fmt.Errorf("%d of a batch failed: %w", len(failures), failures[0].Err)
	}
	return true, queue.Ack(ctx, deliveries...)
}

// drain has all workers work until nobody finds anything.
func drain(t *testing.T, crew []worker) {
	t.Helper()
	for {
		var worked atomic.Bool
		group, ctx := errgroup.WithContext(t.Context())
		for _, w := range crew {
			group.Go(func() error {
				for {
					events, err := w.turn(ctx, w.Events, w.detector.Handle)
					if err != nil {
						return err
					}
					findings, err := w.turn(ctx, w.Findings, w.dispatcher.Handle)
					if err != nil {
						return err
					}
					if !events && !findings {
						return nil
					}
					worked.Store(true)
				}
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		if !worked.Load() {
			return
		}
	}
}

func sweep(t *testing.T, w worker) {
	t.Helper()
	if _, err := w.dispatcher.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
}
