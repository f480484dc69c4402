package engine

import (
	"strconv"
	"testing"

	"github.com/skycrafters/responder/internal/lang"
)

// TestCrowd: many rules about one field, so that its index is all that it can
// be: beginnings of beginnings, many parts at once, equalities, patterns.
func TestCrowd(t *testing.T) {
	t.Run("of any length", func(t *testing.T) { crowd(t, 0, 12) })
	t.Run("of six letters and more", func(t *testing.T) { crowd(t, 6, 3) })
}

// crowd has texts of so many letters, and up to so many more.
func crowd(t *testing.T, least, more int) {
	g := newGenerator(11)
	letters := func() string {
		text := ""
		for range least + g.IntN(more) {
			text += g.one("a", "b", "é")
		}
		return text
	}
	var rules []ruleUnderTest
	for range 400 {
		text := strconv.Quote(letters())
		expression := "event.detail.a " + g.one("startsWith", "startsWith", "endsWith", "endsWith", "contains", "contains", "==", "matches") + " " + text
		switch g.IntN(8) {
		case 0:
			expression = "lower(event.detail.a) contains " + text
		case 1:
			expression = "glob(event.detail.a, [" + strconv.Quote("*"+letters()) + ", " + strconv.Quote(letters()+"*") + "])"
		case 2:
			expression = "event.detail.a matches " + strconv.Quote(g.one("(?i)", "^", "(?i)^", "")+letters()+g.one("", "$", "+"))
		}
		if p, _ := lang.Compile(lang.Plain(expression), testScope); p != nil { // nil: + of nothing
			rules = append(rules, ruleUnderTest{when: p})
		}
	}
	var events []string
	for range 400 {
		text := letters()
		for range least {
			text += letters()
		}
		if g.chance(3) {
			text += g.one("A", "B", "É", "abab", "\u212a") + letters()
		}
		events = append(events, `{"detail":{"a":`+strconv.Quote(text)+`}}`)
	}
	var seen tally
	if differs := differ(rules, events, &seen); differs != "" {
		t.Fatal(differs)
	}
	if seen.yes < 1000 || seen.refused > 0 || len(rules) < 300 {
		t.Errorf("it does not say much: %+v of %d rules", seen, len(rules))
	}
}
