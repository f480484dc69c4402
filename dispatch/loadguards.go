package dispatch

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/skycrafters/responder"
)

// What limits may be, at most.
const (
	maxPerRun      = 1000   // things, of a run, and of a repair: not more than maxTargets
	maxPerHour     = 10_000 // things, of a flow or an account
	maxPerResource = 90     // things of a repair that is limited by the thing: a store counts all at once
	maxAgainLimit  = 1000   // repairs of one thing
	maxNotices     = 1000   // notices of a flow
	maxRateSpan    = 24 * time.Hour
)

const (
	limitsExample    = "limits: {per_run: 10, per_hour: 20, per_finding: 10}"
	scopeExample     = "scope: {allow: {accounts: [\"123412341234\"]}, deny: {tags: {responder: hands-off}}}"
	protectedExample = "protected: [\"arn:aws:iam::*:user/break-glass*\"]"
)

func limitKeys() []string {
	return []string{"per_run", "per_hour", "per_account", "per_finding", "per_resource", "again", "beyond", "notices"}
}

func areaKeys() []string { return []string{"accounts", "regions", "resources", "tags"} }

// protect takes in `protected:` of one file: what any file protects is.
func (l *loader) protect(f field) {
	if isNull(f.value) || f.value.Kind == yaml.SequenceNode && len(f.value.Content) == 0 {
		return
	}
	for _, node := range l.texts(f) {
		if !strings.HasPrefix(node.Value, "arn:") && !strings.HasPrefix(node.Value, "*") {
			l.errorAt(f.file, node, protectedExample, "%q is no ARN, and no pattern of ARNs", node.Value)
			continue
		}
		if !slices.Contains(l.protected, node.Value) {
			l.protected = append(l.protected, node.Value)
		}
	}
}

// guards compiles what a flow sets to its repairs, nil if that is
// nothing.
func (l *loader) guards(raw *rawFlow) *responder.Guards {
	g := responder.Guards{Scope: l.scope(raw), Limits: l.limits(raw), Protected: l.protected}
	if g.Scope == nil && g.Limits == nil && g.Protected == nil {
		return nil
	}
	return &g
}

func (l *loader) scope(raw *rawFlow) *responder.Scope {
	f, given := raw.fields["scope"]
	if !given || isNull(f.value) {
		return nil
	}
	parts, ok := l.mapping(f.file, f.value, scopeExample)
	if !ok {
		return nil
	}
	scope := &responder.Scope{}
	for _, part := range parts {
		switch part.name() {
		case "allow":
			scope.Allow = l.area(part)
		case "deny":
			scope.Deny = l.area(part)
		default:
			l.unknownKey(part, []string{"allow", "deny"}, nil)
		}
	}
	if scope.Allow == nil && scope.Deny == nil {
		l.errorAt(f.file, f.value, scopeExample, "a scope allows or denies something")
	}
	return scope
}

// area reads patterns. A list that is there and empty is an error: nobody can
// tell whether it means all or nothing.
func (l *loader) area(f field) *responder.Area {
	parts, ok := l.mapping(f.file, f.value, scopeExample)
	if !ok {
		return nil
	}
	area := &responder.Area{}
	for _, part := range parts {
		switch part.name() {
		case "accounts":
			area.Accounts = l.patterns(part, accountPattern, "an account has 12 digits; a pattern of accounts has digits, * and ?")
		case "regions":
			area.Regions = l.patterns(part, regionPattern, "a region is written as eu-west-1, a pattern as eu-*; global is what has none")
		case "resources":
			area.Resources = l.patterns(part, arnPattern, "a resource is an ARN, or a pattern of ARNs")
		case "tags":
			area.Tags = l.tags(part)
		default:
			l.unknownKey(part, areaKeys(), nil)
		}
	}
	if len(parts) == 0 {
		l.errorAt(f.file, f.value, scopeExample, "%s names nothing", f.name())
	}
	return area
}

var (
	accountPattern = regexp.MustCompile(`^([0-9]{12}|[0-9?]*\*[0-9?*]*|[0-9?]{12})$`)
	regionPattern  = regexp.MustCompile(`^[a-z0-9*?-]+$`)
	arnPattern     = regexp.MustCompile(`^(arn:|\*)`)
)

func (l *loader) patterns(f field, form *regexp.Regexp, wrong string) []string {
	var texts []string
	for _, node := range l.texts(f) {
		if !form.MatchString(node.Value) {
			l.errorAt(f.file, node, "", "%s: not %q", wrong, node.Value)
			continue
		}
		texts = append(texts, node.Value)
	}
	return texts
}

func (l *loader) tags(f field) map[string][]string {
	parts, ok := l.mapping(f.file, f.value, "tags: {env: [dev, \"test-*\"]}")
	if !ok {
		return nil
	}
	if len(parts) == 0 {
		l.errorAt(f.file, f.value, "tags: {env: [dev, \"test-*\"]}", "tags names nothing")
	}
	tags := map[string][]string{}
	for _, part := range parts {
		for _, node := range l.texts(part) {
			tags[part.name()] = append(tags[part.name()], node.Value)
		}
	}
	return tags
}

func (l *loader) limits(raw *rawFlow) *responder.Limits {
	f, given := raw.fields["limits"]
	if !given || isNull(f.value) {
		return nil
	}
	parts, ok := l.mapping(f.file, f.value, limitsExample)
	if !ok {
		return nil
	}
	limits := &responder.Limits{}
	for _, part := range parts {
		switch part.name() {
		case "per_run":
			limits.PerRun = l.most(part, maxPerRun)
		case "per_hour":
			limits.PerHour = l.most(part, maxPerHour)
		case "per_account":
			limits.PerAccount = l.most(part, maxPerHour)
		case "per_finding":
			limits.PerFinding = l.most(part, maxPerRun)
		case "per_resource":
			limits.PerResource = l.rate(part, maxAgainLimit)
		case "again":
			limits.Again = l.most(part, maxAgainLimit)
		case "beyond":
			limits.Halt = l.beyond(part)
		case "notices":
			limits.Notices = l.rate(part, maxNotices)
		default:
			l.unknownKey(part, limitKeys(), nil)
		}
	}
	if limits.PerResource != nil && limits.PerFinding > maxPerResource {
		l.errorAt(f.file, f.value, "", "with per_resource, per_finding is at most %d", maxPerResource)
	}
	if len(parts) == 0 {
		return nil
	}
	return limits
}

// most reads a whole number from 1.
func (l *loader) most(f field, most int) int {
	n, err := strconv.Atoi(f.value.Value)
	if f.value.Kind != yaml.ScalarNode || err != nil || n < 1 || n > most {
		hint := ""
		if n == 0 && err == nil {
			hint = "repairs: dry touches nothing"
		}
		l.errorAt(f.file, f.value, hint, "%s must be a whole number from 1 to %d", f.name(), most)
		return 0
	}
	return n
}

// What becomes of what is beyond the limits of an hour.
const (
	beyondHold = "hold" // it is held back
	beyondHalt = "halt" // the flow is halted, by the breaker
)

// beyond reads one of them; true: the flow is halted.
func (l *loader) beyond(f field) bool {
	if word := f.value.Value; f.value.Kind != yaml.ScalarNode || word != beyondHold && word != beyondHalt {
		l.errorAt(f.file, f.value, "beyond: halt", "beyond is %s, or %s: what becomes of what is beyond per_hour or per_account", beyondHold, beyondHalt)
	}
	return f.value.Value == beyondHalt
}

// rate reads "1/1h".
func (l *loader) rate(f field, most int) *responder.Rate {
	count, span, ok := strings.Cut(f.value.Value, "/")
	n, err := strconv.Atoi(strings.TrimSpace(count))
	if f.value.Kind != yaml.ScalarNode || !ok || err != nil || n < 1 || n > most {
		l.errorAt(f.file, f.value, f.name()+": 1/1h", "%s is so many, from 1 to %d, in a time", f.name(), most)
		return nil
	}
	per, err := parseDuration(span, maxRateSpan)
	switch {
	case err != nil:
		l.errorAt(f.file, f.value, f.name()+": 1/1h", "%s: %v", f.name(), err)
		return nil
	case per < time.Minute:
		l.errorAt(f.file, f.value, f.name()+": 1/1h", "%s: the time is a minute or longer", f.name())
		return nil
	}
	return &responder.Rate{N: n, Per: per}
}

// What bounds a flow that does not say so.
const (
	defaultPerRun     = 10
	defaultPerHour    = 20
	defaultPerAccount = 20
	defaultPerFinding = 10
	defaultAgain      = 5
)

// LimitsOf gives the limits of a flow, with the defaults in the place of what it
// does not say. PerResource and Notices have none.
func LimitsOf(g *responder.Guards) responder.Limits {
	var l responder.Limits
	if g != nil && g.Limits != nil {
		l = *g.Limits
	}
	for limit, otherwise := range map[*int]int{
		&l.PerRun: defaultPerRun, &l.PerHour: defaultPerHour, &l.PerAccount: defaultPerAccount,
		&l.PerFinding: defaultPerFinding, &l.Again: defaultAgain,
	} {
		if *limit == 0 {
			*limit = otherwise
		}
	}
	return l
}

// stricterLimits takes the less of two of each.
func stricterLimits(a, b responder.Limits) responder.Limits {
	return responder.Limits{
		PerRun: min(a.PerRun, b.PerRun), PerHour: min(a.PerHour, b.PerHour), PerAccount: min(a.PerAccount, b.PerAccount),
		PerFinding: min(a.PerFinding, b.PerFinding), Again: min(a.Again, b.Again),
		Halt: a.Halt || b.Halt, PerResource: stricterRate(a.PerResource, b.PerResource), Notices: stricterRate(a.Notices, b.Notices),
	}
}

// stricterRate takes the one that lets less through over time.
func stricterRate(a, b *responder.Rate) *responder.Rate {
	switch {
	case a == nil:
		return b
	case b == nil, float64(a.N)*float64(b.Per) <= float64(b.N)*float64(a.Per):
		return a
	}
	return b
}

// rateText is a rate as people write it.
func rateText(r responder.Rate) string { return fmt.Sprintf("%d/%s", r.N, shortDuration(r.Per)) }

// tagsText shows tags in a steady order.
func tagsText(tags map[string][]string) string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		all = append(all, key+": "+strings.Join(tags[key], " or "))
	}
	return strings.Join(all, ", ")
}
