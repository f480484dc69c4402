package dispatch

import (
	"gopkg.in/yaml.v3"

	"github.com/skycrafters/responder"
)

// Steps as the original wrote them: `command: NAME` with its parameters beside
// it, `command: Wait` with a duration in seconds, `rule: check`, `rule: remediate`.

// command compiles `command: NAME`.
func (s *stepper) command(p parts, verb field) responder.Step {
	if verb.value.Kind != yaml.ScalarNode || isNull(verb.value) {
		s.errorAt(verb.file, verb.value, "command: SendSlack", "command must name an action")
		return responder.Step{}
	}
	if verb.value.Value == "Wait" {
		return s.commandWait(p, verb)
	}
	given := map[string]field{}
	for _, f := range p.rest {
		given[f.name()] = f
	}
	return s.action(verb.file, verb.value, verb.value.Value, given)
}

func (s *stepper) commandWait(p parts, verb field) responder.Step {
	step := responder.Step{Kind: responder.StepWait}
	found := false
	for _, f := range p.rest {
		if f.name() != "duration" {
			s.unknownKey(f, []string{"duration"}, stepReserved())
			continue
		}
		found = true
		step.Wait, _ = s.duration(f, maxWait)
	}
	if !found {
		s.errorAt(verb.file, verb.value, "duration: 10", "Wait needs a duration")
	}
	return step
}

// ruleVerb compiles `rule: check` and `rule: remediate`.
func (s *stepper) ruleVerb(verb field) responder.Step {
	switch kind := responder.StepKind(verb.value.Value); kind {
	case responder.StepCheck, responder.StepRemediate:
		return s.bound(verb.file, verb.value, kind)
	}
	s.errorAt(verb.file, verb.value, "", "rule is check or remediate in a step")
	return responder.Step{}
}
