package dispatch

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/lang"
)

// LoadOptions says what flows are checked against.
type LoadOptions struct {
	Catalogue responder.Catalogue
	Rules     []RuleInfo // the rules there are; nil: not known, nothing is checked against them
	Templates fs.FS      // holds <Action>/<name>.yml; nil: the folder templates beside the main file
}

// RuleInfo is what flows need to know of a rule.
type RuleInfo struct {
	Name         string
	HasCheck     bool
	HasRemediate bool
	When         string // its expression, "" if that is not known
}

// Load reads flows.yml with all that belongs to it (see lang.ReadSources). A
// later file overrides an earlier one field by field, by the names of flows and
// actions; lists replace.
//
// All problems of meaning are told at once, each with its place; of those of
// YAML's syntax, the first of each file. With errors among them the flows are nil.
func Load(fsys fs.FS, name string, opts LoadOptions) (*Flows, lang.Problems) {
	sources, problems := lang.ReadSources(fsys, name)
	l := &loader{
		LoadOptions: opts,
		own:         []string{name, lang.LocalName(name)},
		problems:    problems,
		defaults:    map[string]map[string]field{},
		byName:      map[string]*rawFlow{},
		set:         &Flows{byName: map[string]*loaded{}, plain: map[string]string{}, people: map[string]person{}},
	}
	if l.Templates == nil {
		beside, err := fs.Sub(fsys, path.Join(path.Dir(name), "templates"))
		if err != nil {
			return nil, append(problems, lang.Problem{File: name, Message: err.Error()})
		}
		l.Templates = beside
	}
	for _, s := range sources {
		l.source(s)
	}
	l.checkDefaults()
	l.set.protected = l.protected
	for _, raw := range l.flows {
		l.flow(raw)
	}
	l.problems = l.problems.Sort()
	if l.problems.Err() != nil {
		return nil, l.problems
	}
	return l.set, l.problems
}

// loader gathers flows and problems.
type loader struct {
	LoadOptions
	own       []string                    // the main file and its local one: whatever else is read is included
	defaults  map[string]map[string]field // action → parameter
	above     field                       // `approvers:` above all flows; none: its value is nil
	decide    *responder.Ask              // what that says, once it has been asked for
	protected []string                    // patterns of ARNs
	flows     []*rawFlow
	byName    map[string]*rawFlow
	set       *Flows
	problems  lang.Problems
}

// field is a key of a mapping, its value, and the file where both stand.
type field struct {
	file       *lang.File
	key, value *yaml.Node
}

func (f field) name() string { return f.key.Value }

// rawFlow is a flow as the files say it, merged.
type rawFlow struct {
	name   string
	at     field // of its first mapping
	fields map[string]field
}

// errorAt notes a problem with a node.
func (l *loader) errorAt(file *lang.File, node *yaml.Node, hint, format string, args ...any) {
	p := file.Problem(node, format, args...)
	p.Hint = hint
	l.problems = append(l.problems, p)
}

func (l *loader) warnAt(file *lang.File, node *yaml.Node, hint, format string, args ...any) {
	l.errorAt(file, node, hint, format, args...)
	l.problems[len(l.problems)-1].Warning = true
}

// source takes in one file.
func (l *loader) source(s lang.Source) {
	for _, top := range s.Top {
		f := field{s.File, top.Key, top.Value}
		switch {
		case f.name() == "actions":
			l.mergeDefaults(f)
		case f.name() == "approvers":
			l.warnIncluded(f)
			l.above = f
		case f.name() == "people":
			l.warnIncluded(f)
			l.mergePeople(f)
		case f.name() == "protected":
			l.protect(f)
		case f.name() == "flows":
			l.mergeFlows(f)
		case slices.Contains([]string{"rules", "lists", "accounts"}, f.name()):
			l.errorAt(f.file, f.key, "", "%q belongs in rules.yml", f.name())
		case slices.Contains(flowKeys(), f.name()):
			l.errorAt(f.file, f.key, "flows:\n  - {name: tell-us, …, "+f.name()+": …}", "%q stands in a flow, not above all flows", f.name())
		default:
			l.unknownKey(f, topKeys(), topReserved())
		}
	}
}

// included reports whether a field stands in a file that another includes.
func (l *loader) included(f field) bool { return !slices.Contains(l.own, f.file.Name) }

// warnIncluded warns of what an included file says about everybody's flows.
func (l *loader) warnIncluded(f field) {
	if l.included(f) {
		l.warnAt(f.file, f.key, "say it in "+l.own[0], "%s counts for all flows, and stands in a file that is included", f.name())
	}
}

// mergeDefaults takes in `actions:`, parameter by parameter.
func (l *loader) mergeDefaults(f field) {
	if isNull(f.value) {
		return
	}
	actions, ok := l.mapping(f.file, f.value, "actions: {SendSlack: {webhookURL: \"secret:slack\"}}")
	if !ok {
		return
	}
	for _, action := range actions {
		if isNull(action.value) {
			continue
		}
		params, ok := l.mapping(f.file, action.value, "")
		if !ok {
			continue
		}
		name := action.name()
		if l.defaults[name] == nil {
			l.defaults[name] = map[string]field{}
			if l.Catalogue[name] == nil {
				l.errorAt(f.file, action.key, lang.Suggest(name, sortedKeys(l.Catalogue)), "unknown action %q", name)
			}
		}
		for _, p := range params {
			l.defaults[name][p.name()] = p
		}
	}
}

// mergeFlows takes in `flows:`, each by its name.
func (l *loader) mergeFlows(f field) {
	if isNull(f.value) {
		return
	}
	if f.value.Kind != yaml.SequenceNode {
		l.errorAt(f.file, f.value, "flows:\n  - name: tell-us\n    rule: RootLogin\n    sequential: [SendSlack: {}]", "flows must be a list")
		return
	}
	flows := make([][]field, len(f.value.Content))
	taken := map[string]*yaml.Node{}
	for i, node := range f.value.Content {
		flows[i], _ = l.mapping(f.file, node, "")
		if name := l.givenName(flows[i]); name != nil {
			if first := taken[name.Value]; first != nil {
				l.errorAt(f.file, name, "", "the name %q is given twice, first in line %d", name.Value, first.Line)
				flows[i] = nil
				continue
			}
			taken[name.Value] = name
		}
	}
	for i, node := range f.value.Content {
		if flows[i] == nil {
			continue
		}
		if name := l.name(f.file, node, flows[i], taken); name != "" {
			l.mergeFlow(name, field{f.file, node, node}, flows[i])
		}
	}
}

// givenName is the node of a flow's own name, nil if it has none.
func (l *loader) givenName(fields []field) *yaml.Node {
	for _, f := range fields {
		if f.name() == "name" && f.value.Kind == yaml.ScalarNode && !isNull(f.value) && strings.TrimSpace(f.value.Value) != "" {
			return f.value
		}
	}
	return nil
}

// name gives a flow's name: its own, else its rule's, with a number where that is taken.
func (l *loader) name(file *lang.File, node *yaml.Node, fields []field, taken map[string]*yaml.Node) string {
	if own := l.givenName(fields); own != nil {
		return own.Value
	}
	var rules []*yaml.Node
	for _, f := range fields {
		switch {
		case f.name() == "name":
			l.errorAt(f.file, f.value, "", "a name must be a text")
			return ""
		case slices.Contains(ruleKeys(), f.name()):
			rules = append(rules, scalars(f.value)...)
		}
	}
	switch {
	case len(rules) == 0:
		l.errorAt(file, node, "rule: RootLogin", "the flow does not say for which rule it is")
		return ""
	case len(rules) > 1 || isPattern(rules[0].Value):
		l.errorAt(file, node, "name: tell-us", "a flow for several rules needs a name")
		return ""
	}
	name := rules[0].Value
	for n := 2; taken[name] != nil; n++ {
		name = fmt.Sprintf("%s#%d", rules[0].Value, n)
	}
	taken[name] = node
	return name
}

// instead names the keys of a flow that say the same thing in another way.
func instead(key string) []string {
	for _, alike := range [][]string{ruleKeys(), {"sequential", "parallel"}} {
		if i := slices.Index(alike, key); i >= 0 {
			return slices.Delete(alike, i, i+1)
		}
	}
	return nil
}

// mergeFlow puts the fields of a flow over those that earlier files gave it.
func (l *loader) mergeFlow(name string, at field, fields []field) {
	raw := l.byName[name]
	if raw == nil {
		raw = &rawFlow{name: name, at: at, fields: map[string]field{}}
		l.byName[name] = raw
		l.flows = append(l.flows, raw)
	}
	here := map[string]bool{}
	for _, f := range fields {
		key := f.name()
		for _, other := range instead(key) {
			if here[other] {
				l.errorAt(f.file, f.key, "", "a flow has either %s or %s", other, key)
			}
			delete(raw.fields, other)
		}
		here[key] = true
		raw.fields[key] = f
	}
}

// mapping gives the fields of an object.
func (l *loader) mapping(file *lang.File, node *yaml.Node, hint string) ([]field, bool) {
	if node.Kind != yaml.MappingNode {
		l.errorAt(file, node, hint, "an object of keys is expected here")
		return nil, false
	}
	fields := make([]field, 0, len(node.Content)/2)
	for _, f := range lang.Fields(node) {
		fields = append(fields, field{file, f.Key, f.Value})
	}
	return fields, true
}

// texts gives the scalars of a text or list of texts.
func (l *loader) texts(f field) []*yaml.Node {
	nodes := scalars(f.value)
	if nodes == nil {
		l.errorAt(f.file, f.value, "", "%s must be a text or a list of texts", f.name())
	}
	return nodes
}

// scalars gives the texts of a scalar or of a list of scalars, nil for anything
// else, an empty list too.
func scalars(node *yaml.Node) []*yaml.Node {
	nodes := []*yaml.Node{node}
	if node.Kind == yaml.SequenceNode {
		nodes = node.Content
	}
	for _, n := range nodes {
		if n.Kind != yaml.ScalarNode || isNull(n) || strings.TrimSpace(n.Value) == "" {
			return nil
		}
	}
	return nodes
}

// unknownKey says that a key is not known here, or not yet.
func (l *loader) unknownKey(f field, known, reserved []string) {
	if slices.Contains(reserved, f.name()) {
		l.errorAt(f.file, f.key, "leave it out for now: it is reserved for a later version", "%q is not there yet", f.name())
		return
	}
	hint := lang.Suggest(f.name(), known)
	if hint == "" && len(known) <= 12 {
		hint = "there are: " + strings.Join(known, ", ")
	}
	l.errorAt(f.file, f.key, hint, "unknown key %q", f.name())
}

// isNull reports whether nothing is written.
func isNull(node *yaml.Node) bool {
	return node == nil || node.Kind == yaml.ScalarNode && node.Tag == "!!null"
}

// isPattern reports whether the name of a rule is a glob.
func isPattern(name string) bool { return strings.ContainsAny(name, "*?[") }
