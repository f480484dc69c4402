package engine

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"

	"github.com/skycrafters/responder/internal/lang"
)

// helper compiles a helper whose constant argument has been made ready; nil if
// there is no closure for it.
func (c *compiler) helper(node ast.Node, name string, arguments []ast.Node) test {
	var ready any
	if len(arguments) == 2 {
		if n, ok := arguments[1].(*ast.ConstantNode); ok {
			ready = n.Value
		}
	}
	switch name {
	case "matches":
		if pattern, ok := ready.(*lang.Pattern); ok {
			return c.ofText(arguments[0], matcher(pattern))
		}
	case "glob", "matches_any":
		if patterns, ok := ready.(lang.Patterns); ok {
			return c.ofText(arguments[0], anyMatcher(patterns))
		}
	case "ip_in":
		if networks, ok := ready.(*lang.Networks); ok {
			return c.ofText(arguments[0], func(text string) bool {
				address, ok := lang.ParseAddress(text)
				return ok && networks.Contain(address)
			})
		}
	case "public_ip":
		return c.ofText(arguments[0], func(text string) bool {
			address, ok := lang.ParseAddress(text)
			return ok && lang.IsPublic(address)
		})
	case "working_hours":
		if hours, ok := ready.(*lang.Hours); ok {
			return c.ofTime(arguments[0], hours.Contain)
		}
	case "weekend":
		if zone, ok := ready.(*time.Location); ok {
			return c.ofTime(arguments[0], func(t time.Time) bool { return lang.IsWeekend(t.In(zone)) })
		}
	}
	if !lang.IsCondition(name) {
		return nil
	}
	return c.judged(name, arguments)
}

// ofText is a test of a text, false of anything else.
func (c *compiler) ofText(node ast.Node, holds func(text string) bool) test {
	of := c.eval(node)
	return func(f *frame) decided {
		v := of(f)
		if v.kind != isText {
			return no.unless(v.kind == unknown)
		}
		return decide(holds(v.text))
	}
}

func (c *compiler) ofTime(node ast.Node, holds func(t time.Time) bool) test {
	of := c.eval(node)
	return func(f *frame) decided {
		v := of(f)
		if v.kind != isTime {
			return no.unless(v.kind == unknown)
		}
		return decide(holds(v.time()))
	}
}

// function compiles a call that gives a value; nil if there is no closure for it.
func (c *compiler) function(node ast.Node, name string, arguments []ast.Node) eval {
	switch name {
	case "value":
		return c.eval(arguments[0])
	case "pick":
		return c.pickEval(arguments)
	case "spend":
		return c.spend(arguments[1])
	case "calm len":
		return c.length(arguments[0])
	case "calm lower":
		return c.cased(arguments[0], 'A', strings.ToLower)
	case "calm upper":
		return c.cased(arguments[0], 'a', strings.ToUpper)
	case "hour":
		if n, ok := arguments[1].(*ast.ConstantNode); ok {
			if zone, ok := n.Value.(*time.Location); ok {
				return c.hour(arguments[0], zone)
			}
		}
	}
	if lang.IsCondition(name) || loopFunctions[name] {
		return nil
	}
	return c.called(name, arguments)
}

// loopFunctions work on what a loop of expr's has made. Read-only.
var loopFunctions = map[string]bool{"list": true, "truths": true, "numbers": true, "groups": true, "first is nil": true, "sort keyed": true}

// called is any other function: internal/lang's own is called, with its
// arguments as the fallback would have them. An error is the fallback's to tell.
func (c *compiler) called(name string, arguments []ast.Node) eval {
	of := make([]eval, len(arguments))
	for i, a := range arguments {
		of[i] = c.eval(a)
	}
	call := func(f *frame) value {
		args := make([]any, len(of))
		for i, e := range of {
			var ok bool
			if args[i], ok = e(f).any(); !ok {
				return unknownValue
			}
		}
		out, err := lang.Call(name, args...)
		if err != nil {
			return unknownValue
		}
		return constant(out)
	}
	if key, ok := c.callKey(name, arguments); ok { // many rules ask the same of an event
		at := c.derivedSlot(key, func() derivation { return call })
		return func(f *frame) *value { return f.get(at) }
	}
	own := c.own()
	return func(f *frame) *value {
		f.values[own] = call(f)
		return &f.values[own]
	}
}

// callKey names a call of which all arguments are places in the event, or plain.
func (c *compiler) callKey(name string, arguments []ast.Node) (key string, ok bool) {
	key = "call " + name
	for _, a := range arguments {
		if p, ok := c.path(a); ok && p.loop == nil {
			key += fmt.Sprintf("\x00at %d", p.slot)
		} else if v, ok := literal(a); ok && v.kind < isTime {
			key += fmt.Sprintf("\x00%d %d %s", v.kind, v.bits, v.text)
		} else {
			return "", false
		}
	}
	return key, true
}

// judged is a function that gives only true or false and has no closure of its
// own.
func (c *compiler) judged(name string, arguments []ast.Node) test {
	value := c.called(name, arguments)
	return func(f *frame) decided { return value(f).truth() }
}

// pickEval is pick: unlike ?: it works out all of its arguments.
func (c *compiler) pickEval(arguments []ast.Node) eval {
	condition, then, otherwise := c.test(arguments[0]), c.eval(arguments[1]), c.eval(arguments[2])
	return func(f *frame) *value {
		d := condition(f)
		a, b := then(f), otherwise(f)
		switch {
		case d == ask || a.kind == unknown || b.kind == unknown:
			return &unknownValue
		case d == yes:
			return a
		}
		return b
	}
}

// spend counts a value against the budget, at least as much as internal/lang
// does: the fallback counts exactly.
func (c *compiler) spend(node ast.Node) eval {
	of := c.eval(node)
	return func(f *frame) *value {
		v := of(f)
		f.spent++
		switch v.kind {
		case isText:
			f.spent += len(v.text) / 64
		case isList, isObject:
			f.spent += len(v.text) // a byte or more for each element
		case isOther:
			return &unknownValue
		}
		if f.spent > lang.MaxSpent {
			return &unknownValue
		}
		return v
	}
}

// length is len, of what a scan keeps whole.
func (c *compiler) length(node ast.Node) eval {
	of, own := c.eval(node), c.own()
	return func(f *frame) *value {
		v := of(f)
		n := 0
		switch v.kind {
		case isText:
			n = utf8.RuneCountInString(v.text)
		case isList:
			n = f.count(v)
		case isObject, isOther, unknown:
			return &unknownValue // of keys that stand twice one counts
		}
		f.values[own] = intValue(n)
		return &f.values[own]
	}
}

// cased is lower and upper: nil of nil; of what is no text they fail. first is
// the first of the letters that change.
func (c *compiler) cased(node ast.Node, first byte, change func(string) string) eval {
	of, own := c.eval(node), c.own()
	return func(f *frame) *value {
		v := of(f)
		switch {
		case v.kind == isNil:
			return v
		case v.kind != isText:
			return &unknownValue
		case isASCII(v.text):
			f.values[own] = textValue(f.swapped(v.text, first))
		default:
			f.values[own] = textValue(change(v.text))
		}
		return &f.values[own]
	}
}

func (c *compiler) hour(node ast.Node, zone *time.Location) eval {
	of, own := c.eval(node), c.own()
	return func(f *frame) *value {
		v := of(f)
		if v.kind == unknown {
			return v
		}
		if v.kind != isTime {
			return &nilValue
		}
		f.values[own] = intValue(v.time().In(zone).Hour())
		return &f.values[own]
	}
}

func isZone(constant any) bool { _, ok := constant.(*time.Location); return ok }
