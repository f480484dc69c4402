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

var (
	firstSeed   = flag.Uint64("seed", 1, "the first seed of TestSameAnswers")
	comparisons = flag.Int("comparisons", 150_000, "how many times TestSameAnswers compares")
)

// tally is what a comparison has seen.
type tally struct {
	compared, refused        int // (rule, event) pairs; events that are none
	no, yes, asked           int // what the engine said
	failed, found            int // what expr's VM said, of those asked
	uncompiled, whys, wholly int // expressions that do not compile; rules with a part for the fallback; without
}

// ruleUnderTest is one to be judged both ways.
type ruleUnderTest struct{ when, each, condition *lang.Program }

// holds says whether `when` is true, and nothing else.
func (r ruleUnderTest) holds(env map[string]any) (bool, error) {
	if r.when == nil {
		return true, nil
	}
	value, err := r.when.Eval(env)
	return value == true, err
}

// find is what expr's VM says of a rule: whether it finds anything, and the error.
func (r ruleUnderTest) find(env map[string]any) (bool, error) {
	if r.when != nil {
		value, err := r.when.Eval(env)
		list, isList := value.([]any)
		if err != nil || value == nil || value == false || isList && len(list) == 0 {
			return false, err
		}
	}
	if r.each == nil {
		return true, nil
	}
	items, err := r.each.Eval(env)
	if err != nil {
		return false, err
	}
	defer delete(env, "item")
	for _, item := range lang.List(items) {
		env["item"] = item
		yes := true
		if r.condition != nil {
			yes, err = r.condition.Test(env)
		}
		if yes || err != nil {
			return yes, err
		}
	}
	return false, nil
}

func (r ruleUnderTest) String() string {
	return fmt.Sprintf("when: %v\neach: %v\nif: %v", r.when, r.each, r.condition)
}

// differ lets the engine and expr's VM judge the same rules and events. It
// gives what differs, "" if nothing does.
func differ(rules []ruleUnderTest, events []string, t *tally) string {
	given := make([]Rule, len(rules))
	for i, r := range rules {
		given[i] = Rule{When: r.when, Each: r.each, If: r.condition}
	}
	e := New(given, testAccounts)
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
		for i, r := range rules {
			found, err := r.find(env)
			t.compared++
			switch said[i] {
			case "ask":
				t.asked++
				if err != nil {
					t.failed++
				} else if found {
					t.found++
				}
			case "yes":
				t.yes++
				if holds, err := r.holds(env); err != nil || !holds {
					return fmt.Sprintf("the engine says it holds, expr's VM %v, %v\n%s\n%s", holds, err, r, raw)
				}
			default:
				t.no++
				if found || err != nil {
					return fmt.Sprintf("the engine says no, expr's VM %v, %v\n%s\n%s", found, err, r, raw)
				}
			}
		}
	}
	return ""
}

// rule makes one, mostly of a condition alone.
func (g *generator) rule(t *tally) ruleUnderTest {
	compiled := func(made func() string, names ...string) *lang.Program {
		scope := testScope
		scope.Names = append(slices.Clone(scope.Names), names...)
		for {
			if p, _ := lang.Compile(lang.Plain(made()), scope); p != nil {
				return p
			}
			t.uncompiled++
		}
	}
	if !g.chance(8) {
		return ruleUnderTest{when: compiled(g.expression)}
	}
	r := ruleUnderTest{each: compiled(func() string { return g.value(1, false) })}
	if g.chance(2) {
		r.when = compiled(func() string { return g.condition(1, false) })
	}
	if !g.chance(4) {
		r.condition = compiled(func() string { return strings.ReplaceAll(g.condition(g.IntN(3), true), "#", "item") }, "item")
	}
	return r
}

// generated compares rules and events that follow from a seed.
func generated(seed uint64, rules, events int, t *tally) string {
	g := newGenerator(seed)
	made := make([]ruleUnderTest, rules)
	for i := range made {
		made[i] = g.rule(t)
	}
	raws := make([]string, events)
	for i := range raws {
		raws[i] = g.event()
	}
	return differ(made, raws, t)
}

// TestSameAnswers: whatever the rules and the events, the engine says what
// expr's VM says, or leaves it to that. -comparisons makes it as long as wanted.
func TestSameAnswers(t *testing.T) {
	var seen tally
	for seed := *firstSeed; seen.compared < *comparisons; seed++ {
		if differs := generated(seed, 60, 60, &seen); differs != "" {
			t.Fatalf("seed %d: %s", seed, differs)
		}
	}
	t.Logf("%+v", seen)
	if seen.yes == 0 || seen.asked == 0 || seen.failed == 0 || seen.refused == 0 || seen.no < seen.compared/4 || seen.asked > seen.compared/2 {
		t.Error("the comparison does not say much")
	}
}

// TestTraps: what an index or a closure gets wrong easily, each with an event
// that shows it. @ is event.detail.a.
func TestTraps(t *testing.T) {
	for expression, values := range map[string][]string{
		`@ matches "(?i)kali"`:                       {`"\u212aali"`, `"KALI"`, `"kal"`},
		`@ matches "(?i)^iss"`:                       {`"\u0130ss"`, `"i\u017fs"`, `"ISS"`},
		`@ matches "(?m)^b$"`:                        {`"a\nb"`, `"b\na"`, `"ab"`},
		`@ matches "b$"`:                             {`"b\n"`, `"ab"`, `"ba"`},
		`@ matches "x(ab)+"`:                         {`"xababc"`, `"xa"`},
		`@ matches "(?i)x|yy|z$"`:                    {`"aX"`, `"yy"`, `"z1"`, `"Z"`},
		`@ matches "^abc.*xyz$"`:                     {`"abcxyz"`, `"abcx"`, `"abxyz"`, `"abc\nxyz"`, `1`},
		`glob(@, ["abc*xyz", "a?longer*"])`:          {`"abcxyz"`, `"abclonger"`, `"ablonger"`, `"xyz"`, `null`},
		`@ matches "^(abc|abd)e"`:                    {`"abde"`, `"abcd"`},
		`@ matches "^(x?ab)c"`:                       {`"xabc"`, `"abc"`},
		`"x" in map(@, lower(.b))`:                   {`[{"b":"x"},{"b":1}]`, `[{"b":1},{"b":"x"}]`, `[{"b":"X"}]`},
		`glob(@, ["a?c", "*x"])`:                     {`"aéc"`, `"a\nx"`, `"ax "`},
		`glob(@, [])`:                                {`"a"`, `null`, `1`},
		`lower(@) contains "éa"`:                     {`"ÉA"`, `"EA"`, `1`, `null`},
		`lower(@) == "k"`:                            {`"\u212a"`, `"K"`, `{}`},
		`lower(@) in lists.none`:                     {`"K"`, `5`, `null`},
		`upper(@) == "SS"`:                           {`"ß"`, `"ss"`, `[]`},
		`@ in ["", nil]`:                             {`null`, `""`, `"a"`},
		`not (@ in ["a"])`:                           {`null`, `"a"`, `["a"]`},
		`@ == ""`:                                    {`null`, `""`, `false`},
		`@ != nil && @.b != "c"`:                     {`{}`, `{"b":"c"}`, `"x"`, `null`},
		`@ && action == "iam:CreateUser"`:            {`"text"`, `true`, `null`, `false`},
		`action == "iam:CreateUser" && @`:            {`"text"`, `true`},
		`any(@, # == "x") && @.b == "y"`:             {`{"b":"y"}`, `["x"]`, `"x"`},
		`all(@, .b == 1)`:                            {`null`, `[]`, `{"b":1}`, `[{"b":1},{}]`, `"x"`},
		`one(@, # == 1)`:                             {`[1,1]`, `[1]`, `1`, `[1,"x"]`},
		`any(@, #.b && true)`:                        {`[{"b":true},{"b":1}]`, `[{"b":1},{"b":true}]`},
		`"x" in @`:                                   {`["x"]`, `"x"`, `{"x":null}`, `{"y":1}`, `[["x"]]`, `null`},
		`"x" in map(@, .b)`:                          {`[{"b":"x"}]`, `{"b":"x"}`, `[1]`},
		`len(@) == 1`:                                {`"é"`, `["x"]`, `{"x":1,"x":2}`, `{"x":1}`, `5`},
		`len(@) > 1`:                                 {`"é"`, `"éa"`, `["x","y"]`, `["x"]`},
		`@ < 5 && @ > 1`:                             {`3`, `"3"`, `null`, `3.5`},
		`@ == 4 || @ == "4"`:                         {`4.0`, `"4"`, `4e0`, `true`},
		`@ == 9007199254740993`:                      {`9007199254740992`, `9007199254740993`},
		`@[0] == "x"`:                                {`["x"]`, `{"0":"x"}`, `"x"`},
		`@["b"] == "x" && @["B"] == nil`:             {`{"b":"x","B":"y"}`, `{"b":"y","b":"x"}`, `{"\u0062":"x"}`},
		`account.env == "prod" && account.deep != 1`: {`1`},
		`(@ ?? "d") == "d"`:                          {`null`, `false`, `"d"`},
		`(@ ? 1 : 2) == 1`:                           {`true`, `null`, `"x"`},
		`(@ == 1 ? "y" : nil) == "y"`:                {`1`, `2`},
		`(@ == 1 ? "y" : @.b) == "y"`:                {`1`, `{"b":"y"}`, `{}`},
		`(@ == 1 ? nil : 5) == 5`:                    {`1`, `2`},
		`findIndex(@, # == 1) == 0`:                  {`[1]`, `[2]`, `null`},
		`pick(@ == 1, lower(@), "x") == "x"`:         {`1`, `"X"`, `null`},
		`let x = lower(@); ok`:                       {`1`, `"A"`},
		`grants_public(@)`:                           {`{"Statement":{"Effect":"Allow","Principal":"*"}}`, `"{}"`, `1`},
	} {
		p, problems := lang.Compile(lang.Plain(strings.ReplaceAll(expression, "@", "event.detail.a")), testScope)
		if p == nil {
			t.Errorf("%s: %v", expression, problems)
			continue
		}
		var seen tally
		events := []string{`{}`, `{"detail":[]}`}
		for _, v := range values {
			events = append(events, `{"account":"012345670123","detail":{"eventSource":"iam.amazonaws.com","eventName":"CreateUser","a":`+v+`}}`)
		}
		if differs := differ([]ruleUnderTest{{when: p}}, events, &seen); differs != "" || seen.refused > 0 {
			t.Errorf("%s: %d refused, %s", expression, seen.refused, differs)
		}
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
		if differs := differ([]ruleUnderTest{{when: p}}, []string{event}, &seen); differs != "" {
			t.Fatal(differs)
		}
	})
}
