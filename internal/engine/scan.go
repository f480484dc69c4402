package engine

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"github.com/skycrafters/responder"
)

// scan is one pass over JSON that keeps what a trie asks for. It takes what
// responder.DecodeEvent takes, but for the form of the top, and keeps what that
// gives: of duplicate keys the last, escapes undone, numbers as float64.
//
// It is used again and again and allocates nothing then, once its slots and its
// room for undone escapes have grown to what events need.
type scan struct {
	trie   *trie
	raw    []byte
	depth  int
	slots  []value
	kept   []uint32 // by slot: the round in which it was kept
	met    []uint32 // by slot: the round in which its key was met
	round  uint32
	undone []byte // texts whose escapes are undone; what is in it stays where it is for the round
}

func newScan(t *trie) *scan {
	n := len(t.nodes)
	return &scan{trie: t, slots: make([]value, n), kept: make([]uint32, n), met: make([]uint32, n)}
}

// begin forgets what was kept.
func (s *scan) begin() {
	s.undone = s.undone[:0]
	if s.round++; s.round == 0 { // after four thousand million events
		clear(s.kept)
		clear(s.met)
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

// get is the value of a slot.
func (s *scan) get(slot int32) *value {
	if s.kept[slot] != s.round {
		return &nilValue
	}
	return &s.slots[slot]
}

// nilValue is read-only.
var nilValue value

func (s *scan) keep(slot int32, v value) {
	s.kept[slot] = s.round
	s.slots[slot] = v
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
	switch c := s.raw[i]; c {
	case '"':
		end, escaped := s.text(i + 1)
		if slot >= 0 && end >= 0 {
			s.keep(slot, textValue(s.plain(i+1, end-1, escaped)))
		}
		return end
	case '{', '[':
		if s.depth++; s.depth > responder.MaxNesting {
			return -1
		}
		var end int
		if c == '{' {
			end = s.object(i+1, slot)
		} else {
			end = s.list(i+1, slot)
		}
		s.depth--
		if slot >= 0 && end >= 0 {
			kind := isObject
			if c == '[' {
				kind = isList
			}
			s.keep(slot, value{kind: kind, text: between(s.raw, i, end)})
		}
		return end
	case 't':
		return s.word(i, "true", slot, value{kind: isTrue})
	case 'f':
		return s.word(i, "false", slot, value{kind: isFalse})
	case 'n':
		return s.word(i, "null", nobody, value{})
	}
	return s.number(i, slot)
}

func (s *scan) word(i int, word string, slot int32, v value) int {
	end := i + len(word)
	if end > len(s.raw) || string(s.raw[i:end]) != word {
		return -1
	}
	if slot >= 0 {
		s.keep(slot, v)
	}
	return end
}

// object is what follows a {.
func (s *scan) object(i int, slot int32) int {
	var names *names
	if slot >= 0 && len(s.trie.nodes[slot].names.table) > 0 {
		names = &s.trie.nodes[slot].names
	}
	i = s.space(i)
	if i < len(s.raw) && s.raw[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(s.raw) || s.raw[i] != '"' {
			return -1
		}
		end, escaped := s.text(i + 1)
		if end < 0 {
			return -1
		}
		below := int32(nobody)
		if names != nil {
			below = s.find(names, i+1, end-1, escaped)
		}
		i = s.space(end)
		if i >= len(s.raw) || s.raw[i] != ':' {
			return -1
		}
		if i = s.value(s.space(i+1), below); i < 0 {
			return -1
		}
		i = s.space(i)
		switch {
		case i >= len(s.raw):
			return -1
		case s.raw[i] == '}':
			return i + 1
		case s.raw[i] != ',':
			return -1
		}
		i = s.space(i + 1)
	}
}

// find gives the slot of the key in raw[i:j], and forgets what an earlier value
// of the same key has left there.
func (s *scan) find(names *names, i, j int, escaped bool) int32 {
	var slot int32
	if escaped {
		key := s.plain(i, j, true)
		slot = names.find([]byte(key), hashText(key))
	} else {
		slot = names.find(s.raw[i:j], hashBytes(s.raw, i, j))
	}
	if slot == 0 {
		return nobody
	}
	if s.met[slot] == s.round {
		s.forget(slot)
	}
	s.met[slot] = s.round
	return slot
}

// forget takes back what was kept at a slot and below it.
func (s *scan) forget(slot int32) {
	s.kept[slot], s.met[slot] = 0, 0
	for _, below := range s.trie.nodes[slot].below {
		s.forget(below)
	}
}

// list is what follows a [.
func (s *scan) list(i int, slot int32) int {
	var items []int32
	if slot >= 0 {
		items = s.trie.nodes[slot].items
	}
	i = s.space(i)
	if i < len(s.raw) && s.raw[i] == ']' {
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
			return i + 1
		case s.raw[i] != ',':
			return -1
		}
		i = s.space(i + 1)
	}
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// text is what follows a ": it ends behind the closing one. Eight bytes are
// looked at at once.
func (s *scan) text(i int) (end int, escaped bool) {
	b := s.raw
	for {
		for i+8 <= len(b) {
			w := binary.LittleEndian.Uint64(b[i:])
			quote, slash := w^(ones*'"'), w^(ones*'\\')
			// The lowest byte that is marked is truly one of them; see "Hacker's Delight", 6-1.
			special := (w | (quote-ones)&^quote | (slash-ones)&^slash | (w-ones*' ')&^w) & highs
			if special != 0 {
				i += bits.TrailingZeros64(special) / 8
				break
			}
			i += 8
		}
		if i >= len(b) {
			return -1, false
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1, escaped
		case c == '\\':
			n := escapeLength(b[i:])
			if n == 0 {
				return -1, false
			}
			i, escaped = i+n, true
		case c < ' ':
			return -1, false
		case c < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 || r == '\uFFFE' || r == '\uFFFF' {
				return -1, false
			}
			i += n
		}
	}
}

// number checks a number's form and that a float64 holds it.
func (s *scan) number(from int, slot int32) int {
	i := from
	digits := func() bool {
		began := i
		for i < len(s.raw) && '0' <= s.raw[i] && s.raw[i] <= '9' {
			i++
		}
		return i > began
	}
	if s.raw[i] == '-' {
		i++
	}
	if i < len(s.raw) && s.raw[i] == '0' {
		i++
	} else if !digits() {
		return -1
	}
	if i < len(s.raw) && s.raw[i] == '.' {
		i++
		if !digits() {
			return -1
		}
	}
	exponent := i < len(s.raw) && (s.raw[i] == 'e' || s.raw[i] == 'E')
	if exponent {
		if i++; i < len(s.raw) && (s.raw[i] == '+' || s.raw[i] == '-') {
			i++
		}
		if !digits() {
			return -1
		}
	}
	const always = 300 // digits that a float64 holds, whatever they are
	if slot < 0 && !exponent && i-from < always {
		return i
	}
	f, err := strconv.ParseFloat(between(s.raw, from, i), 64)
	if err != nil {
		return -1
	}
	if slot >= 0 {
		s.keep(slot, floatValue(f))
	}
	return i
}
