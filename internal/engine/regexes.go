package engine

import (
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	"github.com/skycrafters/responder/internal/lang"
)

// required is a text that must be in whatever a regular expression is found in.
type required struct {
	is   relation // where: at the beginning, the end, or anywhere
	text string   // "" if there is none
	fold bool     // upper and lower case are the same; text is ASCII in lower case
}

func requires(re *syntax.Regexp) required {
	switch re.Op {
	case syntax.OpLiteral:
		return requiresLiteral(re)
	case syntax.OpCapture:
		return requires(re.Sub[0])
	case syntax.OpPlus:
		r := requires(re.Sub[0])
		r.is = holds
		return r
	case syntax.OpConcat:
		return requiresOne(re.Sub)
	}
	return required{is: holds}
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

// requiresOne is the longest of what the parts of a concatenation require.
func requiresOne(parts []*syntax.Regexp) required {
	longest := required{is: holds}
	for i, part := range parts {
		r := requires(part)
		if len(r.text) <= len(longest.text) {
			continue
		}
		longest = r
		longest.is = holds
		switch {
		case part.Op != syntax.OpLiteral:
		case i == 1 && parts[0].Op == syntax.OpBeginText:
			longest.is = begins
		case i == len(parts)-2 && parts[i+1].Op == syntax.OpEndText:
			longest.is = ends
		}
	}
	return longest
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
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
