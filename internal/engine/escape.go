package engine

import (
	"unicode/utf16"
	"unicode/utf8"
)

// escapeLength is the length of the escape that b begins with, 0 if it is none
// of JSON's.
func escapeLength(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(b[2:]); ok {
			return 6
		}
	}
	return 0
}

func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// plain is the text in raw[i:j] with its escapes undone.
func (s *scan) plain(i, j int, escaped bool) string {
	if !escaped {
		return between(s.raw, i, j)
	}
	room := s.room(j - i)
	from := len(room)
	s.undone = undo(room, s.raw[i:j])
	return between(s.undone, from, len(s.undone))
}

// room is undone with room for n more bytes. What was undone before stays where
// it is.
func (s *scan) room(n int) []byte {
	if cap(s.undone)-len(s.undone) < n {
		s.undone = make([]byte, 0, max(n, 2*cap(s.undone), 1024))
	}
	return s.undone
}

// undo appends a text with its escapes undone: half a pair of surrogates is
// U+FFFD, as in encoding/json. It is never longer than the escaped text.
func undo(out, text []byte) []byte {
	for i := 0; i < len(text); {
		if text[i] != '\\' {
			out = append(out, text[i])
			i++
			continue
		}
		c := text[i+1]
		i += 2
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r, _ := hex4(text[i:])
			i += 4
			if utf16.IsSurrogate(r) {
				low := rune(-1)
				if i+6 <= len(text) && text[i] == '\\' && text[i+1] == 'u' {
					low, _ = hex4(text[i+2:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			out = utf8.AppendRune(out, r)
			continue
		}
		out = append(out, c)
	}
	return out
}
