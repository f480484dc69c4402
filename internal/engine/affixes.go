package engine

import (
	"cmp"
	"slices"
	"strings"
)

// affixes finds those of many beginnings that a text has, or of many ends: by
// one binary search, for in order, all beginnings of a text lie on the way from
// the one before it.
type affixes struct {
	end     bool // ends, not beginnings
	entries []affix
}

// affix is a beginning (or an end), and the rules that look for it.
type affix struct {
	text  string
	rules []int32
	inner int // the longest other entry that this one begins with; -1: none
}

func (a *affixes) add(text string, rule int32) {
	a.entries = append(a.entries, affix{text: text, rules: []int32{rule}})
}

// done puts the entries in order.
func (a *affixes) done() {
	slices.SortStableFunc(a.entries, func(x, y affix) int { return a.compare(x.text, y.text) })
	kept := a.entries[:0]
	for _, e := range a.entries {
		if n := len(kept) - 1; n >= 0 && kept[n].text == e.text {
			kept[n].rules = append(kept[n].rules, e.rules...)
			continue
		}
		e.inner = len(kept) - 1
		for e.inner >= 0 && !a.has(e.text, kept[e.inner].text) {
			e.inner = kept[e.inner].inner
		}
		kept = append(kept, e)
	}
	a.entries = kept
}

// has reports whether a text has that beginning, or end.
func (a *affixes) has(text, affix string) bool {
	if a.end {
		return strings.HasSuffix(text, affix)
	}
	return strings.HasPrefix(text, affix)
}

func (a *affixes) compare(x, y string) int {
	if !a.end {
		return strings.Compare(x, y)
	}
	for i, j := len(x)-1, len(y)-1; i >= 0 && j >= 0; i, j = i-1, j-1 {
		if x[i] != y[j] {
			return cmp.Compare(x[i], y[j])
		}
	}
	return cmp.Compare(len(x), len(y))
}

// hits are the rules that look for what a text has.
func (a *affixes) hits(f *frame, text string) {
	least, most := 0, len(a.entries) // the last entry that is not behind the text is in [least-1, most)
	for least < most {
		middle := (least + most) / 2
		if a.compare(a.entries[middle].text, text) <= 0 {
			least = middle + 1
		} else {
			most = middle
		}
	}
	for i := least - 1; i >= 0; i = a.entries[i].inner {
		if e := &a.entries[i]; a.has(text, e.text) {
			f.hit(e.rules)
		}
	}
}
