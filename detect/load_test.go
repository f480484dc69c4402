package detect

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/skycrafters/responder"
)

// files makes a file system of name, content, name, content …
func files(pairs ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		fsys[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return fsys
}

// load compiles rules and fails the test on errors.
func load(t *testing.T, pairs ...string) *Rules {
	t.Helper()
	rules, problems := Load(files(pairs...), "rules.yml", nil)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return rules
}

func event(t *testing.T, raw string) responder.Event {
	t.Helper()
	e, err := responder.DecodeEvent([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

const call = `{"id":"1","source":"aws.iam","detail-type":"AWS API Call via CloudTrail","account":"012345670123","time":"2026-11-23T10:00:00Z","region":"us-east-1",
 "detail":{"eventSource":"iam.amazonaws.com","eventName":"CreateUser","eventID":"e1","recipientAccountId":"012345670123","awsRegion":"us-east-1","eventTime":"2026-11-23T10:00:00Z",
 "sourceIPAddress":"203.0.113.9","userIdentity":{"type":"IAMUser","userName":"ann"},"requestParameters":{"userName":"bob","tags":["a","b"]},"responseElements":{"items":[{"id":"i-1","n":1},{"id":"i-2","n":2}]}}}`

// Mistakes in rules.yml and what is said of them: every wanted text must be there.
func TestProblems(t *testing.T) {
	tests := map[string]struct {
		rules string
		want  []string
	}{
		"all at once": {"rules:\n  A: acton == 1\n  B: {when: ok, severity: HIHG}\n  C: {whn: ok}\n", []string{
			`rules.yml:2:6: unknown name "acton"`, "    2 |   A: acton == 1\n      |      ^^^^^", `did you mean "action"?`,
			`rules.yml:3:27: unknown name "HIHG"`, `did you mean "HIGH"?`, `rules.yml:4:7: unknown key "whn" of a rule`, `did you mean "when"?`, `rule "C" has no `}},
		"top key":          {"rule:\n  A: ok\n", []string{`rules.yml:1:1: unknown key "rule"`, `did you mean "rules"?`}},
		"twice":            {"rules:\n  A: ok\n  A: denied\n", []string{`rules.yml:3:3: "A" is given twice, first in line 2`}},
		"reserved":         {"rules:\n  A: {when: ok, window: 5m}\n", []string{`"window" is not there yet`, "later version"}},
		"repairs":          {"rules:\n  A: {when: ok, repairs: live}\n", []string{`a rule cannot arm a repair`}},
		"unknown var":      {"rules:\n  A: {when: vars.pat == 1, vars: {pattern: x}}\n", []string{`unknown key "pat" of vars`, `did you mean "pattern"?`}},
		"unknown list":     {"lists: {ips: []}\nrules:\n  A: ip_in(ip, lists.ip)\n", []string{`unknown key "ip" of lists`}},
		"severity as text": {"rules:\n  A: {when: ok, severity: 'pick(ok, \"HIGH\", LOW) == \"HIGH\"'}\n", nil},
		"if without each":  {"rules:\n  A: {when: ok, if: ok}\n", []string{"there is no `each`"}},
		"number account":   {"accounts: {12345: {name: x}}\nrules: {}\n", []string{`"12345" is not an account id`, "leading zeros included"}},
		"list of maps":     {"lists: {a: [{b: 1}]}\n", []string{"a list holds texts"}},
		"rules as list":    {"rules:\n  - A\n", []string{"rules are named"}},
		"bad CIDR":         {"lists: {ips: [10.0.0.0/99]}\nrules:\n  A: ip_in(ip, lists.ips)\n", []string{`rules.yml:3:22: "10.0.0.0/99" is neither an address nor a network`}},
		"template":         {"rules:\n  A: {when: ok, message: 'x {{ actr.name }} y'}\n", []string{`rules.yml:2:32: unknown name "actr"`}},
		"open template":    {"rules:\n  A: {when: ok, message: 'x {{ actor'}\n", []string{"{{ is not closed by }}"}},
		"folded position":  {"rules:\n  A:\n    when: >-\n      action == \"a\"\n      && acton == 1\n", []string{"rules.yml:5:10: unknown name", "    5 |       && acton == 1\n      |          ^^^^^"}},
		"quoted position":  {"rules:\n  A: 'x''s'\n", []string{"rules.yml:2:10: the text is not closed"}},
		"escaped position": {"rules:\n  A: \"\\\"a\\\" == acton\"\n", []string{`rules.yml:2:16: unknown name "acton"`}},
		"comma":            {"rules:\n  A: {when: ok, resources: [max(req.a, 1)]}\n", []string{"a comma ends the text in YAML"}},
		// what YAML bites
		"comment":         {"rules:\n  A: action == \"a #b\"\n", []string{"a quote is missing", "begins a comment", `A: 'action == "a #b"'`}},
		"colon":           {"rules:\n  A: ok ? true : false\n", []string{"rules.yml:2:6: not valid YAML", "means a key to YAML", `A: 'ok ? true : false'`}},
		"map literal":     {"rules:\n  A: get({a: 1}, \"a\") == 1\n", []string{`A: 'get({a: 1}, "a") == 1'`}},
		"leading !":       {"rules:\n  A: !ok && denied\n", []string{"a leading ! means something else", "A: '!ok && denied'"}},
		"lone !":          {"rules:\n  A: !ok\n", []string{"reads a leading ! as a tag", "A: '!ok'"}},
		"leading quote":   {"rules:\n  A: \"a\" in req.tags\n", []string{"a leading \" ends the text", `A: '"a" in req.tags'`}},
		"single quote":    {"rules:\n  A: 'a' in req.tags\n", []string{"a leading ' ends the text", `A: '''a'' in req.tags'`}},
		"inner !":         {"rules:\n  A: {when: !ok}\n", []string{"rules.yml:2:13", "a leading ! means something else", "put it in single quotes", "A: {when: '!ok'}"}},
		"inner tag":       {"rules:\n  C: {when: !x ok}\n", []string{"rules.yml:2:13", "reads a leading ! as a tag", "C: {when: '!x ok'}"}},
		"inner ternary":   {"rules:\n  A: {when: action == \"a:b\" ? ok : denied}\n", []string{"rules.yml:2:13", `A: {when: 'action == "a:b" ? ok : denied'}`}},
		"inner list":      {"rules:\n  A: {when: ok && req.a in [\"x\", \"y\"], severity: LOW}\n", []string{"rules.yml:2:13", "ends the text", `A: {when: 'ok && req.a in ["x", "y"]', severity: LOW}`}},
		"inner object":    {"rules:\n  A: {severity: LOW, when: {a: 1}.a == 1}\n", []string{"rules.yml:2:28", `A: {severity: LOW, when: '{a: 1}.a == 1'}`}},
		"an item":         {"rules:\n  A:\n    when: ok\n    resources: [req.b, req.a ? \"x\" : \"y\"]\n", []string{"rules.yml:4:24", `resources: [req.b, 'req.a ? "x" : "y"']`}},
		"two at once":     {"rules:\n  A: {when: !ok, title: x: y}\n", []string{"put each in single quotes", `A: {when: '!ok', title: 'x: y'}`}},
		"goes on below":   {"rules:\n  A: {when: ok ? true : false,\n      severity: LOW}\n", []string{"rules.yml:2:13", `A: {when: 'ok ? true : false',`}},
		"list begins":     {"rules:\n  A: [action] == [\"x\"]\n", []string{"rules.yml:2:6", `A: '[action] == ["x"]'`}},
		"list is indexed": {"rules:\n  Z: ok\n  A: [ok, denied][0]\n", []string{"rules.yml:3:6", "A: '[ok, denied][0]'"}},
		"text begins {{":  {"rules:\n  A:\n    when: ok\n    message: {{ req.x }} hi\n    title: a\n", []string{"rules.yml:4:14", "a text that begins with {{ must be quoted", "message: '{{ req.x }} hi'"}},
		"text is {{ }}":   {"rules:\n  A:\n    when: ok\n    message: {{ req.x }}\n", []string{"rules.yml:4:14", "a text that begins with {{ must be quoted", "message: '{{ req.x }}'"}},
		"inner {{ }}":     {"rules:\n  A:\n    when: ok\n    check: {IAMUserExists: {user: {{ req.x }}}}\n", []string{"rules.yml:4:35", "check: {IAMUserExists: {user: '{{ req.x }}'}}"}},
		"leading -":       {"rules:\n  A: - 1 == 2\n", []string{"rules.yml:2:6", "begins an item of a list", "A: '- 1 == 2'"}},
		"leading ?":       {"rules:\n  A: ? ok\n", []string{"rules.yml:2:6", "begins a key", "A: '? ok'"}},
		"block passed":    {"rules:\n  A:\n    message: |\n      x: y: z\n    when: a ? b : c\n", []string{"rules.yml:5:11", "when: 'a ? b : c'"}},
		"quoted rule":     {"rules:\n  A: '{when: !ok}'\n", []string{"rules.yml:2:6: this is a text that looks like a rule's fields", "take the quotes off"}},
		"quoted fields":   {"rules:\n  A: {when: '{each: req.a, severity: HIGH}'}\n", []string{"rules.yml:2:13: this is a text that looks like a rule's fields"}},
		"a number":        {"rules:\n  A: {when: 5}\n", []string{"rules.yml:2:13: a number is no condition"}},
		"a text":          {"rules:\n  A: '\"text\"'\n", []string{"rules.yml:2:6: a text is no condition"}},
		"if is a list":    {"rules:\n  A: {each: req.a, if: '[item]'}\n", []string{"rules.yml:2:24: a list is no condition"}},
		"finding":         {"rules:\n  A: 'ok ? {title: \"a\"} : nil'\n  B: '{message: \"every event\"}'\n  C: true\n", nil},
		"leading [":       {"rules:\n  A: [1, 2] == req.tags\n", []string{"begins a list or object", `A: '[1, 2] == req.tags'`}},
		"only a list":     {"rules:\n  A: {when: [ok]}\n", []string{"rules.yml:2:13: an expression must be a text", "write it without [ ] or { }"}},
		"only an object":  {"rules:\n  A: {when: {a: ok}}\n", []string{"rules.yml:2:13: an expression must be a text", "write it without [ ] or { }"}},
		"leading {":       {"rules:\n  A: {a: 1}.a == 1\n", []string{`A: '{a: 1}.a == 1'`}},
		"leading *":       {"rules:\n  A: *a == 1\n", []string{"a leading * means something else", `A: '*a == 1'`}},
		"leading &":       {"rules:\n  A: &a ok\n", []string{"reads a leading & as an anchor", `A: '&a ok'`}},
		"leading %":       {"rules:\n  A: %a == 1\n", []string{`A: '%a == 1'`}},
		"leading @":       {"rules:\n  A: @a == 1\n", []string{`A: '@a == 1'`}},
		"leading |":       {"rules:\n  A: | a\n", []string{`A: '| a'`}},
		"leading >":       {"rules:\n  A: > 5\n  B: ok\n", []string{`A: '> 5'`}},
		"tab":             {"rules:\n\tA: ok\n", []string{"rules.yml:2:1", "YAML indents with spaces, not with tabs"}},
		"deeper tab":      {"rules:\n  A:\n  \twhen: ok\n", []string{"rules.yml:3:3", "not with tabs"}},
		"not UTF-8":       {"rules: \"\xff\"\n", []string{"not valid UTF-8"}},
		"two documents":   {"rules: {}\n---\nrules: {}\n", []string{"a second document"}},
		"scalar file":     {"hello\n", []string{"must be an object of keys"}},
		"bad name":        {"rules:\n  'a b': ok\n", []string{"cannot name a rule"}},
		"empty rule":      {"rules:\n  A:\n", []string{"an expression is missing"}},
		"include out":     {"include: ['../x.yml']\n", []string{"cannot leave the folder"}},
		"include gone":    {"include: [x.yml]\n", []string{`no file is found by "x.yml"`}},
		"two bindings":    {"rules:\n  A: {when: ok, check: {X: {}, Y: {}}}\n", []string{"binds one action"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, problems := Load(files("rules.yml", test.rules), "rules.yml", nil)
			got := problems.Errors().Error()
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("problems are\n%s\nwant %q in them", got, want)
				}
			}
			if test.want == nil && got != "" {
				t.Errorf("problems are\n%s\nwant none", got)
			}
		})
	}
}

func TestMerging(t *testing.T) {
	rules := load(t,
		"rules.yml", "include: [packs/*.yml]\naccounts:\n  012345670123: {name: pay, env: prod}\nlists: {l: [a, b]}\nrules:\n  A: {title: main}\n",
		"packs/a.yml", "rules:\n  A: {when: action in lists.l || vars.x == 1, severity: LOW, title: pack, vars: {x: 1, y: 2}}\n  B: ok\n",
		"packs/a.local.yml", "rules: {C: ok}\n",
		"rules.local.yml", "accounts:\n  '012345670123': {env: test}\nlists: {l: [c]}\nrules:\n  A: {severity: HIGH, vars: {x: 1}}\n  B: {enabled: false}\n",
	)
	if rules.Len() != 1 {
		t.Fatalf("%d rules are enabled, want A alone: %v", rules.Len(), rules.Infos())
	}
	findings, errs := rules.Evaluate(event(t, call))
	if len(findings) != 1 || len(errs) != 0 {
		t.Fatalf("findings %v, errors %v", findings, errs)
	}
	if f := findings[0]; f.Severity != responder.High || f.Title != "main" {
		t.Errorf("severity %v, title %q: the local file's severity and the main file's title should win", f.Severity, f.Title)
	}
	if a := rules.Accounts["012345670123"]; a["name"] != "pay" || a["env"] != "test" {
		t.Errorf("account is %v, want its fields merged under the id as written", a)
	}
}

// TestManyAtOnce: rules are compiled on all cores, and stay in the order of the
// file, as does what is wrong with them.
func TestManyAtOnce(t *testing.T) {
	const many = 400
	var good, bad strings.Builder
	good.WriteString("rules:\n")
	bad.WriteString("rules:\n")
	for i := range many {
		fmt.Fprintf(&good, "  R%d: event.n == %d\n", i, i)
		fmt.Fprintf(&bad, "  R%d: evnt.n == %d\n", i, i)
	}
	for i, info := range load(t, "rules.yml", good.String()).Infos() {
		if want := fmt.Sprint("R", i); info.Name != want || info.When != fmt.Sprint("event.n == ", i) {
			t.Fatalf("rule %d is %s: %s", i, info.Name, info.When)
		}
	}
	_, problems := Load(files("rules.yml", bad.String()), "rules.yml", nil)
	if len(problems) != many {
		t.Fatalf("%d problems are told, want %d", len(problems), many)
	}
	for i, p := range problems {
		if p.Line != i+2 {
			t.Fatalf("problem %d is told of line %d", i, p.Line)
		}
	}
}

func TestMissingFile(t *testing.T) {
	if _, problems := Load(files(), "rules.yml", nil); problems.Err() == nil || !strings.Contains(problems.Error(), "there is no such file") {
		t.Errorf("a missing rules.yml gives %v", problems)
	}
}

// A comment that looks like a part of its expression is warned of.
func TestCutOff(t *testing.T) {
	for rules, want := range map[string]string{
		"rules:\n  A: action == \"x\" #comment && ok\n":            "rules.yml:2:20: warning: YAML ends the expression here",
		"rules:\n  A: {when: ok # || denied\n   }\n":               "rules.yml:2:16: warning",
		"rules:\n  A:\n    when: ok\n      && denied  # == true\n": "rules.yml:4:18: warning",
		"rules:\n  A: ok # and denied\n":                           "rules.yml:2:9: warning",
		"rules:\n  A: action #in lists.a\n":                        "rules.yml:2:13: warning",
		"rules:\n  A: ok # action in [\"a\"]\n":                    "rules.yml:2:9: warning",
		"rules:\n  A: ok # as seen in production, or not\n":        "",
		"rules:\n  A: ok # in production only\n":                   "",
		"rules:\n  A: 'ok' # && denied\n":                          "",
		"rules:\n  A: ok # fine\n  # && denied\n  B: ok\n":         "",
	} {
		_, problems := Load(files("rules.yml", rules), "rules.yml", nil)
		if got := problems.Error(); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%s gives\n%s\nwant %q", rules, got, want)
		}
	}
}

// repair is an action of a catalogue, as far as loading looks at it.
type repair struct{ responder.Action }

func (repair) Spec() responder.Spec {
	return responder.Spec{Name: "DeleteUser", Kind: responder.Repair, Params: []responder.Param{
		{Name: "user", Type: responder.TextParam, Required: true}, {Name: "keys", Type: responder.ListParam, Required: true}, {Name: "why", Type: responder.TextParam},
		{Name: "to", Type: responder.ListParam, Static: true}, {Name: "pairs", Type: responder.ListParam, Pairs: true},
	}}
}

// TestBindingsSayThemselves: what only the author says holds no template, not in
// a list either, and an event says no names.
func TestBindingsSayThemselves(t *testing.T) {
	for more, want := range map[string]string{
		`to: [a, b]`:                       "",
		`to: "{{ actor.name }}"`:           "to of DeleteUser cannot be a template",
		`to: [a, "{{ actor.name }}"]`:      "to of DeleteUser cannot be a template",
		`pairs: ["A={{ actor.name }}"]`:    "",
		`pairs: "A={{ actor.name }}"`:      "",
		`pairs: "{{ resources }}"`:         "pairs of DeleteUser holds what is not NAME=value",
		`pairs: [A=b, "{{ actor.name }}"]`: "pairs of DeleteUser holds what is not NAME=value",
		`pairs: ["{{ actor.name }}=b"]`:    "pairs of DeleteUser holds what is not NAME=value",
		`pears: ["{{ actor.name }}=b"]`:    `DeleteUser has no parameter "pears"`,
	} {
		_, problems := Load(files("rules.yml", "rules:\n  A: {when: ok, remediate: {DeleteUser: {user: a, keys: [b], "+more+"}}}\n"), "rules.yml", responder.Catalogue{"DeleteUser": repair{}})
		if said := problems.Error(); !strings.Contains(said, want) || want == "" && said != "" || want != "" && len(problems) != 1 {
			t.Errorf("%s gives\n%s\nwant %q", more, said, want)
		}
	}
}

// A binding that is none is shown one that could be meant.
func TestBindingIsShown(t *testing.T) {
	for binding, want := range map[string]string{
		"remediate: DeleteUser": `write: remediate: {DeleteUser: {user: "{{ resources[0] }}", keys: "{{ resources }}"}}`,
		"remediate: Other":      `write: remediate: {EC2TerminateInstances: {ids: "{{ resources }}"}}`,
		"check: DeleteUser":     `write: check: {EC2InstanceAlive: {ids: "{{ resources }}"}}`,
		"check: []":             `write: check: {EC2InstanceAlive: {ids: "{{ resources }}"}}`,
	} {
		_, problems := Load(files("rules.yml", "rules:\n  A: {when: ok, "+binding+"}\n"), "rules.yml", responder.Catalogue{"DeleteUser": repair{}})
		if len(problems) != 1 || problems[0].Hint != want {
			t.Errorf("%s gives\n%v\nwant the hint %s", binding, problems, want)
		}
	}
}

// Hints that cannot say the very line show none: quoted, it would mean something else.
func TestNoLineIsGuessed(t *testing.T) {
	for _, rules := range []string{
		"rules:\n  A: {when: [ok]}\n", "rules:\n  A: {when: {a: ok}}\n", "rules:\n  A: {<<: *x, when: ok}\n", "rules:\n  A: {<<: *x}\n",
		"rules: [\n", "rules: {A: {when: ok\n", "rules:\n  A: {severity: LOW,\n      when: !ok}\n", "rules:\n  A: {severity: LOW,\n      when: !ok,\n      title: x}\n",
		"rules:\n  A: 'ok\n", "rules:\n  A: ok\n B: ok\n", "rules:\n  A: {when ok: x: y}\n",
	} {
		_, problems := Load(files("rules.yml", rules), "rules.yml", nil)
		if problems.Err() == nil {
			t.Errorf("%s loads", rules)
		}
		for _, p := range problems {
			if _, line, _ := strings.Cut(p.Hint, "\n"); strings.Contains(line, "'") {
				t.Errorf("%s\ngives\n%s", rules, p)
			}
		}
	}
}

// FuzzLoad: no rules.yml makes the loader panic, and every problem stands in it.
func FuzzLoad(f *testing.F) {
	f.Add("rules:\n  A: action == \"a\" && ok\n")
	f.Add("accounts: {'012345670123': x}\nlists: {a: [b]}\nrules:\n  A: {when: ok, each: resp.items, if: item.n > 1, message: '{{ item.id }}', resources: [item.id], check: {X: {ids: '{{ resources }}'}}}\n")
	f.Add("rules:\n  A: !ok\n  B: &x ok\n  C: *x\n  D: >\n    a\n  E: |\n    b {{\n")
	f.Add("rules: {A: \"\\u00e9 == \\\"a\\\"\", B: 'x''y'}")
	f.Add("{{{{{")
	f.Add("lists: {a: [b}\nrules:\n  A: {when: [a, {b: c}, d: [e}}] #\n")
	f.Add("rules:\n  ? [a]\n  : b\n")
	f.Fuzz(func(t *testing.T, text string) {
		rules, problems := Load(files("rules.yml", text), "rules.yml", nil)
		if rules == nil && problems.Err() == nil {
			t.Fatal("neither rules nor an error")
		}
		for _, p := range problems {
			if p.File != "rules.yml" || p.Message == "" {
				t.Fatalf("problem without place or message: %#v", p)
			}
		}
		if rules != nil {
			e, err := responder.DecodeEvent([]byte(call))
			if err != nil {
				t.Fatal(err)
			}
			rules.Evaluate(e)
		}
	})
}
