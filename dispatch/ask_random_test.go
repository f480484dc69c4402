package dispatch

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

// TestAnsweredAnytime: people answer at any moment, also while a worker is at the
// run, and workers die at any point. A repair acts only where the store holds a yes
// for exactly it, and once; what was answered is heeded; every run comes to its end.
func TestAnsweredAnytime(t *testing.T) {
	const head = "approvers: {slack: [U0CAROL], for: 15m, tell: [SendSlack: {message: own}]}\npeople: {carol: {slack: U0CAROL}}\nflows:\n  - name: asking\n    rule: UnauthorizedInstanceCreated\n"
	flows := map[string]string{
		"approve":        "    repairs: live\n    sequential: [{approve: {text: t, for: 15m}, tell: [SendSlack: {message: a}, SendEmail: {}]}, remediate: {}, SendEmail: {subject: end}]\n",
		"veto":           "    repairs: live\n    sequential: [{veto: {text: t, for: 15m}, tell: [SendSlack: {message: a}]}, remediate: {}]\n",
		"beside":         "    repairs: live\n    parallel: [{sequential: [{approve: {text: t, for: 15m}, tell: [SendSlack: {message: a}]}, remediate: {}]}, {sequential: [SendEmail: {}, wait: 7m, SendEmail: {}, wait: 3m, check: {}]}]\n",
		"each its own":   "    repairs: approve\n    sequential: [SendEmail: {}, remediate: {}]\n",
		"continue":       "    repairs: live\n    sequential: [{approve: {text: t, for: 15m}, on_deny: continue, on_timeout: continue}, remediate: {}, SendEmail: {}]\n",
		"first of three": "    repairs: live\n    sequential: [{parallel: [approve: {text: t, for: 15m}, wait: 9m, {SendEmail: {}, if: rule == id}], join: any}, remediate: {}]\n",
	}
	seen := map[string]int{}
	for _, name := range sortedKeys(flows) {
		for seed := range uint64(15) {
			source, rolling := rand.New(rand.NewPCG(seed, 11)), sync.Mutex{}
			roll := func(n int) int { // branches act at once
				rolling.Lock()
				defer rolling.Unlock()
				return source.IntN(n)
			}
			w := newWorld(t, head+flows[name])
			where := fmt.Sprintf("%s, seed %d", name, seed)
			stored := func() *responder.Run {
				page, err := w.runs.List(context.Background(), responder.RunQuery{})
				if err != nil || len(page.Runs) == 0 {
					return nil
				}
				run, err := w.runs.Get(context.Background(), page.Runs[0].ID)
				if err != nil {
					t.Fatal(err)
				}
				return run
			}
			perhaps := func() {
				run := stored()
				if run == nil || len(Open(run)) == 0 || roll(12) > 0 {
					return
				}
				if err := w.decide(run, answerTo(run, roll(3) > 0, slackUser(carol))); err != nil && !isRefused(err) {
					t.Errorf("%s: %v", where, err)
				}
			}
			busy := func(context.Context, int, responder.Call) (responder.Result, error) {
				perhaps()
				if roll(4) == 0 {
					return nil, &responder.Transient{Err: errKilled}
				}
				return nil, nil
			}
			w.slack.answer, w.email.answer, w.alive.answer = busy, busy, busy
			w.terminate.answer = func(_ context.Context, _ int, call responder.Call) (responder.Result, error) {
				run, granted := stored(), false
				for _, state := range run.Steps {
					if a := state.Approval; a.Granted() && len(a.Plan) == 1 && mustJSON(t, a.Plan[0].Params) == mustJSON(t, call.Params) {
						granted = true
					}
				}
				if !granted {
					t.Errorf("%s: it acts, and nobody has said yes:\n%s", where, outline(run))
				}
				return nil, nil
			}
			w.killAt = 1 + roll(40)
			w.send(w.finding("UnauthorizedInstanceCreated"))
			d := w.dispatcher()
			for range 200 {
				w.live(d, 20*time.Second, 20*time.Second)
				if w.isDead() {
					w.killAt, w.points, w.dead = 1+roll(60), 0, make(chan struct{})
					d = w.dispatcher()
				}
				perhaps()
				if run := stored(); run != nil && run.State.Ended() {
					break
				}
			}
			run := stored()
			if run == nil || !run.State.Ended() {
				t.Errorf("%s: it comes to no end:\n%s", where, outline(run))
				continue
			}
			yes, no := false, false
			for path, state := range run.Steps {
				a := state.Approval
				if a == nil {
					continue
				}
				yes = yes || a.Granted()
				no = no || !a.Granted()
				if a.Decision != "" && state.State != responder.StepCancelled && !a.Heeded {
					t.Errorf("%s: step %s was decided, and nobody heeds it", where, path)
				}
			}
			did := strings.Count(strings.Join(w.did(), " "), "EC2TerminateInstances")
			if done := did == 1; done != (yes && !no) || did > 1 {
				t.Errorf("%s: done %d times; yes %v, no %v:\n%s", where, did, yes, no, outline(run))
			}
			seen[fmt.Sprint(name, " yes ", yes)]++
		}
	}
	for _, name := range sortedKeys(flows) {
		if seen[name+" yes true"] == 0 || name != "veto" && seen[name+" yes false"] == 0 {
			t.Errorf("%s: %v", name, seen)
		}
	}
}
