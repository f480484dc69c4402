package lang

import (
	"reflect"
	"strings"
	"testing"

	"github.com/skycrafters/responder"
)

func TestTemplate(t *testing.T) {
	env := testEnv()
	env["m"] = map[string]any{"k": "<b>", "list": []any{"<", 1.0}}
	escape := func(s string) string { return strings.ReplaceAll(s, "<", "&lt;") }
	for text, want := range map[string]any{
		"plain < text":                           "plain < text",
		"a {{ s }} b {{ n }}":                    "a abc b 4",
		"{{ x }}":                                nil,
		"[{{ x }}]":                              "[]",
		"{{ l }}":                                []any{"a", "b"},
		"{{ l }} ":                               "a, b ",
		"{{ m.k }}":                              "&lt;b>",
		"<{{ m.k }}":                             "<&lt;b>",
		"{{ m.list }}":                           []any{"&lt;", 1.0},
		"{{ n }}":                                4.0,
		"{{ 12345678.0 * 100 }}!":                "1234567800!",
		"{{ \"}}\" }}":                           "}}",
		"{{ {a: {b: 1}}.a.b }}":                  1,
		"{{ '{{' }} x":                           "{{ x",
		"{{ severity }}":                         "HIGH",
		"{{ pretty(severity) }}":                 "High",
		"{{ time }}":                             "2026-11-23T04:00:00Z",
		"{{ m }}":                                map[string]any{"k": "&lt;b>", "list": []any{"&lt;", 1.0}},
		"{{ lists.trusted }}":                    []any{"192.0.2.1", "10.0.0.0/8"},
		"{{ pick(len(l) > 1, \"many\", \"\") }}": "many",
		"}} {":                                   "}} {",
		"":                                       "",
	} {
		template, problems := CompileTemplate(Plain(text), testScope)
		if template == nil {
			t.Errorf("%s: %v", text, problems)
			continue
		}
		got, err := template.Value(env, escape)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s = %#v, %v; want %#v", text, got, err, want)
		}
		if template.Literal() != !strings.Contains(text, "{{") {
			t.Errorf("%s: Literal is %v", text, template.Literal())
		}
	}
}

func TestTemplateProblems(t *testing.T) {
	for text, want := range map[string]string{
		"a {{ b":             "1:3: {{ is not closed by }}",
		"a {{ }} b":          "an expression is missing here",
		"é {{ foo }}":        "1:6: unknown name \"foo\"",
		"x\ny {{ foo }}":     "2:6: unknown name \"foo\"",
		"{{#if a}}b{{/if}}":  "Handlebars blocks are not understood",
		"{{ s }} {{ s + }}":  "1:14: ",
		"{{ \"unclosed }} b": "a quote is missing",
	} {
		_, problems := CompileTemplate(Plain(text), testScope)
		if !strings.Contains(problems.Error(), want) {
			t.Errorf("%q gives\n%v\nwant %q in it", text, problems, want)
		}
	}
}

func TestTree(t *testing.T) {
	tree, problems := CompileTree(map[string]any{"a": "{{ s }}", "b": []any{1, true, nil, "x {{ n }}"}, "c": map[string]any{"d": "{{ l }}"}}, testScope)
	if problems != nil {
		t.Fatal(problems)
	}
	got, err := tree.Render(testEnv(), nil)
	want := map[string]any{"a": "abc", "b": []any{1, true, nil, "x 4"}, "c": map[string]any{"d": []any{"a", "b"}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("rendered %#v, %v; want %#v", got, err, want)
	}
}

func TestJSONPath(t *testing.T) {
	document := map[string]any{"event": map[string]any{"account": "1", "n": 5.0, "list": []any{"a", map[string]any{"b": "c"}}}, "findings": []any{map[string]any{"title": "T"}}}
	for path, want := range map[string]string{
		"$.event.account": "1", "$.event.n": "5", "$.event.nothing.at.all": "", "$.findings[0].title": "T", "$.findings[*].title": "T", "$.event.list[9]": "",
		"$.event.list[*]": `a,{"b":"c"}`, "$..title": "T", "$['event']['account']": "1", "$.event.account.x": "",
	} {
		p, err := CompileJSONPath(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if got := p.Text(document); got != want {
			t.Errorf("%s finds %q, want %q", path, got, want)
		}
	}
	for _, path := range []string{"", "event", "$.[", "$[", "$.a[?("} {
		if _, err := CompileJSONPath(path); err == nil {
			t.Errorf("%q compiles", path)
		}
	}
}

func TestEventEnv(t *testing.T) {
	tests := []struct {
		event string
		want  map[string]any // expression → value
	}{
		{`{"id":"1","account":"012345670123","region":"r0","time":"2026-01-01T00:00:00Z","detail":{"eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin","responseElements":{"ConsoleLogin":"Failure"},"sourceIPAddress":"203.0.113.1","userIdentity":{"type":"Root","arn":"arn:aws:iam::012345670123:root"}}}`,
			map[string]any{"action": "signin:ConsoleLogin", "ok": false, "denied": false, "actor.name": "Root user", "ip": "203.0.113.1", "account.id": "012345670123", "account.name": "pay", "account.env": "prod", "region": "r0"}},
		{`{"detail":{"eventSource":"ec2.amazonaws.com","eventName":"RunInstances","errorCode":"Client.UnauthorizedOperation","awsRegion":"eu-west-1","sourceIPAddress":"autoscaling.amazonaws.com","responseElements":null,
			"userIdentity":{"type":"AssumedRole","principalId":"AROA:me@x","arn":"arn:aws:sts::1:assumed-role/admin/me@x","sessionContext":{"sessionIssuer":{"userName":"admin","arn":"arn:aws:iam::1:role/admin"}}}}}`,
			map[string]any{"action": "ec2:RunInstances", "ok": false, "denied": true, "actor.name": "admin", "actor.session": "me@x", "ip": nil, "resp": nil, "account.id": nil, "account.name": nil, "region": "eu-west-1", "time": nil}},
		{`{"source":"aws.guardduty","detail-type":"GuardDuty Finding","detail":{"severity":8}}`, map[string]any{"action": nil, "ok": nil, "denied": nil, "actor.name": nil, "event.detail.severity >= 7": true}},
		{`{"source":"aws.partner/mine.example/1","detail":{"eventSource":"iam.amazonaws.com","eventName":"CreateUser"}}`, map[string]any{"action": nil, "ok": nil, "denied": nil}},
		{`{"detail":"text"}`, map[string]any{"action": nil, "req": nil, "actor.type": nil}},
		{`{"detail":{"eventSource":"s3.amazonaws.com","eventName":"X","errorCode":null,"userIdentity":{"type":"AWSService","invokedBy":"config.amazonaws.com"}}}`, map[string]any{"ok": true, "actor.name": "config.amazonaws.com"}},
		{`{"detail":{"eventSource":5,"eventName":["X"],"userIdentity":"x","sourceIPAddress":{}}}`, map[string]any{"action": nil, "ip": nil, "actor.name": nil}},
	}
	accounts := map[string]map[string]any{"012345670123": {"name": "pay", "env": "prod"}}
	for _, test := range tests {
		event, err := responder.DecodeEvent([]byte(test.event))
		if err != nil {
			t.Fatal(err)
		}
		env := EventEnv(event, accounts)
		for expr, want := range test.want {
			p, problems := Compile(Plain(expr), Scope{Names: EventNames()})
			if p == nil {
				t.Fatal(problems)
			}
			if got, err := p.Eval(env); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s of %s = %#v, %v; want %#v", expr, test.event, got, err, want)
			}
		}
		for _, name := range EventNames() {
			if _, ok := env[name]; !ok {
				t.Errorf("EventEnv lacks %q", name)
			}
		}
	}
}

func TestExplain(t *testing.T) {
	p, problems := Compile(Plain(`s == "abc" && (m.K == "v" || n > 9) && not (x.y in l)`), testScope)
	if p == nil {
		t.Fatal(problems)
	}
	var got []string
	for _, c := range p.Explain(testEnv()) {
		got = append(got, strings.Repeat(" ", c.Depth)+c.Joint+" "+c.Text+" = "+Show(c.Value)+" "+strings.Join(c.Notes, "; "))
	}
	want := []string{
		`&& s == "abc" = true s is "abc"`,
		`&& m.K == "v" || n > 9 = false `,
		` || m.K == "v" = false no ` + "`m.K`; there is `m.k`",
		` || n > 9 = false n is 4`,
		`&& not (x.y in l) = true l is ["a", "b"]`,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("explained as\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
