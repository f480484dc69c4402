package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
)

func (a *app) runsCommand() *cobra.Command {
	var h home
	cmd := &cobra.Command{Use: "runs", Short: "Look at runs, decide what they ask, and cancel, retry, repeat or undo them",
		Long: "Lists, shows and steers runs: what was done about findings, and why not. They are those of the data folder that\n`responder run` uses (--data), or of a deployed stack (--stack), found by --profile and --region as the AWS\nCLI finds them and read through the stack's operator role.\n\n" +
			"  responder runs list --stack responder --state failed",
		Args: args(0, 0, "a subcommand: list, show, export, approve, deny, cancel, retry, again or undo"), RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	h.add(cmd.PersistentFlags())
	var q responder.RunQuery
	var state, since string
	list := &cobra.Command{
		Use: "list", Short: "List runs, newest first", Args: args(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if q.Since, err = readTime(since); err != nil {
				return usagef("--since: %w", err)
			}
			if q.State, err = readState(state); err != nil {
				return err
			}
			if q.Max < 1 {
				return usagef("--max must be at least 1")
			}
			return a.withStore(cmd, &h, toLook, func(s *store) error { return a.listRuns(cmd.Context(), s, q) })
		},
	}
	list.Flags().StringVar(&state, "state", "", "only runs in this state")
	list.Flags().StringVar(&q.Rule, "rule", "", "only runs of this rule")
	list.Flags().StringVar(&q.Flow, "flow", "", "only runs of this flow")
	list.Flags().StringVar(&since, "since", "", "only runs begun at or after this time")
	list.Flags().IntVar(&q.Max, "max", 50, "at most so many")
	cmd.AddCommand(list, a.showCommand(&h), a.exportCommand(&h))
	for _, d := range verdicts() {
		cmd.AddCommand(a.decideCommand(&h, d))
	}
	for _, d := range deeds() {
		cmd.AddCommand(a.deedCommand(&h, d))
	}
	cmd.AddCommand(a.undoCommand(&h))
	return cmd
}

func (a *app) showCommand(h *home) *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show a run: finding, steps, attempts, waits, errors, and what people did to it", Args: args(1, 1, "the id of a run, or its beginning"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "" {
				return usagef("the id of a run is empty")
			}
			return a.withStore(cmd, h, toLook, func(s *store) error {
				if follow {
					return a.followRun(cmd.Context(), s, args[0])
				}
				return a.showRun(cmd.Context(), s, args[0])
			})
		},
	}
	cmd.Flags().BoolVar(&follow, "follow", false, "go on telling what changes until the run has ended")
	return cmd
}

func (a *app) exportCommand(h *home) *cobra.Command {
	return &cobra.Command{
		Use: "export ID", Short: "Write a run as JSON that a test can live again: event, flow, and how each step ended", Args: args(1, 1, "the id of a run, or its beginning"),
		Long: "Writes one JSON object: the finding with its event, the flow as the run began with it, and of each step that\nwas reached its parameters, attempts and result. Secrets stay references; what the event holds is in it.\n\n  responder runs export 3f9c > fixture.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "" {
				return usagef("the id of a run is empty")
			}
			return a.withStore(cmd, h, toLook, func(s *store) error { return a.exportRun(cmd.Context(), s, args[0]) })
		},
	}
}

func readState(text string) (responder.RunState, error) {
	if text == "" {
		return "", nil
	}
	var known []string
	for _, s := range responder.RunStates() {
		if string(s) == text {
			return s, nil
		}
		known = append(known, string(s))
	}
	return "", usagef("--state %q: there are %s", text, strings.Join(known, ", "))
}

func (a *app) listRuns(ctx context.Context, s *store, q responder.RunQuery) error {
	page, err := s.runs.List(ctx, q)
	if err != nil {
		return s.told(err)
	}
	if a.format == "json" {
		for _, r := range page.Runs {
			if err := a.printJSON(r); err != nil {
				return err
			}
		}
		return nil
	}
	asks := false
	tell := a.runLines(page.Runs)
	for _, r := range page.Runs {
		tell(r)
		if r.State == responder.RunAwaitingApproval {
			asks = true
			if err := a.listQuestions(ctx, s, r.ID); err != nil {
				return err
			}
		}
	}
	more := ""
	if page.Next != "" {
		more = ", and there are more (--max, --since)"
	}
	if asks {
		more += "; `responder runs approve ID`, or deny, answers what is asked"
	}
	a.tell("", count(len(page.Runs), "run")+more, uncoloured)
	return a.tellHalts(ctx, s)
}

// runLines gives what tells of a run in a list of some: in columns, the last of
// which is broken where a terminal ends; or, on one that leaves it no room, with flow
// and what the run is about below.
func (a *app) runLines(runs []responder.RunSummary) func(responder.RunSummary) {
	const room = 30
	p, flow := a.paint(), 0
	for _, r := range runs {
		flow = max(flow, visible(line(r.Flow, 28)))
	}
	head := func(r responder.RunSummary) string {
		return fmt.Sprintf("%s  %s  %s %s", shortID(r.ID), r.Created.UTC().Format(time.DateTime), p.severity(r.Severity), a.state(r.State))
	}
	about := func(r responder.RunSummary) string { return aboutRun(r) + a.asides(r) }
	lead := func(r responder.RunSummary) string {
		return fmt.Sprintf("%s %-*s  ", head(r), flow, line(r.Flow, 28))
	}
	if slices.ContainsFunc(runs, func(r responder.RunSummary) bool { return !a.fits(lead(r) + strings.Repeat(" ", room)) }) {
		return func(r responder.RunSummary) {
			fmt.Fprintln(a.stdout, strings.TrimRight(head(r), " "))
			a.tell("  ", line(r.Flow, 28)+" · "+about(r), uncoloured)
		}
	}
	return func(r responder.RunSummary) { a.hang(lead(r), about(r)) }
}

// listQuestions tells what a run asks.
func (a *app) listQuestions(ctx context.Context, s *store, id string) error {
	run, err := s.runs.Get(ctx, id)
	if err != nil {
		return s.told(err)
	}
	for _, path := range dispatch.Open(run) {
		q := run.Steps[path].Approval
		a.tell("  ", fmt.Sprintf("asks at step %s until %s: %s", path, moment(q.Until), line(q.Text, 200)), uncoloured)
	}
	return nil
}

// aboutRun says what a run is about: its finding's title and first resource.
func aboutRun(r responder.RunSummary) string {
	if r.About == "" {
		return line(r.Title, 60)
	}
	return line(r.Title, 60) + ": " + line(r.About, 60)
}

// asides tells of what the state of a run does not: repairs that were held back, and
// steps that failed of a run that did not.
func (a *app) asides(r responder.RunSummary) string {
	text := ""
	if r.FailedSteps > 0 && r.State != responder.RunFailed {
		text += a.paint().red(fmt.Sprintf(" (%s failed)", count(r.FailedSteps, "step")))
	}
	if r.HeldBack > 0 {
		text += a.paint().yellow(fmt.Sprintf(" (%d held back)", r.HeldBack))
	}
	return text
}

// shortID is enough of an id to name a run: its beginning, and which time it is
// run again.
func shortID(id string) string {
	first, _, _ := strings.Cut(id, "#")
	return first[:min(12, len(first))] + id[len(first):]
}

// means reports whether somebody who writes an id, or its beginning, means a run.
func means(written, id string) bool {
	beginning, again, _ := strings.Cut(written, "#")
	first, number, _ := strings.Cut(id, "#")
	return strings.HasPrefix(first, beginning) && again == number
}

func (a *app) state(s responder.RunState) string {
	p := a.paint()
	text := fmt.Sprintf("%-9s", s)
	switch s {
	case responder.RunSucceeded:
		return p.green(text)
	case responder.RunFailed, responder.RunParked:
		return p.red(text)
	}
	return p.yellow(text)
}

// find reads a run by its id or the beginning of it.
func find(ctx context.Context, s *store, id string) (*responder.Run, error) {
	r, err := s.runs.Get(ctx, id)
	switch {
	case err == nil:
		return r, nil
	case !errors.Is(err, responder.ErrNotFound):
		return nil, s.told(err)
	}
	found := ""
	for q := (responder.RunQuery{Max: 1000}); ; {
		page, err := s.runs.List(ctx, q)
		if err != nil {
			return nil, s.told(err)
		}
		for _, r := range page.Runs {
			if !means(id, r.ID) {
				continue
			}
			if found != "" {
				return nil, &inputError{fmt.Errorf("%q begins more than one run's id: give more of it", id)}
			}
			found = r.ID
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if found == "" {
		return nil, &inputError{fmt.Errorf("there is no run %q (responder runs list shows them)", id)}
	}
	if r, err = s.runs.Get(ctx, found); err != nil {
		return nil, s.told(err)
	}
	return r, nil
}

func (a *app) showRun(ctx context.Context, s *store, id string) error {
	r, err := find(ctx, s, id)
	if err != nil {
		return err
	}
	return a.writeRun(r)
}

// writeRun writes all there is of a run.
func (a *app) writeRun(r *responder.Run) error {
	if a.format == "json" {
		return a.printJSON(r)
	}
	a.tellRun(r)
	return nil
}
