package lang

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"sync"
)

// maxPattern is how large a regular expression may be: matching takes at most
// its size times the length of the text, so this bounds it to some seconds for
// the longest event there is, and to milliseconds for what rules are made of.
const maxPattern = 10_000

var errLargePattern = errors.New("the pattern is too large: repeat less, or split it")

// pattern is a regular expression. It is checked when it is made, and compiled
// when it is first used: of thousands most are never. Safe for concurrent use.
type pattern struct {
	text string
	tree *syntax.Regexp

	once     sync.Once
	compiled *regexp.Regexp
}

// MatchString reports whether the pattern is found in a text.
func (p *pattern) MatchString(text string) bool {
	p.once.Do(func() { p.compiled = regexp.MustCompile(p.text) }) // it has been parsed, and nothing else can fail
	return p.compiled.MatchString(text)
}

// Tree is the pattern as it was parsed. Read-only.
func (p *pattern) Tree() *syntax.Regexp { return p.tree }

// newPattern checks a regular expression, one of an event's making too.
func newPattern(text string) (*pattern, error) {
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
	return &pattern{text: text, tree: tree}, nil
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
