package lang

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// File is a source of texts: a YAML file, or the command line.
type File struct {
	Name string // as shown to people
	Data []byte // not to be changed once a problem or a position was asked for

	once  sync.Once
	text  string
	lines []int // where each begins
}

// behind gives the file's content from line n (1-based) on, "" if it has none.
// The lines are looked for once: a file of many rules is asked for all of them.
func (f *File) behind(n int) string {
	f.once.Do(func() {
		f.text, f.lines = string(f.Data), make([]int, 1, 1+bytes.Count(f.Data, []byte("\n")))
		for i, c := range f.Data {
			if c == '\n' {
				f.lines = append(f.lines, i+1)
			}
		}
	})
	if n < 1 || n > len(f.lines) {
		return ""
	}
	return f.text[f.lines[n-1]:]
}

// Text is a text and where it was written. Only Value is required.
type Text struct {
	Value string
	File  *File
	Node  *yaml.Node // the scalar in File; nil: Value is File's whole content, or stands nowhere
}

// Plain is a text that stands in no file.
func Plain(value string) Text { return Text{Value: value} }

// Problem is something wrong (or, as a warning, doubtful) in a source.
type Problem struct {
	File    string // "" if it stands in no file
	Line    int    // 1-based; 0 if not known
	Column  int    // 1-based, in characters
	Width   int    // characters to mark, at least 1
	Warning bool
	Message string
	Hint    string // what to do, may be several lines
	Source  string // the line it stands on
}

// String shows the problem as people read it:
//
//	rules.yml:12:6: unknown name "acton"
//	   12 |   X: acton == "ec2:RunInstances"
//	      |      ^^^^^
//	      did you mean "action"?
//
// What may be a secret is shown as *.
func (p Problem) String() string {
	p = p.masked()
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
		}
		b.WriteString(": ")
	} else if p.Column > 0 {
		fmt.Fprintf(&b, "%d:%d: ", max(p.Line, 1), p.Column)
	}
	if p.Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(p.Message)
	if p.Line > 0 && p.Source != "" {
		source, column, width := clip(p.Source, p.Column, max(p.Width, 1))
		fmt.Fprintf(&b, "\n%5d | %s\n      | %s%s", p.Line, source, strings.Repeat(" ", column-1), strings.Repeat("^", width))
	}
	if p.Hint != "" {
		b.WriteString("\n      " + strings.ReplaceAll(p.Hint, "\n", "\n      "))
	}
	return b.String()
}

// masked is the problem without what may be a secret; its place stays.
func (p Problem) masked() Problem {
	p.Message, p.Hint, p.Source = mask(p.Message), mask(p.Hint), mask(p.Source)
	return p
}

// clip keeps a long line to what fits a terminal, around the marked part, and
// makes tabs one character wide so that the caret stands right.
func clip(source string, column, width int) (string, int, int) {
	const most = 110
	runes := []rune(strings.ReplaceAll(source, "\t", " "))
	column = min(max(column, 1), len(runes)+1)
	if len(runes) > most {
		from := max(0, min(column-1-most/3, len(runes)-most))
		to := min(len(runes), from+most)
		head, tail := "", ""
		if from > 0 {
			head = "…"
		}
		if to < len(runes) {
			tail = "…"
		}
		column += len([]rune(head)) - from
		runes = []rune(head + string(runes[from:to]) + tail)
	}
	width = max(1, min(width, len(runes)-column+1))
	return strings.TrimRight(string(runes), " "), column, width
}

// Problems is a list of problems; as an error it shows them all.
type Problems []Problem

func (ps Problems) Error() string {
	texts := make([]string, len(ps))
	for i, p := range ps {
		texts[i] = p.String()
	}
	return strings.Join(texts, "\n")
}

// Errors gives the problems that are not warnings.
func (ps Problems) Errors() Problems {
	return slices.DeleteFunc(slices.Clone(ps), func(p Problem) bool { return p.Warning })
}

// Warnings gives the warnings.
func (ps Problems) Warnings() Problems {
	return slices.DeleteFunc(slices.Clone(ps), func(p Problem) bool { return !p.Warning })
}

// Below puts a folder before the names of files.
func (ps Problems) Below(dir string) Problems {
	for i := range ps {
		if ps[i].File != "" {
			ps[i].File = filepath.Join(dir, ps[i].File)
		}
	}
	return ps
}

// Err is nil if there are only warnings, else the errors as one error.
func (ps Problems) Err() error {
	if errs := ps.Errors(); len(errs) > 0 {
		return errs
	}
	return nil
}

// Sort orders problems by file, line and column, drops what is said twice, and
// masks what may be a secret: what a loader gives goes to screens and logs.
func (ps Problems) Sort() Problems {
	for i, p := range ps {
		ps[i] = p.masked()
	}
	slices.SortStableFunc(ps, func(a, b Problem) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return slices.Compact(ps)
}

// Problem says something about a node of the file.
func (f *File) Problem(node *yaml.Node, format string, args ...any) Problem {
	p := Problem{Message: fmt.Sprintf(format, args...), Width: 1}
	if f != nil {
		p.File = f.Name
	}
	if node != nil {
		p.Line, p.Column = node.Line, node.Column
		if node.Kind == yaml.ScalarNode {
			p.Width = max(1, utf8.RuneCountInString(node.Value))
		}
		p.Source = f.line(node.Line)
	}
	return p
}

// Text is the scalar node as a text of the file.
func (f *File) Text(node *yaml.Node) Text { return Text{Value: node.Value, File: f, Node: node} }

// line gives line n (1-based) of the file, "" if it has none.
func (f *File) line(n int) string {
	if f == nil || n < 1 {
		return ""
	}
	line, _, _ := strings.Cut(f.behind(n), "\n")
	return strings.TrimRight(line, "\r")
}
