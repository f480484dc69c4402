package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skycrafters/responder/internal/archive"
)

var secretName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9/_+=.@-]{0,511}$`)

func (a *app) secretsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "secrets", Short: "Keep secrets for `responder run`: webhook addresses and keys",
		Args: args(0, 0, "a subcommand: set"), RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	var data string
	set := &cobra.Command{
		Use:   "set NAME",
		Short: "Set a secret to what standard input says",
		Long:  "Reads the value from standard input, one line, and keeps it in the data folder (readable by you\nalone) for flows that say secret:NAME. The value before counts for another 24 hours where keys are\nchecked. The name api-key is the key of the ingest endpoint.\n\n  responder secrets set slack < webhook.txt",
		Args:  args(1, 1, "a name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !secretName.MatchString(args[0]) {
				return usagef("%q cannot name a secret: use letters, digits and /_+=.@-", args[0])
			}
			if isTerminal(a.stdin) {
				fmt.Fprintln(a.stderr, "Type or paste the value, then Enter and Ctrl-D:")
			}
			stdin := archive.Interruptible(cmd.Context(), a.stdin)
			defer stdin.Close()
			value, err := io.ReadAll(io.LimitReader(stdin, 64<<10+1))
			if cmd.Context().Err() != nil {
				return fmt.Errorf("interrupted: secret %s is not changed", args[0])
			}
			if err != nil {
				return fmt.Errorf("read the value: %w", err)
			}
			text := strings.TrimRight(string(value), "\r\n")
			switch {
			case len(value) > 64<<10:
				return &inputError{fmt.Errorf("the value is longer than 64 KiB")}
			case text == "":
				return &inputError{fmt.Errorf("the value is empty")}
			}
			folder, err := a.dataFolder(data)
			if err != nil {
				return err
			}
			db, err := a.openData(folder)
			if err != nil {
				return err
			}
			defer db.Close()
			if err := db.Secrets().Set(cmd.Context(), args[0], text); err != nil {
				return err
			}
			if args[0] == keySecret {
				if err := writeKey(folder, text); err != nil {
					return err
				}
			}
			if a.format == "json" {
				return a.printJSON(map[string]string{"secret": args[0]})
			}
			_, err = fmt.Fprintf(a.stdout, "secret %s is set\n", args[0])
			return err
		},
	}
	set.Flags().StringVar(&data, "data", "", "the data folder (default: XDG state)")
	cmd.AddCommand(set)
	return cmd
}
