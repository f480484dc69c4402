package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
)

// newKey is an event of a key that somebody makes for somebody else.
func newKey(at time.Time, id string) string {
	return fmt.Sprintf(`{"eventTime":%q,"eventID":%q,"eventName":"CreateAccessKey","eventSource":"iam.amazonaws.com","awsRegion":"us-east-1","recipientAccountId":"111122223333",`+
		`"sourceIPAddress":"203.0.113.9","userIdentity":{"type":"IAMUser","userName":"mallory","arn":"arn:aws:iam::111122223333:user/mallory"},`+
		`"requestParameters":{"userName":"bob"},"responseElements":{"accessKey":{"userName":"bob","accessKeyId":"AKIAIOSFODNN7EXAMPLE"}}}`, at.UTC().Format(time.RFC3339), id)
}

const (
	keyRules = `
rules:
  KeyForSomebodyElse:
    title: A key for somebody else
    severity: HIGH
    when: action == "iam:CreateAccessKey" && ok && req.userName != actor.name
    resources: [req.userName]
    check: {IAMUserExists: {user: "{{ req.userName }}"}}
    remediate: {IAMDisableAccessKeys: {user: "{{ req.userName }}", keys: "{{ resp.accessKey.accessKeyId }}"}}
  Off: {when: "true", enabled: false}
`
	keyFlows = `
protected: ["arn:aws:iam::*:user/break-glass*"]
flows:
  - name: keys
    rule: KeyForSomebodyElse
    if: severity >= HIGH
    repairs: live
    cooldown: {for: 1h, by: [rule]}
    sequential:
      - parallel:
          - SendSlack: {webhookURL: "env:SLACK", message: "found {{ resources[0] }}"}
          - SendSlack: {webhookURL: "https://127.0.0.1:1/hook", message: "beside"}
      - approve: {text: "Disable the key of {{ resources[0] }}?", by: {cli: true, iam: ["arn:aws:iam::111122223333:role/Oncall"]}, for: 30m}
        tell: [SendEmail: {subject: decide}]
      - wait: 10m
      - check: {}
      - remediate: {}
      - if: severity > HIGH
        then: [SendSlack: {webhookURL: "env:SLACK", message: very}]
  - name: quiet
    rule: KeyForSomebodyElse
    if: severity < LOW
    sequential: [remediate: {}]
  - {name: "off", rule: KeyForSomebodyElse, enabled: false, sequential: [remediate: {}]}
  - {name: other, rule: Off, sequential: [SendEmail: {}]}
`
)

// keyCLI is a folder with rules and flows about keys, and an event of now.
func keyCLI(t *testing.T) (c *cli, event string) {
	t.Helper()
	c = newCLI(t)
	c.write("rules.yml", keyRules)
	c.write("flows.yml", keyFlows)
	event = filepath.Join(c.dir, "event.json")
	c.write("event.json", newKey(time.Now(), "e-1"))
	return c, event
}

func TestRehearse(t *testing.T) {
	c, event := keyCLI(t)
	out, _ := c.run(exitDone, "rehearse", "--event", event)
	c.has(out, "HIGH       KeyForSomebodyElse  111122223333  bob  from 203.0.113.9", `&& req.userName != actor.name → true`,
		"flow keys", "severity >= HIGH → true", "repairs    live: they act", "cooldown   1h by rule: \"KeyForSomebodyElse\"; let through",
		"0.0  SendSlack", "to         env:SLACK", "│ found bob", "asks       Disable the key of bob?", "about      disable access keys AKIAIOSFODNN7EXAMPLE of user bob",
		"decide     by IAM arn:aws:iam::111122223333:role/Oncall; whoever owns the", "may not    who caused the event: arn:aws:iam::111122223333:user/mallory,",
		"goes on as if it had been approved", "passed over, until", "counts as yes", "would      disable access keys AKIAIOSFODNN7EXAMPLE of user bob",
		"not looked at, nor judged by guards", "undo       IAMEnableAccessKeys", "it acts, as far as can be told", "→ else", "SendSlack  not come to", "ends as    succeeded",
		"needs in 111122223333", "iam:UpdateAccessKey", "arn:${AWS::Partition}:iam::111122223333:user/bob",
		"flow quiet", "begins nothing: its condition is not met")
	if strings.Contains(out, "127.0.0.1:1/hook") || strings.Contains(out, "flow off") {
		t.Errorf("an address in plain text, or a disabled flow, is shown:\n%s", out)
	}
	for _, row := range strings.Split(out, "\n") {
		if n := len([]rune(row)); n > 80 && strings.Contains(strings.TrimSpace(row), " ") && !strings.Contains(row, "→") {
			t.Errorf("%d characters: %s", n, row)
		}
	}
	out, _ = c.run(exitDone, "rehearse", "--event", event, "--flow", "quiet")
	if strings.Contains(out, "flow keys") {
		t.Errorf("--flow:\n%s", out)
	}
	out, _ = c.run(exitDone, "rehearse", "--event", event, "--flow", "keys", "--repairs", "dry")
	c.has(out, "✗ dry: what they would do is recorded", "recorded, not done", "it does not act")
	out, _ = c.run(exitDone, "rehearse", "--event", event, "--flow", "keys", "--own-role", "arn:aws:iam::111122223333:user/mallory")
	c.has(out, "cause      ✗ the event was caused by Responder's own role", "it does not act")
	c.write("old.json", newKey(time.Now().Add(-25*time.Hour), "e-2"))
	out, _ = c.run(exitDone, "rehearse", "--event", filepath.Join(c.dir, "old.json"), "--flow", "keys")
	c.has(out, "age        ✗ the event is of", "it does not act")
	out, _ = c.run(exitDone, "rehearse", "--event", event, "--member-role", "m", "--member-account", "444455556666")
	c.has(out, "account    ✗ 111122223333: it is not among the member accounts", "it does not act")
	out, _ = c.run(exitDone, "rehearse", "--event", event, "--member-role", "m", "--member-account", "444455556666,111122223333")
	c.has(out, "account    111122223333: checks and repairs act there through the role m", "it acts, as far as")
}

// TestRehearseSeveral: events of one file are gone through in their order.
func TestRehearseSeveral(t *testing.T) {
	c, event := keyCLI(t)
	now := time.Now()
	c.write("event.json", `{"Records":[`+newKey(now, "e-1")+","+newKey(now.Add(time.Minute), "e-2")+","+newKey(now, "e-1")+","+newKey(now.Add(2*time.Hour), "e-3")+`]}`)
	out, _ := c.run(exitDone, "rehearse", "--event", event, "--flow", "keys", "--format", "json")
	var quiet []string
	for _, o := range objects(t, out) {
		window, _ := o["cooldown"].(map[string]any)
		quiet = append(quiet, fmt.Sprint(o["event_id"], " ", window["quiet"] != nil, " ", o["why_not"]))
	}
	want := []string{"e-1 false <nil>", "e-2 true <nil>", "e-1 false seen before: its run is there already", "e-3 false <nil>"}
	if !slices.Equal(quiet, want) {
		t.Errorf("%q, want %q", quiet, want)
	}
}

// TestRehearseJSON: every line is of the form that the schema says.
func TestRehearseJSON(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(repo + "schemas/rehearsal.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	valid := func(out string, least int) []map[string]any {
		t.Helper()
		lines := strings.Split(strings.TrimSpace(out), "\n")
		for _, text := range lines {
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
			if err == nil {
				err = schema.Validate(value)
			}
			if err != nil {
				t.Errorf("%v in\n%s", err, text)
			}
		}
		if len(lines) < least {
			t.Errorf("%d lines, want %d", len(lines), least)
		}
		return objects(t, out)
	}
	c, event := keyCLI(t)
	out, _ := c.run(exitDone, "rehearse", "--event", event, "--format", "json")
	all := valid(out, 2)
	steps := map[string]map[string]any{}
	for _, s := range all[0]["steps"].([]any) {
		s := s.(map[string]any)
		steps[s["step"].(string)] = s
	}
	if steps["4"]["acts"] != true || steps["5.then.0"]["reached"] != false || steps["1"]["asks"] == nil || steps["0.0"]["sent"] == nil || all[1]["starts"] != false {
		t.Errorf("lines are %v", all)
	}
	c = newCLI(t)
	out, _ = c.run(exitDone, "rehearse", "--event", repo+"events", "--format", "json")
	valid(out, 9)
	out, _ = c.run(exitInput, "rehearse", "--event", repo+"events/instance-allowed.json", "--format", "json")
	if all := valid(out, 1); all[0]["nearest"] == nil {
		t.Errorf("an event that no rule sees: %v", all)
	}
	c.write("rules.local.yml", "rules: {Nobody: 'action == \"iam:CreateUser\"'}\n")
	out, _ = c.run(exitDone, "rehearse", "--event", repo+"events/user-noncompliant.json", "--rule", "Nobody", "--format", "json")
	if all := valid(out, 1); all[0]["why_not"] != noFlow {
		t.Errorf("a finding that no flow is for: %v", all)
	}
}

func TestRehearseBadInput(t *testing.T) {
	c, event := keyCLI(t)
	c.write("broken.json", `{"eventName":`)
	c.write("empty.json", ``)
	c.write("miss.json", strings.Replace(newKey(time.Now(), "e-9"), `"bob"`, `"mallory"`, 2))
	at := func(name string) string { return filepath.Join(c.dir, name) }
	for name, tt := range map[string]struct {
		args []string
		exit int
		says string
	}{
		"no event":         {nil, exitUsage, "--event FILE is missing"},
		"no such file":     {[]string{"--event", at("gone.json")}, exitInput, "gone.json"},
		"no JSON":          {[]string{"--event", at("broken.json")}, exitInput, "broken.json"},
		"nothing in it":    {[]string{"--event", at("empty.json")}, exitInput, "there is no event in it"},
		"no rule sees it":  {[]string{"--event", at("miss.json")}, exitInput, "no rule sees anything"},
		"unknown rule":     {[]string{"--event", event, "--rule", "KeyForSomebody"}, exitUsage, `did you mean "KeyForSomebodyElse"?`},
		"unknown flow":     {[]string{"--event", event, "--flow", "key"}, exitUsage, `did you mean "keys"?`},
		"nothing like it":  {[]string{"--event", event, "--flow", "zzzzzzzzzz"}, exitUsage, "`responder check`"},
		"disabled rule":    {[]string{"--event", event, "--rule", "Off"}, exitInput, "the rule Off is disabled"},
		"disabled flow":    {[]string{"--event", event, "--flow", "off"}, exitInput, "the flow off is disabled"},
		"another's flow":   {[]string{"--event", event, "--flow", "other"}, exitInput, "the flow other is not for what is found"},
		"unknown mode":     {[]string{"--event", event, "--repairs", "alive"}, exitUsage, "--repairs is off, dry, approve, live"},
		"half a member":    {[]string{"--event", event, "--member-role", "m"}, exitUsage, "no account where it may be taken"},
		"too many words":   {[]string{"--event", event, "more"}, exitUsage, "takes no arguments"},
		"broken beside it": {[]string{"--event", c.dir}, exitInput, "could not be read"},
	} {
		t.Run(name, func(t *testing.T) {
			_, errs := c.run(tt.exit, append([]string{"rehearse"}, tt.args...)...)
			c.has(errs, tt.says)
		})
	}
	out, _ := c.run(exitInput, "rehearse", "--event", at("miss.json"), "--rule", "KeyForSomebodyElse")
	c.has(out, "the rule KeyForSomebodyElse does not see it", "req.userName != actor.name → false")
	out, _ = c.run(exitInput, "rehearse", "--event", at("miss.json"))
	c.has(out, "nearest KeyForSomebodyElse")
}

// listener counts who comes to it.
func listener(t *testing.T) (url string, came func() int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	n := 0
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			n++
			mu.Unlock()
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close() })
	return "http://" + l.Addr().String(), func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}

// files lists a folder.
func files(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			var info fs.FileInfo
			if info, err = entry.Info(); err == nil {
				all = append(all, fmt.Sprint(path, info.Size(), info.ModTime()))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestRehearseTouchesNothing: without --live-reads nobody is asked, whatever flows
// hold, and no file is written.
func TestRehearseTouchesNothing(t *testing.T) {
	url, came := listener(t)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1",
		"HTTP_PROXY": url, "HTTPS_PROXY": url, "AWS_EC2_METADATA_SERVICE_ENDPOINT": url,
	} {
		t.Setenv(name, value)
	}
	for _, folder := range []string{repo, examples + "terminate-untagged", ""} {
		c, event := keyCLI(t)
		c.env["SLACK"], c.env["SLACK_WEBHOOK_URL"], c.env["EMAIL_TOPIC_ARN"] = url, url, "arn:aws:sns:us-east-1:111122223333:t"
		before := files(t, c.dir)
		if folder != "" {
			c.dir, event = folder, filepath.Join(folder, "events")
			before = nil
		}
		for _, mode := range repairModes() {
			c.run(exitDone, "rehearse", "--event", event, "--repairs", mode, "--format", "json")
		}
		if before != nil && !slices.Equal(files(t, c.dir), before) {
			t.Errorf("files are %v, were %v", files(t, c.dir), before)
		}
	}
	if n := came(); n > 0 {
		t.Errorf("somebody was asked %d times", n)
	}
}

// readingAWS plays IAM and STS as far as a look at a user's keys needs, and notes
// what it is asked.
type readingAWS struct {
	mu    sync.Mutex
	asked []string
	deny  string // the call that is refused
}

func (s *readingAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	action := r.Form.Get("Action")
	s.mu.Lock()
	s.asked = append(s.asked, action)
	s.mu.Unlock()
	answers := map[string]string{
		"GetCallerIdentity": `<Arn>arn:aws:iam::111122223333:user/reader</Arn><UserId>A</UserId><Account>111122223333</Account>`,
		"GetUser":           `<User><UserName>bob</UserName><UserId>AIDA1</UserId><Path>/</Path><Arn>arn:aws:iam::111122223333:user/bob</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate></User>`,
		"ListAccessKeys": `<AccessKeyMetadata><member><UserName>bob</UserName><AccessKeyId>AKIAIOSFODNN7EXAMPLE</AccessKeyId><Status>Active</Status></member></AccessKeyMetadata>` +
			`<IsTruncated>false</IsTruncated>`,
	}
	if answer, ok := answers[action]; ok && action != s.deny {
		fmt.Fprintf(w, "<%sResponse><%sResult>%s</%sResult></%sResponse>", action, action, answer, action, action)
		return
	}
	w.WriteHeader(http.StatusForbidden)
	fmt.Fprintf(w, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no %s</Message></Error></ErrorResponse>", action)
}

// TestRehearseLiveReads: with --live-reads the target is looked at, and nothing else
// is asked for than what reads.
func TestRehearseLiveReads(t *testing.T) {
	plays := &readingAWS{}
	server := httptest.NewServer(plays)
	defer server.Close()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		t.Setenv(name, value)
	}
	c, event := keyCLI(t)
	c.env["SLACK"] = server.URL
	out, _ := c.run(exitDone, "rehearse", "--event", event, "--flow", "keys", "--live-reads")
	c.has(out, "says yes", "touches    arn:aws:iam::111122223333:user/bob", `found      access_keys: {"AKIAIOSFODNN7EXAMPLE":"Active"}`,
		"account    ✓ of the event's account", "protected  ✓ fits none of arn:aws:iam::*:user/break-glass*", "limits     ✓ 1 of 10 a finding",
		"undo       enable access keys AKIAIOSFODNN7EXAMPLE of user bob", "so         it acts\n")
	if got := slices.Compact(slices.Sorted(slices.Values(plays.asked))); !slices.Equal(got, []string{"GetCallerIdentity", "GetUser", "ListAccessKeys"}) {
		t.Errorf("AWS was asked %q", got)
	}
	c.write("flows.local.yml", "protected: [\"arn:aws:iam::*:user/bob\"]\n")
	out, _ = c.run(exitDone, "rehearse", "--event", event, "--flow", "keys", "--live-reads")
	c.has(out, "held back by protected", "✗ arn:aws:iam::111122223333:user/bob is protected", "it does not act")
	out, _ = c.run(exitDone, "rehearse", "--event", event, "--flow", "keys", "--live-reads", "--repairs", "dry")
	c.has(out, "recorded, not done", "✗ arn:aws:iam::111122223333:user/bob is protected", "touches    arn:aws:iam::111122223333:user/bob")

	for _, call := range []string{"ListAccessKeys", "GetUser"} {
		plays.deny = call
		out, errs := c.run(exitFailed, "rehearse", "--event", event, "--flow", "keys", "--live-reads")
		c.has(out, "iam:"+call, "AccessDenied", "ends as    failed")
		c.has(errs, "1 step could not be shown or looked at")
	}
	for _, action := range plays.asked {
		if mutates("iam:" + action) {
			t.Errorf("AWS was asked to %s", action)
		}
	}
}

// TestRehearseHasNoHands: an action that acted in a rehearsal all the same, by a
// mistake of its own, would come to nothing.
func TestRehearseHasNoHands(t *testing.T) {
	url, came := listener(t)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		t.Setenv(name, value)
	}
	for _, live := range []bool{false, true} {
		a := &app{getenv: func(string) string { return url }, now: time.Now}
		deps := (&rehearsal{app: a, rehearseOptions: rehearseOptions{live: live}}).deps()
		user := responder.Call{Account: "111122223333", Region: "us-east-1", Params: map[string]any{"user": "bob", "webhookURL": "env:X", "message": "m", "topic": "arn:aws:sns:us-east-1:111122223333:t"}}
		for _, name := range []string{"SendSlack", "SendEmail"} {
			if _, err := actions.New(deps)[name].Do(t.Context(), user); err == nil {
				t.Errorf("live reads %t: %s could act", live, name)
			}
		}
		if deps.AWS.IAM == nil {
			continue // without live reads
		}
		cfg, err := deps.AWS.Config(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		name := "bob"
		if _, err := deps.AWS.IAM(cfg).DeleteUser(t.Context(), &iam.DeleteUserInput{UserName: &name}); err == nil || !strings.Contains(err.Error(), "not known to only read") {
			t.Errorf("a user could be deleted: %v", err)
		}
	}
	if n := came(); n > 0 {
		t.Errorf("somebody was asked %d times", n)
	}
}

// TestRehearseHarmless: what an event says does a terminal no harm.
func TestRehearseHarmless(t *testing.T) {
	c, event := keyCLI(t)
	c.write("event.json", strings.ReplaceAll(newKey(time.Now(), "e-1"), `"bob"`, `"bob\u001b[31m\u202e\r\nflow forged {{ 1 }} <!channel>"`))
	for _, format := range []string{"text", "json"} {
		out, _ := c.run(exitDone, "rehearse", "--event", event, "--flow", "keys", "--format", format)
		if bytes.ContainsFunc([]byte(out), harmful) || strings.Contains(out, "\nflow forged") {
			t.Errorf("%s: %q", format, out)
		}
	}
}
