package engine

import (
	"unsafe"

	"github.com/expr-lang/expr/ast"
)

// quantifier is any, all, none and one: the condition is judged for each element
// in the bytes of the list, as far as expr's own loop would go.
func (c *compiler) quantifier(n *ast.BuiltinNode) test {
	predicate, ok := n.Arguments[len(n.Arguments)-1].(*ast.PredicateNode)
	name, list := callOf(n.Arguments[0])
	if !ok || name != "list" {
		c.unable(n, "%s", nameOf(n))
		return askTest
	}
	of := c.eval(list[0])
	number, holds := c.within(predicate.Node)
	switch n.Name {
	case "any":
		return func(f *frame) decided { return f.each(number, of(f), holds, yes) }
	case "all":
		return func(f *frame) decided { return f.each(number, of(f), holds, no).not() }
	case "none":
		return func(f *frame) decided { return f.each(number, of(f), holds, yes).not() }
	case "one":
		return func(f *frame) decided {
			found := 0
			d := f.each(number, of(f), func(f *frame) decided {
				d := holds(f)
				if d == yes {
					found++
				}
				return d
			}, ask)
			if d == ask {
				return ask
			}
			return decide(found == 1)
		}
	}
	c.unable(n, "%s", nameOf(n))
	return askTest
}

// within compiles the condition of a new loop.
func (c *compiler) within(condition ast.Node) (number int, holds test) {
	around := c.loop
	c.loop = &loop{number: len(c.loops), paths: newTrie()}
	c.loops = append(c.loops, c.loop.paths)
	number, holds = c.loop.number, c.test(condition)
	c.loop = around
	return number, holds
}

// each judges the elements of a value, as collection built-ins see it, until one
// is judged as wanted: then it is yes, else no. ask ends it too.
func (f *frame) each(number int, of *value, holds test, wanted decided) decided {
	element := f.loops[number]
	switch of.kind {
	case unknown, isOther:
		return ask
	case isNil:
		return no
	case isList:
		json := unsafe.Slice(unsafe.StringData(of.text), len(of.text))
		return element.elements(json, func() decided {
			switch holds(f) {
			case ask:
				return ask
			case wanted:
				return yes
			}
			return no
		})
	case isObject:
		element.element(unsafe.Slice(unsafe.StringData(of.text), len(of.text)))
	default:
		element.begin()
		element.put(0, *of)
	}
	switch holds(f) {
	case ask:
		return ask
	case wanted:
		return yes
	}
	return no
}

// count is how many elements a list has.
func (f *frame) count(list *value) int {
	n := 0
	f.items.elements(unsafe.Slice(unsafe.StringData(list.text), len(list.text)), func() decided {
		n++
		return no
	})
	return n
}

// elements scans the elements of a list one by one, until visit says other than no.
func (s *scan) elements(json []byte, visit func() decided) decided {
	s.raw, s.depth = json, 0
	i := s.space(1)
	if s.raw[i] == ']' {
		return no
	}
	for {
		s.begin()
		if i = s.value(i, 0); i < 0 {
			return ask // it was valid before: never
		}
		if d := visit(); d != no {
			return d
		}
		if i = s.space(i); s.raw[i] == ']' {
			return no
		}
		i = s.space(i + 1)
	}
}

// not is the opposite; what is asked stays asked.
func (d decided) not() decided {
	switch d {
	case yes:
		return no
	case no:
		return yes
	}
	return ask
}
