package docs

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/expr-lang/expr/builtin"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/detect"
	"github.com/skycrafters/responder/dispatch"
	"github.com/skycrafters/responder/internal/lang"
)

// part is a part of a page that is made from the code:
//
//	<!-- made from the code: NAME -->
//	…
//	<!-- end -->
var part = regexp.MustCompile(`(?s)(<!-- made from the code: (\w+) -->\n).*?(<!-- end -->)`)

// TestMade holds the parts of the pages to the code.
func TestMade(t *testing.T) {
	made := map[string]func(*testing.T) string{
		"runmoves": runMoves, "stepmoves": stepMoves,
		"helpers": helpers, "calm": calm, "severities": severities, "rulewords": ruleWords, "flowwords": flowWords, "defaults": defaults, "limits": guardLimits, "guards": guardNames, "bounds": bounds,
	}
	used := map[string]bool{}
	for _, page := range []string{"rules.md", "flows.md", root + "ARCHITECTURE.md"} {
		text := part.ReplaceAllStringFunc(read(t, page), func(whole string) string {
			m := part.FindStringSubmatch(whole)
			make := made[m[2]]
			if make == nil {
				t.Fatalf("%s: nothing makes %s", page, m[2])
			}
			used[m[2]] = true
			return m[1] + "\n" + strings.TrimSpace(make(t)) + "\n\n" + m[3]
		})
		same(t, page, text)
	}
	for name := range made {
		if !used[name] {
			t.Errorf("%s is on no page", name)
		}
	}
}

func table(heads []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) {
		escaped := make([]string, len(cells))
		for i, c := range cells {
			escaped[i] = strings.ReplaceAll(c, "|", `\|`)
		}
		b.WriteString("| " + strings.Join(escaped, " | ") + " |\n")
	}
	line(heads)
	line(slices.Repeat([]string{"---"}, len(heads)))
	for _, row := range rows {
		line(row)
	}
	return b.String()
}

func code(text string) string { return "`" + text + "`" }

func codes(texts []string) string {
	coded := make([]string, len(texts))
	for i, text := range texts {
		coded[i] = code(text)
	}
	return strings.Join(coded, ", ")
}

func helpers(*testing.T) string {
	var rows [][]string
	for _, h := range lang.Helpers() {
		rows = append(rows, []string{code(h.Usage), strings.ReplaceAll(h.Doc, "*", `\*`)})
	}
	return table([]string{"called so", "gives"}, rows)
}

// TestHelpers: what the table shows compiles.
func TestHelpers(t *testing.T) {
	scope := lang.Scope{
		Names: append(lang.EventNames(), "item", "name", "severity"),
		Vars:  map[string]any{"patterns": []any{"^a"}},
		Lists: map[string]any{"trusted_ips": []any{"192.0.2.1"}},
	}
	for _, h := range lang.Helpers() {
		if _, problems := lang.Compile(lang.Plain(h.Usage), scope); problems.Err() != nil {
			t.Errorf("%s: %v", h.Name, problems)
		}
	}
}

// calm is the table in the comment of internal/lang's calmer: a tab, the left
// cell, at least two spaces, the right cell; a line with no right cell goes on
// with the left one of the line before.
func calm(t *testing.T) string {
	t.Helper()
	cells := regexp.MustCompile(`^\t(.*\S)  +(\S.*)$`)
	var rows [][]string
	for _, group := range parse(t, "internal/lang/calm.go").Comments {
		text := group.Text()
		if !strings.HasPrefix(text, "calmer rewrites") {
			continue
		}
		for line := range strings.Lines(text) {
			line = strings.TrimRight(line, "\n")
			switch m := cells.FindStringSubmatch(line); {
			case m != nil:
				rows = append(rows, []string{strings.TrimSpace(m[1]), m[2]})
			case strings.HasPrefix(line, "\t") && len(rows) > 0:
				rows[len(rows)-1][0] += " " + strings.TrimSpace(line)
			}
		}
	}
	if len(rows) < 12 {
		t.Fatalf("the table in calm.go has %d rows", len(rows))
	}
	for i, row := range rows[1:] {
		if row[0] != "every other built-in" && row[0] != "helpers" {
			rows[i+1][0] = codes(apart(row[0]))
		}
	}
	return table(rows[0], rows[1:])
}

// apart splits a cell into what stands apart in it: at two spaces, and at one
// between operators and between names; not inside an expression.
func apart(cell string) []string {
	var all []string
	for _, item := range regexp.MustCompile(` {2,}`).Split(cell, -1) {
		if regexp.MustCompile(`\b(a|b|not)\b`).MatchString(item) {
			all = append(all, item)
		} else {
			all = append(all, strings.Fields(item)...)
		}
	}
	return all
}

func severities(*testing.T) string {
	var names []string
	for _, s := range responder.Severities() {
		names = append(names, code(s.String()))
	}
	return strings.Join(names, " < ")
}

func ruleWords(t *testing.T) string {
	return codes(words(t, "detect/load.go", "reserved")) + "."
}

func flowWords(t *testing.T) string {
	return table([]string{"where", "words"}, [][]string{
		{"at the top of the file", codes(words(t, "dispatch/keys.go", "topReserved"))},
		{"in a flow", codes(words(t, "dispatch/keys.go", "flowReserved"))},
		{"in a step", codes(words(t, "dispatch/keys.go", "stepReserved"))},
	})
}

func defaults(t *testing.T) string {
	l, step := limitsOf(t, "dispatch/retry.go"), limitsOf(t, "dispatch/loadstep.go")
	return table([]string{"", "notice, check", "repair", "at most"}, [][]string{
		{"`retry.attempts`: tries in all", l.count("defaultAttempts"), l.count("defaultRepairAttempts"), step.count("maxAttempts")},
		{"`retry.backoff`: the first wait is up to", l.span("defaultBackoff"), l.span("defaultBackoff"), step.span("maxBackoff")},
		{"`retry.cap`: no wait is longer than", l.span("defaultBackoffCap"), l.span("defaultBackoffCap"), step.span("maxBackoff")},
		{"`timeout`: of one try", l.span("defaultTimeout"), l.span("defaultRepairTimeout"), step.span("maxTimeout")},
	})
}

func guardLimits(t *testing.T) string {
	l := limitsOf(t, "dispatch/loadguards.go")
	return table([]string{"in `limits`", "bounds", "if not given", "at most"}, [][]string{
		{"`per_finding`", "the things that one repair touches; one that would touch more touches none", l.count("defaultPerFinding"), l.count("maxPerRun")},
		{"`per_run`", "the things that all repairs of a run touch", l.count("defaultPerRun"), l.count("maxPerRun")},
		{"`per_hour`", "the things that all runs of the flow touch in an hour", l.count("defaultPerHour"), l.count("maxPerHour")},
		{"`per_account`", "the same, in one account", l.count("defaultPerAccount"), l.count("maxPerHour")},
		{"`again`", "how many runs of the flow touch one thing in an hour; one more [halts the flow](#breaker)", l.count("defaultAgain"), l.count("maxAgainLimit")},
		{"`beyond`", "what becomes of what is beyond `per_hour` or `per_account`: `hold` it back, or `halt` [the flow](#breaker)", "`hold`", ""},
		{"`per_resource`", "how many runs of the flow touch one thing in a time: `1/1h`", "none", l.count("maxAgainLimit") + " in " + l.span("maxRateSpan")},
		{"`notices`", "how many [notices](#limits-of-notices) the flow sends in a time: `20/1h`", "no limit", l.count("maxNotices") + " in " + l.span("maxRateSpan")},
	})
}

// guardNames is what a step's result, metrics and logs call the guards.
func guardNames(*testing.T) string { return codes(dispatch.Guards()) + "." }

func bounds(t *testing.T) string {
	kept, machine := limitsOf(t, "dispatch/bounds.go"), limitsOf(t, "dispatch/machine.go")
	wait, retry := limitsOf(t, "dispatch/duration.go"), limitsOf(t, "dispatch/retry.go")
	guard, run := limitsOf(t, "dispatch/dispatcher.go"), limitsOf(t, "run.go")
	return table([]string{"what", "at most"}, [][]string{
		{"a wait, a question", wait.span("maxWait")},
		{"`timeout` of a flow", wait.span("maxFlowTimeout")},
		{"`cooldown` of a flow", limitsOf(t, "dispatch/loadcooldown.go").span("maxCooldown")},
		{"steps of a flow, and steps that a run reaches", machine.count("maxSteps")},
		{"times that a worker takes a run up, as after each wait and each pause before a retry", machine.count("maxResumptions")},
		{"a wait that another side asks for by `Retry-After`", retry.span("maxRetryAfter")},
		{"age of an event whose repairs are live, when its run begins", guard.span("defaultMaxAge")},
		{"what a run keeps of one step's result; a longer one is replaced by its beginning", kept.size("maxResultBytes")},
		{"what a run keeps of an error", kept.size("maxErrorText")},
		{"a run as stored, compressed; one that outgrows it ends as `failed`", run.count("MaxRunBytes") + " bytes"},
	})
}

func runMoves(*testing.T) string { return movesTable(dispatch.RunMoves()) }

func stepMoves(*testing.T) string { return movesTable(dispatch.StepMoves()) }

// movesTable shows a state machine, a row a move. That the code does this and
// nothing else, tests of dispatch see to.
func movesTable[S ~string](moves []dispatch.Move[S]) string {
	name := func(s S) string {
		if s == "" {
			return "(none)"
		}
		return code(string(s))
	}
	var rows [][]string
	for _, m := range moves {
		var from []string
		for _, s := range m.From {
			from = append(from, name(s))
		}
		rows = append(rows, []string{strings.Join(from, ", "), name(m.To), m.Who, m.When})
	}
	return table([]string{"from", "to", "who", "when"}, rows)
}

// TestBuiltins: rules.md names every built-in that is of use.
func TestBuiltins(t *testing.T) {
	var documented []string
	_, section, _ := strings.Cut(read(t, "rules.md"), "\n### Built-ins\n")
	section, _, _ = strings.Cut(section, "\n#")
	for _, line := range strings.Split(section, "\n") {
		if cells := strings.Split(line, "|"); len(cells) > 3 {
			for _, m := range regexp.MustCompile("`([a-zA-Z0-9]+)`").FindAllStringSubmatch(cells[2], -1) {
				documented = append(documented, m[1])
			}
		}
	}
	idle := []string{"now", "timezone"} // the one is refused, the other gives what only methods could use
	for _, name := range builtin.Names {
		if slices.Contains(idle, name) == slices.Contains(documented, name) {
			t.Errorf("built-in %s: on the page %v", name, slices.Contains(documented, name))
		}
	}
	for _, name := range documented {
		if !slices.Contains(builtin.Names, name) {
			t.Errorf("there is no built-in %s", name)
		}
	}
}

// TestReserved: each reserved word is refused, kindly.
func TestReserved(t *testing.T) {
	for _, word := range words(t, "detect/load.go", "reserved") {
		_, problems := loadRules(t, map[string]string{"rules.yml": fmt.Sprintf("rules:\n  A: {when: ok, %s: 5}\n", word)})
		if err := problems.Err(); err == nil || !strings.Contains(err.Error(), "reserved for a later version") {
			t.Errorf("%s: %v", word, err)
		}
	}
	for form, list := range map[string]string{
		"%s: {}\n": "topReserved",
		"flows:\n  - {name: a, rule: RootLogin, sequential: [], %s: {}}\n": "flowReserved",
		"flows:\n  - {name: a, rule: RootLogin, sequential: [%s: {}]}\n":   "stepReserved",
	} {
		for _, word := range words(t, "dispatch/keys.go", list) {
			_, problems := loadFlows(t, map[string]string{"flows.yml": fmt.Sprintf(form, word)})
			if err := problems.Err(); err == nil || !strings.Contains(err.Error(), "reserved for a later version") {
				t.Errorf("%s: %v", word, err)
			}
		}
	}
}

// TestScopes: the pages say where `item`, `meta` and `resources` are in scope.
func TestScopes(t *testing.T) {
	for field, want := range map[string]struct{ item, meta, resources bool }{
		"when": {}, "each": {}, "if": {item: true},
		"severity": {true, true, false}, "resources": {true, true, false}, "key": {true, true, false},
	} {
		for name, in := range map[string]bool{"item": want.item, "meta": want.meta, "resources": want.resources} {
			rule := map[string]string{"when": "ok", "each": "req.items", "if": "ok"}
			rule[field] = name + " != nil"
			text := "rules:\n  A:\n"
			for k, v := range rule {
				text += "    " + k + ": " + v + "\n"
			}
			if _, problems := detect.Load(shipped(t, map[string]string{"rules.yml": text}), "rules.yml", nil); (problems.Err() == nil) != in {
				t.Errorf("%s in %s: %v", name, field, problems)
			}
		}
	}
}
