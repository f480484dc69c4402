package engine

import (
	"slices"
	"sync"

	"github.com/expr-lang/expr/ast"

	"github.com/skycrafters/responder/internal/lang"
)

// Rule is what the engine must know of a rule.
type Rule struct {
	When *lang.Program // nil: always true
	Each *lang.Program // nil: there are no items
	If   *lang.Program // of each item; nil: always true
}

// Engine is a set of rules, made ready to be asked about events. Immutable, and
// safe for concurrent use.
type Engine struct {
	rules       []compiled
	paths       *trie
	loops       []*trie
	derivations []derivation
	values      int
	index       index
	envelope    envelope
	frames      sync.Pool
}

// compiled is a rule.
type compiled struct {
	when  test     // nil: always true
	items test     // whether an item meets its condition; nil: there is none to be met
	every bool     // it is a candidate for every event
	why   []string // what of it is left to the fallback
}

// Candidate is a rule that may find something in an event, or fail on it.
type Candidate struct {
	Rule  int  // its number in the list that New got
	Holds bool // its `when` is true; else nobody knows
}

// builder is an engine in the making.
type builder struct {
	paths       *trie
	loops       []*trie
	derivations []derivation
	named       map[string]slot
	values      int
	accounts    map[string]map[string]any
	odds        map[slot]float64
}

// New makes an engine of rules. accounts is what is said of accounts, by id.
// Cost: some microseconds a rule.
func New(rules []Rule, accounts map[string]map[string]any) *Engine {
	b := &builder{paths: newTrie(), named: map[string]slot{}, accounts: accounts}
	b.odds = b.usual()
	x := newIndexer()
	e := &Engine{}
	for i, r := range rules {
		c := &compiler{builder: b, lets: map[string]*local{}}
		compiled, need := c.rule(r)
		e.rules = append(e.rules, compiled)
		x.add(int32(i), need)
	}
	e.envelope = b.envelope()
	b.paths.expectUsual()
	b.paths.done()
	for _, t := range b.loops {
		t.done()
	}
	e.paths, e.loops, e.derivations, e.values, e.index = b.paths, b.loops, b.derivations, b.values, x.done()
	e.frames.New = func() any { return e.newFrame() }
	return e
}

// rule compiles one rule and reads off what it needs.
func (c *compiler) rule(r Rule) (compiled, *need) {
	var out compiled
	var n *need
	sure := true
	if r.When != nil {
		out.when, sure = c.test(r.When.Calm()), c.total(r.When.Calm())
		n = c.needs(r.When.Calm(), true)
	}
	if r.Each != nil {
		if at, ok := c.place(r.Each.Calm()); ok && sure {
			n = better(n, one(condition{slot: at, is: present}, c.present(at)))
		}
		out.items = c.each(r.Each.Calm(), r.If)
	}
	out.every, out.why = n == nil, c.why
	return out, n
}

// each compiles what is asked of a rule's items: whether one of them meets the
// condition.
func (c *compiler) each(list ast.Node, condition *lang.Program) test {
	of := c.eval(list)
	if condition == nil {
		return func(f *frame) decided {
			v := of(f)
			return decide(v.kind != isNil).unless(v.kind == unknown)
		}
	}
	c.item = &loop{number: len(c.loops), paths: newTrie()}
	c.loops = append(c.loops, c.item.paths)
	number, holds := c.item.number, c.test(condition.Calm())
	return func(f *frame) decided { return f.each(number, of(f), holds, yes) }
}

// judge says whether a rule finds something; ask, if nobody knows or it fails.
func (r *compiled) judge(f *frame) decided {
	when := yes
	if r.when != nil {
		f.spent = 0
		when = r.when(f)
	}
	if when != yes || r.items == nil {
		return when
	}
	f.spent = 0
	return r.items(f)
}

// Look gives the rules that may find something in an event or fail on it, in
// their order. ok is false for what responder.DecodeEvent refuses: then nothing
// is known. It appends to into and gives that. Cost: about a microsecond and no
// allocation, however many the rules are, if none is a candidate.
func (e *Engine) Look(raw []byte, into []Candidate) (candidates []Candidate, ok bool) {
	f := e.frames.Get().(*frame)
	defer e.frames.Put(f)
	if !f.event.event(raw) {
		return into, false
	}
	e.index.candidates(f)
	had := len(into)
	for _, r := range f.hits {
		switch e.rules[r].judge(f) {
		case yes:
			into = append(into, Candidate{int(r), true})
		case ask:
			into = append(into, Candidate{int(r), false})
		}
	}
	slices.SortFunc(into[had:], func(a, b Candidate) int { return a.Rule - b.Rule })
	return into, true
}

// Candidates counts the rules that the index picks for an event: those that are
// judged at all.
func (e *Engine) Candidates(raw []byte) int {
	f := e.frames.Get().(*frame)
	defer e.frames.Put(f)
	if !f.event.event(raw) {
		return 0
	}
	e.index.candidates(f)
	return len(f.hits)
}

// Why says what of a rule is left to the fallback; nothing for a rule that is
// judged without it.
func (e *Engine) Why(rule int) []string { return e.rules[rule].why }

// Every reports whether a rule has to be judged for every event: nothing is known
// that must be so for it to hold.
func (e *Engine) Every(rule int) bool { return e.rules[rule].every }
