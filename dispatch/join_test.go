package dispatch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

func race(steps ...responder.Step) responder.Step {
	g := group(responder.StepParallel, steps...)
	g.Join = responder.JoinAny
	return g
}

// TestJoinAny: each line is an outcome, and what Next says after it; the last
// says how the steps ended.
func TestJoinAny(t *testing.T) {
	begun := func(path string, kind responder.Kind) Begun {
		return Begun{Path: Path(path), Action: string(kind), Kind: kind}
	}
	ends := func(path string, err error) Tried { return Tried{Path: Path(path), Err: err} }
	bad, busy, no := &responder.Permanent{Err: errors.New("bad")}, &responder.Transient{Err: errors.New("busy")}, &responder.Stop{Reason: "gone"}
	wait := responder.Step{Kind: responder.StepWait, Wait: 10 * time.Second}
	type line struct {
		outcome Outcome
		then    string
	}
	notice := responder.Notice
	for _, tt := range []struct {
		name  string
		run   *responder.Run
		lines []line
		ended string
	}{
		{"the first counts, what waits is given up", newRun(race(act("N"), wait), act("N")), []line{
			{Begun{Path: "0"}, "begin 0.0, begin 0.1"}, {Begun{Path: "0.1"}, "begin 0.0"}, {begun("0.0", notice), "attempt 0.0"}, {ends("0.0", nil), "begin 1"}},
			"0 succeeded, 0.0 succeeded, 0.1 cancelled"},
		{"what has not begun does not begin", newRun(race(act("N"), act("N")), act("N")), []line{
			{Begun{Path: "0"}, "begin 0.0, begin 0.1"}, {begun("0.0", notice), "attempt 0.0, begin 0.1"}, {ends("0.0", nil), "begin 1"}},
			"0 succeeded, 0.0 succeeded"},
		{"an attempt in the air lands first, and is written down", newRun(race(act("N"), act("R")), act("N")), []line{
			{Begun{Path: "0"}, "begin 0.0, begin 0.1"}, {begun("0.0", notice), "attempt 0.0, begin 0.1"}, {begun("0.1", responder.Repair), "attempt 0.0, attempt 0.1"},
			{Attempting{Path: "0.1"}, "attempt 0.0, verify 0.1"}, {ends("0.0", nil), "lose 0.1"}, {ends("0.1", nil), "begin 1"}},
			"0 succeeded, 0.0 succeeded, 0.1 succeeded"},
		{"one that lands badly is not tried again", newRun(race(act("N"), act("N")), act("N")), []line{
			{Begun{Path: "0"}, "begin 0.0, begin 0.1"}, {begun("0.0", notice), "attempt 0.0, begin 0.1"}, {begun("0.1", notice), "attempt 0.0, attempt 0.1"},
			{Attempting{Path: "0.1"}, "attempt 0.0, lose 0.1"}, {ends("0.0", nil), "lose 0.1"}, {ends("0.1", busy), "begin 1"}},
			"0 succeeded, 0.0 succeeded, 0.1 cancelled"},
		{"one that lands after its worker's death is given up", newRun(race(act("N"), act("R")), act("N")), []line{
			{Begun{Path: "0"}, "begin 0.0, begin 0.1"}, {begun("0.0", notice), "attempt 0.0, begin 0.1"}, {begun("0.1", responder.Repair), "attempt 0.0, attempt 0.1"},
			{Attempting{Path: "0.1"}, "attempt 0.0, verify 0.1"}, {ends("0.0", nil), "lose 0.1"}, {ends("0.1", ErrLost), "begin 1"}},
			"0 succeeded, 0.0 succeeded, 0.1 cancelled"},
		{"no further step of the branch starts", newRun(race(group(responder.StepSequential, act("N"), act("N")), act("N")), act("N")), []line{
			{Begun{Path: "0"}, "begin 0.0, begin 0.1"}, {Begun{Path: "0.0"}, "begin 0.0.0, begin 0.1"}, {begun("0.0.0", notice), "attempt 0.0.0, begin 0.1"}, {Attempting{Path: "0.0.0"}, "lose 0.0.0, begin 0.1"},
			{begun("0.1", notice), "lose 0.0.0, attempt 0.1"}, {ends("0.1", nil), "lose 0.0.0"}, {ends("0.0.0", nil), "begin 1"}},
			"0 succeeded, 0.0 cancelled, 0.1 succeeded, 0.0.0 succeeded"},
		{"a branch of steps wins", newRun(race(group(responder.StepSequential, act("N"), act("N")), wait)), []line{
			{Begun{Path: "0"}, "begin 0.0, begin 0.1"}, {Begun{Path: "0.1"}, "begin 0.0"}, {Begun{Path: "0.0"}, "begin 0.0.0"}, {Skipped{Path: "0.0.0"}, "begin 0.0.1"}, {Skipped{Path: "0.0.1"}, "succeeded"}},
			"0 succeeded, 0.0 succeeded, 0.1 cancelled, 0.0.0 skipped, 0.0.1 skipped"},
		{"what cannot be begun has not won", newRun(race(responder.Step{Kind: responder.StepIf, Steps: []responder.Step{act("N")}}, wait), act("N")), []line{
			{Begun{Path: "0"}, "begin 0.0, begin 0.1"}, {Begun{Path: "0.1"}, "begin 0.0"}, {Unfit{Path: "0.0", Err: errors.New("if")}, "until +10s"}, {Passed{"0.1"}, "begin 1"}},
			"0 succeeded, 0.0 failed, 0.1 succeeded"},
		{"what was skipped has not won", newRun(race(act("N"), act("N")), act("N")), []line{
			{Begun{Path: "0"}, "begin 0.0, begin 0.1"}, {Skipped{Path: "0.0"}, "begin 0.1"}, {begun("0.1", notice), "attempt 0.1"}, {ends("0.1", nil), "begin 1"}},
			"0 succeeded, 0.0 skipped, 0.1 succeeded"},
		{"nothing was asked for", newRun(race(act("N"), act("N")), act("N")), []line{
			{Begun{Path: "0"}, "begin 0.0, begin 0.1"}, {Skipped{Path: "0.0"}, "begin 0.1"}, {Skipped{Path: "0.1"}, "begin 1"}}, "0 succeeded, 0.0 skipped, 0.1 skipped"},
		{"a notice that failed has not won", newRun(race(act("N"), act("N")), act("N")), []line{
			{Begun{Path: "0"}, "begin 0.0, begin 0.1"}, {begun("0.0", notice), "attempt 0.0, begin 0.1"}, {ends("0.0", bad), "begin 0.1"}, {begun("0.1", notice), "attempt 0.1"}, {ends("0.1", nil), "begin 1"}},
			"0 succeeded, 0.0 failed, 0.1 succeeded"},
		{"all have failed", newRun(race(act("N"), act("C")), act("N")), []line{
			{Begun{Path: "0"}, "begin 0.0, begin 0.1"}, {begun("0.0", notice), "attempt 0.0, begin 0.1"}, {ends("0.0", bad), "begin 0.1"}, {begun("0.1", responder.Check), "attempt 0.1"}, {ends("0.1", bad), "failed: step 0.0 (notice): bad"}},
			"0 failed, 0.0 failed, 0.1 failed"},
		{"and are passed by, if told so", newRun(onError(race(act("N")), responder.PolicyContinue), act("N")), []line{
			{Begun{Path: "0"}, "begin 0.0"}, {begun("0.0", notice), "attempt 0.0"}, {ends("0.0", bad), "begin 1"}}, "0 failed, 0.0 failed"},
		{"on_error of a branch is no victory", newRun(race(onError(act("C"), responder.PolicySteps, act("N")), act("N")), act("N")), []line{
			{Begun{Path: "0"}, "begin 0.0, begin 0.1"}, {begun("0.0", responder.Check), "attempt 0.0, begin 0.1"}, {ends("0.0", bad), "begin 0.0.error.0, begin 0.1"}, {Skipped{Path: "0.0.error.0"}, "begin 0.1"},
			{begun("0.1", notice), "attempt 0.1"}, {ends("0.1", bad), "failed: step 0.0 (check): bad"}}, "0 failed, 0.0 failed, 0.1 failed, 0.0.error.0 skipped"},
		{"a no has not won", newRun(race(act("C"), act("C")), act("N")), []line{
			{Begun{Path: "0"}, "begin 0.0, begin 0.1"}, {begun("0.0", responder.Check), "attempt 0.0, begin 0.1"}, {ends("0.0", no), "begin 0.1"}, {begun("0.1", responder.Check), "attempt 0.1"}, {ends("0.1", nil), "begin 1"}},
			"0 succeeded, 0.0 stopped, 0.1 succeeded"},
		{"all say no", newRun(race(act("C"), act("C")), act("N")), []line{
			{Begun{Path: "0"}, "begin 0.0, begin 0.1"}, {begun("0.0", responder.Check), "attempt 0.0, begin 0.1"}, {ends("0.0", no), "begin 0.1"}, {begun("0.1", responder.Check), "attempt 0.1"}, {ends("0.1", no), "stopped: gone"}},
			"0 stopped, 0.0 stopped, 0.1 stopped"},
		{"a race in a race", newRun(race(race(wait, act("N")), wait), act("N")), []line{
			{Begun{Path: "0"}, "begin 0.0, begin 0.1"}, {Begun{Path: "0.1"}, "begin 0.0"}, {Begun{Path: "0.0"}, "begin 0.0.0, begin 0.0.1"}, {Begun{Path: "0.0.0"}, "begin 0.0.1"}, {begun("0.0.1", notice), "attempt 0.0.1"}, {ends("0.0.1", nil), "begin 1"}},
			"0 succeeded, 0.0 succeeded, 0.1 cancelled, 0.0.0 cancelled, 0.0.1 succeeded"},
		{"a race is given up in a race", newRun(race(race(wait, wait), act("N")), act("N")), []line{
			{Begun{Path: "0"}, "begin 0.0, begin 0.1"}, {Begun{Path: "0.0"}, "begin 0.0.0, begin 0.0.1, begin 0.1"}, {Begun{Path: "0.0.0"}, "begin 0.0.1, begin 0.1"}, {begun("0.1", notice), "begin 0.0.1, attempt 0.1"}, {ends("0.1", nil), "begin 1"}},
			"0 succeeded, 0.0 cancelled, 0.1 succeeded, 0.0.0 cancelled"},
	} {
		run := tt.run
		for i, l := range tt.lines {
			run = Apply(run, l.outcome, epoch, half)
			if got := tell(Next(run, epoch)); got != l.then {
				t.Fatalf("%s, line %d: %s, want %s\n%s", tt.name, i, got, l.then, outline(run))
			}
		}
		if got := ended(run); got != tt.ended {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.ended)
		}
	}
}

// ended lists how steps stand: "0 succeeded, 0.1 cancelled".
func ended(run *responder.Run) string {
	var texts []string
	for _, line := range strings.Split(strings.TrimSpace(outline(run)), "\n")[1:] {
		texts = append(texts, strings.Join(strings.Fields(line)[:2], " "))
	}
	return strings.Join(texts, ", ")
}

const raceFlow = `
flows:
  - name: f
    rule: UnauthorizedInstanceCreated
    repairs: live
    sequential:
      - parallel:
          - sequential:
              - SendSlack: {message: slack}
              - SendSlack: {message: slack again}
          - sequential:
              - SendEmail: {subject: mail}
              - SendEmail: {subject: mail again}
          - wait: 20d
        join: any
        as: race
      - SendSlack: {message: "joined {{ steps.race.state }}"}
`

// TestJoinAnyInTheAir: while one branch is in the air another wins; what flies
// lands and is written down, and nothing more of its branch is done.
func TestJoinAnyInTheAir(t *testing.T) {
	w := newWorld(t, raceFlow)
	won := make(chan bool)
	w.email.answer = func(context.Context, int, responder.Call) (responder.Result, error) {
		<-won
		return nil, &responder.Transient{Err: errors.New("busy")}
	}
	var once sync.Once
	w.config.Observe = func(run *responder.Run) {
		if s := run.Steps["0.0"]; s != nil && s.State == responder.StepSucceeded {
			once.Do(func() { close(won) })
		}
	}
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.live(w.dispatcher(), 5*time.Minute, time.Second)
	run := w.get("f")
	if got := ended(run); run.State != responder.RunSucceeded || got != "0 succeeded, 1 succeeded, 0.0 succeeded, 0.1 cancelled, 0.2 cancelled, 0.0.0 succeeded, 0.0.1 succeeded, 0.1.0 cancelled" {
		t.Errorf("%s %s", run.State, got)
	}
	if a := run.Steps["0.1.0"].Attempts; len(a) != 1 || a[0].Ended.IsZero() || a[0].Error != "busy" || run.Steps["0.1.0"].Result["why"] != otherFirst {
		t.Errorf("the attempt in the air: %+v", run.Steps["0.1.0"])
	}
	if got := strings.Join(w.did(), " · "); got != "SendSlack slack · SendSlack slack again · SendEmail! mail · SendSlack joined succeeded" {
		t.Error(got)
	}
}

// TestJoinAnyDry: where everything is recorded, the first branch is the whole of it.
func TestJoinAnyDry(t *testing.T) {
	w := newWorld(t, raceFlow)
	w.config.Mode = responder.ModeDry
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.turn(w.dispatcher())
	if run := w.get("f"); run.State != responder.RunSucceeded || run.Steps["1"] == nil || run.Steps["0.1.1"] != nil {
		t.Error(outline(run))
	}
}

// TestJoinAnyCrashes: wherever the worker dies, another carries on; the group is
// joined once, and what is done is a prefix of each branch.
func TestJoinAnyCrashes(t *testing.T) {
	for kill := 1; ; kill++ {
		w := newWorld(t, raceFlow)
		w.killAt = kill
		w.email.answer = func(context.Context, int, responder.Call) (responder.Result, error) {
			return nil, &responder.Transient{Err: errors.New("busy")}
		}
		w.send(w.finding("UnauthorizedInstanceCreated"))
		w.live(w.dispatcher(), 10*time.Second, time.Second)
		if !w.isDead() {
			break
		}
		w.mu.Lock()
		w.killAt, w.dead = 0, make(chan struct{})
		w.mu.Unlock()
		w.live(w.dispatcher(), 20*time.Minute, 10*time.Second)
		run := w.get("f")
		if run.State != responder.RunSucceeded || run.Steps["0"].State != responder.StepSucceeded || run.Steps["0.2"] != nil && run.Steps["0.2"].State != responder.StepCancelled {
			t.Fatalf("killed at %d: %s", kill, outline(run))
		}
		for path, state := range run.Steps {
			if !over(state.State) {
				t.Fatalf("killed at %d: step %s is %s", kill, path, state.State)
			}
		}
		joined := 0
		for _, d := range w.deeds {
			if strings.Contains(d.Text, "joined") {
				joined++
			}
		}
		if joined < 1 || joined > 2 || len(run.Steps["1"].Attempts) < joined {
			t.Fatalf("killed at %d: joined %d times: %v\n%s", kill, joined, w.did(), outline(run))
		}
	}
}

// TestJoinAnyOrders: in whatever order outcomes come, a group of any is decided
// once, by a branch that ended well if there is one, and nothing of the others
// begins afterwards.
func TestJoinAnyOrders(t *testing.T) {
	wait := responder.Step{Kind: responder.StepWait, Wait: time.Minute}
	for seed := range uint64(1000) {
		dice := rand.New(rand.NewPCG(seed, 7))
		run := newRun(race(group(responder.StepSequential, act("N"), act("C")), act("C"), race(act("R"), wait), group(responder.StepParallel, act("N"), act("N"))), act("N"))
		decided := false
		for now, n := epoch, 0; ; n++ {
			next := Next(run, now)
			if next.End != "" || n > 500 {
				if n > 500 || next.End == responder.RunSucceeded && !decided {
					t.Fatalf("seed %d: %s %s", seed, tell(next), outline(run))
				}
				break
			}
			if len(next.Do) == 0 {
				now = next.Until
				continue
			}
			task := next.Do[dice.IntN(len(next.Do))]
			if decided && strings.HasPrefix(task.Path, "0") && task.Verb != Lose {
				t.Fatalf("seed %d: decided, and yet: %s\n%s", seed, tell(next), outline(run))
			}
			before := run
			run = Apply(run, answer(dice, task), now, half)
			if g := run.Steps["0"]; g != nil && g.State == responder.StepSucceeded && !decided {
				decided = true
				if before.Steps["0"].State == responder.StepSucceeded || run.Steps["1"] != nil {
					t.Fatalf("seed %d: joined twice", seed)
				}
				won := slices.ContainsFunc([]string{"0.0", "0.1", "0.2", "0.3"}, func(path string) bool {
					return run.Steps[path] != nil && run.Steps[path].State == responder.StepSucceeded
				})
				for path, state := range run.Steps {
					if !won || !over(state.State) {
						t.Fatalf("seed %d: decided with %s %s\n%s", seed, path, state.State, outline(run))
					}
				}
			}
		}
	}
}

// answer makes up an outcome of a task.
func answer(dice *rand.Rand, task Task) Outcome {
	path := Path(task.Path)
	kinds := map[string]responder.Kind{"N": responder.Notice, "C": responder.Check, "R": responder.Repair}
	switch task.Verb {
	case Begin:
		return Begun{Path: path, Action: task.Step.Action, Kind: kinds[task.Step.Action]}
	case Pass:
		return Passed{path}
	case Verify:
		return Verified{Path: path, Verdict: responder.Verdict(dice.IntN(3))}
	case Attempt:
		if dice.IntN(2) == 0 {
			return Attempting{Path: path}
		}
	}
	errs := []error{nil, &responder.Permanent{Err: errors.New("bad")}, &responder.Transient{Err: errors.New("busy")}, ErrLost, &responder.Permanent{Err: errors.New("worse")}}
	return Tried{Path: path, Err: errs[dice.IntN(len(errs))]}
}

// TestJoinRefused: join belongs to parallel.
func TestJoinRefused(t *testing.T) {
	for text, want := range map[string]string{
		"parallel: [SendSlack: {}]\n    join: any":                              "",
		"parallel: [SendSlack: {}]\n    join: all":                              "",
		"parallel: [SendSlack: {}]\n    join: most":                             "join is all or any",
		"parallel: [SendSlack: {}]\n    join: [any]":                            "join is all or any",
		"sequential: [SendSlack: {}]\n    join: any":                            "join is for parallel",
		"sequential: [{parallel: [wait: 1s], join: any, on_error: continue}]":   "",
		"sequential: [{sequential: [wait: 1s], join: any}]":                     "join is for parallel; this is a sequential",
		"sequential: [{SendSlack: {}, join: any}]":                              "join is for parallel; this is a action",
		"sequential: [{if: ok, then: [wait: 1s], join: any}]":                   "join is for parallel; this is a if",
		"sequential: [{SendSlack: {join: any}}]":                                "stands beside SendSlack",
		"sequential: [{command: SendSlack, join: any}, {rule: check, join: 1}]": "join is for parallel",
	} {
		w := newWorld(t, "flows: []")
		_, problems := Load(files(t, map[string]string{"flows.yml": "flows:\n  - name: a\n    rule: NonCompliantUserCreated\n    " + text}), "flows.yml", w.options())
		if said := problems.Error(); !strings.Contains(said, want) || want == "" && said != "" {
			t.Errorf("%s gives\n%s\nwant %q", text, said, want)
		}
	}
	w := newWorld(t, raceFlow)
	flow, _ := w.flows.Load().Get("f")
	if got := mustJSON(t, flow.Steps[0]); !strings.Contains(got, `"join":"any"`) {
		t.Error(fmt.Sprint(got))
	}
}
