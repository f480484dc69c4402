package dispatch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

// TestChangedSinceApproved: a yes counts for exactly what was shown, of somebody
// who is still asked.
func TestChangedSinceApproved(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(w *world, run *responder.Run)
		why    string
	}{
		"nothing": {func(*world, *responder.Run) {}, ""},
		"other parameters": {func(_ *world, run *responder.Run) {
			run.Finding.Remediate = &responder.Binding{Action: "EC2TerminateInstances", Params: map[string]any{"ids": []any{"i-3"}}}
		}, "changed since it was approved"},
		"the plan in the store": {func(_ *world, run *responder.Run) {
			run.Finding.Remediate = &responder.Binding{Action: "EC2TerminateInstances", Params: map[string]any{"ids": []any{"i-3"}}}
			run.Steps["0"].Approval.Plan[0].Params = map[string]any{"ids": []any{"i-3"}}
		}, "changed since it was approved"},
		"another account": {func(_ *world, run *responder.Run) {
			run.Finding.Event = []byte(strings.Replace(string(run.Finding.Event), `"account":"123412341234"`, `"account":"999999999999"`, 1))
		}, "changed since it was approved"},
		"another region": {func(_ *world, run *responder.Run) {
			run.Finding.Event = []byte(strings.Replace(string(run.Finding.Event), `"awsRegion":"eu-west-1"`, `"awsRegion":"eu-west-2"`, 1))
		}, "changed since it was approved"},
		"the place, in the store": {func(_ *world, run *responder.Run) {
			run.Finding.Event = []byte(strings.Replace(string(run.Finding.Event), `"awsRegion":"eu-west-1"`, `"awsRegion":"eu-west-2"`, 1))
			run.Steps["0"].Approval.Plan[0].Region = "eu-west-2"
		}, "changed since it was approved"},
		"where it says it is": {func(_ *world, run *responder.Run) {
			run.Steps["0"].Approval.Plan[0].Would = "EC2TerminateInstances in sandbox (999999999999), eu-west-1"
		}, "changed since it was approved"},
		"the steps": {func(_ *world, run *responder.Run) { run.Flow.Digest = "other" }, "changed since it was approved"},
		"the approver is asked no more": {func(w *world, _ *responder.Run) {
			w.load(strings.ReplaceAll(askingFlow, "[U0CAROL, U0BOB]", "[U0ERIN]"))
		}, "not among those who are any more"},
		"a step more in front": {func(w *world, _ *responder.Run) {
			w.load(strings.Replace(askingFlow, "sequential:", "sequential:\n      - approve: {text: 'first?', by: {cli: true}}", 1))
		}, ""},
		"a step more in front, and the approver is asked no more": {func(w *world, _ *responder.Run) {
			w.load(strings.NewReplacer("sequential:", "sequential:\n      - approve: {text: 'first?', by: {slack: [U0CAROL]}}", "[U0CAROL, U0BOB]", "[U0ERIN]").Replace(askingFlow))
		}, "not among those who are any more"},
		"a step more in front, of a question without a name": {func(w *world, run *responder.Run) {
			nameless(w, run, "sequential:\n      - approve: {text: 'first?', by: {cli: true}}")
		}, ""},
		"a step more in front of a question without a name, and the approver is asked no more": {func(w *world, run *responder.Run) {
			nameless(w, run, "sequential:\n      - approve: {text: 'first?', by: {slack: [U0CAROL]}}", "[U0CAROL, U0BOB]", "[U0ERIN]")
		}, "not among those who are any more"},
		"another text of a question without a name, and the approver is asked no more": {func(w *world, run *responder.Run) {
			nameless(w, run, "sequential:", "Terminate", "Stop", "[U0CAROL, U0BOB]", "[U0ERIN]")
		}, "not among those who are any more"},
		"the approver turns out to be the actor": {func(w *world, _ *responder.Run) {
			w.load(strings.ReplaceAll(askingFlow, "carol: {slack: U0CAROL}", "carol: {slack: U0CAROL, names: [bob]}"))
		}, "did themselves"},
		"the flow asks nobody any more": {func(w *world, _ *responder.Run) {
			w.load("flows: [{name: asking, rule: RootLogin, repairs: live, sequential: [SendSlack: {}]}]")
		}, ""},
	} {
		for _, when := range []string{"before", "after"} { // the decision
			w, d, run := asked(t, askingFlow)
			yes := answerTo(run, true, slackUser(carol))
			alter := func() {
				run := w.get("asking")
				tt.change(w, run)
				if err := w.runs.Save(context.Background(), run); err != nil {
					t.Fatal(err)
				}
			}
			if when == "before" {
				alter()
			}
			if err := w.decide(run, yes); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if when == "after" {
				alter()
			}
			w.live(d, 2*time.Minute, time.Minute)
			run = w.get("asking")
			if done := w.terminate.count() == 1; done != (tt.why == "") || !done && !strings.Contains(run.Cause, tt.why) {
				t.Errorf("%s, %s: done %v, cause %q\n%s", name, when, done, run.Cause, outline(run))
			}
		}
	}
}

// nameless takes a run's question its name, and edits the flow: what is under
// `sequential:`, and other texts.
func nameless(w *world, run *responder.Run, sequential string, edits ...string) {
	run.Flow.Steps[0].As = ""
	w.load(strings.NewReplacer(append(edits, "sequential:", sequential, "        as: ask\n", "", "{{ steps.ask.decision }} by {{ steps.ask.by }}", "done")...).Replace(askingFlow))
}

// TestRepairsToApprove: where repairs are to be approved each is a question of its
// own, unless a step has asked about it.
func TestRepairsToApprove(t *testing.T) {
	const flow = askHead + `
approvers: {slack: [U0CAROL], for: 20m, tell: [SendSlack: {message: "{{ question.text }}"}]}
flows:
  - name: asking
    rule: UnauthorizedInstanceCreated
    repairs: approve
    sequential: [EC2TerminateInstances: {ids: "{{ resources[0] }}", reason: first}, EC2TerminateInstances: {ids: "{{ resources[1] }}"}]
`
	w, d, run := asked(t, flow)
	for n := 1; n <= 2; n++ {
		if run.State != responder.RunAwaitingApproval || w.terminate.count() != n-1 {
			t.Fatalf("%d: %s", n, outline(run))
		}
		if err := w.decide(run, answerTo(run, true, slackUser(carol))); err != nil {
			t.Fatal(err)
		}
		w.live(d, time.Minute, time.Minute)
		run = w.get("asking")
	}
	if got := w.did(); run.State != responder.RunSucceeded || w.terminate.count() != 2 || got[0] != "SendSlack A message — EC2TerminateInstances in payments (123412341234), eu-west-1?" {
		t.Errorf("%s%q", outline(run), got)
	}
	w, d, run = asked(t, flow)
	if err := w.decide(run, answerTo(run, false, slackUser(carol))); err != nil {
		t.Fatal(err)
	}
	w.live(d, time.Minute, time.Minute)
	if run = w.get("asking"); run.State != responder.RunStopped || w.terminate.count() != 0 {
		t.Error(outline(run))
	}
	// A step that has asked: once is enough.
	w, d, run = asked(t, strings.Replace(askingFlow, "repairs: live", "repairs: approve", 1))
	if err := w.decide(run, answerTo(run, true, slackUser(carol))); err != nil {
		t.Fatal(err)
	}
	w.live(d, time.Minute, time.Minute)
	if run = w.get("asking"); run.State != responder.RunSucceeded || w.terminate.count() != 1 {
		t.Error(outline(run))
	}
	// A veto that nobody used is no approval.
	w, d, _ = asked(t, strings.NewReplacer("repairs: live", "repairs: approve\n    approvers: {cli: true}", "approve:\n", "veto:\n").Replace(askingFlow))
	w.live(d, 40*time.Minute, time.Minute)
	if run = w.get("asking"); run.State != responder.RunAwaitingApproval || w.terminate.count() != 0 {
		t.Error(outline(run))
	}
}

// TestApproveComesLater: a flow that has come to ask, or that is dry for a while,
// lets no run slip through that began before.
func TestApproveComesLater(t *testing.T) {
	const began = "flows: [{name: asking, rule: UnauthorizedInstanceCreated, repairs: live, sequential: [wait: 10m, remediate: {}]}]"
	for name, tt := range map[string]struct {
		now   string
		state responder.RunState
	}{
		"with approvers":    {"flows: [{name: asking, rule: UnauthorizedInstanceCreated, repairs: approve, approvers: {cli: true}, sequential: [remediate: {}]}]", responder.RunAwaitingApproval},
		"without approvers": {"flows: [{name: asking, rule: UnauthorizedInstanceCreated, repairs: approve, sequential: [approve: {text: t, by: {cli: true}}, remediate: {}]}]", responder.RunFailed},
	} {
		w, d, _ := asked(t, began)
		w.load(tt.now)
		w.live(d, 12*time.Minute, time.Minute)
		if run := w.get("asking"); run.State != tt.state || w.terminate.count() != 0 {
			t.Errorf("%s: %s", name, outline(run))
		}
	}
	dry := strings.Replace(askingFlow, "- remediate", "- wait: 10m\n      - remediate", 1)
	w, d, _ := asked(t, dry)
	w.live(d, time.Minute, time.Minute)
	w = newWorld(t, dry)
	w.load(strings.Replace(dry, "repairs: live", "repairs: dry", 1))
	live := w.flows.Load()
	w.send(w.finding("UnauthorizedInstanceCreated"))
	d = w.dispatcher()
	w.turn(d)
	if run := w.get("asking"); !run.Steps["0"].Dry || len(w.did()) != 0 {
		t.Fatal(outline(run)) // not asked: nothing would come of it
	}
	run := w.get("asking")
	run.Flow.Repairs = responder.RepairsLive
	if err := w.runs.Save(context.Background(), run); err != nil {
		t.Fatal(err)
	}
	live.byName["asking"].Repairs = responder.RepairsLive
	w.live(d, 12*time.Minute, time.Minute)
	if run := w.get("asking"); w.terminate.count() != 0 || !run.Steps["2"].Dry {
		t.Error(outline(run))
	}
}

// verbose is a repair that says what it would do.
type verbose struct {
	repair
	says string
}

func (v verbose) Describe(responder.Call) string { return v.says }

// TestTooLongToShow: nobody says yes to what they are not shown.
func TestTooLongToShow(t *testing.T) {
	for says, done := range map[string]int{strings.Repeat("a", maxWould): 1, strings.Repeat("a", maxWould+1): 0, strings.Repeat("a", 1<<16): 0} {
		for _, repairs := range []string{"live", "approve"} {
			flow := strings.Replace(askingFlow, "repairs: live", "repairs: "+repairs, 1)
			if repairs == "approve" {
				flow = askHead + "approvers: {slack: [U0CAROL]}\nflows: [{name: asking, rule: UnauthorizedInstanceCreated, repairs: approve, sequential: [remediate: {}]}]"
			}
			w := newWorld(t, flow)
			w.catalogue["EC2TerminateInstances"] = verbose{w.terminate, says}
			w.send(w.finding("UnauthorizedInstanceCreated"))
			d := w.dispatcher()
			w.live(d, time.Minute, 10*time.Second)
			if run := w.get("asking"); len(Open(run)) > 0 {
				if err := w.decide(run, answerTo(run, true, slackUser(carol))); err != nil {
					t.Fatal(err)
				}
			}
			w.live(d, time.Minute, 10*time.Second)
			run := w.get("asking")
			if w.terminate.count() != done || done == 0 && run.State != responder.RunFailed {
				t.Errorf("%s, %d bytes: terminated %d times\n%s", repairs, len(says), w.terminate.count(), outline(run))
			}
		}
	}
}

// TestNeverAsked: a repair whose question was not put, for whatever went wrong
// before it, is not done; one that the flow leads past its question is.
func TestNeverAsked(t *testing.T) {
	const ok = "approve: {text: 'ok?', for: 20m}"
	denied := &responder.Permanent{Err: errors.New("denied")}
	for name, tt := range map[string]struct {
		steps string
		check error
		done  int
	}{
		"its text comes to nothing":       {"{sequential: [approve: {text: '{{ event.detail.nope }}'}], on_error: continue}", nil, 0},
		"its if cannot be judged":         {"{sequential: [{" + ok + ", if: 'int(event.detail.eventName) > 3'}], on_error: continue}", nil, 0},
		"a failure before it":             {"{sequential: [check: {}, " + ok + "], on_error: continue}", denied, 0},
		"a failure, and what follows it":  {"{sequential: [check: {}, " + ok + "], on_error: [SendSlack: {message: failed}]}", denied, 0},
		"a failure beside others":         {"{parallel: [{sequential: [check: {}, " + ok + "]}, SendSlack: {message: a}], on_error: continue}", denied, 0},
		"a failure deep before it":        {"{sequential: [{sequential: [check: {}]}, {sequential: [{if: rule == rule, then: [" + ok + "]}]}], on_error: continue}", denied, 0},
		"another branch was faster":       {"{parallel: [{sequential: [wait: 2m, " + ok + "]}, wait: 1m], join: any}", nil, 0},
		"an on_error that failed":         {"{sequential: [{check: {}, on_error: [check: {}, " + ok + "]}], on_error: continue}", denied, 0},
		"its own if":                      {"{" + ok + ", if: rule == event}", nil, 1},
		"the if of a group":               {"{sequential: [" + ok + "], if: rule == event, on_error: continue}", nil, 1},
		"the other branch":                {"{if: rule == event, then: [" + ok + "], else: [SendSlack: {}]}", nil, 1},
		"the other branch, else":          {"{if: rule == rule, then: [SendSlack: {}], else: [sequential: [" + ok + "]]}", nil, 1},
		"a failure that did not happen":   {"{check: {}, on_error: [" + ok + "]}", nil, 1},
		"a failure that was not come to":  {"{sequential: [{check: {}, on_error: [" + ok + "]}], if: rule == event}", nil, 1},
		"a failure of a group that is ok": {"{sequential: [check: {}, SendSlack: {}], on_error: [" + ok + "]}", nil, 1},
	} {
		w := newWorld(t, askHead+"approvers: {slack: [U0CAROL]}\nflows: [{name: asking, rule: UnauthorizedInstanceCreated, repairs: live, sequential: ["+tt.steps+", remediate: {}]}]")
		w.alive.answer = func(context.Context, int, responder.Call) (responder.Result, error) { return nil, tt.check }
		w.send(w.finding("UnauthorizedInstanceCreated"))
		w.live(w.dispatcher(), 5*time.Minute, 10*time.Second)
		run := w.get("asking")
		if run.State != responder.RunSucceeded || w.terminate.count() != tt.done {
			t.Errorf("%s: terminated %d times\n%s", name, w.terminate.count(), outline(run))
		}
		if why := fmt.Sprint(run.Steps["1"].Result["why"]); tt.done == 0 && !strings.Contains(why, "never asked") {
			t.Errorf("%s: %s", name, why)
		}
	}
}

// TestSecondNeverAsked: a yes to the first question does not stand in for a
// second one that was not come to.
func TestSecondNeverAsked(t *testing.T) {
	w, d, run := asked(t, askHead+`
approvers: {slack: [U0CAROL]}
flows:
  - name: asking
    rule: UnauthorizedInstanceCreated
    repairs: live
    sequential: [approve: {text: first}, {sequential: [check: {}, approve: {text: second}], on_error: continue}, remediate: {}]
`)
	w.alive.answer = func(context.Context, int, responder.Call) (responder.Result, error) {
		return nil, &responder.Permanent{Err: errors.New("denied")}
	}
	if len(run.Steps["0"].Approval.Plan) != 1 {
		t.Errorf("%+v", run.Steps["0"].Approval.Plan)
	}
	if err := w.decide(run, answerTo(run, true, slackUser(carol))); err != nil {
		t.Fatal(err)
	}
	w.live(d, 2*time.Minute, 10*time.Second)
	if run = w.get("asking"); w.terminate.count() != 0 || run.Steps["2"].State != responder.StepSkipped {
		t.Error(outline(run))
	}
}
