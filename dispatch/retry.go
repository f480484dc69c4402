package dispatch

import (
	"time"

	"github.com/skycrafters/responder"
)

// What a step does when flows.yml does not say.
const (
	defaultAttempts       = 3 // of notices and checks
	defaultRepairAttempts = 5
	defaultBackoff        = 2 * time.Second
	defaultBackoffCap     = 5 * time.Minute
	defaultTimeout        = 30 * time.Second // of an attempt of a notice or check
	defaultRepairTimeout  = 2 * time.Minute
)

// maxLost is how many attempts of a step may be lost, and no fewer than it has
// attempts. A step that kills its worker each time must come to an end.
const maxLost = 10

// lostTooOften reports whether a step has lost so many attempts that no further
// one is made.
func lostTooOften(step *responder.Step, state *responder.StepState) bool {
	return losses(state) >= max(retryOf(step, state.Kind).Attempts, maxLost)
}

// maxRetryAfter bounds what another side can ask for by Retry-After.
const maxRetryAfter = time.Hour

// retryOf completes a step's retry with the defaults of its action's kind.
func retryOf(step *responder.Step, kind responder.Kind) responder.Retry {
	var r responder.Retry
	if step.Retry != nil {
		r = *step.Retry
	}
	if r.Attempts <= 0 {
		r.Attempts = defaultAttempts
		if kind == responder.Repair {
			r.Attempts = defaultRepairAttempts
		}
	}
	if r.Backoff <= 0 {
		r.Backoff = defaultBackoff
	}
	if r.Cap <= 0 {
		r.Cap = max(defaultBackoffCap, r.Backoff)
	}
	return r
}

// timeoutOf is how long one attempt of a step may take.
func timeoutOf(step *responder.Step, kind responder.Kind) time.Duration {
	switch {
	case step.Timeout > 0:
		return step.Timeout
	case kind == responder.Repair:
		return defaultRepairTimeout
	}
	return defaultTimeout
}

// delay is the wait after the n-th failure in a row (1-based): a random part of
// a ceiling that doubles with each failure ("full jitter"), or what the other
// side asked for, whichever is longer. jitter gives [0, 1).
func delay(r responder.Retry, n int, after time.Duration, jitter func() float64) time.Duration {
	ceiling := r.Backoff
	for range n - 1 {
		if ceiling >= r.Cap {
			break
		}
		ceiling *= 2
	}
	ceiling = min(ceiling, r.Cap)
	return max(time.Duration(jitter()*float64(ceiling)), min(after, maxRetryAfter))
}

// policyOf is what a failure of the step does to its run.
func policyOf(step *responder.Step, kind responder.Kind) responder.ErrorPolicy {
	switch {
	case step.OnError != nil:
		return step.OnError.Policy
	case kind == responder.Notice:
		return responder.PolicyContinue
	}
	return responder.PolicyStop
}
