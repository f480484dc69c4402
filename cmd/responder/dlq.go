package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/sqlite"
)

func (a *app) dlqCommand() *cobra.Command {
	var data string
	cmd := &cobra.Command{Use: "dlq", Short: "See to dead letters: messages that could not become a finding or a run",
		Args: args(0, 0, "a subcommand: list, redrive or purge"), RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.PersistentFlags().StringVar(&data, "data", "", "the data folder (default: XDG state)")
	cmd.AddCommand(
		&cobra.Command{Use: "list", Short: "List dead letters with their cause and stage", Args: args(0, 0, "no arguments"),
			RunE: func(cmd *cobra.Command, _ []string) error { return a.listDead(cmd.Context(), data) }},
		&cobra.Command{Use: "redrive [ID…]", Short: "Put dead letters back on their queues, all if none is named", Args: args(0, -1, "ids"),
			RunE: func(cmd *cobra.Command, ids []string) error {
				return a.eachDead(cmd.Context(), data, "put back", func(d responder.Dead) (int, error) { return d.Redrive(cmd.Context(), ids...) })
			}},
		&cobra.Command{Use: "purge [ID…]", Short: "Forget dead letters, all if none is named", Args: args(0, -1, "ids"),
			RunE: func(cmd *cobra.Command, ids []string) error {
				return a.eachDead(cmd.Context(), data, "forgotten", func(d responder.Dead) (int, error) { return d.Purge(cmd.Context(), ids...) })
			}},
	)
	return cmd
}

// deadOf gives the dead letters of both queues.
func deadOf(db *sqlite.DB) []responder.Dead {
	return []responder.Dead{eventsQueue(db), findingsQueue(db)}
}

func (a *app) listDead(ctx context.Context, data string) (err error) {
	db, err := a.readData(data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	n := 0
	for _, dead := range deadOf(db) {
		letters, err := dead.List(ctx, 1000)
		if err != nil {
			return err
		}
		for _, l := range letters {
			n++
			if a.format == "json" {
				err = a.printJSON(map[string]any{"id": l.ID, "queue": l.Queue, "cause": l.Cause, "receives": l.Receives, "died": l.Died, "body": string(l.Body)})
			} else {
				_, err = fmt.Fprintf(a.stdout, "%s  %-8s  %s  received %d×  %s\n", l.ID, l.Queue, l.Died.UTC().Format(time.RFC3339), l.Receives, line(l.Cause, 120))
			}
			if err != nil {
				return err
			}
		}
	}
	if a.format == "text" {
		_, err = fmt.Fprintln(a.stdout, count(n, "dead letter"))
	}
	return err
}

func (a *app) eachDead(ctx context.Context, data, done string, do func(responder.Dead) (int, error)) (err error) {
	folder, err := a.dataFolder(data)
	if err != nil {
		return err
	}
	db, err := a.openData(folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	n := 0
	for _, dead := range deadOf(db) {
		did, err := do(dead)
		if err != nil {
			return err
		}
		n += did
	}
	if a.format == "json" {
		return a.printJSON(map[string]int{"count": n})
	}
	_, err = fmt.Fprintf(a.stdout, "%s %s\n", count(n, "dead letter"), done)
	return err
}
