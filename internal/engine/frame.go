package engine

import "time"

// frame is what is known of the event that is being looked at. One event at a
// time; frames are used again.
type frame struct {
	engine *Engine
	event  *scan
	loops  []*scan // by loop: the element it is at
	items  *scan   // the elements of lists that nobody asks more of

	derived []value
	ready   []uint32 // by derived slot: the round in which it was derived
	time    time.Time

	values []value // what closures work out on the way, each in its own
	spent  int     // of the budget of the rule that is being judged

	seen []uint32 // by rule: the round in which it became a candidate
	hits []int32  // the candidates

	recent []*recent // by number of grams
}

// bare is a trie of the value alone. Read-only.
var bare = func() *trie { t := newTrie(); t.done(); return t }()

func (e *Engine) newFrame() *frame {
	f := &frame{
		engine: e, event: newScan(e.paths), items: newScan(bare), derived: make([]value, len(e.derivations)), ready: make([]uint32, len(e.derivations)),
		values: make([]value, e.values), seen: make([]uint32, len(e.rules)), recent: make([]*recent, e.index.grams),
	}
	for _, t := range e.loops {
		f.loops = append(f.loops, newScan(t))
	}
	return f
}

// slot says where a value of the event is: its slot in the scan, or -1-n for the
// n-th derivation.
type slot int32

func (f *frame) get(at slot) *value {
	if at >= 0 {
		return f.event.get(int32(at))
	}
	n := -1 - at
	v := &f.derived[n]
	if f.ready[n] != f.event.round {
		f.ready[n] = f.event.round
		*v = f.engine.derivations[n](f)
	}
	return v
}

// text is a slot's text, "" if it holds none.
func (f *frame) text(at slot) string {
	if v := f.get(at); v.kind == isText {
		return v.text
	}
	return ""
}
