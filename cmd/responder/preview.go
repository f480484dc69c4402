package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/cmd/internal/wiring"
	"github.com/skycrafters/responder/dispatch"
	"github.com/skycrafters/responder/internal/lang"
)

// previewOptions are the flags of `preview`.
type previewOptions struct {
	event, rule, step, html string
}

func (a *app) previewCommand() *cobra.Command {
	var o previewOptions
	cmd := &cobra.Command{
		Use:   "preview FLOW|ACTION --event FILE",
		Short: "Show what the notices of a flow would send for an event",
		Long: `Runs the rules over the events of a file and shows, for the first finding of each
rule, what the notices of a flow would send: to whom, what people would read, and the
exact body. With the name of an action in place of a flow's, the notices of that action
in all enabled flows. Nothing is sent, and no secret is looked up: references stand
where they would be.

All branches of a flow are shown, as if what stands before a notice had done well; what
earlier steps would give is empty. Questions are shown with the plan that they would
have.

  responder preview NonCompliantUserCreated --event events/user-noncompliant.json
  responder preview SendEmail --event events/root-login.json --html mail.html`,
		Args: args(1, 1, "the name of a flow, or of an action"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.event == "" {
				return usagef("--event FILE is missing: an event to preview with")
			}
			return a.preview(cmd.Context(), args[0], o)
		},
	}
	cmd.Flags().StringVar(&o.event, "event", "", "a file or folder of events; - is standard input")
	cmd.Flags().StringVar(&o.rule, "rule", "", "only for findings of this rule")
	cmd.Flags().StringVar(&o.step, "step", "", "only the notice at this path, such as 0 or 2.1")
	cmd.Flags().StringVar(&o.html, "html", "", "a file to write an e-mail's HTML to; there has to be one e-mail alone")
	return cmd
}

// previewed is a notice with what it is of.
type previewed struct {
	flow string
	rule string
	dispatch.Previewed
}

func (a *app) preview(ctx context.Context, name string, o previewOptions) error {
	definitions, err := a.load()
	if err != nil {
		return err
	}
	flows, action, err := a.previewFlows(definitions, name)
	if err != nil {
		return err
	}
	findings, err := a.previewFindings(ctx, definitions, o)
	if err != nil {
		return err
	}
	with := dispatch.Previewing{Flows: definitions.Flows, Accounts: definitions.Rules.Accounts, Catalogue: a.catalogue(nil), Now: a.now()}
	var all []previewed
	for _, finding := range findings {
		for _, flow := range flows {
			if !dispatch.For(flow, finding.Rule) {
				continue
			}
			notices, err := with.Notices(flow, finding)
			if err != nil {
				return fmt.Errorf("flow %s: %w", flow.Name, err)
			}
			for _, n := range notices {
				if (action == "" || n.Action == action) && (o.step == "" || n.Path == o.step) {
					all = append(all, previewed{flow.Name, finding.Rule, n})
				}
			}
		}
	}
	if len(all) == 0 {
		return &inputError{fmt.Errorf("there is nothing to show: %s", noPreview(findings, flows, o))}
	}
	if err := a.tellPreviews(all); err != nil {
		return err
	}
	if o.html != "" {
		if err := writeMail(o.html, all); err != nil {
			return err
		}
	}
	for _, p := range all {
		if p.Err != nil {
			return &inputError{fmt.Errorf("%s could not be shown", count(failedPreviews(all), "notice"))}
		}
	}
	return nil
}

// previewFlows gives the flow of a name, or, with the name of an action, that and
// all enabled flows.
func (a *app) previewFlows(d *wiring.Definitions, name string) ([]responder.Flow, string, error) {
	if flow, ok := d.Flows.Get(name); ok {
		return []responder.Flow{flow}, "", nil
	}
	var known []string
	enabled := []responder.Flow{}
	for _, flow := range d.Flows.All() {
		known = append(known, flow.Name)
		if !flow.Disabled {
			enabled = append(enabled, flow)
		}
	}
	catalogue := a.catalogue(nil)
	if action, ok := catalogue[name]; ok {
		if action.Spec().Kind != responder.Notice {
			return nil, "", usagef("%s is a %s: it sends nothing", name, action.Spec().Kind)
		}
		return enabled, name, nil
	}
	for other, action := range catalogue {
		if action.Spec().Kind == responder.Notice {
			known = append(known, other)
		}
	}
	slices.Sort(known)
	return nil, "", usagef("there is no flow or action %q. %s", line(name, 60), cmp.Or(lang.Suggest(name, known), "`responder check` looks at flows.yml"))
}

// previewFindings gives the first finding of each rule on the events of a file.
func (a *app) previewFindings(ctx context.Context, d *wiring.Definitions, o previewOptions) ([]responder.Finding, error) {
	if known := d.Rules.Infos(); o.rule != "" {
		var names []string
		for _, r := range known {
			names = append(names, r.Name)
		}
		if !slices.Contains(names, o.rule) {
			return nil, usagef("there is no rule %q. %s", line(o.rule, 60), lang.Suggest(o.rule, names))
		}
	}
	var findings []responder.Finding
	seen := map[string]bool{}
	events := 0
	for _, event := range a.events(ctx, []string{o.event}, new(int)) {
		events++
		found, errs := d.Rules.Evaluate(event)
		for _, err := range errs {
			fmt.Fprintln(a.stderr, clean(err.Error()))
		}
		for _, f := range found {
			if !seen[f.Rule] && (o.rule == "" || o.rule == f.Rule) {
				seen[f.Rule] = true
				findings = append(findings, f)
			}
		}
	}
	if err := interrupted(ctx, events, "event"); err != nil {
		return nil, err
	}
	if events == 0 {
		return nil, &inputError{fmt.Errorf("there is no event in %s", line(o.event, 200))}
	}
	return findings, nil
}

// noPreview says why nothing is shown.
func noPreview(findings []responder.Finding, flows []responder.Flow, o previewOptions) string {
	if len(findings) == 0 {
		return "no rule finds anything in " + line(o.event, 200) + " (`responder try RULE FILE` tells why)"
	}
	var rules []string
	for _, f := range findings {
		rules = append(rules, f.Rule)
	}
	if o.step != "" {
		return fmt.Sprintf("there is no such notice at step %s for what is found: %s", line(o.step, 40), strings.Join(rules, ", "))
	}
	for _, flow := range flows {
		if slices.ContainsFunc(rules, func(rule string) bool { return dispatch.For(flow, rule) }) {
			return "no such notice is in the flows for what is found: " + strings.Join(rules, ", ")
		}
	}
	return "what is found is of other flows' rules: " + strings.Join(rules, ", ")
}

// previewJSON is a notice as `--format json` gives it.
type previewJSON struct {
	Flow    string `json:"flow"`
	Rule    string `json:"rule"`
	Step    string `json:"step"`
	Action  string `json:"action"`
	If      string `json:"if,omitempty"`
	To      string `json:"to,omitempty"`
	Text    string `json:"text,omitempty"`
	Payload any    `json:"payload,omitempty"`
	HTML    string `json:"html,omitempty"`
	Error   string `json:"error,omitempty"`
}

func (a *app) tellPreviews(all []previewed) error {
	p := a.paint()
	for i, n := range all {
		if a.format == "json" {
			out := previewJSON{n.flow, n.rule, n.Path, n.Action, n.If, n.To, n.Text, n.Payload, n.HTML, ""}
			if n.Err != nil {
				out.Error = n.Err.Error()
			}
			if err := a.printJSON(out); err != nil {
				return err
			}
			continue
		}
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		fmt.Fprintf(a.stdout, "%s step %s %s\n", p.faint(line(n.flow, 60)), n.Path, p.bold(n.Action))
		if n.If != "" {
			fmt.Fprintf(a.stdout, "  if  %s\n", line(n.If, 200))
		}
		if n.Err != nil {
			fmt.Fprintf(a.stdout, "  %s %s\n", p.red("✗"), line(n.Err.Error(), 500))
			continue
		}
		fmt.Fprintf(a.stdout, "  to  %s\n\n", line(n.To, 200))
		for text := range strings.Lines(clean(n.Text)) {
			fmt.Fprintln(a.stdout, "  │ "+strings.TrimRight(text, "\n"))
		}
		fmt.Fprintln(a.stdout)
		if err := a.writeJSON(n.Payload, "  "); err != nil {
			return err
		}
	}
	return nil
}

func failedPreviews(all []previewed) (n int) {
	for _, p := range all {
		if p.Err != nil {
			n++
		}
	}
	return n
}

// writeMail writes the HTML of the one e-mail among the previews.
func writeMail(path string, all []previewed) error {
	var mails []string
	for _, p := range all {
		if p.HTML != "" {
			mails = append(mails, p.HTML)
		}
	}
	switch {
	case len(mails) == 0:
		return &inputError{errors.New("--html: no e-mail with HTML is among what is shown: SendEmail writes it with from and to")}
	case len(mails) > 1:
		return &inputError{fmt.Errorf("--html: %d e-mails are shown: pick one by --rule and --step", len(mails))}
	}
	if err := os.WriteFile(path, []byte(mails[0]), 0o600); err != nil {
		return fmt.Errorf("write the HTML: %w", err)
	}
	return nil
}
