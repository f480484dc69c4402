package dispatch

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/skycrafters/responder"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := string(read(t, name)); got != want {
		t.Errorf("%s differs (-update writes it anew); got:\n%s", name, got)
	}
}

func files(t *testing.T, named map[string]string) fstest.MapFS {
	t.Helper()
	fsys := fstest.MapFS{"templates/SendSlack/aws-event.yml": {Data: read(t, "testdata/templates/SendSlack/aws-event.yml")}}
	for name, data := range named {
		fsys[name] = &fstest.MapFile{Data: []byte(data)}
	}
	return fsys
}

// TestProblems: every mistake of testdata/bad.yml is told, at its place.
func TestProblems(t *testing.T) {
	w := newWorld(t, "flows: []")
	set, problems := Load(files(t, map[string]string{
		"flows.yml":                     string(read(t, "testdata/bad.yml")),
		"templates/SendSlack/empty.yml": "# nothing\n", "templates/SendSlack/broken.yml": "a: [", "templates/SendSlack/odd.yml": "a: '{{ titel }}'",
	}), "flows.yml", w.options())
	if set != nil {
		t.Error("flows with errors are given")
	}
	golden(t, "testdata/bad.golden", problems.Error()+"\n")
}

func TestWarnings(t *testing.T) {
	w := newWorld(t, "flows: []")
	set, problems := Load(files(t, map[string]string{"flows.yml": `
flows:
  - name: a
    rules: ["*", "None*"]
    sequential:
      - check: {}
      - SendSlack: {webhookURL: "https://hooks.example.com/SECRETWORD"}
`}), "flows.yml", w.options())
	if err := problems.Err(); err != nil || len(set.All()) != 1 {
		t.Fatal(err)
	}
	golden(t, "testdata/warnings.golden", problems.Error()+"\n")
	if strings.Contains(problems.Error(), "SECRETWORD") {
		t.Error("a warning shows a secret")
	}
}

// TestSecretsAreMasked: whatever is wrong with a file, no problem shows an
// address that stands in it, and the place of the mistake stays.
func TestSecretsAreMasked(t *testing.T) {
	const flow = "flows:\n  - name: a\n    rule: RootLogin\n    sequential:\n      - "
	for _, tt := range []struct{ text, want string }{
		{"SendSlack: {message: a: b, webhookURL: 'https://hooks.example.com/SECRETWORD'}", "flows.yml:5:30: not valid YAML"},
		{"SendSlack: {webhookURl: https://hooks.example.com/SECRETWORD, message: x}", `flows.yml:5:21: SendSlack has no parameter "webhookURl"`},
		{"SendSlack: {webhookURL: [https://hooks.example.com/SECRETWORD]}", "flows.yml:5:33: webhookURL must be a text"},
		{"SendSlack: {webhookURL: https://hooks.example.com/a?b=SECRETWORD, message: x}", `flows.yml:5:33: not valid YAML`},
		{"SendSlack: {webhookURL: https://hooks.example.com/SECRETWORD, message: x, colour: red}", `flows.yml:5:83: SendSlack has no parameter "colour"`},
		{"SendSlack: {\"webhookURL\":\"https://hooks.example.com/SECRETWORD\", colour: red}", `has no parameter "colour"`},
		{"SendSlack: {webhookURL: 'https://SECRETWORD:x@hooks.example.com/', colour: red}", `has no parameter "colour"`},
		{"SendSlack: {colour: 'https://hooks.example.com/SECRETWORD'}", `has no parameter "colour"`},
		{"SendSlack: {apiKey: SECRETWORD}", `flows.yml:5:21: SendSlack has no parameter "apiKey"`},
		{"SendSlack: {slack_token: 'SECRETWORD, }', message: x}", `has no parameter "slack_token"`},
		{"SendSlack: {Password: SECRETWORD}", `has no parameter "Password"`},
		{"https://hooks.example.com/SECRETWORD", "a step is an object of keys"},
		{"SendSlack:\n          message: {{ x }} y\n          webhookURL: \"https://hooks.example.com/SECRETWORD", "flows.yml:"},
		{"SendSlack: {webhookURL: 'https://hooks.example.com/{{ SECRETWORD }}'}", "webhookURL cannot hold {{ }}"},
		{"SendSlack:\n          webhookURL: >-\n            https://hooks.example.com/SECRETWORD\n", "stands here in plain text"},
		{"wait: https://hooks.example.com/SECRETWORD", "flows.yml:5:15: wait: not a duration"},
	} {
		w := newWorld(t, "flows: []")
		_, problems := Load(files(t, map[string]string{"flows.yml": flow + tt.text}), "flows.yml", w.options())
		if !strings.Contains(problems.Error(), tt.want) {
			t.Errorf("%s gives\n%v\nwant %s", tt.text, problems, tt.want)
		}
		if said := problems.Error() + fmt.Sprintf("%#v", problems); strings.Contains(said, "SECRETWORD") {
			t.Errorf("%s gives\n%v", tt.text, said)
		}
	}
}

// TestPairs: the names of pairs are written out, in a flow and in its defaults;
// what an event says stands behind them.
func TestPairs(t *testing.T) {
	for text, want := range map[string]string{
		`[Action=Contain, "InstanceId={{ resources[0] }}", "Note={{ title }} = {{ severity }}"]`: "",
		`"InstanceId={{ resources[0] }}"`: "",
		`A=`:                              "",
		`"{{ resources }}"`:               "flows.yml:5:33: parameters holds what is not NAME=value",
		`[A=b, "{{ title }}=x"]`:          "flows.yml:5:39: parameters holds what is not NAME=value",
		`["{{ title }}{{ severity }}=x"]`: "flows.yml:5:34: parameters holds what is not NAME=value",
		`[i-1]`:                           "flows.yml:5:34: parameters holds what is not NAME=value",
		`["A b=c"]`:                       "flows.yml:5:34: parameters holds what is not NAME=value",
		`["=c"]`:                          "flows.yml:5:34: parameters holds what is not NAME=value",
		`["A={{ resources[ }}"]`:          "flows.yml:5:",
		`[["A=b"]]`:                       "flows.yml:5:33: parameters must be a text or a list of texts",
	} {
		w := newWorld(t, "flows: []")
		w.catalogue["Run"] = w.fake(responder.Spec{Name: "Run", Kind: responder.Repair, Params: []responder.Param{{Name: "parameters", Type: responder.ListParam, Pairs: true}}})
		for where, flow := range map[string]string{
			"a step":   "flows:\n  - name: a\n    rule: RootLogin\n    sequential:\n      - Run:       {parameters: " + text + "}\n",
			"defaults": "actions: {Run: {parameters: " + text + "}}\nflows: [{name: a, rule: RootLogin, sequential: [Run: {}]}]\n",
		} {
			_, problems := Load(files(t, map[string]string{"flows.yml": flow}), "flows.yml", w.options())
			_, says, _ := strings.Cut(want, ": ")
			if where == "a step" {
				says = want
			}
			if said := problems.Error(); !strings.Contains(said, says) || (want == "") != (said == "") {
				t.Errorf("parameters: %s, in %s, gives\n%s\nwant %q", text, where, said, says)
			}
		}
	}
}

// TestAddresses: what can be posted to, or refers to it, is taken; nothing else is.
func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"env:SLACK_1": "", "secret:slack": "", "secret:team/slack@prod": "", "' env:X '": "", "": "",
		"https://hooks.example.com/x": "in plain text", "http://127.0.0.1:8080/x": "in plain text", "http://localhost/x": "in plain text", "'http://[::1]/x'": "in plain text",
		"'secret:'": "refers to nothing", "'env:'": "refers to nothing", "env:https://hooks.example.com/x": "refers to nothing", "env:1A": "refers to nothing",
		"env:A-B": "refers to nothing", "'secret: slack'": "refers to nothing", "secret:https://hooks.example.com/x": "refers to nothing",
		"''": "neither a reference", "' '": "neither a reference", "file:///etc/passwd": "neither a reference", "http://hooks.example.com/x": "neither a reference",
		"hooks.example.com/x": "neither a reference", "https:///x": "neither a reference", "5": "neither a reference", "\n            SECRETWORD": "flows.yml:6:11: webhookURL is neither",
	} {
		w := newWorld(t, "flows: []")
		_, problems := Load(files(t, map[string]string{"flows.yml": "flows:\n  - name: a\n    rule: RootLogin\n    sequential:\n      - SendSlack:\n          webhookURL: " + text}), "flows.yml", w.options())
		if said := problems.Error(); !strings.Contains(said, want) || want == "" && said != "" || strings.Contains(said, "SECRETWORD") {
			t.Errorf("webhookURL: %s gives\n%s\nwant %q", text, said, want)
		}
		if refused := want != "" && want != "in plain text"; refused != (problems.Err() != nil) {
			t.Errorf("webhookURL: %s is refused: %v", text, !refused)
		}
	}
}

func TestMerging(t *testing.T) {
	w := newWorld(t, "flows: []")
	set, problems := Load(files(t, map[string]string{
		"flows.yml": `
include: [flows/*.yml]
actions: {SendSlack: {webhookURL: "secret:main"}, SendEmail: {subject: main, copies: 2}}
flows:
  - rule: RootLogin
    sequential: [SendSlack: {message: one}]
  - rule: RootLogin
    sequential: [SendSlack: {message: two}]
`,
		"flows/pack.yml": `
actions: {SendSlack: {webhookURL: "secret:pack"}}
flows:
  - name: packed
    rules: [RootLogin]
    repairs: live
    if: ok
    sequential: [SendEmail: {copies: 3}, SendSlack: {webhookURL: "env:OWN"}]
`,
		"flows.local.yml": `
actions: {SendEmail: {subject: local, copies: }}
flows:
  - name: RootLogin#2
    enabled: false
  - rule: RootLogin
    repairs: off
  - name: packed
    repairs: dry
    rule: SuspiciousLoginHour
`,
	}), "flows.yml", w.options())
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"Name":"packed","Rules":["SuspiciousLoginHour"],"If":"ok","Disabled":false,"Repairs":"dry","Timeout":0,"Cooldown":null,"Steps":[` +
			`{"kind":"action","action":"SendEmail","params":{"copies":3,"subject":"local"}},{"kind":"action","action":"SendSlack","params":{"webhookURL":"env:OWN"}}]}`,
		`{"Name":"RootLogin","Rules":["RootLogin"],"If":"","Disabled":false,"Repairs":"off","Timeout":0,"Cooldown":null,"Steps":[{"kind":"action","action":"SendSlack","params":{"message":"one","webhookURL":"secret:main"}}]}`,
		`{"Name":"RootLogin#2","Rules":["RootLogin"],"If":"","Disabled":true,"Repairs":"dry","Timeout":0,"Cooldown":null,"Steps":[{"kind":"action","action":"SendSlack","params":{"message":"two","webhookURL":"secret:main"}}]}`,
	}
	for i, flow := range set.All() {
		if got := mustJSON(t, flow); got != want[i] {
			t.Errorf("flow %d:\n got %s\nwant %s", i, got, want[i])
		}
	}
}

func TestEveryStep(t *testing.T) {
	w := newWorld(t, `
flows:
  - name: all
    rules: NonCompliant*
    sequential:
      - SendEmail: {subject: 012345, html: true, copies: "{{ number }}"}
        as: mail
        if: region == "eu-west-1"
        retry: {attempts: 7, backoff: 1s, cap: 1m}
        timeout: 90
        on_error: stop
      - EC2TerminateInstances: {ids: i-1}
        on_error:
          - SendSlack: {message: {header: "{{ steps.mail.error }}", values: [{label: 1, value: 0x10}]}}
      - sequential: [wait: 1h30m, wait: 2d, wait: 90]
        on_error: continue
      - if: run.mode == "live"
        then: [check: {}]
      - if: false
        then: []
        else: [remediate: ]
`)
	flow, _ := w.flows.Load().Get("all")
	golden(t, "testdata/steps.golden.json", strings.ReplaceAll(mustJSON(t, flow.Steps), "},{", "},\n{")+"\n")
}

// TestGlobs: globs mean what rules mean, and the last file's word counts.
func TestGlobs(t *testing.T) {
	w := newWorld(t, "flows: []")
	set, problems := Load(files(t, map[string]string{
		"flows.yml":       "flows:\n  - {name: a, globs: ['Root*', 'Non*'], sequential: []}\n  - {name: b, rule: RootLogin, sequential: []}\n  - {name: c, globs: '*', sequential: []}\n",
		"flows.local.yml": "flows:\n  - {name: b, globs: ['*Hour']}\n  - {name: c, rules: [RootLogin]}\n",
	}), "flows.yml", w.options())
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]string{{"Root*", "Non*"}, {"*Hour"}, {"RootLogin"}} {
		if got := set.All()[i].Rules; !slices.Equal(got, want) {
			t.Errorf("flow %d is for %v, want %v", i, got, want)
		}
	}
}

func TestDefaultNames(t *testing.T) {
	w := newWorld(t, `
flows:
  - {rule: RootLogin, sequential: []}
  - {name: "RootLogin#2", rule: RootLogin, sequential: []}
  - {rule: RootLogin, sequential: []}
`)
	var names []string
	for _, f := range w.flows.Load().All() {
		names = append(names, f.Name)
	}
	if got := strings.Join(names, " "); got != "RootLogin RootLogin#2 RootLogin#3" {
		t.Error(got)
	}
}

func TestDuration(t *testing.T) {
	good := map[string]time.Duration{
		"10": 10 * time.Second, "0": 0, "1.5": 1500 * time.Millisecond, "10m": 10 * time.Minute, "1h30m": 90 * time.Minute, "2d": 48 * time.Hour,
		"90d": maxWait, "1d12h": 36 * time.Hour, "250ms": 250 * time.Millisecond, " 5s ": 5 * time.Second, "1.5h": 90 * time.Minute,
	}
	for text, want := range good {
		if got, err := parseDuration(text, maxWait); got != want || err != nil {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "soon", "-5", "-5m", "10 m", "m", "1w", "91d", "1e9", "1e30", "NaN", "Inf", "0x10", "1_0", "5m-3s", "999999999999999999999d", "ten"} {
		if got, err := parseDuration(text, maxWait); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
	if got := shortDuration(10*time.Minute) + " " + shortDuration(maxWait) + " " + shortDuration(time.Hour) + " " + shortDuration(90*time.Second); got != "10m 90d 1h 1m30s" {
		t.Error(got)
	}
}

func TestCheckParams(t *testing.T) {
	spec := func(kind responder.Kind) responder.Spec {
		return responder.Spec{Name: "A", Kind: kind, Templates: true, Params: []responder.Param{
			{Name: "ids", Type: responder.ListParam, Required: true}, {Name: "text", Type: responder.TextParam}, {Name: "n", Type: responder.NumberParam},
			{Name: "b", Type: responder.BoolParam}, {Name: "m", Type: responder.MessageParam},
		}}
	}
	type params = map[string]any
	tests := []struct {
		kind responder.Kind
		give params
		want string
	}{
		{responder.Repair, params{"ids": []any{"i-1"}}, `{"ids":["i-1"]}`},
		{responder.Repair, params{"ids": "i-1"}, `{"ids":["i-1"]}`},
		{responder.Repair, params{"ids": []string{"i-1", "i-2"}}, `{"ids":["i-1","i-2"]}`},
		{responder.Repair, params{"ids": []any{12.0}}, `{"ids":["12"]}`},
		{responder.Repair, params{"ids": 123456789012.0}, `{"ids":["123456789012"]}`},
		{responder.Repair, params{}, `parameter ids of A is empty`},
		{responder.Repair, params{"ids": nil}, `parameter ids of A is empty`},
		{responder.Repair, params{"ids": ""}, `parameter ids of A is empty`},
		{responder.Repair, params{"ids": " \t"}, `parameter ids of A is empty`},
		{responder.Repair, params{"ids": []any{}}, `parameter ids of A is empty`},
		{responder.Repair, params{"ids": []any{"i-1", nil}}, `parameter ids of A must be a list of texts: element 1 is nothing`},
		{responder.Repair, params{"ids": []any{""}}, `parameter ids of A must be a list of texts: element 0 is empty`},
		{responder.Repair, params{"ids": []any{[]any{"i-1"}}}, `parameter ids of A must be a list of texts: element 0 is a list`},
		{responder.Repair, params{"ids": params{"a": 1}}, `parameter ids of A must be a list of texts: element 0 is a map`},
		{responder.Repair, params{"ids": 1e17}, `parameter ids of A must be a list of texts: element 0 is a number`},
		{responder.Repair, params{"ids": "{{ resources }}"}, `parameter ids of A is not resolved`},
		{responder.Check, params{"ids": []any{"a", "{{ x }}"}}, `parameter ids of A is not resolved`},
		{responder.Check, params{"ids": "a", "text": nil}, `parameter text of A is empty`},
		{responder.Check, params{"ids": "a", "text": params{}}, `parameter text of A must be a text, not a map`},
		{responder.Notice, params{"ids": "a", "text": nil, "m": ""}, `{"ids":["a"]}`},
		{responder.Notice, params{"ids": "a", "text": 1.5, "n": 3, "b": true, "m": params{"header": "x"}}, `{"b":true,"ids":["a"],"m":{"header":"x"},"n":3,"text":"1.5"}`},
		{responder.Notice, params{"ids": "{{"}, `{"ids":["{{"]}`},
		{responder.Notice, params{"ids": "a", "n": "3"}, `parameter n of A must be a number, not a text`},
		{responder.Notice, params{"ids": "a", "b": "true"}, `parameter b of A must be a bool, not a text`},
		{responder.Notice, params{"ids": "a", "m": []any{}}, `parameter m of A must be a message, not a list`},
		{responder.Notice, params{"ids": "a", "other": 1}, `A has no parameter other`},
	}
	for _, tt := range tests {
		got := ""
		if checked, err := CheckParams(spec(tt.kind), tt.give); err != nil {
			got = err.Error()
		} else {
			got = mustJSON(t, checked)
		}
		if got != tt.want {
			t.Errorf("%s %v:\n got %s\nwant %s", tt.kind, tt.give, got, tt.want)
		}
	}
}

func TestBounds(t *testing.T) {
	if got := cleanText("a\x1b[31mb\nc\u202ed\xffe\x00"); got != "ab cd\uFFFDe" {
		t.Errorf("%q", got)
	}
	if got := cleanText(strings.Repeat("é", 5000)); len(got) > maxErrorText || !strings.HasSuffix(got, "é…") {
		t.Error(len(got))
	}
	if got := boundResult(map[string]any{"ids": []string{"a"}, "n": 1}); mustJSON(t, got) != `{"ids":["a"],"n":1}` || got["n"] != 1.0 {
		t.Error(got)
	}
	if got := boundResult(map[string]any{"text": strings.Repeat("x", 20<<10)}); got["bytes"] != float64(20<<10+11) || len(got["cut"].(string)) > maxExcerpt {
		t.Error(got)
	}
	if got := boundResult(map[string]any{"c": make(chan int)}); got["cut"] != "json: unsupported type: chan int" {
		t.Error(got)
	}
	if got := boundResult(nil); got != nil {
		t.Error(got)
	}
}

// FuzzLoad: whatever is written, Load does not panic, problems have places, and
// flows without errors can be compiled again from what a run keeps of them.
func FuzzLoad(f *testing.F) {
	for _, name := range []string{"testdata/original.yml", "testdata/bad.yml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Add(fullFlow)
	f.Add("flows: [{rule: RootLogin, parallel: [SendSlack: {message: {values: [{value: $.a[?(@.b)]}]}}]}]")
	f.Add("include: [a.yml]\nflows:\n- name: 1\n  rules: '*'\n  sequential:\n  - wait: 1d\n    as: x\n  - SendEmail:\n    if: steps.x.skipped\n")
	f.Add("actions: {SendSlack: {message: '{{ \"{{\" }}', webhookURL: x}}\nflows: [{name: a, rule: '*', sequential: [SendSlack: ]}]")
	f.Fuzz(func(t *testing.T, text string) {
		w := newWorld(t, "flows: []")
		set, problems := Load(files(t, map[string]string{"flows.yml": text}), "flows.yml", w.options())
		for _, p := range problems {
			if p.File == "" || p.Message == "" || p.Line > 0 && p.Column < 1 {
				t.Errorf("problem %+v", p)
			}
			_ = p.String()
		}
		if problems.Err() != nil {
			return
		}
		for _, flow := range set.All() {
			if _, err := compile(flow.Steps); err != nil {
				t.Errorf("loaded, but: %v", err)
			}
		}
	})
}

// FuzzPath: paths lead to the step they were made for, and nowhere else.
func FuzzPath(f *testing.F) {
	for _, path := range []string{"0", "1.0", "2.then.0", "1.1.error.0", "..", "-1", "99999999999999999999", "2.else.0.0"} {
		f.Add(path)
	}
	steps := []responder.Step{
		act("a"), group(responder.StepParallel, act("b"), onError(act("c"), responder.PolicySteps, act("d"))),
		{Kind: responder.StepIf, Steps: []responder.Step{act("e")}, Else: []responder.Step{group(responder.StepSequential, act("f"))}},
	}
	known := map[string]*responder.Step{}
	Walk(steps, func(path string, step *responder.Step) { known[path] = step })
	f.Fuzz(func(t *testing.T, path string) {
		if got := locate(steps, path); got != nil && got != known[path] && known[path] != nil {
			t.Errorf("%q leads astray", path)
		}
	})
}
