package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// full is a disk that takes so many bytes and no more.
type full struct{ left int }

func (f *full) Write(p []byte) (int, error) {
	n := min(f.left, len(p))
	f.left -= n
	if n < len(p) {
		return n, errors.New("no space left on device")
	}
	return n, nil
}

// TestUnwritten: a command whose output could not be written has failed.
func TestUnwritten(t *testing.T) {
	c := newCLI(t)
	c.run(exitDone, "run", "--once", "--data", c.data, repo+"events")
	for _, line := range []string{
		"check", "version", "--version", "--help", "policy", "runs list --data " + c.data, "replay " + repo + "events",
		"try true " + repo + "events", "run --once --data " + filepath.Join(c.dir, "other") + " " + repo + "events", "dlq list --data " + c.data,
		"run --once --format json --data " + filepath.Join(c.dir, "third") + " " + repo + "events",
	} {
		for _, room := range []int{0, 10} {
			var errs bytes.Buffer
			if got := c.app(strings.NewReader(""), &full{room}, &errs).run(t.Context(), c.args(strings.Fields(line))); got != exitFailed {
				t.Errorf("responder %s: exit %d, want %d", line, got, exitFailed)
			}
			if n := strings.Count(errs.String(), "no space left on device"); n != 1 {
				t.Errorf("responder %s says so %d times: %s", line, n, errs.String())
			}
		}
	}
}

const harmfulText = "a\x1b[31m\u009b31m\u202eb\u2066c\u007fd\u200b\u2028\U000e0041\ne\tf"

// TestHarmless: what others write cannot steer a terminal.
func TestHarmless(t *testing.T) {
	if got, want := clean(harmfulText), "abcd\ne\tf"; got != want {
		t.Errorf("clean gives %q, want %q", got, want)
	}
	if got, want := line(harmfulText, 100), "abcd e f"; got != want {
		t.Errorf("line gives %q, want %q", got, want)
	}
	var out bytes.Buffer
	if err := (&app{stdout: &out}).printJSON(map[string]string{harmfulText: "ü <" + harmfulText}); err != nil {
		t.Fatal(err)
	}
	const text = `a\u001b[31m\u009b31m\u202eb\u2066c\u007fd\u200b\u2028\udb40\udc41\ne\tf`
	if got, want := out.String(), `{"`+text+`":"ü <`+text+`"}`+"\n"; got != want {
		t.Errorf("printJSON gives %s, want %s", got, want)
	}
}

// TestHarmlessNames: a file's name stays on the line that tells of it.
func TestHarmlessNames(t *testing.T) {
	c := newCLI(t)
	name := "bad\nEXTREME forged\x1b[31m.jsonl"
	root := `{"eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin","eventTime":"2026-11-23T16:00:00Z","userIdentity":{"type":"Root"},"responseElements":{"ConsoleLogin":"Success"}}`
	c.write(name, root+"\n{\n{}\n")
	for _, line := range [][]string{{"replay"}, {"try", "RootLogin"}} {
		out, errs := c.run(exitInput, append(line, filepath.Join(c.dir, name))...)
		if strings.Contains(out+errs, "\nEXTREME forged") || strings.Contains(out+errs, "\x1b") {
			t.Errorf("the name breaks out of its line:\n%s%s", out, errs)
		}
		c.has(out+errs, "bad EXTREME forged.jsonl#1", "bad EXTREME forged.jsonl#2 (line 2)", "bad EXTREME forged.jsonl#3 (line 3)")
	}
}

func FuzzHarmless(f *testing.F) {
	f.Add(harmfulText)
	f.Fuzz(func(t *testing.T, text string) {
		var out bytes.Buffer
		if err := (&app{stdout: &out}).printJSON(text); err != nil {
			t.Fatal(err)
		}
		var back string
		if err := json.Unmarshal(out.Bytes(), &back); err != nil || utf8.ValidString(text) && back != text {
			t.Errorf("%q is written as %s, which says %q (%v)", text, out.String(), back, err)
		}
		if bytes.ContainsFunc(out.Bytes(), harmful) || bytes.Count(out.Bytes(), []byte("\n")) != 1 {
			t.Errorf("%q is written as %q", text, out.String())
		}
	})
}

// TestNobodyIsAtDevNull: it is a character device, as terminals are.
func TestNobodyIsAtDevNull(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	t.Setenv("TERM", "xterm")
	if isTerminal(null) {
		t.Error("/dev/null is taken for a terminal")
	}
}
