package elements

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/skycrafters/responder"
)

// read lists what a stream gives: "index:line raw" and "! damage", "(lost)" at the end if so.
func read(t testing.TB, src io.Reader, max int) []string {
	t.Helper()
	return readBy(t, NewReader(src, max), (*Reader).Next)
}

func readBy(t testing.TB, r *Reader, next func(*Reader) (Element, error)) []string {
	t.Helper()
	var got []string
	for {
		e, err := next(r)
		var d *Damage
		switch {
		case err == io.EOF:
			if _, again := next(r); again != io.EOF {
				t.Errorf("Next after io.EOF: %v", again)
			}
			return got
		case errors.As(err, &d) && d.Lost:
			got = append(got, fmt.Sprintf("! %v (lost)", err))
		case errors.As(err, &d):
			got = append(got, fmt.Sprintf("! %v", err))
		case err != nil:
			t.Fatalf("neither io.EOF nor damage: %v", err)
		default:
			got = append(got, fmt.Sprintf("%d:%d %s", e.Index, e.Line, e.Raw))
		}
	}
}

func TestReader(t *testing.T) {
	tests := []struct {
		name, in string
		want     []string
	}{
		{"empty", "", nil},
		{"white space", " \n\t\r\n", nil},
		{"one", `{"a":1}`, []string{`0:1 {"a":1}`}},
		{"one over lines", "\n{\n \"a\": [1,\n2]\n}\n", []string{"0:2 {\n \"a\": [1,\n2]\n}"}},
		{"byte order mark", "\xef\xbb\xbf{}", []string{"0:1 {}"}},
		{"lines", "{\"a\":1}\n\n{\"a\":2}\r\n{\"a\":3}", []string{`0:1 {"a":1}`, `1:3 {"a":2}`, `2:4 {"a":3}`}},
		{"one behind the other", `{"a":1}{"a":2} {}`, []string{`0:1 {"a":1}`, `1:1 {"a":2}`, "2:1 {}"}},
		{"array", "[{\"a\":1},\n{\"a\":2}]", []string{`0:1 {"a":1}`, `1:2 {"a":2}`}},
		{"empty array", "[ ]", nil},
		{"array of anything", `[1, "a]", [2,[3]], null, -1.5e3]`, []string{"0:1 1", `1:1 "a]"`, "2:1 [2,[3]]", "3:1 null", "4:1 -1.5e3"}},
		{"arrays on lines", "[{}]\n[{},{}]", []string{"0:1 {}", "1:2 {}", "2:2 {}"}},
		{"CloudTrail file", `{"Records":[{"a":1},{"a":2}]}`, []string{`0:1 {"a":1}`, `1:1 {"a":2}`}},
		{"CloudTrail file, spaced", "{\n \"Records\" : [\n {} ,\n {} ] }\n", []string{"0:3 {}", "1:4 {}"}},
		{"CloudTrail files", "{\"Records\":[{}]}\n{\"Records\":[]}\n{\"Records\":[{}]}", []string{"0:1 {}", "1:3 {}"}},
		{"Records is no list", `{"Records":{"a":[]}}`, []string{`0:1 {"Records":{"a":[]}}`}},
		{"Records is not first", `{"a":1,"Records":[{}]}`, []string{`0:1 {"a":1,"Records":[{}]}`}},
		{"records in lower case", `{"records":[{}]}`, []string{`0:1 {"records":[{}]}`}},
		{"quotes and brackets in strings", `{"a\"}":"\\","b":"]}"}{}`, []string{`0:1 {"a\"}":"\\","b":"]}"}`, "1:1 {}"}},

		{"Records beside others", `{"Records":[{}],"source":1}`, []string{"0:1 {}", `! element 1 (line 1): something stands beside "Records" (lost)`}},
		{"Records twice", `{"Records":[{}],"Records":[{}]}`, []string{"0:1 {}", `! element 1 (line 1): something stands beside "Records" (lost)`}},
		{"CloudTrail file cut off", `{"Records":[{},`, []string{"0:1 {}", "! element 1 (line 1): the input ends inside the array (lost)"}},
		{"CloudTrail file without its end", "{\"Records\":[{}]\n", []string{"0:1 {}", "! element 1 (line 2): the input ends inside the array (lost)"}},
		{"CloudTrail file cut off in a record", `{"Records":[{},{"a":`, []string{"0:1 {}", "! element 1 (line 1): the input ends in the middle of it (lost)"}},
		{"array without comma", `[{} {}]`, []string{"0:1 {}", "! element 1 (line 1): expected , or ] behind an element, found '{' (lost)"}},
		{"array with trailing comma", `[{},]`, []string{"0:1 {}", "! element 1 (line 1): unexpected ']' at byte 0 of it (lost)"}},
		{"array with nothing between commas", `[{},,{}]`, []string{"0:1 {}", "! element 1 (line 1): unexpected ',' at byte 0 of it (lost)"}},
		{"array with a mismatch", "[{},\n{]]", []string{"0:1 {}", "! element 1 (line 2): unexpected ']' at byte 1 of it (lost)"}},
		{"array with a bad word goes on", `[{"a":tru},{}]`, []string{"! element 0 (line 1): invalid character '}' in literal true (expecting 'e')", "1:1 {}"}},
		{"text", "hello\nworld\n", []string{"! element 0 (line 1): expected a JSON object or array"}},
		{"string", `"hello"`, []string{"! element 0 (line 1): expected a JSON object or array"}},
		{"closing bracket", `}`, []string{"! element 0 (line 1): expected a JSON object or array"}},
		{"line cut off", "{\"a\":1}\n{\"a\":\n{\"a\":3}\n", []string{
			`0:1 {"a":1}`, "! element 1 (line 2): the input ends in the middle of it", `2:3 {"a":3}`}},
		{"line cut off in a string", "{\"a\":\"x\n{\"a\":2}", []string{
			"! element 0 (line 1): a string is broken off at byte 7 of it", `1:2 {"a":2}`}},
		{"line cut off behind a value", "{\"a\":1\n{\"a\":2}", []string{
			"! element 0 (line 1): unexpected '{' at byte 7 of it", `1:2 {"a":2}`}},
		{"line with too much", "{\"a\":1}}\n{\"a\":2}", []string{
			`0:1 {"a":1}`, "! element 1 (line 1): expected a JSON object or array", `2:2 {"a":2}`}},
		{"line with a bad number", "{\"a\":01}\n{}", []string{
			"! element 0 (line 1): invalid character '1' after object key:value pair", "1:2 {}"}},
		{"comma between lines", "{},\n{}", []string{"0:1 {}", "! element 1 (line 1): expected a JSON object or array", "2:2 {}"}},
		{"pretty-printed and cut off: one damage", "{\n \"a\": {\n  \"b\": 1\n", []string{"! element 0 (line 1): the input ends in the middle of it"}},
		{"key without quotes", "{a:1}\n{}", []string{"! element 0 (line 1): unexpected 'a' at byte 1 of it", "1:2 {}"}},
		{"missing colon", `{"a" 1}`, []string{"! element 0 (line 1): unexpected '1' at byte 5 of it"}},
		{"key only", `{"a"}`, []string{"! element 0 (line 1): unexpected '}' at byte 4 of it"}},
		{"trailing comma", `{"a":1,}`, []string{"! element 0 (line 1): unexpected '}' at byte 7 of it"}},
		{"too long", "{\"a\":\"" + strings.Repeat("x", 100) + "\"}\n{}", []string{
			"! element 0 (line 1): longer than 64 bytes: too large", "1:2 {}"}},
		{"too long in an array", "[{\"a\":\"" + strings.Repeat("x", 100) + "\"},{}]", []string{
			"! element 0 (line 1): longer than 64 bytes: too large", "1:1 {}"}},
		{"too long in a CloudTrail file, over lines", "{\"Records\":[{},\n{\"a\":[\n\"" + strings.Repeat(`\"]}`, 100) + "\"]\n},\n{\"b\":1}]}{}", []string{
			"0:1 {}", "! element 1 (line 2): longer than 64 bytes: too large", `2:5 {"b":1}`, "3:5 {}"}},
		{"too long and nested deep, behind its beginning", `[{"a":"` + strings.Repeat("x", 100) + `","b":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + "},{}]", []string{
			"! element 0 (line 1): longer than 64 bytes: too large", "1:1 {}"}},
		{"too long and broken off", `[{"a":"` + strings.Repeat("x", 100) + "\n\"},{}]", []string{
			"! element 0 (line 1): longer than 64 bytes: too large (lost)"}},
		{"too long and cut off", `[{},{"a":"` + strings.Repeat("x", 100) + `\`, []string{
			"0:1 {}", "! element 1 (line 1): longer than 64 bytes: too large (lost)"}},
		{"a text too long in an array", `["` + strings.Repeat("x", 100) + `",{}]`, []string{
			"! element 0 (line 1): longer than 64 bytes: too large (lost)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := read(t, strings.NewReader(tt.in), 64); !slices.Equal(got, tt.want) {
				t.Errorf("got\n %s\nwant\n %s", strings.Join(got, "\n "), strings.Join(tt.want, "\n "))
			}
			if got := read(t, iotest.OneByteReader(strings.NewReader(tt.in)), 64); !slices.Equal(got, tt.want) {
				t.Errorf("byte by byte: got\n %s\nwant\n %s", strings.Join(got, "\n "), strings.Join(tt.want, "\n "))
			}
		})
	}
}

// TestDamagePlaces: damage says where it begins, and how many lines go with it.
func TestDamagePlaces(t *testing.T) {
	for in, want := range map[string]string{
		"{}\n{]\n{}":                   "lines 2 to 2, byte 3",
		"{}\n\n x\ny\n\n\tz\n  \n\n{}": "lines 3 to 6, byte 5", // blank lines behind are no loss
		"{}\nx\ny\nz":                  "lines 2 to 4, byte 3",
		"{}\n{\"a\":\n{}":              "lines 2 to 2, byte 3",
		"{}\n{\"a\":\n tru}\n{}":       "lines 2 to 3, byte 3",
		`{"Records":[{},{"a":]}`:       "lines 1 to 1, byte 15",
		"[{},\n{\"a\":1 2},{}]":        "lines 2 to 2, byte 5",
		"[{},\n{}\n{}]":                "lines 3 to 3, byte 8",
		"[{\"a\":[\n" + strings.Repeat("1,\n", 40) + "1]},{}]": "lines 1 to 42, byte 1",
		"[{},\n[tru,\n1], {}]":                                 "lines 2 to 3, byte 5",
	} {
		for _, src := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in))} {
			var got []string
			for r := NewReader(src, 64); ; {
				_, err := r.Next()
				if d := (*Damage)(nil); errors.As(err, &d) {
					got = append(got, fmt.Sprintf("lines %d to %d, byte %d", d.Line, d.Last, d.Byte))
				} else if err != nil {
					break
				}
			}
			if len(got) != 1 || got[0] != want {
				t.Errorf("%q: %q, want %s", in, got, want)
			}
		}
	}
}

func TestReaderNesting(t *testing.T) {
	nested := func(n int) string {
		return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n)
	}
	ok, deep := nested(responder.MaxNesting), nested(responder.MaxNesting+1)
	got := read(t, strings.NewReader(ok+"\n"+deep+"\n"+ok), 1<<20)
	if len(got) != 3 || got[0] != "0:1 "+ok || !strings.Contains(got[1], "nested deeper than 100") || got[2] != "2:3 "+ok {
		t.Errorf("got %q", got)
	}
	if got := read(t, strings.NewReader(strings.Repeat("[", 10000)), 1<<20); len(got) != 1 || !strings.Contains(got[0], "nested deeper than 100") {
		t.Errorf("10,000 levels: got %q", got)
	}
}

func TestReaderReadError(t *testing.T) {
	broken := errors.New("disk on fire")
	for in, want := range map[string][]string{
		"":                    {"! element 0 (line 1): disk on fire (lost)"},
		"{}\n":                {"0:1 {}", "! element 1 (line 2): disk on fire (lost)"},
		"{}\n{\"a\":":         {"0:1 {}", "! element 1 (line 2): the input ends in the middle of it", "! element 2 (line 2): disk on fire (lost)"},
		"{\"a\":\n{}":         {"! element 0 (line 1): the input ends in the middle of it", "1:2 {}", "! element 2 (line 2): disk on fire (lost)"},
		`{"Records":[{}`:      {"0:1 {}", "! element 1 (line 1): disk on fire (lost)"},
		`{"Records":[{},{"a"`: {"0:1 {}", "! element 1 (line 1): disk on fire (lost)"},
		"x\n":                 {"! element 0 (line 1): expected a JSON object or array", "! element 1 (line 2): disk on fire (lost)"},
	} {
		src := io.MultiReader(strings.NewReader(in), iotest.ErrReader(broken))
		if got := read(t, src, 64); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	r := NewReader(iotest.ErrReader(broken), 64)
	if _, err := r.Next(); !errors.Is(err, broken) {
		t.Errorf("the cause is not wrapped: %v", err)
	}
}

// endless gives the same line for ever, or n bytes of it.
type endless struct {
	line string
	n    int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.n <= 0 {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) && e.n > 0 {
		c := copy(p[n:], e.line)
		n, e.n = n+c, e.n-c
		if c < len(e.line) {
			e.line = e.line[c:] + e.line[:c]
		}
	}
	return n, nil
}

// Whatever the length of a stream, what is held stays near the largest element.
func TestReaderHoldsLittle(t *testing.T) {
	const max = 16 << 10
	for name, line := range map[string]string{
		"lines":         "{\"a\":\"bcdefgh\"}\n",
		"white space":   "      \n",
		"one line":      "x",
		"brackets":      "[",
		"objects":       "{\"a\":\n",
		"open objects":  "{\n",
		"array in line": "{\"a\":[1,\n",
		"strings":       "{\"aaaaaaaaaaaaaaaaaa",
	} {
		t.Run(name, func(t *testing.T) {
			r := NewReader(&endless{line, 512 << 10}, max)
			for {
				if _, err := r.Next(); err == io.EOF {
					break
				}
			}
			if cap(r.buf) > 8*max {
				t.Errorf("held %d bytes for elements of at most %d", cap(r.buf), max)
			}
		})
	}
}

// TestScanInPieces: what is damaged, and what is lost by it, does not depend on
// how much of a file is read at a time.
func TestScanInPieces(t *testing.T) {
	const file = `{"Records":[{"a":"x","b":[1,{"c":"\"}"}]},{"a":2},{"d":{"e":"yy"},"f":null},{"g":[]}]}` + "\n" + `{"h":1}` + "\n"
	for i := range len(file) {
		for bit := range 8 {
			data := []byte(file)
			data[i] ^= 1 << bit
			whole := readBy(t, NewReader(bytes.NewReader(data), 40), (*Reader).Scan)
			if pieces := readBy(t, NewReader(iotest.OneByteReader(bytes.NewReader(data)), 40), (*Reader).Scan); !slices.Equal(whole, pieces) {
				t.Errorf("%q byte by byte:\n%q, in one piece:\n%q", data, pieces, whole)
			}
		}
	}
}

// pieces gives one at each Read, and wants not to be asked beyond the last.
type pieces struct {
	t    *testing.T
	rest []string
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		p.t.Error("it waits for more than the element")
		return 0, io.EOF
	}
	n := copy(b, p.rest[0])
	p.rest = p.rest[1:]
	return n, nil
}

// TestScanWaitsForNoMore: an element that comes in pieces is given with the last of
// them, though the sender may be silent then.
func TestScanWaitsForNoMore(t *testing.T) {
	r := NewReader(&pieces{t, []string{`{"a":"x`, `\`, `"y","b"`, ":[1]}"}}, 1<<10)
	if e, err := r.Scan(); err != nil || string(e.Raw) != `{"a":"x\"y","b":[1]}` {
		t.Errorf("gave %s, %v", e.Raw, err)
	}
}

func FuzzReader(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "[]", `{"Records":[]}`, `{"Records":[{"a":1},{"b":[1,"x"]}]}`, "{\"a\":1}\n{\"b\":2}\n", "{}{}", "\xef\xbb\xbf[{}]",
		"{\"a\":\n{\"b\":1}\n", `{"Records":[{}],"x":1}`, `[1,true,null,"]"]`, `{"a":"\u00e9\"\\"}`, "[[[[", "{\"a\":\"\n{}", "}{", "[,]", "{\"a\":-}",
		"{\"a\":1,\"a\":12345678901234567890}", "\xff\xfe", "{\"a\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		const max = 1 << 10
		whole := read(t, bytes.NewReader(data), max)
		if pieces := read(t, iotest.OneByteReader(bytes.NewReader(data)), max); !slices.Equal(whole, pieces) {
			t.Fatalf("byte by byte it reads %q, in one piece %q", pieces, whole)
		}
		whole = readBy(t, NewReader(bytes.NewReader(data), max), (*Reader).Scan)
		if pieces := readBy(t, NewReader(iotest.OneByteReader(bytes.NewReader(data)), max), (*Reader).Scan); !slices.Equal(whole, pieces) {
			t.Fatalf("byte by byte it scans %q, in one piece %q", pieces, whole)
		}
		var got []json.RawMessage
		damaged := false
		for r := NewReader(bytes.NewReader(data), max); ; {
			e, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				damaged = true
				continue
			}
			if !json.Valid(e.Raw) {
				t.Fatalf("invalid element %q", e.Raw)
			}
			got = append(got, e.Raw)
		}
		trimmed := bytes.Trim(data, " \t\r\n")
		if len(trimmed) > max || responder.CheckNesting(trimmed) != nil || !json.Valid(trimmed) {
			return
		}
		switch trimmed[0] {
		case '[':
			var want []json.RawMessage
			if err := json.Unmarshal(trimmed, &want); err != nil {
				t.Fatal(err)
			}
			if damaged || !slices.EqualFunc(got, want, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
				t.Fatalf("%q: got %q (damaged: %v), want %q", trimmed, got, damaged, want)
			}
		case '{':
			var keys map[string]json.RawMessage
			if err := json.Unmarshal(trimmed, &keys); err != nil {
				t.Fatal(err)
			}
			if keys["Records"] == nil && (damaged || len(got) != 1 || !bytes.Equal(got[0], trimmed)) {
				t.Fatalf("%q: got %q (damaged: %v)", trimmed, got, damaged)
			}
		}
	})
}
