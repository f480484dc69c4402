package engine

import (
	"unsafe"

	"github.com/expr-lang/expr/ast"

	"github.com/skycrafters/responder/internal/lang"
)

// membership is `in`: a constant list, one of the event's, or one that map makes.
func (c *compiler) membership(left, right ast.Node) test {
	if name, arguments := callOf(right); name == "spend" {
		return c.spending(arguments[1], func(right ast.Node) test { return c.membership(left, right) })
	}
	if ready, ok := right.(*ast.ConstantNode); ok {
		switch in := ready.Value.(type) {
		case lang.Set:
			return c.inSet(c.eval(left), in)
		case []any:
			return c.inList(c.eval(left), in)
		}
	}
	if loop, ok := right.(*ast.BuiltinNode); ok && loop.Name == "map" {
		return c.inMapped(left, loop)
	}
	if _, ok := c.path(right); ok {
		return c.inEvent(c.eval(left), c.eval(right))
	}
	return c.judged("in", []ast.Node{left, right})
}

// spending is a test of what is counted against the budget first.
func (c *compiler) spending(node ast.Node, made func(ast.Node) test) test {
	spend, holds := c.spend(node), made(node)
	return func(f *frame) decided {
		if spend(f).kind == unknown {
			return ask
		}
		return holds(f)
	}
}

func (c *compiler) inSet(of eval, in lang.Set) test {
	return func(f *frame) decided {
		v := of(f)
		if v.kind != isText {
			return no.unless(v.kind == unknown)
		}
		_, found := in[v.text]
		return decide(found)
	}
}

func (c *compiler) inList(of eval, in []any) test {
	values := make([]value, len(in))
	for i, v := range in {
		values[i] = constant(v)
	}
	return func(f *frame) decided {
		v := of(f)
		for i := range values {
			if d := equal(v, &values[i]); d != no {
				return d
			}
		}
		return no.unless(v.kind == unknown)
	}
}

// inEvent is `in` what an event holds: the elements of a list, the keys of an
// object, a single value.
func (c *compiler) inEvent(of, in eval) test {
	return func(f *frame) decided {
		x := *of(f)
		list := in(f)
		switch {
		case x.kind == unknown || list.kind >= isOther:
			return ask
		case list.kind == isNil:
			return no
		case list.kind == isList:
			return f.items.elements(unsafe.Slice(unsafe.StringData(list.text), len(list.text)), func() decided { return equal(&x, f.items.get(0)) })
		case list.kind == isObject:
			return no.unless(x.kind == isText)
		}
		return equal(&x, list)
	}
}

// inMapped is `in map(list, value)`. All values are made before one is compared,
// as in expr.
func (c *compiler) inMapped(left ast.Node, n *ast.BuiltinNode) test {
	predicate, ok := n.Arguments[1].(*ast.PredicateNode)
	name, list := callOf(n.Arguments[0])
	if !ok || name != "list" {
		c.unable(n, "%s", nameOf(n))
		return askTest
	}
	of, in := c.eval(left), c.eval(list[0])
	around := c.loop
	c.loop = &loop{number: len(c.loops), paths: newTrie()}
	c.loops = append(c.loops, c.loop.paths)
	number, made := c.loop.number, c.eval(predicate.Node)
	c.loop = around
	return func(f *frame) decided {
		x := *of(f)
		if x.kind == unknown {
			return ask
		}
		found := no
		d := f.each(number, in(f), func(f *frame) decided {
			v := made(f)
			if v.kind == unknown {
				return ask
			}
			if d := equal(&x, v); found != yes && d != no {
				found = d
			}
			return no
		}, yes)
		if d == ask {
			return ask
		}
		return found
	}
}
