package engine

import (
	"github.com/expr-lang/expr/ast"
)

// path is a place in the event, or in the element that a loop is at.
type path struct {
	slot slot
	loop *loop // nil: in the event
}

func (p *path) eval() eval {
	at := p.slot
	if p.loop != nil {
		number := p.loop.number
		return func(f *frame) *value { return f.loops[number].get(int32(at)) }
	}
	return func(f *frame) *value { return f.get(at) }
}

// path gives the place that a chain of members names, if it is one whose steps
// are all written out.
func (c *compiler) path(node ast.Node) (*path, bool) {
	var room [8]step
	steps := room[:0] // the last first
	for {
		name, arguments := callOf(node)
		if name != "[]" && name != "calm get" {
			break
		}
		switch at := arguments[1].(type) {
		case *ast.StringNode:
			steps = append(steps, key(at.Value))
		case *ast.IntegerNode:
			if at.Value < 0 || at.Value > maxIndex {
				return nil, false
			}
			steps = append(steps, step{index: at.Value})
		default:
			return nil, false
		}
		node = arguments[0]
	}
	for i, j := 0, len(steps)-1; i < j; i, j = i+1, j-1 {
		steps[i], steps[j] = steps[j], steps[i]
	}
	switch n := node.(type) {
	case *ast.PointerNode:
		if n.Name != "" || c.loop == nil {
			return nil, false
		}
		return &path{slot: slot(c.loop.paths.add(steps)), loop: c.loop}, true
	case *ast.IdentifierNode:
		return c.from(n.Value, steps)
	}
	return nil, false
}

// What req and resp are. Read-only.
var (
	requestParameters = []step{key("detail"), key("requestParameters")}
	responseElements  = []step{key("detail"), key("responseElements")}
)

// maxIndex is the greatest index that a scan looks for: each takes room.
const maxIndex = 255

// from gives the place that steps lead to from a name.
func (c *compiler) from(name string, steps []step) (*path, bool) {
	if l := c.lets[name]; l != nil {
		if l.path == nil {
			return nil, false
		}
		if len(steps) == 0 {
			return l.path, true
		}
		return nil, false // a member of what a let has named: rare
	}
	switch name {
	case "item":
		if c.item == nil {
			return nil, false
		}
		return &path{slot: slot(c.item.paths.add(steps)), loop: c.item}, true
	case "event":
		return &path{slot: slot(c.paths.add(steps))}, true
	case "req":
		return &path{slot: slot(c.paths.below(c.paths.add(requestParameters), steps))}, true
	case "resp":
		return &path{slot: slot(c.paths.below(c.paths.add(responseElements), steps))}, true
	}
	var room [3]string
	names := append(room[:0], name)
	for _, s := range steps {
		if s.index >= 0 {
			return nil, false
		}
		names = append(names, s.key)
	}
	at, ok := c.derive(names)
	return &path{slot: at}, ok
}
