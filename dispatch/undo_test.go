package dispatch

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/memory"
)

const undoFlow = `
flows:
  - name: f
    rule: UnauthorizedInstanceCreated
    repairs: live
    GUARDS
    sequential:
      - remediate: {}
      - EC2TerminateInstances: {ids: [i-9]}
      - SendSlack: {message: after}
`

// undoWorld is a world in which what is terminated can be started again, as far as
// what was in memory goes not.
func undoWorld(t *testing.T, guards string) *world {
	t.Helper()
	w := newWorld(t, strings.Replace(undoFlow, "GUARDS", guards, 1))
	ids := responder.Param{Name: "ids", Type: responder.ListParam, Required: true}
	reason := responder.Param{Name: "reason", Type: responder.TextParam}
	start := repair{w.fake(responder.Spec{Name: "Start", Kind: responder.Repair, Params: []responder.Param{ids, reason}})}
	w.catalogue["Start"] = surveyor{start, nil, new(int)}
	w.sees(func(_ int, call responder.Call) (responder.Survey, error) {
		s := instances(call)
		s.Undo = []responder.Binding{{Action: "Start", Params: map[string]any{"ids": call.Params["ids"]}}}
		return s, nil
	})
	return w
}

// repaired lets a finding be repaired, and gives its run.
func (w *world) repaired() *responder.Run {
	w.t.Helper()
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.live(w.dispatcher(), time.Minute, time.Second)
	return w.get("f")
}

// undone undoes a run to the end.
func (w *world) undone(id, step string) *responder.Run {
	w.t.Helper()
	run, err := w.control().Undo(w.t.Context(), id, step, "ann", "a mistake")
	if err != nil {
		w.t.Fatal(err)
	}
	w.live(w.dispatcher(), time.Minute, time.Second)
	return w.stored(run.ID)
}

func (w *world) stored(id string) *responder.Run {
	w.t.Helper()
	run, err := w.runs.Get(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return run
}

// started are the instances that were started, in order.
func (w *world) started() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, d := range w.deeds {
		if d.Action == "Start" {
			all = append(all, target(d.Call)+" "+d.Call.Account+" "+d.Call.Region)
		}
	}
	return strings.Join(all, ", ")
}

// TestUndo: what the repairs of a run did is put back once, the last first, where
// it was done, by a run of its own that both runs tell of.
func TestUndo(t *testing.T) {
	w := undoWorld(t, "")
	old := w.repaired()
	if old.State != responder.RunSucceeded {
		t.Fatal(outline(old))
	}
	run := w.undone(old.ID, "")
	event, err := responder.DecodeEvent(old.Finding.Event)
	if err != nil {
		t.Fatal(err)
	}
	where := " " + event.Account() + " " + event.Region()
	if want := "[i-9]" + where + ", " + target(responder.Call{Params: old.Steps["0"].Params}) + where; w.started() != want {
		t.Errorf("started %q, want %q", w.started(), want)
	}
	if run.ID != old.ID+"#undo" || run.State != responder.RunSucceeded || run.Flow.Name != "f" || !slices.Equal(run.Undoes.Steps, []string{"1", "0"}) || run.Undoes.Run != old.ID {
		t.Errorf("%s%+v", outline(run), run.Undoes)
	}
	if audited(run) != "undo by ann: of run "+old.ID+": a mistake" || run.Steps["0"].Survey == nil {
		t.Errorf("%s, found %+v", audited(run), run.Steps["0"].Survey)
	}
	old = w.stored(old.ID)
	if audited(old) != "undo by ann: by run "+run.ID+": a mistake" || old.State != responder.RunSucceeded {
		t.Errorf("%s of %s", audited(old), outline(old))
	}
	all, err := Reversals(t.Context(), w.runs, old)
	if err != nil || len(all) != 2 || all[0].Path != "1" || all[0].Undone != run.ID || all[1].Undone != run.ID {
		t.Errorf("%+v, %v", all, err)
	}

	version := old.Version
	for _, step := range []string{"", "0", "1"} { // it is done
		again, err := w.control().Undo(t.Context(), old.ID, step, "bob", "")
		if err != nil || again.ID != run.ID || again.Version != run.Version {
			t.Errorf("undone twice: %+v, %v", again, err)
		}
	}
	if old = w.stored(old.ID); old.Version != version {
		t.Errorf("noted twice: %s", audited(old))
	}
	for id, want := range map[string]string{run.ID: "is an undo itself", "nobody": "not found"} {
		if _, err := w.control().Undo(t.Context(), id, "", "bob", ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("undo of %s: %v", id, err)
		}
	}
	if _, err := w.control().Again(t.Context(), run.ID, "bob"); !isRefused(err) {
		t.Errorf("an undo is run again: %v", err)
	}
	if _, err := w.control().Undo(t.Context(), old.ID, "", " ", ""); err == nil {
		t.Error("nobody did it")
	}
}

// TestUndoAStep: one repair is put back, and then what is left.
func TestUndoAStep(t *testing.T) {
	w := undoWorld(t, "")
	old := w.repaired()
	if _, err := w.control().Undo(t.Context(), old.ID, "2", "ann", ""); !isRefused(err) || !strings.Contains(err.Error(), "has repaired nothing") {
		t.Error(err)
	}
	first, err := w.control().Undo(t.Context(), old.ID, "0", "ann", "")
	if err != nil {
		t.Fatal(err)
	}
	if same, err := w.control().Undo(t.Context(), old.ID, "", "bob", ""); err != nil || same.ID != first.ID {
		t.Errorf("%+v, %v", same, err)
	}
	if _, err := w.control().Undo(t.Context(), old.ID, "1", "bob", ""); !isRefused(err) || !strings.Contains(err.Error(), "undoes other steps") {
		t.Error(err)
	}
	w.live(w.dispatcher(), time.Minute, time.Second)
	second := w.undone(old.ID, "")
	if second.ID != old.ID+"#undo2" || !slices.Equal(second.Undoes.Steps, []string{"1"}) || second.State != responder.RunSucceeded || strings.Count(w.started(), "i-9") != 1 {
		t.Errorf("%s%+v, started %s", outline(second), second.Undoes, w.started())
	}
	if old = w.stored(old.ID); len(old.Audit) != 2 {
		t.Error(audited(old))
	}
}

// TestUndoIsAnOrder: what holds repairs back does not hold back what people undo,
// but for what is protected or denied, and where all is dry.
func TestUndoIsAnOrder(t *testing.T) {
	const instance = "arn:aws:ec2:*"
	tests := []struct {
		name, guards, then string // the flow's guards at first, and later
		change             func(w *world)
		want               responder.StepStatus
		why                string
	}{
		{name: "as it was", want: responder.StepSucceeded},
		{name: "repairs off", change: func(w *world) { w.load(strings.NewReplacer("live", "'off'", "GUARDS", "").Replace(undoFlow)) }, want: responder.StepSucceeded},
		{name: "disabled", then: "enabled: false", want: responder.StepSucceeded},
		{name: "gone", change: func(w *world) { w.load(strings.NewReplacer("name: f", "name: g", "GUARDS", "").Replace(undoFlow)) }, want: responder.StepSucceeded},
		{name: "to be approved", change: func(w *world) {
			w.load(strings.NewReplacer("live", "approve", "GUARDS", "approvers: {cli: true}").Replace(undoFlow))
		}, want: responder.StepSucceeded},
		{name: "halted", change: func(w *world) {
			halts := &memory.Halts{}
			w.config.Halts = halts
			if err := halts.Halt(w.t.Context(), responder.Halt{By: "ann", Why: "w", At: w.clock.Now()}); err != nil {
				w.t.Fatal(err)
			}
		}, want: responder.StepSucceeded},
		{name: "an old event", change: func(w *world) { w.clock.Advance(20 * 24 * time.Hour) }, want: responder.StepSucceeded},
		{name: "no room", then: "limits: {per_finding: 1, per_hour: 1, per_run: 1}", want: responder.StepSucceeded},
		{name: "out of scope now", then: "scope: {allow: {regions: [mars-1]}}", want: responder.StepSucceeded},
		{name: "denied now", then: "scope: {deny: {tags: {env: dev}}}", want: responder.StepSkipped, why: "is denied: tag env: dev"},
		{name: "protected now", change: func(w *world) {
			w.load("protected: ['" + instance + "']\n" + strings.Replace(undoFlow, "GUARDS", "", 1))
		}, want: responder.StepSkipped, why: "is protected, by " + instance},
		{name: "dry", change: func(w *world) { w.config.Mode = responder.ModeDry }, want: responder.StepSucceeded, why: everythingDry},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := undoWorld(t, tt.guards)
			w.config.Counters = memory.NewCounters(w.clock.Now)
			old := w.repaired()
			switch {
			case tt.change != nil:
				tt.change(w)
			case tt.then != "":
				w.load(strings.Replace(undoFlow, "GUARDS", tt.then, 1))
			}
			run := w.undone(old.ID, "")
			state := run.Steps["0"]
			why := ""
			if state != nil {
				why, _ = state.Result["why"].(string)
			}
			if state == nil || state.State != tt.want || !strings.Contains(why, tt.why) || (tt.why == "") != (w.started() != "") || run.State != responder.RunSucceeded {
				t.Errorf("started %q\n%s%+v", w.started(), outline(run), state)
			}
			if tt.why == "" {
				return
			}
			if more, err := w.control().Undo(t.Context(), old.ID, "", "ann", ""); err != nil || more.ID != old.ID+"#undo2" {
				t.Errorf("what was not put back cannot be undone: %+v, %v", more, err)
			}
		})
	}
}

// TestUndoRefused: what cannot be undone is refused, with the reason.
func TestUndoRefused(t *testing.T) {
	survey := func(s responder.Survey) *responder.Survey { return &s }
	acted := []responder.Attempt{{Began: epoch, Survey: true}, {Began: epoch, Ended: epoch}}
	step := func(s responder.StepState) *responder.Run {
		s.Kind, s.Action = responder.Repair, "EC2TerminateInstances"
		return &responder.Run{State: responder.RunSucceeded, Steps: map[string]*responder.StepState{"0": &s}}
	}
	start := []responder.Binding{{Action: "Start"}}
	for name, tt := range map[string]struct {
		run  *responder.Run
		want string // "": it is undone
	}{
		"under way":       {&responder.Run{State: responder.RunWaiting}, "is under way: cancel it first"},
		"nothing":         {&responder.Run{State: responder.RunSucceeded}, "has repaired nothing"},
		"dry":             {step(responder.StepState{State: responder.StepSucceeded, Dry: true, Survey: survey(responder.Survey{Undo: start}), Attempts: acted}), "has repaired nothing"},
		"only looked":     {step(responder.StepState{State: responder.StepSkipped, Survey: survey(responder.Survey{Undo: start}), Attempts: acted[:1]}), "has repaired nothing"},
		"nothing is told": {step(responder.StepState{State: responder.StepSucceeded, Attempts: acted}), "nothing was recorded before EC2TerminateInstances acted at step 0"},
		"found nothing":   {step(responder.StepState{State: responder.StepSucceeded, Attempts: acted, Survey: survey(responder.Survey{})}), "found nothing to change"},
		"for good":        {step(responder.StepState{State: responder.StepSucceeded, Attempts: acted, Survey: survey(responder.Survey{Lasting: []string{"the password"}})}), "nothing that can be put back: the password"},
		"failed":          {step(responder.StepState{State: responder.StepFailed, Attempts: acted, Survey: survey(responder.Survey{Undo: start})}), ""},
		"given up":        {step(responder.StepState{State: responder.StepCancelled, Attempts: acted, Survey: survey(responder.Survey{Undo: start})}), ""},
	} {
		w := undoWorld(t, "")
		tt.run.V, tt.run.ID, tt.run.Finding = 1, "r", w.finding("UnauthorizedInstanceCreated")
		if err := w.runs.Create(t.Context(), tt.run); err != nil {
			t.Fatal(err)
		}
		_, err := w.control().Undo(t.Context(), "r", "", "ann", "")
		if tt.want == "" && err != nil || tt.want != "" && (!isRefused(err) || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w := undoWorld(t, "")
	held := &responder.Run{V: 1, ID: "r", State: responder.RunCancelled, Lease: w.clock.Now().Add(time.Minute), Finding: w.finding("UnauthorizedInstanceCreated")}
	if err := w.runs.Create(t.Context(), held); err != nil {
		t.Fatal(err)
	}
	if _, err := w.control().Undo(t.Context(), "r", "", "ann", ""); !isRefused(err) || !strings.Contains(err.Error(), "try again after") {
		t.Error(err)
	}
}

// TestUndoRendersNothing: what was found is not a text of the flow's author, so
// braces in it are text like any other.
func TestUndoRendersNothing(t *testing.T) {
	w := undoWorld(t, "")
	w.sees(func(_ int, call responder.Call) (responder.Survey, error) {
		s := instances(call)
		s.Undo = []responder.Binding{{Action: "Start", Params: map[string]any{"ids": call.Params["ids"], "reason": "{{ rule }}"}}}
		return s, nil
	})
	run := w.undone(w.repaired().ID, "1")
	if state := run.Steps["0"]; state == nil || state.State != responder.StepSucceeded || state.Params["reason"] != "{{ rule }}" {
		t.Errorf("%s%+v", outline(run), state)
	}
}

// TestUndoOfWhatWasRetried: what was repaired once more after it was put back can
// be put back once more.
func TestUndoOfWhatWasRetried(t *testing.T) {
	w := undoWorld(t, "")
	fail := true
	w.terminate.answer = func(_ context.Context, n int, call responder.Call) (responder.Result, error) {
		if fail {
			return nil, &responder.Permanent{Err: errors.New("half of it is done")}
		}
		return nil, nil
	}
	old := w.repaired()
	if old.State != responder.RunFailed || w.undone(old.ID, "").State != responder.RunSucceeded {
		t.Fatal(outline(old))
	}
	fail = false
	w.clock.Advance(time.Hour)
	if _, err := w.control().Retry(t.Context(), old.ID, "ann"); err != nil {
		t.Fatal(err)
	}
	w.live(w.dispatcher(), time.Minute, time.Second)
	if run := w.undone(old.ID, ""); run.ID != old.ID+"#undo2" || !slices.Equal(run.Undoes.Steps, []string{"1", "0"}) {
		t.Errorf("%s%+v", outline(run), run.Undoes)
	}
}

// TestUndoWhileWorkersDie: whatever point of an undo a worker dies at, another one
// goes on, and all of it is put back once.
func TestUndoWhileWorkersDie(t *testing.T) {
	for k := 1; ; k++ {
		w := undoWorld(t, "")
		old := w.repaired()
		if _, err := w.control().Undo(t.Context(), old.ID, "", "ann", ""); err != nil {
			t.Fatal(err)
		}
		w.killAt = w.points + k
		w.live(w.dispatcher(), 20*time.Minute, 5*time.Second)
		if !w.isDead() {
			if k < 15 {
				t.Errorf("only %d points", k)
			}
			return
		}
		w.killAt, w.dead = 0, make(chan struct{})
		w.live(w.dispatcher(), 20*time.Minute, 5*time.Second)
		run := w.stored(old.ID + "#undo")
		if run.State != responder.RunSucceeded || strings.Count(w.started(), "[") != 2 || !strings.HasPrefix(w.started(), "[i-9]") {
			t.Errorf("killed at %d: %sstarted %s", k, outline(run), w.started())
		}
	}
}

// TestUndoWhileAnswersAreLost: whoever dies over it, or hears no answer, asks once
// more, and it is undone once.
func TestUndoWhileAnswersAreLost(t *testing.T) {
	for dies := range 6 {
		w := undoWorld(t, "")
		old := w.repaired()
		store := &brittle{RunStore: w.runs, at: dies}
		c := w.control()
		c.Runs = store
		_, first := c.Undo(t.Context(), old.ID, "", "ann", "")
		run := w.undone(old.ID, "")
		if run.ID != old.ID+"#undo" || run.State != responder.RunSucceeded || strings.Count(w.started(), "i-9") != 1 {
			t.Errorf("answer %d was lost (%v): %sstarted %s", dies, first, outline(run), w.started())
		}
		if old = w.stored(old.ID); len(old.Audit) != 1 {
			t.Errorf("answer %d was lost (%v): %s", dies, first, audited(old))
		}
	}
}

// brittle is a store whose answer to a call is lost, and to all after it.
type brittle struct {
	responder.RunStore
	at, n int
}

func (b *brittle) lost() error {
	b.n++
	if b.n > b.at {
		return errors.New("no answer")
	}
	return nil
}

func (b *brittle) Get(ctx context.Context, id string) (*responder.Run, error) {
	run, err := b.RunStore.Get(ctx, id)
	if lost := b.lost(); lost != nil {
		return nil, lost
	}
	return run, err
}

func (b *brittle) Create(ctx context.Context, run *responder.Run) error {
	return errors.Join(b.RunStore.Create(ctx, run), b.lost())
}

func (b *brittle) Save(ctx context.Context, run *responder.Run) error {
	return errors.Join(b.RunStore.Save(ctx, run), b.lost())
}

// TestAnUndoLeavesWhatIsProtectedNow also where its flow is not there any more.
func TestAnUndoLeavesWhatIsProtectedNow(t *testing.T) {
	for _, name := range []string{"f", "another"} {
		w := undoWorld(t, "")
		old := w.repaired()
		w.load("protected: ['arn:aws:ec2:*']\n" + strings.NewReplacer("name: f", "name: "+name, "GUARDS", "").Replace(undoFlow))
		run := w.undone(old.ID, "")
		if got := run.Steps["0"].Result[guardKey]; got != GuardProtected || len(w.started()) != 0 {
			t.Errorf("its flow is %s: held by %v, started %q\n%s", name, got, w.started(), outline(run))
		}
	}
}

// retriedFirst is a store in which somebody has a run retried just before its undo is
// made.
type retriedFirst struct {
	responder.RunStore
	retry func() error
}

func (s retriedFirst) Create(ctx context.Context, run *responder.Run) error {
	if run.Undoes != nil {
		if err := s.retry(); err != nil {
			return err
		}
	}
	return s.RunStore.Create(ctx, run)
}

// TestUndoneOrRetried: a run that is being undone is not retried, and one that is
// retried is not undone, whoever comes in between.
func TestUndoneOrRetried(t *testing.T) {
	w := undoWorld(t, "")
	w.terminate.answer = func(_ context.Context, n int, _ responder.Call) (responder.Result, error) {
		if n == 2 {
			return nil, &responder.Permanent{Err: errors.New("denied")}
		}
		return nil, nil
	}
	old := w.repaired()
	undo, err := w.control().Undo(t.Context(), old.ID, "0", "ann", "")
	if err != nil || old.State != responder.RunFailed {
		t.Fatalf("%v\n%s", err, outline(old))
	}
	_, err = w.control().Retry(t.Context(), old.ID, "bob")
	if !isRefused(err) || err.Error() != "retry: run "+old.ID+" is being undone, by run "+undo.ID+": wait for its end, or cancel that" {
		t.Errorf("retried while it is undone: %v", err)
	}
	w.live(w.dispatcher(), time.Minute, time.Second)
	if undo = w.stored(undo.ID); undo.State != responder.RunSucceeded {
		t.Fatal(outline(undo))
	}
	if _, err = w.control().Retry(t.Context(), old.ID, "bob"); err != nil {
		t.Errorf("once it is undone: %v", err)
	}
	if _, err = w.control().Undo(t.Context(), old.ID, "", "ann", ""); !isRefused(err) {
		t.Errorf("undone while it is retried: %v", err)
	}

	w = undoWorld(t, "")
	w.terminate.answer = func(_ context.Context, n int, _ responder.Call) (responder.Result, error) {
		if n == 2 {
			return nil, &responder.Permanent{Err: errors.New("denied")}
		}
		return nil, nil
	}
	old = w.repaired()
	control := w.control()
	control.Runs = retriedFirst{control.Runs, func() error {
		_, err := w.control().Retry(t.Context(), old.ID, "bob")
		return err
	}}
	if run, err := control.Undo(t.Context(), old.ID, "", "ann", ""); !isRefused(err) || run != nil {
		t.Errorf("retried in between: %+v, %v", run, err)
	}
	if undo := w.stored(old.ID + "#undo"); undo.State != responder.RunCancelled {
		t.Error(outline(undo))
	}
	w.live(w.dispatcher(), time.Minute, time.Second)
	if old = w.stored(old.ID); old.State != responder.RunSucceeded || w.started() != "" {
		t.Errorf("%sstarted %q", outline(old), w.started())
	}
}
