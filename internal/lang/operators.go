package lang

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// Bounds on what an expression can make out of what it is given.
const (
	maxElements = 10_000    // of a list made out of numbers
	maxText     = 1 << 20   // bytes of a text put together
	maxJoined   = 1_000_000 // elements of a list put together
)

var (
	errLongText = errors.New("the text would be longer than 1 MiB")
	errLongList = fmt.Errorf("the list would have more than %d elements", maxJoined)
)

// member is a.b and a[i]: nil where there is no such thing.
func member(from, key any) any {
	switch object := from.(type) {
	case map[string]any:
		if name, ok := key.(string); ok {
			return object[name]
		}
		return nil
	case nil:
		return nil
	}
	index, ok := whole(key)
	if !ok {
		return nil
	}
	switch list := from.(type) {
	case []any:
		if i, ok := inRange(index, len(list)); ok {
			return list[i]
		}
	case []string:
		if i, ok := inRange(index, len(list)); ok {
			return list[i]
		}
	}
	return nil
}

// inRange is an index into n elements; a negative one counts from the end.
func inRange(index, n int) (int, bool) {
	if index < 0 {
		index += n
	}
	return index, index >= 0 && index < n
}

// cut is a[i:j], clamped to what there is.
func cut(value, from, to any) any {
	limits := func(n int) (int, int, bool) {
		i, j := 0, n
		var ok bool
		if from != nil {
			if i, ok = whole(from); !ok {
				return 0, 0, false
			}
		}
		if to != nil {
			if j, ok = whole(to); !ok {
				return 0, 0, false
			}
		}
		if i < 0 {
			i += n
		}
		if j < 0 {
			j += n
		}
		i, j = max(0, min(i, n)), max(0, min(j, n))
		return i, max(i, j), true
	}
	switch v := value.(type) {
	case string:
		runes := []rune(v)
		if i, j, ok := limits(len(runes)); ok {
			return string(runes[i:j])
		}
	case []any:
		if i, j, ok := limits(len(v)); ok {
			return v[i:j]
		}
	case []string:
		if i, j, ok := limits(len(v)); ok {
			return v[i:j]
		}
	}
	return nil
}

// truth is a value as a condition.
func truth(value any) (bool, error) {
	switch v := value.(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	}
	return false, fmt.Errorf("a condition must be true or false, not %s", kindOf(value))
}

// list is what collection built-ins work on.
func list(value any) []any {
	switch v := value.(type) {
	case nil:
		return []any{}
	case []any:
		return v
	case []string:
		out := make([]any, len(v))
		for i, s := range v {
			out[i] = s
		}
		return out
	case []float64:
		out := make([]any, len(v))
		for i, f := range v {
			out[i] = f
		}
		return out
	case set:
		return list(keys(v))
	}
	return []any{value}
}

// number gives an int or a float64.
func number(value any) (any, bool) {
	switch v := value.(type) {
	case int, float64:
		return v, true
	case int64:
		return int(v), true
	case float32:
		return float64(v), true
	}
	return nil, false
}

func float(value any) float64 {
	switch v := value.(type) {
	case int:
		return float64(v)
	case float64:
		return v
	}
	return 0
}

// whole gives an integer, from JSON's floats too.
func whole(value any) (int, bool) {
	switch v := value.(type) {
	case int:
		return v, true
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int(v), true
		}
	}
	return 0, false
}

// compare orders two values of one kind; ok is false for all else.
func compare(a, b any) (order int, ok bool) {
	if x, isNumber := number(a); isNumber {
		y, isNumber := number(b)
		if !isNumber {
			return 0, false
		}
		i, iInt := x.(int)
		j, jInt := y.(int)
		if iInt && jInt {
			return ordered(i, j)
		}
		return ordered(float(x), float(y))
	}
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return strings.Compare(x, y), true
		}
	case responder.Severity:
		if y, ok := b.(responder.Severity); ok {
			return ordered(x, y)
		}
	case time.Time:
		if y, ok := b.(time.Time); ok {
			return x.Compare(y), true
		}
	case time.Duration:
		if y, ok := b.(time.Duration); ok {
			return ordered(x, y)
		}
	}
	return 0, false
}

func ordered[T int | float64 | responder.Severity | time.Duration](a, b T) (int, bool) {
	switch {
	case a < b:
		return -1, true
	case a > b:
		return 1, true
	case a == b:
		return 0, true
	}
	return 0, false // NaN
}

// add is +: numbers, texts, lists, times and durations.
func add(a, b any) (any, error) {
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			if len(x)+len(y) > maxText {
				return nil, errLongText
			}
			return x + y, nil
		}
		return nil, nil
	case time.Time:
		if y, ok := b.(time.Duration); ok {
			return x.Add(y), nil
		}
		return nil, nil
	case time.Duration:
		switch y := b.(type) {
		case time.Time:
			return y.Add(x), nil
		case time.Duration:
			return x + y, nil
		}
		return nil, nil
	case []any, []string:
		switch b.(type) {
		case []any, []string:
			return concat(a, b)
		}
		return nil, nil
	}
	return arithmetic(a, b, func(x, y int) (int, bool) { return x + y, (x+y > x) == (y > 0) }, func(x, y float64) float64 { return x + y }), nil
}

func subtract(a, b any) any {
	switch x := a.(type) {
	case time.Time:
		switch y := b.(type) {
		case time.Time:
			return x.Sub(y)
		case time.Duration:
			return x.Add(-y)
		}
		return nil
	case time.Duration:
		if y, ok := b.(time.Duration); ok {
			return x - y
		}
		return nil
	}
	return arithmetic(a, b, func(x, y int) (int, bool) { return x - y, (x-y < x) == (y > 0) }, func(x, y float64) float64 { return x - y })
}

func multiply(a, b any) any {
	if d, ok := a.(time.Duration); ok {
		a, b = b, d
	}
	if d, ok := b.(time.Duration); ok {
		if n, isNumber := number(a); isNumber {
			return time.Duration(float(n) * float64(d))
		}
		return nil
	}
	return arithmetic(a, b, func(x, y int) (int, bool) { return x * y, x == 0 || (x*y)/x == y }, func(x, y float64) float64 { return x * y })
}

// divide is always in floats, as in expr; by zero it is nil.
func divide(a, b any) any {
	x, xOK := number(a)
	y, yOK := number(b)
	if !xOK || !yOK || float(y) == 0 {
		return nil
	}
	return float(x) / float(y)
}

func modulo(a, b any) any {
	x, xOK := whole(a)
	y, yOK := whole(b)
	if !xOK || !yOK || y == 0 {
		return nil
	}
	return x % y
}

func power(a, b any) any {
	x, xOK := number(a)
	y, yOK := number(b)
	if !xOK || !yOK {
		return nil
	}
	return math.Pow(float(x), float(y))
}

// arithmetic is in integers where both are and the result is one, else in floats.
func arithmetic(a, b any, ints func(x, y int) (int, bool), floats func(x, y float64) float64) any {
	x, xOK := number(a)
	y, yOK := number(b)
	if !xOK || !yOK {
		return nil
	}
	i, iInt := x.(int)
	j, jInt := y.(int)
	if iInt && jInt {
		if n, ok := ints(i, j); ok {
			return n
		}
	}
	return floats(float(x), float(y))
}

func negate(a any) any {
	switch v := a.(type) {
	case int:
		return -v
	case float64:
		return -v
	case time.Duration:
		return -v
	}
	return nil
}

// upTo is a..b.
func upTo(a, b any) (any, error) {
	from, fromOK := whole(a)
	to, toOK := whole(b)
	if !fromOK || !toOK {
		return nil, nil
	}
	if to < from {
		return []any{}, nil
	}
	if to-from >= maxElements {
		return nil, fmt.Errorf("%d..%d has more than %d elements", from, to, maxElements)
	}
	out := make([]any, 0, to-from+1)
	for i := from; i <= to; i++ {
		out = append(out, i)
	}
	return out, nil
}

func inSpan(value, from, to any) bool {
	v, vOK := whole(value)
	a, aOK := whole(from)
	b, bOK := whole(to)
	return vOK && aOK && bOK && a <= v && v <= b
}

// contains is b in a list, a set or an object's keys.
func isIn(value, in any) bool {
	switch c := in.(type) {
	case nil:
		return false
	case set:
		text, ok := value.(string)
		if !ok {
			return false
		}
		_, found := c[text]
		return found
	case map[string]any:
		text, ok := value.(string)
		if !ok {
			return false
		}
		_, found := c[text]
		return found
	}
	for _, element := range list(in) {
		if equal(value, element) {
			return true
		}
	}
	return false
}

// texts applies a test to two texts.
func texts(a, b any, test func(a, b string) bool) bool {
	x, xOK := a.(string)
	y, yOK := b.(string)
	return xOK && yOK && test(x, y)
}

// matches is a regular expression on a text. One that is not constant is
// compiled each time it is met.
func matches(value, in any) (bool, error) {
	text, ok := value.(string)
	if !ok {
		return false, nil
	}
	switch p := in.(type) {
	case *pattern:
		return p.MatchString(text), nil
	case string:
		made, err := newPattern(p)
		if err != nil {
			return false, err
		}
		return made.MatchString(text), nil
	}
	return false, nil
}

// kindOf names a value's kind as people call it.
func kindOf(value any) string {
	switch value.(type) {
	case nil:
		return "nil"
	case string:
		return "a text"
	case bool:
		return "a truth value"
	case int, float64:
		return "a number"
	case []any, []string, set:
		return "a list"
	case map[string]any:
		return "an object"
	case responder.Severity:
		return "a severity"
	case time.Time:
		return "a time"
	case time.Duration:
		return "a duration"
	}
	return fmt.Sprintf("%T", value)
}

// List gives a value as collection built-ins see it: nil is empty, a single
// value a list of one.
func List(value any) []any { return list(value) }
