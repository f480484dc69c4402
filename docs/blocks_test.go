package docs

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/detect"
	"github.com/skycrafters/responder/internal/lang"
)

// TestBlocks loads every YAML block of every page. What a block is, its first
// mark says:
//
//	rules, flows    a whole file; with `local`, as the local file over the shipped one
//	steps           the steps of a flow for UnauthorizedInstanceCreated
//	template        a template, by its second mark: SendSlack/short
//	bitten          rules that YAML bites, one a line; the block of rules behind
//	                it holds them quoted
//
// Blocks have no errors and no warnings, except that one marked `errors` has
// exactly those that the block of text behind it shows. A mark
// events/FILE=RULE,RULE says which rules see a sample; =none, that none does.
func TestBlocks(t *testing.T) {
	for _, page := range pages(t) {
		templates := map[string]string{}
		all := blocks(t, page)
		for i, b := range all {
			if b.lang != "yaml" {
				continue
			}
			t.Run(b.String(), func(t *testing.T) {
				files := maps.Clone(templates)
				var problems lang.Problems
				switch b.marks[0] {
				case "rules":
					files[nameOf(b, "rules")] = b.text
					var rules *detect.Rules
					rules, problems = loadRules(t, files)
					sees(t, b, rules)
				case "flows":
					files[nameOf(b, "flows")] = b.text
					_, problems = loadFlows(t, files)
				case "steps":
					files["flows.yml"] = asFlow(b.text)
					_, problems = loadFlows(t, files)
				case "template":
					templates["templates/"+b.marks[1]+".yml"] = b.text
				case "bitten":
					bitten(t, b, all[i+1])
				default:
					t.Fatal("the block does not say what it is")
				}
				want := ""
				if b.is("errors") {
					want = all[i+1].text
				}
				if got := problems.Error(); strings.TrimSpace(got) != strings.TrimSpace(want) {
					t.Errorf("problems:\n%s\nwant:\n%s", got, want)
				}
				if schema := b.marks[0]; !b.is("errors") && (schema == "rules" || schema == "flows") {
					if err := validate(t, schema, b.text); err != nil {
						t.Errorf("the schema refuses it: %v", err)
					}
				} else if schema == "steps" {
					if err := validate(t, "flows", asFlow(b.text)); err != nil {
						t.Errorf("the schema refuses it: %v", err)
					}
				}
			})
		}
	}
}

func nameOf(b block, name string) string {
	if b.is("local") {
		return name + ".local.yml"
	}
	return name + ".yml"
}

// sees checks the marks of samples.
func sees(t *testing.T, b block, rules *detect.Rules) {
	t.Helper()
	for _, mark := range b.marks {
		sample, want, isSample := strings.Cut(mark, "=")
		if !isSample || rules == nil {
			continue
		}
		event, err := responder.DecodeEvent([]byte(read(t, root+sample)))
		if err != nil {
			t.Fatal(err)
		}
		findings, failed := rules.Evaluate(event)
		if failed != nil {
			t.Errorf("%s: %v", sample, failed)
		}
		var names []string
		for _, f := range findings {
			names = append(names, f.Rule)
		}
		if got := strings.Join(names, ","); got != want && (got != "" || want != "none") {
			t.Errorf("%s is seen by %q, want %q", sample, got, want)
		}
	}
}

// bitten wants an error for each rule, and its quoted form as the hint.
func bitten(t *testing.T, b, quoted block) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(b.text), "\n")
	forms := strings.Split(strings.TrimSpace(quoted.text), "\n")[1:] // behind `rules:`
	if len(forms) != len(lines) {
		t.Fatalf("%d rules are bitten and %d are quoted", len(lines), len(forms))
	}
	for i, line := range lines {
		_, problems := loadRules(t, map[string]string{"rules.yml": "rules:\n  " + strings.TrimSpace(line) + "\n"})
		if err := problems.Err(); err == nil || !strings.Contains(err.Error(), "\n      "+strings.TrimSpace(forms[i])) {
			t.Errorf("%s\nis not answered with\n%s\nbut with\n%v", line, forms[i], err)
		}
	}
}

var (
	tryLine = regexp.MustCompile(`responder try '([^']+)'`)
	mdLink  = regexp.MustCompile(`\]\(([^)#]*)(#[^)]+)?\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
)

// TestTried compiles every expression that a page shows with `responder try`.
func TestTried(t *testing.T) {
	rules, problems := loadRules(t, nil)
	if rules == nil {
		t.Fatal(problems)
	}
	for _, page := range pages(t) {
		for _, m := range tryLine.FindAllStringSubmatch(read(t, page), -1) {
			if trial, problems := detect.NewTrial(rules, m[1]); trial == nil {
				t.Errorf("%s: %s: %v", page, m[1], problems)
			}
		}
	}
}

// TestLinks follows the links inside and between the pages.
func TestLinks(t *testing.T) {
	for _, page := range pages(t) {
		for _, m := range mdLink.FindAllStringSubmatch(read(t, page), -1) {
			target := m[1]
			if strings.Contains(target, "://") {
				continue
			}
			if target == "" {
				target = page
			}
			text := read(t, strings.TrimSuffix(target, "/"))
			if m[2] != "" && !slices.Contains(anchors(text), m[2]) {
				t.Errorf("%s: there is no %s in %s", page, m[2], target)
			}
		}
	}
}

// anchors are the places of a page's headings, as GitHub calls them.
func anchors(text string) []string {
	var all []string
	notInAnchor := regexp.MustCompile(`[^\pL\pN _-]`)
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		plain := notInAnchor.ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, "#"+strings.ReplaceAll(plain, " ", "-"))
	}
	return all
}

// TestNames: the pages name everything that an expression can use.
func TestNames(t *testing.T) {
	rules, flows := read(t, "rules.md"), read(t, "flows.md")
	for _, name := range lang.EventNames() {
		if !strings.Contains(rules, "\n| `"+name+"` |") {
			t.Errorf("rules.md does not have the name %s", name)
		}
	}
	for _, name := range append(lang.FindingNames(), "steps", "run") {
		if !strings.Contains(flows, "\n| `"+name+"` |") {
			t.Errorf("flows.md does not have the name %s", name)
		}
	}
}
