package main

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/cmd/internal/wiring"
	"github.com/skycrafters/responder/detect"
	"github.com/skycrafters/responder/dispatch"
	"github.com/skycrafters/responder/internal/lang"
)

// toldEvents is how many events `run` tells of one by one.
const toldEvents = 20

// tellSummary is the first line of what `run` says.
func (a *app) tellSummary(s summary, mode responder.Mode) {
	p := a.paint()
	runs := 0
	for _, n := range s.Runs {
		runs += n
	}
	text := fmt.Sprintf("%s · %s · %s · %s", count(s.Events, "event"), count(s.Findings, "finding"), count(runs, "run"), count(s.RuleErrors+s.Dead+s.Refused, "error"))
	if s.FailedSteps > 0 {
		text += fmt.Sprintf(" · %s failed", count(s.FailedSteps, "step"))
	}
	if s.HeldBack > 0 {
		text += fmt.Sprintf(" · %d held back", s.HeldBack)
	}
	if s.Duplicates > 0 {
		text += fmt.Sprintf(" · %s seen before", count(s.Duplicates, "event"))
	}
	note := "(live)"
	if mode == responder.ModeDry {
		note = "(dry: nothing is sent)"
	}
	gap := "\n"
	if room := a.lineWidth() - len([]rune(text)) - len(note); room >= 2 {
		gap = strings.Repeat(" ", room)
	}
	fmt.Fprintf(a.stdout, "%s%s%s\n", p.bold(text), gap, p.faint(note))
}

// flowsFor gives the enabled flows that are for a rule.
func flowsFor(d *wiring.Definitions, rule string) []responder.Flow {
	var flows []responder.Flow
	for _, f := range d.Flows.All() {
		if !f.Disabled && dispatch.For(f, rule) {
			flows = append(flows, f)
		}
	}
	return flows
}

// tellStories tells what became of the first events.
func (a *app) tellStories(t *tally, d *wiring.Definitions) {
	outcomes, runsOf, known := t.stories()
	p := a.paint()
	told := 0
	for _, o := range outcomes {
		if told == toldEvents {
			fmt.Fprintln(a.stdout, p.faint("… `responder runs list` shows every run"))
			break
		}
		for _, e := range o.Errors {
			a.tell("", fmt.Sprintf("%s %s: %s", p.red("rule error"), e.Rule, line(e.Err.Error(), 100)), uncoloured)
		}
		if len(o.Findings) == 0 {
			if len(outcomes) <= toldEvents {
				a.tellMiss(o.Event(), d.Rules)
				told++
			}
			continue
		}
		told++
		for _, f := range o.Findings {
			a.tellFinding(f, o.Event(), d.Rules.Accounts)
			runs, flows := runsOf(f), flowsFor(d, f.Rule)
			for _, r := range runs {
				a.tellChain(r, len(flows) > 1)
			}
			switch {
			case len(runs) > 0:
			case known(f):
				a.tellNoRun(seenBefore)
			case len(flows) == 0:
				a.tellNoRun(noFlow)
			default:
				a.tellNoRun("the condition of its flow is not met")
			}
		}
	}
}

// Why a finding makes no run.
const (
	noFlow     = "no flow is for it"
	seenBefore = "seen before: its run is there already"
)

func (a *app) tellNoRun(why string) { fmt.Fprintln(a.stdout, a.paint().faint("  └ "+why)) }

// tellChain tells of a run; of the flow too, where several answer one rule.
func (a *app) tellChain(r *responder.Run, named bool) {
	name := ""
	if named {
		name = line(r.Flow.Name, 40) + ": "
	}
	lead, after := "  └ "+name, "    "
	for text := range strings.SplitSeq(a.chain(r), "\n") {
		a.hang(lead, strings.TrimSpace(text))
		lead = after
	}
}

func (a *app) tellFinding(f responder.Finding, event responder.Event, accounts map[string]map[string]any) {
	p := a.paint()
	env := lang.EventEnv(event, accounts)
	account, _ := env["account"].(map[string]any)
	words := []string{p.bold(f.Rule)}
	if name := lang.Format(account["name"]); name != "" {
		words = append(words, line(name, 40))
	}
	if len(f.Resources) > 0 {
		words = append(words, line(strings.Join(f.Resources, ", "), 60))
	}
	if ip := lang.Format(env["ip"]); ip != "" {
		words = append(words, p.faint("from "+line(ip, 45)))
	}
	a.hang(p.severity(f.Severity)+"  ", strings.Join(words, "  "))
}

func (a *app) tellMiss(event responder.Event, rules *detect.Rules) {
	text := "no match: " + headline(event)
	if near, ok := rules.Nearest(event); ok {
		text += "; nearest " + near.Rule + ": " + near.Why
	}
	a.tell("", line(text, 160), a.paint().faint)
}

// chainWidth is where a run's chain of steps goes on in the next line.
func (a *app) chainWidth() int {
	const usual = 110
	if width := columns(a.stdout); width > 0 {
		return min(usual, width-8) // of which its lead takes some
	}
	return usual
}

// chain is a run as its steps with a mark each.
func (a *app) chain(r *responder.Run) string {
	text := a.steps(r, "", r.Flow.Steps, " → ")
	if r.State != responder.RunSucceeded && r.State.Ended() {
		text += "  " + a.paint().red(string(r.State))
		if !causeTold(r) {
			text += " " + line(r.Cause, 100)
		}
	}
	return text
}

// causeTold reports whether the mark of a step tells all that there is to a run's cause.
func causeTold(r *responder.Run) bool {
	for _, s := range r.Steps {
		if s.Error != "" && ended(s) && strings.HasSuffix(r.Cause, "): "+s.Error) && line(s.Error, markWidth) == line(s.Error, 1000) {
			return true
		}
	}
	return false
}

// steps joins the steps of a list, in lines of about chainWidth.
func (a *app) steps(r *responder.Run, under string, steps []responder.Step, joint string) string {
	var b strings.Builder
	width := 0
	for i := range steps {
		path := fmt.Sprint(i)
		if under != "" {
			path = under + "." + path
		}
		part := a.step(r, path, &steps[i])
		n := visible(part) + visible(joint)
		switch {
		case i > 0 && width+n > a.chainWidth():
			b.WriteString("\n   " + joint)
			width = 0
		case i > 0:
			b.WriteString(joint)
		}
		width += n
		b.WriteString(part)
	}
	return b.String()
}

var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// visible is how many characters of a text are seen.
func visible(text string) int { return len([]rune(colours.ReplaceAllString(text, ""))) }

func (a *app) step(r *responder.Run, path string, step *responder.Step) string {
	state := r.Steps[path]
	switch step.Kind {
	case responder.StepParallel:
		group := "(" + a.steps(r, path, step.Steps, " | ") + ")"
		if step.Join == responder.JoinAny {
			return "first of " + group
		}
		return group
	case responder.StepSequential:
		return "(" + a.steps(r, path, step.Steps, " → ") + ")"
	case responder.StepIf:
		text := "if" + a.mark(step, state)
		if state != nil && state.Branch == "then" {
			text += " (" + a.steps(r, path+".then", step.Steps, " → ") + ")"
		} else if state != nil && state.Branch == "else" {
			text += " else (" + a.steps(r, path+".else", step.Else, " → ") + ")"
		}
		return text
	}
	return a.stepName(step) + a.mark(step, state) + a.undone(state)
}

// undone says why a repair that was reached was not done, or a question not answered with yes.
func (a *app) undone(state *responder.StepState) string {
	if state == nil || state.State != responder.StepSkipped || state.Kind != responder.Repair && state.Approval == nil {
		return ""
	}
	if guard, held := state.Result["guard"].(string); held {
		return a.paint().yellow(" held back by " + line(guard, markWidth))
	}
	why, _ := state.Result["why"].(string)
	return a.paint().yellow(strings.TrimRight(" "+line(why, markWidth), " "))
}

func (a *app) stepName(step *responder.Step) string {
	switch step.Kind {
	case responder.StepAction:
		return step.Action
	case responder.StepWait:
		if step.Until != nil {
			return "wait until " + step.Until.Clock
		}
		return "wait " + duration(step.Wait)
	}
	return string(step.Kind)
}

// markWidth is the most that a mark says of an error.
const markWidth = 80

// mark says how a step went.
func (a *app) mark(step *responder.Step, state *responder.StepState) string {
	p := a.paint()
	if state == nil {
		return ""
	}
	would, _ := state.Result["would"].(string)
	if state.Dry && would != "" {
		would = " would " + line(would, 80)
		if state.Kind == responder.Repair {
			return p.yellow(would)
		}
		return p.faint(would)
	}
	switch state.State {
	case responder.StepSucceeded:
		return p.green(" ✓")
	case responder.StepFailed:
		return p.red(" ✗ " + line(state.Error, markWidth))
	case responder.StepStopped:
		return p.yellow(" ■ " + line(state.Error, markWidth))
	case responder.StepSkipped:
		return p.faint(" –")
	case responder.StepCancelled:
		return p.faint(" ⊘")
	case responder.StepWaiting:
		return p.yellow(" ◷")
	}
	return p.yellow(" …")
}

// duration without zero parts: 10s, 1h30m, 90d.
func duration(d time.Duration) string {
	if day := 24 * time.Hour; d >= day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
