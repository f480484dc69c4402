package dispatch

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
	"github.com/skycrafters/responder/internal/memory"
)

// TestRunsLivedAgain reads every run in testdata/runs, each written by `responder
// runs export`, and lets the engine live it again: by the event and the flow that
// are in it, with actions that answer as they did then, and people who do what
// they did then. It must come to the same end by the same steps and attempts,
// with the same parameters and results. A run that shows a mistake can be put
// there as it is.
func TestRunsLivedAgain(t *testing.T) {
	files, err := filepath.Glob("testdata/runs/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			if err := readRecord(t, read(t, file)).check(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLivingAgainSees: what is not as it was is told.
func TestLivingAgainSees(t *testing.T) {
	for name, tt := range map[string]struct {
		file   string
		change func(*record)
		want   string
	}{
		"another parameter":  {"retried", func(r *record) { r.step("0").Params["message"] = "another" }, "step 0 is"},
		"another event":      {"retried", func(r *record) { r.Finding.Message = "another" }, "step 0 is"},
		"another error":      {"first-of-three", func(r *record) { r.step("0.0.0").Error = "another" }, "step 0.0.0 is"},
		"another cause":      {"timed-out", func(r *record) { r.Ends.Cause = "another" }, "it ends failed"},
		"another end":        {"stopped", func(r *record) { r.Ends.State = responder.RunFailed }, "it ends stopped"},
		"a step less":        {"retried", func(r *record) { r.Steps = r.Steps[:len(r.Steps)-1] }, "which was not made"},
		"another branch":     {"retried", func(r *record) { r.step("1").Branch = branchElse }, "step 1 is"},
		"another kind":       {"retried", func(r *record) { r.step("0").Kind = responder.Check }, "step 0 is"},
		"done, not recorded": {"retried", func(r *record) { r.Flow.Repairs = responder.RepairsLive }, "step 3 comes to attempt 1"},
		"a try more":         {"retried", func(r *record) { s := r.step("0"); s.Attempts = append(s.Attempts, s.Attempts[0]) }, "step 0 is"},
		"a try less":         {"lost-and-waiting", func(r *record) { s := r.step("1.1"); s.Attempts = s.Attempts[:1] }, "step 1.1 comes to attempt 2"},
		"no look":            {"verified-done", func(r *record) { s := r.step("1"); s.Attempts = s.Attempts[:1] }, "step 1 comes to attempt 2 (verify), which was not made"},
		"nobody retried it":  {"retried", func(r *record) { r.Audit = nil }, "it ends failed"},
		"nobody cancelled":   {"cancelled", func(r *record) { r.Audit = nil }, "it ends waiting"},
		"not kept quiet":     {"quiet", func(r *record) { r.Suppressed = 0 }, "step 0 comes to attempt 1"},
		"no deadline":        {"timed-out", func(r *record) { r.Flow.Timeout = 0 }, "it ends waiting"},
		"another definition": {"retried", func(r *record) { r.Flow.Steps[0].Retry.Attempts = 1 }, "not those that it began with"},
	} {
		t.Run(name, func(t *testing.T) {
			r := readRecord(t, read(t, "testdata/runs/"+tt.file+".json"))
			tt.change(r)
			if err := r.check(); tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("it says %v, want %q", err, tt.want)
			}
		})
	}
}

// record is what `responder runs export` writes: docs/reliability.md (Fixtures).
type record struct {
	V          int                    `json:"v"`
	Run        string                 `json:"run"`
	Mode       responder.Mode         `json:"mode"`
	Finding    responder.Finding      `json:"finding"`
	Flow       responder.FlowSnapshot `json:"flow"`
	Suppressed int                    `json:"suppressed"`
	Created    time.Time              `json:"created"`
	Ends       struct {
		State responder.RunState `json:"state"`
		Cause string             `json:"cause"`
		At    time.Time          `json:"at"`
	} `json:"ends"`
	Steps []struct {
		Path string `json:"path"`
		responder.StepState
	} `json:"steps"`
	Audit []responder.Audit `json:"audit"`
}

// readRecord refuses what it does not know: nothing of a run is to be passed over.
func readRecord(t *testing.T, data []byte) *record {
	t.Helper()
	var r record
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		t.Fatal(err)
	}
	return &r
}

// step is what became of the step at a path, nil if it was not reached.
func (r *record) step(path string) *responder.StepState {
	for i := range r.Steps {
		if r.Steps[i].Path == path {
			return &r.Steps[i].StepState
		}
	}
	return nil
}

// check lives the run again, and says what is different.
func (r *record) check() error {
	run, err := r.relive()
	if err != nil {
		return err
	}
	var found []error
	differs := func(format string, args ...any) { found = append(found, fmt.Errorf(format, args...)) }
	if run.State != r.Ends.State || run.Cause != r.Ends.Cause {
		differs("it ends %s %q, and ended %s %q", run.State, run.Cause, r.Ends.State, r.Ends.Cause)
	}
	for _, path := range sortedKeys(run.Steps) {
		if r.step(path) == nil {
			differs("step %s is %s, and was not reached", path, run.Steps[path].State)
		}
	}
	for _, was := range r.Steps {
		is := run.Steps[was.Path]
		if is == nil {
			differs("step %s is not reached, and was %s", was.Path, was.State)
			continue
		}
		got, err := json.Marshal(timeless(*is))
		if err != nil {
			return err
		}
		want, err := json.Marshal(timeless(was.StepState))
		if err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			differs("step %s is\n%s\nand was\n%s", was.Path, got, want)
		}
	}
	return errors.Join(found...)
}

// timeless is a step without times, and without how it is said that a worker was
// lost: one that died says nothing.
func timeless(s responder.StepState) responder.StepState {
	s.Began, s.Ended, s.Due = time.Time{}, time.Time{}, time.Time{}
	attempts := make([]responder.Attempt, len(s.Attempts))
	for i, a := range s.Attempts {
		a.Began, a.Ended = time.Time{}, time.Time{}
		if a.Lost {
			a.Error = ""
		}
		attempts[i] = a
	}
	s.Attempts = attempts
	if n := len(attempts); n > 0 && attempts[n-1].Lost {
		s.Error = ""
	}
	return s
}

// maxLife is in how many rounds a run must come to where it stood.
const maxLife = 10_000

// rerun is a run that is lived again.
type rerun struct {
	*record
	clock   *clock
	control Control

	mu   sync.Mutex
	made map[string]int // attempts and looks so far, by path
	done int            // deeds so far
	odd  []error        // what is asked of actions that was not asked then
	stop context.CancelFunc
}

// relive lets the engine live the run, up to where it stood when it was written down.
func (r *record) relive() (*responder.Run, error) {
	digest, err := responder.Digest(r.Flow.Steps)
	switch {
	case err != nil:
		return nil, err
	case digest != r.Flow.Digest:
		return nil, errors.New("its steps are not those that it began with")
	}
	l := &rerun{record: r, clock: &clock{now: r.Created}, made: map[string]int{}}
	runs := &memory.Runs{}
	flow := responder.Flow{Name: r.Flow.Name, Repairs: r.Flow.Repairs}
	d, err := New(Config{
		Flows:     func() *Flows { return &Flows{byName: map[string]*loaded{flow.Name: {Flow: flow}}, plain: r.plain()} },
		Catalogue: l.catalogue(), Runs: runs, Findings: memory.NewQueue("findings", l.clock.Now, memory.QueueOptions{}),
		Mode: r.Mode, SkipWaits: r.skipsWaits(), Now: l.clock.Now, Jitter: func() float64 { return 0 },
	})
	if err != nil {
		return nil, err
	}
	l.control = d.Control()
	run := &responder.Run{
		V: 1, ID: r.Run, Token: "first", Flow: r.Flow, Finding: r.Finding, Mode: r.Mode, State: responder.RunRunning, Due: r.Created,
		Steps: map[string]*responder.StepState{}, Suppressed: r.Suppressed, Created: r.Created, Updated: r.Created,
	}
	if r.Flow.Timeout > 0 {
		run.Deadline = r.Created.Add(r.Flow.Timeout)
	}
	if len(r.Audit) > 0 && r.Audit[0].What == responder.DeedAgain {
		l.done = 1 // so it came to be
	}
	if err := runs.Create(context.Background(), run); err != nil {
		return nil, err
	}
	for range maxLife {
		if run, err = runs.Get(context.Background(), r.Run); err != nil {
			return nil, err
		}
		next := run.Due
		if run.State.Ended() {
			next = r.Ends.At.Add(1)
		}
		if at := l.nextDeed(); !at.IsZero() && !at.After(next) {
			next = at
		}
		if next.After(r.Ends.At) {
			return run, errors.Join(l.odd...)
		}
		l.until(next)
		if err := l.deeds(); err != nil {
			return nil, err
		}
		if err := l.wake(d); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("it does not come to where it stood")
}

// wake lets a worker carry the run on.
func (l *rerun) wake(d *Dispatcher) error {
	body, err := (responder.Bell{Wake: l.Run}).Encode()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	l.mu.Lock()
	l.stop = stop
	l.mu.Unlock()
	if failures := d.Handle(ctx, []responder.Delivery{{ID: "1", Body: body}}); len(failures) > 0 {
		return failures[0].Err
	}
	return nil
}

// until lets the clock run on.
func (l *rerun) until(t time.Time) { l.clock.Advance(max(0, t.Sub(l.clock.Now()))) }

// nextDeed is when somebody did something to the run next, zero if nobody did.
func (l *rerun) nextDeed() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done == len(l.Audit) {
		return time.Time{}
	}
	return l.Audit[l.done].At
}

// deeds does to the run what people did to it up to now.
func (l *rerun) deeds() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for ; l.done < len(l.Audit) && !l.Audit[l.done].At.After(l.clock.Now()); l.done++ {
		var err error
		switch a := l.Audit[l.done]; a.What {
		case responder.DeedCancel:
			_, err = l.control.Cancel(context.Background(), l.Run, a.By, a.Why)
		case responder.DeedRetry:
			_, err = l.control.Retry(context.Background(), l.Run, a.By)
		default:
			err = fmt.Errorf("nobody can %s", a.What)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// plain are addresses for the marks that stand in the run for those in plain text.
func (r *record) plain() map[string]string {
	addresses := map[string]string{}
	for _, s := range r.Steps {
		for _, value := range s.Params {
			if mark, _ := value.(string); strings.HasPrefix(mark, plainMark) {
				addresses[mark] = "https://example.com"
			}
		}
	}
	return addresses
}

// skipsWaits reports whether waits were passed over.
func (r *record) skipsWaits() bool {
	for _, s := range r.Steps {
		if step := locate(r.Flow.Steps, s.Path); step != nil && step.Kind == responder.StepWait && s.Result["would"] != nil {
			return true
		}
	}
	return false
}

// catalogue is that of all actions, which answer as they did then. Repairs look
// at what there is only if they did.
func (l *rerun) catalogue() responder.Catalogue {
	looked := false
	for _, s := range l.Steps {
		looked = looked || slices.ContainsFunc(s.Attempts, func(a responder.Attempt) bool { return a.Survey })
	}
	catalogue := maps.Clone(actions.New(actions.Deps{}))
	for name, action := range catalogue {
		catalogue[name] = replayed{action, l}
		if looked {
			catalogue[name] = replayedSurveyor{replayed{action, l}}
		}
	}
	return catalogue
}

// replayed is an action that does nothing, and answers as it did then.
type replayed struct {
	responder.Action
	rerun *rerun
}

// Do implements responder.Action.
func (a replayed) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	state, n, err := a.rerun.attempt(call, "")
	if err != nil {
		return nil, &responder.Permanent{Err: err}
	}
	attempt := state.Attempts[n]
	switch {
	case attempt.Lost:
		return nil, a.rerun.lose(ctx)
	case attempt.Error == "" && state.State == responder.StepStopped:
		return nil, &responder.Stop{Reason: state.Error}
	case attempt.Error == "":
		return state.Result, nil
	case attempt.Unknown, n+1 < len(state.Attempts) && state.Attempts[n+1].Verify:
		return nil, &responder.Unknown{Err: errors.New(strings.TrimPrefix(attempt.Error, (&responder.Unknown{Err: errors.New("")}).Error()))}
	}
	return nil, a.rerun.fault(state, n)
}

// replayedSurveyor is one that looks before it acts.
type replayedSurveyor struct{ replayed }

// Survey implements responder.Surveyor.
func (a replayedSurveyor) Survey(ctx context.Context, call responder.Call) (responder.Survey, error) {
	state, n, err := a.rerun.attempt(call, surveying)
	switch {
	case err != nil:
		return responder.Survey{}, &responder.Permanent{Err: err}
	case state.Attempts[n].Lost:
		return responder.Survey{}, a.rerun.lose(ctx)
	case state.Attempts[n].Error != "":
		return responder.Survey{}, a.rerun.fault(state, n)
	case state.Survey == nil:
		return responder.Survey{}, &responder.Permanent{Err: a.rerun.note(errors.New("it is not said what there was"))}
	}
	return *state.Survey, nil
}

// Verify implements responder.Verifier.
func (a replayed) Verify(ctx context.Context, call responder.Call) (responder.Verdict, error) {
	state, n, err := a.rerun.attempt(call, verifying)
	if err != nil {
		return responder.VerdictUnknown, err
	}
	attempt := state.Attempts[n]
	tried := lastTry(&responder.StepState{Attempts: state.Attempts[:n]})
	switch {
	case attempt.Lost:
		return responder.VerdictUnknown, a.rerun.lose(ctx)
	case attempt.Error != "":
		return responder.VerdictUnknown, errors.New(attempt.Error)
	case tried != nil && !tried.Unknown && (n == len(state.Attempts)-1 || !state.Attempts[n+1].Verify):
		return responder.VerdictNotDone, nil
	case n == len(state.Attempts)-1 && state.State == responder.StepSucceeded:
		return responder.VerdictDone, nil
	}
	return responder.VerdictUnknown, nil
}

// Describe implements responder.Describer.
func (a replayed) Describe(call responder.Call) string {
	if describer, ok := a.Action.(responder.Describer); ok {
		return describer.Describe(call)
	}
	return ""
}

// attempt gives what became of the attempt that an action is asked for: the n-th
// of its step. It is over then, and people have done what they did meanwhile.
func (l *rerun) attempt(call responder.Call, look look) (*responder.StepState, int, error) {
	path := strings.TrimPrefix(call.Key, l.Run+"/")
	state := l.step(path)
	l.mu.Lock()
	n := l.made[path]
	l.made[path]++
	l.mu.Unlock()
	odd := func(why string) (*responder.StepState, int, error) {
		return nil, 0, l.note(fmt.Errorf("step %s comes to attempt %d (%s), %s", path, n+1, cmp.Or(look, "a try"), why))
	}
	if state == nil || n >= len(state.Attempts) {
		return odd("which was not made")
	}
	switch was := state.Attempts[n]; {
	case was.Verify != (look == verifying), was.Survey != (look == surveying):
		return odd("which was another")
	case was.Ended.IsZero():
		return odd("which had not ended: write the run down later")
	}
	l.until(state.Attempts[n].Ended)
	if err := l.deeds(); err != nil {
		return nil, 0, l.note(err)
	}
	return state, n, nil
}

// note keeps an error that the engine may take for an action's.
func (l *rerun) note(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.odd = append(l.odd, err)
	return err
}

// lose stops the worker at the attempt.
func (l *rerun) lose(ctx context.Context) error {
	l.mu.Lock()
	l.stop()
	l.mu.Unlock()
	<-ctx.Done()
	return ctx.Err()
}

// fault is the error that an attempt ended with: for good, or to be tried again
// when it was.
func (l *rerun) fault(state *responder.StepState, n int) error {
	attempt, last := state.Attempts[n], n == len(state.Attempts)-1
	switch {
	case last && state.State == responder.StepFailed, !last && l.retriedIn(attempt, state.Attempts[n+1]):
		return &responder.Permanent{Err: errors.New(attempt.Error)}
	case last:
		return &responder.Transient{Err: errors.New(attempt.Error), After: maxRetryAfter}
	}
	return &responder.Transient{Err: errors.New(attempt.Error), After: state.Attempts[n+1].Began.Sub(attempt.Ended)}
}

// retriedIn reports whether somebody retried the run between two attempts.
func (l *rerun) retriedIn(before, after responder.Attempt) bool {
	for _, a := range l.Audit {
		if a.What == responder.DeedRetry && !a.At.Before(before.Ended) && !a.At.After(after.Began) {
			return true
		}
	}
	return false
}
