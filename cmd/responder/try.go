package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/detect"
	"github.com/skycrafters/responder/internal/archive"
	"github.com/skycrafters/responder/internal/lang"
)

// manyEvents is the number above which try tells only of the events for which
// the expression holds, and why the first of the others was none.
const manyEvents = 12

func (a *app) tryCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "try EXPR PATH…",
		Short: "Try an expression on events: what it gives, and why",
		Long: "Evaluates an expression, or the rule of that name in rules.yml, on the events of\nfiles and folders (- is standard input) and shows its value, each clause with its\nown, and what was absent. Lists and accounts come from rules.yml if it is there.\n\n" +
			"  responder try 'action == \"iam:CreateUser\" && ok' events/\n  responder try SuspiciousLoginIP events/",
		Args: args(2, -1, "an expression and at least one path"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.try(cmd.Context(), args[0], args[1:]) },
	}
}

func (a *app) try(ctx context.Context, expression string, paths []string) error {
	var rules *detect.Rules
	if _, err := os.Stat(a.rules); !errors.Is(err, fs.ErrNotExist) {
		var problems lang.Problems
		if rules, problems = detect.LoadFile(a.rules, nil); rules == nil {
			a.tellProblems(problems, false)
			return &inputError{fmt.Errorf("%s in %s", count(len(problems.Errors()), "error"), a.rules)}
		}
	}
	trial, problems := detect.NewTrial(rules, expression)
	a.tellProblems(problems, true)
	if trial == nil {
		return &inputError{}
	}
	return a.tryAll(ctx, trial, paths)
}

// tried is one event with what the expression gave.
type tried struct {
	record  archive.Record
	event   responder.Event
	value   any
	err     error
	clauses []lang.Clause
}

func (a *app) tryAll(ctx context.Context, trial *detect.Trial, paths []string) error {
	var told []tried
	var events, holds, unread int
	for record, event := range a.events(ctx, paths, &unread) {
		t := tried{record: record, event: event}
		t.value, t.err = trial.Eval(event)
		events++
		yes := detect.Holds(t.value)
		if yes {
			holds++
		}
		if a.format == "json" {
			if err := a.printTried(t); err != nil {
				return err
			}
			continue
		}
		if len(told) < 200 && (yes || len(told) < manyEvents) {
			t.clauses = trial.Explain(event)
			told = append(told, t)
		}
	}
	if a.format != "json" {
		a.tellTried(told, events, holds)
	}
	if err := interrupted(ctx, events+unread, "record"); err != nil {
		return err
	}
	if unread > 0 {
		return &inputError{fmt.Errorf("%s could not be read", damaged(unread))}
	}
	return nil
}

func (a *app) printTried(t tried) error {
	out := map[string]any{"file": t.record.File, "record": t.record.Number(), "event_id": eventID(t.event), "value": lang.JSONValue(t.value)}
	if t.err != nil {
		out["error"] = t.err.Error()
	}
	return a.printJSON(out)
}

func (a *app) tellTried(told []tried, events, holds int) {
	p := a.paint()
	missed := false
	for _, t := range told {
		yes := detect.Holds(t.value)
		if events > manyEvents && !yes {
			if missed {
				continue
			}
			missed = true
		}
		mark := p.faint("✗")
		if yes {
			mark = p.green("✓")
		}
		if t.err != nil {
			mark = p.red("!")
		}
		fmt.Fprintf(a.stdout, "%s %s  %s\n", mark, p.bold(headline(t.event)), p.faint(place(t.record)))
		if t.err != nil {
			fmt.Fprintf(a.stdout, "    rule error: %s\n", clean(t.err.Error()))
		} else if _, isBool := t.value.(bool); !isBool {
			fmt.Fprintf(a.stdout, "    gives %s\n", clean(lang.Show(t.value)))
		}
		a.tellClauses(t.clauses)
	}
	fmt.Fprintf(a.stdout, "%s · it holds for %d\n", count(events, "event"), holds)
}

func (a *app) tellClauses(clauses []lang.Clause) {
	p := a.paint()
	for _, c := range clauses {
		value := clean(lang.Show(c.Value))
		switch {
		case c.Err != nil:
			value = p.red(clean(c.Err.Error()))
		case detect.Holds(c.Value):
			value = p.green(value)
		default:
			value = p.yellow(value)
		}
		why := ""
		if len(c.Notes) > 0 {
			why = p.faint("   " + clean(strings.Join(c.Notes, "; ")))
		}
		fmt.Fprintf(a.stdout, "    %s%-2s %s → %s%s\n", strings.Repeat("   ", c.Depth), c.Joint, clean(c.Text), value, why)
	}
}

// headline says in a few words what happened.
func headline(event responder.Event) string {
	env := lang.EventEnv(event, nil)
	what := lang.Format(env["action"])
	if what == "" {
		what = event.Name()
	}
	if actor, ok := env["actor"].(map[string]any); ok && actor["name"] != nil {
		what += " by " + lang.Format(actor["name"])
	}
	return line(what, 80)
}

func place(r archive.Record) string { return line(r.Place(), 300) }

// eventID is the CloudTrail record's id, else the event's.
func eventID(event responder.Event) string {
	if detail, ok := event.Body["detail"].(map[string]any); ok {
		if id, ok := detail["eventID"].(string); ok && id != "" {
			return id
		}
	}
	return event.ID()
}
