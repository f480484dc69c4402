package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const previewFlows = `
flows:
  - name: tell
    rule: NonCompliantUserCreated
    sequential:
      - SendSlack: {webhookURL: "https://hooks.example/T0KENT0KEN", message: "{{ resources[0] }} was created"}
      - SendEmail: {from: Responder <alerts@example.com>, to: [ops@example.com]}
      - remediate: {}
      - SendPagerDuty: {}
        if: severity >= HIGH
  - {name: other, rule: RootLogin, sequential: [SendEmail: {}]}
  - {name: off, enabled: false, rule: NonCompliantUserCreated, sequential: [SendEmail: {}]}
`

func TestPreview(t *testing.T) {
	c := newCLI(t)
	c.write("flows.yml", previewFlows)
	c.env["SLACK_WEBHOOK_URL"], c.env["PAGERDUTY_ROUTING_KEY"] = "https://hooks.example/ENVT0KEN", "ENVT0KENKEY"
	event := repo + "events/user-noncompliant.json"
	out, errs := c.run(exitDone, "preview", "tell", "--event", event)
	c.has(out, "tell step 0 SendSlack", "to  webhookURL", "│ bob was created", `"text": "bob was created"`,
		"tell step 1 SendEmail", "to  SES, from \"Responder\" <alerts@example.com> to ops@example.com", `"FromEmailAddress"`,
		"tell step 3 SendPagerDuty", "if  severity >= HIGH", "key env:PAGERDUTY_ROUTING_KEY", `"summary": "[DRY RUN] Non compliant user created"`)
	if strings.Contains(out+errs, "T0KEN") || strings.Contains(out, "RootLogin") {
		t.Errorf("a secret shows, or another flow:\n%s%s", out, errs)
	}

	mail := filepath.Join(c.dir, "mail.html")
	out, _ = c.run(exitDone, "preview", "SendEmail", "--event", event, "--html", mail, "--format", "json")
	all := objects(t, out)
	if len(all) != 1 || all[0]["flow"] != "tell" || all[0]["step"] != "1" || all[0]["rule"] != "NonCompliantUserCreated" || all[0]["to"] == "" || all[0]["error"] != nil {
		t.Errorf("got %v", all)
	}
	if html, err := os.ReadFile(mail); err != nil || !strings.HasPrefix(string(html), "<!DOCTYPE html>") || string(html) != all[0]["html"] {
		t.Errorf("%.80s, %v", html, err)
	}
	out, _ = c.run(exitDone, "preview", "tell", "--event", event, "--step", "0", "--rule", "NonCompliantUserCreated", "--format", "json")
	if all := objects(t, out); len(all) != 1 || all[0]["action"] != "SendSlack" {
		t.Errorf("got %v", all)
	}
	out, _ = c.run(exitDone, "preview", "off", "--event", event)
	c.has(out, "off step 0 SendEmail", "SNS topic env:EMAIL_TOPIC_ARN")
}

func TestPreviewMistakes(t *testing.T) {
	c := newCLI(t)
	c.write("flows.yml", previewFlows+"  - {name: bad, rule: NonCompliantUserCreated, sequential: [SendPagerDuty: {event: close}, SendSlack: {token: 'env:T'}]}\n")
	event := repo + "events/user-noncompliant.json"
	for line, want := range map[string]struct {
		exit int
		says string
	}{
		"preview":                                                     {exitUsage, "takes the name of a flow"},
		"preview tell":                                                {exitUsage, "--event FILE is missing"},
		"preview tel --event " + event:                                {exitUsage, "tell"},
		"preview SendSlak --event " + event:                           {exitUsage, "SendSlack"},
		"preview IAMDeleteUser --event " + event:                      {exitUsage, "IAMDeleteUser is a repair: it sends nothing"},
		"preview tell --rule RootLogn --event " + event:               {exitUsage, "RootLogin"},
		"preview tell --event nowhere.json":                           {exitInput, "nowhere.json"},
		"preview other --event " + event:                              {exitInput, "what is found is of other flows' rules: NonCompliantUserCreated"},
		"preview tell --event " + repo + "events/user-compliant.json": {exitInput, "no rule finds anything"},
		"preview tell --step 9 --event " + event:                      {exitInput, "there is no such notice at step 9"},
		"preview tell --step 0 --html x.html --event " + event:        {exitInput, "no e-mail with HTML"},
		"preview bad --event " + event:                                {exitInput, "2 notices could not be shown"},
	} {
		out, errs := c.run(want.exit, strings.Fields(line)...)
		c.has(out+errs, want.says)
	}
	out, _ := c.run(exitInput, "preview", "bad", "--event", event)
	c.has(out, "event is \"close\"", "a token needs a channel")
}

// TestPreviewHarmless: what an event says cannot steer a terminal.
func TestPreviewHarmless(t *testing.T) {
	c := newCLI(t)
	c.write("flows.yml", "flows:\n  - name: all\n    rule: NonCompliantUserCreated\n    sequential: [SendSlack: {}, SendDiscord: {}, SendGoogleChat: {}, SendTeams: {}, SendPagerDuty: {}, SendWebhook: {}, SendEmail: {}, SendEmail: {from: a@example.com, to: b@example.com}]\n")
	data, err := os.ReadFile(repo + "events/user-noncompliant.json")
	if err != nil {
		t.Fatal(err)
	}
	c.write("event.json", strings.ReplaceAll(string(data), `"userName": "bob"`, `"userName": "b\u001b[31m\u202e\u200b\u2066<!channel>\r\n\u009bob"`))
	for _, format := range []string{"text", "json"} {
		out, errs := c.run(exitDone, "preview", "all", "--event", filepath.Join(c.dir, "event.json"), "--format", format)
		if strings.ContainsFunc(out+errs, harmful) {
			t.Errorf("%s: harmful characters in %q", format, out)
		}
		if !strings.Contains(out, "channel") {
			t.Errorf("%s: the name is not shown:\n%s", format, out)
		}
	}
}
