package main

import (
	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
	"github.com/skycrafters/responder/internal/metrics"
)

// created is the state under which runs are counted when they are made.
const created = "created"

// countRun counts a run when it is made, and when it ends: each once, as an
// ended run is not stored again.
func countRun(m *metrics.Recorder, run *responder.Run) {
	if run.Version == 1 {
		m.Count(metrics.Runs, created, 1)
	}
	if run.State.Ended() {
		countEnd(m, run.State)
	}
}

func countEnd(m *metrics.Recorder, state responder.RunState) {
	m.Count(metrics.Runs, string(state), 1)
	if state == responder.RunFailed || state == responder.RunParked {
		m.Count(metrics.FailedRuns, "", 1)
	}
}

// timeAttempt notes how long an attempt took. Looks are something else.
func timeAttempt(m *metrics.Recorder, a dispatch.AttemptReport) {
	if !a.Verify && !a.Survey {
		m.Time(metrics.StepLatency, a.Action, a.Took)
	}
}
