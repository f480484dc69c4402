package lang

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// Clause is a part of an expression with its own value.
type Clause struct {
	Depth int    // 0 for the parts of the topmost && or ||
	Joint string // "&&" or "||": how it is joined to its siblings; "" if alone
	Text  string
	Value any
	Err   error
	Notes []string // why: the values met on the way, and near misses of absent fields
}

// Explain evaluates each clause of the expression by itself. Clauses that the
// whole would not have reached are evaluated too. Cost: compiles each clause.
func (p *Program) Explain(env map[string]any) []Clause {
	var clauses []Clause
	p.explain(p.tree, "", 0, env, &clauses)
	return clauses
}

func (p *Program) explain(node ast.Node, joint string, depth int, env map[string]any, out *[]Clause) {
	if b, ok := node.(*ast.BinaryNode); ok {
		if op := connective(b.Operator); op != "" {
			next := depth
			if joint != "" && joint != op {
				c := p.clause(node, joint, depth, env)
				c.Notes = nil
				*out = append(*out, c)
				next++
			}
			p.explain(b.Left, op, next, env, out)
			p.explain(b.Right, op, next, env, out)
			return
		}
	}
	*out = append(*out, p.clause(node, joint, depth, env))
}

func connective(operator string) string {
	switch operator {
	case "and", "&&":
		return "&&"
	case "or", "||":
		return "||"
	}
	return ""
}

func (p *Program) clause(node ast.Node, joint string, depth int, env map[string]any) Clause {
	c := Clause{Joint: joint, Depth: depth, Text: node.String()}
	program, err := link(span{text: Plain(p.source)}, node, file.NewSource(p.source), p.scope, newConfig(p.scope.Names))
	if err != nil { // a clause that uses a `let` of the whole
		c.Err = fmt.Errorf("cannot be seen by itself")
		return c
	}
	c.Value, c.Err = program.eval(env)
	c.Notes = notes(node, env)
	return c
}

// notes tells the values of the paths in a clause.
func notes(node ast.Node, env map[string]any) []string {
	var out []string
	seen := map[string]bool{}
	var walk func(node ast.Node)
	walk = func(node ast.Node) {
		if path, ok := pathOf(node); ok && path[0] != "vars" && path[0] != "lists" {
			if _, known := env[path[0]]; known && !seen[dotted(path)] {
				seen[dotted(path)] = true
				out = append(out, note(path, env))
			}
			return
		}
		for _, child := range children(node) {
			walk(child)
		}
	}
	walk(node)
	return out
}

func note(path []string, env map[string]any) string {
	var value any = env
	for i, key := range path {
		next := member(value, key)
		if next == nil {
			if object, ok := value.(map[string]any); ok && i > 0 {
				if near := nearKey(key, object); near != "" {
					return fmt.Sprintf("no `%s`; there is `%s`", dotted(path[:i+1]), dotted(append(slices.Clone(path[:i]), near)))
				}
			}
			return fmt.Sprintf("%s is absent", dotted(path[:i+1]))
		}
		value = next
	}
	return fmt.Sprintf("%s is %s", dotted(path), Show(value))
}

// nearKey finds the key that was probably meant.
func nearKey(key string, object map[string]any) string {
	known := slices.Sorted(maps.Keys(object))
	for _, k := range known {
		if k != key && strings.EqualFold(k, key) {
			return k
		}
	}
	if s := suggest(key, known); s != "" {
		return strings.TrimSuffix(strings.TrimPrefix(s, `did you mean "`), `"?`)
	}
	return ""
}

// Show gives a value as an expression would write it, cut to a line.
func Show(value any) string {
	const most = 80
	var text string
	switch v := value.(type) {
	case nil:
		return "nil"
	case string:
		text = fmt.Sprintf("%q", v)
	case []any:
		parts := make([]string, 0, len(v))
		for _, e := range v {
			if parts = append(parts, Show(e)); len(parts) > 20 {
				break
			}
		}
		text = "[" + strings.Join(parts, ", ") + "]"
	default:
		text = Format(v)
	}
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
