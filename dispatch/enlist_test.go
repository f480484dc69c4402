package dispatch

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/memory"
)

// TestInLineBehindASlowRun: a run that waits for a slot is stored, so a sweep
// hands it to another worker if that takes too long.
func TestInLineBehindASlowRun(t *testing.T) {
	w := newWorld(t, "flows: [{name: f, rules: ['*'], sequential: [SendSlack: {}]}]")
	w.config.Concurrency = 1
	w.queue = memory.NewQueue("findings", w.clock.Now, memory.QueueOptions{Visibility: 90 * time.Minute})
	w.config.Findings = w.queue
	begun, over := make(chan bool), make(chan bool)
	w.slack.answer = func(_ context.Context, n int, _ responder.Call) (responder.Result, error) {
		if n == 1 {
			close(begun)
			<-over
		}
		return nil, nil
	}
	slow := w.dispatcher()
	var findings []responder.Finding
	for n := range 3 {
		findings = append(findings, w.found(n, "RootLogin", "a"))
		w.send(findings[n])
	}
	done := make(chan bool)
	go func() { w.turn(slow); close(done) }()
	<-begun
	w.clock.Advance(3 * time.Minute)
	other := w.dispatcher()
	if _, err := other.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	for w.turn(other) > 0 {
	}
	if states := w.states(); states[responder.RunSucceeded] != 2 {
		t.Errorf("while one is slow: %v", states)
	}
	close(over)
	<-done
	for _, f := range findings[1:] {
		id := f.RunID("f")
		if n := len(slices.DeleteFunc(slices.Clone(w.deeds), func(d deed) bool { return !strings.HasPrefix(d.Key, id) })); n != 1 {
			t.Errorf("the notice of %s was sent %d times", f.Key, n)
		}
	}
}
