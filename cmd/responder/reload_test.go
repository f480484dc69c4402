package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

const anyRule = "rules:\n  Any: event.source == \"x\"\n"

// TestReloads: whatever way files change, they are read again.
func TestReloads(t *testing.T) {
	link := func(t *testing.T, to, at string) {
		t.Helper()
		if err := os.Symlink(to, at+".new"); err != nil {
			t.Skipf("no links here: %v", err)
		}
		if err := os.Rename(at+".new", at); err != nil {
			t.Fatal(err)
		}
	}
	mkdir := func(t *testing.T, path string) {
		t.Helper()
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		before, change func(t *testing.T, c *cli)
		want           string
	}{
		"a folder made after the start": {
			func(t *testing.T, c *cli) { c.write("rules.yml", "include: [more/*/*.yml]\nrules: {}\n") },
			func(t *testing.T, c *cli) {
				mkdir(t, filepath.Join(c.dir, "more", "deep"))
				c.write("more/deep/any.yml", anyRule)
			},
			`Reloaded: 1 rule,`,
		},
		"a link that is turned": {
			func(t *testing.T, c *cli) {
				elsewhere := t.TempDir()
				for name, text := range map[string]string{"old.yml": "rules: {}\n", "new.yml": anyRule} {
					if err := os.WriteFile(filepath.Join(elsewhere, name), []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				c.env["ELSEWHERE"] = elsewhere
				link(t, filepath.Join(elsewhere, "old.yml"), filepath.Join(c.dir, "rules.yml"))
			},
			func(t *testing.T, c *cli) {
				link(t, filepath.Join(c.env["ELSEWHERE"], "new.yml"), filepath.Join(c.dir, "rules.yml"))
			},
			`Reloaded: 1 rule,`,
		},
		"what a link leads to": {
			func(t *testing.T, c *cli) {
				c.env["TARGET"] = filepath.Join(t.TempDir(), "rules.yml")
				if err := os.WriteFile(c.env["TARGET"], []byte("rules: {}\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				link(t, c.env["TARGET"], filepath.Join(c.dir, "rules.yml"))
			},
			func(t *testing.T, c *cli) {
				if err := os.WriteFile(c.env["TARGET"], []byte(anyRule), 0o600); err != nil {
					t.Fatal(err)
				}
			},
			`Reloaded: 1 rule,`,
		},
		"a mounted configuration": { // as Kubernetes changes one: rules.yml → ..data/rules.yml, ..data → ..1
			func(t *testing.T, c *cli) {
				for folder, text := range map[string]string{"..1": "rules: {}\n", "..2": anyRule} {
					mkdir(t, filepath.Join(c.dir, folder))
					c.write(filepath.Join(folder, "rules.yml"), text)
				}
				link(t, "..1", filepath.Join(c.dir, "..data"))
				link(t, filepath.Join("..data", "rules.yml"), filepath.Join(c.dir, "rules.yml"))
			},
			func(t *testing.T, c *cli) { link(t, "..2", filepath.Join(c.dir, "..data")) },
			`Reloaded: 1 rule,`,
		},
		"a folder that is taken away": {
			func(*testing.T, *cli) {},
			func(t *testing.T, c *cli) {
				if err := os.Rename(c.dir, c.dir+".gone"); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = os.RemoveAll(c.dir + ".gone") })
			},
			`the rules and flows from before stay in force`,
		},
		"a template": {
			func(*testing.T, *cli) {},
			func(t *testing.T, c *cli) { c.write("templates/SendSlack/mine.yml", "text: mine\n") },
			`Reloaded: 20 rules,`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCLI(t)
			c.data = t.TempDir()
			c.write("flows.yml", "flows: []\n")
			test.before(t, c)
			p := c.serve()
			test.change(t, c)
			p.out.wait(t, test.want)
		})
	}
}

// TestLook: a look sees every change by itself, whether or not it is told of one.
func TestLook(t *testing.T) {
	c := newCLI(t)
	a := c.app(nil, nil, nil)
	a.rules, a.flows = filepath.Join(c.dir, "rules.yml"), filepath.Join(c.dir, "flows.yml")
	touch := func(name string, at time.Time) {
		t.Helper()
		if err := os.Chtimes(filepath.Join(c.dir, name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		name    string
		do      func()
		changed bool
	}{
		{"nothing", func() {}, false},
		{"another file", func() { c.write("notes.txt", "x") }, false},
		{"a hidden folder", func() { _ = os.Mkdir(filepath.Join(c.dir, ".git"), 0o755); c.write(".git/x.yml", "x") }, false},
		{"a new file", func() { c.write("a.yml", "x") }, true},
		{"another time", func() { touch("a.yml", time.Unix(1, 0)) }, true},
		{"another size at the same time", func() { c.write("a.yml", "xy"); touch("a.yml", time.Unix(1, 0)) }, true},
		{"an empty folder", func() { _ = os.Mkdir(filepath.Join(c.dir, "sub"), 0o755) }, false},
		{"a file in it", func() { c.write("sub/b.yaml", "x") }, true},
		{"a link round in circles", func() { _ = os.Symlink("..", filepath.Join(c.dir, "sub", "up")) }, false},
		{"the file is gone", func() { _ = os.Remove(filepath.Join(c.dir, "sub", "b.yaml")) }, true},
		{"the rules are gone", func() { _ = os.Remove(a.rules) }, true},
	} {
		before := a.look()
		step.do()
		if after := a.look(); after.equal(before) == step.changed {
			t.Errorf("%s: seen as changed %v, want %v", step.name, !step.changed, step.changed)
		}
	}
}
