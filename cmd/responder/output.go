package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/ansi"
	"github.com/skycrafters/responder/internal/lang"
)

// output remembers the first error of writing, so that no place that tells
// people something has to ask for it. Safe for concurrent use.
type output struct {
	to io.Writer

	mu    sync.Mutex
	first error
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.first != nil {
		return 0, o.first
	}
	n, err := o.to.Write(p)
	o.first = err
	return n, err
}

// err is the first error.
func (o *output) err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.first
}

// printJSON writes one object on a line.
func (a *app) printJSON(v any) error { return a.writeJSON(v, "") }

// writeJSON writes JSON that does a terminal no harm: what clean leaves out of
// texts is escaped here.
func (a *app) writeJSON(v any, indent string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := a.stdout.Write(escapeHarmful(b.Bytes()))
	return err
}

// escapeHarmful writes harmful characters of JSON, which can only stand in its
// texts, as \u009b.
func escapeHarmful(data []byte) []byte {
	if !bytes.ContainsFunc(data, harmful) {
		return data
	}
	escaped := make([]byte, 0, len(data)+16)
	for _, r := range string(data) {
		if harmful(r) {
			for _, unit := range utf16.Encode([]rune{r}) {
				escaped = fmt.Appendf(escaped, "\\u%04x", unit)
			}
		} else {
			escaped = utf8.AppendRune(escaped, r)
		}
	}
	return escaped
}

// harmful reports whether a character makes a terminal do something, shows text
// in another order than it stands in, or shows nothing at all.
func harmful(r rune) bool {
	if r == '\n' || r == '\t' {
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf) || r == 0x2028 || r == 0x2029
}

// clean makes a text from outside harmless to a terminal: control characters
// but newlines and tabs, those that turn the writing direction or show nothing, and
// terminal sequences as a whole are left out.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if harmful(r) {
			return -1
		}
		return r
	}, ansi.Strip(text))
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

// damaged gives "1 file or record", "2 files or records".
func damaged(n int) string {
	if n == 1 {
		return "1 file or record"
	}
	return fmt.Sprintf("%d files or records", n)
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
