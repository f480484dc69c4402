package engine

import (
	"strconv"
	"unsafe"

	"github.com/skycrafters/responder"
)

// scan is one pass over JSON that keeps what a trie asks for. It takes what
// responder.DecodeEvent takes, but for the form of the top, and keeps what that
// gives: of duplicate keys the last, escapes undone, numbers as float64.
//
// Values are noted where they stand, and read when they are first asked for: most
// are not. It is used again and again and allocates nothing then, once its room
// for undone escapes has grown to what events need.
type scan struct {
	trie   *trie
	raw    []byte
	depth  int
	round  uint32
	notes  []note  // by slot
	values []value // by slot: what get has read
	undone []byte  // texts whose escapes are undone; what is in it stays where it is for the round
}

// note says where the value of a slot stands. It has no pointers, so noting is
// a few stores.
type note struct {
	from, to uint32
	kept     uint32 // the round in which it was noted
	read     uint32 // the round in which get has read it
	met      uint32 // the round in which its key was met
	kind     kind
	escaped  bool
}

func newScan(t *trie) *scan {
	n := len(t.nodes)
	return &scan{trie: t, notes: make([]note, n), values: make([]value, n)}
}

// begin forgets what was kept.
func (s *scan) begin() {
	s.undone = s.undone[:0]
	if s.round++; s.round == 0 { // after four thousand million events
		clear(s.notes)
		s.round = 1
	}
}

// event scans an event as it is queued. ok is false for what DecodeEvent refuses.
func (s *scan) event(raw []byte) (ok bool) {
	s.begin()
	if len(raw) > responder.MaxEventBytes {
		return false
	}
	s.raw, s.depth = raw, 0
	i := s.space(0)
	if i == len(raw) || raw[i] != '{' {
		return false
	}
	i = s.value(i, 0)
	return i >= 0 && s.space(i) == len(raw)
}

// element scans a value that stands inside an event that was scanned before.
// json may have others behind the value; it gives where the value ends.
func (s *scan) element(json []byte) (end int) {
	s.begin()
	s.raw, s.depth = json, 0
	return s.value(0, 0)
}

// get is the value of a slot, once all is scanned.
func (s *scan) get(slot int32) *value {
	if s.notes[slot].read == s.round {
		return &s.values[slot]
	}
	return s.read(slot)
}

// nilValue is read-only.
var nilValue value

// read makes the value of a slot of what was noted.
func (s *scan) read(slot int32) *value {
	n := &s.notes[slot]
	if n.kept != s.round {
		return &nilValue
	}
	v := value{kind: n.kind}
	switch n.kind {
	case isText:
		v.text = s.plain(int(n.from)+1, int(n.to)-1, n.escaped)
	case isObject, isList:
		v.text = between(s.raw, int(n.from), int(n.to))
	case isFloat:
		f, _ := strconv.ParseFloat(between(s.raw, int(n.from), int(n.to)), 64) // number has checked it
		v = floatValue(f)
	}
	s.put(slot, v)
	return &s.values[slot]
}

// put gives a slot a value that does not stand in the bytes.
func (s *scan) put(slot int32, v value) {
	n := &s.notes[slot]
	n.kept, n.read = s.round, s.round
	s.values[slot] = v
}

// between is a part of the bytes as a text, without a copy: they stay as they
// are while the event is looked at.
func between(b []byte, i, j int) string { return unsafe.String(unsafe.SliceData(b[i:j]), j-i) }

const nobody = -1 // the slot of what nobody asks for

// The functions below take where to begin and give where the value ends, -1 if
// it is not valid.

// space passes over blanks, of which events as they are queued have none.
func (s *scan) space(i int) int {
	if i < len(s.raw) && s.raw[i] > ' ' {
		return i
	}
	return s.blanks(i)
}

func (s *scan) blanks(i int) int {
	for i < len(s.raw) {
		switch s.raw[i] {
		case ' ', '\t', '\r', '\n':
			i++
		default:
			return i
		}
	}
	return i
}

func (s *scan) value(i int, slot int32) int {
	if i >= len(s.raw) {
		return -1
	}
	var end int
	kind, escaped := isText, false
	switch c := s.raw[i]; {
	case c == '"':
		end, escaped = s.text(i + 1)
	case c == '{':
		kind, end = isObject, s.object(i+1, slot)
	case c == '[':
		kind, end = isList, s.list(i+1, slot)
	case c == 't':
		kind, end = isTrue, s.word(i, "true")
	case c == 'f':
		kind, end = isFalse, s.word(i, "false")
	case c == 'n':
		kind, end = isNil, s.word(i, "null")
	default:
		kind, end = isFloat, s.number(i)
	}
	if slot >= 0 && end >= 0 {
		n := &s.notes[slot]
		n.from, n.to, n.kept, n.kind, n.escaped = uint32(i), uint32(end), s.round, kind, escaped
	}
	return end
}

// object is what follows a {.
func (s *scan) object(i int, slot int32) int {
	if s.depth++; s.depth > responder.MaxNesting {
		return -1
	}
	var names *names
	if slot >= 0 && len(s.trie.nodes[slot].names.table) > 0 {
		names = &s.trie.nodes[slot].names
	}
	if i = s.space(i); i < len(s.raw) && s.raw[i] == '}' {
		s.depth--
		return i + 1
	}
	for next := 0; ; { // next is the member that usually comes now
		if i >= len(s.raw) || s.raw[i] != '"' {
			return -1
		}
		below, end := int32(nobody), -1
		if names != nil {
			if below, end, next = names.expect(s.raw, i+1, next); below >= 0 {
				s.meet(below)
			}
		}
		if end < 0 {
			if below, end, next = s.key(names, i+1, next); end < 0 {
				return -1
			}
		}
		if i = s.value(s.space(end), below); i < 0 {
			return -1
		}
		i = s.space(i)
		switch {
		case i >= len(s.raw):
			return -1
		case s.raw[i] == '}':
			s.depth--
			return i + 1
		case s.raw[i] != ',':
			return -1
		}
		i = s.space(i + 1)
	}
}

// key is what follows the first quote of a key, up to the colon. It gives the
// slot of the key's value and what usually comes behind that.
func (s *scan) key(names *names, i, next int) (slot int32, end, behind int) {
	end, escaped := s.text(i)
	if end < 0 {
		return nobody, -1, next
	}
	slot = nobody
	if names != nil {
		slot, next = s.find(names, i, end-1, escaped, next)
	}
	if end = s.space(end); end >= len(s.raw) || s.raw[end] != ':' {
		return nobody, -1, next
	}
	return slot, end + 1, next
}

// find gives the slot of the key in raw[i:j], and what usually comes behind it.
func (s *scan) find(names *names, i, j int, escaped bool, next int) (slot int32, behind int) {
	e := (*named)(nil)
	if escaped {
		key := s.plain(i, j, true)
		e = names.find([]byte(key), hashText(key))
	} else {
		e = names.find(s.raw[i:j], hashBytes(s.raw, i, j))
	}
	if e.slot == 0 {
		return nobody, next
	}
	s.meet(e.slot)
	if e.behind > 0 {
		next = e.behind
	}
	return e.slot, next
}

// meet notes that a key is there, and forgets what an earlier value of the same
// key has left there.
func (s *scan) meet(slot int32) {
	if s.notes[slot].met == s.round {
		s.forget(slot)
	}
	s.notes[slot].met = s.round
}

// forget takes back what was kept at a slot and below it.
func (s *scan) forget(slot int32) {
	s.notes[slot] = note{}
	for _, below := range s.trie.nodes[slot].below {
		s.forget(below)
	}
}

// list is what follows a [.
func (s *scan) list(i int, slot int32) int {
	if s.depth++; s.depth > responder.MaxNesting {
		return -1
	}
	var items []int32
	if slot >= 0 {
		items = s.trie.nodes[slot].items
	}
	if i = s.space(i); i < len(s.raw) && s.raw[i] == ']' {
		s.depth--
		return i + 1
	}
	for n := 0; ; n++ {
		below := int32(nobody)
		if n < len(items) && items[n] != 0 {
			below = items[n]
		}
		if i = s.value(i, below); i < 0 {
			return -1
		}
		i = s.space(i)
		switch {
		case i >= len(s.raw):
			return -1
		case s.raw[i] == ']':
			s.depth--
			return i + 1
		case s.raw[i] != ',':
			return -1
		}
		i = s.space(i + 1)
	}
}
