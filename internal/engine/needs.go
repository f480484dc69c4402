package engine

import (
	"cmp"
	"slices"
	"strings"
)

// met reports whether a condition is so of the event, or may be.
func (c *condition) met(f *frame) bool {
	v := f.get(c.slot)
	if v.kind == unknown {
		return true
	}
	isText := v.kind == isText
	switch c.is {
	case equals:
		return isText && v.text == c.text
	case begins:
		return isText && strings.HasPrefix(v.text, c.text)
	case ends:
		return isText && strings.HasSuffix(v.text, c.text)
	case holds:
		return isText && strings.Contains(v.text, c.text)
	case textual:
		return isText
	case isNumber:
		n, ok := v.number()
		return ok && n == c.n
	case truly:
		return v.kind == isTrue
	case falsely:
		return v.kind == isFalse
	case odd:
		return v.kind > isTrue
	case present:
		return v.kind != isNil
	}
	return false
}

// need is what must be so for a condition of a rule to come out as wanted, or
// to fail: at least one of these, and of each of the others, too. Where one of them
// is not so, it comes out otherwise, and does not fail. nil: nothing is known that
// must be so.
type need struct {
	any  []condition
	odds float64 // how likely an event has one of them, roughly
	also []*need // the rarest first, none rarer than this one; short ones, which have none themselves
}

// short reports whether looking at a need costs less than what it saves: judging
// a rule.
func (n *need) short() bool { return len(n.any) <= 4 }

// never is the need of what never comes out as wanted.
var never = &need{}

// either is the need of what comes out as wanted if one of two does.
func either(a, b *need) *need {
	if a == nil || b == nil {
		return nil
	}
	both := &need{any: merged(a.any, b.any), odds: a.odds + b.odds}
	for i := range max(len(a.also), len(b.also)) {
		a, b := a.other(i), b.other(i)
		if a.short() && b.short() {
			both.also = append(both.also, &need{any: merged(a.any, b.any), odds: a.odds + b.odds})
		}
	}
	return both
}

// other is one of what must be so besides, or where there are not as many, what
// is rarest.
func (n *need) other(i int) *need {
	if i < len(n.also) {
		return n.also[i]
	}
	return n
}

// merged is all of two lists, but for failures of slots of which there is another
// condition: that holds then as well.
func merged(a, b []condition) []condition {
	all := slices.Concat(a, b)
	for i := len(all) - 1; i >= 0; i-- {
		told := func(c condition) bool { return c.slot == all[i].slot && c.is != failing }
		if all[i].is == failing && slices.ContainsFunc(all, told) {
			all = slices.Delete(all, i, i+1)
		}
	}
	return all
}

// better is the rarest of two needs, each of which must be met, and besides those
// that are rarest then.
func better(a, b *need) *need {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	if b.odds < a.odds {
		a, b = b, a
	}
	also := slices.Concat([]*need{{any: b.any, odds: b.odds}}, a.also, b.also)
	also = slices.DeleteFunc(also, func(n *need) bool { return !n.short() })
	slices.SortStableFunc(also, func(x, y *need) int { return cmp.Compare(x.odds, y.odds) })
	return &need{any: a.any, odds: a.odds, also: also[:min(3, len(also))]}
}
