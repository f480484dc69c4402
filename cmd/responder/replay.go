package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/skycrafters/responder/detect"
)

func (a *app) replayCommand() *cobra.Command {
	var since, until string
	var only []string
	r := &replay{app: a}
	cmd := &cobra.Command{
		Use:   "replay PATH…",
		Short: "Run the rules over CloudTrail archives: what would have been found",
		Long: "Evaluates the rules on the events of files, folders, patterns and s3://bucket/prefix, .gz or\nnot: CloudTrail's {\"Records\": […]}, JSON lines, arrays, EventBridge events. Nothing is stored\nand nothing acts.\n\n" +
			"  responder replay archive/ --since 2026-11-01 --rule RootLogin\n" +
			"  responder replay s3://trail/AWSLogs/ --since 2026-11-01 --until 2026-12-01 --summary\n\n" +
			"--flows FILE also goes through the flows for each finding, dry.\n--summary leaves the findings out and tells of each rule: how often, when, whose and from where.\n--format csv writes a table of either.",
		Annotations: map[string]string{formats: "text json csv"},
		Args:        args(1, -1, "at least one path"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if r.since, err = readTime(since); err != nil {
				return usagef("--since: %w", err)
			}
			if r.until, err = readTime(until); err != nil {
				return usagef("--until: %w", err)
			}
			if !r.until.IsZero() && !r.since.Before(r.until) {
				return usagef("--since %s is not before --until %s", since, until)
			}
			r.withFlows = cmd.Flags().Changed("flows")
			return r.run(cmd.Context(), args, only)
		},
	}
	cmd.Flags().StringVar(&since, "since", "", "only events at or after this time: 2026-11-23 or 2026-11-23T04:00:00Z")
	cmd.Flags().StringVar(&until, "until", "", "only events before this time")
	cmd.Flags().StringSliceVar(&only, "rule", nil, "only these rules")
	cmd.Flags().BoolVar(&r.summaryOnly, "summary", false, "only the summary, by rule")
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

// replay evaluates what files hold, on all cores, and tells of it in the order
// of the files.
type replay struct {
	*app
	since, until time.Time
	summaryOnly  bool
	withFlows    bool

	rules    *detect.Rules
	within   func(time.Time) bool // nil, or whether a time is wanted
	progress *progress
	damages  damages
	teller   replayTeller
	acted    *replayFlows // nil: flows are not asked
	seen     replaySeen
	failed   map[string]int // failures of rules, by name
}

// window is nil if every time is wanted. What has no time is.
func (r *replay) window() func(time.Time) bool {
	if r.since.IsZero() && r.until.IsZero() {
		return nil
	}
	return func(t time.Time) bool {
		return t.IsZero() || !t.Before(r.since) && (r.until.IsZero() || t.Before(r.until))
	}
}

func (r *replay) run(ctx context.Context, paths, only []string) error {
	rules, err := r.loadRules()
	if err != nil {
		return err
	}
	if len(only) > 0 {
		if rules, err = rules.Only(only...); err != nil {
			return &usageError{err}
		}
	}
	r.rules, r.within, r.seen, r.failed = rules, r.window(), replaySeen{rules: map[string]*ruleSeen{}}, map[string]int{}
	files, err := r.files(ctx, paths)
	if err != nil {
		return err
	}
	r.progress, r.damages.to = r.app.progress("records"), r.stderr
	files = r.progress.weigh(ctx, files)
	if r.teller, err = r.newTeller(); err != nil {
		return err
	}
	began := r.now()
	err = (&assembly{files: files, ahead: readAhead(paths), skim: r.skim, judge: r.judge, take: func(p *portion) error { return r.take(ctx, p) }}).run(ctx)
	r.progress.clear()
	r.damages.end()
	r.tellFailures()
	if err != nil {
		return err
	}
	if err := r.teller.end(r.report(r.now().Sub(began), ctx.Err() == nil)); err != nil {
		return err
	}
	if err := interrupted(ctx, r.seen.records+r.seen.damaged, "record"); err != nil {
		return err
	}
	if r.seen.damaged > 0 {
		return &inputError{fmt.Errorf("%s could not be read%s", damaged(r.seen.damaged), r.damages.of())}
	}
	return nil
}

// loadRules loads the rules and, if they are asked for, what flows make of their
// findings.
func (r *replay) loadRules() (*detect.Rules, error) {
	if !r.withFlows {
		rules, problems := detect.LoadFile(r.app.rules, r.catalogue(nil))
		r.tellProblems(problems, false)
		if rules == nil {
			return nil, &inputError{fmt.Errorf("%s in %s", count(len(problems.Errors()), "error"), r.app.rules)}
		}
		return rules, nil
	}
	definitions, err := r.load()
	if err != nil {
		return nil, err
	}
	r.acted, err = r.replayFlows(definitions)
	return definitions.Rules, err
}
