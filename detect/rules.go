package detect

import (
	"errors"
	"fmt"
	"slices"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/engine"
	"github.com/skycrafters/responder/internal/lang"
)

// Rules is a set of compiled rules. Immutable and safe for concurrent use: a
// new set replaces it whole.
type Rules struct {
	Accounts map[string]map[string]any // what rules.yml says of accounts, by id
	rules    []*rule                   // the enabled ones, in the order of the files
	infos    []Info                    // of all
	lists    map[string]any
	canary   *lang.Program  // what a canary looks like
	engine   *engine.Engine // of the rules, and behind them the canary
}

// Info is what others need to know of a rule.
type Info struct {
	Name      string
	ID        string
	Disabled  bool
	Check     string // the action bound, "" if none
	Remediate string
	When      string // the expression as written, "" if none
}

// Infos lists all rules, disabled ones too, in the order of the files.
func (rs *Rules) Infos() []Info { return slices.Clone(rs.infos) }

func (r *rule) info() Info {
	info := Info{Name: r.name, ID: r.id, Disabled: r.disabled}
	if r.check != nil {
		info.Check = r.check.action
	}
	if r.remediate != nil {
		info.Remediate = r.remediate.action
	}
	if r.when != nil {
		info.When = r.when.String()
	}
	return info
}

// Len is the number of enabled rules.
func (rs *Rules) Len() int { return len(rs.rules) }

// Only keeps the rules of these names.
func (rs *Rules) Only(names ...string) (*Rules, error) {
	only := &Rules{Accounts: rs.Accounts, lists: rs.lists, infos: rs.infos, canary: rs.canary}
	for _, name := range names {
		found := false
		for _, r := range rs.rules {
			if r.name == name {
				only.rules, found = append(only.rules, r), true
			}
		}
		if !found {
			var known []string
			for _, r := range rs.rules {
				known = append(known, r.name)
			}
			if hint := lang.Suggest(name, known); hint != "" {
				return nil, fmt.Errorf("there is no enabled rule %q: %s", name, hint)
			}
			return nil, fmt.Errorf("there is no enabled rule %q", name)
		}
	}
	return only.ready(), nil
}

// RuleError is a rule that failed on an event. The other rules went on.
type RuleError struct {
	Rule  string
	Event string // the event's key
	Err   error
}

func (e *RuleError) Error() string { return fmt.Sprintf("rule %s: %v", e.Rule, e.Err) }
func (e *RuleError) Unwrap() error { return e.Err }

// Evaluate gives what the rules find in an event, in the order of the rules, and
// the rules that failed. A rule that fails while a finding is being put into
// words still gives the finding, with what could be had of it.
//
// This is the definition of what rules find, one rule after the other; Look is
// the fast way to the same.
func (rs *Rules) Evaluate(event responder.Event) ([]responder.Finding, []*RuleError) {
	env := lang.EventEnv(event, rs.Accounts)
	var findings []responder.Finding
	var failed []*RuleError
	for _, r := range rs.rules {
		found, err := r.evaluate(event, env, false)
		findings = append(findings, found...)
		if err != nil {
			failed = append(failed, &RuleError{Rule: r.name, Event: event.Key(), Err: err})
		}
	}
	return findings, failed
}

// evaluate runs one rule. It leaves env as it was. holds says that `when` is true.
func (r *rule) evaluate(event responder.Event, env map[string]any, holds bool) ([]responder.Finding, error) {
	said := []map[string]any{nil}
	if r.when != nil && !holds {
		value, err := r.when.Eval(env)
		if err != nil {
			return nil, fmt.Errorf("when: %w", err)
		}
		if said, err = results(value); err != nil || len(said) == 0 {
			return nil, err
		}
	}
	if r.each != nil {
		return r.items(event, env, said)
	}
	var findings []responder.Finding
	var errs []error
	for _, s := range said {
		f, err := r.finding(event, env, s, len(findings))
		findings, errs = append(findings, f), append(errs, err)
	}
	return findings, errors.Join(errs...)
}

// results reads what `when` gives: how many findings, and what each overrides.
func results(value any) ([]map[string]any, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case bool:
		if v {
			return []map[string]any{nil}, nil
		}
		return nil, nil
	case map[string]any:
		return []map[string]any{v}, nil
	case []any:
		said := make([]map[string]any, len(v))
		for i, element := range v {
			object, ok := element.(map[string]any)
			if !ok {
				return nil, fmt.Errorf("when: element %d of the list is %s, not an object", i, lang.Show(element))
			}
			said[i] = object
		}
		return said, nil
	}
	return nil, fmt.Errorf("when: gave %s; it must give true, false, an object or a list of objects", lang.Show(value))
}

// items makes a finding for each item that meets the condition. A finding's
// number is its item's place in the list, so that it names the same run
// whatever becomes of the other items.
func (r *rule) items(event responder.Event, env map[string]any, said []map[string]any) ([]responder.Finding, error) {
	if len(said) != 1 || said[0] != nil {
		return nil, errors.New("when: with `each`, it must give true or false")
	}
	value, err := r.each.Eval(env)
	if err != nil {
		return nil, fmt.Errorf("each: %w", err)
	}
	defer delete(env, "item")
	var findings []responder.Finding
	var errs []error
	for i, item := range lang.List(value) {
		env["item"] = item
		if r.condition != nil {
			yes, err := r.condition.Test(env)
			if err != nil {
				errs = append(errs, fmt.Errorf("if, item %d: %w", i, err))
			}
			if !yes {
				continue
			}
		}
		f, err := r.finding(event, env, nil, i)
		findings, errs = append(findings, f), append(errs, err)
	}
	return findings, errors.Join(errs...)
}
