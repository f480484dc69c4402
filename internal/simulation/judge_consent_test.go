package simulation

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
)

const noYes = "nothing is repaired without a yes"

// judgeConsent: a repair that people have a say in acts by a yes that counts as it
// acts: for exactly this, by somebody who may, in time, not too long ago. The caller
// holds mu.
func (w *world) judgeConsent(run *responder.Run, path string, state *responder.StepState, call responder.Call) {
	step, m := w.stepName(call.Key), newModel(run, w.broken)
	own := state.Approval
	if own != nil {
		if why := w.whyNot(run, path, call, own); why != "" {
			w.broken(noYes, "%s was done by its own question: %s", step, why)
		}
	}
	approved := own != nil && !own.Veto
	for _, q := range m.before(path) {
		asked := run.Steps[q]
		switch {
		case m.ledPast(q):
			continue
		case asked == nil || asked.Approval == nil:
			w.broken(noYes, "%s was done, and the question of step %s before it was never asked", step, q)
			return
		case !asked.Approval.Granted():
			w.broken(noYes, "%s was done, and step %s before it is %s", step, q, asked.Approval.Decision)
			return
		}
		if why := w.whyNot(run, path, call, asked.Approval); why != "" && (own == nil || own.Veto && !asked.Approval.Veto) {
			w.broken(noYes, "%s was done by the question of step %s: %s", step, q, why)
		}
		if !asked.Approval.Veto {
			approved = true
			break
		}
	}
	if !approved && (run.Flow.Repairs == responder.RepairsApprove || w.toBeApproved(run.Flow.Name)) {
		w.broken(noYes, "%s was done, its flow has repairs: approve, and nobody was asked", step)
	}
}

// toBeApproved reports whether repairs of a flow are to be approved, as it is now, and
// was just before.
func (w *world) toBeApproved(flow string) bool {
	is := func(edited bool) bool {
		return version{guarded: true, edited: edited}.repairs(w.dice, flow) == "approve"
	}
	switch {
	case w.editedAt.IsZero():
		return is(false)
	case w.editedAt.Before(time.Now().Add(-w.slack())):
		return is(true)
	}
	return is(false) && is(true)
}

// before gives the questions that stand before a step, the nearest first.
func (m *model) before(path string) (questions []string) {
	met := false
	dispatch.Walk(m.run.Flow.Steps, func(q string, step *responder.Step) {
		met = met || q == path
		if asks := step.Kind == responder.StepApprove || step.Kind == responder.StepVeto; asks && !met && m.follows(path, q) {
			questions = append([]string{q}, questions...)
		}
	})
	for _, sequel := range []string{".deny.", ".timeout."} { // what follows a no is what the flow says of that alone
		if strings.Contains(path, sequel) {
			return nil
		}
	}
	return questions
}

// ledPast reports whether a run has come past a question because its flow says so.
func (m *model) ledPast(q string) bool {
	if s := m.run.Steps[q]; s != nil && s.State == responder.StepSkipped && s.Approval == nil {
		return true
	}
	for i := len(q) - 1; i > 0; i-- {
		holder, inside := q[:i], q[i+1:]
		s := m.run.Steps[holder]
		if q[i] != '.' || s == nil {
			continue
		}
		branch, _, _ := strings.Cut(inside, ".")
		switch {
		case s.State == responder.StepSkipped:
			return true
		case branch == "error" && s.State == responder.StepSucceeded:
			return true
		case (branch == "then" || branch == "else") && s.Branch != "" && s.Branch != branch:
			return true
		}
	}
	return false
}

// whyNot says why what was decided does not count for a repair, "" if it does.
func (w *world) whyNot(run *responder.Run, path string, call responder.Call, a *responder.Approval) string {
	asked, known := w.asked[a.Digest]
	said, answered := w.answers[a.Digest]
	now := time.Now()
	planned := func(p responder.Planned) bool {
		return p.Step == path && p.Unknown == "" && reflect.DeepEqual(p.Params, map[string]any{"what": call.Params["what"]})
	}
	switch {
	case !known:
		return "nobody was ever asked that"
	case !reflect.DeepEqual(asked.Plan, a.Plan) || asked.Text != a.Text || !asked.Until.Equal(a.Until):
		return "what was asked has changed"
	case !slices.ContainsFunc(a.Plan, planned):
		return "it was not in what was shown"
	case a.Decision == responder.Unopposed && (!a.Veto || answered):
		return "somebody objected, or it was no veto"
	case a.Decision == responder.Unopposed && now.Add(w.mostSkew()).Before(a.Until):
		return "people may still object"
	case a.Decision == responder.Unopposed:
		return ""
	case a.Decision != responder.Approved || !answered || !said.yes || a.Veto:
		return "nobody has said yes"
	case !entitled(said.who, a.By):
		return said.who.ID + " may not"
	case now.Sub(said.stood) > 24*time.Hour+w.slack()+2*w.mostSkew():
		return "that was more than a day ago"
	case run.State != responder.RunCancelled && slices.ContainsFunc(run.Audit, func(entry responder.Audit) bool { // if it is, the attempt was under way
		return entry.What == responder.DeedCancel && entry.At.After(a.At)
	}):
		return "the run was cancelled since"
	case !w.editedAt.IsZero() && w.editedAt.Before(now.Add(-w.slack())) && (said.who == carol || said.who == erin):
		return said.who.ID + " is asked no more"
	}
	return ""
}

// judgeQuestion looks at what has become of a question with a write.
func (c *stepChange) judgeQuestion() {
	was, is := c.was.Approval, c.is.Approval
	retry := c.by.request != nil && c.by.request.what == responder.DeedRetry
	switch {
	case is == nil:
		if was != nil && !retry {
			c.broken("what was asked stays known", "the question is gone")
		}
		return
	case was == nil || was.Digest != is.Digest:
		c.judgeAsked()
		return
	case reflect.DeepEqual(was, is):
		return
	}
	switch {
	case was.Decision != "" && is.Decision != was.Decision && !c.revoked():
		c.broken("the first decision counts", "it was %s, and is %s", was.Decision, is.Decision)
	case was.Decision != "" && is.Decision == was.Decision && (!reflect.DeepEqual(was.Who, is.Who) || !was.At.Equal(is.At)):
		c.broken("the first decision counts", "it was by %v at %v, and is by %v at %v", was.Who, was.At, is.Who, is.At)
	case was.Decision == "" && is.Decision != "" && c.by.request != nil:
		c.judgeDecision()
	case was.Decision == "" && is.Decision != "":
		want := responder.TimedOut
		if is.Veto {
			want = responder.Unopposed
		}
		if is.Decision != want || is.Who != nil {
			c.broken("only who is asked decides", "it is %s by %v, and nobody said so", is.Decision, is.Who)
		}
		if c.by.clock.Before(is.Until) {
			c.broken("timers are never early", "people may decide until %v, and it is %v", is.Until, c.by.clock)
		}
	}
	if is.Heeded != was.Heeded && (c.by.request != nil || is.Decision == "") {
		c.broken("a decision goes where the flow says", "it is heeded, and is %q, by a person: %v", is.Decision, c.by.request != nil)
	}
}

// judgeAsked looks at a new question.
func (c *stepChange) judgeAsked() {
	is := c.is.Approval
	c.sights[sawQuestion]++
	ask := c.step.Ask
	switch {
	case c.by.request != nil || is.Decision != "" || is.Digest == "" || len(is.Plan) == 0 && c.step.Kind != responder.StepApprove && c.step.Kind != responder.StepVeto:
		c.broken("only who is asked decides", "it was asked by a person, or is %s already, about %d repairs", is.Decision, len(is.Plan))
	case c.step.Kind == responder.StepApprove || c.step.Kind == responder.StepVeto:
		if is.Until.Sub(is.Asked) != ask.For || is.Veto != (c.step.Kind == responder.StepVeto) || !reflect.DeepEqual(is.By, ask.By) {
			c.broken("people are asked what the flow says", "until %v, asked at %v, a veto: %v, by %v", is.Until, is.Asked, is.Veto, is.By)
		}
	}
	if is.Asked.After(c.by.clock) || is.Asked.Before(c.by.clock.Add(-c.slack())) {
		c.broken("people are asked what the flow says", "asked at %v, and it is %v", is.Asked, c.by.clock)
	}
}

// judgeDecision: whoever decides is asked, is not the actor, and in time.
func (c *stepChange) judgeDecision() {
	is, said := c.is.Approval, c.by.request.answer
	asked, known := c.asked[is.Digest]
	want := responder.Denied
	if said.Yes {
		want = responder.Approved
	}
	switch {
	case !known || said.Digest != is.Digest || said.Step != c.path || is.Decision != want || is.Who == nil || *is.Who != said.Who || is.Veto && said.Yes:
		c.broken("only who is asked decides", "it is %s by %v; %s said %v to %s", is.Decision, is.Who, said.Who.ID, said.Yes, said.Digest)
	case !entitled(said.Who, asked.By):
		c.broken("only who is asked decides", "%s may not", said.Who.ID)
	case !is.At.Before(is.Until):
		c.broken("only who is asked decides", "it was too late at %v, after %v", is.At, is.Until)
	}
	c.sights[sawAnswer]++
	c.answers[is.Digest] = answer{said.Who, said.Yes, time.Now()}
}

// revoked reports whether a yes has become a no because who said it is asked no more.
func (c *stepChange) revoked() bool {
	said := c.answers[c.is.Approval.Digest]
	return c.by.request == nil && c.was.Approval.Decision == responder.Approved && c.is.Approval.Decision == responder.Denied && !c.editedAt.IsZero() && (said.who == carol || said.who == erin)
}

// question is how far a step has come that people are asked about.
func (m *model) question(path string, step *responder.Step, state *responder.StepState) (at end, settled bool) {
	a := state.Approval
	for branch, decision := range map[string]responder.Decision{".deny.": responder.Denied, ".timeout.": responder.TimedOut} {
		if a.Decision != decision {
			m.unreached(path + branch)
		}
	}
	if a.Decision == "" || !a.Heeded || a.Granted() {
		led := a.Decision != "" && (a.Heeded || state.Retried > 0) // by a yes, which is read with the repair then
		if over(state.State) && state.State != responder.StepCancelled && !led {
			m.broken("a decision goes where the flow says", "step %s is %s, and is decided %q, heeded %v", path, state.State, a.Decision, a.Heeded)
		}
		return end{}, false
	}
	policy, branch := responder.Sequel{Policy: responder.SequelStop}, ".deny."
	if asks := step.Kind == responder.StepApprove || step.Kind == responder.StepVeto; asks {
		said := step.Ask.OnDeny
		if a.Decision == responder.TimedOut {
			said, branch = step.Ask.OnTimeout, ".timeout."
		}
		if said != nil {
			policy = *said
		}
	}
	want := map[responder.SequelPolicy]responder.StepStatus{
		responder.SequelStop: responder.StepStopped, responder.SequelFail: responder.StepFailed, responder.SequelContinue: responder.StepSkipped, responder.SequelSteps: responder.StepStopped,
	}[policy.Policy]
	if state.State != want && state.State != responder.StepCancelled {
		m.broken("a decision goes where the flow says", "step %s is %s; it is %s, and the flow says %s", path, state.State, a.Decision, policy.Policy)
	}
	if policy.Policy == responder.SequelSteps && state.State == responder.StepStopped {
		if at := m.list(path+branch, policy.Steps); at.standing != done {
			return end{standing: at.standing}, true
		}
	}
	return end{}, false
}
