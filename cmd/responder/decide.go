package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
)

// decision is one of the two that people can make of a question.
type decision struct {
	name responder.Deed
	yes  bool
	help string
	said string
}

func verdicts() []decision {
	return []decision{
		{responder.DeedApprove, true, "Approve what a run asks about", "approved"},
		{responder.DeedDeny, false, "Deny what a run asks about, or object to it", "denied"},
	}
}

// decideFlags are those of approve and deny.
type decideFlags struct {
	step, digest, why string
	yes               bool
}

func (a *app) decideCommand(h *home, d decision) *cobra.Command {
	var f decideFlags
	cmd := &cobra.Command{
		Use: string(d.name) + " ID", Short: d.help, Args: args(1, 1, "the id of a run, or its beginning"),
		Long: d.help + ".\nShows the question and what exactly would be done, and asks once more; what is decided counts for just that. The\nfirst decision counts. Who may decide is said in the flow; whoever caused the event may not.\n\n" +
			"On a data folder you are the user of this machine; where `responder run` is using it, the user it runs as. Of a deployed stack (--stack) your ARN is what AWS says it is,\nand you need execute-api:Invoke on its approve function.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "" {
				return usagef("the id of a run is empty")
			}
			return a.withControl(cmd, h, func(s *store, c control, by string) error { return a.decide(cmd.Context(), s, c, d, args[0], by, f) })
		},
	}
	cmd.Flags().StringVar(&f.step, "step", "", "the `path` of the step that asks, where several do")
	cmd.Flags().StringVar(&f.digest, "digest", "", "decide only if this is the `digest` of what is asked")
	cmd.Flags().StringVar(&f.why, "why", "", "the reason, kept in the run")
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do not ask once more")
	return cmd
}

func (a *app) decide(ctx context.Context, s *store, c control, d decision, id, by string, f decideFlags) error {
	run, err := find(ctx, s, id)
	if err != nil {
		return err
	}
	path, err := whichQuestion(run, f.step)
	if err != nil {
		return err
	}
	approval := run.Steps[path].Approval
	if a.format == "text" {
		a.tellQuestion(a.stdout, run, path)
	}
	if approval.Open() && !f.yes {
		if err := a.confirm(strings.ToUpper(string(d.name)[:1])+string(d.name)[1:]+" it?", "nothing was decided"); err != nil {
			return err
		}
	}
	answer := responder.Answer{
		Step: path, Digest: cmp.Or(f.digest, approval.Digest), Yes: d.yes, Why: f.why,
		Who: responder.Identity{Kind: responder.IdentityCLI, ID: by}, From: thisMachine(),
	}
	after, err := c.Decide(ctx, run.ID, answer)
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
		return a.printJSON(deedJSON{d.name, run.ID, after.Version != run.Version, after.Summary()})
	}
	_, err = fmt.Fprintf(a.stdout, "%s step %s is %s\n", run.ID, path, d.said)
	return err
}

// whichQuestion gives the path of the step that a decision is about.
func whichQuestion(run *responder.Run, step string) (string, error) {
	if step != "" {
		if state := run.Steps[step]; state != nil && state.Approval != nil {
			return step, nil
		}
		return "", &inputError{fmt.Errorf("step %s of run %s asks nothing", clean(step), run.ID)}
	}
	open := dispatch.Open(run)
	if len(open) == 0 { // what was asked last, for whoever asks what became of it
		for path, state := range run.Steps {
			if state.Approval != nil && (len(open) == 0 || state.Approval.Asked.After(run.Steps[open[0]].Approval.Asked)) {
				open = []string{path}
			}
		}
	}
	switch len(open) {
	case 0:
		return "", &inputError{fmt.Errorf("run %s asks nothing", run.ID)}
	case 1:
		return open[0], nil
	}
	return "", &inputError{fmt.Errorf("run %s asks at several steps: choose with --step %s", run.ID, strings.Join(open, " or --step "))}
}

// tellQuestion shows a question of a run: everything that a decision counts for.
func (a *app) tellQuestion(w io.Writer, run *responder.Run, path string) {
	q := run.Steps[path].Approval
	asks := "asks whether to go on, until "
	if q.Veto {
		asks = "goes on, unless somebody objects, at "
	}
	fmt.Fprintf(w, "%s  %s\n  %s (step %s) %s%s\n", a.paint().bold(run.ID), line(run.Finding.Rule+": "+run.Finding.Title, 120), line(run.Flow.Name, 60), path, asks, moment(q.Until))
	fmt.Fprintf(w, "  %s\n", a.paint().bold(line(q.Text, 1000)))
	for _, p := range q.Plan {
		fmt.Fprintf(w, "  would  %s (%s, step %s)\n", line(p.Phrase(), 800), line(p.Action, 60), p.Step)
	}
	if len(q.Plan) == 0 {
		fmt.Fprintln(w, "  would  repair nothing: no repair hangs on it")
	}
	fmt.Fprintf(w, "  asked  %s\n  digest %s\n", line(whoMay(q.By), 300), q.Digest)
	if told := answerStory(q); told != "" {
		fmt.Fprintf(w, "  %s\n", line(told, 400))
	}
}

// whoMay says who may decide.
func whoMay(by responder.Approvers) string {
	var who []string
	if len(by.Slack) > 0 {
		who = append(who, "on Slack "+strings.Join(by.Slack, ", "))
	}
	if len(by.IAM) > 0 {
		who = append(who, "by IAM "+strings.Join(by.IAM, ", "))
	}
	if by.CLI {
		who = append(who, "whoever owns the data folder")
	}
	return strings.Join(who, "; ")
}

// answerStory tells what was decided, "" while nothing is.
func answerStory(q *responder.Approval) string {
	if q.Decision == "" {
		return ""
	}
	text := string(q.Decision)
	if q.Who != nil {
		text += " by " + q.Who.String()
	}
	text += " at " + moment(q.At)
	if q.From != "" {
		text += " from " + q.From
	}
	if q.Why != "" {
		text += ": " + q.Why
	}
	return text
}

// confirm asks whoever is at the terminal once more. no says what has become of
// it if the answer is not yes.
func (a *app) confirm(question, no string) error {
	if !isTerminal(a.stdin) {
		return usagef("nobody is there to be asked once more: give --yes")
	}
	fmt.Fprintf(a.stderr, "%s [y/N] ", question)
	text, err := bufio.NewReader(a.stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	if answer := strings.ToLower(strings.TrimSpace(text)); answer != "y" && answer != "yes" {
		return &inputError{errors.New(no)}
	}
	return nil
}

// thisMachine names where a decision comes from.
func thisMachine() string {
	name, err := os.Hostname()
	if err != nil {
		return "this machine"
	}
	return name
}
