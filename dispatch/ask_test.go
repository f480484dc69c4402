package dispatch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/memory"
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
	return w, d, w.get(w.flows.list[0].Name)
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

// TestWhoDecides: nobody but those who are asked, and never the event's actor.
func TestWhoDecides(t *testing.T) {
	w, _, run := asked(t, askingFlow)
	for name, tt := range map[string]struct {
		who responder.Identity
		may bool
	}{
		"wrong approver":             {slackUser("U0DAVE"), false},
		"no name":                    {responder.Identity{Kind: responder.IdentitySlack}, false},
		"another kind, same id":      {responder.Identity{Kind: responder.IdentityIAM, ID: carol}, false},
		"unknown kind":               {responder.Identity{Kind: "mail", ID: carol}, false},
		"actor approves, on slack":   {slackUser(bobs), false},
		"actor approves, by iam":     {caller("arn:aws:iam::123412341234:user/bob"), false},
		"actor approves, by cli":     {responder.Identity{Kind: responder.IdentityCLI, ID: "bob"}, false},
		"actor's name, other case":   {responder.Identity{Kind: responder.IdentityCLI, ID: "BOB"}, false},
		"actor's name, as a session": {caller("arn:aws:sts::123412341234:assumed-role/Oncall/Bob"), false},
		"actor's name, as a user":    {caller("arn:aws:iam::123412341234:user/ops/bob"), false},
		"actor's role, new session":  {caller("arn:aws:sts::123412341234:assumed-role/responder/other"), false},
		"another role":               {caller("arn:aws:sts::123412341234:assumed-role/Offcall/ann"), false},
		"another account":            {caller("arn:aws:iam::999999999999:user/ann"), false},
		"a session of the role":      {caller("arn:aws:sts::123412341234:assumed-role/Oncall/ann"), true},
		"a user":                     {caller("arn:aws:iam::123412341234:user/ann"), true},
		"at the machine":             {responder.Identity{Kind: responder.IdentityCLI, ID: "ann"}, true},
		"on slack":                   {slackUser(carol), true},
	} {
		_, err := decided(run, answerTo(run, true, tt.who), responder.Audit{At: w.clock.Now()})
		if tt.may != (err == nil) || err != nil && !isRefused(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPeopleByPattern: an ARN of people may be a pattern, and they are barred by all
// that is theirs; whoever acts under a session's name is known by it in any role.
func TestPeopleByPattern(t *testing.T) {
	const role = `"type":"IAMUser","userName":"bob","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::123412341234:role/responder"}}`
	const user = `"type":"IAMUser","arn":"arn:aws:iam::123412341234:user/bob","userName":"bob"`
	session := func(issuer, name string) string {
		return `"type":"AssumedRole","arn":"arn:aws:sts::123412341234:assumed-role/` + name + `","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::123412341234:role/` + issuer + `"}}`
	}
	const sso = "aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_1"
	for name, tt := range map[string]struct {
		iam, actor string
		who        responder.Identity
		may        bool
	}{
		"a pattern of users":              {"arn:aws:iam::123412341234:user/b*", user, slackUser(bobs), false},
		"a pattern of roles":              {"arn:aws:iam::123412341234:role/resp*", role, slackUser(bobs), false},
		"a pattern of others":             {"arn:aws:iam::123412341234:user/c*", user, slackUser(bobs), true},
		"the approver fits the pattern":   {"arn:aws:iam::123412341234:user/b*", user, caller("arn:aws:iam::123412341234:user/b.robert"), false},
		"a pattern of roles without path": {"arn:aws:iam::123412341234:role/AWSReservedSSO_Admin_*", session(sso, "AWSReservedSSO_Admin_1/bob@corp.example"), slackUser(bobs), false},
		"a pattern of sessions":           {"arn:aws:sts::123412341234:assumed-role/AWSReservedSSO_*/bob@corp.example", session(sso, "AWSReservedSSO_Admin_1/bob@corp.example"), slackUser(bobs), false},
		"another session":                 {"arn:aws:sts::123412341234:assumed-role/AWSReservedSSO_*/ann@corp.example", session(sso, "AWSReservedSSO_Admin_1/bob@corp.example"), slackUser(bobs), true},
		"the same name in another role":   {"arn:aws:iam::123412341234:user/x", session(sso, "AWSReservedSSO_Admin_1/bob@corp.example"), caller("arn:aws:sts::123412341234:assumed-role/Oncall/Bob@corp.example"), false},
		"another name in another role":    {"arn:aws:iam::123412341234:user/x", session(sso, "AWSReservedSSO_Admin_1/bob@corp.example"), caller("arn:aws:sts::123412341234:assumed-role/Oncall/ann@corp.example"), true},
	} {
		w := newWorld(t, strings.Replace(askingFlow, `bob: {slack: U0BOB, iam: ["arn:aws:iam::123412341234:user/bob"], names: [bob]}`, `robert: {slack: U0BOB, iam: ["`+tt.iam+`"]}`, 1))
		f := w.finding("UnauthorizedInstanceCreated")
		f.Event = []byte(strings.Replace(string(f.Event), role, tt.actor, 1))
		w.send(f)
		d := w.dispatcher()
		w.turn(d)
		w.turn(d)
		run := w.get("asking")
		if err := w.decide(run, answerTo(run, true, tt.who)); tt.may != (err == nil) || err != nil && !isRefused(err) {
			t.Errorf("%s: %v; barred %+v", name, err, run.Steps["0"].Approval.Not)
		}
	}
}

// TestDecidedOnce: the first decision counts.
func TestDecidedOnce(t *testing.T) {
	w, d, run := asked(t, askingFlow)
	yes := answerTo(run, true, slackUser(carol))
	no := yes
	no.Yes = false
	other := yes
	other.Who = responder.Identity{Kind: responder.IdentityCLI, ID: "ann"}
	for range 2 { // two clicks
		if err := w.decide(run, yes); err != nil {
			t.Fatal(err)
		}
	}
	for name, a := range map[string]responder.Answer{"another mind": no, "another person": other} {
		err := w.decide(run, a)
		if !isRefused(err) || !strings.Contains(err.Error(), "approved by U0CAROL") {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.live(d, 2*time.Minute, time.Minute)
	if err := w.decide(run, yes); err != nil || w.terminate.count() != 1 || len(w.get("asking").Audit) != 1 {
		t.Errorf("a click after the end: %v; %d terminations", err, w.terminate.count())
	}
}

// TestDecisionsRace: of many who approve and deny at once one is heard.
func TestDecisionsRace(t *testing.T) {
	for range 20 {
		w, d, run := asked(t, askingFlow)
		errs := make([]error, 8)
		var wg sync.WaitGroup
		for i := range errs {
			a := answerTo(run, i%2 == 0, responder.Identity{Kind: responder.IdentityCLI, ID: fmt.Sprint("ann", i)})
			wg.Go(func() { errs[i] = w.decide(run, a) })
		}
		wg.Wait()
		heard := -1
		for i, err := range errs {
			if err == nil && heard >= 0 || err != nil && !isRefused(err) {
				t.Errorf("%d: %v", i, err)
			}
			if err == nil {
				heard = i
			}
		}
		w.live(d, 2*time.Minute, time.Minute)
		if done := w.terminate.count() == 1; heard < 0 || done != (heard%2 == 0) {
			t.Errorf("heard %d, done %v", heard, done)
		}
	}
}

// TestRefusedAnswers: what cannot be answered any more, or was not asked.
func TestRefusedAnswers(t *testing.T) {
	w, d, run := asked(t, askingFlow)
	yes := answerTo(run, true, slackUser(carol))
	refused := func(name, want string, a responder.Answer) {
		t.Helper()
		if err := w.decide(run, a); !isRefused(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	changed, none, elsewhere, nowhere := yes, yes, yes, yes
	changed.Digest, none.Digest = strings.Repeat("0", 64), ""
	elsewhere.Step, nowhere.Step = "1", "7.then.x"
	refused("a changed step", "not what was shown", changed)
	refused("no digest", "not what was shown", none)
	refused("a step that asks nothing", "asks nothing", elsewhere)
	refused("no step", "asks nothing", nowhere)

	if _, err := w.control().Cancel(context.Background(), run.ID, "ann", ""); err != nil {
		t.Fatal(err)
	}
	refused("after cancel", "cancelled", yes)
	w.live(d, time.Hour, time.Minute)

	w, d, run = asked(t, askingFlow)
	w.clock.Advance(30 * time.Minute)
	refused("after the time, and before any worker has noticed", "too late", answerTo(run, true, slackUser(carol)))
	w.live(d, 2*time.Minute, time.Minute)
	refused("after timeout", "nobody approved it", answerTo(run, true, slackUser(carol)))
	if w.terminate.count() > 0 {
		t.Error("terminated")
	}
}

// TestLongQuestion: a question may stand for 90 days, and not longer.
func TestLongQuestion(t *testing.T) {
	w, d, run := asked(t, strings.Replace(askingFlow, "for: 30m", "for: 90d", 1))
	w.live(d, 90*24*time.Hour-time.Hour, 12*time.Hour)
	if err := w.decide(run, answerTo(run, true, slackUser(carol))); err != nil {
		t.Error(err)
	}
	w, d, run = asked(t, strings.Replace(askingFlow, "for: 30m", "for: 90d", 1))
	w.live(d, 91*24*time.Hour, 12*time.Hour)
	if err := w.decide(run, answerTo(run, true, slackUser(carol))); !isRefused(err) || w.get("asking").State != responder.RunStopped {
		t.Errorf("%v\n%s", err, outline(w.get("asking")))
	}
}

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
	live := w.flows
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
		found, perhaps := following(w.flows.list[0].Steps, tt.at)
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

// TestOldYes: what was decided more than a day ago, or before somebody cancelled the
// run, does not count: the same people are asked anew, about the repair itself.
func TestOldYes(t *testing.T) {
	waiting := func(flow, wait string) string {
		return strings.Replace(flow, "- remediate", "- wait: "+wait+"\n      - remediate", 1)
	}
	cancelled := func(w *world, run *responder.Run) {
		if _, err := w.control().Cancel(t.Context(), run.ID, "carol", "changed my mind"); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(time.Minute)
		if _, err := w.control().Retry(t.Context(), run.ID, "bob"); err != nil {
			t.Fatal(err)
		}
	}
	veto := strings.NewReplacer("approve:\n", "veto:\n").Replace(askingFlow)
	both := strings.Replace(askingFlow, "- remediate", "- veto: {text: objections, by: {slack: [U0CAROL]}, for: 1m}\n      - remediate", 1)
	for name, tt := range map[string]struct {
		flow   string
		then   func(w *world, run *responder.Run)
		asked  bool // anew
		veto   bool
		failed bool
	}{
		"on the same day":                 {waiting(askingFlow, "23h"), nil, false, false, false},
		"the day after":                   {waiting(askingFlow, "25h"), nil, true, false, false},
		"cancelled and retried":           {waiting(askingFlow, "1h"), cancelled, true, false, false},
		"nobody objected, the day before": {waiting(veto, "25h"), nil, true, true, false},
		"repairs to approve":              {strings.Replace(waiting(askingFlow, "25h"), "repairs: live", "repairs: approve", 1), nil, true, false, false},
		"several questions":               {waiting(both, "25h"), nil, false, false, true},
	} {
		w, d, run := asked(t, tt.flow)
		if a := run.Steps["0"].Approval; !a.Veto {
			if err := w.decide(run, answerTo(run, true, slackUser(carol))); err != nil {
				t.Fatal(err)
			}
		}
		w.live(d, 35*time.Minute, time.Minute)
		if tt.then != nil {
			tt.then(w, w.get("asking"))
		}
		w.live(d, 26*time.Hour, 10*time.Minute)
		run = w.get("asking")
		var again *responder.Approval
		for path, state := range run.Steps {
			if path != "0" && state.Kind == responder.Repair {
				again = state.Approval
			}
		}
		if (again != nil) != tt.asked || (run.State == responder.RunFailed) != tt.failed || again != nil && again.Veto != tt.veto {
			t.Errorf("%s: asked anew %+v\n%s", name, again, outline(run))
		}
		if tt.asked && again != nil && !tt.veto && (w.terminate.count() != 0 || mustJSON(t, again.By) != mustJSON(t, run.Steps["0"].Approval.By)) {
			t.Errorf("%s: terminated %d times, asks %+v", name, w.terminate.count(), again.By)
		}
		if done := w.terminate.count() == 1; done != (tt.veto || !tt.asked && !tt.failed) {
			t.Errorf("%s: done %v\n%s", name, done, outline(run))
		}
	}
	// Who is asked anew, and says yes, is heeded.
	w, d, run := asked(t, waiting(askingFlow, "25h"))
	for range 2 {
		if err := w.decide(run, answerTo(run, true, slackUser(carol))); err != nil {
			t.Fatal(err)
		}
		w.live(d, 25*time.Hour+5*time.Minute, 5*time.Minute)
		run = w.get("asking")
	}
	if run.State != responder.RunSucceeded || w.terminate.count() != 1 {
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

// TestFits: patterns of ARNs.
func TestFits(t *testing.T) {
	const session = "arn:aws:sts::123412341234:assumed-role/Oncall/ann"
	for pattern, want := range map[string]bool{
		"arn:aws:iam::123412341234:role/Oncall":              true,
		"arn:aws:iam::123412341234:role/ops/Oncall":          true,
		"arn:aws:iam::123412341234:role/On*":                 true,
		"arn:aws:sts::123412341234:assumed-role/Oncall/ann":  true,
		"arn:aws:sts::123412341234:assumed-role/Oncall/*":    true,
		"arn:aws:sts::123412341234:assumed-role/*/ann":       true,
		"arn:aws:sts::123412341234:assumed-role/Oncall/bob":  false,
		"arn:aws:sts::123412341234:assumed-role/Offcall/ann": false,
		"arn:aws:iam::123412341234:role/On":                  false,
		"arn:aws:iam::123412341234:user/Oncall":              false,
		"arn:aws:iam::999999999999:role/Oncall":              false,
		"arn:aws:iam::123412341234:role/*x*":                 false,
	} {
		if got := isApprover(caller(session), responder.Approvers{IAM: []string{pattern}}); got != want {
			t.Errorf("%s: %v", pattern, got)
		}
	}
}
