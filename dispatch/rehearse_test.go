package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/memory"
)

// rehearsing is a rehearsal of a world's flows, over ports of its own. It fails the
// test if an action that is no check does anything.
func (w *world) rehearsing(look bool, change ...func(*Rehearsing)) *Rehearsal {
	w.t.Helper()
	stage := newClock()
	with := Rehearsing{Config: w.config, Look: look, Seen: w.clock.Now(), Advance: func(to time.Time) { stage.Advance(to.Sub(stage.Now())) }}
	with.Runs, with.Counters, with.Now = &memory.Runs{}, memory.NewCounters(stage.Now), stage.Now
	with.Catalogue = responder.Catalogue{}
	for name, action := range w.catalogue {
		with.Catalogue[name] = action
	}
	with.Catalogue["SendSlack"] = shown{w.slack}
	for _, c := range change {
		c(&with)
	}
	r, err := NewRehearsal(with)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		for _, d := range w.deeds {
			if !strings.HasPrefix(d.Action, "EC2InstanceAlive") {
				w.t.Errorf("a rehearsal did %s", d.Action)
			}
		}
	})
	return r
}

// one rehearses the one flow of a world for a finding.
func (r *Rehearsal) one(t *testing.T, f responder.Finding) Rehearsed {
	t.Helper()
	all, err := r.Rehearse(t.Context(), f, "")
	if err != nil || len(all) != 1 {
		t.Fatalf("%d flows, %v", len(all), err)
	}
	return all[0]
}

// verdictOf gives what a guard comes to.
func verdictOf(reports []GuardReport, guard string) GuardVerdict {
	for _, r := range reports {
		if r.Guard == guard {
			return r.Verdict
		}
	}
	return ""
}

const rehearsed = askHead + `
flows:
  - name: f
    rule: UnauthorizedInstanceCreated
    if: severity >= HIGH
    repairs: live
    cooldown: {for: 1h, by: [rule, account.id]}
    sequential:
      - SendSlack: {webhookURL: "https://hooks.example/T0KEN", message: "one {{ resources[0] }}"}
        as: post
      - parallel:
          - wait: 10m
          - SendSlack: {message: "beside {{ steps.post.succeeded }}"}
      - check: {}
      - approve: {text: "End {{ resources[0] }}?", by: {slack: [U0CAROL], cli: true}, for: 30m}
        as: ask
        tell: [SendSlack: {message: "decide {{ question.text }}"}]
      - veto: {text: "Really?", by: {cli: true}, for: 5m}
      - if: steps.ask.approved
        then: [remediate: {}]
        else: [SendSlack: {message: never}]
      - wait: {until: "08:00", zone: Europe/Paris}
      - SendSlack: {message: "{{ steps.ask.decision }}"}
`

func TestRehearse(t *testing.T) {
	for _, look := range []bool{false, true} {
		w := newWorld(t, rehearsed)
		seen := w.sees(nil)
		r := w.rehearsing(look)
		got := r.one(t, w.finding("UnauthorizedInstanceCreated"))
		if got.Run == nil || got.Run.State != responder.RunSucceeded {
			t.Fatalf("look %t: the run is %v", look, got.Run)
		}
		var texts []string
		for _, path := range []string{"0", "1.1", "3.tell.0", "7"} {
			sent := got.Steps[path].Sent
			if sent == nil {
				t.Fatalf("step %s: nothing is sent: %+v", path, got.Steps[path])
			}
			texts = append(texts, sent.Text)
			if strings.Contains(sent.To, "T0KEN") {
				t.Errorf("an address in plain text is shown: %s", sent.To)
			}
		}
		want := []string{"one i-1", "beside true", "decide End i-1? asks 3: End i-1? [EC2TerminateInstances in payments (123412341234), eu-west-1, if its condition is met then]", "approved"}
		if !slices.Equal(texts, want) {
			t.Errorf("texts are %q, want %q", texts, want)
		}
		ask := got.Run.Steps["3"].Approval
		if ask.Decision != responder.Approved || ask.Who != nil || !slices.Contains(ask.Not.Slack, bobs) {
			t.Errorf("the question is %+v", ask)
		}
		if veto := got.Run.Steps["4"].Approval; veto.Decision != responder.Unopposed {
			t.Errorf("the veto is %+v", veto)
		}
		if got.Run.Steps["5.else.0"] != nil {
			t.Error("both branches were gone through")
		}
		if at := got.Run.Steps["6"].Ended; at.In(time.UTC).Format("15:04") != "07:00" {
			t.Errorf("08:00 in Paris came at %v", at)
		}
		if got.Cooldown == nil || fmt.Sprint(got.Cooldown.Values) != "[UnauthorizedInstanceCreated 123412341234]" || got.Cooldown.Quiet != "" {
			t.Errorf("the cooldown is %+v", got.Cooldown)
		}
		if len(got.If) != 1 || got.If[0].Value != true {
			t.Errorf("the condition is %+v", got.If)
		}
		repair := got.Steps["5.then.0"]
		if look {
			if *seen != 1 || repair.Survey == nil || len(repair.Survey.Targets) != 2 || verdictOf(repair.Guards, GuardAccount) != Passes || w.alive.count() != 1 {
				t.Errorf("looked %d times and asked %d: %+v", *seen, w.alive.count(), repair)
			}
		} else if *seen != 0 || repair.Survey != nil || verdictOf(repair.Guards, GuardAccount) != Unknown || w.alive.count() != 0 {
			t.Errorf("looked %d times and asked %d: %+v", *seen, w.alive.count(), repair)
		}
		if page, err := w.runs.List(t.Context(), responder.RunQuery{}); err != nil || len(page.Runs) != 0 {
			t.Errorf("the world's store has %d runs, %v", len(page.Runs), err)
		}
		if n := len(r.calls.byKey); n != len(got.Steps) {
			t.Errorf("%d calls are kept, of %d steps", n, len(got.Steps))
		}
		// another like it, in the hour: its notices are quiet, its repair is not
		other := w.finding("UnauthorizedInstanceCreated")
		other.Number = 1
		again := r.one(t, other)
		if again.Cooldown.Quiet == "" || again.Steps["0"].Sent != nil || again.Run.Steps["5.then.0"].State != responder.StepSucceeded {
			t.Errorf("the next of a cooldown: %+v, %+v", again.Cooldown, again.Steps["0"])
		}
		for key := range r.calls.byKey {
			if !strings.HasPrefix(key, again.Run.ID) {
				t.Errorf("the call %s of an earlier run is kept", key)
			}
		}
		if met := r.one(t, other); !met.Met || met.Run != nil {
			t.Errorf("the same finding again: %+v", met)
		}
		low := w.finding("UnauthorizedInstanceCreated")
		low.Number, low.Severity = 2, responder.Low
		if out := r.one(t, low); out.Run != nil || out.If[0].Value != false {
			t.Errorf("a condition that does not hold: %+v", out)
		}
	}
}

// TestRehearseGuards: guards of runs and repairs say what they say of a run that acts.
func TestRehearseGuards(t *testing.T) {
	breakGlass := `protected: ["*instance/i-2"]`
	old := func(w *world, f *responder.Finding, _ *Rehearsing) { f.Event = w.event(25 * time.Hour) }
	tests := []struct {
		name, guards, extra string
		change              func(*world, *responder.Finding, *Rehearsing)
		look                bool
		guard               string
		want                GuardVerdict
		acts                bool // the repair, in the run
	}{
		{name: "nothing said", look: true, guard: GuardProtected, want: Passes, acts: true},
		{name: "nothing said, not looked at", guard: GuardProtected, want: Passes, acts: true},
		{name: "protected", extra: breakGlass, look: true, guard: GuardProtected, want: Holds},
		{name: "protected, not looked at", extra: breakGlass, guard: GuardProtected, want: Unknown, acts: true},
		{name: "scope", guards: `scope: {deny: {tags: {env: dev}}}`, look: true, guard: GuardScope, want: Holds},
		{name: "scope, not looked at", guards: `scope: {deny: {tags: {env: dev}}}`, guard: GuardScope, want: Unknown, acts: true},
		{name: "scope by account, not looked at", guards: `scope: {deny: {accounts: ["1234*"], tags: {env: x}}}`, guard: GuardScope, want: Holds},
		{name: "allowed accounts, not looked at", guards: `scope: {allow: {accounts: ["1234*"]}}`, guard: GuardScope, want: Passes, acts: true},
		{name: "limits", guards: "limits: {per_finding: 1}", look: true, guard: GuardPerFinding, want: Holds},
		{name: "limits, not looked at", guards: "limits: {per_finding: 1}", guard: GuardPerFinding, want: Unknown, acts: true},
		{name: "an hour", guards: "limits: {per_hour: 1}", look: true, guard: GuardPerHour, want: Holds},
		{name: "own", look: true, guard: GuardOwn, want: Holds, change: func(w *world, _ *responder.Finding, r *Rehearsing) {
			r.Own = []string{"*instance/i-1"}
		}},
		{name: "own, not told", look: true, guard: GuardOwn, want: Unknown, acts: true},
		{name: "halts", look: true, guard: GuardHalt, want: Unknown, acts: true},
		{name: "live", guard: GuardRepairs, want: Passes, acts: true},
		{name: "dry", guard: GuardRepairs, want: Holds, change: func(_ *world, _ *responder.Finding, r *Rehearsing) { r.As = responder.RepairsDry }},
		{name: "off", guard: GuardRepairs, want: Holds, change: func(_ *world, _ *responder.Finding, r *Rehearsing) { r.As = responder.RepairsOff }},
		{name: "dry is looked at all the same", look: true, extra: breakGlass, guard: GuardProtected, want: Holds, change: func(_ *world, _ *responder.Finding, r *Rehearsing) { r.As = responder.RepairsDry }},
		{name: "young", guard: GuardAge, want: Passes, acts: true},
		{name: "old", guard: GuardAge, want: Holds, acts: true, change: old},
		{name: "old now, young then", guard: GuardAge, want: Holds, acts: true, change: func(w *world, _ *responder.Finding, r *Rehearsing) {
			r.Seen = w.clock.Now().Add(48 * time.Hour)
		}},
		{name: "own role", guard: GuardOwnRoles, want: Holds, change: func(_ *world, _ *responder.Finding, r *Rehearsing) {
			r.OwnRoles = []string{"arn:aws:iam::123412341234:role/a/responder"}
		}},
		{name: "another's role", guard: GuardOwnRoles, want: Passes, acts: true, change: func(_ *world, _ *responder.Finding, r *Rehearsing) {
			r.OwnRoles = []string{"arn:aws:iam::123412341234:role/other"}
		}},
		{name: "roles not told", guard: GuardOwnRoles, want: Unknown, acts: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := fencedWorld(t, tt.guards, tt.extra)
			f := w.finding("UnauthorizedInstanceCreated")
			r := w.rehearsing(tt.look, func(r *Rehearsing) {
				if tt.change != nil {
					tt.change(w, &f, r)
				}
			})
			got := r.one(t, f)
			repair, state := got.Steps["0"], got.Run.Steps["0"]
			if v := verdictOf(append(got.Guards, repair.Guards...), tt.guard); v != tt.want {
				t.Errorf("%s %s, want %s: %+v %+v", tt.guard, v, tt.want, got.Guards, repair.Guards)
			}
			if acts := state.State == responder.StepSucceeded && !state.Dry; acts != tt.acts {
				t.Errorf("it acts: %t; %+v", acts, state)
			}
			var asked []string
			for _, g := range repair.Guards {
				asked = append(asked, g.Guard)
			}
			if all := slices.DeleteFunc(Guards(), func(g string) bool { return g == GuardNotices }); !slices.Equal(asked, all) {
				t.Errorf("guards are %q, want %q", asked, all)
			}
		})
	}
}

// TestRehearseLooks: what is seen is what the live run would see, and ends as it would.
func TestRehearseLooks(t *testing.T) {
	const flow = "flows:\n  - name: f\n    rule: UnauthorizedInstanceCreated\n    repairs: live\n    sequential: [check: {}, remediate: {}, SendSlack: {message: after}]\n"
	type sees = func(int, responder.Call) (responder.Survey, error)
	undoing := func(n int, call responder.Call) (responder.Survey, error) {
		s := instances(call)
		s.Undo = []responder.Binding{{Action: "EC2TerminateInstances", Params: map[string]any{"ids": []any{"i-9"}}}}
		return s, nil
	}
	for name, tt := range map[string]struct {
		sees  sees
		check error
		ends  responder.RunState
		want  func(RehearsedStep) bool
	}{
		"there":     {undoing, nil, responder.RunSucceeded, func(s RehearsedStep) bool { return len(s.Undo) == 1 && s.Survey.Lasting != nil && s.Err == nil }},
		"check no":  {undoing, &responder.Stop{Reason: "gone"}, responder.RunStopped, func(s RehearsedStep) bool { return s.Survey == nil }},
		"forbidden": {nil, &responder.Permanent{Err: errors.New("AccessDenied")}, responder.RunFailed, func(s RehearsedStep) bool { return s.Survey == nil }},
		"blind": {func(int, responder.Call) (responder.Survey, error) {
			return responder.Survey{}, &responder.Transient{Err: errors.New("AccessDenied")}
		}, nil, responder.RunFailed, func(s RehearsedStep) bool { return s.Err != nil && strings.Contains(s.Err.Error(), "AccessDenied") }},
		"nothing": {func(int, responder.Call) (responder.Survey, error) { return responder.Survey{}, nil }, nil, responder.RunFailed, func(s RehearsedStep) bool { return s.Survey != nil && s.Guards == nil }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, flow)
			w.sees(tt.sees)
			w.alive.answer = func(context.Context, int, responder.Call) (responder.Result, error) { return nil, tt.check }
			got := w.rehearsing(true).one(t, w.finding("UnauthorizedInstanceCreated"))
			if got.Run.State != tt.ends || !tt.want(got.Steps["1"]) {
				t.Errorf("%s %s: %+v", got.Run.State, got.Run.Cause, got.Steps["1"])
			}
			if n := w.alive.count(); n != 1 {
				t.Errorf("the check was asked %d times", n)
			}
		})
	}
}

// TestRehearseApprove: who could not be asked is told of, and who is asked.
func TestRehearseApprove(t *testing.T) {
	w := newWorld(t, "flows:\n  - name: f\n    rule: UnauthorizedInstanceCreated\n    sequential: [remediate: {}]\n")
	w.sees(nil)
	approve := func(r *Rehearsing) { r.As = responder.RepairsApprove }
	got := w.rehearsing(true, approve).one(t, w.finding("UnauthorizedInstanceCreated"))
	if got.Run.State != responder.RunFailed || !strings.Contains(got.Run.Cause, "names nobody who does") {
		t.Errorf("%s: %s", got.Run.State, got.Run.Cause)
	}
	w = newWorld(t, askHead+"approvers: {cli: true, for: 1h}\nflows:\n  - name: f\n    rule: UnauthorizedInstanceCreated\n    repairs: approve\n    sequential: [remediate: {}]\n")
	w.sees(nil)
	got = w.rehearsing(true).one(t, w.finding("UnauthorizedInstanceCreated"))
	if q := got.Run.Steps["0"].Approval; got.Run.State != responder.RunSucceeded || q == nil || len(q.Plan) != 1 || q.Decision != responder.Approved {
		t.Errorf("%s: %s, asks %+v", got.Run.State, got.Run.Cause, q)
	}
	if _, err := NewRehearsal(Rehearsing{}); err == nil {
		t.Error("a rehearsal of nothing can be made")
	}
}

// TestRehearseWhatIsSoAlready: where it was looked, a rehearsal says that a repair
// would change nothing; where it was not, nobody knows.
func TestRehearseWhatIsSoAlready(t *testing.T) {
	for _, look := range []bool{false, true} {
		for verdict, already := range map[responder.Verdict]bool{responder.VerdictDone: true, responder.VerdictNotDone: false, responder.VerdictUnknown: false} {
			w := newWorld(t, "flows: [{name: f, rule: UnauthorizedInstanceCreated, repairs: live, sequential: [remediate: {}]}]")
			w.sees(nil)
			w.terminate.verify = func(int) (responder.Verdict, error) { return verdict, nil }
			got := w.rehearsing(look).one(t, w.finding("UnauthorizedInstanceCreated"))
			if s := got.Steps["0"]; s.Already != (look && already) || s.Err != nil {
				t.Errorf("look %t, %v: %+v", look, verdict, s)
			}
		}
	}
}
