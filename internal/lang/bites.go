package lang

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/parser"
	"gopkg.in/yaml.v3"
)

// YAML bites one-liners: it takes parts of a text for its own signs. This file
// finds them, and shows the line as it must be written.

var (
	yamlLine      = regexp.MustCompile(`line (\d+): (?s)(.*)`)
	unknownAnchor = regexp.MustCompile(`unknown anchor '(.*)' referenced`)
)

// syntax places an error of the YAML library, and recognises the one-liners
// that YAML bites.
func (f *File) syntax(err error) Problem {
	p := f.Problem(nil, "not valid YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		p.Line, _ = strconv.Atoi(m[1])
		p.Message = "not valid YAML: " + m[2]
	} else if m := unknownAnchor.FindStringSubmatch(err.Error()); m != nil { // it has no line
		before, _, _ := strings.Cut(string(f.Data), "*"+m[1])
		p.Line = 1 + strings.Count(before, "\n")
		p.Message = "YAML reads a leading * as an alias"
	}
	// The library counts from 0 in some errors and from 1 in others; some name
	// the line after, and some the beginning of what holds the mistake.
	var bite mistake
	if strings.Contains(p.Message, "cannot start any token") || strings.Contains(p.Message, "tab character") {
		bite = f.tab(p.Line)
	}
	if bite.line == 0 {
		bite = f.culprit(p.Line - 1)
	}
	if bite.line == 0 && p.Line == 0 {
		return p
	}
	if bite.line > 0 {
		p.Line, p.Column, p.Hint = bite.line, bite.column, bite.hint
	}
	p.Line = max(p.Line, 1)
	p.Source = f.line(p.Line)
	if bite.line == 0 {
		p.Column = 1 + len(p.Source) - len(strings.TrimLeft(p.Source, " "))
		if m := oneLiner.FindStringSubmatchIndex(p.Source); m != nil {
			p.Column, p.Hint = 1+utf8.RuneCountInString(p.Source[:m[4]]), generally(p.Source[m[4]:])
		}
		if unknownAnchor.MatchString(err.Error()) {
			p.Hint = asText
		}
	}
	p.Width = max(1, utf8.RuneCountInString(strings.TrimRight(p.Source, " "))-p.Column+1)
	return p
}

// generally is what to do about the value of a key on a line that cannot be mended.
func generally(text string) string {
	if isOpener(text[0]) && !strings.HasPrefix(text, "{{") {
		return "a leading [ or { begins a list or object in YAML: close it, and put texts in it that have one of , : # ? [ ] { } in single quotes"
	}
	if why := bites(text, false); why != "" {
		return why + ": put the text in single quotes"
	}
	return ""
}

// mistake is where a file is probably wrong, and how to mend it; line 0: nowhere.
type mistake struct {
	line, column int
	hint         string
}

// tab finds indentation with a tab at line n or its neighbours.
func (f *File) tab(n int) mistake {
	for _, line := range []int{n, n + 1, n - 1} {
		text := f.line(line)
		indent := text[:len(text)-len(strings.TrimLeft(text, " \t"))]
		if i := strings.IndexByte(indent, '\t'); i >= 0 && indent != text {
			return mistake{line, i + 1, "YAML indents with spaces, not with tabs"}
		}
	}
	return mistake{}
}

// blockText is a line after which deeper lines are plain text.
var blockText = regexp.MustCompile(`^(\s*)((?:- )*)(\S.*:\s+)?[|>][+-]?[1-9]?[+-]?\s*(?:#.*)?$`)

// culprit finds the first line from n on that YAML does not take on its own,
// and does once its texts are quoted.
func (f *File) culprit(n int) mistake {
	block := -1 // indentation of the key whose block of text is being passed
	for i, text := range strings.Split(string(f.Data), "\n") {
		text = strings.TrimRight(text, " \r")
		if block >= 0 && (text == "" || len(text)-len(strings.TrimLeft(text, " ")) > block) {
			continue
		}
		block = -1
		if m := blockText.FindStringSubmatch(text); m != nil {
			block = len(m[1])
			if m[3] != "" {
				block += len(m[2])
			}
			continue
		}
		if i+1 < n {
			continue
		}
		if m := mend(text); m.hint != "" && !takes(text+m.closers) {
			return mistake{i + 1, m.columns[0], m.hint}
		}
	}
	return mistake{}
}

// takes reports whether YAML takes a line, standing alone, as plain keys, lists
// and texts.
func takes(line string) bool {
	var document yaml.Node
	err := safely(func() error { return yaml.Unmarshal([]byte(strings.TrimLeft(line, " ")), &document) })
	return err == nil && plain(&document)
}

// plain reports whether a node has no anchor, alias or tag, and keys that are texts.
func plain(node *yaml.Node) bool {
	if node.Kind == yaml.AliasNode || node.Anchor != "" || node.Style&yaml.TaggedStyle != 0 {
		return false
	}
	for i, child := range node.Content {
		if node.Kind == yaml.MappingNode && i%2 == 0 && child.Kind != yaml.ScalarNode || !plain(child) {
			return false
		}
	}
	return true
}

// oneLiner is a line `key: text` or `- text`; the text is what may be bitten.
var oneLiner = regexp.MustCompile(`^(\s*(?:- )*(?:[\w.*"'-]+:\s+|- ))(\S.*)$`)

// mended is a line with its bitten texts quoted.
type mended struct {
	hint    string // "" if there is nothing to mend, or it cannot be told how
	columns []int  // where the texts begin
	closers string // that the line lacks, because what it opens ends further down
}

// maxLine is the longest line, in bytes, that is looked at for what YAML bites.
const maxLine = 4 << 10

// mend shows a line with its texts quoted where YAML bites them: only if it can
// be told where they begin and end, and YAML then takes the line.
func mend(line string) mended {
	line = strings.TrimRight(line, " \t")
	m := oneLiner.FindStringSubmatch(line)
	if m == nil || len(line) > maxLine {
		return mended{}
	}
	lead, text := m[1], m[2]
	texts, closers := bitten(text)
	if len(texts) == 0 {
		return mended{closers: closers}
	}
	var columns []int
	fixed, at := lead, 0
	for _, t := range texts {
		columns = append(columns, 1+utf8.RuneCountInString(lead+text[:t.from]))
		fixed += text[at:t.from] + Quote(text[t.from:t.to])
		at = t.to
	}
	fixed += text[at:]
	if !takes(fixed + closers) {
		return mended{closers: closers}
	}
	what := "it"
	if len(texts) > 1 {
		what = "each"
	} else if texts[0].to-texts[0].from == len(text) {
		what = "the whole"
	}
	return mended{fmt.Sprintf("%s: put %s in single quotes:\n%s", texts[0].why, what, strings.TrimLeft(fixed, " ")), columns, closers}
}

// asText is said where an anchor, alias or tag is, and nothing more exact is known.
const asText = "put a text that begins so in single quotes; anchors, aliases, merge keys and tags are not taken here"

// mendedLine is the hint of mend, or the general one.
func (f *File) mendedLine(n int) string {
	if m := mend(f.line(n)); m.hint != "" {
		return m.hint
	}
	return asText
}

// stretch is a part of a line, in bytes, that YAML does not take as it stands.
type stretch struct {
	from, to int
	why      string
}

// bitten finds what YAML bites in the value of a key: the whole of it, or the
// texts within a list or object. closers are what the line lacks.
func bitten(text string) (texts []stretch, closers string) {
	if isOpener(text[0]) && !strings.HasPrefix(text, "{{") {
		s := collection{text: text}
		closed := s.read()
		rest := strings.TrimSpace(text[s.at:])
		if !s.strange && (!closed || rest == "" || rest[0] == '#') {
			return s.texts, s.closers
		}
		if end, _ := brackets(text); end == len(text) { // quoted, it would be an object or list, which is always true
			return nil, ""
		}
	}
	if why := bites(text, false); why != "" && endsHere(text) {
		return []stretch{{0, len(text), why}}, ""
	}
	return nil, ""
}

// endsHere reports whether a text that YAML bites seems to end where its line does.
func endsHere(text string) bool {
	_, depth := brackets(text)
	return depth == 0 && !strings.HasSuffix(text, ",") && (text[0] != '"' && text[0] != '\'' || quotedFrom(text, 0) > 0)
}

// brackets gives where the first bracket is closed (the text's end if it is
// not), and how many are open in the end, less than 0 if too many are closed.
// Those in quoted texts do not count.
func brackets(text string) (end, depth int) {
	end = len(text)
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"', '\'', '`':
			i = max(i, quotedFrom(text, i)-1)
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			if depth--; depth == 0 {
				end = min(end, i+1)
			} else if depth < 0 {
				return end, depth
			}
		}
	}
	return end, depth
}

// quotedFrom gives the end of the quoted text that begins at i, 0 if none does:
// an apostrophe within a word opens nothing.
func quotedFrom(text string, i int) int {
	if i > 0 {
		if r, _ := utf8.DecodeLastRuneInString(text[:i]); r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return 0
		}
	}
	length := quotedLength(text[i+1:], text[i])
	if length < 0 {
		return 0
	}
	return i + 1 + length + 1
}

func isOpener(c byte) bool { return c == '[' || c == '{' }

// collection reads a list or object of YAML in one line, as its author meant it.
type collection struct {
	text    string
	at      int
	texts   []stretch
	closers string
	strange bool // it is none: an expression that begins with [ or {
}

// inlineKey is a key, and what ends it.
var inlineKey = regexp.MustCompile(`^(?:"[^"]*"|'[^']*'|[\w.-]+):(?:\s+|$)`)

// read passes over the list or object that begins here; false: it does not end
// in this line, or is none.
func (c *collection) read() bool {
	closer := c.text[c.at] + 2 // [ ] and { }: two apart in ASCII
	c.at++
	for {
		c.skip(" \t,")
		switch {
		case c.at >= len(c.text) || c.text[c.at] == '#':
			c.closers += string(closer)
			c.at = len(c.text)
			return false
		case c.text[c.at] == closer:
			c.at++
			return true
		case c.text[c.at] == ']' || c.text[c.at] == '}':
			c.strange = true
			return false
		}
		key := inlineKey.FindString(c.text[c.at:])
		if key == "" && closer == '}' {
			c.strange = true
			return false
		}
		c.at += len(key)
		if c.value(closer); c.strange {
			return false
		}
		if c.closers != "" {
			c.closers += string(closer)
			return false
		}
	}
}

func (c *collection) skip(chars string) {
	for c.at < len(c.text) && strings.IndexByte(chars, c.text[c.at]) >= 0 {
		c.at++
	}
}

// value passes over a value: a list or object again, or a text.
func (c *collection) value(closer byte) {
	rest := c.text[c.at:]
	if rest == "" || strings.IndexByte(",]}", rest[0]) >= 0 {
		return
	}
	if isOpener(rest[0]) && !strings.HasPrefix(rest, "{{") {
		before := *c
		before.texts = slices.Clone(c.texts)
		closed := c.read()
		after := strings.TrimLeft(c.text[c.at:], " \t")
		if !c.strange && (!closed || after == "" || strings.IndexByte(",]}", after[0]) >= 0) {
			return
		}
		*c = before
	}
	from := c.at
	c.at += textLength(rest, closer)
	text := strings.TrimRight(c.text[from:c.at], " \t")
	if why := bites(text, true); why != "" {
		c.texts = append(c.texts, stretch{from, from + len(text), why})
	}
}

// textLength finds where a text in a list or object is meant to end: before its
// closer, or the comma before what comes next.
func textLength(text string, closer byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"', '\'', '`':
			i = max(i, quotedFrom(text, i)-1)
		case '(', '[', '{':
			depth++
		case ')':
			depth = max(depth-1, 0)
		case ']', '}':
			if depth == 0 {
				return i
			}
			depth--
		case ',':
			if depth == 0 && (closer == ']' || endsObjectValue(text[i+1:])) {
				return i
			}
		}
	}
	return len(text)
}

// endsObjectValue reports whether what follows a comma is another key, or
// nothing: otherwise the comma belongs to the text.
func endsObjectValue(after string) bool {
	after = strings.TrimLeft(after, " \t")
	return after == "" || after[0] == '}' || inlineKey.MatchString(after)
}

// bites says why YAML does not take a text as it stands, "" if it does; inside
// means: within [ ] or { }.
func bites(text string, inside bool) string {
	switch {
	case text == "" || isQuoted(text):
		return ""
	case strings.HasPrefix(text, "{{"):
		return "a text that begins with {{ must be quoted"
	case strings.ContainsRune("*&!%@`|>", rune(text[0])):
		return fmt.Sprintf("a leading %c means something else to YAML", text[0])
	case text == "-" || strings.HasPrefix(text, "- "):
		return "a leading - begins an item of a list in YAML"
	case text == "?" || strings.HasPrefix(text, "? "):
		return "a leading ? begins a key in YAML"
	case strings.ContainsRune(`"'`, rune(text[0])) && quotedFrom(text, 0) == 0:
		return fmt.Sprintf("a %c opens a text here that is not closed in this line", text[0])
	case strings.ContainsRune(`"'`, rune(text[0])):
		return fmt.Sprintf("a leading %c ends the text at the next one", text[0])
	case isOpener(text[0]):
		return fmt.Sprintf("a leading %c begins a list or object in YAML", text[0])
	case strings.Contains(text, ": ") || strings.HasSuffix(text, ":"):
		return "\": \" inside an unquoted text means a key to YAML"
	case strings.Contains(text, " #"):
		return "\" #\" begins a comment in YAML"
	case inside && strings.Contains(text, ","):
		return "inside [ ] and { } a comma ends the text in YAML"
	case inside && strings.ContainsAny(text, "[]{}?"):
		return "inside [ ] and { } any of [ ] { } ? ends the text in YAML"
	}
	return ""
}

var quotedScalar = regexp.MustCompile(`^(?:'(?:[^']|'')*'|"(?:[^"\\]|\\.)*")\s*(?:\s#.*)?$`)

// isQuoted reports whether the text is one quoted scalar of YAML, with a comment or without.
func isQuoted(text string) bool { return quotedScalar.MatchString(text) }

// Quote gives a text as a YAML single-quoted scalar.
func Quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// bitten is the hint for an expression that does not parse because YAML cut it
// off: at a comment, or at a comma inside [ ] or { }.
func (t Text) bitten() string {
	if t.Node == nil || t.File == nil || t.Node.Style != 0 {
		return ""
	}
	if m := mend(t.File.line(t.Node.Line)); slices.Contains(m.columns, t.Node.Column) {
		return m.hint
	}
	after := strings.TrimPrefix(t.File.from(t.Node.Line, t.Node.Column), t.Node.Value)
	if strings.HasPrefix(after, ",") {
		return "inside [ ] and { } a comma ends the text in YAML: put the whole expression in single quotes"
	}
	return ""
}

// cutOff warns of an expression that YAML has ended at a ` #` and that makes
// sense without what comes after, if that looks like the rest of it.
func (t Text) cutOff() Problems {
	if t.Node == nil || t.File == nil || t.Node.Style != 0 || !t.continuesIn(t.Node.LineComment) {
		return nil
	}
	line, column := t.position(utf8.RuneCountInString(t.Value))
	p := t.File.Problem(nil, "YAML ends the expression here, and what follows looks like a part of it")
	p.Warning, p.Line, p.Source = true, line, t.File.line(line)
	after := t.File.from(line, column)
	p.Column = column + len(after) - len(strings.TrimLeft(after, " \t"))
	p.Width = utf8.RuneCountInString(strings.TrimRight(p.Source, " ")) - p.Column + 1
	p.Hint = "if it is one, put the whole in single quotes; if it is a comment, put it on a line of its own"
	return Problems{p}
}

var (
	operatorSign = regexp.MustCompile(`&&|\|\||==|!=`)
	operatorWord = regexp.MustCompile(`^(?:and|or|not|in|contains|matches|startsWith|endsWith)\b|\sin\s`)
)

// continuesIn reports whether a comment looks like more of the expression.
// Words that are operators are English, too: with them it must parse.
func (t Text) continuesIn(comment string) bool {
	comment = strings.TrimSpace(strings.TrimLeft(comment, "#"))
	parses := func(source string) bool {
		_, err := parser.ParseWithConfig(source, newConfig(nil))
		return err == nil
	}
	return operatorSign.MatchString(comment) || operatorWord.MatchString(comment) && (parses(comment) || parses(t.Value+" "+comment))
}
