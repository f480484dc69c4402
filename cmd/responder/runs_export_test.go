package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
)

// TestExport writes runs down, reads them back, and lives them again: the
// machine must come to the same end, by the same steps.
func TestExport(t *testing.T) {
	c, broken := steered(t, "10s")
	once := func(id string, args ...string) fixture {
		t.Helper()
		out, _ := c.run(exitDone, append([]string{"runs", "export", id, "--data", c.data}, args...)...)
		var f fixture
		if err := json.Unmarshal([]byte(out), &f); err != nil {
			t.Fatal(err)
		}
		return f
	}
	c.run(exitDone, "run", "--once", "--data", c.data, repo+"events/user-compliant.json") // dry
	succeeded := once(c.runID())
	c.data += ".live"
	broken.Store(true)
	c.run(exitDone, "run", "--once", "--live", "--data", c.data, repo+"events/user-compliant.json")
	id := c.runID()
	c.run(exitDone, "runs", "retry", id, "--data", c.data)
	c.run(exitDone, "run", "--once", "--live", "--data", c.data, repo+"events/user-compliant.json")
	failed := once(id)
	if len(failed.Audit) != 1 || failed.Ends.Cause == "" || len(failed.Steps[0].Attempts) != 2 {
		t.Errorf("of a run retried and failed again, %+v is written", failed)
	}
	for want, f := range map[responder.RunState]fixture{responder.RunSucceeded: succeeded, responder.RunFailed: failed} {
		t.Run(string(want), func(t *testing.T) {
			if f.V != fixtureVersion || f.Ends.State != want || f.Flow.Name != "tell" {
				t.Fatalf("the fixture is %+v", f)
			}
			event, err := responder.DecodeEvent(f.Finding.Event)
			if err != nil || f.Finding.Key != event.Key() {
				t.Errorf("the event is %s, %v", f.Finding.Event, err)
			}
			run := relive(t, f)
			if decision := dispatch.Next(run, f.Ends.At.Add(time.Hour)); decision.End != want {
				t.Errorf("lived again it comes to %+v", decision)
			}
			var paths []string
			for _, step := range f.Steps {
				paths = append(paths, step.Path)
				if got := run.Steps[step.Path]; got == nil || got.State != step.State || got.Error != step.Error {
					t.Errorf("step %s is %+v, and was %+v", step.Path, got, step.StepState)
				}
			}
			slices.Sort(paths)
			if got := slices.Sorted(maps.Keys(run.Steps)); !slices.Equal(got, paths) {
				t.Errorf("lived again it has the steps %v, want %v", got, paths)
			}
		})
	}
}

// TestExportedForm: the runs that the engine's tests live again are as export
// writes them, to the byte.
func TestExportedForm(t *testing.T) {
	files, err := filepath.Glob(repo + "dispatch/testdata/runs/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var f fixture
		if err := json.Unmarshal(want, &f); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := (&app{stdout: &out}).printJSON(f); err != nil {
			t.Fatal(err)
		}
		if out.String() != string(want) {
			t.Errorf("%s is\n%s\nand export writes\n%s", file, want, out.String())
		}
	}
}

// relive carries a run through the machine by what a fixture says became of its
// steps.
func relive(t *testing.T, f fixture) *responder.Run {
	t.Helper()
	run := &responder.Run{
		V: 1, ID: f.Run, Flow: f.Flow, Finding: f.Finding, Mode: f.Mode, State: responder.RunRunning,
		Steps: map[string]*responder.StepState{}, Created: f.Created,
	}
	recorded := map[string]*responder.StepState{}
	for _, s := range f.Steps {
		recorded[s.Path] = s.StepState
	}
	now := f.Created
	for range 1000 {
		next := dispatch.Next(run, now)
		switch {
		case next.End != "":
			return run
		case len(next.Do) == 0:
			now = next.Until
			continue
		}
		task := next.Do[0]
		was := recorded[task.Path]
		if was == nil {
			t.Fatalf("the machine wants to %s %s, which was never reached", task.Verb, task.Path)
		}
		for _, o := range outcomes(task, was, run.Steps[task.Path]) {
			run = dispatch.Apply(run, o, now, func() float64 { return 0 })
		}
	}
	t.Fatal("it does not come to an end")
	return nil
}

// outcomes are what became of a task.
func outcomes(task dispatch.Task, was, is *responder.StepState) []dispatch.Outcome {
	path := dispatch.Path(task.Path)
	text := func(key string) string { return fmt.Sprint(was.Result[key]) }
	switch task.Verb {
	case dispatch.Begin:
		if was.State == responder.StepSkipped {
			return []dispatch.Outcome{dispatch.Skipped{Path: path, Action: was.Action, Kind: was.Kind, Would: text("would"), Why: text("why")}}
		}
		return []dispatch.Outcome{dispatch.Begun{Path: path, Action: was.Action, Kind: was.Kind, Branch: was.Branch, Params: was.Params, Body: was.Body}}
	case dispatch.Pass:
		return []dispatch.Outcome{dispatch.Passed{Path: path}}
	case dispatch.Lose:
		return []dispatch.Outcome{dispatch.Tried{Path: path, Err: dispatch.ErrLost}}
	}
	if was.Dry {
		return []dispatch.Outcome{dispatch.Recorded{Path: path, Would: text("would"), Why: text("why")}}
	}
	n := len(is.Attempts)
	attempt := was.Attempts[n]
	begun := dispatch.Attempting{Path: path, Verify: attempt.Verify}
	if attempt.Error == "" {
		return []dispatch.Outcome{begun, dispatch.Tried{Path: path, Result: was.Result}}
	}
	err := errors.New(attempt.Error)
	switch {
	case attempt.Unknown:
		err = &responder.Unknown{Err: err}
	case n+1 < len(was.Attempts):
		err = &responder.Transient{Err: err}
	}
	return []dispatch.Outcome{begun, dispatch.Tried{Path: path, Err: err}}
}
