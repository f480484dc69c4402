package responder_test

import (
	"testing"

	"github.com/skycrafters/responder"
)

func TestFailedSteps(t *testing.T) {
	const failed, fine = responder.StepFailed, responder.StepSucceeded
	acts := func(s responder.StepStatus) *responder.StepState {
		return &responder.StepState{State: s, Action: "SendSlack"}
	}
	other := func(s responder.StepStatus) *responder.StepState { return &responder.StepState{State: s} }
	for name, test := range map[string]struct {
		steps map[string]*responder.StepState
		want  int
	}{
		"none":                             {nil, 0},
		"all well":                         {map[string]*responder.StepState{"0": acts(fine), "1": other(fine)}, 0},
		"one of two":                       {map[string]*responder.StepState{"0": acts(failed), "1": acts(fine)}, 1},
		"a group and what failed it":       {map[string]*responder.StepState{"0": other(failed), "0.0": acts(failed), "0.1": acts(failed)}, 2},
		"groups in groups":                 {map[string]*responder.StepState{"0": other(failed), "0.1": other(failed), "0.1.then.0": acts(failed)}, 1},
		"a condition that fails":           {map[string]*responder.StepState{"1": other(failed), "10": acts(failed)}, 2},
		"a step, and its on_error as well": {map[string]*responder.StepState{"0": acts(failed), "0.error.0": acts(failed)}, 2},
	} {
		run := &responder.Run{Steps: test.steps}
		if got := run.Summary().FailedSteps; got != test.want {
			t.Errorf("%s: %d failed steps, want %d", name, got, test.want)
		}
	}
}
