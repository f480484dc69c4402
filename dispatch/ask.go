package dispatch

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// pending reports whether a step waits for what people, or the clock, decide, or
// has not gone on by it yet.
func pending(state *responder.StepState) bool {
	return state.State == responder.StepWaiting && state.Approval != nil && !state.Approval.Heeded
}

// asking reports whether a question of a run is open.
func asking(run *responder.Run) bool {
	for _, state := range run.Steps {
		if pending(state) {
			return true
		}
	}
	return false
}

// Asked: the step puts a question to people, and waits.
type Asked struct {
	Path
	Approval responder.Approval
}

// Heeded: a question has been decided, by people or by the clock, and its step
// goes on by it. Void says why somebody's yes does not count any more, "" if it does.
type Heeded struct {
	Path
	Void string
}

func (o Asked) apply(c *change) {
	c.state.State, c.state.Due, c.state.Approval = responder.StepWaiting, o.Approval.Until, &o.Approval
	for path, state := range c.run.Steps { // who was told of an earlier question is told of this one
		if strings.HasPrefix(path, join(o.at(), branchTell)+".") && over(state.State) {
			delete(c.run.Steps, path)
		}
	}
}

func (o Heeded) apply(c *change) {
	a := *c.state.Approval
	a.Heeded = true
	switch {
	case a.Decision == "" && a.Veto:
		a.Decision, a.At = responder.Unopposed, c.now
	case a.Decision == "":
		a.Decision, a.At = responder.TimedOut, c.now
	case a.Decision == responder.Approved && o.Void != "":
		a.Decision, a.Why = responder.Denied, cleanText(o.Void)
	}
	c.state.Approval, c.state.Due = &a, time.Time{}
	repair := c.state.Kind == responder.Repair
	switch policy := sequelOf(c.step, &a); {
	case a.Granted() && repair:
		c.state.State = responder.StepRunning
	case a.Granted():
		c.end(responder.StepSucceeded)
	case policy.Policy == responder.SequelFail:
		c.fail(errors.New(said(&a)))
	case policy.Policy == responder.SequelContinue:
		c.end(responder.StepSkipped)
		c.state.Result = remark("", said(&a))
	default:
		c.end(responder.StepStopped)
		c.state.Error = said(&a)
	}
}

// sequelOf is what follows a question that was not answered with yes.
func sequelOf(step *responder.Step, a *responder.Approval) responder.Sequel {
	var said *responder.Sequel
	if step.Ask != nil && (step.Kind == responder.StepApprove || step.Kind == responder.StepVeto) {
		switch a.Decision {
		case responder.Denied:
			said = step.Ask.OnDeny
		case responder.TimedOut:
			said = step.Ask.OnTimeout
		}
	}
	if said == nil {
		return responder.Sequel{Policy: responder.SequelStop}
	}
	return *said
}

// after gives the list that follows a question that was not answered with yes.
func after(path string, step *responder.Step, a *responder.Approval) list {
	branch := branchDeny
	if a.Decision == responder.TimedOut {
		branch = branchTimeout
	}
	said := sequelOf(step, a)
	return sequel(path, branch, &said)
}

// said tells what was decided, and by whom.
func said(a *responder.Approval) string {
	what := map[responder.Decision]string{
		responder.Approved: "approved", responder.Denied: "denied", responder.Unopposed: "nobody objected", responder.TimedOut: "nobody approved it",
	}[a.Decision]
	switch {
	case a.Decision == "":
		return "not decided"
	case a.Veto && a.Decision == responder.Denied:
		what = "objected to"
	}
	switch {
	case a.Who != nil:
		what += " by " + a.Who.String()
	default:
		what += " until " + a.Until.UTC().Format(time.RFC3339)
	}
	if a.Why != "" {
		what += ": " + a.Why
	}
	return cleanText(what)
}

// question is an open question as notices put it to people, nil where a step
// tells of none.
func question(run *responder.Run, path string) *responder.Question {
	asking, ok := told(path)
	if !ok {
		return nil
	}
	state := run.Steps[asking]
	if state == nil || state.Approval == nil {
		return nil
	}
	a := state.Approval
	q := &responder.Question{Run: run.ID, Step: asking, Digest: a.Digest, Veto: a.Veto, Text: a.Text, Until: a.Until}
	for _, p := range a.Plan {
		q.Plan = append(q.Plan, p.Phrase())
	}
	return q
}

// questionEnv is `question` in the expressions of a notice that tells of one:
// {text, plan, until, run, step, digest, veto, command}; else nil.
func questionEnv(run *responder.Run, path string) any {
	q := question(run, path)
	if q == nil {
		return nil
	}
	plan := make([]any, len(q.Plan))
	for i, phrase := range q.Plan {
		plan[i] = phrase
	}
	command := "responder runs approve " + q.Run
	if q.Veto {
		command = "responder runs deny " + q.Run
	}
	return map[string]any{
		"text": q.Text, "plan": plan, "until": q.Until.UTC().Format(time.RFC3339), "run": q.Run, "step": q.Step,
		"digest": q.Digest, "veto": q.Veto, "command": command,
	}
}

// begin begins a step; one that asks, by making its question.
func (w *worker) begin(task Task, flow responder.Flow) Outcome {
	o := w.scene.begin(w.run, task, w.now(), w.SkipWaits)
	if _, fit := o.(Begun); !fit || task.Step.Kind != responder.StepApprove && task.Step.Kind != responder.StepVeto {
		return o
	}
	text, err := w.scene.asks(w.run, task)
	if err != nil {
		return Unfit{Path: Path(task.Path), Err: err}
	}
	plan := w.plan(task.Path)
	leave := w.guards.judge(w.run, flow, w.scene.event)
	if why := leave.asksNobody(plan); why != "" {
		return Recorded{Path: Path(task.Path), Would: cut("ask: "+text, maxWould), Why: why}
	}
	return w.asked(task.Path, text, *task.Step.Ask, task.Step.Kind == responder.StepVeto, plan)
}

// asked makes a question.
func (w *worker) asked(path, text string, ask responder.Ask, veto bool, plan []responder.Planned) Outcome {
	now := w.now()
	a := responder.Approval{
		Text: text, Veto: veto, By: ask.By, Not: actorOf(w.scene.event, w.Flows().people),
		Plan: plan, Asked: now, Until: now.Add(ask.For),
	}
	a.Text = withActor(a.Text, a.Not)
	var err error
	if a.Digest, err = digestOf(w.run, path, &a); err != nil {
		return Unfit{Path: Path(path), Err: err}
	}
	return Asked{Path: Path(path), Approval: a}
}

// asks renders the text of a question.
func (s scene) asks(run *responder.Run, task Task) (string, error) {
	rendered, err := s.script[task.Path].ask.Render(stepEnv(s.finding, run, task.Path), nil)
	if err != nil {
		return "", fmt.Errorf("text: %w", err)
	}
	text := cleanText(fmt.Sprint(rendered))
	if strings.TrimSpace(text) == "" || rendered == nil {
		return "", errors.New("text: it came to nothing, and nobody can decide that")
	}
	return text, nil
}

// asksNobody says why a question is not asked: nothing would come of it. "": it is.
func (l leave) asksNobody(plan []responder.Planned) string {
	switch {
	case l.dry:
		return "everything is dry here"
	case len(plan) > 0 && l.repairs != responder.RepairsLive && l.repairs != responder.RepairsApprove:
		return l.why
	}
	return ""
}

// consent says what stands in for an attempt of a repair that people have a say
// in; nil: it may be made. A yes counts for exactly what was shown.
func (w *worker) consent(task Task, state *responder.StepState, leave leave) Outcome {
	path := Path(task.Path)
	own := w.planned(task.Path, state.Action, state.Params)
	approved, old := false, []string(nil)
	for _, asking := range governing(w.run.Flow.Steps, task.Path) {
		asked := w.run.Steps[asking]
		switch {
		case bypassed(w.run, asking):
		case asked != nil && asked.Approval == nil && asked.Dry:
			return Recorded{Path: path, Would: w.would(task, state), Why: "the question about it was not asked: repairs were dry then"}
		case asked == nil || asked.Approval == nil:
			return Skipped{Path: path, Would: w.would(task, state), Why: "the question about it, step " + asking + ", was never asked"}
		case !asked.Approval.Granted():
			return Skipped{Path: path, Would: w.would(task, state), Why: said(asked.Approval)}
		default:
			if err := w.stands(asking, asked.Approval, own); err != nil {
				return Tried{Path: path, Err: &responder.Permanent{Err: err}}
			}
			if outlived(w.run, asked.Approval, w.now()) {
				old = append(old, asking)
				continue
			}
			approved = approved || !asked.Approval.Veto
		}
	}
	needed := leave.repairs == responder.RepairsApprove && !approved || slices.ContainsFunc(old, func(asking string) bool { return !w.run.Steps[asking].Approval.Veto })
	whole := w.wouldWhole(task, state)
	shown := len(whole) <= maxWould
	switch own.Would = w.there(cut(whole, maxWould)); {
	case len(old) > 1: // nobody can be asked one question in the place of several
		return Tried{Path: path, Err: &responder.Permanent{Err: fmt.Errorf("what was decided at the steps %s does not count any more: run it again", listed(old))}}
	case state.Approval != nil && !outlived(w.run, state.Approval, w.now()) && !(needed && state.Approval.Veto):
		if err := w.stands(task.Path, state.Approval, own); err != nil {
			return Tried{Path: path, Err: &responder.Permanent{Err: err}}
		}
	case !shown && (needed || len(old) == 1 || state.Approval != nil):
		return Tried{Path: path, Err: &responder.Permanent{Err: errors.New("it may not be done: what it would do is " + tooLong)}}
	case len(old) == 1 && needed == !w.run.Steps[old[0]].Approval.Veto:
		return w.asked(task.Path, askText(w.run, own), *locate(w.run.Flow.Steps, old[0]).Ask, !needed, []responder.Planned{own})
	case needed, state.Approval != nil:
		return w.askFor(task, own)
	}
	return nil
}

// tooLong is why a repair is not approved that people cannot be shown whole.
const tooLong = "too long to be shown"

// maxYes is how long what was decided counts.
const maxYes = 24 * time.Hour

// outlived reports whether what was decided does not count any more: it is too old,
// or somebody has cancelled the run since. Then it is asked anew.
func outlived(run *responder.Run, a *responder.Approval, now time.Time) bool {
	return now.Sub(a.At) > maxYes || slices.ContainsFunc(run.Audit, func(entry responder.Audit) bool {
		return entry.What == responder.DeedCancel && !entry.At.Before(a.At)
	})
}

// askFor puts a repair that no step has asked about to those who approve.
func (w *worker) askFor(task Task, own responder.Planned) Outcome {
	ask := task.Step.Ask
	if ask == nil || ask.By.None() { // the flow has come to ask since
		ask = w.Flows().approvers(w.run.Flow.Name)
	}
	if ask == nil || ask.By.None() {
		return Tried{Path: Path(task.Path), Err: &responder.Permanent{Err: errors.New("it is to be approved, and the flow names nobody who does")}}
	}
	return w.asked(task.Path, askText(w.run, own), *ask, false, []responder.Planned{own})
}

// askText is what is asked about a repair that no step asks about.
func askText(run *responder.Run, own responder.Planned) string {
	return cut(cleanText(run.Finding.Message+" — "+own.Would+"?"), maxErrorText)
}

// stands says why an approval does not count for a repair, nil if it does.
func (w *worker) stands(path string, a *responder.Approval, own responder.Planned) error {
	digest, err := digestOf(w.run, path, a)
	switch {
	case err != nil:
		return err
	case !a.Granted():
		return fmt.Errorf("it may not be done: %s", said(a))
	case digest != a.Digest:
		return errors.New("what was asked has changed since it was approved")
	case !slices.ContainsFunc(a.Plan, func(p responder.Planned) bool { return same(p, own) }):
		return errors.New("it has changed since it was approved: this action with these parameters was not in what was shown")
	}
	return w.counts(path, a)
}

// counts says why the yes of somebody does not count any more, nil if it does.
func (w *worker) counts(path string, a *responder.Approval) error {
	if a.Who == nil {
		return nil // nobody objected
	}
	if err := may(*a.Who, a.By, a.Not); err != nil {
		return err
	}
	if err := may(*a.Who, a.By, actorOf(w.scene.event, w.Flows().people)); err != nil {
		return err
	}
	return w.Flows().present(w.run.Flow, path, *a.Who)
}

// heed goes on by what was decided.
func (w *worker) heed(task Task) Outcome {
	o := Heeded{Path: Path(task.Path)}
	if a := w.run.Steps[task.Path].Approval; a.Decision == responder.Approved {
		if err := w.counts(task.Path, a); err != nil {
			o.Void = err.Error()
		}
	}
	return o
}

// approvers is who decides of repairs that no step asks about, nil for nobody.
func (f *Flows) approvers(flow string) *responder.Ask {
	if now, ok := f.byName[flow]; ok {
		return now.Approvers
	}
	return nil
}
