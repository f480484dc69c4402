package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/cmd/internal/wiring"
)

func (a *app) policyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "policy",
		Short: "Print the least IAM policy that the enabled flows need",
		Long:  "Prints the IAM policy document that covers what the enabled flows can do, and nothing more: the\npermissions that their actions declare, those of the checks and repairs that their rules bind included. Repairs count\nwhere their flow says `repairs: live`: a dry one is never done.\nResources may hold CloudFormation's ${AWS::Region}, ${AWS::AccountId} and ${AWS::Partition}.",
		Args:  args(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			definitions, err := a.load()
			if err != nil {
				return err
			}
			return a.printPolicy(policyOf(definitions, a.catalogue(nil)))
		},
	}
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

// policyOf gives a statement a permission of each action in use, by name.
func policyOf(d *wiring.Definitions, catalogue responder.Catalogue) policyDocument {
	document := policyDocument{Version: "2012-10-17", Statement: []policyStatement{}}
	for _, name := range wiring.ActionsUsed(d, catalogue) {
		for i, p := range catalogue[name].Spec().Permissions {
			sid := name
			if i > 0 {
				sid = fmt.Sprintf("%s%d", name, i+1)
			}
			document.Statement = append(document.Statement, policyStatement{sid, "Allow", p.Actions, p.Resources, p.Condition})
		}
	}
	return document
}

func (a *app) printPolicy(document policyDocument) error {
	if a.format == "json" {
		return a.printJSON(document)
	}
	return a.writeJSON(document, "  ")
}
