package engine

import (
	"fmt"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/skycrafters/responder/internal/lang"
)

// test judges a condition; eval gives a value, which is read-only and stands
// until the closure is called again.
type (
	test func(f *frame) decided
	eval func(f *frame) *value
)

var unknownValue = value{kind: unknown}

// compiler makes closures of a calm tree. What it has no closure for asks the
// fallback, but only where evaluation comes to it.
type compiler struct {
	*builder
	loop *loop             // the innermost loop around the node
	item *loop             // the rule's own items, where the node is their condition
	lets map[string]*local // by name
	why  []string          // what there is no closure for
}

// loop is a collection built-in with a condition on its elements.
type loop struct {
	number int
	paths  *trie // what the condition names of an element
}

// local is what a `let` has named: a path, or a value of its own.
type local struct {
	path *path
	eval eval
}

func (c *compiler) unable(node ast.Node, format string, args ...any) {
	c.why = append(c.why, fmt.Sprintf(format, args...))
}

func askTest(*frame) decided { return ask }
func askEval(*frame) *value  { return &unknownValue }

// own gives a closure's own place for what it works out.
func (c *compiler) own() int {
	c.values++
	return c.values - 1
}

// literal gives the value of a node that is the same for every event.
func literal(node ast.Node) (value, bool) {
	switch n := node.(type) {
	case *ast.NilNode:
		return value{}, true
	case *ast.BoolNode:
		return truthValue(n.Value), true
	case *ast.IntegerNode:
		return constant(n.Value), true
	case *ast.FloatNode:
		return constant(n.Value), true
	case *ast.StringNode:
		return constant(n.Value), true
	case *ast.ConstantNode:
		return constant(n.Value), true
	case *ast.UnaryNode:
		v, ok := literal(n.Node)
		if _, isNumber := v.number(); !ok || !isNumber {
			return value{}, false
		}
		switch n.Operator {
		case "-":
			if v.kind == isInt {
				return intValue(-v.int()), true
			}
			return floatValue(-v.float()), true
		case "+":
			return v, true
		}
	}
	return value{}, false
}

// callOf gives the function that a node calls, "" if it calls none.
func callOf(node ast.Node) (name string, arguments []ast.Node) {
	call, ok := node.(*ast.CallNode)
	if !ok {
		return "", nil
	}
	if callee, ok := call.Callee.(*ast.IdentifierNode); ok {
		return callee.Value, call.Arguments
	}
	return "", nil
}

// eval compiles a node for its value.
func (c *compiler) eval(node ast.Node) eval {
	if v, ok := literal(node); ok {
		return func(*frame) *value { return &v }
	}
	if p, ok := c.path(node); ok {
		return p.eval()
	}
	switch n := node.(type) {
	case *ast.IdentifierNode:
		if l := c.lets[n.Value]; l != nil && l.eval != nil {
			return l.eval
		}
		c.unable(node, "%s as a whole", n.Value)
		return askEval
	case *ast.ConditionalNode:
		condition, then, otherwise := c.test(n.Cond), c.eval(n.Exp1), c.eval(n.Exp2)
		return pick(condition, then, otherwise)
	case *ast.BinaryNode:
		if n.Operator == "??" {
			left, right := c.eval(n.Left), c.eval(n.Right)
			return func(f *frame) *value {
				if v := left(f); v.kind != isNil {
					return v
				}
				return right(f)
			}
		}
	case *ast.VariableDeclaratorNode:
		return c.let(n)
	}
	if name, arguments := callOf(node); name != "" {
		if e := c.function(node, name, arguments); e != nil {
			return e
		}
	}
	if !isCondition(node) {
		c.unable(node, "%s", nameOf(node))
		return askEval
	}
	condition, own := c.test(node), c.own()
	return func(f *frame) *value {
		switch condition(f) {
		case ask:
			return &unknownValue
		case yes:
			f.values[own] = value{kind: isTrue}
		default:
			f.values[own] = value{kind: isFalse}
		}
		return &f.values[own]
	}
}

func pick(condition test, then, otherwise eval) eval {
	return func(f *frame) *value {
		switch condition(f) {
		case yes:
			return then(f)
		case no:
			return otherwise(f)
		}
		return &unknownValue
	}
}

// let names a value, which is worked out once, also where nobody reads it.
func (c *compiler) let(n *ast.VariableDeclaratorNode) eval {
	named := &local{}
	var worked eval
	if p, ok := c.path(n.Value); ok {
		named.path = p
	} else {
		own := c.own()
		worked = c.eval(n.Value)
		named.eval = func(f *frame) *value { return &f.values[own] }
		inner := worked
		worked = func(f *frame) *value {
			f.values[own] = *inner(f)
			return &f.values[own]
		}
	}
	unname := c.name(n.Name, named)
	body := c.eval(n.Expr)
	unname()
	if worked == nil {
		return body
	}
	return func(f *frame) *value {
		if worked(f).kind == unknown {
			return &unknownValue
		}
		return body(f)
	}
}

// name gives a name its meaning, until it is unnamed.
func (c *compiler) name(name string, named *local) (unname func()) {
	had := c.lets[name]
	c.lets[name] = named
	return func() { c.lets[name] = had }
}

// isCondition reports whether a node can only be true or false.
func isCondition(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.UnaryNode:
		return n.Operator == "!"
	case *ast.BinaryNode:
		return n.Operator != "??"
	case *ast.BuiltinNode:
		return n.Name == "any" || n.Name == "all" || n.Name == "none" || n.Name == "one"
	case *ast.CallNode:
		name, _ := callOf(n)
		return lang.IsCondition(name)
	}
	return false
}

// test compiles a node for its truth.
func (c *compiler) test(node ast.Node) test {
	switch n := node.(type) {
	case *ast.BoolNode:
		always := decide(n.Value)
		return func(*frame) decided { return always }
	case *ast.UnaryNode:
		if n.Operator == "!" {
			inner := c.test(n.Node)
			return func(f *frame) decided {
				switch inner(f) {
				case yes:
					return no
				case no:
					return yes
				}
				return ask
			}
		}
	case *ast.BinaryNode:
		switch n.Operator {
		case "&&":
			return all(c.conjuncts(n, nil))
		case "||":
			left, right := c.test(n.Left), c.test(n.Right)
			return func(f *frame) decided {
				if d := left(f); d != no {
					return d
				}
				return right(f)
			}
		case "==", "!=":
			return c.equality(n.Left, n.Right, n.Operator == "!=")
		}
	case *ast.BuiltinNode:
		return c.quantifier(n)
	}
	name, arguments := callOf(node)
	if t := c.condition(node, name, arguments); t != nil {
		return t
	}
	if isCondition(node) {
		c.unable(node, "%s", nameOf(node))
		return askTest
	}
	value := c.eval(node)
	return func(f *frame) decided { return value(f).truth() }
}

// conjuncts are the parts of a chain of &&, in order.
func (c *compiler) conjuncts(node ast.Node, into []test) []test {
	if n, ok := node.(*ast.BinaryNode); ok && n.Operator == "&&" {
		return c.conjuncts(n.Right, c.conjuncts(n.Left, into))
	}
	return append(into, c.test(node))
}

func all(tests []test) test {
	return func(f *frame) decided {
		for _, t := range tests {
			if d := t(f); d != yes {
				return d
			}
		}
		return yes
	}
}

// equality is == and != where a side is a literal, and the call "==" in depth.
func (c *compiler) equality(left, right ast.Node, not bool) test {
	if p, ok := c.path(left); ok && p.loop == nil {
		if v, ok := literal(right); ok && v.kind == isText {
			at, text := p.slot, v.text
			return func(f *frame) decided {
				v := f.get(at)
				return decide((v.kind == isText && v.text == text) != not).unless(v.kind >= isOther)
			}
		}
	}
	a, b := c.eval(left), c.eval(right)
	return func(f *frame) decided {
		x := *a(f) // evaluating b may move what a gives
		d := equal(&x, b(f))
		if d == ask || !not {
			return d
		}
		return yes - d
	}
}

// condition compiles a call that can only be true or false; nil if there is no
// closure for it.
func (c *compiler) condition(node ast.Node, name string, arguments []ast.Node) test {
	switch name {
	case "?":
		return c.test(arguments[0])
	case "==":
		return c.equality(arguments[0], arguments[1], false)
	case "<", ">", "<=", ">=":
		return c.ordering(name, arguments[0], arguments[1])
	case "contains":
		return c.texts(arguments[0], arguments[1], strings.Contains)
	case "startsWith":
		return c.texts(arguments[0], arguments[1], strings.HasPrefix)
	case "endsWith":
		return c.texts(arguments[0], arguments[1], strings.HasSuffix)
	case "in":
		return c.membership(arguments[0], arguments[1])
	case "in..":
		return c.span(arguments)
	}
	return c.helper(node, name, arguments)
}

func (c *compiler) ordering(operator string, left, right ast.Node) test {
	a, b := c.eval(left), c.eval(right)
	holds := map[string]func(order int) bool{
		"<": func(o int) bool { return o < 0 }, ">": func(o int) bool { return o > 0 },
		"<=": func(o int) bool { return o <= 0 }, ">=": func(o int) bool { return o >= 0 },
	}[operator]
	return func(f *frame) decided {
		x := *a(f)
		y := b(f)
		if x.kind >= isOther || y.kind >= isOther {
			return ask
		}
		order, ok := compare(&x, y)
		return decide(ok && holds(order))
	}
}

// texts is a test of two texts, false of anything else.
func (c *compiler) texts(left, right ast.Node, holds func(a, b string) bool) test {
	a, b := c.eval(left), c.eval(right)
	return func(f *frame) decided {
		x := *a(f)
		y := b(f)
		if x.kind == unknown || y.kind == unknown {
			return ask
		}
		return decide(x.kind == isText && y.kind == isText && holds(x.text, y.text))
	}
}

// span is `in a..b`.
func (c *compiler) span(arguments []ast.Node) test {
	v, from, to := c.eval(arguments[0]), c.eval(arguments[1]), c.eval(arguments[2])
	return func(f *frame) decided {
		x, a := *v(f), *from(f)
		b := to(f)
		if x.kind == unknown || a.kind == unknown || b.kind == unknown {
			return ask
		}
		n, ok := x.whole()
		least, okLeast := a.whole()
		most, okMost := b.whole()
		return decide(ok && okLeast && okMost && least <= n && n <= most)
	}
}

// nameOf says in the words of rules what a node is.
func nameOf(node ast.Node) string {
	switch n := node.(type) {
	case *ast.BinaryNode:
		return n.Operator
	case *ast.BuiltinNode:
		return n.Name + "(…)"
	case *ast.ArrayNode:
		return "a list"
	case *ast.MapNode:
		return "an object"
	case *ast.PointerNode:
		return "#" + n.Name
	}
	switch name, _ := callOf(node); name {
	case "":
		return "this expression"
	case "[]":
		return "a key or index that is not written out"
	case "[:]":
		return "a slice"
	default:
		return strings.TrimPrefix(name, "calm ")
	}
}
