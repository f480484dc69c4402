package engine

import "fmt"

// index says which rules can match an event: those of which a condition is so.
// Immutable.
type index struct {
	slots   []indexed
	always  []int32         // rules of which nothing is known that must be so
	grams   int             // how many slots have some
	also    []int32         // by rule: which of besides must be so as well
	besides [][][]condition // one of each
}

// indexed is what depends on one slot.
type indexed struct {
	slot    slot
	texts   map[string][]int32
	numbers map[float64][]int32
	truths  [2][]int32 // false, true
	begins  *affixes
	ends    *affixes
	holds   *grams
	textual []int32
	present []int32
	odd     []int32
	all     []int32 // every rule in here, for values that nobody knows
}

// indexer builds an index.
type indexer struct {
	at      map[slot]*indexed
	order   []slot
	always  []int32
	also    []int32
	besides [][][]condition
	told    map[string]int32 // where in besides conditions are, by what they say
}

func newIndexer() *indexer {
	return &indexer{at: map[slot]*indexed{}, told: map[string]int32{}}
}

// add puts a rule, the next one, where its need is found.
func (x *indexer) add(rule int32, n *need) {
	x.also = append(x.also, 0)
	if n == nil {
		x.always = append(x.always, rule)
		return
	}
	x.also[rule] = x.shared(n.also)
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

// shared is where in besides the conditions of needs are, once for all rules.
func (x *indexer) shared(needs []*need) int32 {
	var all [][]condition
	says := ""
	for _, n := range needs {
		all = append(all, n.any)
		for _, c := range n.any {
			says += fmt.Sprintf("%d %d %q %v,", c.slot, c.is, c.text, c.n)
		}
		says += ";"
	}
	at, ok := x.told[says]
	if !ok {
		at = int32(len(x.besides))
		x.told[says], x.besides = at, append(x.besides, all)
	}
	return at
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
	case begins:
		s.begins = made(s.begins)
		s.begins.add(is.text, rule)
	case ends:
		s.ends = made(s.ends)
		s.ends.end = true
		s.ends.add(is.text, rule)
	case holds:
		s.holds = made(s.holds)
		s.holds.add(is.text, rule)
	case textual:
		s.textual = append(s.textual, rule)
	case present:
		s.present = append(s.present, rule)
	case odd:
		s.odd = append(s.odd, rule)
	}
}

// made is what is there, or a new one.
func made[T any](there *T) *T {
	if there == nil {
		return new(T)
	}
	return there
}

func (x *indexer) done() index {
	i := index{always: x.always, also: x.also, besides: x.besides}
	for _, at := range x.order {
		s := x.at[at]
		if s.begins != nil {
			s.begins.done()
		}
		if s.ends != nil {
			s.ends.done()
		}
		if s.holds != nil {
			s.holds.done()
			s.holds.number = i.grams
			i.grams++
		}
		i.slots = append(i.slots, *s)
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
	if s.begins != nil {
		s.begins.hits(f, text)
	}
	if s.ends != nil {
		s.ends.hits(f, text)
	}
	if s.holds != nil {
		s.holds.hits(f, text)
	}
	f.hit(s.textual)
}

func (f *frame) hit(rules []int32) {
	x := &f.engine.index
	for _, r := range rules {
		if f.seen[r] == f.event.round {
			continue
		}
		f.seen[r] = f.event.round
		if f.meets(x.besides[x.also[r]]) {
			f.hits = append(f.hits, r)
		}
	}
}

// meets reports whether of each of some conditions one is so.
func (f *frame) meets(each [][]condition) bool {
	for _, any := range each {
		met := false
		for i := 0; i < len(any) && !met; i++ {
			met = any[i].met(f)
		}
		if !met {
			return false
		}
	}
	return true
}
