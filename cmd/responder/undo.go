package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
)

// undoFlags are those of undo.
type undoFlags struct {
	step, why string
	yes       bool
}

func (a *app) undoCommand(h *home) *cobra.Command {
	var f undoFlags
	cmd := &cobra.Command{
		Use: "undo ID", Short: "Put back what the repairs of a run did, as far as it can be", Args: args(1, 1, "the id of a run, or its beginning"),
		Long: "Puts back what the repairs of a run did, as far as it can be, the last first.\n" +
			"Shows what each repair found before it acted, what would be put back, and what nothing puts back, and asks once\n" +
			"more. The undo is a run of its own, with the id of the first and #undo behind it: it looks, tries, verifies and is\n" +
			"recorded as any other (`runs show`). Doing it twice does it once; a run that has not ended is cancelled first.\n\n" +
			"It is your order: it is done whatever the flow's repairs are now, if the flow is halted, disabled or gone, and its\n" +
			"limits are not counted. What is protected, or denied by the flow's scope, stays as it is; where Responder is dry\n" +
			"nothing is done, and it is written down what would be.\n\n" +
			"On a data folder that `responder run` is using, that process is asked to do it, else the next `run` does; of a\n" +
			"deployed stack (--stack) Dispatch does it.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "" {
				return usagef("the id of a run is empty")
			}
			return a.withControl(cmd, h, func(s *store, c control, by string) error { return a.undo(cmd.Context(), s, c, args[0], by, f) })
		},
	}
	cmd.Flags().StringVar(&f.step, "step", "", "only the repair at this `path`")
	cmd.Flags().StringVar(&f.why, "why", "", "the reason, kept in both runs")
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do not ask once more")
	return cmd
}

func (a *app) undo(ctx context.Context, s *store, c control, id, by string, f undoFlags) error {
	run, err := find(ctx, s, id)
	if err != nil {
		return err
	}
	plan, err := dispatch.Reversals(ctx, s.runs, run)
	if err != nil {
		return s.told(err)
	}
	todo := 0
	for _, r := range plan {
		if r.Undone == "" && (f.step == "" || f.step == r.Path) {
			todo += len(r.Back())
		}
	}
	if a.format == "text" {
		a.tellReversals(run, plan, f.step)
	}
	if todo > 0 && run.Undoes == nil && run.State.Ended() && !f.yes {
		if err := a.confirm("Undo it?", "nothing was undone"); err != nil {
			return err
		}
	}
	began := a.now()
	after, err := c.Undo(ctx, run.ID, f.step, by, f.why)
	var refused *dispatch.Refused
	switch {
	case errors.As(err, &refused), errors.Is(err, responder.ErrNotFound):
		return &inputError{err}
	case err != nil && after == nil:
		return s.told(err)
	case err != nil:
		fmt.Fprintf(a.stderr, "responder: note: %s\n", clean(err.Error()))
	}
	if a.format == "json" {
		return a.printJSON(deedJSON{responder.DeedUndo, run.ID, !after.Created.Before(began), after.Summary()})
	}
	said := "is undone by"
	if after.State.Ended() && todo == 0 {
		said = "was undone before by"
	}
	_, err = fmt.Fprintf(a.stdout, "%s %s %s\n", run.ID, said, after.ID)
	return err
}

// tellReversals shows what each repair of a run found, and what would be put back.
func (a *app) tellReversals(run *responder.Run, plan []dispatch.Reversal, step string) {
	fmt.Fprintf(a.stdout, "%s  %s\n", a.paint().bold(run.ID), line(run.Finding.Rule+": "+run.Finding.Title, 120))
	for _, r := range plan {
		if step == "" || step == r.Path {
			a.tellReversal(run, r)
		}
	}
}

func (a *app) tellReversal(run *responder.Run, r dispatch.Reversal) {
	tell := func(name, format string, args ...any) {
		fmt.Fprintf(a.stdout, "     %-6s %s\n", name, line(fmt.Sprintf(format, args...), 600))
	}
	fmt.Fprintf(a.stdout, "  %s  %s\n", a.paint().faint(r.Path), line(fmt.Sprintf("%s %s", r.State.Action, r.State.State), 200))
	s := r.State.Survey
	if s == nil {
		tell("stays", "all of it: nothing was recorded before it acted")
		return
	}
	if len(s.Found) > 0 {
		tell("found", "%s", inJSON(s.Found))
	}
	if r.Undone != "" {
		tell("undone", "by run %s", r.Undone)
		return
	}
	for _, b := range s.Undo {
		tell("would", "%s (%s %s)", a.would(run, b), b.Action, inJSON(b.Params))
	}
	for _, text := range s.Lasting {
		tell("stays", "%s: nothing puts it back", text)
	}
	if len(s.Undo) == 0 && len(s.Lasting) == 0 {
		tell("would", "do nothing: it found nothing to change")
	}
}

// would says what a repair would do about the finding of a run.
func (a *app) would(run *responder.Run, b responder.Binding) string {
	describer, ok := a.catalogue(nil)[b.Action].(responder.Describer)
	if !ok {
		return b.Action
	}
	call := responder.Call{Params: b.Params, Finding: run.Finding}
	if event, err := responder.DecodeEvent(run.Finding.Event); err == nil {
		call.Account, call.Region = event.Account(), event.Region()
	}
	return cmp.Or(strings.TrimSpace(describer.Describe(call)), b.Action)
}

// inJSON is a value as JSON on one line.
func inJSON(value any) string {
	data, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(data)
}
