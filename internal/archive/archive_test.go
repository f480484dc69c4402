package archive

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// list writes down what an iteration gives, with paths relative to root.
func list(t testing.TB, root string, records iter.Seq2[Record, error]) []string {
	t.Helper()
	var got []string
	for r, err := range records {
		var d *Damage
		switch {
		case errors.As(err, &d):
			got = append(got, "! "+strings.ReplaceAll(filepath.ToSlash(d.Error()), filepath.ToSlash(root)+"/", ""))
		case err != nil:
			t.Fatalf("not a *Damage: %v", err)
		default:
			file := r.File
			if rel, err := filepath.Rel(root, r.File); err == nil && file != Stdin {
				file = filepath.ToSlash(rel)
			}
			got = append(got, fmt.Sprintf("%s %d:%d %s", file, r.Index, r.Line, r.Raw))
		}
	}
	return got
}

func zip(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	if _, err := io.WriteString(zw, text); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func write(t testing.TB, root string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestRead(t *testing.T) {
	lines := "{\"a\":1}\n{\"a\":\n{\"a\":3}\n"
	zipped := zip(t, lines)
	badSum := []byte(zipped)
	badSum[len(badSum)-8] ^= 0xff
	tests := []struct {
		name, in string
		want     []string
	}{
		{"empty", "", nil},
		{"one byte", "{", []string{"! f#1 (line 1): the input ends in the middle of it"}},
		{"one event", `{"a":1}`, []string{`f 0:1 {"a":1}`}},
		{"CloudTrail file", "{\"Records\":[{\"a\":1},\n{\"a\":2}]}", []string{`f 0:1 {"a":1}`, `f 1:2 {"a":2}`}},
		{"array", "[{},{}]", []string{"f 0:1 {}", "f 1:1 {}"}},
		{"a damaged line costs that line", lines, []string{
			`f 0:1 {"a":1}`, "! f#2 (line 2): the input ends in the middle of it", `f 2:3 {"a":3}`}},
		{"damage in an array costs the rest", `{"Records":[{},{"a":},{}]}`, []string{
			"f 0:1 {}", "! f#2 (line 1, byte 15): unexpected '}' at byte 5 of it; the rest of the file is lost: fetch it anew, or mend it there"}},
		{"gzip", zipped, []string{
			`f 0:1 {"a":1}`, "! f#2 (line 2): the input ends in the middle of it", `f 2:3 {"a":3}`}},
		{"gzip, two members", zip(t, "{}\n") + zip(t, "{}\n"), []string{"f 0:1 {}", "f 1:2 {}"}},
		{"gzip, empty", zip(t, ""), nil},
		{"gzip, cut off", zip(t, "{}\n")[:12], []string{"! f#1 (line 1): the input ends in the middle of it", "! f#2 (line 1, byte 1): unexpected EOF; the rest of the file is lost: fetch it anew, or mend it there"}},
		{"gzip, cut off in its head", zipped[:5], []string{"! f: gunzip: unexpected EOF"}},
		{"gzip, damaged", string(badSum), []string{
			`f 0:1 {"a":1}`, "! f#2 (line 2): the input ends in the middle of it", `f 2:3 {"a":3}`,
			"! f#4 (line 4, byte 22): gzip: invalid checksum; the rest of the file is lost: fetch it anew, or mend it there"}},
		{"gzip, rubbish behind", zip(t, "{}\n") + "rubbish, ten bytes", []string{
			"f 0:1 {}", "! f#2 (line 2, byte 3): gzip: invalid header; the rest of the file is lost: fetch it anew, or mend it there"}},
		{"binary", "\x00\x01\x02", []string{"! f#1 (line 1): expected a JSON object or array"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			same(t, list(t, "/nowhere", Read(t.Context(), "f", strings.NewReader(tt.in))), tt.want)
			same(t, list(t, "/nowhere", Read(t.Context(), "f", iotest.OneByteReader(strings.NewReader(tt.in)))), tt.want)
		})
	}
}

// TestDamage: it is told how many lines are passed over.
func TestDamage(t *testing.T) {
	const in = "{}\nx\ny\n\nz\n\n{}\n!\n"
	same(t, list(t, "/nowhere", Read(t.Context(), "f", strings.NewReader(in))), []string{
		"f 0:1 {}", "! f#2 (lines 2 to 5): expected a JSON object or array", "f 2:7 {}", "! f#4 (line 8): expected a JSON object or array"})
	for want, d := range map[int]Damage{0: {Index: -1}, 1: {Line: 7}, 3: {Line: 7, Last: 9}} {
		if got := d.Lines(); got != want {
			t.Errorf("%+v: %d lines, want %d", d, got, want)
		}
	}
	if lost := (&Damage{Line: 7, Last: 9, Lost: true}); lost.Lines() != 0 {
		t.Errorf("of what is lost nobody knows how many lines it has, but not %d", lost.Lines())
	}
}

func TestReadStopsWhenTold(t *testing.T) {
	for range Read(t.Context(), "f", strings.NewReader("{}{}x")) {
		break
	}
	for range Records(t.Context(), []string{"missing", "missing too", Stdin}, strings.NewReader("{}{}")) {
		break
	}
}

// A gzip bomb of 64 MiB, one element without end, is damage that costs little memory.
func TestReadBomb(t *testing.T) {
	var b bytes.Buffer
	zw, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(zw, `{"Records":[{"a":"`); err != nil {
		t.Fatal(err)
	}
	chunk := bytes.Repeat([]byte{'x'}, 1<<20)
	for range 64 {
		if _, err := zw.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	same(t, list(t, "/nowhere", Read(t.Context(), "f", &b)), []string{
		fmt.Sprintf("! f#1 (line 1, byte 12): longer than %d bytes: too large; the rest of the file is lost: fetch it anew, or mend it there", MaxElementBytes)})
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 6*MaxElementBytes {
		t.Errorf("allocated %d MiB for elements of at most %d MiB", took>>20, MaxElementBytes>>20)
	}
}

func TestRecords(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{
		"b.json":                             `{"f":"b"}`,
		"a/2.jsonl":                          "{\"f\":\"a2\"}\n{\"f\":\"a2\"}\n",
		"a/1.json.gz":                        zip(t, `{"Records":[{"f":"a1"}]}`),
		"a/deep/er/x.NDJSON":                 `{"f":"x"}`,
		"a/notes.md":                         "not read",
		"a/.hidden.json":                     "not read",
		"a/_lambda/sqs.json":                 "not read",
		".git/x.json":                        "not read",
		"c/CloudTrail-Digest/2024/d.json.gz": "not read",
		"c/CloudTrail/2024/t.json.gz":        zip(t, `{"Records":[]}`),
		"empty/readme.txt":                   "",
		"events":                             `{"f":"no extension"}`,
		"odd[1].json":                        `{"f":"odd"}`,
	})
	at := func(names ...string) []string {
		for i, name := range names {
			names[i] = filepath.Join(root, filepath.FromSlash(name))
		}
		return names
	}
	a := []string{`a/1.json.gz 0:1 {"f":"a1"}`, `a/2.jsonl 0:1 {"f":"a2"}`, `a/2.jsonl 1:2 {"f":"a2"}`, `a/deep/er/x.NDJSON 0:1 {"f":"x"}`}
	tests := []struct {
		name  string
		paths []string
		want  []string
	}{
		{"nothing", nil, nil},
		{"folder", at("a"), a},
		{"folder of folders", at("."), slices.Concat(a, []string{`b.json 0:1 {"f":"b"}`, `odd[1].json 0:1 {"f":"odd"}`})},
		{"folder without events", at("empty"), nil},
		{"file of any name", at("events"), []string{`events 0:1 {"f":"no extension"}`}},
		{"hidden file when named", at("a/.hidden.json"), []string{"! a/.hidden.json#1 (line 1): expected a JSON object or array"}},
		{"in the order given, twice if named twice", at("b.json", "events", "b.json"), []string{
			`b.json 0:1 {"f":"b"}`, `events 0:1 {"f":"no extension"}`, `b.json 0:1 {"f":"b"}`}},
		{"pattern of files", at("a/*.json*"), []string{`a/1.json.gz 0:1 {"f":"a1"}`, `a/2.jsonl 0:1 {"f":"a2"}`, `a/2.jsonl 1:2 {"f":"a2"}`}},
		{"pattern of folders", at("[a]"), a},
		{"a name that looks like a pattern", at("odd[1].json"), []string{`odd[1].json 0:1 {"f":"odd"}`}},
		{"missing, and on", at("missing.json", "b.json"), []string{
			"! missing.json: no such file or directory", `b.json 0:1 {"f":"b"}`}},
		{"pattern of nothing", at("*.yaml"), []string{"! *.yaml: file does not exist"}},
		{"bad pattern", at("[a"), []string{"! [a: syntax error in pattern"}},
		{"standard input", []string{Stdin}, []string{`- 0:1 {"in":1}`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			same(t, list(t, root, Records(t.Context(), tt.paths, strings.NewReader(`{"in":1}`))), tt.want)
		})
	}
}

func TestRecordsMissingIsNotExist(t *testing.T) {
	for _, path := range []string{"missing.json", "missing/*.json"} {
		for _, err := range Records(t.Context(), []string{filepath.Join(t.TempDir(), path)}, nil) {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v is not fs.ErrNotExist", path, err)
			}
		}
	}
}

// TestFilesOfATrail: a copy of a trail's bucket is read as the bucket would be.
func TestFilesOfATrail(t *testing.T) {
	root := t.TempDir()
	files := map[string]string{}
	for _, account := range []string{"444455556666", "o-abc1234567/111122223333"} {
		for _, day := range []string{"CloudTrail/eu-west-1/2026/11/02", "CloudTrail/eu-west-1/2026/11/03", "CloudTrail/eu-west-1/2026/11/05", "CloudTrail/eu-west-1/2026/11/06", "Config/eu-west-1/2026/11/03", "CloudTrail-Digest/eu-west-1/2026/11/03", "CloudTrail-Insight/eu-west-1/2026/11/03"} {
			files["AWSLogs/"+account+"/"+day+"/e.json"] = "{}"
		}
	}
	files["AWSLogs/odd/e.json"], files["2026/11/01/e.json"] = "{}", "{}"
	write(t, root, files)
	window := Window{Since: time.Date(2026, 11, 3, 15, 0, 0, 0, time.UTC), Until: time.Date(2026, 11, 4, 1, 0, 0, 0, time.UTC)}
	t.Chdir(root)
	for _, tt := range []struct {
		path   string
		window Window
		want   string
	}{
		{".", window, "2026/11/01 AWSLogs/444455556666/CloudTrail/eu-west-1/2026/11/03 AWSLogs/444455556666/CloudTrail/eu-west-1/2026/11/05 AWSLogs/o-abc1234567/111122223333/CloudTrail/eu-west-1/2026/11/03 AWSLogs/o-abc1234567/111122223333/CloudTrail/eu-west-1/2026/11/05 AWSLogs/odd"},
		{"AWSLogs/444455556666", Window{Until: window.Until}, "AWSLogs/444455556666/CloudTrail/eu-west-1/2026/11/02 AWSLogs/444455556666/CloudTrail/eu-west-1/2026/11/03 AWSLogs/444455556666/CloudTrail/eu-west-1/2026/11/05"},
		{"AWSLogs/444455556666/CloudTrail", Window{Since: window.Until.AddDate(1, 0, 0)}, ""},
		{"AWSLogs/444455556666/Config/", Window{}, "AWSLogs/444455556666/Config/eu-west-1/2026/11/03"}, // somebody asked for it
		{"AWSLogs/444455556666/Conf*", Window{}, "AWSLogs/444455556666/Config/eu-west-1/2026/11/03"},
	} {
		var got []string
		for file, err := range Files([]string{tt.path}, nil, tt.window) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, filepath.ToSlash(filepath.Dir(file.Name)))
		}
		if text := strings.Join(got, " "); text != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.path, text, tt.want)
		}
	}
}

func TestFilesLinks(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{"real/e.json": "{}", "dir/own.json": "{}"})
	link := func(old, new string) {
		if err := os.Symlink(old, filepath.Join(root, filepath.FromSlash(new))); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	link("..", "dir/loop")
	link("..", "dir/loop.json")
	link(filepath.Join(root, "real", "e.json"), "dir/link.json")
	link("nowhere", "dir/broken.json")
	link(filepath.Join(root, "dir"), "linked")
	same(t, list(t, root, Records(t.Context(), []string{filepath.Join(root, "linked")}, nil)), []string{
		"! linked/broken.json: no such file or directory", "linked/link.json 0:1 {}", "linked/own.json 0:1 {}"})
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{"", "{}", "{\"a\":1}\n{\"a\":\n{}", `{"Records":[{},{`, "\x1f\x8b", "\x1f\x8b\x08", zip(f, "{}\n[{}]"), zip(f, "{\"a\":")[:15]} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		sameElements(t, data)
		last := -1
		lost := false
		for r, err := range Read(t.Context(), "f", bytes.NewReader(data)) {
			if lost {
				t.Fatal("something comes behind the loss of the rest")
			}
			index := r.Index
			var d *Damage
			if errors.As(err, &d) {
				index, lost = d.Index, d.Lost
			}
			if index >= 0 && index != last+1 {
				t.Fatalf("record %d comes behind record %d", index, last)
			}
			last = index
		}
	})
}
