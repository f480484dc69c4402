package elements

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/skycrafters/responder"
)

// scanner finds where a JSON value ends, in any number of pieces. It judges
// structure and nesting as it goes, so that damage is seen at the byte where it
// begins; escapes, numbers and words are left to json.Valid.
type scanner struct {
	nest  [responder.MaxNesting]byte // the open brackets, outermost first
	depth int
	want  want
	in    in
	isKey bool // the string is an object's key
	seen  int  // bytes scanned
}

// want is what may come next outside strings and words.
type want int

const (
	wantValue      want = iota
	wantFirstValue      // or ]
	wantFirstKey        // or }
	wantKey
	wantColon
	wantNext // , or the closing bracket
)

type in int

const (
	between in = iota
	inString
	inEscape
	inWord // a number, true, false, null, or nonsense
)

// scan takes the next piece. n bytes of it belong to the value; done says that
// the value ends with them. An error names a byte that cannot stand where it does.
func (s *scanner) scan(data []byte) (n int, done bool, err error) {
	n, done, err = s.walk(data)
	s.seen += n
	return n, done, err
}

func (s *scanner) walk(data []byte) (n int, done bool, err error) {
	for n < len(data) {
		switch s.in {
		case inString:
			if n += plain(data[n:]); n == len(data) {
				return n, false, nil
			}
			switch data[n] {
			case '"':
				s.in = between
				done = s.endString()
			case '\\':
				s.in = inEscape
			default:
				return n, false, fmt.Errorf("a string is broken off at byte %d of it", s.seen+n)
			}
			n++
		case inEscape:
			s.in = inString
			n++
		case inWord:
			if kinds[data[n]] == partOfWord {
				n++
				continue
			}
			s.in = between
			done = s.endValue() // the byte is not part of it
		default:
			if c := data[n]; kinds[c] != space {
				if done, err = s.token(c); err != nil {
					return n, false, fmt.Errorf("%w at byte %d of it", err, s.seen+n)
				}
			}
			n++
		}
		if done {
			return n, true, nil
		}
	}
	return n, false, nil
}

// whereabouts is where an element ends, as far as its quotes and brackets tell.
type whereabouts int

const (
	nowhere whereabouts = iota // it is not on one line, or no object or array
	here
	later // behind what was looked at, unless it is nowhere
)

// balance finds the end of the object or array that data begins with, by its
// quotes and brackets alone. One that ends nowhere is for a scanner, and whether
// it is JSON for who reads it.
type balance struct {
	n      int // bytes that were gone over
	depth  int
	quoted bool // n is in a string
	lines  bool // it may be on more than one line
}

// walk goes on where it stopped, in data of which there is more now.
func (b *balance) walk(data []byte) whereabouts {
	if b.depth == 0 && (len(data) == 0 || brackets[data[0]] != opening) {
		return nowhere
	}
	for b.n < len(data) {
		if b.quoted {
			b.n += plain(data[b.n:])
			switch {
			case b.n == len(data), data[b.n] == '\\' && b.n+1 == len(data):
				return later
			case data[b.n] < ' ':
				return nowhere
			case data[b.n] == '\\':
				b.n += 2
			default:
				b.n++
				b.quoted = false
			}
			continue
		}
		switch brackets[data[b.n]] {
		case opening:
			b.depth++
		case closing:
			b.depth--
		case quote:
			b.quoted = true
		case control:
			if !b.lines {
				return nowhere
			}
		}
		if b.n++; b.depth == 0 {
			return here
		}
	}
	return later
}

// bracket is what a byte means to balance.
type bracket byte

const (
	plainByte bracket = iota
	opening
	closing
	quote
	control // line ends among them
)

var brackets = func() (brackets [256]bracket) {
	for c := range ' ' {
		brackets[c] = control
	}
	brackets['{'], brackets['['], brackets['}'], brackets[']'], brackets['"'] = opening, opening, closing, closing, quote
	return brackets
}()

// plain counts the bytes before the first quote, backslash or control
// character, eight at a time.
func plain(data []byte) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	n := 0
	for ; n+8 <= len(data); n += 8 {
		word := binary.LittleEndian.Uint64(data[n:])
		quote, escape := word^('"'*ones), word^('\\'*ones)
		// In each, the lowest byte whose high bit is set is the first one sought:
		// what a borrow may set wrongly stands above it.
		found := ((quote-ones)&^quote | (escape-ones)&^escape | (word-' '*ones)&^word) & high
		if found != 0 {
			return n + bits.TrailingZeros64(found)/8
		}
	}
	for n < len(data) && data[n] != '"' && data[n] != '\\' && data[n] >= ' ' {
		n++
	}
	return n
}

// complete reports whether the value is complete if the input ends here.
func (s *scanner) complete() bool { return s.depth == 0 && s.in == inWord }

// token takes one byte outside strings and words.
func (s *scanner) token(c byte) (done bool, err error) {
	value := s.want <= wantFirstValue
	switch c {
	case '"':
		if value || s.want == wantKey || s.want == wantFirstKey {
			s.in, s.isKey = inString, !value
			return false, nil
		}
	case ':':
		if s.want == wantColon {
			s.want = wantValue
			return false, nil
		}
	case ',':
		if s.want == wantNext && s.depth > 0 {
			if s.want = wantValue; s.nest[s.depth-1] == '{' {
				s.want = wantKey
			}
			return false, nil
		}
	case '{', '[':
		if value {
			if s.want = wantFirstKey; c == '[' {
				s.want = wantFirstValue
			}
			return false, s.open(c)
		}
	case '}':
		if s.want == wantFirstKey || s.want == wantNext && s.within('{') {
			s.depth--
			return s.endValue(), nil
		}
	case ']':
		if s.want == wantFirstValue || s.want == wantNext && s.within('[') {
			s.depth--
			return s.endValue(), nil
		}
	default:
		if value {
			s.in = inWord
			return false, nil
		}
	}
	return false, fmt.Errorf("unexpected %q", c)
}

func (s *scanner) open(c byte) error {
	if s.depth == len(s.nest) {
		return fmt.Errorf("nested deeper than %d", len(s.nest))
	}
	s.nest[s.depth] = c
	s.depth++
	return nil
}

func (s *scanner) within(c byte) bool { return s.depth > 0 && s.nest[s.depth-1] == c }

func (s *scanner) endString() (done bool) {
	if s.isKey {
		s.want = wantColon
		return false
	}
	return s.endValue()
}

func (s *scanner) endValue() (done bool) {
	s.want = wantNext
	return s.depth == 0
}

// kind is what a byte may be outside strings.
type kind byte

const (
	partOfWord kind = iota // of a number or word
	space
	mark // a bracket, comma, colon or quote
)

var kinds = func() (kinds [256]kind) {
	for _, c := range " \n\r\t" {
		kinds[c] = space
	}
	for _, c := range `{}[],:"` {
		kinds[c] = mark
	}
	return kinds
}()

func isSpace(c byte) bool { return kinds[c] == space }
