package main

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/skycrafters/responder/detect"
	"github.com/skycrafters/responder/internal/archive"
)

// thousandText is rules none of which sees anything in an event of AWS.
func thousandText() string {
	var text strings.Builder
	text.WriteString("rules:\n")
	for i := range 1000 {
		fmt.Fprintf(&text, "  Equal%d: action == \"service%d:Call%d\" && ok\n", i, i%40, i)
	}
	return text.String()
}

func thousand(t testing.TB) *detect.Rules {
	t.Helper()
	rules, problems := detect.Load(fstest.MapFS{"rules.yml": {Data: []byte(thousandText())}}, "rules.yml", nil)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return rules
}

// endless is a part of a stream again and again, and then its end, without being
// held as a whole.
func endless(begin, part string, times int, end string) io.Reader {
	readers := []io.Reader{strings.NewReader(begin)}
	for range times {
		readers = append(readers, strings.NewReader(part))
	}
	return io.MultiReader(append(readers, strings.NewReader(end))...)
}

// zip is a member of a gzip file.
func zip(t testing.TB, plain io.Reader) string {
	t.Helper()
	var b strings.Builder
	zw := gzip.NewWriter(&b)
	if _, err := io.Copy(zw, plain); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// grown is how much memory was asked of the system while something was done.
func grown(do func()) uint64 {
	defer debug.SetGCPercent(debug.SetGCPercent(100)) // whatever pipelines that serve have left
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.Sys - before.Sys
}

// Replaying takes as much memory for a long file as for a short one, plain and
// zipped: a few blocks of it. (What is zipped in parts is one stream.)
func TestReplayMemory(t *testing.T) {
	var part strings.Builder
	for i := range 1000 {
		part.WriteString("," + record(i, i%100 == 0))
	}
	times := 96 << 20 / part.Len()
	plain := []string{`{"Records":[` + record(0, false), part.String(), "]}"}
	var zipped []string
	for _, text := range plain {
		zipped = append(zipped, zip(t, strings.NewReader(text)))
	}
	rules := thousand(t)
	for name, parts := range map[string][]string{"plain": plain, "zipped": zipped} {
		t.Run(name, func(t *testing.T) {
			in := endless(parts[0], parts[1], times, parts[2])
			r, n := &replay{rules: rules}, 0
			took := grown(func() {
				err := (&assembly{
					files: archive.Files([]string{archive.Stdin}, in, archive.Window{}), ahead: 1, skim: r.skim, judge: r.judge,
					take: func(p *portion) error { n += p.records; return nil },
				}).run(context.Background())
				if err != nil {
					t.Fatal(err)
				}
			})
			if n != 1000*times+1 {
				t.Errorf("%d records of %d", n, 1000*times+1)
			}
			if took > 40<<20 {
				t.Errorf("took %d MiB of memory for 96 MiB of records", took>>20)
			}
		})
	}
}

// A record that is too long, one that is nested ten thousand deep, a gzip bomb and
// a file that is cut off are named, with file and record, and the rest goes on, in
// bounded memory.
func TestReplayBadInput(t *testing.T) {
	c := newCLI(t)
	c.write("rules.yml", "rules:\n  Created: action == \"iam:CreateUser\"\n")
	in := filepath.Join(c.dir, "in")
	good := func(i int) string { return record(i, true) + "\n" }
	if err := os.Mkdir(in, 0o700); err != nil {
		t.Fatal(err)
	}
	deep := strings.Repeat(`{"a":[`, 5000) + strings.Repeat("]}", 5000)
	for name, data := range map[string]string{
		"a.jsonl":   good(1) + `{"x":"` + strings.Repeat("x", 11<<20) + "\"}\n" + good(2) + `{"requestParameters":` + deep + "}\n" + good(3),
		"b.json.gz": zip(t, endless(`{"Records":[`+record(4, true)+`,{"x":"`, strings.Repeat("x", 1<<20), 32, `"},`+record(8, true)+`]}`)),
		"c.json.gz": zip(t, strings.NewReader(`{"Records":[`+record(5, true)+","+record(6, true)+"]}"))[:300],
		"d.json":    good(7),
	} {
		if err := os.WriteFile(filepath.Join(in, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out, errs string
	took := grown(func() { out, errs = c.run(exitInput, "replay", in, "--format", "json") })
	if took > 150<<20 {
		t.Errorf("took %d MiB of memory", took>>20)
	}
	for _, want := range []string{
		"a.jsonl#2 (line 2): longer than 10485760 bytes",
		"a.jsonl#4 (line 4): JSON is nested deeper than 100",
		"b.json.gz#2 (line 1): longer than 10485760 bytes",
		"c.json.gz#1 (line 1, byte 12): ",
	} {
		if !strings.Contains(errs, want) {
			t.Errorf("nobody says %q:\n%s", want, errs)
		}
	}
	for _, i := range []int{1, 2, 3, 4, 7, 8} {
		if id := fmt.Sprintf("/e-%d\"", i); !strings.Contains(out, id) && !strings.Contains(out, fmt.Sprintf(`"event_id":"e-%d"`, i)) {
			t.Errorf("nothing is found in record %d:\n%s", i, out)
		}
	}
}
