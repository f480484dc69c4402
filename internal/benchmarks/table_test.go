package benchmarks

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/detect"
)

var (
	table  = flag.String("table", "", "measure, and write the table to this file")
	rounds = flag.Int("rounds", 9, "how often each side has its turn")
)

// side is one thing to be measured: it does so many events.
type side struct {
	events int
	do     func()
}

// medians lets the sides take turns and gives for each the median time an event.
func medians(sides ...side) []time.Duration {
	times := make([][]time.Duration, len(sides))
	for round := range *rounds + 1 {
		for i, s := range sides {
			began := time.Now()
			s.do()
			if round > 0 { // the first warms up
				times[i] = append(times[i], time.Since(began)/time.Duration(s.events))
			}
		}
	}
	out := make([]time.Duration, len(sides))
	for i, t := range times {
		slices.Sort(t)
		out[i] = t[len(t)/2]
	}
	return out
}

// looking is the engine over events.
func looking(rules *detect.Rules, events [][]byte) side {
	return side{len(events), func() {
		for _, e := range events {
			if _, err := rules.Look(e); err != nil {
				panic(err)
			}
		}
	}}
}

// looping is encoding/json and expr's VM, one rule after the other.
func looping(rules *detect.Rules, events [][]byte) side {
	return side{len(events), func() {
		for _, e := range events {
			event, err := responder.DecodeEvent(e)
			if err != nil {
				panic(err)
			}
			rules.Evaluate(event)
		}
	}}
}

// archived does what each says with the lines of zipped files, one file a goroutine.
func archived(n int, each func(line []byte), files ...[]byte) side {
	return side{n * len(files), func() {
		var all sync.WaitGroup
		for _, file := range files {
			all.Go(func() {
				zr, err := gzip.NewReader(bytes.NewReader(file))
				if err != nil {
					panic(err)
				}
				if each == nil {
					if _, err := io.Copy(io.Discard, zr); err != nil {
						panic(err)
					}
					return
				}
				lines := bufio.NewScanner(zr)
				lines.Buffer(make([]byte, 64<<10), 1<<20)
				for lines.Scan() {
					each(lines.Bytes())
				}
				if err := lines.Err(); err != nil {
					panic(err)
				}
			})
		}
		all.Wait()
	}}
}

func look(rules *detect.Rules) func([]byte) {
	return func(line []byte) {
		if _, err := rules.Look(line); err != nil {
			panic(err)
		}
	}
}

func loop(rules *detect.Rules) func([]byte) {
	return func(line []byte) {
		event, err := responder.DecodeEvent(line)
		if err != nil {
			panic(err)
		}
		rules.Evaluate(event)
	}
}

// TestTable writes what is measured as a table in Markdown.
func TestTable(t *testing.T) {
	if *table == "" {
		t.Skip("-table FILE measures and writes the table")
	}
	all, from := events(t)
	few := all[:len(all)/10]
	var out strings.Builder
	row := func(what, target, measured string, absolutes ...time.Duration) {
		var each []string
		for _, a := range absolutes {
			each = append(each, fmt.Sprintf("%.2f µs", float64(a.Nanoseconds())/1e3))
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %s |\n", what, target, measured, strings.Join(each, " · "))
	}
	ratio := func(a, b time.Duration) string { return fmt.Sprintf("%.2f ×", float64(a)/float64(b)) }
	fmt.Fprintf(&out, "%d events (%s), %.0f bytes each; %s, %d cores, %s; medians of %d rounds.\n\n| what | target | measured | an event |\n| --- | --- | --- | --- |\n",
		len(all), from, mean(all), runtime.Version(), runtime.GOMAXPROCS(0), runtime.GOARCH, *rounds)

	var none []side
	for _, n := range []int{10, 100, 1_000, 10_000} {
		none = append(none, looking(rulesOf(t, equalities(n)), all))
	}
	m := medians(none...)
	row("from 10 to 10,000 rules, none matching", "≤ 1.2 ×", ratio(m[3], m[0]), m...)
	m = medians(looking(rulesOf(t, seeing(10)), few), looking(rulesOf(t, seeing(10_000)), few))
	row("from 10 to 10,000 rules, three matches an event", "≤ 3 ×", ratio(m[1], m[0]), m...)

	thousand := rulesOf(t, equalities(1_000))
	likely := rulesOf(t, realistic(1_000))
	m = medians(looking(thousand, all), looking(likely, all))
	row("1,000 rules of realistic shapes against 1,000 equalities", "≤ 2 ×", ratio(m[1], m[0]), m...)
	judged, asked := share(t, likely, all)
	row("… of (rule, event) candidates, on the VM", "≤ 5 %", fmt.Sprintf("%.1f %% of %d", 100*float64(asked)/float64(max(1, judged)), judged))
	for _, n := range []int{1_000, 10_000} {
		target := map[int]string{1_000: "≥ 200 ×", 10_000: "≥ 3,000 ×"}[n]
		for _, set := range []struct{ what, text string }{
			{"two conditions a rule, that of most rules", calls(n)}, {"realistic shapes", realistic(n)}, {"one equality a rule, the least that a VM can be asked", equalities(n)},
		} {
			rules := rulesOf(t, set.text)
			m = medians(looking(rules, all), looping(rules, few[:30_000/n]))
			row(fmt.Sprintf("against encoding/json and the VM loop, %d rules: %s", n, set.what), target, ratio(m[1], m[0]), m...)
		}
	}

	const times = 4
	file := zipped(t, all, times)
	n := times * len(all)
	m = medians(archived(n, nil, file), archived(n, look(thousand), file), archived(n, look(likely), file), archived(n, look(thousand), file, file))
	row("gz → findings, 1,000 rules, one core, of gunzip alone", "≥ 45 %", fmt.Sprintf("%.0f %%", 100*float64(m[0])/float64(m[1])), m[0], m[1])
	row("… 1,000 realistic rules", "", fmt.Sprintf("%.0f %%", 100*float64(m[0])/float64(m[2])), m[0], m[2])
	row("… two cores against one", "≥ 1.7 ×", ratio(m[1], m[3]), m[1], m[3])
	rules := rulesOf(t, sigma(t))
	small := zipped(t, all, 1)
	m = medians(archived(len(all), look(rules), small), archived(len(all), loop(rules), small))
	row("57 Sigma rules from gz, against encoding/json and the VM", "≥ 8 ×", ratio(m[1], m[0]), m...)
	row("allocations an event without match or fallback", "0", fmt.Sprintf("%.0f", allocations(thousand, all)))
	for _, n := range []int{1_000, 10_000} {
		target := map[int]string{1_000: "≤ 50 ms", 10_000: "≤ 600 ms"}[n]
		resting, working := loading(t, realistic(n))
		row(fmt.Sprintf("cold start: loading %d realistic rules, the collector resting as in a function", n), target, resting.Round(time.Millisecond).String())
		row("… the collector at work", "", working.Round(time.Millisecond).String())
	}
	if err := os.WriteFile(*table, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// loading is how long a set takes to load: in a function, whose garbage collector
// rests meanwhile as long as there is memory, and in any other program.
func loading(t *testing.T, text string) (resting, working time.Duration) {
	load := func(percent int) (took time.Duration) {
		percent, limit := debug.SetGCPercent(percent), debug.SetMemoryLimit(256<<20) // half of what template.yaml gives it
		runtime.GC()
		began := time.Now()
		rulesOf(t, text)
		took = time.Since(began)
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(percent)
		return took
	}
	var times [2][]time.Duration
	for range *rounds {
		for i, percent := range []int{-1, 100} {
			times[i] = append(times[i], load(percent))
		}
	}
	for _, t := range times {
		slices.Sort(t)
	}
	return times[0][*rounds/2], times[1][*rounds/2]
}

func mean(events [][]byte) float64 {
	n := 0
	for _, e := range events {
		n += len(e)
	}
	return float64(n) / float64(len(events))
}

// share counts the candidates that the engine judges, and how many of them it
// leaves to the VM.
func share(t *testing.T, rules *detect.Rules, events [][]byte) (judged, asked int) {
	for _, e := range events {
		c, a := rules.Judged(e)
		judged, asked = judged+c, asked+a
	}
	return judged, asked
}

// allocations counts those of events in which nothing is found.
func allocations(rules *detect.Rules, events [][]byte) float64 {
	var quiet [][]byte
	for _, e := range events {
		if sight, err := rules.Look(e); err == nil && len(sight.Findings)+len(sight.Errors) == 0 {
			quiet = append(quiet, e)
		}
	}
	return testing.AllocsPerRun(3, func() {
		for _, e := range quiet {
			rules.Look(e)
		}
	}) / float64(len(quiet))
}

// TestSets: the engine finds in real events what the VM finds, with the sets
// that are measured.
func TestSets(t *testing.T) {
	all, _ := events(t)
	sets := map[string]*detect.Rules{"realistic": rulesOf(t, realistic(250)), "sigma": rulesOf(t, sigma(t)), "seeing": rulesOf(t, seeing(10))}
	for name, rules := range sets {
		found := 0
		for i, e := range all {
			if i%7 > 0 {
				continue
			}
			event, err := responder.DecodeEvent(e)
			if err != nil {
				t.Fatal(err)
			}
			sight, err := rules.Look(e)
			if err != nil {
				t.Fatal(err)
			}
			findings, failed := rules.Evaluate(event)
			if fmt.Sprint(sight.Findings, sight.Errors) != fmt.Sprint(findings, failed) {
				t.Fatalf("%s: Look finds %v, %v; Evaluate %v, %v\n%s", name, sight.Findings, sight.Errors, findings, failed, e)
			}
			found += len(findings)
		}
		if found == 0 && name != "realistic" {
			t.Errorf("%s: nothing is found", name)
		}
	}
}
