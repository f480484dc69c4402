package engine

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/skycrafters/responder/internal/lang"
)

func compiledRules(t testing.TB, expressions ...string) []Rule {
	t.Helper()
	rules := make([]Rule, len(expressions))
	for i, text := range expressions {
		p, problems := lang.Compile(lang.Plain(text), testScope)
		if p == nil {
			t.Fatal(problems)
		}
		rules[i] = Rule{When: p}
	}
	return rules
}

// looked gives what Look says: the numbers of the rules, with a ? where it asks.
func looked(t testing.TB, e *Engine, raw string) string {
	t.Helper()
	candidates, ok := e.Look([]byte(raw), nil)
	if !ok {
		return "refused"
	}
	var said []string
	for _, c := range candidates {
		said = append(said, fmt.Sprint(c.Rule)+map[bool]string{false: "?"}[c.Holds])
	}
	return strings.Join(said, " ")
}

// TestNoIndex: rules of which nothing can be looked up, and no rules at all.
func TestNoIndex(t *testing.T) {
	e := New(compiledRules(t, `req.a == nil`, `not (req.a contains "x")`, `req.a != "b"`, `len(account) > 1`), testAccounts)
	for raw, want := range map[string]string{
		`{}`: "0 1 2 3?", `{"detail":{"requestParameters":{"a":"x"}}}`: "2 3?", `{"detail":{"requestParameters":{"a":"b"}}}`: "1 3?", `[]`: "refused",
	} {
		if got := looked(t, e, raw); got != want {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
	}
	for rule := range 4 {
		if !e.Every(rule) {
			t.Errorf("rule %d is not one of every event", rule)
		}
	}
	if got := looked(t, New(nil, nil), `{"a":1}`); got != "" {
		t.Errorf("no rules: %q", got)
	}
}

// TestHugeInput: what is too large or too deep is refused at once and costs no
// memory, whatever rules ask of it.
func TestHugeInput(t *testing.T) {
	e := New(compiledRules(t, `event.detail.a == "x"`, `any(req.a, .b == 1)`), nil)
	huge := map[string]string{
		"10 MB of text":         `{"detail":{"a":"` + strings.Repeat("x", 10<<20) + `"}}`,
		"10 MB of escapes":      `{"detail":{"a":"` + strings.Repeat(`\u0061`, 10<<20/6) + `"}}`,
		"10,000 levels":         strings.Repeat(`{"detail":`, 10_000) + "1" + strings.Repeat("}", 10_000),
		"10,000 lists":          `{"detail":{"a":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}}`,
		"10,000 levels, open":   strings.Repeat(`{"detail":`, 10_000),
		"a text without an end": `{"detail":{"a":"` + strings.Repeat("x", 200_000),
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for name, raw := range huge {
		if got := looked(t, e, raw); got != "refused" {
			t.Errorf("%s: %q", name, got)
		}
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 16<<20+uint64(len(huge["10 MB of text"])+len(huge["10 MB of escapes"])) { // Look gets copies
		t.Errorf("%d bytes are allocated", grown)
	}
	elements := `{"detail":{"requestParameters":{"a":[` + strings.Repeat(`{},`, 80_000) + `{"b":1}]}}}`
	if got := looked(t, e, elements); got != "1" {
		t.Errorf("80,000 elements: %q", got)
	}
}

// TestLoopsAreBounded: where loops inside loops would take minutes, the engine
// asks, for the error is the fallback's to tell.
func TestLoopsAreBounded(t *testing.T) {
	e := New(compiledRules(t, `any(req.a, any(req.a, # contains "y"))`), nil)
	raw := `{"detail":{"requestParameters":{"a":[` + strings.TrimSuffix(strings.Repeat(`"x",`, 3000), ",") + `]}}}`
	if got := looked(t, e, raw); got != "0?" {
		t.Errorf("it says %q", got)
	}
}

// TestConcurrentUse: one engine, many events at once.
func TestConcurrentUse(t *testing.T) {
	rules, events := []Rule{}, []string{}
	g := newGenerator(7)
	var seen tally
	for range 40 {
		r := g.rule(&seen)
		rules, events = append(rules, Rule{When: r.when, Each: r.each, If: r.condition}), append(events, g.event())
	}
	e := New(rules, testAccounts)
	want := make([]string, len(events))
	for i, raw := range events {
		want[i] = looked(t, e, raw)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i, raw := range events {
				if got := looked(t, e, raw); got != want[i] {
					t.Errorf("event %d: %q, alone %q", i, got, want[i])
				}
			}
		})
	}
	all.Wait()
}
