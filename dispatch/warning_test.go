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

	"github.com/rs/zerolog"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/memory"
)

// loopFlow repairs, and tells of what went wrong where that is.
const loopFlow = `
flows:
  - name: f
    rules: ["*"]
    repairs: live
    limits: {notices: 1/1h}
    sequential:
      - SendSlack: {message: "found {{ meta.n }}"}
      - remediate: {}
        on_error: [SendEmail: {subject: "not repaired {{ meta.n }}"}]
`

// looping is a world in which each instance that is terminated is started anew
// under another id, from so many on.
func looping(t *testing.T, flows string, instances int) (w *world, start func()) {
	t.Helper()
	w = coolWorld(t, flows)
	w.sees(nil)
	var mu sync.Mutex
	n := 0
	start = func() {
		mu.Lock()
		n++
		f := w.found(n, "UnauthorizedInstanceCreated", fmt.Sprintf("i-%d", n))
		mu.Unlock()
		f.Remediate = &responder.Binding{Action: "EC2TerminateInstances", Params: map[string]any{"ids": []any{f.Resources[0]}}}
		w.send(f)
	}
	w.terminate.answer = func(context.Context, int, responder.Call) (responder.Result, error) {
		start()
		return nil, nil
	}
	for range instances {
		start()
	}
	return w, start
}

// crew has so many workers work until nothing is left to do now.
func (w *world) crew(workers int) {
	crew := make([]*Dispatcher, workers)
	for i := range crew {
		crew[i] = w.dispatcher()
	}
	for worked := true; worked; worked = w.turn(crew[0]) > 0 {
		var working sync.WaitGroup
		for _, d := range crew {
			working.Go(func() {
				for w.turn(d) > 0 {
				}
			})
		}
		working.Wait()
	}
}

// warnings gives what was told as a warning.
func (w *world) warnings() (all []deed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.deeds {
		if d.Call.Left != nil && d.Call.Left.Guard != "" {
			all = append(all, d)
		}
	}
	return all
}

// TestLoopOfNewThings: a flow whose repair makes what its rule looks for, each time
// another thing, repairs as often as it may in an hour, and not once more; people are
// told, once an hour, whoever of four workers held it back.
func TestLoopOfNewThings(t *testing.T) {
	w, start := looping(t, loopFlow, 6)
	var log syncedBuffer
	w.config.Logger = zerolog.New(&log)
	var mu sync.Mutex
	var warned []responder.Warning
	w.config.Warned = func(of responder.Warning) { mu.Lock(); warned = append(warned, of); mu.Unlock() }
	w.crew(4)
	if n := w.terminate.count(); n != defaultPerHour {
		t.Errorf("%d were terminated, want %d", n, defaultPerHour)
	}
	told := w.warnings()
	if len(told) != 1 || len(warned) != 1 || strings.Count(log.String(), "a guard keeps the flow from repairing") != 1 {
		t.Fatalf("told %d times, counted %d times, logged:\n%s", len(told), len(warned), log.String())
	}
	of := warned[0]
	since := time.Date(2026, 3, 14, 9, 0, 0, 0, time.UTC)
	if of.Guard != GuardPerHour || of.Touched != defaultPerHour || of.Action != "EC2TerminateInstances" || of.Step != "1" || !of.Since.Equal(since) {
		t.Errorf("%+v", of)
	}
	want := "EC2TerminateInstances is held back by limits.per_hour: it would touch 1 thing; the flow may touch 20 in an hour, and has not so many left." +
		" By then it had touched 20 things or more. What comes next may be held back, too. If the flow f is what triggers itself: responder halt --flow f --why TEXT." +
		" Its runs: responder runs list --flow f --since 2026-03-14T09:00:00Z; this one first: responder runs show " + of.Run
	if d := told[0]; d.Action != "SendEmail" || d.Text != "[REPAIRS STOPPED] " || d.Call.Left.Text != want {
		t.Errorf("%s %q: %s", d.Action, d.Text, d.Call.Left.Text)
	}
	run, err := w.runs.Get(t.Context(), warningID("f", GuardPerHour, since))
	if err != nil || run.State != responder.RunSucceeded || !run.Tells() || run.Warns.Run != of.Run {
		t.Errorf("%+v, %v", run, err)
	}
	if _, err := w.control().Again(t.Context(), run.ID, "ann"); !isRefused(err) {
		t.Errorf("again: %v", err)
	}
	w.clock.Advance(time.Hour)
	start() // what was held back started nothing: the loop begins anew with the next
	w.crew(4)
	if n := w.terminate.count(); n != 2*defaultPerHour || len(w.warnings()) != 2 {
		t.Errorf("by the next hour %d were terminated, told %d times", n, len(w.warnings()))
	}
}

// TestWarnedBy: who is told, by what the flow has to tell with.
func TestWarnedBy(t *testing.T) {
	const head = "flows:\n  - name: f\n    rules: [\"*\"]\n    repairs: live\n    limits: {per_hour: 1, again: 100}\n    sequential:\n"
	for name, tt := range map[string]struct {
		steps, want string
	}{
		"nobody":                    {"      - remediate: {}\n", "[]"},
		"the first":                 {"      - remediate: {}\n      - SendSlack: {message: x}\n      - SendEmail: {}\n", "[SendSlack 0]"},
		"its own on_error":          {"      - SendSlack: {message: x}\n      - remediate: {}\n        on_error: [SendEmail: {subject: x}]\n", "[SendEmail 0]"},
		"all of its on_error":       {"      - remediate: {}\n        on_error: [SendEmail: {subject: x}, SendSlack: {webhookURL: \"env:A\"}, SendSlack: {webhookURL: \"env:A\", message: again}]\n", "[SendEmail 0.0 SendSlack 0.1]"},
		"the on_error of its group": {"      - SendSlack: {message: x}\n      - sequential: [{remediate: {}}]\n        on_error: [SendEmail: {subject: x}]\n", "[SendEmail 0]"},
	} {
		w := coolWorld(t, head+tt.steps)
		d := w.dispatcher()
		for n := range 3 {
			f := w.found(n, "UnauthorizedInstanceCreated", fmt.Sprint("i-", n))
			w.send(f)
			w.live(d, 10*time.Second, time.Second)
		}
		var got []string
		for _, d := range w.warnings() {
			_, step, _ := strings.Cut(d.Key, "/")
			got = append(got, d.Action+" "+step)
		}
		slices.Sort(got)
		if fmt.Sprint(got) != tt.want {
			t.Errorf("%s: %v, want %s", name, got, tt.want)
		}
		run, err := w.runs.Get(t.Context(), warningID("f", GuardPerHour, w.clock.Now().Truncate(time.Hour)))
		if err != nil || run.State != responder.RunSucceeded {
			t.Errorf("%s: %+v, %v", name, run, err)
		}
	}
}

// TestWarningOfTheBreaker: that a flow is halted is told, whoever dies over it.
func TestWarningOfTheBreaker(t *testing.T) {
	for k := 1; ; k++ {
		w := fencedWorld(t, "limits: {again: 2, per_hour: 1000, per_account: 1000}", "")
		halts := &memory.Halts{}
		w.config.Halts, w.config.Concurrency = halts, 1 // so that there is a point for each thing that is done
		loud := 0
		w.config.Warned = func(responder.Warning) { loud++ }
		w.killAt = k
		for n := range 4 {
			w.send(w.found(n, "UnauthorizedInstanceCreated", "i-1"))
		}
		w.live(w.dispatcher(), 20*time.Second, 5*time.Second)
		died := w.isDead()
		w.killAt, w.dead = 0, make(chan struct{})
		w.live(w.dispatcher(), 10*time.Minute, 5*time.Second)
		keys := map[string]bool{}
		for _, d := range w.warnings() {
			keys[d.Key] = true
			if d.Call.Left.Guard != GuardBreaker || !strings.Contains(d.Call.Left.Text, "responder resume --flow f --retry") {
				t.Errorf("killed at %d: %+v", k, d.Call.Left)
			}
		}
		all, err := halts.Halts(t.Context())
		if len(keys) != 1 || loud < 1 || len(all) != 1 || err != nil {
			t.Errorf("killed at %d: told %v, loud %d times, halted %v, %v", k, keys, loud, all, err)
		}
		if !died {
			if loud != 1 || k < 20 {
				t.Errorf("loud %d times; %d points", loud, k)
			}
			return
		}
	}
}

// TestWarningTriedAgain: a warning that cannot be sent at once is sent later, and said
// loudly once.
func TestWarningTriedAgain(t *testing.T) {
	w, _ := looping(t, loopFlow, 1)
	loud := 0
	w.config.Warned = func(responder.Warning) { loud++ }
	w.email.answer = func(_ context.Context, n int, _ responder.Call) (responder.Result, error) {
		if n < 3 {
			return nil, &responder.Transient{Err: errors.New("not now")}
		}
		return nil, nil
	}
	w.live(w.dispatcher(), 10*time.Minute, 5*time.Second)
	if n := w.email.count(); n != 3 || loud != 1 {
		t.Errorf("tried %d times, loud %d times", n, loud)
	}
}

// TestLoopHalted: a flow that says so is halted where it has used up its hour, and
// stays so in the next, until somebody lets it go on. A repair that is too large by
// itself halts nothing.
func TestLoopHalted(t *testing.T) {
	w, start := looping(t, strings.Replace(loopFlow, "{notices: 1/1h}", "{beyond: halt, per_account: 7}", 1), 6)
	halts := &memory.Halts{}
	w.config.Halts = halts
	w.crew(4)
	w.clock.Advance(2 * time.Hour)
	start()
	w.crew(4)
	all, err := halts.Halts(t.Context())
	n := w.terminate.count() // what was counted when another halted the flow is taken back
	if n > 7 || n < 4 || len(all) != 1 || !Tripped(all[0]) || err != nil {
		t.Fatalf("%d were terminated, halted %+v, %v", n, all, err)
	}
	if told := w.warnings(); len(told) != 1 || !strings.Contains(told[0].Call.Left.Text, "responder resume --flow f --retry") || w.states()[responder.RunParked] != 7 {
		t.Errorf("told %+v, %v", told, w.states())
	}
	if _, err := halts.Resume(t.Context(), "f"); err != nil {
		t.Fatal(err)
	}
	start()
	w.crew(4)
	if resumed := w.terminate.count() - n; resumed != 7 {
		t.Errorf("resumed: %d were terminated", resumed)
	}

	w = fencedWorld(t, "limits: {beyond: halt, per_hour: 1}", "")
	w.config.Halts = halts
	if _, err := halts.Resume(t.Context(), "f"); err != nil {
		t.Fatal(err)
	}
	w.send(w.finding("UnauthorizedInstanceCreated")) // of two instances
	w.live(w.dispatcher(), time.Minute, 10*time.Second)
	if all, err := halts.Halts(t.Context()); len(all) > 0 || err != nil || w.get("f").State != responder.RunSucceeded {
		t.Errorf("halted: %+v, %v", all, err)
	}
}
