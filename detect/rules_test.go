package detect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/skycrafters/responder"
)

func TestEvaluate(t *testing.T) {
	tests := map[string]struct {
		rule  string
		want  []string // message|severity|resources of each finding
		fails string
	}{
		"true":               {"ok", []string{"R|MEDIUM|"}, ""},
		"false":              {"denied", nil, ""},
		"nil":                {"req.nothing", nil, ""},
		"map":                {"{when: '{message: \"m\", severity: HIGH, resources: req.userName, other: 1}'}", []string{"m|HIGH|bob"}, ""},
		"map text severity":  {"{when: '{severity: \"LOW\"}'}", []string{"R|LOW|"}, ""},
		"map bad severity":   {"{when: '{severity: \"WOW\"}'}", []string{"R|MEDIUM|"}, "unknown severity"},
		"list of maps":       {"{when: '[{message: \"a\"}, {message: \"b\"}]'}", []string{"a|MEDIUM|", "b|MEDIUM|"}, ""},
		"empty list":         {"{when: '[]'}", nil, ""},
		"text":               {"{when: req.userName}", nil, `gave "bob"`},
		"number":             {"{when: 1 + 1}", nil, "gave 2"},
		"list of texts":      {"{when: req.tags}", nil, "element 0"},
		"rule error":         {"{when: req.userName && ok}", nil, "a condition must be true or false"},
		"each":               {"{when: ok, each: resp.items, if: item.n > 1, message: 'saw {{ item.id }}', resources: [item.id]}", []string{"saw i-2|MEDIUM|i-2"}, ""},
		"each, one object":   {"{each: req, message: '{{ item.userName }}'}", []string{"bob|MEDIUM|"}, ""},
		"each, nothing":      {"{each: req.nothing}", nil, ""},
		"each, when false":   {"{when: denied, each: resp.items}", nil, ""},
		"each, when a map":   {"{when: '{a: 1}', each: resp.items}", nil, "must give true or false"},
		"each, if fails":     {"{each: resp.items, if: item.id, message: x}", nil, "if, item 0"},
		"severity by name":   {"{when: ok, severity: VERY_HIGH}", []string{"R|VERY_HIGH|"}, ""},
		"severity computed":  {"{when: ok, severity: 'pick(account.id == \"012345670123\", EXTREME, LOW)'}", []string{"R|EXTREME|"}, ""},
		"severity no such":   {"{when: ok, severity: req.userName}", []string{"R|MEDIUM|"}, `unknown severity "bob"`},
		"title":              {"{when: ok, title: 'T {{ actor.name }}'}", []string{"T ann|MEDIUM|"}, ""},
		"absent in message":  {"{when: ok, message: '[{{ req.nothing.x }}]'}", []string{"[]|MEDIUM|"}, ""},
		"message fails":      {"{when: ok, message: '{{ int(req.userName) }}'}", []string{"R|MEDIUM|"}, "message:"},
		"resources flatten":  {"{when: ok, resources: [req.userName, req.tags, req.nothing, 'map(resp.items, .n)']}", []string{"R|MEDIUM|bob,a,b,1,2"}, ""},
		"meta in message":    {"{when: '{n: 5}', message: 'n={{ meta.n }}'}", []string{"n=5|MEDIUM|"}, ""},
		"vars":               {"{when: req.userName in vars.names, vars: {names: [bob]}}", []string{"R|MEDIUM|"}, ""},
		"exponent":           {"{when: ok, message: '{{ 100000000.0 * 10 }} {{ 0.5 }}'}", []string{"1000000000 0.5|MEDIUM|"}, ""},
		"event data is data": {"{when: ok, message: '{{ \"{{ actor.name }}\" }}'}", []string{"{{ actor.name }}|MEDIUM|"}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			rules := load(t, "rules.yml", "rules:\n  R: "+test.rule+"\n")
			findings, errs := rules.Evaluate(event(t, call))
			var got []string
			for i, f := range findings {
				got = append(got, f.Message+"|"+f.Severity.String()+"|"+strings.Join(f.Resources, ","))
				if f.Number < i || f.Key != "012345670123/e1" || f.Rule != "R" {
					t.Errorf("finding %d has number %d, key %q, rule %q", i, f.Number, f.Key, f.Rule)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("findings are %q, want %q", got, test.want)
			}
			switch {
			case test.fails == "" && len(errs) > 0:
				t.Errorf("rule errors: %v", errs)
			case test.fails != "" && (len(errs) != 1 || !strings.Contains(errs[0].Error(), test.fails)):
				t.Errorf("rule errors are %v, want one with %q", errs, test.fails)
			}
		})
	}
}

func TestOneRuleFailsOthersGoOn(t *testing.T) {
	rules := load(t, "rules.yml", "rules:\n  A: req.userName && ok\n  B: ok\n")
	findings, errs := rules.Evaluate(event(t, call))
	if len(findings) != 1 || findings[0].Rule != "B" || len(errs) != 1 || errs[0].Rule != "A" || errs[0].Event != "012345670123/e1" {
		t.Errorf("findings %v, errors %v", findings, errs)
	}
}

func TestNumbers(t *testing.T) {
	rules := load(t, "rules.yml", "rules:\n  Each: {each: resp.items, if: item.n > 1}\n  List: {when: '[{a: 1}, {a: 2}]'}\n")
	findings, _ := rules.Evaluate(event(t, call))
	var got []string
	for _, f := range findings {
		got = append(got, fmt.Sprint(f.Rule, f.Number))
	}
	if want := []string{"Each1", "List0", "List1"}; !slices.Equal(got, want) {
		t.Errorf("findings are numbered %v, want %v: by the item's place, whatever became of the others", got, want)
	}
}

// What JSON has no word for in what a rule says is put into text.
func TestOddValues(t *testing.T) {
	rules := load(t, "rules.yml", "lists: {l: [a]}\nrules:\n  R: {when: '{g: groupBy(resp.items, .n), inf: 2 ** 5000, sev: LOW, at: time, l: lists.l, d: duration(\"1h\")}', remediate: {D: {x: '{{ 2 ** 5000 }}', y: '{{ meta.g }}'}}}\n")
	findings, errs := rules.Evaluate(event(t, call))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	body, err := responder.Bell{Finding: &findings[0]}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"inf":"+Inf"`, `"sev":"LOW"`, `"at":"2026-11-23T10:00:00Z"`, `"l":["a"]`, `"d":"1h0m0s"`, `"1":[{"id":"i-1","n":1}]`, `"x":"+Inf"`} {
		if !strings.Contains(string(body), want) {
			t.Errorf("finding is %s, want %s in it", body, want)
		}
	}
}

func TestBindings(t *testing.T) {
	rules := load(t, "rules.yml", "rules:\n  R: {when: ok, resources: [req.tags], check: {C: {ids: '{{ resources }}', n: 5}}, remediate: {D: {user: '{{ req.none }}', x: 'a {{ req.userName }}'}}}\n")
	findings, errs := rules.Evaluate(event(t, call))
	if len(findings) != 1 || len(errs) != 0 {
		t.Fatal(findings, errs)
	}
	data, err := json.Marshal(findings[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"check":{"C":{"ids":["a","b"],"n":5}}`, `"remediate":{"D":{"user":null,"x":"a bob"}}`} {
		if !strings.Contains(string(data), want) {
			t.Errorf("finding is %s, want %s in it", data, want)
		}
	}
	broken := load(t, "rules.yml", "rules:\n  R: {when: ok, remediate: {D: {user: '{{ int(req.userName) }}'}}}\n")
	findings, errs = broken.Evaluate(event(t, call))
	if len(errs) != 1 || len(findings) != 1 || findings[0].Remediate == nil || findings[0].Remediate.Params != nil {
		t.Errorf("a binding that fails gives %+v, %v: want it kept without parameters", findings[0].Remediate, errs)
	}
}

func TestKey(t *testing.T) {
	rules := load(t, "rules.yml", "rules:\n  A: {when: ok, key: 'actor.name + \"/\" + req.userName'}\n  B: {when: ok, key: req.none}\n")
	findings, _ := rules.Evaluate(event(t, call))
	if findings[0].Key != "ann/bob" || findings[1].Key != "012345670123/e1" {
		t.Errorf("keys are %q and %q", findings[0].Key, findings[1].Key)
	}
}

// outbox is a findings queue that refuses what it is told to.
type outbox struct {
	sent   [][]byte
	refuse func(i int, body []byte) error
	err    error
}

func (o *outbox) Send(_ context.Context, messages ...responder.Message) error {
	if o.err != nil {
		return o.err
	}
	failed := map[int]error{}
	for i, m := range messages {
		if o.refuse != nil {
			if err := o.refuse(i, m.Body); err != nil {
				failed[i] = err
				continue
			}
		}
		o.sent = append(o.sent, m.Body)
	}
	if len(failed) > 0 {
		return &responder.SendError{Failed: failed}
	}
	return nil
}

func TestDetector(t *testing.T) {
	rules := load(t, "rules.yml", "rules:\n  A: ok\n  B: {when: req.userName == 'bob' , message: <&>}\n")
	big := strings.Replace(call, `"tags"`, `"big": 12345678901234567890, "dup": 1, "dup": 2, "tags"`, 1)
	var compact bytes.Buffer // as ingest queues it
	if err := json.Compact(&compact, []byte(big)); err != nil {
		t.Fatal(err)
	}
	big = compact.String()
	deliveries := []responder.Delivery{{ID: "1", Body: []byte(big)}, {ID: "2", Body: []byte("{")}, {ID: "3", Body: []byte(strings.Replace(call, "bob", "eve", 1))}}
	var box outbox
	var seen []Outcome
	d := &Detector{Rules: func() *Rules { return rules }, Findings: &box, Logger: zerolog.Nop(), Observe: func(o Outcome) { seen = append(seen, o) }}
	failures := d.Handle(context.Background(), deliveries)
	if len(failures) != 1 || failures[0].ID != "2" || !failures[0].Dead {
		t.Errorf("failures are %v, want only 2, dead", failures)
	}
	if len(box.sent) != 3 || len(seen) != 2 {
		t.Fatalf("%d findings sent, %d events observed; want 3 and 2", len(box.sent), len(seen))
	}
	bell, err := responder.DecodeBell(box.sent[1])
	if err != nil || bell.Finding.Rule != "B" || bell.Finding.Message != "<&>" {
		t.Fatalf("second finding is %+v, %v", bell.Finding, err)
	}
	if string(bell.Finding.Event) != big {
		t.Errorf("the event changed on its way:\n%s\nwas\n%s", bell.Finding.Event, big)
	}

	box = outbox{refuse: func(i int, _ []byte) error {
		if i == 2 { // the one finding of event 3
			return errors.New("busy")
		}
		return nil
	}}
	if failures := d.Handle(context.Background(), deliveries); len(failures) != 2 || failures[1].ID != "3" || failures[1].Dead {
		t.Errorf("failures are %v, want 2 dead and 3 to be tried again", failures)
	}
	box = outbox{err: errors.New("down")}
	if failures := d.Handle(context.Background(), deliveries); len(failures) != 3 {
		t.Errorf("with the queue down, failures are %v, want all three", failures)
	}
	box = outbox{refuse: func(int, []byte) error { return responder.ErrTooLarge }}
	if failures := d.Handle(context.Background(), deliveries[:1]); len(failures) != 1 || !failures[0].Dead {
		t.Errorf("a finding that no queue takes gives %v, want a dead letter", failures)
	}
}

// One rule's odd value costs no other rule's finding.
func TestOddValueCostsNothing(t *testing.T) {
	rules := load(t, "rules.yml", "rules:\n  A: ok\n  P: {when: '{price: float(\"NaN\")}'}\n  Z: ok\n")
	var box outbox
	d := &Detector{Rules: func() *Rules { return rules }, Findings: &box, Logger: zerolog.Nop()}
	if failures := d.Handle(context.Background(), []responder.Delivery{{ID: "1", Body: []byte(call)}}); len(failures) != 0 || len(box.sent) != 3 {
		t.Errorf("failures %v, %d findings sent; want three", failures, len(box.sent))
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	if failures := d.Handle(over, []responder.Delivery{{ID: "1", Body: []byte(call)}}); len(failures) != 1 || failures[0].Dead {
		t.Errorf("with no time left, failures are %v; want the event to come again", failures)
	}
}

func TestOnly(t *testing.T) {
	rules := load(t, "rules.yml", "rules:\n  A: ok\n  B: ok\n")
	only, err := rules.Only("B")
	if err != nil || only.Len() != 1 || only.rules[0].name != "B" {
		t.Errorf("Only(B) = %v, %v", only, err)
	}
	if _, err := rules.Only("C"); err == nil {
		t.Error("Only(C) gives no error")
	}
}
