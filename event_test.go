package responder_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

func TestDecodeEvent(t *testing.T) {
	for name, test := range map[string]struct{ raw, want string }{
		"empty":         {"", "not a JSON object"},
		"space":         {" \n", "not a JSON object"},
		"list":          {"[1]", "not a JSON object"},
		"null":          {"null", "not a JSON object"},
		"truncated":     {`{"a":`, "not valid JSON"},
		"two":           {`{}{}`, "not valid JSON"},
		"not UTF-8":     {"{\"a\":\"\xff\"}", "not valid UTF-8"},
		"noncharacter":  {"{\"a\":\"\uFFFF\"}", "U+FFFF at byte 6"},
		"10,000 levels": {strings.Repeat(`{"a":`, 10000) + "1" + strings.Repeat("}", 10000), "nested deeper than 100"},
		"too large":     {`{"a":"` + strings.Repeat("x", responder.MaxEventBytes) + `"}`, "at most 262144"},
	} {
		if _, err := responder.DecodeEvent([]byte(test.raw)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	deep := strings.Repeat(`{"a":`, 100) + `"]]]]{{{{\"["` + strings.Repeat("}", 100)
	if _, err := responder.DecodeEvent([]byte(deep)); err != nil {
		t.Errorf("100 levels, with brackets in a text: %v", err)
	}
}

func TestEventMeaning(t *testing.T) {
	tests := map[string]struct {
		raw                      string
		key, account, region, at string
	}{
		"CloudTrail":     {`{"id":"x","account":"1","region":"r","time":"2026-01-01T00:00:00Z","detail":{"eventID":"e","recipientAccountId":"2","awsRegion":"s","eventTime":"2026-02-02T00:00:00Z"}}`, "2/e", "1", "s", "2026-02-02T00:00:00Z"},
		"no recipient":   {`{"id":"x","account":"1","detail":{"eventID":"e"}}`, "1/e", "1", "", ""},
		"a partner's":    {`{"id":"x","source":"aws.partner/mine.example/1","account":"1","detail":{"eventID":"e","recipientAccountId":"2"}}`, "x", "1", "", ""},
		"id":             {`{"id":"x","time":"2026-01-01T00:00:00Z"}`, "x", "", "", "2026-01-01T00:00:00Z"},
		"last key wins":  {`{"id":"x","id":"y"}`, "y", "", "", ""},
		"case counts":    {`{"ID":"X","id":"x","Id":"Y","ACCOUNT":"9"}`, "x", "", "", ""},
		"odd kinds":      {`{"id":5,"account":{},"detail":[],"time":"yesterday"}`, "", "", "", ""},
		"detail is text": {`{"id":"x","detail":"e"}`, "x", "", "", ""},
	}
	for name, test := range tests {
		e, err := responder.DecodeEvent([]byte(test.raw))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		at, ok := e.Time()
		if text := at.Format(time.RFC3339); ok != (test.at != "") || ok && text != test.at {
			t.Errorf("%s: time %v, %v", name, text, ok)
		}
		if test.key == "" && !strings.HasPrefix(e.Key(), "sha256:") || test.key != "" && e.Key() != test.key || e.Account() != test.account || e.Region() != test.region {
			t.Errorf("%s: key %q, account %q, region %q", name, e.Key(), e.Account(), e.Region())
		}
	}
}

func TestPrincipal(t *testing.T) {
	for raw, want := range map[string]string{
		`{"detail":{"userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::1:assumed-role/r/arn:fake","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::1:role/p/r"}}}}}`: "arn:aws:iam::1:role/p/r",
		`{"detail":{"userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::1:user/u"}}}`:                                                                                           "arn:aws:iam::1:user/u",
		`{"detail":{"userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::1:a/r"}}}`:                                                                                          "",
		`{"detail":{}}`: "",
	} {
		e, err := responder.DecodeEvent([]byte(raw))
		if err != nil || e.Principal() != want {
			t.Errorf("%s: principal %q, %v; want %q", raw, e.Principal(), err, want)
		}
	}
}

func TestNoncharacters(t *testing.T) {
	f := finding()
	f.Message, f.Event = "a\uFFFFb\uFFFE", []byte(`{"a":"\uffff"}`)
	body, err := responder.Bell{Finding: &f}.Encode()
	if err != nil || bytes.Contains(body, []byte("\uFFFF")) || !bytes.Contains(body, []byte(`a\uffffb\ufffe`)) {
		t.Errorf("encoded as %s, %v", body, err)
	}
	bell, err := responder.DecodeBell(body)
	if err != nil || bell.Finding.Message != f.Message {
		t.Errorf("read back %q, %v", bell.Finding.Message, err)
	}
}

func finding() responder.Finding {
	return responder.Finding{
		Rule: "R", Title: "T <&>", Severity: responder.High, Message: "m", Resources: []string{"i-1"}, Number: 2, Key: "1/e",
		Check: &responder.Binding{Action: "C", Params: map[string]any{"ids": []any{"i-1"}}},
		Event: json.RawMessage(`{"n":12345678901234567890,"d":1,"d":2,"s":"<&>\u2028","x":1.0}`),
	}
}

func TestBell(t *testing.T) {
	f := finding()
	body, err := responder.Bell{Finding: &f}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(body, f.Event) {
		t.Errorf("the event's bytes changed: %s", body)
	}
	bell, err := responder.DecodeBell(body)
	if err != nil || !reflect.DeepEqual(*bell.Finding, f) {
		t.Errorf("read back %+v, %v; want %+v", bell.Finding, err, f)
	}
	body, err = responder.Bell{Wake: "run"}.Encode()
	if err != nil || string(body) != `{"v":1,"wake":"run"}` {
		t.Errorf("wake is %s, %v", body, err)
	}
	for raw, want := range map[string]string{
		``: "unexpected end", `{}`: "no version", `{"v":1}`: "neither a finding nor a wake", `{"v":1,"wake":"x","finding":{}}`: "neither", `{"v":1,"finding":{}}`: "without rule",
		`{"v":1,"finding":{"rule":"R","key":"k","event":{},"severity":"HIHG"}}`: "unknown severity", `{"v":1,"finding":{"rule":"R","key":"k","event":{},"check":{"a":{},"b":{}}}}`: "names one action",
	} {
		if _, err := responder.DecodeBell([]byte(raw)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", raw, err, want)
		}
	}
	if _, err := responder.DecodeBell([]byte(`{"v":2,"new":1}`)); !errors.Is(err, responder.ErrFutureVersion) {
		t.Errorf("a later version gives %v", err)
	}
}

func TestRunID(t *testing.T) {
	seen := map[string]string{}
	base := responder.Finding{Rule: "a", Key: "b"}
	for name, f := range map[string]responder.Finding{"base": base, "number": {Rule: "a", Key: "b", Number: 1}, "split": {Rule: "", Key: "ba"}, "swap": {Rule: "b", Key: "a"}} {
		for _, flow := range []string{"f", "fa"} {
			id := f.RunID(flow)
			if len(id) != 32 || seen[id] != "" {
				t.Errorf("run of %s and %s is %q, as of %q", name, flow, id, seen[id])
			}
			seen[id] = name + flow
		}
	}
	if base.RunID("f") != (responder.Finding{Rule: "a", Key: "b", Message: "other", Event: []byte("{}")}).RunID("f") {
		t.Error("what a finding says changes its run")
	}
}

func TestRunCodec(t *testing.T) {
	now := time.Date(2026, 11, 23, 1, 2, 3, 4, time.UTC)
	run := &responder.Run{
		V: 1, ID: "r", Version: 3, Token: "t", Finding: finding(), Mode: responder.ModeDry, State: responder.RunWaiting, Due: now, Created: now, Updated: now,
		Flow:  responder.FlowSnapshot{Name: "f", Steps: []responder.Step{{Kind: responder.StepWait, Wait: time.Minute}}},
		Steps: map[string]*responder.StepState{"0": {State: responder.StepWaiting, Due: now, Attempts: []responder.Attempt{{Began: now}}}},
	}
	data, err := responder.EncodeRun(run)
	if err != nil {
		t.Fatal(err)
	}
	back, err := responder.DecodeRun(data)
	if err != nil || !reflect.DeepEqual(back, run) {
		t.Errorf("read back %+v, %v; want %+v", back, err, run)
	}
	clone := run.Clone()
	clone.Steps["0"].State = responder.StepFailed
	clone.Steps["0"].Attempts[0].Error = "x"
	if run.Steps["0"].State != responder.StepWaiting || run.Steps["0"].Attempts[0].Error != "" {
		t.Error("a change of the clone changed the run")
	}
	run.V = responder.RunVersion + 1
	later, err := responder.EncodeRun(run)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		data []byte
		want error
	}{"later version": {later, responder.ErrFutureVersion}, "torn": {data[:len(data)/2], responder.ErrUndecodable}, "no gzip": {[]byte("{}"), responder.ErrUndecodable}, "empty": {nil, responder.ErrUndecodable}} {
		if _, err := responder.DecodeRun(test.data); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	run.V, run.Cause = 1, fmt.Sprint(randomish(2*responder.MaxRunBytes))
	if _, err := responder.EncodeRun(run); !errors.Is(err, responder.ErrTooLarge) {
		t.Errorf("a huge run gives %v", err)
	}
}

// randomish is text that gzip cannot make much smaller.
func randomish(n int) string {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/"[x>>26]
	}
	return string(b)
}

func TestSecretText(t *testing.T) {
	s := responder.NewSecretText("hush")
	data, err := json.Marshal(map[string]any{"a": s, "b": responder.Secret{Current: s, Previous: s}})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(data), fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q", s, s, s, s, s), fmt.Sprintf("%+v %#v", responder.Secret{Current: s}, &responder.Secret{Current: s})} {
		if strings.Contains(text, "hush") {
			t.Errorf("the secret shows in %s", text)
		}
	}
	if s.Reveal() != "hush" {
		t.Error("Reveal does not")
	}
}

func TestSeverity(t *testing.T) {
	last := responder.Severity(0)
	for _, s := range responder.Severities() {
		back, err := responder.ParseSeverity(s.String())
		if err != nil || back != s || s <= last {
			t.Errorf("%v is read back as %v, %v", s, back, err)
		}
		last = s
	}
	if responder.VeryHigh.Title() != "Very High" {
		t.Errorf("title is %q", responder.VeryHigh.Title())
	}
	for _, bad := range []string{"", "high", "HIGHER"} {
		if _, err := responder.ParseSeverity(bad); err == nil {
			t.Errorf("%q is a severity", bad)
		}
	}
}

// FuzzDecode: no bytes make a decoder panic, and what is decoded can be used.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"id":"x","detail":{"eventID":"e"}}`))
	f.Add([]byte(`{"v":1,"finding":{"rule":"R","key":"k","event":{"a":1},"check":{"C":{}}}}`))
	f.Add([]byte("\x1f\x8b"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if e, err := responder.DecodeEvent(data); err == nil {
			_ = e.Key() + e.Region() + e.Name() + e.Principal()
		}
		if bell, err := responder.DecodeBell(data); err == nil && bell.Finding != nil {
			if _, err := bell.Encode(); err != nil {
				t.Fatal(err)
			}
		}
		if r, err := responder.DecodeRun(data); err == nil {
			r.Summary()
		}
	})
}
