package dispatch

import (
	"fmt"
	"slices"
	"time"

	"github.com/skycrafters/responder"
)

// What a run may come to, at most; one that goes beyond fails, and says so.
const (
	maxSteps       = 1000   // steps that it reaches
	maxResumptions = 10_000 // times that a worker takes it up
)

// Verb says what a step needs.
type Verb string

// The verbs of a task.
const (
	Begin   Verb = "begin"   // judge its condition, resolve its parameters
	Attempt Verb = "attempt" // act
	Verify  Verb = "verify"  // look whether an attempt of unknown outcome did act
	Pass    Verb = "pass"    // its wait is over
	Lose    Verb = "lose"    // its attempt is not known to have ended: give that one up
	Heed    Verb = "heed"    // its question is decided, or the time for that is over
)

// Task is something to do for one step of a run.
type Task struct {
	Verb Verb
	Path string
	Step *responder.Step // part of the run's snapshot: read-only
}

// Decision is what a run needs. Exactly one of the three holds: there is
// something to Do now; nothing until Until; or the run has come to its End.
type Decision struct {
	Do    []Task
	Until time.Time
	Timer time.Time // the nearest timer of any step, or the run's deadline, whatever else there is to do; zero for none
	End   responder.RunState
	Cause string // of the End
}

// Next decides what a run needs at a moment. It is pure.
//
// A step under way whose attempt has no end yet is listed too (Verify, Lose):
// whoever made that attempt knows to leave it out; for anybody else, its worker
// is dead.
func Next(run *responder.Run, now time.Time) Decision {
	if run.State.Ended() {
		return Decision{End: run.State, Cause: run.Cause}
	}
	s := survey{run: run, now: now}
	at := s.list(list{"", run.Flow.Steps})
	switch {
	case at.progress == done:
		return Decision{End: responder.RunSucceeded}
	case at.progress == stopped:
		return Decision{End: responder.RunStopped, Cause: at.cause}
	case at.progress == failed:
		return Decision{End: responder.RunFailed, Cause: at.cause}
	case len(run.Steps) >= maxSteps && s.begins():
		return Decision{End: responder.RunFailed, Cause: fmt.Sprintf("a run has at most %d steps", maxSteps)}
	case run.Resumed > maxResumptions:
		return Decision{End: responder.RunFailed, Cause: fmt.Sprintf("a run is taken up at most %d times", maxResumptions)}
	case !run.Deadline.IsZero() && !run.Deadline.After(now):
		return Decision{End: responder.RunFailed, Cause: fmt.Sprintf("not at its end within the flow's timeout of %s", shortDuration(run.Flow.Timeout))}
	}
	if !run.Deadline.IsZero() {
		s.wait(run.Deadline)
	}
	if len(s.tasks) > 0 {
		return Decision{Do: s.tasks, Timer: s.until}
	}
	return Decision{Until: s.until, Timer: s.until}
}

// progress is how far a step or list has come.
type progress int

const (
	open progress = iota // something is still to be done or waited for
	done
	stopped // a check said no
	failed  // and the policy lets that through
)

// standing is how far, and why.
type standing struct {
	progress progress
	well     bool   // done, and neither failed nor skipped nor given up
	cause    string // of what stopped or failed, also where the policy passes it by
}

// survey walks through the steps of a run as far as they have come, and notes
// what is open: tasks for now, the nearest moment of what waits, and groups
// whose members have come to rest.
type survey struct {
	run    *responder.Run
	now    time.Time
	tasks  []Task
	until  time.Time
	closed []closing
	lost   []needless
}

// needless is a step that is not needed any more, and why.
type needless struct{ path, why string }

// apart is a survey of its own.
func (s *survey) apart() *survey { return &survey{run: s.run, now: s.now} }

// take adds what another survey has found.
func (s *survey) take(other *survey) {
	s.tasks = append(s.tasks, other.tasks...)
	s.closed = append(s.closed, other.closed...)
	s.lost = append(s.lost, other.lost...)
	if !other.until.IsZero() {
		s.wait(other.until)
	}
}

// closing is a group whose members have come to rest, and how.
type closing struct {
	path string
	at   standing
}

// list goes through steps that follow each other.
func (s *survey) list(l list) standing {
	for i := range l.steps {
		if at := s.step(child(l.path, i), &l.steps[i]); at.progress != done {
			return at
		}
	}
	return standing{progress: done}
}

// branches goes through steps that stand side by side. While one is open all
// are; then a failure counts more than a check's no.
func (s *survey) branches(l list) standing {
	worst := standing{progress: done}
	anyOpen := false
	for i := range l.steps {
		at := s.step(child(l.path, i), &l.steps[i])
		anyOpen = anyOpen || at.progress == open
		if at.progress > worst.progress {
			worst = at
		}
	}
	if anyOpen {
		return standing{progress: open}
	}
	return worst
}

// first goes through steps that stand side by side, and of which one is enough.
// While none has ended well all go on; if none does, a failure counts, one that
// would be passed by elsewhere too, then a check's no.
func (s *survey) first(l list) standing {
	apart := s.apart()
	ends := make([]standing, len(l.steps))
	for i := range l.steps {
		ends[i] = apart.step(child(l.path, i), &l.steps[i])
	}
	if slices.ContainsFunc(ends, func(at standing) bool { return at.well }) {
		return s.decided(l, ends)
	}
	s.take(apart)
	worst := standing{progress: done}
	for _, at := range ends {
		if at.progress == open {
			return at
		}
		if at.progress == done && at.cause != "" {
			at.progress = failed
		}
		if at.progress > worst.progress {
			worst = at
		}
	}
	return worst
}

// decided gives up the branches that have not ended well now that one has. An
// attempt under way lands first.
func (s *survey) decided(l list, ends []standing) standing {
	at := standing{progress: done}
	for i := range l.steps {
		branch, step := child(l.path, i), &l.steps[i]
		if ends[i].well {
			s.step(branch, step) // closes the groups in it
			continue
		}
		walkStep(branch, step, func(path string, step *responder.Step) {
			switch state := s.run.Steps[path]; {
			case state == nil || over(state.State):
			case underWay(state):
				at = s.task(Lose, path, step)
			default:
				s.lost = append(s.lost, needless{path, otherFirst})
			}
		})
	}
	return at
}

func (s *survey) step(path string, step *responder.Step) standing {
	state := s.run.Steps[path]
	if state == nil {
		if g := s.run.Gathers; g != nil && g.Until.After(s.now) {
			return s.wait(g.Until) // somebody has had it retried: what is left out by then is told, too
		}
		return s.task(Begin, path, step)
	}
	if state.Approval != nil && step.Ask != nil {
		s.tell(path, step, pending(state) && state.Approval.Open() && state.Due.After(s.now)) // nobody is told what cannot be decided any more
	}
	switch state.State {
	case responder.StepSucceeded:
		return standing{progress: done, well: true}
	case responder.StepSkipped, responder.StepCancelled:
		return standing{progress: done}
	case responder.StepStopped:
		return s.stopped(path, step, state)
	case responder.StepFailed:
		return s.failed(path, step, state)
	}
	if isGroup(step.Kind) {
		return s.group(path, step, state)
	}
	if pending(state) && !state.Approval.Open() {
		return s.task(Heed, path, step)
	}
	if state.State == responder.StepWaiting && state.Due.After(s.now) {
		return s.wait(state.Due)
	}
	return s.task(verb(step, state), path, step)
}

// stopped says what follows a check's no, or a question that was not answered
// with yes: before the run stops, what its step says for that.
func (s *survey) stopped(path string, step *responder.Step, state *responder.StepState) standing {
	if state.Approval != nil {
		if at := s.list(after(path, step, state.Approval)); at.progress != done {
			return at
		}
	}
	return standing{progress: stopped, cause: state.Error}
}

// tell goes through the notices of a question. Once it is decided those that have
// not been sent are not needed.
func (s *survey) tell(path string, step *responder.Step, open bool) {
	l := list{join(path, branchTell), step.Ask.Tell}
	if open {
		s.branches(l)
		return
	}
	walk(l, func(path string, step *responder.Step) {
		switch state := s.run.Steps[path]; {
		case state == nil || over(state.State):
		case underWay(state):
			s.task(Lose, path, step)
		default:
			s.lost = append(s.lost, needless{path, decidedFirst})
		}
	})
}

// group goes through a group that has begun.
func (s *survey) group(path string, step *responder.Step, state *responder.StepState) standing {
	at := s.members(path, step, state)
	if at.progress == open {
		return at
	}
	s.closed = append(s.closed, closing{path, at})
	if at.progress == failed {
		return s.policy(path, step, state.Kind, at.cause)
	}
	at.well = at.progress == done
	return at
}

// members goes through the members of a group.
func (s *survey) members(path string, step *responder.Step, state *responder.StepState) standing {
	switch {
	case step.Kind == responder.StepParallel && step.Join == responder.JoinAny:
		return s.first(list{path, step.Steps})
	case step.Kind == responder.StepParallel:
		return s.branches(list{path, step.Steps})
	case step.Kind == responder.StepSequential:
		return s.list(list{path, step.Steps})
	case state.Branch == branchThen:
		return s.list(list{join(path, branchThen), step.Steps})
	}
	return s.list(list{join(path, branchElse), step.Else})
}

// failed says what a step that has failed for good does to those after it.
func (s *survey) failed(path string, step *responder.Step, state *responder.StepState) standing {
	cause := fmt.Sprintf("step %s (%s): %s", path, title(step, state), state.Error)
	if isGroup(step.Kind) {
		if at := s.apart().members(path, step, state); at.progress == failed {
			cause = at.cause // a member's failure, not its own
		}
	}
	return s.policy(path, step, state.Kind, cause)
}

func (s *survey) policy(path string, step *responder.Step, kind responder.Kind, cause string) standing {
	switch policyOf(step, kind) {
	case responder.PolicyContinue:
		return standing{progress: done, cause: cause}
	case responder.PolicySteps:
		at := s.list(list{join(path, branchError), step.OnError.Steps})
		if at.progress == done {
			at.cause = cause
		}
		return at
	}
	return standing{progress: failed, cause: cause}
}

func (s *survey) task(verb Verb, path string, step *responder.Step) standing {
	s.tasks = append(s.tasks, Task{verb, path, step})
	return standing{progress: open}
}

func (s *survey) wait(until time.Time) standing {
	if s.until.IsZero() || until.Before(s.until) {
		s.until = until
	}
	return standing{progress: open}
}

// begins reports whether a step is about to be reached for the first time.
func (s *survey) begins() bool {
	for _, t := range s.tasks {
		if t.Verb == Begin {
			return true
		}
	}
	return false
}

// over reports whether a step has come to its end.
func over(status responder.StepStatus) bool {
	return status != responder.StepRunning && status != responder.StepWaiting
}

// verb says what a step that has begun, and is due, needs.
func verb(step *responder.Step, state *responder.StepState) Verb {
	switch {
	case step.Kind == responder.StepWait:
		return Pass
	case pending(state):
		return Heed
	}
	doubt := state.Kind == responder.Repair && inDoubt(state)
	switch {
	case doubt && lastLooked(state) && lostTooOften(step, state):
		return Lose
	case doubt:
		return Verify
	case underWay(state):
		return Lose
	}
	return Attempt
}

// title is what people call a step.
func title(step *responder.Step, state *responder.StepState) string {
	if state != nil && state.Action != "" {
		return state.Action
	}
	if step.Action != "" {
		return step.Action
	}
	return string(step.Kind)
}
