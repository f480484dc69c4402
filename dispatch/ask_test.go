package dispatch

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

const (
	carol = "U0CAROL"
	bobs  = "U0BOB" // the event's actor
)

const askHead = `
people: {bob: {slack: U0BOB, iam: ["arn:aws:iam::123412341234:user/bob"], names: [bob]}, carol: {slack: U0CAROL}}
`

// asking is a flow that asks before it terminates.
const askingFlow = askHead + `
flows:
  - name: asking
    rule: UnauthorizedInstanceCreated
    repairs: live
    sequential:
      - approve:
          text: "Terminate {{ resources[0] }}?"
          by: {slack: [U0CAROL, U0BOB], iam: ["arn:aws:iam::123412341234:role/ops/Oncall", "arn:aws:iam::123412341234:user/*"], cli: true}
          for: 30m
        as: ask
        tell: [SendSlack: {message: "{{ question.text }} {{ question.plan[0] }} {{ question.command }}"}]
      - remediate: {}
      - SendEmail: {subject: "{{ steps.ask.decision }} by {{ steps.ask.by }}"}
`

func slackUser(id string) responder.Identity {
	return responder.Identity{Kind: responder.IdentitySlack, ID: id}
}

func caller(arn string) responder.Identity {
	return responder.Identity{Kind: responder.IdentityIAM, ID: arn}
}

// asked lets a finding come to its question.
func asked(t *testing.T, flows string) (*world, *Dispatcher, *responder.Run) {
	t.Helper()
	w := newWorld(t, flows)
	w.send(w.finding("UnauthorizedInstanceCreated"))
	d := w.dispatcher()
	w.turn(d)
	w.turn(d)
	return w, d, w.get(w.flows.Load().list[0].Name)
}

// answerTo is what somebody answers who was shown a run's question.
func answerTo(run *responder.Run, yes bool, who responder.Identity) responder.Answer {
	path := Open(run)[0]
	return responder.Answer{Step: path, Digest: run.Steps[path].Approval.Digest, Yes: yes, Who: who, From: "198.51.100.9"}
}

func (w *world) decide(run *responder.Run, a responder.Answer) error {
	_, err := w.control().Decide(context.Background(), run.ID, a)
	return err
}

// TestApproved: until somebody approves nothing after the question begins; who
// decided what, when and from where is in the run.
func TestApproved(t *testing.T) {
	w, d, run := asked(t, askingFlow)
	if run.State != responder.RunAwaitingApproval || !run.Due.Equal(w.clock.Now().Add(30*time.Minute)) || !run.Lease.IsZero() {
		t.Fatalf("%s due %v", outline(run), run.Due)
	}
	a := run.Steps["0"].Approval
	if a.Text != "Terminate i-1?" || len(a.Plan) != 1 || a.Plan[0].Action != "EC2TerminateInstances" || a.Plan[0].Region != "eu-west-1" || fmt.Sprint(a.Plan[0].Params) != "map[ids:[i-1 i-2]]" {
		t.Errorf("%+v", a)
	}
	told := "SendSlack Terminate i-1? EC2TerminateInstances in payments (123412341234), eu-west-1 responder runs approve " + run.ID
	if got := w.did(); len(got) != 1 || got[0] != told {
		t.Errorf("told %q", got)
	}
	q := w.deeds[0].Call.Question
	if q == nil || q.Run != run.ID || q.Step != "0" || q.Digest != a.Digest || !q.Until.Equal(a.Until) || len(q.Plan) != 1 {
		t.Errorf("question %+v", q)
	}
	w.live(d, 20*time.Minute, time.Minute)
	if len(w.did()) != 1 {
		t.Fatalf("before anybody decided: %q", w.did())
	}
	run = w.get("asking")
	if err := w.decide(run, answerTo(run, true, slackUser(carol))); err != nil {
		t.Fatal(err)
	}
	w.live(d, time.Minute, time.Minute)
	run = w.get("asking")
	if got := w.did(); run.State != responder.RunSucceeded || len(got) != 3 || got[1] != "EC2TerminateInstances" || got[2] != "SendEmail approved by U0CAROL" {
		t.Errorf("%s%q", outline(run), got)
	}
	a = run.Steps["0"].Approval
	if a.Decision != responder.Approved || a.Who.ID != carol || a.From != "198.51.100.9" || a.At.IsZero() || !a.Heeded || audited(run) != "approve by U0CAROL" {
		t.Errorf("%+v %s", a, audited(run))
	}
}

// TestNotApproved: a no, or no answer, stops the run calmly, unless the flow says otherwise.
func TestNotApproved(t *testing.T) {
	for name, tt := range map[string]struct {
		beside string
		deny   bool
		state  responder.RunState
		did    string
	}{
		"denied":              {"", true, responder.RunStopped, ""},
		"timed out":           {"", false, responder.RunStopped, ""},
		"denied, fail":        {"on_deny: fail", true, responder.RunFailed, ""},
		"timed out, fail":     {"on_timeout: fail", false, responder.RunFailed, ""},
		"denied, continue":    {"on_deny: continue", true, responder.RunSucceeded, "SendEmail denied by U0CAROL"},
		"timed out, continue": {"on_timeout: continue", false, responder.RunSucceeded, "SendEmail timed out by"},
		"denied, steps":       {"on_deny: [SendSlack: {message: no}]", true, responder.RunStopped, "SendSlack no"},
		"timed out, steps":    {"on_timeout: [SendSlack: {message: late}]", false, responder.RunStopped, "SendSlack late"},
		"escalated":           {"on_timeout: [{approve: {text: now, by: {cli: true}, for: 10m}}, {remediate: {}}]", false, responder.RunStopped, ""},
	} {
		w, d, run := asked(t, strings.Replace(askingFlow, "as: ask", "as: ask\n        "+tt.beside, 1))
		if tt.deny {
			if err := w.decide(run, answerTo(run, false, slackUser(carol))); err != nil {
				t.Fatal(err)
			}
		}
		w.live(d, 45*time.Minute, time.Minute)
		run = w.get("asking")
		if got := strings.Join(w.did()[1:], ", "); run.State != tt.state || got != tt.did {
			t.Errorf("%s: did %q\n%s", name, got, outline(run))
		}
		if w.terminate.count() > 0 {
			t.Errorf("%s: terminated", name)
		}
		if run.State == responder.RunFailed { // a retry asks anew, and shows what it asks
			before := run.Steps["0"].Approval.Digest
			if _, err := w.control().Retry(context.Background(), run.ID, "ann"); err != nil {
				t.Fatal(err)
			}
			w.live(d, 2*time.Minute, time.Minute)
			run = w.get("asking")
			stale := answerTo(run, true, slackUser(carol))
			stale.Digest = before
			if err := w.decide(run, stale); run.State != responder.RunAwaitingApproval || !isRefused(err) {
				t.Errorf("%s: asked anew: %v\n%s", name, err, outline(run))
			}
		}
	}
}
