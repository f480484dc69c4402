package engine

// Long texts of one slot are much alike from event to event: few user agents,
// roles and messages are new. So what was found in the last ones is remembered by
// the frame that found it, with the text itself.

const (
	recentBits    = 3   // of a hash: eight texts
	leastRecent   = 32  // bytes: shorter ones are searched as quickly
	longestRecent = 512 // bytes
)

// recent is what was found in the last texts, each at a place of its own hash.
type recent [1 << recentBits]searched

// searched is a text and the parts that it has in it.
type searched struct {
	text   [longestRecent]byte
	length int // 0: none
	parts  [16]int32
	found  int
}

// recently gives the place for a text; nil if it is none to be remembered.
func (f *frame) recently(g *grams, text string) *searched {
	if len(text) < leastRecent || len(text) > longestRecent {
		return nil
	}
	r := f.recent[g.number]
	if r == nil {
		r = &recent{}
		f.recent[g.number] = r
	}
	return &r[hashText(text)>>(64-recentBits)]
}

func (s *searched) is(text string) bool { return string(s.text[:s.length]) == text }

// begin remembers a text, in which nothing was found yet.
func (s *searched) begin(text string) {
	if s != nil {
		s.length, s.found = copy(s.text[:], text), 0
	}
}

// add remembers a part of it. Where there are too many, all is forgotten.
func (s *searched) add(part int32) {
	switch {
	case s == nil:
	case s.found < len(s.parts):
		s.parts[s.found] = part
		s.found++
	default:
		s.length = 0
	}
}
