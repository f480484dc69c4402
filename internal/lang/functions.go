package lang

import (
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/conf"
)

// functions are all functions that a calm tree calls: the operators under their
// own signs, the built-ins under "calm NAME", the helpers by name. Read-only.
var functions = functionTable()

// boolFunctions are those of functions that give only true or false. Read-only.
var boolFunctions = map[string]bool{
	"?": true, "==": true, "<": true, ">": true, "<=": true, ">=": true, "in": true, "in..": true, "contains": true,
	"startsWith": true, "endsWith": true, "matches": true,
	"ip_in": true, "public_ip": true, "glob": true, "matches_any": true, "working_hours": true, "weekend": true, "grants_public": true,
}

// predicateBuiltins stay expr's own, with a calm list to work on. Read-only.
var predicateBuiltins = map[string]bool{
	"all": true, "none": true, "any": true, "one": true, "filter": true, "map": true, "find": true, "findIndex": true,
	"findLast": true, "findLastIndex": true, "count": true, "sum": true, "groupBy": true, "sortBy": true, "reduce": true,
}

func functionTable() conf.FunctionsTable {
	table := conf.FunctionsTable{}
	anyFunc := reflect.TypeFor[func(...any) any]()
	boolFunc := reflect.TypeFor[func(...any) bool]()
	listFunc := reflect.TypeFor[func(...any) []any]()
	register := func(name string, fn func(args ...any) (any, error)) {
		t := anyFunc
		switch {
		case boolFunctions[name]:
			t = boolFunc
		case name == "list" || name == "numbers" || name == "truths" || name == "first is nil":
			t = listFunc
		}
		table[name] = &builtin.Function{Name: name, Func: fn, Types: []reflect.Type{t}}
	}
	for name, fn := range operators() {
		register(name, fn)
	}
	for _, f := range builtin.Builtins {
		if !predicateBuiltins[f.Name] && !slices.Contains(disabledBuiltins, f.Name) {
			register("calm "+f.Name, calmBuiltin(f))
		}
	}
	for _, h := range helpers {
		register(h.Name, h.call)
	}
	return table
}

func operators() map[string]func(args ...any) (any, error) {
	two := func(f func(a, b any) any) func(...any) (any, error) {
		return func(args ...any) (any, error) { return f(args[0], args[1]), nil }
	}
	order := func(test func(order int) bool) func(...any) (any, error) {
		return func(args ...any) (any, error) {
			o, ok := compare(args[0], args[1])
			return ok && test(o), nil
		}
	}
	text := func(test func(a, b string) bool) func(...any) (any, error) {
		return func(args ...any) (any, error) { return texts(args[0], args[1], test), nil }
	}
	return map[string]func(args ...any) (any, error){
		"[]":    two(member),
		"[:]":   func(args ...any) (any, error) { return cut(args[0], args[1], args[2]), nil },
		"?":     func(args ...any) (any, error) { return truth(args[0]) },
		"value": func(args ...any) (any, error) { return args[0], nil },
		"list":  func(args ...any) (any, error) { return list(args[0]), nil },
		"spend": func(args ...any) (any, error) {
			b, ok := args[0].(*budget)
			if !ok {
				return nil, errors.New("no budget")
			}
			return b.spend(args[1])
		},
		"==":           func(args ...any) (any, error) { return equal(args[0], args[1]), nil },
		"text":         func(args ...any) (any, error) { return Format(args[0]), nil },
		"groups":       func(args ...any) (any, error) { return groups(args[0]), nil },
		"first is nil": func(args ...any) (any, error) { return firstIsNil(args[0]), nil },
		"sort keyed":   func(args ...any) (any, error) { return sortKeyed(args...), nil },
		"number":       func(args ...any) (any, error) { return numberOrZero(args[0]), nil },
		"numbers":      func(args ...any) (any, error) { return numbers(args[0]), nil },
		"truths":       func(args ...any) (any, error) { return truths(args[0]) },
		"<":            order(func(o int) bool { return o < 0 }),
		">":            order(func(o int) bool { return o > 0 }),
		"<=":           order(func(o int) bool { return o <= 0 }),
		">=":           order(func(o int) bool { return o >= 0 }),
		"+":            func(args ...any) (any, error) { return add(args[0], args[1]) },
		"-":            two(subtract),
		"*":            two(multiply),
		"/":            two(divide),
		"%":            two(modulo),
		"**":           two(power),
		"^":            two(power),
		"neg":          func(args ...any) (any, error) { return negate(args[0]), nil },
		"pos":          func(args ...any) (any, error) { v, _ := number(args[0]); return v, nil },
		"..":           func(args ...any) (any, error) { return upTo(args[0], args[1]) },
		"in":           func(args ...any) (any, error) { return isIn(args[0], args[1]), nil },
		"in..":         func(args ...any) (any, error) { return inSpan(args[0], args[1], args[2]), nil },
		"contains":     text(strings.Contains),
		"startsWith":   text(strings.HasPrefix),
		"endsWith":     text(strings.HasSuffix),
		"matches":      func(args ...any) (any, error) { return matches(args[0], args[1]) },
	}
}

func numberOrZero(value any) any {
	if n, ok := number(value); ok {
		return n
	}
	return 0
}

func numbers(value any) []any {
	return slices.DeleteFunc(slices.Clone(list(value)), func(v any) bool { _, ok := number(v); return !ok })
}

func truths(value any) ([]any, error) {
	out := make([]any, 0)
	for _, v := range list(value) {
		t, err := truth(v)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// groups gives what groupBy made as an object.
func groups(value any) map[string]any {
	out := map[string]any{}
	made, _ := value.(map[any][]any)
	for k, v := range made {
		out[Format(k)] = v
	}
	return out
}

// firstIsNil gives reduce, which has no initial value, something to begin with.
func firstIsNil(value any) []any {
	l := list(value)
	if len(l) == 0 {
		return []any{nil}
	}
	return l
}

// sortKeyed sorts pairs of key and element, and gives the elements.
func sortKeyed(args ...any) []any {
	var how any
	if len(args) > 1 {
		how = args[1]
	}
	out := sorted(args[0], how, func(pair any) any { return member(pair, 0) })
	for i, pair := range out {
		out[i] = member(pair, 1)
	}
	return out
}
