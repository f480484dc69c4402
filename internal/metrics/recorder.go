package metrics

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxValues is how many values of one metric a line may hold.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
const maxValues = 100

// Recorder keeps what is counted and timed until it is flushed. It is cheap: an
// addition under a lock, and no more memory than names and timed values take.
// Safe for concurrent use.
type Recorder struct {
	out   io.Writer
	stack string
	now   func() time.Time

	mu     sync.Mutex
	counts map[series]int
	times  map[series][]float64
}

// series is a metric under one value of its dimension beside Stack, "" for
// Stack alone.
type series struct {
	metric Metric
	of     string
}

// New gives a recorder that writes to out what it is told of a stack.
func New(out io.Writer, stack string, now func() time.Time) *Recorder {
	return &Recorder{out: out, stack: stack, now: now, counts: map[series]int{}, times: map[series][]float64{}}
}

// Count adds n, which may be 0 to tell that there were none. of is the value of
// the dimension metric.By() names; a metric that has none, or one of which
// there is nothing to tell by it, is given "".
func (r *Recorder) Count(metric Metric, of string, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[series{metric, of}] += n
}

// Time notes how long something took; what is negative, by the skew of two
// clocks, counts as nothing. of is as in Count.
func (r *Recorder) Time(metric Metric, of string, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := series{metric, of}
	r.times[s] = append(r.times[s], float64(max(0, took).Microseconds())/1000)
}

// Flush writes what was recorded since the last Flush, in one write, and
// forgets it, whether it could be written or not.
func (r *Recorder) Flush() error {
	r.mu.Lock()
	counts, times := r.counts, r.times
	r.counts, r.times = map[series]int{}, map[series][]float64{}
	r.mu.Unlock()

	var text bytes.Buffer
	lines := json.NewEncoder(&text)
	for _, l := range r.lines(counts, times) {
		if err := lines.Encode(l); err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
	}
	if text.Len() == 0 {
		return nil
	}
	if _, err := r.out.Write(text.Bytes()); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}

// group is what shares a line: metrics with the same dimensions and values.
type group struct{ by, of string }

func groupOf(s series) group {
	if s.of == "" {
		return group{}
	}
	return group{s.metric.By(), s.of}
}

// line is one line of the format: the members of its JSON.
type line map[string]any

// lines puts series into lines, those of one group into as few as hold them.
func (r *Recorder) lines(counts map[series]int, times map[series][]float64) []line {
	groups := map[group]map[Metric][]any{} // to the values that each of the group's lines gives a metric
	give := func(s series, values []any) {
		g := groupOf(s)
		if groups[g] == nil {
			groups[g] = map[Metric][]any{}
		}
		groups[g][s.metric] = values
	}
	for s, n := range counts {
		give(s, []any{n})
	}
	for s, all := range times {
		var chunks []any
		for values := range slices.Chunk(all, maxValues) {
			chunks = append(chunks, values)
		}
		give(s, chunks)
	}
	at := r.now().UnixMilli()
	var lines []line
	for _, g := range slices.SortedFunc(maps.Keys(groups), func(a, b group) int {
		return cmp.Or(strings.Compare(a.by, b.by), strings.Compare(a.of, b.of))
	}) {
		for i := 0; ; i++ {
			l := r.line(at, g, groups[g], i)
			if l == nil {
				break
			}
			lines = append(lines, l)
		}
	}
	return lines
}

// definition is how a line declares one of its members to be a metric.
type definition struct {
	Name Metric
	Unit string
}

// directive is how a line says what its metrics are.
type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []definition
}

// line is the i-th of a group, nil if the group has fewer.
func (r *Recorder) line(at int64, g group, metrics map[Metric][]any, i int) line {
	l := line{Stack: r.stack}
	d := directive{Namespace: Namespace, Dimensions: [][]string{{Stack}}}
	for _, metric := range slices.Sorted(maps.Keys(metrics)) {
		if i >= len(metrics[metric]) {
			continue
		}
		l[string(metric)] = metrics[metric][i]
		d.Metrics = append(d.Metrics, definition{metric, metric.Unit()})
		if g.by != "" {
			l[g.by], d.Dimensions = g.of, metric.Dimensions()
		}
	}
	if len(d.Metrics) == 0 {
		return nil
	}
	l["_aws"] = map[string]any{"Timestamp": at, "CloudWatchMetrics": []directive{d}}
	return l
}
