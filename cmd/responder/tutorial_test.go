package main

import (
	"bufio"
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

var updateTutorial = flag.Bool("update-tutorial", false, "write what the commands of docs/first-repair.md gave into it")

const tutorial = repo + "docs/first-repair.md"

// TestMotoTutorial runs the commands of docs/first-repair.md in their order, in an
// empty folder, against moto, and wants them to give what the page shows.
//
//	```sh           runs; the block of text behind it is its output
//	```sh soon      the same, and again until it gives that: something else is at work
//	```sh beside    runs in another terminal, until the next of these
//	```sh by hand   is for readers alone
func TestMotoTutorial(t *testing.T) {
	endpoint := os.Getenv("RESPONDER_TEST_MOTO_ENDPOINT")
	if endpoint == "" {
		t.Skip("RESPONDER_TEST_MOTO_ENDPOINT is not set: docs/first-repair.md is not run")
	}
	aws, err := exec.LookPath(cmp.Or(os.Getenv("RESPONDER_TEST_AWS_CLI"), "aws"))
	if err != nil {
		t.Fatalf("docs/first-repair.md needs the AWS CLI: %v", err)
	}
	page, err := os.ReadFile(tutorial)
	if err != nil {
		t.Fatal(err)
	}
	s := newShellSession(t, endpoint, aws)
	parts := fences(string(page))
	ran := 0
	for i, p := range parts {
		if !strings.HasPrefix(p.info, "sh") || p.info == "sh by hand" {
			continue
		}
		want, shown := "", i+2 < len(parts) && parts[i+2].info == "text" && strings.TrimSpace(parts[i+1].text) == ""
		if shown {
			want = parts[i+2].text
		}
		got := s.run(p, want)
		ran++
		switch {
		case *updateTutorial && shown:
			parts[i+2].text = got
		case masked(got) != masked(want):
			t.Fatalf("%s:%d:\n%s\ngives:\n%s\nthe page shows:\n%s\nif that is right: go test ./cmd/responder -run Tutorial -update-tutorial", tutorial, p.line, p.text, got, want)
		}
	}
	if ran < 10 {
		t.Errorf("only %d blocks were run", ran)
	}
	if *updateTutorial {
		if err := os.WriteFile(tutorial, []byte(joined(parts)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// fence is a piece of a page: a fenced block, or, with no info, what is between two.
type fence struct {
	info, text string
	line       int
}

// fences parts a page: text and blocks in turns.
func fences(page string) []fence {
	all := []fence{{}}
	open := false
	for n, row := range strings.SplitAfter(page, "\n") {
		info, marks := strings.CutPrefix(strings.TrimRight(row, "\n"), "```")
		switch {
		case marks && !open:
			all, open = append(all, fence{info: info, line: n + 2}), true
		case marks:
			all, open = append(all, fence{}), false
		default:
			all[len(all)-1].text += row
		}
	}
	return all
}

func joined(parts []fence) string {
	var b strings.Builder
	for i, p := range parts {
		if i%2 == 0 {
			b.WriteString(p.text)
		} else {
			fmt.Fprintf(&b, "```%s\n%s```\n", p.info, p.text)
		}
	}
	return b.String()
}

// What differs from one run of the page to the next.
var differing = []struct{ form, mask string }{
	{`[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+Z?`, "TIME"},
	{`\bAKIA[A-Z0-9]{16}\b`, "KEY"},
	{`\b[0-9a-f]{64}\b`, "DIGEST"},
	{`127\.0\.0\.1:[0-9]+`, "ADDRESS"},
	{`"id":"[0-9a-zA-Z]+"`, "ID"},
	{` +\n`, "\n"},
}

func masked(text string) string {
	for _, d := range differing {
		text = regexp.MustCompile(d.form).ReplaceAllString(text, d.mask)
	}
	return strings.TrimSpace(text)
}

// shellSession is a shell that a page's commands are typed into.
type shellSession struct {
	t      *testing.T
	in     io.Writer
	out    *bufio.Reader
	names  *strings.Replacer // of this machine → of the page
	dir    string
	beside *exec.Cmd
	env    []string
}

func newShellSession(t *testing.T, endpoint, aws string) *shellSession {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, bin := t.TempDir(), t.TempDir()
	// Where it listens is nothing that the page shows: a port that is free.
	script := fmt.Sprintf("#!/bin/bash\nexport %s=1\nif [ \"$1\" = run ]; then shift; set -- run --listen 127.0.0.1:0 \"$@\"; fi\nexec %q \"$@\"\n", asResponder, exe)
	if err := os.WriteFile(filepath.Join(bin, "responder"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(aws, filepath.Join(bin, "aws")); err != nil {
		t.Fatal(err)
	}
	s := &shellSession{t: t, dir: dir}
	others := slices.DeleteFunc(os.Environ(), func(set string) bool { return strings.HasPrefix(set, "AWS_") })
	s.env = append(others, "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+dir, "NO_COLOR=1", "AWS_PAGER=", "AWS_ENDPOINT_URL="+endpoint,
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1")
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	s.names = strings.NewReplacer(filepath.Join(dir, "first-repair")+"/", "", "by "+me.Username+" ", "by you ", host, "your-machine")
	shell := exec.CommandContext(t.Context(), "bash", "--noprofile", "--norc")
	shell.Dir, shell.Env = dir, s.env
	in, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	shell.Stdout, shell.Stderr = w, w
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil { // so that its end is seen
		t.Fatal(err)
	}
	s.in, s.out = in, bufio.NewReader(r)
	t.Cleanup(func() {
		s.end()
		_ = in.Close()
		_ = shell.Wait()
		_ = r.Close()
	})
	return s
}

// tutorialPatience is how long something that is at work beside may take.
const tutorialPatience = 20 * time.Second

// run types a block, and gives what it gave.
func (s *shellSession) run(p fence, want string) string {
	s.t.Helper()
	if p.info == "sh beside" {
		return s.runBeside(p, want)
	}
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		got := s.names.Replace(s.typed(p))
		late := time.Since(began) > tutorialPatience || *updateTutorial && time.Since(began) > 3*time.Second
		if p.info != "sh soon" || masked(got) == masked(want) || late {
			return got
		}
	}
}

// typed runs commands in the shell, and wants them to succeed.
func (s *shellSession) typed(p fence) string {
	s.t.Helper()
	const over = "--- that was it:"
	fmt.Fprintf(s.in, "set -e\n%s\nset +e; echo '%s'\n", p.text, over)
	var b strings.Builder
	for {
		row, err := s.out.ReadString('\n')
		if strings.HasPrefix(row, over) {
			return b.String()
		}
		b.WriteString(row)
		if err != nil {
			s.t.Fatalf("%s:%d:\n%s\nfailed (%v):\n%s", tutorial, p.line, p.text, err, b.String())
		}
	}
}

// runBeside begins a command in another terminal, in the folder of the page.
func (s *shellSession) runBeside(p fence, want string) string {
	s.t.Helper()
	s.end()
	log, err := os.Create(filepath.Join(s.t.TempDir(), "beside"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.beside = exec.Command("bash", "-c", "exec "+p.text)
	s.beside.Dir, s.beside.Env = filepath.Join(s.dir, "first-repair"), s.env
	s.beside.Stdout, s.beside.Stderr = log, log
	if err := s.beside.Start(); err != nil {
		s.t.Fatal(err)
	}
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		data, err := os.ReadFile(log.Name())
		if err != nil {
			s.t.Fatal(err)
		}
		got := s.names.Replace(string(bytes.TrimLeft(data, "\n")))
		late := time.Since(began) > tutorialPatience || *updateTutorial && time.Since(began) > 5*time.Second
		if !*updateTutorial && masked(got) == masked(want) || late {
			return got
		}
	}
}

// end presses Ctrl-C in the other terminal.
func (s *shellSession) end() {
	if s.beside == nil {
		return
	}
	_ = s.beside.Process.Signal(syscall.SIGINT)
	if err := s.beside.Wait(); err != nil {
		s.t.Errorf("what ran beside ended with %v", err)
	}
	s.beside = nil
}
