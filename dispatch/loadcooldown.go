package dispatch

import (
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/lang"
)

const (
	maxCooldown     = 30 * 24 * time.Hour
	cooldownExample = `cooldown: {for: 1h, by: [rule, account.id, "{{ resources[0] }}"]}`
)

// alike is what findings have in common where a cooldown does not say it.
func alike() []string { return []string{"rule", "account.id", "resources"} }

// cooldown compiles `cooldown: 1h` or `cooldown: {for: 1h, by: […]}`.
func (l *loader) cooldown(raw *rawFlow, steps []responder.Step) (*responder.Cooldown, *cooldown) {
	f, given := raw.fields["cooldown"]
	if !given || isNull(f.value) {
		return nil, nil
	}
	said := &responder.Cooldown{}
	ready := &cooldown{repairs: l.repairing(steps)}
	parts := []field{{f.file, &yaml.Node{Kind: yaml.ScalarNode, Value: "for"}, f.value}}
	if f.value.Kind != yaml.ScalarNode {
		parts, _ = l.mapping(f.file, f.value, cooldownExample)
	}
	for _, part := range parts {
		switch part.name() {
		case "for":
			said.For = l.timeout(part, maxCooldown)
		case "by":
			said.By, ready.by = l.by(part)
		default:
			l.unknownKey(part, []string{"for", "by"}, nil)
		}
	}
	if !slices.ContainsFunc(parts, func(part field) bool { return part.name() == "for" }) {
		l.errorAt(f.file, f.value, cooldownExample, "a cooldown needs for: how long it is")
	}
	if said.By == nil {
		said.By = alike()
		for _, source := range said.By {
			ready.by = append(ready.by, l.value(lang.Compile(lang.Plain(source), findingScope())))
		}
	}
	ready.span = said.For
	return said, ready
}

// by compiles what findings have in common: expressions, or texts with {{ }}.
func (l *loader) by(f field) (sources []string, values []func(map[string]any) (any, error)) {
	for _, node := range l.texts(f) {
		sources = append(sources, node.Value)
		if strings.Contains(node.Value, "{{") {
			tree, problems := lang.CompileNode(f.file, node, findingScope())
			l.problems = append(l.problems, problems...)
			values = append(values, func(env map[string]any) (any, error) { return tree.Render(env, nil) })
			continue
		}
		text, problems := f.file.Expression(node)
		l.problems = append(l.problems, problems...)
		if problems.Err() == nil {
			values = append(values, l.value(lang.Compile(text, findingScope())))
		}
	}
	return sources, values
}

// value gives a compiled expression's evaluation.
func (l *loader) value(program *lang.Program, problems lang.Problems) func(map[string]any) (any, error) {
	l.problems = append(l.problems, problems...)
	return program.Eval
}

// repairing reports whether steps can change the world.
func (l *loader) repairing(steps []responder.Step) bool {
	found := false
	Walk(steps, func(_ string, step *responder.Step) { found = found || l.isRepair(step) })
	return found
}
