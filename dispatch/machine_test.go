package dispatch

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

func TestRetrySchedule(t *testing.T) {
	full, none := func() float64 { return 1 }, func() float64 { return 0 }
	standard := retryOf(&responder.Step{}, responder.Repair)
	tests := []struct {
		name   string
		retry  responder.Retry
		after  time.Duration
		jitter func() float64
		want   string
	}{
		{"the default's ceilings", standard, 0, full, "2s 4s 8s 16s 32s 1m4s 2m8s 4m16s 5m0s 5m0s"},
		{"full jitter may mean at once", standard, 0, none, "0s 0s 0s 0s 0s 0s 0s 0s 0s 0s"},
		{"half way", standard, 0, func() float64 { return 0.5 }, "1s 2s 4s 8s 16s 32s 1m4s 2m8s 2m30s 2m30s"},
		{"a longer Retry-After wins", standard, time.Minute, full, "1m0s 1m0s 1m0s 1m0s 1m0s 1m4s 2m8s 4m16s 5m0s 5m0s"},
		{"but not beyond an hour", standard, 5 * time.Hour, full, "1h0m0s 1h0m0s 1h0m0s 1h0m0s 1h0m0s 1h0m0s 1h0m0s 1h0m0s 1h0m0s 1h0m0s"},
		{"the step's own", retryOf(&responder.Step{Retry: &responder.Retry{Backoff: 10 * time.Second, Cap: 15 * time.Second}}, responder.Check), 0, full, "10s 15s 15s 15s 15s 15s 15s 15s 15s 15s"},
		{"a backoff above the default's cap", retryOf(&responder.Step{Retry: &responder.Retry{Backoff: time.Hour}}, responder.Check), 0, full, strings.TrimSpace(strings.Repeat("1h0m0s ", 10))},
	}
	for _, tt := range tests {
		var got []string
		for n := 1; n <= 10; n++ {
			got = append(got, delay(tt.retry, n, tt.after, tt.jitter).String())
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, s, tt.want)
		}
	}
	for kind, want := range map[responder.Kind]struct {
		attempts int
		timeout  time.Duration
		policy   responder.ErrorPolicy
	}{
		responder.Notice: {3, 30 * time.Second, responder.PolicyContinue},
		responder.Check:  {3, 30 * time.Second, responder.PolicyStop},
		responder.Repair: {5, 2 * time.Minute, responder.PolicyStop},
	} {
		step := &responder.Step{}
		if got := retryOf(step, kind).Attempts; got != want.attempts || timeoutOf(step, kind) != want.timeout || policyOf(step, kind) != want.policy {
			t.Errorf("%s: %d attempts, %v, %s", kind, got, timeoutOf(step, kind), policyOf(step, kind))
		}
	}
}

// The parts of flows for the machine's tests. An action's name says its kind.
func act(name string) responder.Step {
	return responder.Step{Kind: responder.StepAction, Action: name}
}

func group(kind responder.StepKind, steps ...responder.Step) responder.Step {
	return responder.Step{Kind: kind, Steps: steps}
}

func onError(step responder.Step, policy responder.ErrorPolicy, steps ...responder.Step) responder.Step {
	step.OnError = &responder.OnError{Policy: policy, Steps: steps}
	return step
}

func newRun(steps ...responder.Step) *responder.Run {
	return &responder.Run{State: responder.RunRunning, Flow: responder.FlowSnapshot{Steps: steps}, Steps: map[string]*responder.StepState{}}
}

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func half() float64 { return 0.5 }

// tell shows a decision: "attempt 0, begin 1.0", "until +10s", "failed: why".
func tell(d Decision) string {
	switch {
	case d.End != "":
		return strings.TrimSuffix(fmt.Sprintf("%s: %s", d.End, d.Cause), ": ")
	case len(d.Do) == 0:
		return "until +" + d.Until.Sub(epoch).String()
	}
	var tasks []string
	for _, t := range d.Do {
		tasks = append(tasks, string(t.Verb)+" "+t.Path)
	}
	return strings.Join(tasks, ", ")
}

// TestMachine: each line is an outcome, and what Next says after it.
func TestMachine(t *testing.T) {
	var (
		notice = func(path string) Begun { return Begun{Path: Path(path), Action: "N", Kind: responder.Notice} }
		check  = func(path string) Begun { return Begun{Path: Path(path), Action: "C", Kind: responder.Check} }
		fix    = func(path string) Begun { return Begun{Path: Path(path), Action: "R", Kind: responder.Repair} }
		try    = func(path string) Attempting { return Attempting{Path: Path(path)} }
		look   = func(path string) Attempting { return Attempting{Path: Path(path), Verify: true} }
		ok     = func(path string) Tried { return Tried{Path: Path(path)} }
		no     = func(path string) Tried { return Tried{Path: Path(path), Err: &responder.Stop{Reason: "gone"}} }
		bad    = func(path string) Tried {
			return Tried{Path: Path(path), Err: &responder.Permanent{Err: errors.New("bad")}}
		}
		later = func(path string) Tried {
			return Tried{Path: Path(path), Err: &responder.Transient{Err: errors.New("busy")}}
		}
		dunno = func(path string) Tried {
			return Tried{Path: Path(path), Err: &responder.Unknown{Err: errors.New("lost")}}
		}
		lost = func(path string) Tried { return Tried{Path: Path(path), Err: ErrLost} }
		saw  = func(path string, v responder.Verdict) Verified { return Verified{Path: Path(path), Verdict: v} }
	)
	type line struct {
		outcome Outcome
		then    string
	}
	wait := responder.Step{Kind: responder.StepWait, Wait: 10 * time.Second}
	tests := []struct {
		name  string
		run   *responder.Run
		lines []line
	}{
		{"nothing to do", newRun(), []line{{nil, "succeeded"}}},
		{"one after the other", newRun(act("N"), act("C")), []line{
			{nil, "begin 0"}, {notice("0"), "attempt 0"}, {try("0"), "lose 0"}, {ok("0"), "begin 1"}, {check("1"), "attempt 1"}, {try("1"), "lose 1"}, {ok("1"), "succeeded"}}},
		{"a skipped step", newRun(act("N"), act("N")), []line{{Skipped{Path: "0"}, "begin 1"}, {Skipped{Path: "1"}, "succeeded"}}},
		{"a wait", newRun(wait, act("N")), []line{{Begun{Path: "0"}, "until +10s"}, {Passed{"0"}, "begin 1"}}},
		{"no wait at all", newRun(responder.Step{Kind: responder.StepWait}), []line{{Begun{Path: "0"}, "pass 0"}, {Passed{"0"}, "succeeded"}}},
		{"a notice that fails is passed by", newRun(act("N"), act("N")), []line{{notice("0"), "attempt 0"}, {try("0"), "lose 0"}, {bad("0"), "begin 1"}}},
		{"unless told to stop", newRun(onError(act("N"), responder.PolicyStop), act("N")), []line{{notice("0"), "attempt 0"}, {bad("0"), "failed: step 0 (N): bad"}}},
		{"a check that fails stops", newRun(act("C"), act("N")), []line{{check("0"), "attempt 0"}, {bad("0"), "failed: step 0 (C): bad"}}},
		{"unless told to go on", newRun(onError(act("C"), responder.PolicyContinue), act("N")), []line{{check("0"), "attempt 0"}, {bad("0"), "begin 1"}}},
		{"a check that says no", newRun(act("C"), act("N")), []line{{check("0"), "attempt 0"}, {no("0"), "stopped: gone"}}},
		{"a no is a no whatever on_error says", newRun(onError(act("C"), responder.PolicyContinue), act("N")), []line{{check("0"), "attempt 0"}, {no("0"), "stopped: gone"}}},
		{"on_error steps, then on", newRun(onError(act("C"), responder.PolicySteps, act("N"), act("N")), act("N")), []line{
			{check("0"), "attempt 0"}, {bad("0"), "begin 0.error.0"}, {notice("0.error.0"), "attempt 0.error.0"}, {ok("0.error.0"), "begin 0.error.1"}, {Skipped{Path: "0.error.1"}, "begin 1"}}},
		{"on_error steps that fail", newRun(onError(act("C"), responder.PolicySteps, act("C")), act("N")), []line{
			{check("0"), "attempt 0"}, {bad("0"), "begin 0.error.0"}, {check("0.error.0"), "attempt 0.error.0"}, {bad("0.error.0"), "failed: step 0.error.0 (C): bad"}}},
		{"retries of a notice", newRun(act("N")), []line{
			{notice("0"), "attempt 0"}, {try("0"), "lose 0"}, {later("0"), "until +1s"}, {try("0"), "lose 0"}, {later("0"), "until +2s"}, {try("0"), "lose 0"}, {later("0"), "succeeded"}}},
		{"retries of a check", newRun(act("C")), []line{
			{check("0"), "attempt 0"}, {try("0"), "lose 0"}, {later("0"), "until +1s"}, {try("0"), "lose 0"}, {later("0"), "until +2s"}, {try("0"), "lose 0"}, {later("0"), "failed: step 0 (C): busy"}}},
		{"a lost attempt uses up none", newRun(responder.Step{Kind: responder.StepAction, Action: "C", Retry: &responder.Retry{Attempts: 1}}), []line{
			{check("0"), "attempt 0"}, {try("0"), "lose 0"}, {lost("0"), "until +1s"}, {try("0"), "lose 0"}, {lost("0"), "until +2s"}, {try("0"), "lose 0"}, {later("0"), "failed: step 0 (C): busy"}}},
		{"what was not made is no attempt", newRun(responder.Step{Kind: responder.StepAction, Action: "C", Retry: &responder.Retry{Attempts: 1}}), []line{
			{check("0"), "attempt 0"}, {try("0"), "lose 0"}, {Unmade{"0"}, "attempt 0"}, {Unmade{"0"}, "attempt 0"}, {try("0"), "lose 0"}, {ok("0"), "succeeded"}}},
		{"a repair taken over is looked at", newRun(act("R")), []line{
			{fix("0"), "attempt 0"}, {try("0"), "verify 0"}, {look("0"), "verify 0"}, {saw("0", responder.VerdictDone), "succeeded"}}},
		{"a repair not done is tried again", newRun(act("R")), []line{
			{fix("0"), "attempt 0"}, {try("0"), "verify 0"}, {look("0"), "verify 0"}, {saw("0", responder.VerdictNotDone), "attempt 0"}, {try("0"), "verify 0"}, {ok("0"), "succeeded"}}},
		{"an unknown outcome waits before the look", newRun(act("R")), []line{
			{fix("0"), "attempt 0"}, {try("0"), "verify 0"}, {dunno("0"), "until +1s"}, {look("0"), "verify 0"}, {saw("0", responder.VerdictUnknown), "until +1s"}, {look("0"), "verify 0"}, {saw("0", responder.VerdictUnknown), "until +2s"}}},
		{"a known failure of a repair needs no look", newRun(act("R")), []line{
			{fix("0"), "attempt 0"}, {try("0"), "verify 0"}, {later("0"), "until +1s"}, {try("0"), "verify 0"}, {bad("0"), "failed: step 0 (R): bad"}}},
		{"the last attempt of a repair is looked at, too", newRun(responder.Step{Kind: responder.StepAction, Action: "R", Retry: &responder.Retry{Attempts: 1}}), []line{
			{fix("0"), "attempt 0"}, {try("0"), "verify 0"}, {dunno("0"), "until +1s"}, {look("0"), "verify 0"}, {saw("0", responder.VerdictNotDone), "failed: step 0 (R): outcome unknown: lost"}}},
		{"the last attempt of a repair, lost and not done, is made again", newRun(responder.Step{Kind: responder.StepAction, Action: "R", Retry: &responder.Retry{Attempts: 1}}), []line{
			{fix("0"), "attempt 0"}, {try("0"), "verify 0"}, {look("0"), "verify 0"}, {saw("0", responder.VerdictNotDone), "attempt 0"}, {try("0"), "verify 0"}, {later("0"), "failed: step 0 (R): busy"}}},
		{"a lost look uses up none", newRun(responder.Step{Kind: responder.StepAction, Action: "R", Retry: &responder.Retry{Attempts: 1}}), []line{
			{fix("0"), "attempt 0"}, {try("0"), "verify 0"}, {dunno("0"), "until +1s"}, {look("0"), "verify 0"}, {lost("0"), "until +1s"}, {look("0"), "verify 0"}, {saw("0", responder.VerdictUnknown), "failed: step 0 (R): nobody knows whether it was done"}}},
		{"branches all come to rest, then the failure counts", newRun(group(responder.StepParallel, act("C"), act("N"), act("C")), act("N")), []line{
			{nil, "begin 0"}, {Begun{Path: "0"}, "begin 0.0, begin 0.1, begin 0.2"}, {check("0.0"), "attempt 0.0, begin 0.1, begin 0.2"}, {bad("0.0"), "begin 0.1, begin 0.2"},
			{Skipped{Path: "0.1"}, "begin 0.2"}, {check("0.2"), "attempt 0.2"}, {no("0.2"), "failed: step 0.0 (C): bad"}}},
		{"of two failures the first is told", newRun(group(responder.StepParallel, act("C"), act("C"))), []line{
			{Begun{Path: "0"}, "begin 0.0, begin 0.1"}, {check("0.1"), "begin 0.0, attempt 0.1"}, {bad("0.1"), "begin 0.0"}, {check("0.0"), "attempt 0.0"}, {bad("0.0"), "failed: step 0.0 (C): bad"}}},
		{"a no in a branch", newRun(group(responder.StepParallel, act("C"), wait), act("N")), []line{
			{Begun{Path: "0"}, "begin 0.0, begin 0.1"}, {check("0.0"), "attempt 0.0, begin 0.1"}, {no("0.0"), "begin 0.1"}, {Begun{Path: "0.1"}, "until +10s"}, {Passed{"0.1"}, "stopped: gone"}}},
		{"a group's failure can be passed by", newRun(onError(group(responder.StepSequential, act("C"), act("N")), responder.PolicyContinue), act("N")), []line{
			{Begun{Path: "0"}, "begin 0.0"}, {check("0.0"), "attempt 0.0"}, {bad("0.0"), "begin 1"}}},
		{"then", newRun(responder.Step{Kind: responder.StepIf, Steps: []responder.Step{act("N")}, Else: []responder.Step{act("C")}}, act("N")), []line{
			{Begun{Path: "0", Branch: branchThen}, "begin 0.then.0"}, {Skipped{Path: "0.then.0"}, "begin 1"}}},
		{"else", newRun(responder.Step{Kind: responder.StepIf, Steps: []responder.Step{act("N")}, Else: []responder.Step{act("C")}}, act("N")), []line{
			{Begun{Path: "0", Branch: branchElse}, "begin 0.else.0"}, {Skipped{Path: "0.else.0"}, "begin 1"}}},
		{"no else", newRun(responder.Step{Kind: responder.StepIf, Steps: []responder.Step{act("N")}}, act("N")), []line{{Begun{Path: "0", Branch: branchElse}, "begin 1"}}},
		{"an if that cannot be judged", newRun(responder.Step{Kind: responder.StepIf, Steps: []responder.Step{act("N")}}, act("N")), []line{
			{Unfit{Path: "0", Err: errors.New("if: odd")}, "failed: step 0 (if): if: odd"}}},
		{"a path that is not there", newRun(act("N")), []line{{ok("7"), "begin 0"}, {ok("0.then.0"), "begin 0"}, {ok(""), "begin 0"}, {ok("0.0"), "begin 0"}, {ok("-1"), "begin 0"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			run := tt.run
			for i, l := range tt.lines {
				if l.outcome != nil {
					before := mustJSON(t, run)
					after := Apply(run, l.outcome, epoch, half)
					if mustJSON(t, run) != before {
						t.Fatal("Apply changed the run it was given")
					}
					run = after
				}
				if got := tell(Next(run, epoch)); got != l.then {
					t.Fatalf("line %d: %s, want %s\n%s", i, got, l.then, outline(run))
				}
			}
		})
	}
}

func TestGroupsAreClosed(t *testing.T) {
	run := newRun(group(responder.StepParallel, group(responder.StepSequential, act("C")), act("N")))
	for _, o := range []Outcome{Begun{Path: "0"}, Begun{Path: "0.0"}, Begun{Path: "0.0.0", Action: "C", Kind: responder.Check}, Skipped{Path: "0.1"},
		Tried{Path: "0.0.0", Err: errors.New("bad")}} {
		run = Apply(run, o, epoch, half)
	}
	for _, path := range []string{"0", "0.0"} {
		if s := run.Steps[path]; s.State != responder.StepFailed || s.Error != "step 0.0.0 (C): bad" {
			t.Errorf("%s: %+v", path, s)
		}
	}
}

func TestTooManySteps(t *testing.T) {
	run := newRun(act("N"), act("N"))
	run.Steps["0"] = &responder.StepState{State: responder.StepSucceeded}
	for i := range maxSteps {
		run.Steps[fmt.Sprintf("9.%d", i)] = &responder.StepState{State: responder.StepSucceeded}
	}
	if got := tell(Next(run, epoch)); got != "failed: a run has at most 1000 steps" {
		t.Error(got)
	}
}

// TestNeverEarly: a timer is due at its moment, and not a nanosecond before.
func TestNeverEarly(t *testing.T) {
	run := Apply(newRun(responder.Step{Kind: responder.StepWait, Wait: time.Hour}), Begun{Path: "0"}, epoch, half)
	if got := tell(Next(run, epoch.Add(time.Hour-1))); got != "until +1h0m0s" {
		t.Error(got)
	}
	if got := tell(Next(run, epoch.Add(time.Hour))); got != "pass 0" {
		t.Error(got)
	}
}

// TestOrderOfBranches: in whatever order the branches of a run come on, it ends
// in the same state.
func TestOrderOfBranches(t *testing.T) {
	flow := []responder.Step{
		group(responder.StepParallel,
			group(responder.StepSequential, act("N"), onError(act("C"), responder.PolicySteps, act("N")), act("R")),
			group(responder.StepParallel, act("C"), act("N"), responder.Step{Kind: responder.StepWait, Wait: time.Minute}),
			responder.Step{Kind: responder.StepIf, Steps: []responder.Step{act("R")}},
			onError(act("R"), responder.PolicyContinue),
		),
		act("N"),
	}
	kinds := map[string]responder.Kind{"N": responder.Notice, "C": responder.Check, "R": responder.Repair}
	for fate := range uint64(200) {
		answer := func(path string, n int) error { // the same for the same attempt, whenever it is made
			r := rand.New(rand.NewPCG(fate, uint64(n)<<32|uint64(len(path))<<8|uint64(path[len(path)-1])))
			return []error{nil, nil, &responder.Transient{Err: errors.New("busy")}, &responder.Unknown{Err: errors.New("lost")}, &responder.Permanent{Err: errors.New("bad")}, &responder.Stop{Reason: "no"}}[r.IntN(6)]
		}
		play := func(order *rand.Rand) *responder.Run {
			run, now := newRun(flow...), epoch
			for range 10_000 {
				d := Next(run, now)
				if d.End != "" {
					return settle(run, d, epoch)
				}
				if len(d.Do) == 0 {
					now = d.Until
					continue
				}
				task := d.Do[order.IntN(len(d.Do))]
				path, state := Path(task.Path), run.Steps[task.Path]
				switch task.Verb {
				case Begin:
					run = Apply(run, Begun{Path: path, Action: task.Step.Action, Kind: kinds[task.Step.Action], Branch: branchThen}, now, half)
				case Pass:
					run = Apply(run, Passed{path}, now, half)
				case Attempt:
					run = Apply(run, Attempting{Path: path}, now, half)
					run = Apply(run, Tried{Path: path, Err: answer(task.Path, tries(state))}, now, half)
				case Verify:
					run = Apply(run, Attempting{Path: path, Verify: true}, now, half)
					run = Apply(run, Verified{Path: path, Verdict: responder.Verdict(len(state.Attempts) % 3)}, now, half)
				default:
					t.Fatalf("%s %s", task.Verb, task.Path)
				}
			}
			t.Fatal("does not end")
			return nil
		}
		want := outline(play(rand.New(rand.NewPCG(fate, 1))))
		for seed := range uint64(10) {
			if got := outline(play(rand.New(rand.NewPCG(fate, seed+2)))); !reflect.DeepEqual(got, want) {
				t.Fatalf("fate %d:\n%s\nor\n%s", fate, got, want)
			}
		}
	}
}

func TestWalkAndLocate(t *testing.T) {
	steps := []responder.Step{
		act("a"), group(responder.StepParallel, act("b"), onError(act("c"), responder.PolicySteps, act("d"))),
		{Kind: responder.StepIf, Steps: []responder.Step{act("e")}, Else: []responder.Step{group(responder.StepSequential, act("f"))}},
	}
	var paths []string
	Walk(steps, func(path string, step *responder.Step) {
		paths = append(paths, path+string(step.Action))
		if locate(steps, path) != step {
			t.Errorf("%s is not found", path)
		}
	})
	if got := strings.Join(paths, " "); got != "0a 1 1.0b 1.1c 1.1.error.0d 2 2.then.0e 2.else.0 2.else.0.0f" {
		t.Error(got)
	}
	for _, path := range []string{"", "3", "0.0", "1.2", "1.then.0", "2.0", "2.then", "2.then.1", "1.1.error.0.0", "x", "1..0"} {
		if locate(steps, path) != nil {
			t.Errorf("%q is found", path)
		}
	}
}
