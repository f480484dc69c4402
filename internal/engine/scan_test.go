package engine

import (
	"encoding/binary"
	"math/bits"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/skycrafters/responder"
)

// everywhere is a trie of all paths of two fields or indexes, and of some of three.
func everywhere() (*trie, [][]step) {
	var steps []step
	for _, name := range append([]string{"detail", "requestParameters"}, fields...) {
		steps = append(steps, key(name))
	}
	steps = append(steps, step{index: 0}, step{index: 2})
	t, paths := newTrie(), [][]step{nil}
	for from := 0; from < len(paths) && len(paths[from]) < 3; from++ {
		next := steps
		if len(paths[from]) == 2 {
			next = []step{key("a"), {index: 0}}
		}
		for _, s := range next {
			paths = append(paths, append(paths[from][:len(paths[from]):len(paths[from])], s))
		}
	}
	for _, p := range paths {
		t.add(p)
	}
	return t, paths
}

// follow gives what is at a path of a decoded event.
func follow(v any, path []step) any {
	for _, s := range path {
		switch from := v.(type) {
		case map[string]any:
			if v = nil; s.index < 0 {
				v = from[s.key]
			}
		case []any:
			if v = nil; s.index >= 0 && s.index < len(from) && s.key == "" {
				v = from[s.index]
			}
		default:
			return nil
		}
	}
	return v
}

// scanner compares scans with encoding/json.
type scanner struct {
	scan  *scan
	paths [][]step
	slots []int32
}

func newScanner() *scanner {
	t, paths := everywhere()
	s := &scanner{paths: paths}
	for _, p := range paths {
		s.slots = append(s.slots, t.add(p))
	}
	t.done()
	s.scan = newScan(t)
	return s
}

func (s *scanner) check(t testing.TB, raw string) {
	t.Helper()
	ok := s.scan.event([]byte(raw))
	event, err := responder.DecodeEvent([]byte(raw))
	if ok != (err == nil) {
		t.Fatalf("the scan says %v, DecodeEvent %v\n%q", ok, err, raw)
	}
	if err != nil {
		return
	}
	for i, path := range s.paths {
		got, ok := s.scan.get(s.slots[i]).any()
		if want := follow(any(event.Body), path); !ok || !reflect.DeepEqual(got, want) {
			t.Fatalf("at %v the scan has %#v, encoding/json %#v\n%q", path, got, want, raw)
		}
	}
}

// odd is JSON that is read wrongly easily.
var oddities = []string{
	`{}`, ` { } `, "\t{\"a\"\n:\r1}", `{"a":1,"a":2}`, `{"a":{"b":1},"a":{"list":2}}`, `{"a":{"b":1},"a":null}`, `{"a":{"b":1},"a":[{"b":2}]}`, `{"a":[1,2,3],"a":[4]}`, `{"\u0061":1}`, `{"a":1,"\u0061":{"b":2}}`, `{"A":1}`, `{"K":1,"k":2,"\u212a":3}`, `{"s":1,"ſ":2}`,
	`{"a":"\ud800"}`, `{"a":"\ud800\u0041"}`, `{"a":"\ud83d\ude00"}`, `{"a":"\ud83d\ud83d\ude00"}`, `{"a":"\udc00"}`, `{"\ud800":1,"\ufffd":2}`, `{"a":"\ud800\n"}`, `{"a":"\"\\\/\b\f\n\r\t\u0000"}`, `{"a":"\x"}`, `{"a":"\u12"}`, `{"a":"\u12g4"}`, `{"a":"\`, `{"a":"\"`,
	"{\"a\":\"\xff\"}", "{\"\xff\":1}", "{\"a\":\"\xed\xa0\x80\"}", "{\"a\":\"\ufffe\"}", `{"a":"\uffff"}`, "{\"a\":\"\x01\"}", "{\"a\":\"\x7f\"}", "{\"a\":\"\u2028\"}", "\ufeff{}",
	`{"a":1e400}`, `{"b":[{"x":1e400}]}`, `{"zzz":1e400}`, `{"zzz":-1e400}`, `{"zzz":1e-400}`, `{"zzz":` + strings.Repeat("9", 400) + `}`, `{"a":` + strings.Repeat("9", 308) + `}`, `{"zzz":0.` + strings.Repeat("0", 400) + `1}`,
	`{"a":01}`, `{"a":-}`, `{"a":-0}`, `{"a":1.}`, `{"a":.1}`, `{"a":1e}`, `{"a":1e+}`, `{"a":1E+2}`, `{"a":+1}`, `{"a":0x1}`, `{"a":1_000}`, `{"a":NaN}`, `{"a":9007199254740993}`, `{"a":true1}`, `{"a":nul}`, `{"a":TRUE}`, `{"a":t`,
	`{"a"}`, `{"a":}`, `{a:1}`, `{'a':1}`, `{"a":1,}`, `{,}`, `{"a":1 "b":2}`, `{"a":[1,]}`, `{"a":[,1]}`, `{"a":[1 2]}`, `{"a":[}`, `{"a":1}}`, `{"a":1} x`, `{"a":1}{}`, `[]`, `[{}]`, `"a"`, ``, ` `, `{`, `{"a":1`, `{"a":"`, `{"a":[1`, `null`,
	`{"a":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + `}`, `{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, `{"a":` + strings.Repeat(`{"a":`, 98) + `1` + strings.Repeat("}", 98) + `}`, strings.Repeat(`{"a":`, 10_000), `{"a":"` + strings.Repeat("[", 200) + `"}`,
	`{"a":[` + strings.Repeat(`{},`, 150) + `1]}`, `{"a":[` + strings.Repeat(`[],`, 150) + `1]}`, `{"a":[` + strings.Repeat(`[{"a":1}],`, 150) + `1]}`,
	`{"long_name_of_field":1,"long_name_of_Field":2,"long_name_2_of_field":3,"long_name_x_of_field":4}`, `{"a":{"a":{"a":1},"b":{"a":2}},"b":3}`, `{"list":[{"a":1},{"a":2},{"a":3}]}`, `{"":{"a":1}}`, `{"a\u0000":1,"a":2}`,
	`{"a":"1234567"}`, `{"a":"12345678"}`, `{"a":"123456789012345\\"}`, `{"a":"` + strings.Repeat("x", 63) + "é" + `"}`,
}

func TestScan(t *testing.T) {
	s := newScanner()
	for _, raw := range oddities {
		s.check(t, raw)
	}
	s.check(t, `{"a":"`+strings.Repeat("x", responder.MaxEventBytes-8)+`"}`)
	s.check(t, `{"a":"`+strings.Repeat("x", responder.MaxEventBytes-7)+`"}`)
	for seed := range uint64(1500) {
		g := newGenerator(seed)
		raw := g.event()
		s.check(t, raw)
		for range 3 { // and damaged
			bytes := []byte(raw)
			if len(bytes) > 0 {
				bytes[g.IntN(len(bytes))] = `{}[]",:\u 01e.-n`[g.IntN(16)]
			}
			s.check(t, string(bytes))
		}
	}
}

// FuzzScan: the scan takes what responder.DecodeEvent takes, and keeps what that
// gives.
func FuzzScan(f *testing.F) {
	for _, raw := range oddities {
		f.Add(raw)
	}
	for seed := range uint64(10) {
		f.Add(newGenerator(seed).event())
	}
	s := newScanner()
	f.Fuzz(func(t *testing.T, raw string) { s.check(t, raw) })
}

// TestScanAgain: what one event has left behind is not the next one's.
func TestScanAgain(t *testing.T) {
	s := newScanner()
	s.check(t, `{"a":{"b":1},"list":["\u0061"],"k":true}`)
	s.check(t, `{"a":1}`)
	s.scan.round = 1<<32 - 2 // rounds are counted in 32 bits
	for range 4 {
		s.check(t, `{"a":{"b":1},"list":[1]}`)
		s.check(t, `{}`)
	}
}

// BenchmarkScan is one pass over an event, of which a few paths are kept.
func BenchmarkScan(b *testing.B) {
	raw := []byte(newGenerator(3).event())
	t := newTrie()
	t.add([]step{key("detail"), key("eventName")})
	t.done()
	s := newScan(t)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		s.event(raw)
	}
}

// TestMarked: each byte at each place among bytes that a text goes on with.
func TestMarked(t *testing.T) {
	for at := range 8 {
		for c := range 256 {
			text := []byte("a~ []!#z")
			text[at] = byte(c)
			lowest := bits.TrailingZeros64(marked(binary.LittleEndian.Uint64(text))) / 8
			if plain := c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\'; plain != (lowest == 8) || !plain && lowest != at {
				t.Errorf("%#x at %d: marked at %d", c, at, lowest)
			}
		}
	}
}
