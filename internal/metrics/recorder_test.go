package metrics_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycrafters/responder/internal/metrics"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 5_000_000, time.UTC)

func atNoon() time.Time { return noon }

// recorded is what a recorder writes of what it is told.
func recorded(t *testing.T, tell func(*metrics.Recorder)) string {
	t.Helper()
	var out bytes.Buffer
	r := metrics.New(&out, "responder", atNoon)
	tell(r)
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestFlush(t *testing.T) {
	got := recorded(t, func(r *metrics.Recorder) {
		r.Count(metrics.Events, "", 0)
		r.Count(metrics.Events, "", 3)
		r.Count(metrics.RuleErrors, "", 0)
		r.Count(metrics.Findings, "RootLogin", 1)
		r.Count(metrics.Findings, "RootLogin", 1)
		r.Count(metrics.RuleErrors, "RootLogin", 1)
		r.Count(metrics.Findings, `Od"d`, 1)
		r.Time(metrics.QueueLag, "events", 1500*time.Microsecond)
		r.Time(metrics.QueueLag, "events", -time.Second)
		r.Count(metrics.DeadLetters, "events", 1)
		r.Count(metrics.Runs, "created", 2)
	})
	const at = `"Timestamp":1772366400005}`
	want := `{"Events":3,"RuleErrors":0,"Stack":"responder","_aws":{"CloudWatchMetrics":[{"Namespace":"Responder","Dimensions":[["Stack"]],"Metrics":[{"Name":"Events","Unit":"Count"},{"Name":"RuleErrors","Unit":"Count"}]}],` + at + `}
{"DeadLetters":1,"Queue":"events","QueueLag":[1.5,0],"Stack":"responder","_aws":{"CloudWatchMetrics":[{"Namespace":"Responder","Dimensions":[["Stack","Queue"]],"Metrics":[{"Name":"DeadLetters","Unit":"Count"},{"Name":"QueueLag","Unit":"Milliseconds"}]}],` + at + `}
{"Findings":1,"Rule":"Od\"d","Stack":"responder","_aws":{"CloudWatchMetrics":[{"Namespace":"Responder","Dimensions":[["Stack"],["Stack","Rule"]],"Metrics":[{"Name":"Findings","Unit":"Count"}]}],` + at + `}
{"Findings":2,"Rule":"RootLogin","RuleErrors":1,"Stack":"responder","_aws":{"CloudWatchMetrics":[{"Namespace":"Responder","Dimensions":[["Stack"],["Stack","Rule"]],"Metrics":[{"Name":"Findings","Unit":"Count"},{"Name":"RuleErrors","Unit":"Count"}]}],` + at + `}
{"Runs":2,"Stack":"responder","State":"created","_aws":{"CloudWatchMetrics":[{"Namespace":"Responder","Dimensions":[["Stack","State"]],"Metrics":[{"Name":"Runs","Unit":"Count"}]}],` + at + `}
`
	if got != want {
		t.Errorf("writes\n%swant\n%s", got, want)
	}
}

// TestManyTimes: a line holds a hundred values; none is lost, none told twice.
func TestManyTimes(t *testing.T) {
	for n, want := range map[int][]int{1: {1}, 100: {100}, 101: {100, 1}, 350: {100, 100, 100, 50}} {
		out := recorded(t, func(r *metrics.Recorder) {
			r.Count(metrics.DeadLetters, "findings", 7)
			for i := range n {
				r.Time(metrics.QueueLag, "findings", time.Duration(i)*time.Millisecond)
			}
		})
		var lengths []int
		var values []float64
		dead := 0
		for text := range strings.Lines(out) {
			var line struct {
				QueueLag    []float64
				DeadLetters int
			}
			if err := json.Unmarshal([]byte(text), &line); err != nil {
				t.Fatal(err)
			}
			if declared := strings.Count(text, `{"Name"`); declared != strings.Count(text, `"QueueLag":[`)+strings.Count(text, `"DeadLetters":7`) {
				t.Errorf("%d metrics are declared in %s", declared, text)
			}
			lengths, values, dead = append(lengths, len(line.QueueLag)), append(values, line.QueueLag...), dead+line.DeadLetters
		}
		if !slices.Equal(lengths, want) || len(values) != n || !slices.IsSorted(values) || values[n-1] != float64(n-1) || dead != 7 {
			t.Errorf("%d values come in lines of %v, want %v; %d dead letters", n, lengths, want, dead)
		}
	}
}

func TestFlushForgets(t *testing.T) {
	var out bytes.Buffer
	r := metrics.New(&out, "responder", atNoon)
	if err := r.Flush(); err != nil || out.Len() != 0 {
		t.Errorf("nothing recorded gives %q, %v", out.String(), err)
	}
	r.Count(metrics.Events, "", 1)
	r.Time(metrics.StepLatency, "SendSlack", time.Second)
	for i := range 2 {
		if err := r.Flush(); err != nil || strings.Count(out.String(), "\n") != 2 {
			t.Errorf("after flush %d there is %q, %v; want two lines", i, out.String(), err)
		}
	}
}

// flaky is a stdout that fails so many times.
type flaky struct {
	fails int
	bytes.Buffer
}

func (f *flaky) Write(p []byte) (int, error) {
	if f.fails--; f.fails >= 0 {
		return 0, io.ErrClosedPipe
	}
	return f.Buffer.Write(p)
}

// What cannot be written is lost, and no more than that.
func TestFlushFails(t *testing.T) {
	out := &flaky{fails: 1}
	r := metrics.New(out, "responder", atNoon)
	r.Count(metrics.Events, "", 5)
	if err := r.Flush(); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Flush gives %v", err)
	}
	r.Count(metrics.Events, "", 1)
	if err := r.Flush(); err != nil || !strings.HasPrefix(out.String(), `{"Events":1,`) || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("the next Flush gives %q, %v", out.String(), err)
	}
}

func TestConcurrently(t *testing.T) {
	var out bytes.Buffer
	r := metrics.New(&out, "responder", atNoon)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 100 {
				r.Count(metrics.Findings, fmt.Sprint("R", n%3), 1)
				r.Time(metrics.StepLatency, "SendSlack", time.Duration(i))
			}
		})
	}
	all.Wait()
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	findings, times := 0, 0
	for text := range strings.Lines(out.String()) {
		var line struct {
			Findings    int
			StepLatency []float64
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		findings, times = findings+line.Findings, times+len(line.StepLatency)
	}
	if findings != 800 || times != 800 {
		t.Errorf("%d findings and %d times are told, want 800 of each", findings, times)
	}
}

func TestMetrics(t *testing.T) {
	seen := map[metrics.Metric]bool{}
	for _, m := range metrics.All() {
		if seen[m] {
			t.Errorf("%s is listed twice", m)
		}
		seen[m] = true
		for _, set := range m.Dimensions() {
			if set[0] != metrics.Stack || len(set) > 2 || len(set) == 2 && set[1] != m.By() {
				t.Errorf("%s has the dimensions %v", m, set)
			}
		}
	}
	if len(seen) > 100 {
		t.Errorf("%d metrics may not fit a line", len(seen))
	}
}

// BenchmarkBatch is what a batch of ten events with a finding each is told of.
func BenchmarkBatch(b *testing.B) {
	r := metrics.New(io.Discard, "responder", atNoon)
	b.ReportAllocs()
	for b.Loop() {
		for range 10 {
			r.Count(metrics.Events, "", 1)
			r.Count(metrics.Findings, "RootLogin", 1)
			r.Time(metrics.QueueLag, "events", time.Millisecond)
		}
		if err := r.Flush(); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleRecorder() {
	var out bytes.Buffer
	r := metrics.New(&out, "responder", func() time.Time { return time.UnixMilli(0) })
	r.Count(metrics.Duplicates, "", 2)
	if err := r.Flush(); err != nil {
		fmt.Println(err)
	}
	fmt.Print(out.String())
	// Output:
	// {"Duplicates":2,"Stack":"responder","_aws":{"CloudWatchMetrics":[{"Namespace":"Responder","Dimensions":[["Stack"]],"Metrics":[{"Name":"Duplicates","Unit":"Count"}]}],"Timestamp":0}}
}
