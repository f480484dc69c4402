package dispatch

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/lang"
)

// Bounds of what a step may ask for.
const (
	maxAttempts = 20
	maxTimeout  = 10 * time.Minute // under what AWS gives a function
	maxBackoff  = time.Hour
)

// stepper compiles the steps of one flow, in the order in which they are written.
type stepper struct {
	*loader
	flow  string
	rules []RuleInfo            // that the flow is for
	named map[string]*yaml.Node // steps so far that have a name
	count int

	fallback *responder.Ask // who decides where a step does not say it; nil: nobody
}

// scope is what expressions may use at this point.
func (s *stepper) scope() lang.Scope {
	scope := stepScope()
	scope.Keys = map[string][]string{nameSteps: sortedKeys(s.named)}
	return scope
}

// list compiles a list of steps.
func (s *stepper) list(f field) []responder.Step {
	if isNull(f.value) {
		return nil
	}
	if f.value.Kind != yaml.SequenceNode {
		s.errorAt(f.file, f.value, f.name()+":\n  - SendSlack: {}", "%s must be a list of steps", f.name())
		return nil
	}
	steps := make([]responder.Step, 0, len(f.value.Content))
	for _, node := range f.value.Content {
		steps = append(steps, s.step(f.file, node))
	}
	return steps
}

// parts are the fields of a step, by what they are for.
type parts struct {
	file   *lang.File
	node   *yaml.Node
	does   []field          // verbs and actions
	common map[string]field // as, if, retry …
	rest   []field          // parameters, in the form of the original
}

func (s *stepper) step(file *lang.File, node *yaml.Node) responder.Step {
	s.count++
	if node.Kind == yaml.ScalarNode && !isNull(node) {
		s.errorAt(file, node, "- "+node.Value+": {}", "a step is an object of keys")
		return responder.Step{}
	}
	fields, ok := s.mapping(file, node, "- SendSlack: {message: Hello}")
	if !ok {
		return responder.Step{}
	}
	p := s.sort(file, node, fields)
	var step responder.Step
	switch _, then := p.common["then"]; {
	case len(p.does) > 1:
		s.errorAt(file, p.does[1].key, "make two steps of it", "a step does one thing: %s or %s", p.does[0].name(), p.does[1].name())
	case len(p.does) == 1 && then:
		s.errorAt(file, p.common["then"].key, "put the step into the list of then", "a step with then is an if, and does nothing else")
	case len(p.does) == 1:
		step = s.doing(p)
	case then:
		step = s.branching(p)
	case len(p.rest) == 0:
		s.errorAt(file, node, "- SendSlack: {message: Hello}", "the step does nothing")
	}
	s.unknownParts(p)
	s.decorate(&step, p)
	return step
}

// sort puts the fields of a step in their places.
func (s *stepper) sort(file *lang.File, node *yaml.Node, fields []field) parts {
	p := parts{file: file, node: node, common: map[string]field{}}
	original := slices.ContainsFunc(fields, func(f field) bool { return f.name() == "command" || f.name() == "rule" })
	for _, f := range fields {
		key := f.name()
		switch {
		case key == "command" || key == "rule", !original && slices.Contains(verbKeys(), key), !original && s.Catalogue[key] != nil:
			p.does = append(p.does, f)
		case slices.Contains(commonKeys(), key):
			p.common[key] = f
		default:
			p.rest = append(p.rest, f)
		}
	}
	return p
}

// unknownParts tells what nobody has asked for.
func (s *stepper) unknownParts(p parts) {
	if len(p.does) == 1 && p.does[0].name() == "command" {
		return // they are parameters, and checked as such
	}
	known := slices.Concat(sortedKeys(s.Catalogue), verbKeys(), commonKeys())
	for _, f := range p.rest {
		if f.name() == "until" {
			s.errorAt(f.file, f.key, untilExample, "until stands inside wait")
			continue
		}
		if f.name() != "" && strings.ToUpper(f.name()[:1]) == f.name()[:1] && !slices.Contains(stepReserved(), f.name()) {
			s.errorAt(f.file, f.key, lang.Suggest(f.name(), known), "unknown action %q", f.name())
			continue
		}
		s.unknownKey(f, known, stepReserved())
	}
}

// doing compiles a step by what it does.
func (s *stepper) doing(p parts) responder.Step {
	verb := p.does[0]
	switch verb.name() {
	case "command":
		return s.command(p, verb)
	case "rule":
		return s.ruleVerb(verb)
	case "wait":
		return s.wait(verb)
	case "check", "remediate":
		s.noParams(verb)
		return s.bound(verb.file, verb.key, responder.StepKind(verb.name()))
	case "approve", "veto":
		return s.ask(verb)
	case "sequential", "parallel":
		return responder.Step{Kind: responder.StepKind(verb.name()), Steps: s.list(verb)}
	}
	return s.action(verb.file, verb.key, verb.name(), s.given(verb))
}

// branching compiles an if with its branches.
func (s *stepper) branching(p parts) responder.Step {
	step := responder.Step{Kind: responder.StepIf}
	condition, given := p.common["if"]
	if !given {
		s.errorAt(p.file, p.common["then"].key, "if: severity >= HIGH", "then needs an if")
	} else {
		step.If, _ = s.expression(condition, s.scope())
	}
	step.Steps = s.list(p.common["then"])
	if otherwise, given := p.common["else"]; given {
		step.Else = s.list(otherwise)
	}
	return step
}

// bound compiles a check or remediate, which needs a rule that binds one.
func (s *stepper) bound(file *lang.File, node *yaml.Node, kind responder.StepKind) responder.Step {
	var lacking []string
	for _, r := range s.rules {
		if kind == responder.StepCheck && !r.HasCheck || kind == responder.StepRemediate && !r.HasRemediate {
			lacking = append(lacking, r.Name)
		}
	}
	hint := "bind one in rules.yml: " + string(kind) + ": {ACTION: {PARAMETER: \"{{ resources }}\"}}"
	switch {
	case len(s.rules) == 0, len(lacking) == 0:
	case len(lacking) == len(s.rules):
		s.errorAt(file, node, hint, "no rule of this flow has a %s", kind)
	default:
		s.warnAt(file, node, hint, "some rules of this flow have no %s, and its runs for them fail here: %s", kind, listed(lacking))
	}
	return responder.Step{Kind: kind}
}

// listed names at most three.
func listed(names []string) string {
	if len(names) > 3 {
		names = append(slices.Clone(names[:3]), "…")
	}
	return strings.Join(names, ", ")
}

func (s *stepper) noParams(f field) {
	if isNull(f.value) || f.value.Kind == yaml.MappingNode && len(f.value.Content) == 0 {
		return
	}
	s.errorAt(f.file, f.value, f.name()+": {}", "%s takes nothing here: its parameters stand in the rule", f.name())
}

func (s *stepper) wait(f field) responder.Step {
	if f.value.Kind == yaml.MappingNode {
		return responder.Step{Kind: responder.StepWait, Until: s.until(f)}
	}
	d, _ := s.duration(f, maxWait)
	return responder.Step{Kind: responder.StepWait, Wait: d}
}

// decorate adds what stands beside what a step does.
func (s *stepper) decorate(step *responder.Step, p parts) {
	if f, given := p.common["if"]; given && step.Kind != responder.StepIf {
		step.If, _ = s.expression(f, s.scope())
	}
	if f, given := p.common["else"]; given && step.Kind != responder.StepIf {
		s.errorAt(f.file, f.key, "", "else needs an if and a then")
	}
	if f, given := p.common["as"]; given {
		step.As = s.as(f)
	}
	acts := step.Kind == responder.StepAction || step.Kind == responder.StepCheck || step.Kind == responder.StepRemediate
	for _, key := range []string{"retry", "timeout"} {
		if f, given := p.common[key]; given && !acts && step.Kind != "" {
			s.errorAt(f.file, f.key, "", "%s is for actions, checks and remediate; this is a %s", key, step.Kind)
			delete(p.common, key)
		}
	}
	if f, given := p.common["retry"]; given {
		step.Retry = s.retry(f)
	}
	if f, given := p.common["timeout"]; given {
		step.Timeout = s.timeout(f, maxTimeout)
	}
	s.askParts(step, p)
	if f, given := p.common["on_error"]; given {
		step.OnError = s.onError(f)
	}
	switch f, given := p.common["join"]; {
	case given && step.Kind == responder.StepParallel:
		step.Join = s.join(f)
	case given && step.Kind != "":
		s.errorAt(f.file, f.key, "", "join is for parallel; this is a %s", step.Kind)
	}
}

// join reads when the branches of a parallel group have come together.
func (l *loader) join(f field) responder.Join {
	switch f.value.Value {
	case "all":
		return responder.JoinAll
	case "any":
		return responder.JoinAny
	}
	l.errorAt(f.file, f.value, "", "join is all or any")
	return responder.JoinAll
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (s *stepper) as(f field) string {
	name := f.value.Value
	switch {
	case f.value.Kind != yaml.ScalarNode || !identifier.MatchString(name):
		s.errorAt(f.file, f.value, "as: post", "the name of a step is made of letters, digits and _")
		return ""
	case s.named[name] != nil:
		s.errorAt(f.file, f.value, "", "another step is called %s, in line %d", name, s.named[name].Line)
	}
	s.named[name] = f.value
	return name
}

func (s *stepper) retry(f field) *responder.Retry {
	fields, ok := s.mapping(f.file, f.value, "retry: {attempts: 5, backoff: 2s, cap: 5m}")
	if !ok {
		return nil
	}
	r := &responder.Retry{}
	for _, part := range fields {
		switch part.name() {
		case "attempts":
			n, err := strconv.Atoi(part.value.Value)
			if err != nil || n < 1 || n > maxAttempts {
				s.errorAt(part.file, part.value, "", "attempts must be a number from 1 to %d", maxAttempts)
			}
			r.Attempts = n
		case "backoff":
			r.Backoff, _ = s.duration(part, maxBackoff)
		case "cap":
			r.Cap, _ = s.duration(part, maxBackoff)
		default:
			s.unknownKey(part, []string{"attempts", "backoff", "cap"}, nil)
		}
	}
	if backoff := cmp.Or(r.Backoff, defaultBackoff); r.Cap > 0 && r.Cap < backoff {
		s.warnAt(f.file, f.value, "", "the cap of %s is shorter than the backoff of %s: no pause is longer than the cap", shortDuration(r.Cap), shortDuration(backoff))
	}
	return r
}

func (s *stepper) onError(f field) *responder.OnError {
	switch {
	case f.value.Kind == yaml.SequenceNode:
		return &responder.OnError{Policy: responder.PolicySteps, Steps: s.list(f)}
	case f.value.Value == string(responder.PolicyContinue), f.value.Value == string(responder.PolicyStop):
		return &responder.OnError{Policy: responder.ErrorPolicy(f.value.Value)}
	}
	s.errorAt(f.file, f.value, "", "on_error is continue, stop, or a list of steps")
	return nil
}
