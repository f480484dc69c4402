package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

// TestTellRun: every word that a run has for what became of it.
func TestTellRun(t *testing.T) {
	began := time.Date(2026, 11, 23, 6, 39, 56, 0, time.UTC)
	at := func(s int) time.Time { return began.Add(time.Duration(s) * time.Second) }
	try := func(from, to int, err string) responder.Attempt {
		return responder.Attempt{Began: at(from), Ended: at(to), Error: err}
	}
	look := func(from, to int, err string) responder.Attempt {
		return responder.Attempt{Began: at(from), Ended: at(to), Error: err, Verify: true}
	}
	lost := responder.Attempt{Began: at(0), Ended: at(120), Error: "the worker was lost", Lost: true}
	doubt := responder.Attempt{Began: at(0), Ended: at(1), Error: "outcome unknown: no answer", Unknown: true}
	dispelled := responder.Attempt{Began: at(0), Ended: at(1), Error: "outcome unknown: no answer"}
	slack := responder.Step{Kind: responder.StepAction, Action: "SendSlack"}
	remediate := responder.Step{Kind: responder.StepRemediate}
	state := func(s responder.StepStatus, attempts ...responder.Attempt) *responder.StepState {
		return &responder.StepState{State: s, Action: "SendSlack", Kind: responder.Notice, Attempts: attempts}
	}
	with := func(s *responder.StepState, change func(*responder.StepState)) *responder.StepState {
		change(s)
		return s
	}
	repaired := func(s responder.StepStatus, attempts ...responder.Attempt) *responder.StepState {
		return &responder.StepState{State: s, Action: "IAMDeleteUser", Kind: responder.Repair, Attempts: attempts}
	}
	long := strings.Repeat("very ", 20) + "long"
	for _, tt := range []struct {
		name  string
		run   responder.Run
		step  responder.Step
		state *responder.StepState // of step
		more  map[string]*responder.StepState
		want  string
	}{
		{name: "not reached", step: slack, want: "  0  SendSlack\n"},
		{name: "named", step: responder.Step{Kind: responder.StepAction, Action: "SendSlack", As: "post"}, want: "  0  SendSlack as post\n"},
		{name: "a wait of days", step: responder.Step{Kind: responder.StepWait, Wait: 90 * 24 * time.Hour}, want: "  0  wait 90d\n"},
		{name: "a wait until a time of day", step: responder.Step{Kind: responder.StepWait, Until: &responder.Until{Clock: "08:00", Zone: "Europe/Paris", Days: []string{"mon", "sat"}}},
			state: &responder.StepState{State: responder.StepWaiting, Due: at(10)},
			want:  "  0  wait until 08:00 Europe/Paris, mon sat ◷\n     until 2026-11-23T06:40:06Z\n"},
		{name: "a pause before a try", step: slack, state: with(state(responder.StepWaiting, try(0, 1, "429")), func(s *responder.StepState) { s.Due, s.Error = at(10), "429" }),
			want: "  0  SendSlack ◷\n     goes on at 2026-11-23T06:40:06Z\n     last error: 429\n     attempt 1 at 2026-11-23T06:39:56Z took 1s: 429\n"},
		{name: "under way", step: slack, state: state(responder.StepRunning, responder.Attempt{Began: at(0)}), want: "  0  SendSlack …\n     attempt 1 at 2026-11-23T06:39:56Z has not ended\n"},
		{name: "lost, then done", step: slack, state: state(responder.StepSucceeded, lost, try(121, 122, "")),
			want: "  0  SendSlack ✓\n     attempt 1 at 2026-11-23T06:39:56Z was lost, given up at 2026-11-23T06:41:56Z: the worker was lost\n     attempt 2 at 2026-11-23T06:41:57Z took 1s\n"},
		{name: "failed at length", step: slack, state: with(state(responder.StepFailed), func(s *responder.StepState) { s.Error = long }),
			want: "  0  SendSlack ✗ " + long[:79] + "…\n     error: " + long + "\n"},
		{name: "failed and retried", step: slack, state: with(state(responder.StepSucceeded, try(0, 1, "410"), try(9, 10, "")), func(s *responder.StepState) { s.Retried = 1 }),
			want: "  0  SendSlack ✓\n     attempt 1 at 2026-11-23T06:39:56Z took 1s: 410\n     retried: what comes now counts anew\n     attempt 2 at 2026-11-23T06:40:05Z took 1s\n"},
		{name: "skipped by its condition", step: responder.Step{Kind: responder.StepAction, Action: "SendSlack", If: "severity < HIGH"}, state: state(responder.StepSkipped),
			want: "  0  SendSlack –\n     skipped: not so that severity < HIGH\n"},
		{name: "skipped by a guard", step: remediate, state: with(repaired(responder.StepSkipped), func(s *responder.StepState) {
			s.Result = map[string]any{"why": "repairs are off", "would": "delete bob"}
		}),
			want: "  0  remediate IAMDeleteUser –\n     skipped: repairs are off\n     would delete bob\n"},
		{name: "recorded", step: remediate, state: with(repaired(responder.StepSucceeded), func(s *responder.StepState) {
			s.Dry, s.Result = true, map[string]any{"why": "repairs are dry in the flow", "would": "delete bob"}
		}), want: "  0  remediate IAMDeleteUser would delete bob\n     repairs are dry in the flow\n"},
		{name: "a repair in doubt", step: remediate, state: repaired(responder.StepRunning, doubt, look(5, 6, "throttled")),
			want: "  0  remediate IAMDeleteUser …\n     attempt 1 at 2026-11-23T06:39:56Z took 1s: outcome unknown: no answer (nobody knows whether it acted)\n     look 2 at 2026-11-23T06:40:01Z, whether it was done, took 1s: throttled\n"},
		{name: "a repair that was not done", step: remediate, state: repaired(responder.StepSucceeded, dispelled, look(5, 6, "throttled"), look(7, 8, ""), try(8, 9, "")),
			want: "  0  remediate IAMDeleteUser ✓\n     attempt 1 at 2026-11-23T06:39:56Z took 1s: outcome unknown: no answer\n     look 2 at 2026-11-23T06:40:01Z, whether it was done, took 1s: throttled\n" +
				"     look 3 at 2026-11-23T06:40:03Z, whether it was done, took 1s: it was not\n     attempt 4 at 2026-11-23T06:40:04Z took 1s\n"},
		{name: "a repair that was done", step: remediate, state: with(repaired(responder.StepSucceeded, doubt, look(5, 6, "")), func(s *responder.StepState) { s.Result = map[string]any{"verified": true} }),
			want: "  0  remediate IAMDeleteUser ✓\n     attempt 1 at 2026-11-23T06:39:56Z took 1s: outcome unknown: no answer (nobody knows whether it acted)\n     look 2 at 2026-11-23T06:40:01Z, whether it was done, took 1s: it was\n     verified: true\n"},
		{name: "a branch", step: responder.Step{Kind: responder.StepIf, If: "severity >= HIGH", Steps: []responder.Step{slack}}, state: &responder.StepState{State: responder.StepRunning, Branch: "then"},
			want: "  0  if severity >= HIGH …\n     took the branch then\n      0.then.0  SendSlack\n"},
		{name: "the first of several", step: responder.Step{Kind: responder.StepParallel, Join: responder.JoinAny, Steps: []responder.Step{{Kind: responder.StepWait, Wait: time.Hour}, slack}},
			state: &responder.StepState{State: responder.StepSucceeded},
			more: map[string]*responder.StepState{"0.1": state(responder.StepSucceeded, try(0, 1, "")),
				"0.0": {State: responder.StepCancelled, Result: map[string]any{"why": "another branch was first"}}},
			want: "  0  parallel, the first of 2 ✓\n     ended well: 0.1\n    0.0  wait 1h ⊘\n       given up: another branch was first\n    0.1  SendSlack ✓\n       attempt 1 at 2026-11-23T06:39:56Z took 1s\n"},
		{name: "under a timeout, held", run: responder.Run{State: responder.RunRunning, Flow: responder.FlowSnapshot{Timeout: 2 * time.Hour}, Deadline: at(7200), Lease: at(60), Due: at(60), Resumed: 3},
			step: slack, want: "  began      2026-11-23T06:39:56Z, last change 2026-11-23T06:40:56Z, taken up 3 times\n  held       by a worker, until 2026-11-23T06:40:56Z at the latest\n  due        2026-11-23T06:40:56Z\n" +
				"  timeout    2h: fails at 2026-11-23T08:39:56Z if it has not ended then\n  0  SendSlack\n"},
		{name: "quiet, steered and over", run: responder.Run{State: responder.RunCancelled, Cause: "cancelled by ann: enough", Flow: responder.FlowSnapshot{Timeout: 2 * time.Hour}, Deadline: at(7200), Suppressed: 4,
			Audit: []responder.Audit{{At: at(1), By: "bob", What: responder.DeedRetry}, {At: at(2), By: "ann", What: responder.DeedCancel, Why: "enough\x1b[2J"}}},
			step: slack, want: "  timeout    2h: it had until 2026-11-23T08:39:56Z\n  suppressed number 4 of its cooldown\n  2026-11-23T06:39:57Z  retried by bob\n  2026-11-23T06:39:58Z  cancelled by ann: enough\n  0  SendSlack\n"},
		{name: "our own doing, and what it led to", run: responder.Run{CausedBy: &responder.Origin{Session: "2e.undo", Run: "2e#undo"}, Caused: []string{"3d", "4c"}},
			step: slack, want: "  caused by  Responder's own role, acting for run 2e#undo\n  led to     run 3d, 4c\n  0  SendSlack\n"},
		{name: "our own doing, of an unknown run", run: responder.Run{CausedBy: &responder.Origin{Session: "x\x1b[2J"}},
			step: slack, want: "  caused by  Responder's own role, in a session called x: no run of that name is known\n  0  SendSlack\n"},
		{name: "our own doing, of no session", run: responder.Run{CausedBy: &responder.Origin{}},
			step: slack, want: "  caused by  Responder's own role, and by no session: its run is not known\n  0  SendSlack\n"},
		{name: "telling of many", run: responder.Run{Gathers: &responder.Gathering{Run: "2e", Step: "0.1", Rate: responder.Rate{N: 20, Per: time.Hour}, Since: at(0), Until: at(3600)}},
			step: slack, want: "  tells      of notices left out from 2026-11-23T06:39:56Z to 2026-11-23T07:39:56Z, beyond 20 in 1h; its own is that of run 2e, step 0.1\n  0  SendSlack\n"},
		{name: "warning", run: responder.Run{Warns: &responder.Warning{Run: "2e", Step: "0.1", Action: "EC2TerminateInstances", Guard: "limits.per_hour", Why: "no room\x1b[2J"}},
			step: slack, want: "  warns      limits.per_hour keeps the flow from repairing: no room; first EC2TerminateInstances, step 0.1 of run 2e\n  0  SendSlack\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run := tt.run
			run.ID, run.Created, run.Updated, run.Flow.Steps, run.Steps = "1f", began, at(60), []responder.Step{tt.step}, tt.more
			if run.Steps == nil {
				run.Steps = map[string]*responder.StepState{}
			}
			if tt.state != nil {
				run.Steps["0"] = tt.state
			}
			var out bytes.Buffer
			a := &app{stdout: &out, getenv: func(string) string { return "" }}
			a.tellRun(&run)
			if !strings.HasSuffix(out.String(), tt.want) {
				t.Errorf("told is\n%swant it to end so:\n%s", out.String(), tt.want)
			}
		})
	}
}

// TestChainOfWhatWasNotDone: what runs tell in a line says why a repair was not done.
func TestChainOfWhatWasNotDone(t *testing.T) {
	a := &app{getenv: func(string) string { return "" }}
	steps := []responder.Step{{Kind: responder.StepApprove}, {Kind: responder.StepRemediate}, {Kind: responder.StepAction, Action: "SendSlack"}}
	skipped := func(kind responder.Kind, result map[string]any) *responder.StepState {
		return &responder.StepState{State: responder.StepSkipped, Kind: kind, Result: result}
	}
	denied := skipped("", map[string]any{"why": "denied by ann"})
	denied.Approval = &responder.Approval{Decision: responder.Denied}
	run := &responder.Run{State: responder.RunSucceeded, Flow: responder.FlowSnapshot{Steps: steps}, Steps: map[string]*responder.StepState{
		"0": denied, "1": skipped(responder.Repair, map[string]any{"guard": "limits.per_hour\x1b[2J", "why": "no room"}), "2": skipped(responder.Notice, map[string]any{"guard": "limits.notices"}),
	}}
	if got, want := a.chain(run), "approve – denied by ann → remediate – held back by limits.per_hour → SendSlack –"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := a.asides(run.Summary()), " (2 held back)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestCauseToldOnce: what the mark of a step says whole is not said again as the
// cause of its run; what it does not, is.
func TestCauseToldOnce(t *testing.T) {
	failed := func(why string) *responder.Run {
		return &responder.Run{
			State: responder.RunFailed, Cause: "step 0 (remediate): " + why, Flow: responder.FlowSnapshot{Steps: []responder.Step{{Kind: responder.StepRemediate}}},
			Steps: map[string]*responder.StepState{"0": {State: responder.StepFailed, Error: why}},
		}
	}
	a := &app{getenv: func(string) string { return "" }}
	if got, want := a.chain(failed("no such user")), "remediate ✗ no such user  failed"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := a.chain(failed(strings.Repeat("long ", 30))); !strings.Contains(got, "failed step 0 (remediate): long") {
		t.Error(got)
	}
	late := failed("no such user")
	late.Cause = "its timeout is over"
	if got := a.chain(late); !strings.HasSuffix(got, "failed its timeout is over") {
		t.Error(got)
	}
}
