package lang

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Limits on one YAML file.
const (
	maxYAMLBytes = 8 << 20
	maxYAMLDepth = 100
)

// ParseYAML reads a file's one document. The node is nil for an empty file, and
// with errors. Refused beyond YAML's own rules: keys given twice, anchors and
// aliases (an unquoted expression beginning with & or * looks like one), tags,
// a second document. Errors of syntax say how to quote what YAML took for itself.
func ParseYAML(file *File) (*yaml.Node, Problems) {
	if len(file.Data) > maxYAMLBytes {
		return nil, Problems{file.Problem(nil, "the file has %d bytes; at most %d are read", len(file.Data), maxYAMLBytes)}
	}
	if !utf8.Valid(file.Data) {
		return nil, Problems{file.Problem(nil, "the file is not valid UTF-8")}
	}
	root, problems := file.document()
	if root == nil {
		return nil, problems
	}
	problems = file.inspect(root, 0)
	if problems.Err() != nil {
		return nil, problems.Sort()
	}
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, problems
	}
	return root, problems.Sort()
}

// document gives the root of the file's one document, nil if it is empty.
func (f *File) document() (*yaml.Node, Problems) {
	if rest, lists := cutLists(f.Data); lists != nil {
		root, problems := f.decode(rest)
		if root != nil && problems == nil {
			if left, ok := fillLists(root, lists); ok && len(left) == 0 {
				return root, nil
			}
		}
	}
	return f.decode(f.Data)
}

// decode is document of bytes that stand where the file's do.
func (f *File) decode(data []byte) (*yaml.Node, Problems) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	err := safely(func() error { return decoder.Decode(&document) })
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, Problems{f.syntax(err)}
	}
	if err := safely(func() error { return decoder.Decode(&second) }); err == nil {
		return nil, Problems{f.Problem(&second, "a second document begins here: one file is one document")}
	} else if !errors.Is(err, io.EOF) {
		return nil, Problems{f.syntax(err)}
	}
	return document.Content[0], nil
}

// safely turns a panic of the YAML library into an error.
func safely(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: %v", r)
		}
	}()
	return f()
}

// inspect refuses what this product's files do not use.
func (f *File) inspect(node *yaml.Node, depth int) Problems {
	var problems Problems
	bite := func(format string, args ...any) {
		p := f.Problem(node, format, args...)
		p.Width, p.Hint = 1, f.mendedLine(node.Line)
		problems = append(problems, p)
	}
	switch {
	case depth > maxYAMLDepth:
		return Problems{f.Problem(node, "nested deeper than %d", maxYAMLDepth)}
	case node.Kind == yaml.AliasNode:
		bite("YAML reads a leading * as an alias")
		return problems
	case node.Anchor != "":
		bite("YAML reads a leading & as an anchor")
	case node.Style&yaml.TaggedStyle != 0:
		bite("YAML reads a leading ! as a tag")
	}
	if node.Kind == yaml.MappingNode {
		seen := map[string]*yaml.Node{}
		for i := 0; i+1 < len(node.Content); i += 2 {
			k := node.Content[i]
			if k.Kind != yaml.ScalarNode {
				problems = append(problems, f.strangeKey(k))
				continue
			}
			if first := seen[k.Value]; first != nil {
				problems = append(problems, f.Problem(k, "%q is given twice, first in line %d", k.Value, first.Line))
			}
			seen[k.Value] = k
		}
	}
	for _, child := range node.Content {
		problems = append(problems, f.inspect(child, depth+1)...)
	}
	return problems
}

// Expression gives a node as the text of an expression, with problems where
// YAML took it for something else.
func (f *File) Expression(node *yaml.Node) (Text, Problems) {
	if node.Kind == yaml.ScalarNode && node.Tag != "!!null" {
		return f.Text(node), nil
	}
	p := f.Problem(node, "an expression must be a text")
	if node.Kind == yaml.ScalarNode {
		p.Message = "an expression is missing here"
	}
	if node.Kind != yaml.ScalarNode {
		p.Hint = "write it without [ ] or { }; one that begins with [ or { of its own must stand in single quotes"
	}
	return Text{}, Problems{p}
}

// strangeKey is a key that is no text; unquoted, {{ x }} is an object whose key
// is an object.
func (f *File) strangeKey(key *yaml.Node) Problem {
	p := f.Problem(key, "a key must be a text")
	if strings.HasPrefix(f.from(key.Line, key.Column-1), "{{") {
		p.Column, p.Width = key.Column-1, 2
		p.Hint = f.mendedLine(key.Line)
	}
	return p
}

// Decode gives a node as map[string]any, []any, string, bool, int, float64 or
// nil. Only true and false are bools; a number with a leading zero, such as an
// account id, and dates stay texts. Keys are the text as written.
func Decode(node *yaml.Node) any {
	return decode(node, scalar)
}

// DecodeText is Decode with every scalar but null as the text that was written.
func DecodeText(node *yaml.Node) any {
	return decode(node, func(node *yaml.Node) any {
		if node.Tag == "!!null" && node.Style == 0 {
			return nil
		}
		return node.Value
	})
}

func decode(node *yaml.Node, leaf func(*yaml.Node) any) any {
	if node == nil {
		return nil
	}
	switch node.Kind {
	case yaml.MappingNode:
		object := make(map[string]any, len(node.Content)/2)
		for i := 0; i+1 < len(node.Content); i += 2 {
			object[node.Content[i].Value] = decode(node.Content[i+1], leaf)
		}
		return object
	case yaml.SequenceNode:
		list := make([]any, len(node.Content))
		for i, child := range node.Content {
			list[i] = decode(child, leaf)
		}
		return list
	case yaml.ScalarNode:
		return leaf(node)
	}
	return nil
}

func scalar(node *yaml.Node) any {
	if node.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return node.Value
	}
	switch node.Tag {
	case "!!null":
		return nil
	case "!!bool":
		return node.Value == "true" || node.Value == "True" || node.Value == "TRUE"
	case "!!int":
		if n, err := strconv.Atoi(node.Value); err == nil && strconv.Itoa(n) == node.Value {
			return n
		}
	case "!!float":
		if n, err := strconv.ParseFloat(node.Value, 64); err == nil {
			return n
		}
	}
	return node.Value
}

// CompileNode compiles a node of a file as Decode gives it, its texts as
// templates; problems stand where they were written.
func CompileNode(file *File, node *yaml.Node, scope Scope) (*Tree, Problems) {
	var problems Problems
	compiled := compileNode(file, node, scope, &problems)
	if problems.Err() != nil {
		return nil, problems
	}
	return &Tree{value: compiled}, problems
}

func compileNode(file *File, node *yaml.Node, scope Scope, problems *Problems) any {
	switch node.Kind {
	case yaml.MappingNode:
		object := make(map[string]any, len(node.Content)/2)
		for i := 0; i+1 < len(node.Content); i += 2 {
			object[node.Content[i].Value] = compileNode(file, node.Content[i+1], scope, problems)
		}
		return object
	case yaml.SequenceNode:
		list := make([]any, len(node.Content))
		for i, child := range node.Content {
			list[i] = compileNode(file, child, scope, problems)
		}
		return list
	}
	value := Decode(node)
	if _, ok := value.(string); !ok {
		return value
	}
	t, found := CompileTemplate(file.Text(node), scope)
	*problems = append(*problems, found...)
	return t
}
