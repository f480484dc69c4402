package lang

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Template is text with {{ expr }}. Safe for concurrent use.
type Template struct {
	parts []part
}

// part is either literal text or an expression.
type part struct {
	literal string
	program *Program
}

// CompileTemplate compiles a text. A literal {{ is written {{ "{{" }}.
func CompileTemplate(text Text, scope Scope) (*Template, Problems) {
	var problems Problems
	t := &Template{}
	rest, offset := text.Value, 0
	at := func(n int) span { return span{text: text, offset: offset + n} }
	for rest != "" {
		open := strings.Index(rest, "{{")
		if open < 0 {
			t.parts = append(t.parts, part{literal: rest})
			break
		}
		if open > 0 {
			t.parts = append(t.parts, part{literal: rest[:open]})
		}
		body, ok := expressionLength(rest[open+2:])
		start := utf8.RuneCountInString(rest[:open])
		if !ok {
			problems = append(problems, at(start).problem(0, 2, "{{ is not closed by }}"))
			break
		}
		source := rest[open+2 : open+2+body]
		program, found := compileEmbedded(at(start), source, scope)
		problems = append(problems, found...)
		t.parts = append(t.parts, part{program: program})
		taken := open + 2 + body + 2
		offset += utf8.RuneCountInString(rest[:taken])
		rest = rest[taken:]
	}
	if problems.Err() != nil {
		return nil, problems
	}
	return t, problems
}

// compileEmbedded compiles what stands between {{ and }}.
func compileEmbedded(at span, source string, scope Scope) (*Program, Problems) {
	trimmed := strings.TrimLeft(source, " \t\r\n")
	lead := utf8.RuneCountInString(source) - utf8.RuneCountInString(trimmed)
	trimmed = strings.TrimRight(trimmed, " \t\r\n")
	if strings.HasPrefix(trimmed, "#if") || strings.HasPrefix(trimmed, "#each") || strings.HasPrefix(trimmed, "/") || strings.HasPrefix(trimmed, "#unless") {
		p := at.problem(0, utf8.RuneCountInString(source)+4, "Handlebars blocks are not understood")
		p.Hint = "write an expression: {{ pick(len(resources) > 0, \"Resources: \" + join(resources, \", \"), \"\") }}"
		return nil, Problems{p}
	}
	at.offset += 2 + lead
	return compile(at, trimmed, scope)
}

// expressionLength finds the }} that ends an expression: not one in a quoted
// text, and not one that closes an object inside it.
func expressionLength(s string) (int, bool) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"', '\'', '`':
			end := quotedLength(s[i+1:], c)
			if end < 0 {
				return plainLength(s)
			}
			i += end + 1
		case '{':
			depth++
		case '}':
			if depth > 0 {
				depth--
			} else if strings.HasPrefix(s[i:], "}}") {
				return i, true
			}
		}
	}
	return plainLength(s)
}

// plainLength is the first }}, for an expression whose quotes or braces do not
// match: compiling it will say so.
func plainLength(s string) (int, bool) {
	i := strings.Index(s, "}}")
	return i, i >= 0
}

// quotedLength finds the closing quote.
func quotedLength(s string, quote byte) int {
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && quote != '`' {
			i++
		} else if s[i] == quote {
			return i
		}
	}
	return -1
}

// Literal reports whether the text has no {{ expr }}.
func (t *Template) Literal() bool {
	for _, p := range t.parts {
		if p.program != nil {
			return false
		}
	}
	return true
}

// Text renders. escape, if not nil, is applied to each interpolated value.
func (t *Template) Text(env map[string]any, escape func(string) string) (string, error) {
	var b strings.Builder
	for _, p := range t.parts {
		if p.program == nil {
			b.WriteString(p.literal)
			continue
		}
		value, err := p.program.Eval(env)
		if err != nil {
			return "", fmt.Errorf("{{ %s }}: %w", p.program, err)
		}
		text := Format(value)
		if escape != nil {
			text = escape(text)
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// Value renders; a template that is exactly one {{ expr }} keeps the value's
// type. Every text inside that value is escaped too.
func (t *Template) Value(env map[string]any, escape func(string) string) (any, error) {
	if len(t.parts) != 1 || t.parts[0].program == nil {
		return t.Text(env, escape)
	}
	value, err := t.parts[0].program.Eval(env)
	if err != nil {
		return nil, fmt.Errorf("{{ %s }}: %w", t.parts[0].program, err)
	}
	return escapeAll(value, escape), nil
}

// escapeAll copies a value as JSON's kinds, its texts escaped.
func escapeAll(value any, escape func(string) string) any {
	switch v := value.(type) {
	case nil, bool, int:
		return v
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) { // JSON has no word for it
			return Format(v)
		}
		return v
	case string:
		if escape != nil {
			return escape(v)
		}
		return v
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = escapeAll(e, escape)
		}
		return out
	case []string, set:
		return escapeAll(list(v), escape)
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = escapeAll(e, escape)
		}
		return out
	}
	return escapeAll(Format(value), escape)
}

// Tree is a value (objects, lists, texts, numbers …) whose texts are templates.
// Safe for concurrent use.
type Tree struct {
	value any // as compiled: texts are *Template
}

// CompileTree compiles the decoded form of a YAML node: map[string]any, []any,
// string, bool, int, float64, nil. Problems stand in no file; to have them
// placed, use CompileNode.
func CompileTree(value any, scope Scope) (*Tree, Problems) {
	var problems Problems
	compiled := compileTree(value, scope, &problems)
	if problems.Err() != nil {
		return nil, problems
	}
	return &Tree{value: compiled}, problems
}

func compileTree(value any, scope Scope, problems *Problems) any {
	switch v := value.(type) {
	case string:
		t, found := CompileTemplate(Plain(v), scope)
		*problems = append(*problems, found...)
		return t
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = compileTree(e, scope, problems)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, k := range keys(v) {
			out[k] = compileTree(v[k], scope, problems)
		}
		return out
	}
	return value
}

// Render renders all texts.
func (t *Tree) Render(env map[string]any, escape func(string) string) (any, error) {
	return renderTree(t.value, env, escape)
}

func renderTree(value any, env map[string]any, escape func(string) string) (any, error) {
	switch v := value.(type) {
	case *Template:
		return v.Value(env, escape)
	case []any:
		out := make([]any, len(v))
		var errs []error
		for i, e := range v {
			rendered, err := renderTree(e, env, escape)
			out[i], errs = rendered, append(errs, err)
		}
		return out, errors.Join(errs...)
	case map[string]any:
		out := make(map[string]any, len(v))
		var errs []error
		for _, k := range keys(v) {
			rendered, err := renderTree(v[k], env, escape)
			out[k], errs = rendered, append(errs, err)
		}
		return out, errors.Join(errs...)
	}
	return value, nil
}
