package lang

import (
	"regexp/syntax"
	"strings"
	"testing"
)

// TestLargePatterns: what takes minutes to match, or gigabytes to hold, is a
// mistake told at load; what rules are made of is none.
func TestLargePatterns(t *testing.T) {
	words := strings.TrimSuffix(strings.Repeat("word|", 1500), "|")
	for pattern, ok := range map[string]bool{
		`^[a-z]+_[a-z]+$`: true, `(a|b){1000}`: true, `(?i)` + words: true, `(a*)*b`: true, `(a{1,30}){1,30}`: true, strings.Repeat("a?", 500) + strings.Repeat("a", 500): true,
		strings.Repeat(`(a?){1000}`, 20): false, strings.Repeat(`((a?){30}){30}`, 3000): false, strings.Repeat("ab", 20_000): false, strings.Repeat("(a?", 400) + strings.Repeat("){1,2}", 400): false,
	} {
		p, problems := Compile(Plain("s matches "+quoted(pattern)), testScope)
		if p == nil && ok || p != nil && !ok {
			t.Errorf("%.40s…: %v", pattern, problems)
		}
		if p == nil {
			if !strings.Contains(problems.Error(), "the pattern is too large") && !strings.Contains(problems.Error(), "not a regular expression") {
				t.Errorf("%.40s…: %v", pattern, problems)
			}
			continue
		}
		tree, err := syntax.Parse(pattern, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		program, err := syntax.Compile(tree.Simplify())
		if err != nil || len(program.Inst) > 2*maxPattern { // what each character may cost
			t.Errorf("%.40s… has %d instructions, %v", pattern, len(program.Inst), err)
		}
		env := testEnv()
		env["s"] = strings.Repeat("a", 20_000)
		if _, err := p.Eval(env); err != nil {
			t.Errorf("%.40s…: %v", pattern, err)
		}
	}
}

func quoted(text string) string { return "`" + text + "`" }
