package lang

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/parser/lexer"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"
)

// maxExpression is the most characters an expression may have.
const maxExpression = 64 << 10

// Scope says which names an expression may use, beside the helpers, the
// built-ins and the severities (INFO … EXTREME), which are always there.
type Scope struct {
	Names []string       // names that the environment of Eval holds
	Vars  map[string]any // constants under `vars.`; nil: `vars` is not in scope
	Lists map[string]any // constants under `lists.`; nil: `lists` is not in scope

	// Keys are the only keys that some of the Names have, so that another one
	// written out is a mistake; a name that is not in it may have any.
	Keys map[string][]string

	// Shared, if not nil, holds what expressions of one file have in common, so
	// that it is made once. Names that are the same slice are known again; they
	// must stay as they are.
	Shared *Shared
}

// Program is a compiled expression: expr's VM on the calm tree (see calm.go).
// Safe for concurrent use.
type Program struct {
	source string
	scope  Scope
	tree   ast.Node // as written, before it was made calm
	*linked
}

// linked is a calm tree whose types are checked. It is compiled for the VM when
// that is first needed: of most rules internal/engine never leaves anything to
// the VM, and compiling is a fifth of what loading them costs.
type linked struct {
	source file.Source
	names  []string
	calm   ast.Node
	counts bool // it spends a budget

	once    sync.Once
	program *vm.Program
	err     error
}

// Compile compiles an expression. The Problems may be warnings only: then the
// program is not nil. Cost: tens of microseconds, and as much again when the
// program is first evaluated.
func Compile(text Text, scope Scope) (*Program, Problems) {
	program, problems := compile(span{text: text}, text.Value, scope)
	if program != nil {
		problems = append(problems, text.cutOff()...)
	}
	return program, problems
}

// compile compiles source, which stands at the span.
func compile(at span, source string, scope Scope) (*Program, Problems) {
	if strings.TrimSpace(source) == "" {
		return nil, Problems{at.problem(0, 1, "an expression is missing here")}
	}
	if len(source) > maxExpression {
		return nil, Problems{at.problem(0, 1, "the expression has %d characters; at most %d are taken", len(source), maxExpression)}
	}
	words := scope.vocabulary()
	tree, err := parser.ParseWithConfig(source, words.config)
	if err != nil {
		return nil, Problems{at.syntax(source, err)}
	}
	if p, found := at.danglingSemicolon(source); found {
		return nil, Problems{p}
	}
	names := &names{at: at, scope: scope, names: words.known}
	names.check(tree.Node)
	names.lint(tree.Node)
	if names.problems.Err() != nil {
		return nil, names.problems
	}
	program, err := link(at, tree.Node, tree.Source, scope, words.config)
	if err != nil {
		var problems Problems
		if errors.As(err, &problems) {
			return nil, append(names.problems, problems...)
		}
		return nil, append(names.problems, at.syntax(source, err))
	}
	scope.Shared = nil // it is not safe for concurrent use
	return &Program{source: source, scope: scope, tree: tree.Node, linked: program}, names.problems
}

// link makes the tree calm and checks its types. What passes can be compiled for
// the VM.
func link(at span, node ast.Node, source file.Source, scope Scope, cfg *conf.Config) (*linked, error) {
	calm := &calmer{at: at, scope: scope}
	tree := &parser.Tree{Node: calm.node(node), Source: source}
	if len(calm.problems) > 0 {
		return nil, calm.problems
	}
	if _, err := checker.Check(tree, cfg); err != nil {
		return nil, err
	}
	return &linked{source: source, names: scope.Names, calm: tree.Node, counts: calm.counts}, nil
}

// compiled is the program for the VM. expr's optimizer is left out: it assumes
// that nothing is nil.
func (p *linked) compiled() (*vm.Program, error) {
	p.once.Do(func() {
		p.program, p.err = compiler.Compile(&parser.Tree{Node: p.calm, Source: p.source}, newConfig(p.names))
	})
	return p.program, p.err
}

// newConfig is expr's configuration for names, all of unknown type, with the
// functions. It holds a cache that is not safe for concurrent use.
func newConfig(names []string) *conf.Config {
	env := types.Map{budgetName: types.Any}
	for _, name := range names {
		env[name] = types.Any
	}
	cfg := conf.CreateNew()
	cfg.WithEnv(env)
	cfg.Optimize = false
	cfg.Functions = functions
	for _, name := range disabledBuiltins {
		cfg.Disabled[name] = true
	}
	return cfg
}

// disabledBuiltins would make the same event mean something else at another
// time. (expr's own `get` is replaced by the calm one.)
var disabledBuiltins = []string{"now"}

// machines are VMs to be used again: each keeps its stack.
var machines = sync.Pool{New: func() any { return new(vm.VM) }}

// Eval gives the expression's value. env holds the names of the Scope; a name
// missing from it is nil. The error says what failed, without the source.
func (p *Program) Eval(env map[string]any) (any, error) { return p.eval(env) }

func (p *linked) eval(env map[string]any) (any, error) {
	program, err := p.compiled()
	if err != nil {
		return nil, err
	}
	if p.counts {
		env = maps.Clone(env)
		env[budgetName] = new(budget)
	}
	machine := machines.Get().(*vm.VM)
	defer machines.Put(machine)
	value, err := machine.Run(program, env)
	if err != nil {
		var located *file.Error
		if errors.As(err, &located) {
			return nil, fmt.Errorf("%s (at character %d)", strings.TrimSpace(located.Message), located.From+1)
		}
		return nil, err
	}
	return value, nil
}

// Test gives the expression's truth: nil is false, what is neither bool nor nil an error.
func (p *Program) Test(env map[string]any) (bool, error) {
	value, err := p.Eval(env)
	if err != nil {
		return false, err
	}
	return truth(value)
}

// String gives the expression as written.
func (p *Program) String() string { return p.source }

// Literal says what the expression is if it is but a literal: "number", "text",
// "object" or "list", with the keys of an object that are written out. "" for
// any other, true, false and nil too.
func (p *Program) Literal() (kind string, keys []string) {
	switch node := p.tree.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		return "number", nil
	case *ast.StringNode:
		return "text", nil
	case *ast.ArrayNode:
		return "list", nil
	case *ast.MapNode:
		for _, pair := range node.Pairs {
			if pair, ok := pair.(*ast.PairNode); ok {
				if key, ok := pair.Key.(*ast.StringNode); ok {
					keys = append(keys, key.Value)
				}
			}
		}
		return "object", keys
	}
	return "", nil
}

// syntax turns an error of expr into a problem, with a hint where YAML has
// taken a part of the expression for itself.
func (s span) syntax(source string, err error) Problem {
	var located *file.Error
	if !errors.As(err, &located) {
		return s.problem(0, 1, "%v", err)
	}
	runes := len([]rune(source))
	from := min(located.From, max(runes-1, 0))
	p := s.problem(from, located.To-located.From, "%s", describe(located.Message))
	if p.Hint = s.text.bitten(); p.Hint == "" {
		p.Hint = operatorHint([]rune(source), from)
	}
	return p
}

// danglingSemicolon finds a ; that ends an expression: expr passes over it.
func (s span) danglingSemicolon(source string) (Problem, bool) {
	if !strings.Contains(source, ";") { // most do not: lexing again costs as much as parsing
		return Problem{}, false
	}
	tokens, err := lexer.Lex(file.NewSource(source))
	if err != nil || len(tokens) < 2 || !tokens[len(tokens)-2].Is(lexer.Operator, ";") { // the last is EOF
		return Problem{}, false
	}
	p := s.problem(tokens[len(tokens)-2].From, 1, "nothing follows the ;")
	p.Hint = "leave it out: a ; only ends a let"
	return p, true
}
