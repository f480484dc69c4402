package main

import (
	"context"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
)

// fixtureVersion is the newest form of a fixture.
const fixtureVersion = 1

// fixture is a run as a test can live it again: what came in, what was to be
// done, and how each attempt of it ended. `runs export` writes it as JSON, and
// docs/reliability.md (Fixtures) says what stands in it.
type fixture struct {
	V       int                    `json:"v"`
	Run     string                 `json:"run"` // its id
	Mode    responder.Mode         `json:"mode"`
	Finding responder.Finding      `json:"finding"` // with the event, unchanged
	Flow    responder.FlowSnapshot `json:"flow"`    // with its steps, as the run began with them
	Created time.Time              `json:"created"`
	// Suppressed is as in responder.Run: 0 unless a cooldown kept the run quiet.
	Suppressed int               `json:"suppressed,omitempty"`
	Ends       fixtureEnd        `json:"ends"`
	Steps      []fixtureStep     `json:"steps"` // those that were reached, in the order of the flow
	Audit      []responder.Audit `json:"audit,omitempty"`
}

// fixtureEnd is where the run stood when it was written down.
type fixtureEnd struct {
	State responder.RunState `json:"state"`
	Cause string             `json:"cause,omitempty"`
	At    time.Time          `json:"at"`
}

// fixtureStep is what became of a step.
type fixtureStep struct {
	Path string `json:"path"`
	*responder.StepState
}

func newFixture(r *responder.Run) fixture {
	f := fixture{
		V: fixtureVersion, Run: r.ID, Mode: r.Mode, Finding: r.Finding, Flow: r.Flow, Created: r.Created, Suppressed: r.Suppressed,
		Ends: fixtureEnd{r.State, r.Cause, r.Updated}, Steps: []fixtureStep{}, Audit: r.Audit,
	}
	dispatch.Walk(r.Flow.Steps, func(path string, _ *responder.Step) {
		if state := r.Steps[path]; state != nil {
			f.Steps = append(f.Steps, fixtureStep{path, state})
		}
	})
	return f
}

// exportRun writes the fixture of a run.
func (a *app) exportRun(ctx context.Context, s *store, id string) error {
	run, err := find(ctx, s, id)
	if err != nil {
		return err
	}
	return a.printJSON(newFixture(run))
}
