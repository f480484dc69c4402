package lang

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"

	"github.com/skycrafters/responder"
)

// names checks the names of an expression as written, so that all of its
// mistakes are told at once and in its author's words.
type names struct {
	at       span
	scope    Scope
	names    map[string]bool
	problems Problems
}

func nameSet(scope Scope) map[string]bool {
	set := map[string]bool{}
	for _, name := range scope.Names {
		set[name] = true
	}
	for _, s := range responder.Severities() {
		set[s.String()] = true
	}
	if scope.Vars != nil {
		set["vars"] = true
	}
	if scope.Lists != nil {
		set["lists"] = true
	}
	return set
}

func (n *names) report(node ast.Node, hint, format string, args ...any) {
	loc := node.Location()
	p := n.at.problem(loc.From, loc.To-loc.From, format, args...)
	p.Hint = hint
	n.problems = append(n.problems, p)
}

func (n *names) check(node ast.Node) {
	switch node := node.(type) {
	case *ast.IdentifierNode:
		n.identifier(node)
		return
	case *ast.MemberNode:
		n.member(node)
		return
	case *ast.CallNode:
		n.call(node)
		return
	case *ast.VariableDeclaratorNode:
		n.declaration(node)
		return
	case *ast.BinaryNode:
		n.severities(node)
	case *ast.BuiltinNode:
		n.builtin(node)
	case *ast.SequenceNode:
		n.report(node.Nodes[0], "write && or || ; a ; only ends a let", "what stands before a ; has no effect")
	}
	for _, child := range children(node) {
		n.check(child)
	}
}

// eventsOwnTime is the hint for functions that are disabled.
const eventsOwnTime = "a rule judges by the event's own time: use `time`"

func (n *names) identifier(node *ast.IdentifierNode) {
	if n.names[node.Value] {
		return
	}
	hint := suggest(node.Value, keys(n.names))
	switch {
	case slices.Contains(disabledBuiltins, node.Value):
		hint = eventsOwnTime
	case operatorWritten(node.Value) != "":
		hint = operatorWritten(node.Value)
	case helperNamed(node.Value) != nil || builtinNamed(node.Value):
		hint = fmt.Sprintf("%s is a function: write %s(…)", node.Value, node.Value)
	case node.Value == "vars" || node.Value == "lists":
		hint = fmt.Sprintf("there is no `%s:` here", node.Value)
	}
	n.report(node, hint, "unknown name %q", node.Value)
}

func (n *names) member(node *ast.MemberNode) {
	key, constant := node.Property.(*ast.StringNode)
	if base, ok := node.Node.(*ast.IdentifierNode); ok && constant && n.names[base.Value] {
		switch base.Value {
		case "vars":
			n.known(base.Value, key, keys(n.scope.Vars))
		case "lists":
			n.known(base.Value, key, keys(n.scope.Lists))
		case "actor":
			n.known(base.Value, key, actorKeys)
		}
		if known, limited := n.scope.Keys[base.Value]; limited {
			n.known(base.Value, key, known)
		}
	}
	n.check(node.Node)
	n.check(node.Property)
}

func (n *names) known(object string, key *ast.StringNode, known []string) {
	if slices.Contains(known, key.Value) {
		return
	}
	hint := suggest(key.Value, known)
	if hint == "" && len(known) > 0 && len(known) <= 10 {
		hint = fmt.Sprintf("%s has %s", object, strings.Join(known, ", "))
	}
	n.report(key, hint, "unknown key %q of %s", key.Value, object)
}

func (n *names) call(node *ast.CallNode) {
	for _, argument := range node.Arguments {
		n.check(argument)
	}
	callee, ok := node.Callee.(*ast.IdentifierNode)
	if !ok {
		n.report(node, "use a helper or a built-in, such as hour(time, \"UTC\")", "values have no methods here")
		return
	}
	helper := helperNamed(callee.Value)
	if helper == nil {
		hint := suggest(callee.Value, append(helperNames(), builtin.Names...))
		switch {
		case slices.Contains(disabledBuiltins, callee.Value):
			hint = eventsOwnTime
		case operatorWritten(callee.Value) != "":
			hint = operatorWritten(callee.Value)
		}
		n.report(callee, hint, "unknown function %q", callee.Value)
		return
	}
	if len(node.Arguments) < helper.min || len(node.Arguments) > helper.max {
		n.report(callee, helper.Usage, "%s takes %s, not %d", callee.Value, countText(helper.min, helper.max), len(node.Arguments))
	}
}

func countText(least, most int) string {
	text := fmt.Sprint(least)
	if most > least {
		text = fmt.Sprintf("%d to %d", least, most)
	}
	if most == 1 {
		return text + " argument"
	}
	return text + " arguments"
}

// builtin checks the number of arguments where expr would only find out at run time.
func (n *names) builtin(node *ast.BuiltinNode) {
	least, most, ok := builtinArity(node.Name)
	if ok && (len(node.Arguments) < least || len(node.Arguments) > most) {
		n.report(node, "", "%s takes %s, not %d", node.Name, countText(least, most), len(node.Arguments))
	}
}

func (n *names) declaration(node *ast.VariableDeclaratorNode) {
	n.check(node.Value)
	had := n.names[node.Name]
	if had || helperNamed(node.Name) != nil || builtinNamed(node.Name) {
		n.report(node, "choose another name", "%q already means something", node.Name)
	}
	n.names[node.Name] = true
	n.check(node.Expr)
	if !had {
		delete(n.names, node.Name)
	}
}

// severities refuses to compare a severity with a text: it would never be true.
func (n *names) severities(node *ast.BinaryNode) {
	for _, pair := range [][2]ast.Node{{node.Left, node.Right}, {node.Right, node.Left}} {
		if !n.isSeverity(pair[0]) {
			continue
		}
		candidates := []ast.Node{pair[1]}
		if array, ok := pair[1].(*ast.ArrayNode); ok {
			candidates = array.Nodes
		}
		for _, candidate := range candidates {
			if text, ok := candidate.(*ast.StringNode); ok {
				hint := fmt.Sprintf("severities are INFO < LOW < MEDIUM < HIGH < VERY_HIGH < EXTREME: write %s without quotes", strings.ToUpper(text.Value))
				n.report(text, hint, "a severity is compared with the text %q", text.Value)
			}
		}
	}
}

// severityNamed gives the severity of a name in an expression.
func severityNamed(name string) (responder.Severity, bool) {
	for _, s := range responder.Severities() {
		if s.String() == name {
			return s, true
		}
	}
	return 0, false
}

func (n *names) isSeverity(node ast.Node) bool {
	id, ok := node.(*ast.IdentifierNode)
	if !ok {
		return false
	}
	_, named := severityNamed(id.Value)
	return named || id.Value == "severity" && n.names["severity"]
}

// children gives the direct parts of a node. Nodes may be shared between parents.
func children(node ast.Node) []ast.Node {
	switch n := node.(type) {
	case *ast.UnaryNode:
		return []ast.Node{n.Node}
	case *ast.BinaryNode:
		return []ast.Node{n.Left, n.Right}
	case *ast.ChainNode:
		return []ast.Node{n.Node}
	case *ast.MemberNode:
		return []ast.Node{n.Node, n.Property}
	case *ast.SliceNode:
		parts := []ast.Node{n.Node}
		if n.From != nil {
			parts = append(parts, n.From)
		}
		if n.To != nil {
			parts = append(parts, n.To)
		}
		return parts
	case *ast.CallNode:
		return n.Arguments
	case *ast.BuiltinNode:
		return n.Arguments
	case *ast.PredicateNode:
		return []ast.Node{n.Node}
	case *ast.VariableDeclaratorNode:
		return []ast.Node{n.Value, n.Expr}
	case *ast.SequenceNode:
		return n.Nodes
	case *ast.ConditionalNode:
		return []ast.Node{n.Cond, n.Exp1, n.Exp2}
	case *ast.ArrayNode:
		return n.Nodes
	case *ast.MapNode:
		return n.Pairs
	case *ast.PairNode:
		return []ast.Node{n.Key, n.Value}
	}
	return nil
}
