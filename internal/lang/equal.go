package lang

import (
	"slices"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// equal compares in depth; numbers by value, whatever their kind.
func equal(a, b any) bool {
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && float(x) == float(y)
	}
	switch x := a.(type) {
	case nil:
		return b == nil
	case string, bool, responder.Severity, time.Duration:
		return a == b
	case time.Time:
		y, ok := b.(time.Time)
		return ok && x.Equal(y)
	case []any, []string, set:
		switch b.(type) {
		case []any, []string, set:
			return slices.EqualFunc(list(a), list(b), equal)
		}
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k, v := range x {
			w, ok := y[k]
			if !ok || !equal(v, w) {
				return false
			}
		}
		return true
	}
	return false
}

// order is total: nil first, then truth values, numbers, texts and what else
// can be compared, kind by kind; the rest is all the same.
func order(a, b any) int {
	if o, ok := compare(a, b); ok {
		return o
	}
	if x, ok := a.(bool); ok {
		if y, ok := b.(bool); ok {
			return rankBool(x) - rankBool(y)
		}
	}
	return rank(a) - rank(b)
}

func rankBool(b bool) int {
	if b {
		return 1
	}
	return 0
}

func rank(value any) int {
	switch value.(type) {
	case nil:
		return 0
	case bool:
		return 1
	case int, float64:
		return 2
	case string:
		return 3
	case responder.Severity:
		return 4
	case time.Time:
		return 5
	case time.Duration:
		return 6
	}
	return 7
}

// sorted gives a list in order; descending if how says "desc".
func sorted(value, how any, key func(any) any) []any {
	out := slices.Clone(list(value))
	slices.SortStableFunc(out, func(a, b any) int {
		if text, _ := how.(string); strings.EqualFold(text, "desc") {
			a, b = b, a
		}
		return order(key(a), key(b))
	})
	return out
}
