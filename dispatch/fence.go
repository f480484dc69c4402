package dispatch

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/skycrafters/responder"
)

// The guards that hold repairs back, and the last one notices, as results of steps and metrics name them.
const (
	GuardOwn         = "own"                 // Responder's own
	GuardAccount     = "account"             // not of the event's account
	GuardProtected   = "protected"           //
	GuardScope       = "scope"               //
	GuardSurvey      = "survey"              // what would be touched is not said whole
	GuardPerFinding  = "limits.per_finding"  //
	GuardPerRun      = "limits.per_run"      //
	GuardPerHour     = "limits.per_hour"     //
	GuardPerAccount  = "limits.per_account"  //
	GuardPerResource = "limits.per_resource" //
	GuardHalt        = "halt"                // the run is parked
	GuardBreaker     = "limits.again"        // the flow is halted
	GuardNotices     = "limits.notices"      // of notices: told of together, later
)

// Guards lists all guards, in the order in which they are asked.
func Guards() []string {
	return []string{
		GuardHalt, GuardSurvey, GuardOwn, GuardAccount, GuardProtected, GuardScope, GuardPerFinding, GuardPerRun,
		GuardPerHour, GuardPerAccount, GuardPerResource, GuardBreaker, GuardNotices,
	}
}

// held is why a guard keeps a step from being done; the zero value: none does.
type held struct {
	guard, why string
	touched    int  // of an hour's limit: the things that are counted under it, at the least
	halts      bool // the flow is to be halted for it
}

func hold(guard, format string, args ...any) held {
	return held{guard: guard, why: cut(cleanText(fmt.Sprintf(format, args...)), maxWould)}
}

// fence is what stands around a repair that is about to act.
type fence struct {
	run      *responder.Run
	path     string
	flow     string
	account  string            // of the event
	region   string            // of the event
	survey   *responder.Survey // nil: its action cannot look
	rules    []*responder.Guards
	limits   responder.Limits
	ownRoles []string
	own      []string // patterns of ARNs
}

// fence gives what guards a repair: what its run began with, and what its flow
// says now.
func (w *worker) fence(task Task, flow responder.Flow) fence {
	return fence{
		run: w.run, path: task.Path, flow: w.run.Flow.Name,
		account: w.scene.event.Account(), region: w.scene.event.Region(),
		survey:   w.run.Steps[task.Path].Survey,
		rules:    []*responder.Guards{w.run.Flow.Guards, flow.Guards, {Protected: w.Flows().protected}},
		limits:   stricterLimits(LimitsOf(w.run.Flow.Guards), LimitsOf(flow.Guards)),
		ownRoles: w.guards.ownRoles, own: w.guards.own,
	}
}

// judge asks all guards that can be asked without looking anywhere. What people
// undo has no limits.
func (f fence) judge() held {
	guards := []func() held{f.told, f.ours, f.foreign, f.protected, f.scoped}
	if f.run.Undoes == nil {
		guards = append(guards, f.perFinding, f.perRun)
	}
	for _, ask := range guards {
		if h := ask(); h.guard != "" {
			return h
		}
	}
	return held{}
}

// told wants targets that are said whole.
func (f fence) told() held {
	for _, t := range f.targets() {
		if !strings.HasPrefix(t.ARN, "arn:") || t.Account == "" {
			return hold(GuardSurvey, "%q of account %q is not said whole: nobody can tell whether it may be touched", t.ARN, t.Account)
		}
		if said := accountIn(t.ARN); said != "" && said != t.Account {
			return hold(GuardSurvey, "%s is not of account %s, as it is said to be", t.ARN, t.Account)
		}
	}
	return held{}
}

// ours keeps repairs from Responder's own roles and resources.
func (f fence) ours() held {
	for _, t := range f.targets() {
		role := slices.ContainsFunc(f.ownRoles, func(own string) bool { return samePrincipal(own, t.ARN) })
		if role || fitsARN(f.own, t.ARN) != "" {
			return hold(GuardOwn, "%s is Responder's own", t.ARN)
		}
	}
	return held{}
}

// foreign keeps repairs in the event's account. A program that the flow's author
// names is where it is.
func (f fence) foreign() held {
	for _, t := range f.targets() {
		if t.Account != f.account && !t.Static {
			return hold(GuardAccount, "%s is of account %s, and the event is of %s", t.ARN, t.Account, f.account)
		}
	}
	return held{}
}

func (f fence) protected() held {
	for _, g := range f.rules {
		switch {
		case g == nil || len(g.Protected) == 0:
			continue
		case f.survey == nil:
			return hold(GuardProtected, "nobody can tell whether it would touch what is protected: the action does not say what it touches")
		}
		for _, t := range f.targets() {
			if pattern := fitsARN(g.Protected, t.ARN); pattern != "" {
				return hold(GuardProtected, "%s is protected, by %s", t.ARN, pattern)
			}
		}
	}
	return held{}
}

func (f fence) scoped() held {
	for _, g := range f.rules {
		if g == nil || g.Scope == nil {
			continue
		}
		scope := *g.Scope
		if f.run.Undoes != nil { // it was in the scope when it was repaired: only what is denied counts
			scope.Allow = nil
		}
		if h := f.within(&scope); h.guard != "" {
			return h
		}
	}
	return held{}
}

// within judges a scope. Of an action that cannot look, account and region are
// the event's, and what else is asked for fails closed.
func (f fence) within(s *responder.Scope) held {
	targets := f.targets()
	if f.survey == nil {
		for _, area := range []*responder.Area{s.Allow, s.Deny} {
			if area != nil && (area.Resources != nil || area.Tags != nil) {
				return hold(GuardScope, "the scope asks for resources or tags, and the action does not say what it touches")
			}
		}
		targets = []responder.Target{{ARN: "what it touches", Account: f.account, Region: f.region}}
	}
	for _, t := range targets {
		if s.Deny != nil {
			if why := denied(s.Deny, t); why != "" {
				return hold(GuardScope, "%s is denied: %s", t.ARN, why)
			}
		}
		if s.Allow != nil {
			if why := notAllowed(s.Allow, t); why != "" {
				return hold(GuardScope, "%s is not allowed: %s", t.ARN, why)
			}
		}
	}
	return held{}
}

// tagsUnknown is why a scope that asks for tags holds what may have any.
const tagsUnknown = "its tags are not known"

// denied says by what a target is in an area, "" if it is not.
func denied(a *responder.Area, t responder.Target) string {
	if fitting(a.Accounts, t.Account) != "" {
		return "account " + t.Account
	}
	if fitting(a.Regions, regionOf(t)) != "" {
		return "region " + regionOf(t)
	}
	if pattern := fitsARN(a.Resources, t.ARN); pattern != "" {
		return pattern
	}
	if t.TagsUnknown && len(a.Tags) > 0 {
		return tagsUnknown
	}
	for _, key := range sortedKeys(a.Tags) {
		if value, tagged := t.Tags[key]; tagged && fitting(a.Tags[key], value) != "" {
			return "tag " + key + ": " + value
		}
	}
	return ""
}

// notAllowed says by what a target is not in an area, "" if it is.
func notAllowed(a *responder.Area, t responder.Target) string {
	switch {
	case a.Accounts != nil && fitting(a.Accounts, t.Account) == "":
		return "account " + t.Account
	case a.Regions != nil && fitting(a.Regions, regionOf(t)) == "":
		return "region " + regionOf(t)
	case a.Resources != nil && fitsARN(a.Resources, t.ARN) == "":
		return "none of " + strings.Join(a.Resources, ", ")
	case a.Tags != nil && t.TagsUnknown:
		return tagsUnknown
	}
	for _, key := range sortedKeys(a.Tags) {
		if value, tagged := t.Tags[key]; !tagged || fitting(a.Tags[key], value) == "" {
			return "it has not the tag " + tagsText(map[string][]string{key: a.Tags[key]})
		}
	}
	return ""
}

// regionOf names the region of what has none.
func regionOf(t responder.Target) string {
	if t.Region == "" {
		return "global"
	}
	return t.Region
}

func (f fence) perFinding() held {
	if n := len(f.arns()); n > f.limits.PerFinding {
		return hold(GuardPerFinding, "it would touch %d things; a finding may touch %d", n, f.limits.PerFinding)
	}
	return held{}
}

// perRun counts what all repairs of the run that were tried touch, this one
// included. A run is in one worker's hands, so it needs no counter.
func (f fence) perRun() held {
	touched := map[string]bool{}
	for path, state := range f.run.Steps {
		if path != f.path && lastTry(state) == nil || state.Kind != responder.Repair {
			continue
		}
		for _, arn := range arnsOf(state, path) {
			touched[arn] = true
		}
		if state.Survey != nil {
			for _, arn := range state.Survey.Touched {
				touched[arn] = true
			}
		}
	}
	if len(touched) > f.limits.PerRun {
		return hold(GuardPerRun, "the run would touch %d things in all; a run may touch %d", len(touched), f.limits.PerRun)
	}
	return held{}
}

func (f fence) targets() []responder.Target {
	if f.survey == nil {
		return nil
	}
	return f.survey.Targets
}

// arns names the things that the repair would touch.
func (f fence) arns() []string { return arnsOf(f.run.Steps[f.path], f.path) }

// matter names what a repair does to a thing, over all runs. A program that the
// flow's author names is not what is repaired: with it counts what the finding is
// about.
func (f fence) matter(arn string) string {
	if !slices.ContainsFunc(f.targets(), func(t responder.Target) bool { return t.Static && t.ARN == arn }) {
		return arn
	}
	h := sha256.New()
	for _, resource := range f.run.Finding.Resources {
		fmt.Fprintf(h, "%d:%s", len(resource), resource)
	}
	return arn + matterOf + hex.EncodeToString(h.Sum(nil)[:8])
}

const matterOf = " for "

// arnsOf names the things that a repair touches, each once. One that cannot look
// counts as one thing, of which only its step is known.
func arnsOf(state *responder.StepState, path string) []string {
	if state.Survey == nil {
		return []string{"step " + path}
	}
	var arns []string
	for _, t := range state.Survey.Targets {
		arns = append(arns, t.ARN)
	}
	slices.Sort(arns)
	return slices.Compact(arns)
}

// accountIn is the account that an ARN names, "" if it names none.
func accountIn(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[4]
}

// fitsARN gives the first pattern that fits an ARN, or what it is without its
// path, "" if none does: names of roles and users are unique without.
func fitsARN(patterns []string, arn string) string {
	if pattern := fitting(patterns, arn); pattern != "" || !strings.Contains(arn, ":iam:") {
		return pattern
	}
	return fitting(patterns, withoutPath(arn))
}

// fitting gives the first pattern that fits a text whole, "" if none does.
func fitting(patterns []string, text string) string {
	for _, pattern := range patterns {
		if wild(pattern, text) {
			return pattern
		}
	}
	return ""
}

// wild reports whether a pattern fits a text whole: * is any text, ? any one
// character. It takes no more than the product of their lengths.
func wild(pattern, text string) bool {
	p, t := []rune(pattern), []rune(text)
	i, j, star, mark := 0, 0, -1, 0
	for j < len(t) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == t[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}
