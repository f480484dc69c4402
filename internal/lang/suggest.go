package lang

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Suggest gives `did you mean "x"?` for the known name nearest to a mistyped
// one, or "".
func Suggest(name string, known []string) string { return suggest(name, known) }

func suggest(name string, known []string) string {
	best, distance := "", 1+max(1, min(len(name)/3, 3))
	for _, k := range slices.Sorted(slices.Values(known)) {
		d := editDistance(strings.ToLower(name), strings.ToLower(k))
		if len(name) > 2 && strings.HasPrefix(strings.ToLower(k), strings.ToLower(name)) {
			d = min(d, 1)
		}
		if d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", best)
}

// editDistance counts the single-character changes between a and b; two
// neighbours swapped count as one.
func editDistance(a, b string) int {
	before := make([]int, len(b)+1)
	previous := make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		current := make([]int, len(b)+1)
		current[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			current[j] = min(previous[j]+1, current[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				current[j] = min(current[j], before[j-2]+1)
			}
		}
		before, previous = previous, current
	}
	return previous[len(b)]
}

// keys gives a map's keys in order.
func keys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
