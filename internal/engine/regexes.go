package engine

import (
	"regexp/syntax"

	"github.com/skycrafters/responder/internal/lang"
)

// part is a text that must be in whatever a regular expression is found in, and
// where: at the beginning, the end, or anywhere. "" if there is none.
func part(re *syntax.Regexp) (is relation, text string) {
	if re.Op == syntax.OpLiteral && re.Flags&syntax.FoldCase == 0 {
		return holds, string(re.Rune)
	}
	switch re.Op {
	case syntax.OpCapture:
		return part(re.Sub[0])
	case syntax.OpPlus:
		_, text = part(re.Sub[0])
		return holds, text
	}
	if re.Op != syntax.OpConcat {
		return holds, ""
	}
	for i, sub := range re.Sub {
		literal := ""
		switch sub.Op {
		case syntax.OpLiteral:
			if sub.Flags&syntax.FoldCase == 0 {
				literal = string(sub.Rune)
			}
		case syntax.OpCapture, syntax.OpPlus:
			_, literal = part(sub)
		}
		if len(literal) <= len(text) {
			continue
		}
		is, text = holds, literal
		switch {
		case sub.Op != syntax.OpLiteral:
		case i == 1 && re.Sub[0].Op == syntax.OpBeginText:
			is = begins
		case i == len(re.Sub)-2 && re.Sub[i+1].Op == syntax.OpEndText:
			is = ends
		}
	}
	return is, text
}

// matcher is a regular expression, ready to be found in texts.
func matcher(pattern *lang.Regexp) func(text string) bool { return pattern.MatchString }

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
	case *lang.Regexp, lang.Patterns, *lang.Networks, *lang.Hours:
		return true
	}
	return isZone(constant)
}
