package engine

import (
	"encoding/binary"
	"strings"
	"unsafe"
)

// gramLength is how many bytes of a text are looked up at once.
const gramLength = 4

// grams finds those of many texts that a longer one has in it: by one pass that
// looks up four bytes at each place. Of each text those four are looked up that
// the fewest others have.
type grams struct {
	parts []part
	at    map[string]int // while it is built: text → part
	few   bool           // so few that they are looked for one by one
	short []int32
	seen  [1 << 10]uint64 // a bit for each gram that may be in table
	table map[uint32][]int32
}

// part is a text that is looked for, and the rules that look for it.
type part struct {
	text  string
	rules []int32
	from  int // where its gram stands
}

func (g *grams) add(text string, rule int32) {
	if g.at == nil {
		g.at = map[string]int{}
	}
	n, ok := g.at[text]
	if !ok {
		n = len(g.parts)
		g.at[text], g.parts = n, append(g.parts, part{text: text})
	}
	g.parts[n].rules = append(g.parts[n].rules, rule)
}

func gramAt(text string, i int) uint32 {
	return binary.LittleEndian.Uint32(unsafe.Slice(unsafe.StringData(text), len(text))[i:])
}

// bit is the place of a gram in seen.
func bit(gram uint32) (word int, mask uint64) {
	h := gram * 0x9E3779B1 >> 16
	return int(h >> 6), 1 << (h & 63)
}

// done chooses the grams.
func (g *grams) done() {
	g.at = nil
	const few = 3
	if g.few = len(g.parts) <= few; g.few {
		return
	}
	common := map[uint32]int{}
	for _, p := range g.parts {
		for i := 0; i+gramLength <= len(p.text); i++ {
			common[gramAt(p.text, i)]++
		}
	}
	g.table = map[uint32][]int32{}
	for n := range g.parts {
		p := &g.parts[n]
		if len(p.text) < gramLength {
			g.short = append(g.short, int32(n))
			continue
		}
		for i := 1; i+gramLength <= len(p.text); i++ {
			if common[gramAt(p.text, i)] < common[gramAt(p.text, p.from)] {
				p.from = i
			}
		}
		gram := gramAt(p.text, p.from)
		g.table[gram] = append(g.table[gram], int32(n))
		word, mask := bit(gram)
		g.seen[word] |= mask
	}
}

// hits are the rules that look for what a text has in it.
func (g *grams) hits(f *frame, text string) {
	if g.few {
		for i := range g.parts {
			if strings.Contains(text, g.parts[i].text) {
				f.hit(g.parts[i].rules)
			}
		}
		return
	}
	for _, n := range g.short {
		if strings.Contains(text, g.parts[n].text) {
			f.hit(g.parts[n].rules)
		}
	}
	for i := 0; i+gramLength <= len(text); i++ {
		gram := gramAt(text, i)
		word, mask := bit(gram)
		if g.seen[word]&mask == 0 {
			continue
		}
		for _, n := range g.table[gram] {
			if p := &g.parts[n]; i >= p.from && strings.HasPrefix(text[i-p.from:], p.text) {
				f.hit(p.rules)
			}
		}
	}
}
