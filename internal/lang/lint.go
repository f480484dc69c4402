package lang

import (
	"fmt"
	"slices"
	"sync"

	"github.com/expr-lang/expr/ast"
)

// lint warns of tests that are true where a field is absent: `x != "a"`,
// `not (x in …)` and their like, on a path that an event may lack, in an
// expression that nowhere makes sure that the path is there.
func (n *names) lint(node ast.Node) {
	n.negations(node, sync.OnceValue(func() map[string]bool {
		guarded := map[string]bool{}
		guards(node, false, guarded)
		return guarded
	}))
}

// guards collects the paths that some positive test, or `x != nil`, vouches for.
func guards(node ast.Node, negated bool, found map[string]bool) {
	switch t := node.(type) {
	case *ast.UnaryNode:
		if t.Operator == "not" || t.Operator == "!" {
			guards(t.Node, !negated, found)
			return
		}
	case *ast.BinaryNode:
		if path := testedPath(t); path != "" {
			isNil := literalNil(t.Left) || literalNil(t.Right)
			if (t.Operator == "!=") == isNil != negated {
				found[path] = true
			}
		}
	}
	for _, child := range children(node) {
		guards(child, negated, found)
	}
}

// negations warns of unguarded negative tests. What is guarded is only asked for
// where there is such a test: most expressions have none.
func (n *names) negations(node ast.Node, guarded func() map[string]bool) {
	test, negative := node, false
	if u, ok := node.(*ast.UnaryNode); ok && (u.Operator == "not" || u.Operator == "!") {
		test, negative = u.Node, true
	}
	if b, ok := test.(*ast.BinaryNode); ok {
		negative = negative && b.Operator != "!=" && b.Operator != "and" && b.Operator != "or" && b.Operator != "&&" && b.Operator != "||" || b.Operator == "!=" && test == node
		if negative && !literalNil(b.Left) && !literalNil(b.Right) {
			n.negation(b, guarded)
		}
	}
	for _, child := range children(node) {
		n.negations(child, guarded)
	}
}

// negation warns of a negative test that is not guarded.
func (n *names) negation(b *ast.BinaryNode, guarded func() map[string]bool) {
	path := testedPath(b)
	if path == "" || guarded()[path] {
		return
	}
	loc := b.Location()
	p := n.at.problem(loc.From, loc.To-loc.From, "true as well where %s is absent", path)
	p.Warning, p.Hint = true, fmt.Sprintf("if that is not meant, add: %s != nil && …", path)
	n.problems = append(n.problems, p)
}

// testedPath is the path into the event that a test is about, "" if none that may be absent.
func testedPath(b *ast.BinaryNode) string {
	switch b.Operator {
	case "==", "!=", "in", "contains", "startsWith", "endsWith", "matches", "<", ">", "<=", ">=":
	default:
		return ""
	}
	for _, side := range []ast.Node{b.Left, b.Right} {
		if path, ok := pathOf(side); ok && mayBeAbsent(path) {
			return dotted(path)
		}
	}
	return ""
}

func literalNil(node ast.Node) bool { _, ok := node.(*ast.NilNode); return ok }

// pathOf gives the names of a chain of members: event.detail.x.
func pathOf(node ast.Node) ([]string, bool) {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		return []string{n.Value}, true
	case *ast.ChainNode:
		return pathOf(n.Node)
	case *ast.MemberNode:
		key, ok := n.Property.(*ast.StringNode)
		if !ok {
			return nil, false
		}
		base, ok := pathOf(n.Node)
		return append(slices.Clone(base), key.Value), ok
	}
	return nil, false
}

// mayBeAbsent: what an event may lack.
func mayBeAbsent(path []string) bool {
	switch path[0] {
	case "ip":
		return true
	case "req", "resp", "item":
		return true
	case "actor":
		return len(path) > 1 && path[1] != "type"
	case "account":
		return len(path) > 1 && path[1] != "id" && path[1] != "name"
	case "event":
		return len(path) > 2 && path[2] != "eventName" && path[2] != "eventSource"
	}
	return false
}

func dotted(path []string) string {
	text := ""
	for i, key := range path {
		switch {
		case i == 0:
			text = key
		case isName(key):
			text += "." + key
		default:
			text += fmt.Sprintf("[%q]", key)
		}
	}
	return text
}

func isName(key string) bool {
	for i, r := range key {
		if !(r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || i > 0 && r >= '0' && r <= '9') {
			return false
		}
	}
	return key != ""
}
