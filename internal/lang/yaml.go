package lang

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
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
	decoder := yaml.NewDecoder(bytes.NewReader(file.Data))
	var document, second yaml.Node
	err := safely(func() error { return decoder.Decode(&document) })
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, Problems{file.syntax(err)}
	}
	if err := safely(func() error { return decoder.Decode(&second) }); err == nil {
		return nil, Problems{file.Problem(&second, "a second document begins here: one file is one document")}
	} else if !errors.Is(err, io.EOF) {
		return nil, Problems{file.syntax(err)}
	}
	root := document.Content[0]
	problems := file.inspect(root, 0)
	if problems.Err() != nil {
		return nil, problems.Sort()
	}
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, problems
	}
	return root, problems.Sort()
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
		p.Width, p.Hint = 1, f.quoted(node.Line)
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
				problems = append(problems, f.Problem(k, "a key must be a text"))
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

var (
	yamlLine      = regexp.MustCompile(`line (\d+): (?s)(.*)`)
	unknownAnchor = regexp.MustCompile(`unknown anchor '(.*)' referenced`)
)

// syntax places an error of the YAML library, and recognises the one-liners
// that YAML bites.
func (f *File) syntax(err error) Problem {
	p := f.Problem(nil, "not valid YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	line := 0
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		line, _ = strconv.Atoi(m[1])
		p.Message = "not valid YAML: " + m[2]
	} else if m := unknownAnchor.FindStringSubmatch(err.Error()); m != nil {
		before, _, _ := strings.Cut(string(f.Data), "*"+m[1])
		line = 1 + strings.Count(before, "\n")
	} else {
		return p
	}
	// The library counts from 0 in some errors and from 1 in others, and some
	// name the line after: look for the likeliest culprit around.
	for _, candidate := range []int{line, line + 1, line - 1} {
		if hint := f.quoted(candidate); hint != "" {
			p.Hint = hint
			line = candidate
			break
		}
	}
	p.Line = max(line, 1)
	p.Source = f.line(p.Line)
	p.Column = 1 + len(p.Source) - len(strings.TrimLeft(p.Source, " "))
	if m := oneLiner.FindStringSubmatchIndex(p.Source); m != nil && p.Hint != "" {
		p.Column = 1 + utf8.RuneCountInString(p.Source[:m[4]])
	}
	p.Width = max(1, utf8.RuneCountInString(strings.TrimRight(p.Source, " "))-p.Column+1)
	return p
}

// oneLiner is a line `key: text` or `- text`; the text is what may be bitten.
var oneLiner = regexp.MustCompile(`^(\s*(?:- )*(?:[\w.*"'-]+:\s+|- ))(\S.*)$`)

// bites says why YAML does not take a text as it stands, "" if it does.
func bites(text string) string {
	quotedWhole := len(text) > 1 && (text[0] == '\'' || text[0] == '"') && text[len(text)-1] == text[0]
	switch {
	case text == "":
		return ""
	case strings.ContainsRune("*&!%@`|>", rune(text[0])):
		return fmt.Sprintf("a leading %c means something else to YAML", text[0])
	case !quotedWhole && strings.ContainsRune(`"'`, rune(text[0])), quotedWhole && strings.Count(text, text[:1])%2 == 0 && strings.Contains(text[1:len(text)-1], text[:1]+" "):
		return fmt.Sprintf("a leading %c ends the text at the next one", text[0])
	case text[0] == '[' && !strings.HasSuffix(strings.TrimSpace(text), "]"), text[0] == '{' && !strings.HasSuffix(strings.TrimSpace(text), "}"):
		return fmt.Sprintf("a leading %c begins a list or object in YAML", text[0])
	case !quotedWhole && strings.Contains(text, ": "):
		return "\": \" inside an unquoted text means a key to YAML"
	case !quotedWhole && strings.Contains(text, " #"):
		return "\" #\" begins a comment in YAML"
	}
	return ""
}

// quoted shows line n with its text quoted, "" if YAML does not bite it.
func (f *File) quoted(n int) string {
	m := oneLiner.FindStringSubmatch(f.line(n))
	if m == nil {
		return ""
	}
	why := bites(m[2])
	if why == "" {
		return ""
	}
	return fmt.Sprintf("%s: put the whole in single quotes:\n%s%s", why, strings.TrimLeft(m[1], " "), Quote(strings.TrimRight(m[2], " ")))
}

// Quote gives a text as a YAML single-quoted scalar.
func Quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// bitten is the hint for an expression that does not parse because YAML cut it
// off: at a comment, or at a comma inside [ ] or { }.
func (t Text) bitten() string {
	if t.Node == nil || t.File == nil || t.Node.Style != 0 {
		return ""
	}
	line := t.File.line(t.Node.Line)
	if m := oneLiner.FindStringSubmatchIndex(line); m != nil && utf8.RuneCountInString(line[:m[4]])+1 == t.Node.Column {
		return t.File.quoted(t.Node.Line)
	}
	after := strings.TrimPrefix(t.File.from(t.Node.Line, t.Node.Column), t.Node.Value)
	if strings.HasPrefix(after, ",") {
		return "inside [ ] and { } a comma ends the text in YAML: put the whole expression in single quotes"
	}
	return ""
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
	p.Hint = f.quoted(node.Line)
	if p.Hint == "" && node.Style&yaml.FlowStyle != 0 {
		if m := oneLiner.FindStringSubmatch(f.line(node.Line)); m != nil {
			p.Hint = "YAML reads a leading [ or { as its own: put the whole in single quotes:\n" + strings.TrimLeft(m[1], " ") + Quote(m[2])
		}
	}
	return Text{}, Problems{p}
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
