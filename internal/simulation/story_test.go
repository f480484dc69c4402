package simulation

import (
	"fmt"
	"maps"
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
		text += "; leased until " + after.Lease.Format("Jan 02 15:04:05")
	}
	if !after.Due.IsZero() {
		text += "; due " + after.Due.Format("Jan 02 15:04:05")
	}
	return text
}

// shorten leaves out decisions, many at once and then one by one, as long as
// a promise is broken, and gives the history that is left.
func shorten(t *testing.T, seed uint64, r result, o options, promise string) result {
	t.Helper()
	o.talks, o.dropped = true, map[string]bool{}
	without := func(decisions []string) {
		tried := o
		tried.dropped = maps.Clone(o.dropped)
		for _, decision := range decisions {
			tried.dropped[decision] = true
		}
		shorter := history(t, seed, tried)
		if shorter.breaks(promise) {
			r, o = shorter, tried
		}
	}
	for last := 0; last != len(r.struck); {
		last = len(r.struck)
		for size := last; size > 0; size /= 2 {
			for end := len(r.struck); end > 0; end = min(end-size, len(r.struck)) {
				without(r.struck[max(0, end-size):end])
			}
		}
	}
	return history(t, seed, o)
}

// breaks reports whether a promise was not kept.
func (r result) breaks(promise string) bool {
	return slices.ContainsFunc(r.violations, func(v violation) bool { return v.promise == promise })
}

// story tells a history that broke a promise.
func story(seed uint64, r result, promise string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d\nbroken: %s\n", seed, promise)
	for _, v := range r.violations {
		if v.promise == promise {
			fmt.Fprintf(&b, "how:    %s\n", v.how)
		}
	}
	fmt.Fprintf(&b, "replay: go test ./internal/simulation -run %s -seed %d -v\n\n", testOf(r.guarded), seed)
	fmt.Fprintf(&b, "flows.yml:\n%s\n", write(dice(seed), version{guarded: r.guarded}))
	fmt.Fprintf(&b, "%d decisions are enough:\n", len(r.struck))
	for _, decision := range r.struck {
		fmt.Fprintf(&b, "  %s\n", decision)
	}
	fmt.Fprintf(&b, "\nwhat happened:\n%s\n", strings.Join(r.told, "\n"))
	return b.String()
}
