package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
	"github.com/skycrafters/responder/cmd/internal/wiring"
	"github.com/skycrafters/responder/dispatch"
	"github.com/skycrafters/responder/internal/memory"
)

// replayFlows is what flows would have done about findings: a rehearsal of each,
// as `responder rehearse` makes it, of which only numbers are kept.
type replayFlows struct {
	stage *dispatch.Rehearsal
	runs  *passingRuns
	seen  map[string]*flowSeen
}

// passingRuns is a store whose runs are forgotten between findings: an archive
// may hold any number of them.
type passingRuns struct{ *memory.Runs }

// flowSeen is what a flow would have done.
type flowSeen struct {
	runs, unmet, quiet int
	steps              map[string]*stepSeen // by path
}

// stepSeen is what became of a step that does an action.
type stepSeen struct {
	action                 string
	would, skipped, failed int
	held                   map[string]int // by guard
}

func (a *app) replayFlows(definitions *wiring.Definitions) (*replayFlows, error) {
	f := &replayFlows{runs: &passingRuns{&memory.Runs{}}, seen: map[string]*flowSeen{}}
	clock := &toldClock{now: a.now()}
	var err error
	f.stage, err = dispatch.NewRehearsal(dispatch.Rehearsing{
		Config: dispatch.Config{
			Flows:     func() *dispatch.Flows { return definitions.Flows },
			Accounts:  func() map[string]map[string]any { return definitions.Rules.Accounts },
			Catalogue: actions.New(actions.Deps{Getenv: a.getenv, Now: a.now, Version: versionText(), Transport: noWayOut{}}),
			Runs:      f.runs, Counters: memory.NewCounters(clock.Now), Now: clock.Now,
		},
		Advance: clock.set,
	})
	return f, err
}

// see goes through the flows for a finding.
func (f *replayFlows) see(ctx context.Context, finding responder.Finding) error {
	all, err := f.stage.Rehearse(ctx, finding, "")
	f.runs.Runs = &memory.Runs{}
	for _, one := range all {
		f.add(one)
	}
	return err
}

func (f *replayFlows) add(one dispatch.Rehearsed) {
	of := f.seen[one.Flow.Name]
	if of == nil {
		of = &flowSeen{steps: map[string]*stepSeen{}}
		f.seen[one.Flow.Name] = of
	}
	if one.Run == nil {
		of.unmet++
		return
	}
	of.runs++
	if one.Cooldown != nil && one.Cooldown.Quiet != "" {
		of.quiet++
	}
	for path, state := range one.Run.Steps {
		if state.Action != "" {
			of.add(path, state)
		}
	}
}

// add counts what became of a step.
func (of *flowSeen) add(path string, state *responder.StepState) {
	step := of.steps[path]
	if step == nil {
		step = &stepSeen{action: state.Action, held: map[string]int{}}
		of.steps[path] = step
	}
	guard, _ := state.Result["guard"].(string)
	switch {
	case guard != "":
		step.held[guard]++
	case state.State == responder.StepFailed:
		step.failed++
	case state.State == responder.StepSucceeded:
		step.would++
	default:
		step.skipped++
	}
}

// flowReport is what a flow would have done, in the summary of a replay.
type flowReport struct {
	Flow  string       `json:"flow"`
	Runs  int          `json:"runs"`
	Unmet int          `json:"unmet"` // findings that its condition left out
	Quiet int          `json:"quiet"` // runs that its cooldown kept quiet
	Steps []stepReport `json:"steps"`
}

type stepReport struct {
	Step    string         `json:"step"` // its path
	Action  string         `json:"action"`
	Would   int            `json:"would"`          // it would have acted
	Skipped int            `json:"skipped"`        // by its condition, or for what came before it
	Failed  int            `json:"failed"`         // its parameters could not be made, for one
	Held    map[string]int `json:"held,omitempty"` // by a guard, by its name
}

// report is sorted by name and path; nil if flows were not asked for.
func (f *replayFlows) report() []flowReport {
	if f == nil {
		return nil
	}
	reports := []flowReport{}
	for _, name := range slices.Sorted(maps.Keys(f.seen)) {
		of := f.seen[name]
		r := flowReport{Flow: name, Runs: of.runs, Unmet: of.unmet, Quiet: of.quiet, Steps: []stepReport{}}
		for _, path := range slices.Sorted(maps.Keys(of.steps)) {
			s := of.steps[path]
			r.Steps = append(r.Steps, stepReport{Step: path, Action: s.action, Would: s.would, Skipped: s.skipped, Failed: s.failed, Held: s.held})
		}
		reports = append(reports, r)
	}
	return reports
}

// tellFlows tells people what flows would have done.
func (t replayText) tellFlows(flows []flowReport) {
	if flows == nil {
		return
	}
	p := t.paint()
	fmt.Fprintln(t.stdout, p.bold("What the flows of "+t.flows+" would have done"))
	if len(flows) == 0 {
		fmt.Fprintln(t.stdout, "  nothing: none is for what was found")
	}
	for _, f := range flows {
		words := []string{count(f.Runs, "run")}
		if f.Unmet > 0 {
			words = append(words, fmt.Sprintf("%d left out by its condition", f.Unmet))
		}
		if f.Quiet > 0 {
			words = append(words, fmt.Sprintf("%d kept quiet by its cooldown", f.Quiet))
		}
		fmt.Fprintf(t.stdout, "  %-28s %s\n", f.Flow, strings.Join(words, " · "))
		for _, s := range f.Steps {
			words := []string{count(s.Would, "time")}
			for _, guard := range slices.Sorted(maps.Keys(s.Held)) {
				words = append(words, p.yellow(fmt.Sprintf("%d held back by %s", s.Held[guard], guard)))
			}
			if s.Skipped > 0 {
				words = append(words, fmt.Sprintf("%d skipped", s.Skipped))
			}
			if s.Failed > 0 {
				words = append(words, p.red(fmt.Sprintf("%d failed", s.Failed)))
			}
			fmt.Fprintf(t.stdout, "    %-6s %-26s %s\n", s.Step, s.Action, strings.Join(words, " · "))
		}
	}
}
