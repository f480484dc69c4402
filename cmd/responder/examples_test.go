package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/skycrafters/responder/detect"
)

const examples = repo + "examples/"

// example runs command lines over one of the folders under examples.
func example(t *testing.T, name string) *cli {
	t.Helper()
	return &cli{t: t, dir: examples + name, data: filepath.Join(t.TempDir(), "data"), env: map[string]string{"HOME": "/nonexistent"}}
}

// TestExamples: every folder checks clean, each of its rules sees its hits and
// no miss, and its flows run to their end.
func TestExamples(t *testing.T) {
	folders, err := os.ReadDir(examples)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, folder := range folders {
		if !folder.IsDir() {
			continue
		}
		count++
		t.Run(folder.Name(), func(t *testing.T) {
			c := example(t, folder.Name())
			out, _ := c.run(exitDone, "check")
			c.has(out, " · 0 errors · 0 warnings")
			for _, rule := range enabledRules(t, c) {
				c.sees(rule+".hit.json", rule)
				c.sees(rule+".miss.json", "")
			}
			c.succeeds()
			if _, err := os.Stat(filepath.Join(c.dir, "README.md")); err != nil {
				t.Error(err)
			}
		})
	}
	if count < 5 {
		t.Errorf("only %d examples were found", count)
	}
}

// enabledRules names the rules of an example; each sample file belongs to one.
func enabledRules(t *testing.T, c *cli) []string {
	t.Helper()
	rules, problems := detect.LoadFile(filepath.Join(c.dir, "rules.yml"), nil)
	if rules == nil {
		t.Fatal(problems)
	}
	var names []string
	for _, info := range rules.Infos() {
		if !info.Disabled {
			names = append(names, info.Name)
		}
	}
	samples, err := os.ReadDir(filepath.Join(c.dir, "events"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range samples {
		rule, _, _ := strings.Cut(s.Name(), ".")
		if !slices.Contains(names, rule) {
			t.Errorf("%s is of no rule", s.Name())
		}
	}
	return names
}

// sees wants every event of a sample file to be seen by one rule, and by no
// other; by none at all if rule is "".
func (c *cli) sees(sample, rule string) {
	c.t.Helper()
	path := filepath.Join(c.dir, "events", sample)
	trial, _ := c.run(exitDone, "try", "event", "--format", "json", path)
	events := len(objects(c.t, trial))
	if events == 0 {
		c.t.Errorf("%s holds no event", sample)
	}
	out, _ := c.run(exitDone, "replay", "--format", "json", path)
	seen := map[any]bool{}
	for _, finding := range objects(c.t, out) {
		seen[finding["record"]] = true
		if finding["rule"] != rule {
			c.t.Errorf("%s: record %v is seen by %v", sample, finding["record"], finding["rule"])
		}
	}
	if rule != "" && len(seen) != events {
		c.t.Errorf("%s: %d of %d events are seen", sample, len(seen), events)
	}
}

// succeeds runs all samples through, dry, and wants every run to succeed.
func (c *cli) succeeds() {
	c.t.Helper()
	out, _ := c.run(exitDone, "run", "--once", "--format", "json", "--data", c.data, filepath.Join(c.dir, "events"))
	all := objects(c.t, out)
	s := all[len(all)-1]
	runs, _ := s["runs"].(map[string]any)
	if s["rule_errors"] != 0.0 || s["dead"] != 0.0 || s["refused"] != 0.0 || len(runs) != 1 || runs["succeeded"] == nil {
		c.t.Errorf("the summary is %v", s)
	}
}

// TestExampleSeverities: in multi-account, production matters more.
func TestExampleSeverities(t *testing.T) {
	c := example(t, "multi-account")
	out, _ := c.run(exitDone, "replay", "--format", "json", filepath.Join(c.dir, "events"))
	var got []string
	for _, finding := range objects(t, out) {
		got = append(got, finding["severity"].(string)+" "+finding["account"].(string))
	}
	want := []string{"MEDIUM 111122223333", "LOW 444455556666", "LOW 012345670123", "HIGH 111122223333", "LOW 012345670123"}
	if !slices.Equal(got, want) {
		t.Errorf("severities are %q, want %q", got, want)
	}
}

// TestExampleFlows: which flows run, and what they would do.
func TestExampleFlows(t *testing.T) {
	for name, want := range map[string][]string{
		"slack-on-root-login": {"RootLogin 1"},
		"multi-account":       {"elsewhere 1", "production 2"}, // the sandbox is nobody's
		"guardduty":           {"GuardDutyFinding 2"},          // the same finding sent again makes no second run
		"terminate-untagged":  {"UntaggedInstance 2"},
		"original":            {"NonCompliantUserCreated 1", "RootLogin 1"},
	} {
		c := example(t, name)
		c.run(exitDone, "run", "--once", "--data", c.data, filepath.Join(c.dir, "events"))
		out, _ := c.run(exitDone, "runs", "list", "--data", c.data, "--format", "json")
		counts := map[string]int{}
		for _, run := range objects(t, out) {
			counts[run["flow"].(string)]++
		}
		var got []string
		for flow, n := range counts {
			got = append(got, fmt.Sprintf("%s %d", flow, n))
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: runs are %q, want %q", name, got, want)
		}
	}
	c := example(t, "terminate-untagged")
	out, _ := c.run(exitDone, "run", "--once", "--data", c.data, filepath.Join(c.dir, "events"))
	c.has(out, "UntaggedInstance", "SendSlack", "wait 30m", "i-0a1b2c3d4e5f60001")
}
