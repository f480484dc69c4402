package lang

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

var testScope = Scope{
	Names: append(EventNames(), "severity", "x", "s", "n", "l", "m", "z", "f"),
	Vars:  map[string]any{"denied": []any{"t2.*"}, "n": 5, "deep": map[string]any{"a": []any{"b"}}},
	Lists: map[string]any{"trusted": []any{"192.0.2.1", "10.0.0.0/8"}},
}

// testEnv: x is absent, s a text, n a JSON number, l a list, m an object, z JSON null.
func testEnv() map[string]any {
	return map[string]any{
		"s": "abc", "n": 4.0, "l": []any{"a", "b"}, "m": map[string]any{"k": "v"}, "z": nil, "f": false,
		"severity": responder.High, "time": time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC), "ip": "10.1.2.3",
	}
}

// TestCalm is the table in calm.go, cell by cell: absent (x), null (z), and
// the wrong kind.
func TestCalm(t *testing.T) {
	tests := []struct {
		expr string
		want any
	}{
		// members and indexes
		{`x.a`, nil}, {`x.a.b.c`, nil}, {`z.a`, nil}, {`s.a`, nil}, {`n.a`, nil}, {`l.a`, nil}, {`m.a`, nil}, {`m.k`, "v"}, {`m.k.j`, nil},
		{`x?.a`, nil}, {`m?.k`, "v"}, {`x?.a.b`, nil}, {`x["a"]`, nil}, {`m["k"]`, "v"}, {`m[0]`, nil}, {`m[x]`, nil}, {`l["0"]`, nil},
		{`l[0]`, "a"}, {`l[-1]`, "b"}, {`l[2]`, nil}, {`l[-3]`, nil}, {`l[n]`, nil}, {`x[0]`, nil}, {`s[0]`, nil}, {`l[1.5]`, nil},
		// slices
		{`l[0:1]`, []any{"a"}}, {`l[1:9]`, []any{"b"}}, {`l[:-1]`, []any{"a"}}, {`s[1:]`, "bc"}, {`s[9:]`, ""}, {`x[1:2]`, nil}, {`m[1:]`, nil}, {`l[s:]`, nil},
		// comparison
		{`x < 1`, false}, {`x > 1`, false}, {`x <= 1`, false}, {`x >= 1`, false}, {`1 < x`, false}, {`s < 1`, false}, {`s > 1`, false},
		{`n < 5`, true}, {`n >= 4`, true}, {`s < "b"`, true}, {`l < 1`, false}, {`x < x`, false}, {`1 < n < 5`, true}, {`1 < n < 3`, false},
		{`severity >= HIGH`, true}, {`severity > VERY_HIGH`, false}, {`severity == HIGH`, true}, {`severity in [HIGH, LOW]`, true}, {`x >= HIGH`, false},
		{`time > date("2026-01-01")`, true}, {`x > date("2026-01-01")`, false},
		// arithmetic
		{`x + 1`, nil}, {`1 + x`, nil}, {`s + 1`, nil}, {`s + "d"`, "abcd"}, {`n + 1`, 5.0}, {`1 + 2`, 3}, {`l + ["c"]`, []any{"a", "b", "c"}}, {`l + "c"`, nil},
		{`x - 1`, nil}, {`x * 2`, nil}, {`n * 2`, 8.0}, {`x / 2`, nil}, {`n / 0`, nil}, {`n % 3`, 1}, {`x % 3`, nil}, {`n % 0`, nil}, {`n ** 2`, 16.0}, {`x ^ 2`, nil},
		{`-x`, nil}, {`-s`, nil}, {`-n`, -4.0}, {`+x`, nil}, {`-5`, -5}, {`1..3`, []any{1, 2, 3}}, {`x..3`, nil}, {`1..s`, nil}, {`3..1`, []any{}},
		{`time - time`, time.Duration(0)}, {`time - x`, nil}, {`duration("2h") * 2`, 4 * time.Hour},
		// texts
		{`x contains "a"`, false}, {`s contains "b"`, true}, {`s contains x`, false}, {`n contains "4"`, false}, {`l contains "a"`, false},
		{`x startsWith "a"`, false}, {`s startsWith "a"`, true}, {`x endsWith "a"`, false}, {`s endsWith "c"`, true},
		{`x matches "a"`, false}, {`s matches "^a.c$"`, true}, {`n matches "4"`, false}, {`s matches x`, false}, {`s matches m.k`, false},
		// in
		{`"a" in l`, true}, {`"c" in l`, false}, {`x in l`, false}, {`x in ["a", ""]`, false}, {`nil in [nil]`, true}, {`"a" in x`, false}, {`"k" in m`, true}, {`"v" in m`, false},
		{`"abc" in s`, true}, {`"a" in s`, false}, {`n in [4]`, true}, {`n in 1..9`, true}, {`x in 1..9`, false}, {`x not in l`, true}, {`not (x in l)`, true}, {`n in m`, false},
		// truth
		{`not x`, true}, {`!z`, true}, {`x && true`, false}, {`true && x`, false}, {`x || true`, true}, {`x or z`, false}, {`x ? 1 : 2`, 2}, {`true ? 1 : 2`, 1}, {`f || x`, false},
		{`(f ? "a" : nil) == "a"`, false}, {`(true ? nil : 1) == 1`, false}, {`(f ? "a" : m.q) == "a"`, false}, {`(f ? 1 : len(m)) == "a"`, false}, {`(f ? "a" : 4) == "a"`, false}, {`(f ? "a" : "b") == "b"`, true}, {`let q = (f ? "a" : nil); q == nil`, true}, {`findIndex(l, # == "q") == 1`, false}, {`findLastIndex(l, # == "b") == 1`, true}, {`findIndex(x, true) == 0`, false},
		// equality
		{`x == nil`, true}, {`z == nil`, true}, {`s == nil`, false}, {`x != "a"`, true}, {`x == "a"`, false}, {`n == 4`, true}, {`l == ["a", "b"]`, true}, {`x ?? "d"`, "d"}, {`s ?? "d"`, "abc"}, {`m.q.r ?? 1`, 1},
		// len
		{`len(x)`, 0}, {`len(n)`, 0}, {`len(s)`, 3}, {`len(l)`, 2}, {`len(m)`, 1},
		// collections: nil is [], a single value a list of one
		{`any(x, true)`, false}, {`all(x, false)`, true}, {`none(x, true)`, true}, {`one(x, true)`, false}, {`filter(x, true)`, []any{}}, {`map(x, #)`, []any{}}, {`count(x, true)`, 0},
		{`find(x, true)`, nil}, {`any(s, # == "abc")`, true}, {`any(m, .k == "v")`, true}, {`map(m, .k)`, []any{"v"}}, {`all(l, # in ["a", "b"])`, true}, {`filter(l, # == "a")`, []any{"a"}},
		{`any(l, .x)`, false}, {`any(l, #.x.y == 1)`, false}, {`count(l, # > "a")`, 1}, {`sum(x)`, 0}, {`sum([1, 2, x])`, 3}, {`sum(l, .k)`, 0}, {`sum(l, len(#))`, 2}, {`reduce(x, #acc + 1, 0)`, 0}, {`reduce(l, #acc + #, "")`, "ab"},
		{`groupBy(l, #).a`, []any{"a"}}, {`sortBy(x, #)`, []any{}}, {`first(x)`, nil}, {`first(l)`, "a"}, {`first(s)`, "abc"}, {`last(l)`, "b"}, {`take(x, 2)`, []any{}}, {`take(l, 1)`, []any{"a"}},
		{`reverse(x)`, []any{}}, {`uniq(["a", "a"])`, []any{"a"}}, {`uniq(x)`, []any{}}, {`flatten(x)`, []any{}}, {`sort(x)`, []any{}}, {`sort(["b", "a"])`, []any{"a", "b"}}, {`join(x, ",")`, ""}, {`join(l, "-")`, "a-b"}, {`join([1, 2.0, nil], ",")`, "1,2,"},
		{`concat(x, l)`, []any{"a", "b"}}, {`mean(x)`, 0.0}, {`keys(x)`, []any{}}, {`keys(s)`, []any{}}, {`keys(m)`, []any{"k"}}, {`values(m)`, []any{"v"}}, {`toPairs(x)`, []any{}}, {`count(x)`, 0},
		{`groupBy([{p: 22.0}, {p: 80}], .p)["22"][0].p`, 22.0}, {`"22" in groupBy([{p: 22}], .p)`, true}, {`values(groupBy(l, #))`, []any{[]any{"a"}, []any{"b"}}}, {`keys(groupBy(l, .x))`, []any{""}},
		{`fromPairs(toPairs(m)).k`, "v"}, {`fromPairs(x)`, map[string]any{}}, {`m == {k: "v"}`, true}, {`{a: [1]} == {a: [1.0]}`, true}, {`m != {k: "v"}`, false}, {`[m] == [{k: "w"}]`, false}, {`{k: "v"} in [m]`, true}, {`{a: 1} == {b: 1}`, false}, {`l == x`, false},
		{`uniq([{a: 1}, {a: 1.0}, [1], [1], 1, 1.0, "1", nil, nil])`, []any{map[string]any{"a": 1}, []any{1}, 1, "1", nil}},
		{`reduce(x, #acc + #)`, nil}, {`reduce([1, 2], #acc + #)`, 3}, {`sortBy([{n: 2}, {n: 1}, {}], .n)`, []any{map[string]any{}, map[string]any{"n": 1}, map[string]any{"n": 2}}}, {`sortBy([{s: HIGH}, {s: LOW}], .s)[0].s`, responder.Low}, {`sortBy(l, #, "desc")`, []any{"b", "a"}},
		{`sort(["a", 1, nil, true, HIGH])`, []any{nil, true, 1, "a", responder.High}}, {`sort([1, 2], "desc")`, []any{2, 1}}, {`mean([1, nil, 3])`, 2.0}, {`median([nil, 1])`, 1.0}, {`min([3, x, 1])`, 1}, {`max(x)`, nil}, {`max([])`, nil}, {`take(l, x)`, nil},
		{`bitand(n, 5)`, 4}, {`int(1e300)`, nil}, {`int(4.9)`, 4}, {`9223372036854775807 + 1 > 0`, true}, {`9007199254740993 * 9007199254740993 > 0`, true}, {`-5 - 4`, -9}, {`replace("a-b-c", "-", "+", 1)`, "a+b-c"}, {`replace(x, "a", "b")`, nil},
		{`map(1..2, {let q = #; filter(l, # == "a" && q > 1)})`, []any{[]any{}, []any{"a"}}},
		// other built-ins
		{`lower(x)`, nil}, {`upper(s)`, "ABC"}, {`trim(x)`, nil}, {`split(x, ",")`, nil}, {`split("a,b", ",")[1]`, "b"}, {`len(split("a,b", ","))`, 2}, {`int(x)`, nil}, {`int("5")`, 5}, {`float(x)`, nil}, {`string(x)`, nil}, {`string(n)`, "4"}, {`abs(x)`, nil}, {`round(x)`, nil},
		{`replace(x, "a", "b")`, nil}, {`indexOf(x, "a")`, nil}, {`fromJSON(x)`, nil}, {`toJSON(x)`, nil}, {`get(x, "a")`, nil}, {`get(m, "k")`, "v"}, {`max(x, 1)`, nil}, {`max(1, 2)`, 2}, {`date(x)`, nil}, {`type(s)`, "string"}, {`lower(x) == "a"`, false}, {`lower(x) contains "a"`, false},
		// helpers
		{`ip_in(ip, lists.trusted)`, true}, {`ip_in(x, lists.trusted)`, false}, {`ip_in("AWS Internal", lists.trusted)`, false}, {`ip_in("::ffff:10.0.0.1", lists.trusted)`, true}, {`ip_in("11.0.0.1", ["10.0.0.0/8", "11.0.0.0/31"])`, true}, {`ip_in(ip, x)`, false},
		{`public_ip("8.8.8.8")`, true}, {`public_ip("10.0.0.1")`, false}, {`public_ip("100.64.1.1")`, false}, {`public_ip(x)`, false}, {`public_ip("2606:4700::1")`, true}, {`public_ip("fe80::1")`, false},
		{`glob("t2.micro", vars.denied)`, true}, {`glob("at2.micro", vars.denied)`, false}, {`glob(x, "*")`, false}, {`glob("a\nb", "a*b")`, true}, {`glob("a.c", "a?c")`, true}, {`glob("abc", "a.c")`, false},
		{`matches_any("jane_doe", "^[a-z]+_[a-z]+$")`, true}, {`matches_any(x, ["a"])`, false}, {`matches_any("b", ["a", "b"])`, true},
		{`pick(x, 1, 2)`, 2}, {`pick(n == 4, HIGH, LOW)`, responder.High}, {`pretty(VERY_HIGH)`, "Very High"}, {`pretty("a")`, "a"},
		{`hour(time, "America/Barbados")`, 0}, {`hour(x, "UTC")`, nil}, {`weekend(time, "America/Barbados")`, false}, {`weekend(time, "America/Los_Angeles")`, true}, {`weekend(x, "UTC")`, false},
		{`working_hours(time, {zone: "UTC", week: {from: "3:00AM", to: "5:00AM"}})`, true}, {`working_hours(time, {zone: "UTC", week: {from: "4:01AM", to: "5:00AM"}})`, false}, {`working_hours(x, {zone: "UTC"})`, false},
		{`working_hours(time, {zone: "UTC", week: {from: "22:00", to: "06:00"}})`, true}, {`working_hours(time, {zone: "America/Los_Angeles", week: {from: "0:00", to: "0:00"}})`, true},
		{`arn("arn:aws:iam::111122223333:role/x").account`, "111122223333"}, {`arn(x).account`, nil}, {`arn("a")`, nil},
		{`grants_public({Statement: {Effect: "Allow", Principal: "*"}})`, true}, {`grants_public({Statement: [{Effect: "Allow", Principal: {AWS: ["*"]}, Condition: {a: 1}}]})`, false}, {`grants_public('{"Statement":[{"Effect":"Allow","Principal":{"AWS":"*"}}]}')`, true}, {`grants_public(x)`, false}, {`grants_public("no")`, false},
		// constants
		{`vars.n + 1`, 6}, {`vars.deep.a[0]`, "b"}, {`vars.deep.q`, nil}, {`let a = x.y; a == nil`, true}, {`any(l, # in vars.deep.a)`, true},
	}
	for _, test := range tests {
		p, problems := Compile(Plain(test.expr), testScope)
		if p == nil {
			t.Errorf("%s: %v", test.expr, problems)
			continue
		}
		got, err := p.Eval(testEnv())
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s = %#v, %v; want %#v", test.expr, got, err, test.want)
		}
	}
}

// What is not calm is an error that names what went wrong.
func TestRuleErrors(t *testing.T) {
	for expr, want := range map[string]string{
		`s && true`:                "a condition must be true or false, not a text",
		`any(l, #)`:                "a condition must be true or false",
		`not n`:                    "not a number",
		`lower(n)`:                 "lower: cannot work on a number",
		`int("x")`:                 "int: cannot work on the text",
		`1..999999`:                "more than 10000 elements",
		`repeat("abcdef", 999999)`: "too large",
		`s matches (m.k + "(")`:    "not a regular expression",
		`s matches ("(" + m.k + "{50}){20}" + repeat("((a?){30}){30}", 12))`: "the pattern is too large",
		`glob(s, [repeat("ab", 40000)])`:                                     "the pattern is too large",
		`working_hours(time, {zone: s})`:                                     "unknown time zone",
		`ip_in(ip, [s])`:                                                     "neither an address nor a network",
		`fromJSON(s)`:                                                        "invalid character",
		`map(1..200, map(1..9000, # * 1))`:                                   "too many steps",
		`any(1..5000, any(1..5000, # == 1.5))`:                               "too many steps",
		`any(1..3000, # + 0.5 in reduce(1..11, #acc + #acc, [1]))`:           "too many steps",
		`reduce(1..60, #acc + #acc, "ab")`:                                   "longer than 1 MiB",
		`reduce(1..60, #acc + #acc, ["ab"])`:                                 "more than 1000000 elements",
		`replace(reduce(1..10, #acc + #acc, "a a a "), " ", reduce(1..10, #acc + #acc, "a a a "))`: "longer than 1 MiB",
		`join(map(1..9999, "x"), reduce(1..10, #acc + #acc, "a"))`:                                 "longer than 1 MiB",
	} {
		p, problems := Compile(Plain(expr), testScope)
		if p == nil {
			t.Errorf("%s: %v", expr, problems)
			continue
		}
		if value, err := p.Eval(testEnv()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s = %v, %v; want an error with %q", expr, value, err, want)
		}
	}
}
