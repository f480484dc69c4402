package ingest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"slices"
	"unicode/utf8"
)

// survey is what one pass over JSON shows of it.
type survey struct {
	depth   int  // of its nesting
	spaced  bool // there is white space between tokens
	unusual bool // responder.DecodeEvent has to judge it: texts beyond ASCII, a number that perhaps no float64 holds
}

// always is how many digits a float64 holds, whatever they are.
const always = 300

// surveyed looks at valid JSON: about 1 ns a byte.
func surveyed(raw []byte) (s survey) {
	depth, number := 0, 0 // number: digits of the one that i is in
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '"':
			end := skipText(raw, i)
			s.unusual = s.unusual || beyondASCII(raw[i:end])
			i = end - 1
		case c == '{' || c == '[':
			depth++
			s.depth = max(s.depth, depth)
		case c == '}' || c == ']':
			depth--
		case isSpace(c):
			s.spaced = true
		case c >= '0' && c <= '9':
			number++
			s.unusual = s.unusual || number > always
			continue
		case c == 'e' || c == 'E':
			s.unusual = s.unusual || number > 0
		}
		number = 0
	}
	return s
}

// beyondASCII looks at eight bytes at once.
func beyondASCII(text []byte) bool {
	const highs = 0x8080808080808080
	for ; len(text) >= 8; text = text[8:] {
		if binary.LittleEndian.Uint64(text)&highs != 0 {
			return true
		}
	}
	return slices.ContainsFunc(text, func(c byte) bool { return c >= utf8.RuneSelf })
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// members gives each member of an object, which must be valid JSON without white
// space between tokens. Of a key that comes twice, the last counts.
func members(object []byte, yield func(key, value []byte)) {
	for i := 1; i < len(object) && object[i] == '"'; i++ { // behind { or ,
		colon := skipText(object, i)
		end := skipValue(object, colon+1)
		yield(plain(object[i:colon]), object[colon+1:end])
		i = end
	}
}

// skipText gives where the text that begins at i ends.
func skipText(raw []byte, i int) int {
	for i++; ; {
		i += bytes.IndexByte(raw[i:], '"') + 1
		escapes := 0
		for raw[i-2-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i
		}
	}
}

// skipValue gives where the value that begins at i ends.
func skipValue(raw []byte, i int) int {
	for depth := 0; ; i++ {
		switch raw[i] {
		case '"':
			i = skipText(raw, i) - 1
		case '{', '[':
			depth++
		case '}', ']', ',':
			if raw[i] != ',' {
				depth--
			}
			if depth < 0 || raw[i] == ',' && depth == 0 {
				return i
			}
		}
	}
}

// plain is the text that a JSON text says.
func plain(text []byte) []byte {
	if bytes.IndexByte(text, '\\') < 0 {
		return text[1 : len(text)-1]
	}
	var said string
	if json.Unmarshal(text, &said) != nil { // valid JSON: never
		return nil
	}
	return []byte(said)
}

// unquoted is the text that a JSON value is; "" if it is none.
func unquoted(value []byte) string {
	if value[0] != '"' {
		return ""
	}
	return string(plain(value))
}
