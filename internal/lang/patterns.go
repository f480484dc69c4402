package lang

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
)

// maxPattern is how large a regular expression may be: matching takes at most
// its size times the length of the text, so this bounds it to some seconds for
// the longest event there is, and to milliseconds for what rules are made of.
const maxPattern = 10_000

var errLargePattern = errors.New("the pattern is too large: repeat less, or split it")

// compilePattern compiles a regular expression, one of an event's making too.
func compilePattern(text string) (*regexp.Regexp, error) {
	if len(text) > maxExpression {
		return nil, errLargePattern
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("not a regular expression: %v", err)
	}
	if patternSize(tree) > maxPattern {
		return nil, errLargePattern
	}
	pattern, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("not a regular expression: %v", err)
	}
	return pattern, nil
}

// patternSize is about how many steps a regular expression is compiled to.
func patternSize(re *syntax.Regexp) int {
	size := 1 + len(re.Rune)
	if re.Op == syntax.OpCharClass {
		size = 2
	}
	for _, sub := range re.Sub {
		size += patternSize(sub)
	}
	if re.Op == syntax.OpRepeat {
		size *= max(re.Min+1, re.Max)
	}
	return min(size, maxPattern+1) // no product overflows
}
