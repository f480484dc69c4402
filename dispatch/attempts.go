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
		if state.Attempts[i].Try() {
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

// tries counts the attempts that were more than a look and were not lost, since
// the run was last retried.
func tries(state *responder.StepState) int {
	n := 0
	for _, a := range state.Attempts[state.Retried:] {
		if a.Try() && !a.Lost {
			n++
		}
	}
	return n
}

// looks counts the looks that were not lost since the last try, or since the run
// was last retried.
func looks(state *responder.StepState) int {
	n := 0
	for i := len(state.Attempts) - 1; i >= state.Retried && state.Attempts[i].Verify; i-- {
		if !state.Attempts[i].Lost {
			n++
		}
	}
	return n
}

// surveys counts the looks at what there is that failed in a row, and were not
// lost, since the run was last retried.
func surveys(state *responder.StepState) int {
	n := 0
	for i := len(state.Attempts) - 1; i >= state.Retried && failedLook(state.Attempts[i]); i-- {
		if !state.Attempts[i].Lost {
			n++
		}
	}
	return n
}

func failedLook(a responder.Attempt) bool { return a.Survey && (a.Error != "" || a.Lost) }

// found counts the looks at what there is that found out, in a row, since the run
// was last retried. Lost ones between them count for nothing.
func found(state *responder.StepState) int {
	n := 0
	for i := len(state.Attempts) - 1; i >= state.Retried && state.Attempts[i].Survey; i-- {
		if !failedLook(state.Attempts[i]) {
			n++
		}
	}
	return n
}

// losses counts the attempts and looks that were lost since the run was last
// retried. One that is under way counts: it is asked for where nobody is left to
// see it end.
func losses(state *responder.StepState) int {
	n := 0
	for _, a := range state.Attempts[state.Retried:] {
		if a.Lost || a.Ended.IsZero() {
			n++
		}
	}
	return n
}

// lastLooked reports whether the last attempt was a look whether it was done.
func lastLooked(state *responder.StepState) bool {
	n := len(state.Attempts)
	return n > 0 && state.Attempts[n-1].Verify
}
