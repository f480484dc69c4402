// Package wiring puts rules, flows and actions together, the same way for every
// program under cmd. It decides nothing.
package wiring

import (
	"cmp"
	"os"
	"path/filepath"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/detect"
	"github.com/skycrafters/responder/dispatch"
	"github.com/skycrafters/responder/internal/lang"
)

// Definitions are rules and flows that were loaded together. Immutable.
type Definitions struct {
	Rules *detect.Rules
	Flows *dispatch.Flows
}

// Load loads rules and flows and checks them against each other. With errors
// among the problems, the definitions are nil.
func Load(rulesPath, flowsPath string, catalogue responder.Catalogue) (*Definitions, lang.Problems) {
	rules, problems := detect.LoadFile(rulesPath, catalogue)
	var infos []dispatch.RuleInfo // nil: rules that do not load are not held against the flows
	if rules != nil {
		infos = []dispatch.RuleInfo{}
		for _, r := range rules.Infos() {
			infos = append(infos, dispatch.RuleInfo{Name: r.Name, HasCheck: r.Check != "", HasRemediate: r.Remediate != "", When: r.When})
		}
	}
	dir, name := filepath.Split(flowsPath)
	flows, found := dispatch.Load(os.DirFS(cmp.Or(dir, ".")), name, dispatch.LoadOptions{Catalogue: catalogue, Rules: infos})
	problems = append(problems, found.Below(dir)...)
	if problems.Err() != nil {
		return nil, problems
	}
	return &Definitions{Rules: rules, Flows: flows}, problems
}
