package engine

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// What ends a value that has no others in it. Each function takes where it begins
// and gives where it ends, -1 if it is not valid.

func (s *scan) word(i int, word string) int {
	end := i + len(word)
	if end > len(s.raw) || string(s.raw[i:end]) != word {
		return -1
	}
	return end
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// marked has the highest bit of each byte set that a text does not simply go on
// with: what is less than ' ', or a quote, which ^2 makes a ' ' while what is less
// stays less; a backslash; and by one or the other, what is beyond ASCII. The lowest
// byte that is marked is truly one of them: only bytes above it can have been lent
// of; see "Hacker's Delight", 6-1.
func marked(eight uint64) uint64 {
	return ((eight ^ ones*2 - ones*(' '+1)) | (eight ^ ones*'\\' - ones)) & highs
}

// text is what follows a ": it ends behind the closing one. Eight bytes are
// looked at at once.
func (s *scan) text(i int) (end int, escaped bool) {
	b := s.raw
	for {
		for i+16 <= len(b) {
			here := b[i : i+16 : i+16] // so that its length and room are known
			first, second := marked(binary.LittleEndian.Uint64(here)), marked(binary.LittleEndian.Uint64(here[8:]))
			if first|second != 0 {
				n := 64 + bits.TrailingZeros64(second)
				if first != 0 {
					n = bits.TrailingZeros64(first)
				}
				i += n / 8
				break
			}
			i += 16
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
func (s *scan) number(from int) int {
	i := from
	if s.raw[i] == '-' {
		i++
	}
	whole := i
	if i = s.digits(i); i == whole || s.raw[whole] == '0' && i > whole+1 {
		return -1
	}
	if i < len(s.raw) && s.raw[i] == '.' {
		point := i
		if i = s.digits(i + 1); i == point+1 {
			return -1
		}
	}
	exponent := i < len(s.raw) && (s.raw[i] == 'e' || s.raw[i] == 'E')
	if exponent {
		if i++; i < len(s.raw) && (s.raw[i] == '+' || s.raw[i] == '-') {
			i++
		}
		power := i
		if i = s.digits(i); i == power {
			return -1
		}
	}
	const always = 300 // digits that a float64 holds, whatever they are
	if exponent || i-from >= always {
		if _, err := strconv.ParseFloat(between(s.raw, from, i), 64); err != nil {
			return -1
		}
	}
	return i
}

// digits is where digits end.
func (s *scan) digits(i int) int {
	for i < len(s.raw) && s.raw[i]-'0' <= 9 {
		i++
	}
	return i
}
