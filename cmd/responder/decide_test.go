package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

// asker is a command line with a flow that asks before it tells a webhook, and how
// often that was told.
func asker(t *testing.T, by string) (c *cli, told *atomic.Int32) {
	t.Helper()
	told = &atomic.Int32{}
	web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { told.Add(1) }))
	t.Cleanup(web.Close)
	c = newCLI(t)
	c.env["SINK"] = web.URL
	c.write("rules.yml", "rules:\n  Created: {when: action == \"iam:CreateUser\", message: '{{ req.userName }}'}\n")
	c.write("flows.yml", `
actions: {SendSlack: {webhookURL: "env:SINK"}}
flows:
  - name: ask
    rule: Created
    sequential:
      - approve: {text: "Tell of {{ message }}?", by: {`+by+`}, for: 1h}
      - SendSlack: {message: one}
`)
	return c, told
}

// TestDecide: what a run asks is shown, and decided once, on a folder that nobody
// uses.
func TestDecide(t *testing.T) {
	c, told := asker(t, "cli: true")
	work := func() {
		c.run(exitDone, "run", "--once", "--live", "--data", c.data, repo+"events/user-compliant.json")
	}
	says := func(want int, text string, args ...string) string {
		t.Helper()
		out, errs := c.run(want, append(append([]string{"runs"}, args...), "--data", c.data)...)
		c.has(out+errs, text)
		return out
	}
	work()
	id := c.runID("--state", "awaiting_approval")
	says(exitDone, "asks at step 0 until", "list", "--state", "awaiting_approval")
	says(exitDone, "answers what is asked", "list", "--state", "awaiting_approval")
	says(exitUsage, "give --yes", "approve", id)
	says(exitInput, "asks nothing", "approve", id, "--yes", "--step", "1")
	says(exitInput, "not what was shown", "approve", id, "--yes", "--digest", strings.Repeat("0", 64))
	says(exitInput, "there is no run", "approve", "zzz", "--yes")
	says(exitUsage, "is empty", "deny", "")
	if told.Load() != 0 {
		t.Fatal("told before it was approved")
	}
	out := says(exitDone, "step 0 is approved", "approve", id[:8], "--yes", "--why", "it is\nfine")
	c.has(out, "Tell of ", "no repair hangs on it", "digest ", "whoever owns the data folder")
	says(exitDone, "approved by "+localUser(), "approve", id, "--yes") // once more changes nothing
	says(exitInput, "decided already: approved by "+localUser(), "deny", id, "--yes")
	work()
	if told.Load() != 1 {
		t.Errorf("told %d times", told.Load())
	}
	says(exitDone, "approved by "+localUser()+" at ", "show", id)
	says(exitDone, ": it is fine", "show", id)

	out, _ = c.run(exitDone, "runs", "again", id, "--data", c.data)
	c.has(out, id+"#2")
	work()
	out, _ = c.run(exitDone, "runs", "deny", id+"#2", "--yes", "--format", "json", "--data", c.data)
	if said := objects(t, out); len(said) != 1 || said[0]["deed"] != "deny" || said[0]["changed"] != true {
		t.Errorf("deny says %s", out)
	}
	work()
	says(exitDone, "stopped", "show", id+"#2")
	if told.Load() != 1 {
		t.Errorf("told %d times", told.Load())
	}
}

// TestDecideWhileServing: by way of the process that has the folder.
func TestDecideWhileServing(t *testing.T) {
	c, told := asker(t, "cli: true")
	p := c.serve("--live", repo+"events/user-compliant.json")
	id := c.runID()
	_, errs := c.run(exitInput, "runs", "approve", id, "--yes", "--digest", "0", "--data", c.data)
	c.has(errs, "not what was shown")
	c.run(exitDone, "runs", "approve", id, "--yes", "--data", c.data)
	out, _ := c.run(exitDone, "runs", "show", id, "--follow", "--data", c.data)
	c.has(out, "  succeeded", "approved by "+localUser())
	if told.Load() != 1 {
		t.Errorf("told %d times", told.Load())
	}
	p.end()
}

// TestSlackWhileServing: with a signing secret the listener takes Slack's clicks,
// and no others.
func TestSlackWhileServing(t *testing.T) {
	c, told := asker(t, "slack: [U0CAROL]")
	post := func(url, secret, body string) int {
		t.Helper()
		timestamp := strconv.FormatInt(time.Now().Unix(), 10)
		h := hmac.New(sha256.New, []byte(secret))
		h.Write([]byte("v0:" + timestamp + ":" + body))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/slack/interactions", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Slack-Request-Timestamp", timestamp)
		r.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(h.Sum(nil)))
		r.Host = "responder.example.com" // a tunnel's
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	click := func(p *process, secret, body string) int {
		return post(strings.TrimSuffix(p.url, "/events"), secret, body)
	}
	p := c.serve("--live", repo+"events/user-compliant.json")
	if status := click(p, "any", "payload={}"); status == http.StatusOK {
		t.Error("taken without a signing secret")
	}
	p.end()
	c.runWith("shhh", exitDone, "secrets", "set", "slack-signing", "--data", c.data)
	p = c.serve("--live")
	id := c.runID()
	shown, _ := c.run(exitDone, "runs", "show", id, "--format", "json", "--data", c.data)
	var run responder.Run
	if err := json.Unmarshal([]byte(shown), &run); err != nil {
		t.Fatal(err)
	}
	digest := run.Steps["0"].Approval.Digest
	body := url.Values{"payload": {`{"type":"block_actions","user":{"id":"U0CAROL"},"actions":[{"action_id":"approve","value":"` + id + ` 0 ` + digest + `"}]}`}}.Encode()
	if status := click(p, "other", body); status != http.StatusUnauthorized {
		t.Errorf("signed by another: %d", status)
	}
	if status := click(p, "shhh", body); status != http.StatusOK {
		t.Errorf("a click: %d", status)
	}
	out, _ := c.run(exitDone, "runs", "show", id, "--follow", "--data", c.data)
	c.has(out, "  succeeded", "approved by U0CAROL")
	if told.Load() != 1 {
		t.Errorf("told %d times", told.Load())
	}
	p.end()
}
