package lang

import (
	"strings"
	"testing"
)

// A line is shown mended only if YAML then takes it, whatever stands on it.
func TestMend(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"a: {b: it's c: d, e: f}", "a: {b: 'it''s c: d', e: f}"},
		{"a: {b: x, y and z, c: d: e}", "a: {b: 'x, y and z', c: 'd: e'}"},
		{"a: [b, max(c, 1), {d: e: f}]", "a: [b, 'max(c, 1)', {d: 'e: f'}]"},
		{`a: {b: 'x', c: "y, z", d: e in ["f"]}`, `a: {b: 'x', c: "y, z", d: 'e in ["f"]'}`},
		{"a: {b: {c: d: e}.f == 1}", "a: {b: '{c: d: e}.f == 1'}"},
		{"- a: {b: {{ c }} and {{ d }}, e: {{ f }}}", "- a: {b: '{{ c }} and {{ d }}', e: '{{ f }}'}"},
		{"a: {b: https://h/c?d=e, f: g}", "a: {b: 'https://h/c?d=e', f: g}"},
		{"- - a: b: c", "- - a: 'b: c'"},
		{"a: b:", "a: 'b:'"},
		{"a: {b: [c, {d: e ? f : g", "a: {b: [c, {d: 'e ? f : g'"},
		{"a: {b: c} # d: e", ""},
		{"a: 'b: c' # d", ""},
		{`a: "b \" c: d"`, ""},
		{"a: {b: c", ""},
		{"a: [b, c}]", ""},
		{"a: {b: c}]", ""},
		{"a: {(b): c: d}", ""},
		{"a: b: c}", ""},
		{"a: b: c,", ""},
		{"a: 'b", ""},
		{"no key", ""},
		{"a: " + strings.Repeat("[", maxLine), ""},
		{"a: " + strings.Repeat("[", 2000) + "b: c", ""},
	} {
		_, got, _ := strings.Cut(mend(tt.line).hint, "\n")
		if got != tt.want {
			t.Errorf("%.60s:\n got %s\nwant %s", tt.line, got, tt.want)
		}
		if got != "" && !takes(got+mend(tt.line).closers) {
			t.Errorf("YAML does not take %s", got)
		}
	}
}

// TestCulpritIsFoundFarDown: a mistake at the end of a file that is four times as long
// is found with about four times the work, not sixteen times.
func TestCulpritIsFoundFarDown(t *testing.T) {
	work := func(lines int) float64 {
		data := "a:\n" + strings.Repeat("  - b #c\n", lines) + "  - d: e: f\n"
		return testing.AllocsPerRun(1, func() {
			_, problems := ParseYAML(&File{Name: "f.yml", Data: []byte(data)})
			if len(problems) != 1 || problems[0].Line != lines+2 || !strings.Contains(problems[0].Hint, "- d: 'e: f'") {
				t.Error(problems)
			}
		})
	}
	if short, long := work(5000), work(20_000); long > 6*short {
		t.Errorf("%.0f allocations, and %.0f for a file four times as long", short, long)
	}
}
