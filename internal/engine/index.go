package engine

import (
	"strings"
)

// index says which rules can match an event: those of which a condition is so.
// Immutable.
type index struct {
	slots  []indexed
	always []int32 // rules of which nothing is known that must be so
}

// indexed is what depends on one slot.
type indexed struct {
	slot    slot
	texts   map[string][]int32
	numbers map[float64][]int32
	truths  [2][]int32 // false, true
	parts   []parted
	textual []int32
	present []int32
	odd     []int32
	all     []int32 // every rule in here, for values that nobody knows
}

// parted is a condition on a part of a text.
type parted struct {
	is    relation
	text  string
	rules []int32
}

// indexer builds an index.
type indexer struct {
	at     map[slot]*indexed
	order  []slot
	always []int32
}

// add puts a rule where its need is found.
func (x *indexer) add(rule int32, n *need) {
	if n == nil {
		x.always = append(x.always, rule)
		return
	}
	for _, is := range n.any {
		s := x.at[is.slot]
		if s == nil {
			s = &indexed{slot: is.slot, texts: map[string][]int32{}, numbers: map[float64][]int32{}}
			x.at[is.slot] = s
			x.order = append(x.order, is.slot)
		}
		s.add(rule, is)
	}
}

func (s *indexed) add(rule int32, is condition) {
	if len(s.all) == 0 || s.all[len(s.all)-1] != rule {
		s.all = append(s.all, rule)
	}
	switch is.is {
	case equals:
		s.texts[is.text] = append(s.texts[is.text], rule)
	case isNumber:
		s.numbers[is.n] = append(s.numbers[is.n], rule)
	case falsely:
		s.truths[0] = append(s.truths[0], rule)
	case truly:
		s.truths[1] = append(s.truths[1], rule)
	case begins, ends, holds:
		for i := range s.parts {
			if p := &s.parts[i]; p.is == is.is && p.text == is.text {
				p.rules = append(p.rules, rule)
				return
			}
		}
		s.parts = append(s.parts, parted{is.is, is.text, []int32{rule}})
	case textual:
		s.textual = append(s.textual, rule)
	case present:
		s.present = append(s.present, rule)
	case odd:
		s.odd = append(s.odd, rule)
	}
}

func (x *indexer) done() index {
	i := index{always: x.always}
	for _, at := range x.order {
		i.slots = append(i.slots, *x.at[at])
	}
	return i
}

// candidates adds the rules that can match, each once, in no order.
func (x *index) candidates(f *frame) {
	f.hits = append(f.hits[:0], x.always...)
	for i := range x.slots {
		s := &x.slots[i]
		v := f.get(s.slot)
		switch v.kind {
		case isNil:
			continue
		case unknown:
			f.hit(s.all)
			continue
		case isFalse:
			f.hit(s.truths[0])
		case isTrue:
			f.hit(s.truths[1])
		case isInt, isFloat:
			if len(s.numbers) > 0 {
				n, _ := v.number()
				f.hit(s.numbers[n])
			}
			f.hit(s.odd)
		case isText:
			s.text(f, v.text)
			f.hit(s.odd)
		default:
			f.hit(s.odd)
		}
		f.hit(s.present)
	}
}

func (s *indexed) text(f *frame, text string) {
	if len(s.texts) > 0 {
		f.hit(s.texts[text])
	}
	for i := range s.parts {
		p := &s.parts[i]
		if p.is == begins && strings.HasPrefix(text, p.text) || p.is == ends && strings.HasSuffix(text, p.text) || p.is == holds && strings.Contains(text, p.text) {
			f.hit(p.rules)
		}
	}
	f.hit(s.textual)
}

func (f *frame) hit(rules []int32) {
	for _, r := range rules {
		if f.seen[r] != f.event.round {
			f.seen[r] = f.event.round
			f.hits = append(f.hits, r)
		}
	}
}
