package elements

import (
	"fmt"

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
	defer func() { s.seen += n }()
	for n < len(data) {
		c := data[n]
		switch s.in {
		case inString:
			for c != '"' && c != '\\' && c >= ' ' {
				if n++; n == len(data) {
					return n, false, nil
				}
				c = data[n]
			}
			switch c {
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
			if !endsWord(c) {
				n++
				continue
			}
			s.in = between
			done = s.endValue() // c is not part of it
		default:
			if !isSpace(c) {
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

// complete reports whether the value is complete if the input ends here.
func (s *scanner) complete() bool { return s.depth == 0 && s.in == inWord }

// token takes one byte outside strings and words.
func (s *scanner) token(c byte) (done bool, err error) {
	value := s.want == wantValue || s.want == wantFirstValue
	switch {
	case c == '{' && value:
		s.want = wantFirstKey
		return false, s.open(c)
	case c == '[' && value:
		s.want = wantFirstValue
		return false, s.open(c)
	case c == '"' && (value || s.want == wantKey || s.want == wantFirstKey):
		s.in, s.isKey = inString, !value
	case c == ':' && s.want == wantColon:
		s.want = wantValue
	case c == ',' && s.want == wantNext && s.within('{'):
		s.want = wantKey
	case c == ',' && s.want == wantNext:
		s.want = wantValue
	case c == '}' && (s.want == wantFirstKey || s.want == wantNext && s.within('{')),
		c == ']' && (s.want == wantFirstValue || s.want == wantNext && s.within('[')):
		s.depth--
		return s.endValue(), nil
	case value && !endsWord(c):
		s.in = inWord
	default:
		return false, fmt.Errorf("unexpected %q", c)
	}
	return false, nil
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

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// endsWord reports whether c cannot be part of a number or word.
func endsWord(c byte) bool {
	switch c {
	case '{', '}', '[', ']', ',', ':', '"':
		return true
	}
	return isSpace(c)
}
