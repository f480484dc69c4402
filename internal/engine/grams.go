package engine

import (
	"encoding/binary"
	"math"
	"strings"
	"unsafe"
)

// gramLength is how many bytes of a text are looked up at once.
const gramLength = 4

// grams finds those of many texts that a longer one has in it: by one pass that
// looks up four bytes at every other place. So of each text two such fours are in
// the table, one behind the other; of all its pairs the one that the fewest
// others have. Where a text has but four bytes, every place is looked at.
type grams struct {
	parts  []part
	at     map[string]int // while it is built: text → part
	number int            // among all grams of an index
	few    bool           // so few that they are looked for one by one
	short  []int32
	stride int
	seen   [1 << 10]uint64 // a bit for each gram that may be in table
	table  map[uint32][]gram
}

// part is a text that is looked for, and the rules that look for it.
type part struct {
	text  string
	rules []int32
}

// gram is four bytes of a part.
type gram struct {
	part int32
	from int32 // where in it they stand
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
	return binary.LittleEndian.Uint32(unsafe.Slice(unsafe.StringData(text), len(text))[i : i+gramLength : i+gramLength])
}

// bit is the place of a gram in seen.
func bit(four uint32) (word int, mask uint64) {
	h := four * 0x9E3779B1 >> 16
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
	g.table, g.stride = map[uint32][]gram{}, 2
	for n := range g.parts {
		switch text := g.parts[n].text; {
		case len(text) < gramLength:
			g.short = append(g.short, int32(n))
		case len(text) == gramLength:
			g.stride = 1
			g.lookUp(n, 0)
		default:
			from, rarest := 0, math.MaxInt
			for i := 0; i+gramLength < len(text); i++ {
				if others := common[gramAt(text, i)] + common[gramAt(text, i+1)]; others < rarest {
					from, rarest = i, others
				}
			}
			g.lookUp(n, from)
			g.lookUp(n, from+1)
		}
	}
}

// lookUp puts the gram of a part that begins there into the table.
func (g *grams) lookUp(part, from int) {
	four := gramAt(g.parts[part].text, from)
	g.table[four] = append(g.table[four], gram{int32(part), int32(from)})
	word, mask := bit(four)
	g.seen[word] |= mask
}

// hits are the rules that look for what a text has in it.
func (g *grams) hits(f *frame, text string) {
	s := f.recently(g, text)
	if s != nil && s.is(text) {
		for _, n := range s.parts[:s.found] {
			f.hit(g.parts[n].rules)
		}
		return
	}
	s.begin(text)
	if g.few {
		for n := range g.parts {
			g.look(f, text, int32(n), s)
		}
		return
	}
	for _, n := range g.short {
		g.look(f, text, n, s)
	}
	for i := 0; i+gramLength <= len(text); i += g.stride {
		four := gramAt(text, i)
		word, mask := bit(four)
		if g.seen[word]&mask == 0 {
			continue
		}
		for _, at := range g.table[four] {
			if p, from := &g.parts[at.part], i-int(at.from); from >= 0 && strings.HasPrefix(text[from:], p.text) {
				f.hit(p.rules)
				s.add(at.part)
			}
		}
	}
}

// look looks for one part alone.
func (g *grams) look(f *frame, text string, part int32, s *searched) {
	if p := &g.parts[part]; strings.Contains(text, p.text) {
		f.hit(p.rules)
		s.add(part)
	}
}
