package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// picked are the rules that the index picks for an event, in order.
func picked(t *testing.T, e *Engine, f *frame, raw string) []int32 {
	t.Helper()
	if !f.event.event([]byte(raw)) {
		t.Fatalf("refused: %s", raw)
	}
	e.index.candidates(f)
	return slices.Sorted(slices.Values(f.hits))
}

// TestRecent: what was found in a text a moment ago is what is found in it, and
// not in another that is nearly the same.
func TestRecent(t *testing.T) {
	for _, n := range []int{6, 60} { // in each of three fields: looked for one by one, and at once
		var expressions []string
		for i := range n {
			expressions = append(expressions, fmt.Sprintf(`event.detail.%c contains "part%d;"`, "abc"[i%3], i))
		}
		e := New(compiledRules(t, expressions...), nil)
		f, g, found := e.newFrame(), newGenerator(uint64(n)), 0
		var texts []string
		for _, length := range []int{leastRecent - 1, leastRecent, 100, longestRecent, longestRecent + 1} {
			for range 40 {
				text := "beginning"
				for range g.IntN(length / 6) {
					text += fmt.Sprintf("part%d;", g.IntN(n))
				}
				middle := max(0, length-8)
				text = (text + strings.Repeat("-", length))[:middle] + "the end."
				texts = append(texts, text)
			}
		}
		for range 4000 {
			raw := strings.ReplaceAll(`{"detail":{"a":@,"b":@,"c":@}}`, "@", `"`+g.one(texts...)+`"`)
			got, want := picked(t, e, f, raw), picked(t, e, e.newFrame(), raw)
			if !slices.Equal(got, want) {
				t.Fatalf("%d rules: %v, by a new frame %v\n%s", n, got, want, raw)
			}
			found += len(got)
		}
		if found < 1000 {
			t.Errorf("%d rules: only %d are picked", n, found)
		}
	}
}

// TestConditions: a condition is met where the index finds it.
func TestConditions(t *testing.T) {
	var all []condition
	for _, is := range []relation{equals, isNumber, truly, falsely, begins, ends, holds, textual, present, odd, failing} {
		for _, text := range []string{"b", "abc", "long enough"} {
			all = append(all, condition{is: is, text: text}, condition{is: is, n: 1}, condition{is: is, n: 2})
		}
	}
	b := &builder{paths: newTrie(), named: map[string]slot{}}
	plain := b.at("a")
	for _, at := range []slot{plain, b.folded(plain), b.derivedSlot("number", func() derivation { return func(*frame) value { return intValue(2) } })} {
		for _, c := range all {
			c.slot = at
			x := newIndexer()
			x.add(0, &need{any: []condition{c}})
			e := &Engine{paths: newTrie(), derivations: b.derivations, rules: make([]compiled, 1), index: x.done()}
			e.paths.add([]step{key("a")})
			e.paths.done()
			for _, v := range []string{`null`, `true`, `false`, `1`, `2`, `"b"`, `"B"`, `"abc"`, `"xabc"`, `"abcx"`, `"long enough"`, `"not long enough"`, `"é"`, `{}`, `["b"]`} {
				f := e.newFrame()
				found := len(picked(t, e, f, `{"a":`+v+`}`)) > 0
				if met := c.met(f); met != found {
					t.Errorf("%+v of %s: met %v, found %v", c, v, met, found)
				}
			}
		}
	}
}

// TestBesides: the index looks at what must be so besides the rarest condition.
func TestBesides(t *testing.T) {
	e := New(compiledRules(t,
		`action == "iam:CreateUser" && req.a == "x"`,
		`action == "iam:CreateUser" && (req.a == "x" || req.b == "y")`,
		`event.detail.eventName in ["CreateUser", "Other"] && event.detail.eventSource == "iam.amazonaws.com" && actor.type == "Root"`,
		`glob(action, ["iam:Create*Role", "iam:Delete?oup"])`,
		`event.detail.eventName matches "(?i)^create.*role$"`,
		`action == "iam:CreateUser" && lower(req.c) == "z" && req.a == "x"`,
		`(action == "iam:CreateUser" && req.a == "x") || (action == "iam:Other" && req.b == "y")`,
	), nil)
	call := func(more string) string {
		return `{"detail":{"eventSource":"iam.amazonaws.com","eventName":"CreateUser"` + more + `}}`
	}
	for raw, want := range map[string][]int32{
		call(``):                                                         nil,
		call(`,"requestParameters":{"a":"x"}`):                           {0, 1, 6},
		call(`,"requestParameters":{"b":"y"}`):                           {1, 6}, // of the sides of || one condition each, not both of one
		call(`,"requestParameters":{"c":1}`):                             {5},    // lower fails of a number, before a is looked at
		call(`,"userIdentity":{"type":"Root"}`):                          {2},
		call(`,"eventName":"CreateX","requestParameters":{"a":"x"}`):     nil,
		`{"detail":{"eventSource":"iam.a","eventName":"CreateAnyRole"}}`: {3, 4},
		`{"detail":{"eventSource":"iam.a","eventName":"CreateAny"}}`:     nil,
	} {
		if got := picked(t, e, e.newFrame(), raw); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", raw, got, want)
		}
	}
}
