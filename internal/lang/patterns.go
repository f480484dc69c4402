package lang

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"sync"
	"unicode/utf8"
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
	glob string // what it was made of, "" if it was no glob, or is one that only the expression understands

	once     sync.Once
	compiled *regexp.Regexp
}

// MatchString reports whether the pattern is found in a text.
func (p *pattern) MatchString(text string) bool {
	if p.glob != "" {
		return globbed(p.glob, text)
	}
	p.once.Do(func() { p.compiled = regexp.MustCompile(p.text) }) // it has been parsed, and nothing else can fail
	return p.compiled.MatchString(text)
}

// Tree is the pattern as it was parsed. Read-only.
func (p *pattern) Tree() *syntax.Regexp { return p.tree }

// globbed is what the regular expression of a glob says of a text, in less time.
// Where both differ after a *, that takes one character more and all behind it
// is looked at again.
func globbed(glob, text string) bool {
	g, t := 0, 0
	star, from := -1, 0 // behind the last *; where what it takes ends
	for t < len(text) {
		switch {
		case g < len(glob) && glob[g] == '*':
			g++
			star, from = g, t
		case g < len(glob) && glob[g] == '?':
			g, t = g+1, t+characterLength(text[t:])
		case g < len(glob) && glob[g] == text[t]:
			g, t = g+1, t+1
		case star >= 0:
			from += characterLength(text[from:])
			g, t = star, from
		default:
			return false
		}
	}
	for g < len(glob) && glob[g] == '*' {
		g++
	}
	return g == len(glob)
}

// characterLength is how many bytes the first character of a text takes.
func characterLength(text string) int {
	_, size := utf8.DecodeRuneInString(text)
	return size
}

// newGlob is the pattern of a glob.
func newGlob(glob string) (*pattern, error) {
	p, err := newPattern(globPattern(glob))
	if err == nil && !strings.ContainsRune(glob, utf8.RuneError) { // which to the expression is any byte that is no character, too
		p.glob = glob
	}
	return p, err
}

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
