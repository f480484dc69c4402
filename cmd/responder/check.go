package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skycrafters/responder/cmd/internal/wiring"
	"github.com/skycrafters/responder/detect"
)

func (a *app) checkCommand() *cobra.Command {
	var verbose bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check rules and flows: every error and warning with file, line and column",
		Args:  args(0, 0, "no arguments"),
		RunE:  func(*cobra.Command, []string) error { return a.check(verbose) },
	}
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "also say which rules cost more than others, and why")
	return cmd
}

func (a *app) check(verbose bool) error {
	definitions, problems := wiring.Load(a.rules, a.flows, a.catalogue(nil))
	errs, warnings := len(problems.Errors()), len(problems.Warnings())
	if a.format == "json" {
		for _, p := range problems {
			if err := a.printJSON(problemObject(p)); err != nil {
				return err
			}
		}
	} else {
		for _, p := range problems {
			fmt.Fprintln(a.stdout, clean(p.String()))
		}
		told := fmt.Sprintf("%s · %s", count(errs, "error"), count(warnings, "warning"))
		if definitions != nil {
			enabled := 0
			for _, f := range definitions.Flows.All() {
				if !f.Disabled {
					enabled++
				}
			}
			told = fmt.Sprintf("%s · %s · %s", count(definitions.Rules.Len(), "rule"), count(enabled, "flow"), told)
		}
		fmt.Fprintln(a.stdout, told)
	}
	if verbose && definitions != nil {
		if err := a.tellPaces(definitions.Rules.Paces()); err != nil {
			return err
		}
	}
	if errs > 0 {
		return &inputError{}
	}
	return nil
}

// paceJSON is how a rule is judged. Its keys are a contract.
type paceJSON struct {
	Rule  string   `json:"rule"`
	VM    []string `json:"vm"`          // what only expr's VM can judge
	Every bool     `json:"every_event"` // it is judged for every event
}

// tellPaces tells which rules are not judged by an index and an event's bytes
// alone.
func (a *app) tellPaces(paces []detect.Pace) error {
	fast := 0
	for _, p := range paces {
		if a.format == "json" {
			if err := a.printJSON(paceJSON{p.Rule, append([]string{}, p.Why...), p.Every}); err != nil {
				return err
			}
			continue
		}
		var told []string
		if p.Every {
			told = append(told, `judged for every event: what it begins with can be true of any; begin with what must be so, such as action == "iam:CreateUser" && …`)
		}
		if len(p.Why) > 0 {
			told = append(told, map[bool]string{true: "the event is", false: "where it can be true, the event is"}[p.Every]+" decoded for "+strings.Join(p.Why, ", "))
		}
		if len(told) == 0 {
			fast++
			continue
		}
		a.tell("", p.Rule+": "+strings.Join(told, "; "), uncoloured)
	}
	if a.format != "json" {
		a.tell("", fmt.Sprintf("%d of %s: judged by an event's bytes, and only where they can be true", fast, count(len(paces), "rule")), uncoloured)
	}
	return nil
}

// load loads rules and flows, tells what is wrong with them, and fails on errors.
func (a *app) load() (*wiring.Definitions, error) {
	definitions, problems := wiring.Load(a.rules, a.flows, a.catalogue(nil))
	a.tellProblems(problems, false)
	if definitions == nil {
		return nil, &inputError{fmt.Errorf("%s in rules and flows", count(len(problems.Errors()), "error"))}
	}
	return definitions, nil
}
