package engine

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/lang"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

var (
	testAccounts = map[string]map[string]any{"012345670123": {"name": "payments", "env": "prod", "n": 4, "deep": []any{"a"}}}
	testScope    = lang.Scope{
		Names: lang.EventNames(),
		Vars:  map[string]any{"mixed": []any{"a", nil, 4, true}, "object": map[string]any{"a": 1}},
		Lists: map[string]any{"words": []any{"a", "abc", "iam:CreateUser"}, "networks": []any{"10.0.0.0/8", "8.8.8.8"}, "none": []any{}},
	}
)

var comparisons = flag.Int("comparisons", 300_000, "how many times TestSameAnswers compares")

// tally is what a comparison has seen.
type tally struct {
	compared, refused        int // (rule, event) pairs; events that are none
	no, yes, asked           int // what the engine said
	failed, found            int // what expr's VM said, of those asked
	uncompiled, whys, wholly int // expressions that do not compile; rules with a part for the fallback; without
}

// differ lets the engine and expr's VM judge the same rules and events. It
// gives what differs, "" if nothing does.
func differ(programs []*lang.Program, events []string, t *tally) string {
	rules := make([]Rule, len(programs))
	for i, p := range programs {
		rules[i] = Rule{When: p}
	}
	e := New(rules, testAccounts)
	for i := range rules {
		if len(e.Why(i)) > 0 {
			t.whys++
		} else {
			t.wholly++
		}
	}
	for _, raw := range events {
		candidates, ok := e.Look([]byte(raw), nil)
		event, err := responder.DecodeEvent([]byte(raw))
		if (err == nil) != ok {
			return fmt.Sprintf("the scan says %v, DecodeEvent %v\n%s", ok, err, raw)
		}
		if err != nil {
			t.refused++
			continue
		}
		said := make([]string, len(rules))
		for _, c := range candidates {
			said[c.Rule] = "ask"
			if c.Holds {
				said[c.Rule] = "yes"
			}
		}
		env := lang.EventEnv(event, testAccounts)
		for i, p := range programs {
			value, err := p.Eval(env)
			t.compared++
			switch said[i] {
			case "ask":
				t.asked++
				if err != nil {
					t.failed++
				} else if value == true {
					t.found++
				}
			case "yes":
				t.yes++
				if err != nil || value != true {
					return fmt.Sprintf("the engine says it holds, expr's VM %v, %v\n%s\n%s", value, err, p, raw)
				}
			default:
				t.no++
				if list, ok := value.([]any); err != nil || value != nil && value != false && !(ok && len(list) == 0) {
					return fmt.Sprintf("the engine says no, expr's VM %v, %v\n%s\n%s", value, err, p, raw)
				}
			}
		}
	}
	return ""
}

// generated compares rules and events that follow from a seed.
func generated(seed uint64, rules, events int, t *tally) string {
	g := newGenerator(seed)
	var programs []*lang.Program
	for len(programs) < rules {
		p, _ := lang.Compile(lang.Plain(g.expression()), testScope)
		if p == nil {
			t.uncompiled++
			continue
		}
		programs = append(programs, p)
	}
	raws := make([]string, events)
	for i := range raws {
		raws[i] = g.event()
	}
	return differ(programs, raws, t)
}

// TestSameAnswers: whatever the rules and the events, the engine says what
// expr's VM says, or leaves it to that. -comparisons makes it as long as wanted.
func TestSameAnswers(t *testing.T) {
	var seen tally
	for seed := uint64(1); seen.compared < *comparisons; seed++ {
		if differs := generated(seed, 60, 60, &seen); differs != "" {
			t.Fatalf("seed %d: %s", seed, differs)
		}
	}
	t.Logf("%+v", seen)
	if seen.yes == 0 || seen.asked == 0 || seen.failed == 0 || seen.refused == 0 || seen.no < seen.compared/4 || seen.asked > seen.compared/2 {
		t.Error("the comparison does not say much")
	}
}

// FuzzSameAnswers compares one expression on one event.
func FuzzSameAnswers(f *testing.F) {
	for seed := range uint64(40) {
		g := newGenerator(seed)
		f.Add(g.expression(), g.event())
	}
	f.Fuzz(func(t *testing.T, expression, event string) {
		if strings.Contains(expression, "..") { // what it makes may take long
			return
		}
		p, _ := lang.Compile(lang.Plain(expression), testScope)
		if p == nil {
			return
		}
		var seen tally
		if differs := differ([]*lang.Program{p}, []string{event}, &seen); differs != "" {
			t.Fatal(differs)
		}
	})
}
