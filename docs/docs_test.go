// Package docs holds the reference, and the tests that hold it to the code:
// every example is loaded, every table that can be made is made from the code.
//
//	go test ./docs -update
//
// writes docs/actions.md, the marked parts of the other files, and schemas/ anew.
package docs

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
	"github.com/skycrafters/responder/detect"
	"github.com/skycrafters/responder/dispatch"
	"github.com/skycrafters/responder/internal/lang"
)

var update = flag.Bool("update", false, "write what is made from the code anew")

const root = "../"

// pages are the files whose blocks are tested.
func pages(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("*.md")
	if err != nil || len(names) < 3 {
		t.Fatalf("pages: %v, %v", names, err)
	}
	return names
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// same wants a file to hold a text, or with -update writes it.
func same(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s is not what the code says (%v): run go test ./docs -update", path, err)
	}
}

// block is a fenced block of a page. Its marks are the words behind the
// language: ```yaml rules events/root-login.json=RootLogin
type block struct {
	page  string
	line  int
	lang  string
	marks []string
	text  string
}

func (b block) String() string { return fmt.Sprintf("%s:%d", b.page, b.line) }

// is reports whether the block has a mark.
func (b block) is(mark string) bool {
	for _, m := range b.marks {
		if m == mark {
			return true
		}
	}
	return false
}

// blocks reads the fenced blocks of a page.
func blocks(t *testing.T, page string) []block {
	t.Helper()
	var all []block
	open := false
	for i, line := range strings.Split(read(t, page), "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && !open:
			words := append(strings.Fields(fence), "")
			all = append(all, block{page: page, line: i + 1, lang: words[0], marks: words[1:]})
			open = true
		case isFence:
			open = false
		case open:
			all[len(all)-1].text += line + "\n"
		}
	}
	if open {
		t.Fatalf("%s: a block is not closed", page)
	}
	return all
}

func catalogue() responder.Catalogue { return actions.New(actions.Deps{}) }

// shipped is a file system with the shipped files, a pack to include, and more.
func shipped(t *testing.T, more map[string]string) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{"packs/aws.yml": {Data: []byte("rules: {Packed: ok}\n")}}
	for _, name := range []string{"rules.yml", "rules/self.yml", "flows.yml", "templates/SendSlack/aws-event.yml", "templates/SendTeams/aws-event.yml"} {
		files[name] = &fstest.MapFile{Data: []byte(read(t, root+name))}
	}
	for name, text := range more {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

func loadRules(t *testing.T, more map[string]string) (*detect.Rules, lang.Problems) {
	t.Helper()
	return detect.Load(shipped(t, more), "rules.yml", catalogue())
}

// loadFlows loads flows against the shipped rules.
func loadFlows(t *testing.T, more map[string]string) (*dispatch.Flows, lang.Problems) {
	t.Helper()
	rules, problems := loadRules(t, nil)
	if rules == nil {
		t.Fatal(problems)
	}
	infos := []dispatch.RuleInfo{}
	for _, r := range rules.Infos() {
		infos = append(infos, dispatch.RuleInfo{Name: r.Name, HasCheck: r.Check != "", HasRemediate: r.Remediate != ""})
	}
	return dispatch.Load(shipped(t, more), "flows.yml", dispatch.LoadOptions{Catalogue: catalogue(), Rules: infos})
}

// asFlow is a list of steps as a file of flows.
func asFlow(steps string) string {
	return "flows:\n  - name: example\n    rule: UnauthorizedInstanceCreated\n    sequential:\n" + indent(steps, "      ")
}

func indent(text, by string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(by + line)
	}
	return b.String()
}
