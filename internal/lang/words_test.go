package lang

import (
	"strings"
	"testing"
)

// What people write from habit, and what is said of it.
func TestHabits(t *testing.T) {
	scope := Scope{Names: []string{"action", "ok", "denied", "time"}, Vars: map[string]any{
		"number": map[string]any{"zone": "UTC", "week": map[string]any{"from": 25, "to": "9:00"}},
		"half":   map[string]any{"zone": "UTC", "week": map[string]any{"from": "9:00"}},
		"same":   map[string]any{"zone": "UTC", "week": map[string]any{"from": 25, "to": 26}},
	}}
	for _, tt := range []struct{ source, want, hint string }{
		{"ok;", "1:3: nothing follows the ;", "leave it out"},
		{"ok; // why", "1:3: nothing follows the ;", "leave it out"},
		{"ok; denied", "1:1: what stands before a ; has no effect", "write && or ||"},
		{`let x = "a;"; action == x`, "", ""},
		{`action == "a;"`, "", ""},
		{`action = "x"`, `1:8: unexpected Operator("=")`, "write == to compare"},
		{`action === "x"`, `1:10: unexpected`, "write == to compare"},
		{`action =~ "x"`, `1:8: unexpected`, "write matches"},
		{`action <> "x"`, `1:9: unexpected`, "write !="},
		{"ok & denied", "1:4: unexpected", "write &&"},
		{"ok AND denied", "1:4: unexpected", "write and"},
		{"ok OR denied", "1:4: unexpected", "write or"},
		{"ok && NOT denied", "1:11: unexpected", "write not"},
		{"NOT (ok)", `1:1: unknown function "NOT"`, "write not"},
		{"NOT", `1:1: unknown name "NOT"`, "write not"},
		{`action IN ["x"]`, "1:8: unexpected", "write in"},
		{`action StartsWith "x"`, "1:8: unexpected", "write startsWith"},
		{`action LIKE "x"`, "1:8: unexpected", "glob(text"},
		{`action is "x"`, "1:8: unexpected", "write =="},
		{"now", `1:1: unknown name "now"`, "use `time`"},
		{"now()", `1:1: unknown function "now"`, "use `time`"},
		{"working_hours(time, vars.number)", `week.from: "25" is no time of day`, ""},
		{"working_hours(time, vars.half)", "week has no to: write {from", ""},
		{"working_hours(time, vars.same)", `week.from: "25"`, ""},
	} {
		_, problems := Compile(Plain(tt.source), scope)
		got := problems.Error()
		if !strings.Contains(got, tt.want) || tt.want == "" && got != "" || len(problems) > 0 && !strings.Contains(problems[0].Hint, tt.hint) {
			t.Errorf("%s gives\n%s\nwant %q, %q", tt.source, got, tt.want, tt.hint)
		}
	}
}
