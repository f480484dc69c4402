package lang

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// span is a part of a text: what an expression inside a template is.
type span struct {
	text   Text
	offset int // characters into text.Value
}

// problem marks width characters from the offset-th of the span.
func (s span) problem(offset, width int, format string, args ...any) Problem {
	p := Problem{Message: fmt.Sprintf(format, args...), Width: max(width, 1)}
	if s.text.File != nil {
		p.File = s.text.File.Name
	}
	if s.text.Node == nil {
		p.Line, p.Column, p.Source = within(s.text.Value, s.offset+offset)
		return p
	}
	p.Line, p.Column = s.text.position(s.offset + offset)
	p.Source = s.text.File.line(p.Line)
	return p
}

// within gives line, column and line text of the offset-th character of value.
func within(value string, offset int) (line, column int, source string) {
	line, column = 1, 1
	lines := strings.Split(value, "\n")
	for _, r := range value {
		if offset == 0 {
			break
		}
		offset--
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
	}
	return line, column, lines[line-1]
}

// position finds where the offset-th character of the scalar's value stands in
// the file, by reading the source alongside the value: quotes, escapes, folded
// lines and indentation are passed over. Cost: linear in the offset.
func (t Text) position(offset int) (line, column int) {
	node := t.Node
	at := cursor{rest: t.File.from(node.Line, node.Column), line: node.Line, column: node.Column}
	block := node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
	switch {
	case block:
		at.skipLine()
		at.skipSpace()
	case node.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		at.next()
	}
	for _, want := range t.Value {
		if offset == 0 {
			break
		}
		offset--
		at.pass(want, node.Style)
	}
	if at.rest == "" && at.column == 1 { // ran over the end: stay on the node
		return node.Line, node.Column
	}
	at.settle()
	return at.line, at.column
}

// cursor reads a source, knowing its line and column.
type cursor struct {
	rest         string
	line, column int
}

func (c *cursor) peek() rune {
	if c.rest == "" {
		return 0
	}
	r, _ := utf8.DecodeRuneInString(c.rest)
	return r
}

func (c *cursor) next() rune {
	if c.rest == "" {
		return 0
	}
	r, size := utf8.DecodeRuneInString(c.rest)
	c.rest = c.rest[size:]
	c.column++
	if r == '\n' {
		c.line, c.column = c.line+1, 1
	}
	return r
}

func (c *cursor) skipLine() {
	for c.rest != "" && c.next() != '\n' {
	}
}

func (c *cursor) skipSpace() {
	for c.peek() == ' ' || c.peek() == '\t' || c.peek() == '\r' {
		c.next()
	}
}

// settle moves over a line break and the indentation after it, where the next
// character of the value would be.
func (c *cursor) settle() {
	trimmed := strings.TrimLeft(c.rest, " \t\r")
	if strings.HasPrefix(trimmed, "\n") {
		for c.peek() == ' ' || c.peek() == '\t' || c.peek() == '\r' || c.peek() == '\n' {
			c.next()
		}
	}
}

// pass moves over the source of one character of the value.
func (c *cursor) pass(want rune, style yaml.Style) {
	if want == ' ' || want == '\n' {
		if trimmed := strings.TrimLeft(c.rest, " \t\r"); strings.HasPrefix(trimmed, "\n") && (want == '\n' || c.peek() != ' ' || style == 0) {
			c.skipSpace()
			c.next()
			c.skipSpace()
			return
		}
	}
	switch {
	case style&yaml.SingleQuotedStyle != 0 && want == '\'':
		c.next()
		c.next()
	case style&yaml.DoubleQuotedStyle != 0 && c.peek() == '\\':
		c.next()
		switch c.next() {
		case 'x':
			c.skip(2)
		case 'u':
			c.skip(4)
		case 'U':
			c.skip(8)
		case '\n':
			c.skipSpace()
			c.pass(want, style)
		}
	default:
		c.next()
	}
}

func (c *cursor) skip(n int) {
	for range n {
		c.next()
	}
}

// from gives the file's content from a line and column (1-based) on.
func (f *File) from(line, column int) string {
	rest := f.behind(line)
	for ; column > 1 && rest != ""; column-- {
		_, size := utf8.DecodeRuneInString(rest)
		rest = rest[size:]
	}
	return rest
}
