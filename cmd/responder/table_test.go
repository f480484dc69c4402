//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	table     = flag.String("table", "", "measure, and write rows to the end of this file's table")
	gigabytes = flag.Float64("gigabytes", 10, "of records that are replayed to see what memory that takes")
)

// TestTable measures the pipeline in one process, and replay, and writes what
// comes of it as rows of a table in Markdown.
func TestTable(t *testing.T) {
	if *table == "" {
		t.Skip("-table FILE measures and writes the table")
	}
	out, err := os.OpenFile(*table, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	row := func(what, target, measured, absolutes string) {
		if _, err := fmt.Fprintf(out, "| %s | %s | %s | %s |\n", what, target, measured, absolutes); err != nil {
			t.Fatal(err)
		}
	}
	times := func(n int, f func(*testing.B)) map[string]float64 {
		if err := flag.Set("test.benchtime", strconv.Itoa(n)+"x"); err != nil {
			t.Fatal(err)
		}
		return testing.Benchmark(f).Extra
	}
	for _, every := range []int{100, 10, 1} {
		m := times(5, func(b *testing.B) { benchmarkEmbedded(b, every) })
		row(fmt.Sprintf("embedded: HTTP in → durable → detected → run stored, bodies of 100, fsync; one match in %d", every), "",
			fmt.Sprintf("%.0f events/s", m["events/s"]), fmt.Sprintf("%.0f µs of processor", m["cpu-µs/event"]))
	}
	m := times(500, BenchmarkFirstNotice)
	row("embedded, idle: event in → first notice out, 500 events, p99", "< 50 ms", fmt.Sprintf("%.0f ms", m["p99-ms"]), fmt.Sprintf("p50 %.1f ms", m["p50-ms"]))
	m = times(9, BenchmarkReplay)
	row("`replay` of .gz, 1,000 rules, one core, of gunzip alone", "≥ 45 %", fmt.Sprintf("%.0f %%", m["%-of-gunzip"]), fmt.Sprintf("gunzip %.2f µs, %.0f events/s", m["gunzip-ns/event"]/1e3, m["events/s/core"]))
	row("… two files on two cores against one", "≥ 1.7 ×", fmt.Sprintf("%.2f ×", m["x-with-two"]), "")
	for _, zipped := range []bool{false, true} {
		how := map[bool]string{false: "plain", true: "zipped"}[zipped]
		peak, records, took := replayPeak(t, zipped)
		row(fmt.Sprintf("memory of `replay`, %g GB from a pipe, %s", *gigabytes, how), "< 200 MB", fmt.Sprintf("%d MB", peak/1000), fmt.Sprintf("%d records in %v", records, took.Round(time.Second)))
	}
}

// replayPeak replays gigabytes of records from a pipe in a process of its own, and
// gives the most memory that it was seen to have resident, in kB as Linux tells it
// (VmHWM; 0 elsewhere).
func replayPeak(t *testing.T, zipped bool) (peak, records int, took time.Duration) {
	c := newCLI(t)
	c.write("rules.yml", thousandText())
	first, part := trail(t, 1), trail(t, 5800)
	head, more, tail := string(first[:len(first)-2]), ","+string(part[len(`{"Records":[`):len(part)-2]), "]}"
	times := int(*gigabytes * 1e9 / float64(len(more)))
	if zipped { // in parts, which are one stream
		head, more, tail = zip(t, strings.NewReader(head)), zip(t, strings.NewReader(more)), zip(t, strings.NewReader(tail))
	}
	cmd := exec.Command(os.Args[0], c.args([]string{"replay", "-", "--summary", "--format", "json"})...)
	cmd.Env = append(os.Environ(), asResponder+"=1")
	cmd.Stdin = endless(head, more, times, tail)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for look := time.NewTicker(50 * time.Millisecond); ; {
		select {
		case err := <-ended:
			look.Stop()
			var report replayReport
			if err == nil {
				err = json.Unmarshal(out.Bytes(), &report)
			}
			if err != nil || report.Events != 1+5800*times {
				t.Fatalf("%d events of %d: %v", report.Events, 1+5800*times, err)
			}
			return peak, report.Events, time.Since(began)
		case <-look.C:
			if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid)); err == nil {
				if _, line, ok := strings.Cut(string(status), "VmHWM:"); ok {
					kB, _ := strconv.Atoi(strings.Fields(line)[0])
					peak = max(peak, kB)
				}
			}
		}
	}
}
