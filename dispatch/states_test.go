package dispatch

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/memory"
)

// moves are pairs of states that were seen: "running → waiting".
type moves map[string]bool

func (m moves) see(from, to string) {
	if from != to {
		m[strings.TrimSpace(from+" → "+to)] = true
	}
}

func compare[S ~string](t *testing.T, seen moves, table []Move[S]) {
	t.Helper()
	said := moves{}
	for _, move := range table {
		for _, from := range move.From {
			said.see(string(from), string(move.To))
		}
	}
	for _, move := range sortedKeys(seen) {
		if !said[move] {
			t.Errorf("the code does %s, and the table does not say so", move)
		}
	}
	for _, move := range sortedKeys(said) {
		if !seen[move] {
			t.Errorf("the table says %s, and it was not seen", move)
		}
	}
}

// TestStepMoves: over many made-up lives, steps do what the table says, all of
// it, and nothing else.
func TestStepMoves(t *testing.T) {
	seen := moves{}
	for seed := range uint64(2500) {
		l := &life{Rand: rand.New(rand.NewPCG(seed, 3)), seen: seen, now: epoch, flying: map[string]look{}}
		l.run = newRun(l.steps(3)...)
		l.live()
	}
	compare(t, seen, StepMoves())
}

// life is a run that happens by dice, as the ring would make it happen.
type life struct {
	*rand.Rand
	run    *responder.Run
	seen   moves
	now    time.Time
	flying map[string]look // by path
}

// steps makes up steps, groups down to a depth.
func (l *life) steps(depth int) []responder.Step {
	var steps []responder.Step
	for range 1 + l.IntN(3) {
		step := []responder.Step{act("N"), act("C"), act("R"), {Kind: responder.StepWait, Wait: time.Duration(l.IntN(2)) * time.Minute}, l.ask(depth)}[l.IntN(5)]
		if depth > 0 && l.IntN(2) == 0 {
			step = responder.Step{Kind: []responder.StepKind{responder.StepIf, responder.StepParallel, responder.StepSequential}[l.IntN(3)], Steps: l.steps(depth - 1)}
			if step.Kind == responder.StepParallel && l.IntN(2) == 0 {
				step.Join = responder.JoinAny
			}
		}
		if depth > 0 && l.IntN(6) == 0 {
			step = onError(step, responder.PolicySteps, l.steps(0)...)
		}
		steps = append(steps, step)
	}
	return steps
}

// ask makes up a question.
func (l *life) ask(depth int) responder.Step {
	step := responder.Step{Kind: []responder.StepKind{responder.StepApprove, responder.StepVeto}[l.IntN(2)], Ask: &responder.Ask{Tell: []responder.Step{act("N")}}}
	policies := []responder.SequelPolicy{responder.SequelStop, responder.SequelFail, responder.SequelContinue, responder.SequelSteps}
	for _, sequel := range []**responder.Sequel{&step.Ask.OnDeny, &step.Ask.OnTimeout} {
		if policy := policies[l.IntN(4)]; policy != responder.SequelSteps {
			*sequel = &responder.Sequel{Policy: policy}
		} else if depth > 0 {
			*sequel = &responder.Sequel{Policy: policy, Steps: l.steps(0)}
		}
	}
	return step
}

// asked is what a step asks.
func (l *life) asked(task Task) Asked {
	return Asked{Path: Path(task.Path), Approval: responder.Approval{
		Veto: task.Step.Kind == responder.StepVeto, By: responder.Approvers{CLI: true}, Digest: task.Path, Asked: l.now, Until: l.now.Add(time.Minute),
	}}
}

// become notes what each step does.
func (l *life) become(after *responder.Run) {
	for _, run := range []*responder.Run{l.run, after} {
		for path := range run.Steps {
			state := func(r *responder.Run) string {
				if s := r.Steps[path]; s != nil {
					return string(s.State)
				}
				return ""
			}
			l.seen.see(state(l.run), state(after))
		}
	}
	l.run = after
}

func (l *life) apply(o Outcome) { l.become(Apply(l.run, o, l.now, half)) }

func (l *life) live() {
	for range 400 {
		next := Next(l.run, l.now)
		tasks := slices.DeleteFunc(next.Do, func(task Task) bool { _, flying := l.flying[task.Path]; return flying })
		switch {
		case l.IntN(80) == 0 && next.End == "":
			l.cancel()
		case l.IntN(150) == 0 && next.End == "":
			clear(l.flying) // the worker dies
		case l.IntN(4) == 0 && len(Open(l.run)) > 0:
			l.decide()
		case l.IntN(200) == 0 && next.End == "" && len(l.flying) == 0:
			l.become(settle(l.run, Decision{End: responder.RunFailed, Cause: "a bound"}, l.now))
		case next.End != "" && len(l.flying) > 0:
			l.land() // a notice of a question that is decided
		case next.End == responder.RunFailed || next.End == responder.RunCancelled:
			l.become(settle(l.run, next, l.now))
			l.become(retried(l.run, responder.Audit{At: l.now}))
		case next.End != "":
			return
		case len(l.flying) > 0 && (len(tasks) == 0 || l.IntN(2) == 0):
			l.land()
		case len(tasks) > 0:
			l.do(tasks[0])
		default:
			l.now = next.Until
		}
	}
}

// do is what the ring makes of a task.
func (l *life) do(task Task) {
	path := Path(task.Path)
	kind := map[string]responder.Kind{"N": responder.Notice, "C": responder.Check, "R": responder.Repair}[task.Step.Action]
	begun := Begun{Path: path, Action: task.Step.Action, Kind: kind}
	if task.Step.Kind == responder.StepIf {
		begun.Branch = []string{branchThen, branchElse}[l.IntN(2)]
	}
	switch dice := l.IntN(12); {
	case task.Verb == Begin && dice == 0:
		l.apply(Skipped{Path: path, Action: begun.Action, Kind: kind})
	case task.Verb == Begin && dice == 1:
		l.apply(Unfit{Path: path, Action: begun.Action, Kind: kind, Err: errors.New("if")})
	case task.Verb == Begin && task.Step.Ask != nil && dice == 2:
		l.apply(Recorded{Path: path, Would: "ask"})
	case task.Verb == Begin && task.Step.Ask != nil:
		l.apply(l.asked(task))
	case task.Verb == Begin:
		l.apply(begun)
	case task.Verb == Heed:
		l.apply(Heeded{Path: path, Void: []string{"", "asked no more"}[l.IntN(2)]})
	case task.Verb == Attempt && kind == responder.Repair && l.run.Steps[task.Path].Approval == nil && dice < 6:
		l.apply(l.asked(task))
	case task.Verb == Pass:
		l.apply(Passed{path})
	case task.Verb == Lose:
		l.apply(Tried{Path: path, Err: ErrLost})
	case dice == 0:
		l.apply(Tried{Path: path, Err: errors.New("no such action")})
	case task.Verb == Attempt && dice == 1:
		l.apply(Recorded{Path: path, Would: "it"})
	case task.Verb == Attempt && dice == 2:
		l.apply(Skipped{Path: path, Would: "it", Why: "off"})
	default:
		at := look("")
		switch state := l.run.Steps[task.Path]; {
		case task.Verb == Verify:
			at = verifying
		case kind == responder.Repair && state.Survey == nil && lastTry(state) == nil && l.IntN(2) == 0:
			at = surveying
		}
		l.apply(Attempting{Path: path, Verify: at == verifying, Survey: at == surveying})
		l.flying[task.Path] = at
	}
}

// landing makes up how an attempt that flies ends.
func (l *life) landing() Outcome {
	path := sortedKeys(l.flying)[l.IntN(len(l.flying))]
	at := l.flying[path]
	delete(l.flying, path)
	switch at {
	case verifying:
		return Verified{Path: Path(path), Verdict: responder.Verdict(l.IntN(3))}
	case surveying:
		err := []error{nil, &responder.Permanent{Err: errors.New("denied")}, &responder.Transient{Err: errors.New("busy")}, ErrLost}[l.IntN(4)]
		return Surveyed{Path: Path(path), Found: &responder.Survey{}, Err: err}
	}
	return Tried{Path: Path(path), Err: []error{nil, &responder.Permanent{Err: errors.New("bad")}, &responder.Transient{Err: errors.New("busy")}, ErrLost,
		&responder.Unknown{Err: errors.New("no reply")}, &responder.Stop{Reason: "gone"}}[l.IntN(6)]}
}

// decide is what a person says to a question.
func (l *life) decide() {
	path := Open(l.run)[0]
	after, err := decided(l.run, responder.Answer{Step: path, Digest: path, Yes: l.IntN(2) == 0, Who: responder.Identity{Kind: responder.IdentityCLI, ID: "ann"}}, responder.Audit{At: l.now})
	if err == nil {
		l.become(after)
	}
}

func (l *life) land() { l.apply(l.landing()) }

// cancel is what a person does, and what the worker makes of it.
func (l *life) cancel() {
	seen := l.run
	if len(l.flying) > 0 && l.IntN(3) > 0 {
		seen.Lease = l.now.Add(time.Hour)
	}
	l.become(cancelled(l.run, responder.Audit{At: l.now, By: "bob"}))
	for len(l.flying) > 0 && !l.run.Lease.IsZero() {
		seen = Apply(seen, l.landing(), l.now, half)
	}
	if !l.run.Lease.IsZero() && l.IntN(4) > 0 {
		l.become(landed(l.run, seen))
	}
	l.run.Lease = time.Time{}
	clear(l.flying)
}

// TestRunMoves: over what can happen to a run, its stored state does what the
// table says, all of it, and nothing else.
func TestRunMoves(t *testing.T) {
	seen := moves{}
	const usual = "[SendSlack: {}, wait: 1m, SendSlack: {}]"
	for _, flow := range []string{
		"provider: AWS, sequential: " + usual, "cooldown: 1h, sequential: " + usual, "timeout: 30s, sequential: " + usual, "if: rule, sequential: " + usual,
		"limits: {notices: 1/1m}, sequential: " + usual,
		"approvers: {cli: true}, sequential: [wait: 10s, {approve: {text: t, for: 1m}, on_timeout: [wait: 1m]}]", "approvers: {cli: true}, sequential: [{approve: {text: t, for: 1m}, on_timeout: fail}]",
		"approvers: {cli: true}, sequential: [veto: {text: t, for: 40s}, wait: 1m]", "approvers: {cli: true}, sequential: [veto: {text: t, for: 1m}]",
		"approvers: {cli: true}, sequential: [veto: {text: t, for: 1m}, SendSlack: {}]", "approvers: {cli: true}, sequential: [{approve: {text: t, for: 1m}, if: rule == rule}, wait: 1m]",
		"sequential: [wait: 1m]", "sequential: [{SendSlack: {}, if: false}]", "sequential: [remediate: {}]", "sequential: [wait: 1m, {SendSlack: {}, if: rule, on_error: stop}]", "sequential: [check: {}]", "parallel: [{check: {}}, {wait: 1m}]",
	} {
		for _, what := range []string{"nothing", "flow off", "halted", "cancel", "cancel in the air", "no", "down"} {
			for _, when := range []time.Duration{0, 30 * time.Second} {
				aRun(t, seen, "flows: [{name: f, rule: UnauthorizedInstanceCreated, repairs: live, "+flow+"}]", what, when)
			}
		}
	}
	compare(t, seen, RunMoves())
}

// aRun lets runs of a flow happen, and something at a moment.
func aRun(t *testing.T, seen moves, flows, what string, when time.Duration) {
	t.Helper()
	w := coolWorld(t, flows)
	last := map[string]string{}
	watch := func(run *responder.Run) {
		w.mu.Lock()
		defer w.mu.Unlock()
		seen.see(last[run.ID], string(run.State))
		last[run.ID] = string(run.State)
	}
	w.config.Observe = watch
	ctx := context.Background()
	if what == "halted" {
		halts := &memory.Halts{}
		if err := halts.Halt(ctx, responder.Halt{By: "ann", At: w.clock.Now()}); err != nil {
			t.Fatal(err)
		}
		w.config.Halts = halts
	}
	cancel := func() {
		page, err := w.runs.List(ctx, responder.RunQuery{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Runs {
			if run, err := w.control().Cancel(ctx, r.ID, "bob", ""); err == nil {
				watch(run)
			} else if !isRefused(err) {
				t.Fatal(err)
			}
		}
	}
	answer := func(context.Context, int, responder.Call) (responder.Result, error) {
		switch what {
		case "cancel in the air":
			cancel()
		case "no":
			return nil, &responder.Stop{Reason: "gone"}
		case "down":
			return nil, &responder.Permanent{Err: errors.New("down")}
		}
		return nil, nil
	}
	w.slack.answer, w.alive.answer = answer, answer
	d := w.dispatcher()
	for n := range 2 {
		w.send(w.found(n, "UnauthorizedInstanceCreated", "i-1"))
	}
	w.live(d, when, 10*time.Second)
	switch what {
	case "flow off":
		w.load(strings.Replace(flows, "repairs: live", "enabled: false", 1))
	case "cancel":
		cancel()
	}
	w.live(d, 5*time.Minute, 30*time.Second)
	if what == "flow off" && strings.Contains(flows, "provider") {
		cancel() // also what is parked
	}
	page, err := w.runs.List(ctx, responder.RunQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range page.Runs {
		if run, err := w.control().Retry(ctx, r.ID, "ann"); err == nil {
			watch(run)
		}
		if run, err := w.control().Again(ctx, r.ID, "ann"); err == nil {
			watch(run)
		}
	}
	w.live(d, 5*time.Minute, 30*time.Second)
}
