package engine

import (
	"cmp"
	"encoding/binary"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/skycrafters/responder/internal/lang"
)

// required is a text that must be in whatever a regular expression is found in.
type required struct {
	is   relation // where: at the beginning, the end, or anywhere
	text string   // "" if there is none
	fold bool     // upper and lower case are the same; text is ASCII in lower case
}

// requires gives up to two such texts, the longest first; at least one, if only
// the empty one.
func requires(re *syntax.Regexp) []required {
	switch re.Op {
	case syntax.OpLiteral:
		return []required{requiresLiteral(re)}
	case syntax.OpCapture:
		return requires(re.Sub[0])
	case syntax.OpPlus:
		r := requires(re.Sub[0])[0]
		r.is = holds
		return []required{r}
	case syntax.OpConcat:
		return requiresLongest(re.Sub)
	}
	return []required{{is: holds}}
}

func requiresLiteral(re *syntax.Regexp) required {
	text := string(re.Rune)
	if re.Flags&syntax.FoldCase == 0 {
		return required{is: holds, text: text}
	}
	if !isASCII(text) {
		return required{is: holds}
	}
	return required{is: holds, text: strings.ToLower(text), fold: true}
}

// requiresLongest is the longest of what the parts of a concatenation require.
func requiresLongest(parts []*syntax.Regexp) []required {
	var all []required
	for i, part := range parts {
		r := requires(part)[0]
		r.is = holds
		switch {
		case part.Op != syntax.OpLiteral:
		case i == 1 && parts[0].Op == syntax.OpBeginText:
			r.is = begins
		case i == len(parts)-2 && parts[i+1].Op == syntax.OpEndText:
			r.is = ends
		}
		if r.text != "" || i == 0 {
			all = append(all, r)
		}
	}
	slices.SortStableFunc(all, func(a, b required) int { return cmp.Compare(len(b.text), len(a.text)) })
	return all[:min(2, len(all))]
}

func isASCII(text string) bool {
	b := unsafe.Slice(unsafe.StringData(text), len(text))
	for ; len(b) >= 8; b = b[8:] {
		if binary.LittleEndian.Uint64(b)&highs != 0 {
			return false
		}
	}
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// matcher is a regular expression, ready to be found in texts.
func matcher(pattern *lang.Pattern) func(text string) bool { return pattern.MatchString }

// anyMatcher is a list of them.
func anyMatcher(patterns lang.Patterns) func(text string) bool {
	return func(text string) bool {
		for _, p := range patterns {
			if p.MatchString(text) {
				return true
			}
		}
		return false
	}
}

func isReady(constant any) bool {
	switch constant.(type) {
	case *lang.Pattern, lang.Patterns, *lang.Networks, *lang.Hours:
		return true
	}
	return isZone(constant)
}
