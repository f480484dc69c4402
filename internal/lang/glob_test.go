package lang

import (
	"math/rand/v2"
	"regexp"
	"testing"
)

// TestGlobs: a glob says of a text what its regular expression says.
func TestGlobs(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	parts := []string{"*", "*", "?", "?", "a", "b", "ab", "é", "€", "\\", ".", "\n", "\ufffd", "\xff", "["}
	some := func(most int) (out string) {
		for range random.IntN(most) {
			out += parts[random.IntN(len(parts))]
		}
		return out
	}
	matched := 0
	for i := range 60_000 {
		glob, text := some(7), some(5)
		if i == 0 {
			glob, text = "*??ab", "€ab" // no two characters, but bytes enough
		}
		if i > 0 && random.IntN(2) == 0 { // a text that it may match
			text = ""
			for _, c := range glob {
				switch c {
				case '*':
					text += some(4)
				case '?':
					text += parts[random.IntN(len(parts))]
				default:
					text += string(c)
				}
			}
		}
		p, err := newGlob(glob)
		if err != nil {
			continue // no text at all
		}
		want := regexp.MustCompile(globPattern(glob)).MatchString(text)
		if got := p.MatchString(text); got != want {
			t.Fatalf("glob %q of %q: %v, its expression says %v", glob, text, got, want)
		}
		if want {
			matched++
		}
	}
	if matched < 6_000 {
		t.Errorf("only %d match: nothing is shown", matched)
	}
}
