package lang

import (
	"errors"
	"testing"

	"github.com/expr-lang/expr/file"
)

// FuzzCompile: no expression makes the compiler panic, what passes it can be
// compiled for the VM, never panics when run, and never gives expr's own wrapped
// panic text.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		`action == "a" && ok`, `any(l, .x > 1) || not (s in ["a"])`, `let a = 1; a + n`, `m?.k ?? "d"`, `1 < n < 5`, `l[1:] | map(# + 1) | sum()`,
		`ip_in(ip, lists.trusted)`, `glob(s, ["*"])`, `{a: [1, 2]}.a[0] in 1..3`, `reduce(l, #acc + #, "")`, `if n > 1 { 1 } else { 2 }`, `"\u00e9" matches "(.)"`, `pick(x ? true : false, HIGH, LOW) > s`,
		`groupBy(l, #)["a"]`, `sortBy(l, #, "desc")`, `date("2026-01-01") - time`, `fromJSON("[1]")[0]`, `-(-n) ** 2 % 3`, `map(1..3, {let q = #; q * 2})`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		p, problems := Compile(Plain(source), testScope)
		if p == nil {
			if problems.Err() == nil {
				t.Fatal("neither a program nor an error")
			}
			_ = problems.Error()
			return
		}
		if _, err := p.compiled(); err != nil {
			t.Fatalf("it loads and cannot be compiled: %v", err)
		}
		_, err := p.Eval(testEnv())
		var located *file.Error
		if errors.As(err, &located) {
			t.Fatalf("an error of expr got through: %v", err)
		}
		p.Explain(testEnv())
	})
}

// FuzzTemplate: no text makes the template compiler or renderer panic.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{"a {{ s }} b", "{{ {a: {b: 1}}.a.b }}", "{{ \"}}\" }}", "{{{{", "}}{{ l }}{{", "{{ '", "{{#if x}}{{/if}}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		template, problems := CompileTemplate(Plain(source), testScope)
		if template == nil {
			if problems.Err() == nil {
				t.Fatal("neither a template nor an error")
			}
			return
		}
		text, err := template.Text(testEnv(), nil)
		if template.Literal() && (err != nil || text != source) {
			t.Fatalf("a literal text rendered as %q, %v", text, err)
		}
	})
}

// FuzzJSONPath: no path makes the compiler or the search panic.
func FuzzJSONPath(f *testing.F) {
	for _, seed := range []string{"$.event.rawEvent.account", "$..x", "$.a[0]", "$.a[?(@.b == 1)]", "$['a']", "$[*]", "$.a[-1:]", "$.a[::0]"} {
		f.Add(seed)
	}
	document := map[string]any{"event": map[string]any{"rawEvent": map[string]any{"account": "1"}}, "a": []any{map[string]any{"b": 1.0}, nil, "x"}}
	f.Fuzz(func(t *testing.T, source string) {
		if p, err := CompileJSONPath(source); err == nil {
			p.Text(document)
		}
	})
}

// FuzzYAML: no file makes the reader panic, and a problem's place is in the file.
func FuzzYAML(f *testing.F) {
	for _, seed := range []string{"a: b\n", "a: !x y", "a: &x y\nb: *x", "- [1, {a: b}]", "a: |\n  x\n  y\n", "a: \"\\u00e9\\\n  b\"", "? a\n: b", "a: 'x''y'\n", "---\na\n---\nb", "a: >-\n  x\n\n  y acton\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		file := &File{Name: "f.yml", Data: []byte(source)}
		root, problems := ParseYAML(file)
		if root != nil {
			Decode(root)
			DecodeText(root)
			_, found := CompileNode(file, root, testScope)
			problems = append(problems, found...)
		}
		for _, p := range problems {
			if p.String() == "" || p.Line < 0 || p.Column < 0 {
				t.Fatalf("bad problem %#v", p)
			}
		}
	})
}
