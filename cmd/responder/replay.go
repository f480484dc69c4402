package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"sort"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/cmd/internal/wiring"
	"github.com/skycrafters/responder/detect"
	"github.com/skycrafters/responder/ingest"
	"github.com/skycrafters/responder/internal/archive"
)

func (a *app) replayCommand() *cobra.Command {
	var since, until string
	var only []string
	cmd := &cobra.Command{
		Use:   "replay PATH…",
		Short: "Run the rules over CloudTrail archives: what would have been found",
		Long: "Evaluates the rules on the events of files, folders and patterns, .gz or not: CloudTrail's\n{\"Records\": […]}, JSON lines, arrays, EventBridge events. Nothing is stored and nothing acts.\n\n" +
			"  responder replay archive/ --since 2026-11-01 --rule RootLogin",
		Args: args(1, -1, "at least one path"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r := &replay{app: a}
			var err error
			if r.since, err = readTime(since); err != nil {
				return usagef("--since: %w", err)
			}
			if r.until, err = readTime(until); err != nil {
				return usagef("--until: %w", err)
			}
			return r.run(cmd.Context(), args, only)
		},
	}
	cmd.Flags().StringVar(&since, "since", "", "only events at or after this time: 2026-11-23 or 2026-11-23T04:00:00Z")
	cmd.Flags().StringVar(&until, "until", "", "only events before this time")
	cmd.Flags().StringSliceVar(&only, "rule", nil, "only these rules")
	return cmd
}

// readTime reads a day (UTC) or a moment; "" is the zero time.
func readTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time: write 2026-11-23 or 2026-11-23T04:00:00Z", text)
}

// replay evaluates records on all cores and tells of them in their order.
type replay struct {
	*app
	rules        *detect.Rules
	progress     *progress
	since, until time.Time

	records, skipped, matched, findings, ruleErrors, damaged int
	hits                                                     map[string]*hits
}

// hits are a rule's findings.
type hits struct {
	severity    responder.Severity
	n           int
	first, last time.Time
}

// judged is a record with what the rules made of it.
type judged struct {
	record   archive.Record
	event    responder.Event
	err      error // the record could not be read
	skipped  bool  // outside since and until
	findings []responder.Finding
	errors   []*detect.RuleError
}

func (r *replay) run(ctx context.Context, paths, only []string) error {
	for _, path := range paths {
		if strings.HasPrefix(path, "s3://") {
			return usagef("%s: buckets are not read yet: copy the files here first (aws s3 sync)", path)
		}
	}
	rules, problems := wiring.LoadRules(r.app.rules, r.catalogue(nil))
	r.tellProblems(problems, false)
	if rules == nil {
		return &inputError{fmt.Errorf("%s in %s", count(len(problems.Errors()), "error"), r.app.rules)}
	}
	if len(only) > 0 {
		var err error
		if rules, err = rules.Only(only...); err != nil {
			return &usageError{err}
		}
	}
	r.rules, r.hits, r.progress = rules, map[string]*hits{}, r.app.progress("records")
	began := r.now()
	if err := inOrder(ctx, batches(ctx, paths, r.stdin), r.judge, r.tell); err != nil {
		return err
	}
	r.progress.clear()
	r.summarize(r.now().Sub(began))
	if err := interrupted(ctx, r.records+r.damaged, "record"); err != nil {
		return err
	}
	if r.damaged > 0 {
		return &inputError{fmt.Errorf("%s could not be read", damaged(r.damaged))}
	}
	return nil
}

// batches groups records, so that workers are worth their while.
func batches(ctx context.Context, paths []string, stdin io.Reader) func(yield func([]judged) bool) {
	const size = 64
	return func(yield func([]judged) bool) {
		var batch []judged
		for record, err := range archive.Records(ctx, paths, stdin) {
			batch = append(batch, judged{record: record, err: err})
			if len(batch) == size {
				if !yield(batch) {
					return
				}
				batch = nil
			}
		}
		if len(batch) > 0 {
			yield(batch)
		}
	}
}

// inOrder runs work on what source yields, on all cores, and hands the results
// to sink in the order of the source, until ctx is done. At most a few batches a
// core are under way.
func inOrder(ctx context.Context, source func(func([]judged) bool), work func([]judged), sink func(judged) error) error {
	type job struct {
		batch []judged
		done  chan struct{}
	}
	workers := runtime.GOMAXPROCS(0)
	todo, order := make(chan job), make(chan job, 4*workers)
	stop := make(chan struct{})
	for range workers {
		go func() {
			for j := range todo {
				work(j.batch)
				close(j.done)
			}
		}()
	}
	go func() {
		defer close(order)
		defer close(todo)
		source(func(batch []judged) bool {
			j := job{batch, make(chan struct{})}
			for _, to := range []chan job{order, todo} {
				select {
				case to <- j:
				case <-stop:
					return false
				}
			}
			return true
		})
	}()
	defer close(stop)
	for j := range order {
		select {
		case <-j.done:
		case <-ctx.Done():
			return nil
		}
		for _, one := range j.batch {
			if err := sink(one); err != nil {
				return err
			}
		}
	}
	return nil
}

// judge evaluates a batch. It runs on many goroutines at once.
func (r *replay) judge(batch []judged) {
	for i := range batch {
		j := &batch[i]
		if j.err != nil {
			continue
		}
		if j.event, j.err = ingest.Normalise(j.record.Raw); j.err != nil {
			continue
		}
		t, _ := j.event.Time()
		if j.skipped = !r.since.IsZero() && t.Before(r.since) || !r.until.IsZero() && !t.Before(r.until); !j.skipped {
			j.findings, j.errors = r.rules.Evaluate(j.event)
		}
	}
}

// findingJSON is the line of a finding. Its keys are a contract.
type findingJSON struct {
	Rule      string             `json:"rule"`
	ID        string             `json:"id,omitempty"`
	Severity  responder.Severity `json:"severity"`
	Title     string             `json:"title"`
	Message   string             `json:"message"`
	Resources []string           `json:"resources"`
	Time      time.Time          `json:"time,omitzero"`
	Account   string             `json:"account,omitempty"`
	Region    string             `json:"region,omitempty"`
	EventID   string             `json:"event_id"`
	File      string             `json:"file"`
	Record    int                `json:"record"`
}

func (r *replay) tell(j judged) error {
	r.progress.add(1)
	if j.err != nil {
		r.progress.clear()
		r.damaged++
		r.tellDamage(j.record, j.err)
		return nil
	}
	r.records++
	if j.skipped {
		r.skipped++
		return nil
	}
	if len(j.findings) > 0 {
		r.matched++
	}
	for _, e := range j.errors {
		r.ruleErrors++
		fmt.Fprintf(r.stderr, "rule error: %s: %s: %s\n", place(j.record), e.Rule, clean(e.Err.Error()))
	}
	for _, f := range j.findings {
		if err := r.tellFinding(j, f); err != nil {
			return err
		}
	}
	return nil
}

func (r *replay) tellFinding(j judged, f responder.Finding) error {
	t, _ := j.event.Time()
	r.findings++
	h := r.hits[f.Rule]
	if h == nil {
		h = &hits{severity: f.Severity, first: t, last: t}
		r.hits[f.Rule] = h
	}
	h.n++
	h.severity = max(h.severity, f.Severity)
	if t.Before(h.first) {
		h.first = t
	}
	if t.After(h.last) {
		h.last = t
	}
	if r.format == "json" {
		return r.printJSON(findingJSON{f.Rule, f.ID, f.Severity, f.Title, f.Message, f.Resources, t, j.event.Account(), j.event.Region(), eventID(j.event), j.record.File, j.record.Index})
	}
	p := r.paint()
	r.progress.clear()
	_, err := fmt.Fprintf(r.stdout, "%s %s  %-28s %s  %s\n", p.severity(f.Severity), moment(t), f.Rule, line(f.Message, 70), p.faint(place(j.record)))
	return err
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "(no time)           "
	}
	return t.UTC().Format(time.RFC3339)
}

// summarize tells people what was seen; `--format json` is findings alone.
func (r *replay) summarize(took time.Duration) {
	if r.format == "json" {
		return
	}
	p := r.paint()
	rate := ""
	if seconds := took.Seconds(); seconds > 0 && r.records > 0 {
		rate = fmt.Sprintf(" · %.0f events/s", float64(r.records)/seconds)
	}
	told := fmt.Sprintf("%s · %d matched · %s", count(r.records-r.skipped, "event"), r.matched, count(r.findings, "finding"))
	if r.ruleErrors > 0 {
		told += " · " + count(r.ruleErrors, "rule error")
	}
	if r.damaged > 0 {
		told += " · " + damaged(r.damaged) + " not read"
	}
	if r.skipped > 0 {
		told += fmt.Sprintf(" · %d outside the time asked for", r.skipped)
	}
	fmt.Fprintln(r.stdout, p.bold(told+rate))
	names := make([]string, 0, len(r.hits))
	for name := range r.hits {
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool {
		if a, b := r.hits[names[i]], r.hits[names[j]]; a.n != b.n {
			return a.n > b.n
		}
		return names[i] < names[j]
	})
	for _, name := range names {
		h := r.hits[name]
		fmt.Fprintf(r.stdout, "%s %7d  %-28s first %s  last %s\n", p.severity(h.severity), h.n, name, moment(h.first), moment(h.last))
	}
}
