//go:build unix

package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	klauspost "github.com/klauspost/compress/gzip"

	"github.com/skycrafters/responder/detect"
	"github.com/skycrafters/responder/internal/archive"
)

// recorded is a file of real CloudTrail records that may lie beside the checkout.
const recorded = "../../../shared/data/cloudtrail/invictus.jsonl.gz"

// trail is a CloudTrail file, {"Records": […]}, of so many records: real ones
// again and again, or where there are none made-up ones.
func trail(b testing.TB, records int) []byte {
	b.Helper()
	var each [][]byte
	if _, err := os.Stat(recorded); err == nil {
		for r, err := range archive.Records(b.Context(), []string{recorded}, nil) {
			if err != nil {
				b.Fatal(err)
			}
			each = append(each, r.Raw)
		}
	} else {
		b.Logf("made-up records: the real ones are not here: %v", err)
		for i := range 1000 {
			each = append(each, []byte(record(i, false)))
		}
	}
	var file bytes.Buffer
	file.WriteString(`{"Records":[`)
	for i := range records {
		if i > 0 {
			file.WriteByte(',')
		}
		file.Write(each[i%len(each)])
	}
	file.WriteString("]}")
	return file.Bytes()
}

// replayed replays files with so many processors, and counts the records.
func replayed(b testing.TB, rules *detect.Rules, processors int, paths ...string) int {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
	r := &replay{rules: rules}
	n := 0
	err := (&assembly{
		files: archive.Files(paths, strings.NewReader(""), archive.Window{}), ahead: readAhead(paths), skim: r.skim, judge: r.judge,
		take: func(p *portion) error { n += p.records; return nil },
	}).run(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// BenchmarkReplay holds replaying a .gz of real records with 1,000 rules to
// unzipping it alone, by the same library, side by side: with one processor by
// the processor's time that both take; then two files with two processors against
// the same with one, by the clock.
func BenchmarkReplay(b *testing.B) {
	const records = 29_000
	plain := trail(b, records)
	file := filepath.Join(b.TempDir(), "trail.json.gz")
	var zipped bytes.Buffer
	zw := gzip.NewWriter(&zipped)
	if _, err := zw.Write(plain); err != nil {
		b.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(file, zipped.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	rules := thousand(b)
	var unzipping, one, oneClock, two []time.Duration
	for b.Loop() {
		spent := spentByProcess(b)
		unzip(b, file)
		unzipping = append(unzipping, spentByProcess(b)-spent)

		began := time.Now()
		spent = spentByProcess(b)
		if n := replayed(b, rules, 1, file, file); n != 2*records {
			b.Fatalf("%d records of %d", n, 2*records)
		}
		one, oneClock = append(one, spentByProcess(b)-spent), append(oneClock, time.Since(began))

		began = time.Now()
		replayed(b, rules, 2, file, file)
		two = append(two, time.Since(began))
	}
	b.ReportMetric(200*middle(unzipping)/middle(one), "%-of-gunzip")
	b.ReportMetric(middle(oneClock)/middle(two), "x-with-two")
	b.ReportMetric(2*records/middle(one)*1e9, "events/s/core")
	b.ReportMetric(middle(unzipping)/records, "gunzip-ns/event")
}

// BenchmarkReplaySmall is replaying files of a hundred records, as CloudTrail
// writes them, where each has to be opened and begun.
func BenchmarkReplaySmall(b *testing.B) {
	const records, files = 100, 100
	file := filepath.Join(b.TempDir(), "trail.json.gz")
	if err := os.WriteFile(file, []byte(zip(b, bytes.NewReader(trail(b, records)))), 0o600); err != nil {
		b.Fatal(err)
	}
	rules, paths := thousand(b), slices.Repeat([]string{file}, files)
	var each []time.Duration
	for b.Loop() {
		spent := spentByProcess(b)
		if n := replayed(b, rules, runtime.GOMAXPROCS(0), paths...); n != files*records {
			b.Fatalf("%d records of %d", n, files*records)
		}
		each = append(each, spentByProcess(b)-spent)
	}
	b.ReportMetric(middle(each)/files/records, "cpu-ns/event")
}

// BenchmarkReplayOne is replaying one large file that is not zipped: with one
// processor, and with two.
func BenchmarkReplayOne(b *testing.B) {
	const records = 100_000
	file := filepath.Join(b.TempDir(), "trail.json")
	if err := os.WriteFile(file, trail(b, records), 0o600); err != nil {
		b.Fatal(err)
	}
	rules := thousand(b)
	var clock [2][]time.Duration
	for b.Loop() {
		for i := range clock {
			began := time.Now()
			if n := replayed(b, rules, i+1, file); n != records {
				b.Fatalf("%d records of %d", n, records)
			}
			clock[i] = append(clock[i], time.Since(began))
		}
	}
	one, two := middle(clock[0]), middle(clock[1])
	b.ReportMetric(records/one*1e9, "events/s/core")
	b.ReportMetric(one/two, "x-with-two")
}

// middle is the median, in nanoseconds.
func middle(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)/2])
}

// unzip does what is done before anything is looked at.
func unzip(b *testing.B, path string) {
	file, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	zr, err := klauspost.NewReader(file)
	if err == nil {
		_, err = io.Copy(io.Discard, zr)
	}
	if err != nil {
		b.Fatal(err)
	}
}
