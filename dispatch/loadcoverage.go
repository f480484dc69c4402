package dispatch

import (
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/lang"
)

// covered gives each repair of an armed flow the question that it may become
// itself: where repairs are to be approved and no step has asked about it, to those
// who approve; where somebody's yes does not count any more, to those who gave it,
// who are told of it by the same notices. It says whether all repairs that are to be
// approved have somebody who decides.
func (s *stepper) covered(steps []responder.Step, repairs responder.Repairs) (decided bool) {
	decided = true
	Walk(steps, func(path string, step *responder.Step) {
		if !s.isRepair(step) {
			return
		}
		own, asked := responder.Ask{}, false
		if repairs == responder.RepairsApprove && s.fallback != nil {
			own = *s.fallback
		}
		for _, q := range governing(steps, path) {
			asking := locate(steps, q)
			if asking.Kind == responder.StepApprove || repairs == responder.RepairsLive {
				own.Tell = alsoTell(own.Tell, asking.Ask.Tell)
			}
			asked = asked || asking.Kind == responder.StepApprove && asking.If == ""
		}
		if !own.By.None() || len(own.Tell) > 0 {
			step.Ask = &own
		}
		decided = decided && (asked || repairs != responder.RepairsApprove || s.fallback != nil)
	})
	return decided
}

// alsoTell adds notices to others, each once.
func alsoTell(told, also []responder.Step) []responder.Step {
	told = slices.Clip(told)
	for _, notice := range also {
		if !slices.ContainsFunc(told, func(n responder.Step) bool { return reflect.DeepEqual(n, notice) }) {
			told = append(told, notice)
		}
	}
	return told
}

// besides warns of repairs that stand beside a question, in another branch, where
// the question is about no repair of its own branch: it looks as if it were about
// them, and they do not wait for it.
func (s *stepper) besides(raw *rawFlow, steps []responder.Step) {
	warned := map[string]bool{}
	Walk(steps, func(path string, step *responder.Step) {
		if step.Kind != responder.StepApprove && step.Kind != responder.StepVeto {
			return
		}
		about, _ := following(steps, path)
		for inside := path; inside != ""; {
			l, i, side := within(steps, inside)
			branch := child(l.path, i)
			if side && slices.ContainsFunc(about, func(at string) bool { return isWithin(at, branch) && s.isRepair(locate(steps, at)) }) {
				return
			}
			for other := range l.steps {
				if !side || other == i {
					continue
				}
				walkStep(child(l.path, other), &l.steps[other], func(at string, repair *responder.Step) {
					if !warned[at] && s.isRepair(repair) && len(governing(steps, at)) == 0 {
						warned[at] = true
						f := stepAt(raw, at)
						s.warnAt(f.file, f.value, "sequential: ["+string(step.Kind)+": {…}, "+title(repair, nil)+": {…}]",
							"this does not wait for what is asked beside it, at step %s: a question is about what follows it in its own branch", path)
					}
				})
			}
			if l.path == "" {
				return
			}
			inside = owner(l.path)
		}
	})
}

// unheard warns of questions that nobody hears of: no notice tells of them, and none
// goes before them or beside them.
func (s *stepper) unheard(raw *rawFlow, steps []responder.Step) {
	Walk(steps, func(path string, step *responder.Step) {
		switch {
		case step.Ask == nil || len(step.Ask.Tell) > 0,
			s.isRepair(step) && (step.Ask.By.None() || len(governing(steps, path)) > 0): // asked about by a step
			return
		}
		later, _ := following(steps, path)
		heard := false
		Walk(steps, func(at string, notice *responder.Step) {
			action := s.Catalogue[notice.Action]
			heard = heard || action != nil && action.Spec().Kind == responder.Notice && !isWithin(at, path) && !slices.Contains(later, at)
		})
		if heard {
			return
		}
		f, so := stepAt(raw, path), "nobody answers before its time is over"
		if step.Kind == responder.StepVeto {
			so = "nobody objects"
		}
		hint := "{" + string(step.Kind) + ": {…}, tell: [SendSlack: {}]}"
		if s.isRepair(step) {
			hint = "approvers: {…, tell: [SendSlack: {}]}"
		}
		s.warnAt(f.file, f.value, hint, "nobody hears that they are asked here, and so %s: no notice goes before it, and no tell beside it", so)
	})
}

// ofCalls are the words by which a rule's expression asks for what CloudTrail tells
// of a call: who made it is among that.
var ofCalls = regexp.MustCompile(`\b(action|actor|ok|denied|req|resp|userIdentity|eventName|eventSource)\b`)

// actorless warns where people are asked about repairs for events that may not say
// who caused them.
func (s *stepper) actorless(raw *rawFlow, steps []responder.Step) {
	asks := false
	Walk(steps, func(_ string, step *responder.Step) { asks = asks || step.Ask != nil && !step.Ask.By.None() })
	if !asks {
		return
	}
	var rules []string
	for _, r := range s.rules {
		if r.When != "" && !ofCalls.MatchString(r.When) {
			rules = append(rules, r.Name)
		}
	}
	if len(rules) > 0 {
		s.warnAt(raw.at.file, raw.at.value, "", "events of %s may not say who caused them: where they do not, nobody is kept from deciding about their own doing, and the question says so", listed(rules))
	}
}

// isWithin reports whether a path is another's or of a step inside it.
func isWithin(path, outer string) bool { return path == outer || strings.HasPrefix(path, outer+".") }

// stepAt finds where the step at a path is written, the flow itself if that cannot
// be told.
func stepAt(raw *rawFlow, path string) field {
	f, given := raw.fields["sequential"]
	parts := strings.Split(path, ".")
	if !given {
		f, parts = raw.fields["parallel"], parts[1:] // the group is the flow's own
	}
	words := map[string]string{branchError: "on_error", branchDeny: "on_deny", branchTimeout: "on_timeout"}
	for _, part := range parts {
		i, err := strconv.Atoi(part)
		keys := []string{part, words[part]}
		if err == nil {
			keys = []string{"sequential", "parallel"}
		}
		if f.value.Kind == yaml.MappingNode {
			for _, inside := range lang.Fields(f.value) {
				if slices.Contains(keys, inside.Key.Value) {
					f.value = inside.Value
					break
				}
			}
		}
		if err == nil && f.value.Kind == yaml.SequenceNode && i < len(f.value.Content) {
			f.value = f.value.Content[i]
		}
	}
	if f.value == nil {
		return raw.at
	}
	return f
}
