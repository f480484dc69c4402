package main

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"

	"github.com/spf13/cobra"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/cmd/internal/wiring"
)

func (a *app) policyCommand() *cobra.Command {
	var write, check, report, member bool
	var template, memberTemplate string
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Print the least IAM policy that the enabled flows need, or write it into the template",
		Long: `Prints the IAM policy document that covers what the enabled flows can do, and
nothing more: the permissions that their actions declare, those of the checks and
repairs that their rules bind included. Repairs count where their flow says
` + "`repairs: live` or `repairs: approve`" + `, and with them what puts them back
(responder runs undo): a dry one is never done. Resources may hold CloudFormation's
${AWS::Partition}, ${AWS::Region}, ${AWS::AccountId} and ${AWS::StackName}: where the
policy is used outside of a template, put in what they stand for.

With --member these are the permissions of checks and repairs alone: those of the
role in an account by which they act.

How many statements there are, and how many of them change things on a bare *, is
said on standard error; --report gives that alone, on standard output.

--write rewrites what depends on the flows in the templates, and leaves the rest of
them as it is: the lines between

  # >>> responder policy: flows       the policy of the role that tells
  # <<< responder policy: flows
  # >>> responder policy: home        the policy of the role by which checks and
  # <<< responder policy: home        repairs act in the stack's account
  # >>> responder policy: uses        under Mappings: whether flows send e-mails
  # <<< responder policy: uses

of template.yaml and, if there is one beside it, of member-role.yaml

  # >>> responder policy: member      the policy of the role in an account
  # <<< responder policy: member

--check changes nothing and ends with 1 if something would be rewritten.`,
		Args: args(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case write && check, write && report, check && report:
				return usagef("--write, --check and --report are three things to do: give one of them")
			case (cmd.Flags().Changed("template") || cmd.Flags().Changed("member-template")) && !write && !check:
				return usagef("--template and --member-template go with --write or --check")
			case member && (write || check):
				return usagef("--write and --check are about all templates: --member does not go with them")
			}
			definitions, err := a.load()
			if err != nil {
				return err
			}
			catalogue := a.catalogue(nil)
			n := needsOf(definitions, catalogue)
			if write || check {
				return a.policyTemplates(n, template, memberTemplate, write)
			}
			document := n.all
			if member {
				document = n.acting
			}
			if report {
				return a.printReport(reportOf(document))
			}
			return a.printPolicy(document)
		},
	}
	cmd.Flags().BoolVar(&write, "write", false, "rewrite the marked blocks of the templates")
	cmd.Flags().BoolVar(&check, "check", false, "tell whether the templates are what --write would make of them")
	cmd.Flags().BoolVar(&report, "report", false, "count the statements, in place of printing them")
	cmd.Flags().BoolVar(&member, "member", false, "only what checks and repairs need, in the account they act in")
	cmd.Flags().StringVar(&template, "template", "template.yaml", "the template of --write and --check")
	cmd.Flags().StringVar(&memberTemplate, "member-template", "", "the member role's template of --write and --check (default: member-role.yaml beside the other, if it is there)")
	return cmd
}

// policyDocument is an IAM policy.
type policyDocument struct {
	Version   string
	Statement []policyStatement
}

// policyStatement is one of its statements.
type policyStatement struct {
	Sid       string
	Effect    string
	Action    []string
	Resource  []string
	Condition map[string]map[string]string `json:",omitempty"`
}

// needs are the policies of what the enabled flows can do: all of it, and parted
// by who does it.
type needs struct {
	all     policyDocument
	notices policyDocument // by Dispatch itself
	acting  policyDocument // of checks and repairs, by a role in the account they act in
	emails  bool           // whether some flow sends e-mails
}

func needsOf(d *wiring.Definitions, catalogue responder.Catalogue) needs {
	used := wiring.ActionsUsed(d, catalogue)
	parted := func(notices bool) policyDocument {
		return policyOf(d, catalogue, slices.DeleteFunc(slices.Clone(used), func(name string) bool {
			return (catalogue[name].Spec().Kind == responder.Notice) != notices
		}))
	}
	return needs{all: policyOf(d, catalogue, used), notices: parted(true), acting: parted(false), emails: slices.Contains(used, "SendEmail")}
}

// policyOf gives a statement a permission of each of the actions, but for what an
// earlier one allows already.
func policyOf(d *wiring.Definitions, catalogue responder.Catalogue, names []string) policyDocument {
	document := policyDocument{Version: "2012-10-17", Statement: []policyStatement{}}
	for _, name := range names {
		for i, p := range wiring.Permissions(d, catalogue, name) {
			sid := name
			if i > 0 {
				sid = fmt.Sprintf("%s%d", name, i+1)
			}
			statement := policyStatement{sid, "Allow", p.Actions, p.Resources, p.Condition}
			if !slices.ContainsFunc(document.Statement, statement.within) {
				document.Statement = append(document.Statement, statement)
			}
		}
	}
	return document
}

// within reports whether another statement allows all that this one does, of the
// same resources: what many actions look at is said once.
func (s policyStatement) within(other policyStatement) bool {
	return slices.Equal(s.Resource, other.Resource) && reflect.DeepEqual(s.Condition, other.Condition) &&
		!slices.ContainsFunc(s.Action, func(action string) bool { return !slices.Contains(other.Action, action) })
}

// printPolicy prints the document, which stays good to be given to IAM: what
// is to be said about it goes to stderr.
func (a *app) printPolicy(document policyDocument) error {
	if a.format == "json" {
		return a.printJSON(document)
	}
	if err := a.writeJSON(document, "  "); err != nil {
		return err
	}
	fmt.Fprintln(a.stderr, reportOf(document))
	return nil
}

// policyReport counts a policy's statements; its JSON is what --report gives.
type policyReport struct {
	Statements int `json:"statements"`
	Mutating   int `json:"mutating"` // statements that change things
	// Unbounded are the mutating ones on a bare `*` without a condition, by Sid.
	Unbounded []string `json:"mutating_on_everything"`
}

func reportOf(document policyDocument) policyReport {
	r := policyReport{Statements: len(document.Statement), Unbounded: []string{}}
	for _, s := range document.Statement {
		if !slices.ContainsFunc(s.Action, mutates) {
			continue
		}
		r.Mutating++
		if slices.Contains(s.Resource, "*") && len(s.Condition) == 0 {
			r.Unbounded = append(r.Unbounded, s.Sid)
		}
	}
	return r
}

func (r policyReport) String() string {
	text := fmt.Sprintf("%s · %d mutating · %d mutating on a bare *", count(r.Statements, "statement"), r.Mutating, len(r.Unbounded))
	for _, sid := range r.Unbounded {
		text += "\n  " + sid
	}
	return text
}

func (a *app) printReport(r policyReport) error {
	if a.format == "json" {
		return a.printJSON(r)
	}
	_, err := fmt.Fprintln(a.stdout, r)
	return err
}

// reading is an IAM action that only reads, by its verb. What is not known to
// read counts as mutating.
var reading = regexp.MustCompile(`^[a-z0-9-]+:(Get|BatchGet|List|Describe|Head|Query|Scan|Search|Lookup|View)([A-Z0-9*]|$)`)

// mutates reports whether an IAM action changes something.
func mutates(action string) bool { return !reading.MatchString(action) }
