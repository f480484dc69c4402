package simulation

import (
	"fmt"
	"strings"
	"testing/fstest"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
)

// rule is the one that every finding is of.
const rule = "Trouble"

// author writes the flows of a history as flows.yml.
//
// No two durations in a file are the same: two timers that end at one instant
// would be served in an order that nobody can replay.
type author struct {
	dice
	version
	yaml   strings.Builder
	steps  int  // written so far
	mended bool // the flow has its remediate
	sequel bool // what is written follows a question that was not answered with yes
}

// version is which of a history's flows.yml is written.
type version struct {
	guarded bool   // people are asked, and guards stand around repairs
	edited  bool   // it has other steps, and arms less
	off     string // the flow that is disabled; "": none
}

// flowNames gives the names of the history's flows.
func flowNames(d dice) []string { return []string{"a", "b"}[:1+d.upTo("flows", 2)] }

// write gives the flows of a history.
func write(d dice, v version) string {
	a := &author{dice: d, version: v}
	if v.guarded {
		a.deciders()
	}
	a.line(0, "flows:")
	for _, name := range flowNames(d) {
		a.mended = false
		a.line(1, "- name: %s", name)
		a.line(2, "rule: %s", rule)
		if name == "b" {
			a.line(2, "if: severity >= HIGH")
		}
		a.line(2, "repairs: %s", v.repairs(d, name))
		if v.off == name {
			a.line(2, "enabled: false")
		}
		if v.guarded {
			a.fence(name)
		}
		if d.chance(name+" has a timeout", .15) {
			a.line(2, "timeout: %s", a.duration(name+" timeout", one(d, name+" time", time.Minute, 3*time.Hour, 5*24*time.Hour)))
		}
		a.cooldown(name)
		a.line(2, "sequential:")
		if v.edited {
			a.line(3, "- Tell: {what: edited}")
		}
		a.list(3, 0, 1+d.upTo("length of "+name, 5), nil)
	}
	return a.yaml.String()
}

// repairs is how far a flow may change the world.
func (v version) repairs(d dice, flow string) string {
	switch {
	case v.guarded && v.edited:
		return one(d, "repairs of "+flow+" edited", "dry", "approve", "live")
	case v.guarded:
		return one(d, "repairs of "+flow, "live", "live", "live", "approve", "approve", "dry", "off")
	case v.edited:
		return "dry"
	}
	return one(d, "repairs of "+flow, "live", "live", "live", "live", "dry", "off")
}

// load reads flows.yml as the product does.
func load(yaml string, catalogue responder.Catalogue) (*dispatch.Flows, error) {
	flows, problems := dispatch.Load(fstest.MapFS{"flows.yml": {Data: []byte(yaml)}}, "flows.yml", dispatch.LoadOptions{
		Catalogue: catalogue,
		Rules:     []dispatch.RuleInfo{{Name: rule, HasCheck: true, HasRemediate: true}},
	})
	if err := problems.Err(); err != nil {
		return nil, fmt.Errorf("flows that the simulation wrote:\n%s\n%w", yaml, err)
	}
	return flows, nil
}

func (a *author) line(indent int, format string, args ...any) {
	a.yaml.WriteString(strings.Repeat("  ", indent))
	fmt.Fprintf(&a.yaml, format, args...)
	a.yaml.WriteByte('\n')
}

// list writes steps that follow each other. They may ask for those of past,
// which have come to rest before them.
func (a *author) list(indent, depth, n int, past []string) {
	for range n {
		past = append(past[:len(past):len(past)], a.step(indent, depth, past))
	}
}

// step writes one step and gives its name.
func (a *author) step(indent, depth int, past []string) string {
	a.steps++
	name := fmt.Sprintf("s%d", a.steps)
	what := a.roll(name + " is")
	room := depth < 3 && a.steps < 14
	if a.guarded && !a.sequel && a.chance(name+" asks people", .2) {
		a.question(indent, depth, name, past)
		return name
	}
	if a.guarded && what < .30 && a.chance(name+" repairs", .5) {
		what = .75
	}
	switch {
	case what < .30:
		a.action(indent, name, one(a.dice, name+" notice", "Tell", "Shout"))
	case what < .33:
		a.line(indent, "- wait: {until: \"%02d:%02d\", zone: %s, days: %s}", a.upTo(name+" hour", 24), a.upTo(name+" minute", 60),
			one(a.dice, name+" zone", "UTC", "Europe/Paris", "America/New_York"), one(a.dice, name+" days", "mon-sun", "mon-fri", "[sat, sun]"))
	case what < .42:
		a.line(indent, "- wait: %s", a.duration(name+" wait", one(a.dice, name+" unit",
			10*time.Second, 10*time.Second, 5*time.Minute, 5*time.Minute, 4*time.Hour, 3*24*time.Hour, 45*24*time.Hour)))
	case what < .52:
		a.action(indent, name, "Ask")
	case what < .57:
		a.line(indent, "- check: {}")
		a.trying(indent+1, name)
	case what < .68 && !a.mended:
		a.mended = true
		a.line(indent, "- remediate: {}")
		a.trying(indent+1, name)
	case what < .78 || !room:
		repair := one(a.dice, name+" repair", "Mend", "Break")
		if a.guarded && a.chance(name+" can be undone", .5) {
			repair = "Mend"
		}
		a.action(indent, name, repair)
	case what < .88:
		a.line(indent, "- parallel:")
		for range 2 + a.upTo(name+" branches", 2) {
			if a.chance(fmt.Sprintf("%s branch %d is a list", name, a.steps), .4) {
				a.steps++
				inner := fmt.Sprintf("s%d", a.steps)
				a.line(indent+2, "- sequential:")
				a.list(indent+4, depth+2, 2, past)
				a.line(indent+3, "as: %s", inner)
				continue
			}
			a.step(indent+2, depth+1, past)
		}
		if a.chance(name+" joins any", .4) {
			a.line(indent+1, "join: any")
		}
	case what < .92:
		a.line(indent, "- sequential:")
		a.list(indent+2, depth+1, 1+a.upTo(name+" length", 3), past)
	default:
		a.line(indent, "- if: %s", a.condition(name, past))
		a.line(indent+1, "then:")
		a.list(indent+2, depth+1, 1+a.upTo(name+" then", 2), past)
		if a.chance(name+" has else", .6) {
			a.line(indent+1, "else:")
			a.list(indent+2, depth+1, 1+a.upTo(name+" else", 2), past)
		}
		a.line(indent+1, "as: %s", name)
		return name
	}
	a.line(indent+1, "as: %s", name)
	if a.chance(name+" has if", .15) {
		a.line(indent+1, "if: %s", a.condition(name, past))
	}
	a.onError(indent+1, depth, name, past)
	return name
}

func (a *author) action(indent int, name, action string) {
	a.line(indent, `- %s: {what: "%s of {{ resources[0] }}"}`, action, name)
	a.trying(indent+1, name)
}

// trying writes how often and how long a step tries.
func (a *author) trying(indent int, name string) {
	if a.chance(name+" has retry", .5) {
		a.line(indent, "retry: {attempts: %d, backoff: %s, cap: %s}", 1+a.upTo(name+" attempts", 4),
			a.duration(name+" backoff", 2*time.Second), a.duration(name+" cap", time.Minute))
	}
	a.line(indent, "timeout: %s", a.duration(name+" timeout", one(a.dice, name+" patience", 5*time.Second, 30*time.Second, 3*time.Minute)))
}

func (a *author) onError(indent, depth int, name string, past []string) {
	switch what := a.roll(name + " on_error"); {
	case what < .2:
		a.line(indent, "on_error: continue")
	case what < .3:
		a.line(indent, "on_error: stop")
	case what < .4 && depth < 3 && a.steps < 14:
		a.line(indent, "on_error:")
		a.list(indent+1, depth+1, 1+a.upTo(name+" rescue", 2), past)
	}
}

// condition writes what the simulation can judge as well (see model.holds).
func (a *author) condition(name string, past []string) string {
	if len(past) == 0 || a.chance(name+" asks for severity", .2) {
		return "severity >= HIGH"
	}
	of := past[a.upTo(name+" asks for", len(past))]
	return fmt.Sprintf(one(a.dice, name+" condition", "steps.%s.failed", "not steps.%s.failed", "steps.%s.succeeded"), of)
}

// duration writes one that is about as long as asked.
func (a *author) duration(question string, about time.Duration) string {
	d := a.span(question, about/2, about*2).Truncate(time.Microsecond)
	return fmt.Sprintf("%.6fs", d.Seconds())
}
