package lang

import "github.com/expr-lang/expr/ast"

// The calm tree is made of expr's own nodes for && || ! ?? ?: ==, literals and
// loops, and of calls, of functions that are named as in calm.go: "contains",
// "in", "[]" for members, "calm lower" for built-ins, helpers by their names.
// Arguments that are constant have been made ready and stand in it as
// *ast.ConstantNode with one of these.
type (
	Set      = set      // the right side of `in`: texts
	Networks = networks // of ip_in; a *Networks
	Patterns = patterns // of glob and matches_any
	Hours    = hours    // of working_hours; a *Hours
	Pattern  = pattern  // of matches; a *Pattern
)

// Calm is the tree that defines what the program means (see calm.go). It is
// shared: read-only.
func (p *Program) Calm() ast.Node { return p.calm }

// Budget is the name that stands for the budget as the first argument of "spend".
const Budget = budgetName

// MaxSpent is what the loops inside loops of one evaluation may cost.
const MaxSpent = maxSpent

// IsCondition reports whether a function of the calm tree gives only true or false.
func IsCondition(function string) bool { return boolFunctions[function] }

// Call calls a function of the calm tree. Arguments are as an environment holds
// them, and are the function's to change at the top.
func Call(function string, arguments ...any) (any, error) {
	return functions[function].Func(arguments...)
}
