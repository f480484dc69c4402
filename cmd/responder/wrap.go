package main

import (
	"fmt"
	"strings"
)

// lineWidth is what long texts are broken at: 79 characters, or what a narrower
// terminal shows.
func (a *app) lineWidth() int {
	const usual = 79
	if width := columns(a.stdout); width > 0 {
		return min(usual, width)
	}
	return usual
}

// fact tells what something is, under a name, in lines that stand under each other.
func (a *app) fact(indent, name, text string) {
	a.factIn(func(row string) string { return row }, indent, name, text)
}

// factIn is fact in a colour.
func (a *app) factIn(colour func(string) string, indent, name, text string) {
	lead := fmt.Sprintf("%s%-10s ", indent, name)
	rest := strings.Repeat(" ", visible(lead))
	for i, row := range rows(clean(text), a.lineWidth()-visible(lead)) {
		if i > 0 {
			lead = rest
		}
		fmt.Fprintln(a.stdout, strings.TrimRight(lead+colour(row), " "))
	}
}

// wrapped tells a text in lines that begin alike.
func (a *app) wrapped(indent, mark, text string) {
	for _, row := range rows(text, a.lineWidth()-visible(indent+mark)) {
		fmt.Fprintln(a.stdout, strings.TrimRight(indent+mark+row, " "))
	}
}

// rows breaks a text of one line between its words, and keeps what it begins with.
// A word that is too long stays whole.
func rows(text string, width int) []string {
	words := strings.Fields(text)
	if len(words) == 0 {
		return []string{""}
	}
	lead := text[:strings.Index(text, words[0])]
	all := []string{lead + words[0]}
	for _, word := range words[1:] {
		last := &all[len(all)-1]
		if visible(*last)+1+visible(word) > width {
			all = append(all, lead+word)
		} else {
			*last += " " + word
		}
	}
	return all
}
