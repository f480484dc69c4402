package engine

import (
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// kind is what a value is.
type kind uint8

const (
	isNil kind = iota // absent, or JSON's null
	isFalse
	isTrue
	isInt   // a literal's or a length; JSON's numbers are floats
	isFloat //
	isText
	isList     // text holds its JSON
	isObject   // text holds its JSON
	isTime     //
	isSeverity // n holds it
	isOther    // other holds it: a list or an object that no event holds so, a duration
	unknown    // what a closure does not know: the fallback decides
)

// value is a value without an allocation. A text of the event points into its
// bytes or into the frame's, and lives as long as the event is looked at.
type value struct {
	kind kind
	n    int
	f    float64
	text string
	at   *time.Time

	other any
}

func truthValue(b bool) value {
	if b {
		return value{kind: isTrue}
	}
	return value{kind: isFalse}
}

func textValue(text string) value { return value{kind: isText, text: text} }

// textOrNil is nil for the empty text.
func textOrNil(text string) value {
	if text == "" {
		return value{}
	}
	return value{kind: isText, text: text}
}

// constant is a value that a rule has of its own, or that a function gave.
func constant(v any) value {
	switch v := v.(type) {
	case nil:
		return value{}
	case bool:
		return truthValue(v)
	case int:
		return value{kind: isInt, n: v}
	case float64:
		return value{kind: isFloat, f: v}
	case string:
		return textValue(v)
	case responder.Severity:
		return value{kind: isSeverity, n: int(v)}
	case time.Time:
		return value{kind: isTime, at: &v}
	}
	return value{kind: isOther, other: v}
}

// any is a value as the fallback has it; ok is false where nobody knows it.
func (v *value) any() (out any, ok bool) {
	switch v.kind {
	case isNil:
	case isFalse, isTrue:
		out = v.kind == isTrue
	case isInt:
		out = v.n
	case isFloat:
		out = v.f
	case isText:
		out = strings.Clone(v.text) // whoever keeps it keeps it longer than the event's bytes
	case isList, isObject:
		if json.Unmarshal([]byte(v.text), &out) != nil {
			return nil, false
		}
	case isTime:
		out = *v.at
	case isSeverity:
		out = responder.Severity(v.n)
	case isOther:
		out = v.other
	default:
		return nil, false
	}
	return out, true
}

// number is a value's number, whatever its kind.
func (v *value) number() (float64, bool) {
	switch v.kind {
	case isInt:
		return float64(v.n), true
	case isFloat:
		return v.f, true
	}
	return 0, false
}

// whole is a value's integer, as internal/lang takes it: from floats too.
func (v *value) whole() (int, bool) {
	switch v.kind {
	case isInt:
		return v.n, true
	case isFloat:
		if v.f == math.Trunc(v.f) && math.Abs(v.f) < 1<<53 {
			return int(v.f), true
		}
	}
	return 0, false
}

// decided is what a closure says of a condition.
type decided uint8

const (
	no decided = iota
	yes
	ask // the fallback decides
)

func decide(b bool) decided {
	if b {
		return yes
	}
	return no
}

// truth is a value as a condition: nil is false, what is no truth an error,
// which the fallback puts into words.
func (v *value) truth() decided {
	switch v.kind {
	case isTrue:
		return yes
	case isFalse, isNil:
		return no
	}
	return ask
}

// equal is internal/lang's equality, and expr's for literals; of lists and
// objects only what their kinds tell.
func equal(a, b *value) decided {
	if a.kind >= isOther || b.kind >= isOther {
		return ask
	}
	if x, ok := a.number(); ok {
		y, ok := b.number()
		if ok && a.kind == isInt && b.kind == isInt {
			return ask // two numbers of the rule's own: rare, and exact beyond floats in expr alone
		}
		return decide(ok && x == y)
	}
	if a.kind != b.kind {
		return no
	}
	switch a.kind {
	case isText:
		return decide(a.text == b.text)
	case isNil, isTrue, isFalse:
		return yes
	case isSeverity:
		return decide(a.n == b.n)
	case isTime:
		return decide(a.at.Equal(*b.at))
	}
	return ask
}

// compare orders two values of one kind, as internal/lang does; ok is false for
// all else, where every comparison is false.
func compare(a, b *value) (order int, ok bool) {
	if x, isNumber := a.number(); isNumber {
		y, isNumber := b.number()
		if !isNumber {
			return 0, false
		}
		if a.kind == isInt && b.kind == isInt {
			return ordered(a.n, b.n)
		}
		return ordered(x, y)
	}
	if a.kind != b.kind {
		return 0, false
	}
	switch a.kind {
	case isText:
		return ordered(a.text, b.text)
	case isSeverity:
		return ordered(a.n, b.n)
	case isTime:
		return a.at.Compare(*b.at), true
	}
	return 0, false
}

func ordered[T int | float64 | string](a, b T) (int, bool) {
	switch {
	case a < b:
		return -1, true
	case a > b:
		return 1, true
	}
	return 0, a == b
}

// unless is the decision, or ask if that is asked.
func (d decided) unless(asked bool) decided {
	if asked {
		return ask
	}
	return d
}
