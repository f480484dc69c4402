package engine

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
	i := index{always: x.always}
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
	for _, r := range rules {
		if f.seen[r] != f.event.round {
			f.seen[r] = f.event.round
			f.hits = append(f.hits, r)
		}
	}
}
