package simulation

import (
	"slices"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// judgeRepair looks at a repair that acts among guards. The caller holds mu.
func (w *world) judgeRepair(run *responder.Run, path string, state *responder.StepState, d *deed, t *try, call responder.Call) {
	step, now := w.stepName(call.Key), time.Now()
	if state.Survey == nil || len(state.Survey.Targets) == 0 {
		w.broken("guards judge what was just seen", "%s acts, and knows nothing to act on", step)
		return
	}
	seen, ok := w.seen(state.Survey)
	if !ok || seen.key != call.Key {
		w.broken("guards judge what was just seen", "%s acts on what nobody has seen: %v", step, state.Survey.Targets)
		return
	}
	if age := now.Sub(seen.at); age > 5*time.Minute+w.slack()+2*w.mostSkew() {
		w.broken("guards judge what was just seen", "%s acts on what was seen %v ago", step, age)
	}
	if guard, why := w.held(run, seen.targets); guard != "" {
		w.broken("what may not be touched is not", "%s: %s", step, why)
	}
	if d.found.name == "" {
		found, _ := state.Survey.Found["as"].(string)
		d.found = w.surveys[found]
	}
	if run.Undoes != nil {
		return // a person has ordered it
	}
	w.judgeCounted(run, step, seen.targets)
	w.judgeStill(run, step, w.marks[mark{run.ID, path, t.at}].at)
	w.judgeConsent(run, path, state, call)
}

// judgeSurveyed: what a repair found before it was tried first stays as it was, and
// what it knows to touch was seen.
func (c *stepChange) judgeSurveyed() {
	if c.is.Survey != nil && lastTry(c.was) == nil && lastTry(c.is) != nil {
		if seen, _ := c.world.seen(c.is.Survey); seen.name != c.is.Survey.Found["as"] {
			c.broken("what was found before a repair acted stays known", "it is %v, and its things are those of %s", c.is.Survey.Found["as"], seen.name)
		}
	}
	if c.was.Survey == nil || c.is.Survey == nil || lastTry(c.was) == nil {
		return
	}
	if found := c.is.Survey.Found["as"]; found != c.was.Survey.Found["as"] || len(c.is.Survey.Undo) != len(c.was.Survey.Undo) {
		c.broken("what was found before a repair acted stays known", "it was %v, and is %v", c.was.Survey.Found["as"], found)
	}
}

// lastTry is the last attempt that was more than a look, nil if there is none.
func lastTry(state *responder.StepState) *responder.Attempt {
	for i := len(state.Attempts) - 1; i >= 0; i-- {
		if state.Attempts[i].Try() {
			return &state.Attempts[i]
		}
	}
	return nil
}

// takenBack leaves out of what was a mark whose attempt was not made: a guard that is
// asked once the mark is stored said no, and whoever made the mark takes it back.
func (c *stepChange) takenBack(stored *record) {
	n := len(c.was.Attempts)
	if !c.guarded || n == 0 || c.is.Kind != responder.Repair || c.by.request != nil || stored == nil || stored.holder != c.by.tenure || !inAir(c.was) || !c.was.Attempts[n-1].Try() ||
		c.deed.try(c.was.Attempts[n-1].Began) != nil || len(c.is.Attempts) >= n && c.is.Attempts[n-1].Began.Equal(c.was.Attempts[n-1].Began) && c.is.Attempts[n-1].Try() {
		return
	}
	was := *c.was
	was.Attempts = was.Attempts[:n-1]
	c.was = &was
}

// judgeHeldBack: a guard that holds a repair back has a reason.
func (c *stepChange) judgeHeldBack() {
	guard, _ := c.is.Result["guard"].(string)
	if guard == "" || c.is.State != responder.StepSkipped || c.was.State == responder.StepSkipped {
		return
	}
	c.sights[sawHeld]++
	var targets []responder.Target
	if s, ok := c.world.seen(c.is.Survey); ok {
		targets = s.targets
	}
	strict := c.limitsOf(c.run.Flow.Name, !c.editedAt.IsZero())
	flow := "/" + c.run.Flow.Name
	reason := false
	switch guard {
	case "limits.per_finding":
		reason = len(arns(targets)) > strict.finding
	case "limits.per_run":
		reason = c.inRun() > strict.run
	case "limits.per_hour", "limits.per_account", "limits.per_resource":
		reason = slices.Contains(c.refused[c.by.tenure], strings.TrimPrefix(guard, "limits.per_")+flow)
		if guard != "limits.per_resource" {
			c.judgeWarned(c.run.Flow.Name, guard)
		}
	default:
		said, _ := c.held(c.run, targets)
		reason = said == guard
	}
	if !reason || c.run.Undoes != nil && strings.HasPrefix(guard, "limits.") {
		c.broken("a guard that holds a repair back has a reason", "%s: %v", guard, c.is.Result["why"])
	}
}

// inRun counts the things that all repairs of the run touch that were tried, and this one.
func (c *stepChange) inRun() int {
	touched := map[string]bool{}
	for path, state := range c.run.Steps {
		if state.Survey == nil || path != c.path && lastTry(state) == nil {
			continue
		}
		for arn := range arns(state.Survey.Targets) {
			touched[arn] = true
		}
		for _, arn := range state.Survey.Touched {
			touched[arn] = true
		}
	}
	return len(touched)
}
