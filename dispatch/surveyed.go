package dispatch

import (
	"errors"
	"fmt"
	"slices"

	"github.com/skycrafters/responder"
)

func (o Surveyed) apply(c *change) {
	var transient *responder.Transient
	c.finish(o.Err, false)
	switch {
	case o.Err == nil && len(o.Found.Targets) == 0 && found(c.state) == 1:
		c.state.Error = "" // what was just made is not always seen at once: look once more
		c.wait(delay(retryOf(c.step, responder.Check), 1, 0, c.jitter))
	case o.Err == nil && len(o.Found.Targets) == 0 && !o.Done:
		c.state.Survey = c.known(o.Found)
		c.fail(errors.New(nothingThere))
	case o.Err == nil && len(o.Found.Targets) == 0:
		c.end(responder.StepSucceeded)
		c.state.Survey, c.state.Error, c.state.Result = c.known(o.Found), "", remark("", nothingThere)
	case o.Err == nil:
		c.state.State, c.state.Survey, c.state.Error = responder.StepRunning, c.known(o.Found), ""
	case errors.Is(o.Err, ErrLost):
		c.lose(o.Err)
	case errors.As(o.Err, &transient) && surveys(c.state) < retryOf(c.step, responder.Check).Attempts:
		c.wait(delay(retryOf(c.step, responder.Check), surveys(c.state), transient.After, c.jitter))
	case lastTry(c.state) != nil:
		c.fail(fmt.Errorf("it was not tried again: it could not be seen what there is: %w", o.Err))
	default:
		c.fail(fmt.Errorf("nothing was done: it could not be seen what there is: %w", o.Err))
	}
}

// nothingThere is why a repair ends without having been tried.
const nothingThere = "nothing is there to act on"

// known gives what a repair knows after a look: what was found. Once it was tried,
// that counts only for what the next try would touch; how all stood before the
// first stays as it was, and nobody knows how that stood which came later.
func (c *change) known(found *responder.Survey) *responder.Survey {
	known := *found
	if first := c.state.Survey; first != nil && lastTry(c.state) != nil {
		known = *first
		known.Targets, known.Touched = found.Targets, nil
		for _, arn := range touched(c.state) {
			if !isTarget(found.Targets, arn) {
				known.Touched = append(known.Touched, arn)
			}
		}
		late := func(t responder.Target) bool {
			return !isTarget(first.Targets, t.ARN) && !slices.Contains(first.Touched, t.ARN)
		}
		if slices.ContainsFunc(found.Targets, late) && !slices.Contains(first.Lasting, cameLater) {
			known.Lasting = append(slices.Clip(first.Lasting), cameLater)
		}
	}
	known.At = c.now
	return &known
}

// cameLater is what an undo does not put back where a repair meets other things at a
// later try than at its first.
const cameLater = "what was there only at a later try"

// touched names what the tries of a repair may have touched.
func touched(state *responder.StepState) []string {
	arns := slices.Clone(state.Survey.Touched)
	if last := lastTry(state); last != nil && !last.Began.Before(state.Survey.At) {
		for _, t := range state.Survey.Targets {
			arns = append(arns, t.ARN)
		}
	}
	slices.Sort(arns)
	return slices.Compact(arns)
}

func isTarget(targets []responder.Target, arn string) bool {
	return slices.ContainsFunc(targets, func(t responder.Target) bool { return t.ARN == arn })
}
