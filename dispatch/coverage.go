package dispatch

import (
	"slices"
	"strconv"
	"strings"

	"github.com/skycrafters/responder"
)

// Which repairs a question is about: those that follow it in the run, up to the
// next question that is surely asked before them. Steps of an if, of an on_error
// and of a parallel group may be come to or not: what cannot be told without
// running counts as following. So does the on_error of a group that holds the
// question: whatever failed in it, the repairs there act on no yes but that one.

// following gives the paths of the steps that a question at a path is about, and
// which are more than groups; those that stand under a condition are perhaps.
func following(steps []responder.Step, path string) (found []string, perhaps map[string]bool) {
	f := &follower{perhaps: map[string]bool{}}
	met := false
	for path != "" {
		l, i, side := within(steps, path)
		if i < 0 {
			break
		}
		if !side && !met {
			met = f.rest(l, i+1, false)
		}
		if l.path == "" || terminal(l.path) {
			break
		}
		if path = owner(l.path); !strings.HasSuffix(l.path, "."+branchError) { // it can fail before the next question is met
			f.failing(path, locate(steps, path))
		}
	}
	return f.found, f.perhaps
}

// governing gives the paths of the questions that are about a step.
func governing(steps []responder.Step, path string) (questions []string) {
	Walk(steps, func(asking string, step *responder.Step) {
		if step.Kind != responder.StepApprove && step.Kind != responder.StepVeto {
			return
		}
		if about, _ := following(steps, asking); slices.Contains(about, path) {
			questions = append(questions, asking)
		}
	})
	return questions
}

type follower struct {
	found   []string
	perhaps map[string]bool
}

// rest goes through a list from a member on. true: the next question was met.
func (f *follower) rest(l list, from int, perhaps bool) bool {
	for i := from; i < len(l.steps); i++ {
		if f.step(child(l.path, i), &l.steps[i], perhaps) {
			return true
		}
	}
	return false
}

func (f *follower) step(path string, step *responder.Step, perhaps bool) bool {
	maybe := perhaps || step.If != ""
	met := false
	switch step.Kind {
	case responder.StepApprove:
		met = step.If == ""
	case responder.StepVeto: // who vetoes need not be who approves: what was asked before still counts
	case responder.StepSequential:
		met = f.rest(list{path, step.Steps}, 0, maybe) && step.If == "" && !passesBy(step)
	case responder.StepParallel:
		for i := range step.Steps {
			f.step(child(path, i), &step.Steps[i], maybe)
		}
	case responder.StepIf:
		f.rest(list{join(path, branchThen), step.Steps}, 0, true)
		f.rest(list{join(path, branchElse), step.Else}, 0, true)
	default:
		f.found = append(f.found, path)
		f.perhaps[path] = maybe
	}
	f.failing(path, step)
	return met
}

// failing goes through what follows a failure of a step.
func (f *follower) failing(path string, step *responder.Step) {
	if step.OnError != nil {
		f.rest(list{join(path, branchError), step.OnError.Steps}, 0, true)
	}
}

// passesBy reports whether a run goes on where a group has failed: before, perhaps,
// a question in it was asked.
func passesBy(step *responder.Step) bool {
	return step.OnError != nil && step.OnError.Policy != responder.PolicyStop
}

// bypassed reports whether a run has come past a question because its flow says so:
// its own condition, or that of a group around it, was false, an if took the other
// branch, or it is asked only after a failure that did not happen. A question that was
// not asked for any other reason, a failure before it or a branch that was faster, is
// one that nobody has answered.
func bypassed(run *responder.Run, path string) bool {
	if state := run.Steps[path]; state != nil && state.State == responder.StepSkipped {
		return state.Approval == nil
	}
	l, _, _ := within(run.Flow.Steps, path)
	if l.path == "" {
		return false
	}
	holder := owner(l.path)
	if state := run.Steps[holder]; state != nil {
		switch branch := strings.TrimPrefix(l.path, holder+"."); {
		case branch == branchError && state.State == responder.StepSucceeded:
			return true
		case (branch == branchThen || branch == branchElse) && state.Branch != "" && state.Branch != branch:
			return true
		}
	}
	return bypassed(run, holder)
}

// within gives the list that the step at a path stands in, and its place there;
// -1: there is no such step. side: it stands beside the others, not before them.
func within(steps []responder.Step, path string) (l list, i int, side bool) {
	if locate(steps, path) == nil {
		return list{}, -1, false
	}
	at := strings.LastIndexByte(path, '.')
	i, _ = strconv.Atoi(path[at+1:]) // locate has read it
	if at < 0 {
		return list{"", steps}, i, false
	}
	inside := path[:at]
	holder := locate(steps, owner(inside))
	for _, l := range lists(owner(inside), holder) {
		if l.path == inside {
			return l, i, holder.Kind == responder.StepParallel && inside == owner(inside)
		}
	}
	return list{}, -1, false
}

// owner gives the path of the step that holds the list at a path: "5" of "5.then".
func owner(inside string) string {
	at := strings.LastIndexByte(inside, '.')
	if _, err := strconv.Atoi(inside[at+1:]); err == nil {
		return inside
	}
	return inside[:max(at, 0)]
}

// terminal reports whether nothing follows the list at a path: the run stops.
func terminal(inside string) bool {
	word := inside[strings.LastIndexByte(inside, '.')+1:]
	return word == branchDeny || word == branchTimeout || word == branchTell
}
