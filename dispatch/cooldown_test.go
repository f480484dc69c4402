package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/memory"
)

const coolFlow = `
flows:
  - name: f
    rules: ["*"]
    cooldown: {for: 1h, by: [rule, account.id, "{{ resources[0] }}"]}
    sequential:
      - SendSlack: {message: "{{ meta.n }}"}
`

// coolWorld counts for cooldowns.
func coolWorld(t *testing.T, flows string) *world {
	t.Helper()
	w := newWorld(t, flows)
	w.config.Counters = memory.NewCounters(w.clock.Now)
	return w
}

// found is the n-th finding of a rule about a resource, each of an event of its own.
func (w *world) found(n int, rule, resource string) responder.Finding {
	f := w.finding(rule)
	f.Key, f.Resources, f.Meta = fmt.Sprintf("123412341234/ev-%d", n), []string{resource}, map[string]any{"n": n}
	return f
}

func (w *world) states() map[responder.RunState]int {
	w.t.Helper()
	page, err := w.runs.List(context.Background(), responder.RunQuery{Max: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	states := map[responder.RunState]int{}
	for _, r := range page.Runs {
		states[r.State]++
	}
	return states
}

// TestCooldown: of findings that are alike, the first of a window is let
// through; of each of the others there is a run that says it was suppressed.
func TestCooldown(t *testing.T) {
	w := coolWorld(t, coolFlow)
	d := w.dispatcher()
	for _, f := range []responder.Finding{
		w.found(1, "RootLogin", "i-1"), w.found(2, "RootLogin", "i-1"), w.found(3, "RootLogin", "i-2"), w.found(4, "SuspiciousLoginHour", "i-1"), w.found(5, "RootLogin", "i-1"),
	} {
		w.send(f)
		w.turn(d)
	}
	if got := strings.Join(w.did(), " "); got != "SendSlack 1 SendSlack 3 SendSlack 4" {
		t.Fatal(got)
	}
	for n, want := range map[int]int{2: 1, 5: 2} {
		run, err := w.runs.Get(context.Background(), w.found(n, "RootLogin", "i-1").RunID("f"))
		if err != nil || run.State != responder.RunSuppressed || run.Suppressed != want || !run.Due.IsZero() || len(run.Steps) != 0 ||
			run.Cause != fmt.Sprintf("cooldown: number %d of the findings like one before it that are suppressed", want) {
			t.Errorf("finding %d: %+v, %v", n, run, err)
		}
	}
	w.clock.Advance(time.Hour - time.Second)
	w.send(w.found(6, "RootLogin", "i-1"))
	w.turn(d)
	w.clock.Advance(time.Second)
	for _, n := range []int{7, 8} {
		w.send(w.found(n, "RootLogin", "i-1"))
		w.turn(d)
	}
	if got := strings.Join(w.did()[3:], " "); got != "SendSlack 7" {
		t.Errorf("around the end of the window: %s", got)
	}
	if run, err := w.runs.Get(context.Background(), w.found(8, "RootLogin", "i-1").RunID("f")); err != nil || run.Suppressed != 1 {
		t.Errorf("a new window counts on: %+v, %v", run, err)
	}
	if got := fmt.Sprint(w.states()); got != "map[succeeded:4 suppressed:4]" {
		t.Error(got)
	}
}

// TestCooldownAgain: the same finding again changes nothing, within the window
// and after it; nor does it begin a window.
func TestCooldownAgain(t *testing.T) {
	w := coolWorld(t, coolFlow)
	d := w.dispatcher()
	one, two := w.found(1, "RootLogin", "i-1"), w.found(2, "RootLogin", "i-1")
	for range 3 {
		w.send(one)
		w.send(two)
		w.turn(d)
	}
	w.clock.Advance(2 * time.Hour)
	w.send(one)
	w.send(two)
	w.turn(d)
	w.send(w.found(3, "RootLogin", "i-1"))
	w.turn(d)
	if got := fmt.Sprint(w.states()); got != "map[succeeded:2 suppressed:1]" || len(w.did()) != 2 {
		t.Error(got, w.did())
	}
}

// TestCooldownCrashes: wherever the worker dies, the finding that was let
// through is let through again, and no window is left without one.
func TestCooldownCrashes(t *testing.T) {
	for kill := 1; ; kill++ {
		w := coolWorld(t, coolFlow)
		w.killAt = kill
		one := w.found(1, "RootLogin", "i-1")
		w.send(one)
		w.turn(w.dispatcher())
		if !w.isDead() {
			break
		}
		w.mu.Lock()
		w.killAt, w.dead = 0, make(chan struct{})
		w.mu.Unlock()
		d := w.dispatcher()
		w.send(one)
		w.send(w.found(2, "RootLogin", "i-1"))
		w.live(d, 20*time.Minute, 10*time.Second)
		if got := fmt.Sprint(w.states()); got != "map[succeeded:1 suppressed:1]" {
			t.Errorf("killed at %d: %s, %v", kill, got, w.did())
		}
	}
}

// TestCooldownDiedBeforeItsWindowEnded: a finding that was counted, and whose run was
// never made, comes again when another has begun the next window: it is one of those
// like that one. So each window has one that is let through, and no more.
func TestCooldownDiedBeforeItsWindowEnded(t *testing.T) {
	for _, later := range []time.Duration{30 * time.Minute, 61 * time.Minute} {
		w := coolWorld(t, coolFlow)
		one, two := w.found(1, "RootLogin", "i-1"), w.found(2, "RootLogin", "i-1")
		w.killAt = 1 // before the run is created, when it is counted
		body, err := responder.Bell{Finding: &one}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		w.dispatcher().Handle(t.Context(), []responder.Delivery{{ID: "1", Body: body}}) // it comes again below
		if !w.isDead() || len(w.states()) != 0 {
			t.Fatal(w.states())
		}
		w.killAt, w.dead = 0, make(chan struct{})
		w.clock.Advance(later)
		d := w.dispatcher()
		w.send(two)
		w.turn(d)
		w.send(one)
		w.live(d, 10*time.Minute, 10*time.Second)
		first := one
		if later > time.Hour {
			first = two
		}
		run, err := w.runs.Get(t.Context(), first.RunID("f"))
		if err != nil || run.State != responder.RunSucceeded || fmt.Sprint(w.states()) != "map[succeeded:1 suppressed:1]" {
			t.Errorf("after %v: %v, %v", later, w.states(), err)
		}
	}
}

// TestCooldownTogether: of findings that come all at once, one is let through.
func TestCooldownTogether(t *testing.T) {
	w := coolWorld(t, coolFlow)
	d := w.dispatcher()
	var deliveries []responder.Delivery
	for n := range 50 {
		f := w.found(n, "RootLogin", "i-1")
		body, err := responder.Bell{Finding: &f}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		deliveries = append(deliveries, responder.Delivery{ID: fmt.Sprint(n), Body: body})
	}
	if failures := d.Handle(context.Background(), deliveries); len(failures) > 0 {
		t.Fatal(failures)
	}
	if got := fmt.Sprint(w.states()); got != "map[succeeded:1 suppressed:49]" {
		t.Error(got)
	}
}

// TestCooldownSparesRepairs: of a flow that repairs, only the notices are
// suppressed; a repair never is.
func TestCooldownSparesRepairs(t *testing.T) {
	for _, steps := range []string{
		"[SendSlack: {}, check: {}, remediate: {}, SendSlack: {}]",
		"[SendSlack: {}, {parallel: [{if: ok, then: [EC2TerminateInstances: {ids: '{{ resources }}'}]}]}, SendSlack: {}]",
		"[{SendSlack: {message: a}, on_error: [rule: remediate]}, remediate: {}]",
	} {
		w := coolWorld(t, "flows: [{name: f, rule: UnauthorizedInstanceCreated, repairs: live, cooldown: 1h, sequential: "+steps+"}]")
		d := w.dispatcher()
		for n := range 3 {
			w.send(w.found(n, "UnauthorizedInstanceCreated", "i-1"))
			w.turn(d)
		}
		if got := fmt.Sprint(w.states()); got != "map[succeeded:3]" || w.terminate.count() != 3 {
			t.Errorf("%s: %s, %v", steps, got, w.did())
		}
		run, err := w.runs.Get(context.Background(), w.found(2, "UnauthorizedInstanceCreated", "i-1").RunID("f"))
		if err != nil || run.Suppressed != 2 || run.Steps["0"].State != responder.StepSkipped || !strings.HasPrefix(run.Steps["0"].Result["why"].(string), "cooldown: number 2") {
			t.Errorf("%s: %+v, %v", steps, run, err)
		}
	}
}

// failing counters are out of order.
type failing struct{}

func (failing) Add(context.Context, string, string, int, time.Time) (int, bool, error) {
	return 0, false, errors.New("no counters today")
}

// TestCooldownOutOfOrder: where it cannot be counted, the finding comes again;
// where it cannot be said what is alike, it is let through.
func TestCooldownOutOfOrder(t *testing.T) {
	w := coolWorld(t, coolFlow)
	counters := w.config.Counters
	w.config.Counters = failing{}
	w.send(w.found(1, "RootLogin", "i-1"))
	w.live(w.dispatcher(), 3*time.Second, time.Second)
	if len(w.did()) != 0 || len(w.states()) != 0 {
		t.Error(w.did(), w.states())
	}
	w.config.Counters = counters
	w.live(w.dispatcher(), 10*time.Second, time.Second)
	if got := strings.Join(w.did(), " "); got != "SendSlack 1" {
		t.Error(got)
	}

	w = coolWorld(t, strings.Replace(coolFlow, "[rule, account.id,", "['float(\"NaN\")',", 1))
	for n := range 2 {
		w.send(w.found(n, "RootLogin", "i-1"))
	}
	w.turn(w.dispatcher())
	if got := fmt.Sprint(w.states()); got != "map[succeeded:2]" {
		t.Error(got)
	}

	w = newWorld(t, coolFlow)
	if _, err := New(w.config); err == nil || !strings.Contains(err.Error(), "the flow f has a cooldown") {
		t.Error(err)
	}
	w.load(shortFlow)
	d := w.dispatcher()
	w.load(coolFlow) // an edit meanwhile
	f := w.found(1, "RootLogin", "i-1")
	body, err := responder.Bell{Finding: &f}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if failures := d.Handle(context.Background(), []responder.Delivery{{ID: "1", Body: body}}); len(failures) != 1 || failures[0].Dead || !strings.Contains(failures[0].Err.Error(), "no counters") {
		t.Error(failures)
	}
}

// TestCooldownCount: counting ends somewhere, suppressing does not.
func TestCooldownCount(t *testing.T) {
	w := coolWorld(t, coolFlow)
	d := w.dispatcher()
	var wg sync.WaitGroup
	for batch := range 11 {
		wg.Go(func() {
			for n := range 100 {
				f := w.found(batch*100+n, "RootLogin", "i-1")
				body, err := responder.Bell{Finding: &f}.Encode()
				if err != nil {
					t.Error(err)
				}
				if failures := d.Handle(context.Background(), []responder.Delivery{{ID: "1", Body: body}}); len(failures) > 0 {
					t.Error(failures)
				}
			}
		})
	}
	wg.Wait()
	f := w.found(2000, "RootLogin", "i-1")
	w.send(f)
	w.turn(d)
	run, err := w.runs.Get(context.Background(), f.RunID("f"))
	if err != nil || run.State != responder.RunSuppressed || run.Cause != "cooldown: 1000 or more findings like one before it are suppressed" || len(w.did()) != 1 {
		t.Errorf("%+v, %v, %v", run, err, w.did())
	}
}

// TestCooldownSaid: what a flow may say of its cooldown.
func TestCooldownSaid(t *testing.T) {
	for text, want := range map[string]string{
		"cooldown: 1h":                     "",
		"cooldown: ":                       "",
		"cooldown: {for: 90}":              "",
		"cooldown: {for: 30d, by: region}": "",
		"cooldown: {for: 1h, by: [actor.arn, '{{ title }}/{{ severity }}', 'resources[0]']}": "",
		"cooldown: {by: [rule]}":                   "needs for",
		"cooldown: {}":                             "needs for",
		"cooldown: []":                             "an object of keys",
		"cooldown: 31d":                            "longer than 30d",
		"cooldown: {for: 0}":                       "longer than nothing",
		"cooldown: often":                          "not a duration",
		"cooldown: {for: 1h, by: []}":              "must be a text or a list of texts",
		"cooldown: {for: 1h, by: [rul]}":           `did you mean "rule"`,
		"cooldown: {for: 1h, by: ['{{ acton }}']}": `did you mean "action"`,
		"cooldown: {for: 1h, by: ['{{ rule']}":     "{{",
		"cooldown: {for: 1h, by: [steps.a]}":       "steps",
		"cooldown: {for: 1h, per: rule}":           `unknown key "per"`,
	} {
		w := newWorld(t, "flows: []")
		set, problems := Load(files(t, map[string]string{"flows.yml": "flows:\n  - name: a\n    rule: RootLogin\n    sequential: []\n    " + text}), "flows.yml", w.options())
		if said := problems.Error(); !strings.Contains(said, want) || want == "" && said != "" || want != "" && set != nil {
			t.Errorf("%s gives\n%s\nwant %q", text, said, want)
		}
	}
	w := newWorld(t, "flows: [{name: a, rule: RootLogin, cooldown: 1h, sequential: []}]")
	flow, _ := w.flows.Load().Get("a")
	if flow.Cooldown.For != time.Hour || !slices.Equal(flow.Cooldown.By, []string{"rule", "account.id", "resources"}) {
		t.Errorf("%+v", flow.Cooldown)
	}
}
