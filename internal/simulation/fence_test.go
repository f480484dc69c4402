package simulation

import (
	"fmt"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// protects reports whether what begins with p is protected in this history.
func (d dice) protects() bool { return d.chance("something is protected", .5) }

// scopes are what a flow's scope says, each with why a target is not in it, "" if it is.
var scopes = []struct {
	yaml   string
	denies bool // holds undos as well
	why    func(responder.Target) string
}{
	{"", true, func(responder.Target) string { return "" }},
	{`scope: {deny: {tags: {hands: "off"}}}`, true, func(t responder.Target) string {
		return map[bool]string{true: "its tag denies it"}[t.Tags["hands"] == "off"]
	}},
	{`scope: {deny: {resources: ["arn:aws:ec2:*:*:thing/q*"]}}`, true, func(t responder.Target) string {
		return map[bool]string{true: "its name denies it"}[strings.Contains(t.ARN, "thing/q")]
	}},
	{`scope: {allow: {tags: {env: [dev]}}}`, false, func(t responder.Target) string {
		return map[bool]string{true: "its tag is not allowed"}[t.Tags["env"] != "dev"]
	}},
	{`scope: {allow: {accounts: ["111122223333"], regions: ["eu-*"]}}`, false, func(t responder.Target) string {
		return map[bool]string{true: "its region is not allowed"}[!strings.HasPrefix(t.Region, "eu-")]
	}},
}

// scopeOf is which of scopes a flow has.
func (d dice) scopeOf(flow string) int {
	return one(d, "scope of "+flow, 0, 0, d.upTo("which scope of "+flow, len(scopes)))
}

// limits are a flow's, as the history's author means them.
type limits struct {
	finding, run, hour, account, again int
	resource                           int // in an hour; 0: none
}

// limitsOf throws the dice for a flow's limits. Those of an edited one are half of them.
func (d dice) limitsOf(flow string, edited bool) limits {
	l := limits{finding: 10, run: 10, hour: 20, account: 20, again: 5}
	throw := func(name string, to *int, most int) {
		if d.chance(fmt.Sprintf("%s has limits.%s", flow, name), .3) {
			*to = 1 + d.upTo(fmt.Sprintf("limits.%s of %s", name, flow), most)
		}
	}
	throw("per_finding", &l.finding, 4)
	throw("per_run", &l.run, 5)
	throw("per_hour", &l.hour, 7)
	throw("per_account", &l.account, 7)
	throw("again", &l.again, 3)
	throw("per_resource", &l.resource, 2)
	if edited {
		for _, n := range []*int{&l.finding, &l.run, &l.hour, &l.account, &l.again, &l.resource} {
			*n = (*n + 1) / 2
		}
	}
	return l
}

// fence writes what stands around a flow's repairs.
func (a *author) fence(flow string) {
	if scope := scopes[a.scopeOf(flow)].yaml; scope != "" {
		a.line(2, "%s", scope)
	}
	l := a.limitsOf(flow, a.edited)
	resource := ""
	if l.resource > 0 {
		resource = fmt.Sprintf(", per_resource: %d/1h", l.resource)
	}
	a.line(2, "limits: {per_finding: %d, per_run: %d, per_hour: %d, per_account: %d, again: %d%s}", l.finding, l.run, l.hour, l.account, l.again, resource)
}

// set is what a repair would touch: as it is at first, or once it has changed.
func (w *world) set(what string, changed bool) []responder.Target {
	name := fmt.Sprintf("things of %s, changed %v", what, changed)
	var targets []responder.Target
	if changed && w.chance(name+" are gone", .2) {
		return nil
	}
	for n := range one(w.dice, name, 1, 1, 1, 2, 3) {
		kind := one(w.dice, fmt.Sprint(name, " kind ", n), "t", "t", "t", "t", "t", "t", "t", "t", "t", "p", "q")
		thing := fmt.Sprintf("%s%d", kind, w.upTo(fmt.Sprint(name, " is ", n), one(w.dice, "things there are", 1, 3, 6)))
		t := responder.Target{Account: "111122223333", Region: one(w.dice, "region of "+thing, "eu-west-1", "eu-west-1", "us-east-1"), Tags: map[string]string{"env": one(w.dice, "env of "+thing, "dev", "dev", "dev", "prod")}}
		if w.chance("hands off "+thing, .15) {
			t.Tags["hands"] = "off"
		}
		if w.chance(fmt.Sprint(name, " is foreign ", n), .03) {
			t.Account = "999999999999"
		}
		t.ARN = fmt.Sprintf("arn:aws:ec2:%s:%s:thing/%s", t.Region, t.Account, thing)
		targets = append(targets, t)
	}
	return targets
}

// touches gives what a repair would touch now.
func (w *world) touches(what string) []responder.Target {
	w.mu.Lock()
	at, thrown := w.changes[what]
	w.mu.Unlock()
	if !thrown {
		if w.strikes(targetsChange, "things of "+what) {
			at = time.Now().Add(w.span("things of "+what+" change", 100*time.Millisecond, 24*time.Hour))
		}
		w.mu.Lock()
		w.changes[what] = at
		w.mu.Unlock()
	}
	return w.set(what, !at.IsZero() && !time.Now().Before(at))
}

// held says why guards that look at targets alone keep them from being touched, by
// the name of the guard; "": they do not.
func (w *world) held(run *responder.Run, targets []responder.Target) (guard, why string) {
	for _, t := range targets {
		if t.Account != "111122223333" {
			return "account", t.ARN + " is of another account"
		}
	}
	for _, t := range targets {
		if w.protects() && strings.Contains(t.ARN, "thing/p") {
			return "protected", t.ARN + " is protected"
		}
	}
	scope := scopes[w.scopeOf(run.Flow.Name)]
	for _, t := range targets {
		if why := scope.why(t); why != "" && (scope.denies || run.Undoes == nil) {
			return "scope", t.ARN + ": " + why
		}
	}
	return "", ""
}

// arns names targets, each once.
func arns(targets []responder.Target) map[string]bool {
	named := map[string]bool{}
	for _, t := range targets {
		named[t.ARN] = true
	}
	return named
}
