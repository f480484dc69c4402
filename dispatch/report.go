package dispatch

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// GuardReport is what a guard says of a run or a repair that is rehearsed.
type GuardReport struct {
	Guard   string // one of Guards; of a run: GuardRepairs, GuardAge, GuardOwnRoles
	Verdict GuardVerdict
	Says    string
}

// GuardVerdict is what a guard comes to.
type GuardVerdict string

// The verdicts.
const (
	Passes  GuardVerdict = "passes"
	Holds   GuardVerdict = "holds"
	Unknown GuardVerdict = "unknown" // it cannot be told here
)

// NoneSaid is what a guard says of which the flow says nothing.
const NoneSaid = "none is said"

// What keeps the repairs of a whole run from acting.
const (
	GuardRepairs  = "repairs"
	GuardAge      = "max_age"
	GuardOwnRoles = "own_roles"
)

// report says whether the repairs of a run may act at all. The age of its event is
// judged as if the run began at a moment.
func (g guards) report(run *responder.Run, flow responder.Flow, event responder.Event, now time.Time) []GuardReport {
	repairs := run.Flow.Repairs.Stricter(flow.Repairs)
	mode := GuardReport{GuardRepairs, Passes, map[responder.Repairs]string{
		responder.RepairsLive: "live: they act", responder.RepairsApprove: "approve: they act once somebody has approved them",
	}[repairs]}
	switch repairs {
	case responder.RepairsOff:
		mode.Verdict, mode.Says = Holds, "off: they are skipped"
	case responder.RepairsDry:
		mode.Verdict, mode.Says = Holds, "dry: what they would do is recorded"
	}
	begun := *run
	begun.Created = now
	happened, _ := event.Time()
	age := GuardReport{GuardAge, Passes, "the event is of " + happened.UTC().Format(time.RFC3339)}
	if why := g.aged(&begun, event); why != "" {
		age.Verdict, age.Says = Holds, fmt.Sprintf("%s, and repairs answer what is younger than %s: taken in now, they would be dry", age.Says, shortDuration(g.maxAge))
		if happened.IsZero() {
			age.Says = why
		}
	}
	own := GuardReport{GuardOwnRoles, Passes, "caused by " + event.Principal() + ", no role of Responder's own"}
	switch why := g.ours(event); {
	case why != "":
		own.Verdict, own.Says = Holds, why
	case len(g.ownRoles) == 0:
		own.Verdict, own.Says = Unknown, "Responder's own roles are not told, so whether one of them caused it is not known"
	case event.Principal() == "":
		own.Says = "caused by no role of Responder's own"
	}
	return []GuardReport{mode, age, own}
}

// blind is the fence of a repair of which it is not known what it would touch: it
// has only what can be judged all the same.
func (f fence) blind() fence {
	var rules []*responder.Guards
	for _, g := range f.rules {
		if g == nil || g.Scope == nil {
			continue
		}
		scope := responder.Scope{Allow: bare(g.Scope.Allow), Deny: bare(g.Scope.Deny)}
		rules = append(rules, &responder.Guards{Scope: &scope})
	}
	f.rules = rules
	return f
}

// bare is an area without what asks for more than account and region.
func bare(a *responder.Area) *responder.Area {
	if a == nil {
		return nil
	}
	return &responder.Area{Accounts: a.Accounts, Regions: a.Regions}
}

// report says what each guard says of a repair, in the order of Guards. h is what
// they came to together; unseen: it was not looked at what it would touch.
func (f fence) report(h held, unseen bool) []GuardReport {
	var all []GuardReport
	for _, guard := range Guards() {
		if guard == GuardNotices {
			continue // of no repair
		}
		r := f.passes(guard)
		why := ""
		if ask := f.alone(guard); ask != nil && !unseen {
			why = ask().why
		}
		if h.guard == guard {
			why = h.why
		}
		switch {
		case why != "":
			r.Verdict, r.Says = Holds, why
		case unseen && f.wantsSight(guard):
			r.Verdict, r.Says = Unknown, "not looked at"
			switch said := f.passes(guard).Says; {
			case guard == GuardProtected:
				r.Says += ", so it may fit " + strings.TrimPrefix(said, fitsNone)
			case strings.HasPrefix(guard, "limits."):
				r.Says += ": " + said
			case guard == GuardScope:
				r.Says += ", and the scope asks for resources or tags"
			}
		}
		all = append(all, r)
	}
	return all
}

// alone gives a guard that can be asked by itself, nil for one that counts.
func (f fence) alone(guard string) func() held {
	return map[string]func() held{
		GuardSurvey: f.told, GuardOwn: f.ours, GuardAccount: f.foreign, GuardProtected: f.protected, GuardScope: f.scoped,
		GuardPerFinding: f.perFinding, GuardPerRun: f.perRun,
	}[guard]
}

// wantsSight reports whether a guard has to know what would be touched.
func (f fence) wantsSight(guard string) bool {
	switch guard {
	case GuardScope:
		return f.names(func(g *responder.Guards) bool {
			return g.Scope != nil && (sighted(g.Scope.Allow) || sighted(g.Scope.Deny))
		})
	case GuardProtected:
		return f.names(func(g *responder.Guards) bool { return len(g.Protected) > 0 })
	}
	return true
}

// sighted reports whether an area asks for more than account and region.
func sighted(a *responder.Area) bool { return a != nil && (a.Resources != nil || a.Tags != nil) }

// names reports whether something holds of what the fence is made of.
func (f fence) names(holds func(*responder.Guards) bool) bool {
	for _, g := range f.rules {
		if g != nil && holds(g) {
			return true
		}
	}
	return false
}

// fitsNone begins what the guard of what is protected says.
const fitsNone = "fits none of "

// passes is what a guard says that lets a repair through.
func (f fence) passes(guard string) GuardReport {
	r := GuardReport{Guard: guard, Verdict: Passes}
	n := len(f.arns())
	most := func(limit int, what string) string {
		if f.survey == nil {
			return fmt.Sprintf("at most %d %s", limit, what)
		}
		return fmt.Sprintf("%d of %d %s", n, limit, what)
	}
	switch guard {
	case GuardHalt:
		r.Verdict, r.Says = Unknown, "a halt is known where Responder runs alone"
	case GuardSurvey:
		r.Says = countThings(n) + ", said whole"
		if f.survey == nil {
			r.Says = "the action does not say what it touches, and counts as one thing"
		}
	case GuardOwn:
		r.Says = "none is Responder's own"
		if len(f.own) == 0 && len(f.ownRoles) == 0 {
			r.Verdict, r.Says = Unknown, "what is Responder's own is not told"
		}
	case GuardAccount:
		r.Says = "of the event's account " + f.account
	case GuardProtected:
		var patterns []string
		for _, g := range f.rules {
			if g != nil {
				patterns = append(patterns, slices.DeleteFunc(slices.Clone(g.Protected), func(p string) bool { return slices.Contains(patterns, p) })...)
			}
		}
		r.Says = NoneSaid
		if len(patterns) > 0 {
			r.Says = fitsNone + strings.Join(patterns, ", ")
		}
	case GuardScope:
		r.Says = "within the scope"
		if !f.names(func(g *responder.Guards) bool { return g.Scope != nil }) {
			r.Says = NoneSaid
		}
	case GuardPerFinding:
		r.Says = most(f.limits.PerFinding, "a finding")
	case GuardPerRun:
		r.Says = most(f.limits.PerRun, "a run")
	case GuardPerHour:
		r.Says = most(f.limits.PerHour, "an hour")
	case GuardPerAccount:
		r.Says = most(f.limits.PerAccount, "an hour in one account")
	case GuardPerResource:
		r.Says = NoneSaid
		if rate := f.limits.PerResource; rate != nil {
			r.Says = "at most " + rateText(*rate) + " of one thing"
		}
	case GuardBreaker:
		r.Says = fmt.Sprintf("at most %d runs an hour touch one thing", f.limits.Again)
	}
	r.Says = cut(cleanText(r.Says), maxWould)
	return r
}

// countThings gives "1 thing", "2 things".
func countThings(n int) string {
	if n == 1 {
		return "1 thing"
	}
	return fmt.Sprintf("%d things", n)
}
