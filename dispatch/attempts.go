package dispatch

import "github.com/skycrafters/responder"

// underWay reports whether the last attempt is not known to have ended.
func underWay(state *responder.StepState) bool {
	n := len(state.Attempts)
	return n > 0 && state.Attempts[n-1].Ended.IsZero()
}

// lastTry gives the last attempt that was more than a look, nil if there is none.
func lastTry(state *responder.StepState) *responder.Attempt {
	for i := len(state.Attempts) - 1; i >= 0; i-- {
		if !state.Attempts[i].Verify {
			return &state.Attempts[i]
		}
	}
	return nil
}

// inDoubt reports whether nobody knows if the last try acted.
func inDoubt(state *responder.StepState) bool {
	last := lastTry(state)
	return last != nil && (last.Unknown || last.Ended.IsZero())
}

// tries counts the attempts that were more than a look, since the run was last
// retried.
func tries(state *responder.StepState) int {
	n := 0
	for _, a := range state.Attempts[state.Retried:] {
		if !a.Verify {
			n++
		}
	}
	return n
}

// looks counts the looks since the last try, or since the run was last retried.
func looks(state *responder.StepState) int {
	n := 0
	for i := len(state.Attempts) - 1; i >= state.Retried && state.Attempts[i].Verify; i-- {
		n++
	}
	return n
}
