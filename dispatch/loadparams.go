package dispatch

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/url"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/lang"
)

// templateParam is the parameter that names a template.
const templateParam = "template"

// plainMark begins what stands in runs for an address that flows.yml has in
// plain text, so that no run, log or list ever shows it. The rest is a hash.
const plainMark = "plain:"

// given gives the parameters of `Action: {…}`.
func (s *stepper) given(verb field) map[string]field {
	if isNull(verb.value) {
		return nil
	}
	fields, _ := s.mapping(verb.file, verb.value, verb.name()+": {message: Hello}")
	given := map[string]field{}
	for _, f := range fields {
		given[f.name()] = f
	}
	return given
}

// action compiles a step that does an action of the catalogue, its parameters
// laid over the defaults of `actions:`.
func (s *stepper) action(file *lang.File, node *yaml.Node, name string, given map[string]field) responder.Step {
	step := responder.Step{Kind: responder.StepAction, Action: name}
	action := s.Catalogue[name]
	if action == nil {
		s.errorAt(file, node, lang.Suggest(name, append(sortedKeys(s.Catalogue), "Wait")), "unknown action %q", name)
		return step
	}
	spec := action.Spec()
	s.unknownParams(spec, given)
	all := map[string]field{}
	for _, source := range []map[string]field{s.defaults[name], given} {
		for param, f := range source {
			all[param] = f
		}
	}
	step.Params = map[string]any{}
	for _, param := range sortedKeys(all) {
		f := all[param]
		switch declared := paramOf(spec, param); {
		case isNull(f.value) || !declares(spec, param):
		case param == templateParam && spec.Templates:
			step.Params[param], step.Body = s.template(spec, f)
		default:
			if value := s.param(declared, f); value != nil {
				step.Params[param] = value
			}
		}
	}
	s.missing(spec, file, node, all)
	return step
}

// checkDefaults looks for parameters under `actions:` that their actions do not take.
func (l *loader) checkDefaults() {
	for _, name := range sortedKeys(l.defaults) {
		if action := l.Catalogue[name]; action != nil {
			l.unknownParams(action.Spec(), l.defaults[name])
		}
	}
}

func (l *loader) unknownParams(spec responder.Spec, given map[string]field) {
	known := commonKeys()
	for _, p := range spec.Params {
		known = append(known, p.Name)
	}
	if spec.Templates {
		known = append(known, templateParam)
	}
	for _, name := range sortedKeys(given) {
		if !declares(spec, name) {
			f := given[name]
			hint := lang.Suggest(name, known)
			if slices.Contains(commonKeys(), name) {
				hint = name + " stands beside " + spec.Name + ", not in it"
			}
			l.errorAt(f.file, f.key, hint, "%s has no parameter %q", spec.Name, name)
		}
	}
}

func (l *loader) missing(spec responder.Spec, file *lang.File, node *yaml.Node, all map[string]field) {
	for _, p := range spec.Params {
		if f, given := all[p.Name]; p.Required && (!given || isNull(f.value)) {
			l.errorAt(file, node, p.Doc, "%s needs the parameter %s", spec.Name, p.Name)
		}
	}
}

func paramOf(spec responder.Spec, name string) responder.Param {
	for _, p := range spec.Params {
		if p.Name == name {
			return p
		}
	}
	return responder.Param{Name: name}
}

// param compiles one parameter: its shape where it is literal, its expressions.
// nil: it has errors.
func (s *stepper) param(p responder.Param, f field) any {
	if p.Static && hasExpression(f.value) {
		s.errorAt(f.file, place(p, f), "an address is the author's to say, never an event's", "%s cannot hold {{ }}", p.Name)
		return nil
	}
	value, ok := s.shape(p, f)
	if !ok || p.Pairs && !s.pairs(p, f) {
		return nil
	}
	if _, problems := lang.CompileNode(f.file, f.value, s.scope()); len(problems) > 0 {
		s.problems = append(s.problems, problems...)
	}
	text, isText := value.(string)
	if isText && p.Static && looksReferring(text) && !lang.IsReference(strings.TrimSpace(text)) {
		s.errorAt(f.file, place(p, f), "write env:NAME, NAME being a variable's, or secret:NAME", "%s refers to nothing that could be there", p.Name)
		return nil
	}
	if isText && p.Secret {
		return s.secret(p, f, text)
	}
	return value
}

// pairs reports whether all texts of a list are pairs, and shows those that are not.
func (s *stepper) pairs(p responder.Param, f field) bool {
	all := true
	for _, node := range scalars(f.value) {
		if !responder.IsPair(node.Value) {
			s.errorAt(f.file, node, pairHint, "%s holds what is not NAME=value", p.Name)
			all = false
		}
	}
	return all
}

const pairHint = `write the name out, and what an event says behind it: "InstanceId={{ resources[0] }}"`

// place is where a problem with a parameter's value is shown: at the key, if
// the value is a secret on a line of its own, which nothing marks as one.
func place(p responder.Param, f field) *yaml.Node {
	if p.Secret && f.value.Line != f.key.Line {
		return f.key
	}
	return f.value
}

// shape gives a literal value in its parameter's type. Texts are taken as they
// are written: an account id is no number.
func (s *stepper) shape(p responder.Param, f field) (any, bool) {
	node := f.value
	refuse := func(what string) (any, bool) {
		s.errorAt(f.file, place(p, f), "", "%s must be %s", p.Name, what)
		return nil, false
	}
	switch p.Type {
	case responder.ListParam:
		nodes := scalars(node)
		if len(nodes) == 0 {
			return refuse("a text or a list of texts, and not empty")
		}
		if node.Kind == yaml.ScalarNode {
			return node.Value, true
		}
		return lang.DecodeText(node), true
	case responder.MessageParam:
		if node.Kind == yaml.MappingNode {
			return lang.DecodeText(node), s.message(f)
		}
		if node.Kind != yaml.ScalarNode {
			return refuse("a text, or {header, values: [{label, value}]}")
		}
		return node.Value, true
	case responder.NumberParam:
		if number, ok := asNumber(lang.Decode(node)); ok {
			return number, true
		}
		if !hasExpression(node) {
			return refuse("a number")
		}
		return node.Value, true
	case responder.BoolParam:
		if b, ok := lang.Decode(node).(bool); ok {
			return b, true
		}
		if !hasExpression(node) {
			return refuse("true or false")
		}
		return node.Value, true
	}
	if node.Kind != yaml.ScalarNode {
		return refuse("a text")
	}
	if p.Required && strings.TrimSpace(node.Value) == "" {
		return refuse("a text, and not empty")
	}
	return node.Value, true
}

// message checks {header, values: [{label, value}]}.
func (s *stepper) message(f field) bool {
	before := len(s.problems)
	parts, _ := s.mapping(f.file, f.value, "")
	if len(parts) == 0 {
		s.errorAt(f.file, f.value, "", "the message is empty")
	}
	for _, part := range parts {
		switch part.name() {
		case "header":
			s.scalar(part)
		case "values":
			s.lines(part)
		default:
			s.unknownKey(part, []string{"header", "values"}, nil)
		}
	}
	return len(s.problems) == before
}

func (s *stepper) lines(f field) {
	if f.value.Kind != yaml.SequenceNode {
		s.errorAt(f.file, f.value, "values: [{label: Account, value: \"{{ account.id }}\"}]", "values must be a list")
		return
	}
	for _, line := range f.value.Content {
		parts, ok := s.mapping(f.file, line, "{label: Account, value: \"{{ account.id }}\"}")
		if !ok {
			continue
		}
		for _, part := range parts {
			switch part.name() {
			case "label", "value":
				s.line(part)
			default:
				s.unknownKey(part, []string{"label", "value"}, nil)
			}
		}
	}
}

// line checks one part of a line; a value that begins with $ is a JSONPath.
func (s *stepper) line(f field) {
	if !s.scalar(f) || f.name() != "value" || !isPath(f.value.Value) {
		return
	}
	if _, err := lang.CompileJSONPath(f.value.Value); err != nil {
		s.errorAt(f.file, f.value, "a value that begins with $ is a JSONPath; text can be written as {{ \"$…\" }}", "%v", err)
	}
}

func (s *stepper) scalar(f field) bool {
	if f.value.Kind == yaml.ScalarNode {
		return true
	}
	s.errorAt(f.file, f.value, "", "%s must be a text", f.name())
	return false
}

// secret takes a reference as it is. An address in plain text gets a warning,
// and a mark in its place; any other text, an empty one too, is refused: what is
// meant for one place must not go to the default.
func (s *stepper) secret(p responder.Param, f field, text string) any {
	if lang.IsReference(strings.TrimSpace(text)) {
		return text
	}
	const hint = "write env:NAME or secret:NAME, and keep the address there"
	if !isAddress(strings.TrimSpace(text)) {
		s.errorAt(f.file, place(p, f), hint, "%s is neither a reference nor an https address", p.Name)
		return nil
	}
	s.warnAt(f.file, place(p, f), hint, "%s stands here in plain text", p.Name)
	sum := sha256.Sum256([]byte(text))
	mark := plainMark + hex.EncodeToString(sum[:8])
	s.set.plain[mark] = text
	return mark
}

// looksReferring reports whether a text is meant as a reference.
func looksReferring(text string) bool {
	text = strings.TrimSpace(text)
	return strings.HasPrefix(text, "env:") || strings.HasPrefix(text, "secret:")
}

// isAddress reports whether a text is an address that may be posted to: https,
// or http on this machine itself.
func isAddress(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

// hasExpression reports whether a node holds `{{`.
func hasExpression(node *yaml.Node) bool {
	if node.Kind == yaml.ScalarNode {
		return strings.Contains(node.Value, "{{")
	}
	return slices.ContainsFunc(node.Content, hasExpression)
}
