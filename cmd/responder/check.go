package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/skycrafters/responder/cmd/internal/wiring"
)

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Check rules and flows: every error and warning with file, line and column",
		Args:  args(0, 0, "no arguments"),
		RunE:  func(*cobra.Command, []string) error { return a.check() },
	}
}

func (a *app) check() error {
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
	if errs > 0 {
		return &inputError{}
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
