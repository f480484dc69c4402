package lang

import (
	"fmt"

	"github.com/expr-lang/expr/ast"

	"github.com/skycrafters/responder"
)

// calmer rewrites an expression's tree so that absent fields and values of the
// wrong kind are calm. The meaning of an expression is expr's VM on this tree.
//
//	what                            nil or of the wrong kind gives
//	a.b  a["b"]  a?.b  a[i]         nil, where a is no object or list, b absent, i out of range
//	a[i:j]                          nil; beyond the ends: what there is
//	< > <= >=                       false
//	+ - * / % ** ^  -a  a..b        nil
//	contains startsWith endsWith    false
//	matches                         false
//	a in b                          false; b a single value counts as a list of one, b an object: its keys
//	not a  a && b  a || b  a ? b : c  nil counts as false; anything else but true and false is an error
//	a == b  a != b  a ?? b          as they say: nil equals only nil, numbers compare by value, at any depth
//	len                             0
//	all none any one filter map     nil counts as [], a single value or object as a list of one
//	find… count sum groupBy sortBy
//	reduce first last take reverse
//	uniq flatten sort join concat
//	mean median min max fromPairs
//	sum mean median min max         pass over what is no number
//	sort sortBy                     nil comes first, then truth values, numbers, texts, the rest as it was
//	groupBy fromPairs               an object, its keys as text
//	keys values toPairs             [] for what is no object, else in the order of the keys
//	every other built-in            nil where an argument is nil; of the wrong kind is an error
//	helpers                         as each says (see Helpers)
//
// In predicates (all, none, any, one, filter, find…, count) nil counts as false.
// The rewriting builds new nodes and leaves the old tree as it is.
//
// What expr takes for a text or a number, and may be nil all the same (c ? "a" : b,
// findIndex), is made a "value" of unknown type, which expr compares calmly.
//
// What loops inside loops is counted (see budget): an event cannot make a rule
// run for minutes.
type calmer struct {
	at       span
	scope    Scope
	problems Problems
	depth    int  // of predicates around the node
	counts   bool // the tree spends a budget
}

// budgetName is the name under which an environment holds the budget. Nobody
// can write it.
const budgetName = "\x00budget"

// spent counts the size of a value against the budget, where the node is inside
// a predicate, that is, evaluated once for each element of something.
func (c *calmer) spent(node ast.Node) ast.Node {
	if c.depth == 0 {
		return node
	}
	if _, constant := literal(node); constant {
		return node
	}
	c.counts = true
	return call(node, "spend", put(node, &ast.IdentifierNode{Value: budgetName}), node)
}

func (c *calmer) report(node ast.Node, format string, args ...any) {
	loc := node.Location()
	c.problems = append(c.problems, c.at.problem(loc.From, loc.To-loc.From, format, args...))
}

// put gives the new node the place of the old one, for error messages.
func put[N ast.Node](old ast.Node, node N) ast.Node {
	node.SetLocation(old.Location())
	return node
}

// call is a call of one of the functions of this package.
func call(old ast.Node, name string, arguments ...ast.Node) ast.Node {
	return put(old, &ast.CallNode{Callee: put(old, &ast.IdentifierNode{Value: name}), Arguments: arguments})
}

func (c *calmer) nodes(nodes []ast.Node) []ast.Node {
	out := make([]ast.Node, len(nodes))
	for i, n := range nodes {
		out[i] = c.node(n)
	}
	return out
}

func (c *calmer) node(node ast.Node) ast.Node {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		if severity, ok := severityNamed(n.Value); ok {
			return put(n, &ast.ConstantNode{Value: severity})
		}
		return c.constant(n, n)
	case *ast.UnaryNode:
		return c.unary(n)
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.ChainNode:
		return c.node(n.Node)
	case *ast.MemberNode:
		if folded := c.constant(n, nil); folded != nil {
			return folded
		}
		return call(n, "[]", c.node(n.Node), c.node(n.Property))
	case *ast.SliceNode:
		return call(n, "[:]", c.node(n.Node), c.bound(n, n.From), c.bound(n, n.To))
	case *ast.CallNode:
		return c.call(n)
	case *ast.BuiltinNode:
		return c.builtin(n)
	case *ast.PredicateNode:
		return c.predicate(n, c.node)
	case *ast.VariableDeclaratorNode:
		return put(n, &ast.VariableDeclaratorNode{Name: n.Name, Value: c.node(n.Value), Expr: c.node(n.Expr)})
	case *ast.SequenceNode:
		return put(n, &ast.SequenceNode{Nodes: c.nodes(n.Nodes)})
	case *ast.ConditionalNode:
		then, otherwise := c.node(n.Exp1), c.node(n.Exp2)
		chosen := put(n, &ast.ConditionalNode{Ternary: n.Ternary, Cond: c.truth(n.Cond), Exp1: then, Exp2: otherwise})
		if isPlain(then) && isPlain(otherwise) && !literalNil(then) && !literalNil(otherwise) {
			return chosen // so that comparing it with another kind stays a mistake told at load
		}
		return call(n, "value", chosen)
	case *ast.ArrayNode:
		return put(n, &ast.ArrayNode{Nodes: c.nodes(n.Nodes)})
	case *ast.MapNode:
		return put(n, &ast.MapNode{Pairs: c.nodes(n.Pairs)})
	case *ast.PairNode:
		return put(n, &ast.PairNode{Key: c.node(n.Key), Value: c.node(n.Value)})
	}
	return node // literals, nil and pointers (#) are calm as they are
}

// predicate is the body of a collection built-in, rewritten one level deeper.
func (c *calmer) predicate(n *ast.PredicateNode, rewrite func(ast.Node) ast.Node) ast.Node {
	c.depth++
	defer func() { c.depth-- }()
	return put(n, &ast.PredicateNode{Node: rewrite(n.Node)})
}

// bound is an end of a slice, nil where it is left out.
func (c *calmer) bound(at, node ast.Node) ast.Node {
	if node == nil {
		return put(at, &ast.NilNode{})
	}
	return c.node(node)
}

// truth is the node as a condition.
func (c *calmer) truth(node ast.Node) ast.Node {
	calm := c.node(node)
	if isBool(calm) {
		return calm
	}
	return call(node, "?", calm)
}

// isBool reports whether a calm node can only be true or false.
func isBool(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.BoolNode:
		return true
	case *ast.UnaryNode:
		return n.Operator == "!"
	case *ast.BinaryNode:
		switch n.Operator {
		case "==", "!=", "&&", "||":
			return true
		}
	case *ast.BuiltinNode:
		switch n.Name {
		case "all", "none", "any", "one":
			return true
		}
	case *ast.CallNode:
		if id, ok := n.Callee.(*ast.IdentifierNode); ok {
			return boolFunctions[id.Value]
		}
	}
	return false
}

func (c *calmer) unary(n *ast.UnaryNode) ast.Node {
	switch n.Operator {
	case "not", "!":
		return put(n, &ast.UnaryNode{Operator: "!", Node: c.truth(n.Node)})
	}
	switch n.Node.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		return put(n, &ast.UnaryNode{Operator: n.Operator, Node: n.Node})
	}
	if n.Operator == "-" {
		return call(n, "neg", c.node(n.Node))
	}
	return call(n, "pos", c.node(n.Node))
}

func (c *calmer) binary(n *ast.BinaryNode) ast.Node {
	switch n.Operator {
	case "and", "&&":
		return put(n, &ast.BinaryNode{Operator: "&&", Left: c.truth(n.Left), Right: c.truth(n.Right)})
	case "or", "||":
		return put(n, &ast.BinaryNode{Operator: "||", Left: c.truth(n.Left), Right: c.truth(n.Right)})
	case "==", "!=":
		return c.equality(n)
	case "??":
		return put(n, &ast.BinaryNode{Operator: n.Operator, Left: c.node(n.Left), Right: c.node(n.Right)})
	case "matches":
		return call(n, n.Operator, c.node(n.Left), c.prepared(n.Right, preparePattern))
	case "in":
		if r, ok := n.Right.(*ast.BinaryNode); ok && r.Operator == ".." {
			return call(n, "in..", c.node(n.Left), c.node(r.Left), c.node(r.Right))
		}
		return call(n, n.Operator, c.node(n.Left), c.spent(c.prepared(n.Right, prepareSet)))
	}
	return call(n, n.Operator, c.spent(c.node(n.Left)), c.node(n.Right))
}

// equality is expr's own where one side is a plain literal, so that comparing a
// number with a text stays a mistake told at load; else it compares in depth.
func (c *calmer) equality(n *ast.BinaryNode) ast.Node {
	left, right := c.node(n.Left), c.node(n.Right)
	if isPlain(left) || isPlain(right) {
		return put(n, &ast.BinaryNode{Operator: n.Operator, Left: left, Right: right})
	}
	equal := call(n, "==", c.spent(left), c.spent(right))
	if n.Operator == "==" {
		return equal
	}
	return put(n, &ast.UnaryNode{Operator: "!", Node: equal})
}

func isPlain(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NilNode:
		return true
	case *ast.ConstantNode:
		_, ok := n.Value.(responder.Severity)
		return ok
	}
	return false
}

func (c *calmer) call(n *ast.CallNode) ast.Node {
	callee, _ := n.Callee.(*ast.IdentifierNode) // names has made sure of it
	helper := helperNamed(callee.Value)
	arguments := make([]ast.Node, len(n.Arguments))
	for i, argument := range n.Arguments {
		if prepare := helper.prepare[i]; prepare != nil {
			arguments[i] = c.prepared(argument, prepare)
		} else {
			arguments[i] = c.node(argument)
		}
		if helper.truth[i] {
			arguments[i] = c.truth(argument)
		}
	}
	return call(n, callee.Value, arguments...)
}

func (c *calmer) builtin(n *ast.BuiltinNode) ast.Node {
	if !predicateBuiltins[n.Name] {
		arguments := c.nodes(n.Arguments)
		for i := range arguments {
			arguments[i] = c.spent(arguments[i])
		}
		return call(n, "calm "+n.Name, arguments...)
	}
	of := call(n, "list", c.spent(c.node(n.Arguments[0])))
	if len(n.Arguments) == 1 { // only count and sum take no predicate
		return put(n, &ast.BuiltinNode{Name: n.Name, Arguments: []ast.Node{call(n, map[string]string{"count": "truths", "sum": "numbers"}[n.Name], of)}})
	}
	predicate, ok := n.Arguments[1].(*ast.PredicateNode)
	if !ok { // the parser makes sure of it
		c.report(n, "%s needs a condition on the elements", n.Name)
		return n
	}
	return c.loop(n, of, predicate)
}

// loop is a built-in with a predicate.
func (c *calmer) loop(n *ast.BuiltinNode, of ast.Node, predicate *ast.PredicateNode) ast.Node {
	made := func(name string, body ast.Node) ast.Node {
		return put(n, &ast.BuiltinNode{Name: name, Arguments: []ast.Node{of, body}})
	}
	through := func(name string) func(ast.Node) ast.Node {
		return func(body ast.Node) ast.Node { return call(body, name, c.node(body)) }
	}
	switch n.Name {
	case "map":
		return made(n.Name, c.predicate(predicate, c.node))
	case "sum":
		return made(n.Name, c.predicate(predicate, through("number")))
	case "findIndex", "findLastIndex":
		return call(n, "value", made(n.Name, c.predicate(predicate, c.truth)))
	case "groupBy":
		return call(n, "groups", made(n.Name, c.predicate(predicate, through("text"))))
	case "sortBy":
		keyed := c.predicate(predicate, func(body ast.Node) ast.Node {
			return put(body, &ast.ArrayNode{Nodes: []ast.Node{c.node(body), put(body, &ast.PointerNode{})}})
		})
		arguments := append([]ast.Node{made("map", keyed)}, c.nodes(n.Arguments[2:])...)
		return call(n, "sort keyed", arguments...)
	case "reduce":
		if len(n.Arguments) == 2 {
			of = call(n, "first is nil", of)
		}
		arguments := append([]ast.Node{of, c.predicate(predicate, c.node)}, c.nodes(n.Arguments[2:])...)
		return put(n, &ast.BuiltinNode{Name: n.Name, Arguments: arguments})
	}
	return made(n.Name, c.predicate(predicate, c.truth))
}

// prepared makes an argument that is constant ready once, at load: a pattern is
// compiled, a list of addresses parsed. What cannot be made ready is a problem.
func (c *calmer) prepared(node ast.Node, prepare func(any) (any, error)) ast.Node {
	calm := c.node(node)
	value, ok := literal(calm)
	if !ok {
		return calm
	}
	var shared *Shared
	if _, written := calm.(*ast.ConstantNode); written { // not a list that is made where it is used
		shared = c.scope.Shared
	}
	ready, err := shared.prepared(value, prepare)
	if err != nil {
		c.report(node, "%v", err)
		return calm
	}
	return put(node, &ast.ConstantNode{Value: ready})
}

// constant folds vars.x, lists.x and what lies below into their values; without
// a value, it gives otherwise.
func (c *calmer) constant(node ast.Node, otherwise ast.Node) ast.Node {
	value, ok := c.value(node)
	if !ok {
		return otherwise
	}
	switch v := value.(type) {
	case nil:
		return put(node, &ast.NilNode{})
	case string:
		return put(node, &ast.StringNode{Value: v})
	case bool:
		return put(node, &ast.BoolNode{Value: v})
	case int:
		return put(node, &ast.IntegerNode{Value: v})
	case float64:
		return put(node, &ast.FloatNode{Value: v})
	}
	return put(node, &ast.ConstantNode{Value: value})
}

func (c *calmer) value(node ast.Node) (any, bool) {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		switch {
		case n.Value == "vars" && c.scope.Vars != nil:
			return c.scope.Vars, true
		case n.Value == "lists" && c.scope.Lists != nil:
			return c.scope.Lists, true
		}
	case *ast.MemberNode:
		base, ok := c.value(n.Node)
		if !ok {
			return nil, false
		}
		switch property := n.Property.(type) {
		case *ast.StringNode:
			return member(base, property.Value), true
		case *ast.IntegerNode:
			return member(base, property.Value), true
		}
	}
	return nil, false
}

// literal gives the value of a node that has one without an event.
func literal(node ast.Node) (any, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.IntegerNode:
		return n.Value, true
	case *ast.FloatNode:
		return n.Value, true
	case *ast.BoolNode:
		return n.Value, true
	case *ast.NilNode:
		return nil, true
	case *ast.ConstantNode:
		return n.Value, true
	case *ast.ArrayNode:
		list := make([]any, len(n.Nodes))
		for i, element := range n.Nodes {
			value, ok := literal(element)
			if !ok {
				return nil, false
			}
			list[i] = value
		}
		return list, true
	case *ast.MapNode:
		object := make(map[string]any, len(n.Pairs))
		for _, p := range n.Pairs {
			pair, ok := p.(*ast.PairNode)
			if !ok {
				return nil, false
			}
			key, keyed := literal(pair.Key)
			value, valued := literal(pair.Value)
			if !keyed || !valued {
				return nil, false
			}
			object[fmt.Sprint(key)] = value
		}
		return object, true
	}
	return nil, false
}

// preparePattern compiles a constant right side of `matches`.
func preparePattern(value any) (any, error) {
	text, ok := value.(string)
	if !ok {
		return value, nil
	}
	return newPattern(text)
}

// set is a constant list of texts, ready for `in`.
type set map[string]struct{}

// prepareSet makes a set of a constant list that holds only texts.
func prepareSet(value any) (any, error) {
	list, ok := value.([]any)
	if !ok {
		return value, nil
	}
	s := make(set, len(list))
	for _, element := range list {
		text, ok := element.(string)
		if !ok {
			return value, nil
		}
		s[text] = struct{}{}
	}
	return s, nil
}
