package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"unicode"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/lang"
)

// printJSON writes one object on a line.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// isTerminal reports whether a stream of the app is a terminal that people are at.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

// clean makes a text from outside harmless to a terminal: control characters
// but newlines and tabs, and those that turn the writing direction, are left out.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		if unicode.IsControl(r) || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069 {
			return -1
		}
		return r
	}, text)
}

// line is clean on one line, cut to a width.
func line(text string, most int) string {
	text = strings.Join(strings.Fields(clean(text)), " ")
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

// paint colours text for a terminal; elsewhere it stays as it is.
type paint bool

func (a *app) paint() paint {
	return paint(isTerminal(a.stdout) && a.getenv("NO_COLOR") == "")
}

func (p paint) with(code, text string) string {
	if !p {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p paint) bold(text string) string   { return p.with("1", text) }
func (p paint) faint(text string) string  { return p.with("2", text) }
func (p paint) red(text string) string    { return p.with("31", text) }
func (p paint) green(text string) string  { return p.with("32", text) }
func (p paint) yellow(text string) string { return p.with("33", text) }

// severity is padded to the longest name.
func (p paint) severity(s responder.Severity) string {
	text := fmt.Sprintf("%-9s", s)
	switch {
	case s >= responder.VeryHigh:
		return p.with("1;31", text)
	case s == responder.High:
		return p.red(text)
	case s == responder.Medium:
		return p.yellow(text)
	}
	return p.faint(text)
}

// problemJSON is a problem as `--format json` gives it.
type problemJSON struct {
	Level   string `json:"level"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func problemObject(p lang.Problem) problemJSON {
	level := "error"
	if p.Warning {
		level = "warning"
	}
	return problemJSON{level, p.File, p.Line, p.Column, p.Message, p.Hint}
}

// tellProblems writes problems for people to stderr. Warnings too, if asked.
func (a *app) tellProblems(problems lang.Problems, warnings bool) {
	for _, p := range problems {
		if !p.Warning || warnings {
			fmt.Fprintln(a.stderr, clean(p.String()))
		}
	}
}

// count gives "1 event", "2 events".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if strings.HasSuffix(what, "match") {
		return fmt.Sprintf("%d %ses", n, what)
	}
	return fmt.Sprintf("%d %ss", n, what)
}
