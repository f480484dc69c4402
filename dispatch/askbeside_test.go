package dispatch

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/memory"
)

// TestAskedBeside: a question in one branch holds up no other; an answer that
// comes while a worker is at the run costs none of what it does.
func TestAskedBeside(t *testing.T) {
	const flow = askHead + `
flows:
  - name: asking
    rule: UnauthorizedInstanceCreated
    repairs: live
    parallel:
      - sequential: [approve: {text: t, by: {slack: [U0CAROL]}}, remediate: {}]
      - sequential: [wait: 1m, SendEmail: {subject: beside}]
`
	w := newWorld(t, flow)
	w.email.answer = func(context.Context, int, responder.Call) (responder.Result, error) {
		run := w.get("asking")
		if run.State != responder.RunRunning || run.Lease.IsZero() {
			t.Errorf("not held: %s", outline(run))
		}
		return nil, w.decide(run, answerTo(run, true, slackUser(carol)))
	}
	w.send(w.finding("UnauthorizedInstanceCreated"))
	d := w.dispatcher()
	w.turn(d)
	if run := w.get("asking"); run.State != responder.RunAwaitingApproval || !run.Due.Equal(w.clock.Now().Add(time.Minute)) {
		t.Fatal(outline(run))
	}
	w.live(d, 3*time.Minute, time.Minute)
	run := w.get("asking")
	if run.State != responder.RunSucceeded || w.terminate.count() != 1 || w.email.count() != 1 || len(run.Steps["0.1.1"].Attempts) != 1 {
		t.Errorf("%s%q", outline(run), w.did())
	}
}

// TestToldOfQuestions: who decides is told, also where a cooldown keeps notices
// quiet; a notice that fails holds up nothing, and once it is decided none is sent.
func TestToldOfQuestions(t *testing.T) {
	w := newWorld(t, strings.Replace(askingFlow, "repairs: live", "repairs: live\n    cooldown: 1h", 1))
	w.config.Counters = memory.NewCounters(w.clock.Now)
	w.slack.answer = func(_ context.Context, n int, _ responder.Call) (responder.Result, error) {
		if n == 2 {
			return nil, &responder.Transient{Err: errors.New("busy")}
		}
		return nil, nil
	}
	d := w.dispatcher()
	for n := range 2 {
		f := w.finding("UnauthorizedInstanceCreated")
		f.Number = n
		w.send(f)
		w.turn(d)
	}
	page, err := w.runs.List(context.Background(), responder.RunQuery{})
	if err != nil || w.slack.count() != 2 {
		t.Fatalf("%v; told %d times", err, w.slack.count())
	}
	for _, r := range page.Runs {
		run, err := w.runs.Get(context.Background(), r.ID)
		if err != nil || run.State != responder.RunAwaitingApproval {
			t.Fatalf("%v %s", err, outline(run))
		}
		if err := w.decide(run, answerTo(run, true, slackUser(carol))); err != nil {
			t.Fatal(err)
		}
	}
	w.live(d, 5*time.Minute, 10*time.Second)
	if w.slack.count() != 2 || w.terminate.count() != 2 {
		t.Errorf("told %d times, terminated %d", w.slack.count(), w.terminate.count())
	}
}

// TestQuestionsThatComeToNothing fail their runs, and nothing is done.
func TestQuestionsThatComeToNothing(t *testing.T) {
	w, d, run := asked(t, strings.Replace(askingFlow, `"Terminate {{ resources[0] }}?"`, `"{{ event.detail.nothing }}"`, 1))
	w.live(d, time.Minute, time.Minute)
	if run.State != responder.RunFailed || len(w.did()) != 0 {
		t.Error(outline(run))
	}
	// What cannot be said when it is asked is not approved.
	w, d, run = asked(t, strings.NewReplacer("- remediate: {}", "- check: {}\n        as: found\n      - EC2TerminateInstances: {ids: \"{{ steps.found.result.ids }}\"}").Replace(askingFlow))
	w.alive.answer = func(context.Context, int, responder.Call) (responder.Result, error) {
		return responder.Result{"ids": []any{"i-9"}}, nil
	}
	if p := run.Steps["0"].Approval.Plan; len(p) != 1 || p[0].Unknown == "" || !strings.Contains(p[0].Phrase(), "not approved") {
		t.Errorf("%+v", p)
	}
	if err := w.decide(run, answerTo(run, true, slackUser(carol))); err != nil {
		t.Fatal(err)
	}
	w.live(d, 2*time.Minute, time.Minute)
	if run = w.get("asking"); run.State != responder.RunFailed || w.terminate.count() != 0 {
		t.Error(outline(run))
	}
}

// TestFollowing: what a question is about.
func TestFollowing(t *testing.T) {
	w := newWorld(t, "flows: []")
	for name, tt := range map[string]struct{ steps, at, want string }{
		"what follows":              {"[approve: {text: t}, SendSlack: {}, remediate: {}, wait: 1m]", "0", "1 2 3"},
		"up to the next":            {"[approve: {text: t}, SendSlack: {}, approve: {text: t}, remediate: {}]", "0", "1"},
		"not what was before":       {"[remediate: {}, approve: {text: t}]", "1", ""},
		"past one that may not":     {"[approve: {text: t}, {approve: {text: t}, if: ok}, remediate: {}]", "0", "2"},
		"past a veto":               {"[approve: {text: t}, veto: {text: t}, remediate: {}]", "0", "2"},
		"into groups":               {"[approve: {text: t}, parallel: [remediate: {}, sequential: [remediate: {}]], {if: ok, then: [remediate: {}], else: [SendSlack: {}]}]", "0", "1.0 1.1.0 2.then.0? 2.else.0?"},
		"into on_error":             {"[approve: {text: t}, {SendSlack: {}, on_error: [remediate: {}]}]", "0", "1 1.error.0?"},
		"out of a group":            {"[{if: ok, then: [approve: {text: t}, SendSlack: {}]}, remediate: {}]", "0.then.0", "0.then.1 1"},
		"not beside":                {"[parallel: [sequential: [approve: {text: t}, remediate: {}], remediate: {}], wait: 1m]", "0.0.0", "0.0.1 1"},
		"a branch that asks":        {"[approve: {text: t}, parallel: [sequential: [approve: {text: t}, remediate: {}], SendSlack: {}], wait: 1m]", "0", "1.1 2"},
		"nothing after a no":        {"[{approve: {text: t}, on_deny: [approve: {text: t}, SendSlack: {}]}, remediate: {}]", "0.deny.0", "0.deny.1"},
		"not what follows a no":     {"[{approve: {text: t}, on_deny: [remediate: {}]}, SendSlack: {}]", "0", "1"},
		"a sequence that asks":      {"[approve: {text: t}, sequential: [SendSlack: {}, approve: {text: t}], remediate: {}]", "0", "1.0"},
		"one that may fail first":   {"[approve: {text: t}, {sequential: [check: {}, approve: {text: t}], on_error: continue}, remediate: {}]", "0", "1.0 2"},
		"one that must be asked":    {"[approve: {text: t}, {sequential: [check: {}, approve: {text: t}], on_error: stop}, remediate: {}]", "0", "1.0"},
		"what follows its failure":  {"[{sequential: [approve: {text: t}, check: {}], on_error: [remediate: {}]}, remediate: {}]", "0.0", "0.1 0.error.0? 1"},
		"a failure before the next": {"[{sequential: [approve: {text: t}, check: {}, approve: {text: t}, remediate: {}], on_error: [remediate: {}]}]", "0.0", "0.1 0.error.0?"},
		"a failure around it":       {"[{sequential: [{parallel: [approve: {text: t}, check: {}]}], on_error: [SendSlack: {}, remediate: {}]}]", "0.0.0", "0.error.0? 0.error.1?"},
		"a failure that asks":       {"[{sequential: [approve: {text: t}, check: {}], on_error: [approve: {text: t}, remediate: {}]}]", "0.0", "0.1"},
		"in the on_error itself":    {"[{sequential: [check: {}], on_error: [approve: {text: t}, remediate: {}]}]", "0.error.0", "0.error.1"},
		"an on_error around that":   {"[{sequential: [{check: {}, on_error: [approve: {text: t}, check: {}]}], on_error: [remediate: {}]}]", "0.0.error.0", "0.0.error.1 0.error.0?"},
		"an if that asks, or not":   {"[approve: {text: t}, {if: ok, then: [approve: {text: t}]}, remediate: {}]", "0", "2"},
	} {
		w.load("approvers: {cli: true}\nflows: [{name: f, rule: UnauthorizedInstanceCreated, repairs: live, sequential: " + tt.steps + "}]")
		found, perhaps := following(w.flows.Load().list[0].Steps, tt.at)
		for i, path := range found {
			if perhaps[path] {
				found[i] += "?"
			}
		}
		if got := strings.Join(found, " "); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// TestVeto: it goes on unless somebody objects.
func TestVeto(t *testing.T) {
	flow := strings.NewReplacer("approve:\n", "veto:\n", "for: 30m", "for: 10m").Replace(askingFlow)
	w, d, run := asked(t, flow)
	if err := w.decide(run, answerTo(run, true, slackUser(carol))); !isRefused(err) {
		t.Errorf("approved: %v", err)
	}
	w.live(d, 9*time.Minute, time.Minute)
	if w.terminate.count() != 0 {
		t.Error("too early")
	}
	w.live(d, 3*time.Minute, time.Minute)
	if run = w.get("asking"); w.terminate.count() != 1 || run.Steps["0"].Approval.Decision != responder.Unopposed {
		t.Error(outline(run))
	}
	w, d, run = asked(t, flow)
	if err := w.decide(run, answerTo(run, false, slackUser(bobs))); !isRefused(err) {
		t.Errorf("the actor objects: %v", err)
	}
	if err := w.decide(run, answerTo(run, false, slackUser(carol))); err != nil {
		t.Fatal(err)
	}
	w.live(d, 20*time.Minute, time.Minute)
	if run = w.get("asking"); w.terminate.count() != 0 || run.State != responder.RunStopped || !strings.Contains(run.Cause, "objected to by U0CAROL") {
		t.Error(outline(run))
	}
}
