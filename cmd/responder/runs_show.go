package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
)

// tellRun tells the whole story of a run: of what it was about, how it stands,
// what people did to it, and each step.
func (a *app) tellRun(r *responder.Run) {
	p := a.paint()
	f := r.Finding
	a.tell("", fmt.Sprintf("%s  %s  %s, %s, repairs %s", p.bold(r.ID), a.state(r.State), line(r.Flow.Name, 60), r.Mode, r.Flow.Repairs), uncoloured)
	fact := func(name, format string, args ...any) {
		a.hang(fmt.Sprintf("  %-10s ", name), fmt.Sprintf(format, args...))
	}
	if r.Cause != "" {
		fact("cause", "%s", line(r.Cause, 300))
	}
	fact("finding", "%s %s", p.severity(f.Severity), line(f.Rule+": "+f.Message, 200))
	if len(f.Resources) > 0 {
		fact("resources", "%s", line(strings.Join(f.Resources, ", "), 300))
	}
	if r.Undoes != nil {
		fact("undoes", "run %s, whatever its flow says now", r.Undoes.Run)
	}
	fact("event", "%s", line(f.Key, 200))
	fact("began", "%s, last change %s, taken up %s", moment(r.Created), moment(r.Updated), count(r.Resumed, "time"))
	if !r.Lease.IsZero() {
		fact("held", "by a worker, until %s at the latest", moment(r.Lease))
	}
	if !r.Due.IsZero() {
		fact("due", "%s", moment(r.Due))
	}
	if !r.Deadline.IsZero() {
		fact("timeout", "%s: %s", duration(r.Flow.Timeout), a.deadline(r))
	}
	if r.Suppressed > 0 {
		fact("suppressed", "number %d of its cooldown", r.Suppressed)
	}
	if o := r.CausedBy; o != nil {
		fact("caused by", "%s", line(originStory(o), 300))
	}
	if len(r.Caused) > 0 {
		fact("led to", "run %s", line(strings.Join(r.Caused, ", "), 1000))
	}
	if g := r.Gathers; g != nil {
		fact("tells", "of notices left out from %s to %s, beyond %d in %s; its own is that of run %s, step %s", moment(g.Since), moment(g.Until), g.Rate.N, duration(g.Rate.Per), g.Run, g.Step)
	}
	if o := r.Warns; o != nil {
		fact("warns", "%s", line(fmt.Sprintf("%s keeps the flow from repairing: %s; first %s, step %s of run %s", o.Guard, o.Why, o.Action, o.Step, o.Run), 1000))
	}
	for _, d := range r.Audit {
		a.tellDeed(d)
	}
	dispatch.WalkRun(r, func(path string, step *responder.Step) { a.tellStep(r, path, step) })
}

// originStory says whose doing the event of a run was.
func originStory(o *responder.Origin) string {
	switch {
	case o.Run != "":
		return "Responder's own role, acting for run " + o.Run
	case o.Session != "":
		return "Responder's own role, in a session called " + o.Session + ": no run of that name is known"
	}
	return "Responder's own role, and by no session: its run is not known"
}

// deadline says what becomes of a run by the timeout of its flow.
func (a *app) deadline(r *responder.Run) string {
	if r.State.Ended() {
		return "it had until " + moment(r.Deadline)
	}
	return "fails at " + moment(r.Deadline) + " if it has not ended then"
}

// tellStep tells how a step stands, or that it was not reached.
func (a *app) tellStep(r *responder.Run, path string, step *responder.Step) {
	p := a.paint()
	state := r.Steps[path]
	indent := strings.Repeat("  ", 1+strings.Count(path, "."))
	if state == nil {
		a.hang(indent+p.faint(path)+"  ", p.faint(line(stepTitle(step, ""), 200)))
		return
	}
	a.hang(indent+p.faint(path)+"  ", line(stepTitle(step, state.Action), 200)+a.mark(step, state))
	deeper := indent + "   "
	tell := func(format string, args ...any) {
		a.tell(deeper, fmt.Sprintf(format, args...), uncoloured)
	}
	if when := span(state); when != "" && len(state.Attempts) == 0 { // attempts have their own
		tell("%s", when)
	}
	if n, err := strconv.Atoi(path); err == nil && r.Undoes != nil && n < len(r.Undoes.Steps) {
		tell("puts back step %s", r.Undoes.Steps[n])
	}
	for _, why := range decisions(r, path, step) {
		tell("%s", line(why, 300))
	}
	if told := line(state.Error, markWidth); !ended(state) && told != "" {
		tell("last error: %s", line(state.Error, 1000))
	} else if told != line(state.Error, 1000) { // the mark has cut it
		tell("error: %s", line(state.Error, 1000))
	}
	if q := state.Approval; q != nil {
		a.tellAsked(q, tell)
	}
	if s := state.Survey; s != nil {
		tell("%s", line(surveyStory(s), 500))
	}
	for n := range state.Attempts {
		if n > 0 && n == state.Retried {
			tell("retried: what comes now counts anew")
		}
		tell("%s", line(attemptStory(state, n), 500))
	}
	for _, key := range slices.Sorted(maps.Keys(state.Result)) {
		if key == "would" || key == "why" {
			continue // the mark says the one, decisions the other
		}
		value, err := json.Marshal(state.Result[key])
		if err != nil {
			value = []byte(err.Error())
		}
		tell("%s: %s", line(key, 40), line(string(value), 300))
	}
}

// span says when a step was reached, and when it came to its end; "" of a run
// from before that was noted.
func span(state *responder.StepState) string {
	began, over := moment(state.Began), moment(state.Ended)
	switch {
	case state.Began.IsZero():
		return ""
	case state.Ended.IsZero():
		return "since " + began
	case began == over:
		return "at " + began
	}
	return "from " + began + " to " + over
}

// tellAsked tells of a step's question.
func (a *app) tellAsked(q *responder.Approval, tell func(format string, args ...any)) {
	tell("asks: %s", line(q.Text, 1000))
	for _, p := range q.Plan {
		tell("would %s", line(p.Phrase(), 800))
	}
	tell("asked %s at %s, until %s", line(whoMay(q.By), 300), moment(q.Asked), moment(q.Until))
	if told := answerStory(q); told != "" {
		tell("%s", line(told, 400))
	}
}

// ended reports whether a step's mark tells of its error.
func ended(state *responder.StepState) bool {
	return state.State == responder.StepFailed || state.State == responder.StepStopped
}

// stepTitle is what a step is, as the flow says it. action is what a check or
// remediate came to be, "" if that is not known yet.
func stepTitle(step *responder.Step, action string) string {
	title := string(step.Kind)
	switch {
	case step.Kind == responder.StepAction:
		title = step.Action
	case step.Kind == responder.StepWait && step.Until != nil:
		title = "wait until " + step.Until.String()
	case step.Kind == responder.StepWait:
		title = "wait " + duration(step.Wait)
	case step.Kind == responder.StepIf:
		title = "if " + step.If
	case step.Join == responder.JoinAny:
		title = fmt.Sprintf("parallel, the first of %d", len(step.Steps))
	case action != "":
		title += " " + action
	}
	if step.As != "" {
		title += " as " + step.As
	}
	return title
}

// decisions are what was decided about a step, and why.
func decisions(r *responder.Run, path string, step *responder.Step) []string {
	state := r.Steps[path]
	why, _ := state.Result["why"].(string)
	var told []string
	switch {
	case state.State == responder.StepSkipped && why == "" && step.If != "":
		told = append(told, "skipped: not so that "+step.If)
	case state.State == responder.StepSkipped && why != "":
		told = append(told, "skipped: "+why)
	case state.State == responder.StepCancelled:
		told = append(told, strings.TrimSuffix("given up: "+why, ": "))
	case why != "":
		told = append(told, why)
	}
	if would, _ := state.Result["would"].(string); would != "" && !state.Dry {
		told = append(told, "would "+would)
	}
	switch {
	case state.Branch != "":
		told = append(told, "took the branch "+state.Branch)
	case step.Join == responder.JoinAny:
		for i := range step.Steps {
			member := fmt.Sprintf("%s.%d", path, i)
			if s := r.Steps[member]; s != nil && s.State == responder.StepSucceeded {
				told = append(told, "ended well: "+member)
			}
		}
	}
	switch {
	case state.State != responder.StepWaiting:
	case state.Approval.Open(): // until when it stands is told with it
	case step.Kind == responder.StepWait:
		told = append(told, "until "+moment(state.Due))
	default:
		told = append(told, "goes on at "+moment(state.Due))
	}
	return told
}

// surveyStory tells what a repair found before it acted.
func surveyStory(s *responder.Survey) string {
	if len(s.Targets) == 0 {
		return "found nothing to touch"
	}
	var arns []string
	for _, t := range s.Targets[:min(len(s.Targets), 3)] {
		arns = append(arns, t.ARN)
	}
	if len(s.Targets) > len(arns) {
		arns = append(arns, "…")
	}
	return fmt.Sprintf("would touch %s: %s", count(len(s.Targets), "thing"), strings.Join(arns, ", "))
}

// attemptStory tells of one attempt, or of one look before or after it.
func attemptStory(state *responder.StepState, n int) string {
	attempt := state.Attempts[n]
	story := fmt.Sprintf("attempt %d at %s ", n+1, moment(attempt.Began))
	if attempt.Verify {
		story = fmt.Sprintf("look %d at %s, whether it was done, ", n+1, moment(attempt.Began))
	}
	if attempt.Survey {
		story = fmt.Sprintf("look %d at %s, what there is, ", n+1, moment(attempt.Began))
	}
	switch {
	case attempt.Ended.IsZero():
		story += "has not ended"
	case attempt.Lost:
		story += "was lost, given up at " + moment(attempt.Ended)
	default:
		story += "took " + attempt.Ended.Sub(attempt.Began).Round(time.Millisecond).String()
	}
	if attempt.Error != "" {
		story += ": " + attempt.Error
	} else if found := found(state, n); found != "" {
		story += ": " + found
	}
	if attempt.Unknown {
		story += " (nobody knows whether it acted)"
	}
	return story
}

// found says what a look without an error has found, "" of what is none. Of
// several looks after one try, the last has found it.
func found(state *responder.StepState, n int) string {
	last := n == len(state.Attempts)-1
	if !state.Attempts[n].Verify || state.Attempts[n].Ended.IsZero() || !last && state.Attempts[n+1].Verify {
		return ""
	}
	tries := slices.DeleteFunc(slices.Clone(state.Attempts[:n]), func(a responder.Attempt) bool { return !a.Try() })
	switch {
	case len(tries) > 0 && !tries[len(tries)-1].Unknown:
		return "it was not"
	case last && state.State == responder.StepSucceeded:
		return "it was"
	}
	return ""
}
