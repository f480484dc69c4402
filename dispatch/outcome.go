package dispatch

import (
	"errors"
	"fmt"
	"time"

	"github.com/skycrafters/responder"
)

// Outcome is what became of a task; Apply puts it into the run.
type Outcome interface {
	at() string
	apply(c *change)
}

// Path is the step that an outcome is about.
type Path string

func (p Path) at() string { return string(p) }

// Begun: the step is to be done. What resolves once, is resolved.
type Begun struct {
	Path
	Action string         // of steps that act
	Kind   responder.Kind // of the action
	Branch string         // of an if
	Until  time.Time      // of a wait until a time of day
	Params map[string]any
	Body   any
}

// Unfit: the step cannot be begun: its condition, or what it is to be given,
// cannot be evaluated, or comes to nothing where something is needed.
type Unfit struct {
	Path
	Action string
	Kind   responder.Kind
	Err    error
}

// Skipped: the step is not to be done.
type Skipped struct {
	Path
	Action string
	Kind   responder.Kind
	Would  string // what would have been done, if it is the mode that forbids it
	Why    string // "" where the step's own condition was false
	Guard  string // which guard held it back, if one did
}

// Recorded: the step is written down instead of done.
type Recorded struct {
	Path
	Would string
	Why   string
}

// Attempting: an attempt, or a look, is about to be made. To be stored before it is.
type Attempting struct {
	Path
	Verify bool // a look at whether it was done
	Survey bool // a look at what there is, before a try
}

// Tried: the attempt is over. Err is nil, *responder.Stop, *responder.Transient,
// *responder.Permanent, *responder.Unknown or ErrLost; any other counts as permanent.
type Tried struct {
	Path
	Result map[string]any
	Err    error
}

// Verified: the look is over. Err says why the verdict is unknown.
type Verified struct {
	Path
	Verdict responder.Verdict
	Err     error
}

// Surveyed: the look at what a repair would touch is over. Without Found, Err says why:
// *responder.Transient, ErrLost, or what is for good.
type Surveyed struct {
	Path
	Found *responder.Survey
	Done  bool // nothing is there, and so what the repair is for is done
	Err   error
}

// Passed: the wait is over.
type Passed struct{ Path }

// Unmade: the attempt that was about to be made is not, for its mark was not stored.
type Unmade struct{ Path }

// ErrLost is the error of an attempt, or of a look, that nobody saw end: its
// worker died or was told to stop. That is no fault of the other side, so it does
// not use up the step's attempts; a bound of its own, ten or as many as there are
// attempts, ends a step that kills its worker each time. A repair is looked into
// before it is tried again, after its last loss, too.
var ErrLost = errors.New("the worker was lost")

// Apply gives the run as it is after an outcome; run itself stays as it is.
// jitter gives [0, 1). An outcome of a step that the run does not have changes
// nothing.
func Apply(run *responder.Run, o Outcome, now time.Time, jitter func() float64) *responder.Run {
	step := locate(run.Flow.Steps, o.at())
	if step == nil {
		return run
	}
	after := run.Clone()
	if after.Steps == nil {
		after.Steps = map[string]*responder.StepState{}
	}
	state := after.Steps[o.at()]
	if state == nil {
		state = &responder.StepState{State: responder.StepRunning}
		after.Steps[o.at()] = state
	}
	o.apply(&change{run: after, step: step, state: state, now: now, jitter: jitter})
	closeGroups(after, now)
	return dated(run, after, now)
}

// dated notes in a run when steps were reached and when they came to their ends,
// as far as it differs from what it was before.
func dated(before, after *responder.Run, now time.Time) *responder.Run {
	for path, state := range after.Steps {
		was := before.Steps[path]
		if was == nil {
			state.Began = now
		}
		switch {
		case was != nil && was.State == state.State:
		case over(state.State):
			state.Ended = now
		default:
			state.Ended = time.Time{}
		}
	}
	return after
}

// Why a step was given up that is not needed any more.
const (
	otherFirst   = "another branch was first"
	decidedFirst = "it was decided first"
)

// closeGroups writes down how groups ended whose members have come to rest, and
// gives up what is not needed any more.
func closeGroups(run *responder.Run, now time.Time) {
	s := survey{run: run, now: now}
	s.list(list{"", run.Flow.Steps})
	for _, n := range s.lost {
		giveUp(run.Steps[n.path], n.why, now)
	}
	for _, c := range s.closed {
		state := run.Steps[c.path]
		state.Error = c.at.cause
		switch c.at.progress {
		case done:
			state.State = responder.StepSucceeded
		case stopped:
			state.State = responder.StepStopped
		case failed:
			state.State = responder.StepFailed
		}
	}
}

// giveUp ends a step where it stands. An attempt that nobody saw end is lost.
func giveUp(state *responder.StepState, why string, now time.Time) {
	c := change{state: state, now: now}
	c.finish(ErrLost, state.Kind == responder.Repair)
	c.end(responder.StepCancelled)
	state.Result = remark("", why)
}

// change is the step that an outcome changes, and its run.
type change struct {
	run    *responder.Run // nil where a step is given up
	step   *responder.Step
	state  *responder.StepState
	now    time.Time
	jitter func() float64
}

func (o Begun) apply(c *change) {
	c.state.Action, c.state.Kind, c.state.Branch = o.Action, o.Kind, o.Branch
	c.state.Params, c.state.Body = o.Params, o.Body
	c.state.State = responder.StepRunning
	switch {
	case !o.Until.IsZero():
		c.state.State, c.state.Due = responder.StepWaiting, o.Until
	case c.step.Kind == responder.StepWait:
		c.wait(c.step.Wait)
	}
}

func (o Unfit) apply(c *change) {
	c.state.Action, c.state.Kind = o.Action, o.Kind
	c.fail(o.Err)
}

func (o Skipped) apply(c *change) {
	if o.Action != "" {
		c.state.Action, c.state.Kind = o.Action, o.Kind
	}
	c.end(responder.StepSkipped)
	c.state.Result = remark(o.Would, o.Why)
	if o.Guard != "" {
		c.state.Result[guardKey] = o.Guard
	}
}

func (o Recorded) apply(c *change) {
	c.end(responder.StepSucceeded)
	c.state.Dry = true
	c.state.Result = remark(o.Would, o.Why)
}

func (o Attempting) apply(c *change) {
	if underWay(c.state) { // somebody else's
		c.finish(ErrLost, c.state.Kind == responder.Repair)
	}
	c.state.State, c.state.Due = responder.StepRunning, time.Time{}
	c.state.Attempts = append(c.state.Attempts, responder.Attempt{Began: c.now, Verify: o.Verify, Survey: o.Survey})
}

func (o Unmade) apply(c *change) {
	if underWay(c.state) {
		c.state.Attempts = c.state.Attempts[:len(c.state.Attempts)-1]
	}
}

func (o Passed) apply(c *change) { c.end(responder.StepSucceeded) }

func (o Tried) apply(c *change) {
	var (
		stop      *responder.Stop
		unknown   *responder.Unknown
		transient *responder.Transient
	)
	repair := c.state.Kind == responder.Repair
	switch {
	case o.Err == nil:
		c.finish(nil, false)
		c.end(responder.StepSucceeded)
		c.state.Error, c.state.Result = "", o.Result
	case errors.As(o.Err, &stop) && c.state.Kind == responder.Check:
		c.finish(nil, false)
		c.end(responder.StepStopped)
		c.state.Error = cleanText(stop.Reason)
	case errors.Is(o.Err, ErrLost):
		c.finish(o.Err, repair)
		c.lose(o.Err)
	case repair && errors.As(o.Err, &unknown):
		c.finish(o.Err, true)
		c.again(tries(c.state), 0)
	case errors.As(o.Err, &transient):
		c.finish(o.Err, false)
		if c.spent() {
			c.fail(o.Err)
			return
		}
		c.again(tries(c.state), transient.After)
	default:
		c.finish(o.Err, false)
		c.fail(o.Err)
	}
}

// lose is what becomes of a step whose attempt was lost.
func (c *change) lose(err error) {
	repair := c.state.Kind == responder.Repair && inDoubt(c.state)
	switch {
	case !lostTooOften(c.step, c.state), repair && !lastLooked(c.state):
		c.again(losses(c.state), 0)
	case repair:
		c.fail(unsure(err))
	default:
		c.fail(err)
	}
}

// spent reports whether the step has no tries left.
func (c *change) spent() bool {
	return tries(c.state) >= retryOf(c.step, c.state.Kind).Attempts
}

func (o Verified) apply(c *change) {
	c.finish(o.Err, false)
	switch {
	case o.Verdict == responder.VerdictDone:
		c.end(responder.StepSucceeded)
		c.state.Error, c.state.Result = "", map[string]any{"verified": true}
	case o.Verdict == responder.VerdictNotDone:
		if last := lastTry(c.state); last != nil {
			last.Unknown = false
			c.state.Error = last.Error
		}
		if c.spent() || lostTooOften(c.step, c.state) {
			c.end(responder.StepFailed)
			return
		}
		c.state.State = responder.StepRunning // the wait was before the look: try now
	case looks(c.state) >= retryOf(c.step, c.state.Kind).Attempts:
		c.fail(unsure(o.Err))
	default:
		c.again(looks(c.state), 0)
	}
}

// unsure is the error of a repair of which nobody found out whether it was done.
func unsure(why error) error {
	const text = "nobody knows whether it was done"
	if why == nil {
		return errors.New(text)
	}
	return fmt.Errorf(text+": %w", why)
}

// finish ends the attempt under way, if there is one.
func (c *change) finish(err error, unknown bool) {
	if !underWay(c.state) {
		return
	}
	last := &c.state.Attempts[len(c.state.Attempts)-1]
	last.Ended = c.now
	last.Unknown = unknown && last.Try()
	last.Lost = errors.Is(err, ErrLost)
	if err != nil {
		last.Error = cleanText(err.Error())
		c.state.Error = last.Error
	}
}

func (c *change) end(status responder.StepStatus) {
	c.state.State, c.state.Due = status, time.Time{}
}

func (c *change) fail(err error) {
	c.end(responder.StepFailed)
	c.state.Error = cleanText(err.Error())
}

func (c *change) wait(d time.Duration) {
	c.state.State, c.state.Due = responder.StepWaiting, c.now.Add(d)
}

// again waits before what comes after the n-th failure in a row.
func (c *change) again(n int, after time.Duration) {
	c.wait(delay(retryOf(c.step, c.state.Kind), n, after, c.jitter))
}

// guardKey is the key of a step's result under which stands what held it back.
const guardKey = "guard"

// remark is the result of a step that was not done for a reason.
func remark(would, why string) map[string]any {
	result := map[string]any{}
	if would != "" {
		result["would"] = would
	}
	if why != "" {
		result["why"] = why
	}
	if len(result) == 0 {
		return nil
	}
	return result
}
