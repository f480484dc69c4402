package dispatch

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skycrafters/responder"
)

// TestRetry: what succeeded stays, what failed is tried anew, as often as the
// step says, with what was resolved; the story of the first tries is kept.
func TestRetry(t *testing.T) {
	w := newWorld(t, shortFlow)
	broken := true
	w.terminate.answer = func(context.Context, int, responder.Call) (responder.Result, error) {
		if broken {
			return nil, &responder.Transient{Err: errors.New("busy")}
		}
		return nil, nil
	}
	w.send(w.finding("UnauthorizedInstanceCreated"))
	d := w.dispatcher()
	w.live(d, 20*time.Minute, 10*time.Second)
	run := w.get("UnauthorizedInstanceCreated")
	if run.State != responder.RunFailed || len(run.Steps["2"].Attempts) != defaultRepairAttempts {
		t.Fatal(outline(run))
	}
	first := mustJSON(t, run.Steps["0"]) + mustJSON(t, run.Steps["1"])
	for range 2 { // the second time it is under way
		again, err := w.control().Retry(context.Background(), run.ID, "ann")
		if err != nil || again.State != responder.RunRunning || again.Cause != "" || audited(again) != "retry by ann" {
			t.Fatalf("%+v, %v", again, err)
		}
	}
	w.live(d, 20*time.Minute, 10*time.Second)
	run = w.get("UnauthorizedInstanceCreated")
	if n := len(run.Steps["2"].Attempts); run.State != responder.RunFailed || n != 2*defaultRepairAttempts || tries(run.Steps["2"]) != defaultRepairAttempts {
		t.Fatal(outline(run))
	}
	broken = false
	if _, err := w.control().Retry(context.Background(), run.ID, "ann"); err != nil {
		t.Fatal(err)
	}
	w.turn(d)
	run = w.get("UnauthorizedInstanceCreated")
	if run.State != responder.RunSucceeded || len(run.Steps["2"].Attempts) != 2*defaultRepairAttempts+1 || run.Steps["2"].Error != "" || run.Cause != "" {
		t.Error(outline(run))
	}
	if mustJSON(t, run.Steps["0"])+mustJSON(t, run.Steps["1"]) != first || w.slack.count() != 2 || w.alive.count() != 1 {
		t.Errorf("what had succeeded was done again: %v", w.did())
	}
}

// TestRetryOfWhatLanded: the last attempts of a group landed after their run was
// cancelled. Retried, the group has ended as they did, and the run with it.
func TestRetryOfWhatLanded(t *testing.T) {
	w := newWorld(t, "flows: [{name: f, rule: UnauthorizedInstanceCreated, sequential: [{sequential: [SendSlack: {}]}]}]")
	w.slack.answer = func(ctx context.Context, _ int, _ responder.Call) (responder.Result, error) {
		_, err := w.control().Cancel(ctx, w.get("f").ID, "bob", "")
		return nil, err
	}
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.turn(w.dispatcher())
	if got := ended(w.get("f")); got != "0 cancelled, 0.0 succeeded" {
		t.Fatal(got)
	}
	if _, err := w.control().Retry(context.Background(), w.get("f").ID, "bob"); err != nil {
		t.Fatal(err)
	}
	w.turn(w.dispatcher())
	if run := w.get("f"); run.State != responder.RunSucceeded || ended(run) != "0 succeeded, 0.0 succeeded" || w.slack.count() != 1 {
		t.Error(outline(run))
	}
}

// TestRetryInFlight: the notice of a question is in the air while somebody has its run
// cancelled and retried. The run does not know of that notice any more: what comes of
// it is not taken for the one that is told anew.
func TestRetryInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, askHead+`
approvers: {slack: [U0CAROL], for: 20m, tell: [SendSlack: {message: "{{ question.text }}"}]}
flows: [{name: asking, rule: UnauthorizedInstanceCreated, repairs: approve, parallel: [remediate: {}, SendEmail: {subject: s}]}]
`)
		ctx, told := context.Background(), make(chan struct{})
		saved := func() int64 { return w.get("asking").Version }
		w.slack.answer = func(_ context.Context, n int, _ responder.Call) (responder.Result, error) {
			if n > 1 {
				return nil, nil
			}
			close(told)
			for before, left := saved(), 2000; saved() < before+3 && left > 0; left-- { // cancelled, retried, taken up, and its worker at work
				time.Sleep(time.Millisecond)
			}
			return nil, nil
		}
		w.email.answer = func(context.Context, int, responder.Call) (responder.Result, error) {
			<-told
			_, err := w.control().Cancel(ctx, w.get("asking").ID, "bob", "")
			if err == nil {
				_, err = w.control().Retry(ctx, w.get("asking").ID, "bob")
			}
			return nil, err
		}
		w.send(w.finding("UnauthorizedInstanceCreated"))
		d := w.dispatcher()
		w.live(d, 5*time.Minute, 10*time.Second)
		run := w.get("asking")
		if run.State != responder.RunAwaitingApproval || w.slack.count() != 2 {
			t.Fatalf("told %d times\n%s", w.slack.count(), outline(run))
		}
		for path, state := range run.Steps {
			if state.Kind == responder.Notice && len(state.Attempts) == 0 {
				t.Errorf("step %s is %s without an attempt\n%s", path, state.State, outline(run))
			}
		}
	})
}

// TestRetryInAWait: a run that was parked in its wait rests in it again, as long as it
// was to, and no sweep rings for it before.
func TestRetryInAWait(t *testing.T) {
	const flow = "flows: [{name: f, rule: UnauthorizedInstanceCreated, enabled: true, parallel: [{wait: 1h}, SendSlack: {}]}]"
	w := newWorld(t, flow)
	w.slack.answer = func(context.Context, int, responder.Call) (responder.Result, error) {
		w.load(strings.Replace(flow, "true", "false", 1))
		return nil, nil
	}
	w.send(w.finding("UnauthorizedInstanceCreated"))
	d := w.dispatcher()
	w.turn(d)
	parked := w.get("f")
	if parked.State != responder.RunParked {
		t.Fatal(outline(parked))
	}
	w.load(flow)
	if _, err := w.control().Retry(context.Background(), parked.ID, "bob"); err != nil {
		t.Fatal(err)
	}
	w.turn(d)
	if run := w.get("f"); run.State != responder.RunWaiting || !run.Due.Equal(parked.Steps["0.0"].Due) {
		t.Errorf("%s\ndue %v", outline(run), run.Due)
	}
	w.clock.Advance(10 * time.Minute)
	if rang, err := d.Sweep(context.Background()); rang != 0 || err != nil {
		t.Errorf("it is rung for: %d, %v", rang, err)
	}
	w.live(d, time.Hour, 10*time.Second)
	if run := w.get("f"); run.State != responder.RunSucceeded || w.slack.count() != 1 {
		t.Error(outline(run))
	}
}

// TestRevive: which steps of a run that ended are taken once more.
func TestRevive(t *testing.T) {
	bad := func(path string, kind responder.Kind) []Outcome {
		return []Outcome{Begun{Path: Path(path), Action: "A", Kind: kind}, Attempting{Path: Path(path)}, Tried{Path: Path(path), Err: errors.New("bad")}}
	}
	good := func(path string) []Outcome {
		return []Outcome{Begun{Path: Path(path), Action: "A", Kind: responder.Notice}, Attempting{Path: Path(path)}, Tried{Path: Path(path)}}
	}
	begin := func(path string) []Outcome { return []Outcome{Begun{Path: Path(path), Branch: branchThen}} }
	wait := responder.Step{Kind: responder.StepWait, Wait: time.Hour}
	for _, tt := range []struct {
		name string
		run  *responder.Run
		do   [][]Outcome
		want string
	}{
		{"a check", newRun(act("N"), act("C")), [][]Outcome{good("0"), bad("1", responder.Check)}, "attempt 1"},
		{"a notice that was passed by is not sent", newRun(act("N"), act("C")), [][]Outcome{bad("0", responder.Notice), bad("1", responder.Check)}, "attempt 1"},
		{"one that came to no attempt begins anew", newRun(act("C")), [][]Outcome{{Unfit{Path: "0", Action: "C", Kind: responder.Check, Err: errors.New("parameter is empty")}}}, "begin 0"},
		{"an if that could not be judged", newRun(responder.Step{Kind: responder.StepIf, Steps: []responder.Step{act("N")}}), [][]Outcome{{Unfit{Path: "0", Err: errors.New("if")}}}, "begin 0"},
		{"a group that could not be judged", newRun(group(responder.StepSequential, act("N"))), [][]Outcome{{Unfit{Path: "0", Err: errors.New("if")}}}, "begin 0"},
		{"inside groups", newRun(group(responder.StepSequential, act("N"), responder.Step{Kind: responder.StepIf, Steps: []responder.Step{act("C")}})),
			[][]Outcome{begin("0"), good("0.0"), begin("0.1"), bad("0.1.then.0", responder.Check)}, "attempt 0.1.then.0"},
		{"branches that failed, not the others", newRun(group(responder.StepParallel, act("C"), act("N"), act("C"))),
			[][]Outcome{begin("0"), bad("0.0", responder.Check), good("0.1"), bad("0.2", responder.Check)}, "attempt 0.0, attempt 0.2"},
		{"what a check said stays", newRun(group(responder.StepParallel, act("C"), act("C"))),
			[][]Outcome{begin("0"), bad("0.0", responder.Check), {Begun{Path: "0.1", Action: "C", Kind: responder.Check}, Tried{Path: "0.1", Err: &responder.Stop{}}}}, "attempt 0.0"},
		{"all branches of which one would be enough", newRun(race(act("N"), group(responder.StepSequential, act("N"), act("C")))),
			[][]Outcome{begin("0"), bad("0.0", responder.Notice), begin("0.1"), bad("0.1.0", responder.Notice), bad("0.1.1", responder.Check)}, "attempt 0.0, attempt 0.1.1"},
		{"on_error steps that failed, not what they are for", newRun(onError(act("C"), responder.PolicySteps, act("N"), act("C"))),
			[][]Outcome{bad("0", responder.Check), good("0.error.0"), bad("0.error.1", responder.Check)}, "attempt 0.error.1"},
		{"on_error steps happen anew in a race", newRun(race(onError(act("C"), responder.PolicySteps, act("N")))),
			[][]Outcome{begin("0"), bad("0.0", responder.Check), good("0.0.error.0")}, "attempt 0.0"},
		{"a group that was passed by", newRun(onError(group(responder.StepSequential, act("C")), responder.PolicyContinue), act("C")),
			[][]Outcome{begin("0"), bad("0.0", responder.Check), bad("1", responder.Check)}, "attempt 1"},
		{"what was given up", newRun(group(responder.StepParallel, wait, act("C"), act("N"))),
			[][]Outcome{begin("0"), begin("0.0"), {Begun{Path: "0.1", Action: "C", Kind: responder.Check}, Attempting{Path: "0.1"}, Tried{Path: "0.1", Err: &responder.Transient{Err: errors.New("busy")}}}}, "begin 0.0, attempt 0.1, begin 0.2"},
		{"a repair in doubt is looked into", newRun(act("R")),
			[][]Outcome{{Begun{Path: "0", Action: "R", Kind: responder.Repair}, Attempting{Path: "0"}}}, "verify 0"},
		{"one that was looked into in vain is looked into again", newRun(responder.Step{Kind: responder.StepAction, Action: "R", Retry: &responder.Retry{Attempts: 1}}),
			[][]Outcome{{Begun{Path: "0", Action: "R", Kind: responder.Repair}, Attempting{Path: "0"}, Tried{Path: "0", Err: &responder.Unknown{Err: errors.New("lost")}}, Attempting{Path: "0", Verify: true}, Verified{Path: "0"}}}, "verify 0"},
	} {
		run := tt.run
		for _, outcomes := range tt.do {
			for _, o := range outcomes {
				run = Apply(run, o, epoch, half)
			}
		}
		if next := Next(run, epoch); next.End != "" {
			run = settle(run, next, epoch)
		} else {
			run = cancelled(run, responder.Audit{At: epoch, By: "bob"})
		}
		before := mustJSON(t, run)
		revived := retried(run, responder.Audit{At: epoch})
		if got := tell(Next(revived, epoch)); got != tt.want {
			t.Errorf("%s: %s, want %s\n%s%s", tt.name, got, tt.want, outline(run), outline(revived))
		}
		if mustJSON(t, run) != before {
			t.Errorf("%s: the run it was given has changed", tt.name)
		}
	}
}

// TestReviveAny: whatever a run came to, once retried it goes on, and what had
// succeeded is as it was.
func TestReviveAny(t *testing.T) {
	wait := responder.Step{Kind: responder.StepWait, Wait: time.Minute}
	for seed := range uint64(1000) {
		dice := rand.New(rand.NewPCG(seed, 11))
		run := newRun(group(responder.StepParallel, group(responder.StepSequential, act("N"), act("C")), onError(act("C"), responder.PolicySteps, act("C")), race(act("R"), act("N"), wait)),
			responder.Step{Kind: responder.StepIf, Steps: []responder.Step{act("C")}, Else: []responder.Step{act("R")}}, act("R"))
		now, rounds := epoch, 0
		for n := 0; ; n++ {
			next := Next(run, now)
			if n > 3000 {
				t.Fatalf("seed %d does not end: %s", seed, outline(run))
			}
			if dice.IntN(60) == 0 && next.End == "" {
				run = cancelled(run, responder.Audit{At: now, By: "bob"})
				next = Next(run, now)
			}
			if next.End == responder.RunFailed || next.End == responder.RunCancelled {
				if rounds++; rounds > 5 {
					break
				}
				run = settle(run, next, now)
				after := retried(run, responder.Audit{At: now})
				for path, state := range run.Steps {
					if state.State == responder.StepSucceeded && !isGroup(locate(run.Flow.Steps, path).Kind) && !strings.Contains(path, branchError) && !reflect.DeepEqual(after.Steps[path], state) {
						t.Fatalf("seed %d: step %s had succeeded, and is %+v", seed, path, after.Steps[path])
					}
				}
				if next := Next(after, now); next.End == responder.RunFailed {
					t.Fatalf("seed %d: retried, and %s\n%s%s", seed, tell(next), outline(run), outline(after))
				}
				run = after
				continue
			}
			if next.End != "" {
				break
			}
			if len(next.Do) == 0 {
				now = next.Until
				continue
			}
			run = Apply(run, answer(dice, next.Do[dice.IntN(len(next.Do))]), now, half)
		}
	}
}

// TestRetryParked: a run whose flow was turned off goes on when somebody says so.
func TestRetryParked(t *testing.T) {
	w := newWorld(t, fullFlow)
	w.send(w.finding("UnauthorizedInstanceCreated"))
	d := w.dispatcher()
	w.turn(d)
	w.load(strings.Replace(fullFlow, "repairs: live", "repairs: live\n    enabled: false", 1))
	w.live(d, 15*time.Minute, time.Minute)
	run := w.get("denied-instance")
	if run.State != responder.RunParked {
		t.Fatal(outline(run))
	}
	w.load(fullFlow)
	w.live(d, 15*time.Minute, time.Minute)
	if run = w.get("denied-instance"); run.State != responder.RunParked {
		t.Fatalf("nobody said so: %s", outline(run))
	}
	if _, err := w.control().Retry(context.Background(), run.ID, "ann"); err != nil {
		t.Fatal(err)
	}
	w.live(d, time.Minute, time.Second)
	if run = w.get("denied-instance"); run.State != responder.RunSucceeded {
		t.Error(outline(run))
	}
}

// TestRetryTimeout: the flow's timeout counts anew, and so do resumptions.
func TestRetryTimeout(t *testing.T) {
	w := newWorld(t, strings.Replace(hastyFlow, "remediate: {}\n        retry: {attempts: 20, backoff: 30m, cap: 30m}", "wait: 50m\n      - wait: 50m", 1))
	w.send(w.finding("UnauthorizedInstanceCreated"))
	d := w.dispatcher()
	w.live(d, 2*time.Hour, 10*time.Second)
	run := w.get("f")
	if run.State != responder.RunFailed || ended(run) != "0 succeeded, 1 succeeded, 2 cancelled" {
		t.Fatal(outline(run))
	}
	if run, err := w.control().Retry(context.Background(), run.ID, "ann"); err != nil || !run.Deadline.Equal(w.clock.Now().Add(time.Hour)) || run.Resumed != 0 {
		t.Fatalf("%+v, %v", run, err)
	}
	w.live(d, 2*time.Hour, 10*time.Second)
	if run = w.get("f"); run.State != responder.RunSucceeded {
		t.Error(outline(run))
	}
}

// TestAgain: a run of its own, with the flow as it is now, under the next number.
func TestAgain(t *testing.T) {
	w := newWorld(t, shortFlow)
	w.send(w.finding("UnauthorizedInstanceCreated"))
	d := w.dispatcher()
	w.turn(d)
	ctx := context.Background()
	old := w.get("UnauthorizedInstanceCreated")
	w.load("flows: [{rule: UnauthorizedInstanceCreated, if: false && ok, timeout: 1d, sequential: [wait: 10s, SendSlack: {message: anew}]}]")
	for n, want := range []string{old.ID + "#2", old.ID + "#2", old.ID + "#3"} {
		run, err := w.control().Again(ctx, old.ID, "ann")
		if err != nil || run.ID != want || audited(run) != "again by ann: of run "+old.ID || run.State.Ended() {
			t.Fatalf("%+v, %v; want %s", run, err, want)
		}
		if n == 0 {
			w.turn(d) // it has begun
			continue
		}
		w.live(d, time.Minute, time.Second)
		if run, err = w.runs.Get(ctx, want); err != nil || run.State != responder.RunSucceeded || len(run.Steps) != 2 || run.Flow.Digest == old.Flow.Digest || run.Deadline.IsZero() || run.Mode != responder.ModeLive {
			t.Fatalf("%+v, %v", run, err)
		}
	}
	if run, err := w.control().Again(ctx, old.ID+"#3", "ann"); err != nil || run.ID != old.ID+"#4" || run.Audit[0].Why != "of run "+old.ID+"#3" {
		t.Fatalf("%+v, %v", run, err)
	}
	if after, err := w.runs.Get(ctx, old.ID); err != nil || !reflect.DeepEqual(after, old) {
		t.Errorf("the first has changed: %+v, %v", after, err)
	}
	keys := map[string]bool{}
	for _, deed := range w.deeds {
		if strings.HasSuffix(deed.Text, "anew") {
			keys[deed.Key] = true
		}
	}
	if want := map[string]bool{old.ID + "#2/1": true, old.ID + "#3/1": true}; !maps.Equal(keys, want) {
		t.Errorf("done under the keys %v", keys)
	}
	w.send(w.finding("UnauthorizedInstanceCreated")) // the finding comes again
	w.live(d, time.Minute, time.Second)
	page, err := w.runs.List(ctx, responder.RunQuery{})
	if err != nil || len(page.Runs) != 4 {
		t.Errorf("%d runs, %v", len(page.Runs), err)
	}
}

// TestAgainGuards: guards are read anew: an event that has grown old, a flow
// that is gone or was turned off.
func TestAgainGuards(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, shortFlow)
	w.send(w.finding("UnauthorizedInstanceCreated"))
	d := w.dispatcher()
	w.turn(d)
	id := w.get("UnauthorizedInstanceCreated").ID
	w.clock.Advance(25 * time.Hour)
	if _, err := w.control().Again(ctx, id, "ann"); err != nil {
		t.Fatal(err)
	}
	w.turn(d)
	if run, err := w.runs.Get(ctx, id+"#2"); err != nil || run.State != responder.RunSucceeded || !run.Steps["2"].Dry || w.terminate.count() != 1 {
		t.Errorf("%+v, %v", run, err)
	}
	for flows, cause := range map[string]string{
		"flows: []": "there is no flow UnauthorizedInstanceCreated any more",
		"flows: [{rule: UnauthorizedInstanceCreated, enabled: false, sequential: []}]": "the flow UnauthorizedInstanceCreated is disabled",
	} {
		w.load(flows)
		run, err := w.control().Again(ctx, id, "ann")
		if err != nil {
			t.Fatal(err)
		}
		w.turn(d)
		if run, err = w.runs.Get(ctx, run.ID); err != nil || run.State != responder.RunParked || run.Cause != cause {
			t.Errorf("%+v, %v", run, err)
		}
	}
	w.load(shortFlow)
	if _, err := w.control().Retry(ctx, id+"#3", "ann"); err != nil {
		t.Fatal(err)
	}
	w.turn(d)
	if run, err := w.runs.Get(ctx, id+"#3"); err != nil || run.State != responder.RunSucceeded || len(run.Steps) != 4 {
		t.Errorf("a parked run that has not begun: %+v, %v", run, err)
	}
}

// TestAgainSuppressed: somebody asks, so the cooldown does not.
func TestAgainSuppressed(t *testing.T) {
	w := coolWorld(t, coolFlow)
	d := w.dispatcher()
	for n := range 2 {
		w.send(w.found(n, "RootLogin", "i-1"))
		w.turn(d)
	}
	if _, err := w.control().Again(context.Background(), w.found(1, "RootLogin", "i-1").RunID("f"), "ann"); err != nil {
		t.Fatal(err)
	}
	w.turn(d)
	if got := strings.Join(w.did(), " "); got != "SendSlack 0 SendSlack 1" {
		t.Error(got)
	}
}

// TestRetryOfAWonRace: the winning branch landed after its run was cancelled. Retried,
// the race is won: what the others had come to stays as it was, who was asked included.
func TestRetryOfAWonRace(t *testing.T) {
	ask := responder.Step{Kind: responder.StepApprove, Ask: &responder.Ask{Tell: []responder.Step{act("N")}}}
	run := newRun(race(ask, onError(act("C"), responder.PolicySteps, act("N")), group(responder.StepSequential, act("N"))))
	for _, o := range []Outcome{
		Begun{Path: "0"}, Begun{Path: "0.0"}, Asked{Path: "0.0", Approval: responder.Approval{Until: epoch.Add(time.Hour)}},
		Begun{Path: "0.0.tell.0", Kind: responder.Notice}, Attempting{Path: "0.0.tell.0"}, Tried{Path: "0.0.tell.0"},
		Begun{Path: "0.1", Kind: responder.Check}, Attempting{Path: "0.1"}, Tried{Path: "0.1", Err: errors.New("bad")},
		Begun{Path: "0.1.error.0", Kind: responder.Notice}, Attempting{Path: "0.1.error.0"},
		Begun{Path: "0.2"}, Begun{Path: "0.2.0", Kind: responder.Notice}, Attempting{Path: "0.2.0"},
	} {
		run = Apply(run, o, epoch, half)
	}
	seen := Apply(run, Tried{Path: "0.2.0"}, epoch, half)
	run.Lease = epoch.Add(time.Minute)
	run = landed(cancelled(run, responder.Audit{At: epoch, By: "bob"}), seen)
	if got := ended(run); got != "0 cancelled, 0.0 cancelled, 0.1 failed, 0.2 cancelled, 0.2.0 succeeded, 0.0.tell.0 succeeded, 0.1.error.0 cancelled" {
		t.Fatal(got)
	}
	after := retried(run, responder.Audit{At: epoch})
	if next := Next(after, epoch); next.End != responder.RunSucceeded {
		t.Errorf("retried, it is to %s", tell(next))
	}
	for path, state := range run.Steps {
		if is := after.Steps[path]; path != "0" && path != "0.2" && (is == nil || underWay(is) || mustJSON(t, is) != mustJSON(t, state) && !underWay(state)) {
			t.Errorf("step %s was %s, and is %s", path, mustJSON(t, state), mustJSON(t, is))
		}
	}
}

// TestRetryKeepsWhatHasBegun: a group that has begun, and come to none of its members when
// its run was parked, goes on: its condition is not judged again.
func TestRetryKeepsWhatHasBegun(t *testing.T) {
	run := newRun(group(responder.StepSequential, responder.Step{Kind: responder.StepIf, If: "true", Else: []responder.Step{act("N")}}))
	run = Apply(Apply(run, Begun{Path: "0"}, epoch, half), Begun{Path: "0.0", Branch: branchElse}, epoch, half)
	run.State = responder.RunParked
	for range 2 {
		run = retried(run, responder.Audit{At: epoch})
		if got := tell(Next(run, epoch)); got != "begin 0.0.else.0" {
			t.Fatalf("%s\n%s", got, outline(run))
		}
		run.State = responder.RunParked
	}
}
