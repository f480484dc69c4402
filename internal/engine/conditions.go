package engine

import (
	"regexp/syntax"

	"github.com/expr-lang/expr/ast"

	"github.com/skycrafters/responder/internal/lang"
)

// condition is something simple that can be so of one slot of an event.
type condition struct {
	slot slot
	is   relation
	text string  // of equals, begins, ends, holds
	n    float64 // of isNumber
}

// relation is how a slot is to stand to the condition's text or number.
type relation uint8

const (
	equals   relation = iota // it is this text
	isNumber                 // it is this number
	truly                    // it is true
	falsely                  // it is false
	begins                   // it is a text that begins so
	ends                     // it is a text that ends so
	holds                    // it is a text that has this in it
	textual                  // it is a text
	present                  // it is not nil
	odd                      // it is neither nil, true nor false
	failing                  // it is not known, as any condition holds of what is not known
)

// needs reads off a calm tree what must be so for it to be true (wanted), or to
// be false or nil (not wanted).
//
// The traps: what stands to the left of && and || and fails must fail still, so
// what is on the right of it counts only if the left cannot fail; each side of
// || needs something; and what is true of an absent field needs nothing.
func (c *compiler) needs(node ast.Node, wanted bool) *need {
	switch n := node.(type) {
	case *ast.BoolNode:
		if n.Value == wanted {
			return nil
		}
		return never
	case *ast.UnaryNode:
		if n.Operator == "!" {
			return c.needs(n.Node, !wanted)
		}
	case *ast.BinaryNode:
		switch n.Operator {
		case "&&", "||":
			return c.joined(n, wanted)
		case "==":
			return c.needsEqual(n.Left, n.Right, wanted)
		case "!=":
			return c.needsEqual(n.Left, n.Right, !wanted)
		}
	case *ast.BuiltinNode:
		if n.Name == "any" || n.Name == "one" {
			return c.needsElements(n, wanted)
		}
	case *ast.ConditionalNode:
		if wanted {
			return c.needsChoice(n)
		}
	case *ast.VariableDeclaratorNode:
		if p, ok := c.path(n.Value); ok {
			defer c.name(n.Name, &local{path: p})()
			return c.needs(n.Expr, wanted)
		}
	}
	if !wanted {
		return nil // a negation of what is below is true where the field is absent
	}
	name, arguments := callOf(node)
	if name == "" {
		return c.needsTruth(node)
	}
	return c.needsCall(node, name, arguments)
}

// joined is a && b, wanted, or a || b, not wanted: both must come out so; or the
// other way round: one of them must.
func (c *compiler) joined(n *ast.BinaryNode, wanted bool) *need {
	left, right := c.needs(n.Left, wanted), c.needs(n.Right, wanted)
	if (n.Operator == "&&") != wanted {
		return either(left, right)
	}
	if !c.total(n.Left) {
		return left
	}
	return better(left, right)
}

// needsChoice is a ternary of which one side gives nothing: its condition must
// choose the other.
func (c *compiler) needsChoice(n *ast.ConditionalNode) *need {
	switch {
	case nothing(n.Exp2):
		return c.needs(n.Cond, true)
	case nothing(n.Exp1):
		return c.needs(n.Cond, false)
	}
	return nil
}

// nothing reports whether a node is nil or false as it stands.
func nothing(node ast.Node) bool {
	v, ok := literal(node)
	return ok && (v.kind == isNil || v.kind == isFalse)
}

// one is a need of a single condition.
func one(is condition, odds float64) *need { return &need{any: []condition{is}, odds: odds} }

// place gives the slot of the event that a node names, for conditions. Of a text
// in lower case that is the folded one, which is unknown where it differs, and
// where the event has no text, for there the node fails.
func (c *compiler) place(node ast.Node) (slot, bool) {
	if p, ok := c.path(node); ok && p.loop == nil {
		return p.slot, true
	}
	name, arguments := callOf(node)
	switch name {
	case "spend":
		return c.place(arguments[1])
	case "calm lower":
		if p, ok := c.path(arguments[0]); ok && p.loop == nil {
			return c.folded(p.slot), true
		}
	}
	return 0, false
}

// failure is the need of a test of a slot that no value passes: that the slot
// itself fails.
func (c *compiler) failure(at slot) *need {
	return &need{any: []condition{{slot: at, is: failing}}}
}

// needsEqual is == where one side is a literal.
func (c *compiler) needsEqual(left, right ast.Node, wanted bool) *need {
	at, ok := c.place(left)
	v, isLiteral := literal(right)
	if !ok || !isLiteral {
		at, ok = c.place(right)
		v, isLiteral = literal(left)
	}
	if !ok || !isLiteral {
		return nil
	}
	if v.kind == isNil {
		if wanted {
			return nil
		}
		return one(condition{slot: at, is: present}, c.present(at))
	}
	if !wanted {
		return nil
	}
	return c.needsValue(at, v)
}

// needsValue is that a slot is a value; nil for a value that cannot be looked up.
func (c *compiler) needsValue(at slot, v value) *need {
	switch v.kind {
	case isText:
		return one(condition{slot: at, is: equals, text: v.text}, c.likely(at))
	case isTrue:
		return one(condition{slot: at, is: truly}, c.likely(at))
	case isFalse:
		return one(condition{slot: at, is: falsely}, c.likely(at))
	case isInt, isFloat:
		n, _ := v.number()
		return one(condition{slot: at, is: isNumber, n: n}, c.likely(at))
	}
	return nil
}

// needsTruth is a value as a condition, alone or behind "?": true, or of a kind
// that fails.
func (c *compiler) needsTruth(node ast.Node) *need {
	at, ok := c.place(node)
	if !ok {
		return nil
	}
	return &need{any: []condition{{slot: at, is: truly}, {slot: at, is: odd}}, odds: c.present(at)}
}

// needsCall is a call of a function, which is to be true.
func (c *compiler) needsCall(node ast.Node, name string, arguments []ast.Node) *need {
	switch name {
	case "?", "value":
		return c.needs(arguments[0], true)
	case "==":
		return c.needsEqual(arguments[0], arguments[1], true)
	case "[]", "calm get":
		return c.needsTruth(node)
	case "pick":
		return nil
	}
	if len(arguments) == 0 || !lang.IsCondition(name) {
		return nil
	}
	at, ok := c.place(arguments[0])
	if !ok {
		return nil
	}
	switch name {
	case "<", ">", "<=", ">=":
		if _, constant := literal(arguments[1]); constant {
			return one(condition{slot: at, is: present}, c.present(at))
		}
	case "startsWith", "endsWith", "contains":
		if v, ok := literal(arguments[1]); ok && v.kind == isText {
			is := map[string]relation{"startsWith": begins, "endsWith": ends, "contains": holds}[name]
			return c.needsPart(at, is, v.text)
		}
	case "in":
		return c.needsMember(at, arguments[1])
	case "matches":
		if n, ok := arguments[1].(*ast.ConstantNode); ok {
			if pattern, ok := n.Value.(*lang.Pattern); ok {
				return c.needsPattern(at, pattern)
			}
		}
	case "glob", "matches_any":
		if n, ok := arguments[1].(*ast.ConstantNode); ok {
			if patterns, ok := n.Value.(lang.Patterns); ok {
				all := c.failure(at)
				for _, p := range patterns {
					all = either(all, c.needsPattern(at, p))
				}
				return all
			}
		}
	case "ip_in":
		if n, ok := arguments[1].(*ast.ConstantNode); ok {
			if _, ok := n.Value.(*lang.Networks); ok {
				return one(condition{slot: at, is: textual}, c.present(at))
			}
		}
	case "public_ip":
		return one(condition{slot: at, is: textual}, c.present(at))
	}
	return nil
}

// needsMember is `in` a constant list.
func (c *compiler) needsMember(at slot, in ast.Node) *need {
	ready, ok := in.(*ast.ConstantNode)
	if !ok {
		return nil
	}
	all := c.failure(at)
	add := func(n *need) bool {
		if n != nil {
			all.any, all.odds = append(all.any, n.any...), all.odds+n.odds
		}
		return n != nil
	}
	switch list := ready.Value.(type) {
	case lang.Set:
		for text := range list {
			add(c.needsValue(at, textValue(text)))
		}
		return all
	case []any:
		for _, v := range list {
			if !add(c.needsValue(at, constant(v))) {
				return nil // nil, or what is looked at in depth
			}
		}
		return all
	}
	return nil
}

// needsPart is that a slot's text begins so, ends so, or has this in it.
func (c *compiler) needsPart(at slot, is relation, text string) *need {
	if text == "" {
		return one(condition{slot: at, is: textual}, c.present(at))
	}
	odds := c.present(at)
	if len(text) >= gramLength {
		odds = min(odds, 3*c.likely(at))
	}
	return one(condition{slot: at, is: is, text: text}, odds)
}

// needsPattern is that a regular expression is found in a slot's text.
func (c *compiler) needsPattern(at slot, pattern *lang.Pattern) *need {
	re := pattern.Tree().Simplify()
	for re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	alternatives := []*syntax.Regexp{re}
	if re.Op == syntax.OpAlternate {
		alternatives = re.Sub
	}
	all := c.failure(at)
	for _, alternative := range alternatives {
		var each *need
		for _, r := range requires(alternative) {
			of := at
			if r.fold {
				of = c.folded(at)
			}
			each = better(each, c.needsPart(of, r.is, r.text))
		}
		all = either(all, each)
	}
	return all
}

// needsElements is any and one: there must be elements.
func (c *compiler) needsElements(n *ast.BuiltinNode, wanted bool) *need {
	name, list := callOf(n.Arguments[0])
	if !wanted || name != "list" {
		return nil
	}
	at, ok := c.place(list[0])
	if !ok {
		return nil
	}
	return one(condition{slot: at, is: present}, c.present(at))
}
