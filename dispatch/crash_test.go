package dispatch

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

// TestCrash kills the worker at every point it comes through, before and after
// each store write, send and call of an action, one point a try, and lets
// another worker go on.
func TestCrash(t *testing.T) {
	const retrying = `
flows:
  - name: retrying
    rule: UnauthorizedInstanceCreated
    repairs: live
    sequential:
      - SendSlack: {message: two}
        retry: {attempts: 1}
      - wait: 20m
      - parallel:
          - remediate: {}
          - sequential: [check: {}, SendEmail: {}]
`
	for name, flows := range map[string]string{"UnauthorizedInstanceCreated": shortFlow, "denied-instance": fullFlow, "retrying": retrying} {
		t.Run(name, func(t *testing.T) {
			for k := 1; ; k++ {
				w := newWorld(t, flows)
				w.killAt = k
				w.send(w.finding("UnauthorizedInstanceCreated"))
				w.live(w.dispatcher(), 40*time.Minute, 5*time.Second)
				if !w.isDead() {
					if k < 15 {
						t.Errorf("only %d points", k)
					}
					return
				}
				w.killAt, w.dead = 0, make(chan struct{})
				w.live(w.dispatcher(), 40*time.Minute, 5*time.Second)

				run := w.get(name)
				if run.State != responder.RunSucceeded {
					t.Errorf("killed at %d:\n%s", k, outline(run))
				}
				counts := map[string]int{}
				for _, what := range w.did() {
					counts[what]++
				}
				if counts["EC2TerminateInstances"] != 1 {
					t.Errorf("killed at %d: repaired %d times", k, counts["EC2TerminateInstances"])
				}
				for what, n := range counts {
					if n > 2 {
						t.Errorf("killed at %d: %q was done %d times", k, what, n)
					}
				}
				if told := strings.Join(w.did(), " "); !strings.Contains(told, "two") && !strings.Contains(told, "all well") {
					t.Errorf("killed at %d: not told: %s", k, told)
				}
			}
		})
	}
}

// TestPoison: a step whose worker dies each time must come to an end.
func TestPoison(t *testing.T) {
	for _, verb := range []string{"SendSlack: {message: two}", "remediate: {}"} {
		w := newWorld(t, `
flows:
  - name: poison
    rule: UnauthorizedInstanceCreated
    repairs: live
    sequential: [`+verb+`]
`)
		w.send(w.finding("UnauthorizedInstanceCreated"))
		for range 20 {
			w.dead, w.killAt = make(chan struct{}), 0
			w.slack.answer = func(context.Context, int, responder.Call) (responder.Result, error) {
				close(w.dead)
				return nil, errKilled
			}
			w.terminate.answer = w.slack.answer
			w.terminate.verify = func(int) (responder.Verdict, error) { close(w.dead); return 0, errKilled }
			w.live(w.dispatcher(), 10*time.Minute, 10*time.Second)
		}
		run := w.get("poison")
		if !run.State.Ended() {
			t.Errorf("%s: still going:\n%s", verb, outline(run))
		}
		if n := len(run.Steps["0"].Attempts); n < maxLost || n > maxLost+1 {
			t.Errorf("%s: %d attempts", verb, n)
		}
	}
}
