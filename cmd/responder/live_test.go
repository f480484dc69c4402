package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A notice that could not be sent lets its run succeed; it is seen all the same.
func TestFailedNoticeIsSeen(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer web.Close()
	c := newCLI(t)
	c.env["SINK"] = web.URL
	c.write("flows.yml", "actions: {SendSlack: {webhookURL: \"env:SINK\"}}\nflows:\n  - name: tell\n    rule: RootLogin\n    sequential: [SendSlack: {message: hello}]\n")
	out, errs := c.run(exitDone, "run", "--once", "--live", "--data", c.data, repo+"events/root-login.json")
	c.has(out, "1 run · 0 errors · 1 step failed", "SendSlack ✗")
	c.has(errs, `"level":"warn"`, "step failed", "403")
	out, _ = c.run(exitDone, "runs", "list", "--data", c.data)
	c.has(out, "succeeded", "(1 step failed)")
	out, _ = c.run(exitDone, "runs", "list", "--data", c.data, "--format", "json")
	if all := objects(t, out); len(all) != 1 || all[0]["failed_steps"] != 1.0 {
		t.Errorf("runs list gives %v", all)
	}
	out, _ = c.run(exitDone, "run", "--once", "--live", "--format", "json", "--data", filepath.Join(c.dir, "other"), repo+"events/root-login.json")
	all := objects(t, out)
	if len(all) != 2 || all[0]["failed_steps"] != 1.0 || all[1]["failed_steps"] != 1.0 {
		t.Errorf("run gives %v", all)
	}
}

// What a flow refers to and is not there is told before anything has to be sent.
func TestMissingReferences(t *testing.T) {
	c := newCLI(t)
	c.env["SET"] = "https://hooks.example/T0/VALUE"
	c.write("flows.yml", `
flows:
  - name: first
    rule: RootLogin
    sequential:
      - SendSlack: {webhookURL: "env:SET"}
      - SendSlack: {webhookURL: "env:UNSET"}
      - parallel: [SendDiscord: {}, SendSlack: {webhookURL: "env:UNSET"}]
      - SendGoogleChat: {webhookURL: "secret:kept"}
      - SendGoogleChat: {webhookURL: "secret:lost"}
        on_error: [SendEmail: {}]
  - name: second
    rule: SuspiciousLoginIP
    enabled: false
    sequential: [SendSlack: {webhookURL: "env:DISABLED"}]
`)
	c.runWith("https://chat.example/VALUE\n", exitDone, "secrets", "set", "kept", "--data", c.data)
	_, errs := c.run(exitDone, "run", "--once", "--live", "--data", c.data, repo+"events/user-compliant.json")
	want := `warning: flow first: env:UNSET is not set in the environment: these steps will fail: 1 SendSlack, 2.1 SendSlack
warning: flow first: env:DISCORD_WEBHOOK_URL is not set in the environment: these steps will fail: 2.0 SendDiscord
warning: flow first: secret:lost is not kept (responder secrets set lost): these steps will fail: 4 SendGoogleChat
warning: flow first: env:EMAIL_TOPIC_ARN is not set in the environment: these steps will fail: 4.error.0 SendEmail
`
	if errs != want {
		t.Errorf("told\n%s\nwant\n%s", errs, want)
	}
	if _, errs := c.run(exitDone, "run", "--once", "--data", c.data, repo+"events/user-compliant.json"); errs != "" {
		t.Errorf("a dry run warns: %s", errs)
	}
}

// TestTellsWhileServing: what makes no run is told too.
func TestTellsWhileServing(t *testing.T) {
	c := newCLI(t)
	c.write("rules.local.yml", "rules:\n  Lonely: {when: event.source == \"lonely\", severity: LOW}\n")
	c.write("flows.local.yml", "flows:\n  - {name: again, rule: RootLogin, sequential: [SendSlack: {message: again}]}\n")
	p := c.serve()
	send := func(file string) { c.run(exitDone, "send", file, "--url", p.url, "--data", c.data) }
	send(repo + "events/user-compliant.json")
	p.out.wait(t, `no match: iam:CreateUser by Administrator; nearest NonCompliantUserCreated`)
	c.write("lonely.json", `{"id":"1","source":"lonely","detail-type":"b","account":"111122223333","detail":{}}`)
	send(filepath.Join(c.dir, "lonely.json"))
	p.out.wait(t, `LOW +Lonely .*\n  └ no flow is for it`)
	send(repo + "events/root-login.json")
	p.out.wait(t, `└ again: SendSlack would`)
	p.out.wait(t, `└ RootLogin: \(SendSlack would`)
	send(repo + "events/root-login.json")
	p.out.wait(t, `EXTREME +RootLogin .*\n  └ seen before: its run is there already`)

	event := `{"id":"%","source":"s","detail-type":"b","detail":{}}` + "\n"
	var many strings.Builder
	for i := range 60 {
		many.WriteString(strings.Replace(event, "%", strings.Repeat("x", i+1), 1))
	}
	c.write("many.jsonl", many.String())
	send(filepath.Join(c.dir, "many.jsonl"))
	p.out.wait(t, `… more events without a match in this minute`)
	p.end()
	if n := strings.Count(p.out.String(), "no match: "); n != toldMisses {
		t.Errorf("%d events without a match were told, want %d", n, toldMisses)
	}
}

// Duplicates are events that met a run, not those that make none.
func TestDuplicates(t *testing.T) {
	event := func(id string) string {
		return `{"id":"` + id + `","source":"s","detail-type":"b","detail":{}}` + "\n"
	}
	const rules = "rules:\n  A: event.source == \"s\"\n  B: event.source == \"s\"\n"
	flow := func(name, rest string) string {
		return "  - {name: " + name + ", " + rest + ", sequential: [SendSlack: {message: m}]}\n"
	}
	for name, test := range map[string]struct {
		flows, input string
		want, again  float64
		story        string // of the first
	}{
		"no flow":             {"flows: []\n", event("1") + event("2"), 0, 0, noFlow},
		"a disabled flow":     {"flows:\n" + flow("x", "rule: A, enabled: false"), event("1"), 0, 0, noFlow},
		"its condition fails": {"flows:\n" + flow("x", "rules: [A, B], if: severity == EXTREME"), event("1") + event("1"), 0, 0, "the condition of its flow is not met"},
		"one flow":            {"flows:\n" + flow("x", "rule: A"), event("1") + event("2"), 0, 2, "SendSlack would"},
		"twice in one input":  {"flows:\n" + flow("x", "rule: A"), event("1") + event("2") + event("1"), 1, 3, "SendSlack would"},
		"two flows, thrice":   {"flows:\n" + flow("x", "rules: [A, B]") + flow("y", "rule: A"), strings.Repeat(event("1"), 3), 2, 3, "y: SendSlack would"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCLI(t)
			c.write("rules.yml", rules)
			c.write("flows.yml", test.flows)
			c.write("in.jsonl", test.input)
			in := filepath.Join(c.dir, "in.jsonl")
			for pass, want := range []float64{test.want, test.again} {
				out, _ := c.run(exitDone, "run", "--once", "--format", "json", "--data", c.data, in)
				all := objects(t, out)
				if s := all[len(all)-1]; s["duplicates"] != want || s["matched"] != float64(strings.Count(test.input, "\n")) {
					t.Errorf("pass %d: summary is %v, want %v duplicates", pass, s, want)
				}
			}
			out, _ := c.run(exitDone, "run", "--once", "--data", filepath.Join(c.dir, "other"), in)
			c.has(out, test.story)
		})
	}
}

// With --format json, serving tells what the text tells: runs, summary, address.
func TestServeJSON(t *testing.T) {
	c := newCLI(t)
	p := c.serveAs(`"serving":"(http://\S+/events)"`, "--format", "json", repo+"events/root-login.json")
	p.end()
	all := objects(t, p.out.String())
	if len(all) != 4 {
		t.Fatalf("%d lines, want two runs, the summary and the address:\n%s", len(all), p.out.String())
	}
	if all[0]["run"] == nil || all[1]["run"] == nil || all[2]["events"] != 1.0 || all[2]["matched"] != 1.0 {
		t.Errorf("lines are %v", all)
	}
	if last := all[3]; last["serving"] != p.url || last["key_file"] != filepath.Join(c.data, keyFile) || last["mode"] != "dry" {
		t.Errorf("the last line is %v", last)
	}
	if _, err := os.Stat(all[3]["key_file"].(string)); err != nil {
		t.Error(err)
	}
}
