package engine

import (
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
		if pattern, ok := ready.(*lang.Regexp); ok {
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
	return nil
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
		return decide(holds(*v.at))
	}
}

// function compiles a call that gives a value; nil if there is no closure for it.
func (c *compiler) function(node ast.Node, name string, arguments []ast.Node) eval {
	switch name {
	case "pick":
		return c.pickEval(arguments)
	case "spend":
		return c.spend(arguments[1])
	case "calm len":
		return c.length(arguments[0])
	case "calm lower":
		return c.textual(arguments[0], strings.ToLower)
	case "calm upper":
		return c.textual(arguments[0], strings.ToUpper)
	case "hour":
		if n, ok := arguments[1].(*ast.ConstantNode); ok {
			if zone, ok := n.Value.(*time.Location); ok {
				return c.hour(arguments[0], zone)
			}
		}
	}
	return nil
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
		case isList, isObject, unknown:
			return &unknownValue
		}
		f.values[own] = value{kind: isInt, n: n}
		return &f.values[own]
	}
}

// textual is a built-in that makes a text of a text, nil of nil, and fails for
// anything else.
func (c *compiler) textual(node ast.Node, made func(string) string) eval {
	of, own := c.eval(node), c.own()
	return func(f *frame) *value {
		v := of(f)
		switch v.kind {
		case isNil:
			return v
		case isText:
			f.values[own] = textValue(made(v.text))
			return &f.values[own]
		}
		return &unknownValue
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
		f.values[own] = value{kind: isInt, n: v.at.In(zone).Hour()}
		return &f.values[own]
	}
}

func isZone(constant any) bool { _, ok := constant.(*time.Location); return ok }
