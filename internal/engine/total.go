package engine

import (
	"github.com/expr-lang/expr/ast"

	"github.com/skycrafters/responder/internal/lang"
)

// total reports whether a condition cannot fail, whatever the event: then what
// stands behind it can be looked at first. In doubt it is not.
//
// A loop counts what it spends, and fails where that is too much: it is not total.
func (c *compiler) total(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.BoolNode:
		return true
	case *ast.UnaryNode:
		return n.Operator == "!" && c.total(n.Node)
	case *ast.BinaryNode:
		switch n.Operator {
		case "&&", "||":
			return c.total(n.Left) && c.total(n.Right)
		case "==", "!=":
			return c.simple(n.Left) && c.simple(n.Right)
		}
		return false
	}
	name, arguments := callOf(node)
	switch {
	case name == "?":
		return c.total(arguments[0])
	case name == "" || !lang.IsCondition(name):
		at, ok := c.place(node)
		return ok && (at == c.derivedNamed("ok") || at == c.derivedNamed("denied")) // true, false or nil
	case !ready(name, arguments):
		return false
	}
	for _, a := range arguments {
		if !c.simple(a) {
			return false
		}
	}
	return true
}

// ready reports whether a function cannot fail because what it could fail for is
// a constant that was made ready.
func ready(name string, arguments []ast.Node) bool {
	switch name {
	case "<", ">", "<=", ">=", "==", "in", "in..", "contains", "startsWith", "endsWith", "public_ip":
		return true
	case "matches", "glob", "matches_any", "ip_in", "working_hours", "weekend":
		if n, ok := arguments[1].(*ast.ConstantNode); ok {
			return isReady(n.Value)
		}
	}
	return false
}

// simple reports whether a value is a literal, a constant or a path: that cannot fail.
func (c *compiler) simple(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.ConstantNode:
		return true
	case *ast.CallNode:
		if name, arguments := callOf(n); name == "calm len" {
			return c.simple(arguments[0])
		}
	}
	if _, ok := literal(node); ok {
		return true
	}
	_, ok := c.path(node)
	return ok
}
