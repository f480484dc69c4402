// Command responder is Responder on the command line: the whole pipeline in one
// process, and the tools around rules, flows and runs.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
	"github.com/skycrafters/responder/internal/faults"
	"github.com/skycrafters/responder/internal/lang"
	"github.com/skycrafters/responder/internal/outbound"
)

// Exit codes.
const (
	exitDone   = 0
	exitInput  = 1 // the input has errors
	exitUsage  = 2 // wrong use
	exitFailed = 3 // something failed
)

// formats is the annotation of a command that knows other formats than text and
// json; they stand in it, parted by spaces.
const formats = "formats"

// version is set by the linker; see the Makefile.
var version = ""

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second signal ends the process where the first did not
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, now: time.Now}
	os.Exit(a.run(ctx, os.Args[1:]))
}

// app is the command line with all that it touches, so that tests can run it.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	now            func() time.Time

	rules, flows string // --rules, --flows
	format       string // --format: text or json

	wayOut  http.RoundTripper // for what actions send; see setOut
	members actions.Members   // of `run`: the role that checks and repairs act through
}

// inputError ends a command with exit code 1: what it was given has errors,
// which were told already if err is nil.
type inputError struct{ err error }

func (e *inputError) Error() string { return fmt.Sprint(e.err) }
func (e *inputError) Unwrap() error { return e.err }

// usageError ends a command with exit code 2.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// interrupted is the error of a command that ctx ended, nil if it did not: it
// says how far the command came.
func interrupted(ctx context.Context, n int, what string) error {
	if ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("interrupted after %s", count(n, what))
}

// run runs a command line and gives its exit code.
func (a *app) run(ctx context.Context, args []string) int {
	out := &output{to: a.stdout}
	a.stdout = out
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	err := root.ExecuteContext(ctx)
	unwritten := out.err()
	if unwritten != nil && !errors.Is(err, unwritten) { // who only looks at what was written must not think it is all
		err = errors.Join(err, fmt.Errorf("write the output: %w", unwritten))
	}
	var input *inputError
	var usage *usageError
	switch {
	case err == nil:
		return exitDone
	case unwritten != nil:
	case errors.As(err, &input):
		if input.err != nil {
			fmt.Fprintln(a.stderr, "responder:", clean(err.Error()))
		}
		return exitInput
	case errors.As(err, &usage):
		fmt.Fprintln(a.stderr, "responder:", clean(err.Error()))
		return exitUsage
	}
	fmt.Fprintln(a.stderr, "responder:", clean(err.Error()))
	return exitFailed
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "responder",
		Short:         "When this happens in your AWS accounts, do that",
		Long:          "Responder watches what happens in your AWS accounts, decides with one-line rules\nwhat matters (rules.yml), and answers with flows (flows.yml): it tells people,\nwaits, checks, repairs. Repairs are dry until a flow arms them.",
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if known := strings.Fields(cmp.Or(cmd.Annotations[formats], "text json")); !slices.Contains(known, a.format) {
				return usagef("--format is %s, not %q", strings.Join(known, " or "), a.format)
			}
			return a.setOut()
		},
	}
	root.Args = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		var known []string
		for _, c := range root.Commands() {
			known = append(known, c.Name())
		}
		return usagef("there is no command %q. %s", args[0], cmp.Or(lang.Suggest(args[0], known), "`responder --help` lists them"))
	}
	root.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w (%s --help tells more)", err, cmd.CommandPath())
	})
	root.Version = versionText()
	root.SetVersionTemplate("responder {{.Version}}\n")
	root.PersistentFlags().StringVar(&a.rules, "rules", "rules.yml", "the rules")
	root.PersistentFlags().StringVar(&a.flows, "flows", "flows.yml", "the flows")
	root.PersistentFlags().StringVar(&a.format, "format", "text", "text, or json: one object a line")
	root.AddCommand(a.runCommand(), a.sendCommand(), a.tryCommand(), a.checkCommand(), a.previewCommand(), a.rehearseCommand(), a.replayCommand(), a.runsCommand(), a.haltCommand(), a.resumeCommand(),
		a.dlqCommand(), a.policyCommand(), a.regionsCommand(), a.secretsCommand(), a.versionCommand())
	return root
}

// args checks the number of arguments, as usage errors.
func args(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || most >= 0 && len(args) > most {
			return usagef("%s takes %s, not %s (%s --help tells more)", cmd.CommandPath(), what, count(len(args), "argument"), cmd.CommandPath())
		}
		return nil
	}
}

// catalogue is the set of actions. secrets may be nil where none acts.
func (a *app) catalogue(secrets responder.Secrets) responder.Catalogue {
	return actions.New(actions.Deps{Secrets: secrets, Getenv: a.getenv, Now: a.now, Version: versionText(), AWS: actions.LazyAWS(), Members: a.members, Transport: a.wayOut})
}

// setOut reads from the environment where actions may send to. Here, what is
// written as this machine itself is one of those places.
func (a *app) setOut() error {
	options, err := outbound.Settings(a.getenv)
	if err != nil {
		return &usageError{err}
	}
	options.Loopback = true
	a.wayOut = faults.Transport(outbound.Transport(options))
	return nil
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Tell the version", Args: args(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			if a.format == "json" {
				return a.printJSON(map[string]string{"version": versionText()})
			}
			_, err := fmt.Fprintln(a.stdout, "responder", versionText())
			return err
		},
	}
}

// versionText is what the linker set, else what Go knows of the module.
func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}
