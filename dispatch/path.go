package dispatch

import (
	"strconv"
	"strings"

	"github.com/skycrafters/responder"
)

// The words in a step's path, beside the numbers: "2.1" is the second member
// of the third step, a group; "5.then.0", "5.else.0" stand in the branches of
// an if; "3.error.0" in the on_error of a step; "4.tell.0", "4.deny.0" and
// "4.timeout.0" belong to the question that a step asks.
const (
	branchThen    = "then"
	branchElse    = "else"
	branchError   = "error"
	branchTell    = "tell"
	branchDeny    = "deny"
	branchTimeout = "timeout"
)

// join extends a path by a part.
func join(path, part string) string {
	if path == "" {
		return part
	}
	return path + "." + part
}

// child is the path of the i-th step of the list at a path.
func child(path string, i int) string { return join(path, strconv.Itoa(i)) }

// list is a list of steps inside a step, and its path.
type list struct {
	path  string
	steps []responder.Step
}

// lists gives every list of steps that a step holds.
func lists(path string, step *responder.Step) []list {
	var inside []list
	switch step.Kind {
	case responder.StepSequential, responder.StepParallel:
		inside = append(inside, list{path, step.Steps})
	case responder.StepIf:
		inside = append(inside, list{join(path, branchThen), step.Steps}, list{join(path, branchElse), step.Else})
	}
	if step.OnError != nil {
		inside = append(inside, list{join(path, branchError), step.OnError.Steps})
	}
	if step.Ask != nil {
		inside = append(inside, list{join(path, branchTell), step.Ask.Tell})
		inside = append(inside, sequel(path, branchDeny, step.Ask.OnDeny), sequel(path, branchTimeout, step.Ask.OnTimeout))
	}
	return inside
}

// sequel is the list of what follows a question that was not answered with yes.
func sequel(path, branch string, after *responder.Sequel) list {
	l := list{path: join(path, branch)}
	if after != nil {
		l.steps = after.Steps
	}
	return l
}

// Walk visits every step of a list and all steps inside them, in the order in
// which they are written, with their paths.
func Walk(steps []responder.Step, visit func(path string, step *responder.Step)) {
	walk(list{"", steps}, visit)
}

// WalkRun visits the steps of a run as Walk does, but for the notices of a question
// that a repair may come to ask, and has not.
func WalkRun(run *responder.Run, visit func(path string, step *responder.Step)) {
	Walk(run.Flow.Steps, func(path string, step *responder.Step) {
		if asking, ok := told(path); ok {
			at, state := locate(run.Flow.Steps, asking), run.Steps[asking]
			asks := at.Kind == responder.StepApprove || at.Kind == responder.StepVeto
			if !asks && (state == nil || state.Approval == nil) {
				return
			}
		}
		visit(path, step)
	})
}

// told gives the path of the step whose question a notice tells of.
func told(path string) (asking string, ok bool) {
	at := strings.LastIndex(path, "."+branchTell+".")
	return path[:max(at, 0)], at >= 0
}

func walk(l list, visit func(path string, step *responder.Step)) {
	for i := range l.steps {
		walkStep(child(l.path, i), &l.steps[i], visit)
	}
}

func walkStep(path string, step *responder.Step, visit func(path string, step *responder.Step)) {
	visit(path, step)
	for _, inside := range lists(path, step) {
		walk(inside, visit)
	}
}

// locate finds the step at a path, nil if there is none.
func locate(steps []responder.Step, path string) *responder.Step {
	at := list{"", steps}
	rest := strings.Split(path, ".")
	for {
		i, err := strconv.Atoi(rest[0])
		if err != nil || i < 0 || i >= len(at.steps) {
			return nil
		}
		step, here := &at.steps[i], child(at.path, i)
		if rest = rest[1:]; len(rest) == 0 {
			return step
		}
		if rest, at = descend(step, here, rest); len(rest) == 0 {
			return nil
		}
	}
}

// descend picks the list inside a step that the rest of a path leads into.
func descend(step *responder.Step, here string, rest []string) ([]string, list) {
	for _, inside := range lists(here, step) {
		switch inside.path {
		case here:
			if _, err := strconv.Atoi(rest[0]); err == nil {
				return rest, inside
			}
		case join(here, rest[0]):
			return rest[1:], inside
		}
	}
	return nil, list{}
}

// isGroup reports whether a step is made of steps and has no effect of its own.
func isGroup(kind responder.StepKind) bool {
	switch kind {
	case responder.StepIf, responder.StepSequential, responder.StepParallel:
		return true
	}
	return false
}
