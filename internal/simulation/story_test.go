package simulation

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/skycrafters/responder"
)

// outline shows what a write changed.
func outline(before, after *responder.Run) string {
	var parts []string
	for path, is := range after.Steps {
		was := before.Steps[path]
		if was != nil && was.State == is.State && len(was.Attempts) == len(is.Attempts) {
			continue
		}
		part := fmt.Sprintf("%s %s", path, is.State)
		if n := len(is.Attempts); n > 0 {
			part += fmt.Sprintf(" (attempt %d)", n)
		}
		if is.Error != "" {
			part += fmt.Sprintf(" %q", is.Error)
		}
		parts = append(parts, part)
	}
	slices.Sort(parts)
	text := fmt.Sprintf("%s; %s", after.State, strings.Join(parts, ", "))
	if !after.Lease.IsZero() {
		text += "; leased until " + after.Lease.Format("02 15:04:05")
	}
	if !after.Due.IsZero() {
		text += "; due " + after.Due.Format("02 15:04:05")
	}
	return text
}

// shorten leaves out decisions one by one as long as the promise is still
// broken, and gives what is left of them.
func shorten(t *testing.T, seed uint64, r result) (result, map[string]bool) {
	promise := r.violations[0].promise
	dropped := map[string]bool{}
	for progress := true; progress; {
		progress = false
		for _, decision := range slices.Backward(r.struck) {
			if dropped[decision] {
				continue
			}
			dropped[decision] = true
			shorter := history(t, seed, dropped, true)
			if slices.ContainsFunc(shorter.violations, func(v violation) bool { return v.promise == promise }) {
				r, progress = shorter, true
				continue
			}
			delete(dropped, decision)
		}
	}
	return r, dropped
}

// story tells a history that broke a promise, as short as it gets.
func story(t *testing.T, seed uint64, r result) string {
	short, dropped := shorten(t, seed, r)
	if len(dropped) == 0 {
		short = history(t, seed, nil, true)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %s\n", seed, short.violations[0].how)
	fmt.Fprintf(&b, "broken: %s\n", short.violations[0].promise)
	fmt.Fprintf(&b, "replay: go test ./internal/simulation -run TestHistories -seed %d -v\n\n", seed)
	fmt.Fprintf(&b, "flows.yml:\n%s\n", write(dice(seed), false))
	fmt.Fprintf(&b, "%d decisions are enough, of %d:\n", len(short.struck), len(r.struck))
	for _, decision := range short.struck {
		fmt.Fprintf(&b, "  %s\n", decision)
	}
	fmt.Fprintf(&b, "\nwhat happened:\n%s\n", strings.Join(short.told, "\n"))
	return b.String()
}
