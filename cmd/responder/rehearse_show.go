package main

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
	"github.com/skycrafters/responder/internal/lang"
)

// noRule is why an event makes no finding.
const noRule = "no rule sees it"

// tellUnseen tells of an event that no rule sees.
func (r *rehearsal) tellUnseen(event responder.Event) {
	if r.format == "json" {
		if err := r.printJSON(r.rehearsedLine(event, nil, nil)); err != nil {
			fmt.Fprintln(r.stderr, "responder:", err)
		}
		return
	}
	if r.rule == "" {
		r.tellMiss(event, r.definitions.Rules)
		return
	}
	p := r.paint()
	fmt.Fprintf(r.stdout, "%s the rule %s does not see it: %s\n", p.faint("✗"), p.bold(r.rule), headline(event))
	r.tellClauses(r.why(r.rule, event))
}

// tellRehearsed tells of a finding, and of what each flow would do about it.
func (r *rehearsal) tellRehearsed(event responder.Event, finding responder.Finding, all []dispatch.Rehearsed) error {
	if r.format == "json" {
		for i := range all {
			if err := r.printJSON(r.rehearsedLine(event, &finding, &all[i])); err != nil {
				return err
			}
		}
		if len(all) == 0 && r.flow == "" {
			return r.printJSON(r.rehearsedLine(event, &finding, nil))
		}
		return nil
	}
	if r.findings > 1 {
		fmt.Fprintln(r.stdout)
	}
	r.tellFinding(finding, event, r.definitions.Rules.Accounts)
	r.wrapped("  ", "", clean(finding.Message))
	r.tellClauses(r.why(finding.Rule, event))
	switch {
	case len(all) > 0:
	case r.flow != "":
		r.tellNoRun("the flow " + r.flow + " is not for it")
	default:
		r.tellNoRun(noFlow)
	}
	for i := range all {
		r.tellFlow(event, &all[i])
	}
	return nil
}

// notBegun says why a flow makes no run of a finding, "" if it does.
func notBegun(one *dispatch.Rehearsed) string {
	switch {
	case one.Met:
		return seenBefore
	case one.Run == nil:
		return "its condition is not met"
	}
	return ""
}

// tellFlow tells of a flow.
func (r *rehearsal) tellFlow(event responder.Event, one *dispatch.Rehearsed) {
	p := r.paint()
	fmt.Fprintf(r.stdout, "\n%s\n", p.bold("flow "+line(one.Flow.Name, 60)))
	switch {
	case len(one.If) == 1:
		c := one.If[0]
		r.fact("  ", "if", fmt.Sprintf("%s → %s (%s)", c.Text, lang.Show(c.Value), strings.Join(c.Notes, "; ")))
	case len(one.If) > 1:
		fmt.Fprintln(r.stdout, "  if")
		r.tellClauses(one.If)
	}
	if why := notBegun(one); why != "" {
		fmt.Fprintln(r.stdout, "  "+p.yellow("begins nothing: "+why))
		return
	}
	for _, g := range one.Guards {
		r.tellGuard("  ", g)
	}
	if w := one.Cooldown; w != nil {
		r.fact("  ", "cooldown", windowText(w))
	}
	dispatch.WalkRun(one.Run, func(path string, step *responder.Step) { r.tellRehearsedStep(one, path, step) })
	ends := string(one.Run.State)
	if one.Run.Cause != "" {
		ends += ": " + line(one.Run.Cause, 300)
	}
	r.fact("  ", "ends as", ends)
	at := ""
	for _, n := range needed(one, event.Account()) {
		if n.account != at {
			fmt.Fprintf(r.stdout, "  needs in %s\n", n.account)
			at = n.account
		}
		r.wrapped("    ", "", strings.Join(n.Actions, ", ")+" on")
		for _, resource := range n.Resources {
			fmt.Fprintln(r.stdout, "      "+line(resource, 400))
		}
	}
}

// reach says whether checks and repairs come to an account, and as whom.
func (r *rehearsal) reach(account string) dispatch.GuardReport {
	g := dispatch.GuardReport{Guard: dispatch.GuardAccount, Verdict: dispatch.Holds}
	switch {
	case account == "":
		g.Says = "the event names none: checks and repairs would fail"
	case r.app.members.Role == "":
		g.Verdict, g.Says = dispatch.Unknown, account+": checks and repairs act there if Responder's credentials are of it"
	case slices.Contains(r.app.members.Accounts, account):
		g.Verdict, g.Says = dispatch.Passes, account+": checks and repairs act there through the role "+r.app.members.Role
	default:
		g.Says = account + ": it is not among the member accounts, so checks and repairs would fail"
	}
	return g
}

func windowText(w *dispatch.Window) string {
	var values []string
	for _, v := range w.Values {
		values = append(values, line(lang.Show(v), 60))
	}
	text := fmt.Sprintf("%s by %s: %s", duration(w.For), strings.Join(w.By, ", "), strings.Join(values, ", "))
	switch {
	case w.Err != nil:
		return "it cannot be judged, and lets the finding through: " + w.Err.Error()
	case w.Quiet != "":
		return text + "; " + w.Quiet
	}
	return text + "; let through"
}

// tellRehearsedStep tells of a step.
func (r *rehearsal) tellRehearsedStep(one *dispatch.Rehearsed, path string, step *responder.Step) {
	p := r.paint()
	state := one.Run.Steps[path]
	indent := strings.Repeat("  ", 1+strings.Count(path, "."))
	if state == nil {
		fmt.Fprintf(r.stdout, "%s%s  %s\n", indent, p.faint(path), p.faint(line(stepTitle(step, ""), 70)+"  not come to"))
		return
	}
	fmt.Fprintf(r.stdout, "%s%s  %s%s\n", indent, p.faint(path), p.bold(line(stepTitle(step, state.Action), 200)), r.outcome(step, state))
	deeper := indent + "   "
	s := one.Steps[path]
	if s.Would != "" && s.Sent == nil {
		r.fact(deeper, "would", s.Would)
	}
	if why := whyNot(state); why != "" {
		r.factIn(p.yellow, deeper, "but", line(why, 300))
	}
	if state.Error != "" && s.Err == nil {
		r.factIn(p.red, deeper, "error", line(state.Error, 500))
	}
	if s.Err != nil {
		r.factIn(p.red, deeper, "error", line(s.Err.Error(), 500))
	}
	if s.Sent != nil {
		r.fact(deeper, "to", line(s.Sent.To, 200))
		r.tellText(deeper, s.Sent.Text)
	}
	if q := state.Approval; q != nil {
		r.tellAsks(deeper, q)
	}
	if _, shown := one.Steps[path]; shown && state.Kind == responder.Repair {
		r.tellRepair(deeper, one, path, s)
	}
}

// toldLines is how many lines of a notice are told.
const toldLines = 15

// tellText tells the beginning of what people would read.
func (r *rehearsal) tellText(indent, text string) {
	lines := strings.Split(strings.TrimRight(clean(text), "\n"), "\n")
	for _, text := range lines[:min(len(lines), toldLines)] {
		r.wrapped(indent, "│ ", text)
	}
	if more := len(lines) - toldLines; more > 0 {
		fmt.Fprintf(r.stdout, "%s%s\n", indent, r.paint().faint(fmt.Sprintf("│ … %s; `responder preview` shows all", count(more, "more line"))))
	}
}

// outcome says how a step went, where that is not told below it.
func (r *rehearsal) outcome(step *responder.Step, state *responder.StepState) string {
	p := r.paint()
	switch {
	case state.State == responder.StepSkipped && state.Result["would"] == nil:
		return p.faint("  – not so")
	case state.State == responder.StepCancelled:
		return p.faint("  ⊘ given up: another branch was first")
	case state.State == responder.StepStopped:
		return p.yellow("  ■ stops here: " + line(state.Error, 200))
	case state.State == responder.StepFailed:
		return p.red("  ✗")
	case step.Kind == responder.StepWait:
		return p.faint("  passed over, until " + moment(state.Ended))
	case state.Branch != "":
		return p.faint("  → " + state.Branch)
	case state.Kind == responder.Check && !r.live:
		return p.faint("  counts as yes")
	case state.Kind == responder.Check:
		return p.green("  says yes")
	}
	return ""
}

// whyNot says why a step is recorded or skipped, "" where it is done, or skipped
// by its own condition.
func whyNot(state *responder.StepState) string {
	why, _ := state.Result["why"].(string)
	if guard, _ := state.Result["guard"].(string); guard != "" {
		return "held back by " + guard + ": " + why
	}
	if why != "" && state.Dry {
		return "recorded, not done: " + why
	}
	return why
}

// tellAsks tells what people are asked.
func (r *rehearsal) tellAsks(indent string, q *responder.Approval) {
	r.fact(indent, "asks", q.Text)
	for _, p := range q.Plan {
		r.fact(indent, "about", p.Phrase())
	}
	if len(q.Plan) == 0 {
		r.fact(indent, "about", "no repair hangs on it")
	}
	r.fact(indent, "decide", whoMay(q.By))
	r.fact(indent, "may not", whoMayNot(q.Not))
	if q.Veto {
		r.fact(indent, "until", moment(q.Until)+", and goes on as if nobody had objected")
	} else {
		r.fact(indent, "until", moment(q.Until)+", and goes on as if it had been approved")
	}
}

// whoMayNot says who is the event's actor.
func whoMayNot(b responder.Barred) string {
	var all []string
	for _, names := range [][]string{b.IAM, b.Slack, b.Names} {
		all = append(all, names...)
	}
	if len(all) == 0 {
		return "nobody is kept from it: the event names no actor"
	}
	return "who caused the event: " + strings.Join(all, ", ")
}

// tellRepair tells what a repair would touch, what guards say, and what puts it back.
func (r *rehearsal) tellRepair(indent string, one *dispatch.Rehearsed, path string, s dispatch.RehearsedStep) {
	switch found := s.Survey; {
	case found == nil && s.Err == nil && !r.live:
		r.fact(indent, "touches", "not looked at, nor judged by guards: --live-reads does")
	case found == nil:
	case len(found.Targets) == 0:
		r.fact(indent, "touches", "nothing: it is not there")
	default:
		for _, t := range found.Targets {
			r.fact(indent, "touches", targetText(t))
		}
		for _, key := range slices.Sorted(maps.Keys(found.Found)) {
			r.fact(indent, "found", key+": "+line(lang.Show(found.Found[key]), 300))
		}
	}
	r.tellGuards(indent, s)
	switch {
	case len(s.Undo) > 0:
		for _, undo := range s.Undo {
			r.fact(indent, "undo", undo)
		}
	case s.Already:
		r.fact(indent, "undo", "nothing to put back")
	case s.Survey == nil || len(s.Survey.Targets) > 0:
		r.fact(indent, "undo", s.Inverse)
	}
	if s.Survey != nil && len(s.Survey.Lasting) > 0 {
		r.fact(indent, "lasting", strings.Join(s.Survey.Lasting, ", "))
	}
	switch p := r.paint(); {
	case !acts(one, path):
		r.factIn(p.yellow, indent, "so", "it does not act")
	case s.Survey == nil:
		r.factIn(p.green, indent, "so", "it acts, as far as can be told without a look")
	case s.Already:
		r.factIn(p.yellow, indent, "so", "it acts, and changes nothing: it is so already")
	default:
		r.factIn(p.green, indent, "so", "it acts")
	}
}

// tellGuards tells what guards say of a repair: those that look at what it would
// touch, where it was looked at; all that hold it back.
func (r *rehearsal) tellGuards(indent string, s dispatch.RehearsedStep) {
	var limits []string
	for _, g := range s.Guards {
		limit := strings.HasPrefix(g.Guard, "limits.")
		asked := g.Guard == dispatch.GuardProtected || g.Guard == dispatch.GuardScope || s.Survey != nil
		switch {
		case g.Verdict == dispatch.Holds:
			r.tellGuard(indent, g)
		case g.Guard == dispatch.GuardHalt, g.Guard == dispatch.GuardSurvey, !asked, limit && g.Says == dispatch.NoneSaid:
		case limit:
			limits = append(limits, g.Says)
		case g.Verdict == dispatch.Passes && g.Says != dispatch.NoneSaid:
			r.fact(indent, g.Guard, "✓ "+line(g.Says, 400))
		case g.Verdict == dispatch.Unknown:
			r.fact(indent, g.Guard, "? "+line(g.Says, 400))
		}
	}
	if len(limits) > 0 {
		r.fact(indent, "limits", "✓ "+strings.Join(limits, "; "))
	}
}

// acts reports whether nothing that is known keeps a repair from acting.
func acts(one *dispatch.Rehearsed, path string) bool {
	holds := func(g dispatch.GuardReport) bool { return g.Verdict == dispatch.Holds }
	state, s := one.Run.Steps[path], one.Steps[path]
	return state.State == responder.StepSucceeded && !state.Dry && s.Err == nil && (s.Survey == nil || len(s.Survey.Targets) > 0) &&
		!slices.ContainsFunc(one.Guards, holds) && !slices.ContainsFunc(s.Guards, holds)
}

func targetText(t responder.Target) string {
	text := t.ARN
	var tags []string
	for _, key := range slices.Sorted(maps.Keys(t.Tags)) {
		tags = append(tags, key+": "+t.Tags[key])
	}
	if len(tags) > 0 {
		text += " {" + strings.Join(tags, ", ") + "}"
	}
	if t.TagsUnknown {
		text += " (its tags cannot be seen)"
	}
	return line(text, 400)
}

// tellGuard tells what a guard says.
func (r *rehearsal) tellGuard(indent string, g dispatch.GuardReport) {
	label := cmp.Or(map[string]string{dispatch.GuardAge: "age", dispatch.GuardOwnRoles: "cause"}[g.Guard], g.Guard)
	if g.Verdict == dispatch.Holds {
		r.factIn(r.paint().yellow, indent, label, "✗ "+line(g.Says, 400))
		return
	}
	r.fact(indent, label, line(g.Says, 400))
}

// need is what something takes in an account.
type need struct {
	account string // homeAccount, or the event's
	responder.Permission
}

// homeAccount is that which Responder runs in.
const homeAccount = "Responder's account"

// needed is what the steps of a rehearsed flow take, account by account, each once.
func needed(one *dispatch.Rehearsed, account string) []need {
	var all []need
	dispatch.Walk(one.Run.Flow.Steps, func(path string, _ *responder.Step) {
		for _, p := range one.Steps[path].Needs {
			n := need{account, p}
			if one.Run.Steps[path].Kind == responder.Notice {
				n.account = homeAccount
			} else {
				n.Resources = filledIn(p.Resources, account)
			}
			if !slices.ContainsFunc(all, func(other need) bool { return reflect.DeepEqual(other, n) }) {
				all = append(all, n)
			}
		}
	})
	slices.SortStableFunc(all, func(a, b need) int { return strings.Compare(b.account, a.account) })
	return all
}

// filledIn puts in an account for what permissions of a template leave open.
func filledIn(resources []string, account string) []string {
	var all []string
	for _, resource := range resources {
		all = append(all, strings.ReplaceAll(resource, "${AWS::AccountId}", account))
	}
	return all
}
