package simulation

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// judgeSteps looks at each step that was or is.
func (w *world) judgeSteps(before *responder.Run, m *model, by writing, broken func(string, string, ...any)) {
	after := m.run
	for path := range before.Steps {
		if after.Steps[path] == nil && (by.request == nil || by.request.what != responder.DeedRetry) && !askedAnew(before, after, path) {
			broken("what was done stays known", "step %s is forgotten", path)
		}
	}
	was := newModel(before, broken)
	for path, step := range m.steps {
		state := after.Steps[path]
		if state == nil {
			continue
		}
		c := stepChange{
			world: w, path: path, step: step, was: before.Steps[path], is: state, by: by,
			before: before, run: after, deed: w.latest[after.ID+"/"+path],
			broken: func(promise, format string, args ...any) {
				broken(promise, "step "+path+": "+format, args...)
			},
		}
		if c.was == nil || askedAnew(before, after, path) {
			c.was = &responder.StepState{State: responder.StepRunning, Action: state.Action, Kind: state.Kind, Branch: state.Branch, Params: state.Params}
			c.fresh = true
			if was.enough(path) {
				c.broken("one branch is enough", "it has begun though another branch had ended well")
			}
		}
		if c.deed == nil {
			c.deed = &deed{}
		}
		c.landing = c.lands()
		c.takenBack(w.stored[after.ID])
		c.judge()
	}
}

// askedAnew reports whether a step tells of a question that is put anew, which is told
// of from the beginning: what was decided of it did not count any more.
func askedAnew(before, after *responder.Run, path string) bool {
	asking, _, tells := strings.Cut(path, ".tell.")
	was, is := before.Steps[asking], after.Steps[asking]
	return tells && was != nil && is != nil && was.Approval != nil && is.Approval != nil && is.Approval.Asked.After(was.Approval.Asked)
}

// stepChange is a step before and after a write.
type stepChange struct {
	*world
	path    string
	step    *responder.Step
	was, is *responder.StepState
	fresh   bool // it has begun with this write
	landing bool
	by      writing
	before  *responder.Run
	run     *responder.Run
	deed    *deed
	broken  func(promise, format string, args ...any)
}

// unadopted reports whether a run is yet to get the steps of its flow.
func unadopted(run *responder.Run) bool { return run.Flow.Digest == "" && len(run.Flow.Steps) == 0 }

// lands reports whether the step was at an attempt when its run was cancelled,
// and its worker writes what came of it.
func (c *stepChange) lands() bool {
	return c.by.request == nil && c.before.State == responder.RunCancelled && c.was.State == responder.StepCancelled && inAir(c.was)
}

// moves reports whether this write may have brought the step to its end.
func (c *stepChange) moves() bool { return !over(c.was.State) || c.landing }

// unchanged compares two states of a step: no parameters are written, and read
// back, as none.
func unchanged(was, is responder.StepState) bool {
	if len(was.Params)+len(is.Params) == 0 {
		was.Params, is.Params = nil, nil
	}
	return reflect.DeepEqual(was, is)
}

func (c *stepChange) judge() {
	if c.was.Action != c.is.Action || c.was.Kind != c.is.Kind || c.was.Branch != c.is.Branch || len(c.was.Params)+len(c.is.Params) > 0 && !reflect.DeepEqual(c.was.Params, c.is.Params) {
		c.broken("what resolves once, resolves once", "action, branch or parameters have changed")
	}
	if retry := c.by.request != nil && c.by.request.what == responder.DeedRetry; !c.moves() && !retry && !unchanged(*c.was, *c.is) {
		c.broken("what has ended stays so", "it was %s, and is %s", c.was.State, c.is.State)
	}
	if c.step.Kind == responder.StepWait {
		c.judgeWait()
	}
	c.judgeAttempts()
	if c.guarded {
		c.judgeQuestion()
		c.judgeSurveyed()
		c.judgeHeldBack()
	}
	if n := len(c.was.Attempts); n < len(c.is.Attempts) && !c.run.Deadline.IsZero() && !c.is.Attempts[n].Began.Before(c.run.Deadline) {
		c.broken("nothing is tried when the run's time is over", "attempt %d began at %v, the time was over at %v", n+1, c.is.Attempts[n].Began, c.run.Deadline)
	}
	if c.is.State == responder.StepFailed && c.moves() && c.is.Action != "" {
		c.judgeFailure()
	}
	nothing := c.is.Survey != nil && len(c.is.Survey.Targets) == 0 && len(c.deed.tries) == 0
	if c.is.State == responder.StepSucceeded && c.moves() && c.is.Action != "" && !c.is.Dry && c.deed.effects == 0 && !nothing {
		c.broken("what is said to be done is done", "it succeeded, and nothing was done")
	}
}

func over(s responder.StepStatus) bool {
	return s != responder.StepRunning && s != responder.StepWaiting
}

// judgeWait: timers are never early by the clock of who fires them.
func (c *stepChange) judgeWait() {
	if c.fresh && c.is.State == responder.StepWaiting {
		c.judgeDue()
	}
	if over(c.was.State) || c.is.State != responder.StepSucceeded {
		return
	}
	if c.fresh || c.by.clock.Before(c.was.Due) {
		c.broken("timers are never early", "due %v, and it is %v", c.was.Due, c.by.clock)
	}
	c.lateness = max(c.lateness, c.by.clock.Sub(c.was.Due))
}

// judgeDue: a wait is as long as the flow says.
func (c *stepChange) judgeDue() {
	u := c.step.Until
	if u == nil {
		if c.is.Due.Before(c.by.clock.Add(c.step.Wait-storeTimeout)) || c.is.Due.After(c.by.clock.Add(c.step.Wait)) {
			c.broken("waits are as long as the flow says", "due %v, after a wait of %v from %v on", c.is.Due, c.step.Wait, c.by.clock)
		}
		return
	}
	zone, err := time.LoadLocation(u.Zone)
	if err != nil {
		c.broken("simulation", "%v", err)
		return
	}
	due := c.is.Due.In(zone)
	day := strings.ToLower(due.Format("Mon"))
	if due.Before(c.by.clock.Add(-storeTimeout)) || due.After(c.by.clock.Add(8*24*time.Hour)) ||
		due.Format("15:04:05") != u.Clock+":00" && !jumps(due) || !slices.Contains(u.Days, day) {
		c.broken("waits are as long as the flow says", "due %v, for %s from %v on", due, u, c.by.clock)
	}
}

// jumps reports whether clocks are set forward at a moment.
func jumps(t time.Time) bool {
	_, before := t.Add(-time.Second).Zone()
	_, after := t.Zone()
	return after > before
}
