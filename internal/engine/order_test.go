package engine

import (
	"fmt"
	"strings"
	"testing"
)

// TestOrder: members are found in their usual order and in any other, absent,
// twice, with blanks and escapes, and beside keys that are nearly theirs.
func TestOrder(t *testing.T) {
	s := &scanner{}
	trie := newTrie()
	for at, members := range usualOrder() {
		for i, name := range strings.Fields(members) {
			if i%3 == 1 && !strings.HasPrefix(at+" "+name, " detail") { // nobody asks for some
				continue
			}
			var path []step
			for _, name := range append(strings.Fields(at), name) {
				path = append(path, key(name))
			}
			s.paths, s.slots = append(s.paths, path), append(s.slots, trie.add(path))
		}
	}
	trie.expectUsual()
	trie.done()
	s.scan = newScan(trie)
	for seed := range uint64(4000) {
		g := newGenerator(seed)
		s.check(t, g.members(""))
	}
}

// members is an object at a place, with the members that are usual there.
func (g *generator) members(at string) string {
	names := strings.Fields(usualOrder()[at])
	if g.chance(4) {
		g.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	}
	if g.chance(3) {
		names = append(names, g.one(names...))
	}
	var out []string
	for _, name := range names {
		if g.chance(5) {
			continue
		}
		below := strings.TrimSpace(at + " " + name)
		value := g.one(`"text"`, `1`, `null`, `{}`, fmt.Sprintf(`"%d"`, g.IntN(100)))
		if _, ok := usualOrder()[below]; ok && !g.chance(8) {
			value = g.members(below)
		}
		switch g.IntN(24) {
		case 0:
			name += "X"
		case 1:
			name = name[:len(name)-1]
		case 2:
			name = strings.ToUpper(name[:1]) + name[1:]
		case 3:
			name = fmt.Sprintf(`\u%04x`, name[0]) + name[1:]
		case 4:
			name = name[:len(name)-1] + `\"`
		case 5:
			name = "x" + name[1:]
		case 6:
			name = name[:len(name)-1] + "x"
		}
		colon := ":"
		if g.chance(20) {
			colon = g.one(" :", ": ", "\n:\t")
		}
		out = append(out, `"`+name+`"`+colon+value)
	}
	return "{" + strings.Join(out, ",") + "}"
}
