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
	isSeverity // bits holds it
	isOther    // other holds it: a list or an object that no event holds so, a duration
	unknown    // what a closure does not know: the fallback decides
)

// value is a value without an allocation. A text of the event points into its
// bytes or into the frame's, and lives as long as the event is looked at.
type value struct {
	kind  kind
	bits  uint64 // the number, as its kind holds it
	text  string
	other any // a *time.Time, or what the kind says
}

func intValue(n int) value         { return value{kind: isInt, bits: uint64(n)} }
func floatValue(f float64) value   { return value{kind: isFloat, bits: math.Float64bits(f)} }
func timeValue(t *time.Time) value { return value{kind: isTime, other: t} }

func (v *value) int() int        { return int(v.bits) }
func (v *value) float() float64  { return math.Float64frombits(v.bits) }
func (v *value) time() time.Time { return *v.other.(*time.Time) }

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
		return intValue(v)
	case float64:
		return floatValue(v)
	case string:
		return textValue(v)
	case responder.Severity:
		return value{kind: isSeverity, bits: uint64(v)}
	case time.Time:
		return timeValue(&v)
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
		out = v.int()
	case isFloat:
		out = v.float()
	case isText:
		out = strings.Clone(v.text) // whoever keeps it keeps it longer than the event's bytes
	case isList, isObject:
		if json.Unmarshal([]byte(v.text), &out) != nil {
			return nil, false
		}
	case isTime:
		out = v.time()
	case isSeverity:
		out = responder.Severity(v.bits)
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
		return float64(v.int()), true
	case isFloat:
		return v.float(), true
	}
	return 0, false
}

// whole is a value's integer, as internal/lang takes it: from floats too.
func (v *value) whole() (int, bool) {
	switch v.kind {
	case isInt:
		return v.int(), true
	case isFloat:
		if f := v.float(); f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			return int(f), true
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
		if ok && a.kind == isInt && b.kind == isInt && math.Abs(x) >= 1<<53 {
			return ask // expr compares integers, internal/lang floats
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
		return decide(a.bits == b.bits)
	case isTime:
		return decide(a.time().Equal(b.time()))
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
			return ordered(a.int(), b.int())
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
		return ordered(int(a.bits), int(b.bits))
	case isTime:
		return a.time().Compare(b.time()), true
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
