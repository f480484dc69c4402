package wiring

import (
	"maps"
	"reflect"
	"slices"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
)

// ActionsUsed names the actions that the enabled flows can do, in order: those
// of their steps, and the checks and repairs that the rules they are for bind.
// A repair counts only where its flow is armed, elsewhere it is never done; and
// with it what puts it back.
func ActionsUsed(d *Definitions, catalogue responder.Catalogue) []string {
	used := map[string]bool{}
	for _, flow := range d.Flows.All() {
		if flow.Disabled {
			continue
		}
		add := func(action string) {
			a, ok := catalogue[action]
			if !ok || a.Spec().Kind == responder.Repair && !flow.Repairs.Armed() {
				return
			}
			used[action] = true
			for _, inverse := range a.Spec().Undo {
				used[inverse] = true
			}
		}
		dispatch.Walk(flow.Steps, func(_ string, step *responder.Step) {
			add(step.Action)
			for _, rule := range d.Rules.Infos() {
				if rule.Disabled || !dispatch.For(flow, rule.Name) {
					continue
				}
				switch step.Kind {
				case responder.StepCheck:
					add(rule.Check)
				case responder.StepRemediate:
					add(rule.Remediate)
				}
			}
		})
	}
	return slices.Sorted(maps.Keys(used))
}

// Permissions gives what an action needs for the enabled flows: what its Spec
// declares or, of a notice whose parameters decide it, what its steps need.
func Permissions(d *Definitions, catalogue responder.Catalogue, name string) []responder.Permission {
	action := catalogue[name]
	narrower, ok := action.(responder.Narrower)
	if !ok || action.Spec().Kind != responder.Notice {
		return action.Spec().Permissions
	}
	var needed []responder.Permission
	for _, flow := range d.Flows.All() {
		if flow.Disabled {
			continue
		}
		dispatch.Walk(flow.Steps, func(_ string, step *responder.Step) {
			if step.Action != name {
				return
			}
			for _, p := range narrower.Needs(responder.Call{Params: step.Params}) {
				if !slices.ContainsFunc(needed, func(known responder.Permission) bool { return reflect.DeepEqual(known, p) }) {
					needed = append(needed, p)
				}
			}
		})
	}
	return needed
}
