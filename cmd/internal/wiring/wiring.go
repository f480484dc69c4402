// Package wiring puts rules, flows and actions together, the same way for every
// program under cmd. It decides nothing.
package wiring

import (
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

// LoadRules loads a rules file from disk; problems name files as path does.
func LoadRules(path string, catalogue responder.Catalogue) (*detect.Rules, lang.Problems) {
	dir, name := filepath.Split(path)
	rules, problems := detect.Load(os.DirFS(orHere(dir)), name, catalogue)
	return rules, placed(problems, dir)
}

// Load loads rules and flows and checks them against each other. With errors
// among the problems, the definitions are nil.
func Load(rulesPath, flowsPath string, catalogue responder.Catalogue) (*Definitions, lang.Problems) {
	rules, problems := LoadRules(rulesPath, catalogue)
	var infos []dispatch.RuleInfo // nil: rules that do not load are not held against the flows
	if rules != nil {
		infos = []dispatch.RuleInfo{}
		for _, r := range rules.Infos() {
			infos = append(infos, dispatch.RuleInfo{Name: r.Name, HasCheck: r.Check != "", HasRemediate: r.Remediate != "", When: r.When})
		}
	}
	dir, name := filepath.Split(flowsPath)
	flows, found := dispatch.Load(os.DirFS(orHere(dir)), name, dispatch.LoadOptions{Catalogue: catalogue, Rules: infos})
	problems = append(problems, placed(found, dir)...)
	if problems.Err() != nil {
		return nil, problems
	}
	return &Definitions{Rules: rules, Flows: flows}, problems
}

func orHere(dir string) string {
	if dir == "" {
		return "."
	}
	return dir
}

// placed puts the folder before the files' names.
func placed(problems lang.Problems, dir string) lang.Problems {
	for i := range problems {
		if problems[i].File != "" {
			problems[i].File = filepath.Join(dir, problems[i].File)
		}
	}
	return problems
}
