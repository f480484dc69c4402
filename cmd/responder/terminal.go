package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// terminalOf is the terminal that a stream of the app is, if people are at it; nil
// if it is none.
func terminalOf(stream any) *os.File {
	if o, ok := stream.(*output); ok {
		stream = o.to
	}
	f, ok := stream.(*os.File)
	if !ok {
		return nil
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 || os.Getenv("TERM") == "dumb" {
		return nil
	}
	null, err := os.Stat(os.DevNull)
	if err != nil || os.SameFile(info, null) {
		return nil
	}
	return f
}

// isTerminal reports whether a stream of the app is a terminal that people are at.
func isTerminal(stream any) bool { return terminalOf(stream) != nil }

// columns is how many characters stand on a line of a stream of the app: 0 if it is
// no terminal, or does not say.
func columns(stream any) int {
	f := terminalOf(stream)
	if f == nil {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// fits reports whether a text stands on one line of what is told.
func (a *app) fits(text string) bool {
	width := columns(a.stdout)
	return width == 0 || visible(text) <= width
}

// tell tells a text in lines that begin alike, as many as it takes: broken between
// its words where people are at a terminal, one elsewhere.
func (a *app) tell(indent, text string, colour func(string) string) {
	for _, row := range a.broken(indent, text) {
		fmt.Fprintln(a.stdout, strings.TrimRight(indent+colour(row), " "))
	}
}

// hang tells a text behind a lead, under which its further lines begin.
func (a *app) hang(lead, text string) {
	for _, row := range a.broken(lead, text) {
		fmt.Fprintln(a.stdout, strings.TrimRight(lead+row, " "))
		lead = strings.Repeat(" ", visible(lead))
	}
}

// broken is a text in as many lines as it takes behind a lead.
func (a *app) broken(lead, text string) []string {
	if a.fits(lead + text) {
		return []string{text}
	}
	return rows(text, columns(a.stdout)-visible(lead))
}

// uncoloured is no colour.
func uncoloured(text string) string { return text }
