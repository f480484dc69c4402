package dispatch

import (
	"path"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/lang"
)

// flow compiles a merged flow into the set, unless it has errors.
func (l *loader) flow(raw *rawFlow) {
	before := len(l.problems)
	flow := &loaded{Flow: responder.Flow{Name: raw.name, Repairs: responder.RepairsDry}}
	for _, key := range sortedKeys(raw.fields) {
		if !slices.Contains(flowKeys(), key) {
			l.unknownKey(raw.fields[key], flowKeys(), flowReserved())
		}
	}
	l.provider(raw)
	flow.Disabled = !l.enabled(raw)
	flow.Repairs = l.repairs(raw)
	flow.Rules = l.rules(raw)
	flow.If, flow.condition = l.condition(raw)
	flow.Steps, flow.Approvers = l.steps(raw, flow.Repairs, l.matched(flow.Rules))
	flow.Timeout = l.flowTimeout(raw, flow.Steps)
	flow.Cooldown, flow.cooldown = l.cooldown(raw, flow.Steps)
	flow.Guards = l.guards(raw)
	digest, err := responder.Digest(flow.Steps)
	if err != nil {
		l.errorAt(raw.at.file, raw.at.value, "", "the flow %s cannot be stored: %v", raw.name, err)
	}
	flow.digest = digest
	if l.problems[before:].Err() == nil {
		l.set.list = append(l.set.list, flow)
		l.set.byName[flow.Name] = flow
	}
}

func (l *loader) provider(raw *rawFlow) {
	f, given := raw.fields["provider"]
	if given && !isNull(f.value) && f.value.Value != "AWS" {
		l.errorAt(f.file, f.value, "provider: AWS", "there is no other provider than AWS yet")
	}
}

func (l *loader) enabled(raw *rawFlow) bool {
	f, given := raw.fields["enabled"]
	if !given || isNull(f.value) {
		return true
	}
	switch lang.Decode(f.value) {
	case true:
		return true
	case false:
		return false
	}
	l.errorAt(f.file, f.value, "", "enabled must be true or false")
	return true
}

func (l *loader) repairs(raw *rawFlow) responder.Repairs {
	f, given := raw.fields["repairs"]
	if !given || isNull(f.value) {
		return responder.RepairsDry
	}
	known := []string{string(responder.RepairsOff), string(responder.RepairsDry), string(responder.RepairsApprove), string(responder.RepairsLive)}
	if f.value.Kind == yaml.ScalarNode && slices.Contains(known, f.value.Value) {
		repairs := responder.Repairs(f.value.Value)
		if repairs.Armed() && l.included(f) {
			l.errorAt(f.file, f.value, "flows: [{name: "+raw.name+", repairs: "+f.value.Value+"}]", "a file that is included arms nothing: say it in %s, or in %s", l.own[0], l.own[1])
		}
		return repairs
	}
	l.errorAt(f.file, f.value, lang.Suggest(f.value.Value, known), "repairs must be off, dry, approve or live")
	return responder.RepairsDry
}

// rules reads the rules that a flow is for.
func (l *loader) rules(raw *rawFlow) []string {
	var f field
	for _, key := range ruleKeys() { // one of them: merging has seen to it
		if said, given := raw.fields[key]; given {
			f = said
		}
	}
	if isNull(f.value) {
		names := sortedKeys(l.byName)
		names = slices.DeleteFunc(names, func(name string) bool { return name == raw.name })
		l.errorAt(raw.at.file, raw.at.value, lang.Suggest(raw.name, names), "the flow %s does not say for which rule it is", raw.name)
		return nil
	}
	var rules []string
	for _, node := range l.texts(f) {
		if l.rule(f.file, node) {
			rules = append(rules, node.Value)
		}
	}
	return rules
}

// rule checks that there is a rule of a name, or one that fits a glob.
func (l *loader) rule(file *lang.File, node *yaml.Node) bool {
	if _, err := path.Match(node.Value, ""); err != nil {
		l.errorAt(file, node, "", "not a glob: %v", err)
		return false
	}
	if l.Rules == nil || len(l.matched([]string{node.Value})) > 0 {
		return true
	}
	if isPattern(node.Value) {
		l.warnAt(file, node, "", "no rule fits %q", node.Value)
		return true
	}
	names := make([]string, len(l.Rules))
	for i, r := range l.Rules {
		names[i] = r.Name
	}
	l.errorAt(file, node, lang.Suggest(node.Value, names), "there is no rule %q", node.Value)
	return true
}

// matched gives the rules that names and globs stand for.
func (l *loader) matched(rules []string) []RuleInfo {
	var found []RuleInfo
	for _, r := range l.Rules {
		if For(responder.Flow{Rules: rules}, r.Name) {
			found = append(found, r)
		}
	}
	return found
}

// condition compiles the flow's own `if`.
func (l *loader) condition(raw *rawFlow) (string, *lang.Program) {
	f, given := raw.fields["if"]
	if !given || isNull(f.value) {
		return "", nil
	}
	return l.expression(f, findingScope())
}

func (l *loader) expression(f field, scope lang.Scope) (string, *lang.Program) {
	text, problems := f.file.Expression(f.value)
	l.problems = append(l.problems, problems...)
	if problems.Err() != nil {
		return "", nil
	}
	program, problems := lang.Compile(text, scope)
	l.problems = append(l.problems, problems...)
	if program != nil {
		if kind, _ := program.Literal(); kind != "" {
			l.errorAt(f.file, f.value, "if: severity >= HIGH", "a %s is no condition", kind)
		}
	}
	return strings.TrimSpace(text.Value), program
}

// steps compiles what a flow does, and who decides of repairs that no step asks
// about.
func (l *loader) steps(raw *rawFlow, repairs responder.Repairs, rules []RuleInfo) ([]responder.Step, *responder.Ask) {
	s := &stepper{loader: l, flow: raw.name, rules: rules, named: map[string]*yaml.Node{}}
	s.fallback = s.approvers(raw)
	var steps []responder.Step
	join, joined := raw.fields["join"]
	if f, given := raw.fields["sequential"]; given {
		steps = s.list(f)
		if joined {
			l.errorAt(join.file, join.key, "", "join is for parallel; the steps of this flow are sequential")
		}
	} else if f, given := raw.fields["parallel"]; given {
		group := responder.Step{Kind: responder.StepParallel, Steps: s.list(f)}
		if joined {
			group.Join = l.join(join)
		}
		steps = []responder.Step{group}
	} else {
		l.errorAt(raw.at.file, raw.at.value, "sequential: [SendSlack: {}]", "the flow %s has no steps: neither sequential nor parallel", raw.name)
	}
	if s.count > maxSteps {
		l.errorAt(raw.at.file, raw.at.value, "", "the flow %s has %d steps; at most %d are taken", raw.name, s.count, maxSteps)
	}
	if repairs.Armed() && !s.covered(steps, repairs) {
		f := raw.fields["repairs"]
		s.errorAt(f.file, f.value, "approvers: "+byExample, "nobody decides of the repairs of the flow %s: it has no approvers", raw.name)
	}
	if repairs == responder.RepairsLive { // where they are to be approved each is a question
		s.besides(raw, steps)
	}
	if repairs.Armed() {
		s.unheard(raw, steps)
		s.actorless(raw, steps)
	}
	return steps, s.fallback
}
