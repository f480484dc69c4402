package engine

import (
	"encoding/binary"
	"math/bits"
)

// step is one step of a path: into an object by key, or into a list by index.
type step struct {
	key   string
	index int // from 0; -1: by key
}

func key(name string) step { return step{name, -1} }

// trie is what a scan keeps of a value: the places that rules name, one slot
// each, and those on the way to them. Slot 0 is the value itself. It is built by
// add and done; after done it is immutable.
type trie struct {
	nodes []node
	whole bool             // the value itself was asked for
	steps []map[step]int32 // while it is built
}

// node is a place in a value. Its slot is its number.
type node struct {
	names names
	usual []string // the members of an object there, in their usual order
	items []int32  // slots of the elements of a list, 0 where nobody asks
	below []int32  // slots of all that is next below it
}

func newTrie() *trie { return &trie{nodes: make([]node, 1), steps: make([]map[step]int32, 1)} }

// add gives the slot at the end of a path.
func (t *trie) add(path []step) int32 {
	t.whole = t.whole || len(path) == 0
	return t.below(0, path)
}

// below gives the slot at the end of a path that begins at another.
func (t *trie) below(at int32, path []step) int32 {
	for _, s := range path {
		next, ok := t.steps[at][s]
		if !ok {
			next = int32(len(t.nodes))
			t.nodes, t.steps = append(t.nodes, node{}), append(t.steps, nil)
			if t.steps[at] == nil {
				t.steps[at] = map[step]int32{}
			}
			t.steps[at][s] = next
		}
		at = next
	}
	return at
}

// done makes the tables by which keys are found.
func (t *trie) done() {
	for i, steps := range t.steps {
		n := &t.nodes[i]
		var entries []named
		for s, slot := range steps {
			n.below = append(n.below, slot)
			if s.index < 0 {
				entries = append(entries, named{key: s.key, hash: hashText(s.key), slot: slot})
				continue
			}
			for len(n.items) <= s.index {
				n.items = append(n.items, 0)
			}
			n.items[s.index] = slot
		}
		expected := expecting(n.usual, entries)
		n.names = newNames(entries)
		n.names.expected = expected
	}
	t.steps = nil
}

// names finds the slot of a key: an open hash, never more than half full.
type names struct {
	table    []named
	shift    uint8
	expected []expected
}

// named is an entry. Slot 0 is none: a value is not below itself.
type named struct {
	key    string
	hash   uint64
	slot   int32
	behind int // the place behind it in expected; 0: it is not in there
}

func newNames(entries []named) names {
	if len(entries) == 0 {
		return names{}
	}
	size := bits.Len(uint(2*len(entries) - 1))
	n := names{table: make([]named, 1<<size), shift: uint8(64 - size)}
	for _, e := range entries {
		i := int(e.hash >> n.shift)
		for n.table[i].slot != 0 {
			i = (i + 1) & (len(n.table) - 1)
		}
		n.table[i] = e
	}
	return n
}

// find gives the entry of a key with that hash, one of slot 0 if there is none.
func (n *names) find(key []byte, hash uint64) *named {
	for i := int(hash >> n.shift); ; i = (i + 1) & (len(n.table) - 1) {
		e := &n.table[i]
		if e.slot == 0 || e.hash == hash && e.key == string(key) {
			return e
		}
	}
}

// hashText is hashBytes of a whole text.
func hashText(text string) uint64 { return hashBytes([]byte(text), 0, len(text)) }

// hashBytes is a hash of b[i:j] by its length and its first and last eight
// bytes: there names of fields differ.
func hashBytes(b []byte, i, j int) uint64 {
	n := j - i
	if n >= 8 {
		return mix(binary.LittleEndian.Uint64(b[i:]), binary.LittleEndian.Uint64(b[j-8:]), n)
	}
	var head uint64
	if i+8 <= len(b) {
		head = binary.LittleEndian.Uint64(b[i:]) & (1<<(8*n) - 1)
	} else {
		for k := n - 1; k >= 0; k-- {
			head = head<<8 | uint64(b[i+k])
		}
	}
	return mix(head, 0, n)
}

func mix(head, tail uint64, n int) uint64 {
	const a, b = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F
	h := (head ^ uint64(n)*b) * a
	return (bits.RotateLeft64(h, 31) ^ tail) * b
}
