package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"

	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/spf13/cobra"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
	"github.com/skycrafters/responder/internal/sqlite"
	"github.com/skycrafters/responder/internal/stack"
)

// control is what people can do to runs; see dispatch.Control.
type control interface {
	Cancel(ctx context.Context, id, by, why string) (*responder.Run, error)
	Retry(ctx context.Context, id, by string) (*responder.Run, error)
	Again(ctx context.Context, id, by string) (*responder.Run, error)
	Undo(ctx context.Context, id, step, by, why string) (*responder.Run, error)
	Decide(ctx context.Context, id string, a responder.Answer) (*responder.Run, error)
}

var _, _ control = dispatch.Control{}, (*remote)(nil)

// deed is something that people do to a run.
type deed struct {
	name responder.Deed
	help string // one line
	long string
	why  bool // takes --why
	do   func(ctx context.Context, c control, id, by, why string) (*responder.Run, error)
	said func(before, after *responder.Run) string
}

func deeds() []deed {
	return []deed{
		{
			name: responder.DeedCancel, help: "End a run that has not ended", why: true,
			long: "What waits is given up. An attempt under way is let come to its end, and nothing follows it.",
			do: func(ctx context.Context, c control, id, by, why string) (*responder.Run, error) {
				return c.Cancel(ctx, id, by, why)
			},
			said: func(before, after *responder.Run) string {
				if before.State == responder.RunCancelled {
					return "was cancelled before"
				}
				return "is cancelled"
			},
		},
		{
			name: responder.DeedRetry, help: "Carry on a run from where it failed, was cancelled or was parked",
			long: "What succeeded stays. A repair of which nobody knows whether it was done is looked into first.",
			do: func(ctx context.Context, c control, id, by, _ string) (*responder.Run, error) {
				return c.Retry(ctx, id, by)
			},
			said: func(before, after *responder.Run) string {
				if !before.State.Ended() {
					return "is under way already"
				}
				return "goes on"
			},
		},
		{
			name: responder.DeedAgain, help: "Run the flow for the same finding from its beginning, in a new run",
			long: "The new run has the id of the first with #2, #3 … behind it, begins with the flow as it is now, and its\nguards are read anew. While one is under way no further one is made.",
			do: func(ctx context.Context, c control, id, by, _ string) (*responder.Run, error) {
				return c.Again(ctx, id, by)
			},
			said: func(_, after *responder.Run) string { return "is run again as " + after.ID },
		},
	}
}

func (a *app) deedCommand(h *home, d deed) *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use: string(d.name) + " ID", Short: d.help, Args: args(1, 1, "the id of a run, or its beginning"),
		Long: d.help + ".\n" + d.long + "\n\nWho did it and when is kept in the run (`runs show`). Doing it twice does it once. On a data folder that\n`responder run` is using, that process is asked to do it.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "" {
				return usagef("the id of a run is empty")
			}
			return a.withControl(cmd, h, func(s *store, c control, by string) error { return a.doDeed(cmd.Context(), s, c, d, args[0], by, why) })
		},
	}
	if d.why {
		cmd.Flags().StringVar(&why, "why", "", "the reason, kept in the run")
	}
	return cmd
}

// deedJSON is what `--format json` says of a deed.
type deedJSON struct {
	Deed    responder.Deed       `json:"deed"`
	Of      string               `json:"of"`      // the run that was named
	Changed bool                 `json:"changed"` // false: it was done before
	Run     responder.RunSummary `json:"run"`     // afterwards; of again, the new one
}

func (a *app) doDeed(ctx context.Context, s *store, c control, d deed, id, by, why string) error {
	before, err := find(ctx, s, id)
	if err != nil {
		return err
	}
	after, err := d.do(ctx, c, before.ID, by, why)
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
		return a.printJSON(deedJSON{d.name, before.ID, after.ID != before.ID || after.Version != before.Version, after.Summary()})
	}
	_, err = fmt.Fprintf(a.stdout, "%s %s (%s: %s)\n", before.ID, d.said(before, after), line(after.Flow.Name, 60), line(after.Finding.Title, 80))
	return err
}

// withControl does something with the runs at the place that a command's flags
// name, and with what can be done to them. by is who does it, for their audit.
func (a *app) withControl(cmd *cobra.Command, h *home, do func(s *store, c control, by string) error) error {
	if h.stack != "" || cmd.Flags().Changed("stack") {
		return a.withStore(cmd, h, toChange, func(s *store) error {
			by, err := s.caller(cmd.Context())
			if err != nil {
				return err
			}
			return do(s, s.control, by)
		})
	}
	by := localUser()
	err := a.withStore(cmd, h, toChange, func(s *store) error { return do(s, s.control, by) })
	if !errors.Is(err, sqlite.ErrInUse) {
		return err
	}
	folder, err := a.dataFolder(h.data)
	if err != nil {
		return err
	}
	c, err := reach(folder)
	if err != nil {
		return err
	}
	return a.withStore(cmd, h, toLook, func(s *store) error { return do(s, c, by) })
}

// localUser names who is at this machine's keyboard.
func localUser() string {
	who, err := user.Current()
	if err != nil {
		return "somebody on this machine"
	}
	return who.Username
}

// caller gives the ARN of who operates a stack.
func caller(ctx context.Context, s *stack.Stack) (string, error) {
	who, err := sts.NewFromConfig(s.Config()).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", fmt.Errorf("who operates stack %s: %w", s.Name, stack.Explain(err))
	}
	if who.Arn == nil {
		return "", fmt.Errorf("who operates stack %s: AWS names nobody", s.Name)
	}
	return *who.Arn, nil
}
