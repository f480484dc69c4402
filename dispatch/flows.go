package dispatch

import (
	"fmt"
	"path"
	"slices"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/lang"
)

// Flows is a loaded set of flows. It is immutable: safe for concurrent use.
type Flows struct {
	list   []*loaded
	byName map[string]*loaded
	plain  map[string]string // addresses written in plain text, by the mark that runs know them by
	people map[string]person // who may be asked, by their names

	protected []string // patterns of ARNs that no run touches, whatever has become of its flow
}

// loaded is a flow ready to be matched.
type loaded struct {
	responder.Flow
	condition *lang.Program // nil: always
	cooldown  *cooldown     // nil: none
	digest    string
}

// All gives every flow, disabled ones too, in the order of the files.
func (f *Flows) All() []responder.Flow {
	all := make([]responder.Flow, len(f.list))
	for i, l := range f.list {
		all[i] = l.Flow
	}
	return all
}

// Get gives the flow of a name.
func (f *Flows) Get(name string) (responder.Flow, bool) {
	l, ok := f.byName[name]
	if !ok {
		return responder.Flow{}, false
	}
	return l.Flow, true
}

// barred says why no run of a flow goes on, "" if they do.
func (f *Flows) barred(name string) string {
	switch flow, ok := f.byName[name]; {
	case !ok:
		return fmt.Sprintf("there is no flow %s any more", name)
	case flow.Disabled:
		return fmt.Sprintf("the flow %s is disabled", name)
	}
	return ""
}

// cooling names the first enabled flow that has a cooldown, "" if none has.
func (f *Flows) cooling() string {
	for _, l := range f.list {
		if l.cooldown != nil && !l.Disabled {
			return l.Name
		}
	}
	return ""
}

// limited names the first enabled flow that has limits of its own, "" if none has.
func (f *Flows) limited() string {
	for _, l := range f.list {
		if l.Guards != nil && l.Guards.Limits != nil && !l.Disabled {
			return l.Name
		}
	}
	return ""
}

// matching gives the enabled flows that are for findings of a rule.
func (f *Flows) matching(rule string) []*loaded {
	var found []*loaded
	for _, l := range f.list {
		if !l.Disabled && For(l.Flow, rule) {
			found = append(found, l)
		}
	}
	return found
}

// For reports whether a flow is for findings of a rule: whether one of its
// Rules is the rule's name, or a glob that fits it (* and ?, as in path.Match).
func For(flow responder.Flow, rule string) bool {
	return slices.ContainsFunc(flow.Rules, func(pattern string) bool {
		fits, err := path.Match(pattern, rule) // patterns were checked at load
		return pattern == rule || err == nil && fits
	})
}

// wants judges the flow's own condition.
func (l *loaded) wants(env map[string]any) (bool, error) {
	if l.condition == nil {
		return true, nil
	}
	return l.condition.Test(env)
}

// snapshot is what a run keeps of its flow.
func (l *loaded) snapshot() responder.FlowSnapshot {
	return responder.FlowSnapshot{Name: l.Name, Repairs: l.Repairs, Timeout: l.Timeout, Guards: l.Guards, Steps: l.Steps, Digest: l.digest}
}
