package lang

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/conf"
)

// builtinNamed reports whether expr has a built-in of that name.
func builtinNamed(name string) bool { _, ok := builtin.Index[name]; return ok }

// builtinArity gives how many arguments a built-in takes, where its declaration says so.
func builtinArity(name string) (least, most int, ok bool) {
	if arity, ok := arities[name]; ok {
		return arity[0], arity[1], true
	}
	f := builtin.Builtins[builtin.Index[name]]
	if f.Predicate || len(f.Types) == 0 || f.Validate != nil {
		return 0, 0, false
	}
	least = math.MaxInt
	for _, t := range f.Types {
		if t.IsVariadic() {
			return 0, 0, false
		}
		least, most = min(least, t.NumIn()), max(most, t.NumIn())
	}
	return least, most, true
}

// arities are the built-ins whose declarations do not say it. Read-only.
var arities = map[string][2]int{
	"len": {1, 1}, "get": {2, 2}, "take": {2, 2}, "keys": {1, 1}, "values": {1, 1}, "toPairs": {1, 1}, "fromPairs": {1, 1},
	"first": {1, 1}, "last": {1, 1}, "reverse": {1, 1}, "uniq": {1, 1}, "flatten": {1, 1}, "sort": {1, 2}, "join": {1, 2},
	"abs": {1, 1}, "ceil": {1, 1}, "floor": {1, 1}, "round": {1, 1}, "int": {1, 1}, "float": {1, 1}, "string": {1, 1},
	"date": {1, 4}, "concat": {1, math.MaxInt}, "min": {1, math.MaxInt}, "max": {1, math.MaxInt}, "mean": {1, math.MaxInt}, "median": {1, math.MaxInt},
}

// calmBuiltin is a built-in with calm arguments; see the table in calm.go.
func calmBuiltin(f *builtin.Function) func(args ...any) (any, error) {
	if own, ok := ownBuiltins[f.Name]; ok {
		return own
	}
	return func(args ...any) (value any, err error) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("%s: cannot work on %s", f.Name, kindsOf(args))
			}
		}()
		if listBuiltins[f.Name] {
			args[0] = list(args[0])
		}
		for i, a := range args {
			if a == nil {
				return nil, nil
			}
			if n, ok := whole(a); ok && strings.HasPrefix(f.Name, "bit") {
				args[i] = n // JSON's numbers are floats
			}
		}
		switch {
		case f.Fast != nil:
			return f.Fast(args[0]), nil
		case f.Safe != nil:
			value, memory, err := f.Safe(args...)
			if memory > conf.DefaultMemoryBudget {
				return nil, fmt.Errorf("%s: the result is too large", f.Name)
			}
			return value, err
		}
		return f.Func(args...)
	}
}

func kindsOf(args []any) string {
	kinds := make([]string, len(args))
	for i, a := range args {
		kinds[i] = kindOf(a)
	}
	return strings.Join(kinds, " and ")
}

// listBuiltins take a list first. Read-only.
var listBuiltins = map[string]bool{"first": true, "last": true, "reverse": true, "flatten": true}

// ownBuiltins differ from expr's by more than a nil. Read-only.
var ownBuiltins = map[string]func(args ...any) (any, error){
	"get":       func(args ...any) (any, error) { return member(args[0], args[1]), nil },
	"len":       func(args ...any) (any, error) { return length(args[0]), nil },
	"int":       func(args ...any) (any, error) { return toInt(args[0]) },
	"string":    func(args ...any) (any, error) { return textOrNil(args[0]), nil },
	"replace":   replace,
	"join":      func(args ...any) (any, error) { return join(args...) },
	"keys":      func(args ...any) (any, error) { return list(sortedKeys(args[0])), nil },
	"values":    func(args ...any) (any, error) { return sortedValues(args[0]), nil },
	"toPairs":   func(args ...any) (any, error) { return sortedPairs(args[0]), nil },
	"fromPairs": func(args ...any) (any, error) { return fromPairs(args[0]), nil },
	"concat":    func(args ...any) (any, error) { return concat(args...) },
	"uniq":      func(args ...any) (any, error) { return uniq(args[0]), nil },
	"take":      func(args ...any) (any, error) { return take(args[0], args[1]) },
	"sort":      func(args ...any) (any, error) { return sortList(args...), nil },
	"min":       func(args ...any) (any, error) { return extreme(-1, args) },
	"max":       func(args ...any) (any, error) { return extreme(1, args) },
	"mean":      func(args ...any) (any, error) { return mean(args) },
	"median":    func(args ...any) (any, error) { return median(args) },
}

func length(value any) int {
	switch v := value.(type) {
	case string:
		return len([]rune(v))
	case []any:
		return len(v)
	case []string:
		return len(v)
	case map[string]any:
		return len(v)
	case set:
		return len(v)
	}
	return 0
}

func textOrNil(value any) any {
	if value == nil {
		return nil
	}
	return Format(value)
}

// join puts the texts of a list together; unlike expr's it takes any values.
func join(args ...any) (string, error) {
	glue := ""
	if len(args) > 1 {
		glue, _ = args[1].(string)
	}
	var b strings.Builder
	for i, v := range list(args[0]) {
		if i > 0 {
			b.WriteString(glue)
		}
		if b.WriteString(Format(v)); b.Len() > maxText {
			return "", errLongText
		}
	}
	return b.String(), nil
}

// replace is replace(text, from, to) and replace(text, from, to, n).
func replace(args ...any) (any, error) {
	texts := [3]string{}
	for i := range texts {
		if args[i] == nil {
			return nil, nil
		}
		text, ok := args[i].(string)
		if !ok {
			return nil, fmt.Errorf("replace: cannot work on %s", kindsOf(args))
		}
		texts[i] = text
	}
	n := -1
	if len(args) > 3 {
		var ok bool
		if n, ok = whole(args[3]); !ok {
			return nil, nil
		}
	}
	found := strings.Count(texts[0], texts[1])
	if n >= 0 {
		found = min(found, n)
	}
	if len(texts[0])+found*max(0, len(texts[2])-len(texts[1])) > maxText {
		return nil, errLongText
	}
	return strings.Replace(texts[0], texts[1], texts[2], n), nil
}

// toInt is int(x): nil for what no integer is exactly enough for.
func toInt(value any) (any, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case int:
		return v, nil
	case float64:
		if n, ok := whole(math.Trunc(v)); ok {
			return n, nil
		}
		return nil, nil
	case string:
		n, err := strconv.Atoi(v)
		if err != nil {
			return nil, fmt.Errorf("int: cannot work on the text %s", Show(v))
		}
		return n, nil
	}
	return nil, fmt.Errorf("int: cannot work on %s", kindOf(value))
}

// sortedKeys gives an object's keys in order, so that the same event always
// gives the same text.
func sortedKeys(value any) []string {
	if object, ok := value.(map[string]any); ok {
		return keys(object)
	}
	return nil
}

// fromPairs makes an object of pairs of key and value; what is no pair is left out.
func fromPairs(value any) map[string]any {
	out := map[string]any{}
	for _, p := range list(value) {
		if pair := list(p); len(pair) == 2 {
			out[Format(pair[0])] = pair[1]
		}
	}
	return out
}

func sortedValues(value any) []any {
	out := []any{}
	for _, k := range sortedKeys(value) {
		out = append(out, member(value, k))
	}
	return out
}

func sortedPairs(value any) []any {
	out := []any{}
	for _, k := range sortedKeys(value) {
		out = append(out, []any{k, member(value, k)})
	}
	return out
}

func concat(args ...any) ([]any, error) {
	out := []any{}
	for _, a := range args {
		if out = append(out, list(a)...); len(out) > maxJoined {
			return nil, errLongList
		}
	}
	return out, nil
}

// uniq keeps the first of equal elements.
func uniq(value any) []any {
	out, seen := []any{}, map[any]bool{}
	for _, v := range list(value) {
		key := v
		switch n := v.(type) {
		case int:
			key = float64(n)
		case []any, []string, map[string]any, set:
			key = [1]string{Format(v)} // of a kind that no element has
		}
		if !seen[key] {
			seen[key], out = true, append(out, v)
		}
	}
	return out
}

func take(value, count any) (any, error) {
	if count == nil {
		return nil, nil
	}
	n, ok := whole(count)
	if !ok {
		return nil, fmt.Errorf("take: cannot take %s elements", kindOf(count))
	}
	l := list(value)
	return l[:max(0, min(n, len(l)))], nil
}

func sortList(args ...any) []any {
	var how any
	if len(args) > 1 {
		how = args[1]
	}
	return sorted(args[0], how, func(v any) any { return v })
}

// comparables gathers the numbers of arguments and of lists among them; ok is
// false if an argument is nil.
func comparables(args []any) (found []any, ok bool) {
	for _, a := range args {
		if a == nil {
			return nil, false
		}
		found = append(found, numbers(a)...)
	}
	return found, true
}

// extreme is the least (sign -1) or greatest (1) number, nil of none.
func extreme(sign int, args []any) (any, error) {
	found, ok := comparables(args)
	if !ok || len(found) == 0 {
		return nil, nil
	}
	return slices.MaxFunc(found, func(a, b any) int { return sign * order(a, b) }), nil
}

func mean(args []any) (any, error) {
	sum, n := 0.0, 0
	for _, a := range args {
		for _, v := range numbers(a) {
			sum, n = sum+float(v), n+1
		}
	}
	if n == 0 {
		return 0.0, nil
	}
	return sum / float64(n), nil
}

func median(args []any) (any, error) {
	var values []float64
	for _, a := range args {
		for _, v := range numbers(a) {
			values = append(values, float(v))
		}
	}
	slices.Sort(values)
	switch n := len(values); {
	case n == 0:
		return 0.0, nil
	case n%2 == 1:
		return values[n/2], nil
	default:
		return (values[n/2-1] + values[n/2]) / 2, nil
	}
}
