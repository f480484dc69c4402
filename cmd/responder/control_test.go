package main

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/sqlite"
)

// steered is a command line with one flow that tells a webhook, waits, and tells
// it again; the webhook fails as long as it is told to.
func steered(t *testing.T, wait string) (c *cli, broken *atomic.Bool) {
	t.Helper()
	broken = &atomic.Bool{}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() {
			http.Error(w, "closed", http.StatusGone)
		}
	}))
	t.Cleanup(web.Close)
	c = newCLI(t)
	c.env["SINK"] = web.URL
	c.write("rules.yml", "rules:\n  Created: {when: action == \"iam:CreateUser\", message: '{{ req.userName }}'}\n")
	c.setWait(wait)
	return c, broken
}

// setWait writes the flow of steered.
func (c *cli) setWait(wait string) {
	c.t.Helper()
	c.write("flows.yml", `
actions: {SendSlack: {webhookURL: "env:SINK"}}
flows:
  - name: tell
    rule: Created
    sequential:
      - {SendSlack: {message: one}, on_error: stop}
      - wait: `+wait+`
      - parallel: [SendSlack: {message: two}, SendSlack: {message: three}]
`)
}

// runID is the id of the only run.
func (c *cli) runID(args ...string) string {
	c.t.Helper()
	out, _ := c.run(exitDone, append([]string{"runs", "list", "--format", "json", "--data", c.data}, args...)...)
	runs := objects(c.t, out)
	if len(runs) != 1 {
		c.t.Fatalf("there are %d runs: %s", len(runs), out)
	}
	return runs[0]["id"].(string)
}

// TestControl steers runs of a data folder that nobody uses.
func TestControl(t *testing.T) {
	c, broken := steered(t, "1h")
	work := func() {
		c.run(exitDone, "run", "--once", "--live", "--data", c.data, repo+"events/user-compliant.json")
	}
	says := func(want int, text string, args ...string) {
		t.Helper()
		out, errs := c.run(want, append(append([]string{"runs"}, args...), "--data", c.data)...)
		c.has(out+errs, text)
	}
	broken.Store(true)
	work()
	id := c.runID("--state", "failed")
	says(exitInput, "has failed", "cancel", id)
	says(exitInput, "there is no run", "retry", "zzz")
	says(exitUsage, "is empty", "again", "")

	says(exitDone, "goes on", "retry", id[:8])
	says(exitDone, "is under way already", "retry", id)
	says(exitInput, "is under way: cancel it first", "again", id)
	broken.Store(false)
	work()
	says(exitDone, "retried by "+localUser(), "show", id)
	says(exitDone, "wait 1h ◷", "show", id)

	says(exitDone, "is cancelled", "cancel", id, "--why", "a drill\nit was")
	says(exitDone, "was cancelled before", "cancel", id, "--why", "once more")
	says(exitDone, "cancelled by "+localUser()+": a drill it was", "show", id)

	out, _ := c.run(exitDone, "runs", "again", id, "--data", c.data, "--format", "json")
	said := objects(t, out)[0]
	if run := said["run"].(map[string]any); said["deed"] != "again" || said["of"] != id || said["changed"] != true || run["id"] != id+"#2" {
		t.Errorf("again says %s", out)
	}
	says(exitDone, "is run again as "+id+"#2", "again", id)
	says(exitDone, shortID(id)+"#2", "list")
	says(exitDone, id+"#2", "show", id[:8]+"#2")
	says(exitDone, "a drill", "show", id[:8]) // the first is meant
	work()
	says(exitDone, "run again by "+localUser(), "show", id+"#2")
	if got := c.runID("--state", "waiting"); got != id+"#2" {
		t.Errorf("%s waits", got)
	}
}

// TestControlWhileServing steers a run by way of the process that has it, and
// follows it to its end.
func TestControlWhileServing(t *testing.T) {
	c, _ := steered(t, "1s")
	p := c.serve("--live", repo+"events/user-compliant.json")
	id := c.runID()
	out, _ := c.run(exitDone, "runs", "show", id, "--follow", "--data", c.data)
	c.has(out, "  succeeded", "wait 1s ✓", "2.1  SendSlack ✓")
	_, errs := c.run(exitInput, "runs", "retry", id, "--data", c.data)
	c.has(errs, "has succeeded: there is nothing to retry")
	c.setWait("1h") // for what is to be cancelled
	p.out.wait(t, `Reloaded: `)
	out, _ = c.run(exitDone, "runs", "again", id, "--data", c.data)
	c.has(out, id+"#2")
	out, _ = c.run(exitDone, "runs", "cancel", id+"#2", "--why", "enough", "--data", c.data, "--format", "json")
	if said := objects(t, out)[0]; said["changed"] != true || said["run"].(map[string]any)["state"] != "cancelled" {
		t.Errorf("cancel says %s", out)
	}
	out, _ = c.run(exitDone, "runs", "show", id+"#2", "--data", c.data)
	c.has(out, "cancelled by "+localUser()+": enough", "run again by "+localUser())

	path := filepath.Join(c.data, controlFile)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the control file is %v, %v", info, err)
	}
	r, err := reach(c.data)
	if err != nil {
		t.Fatal(err)
	}
	for what, test := range map[string]struct {
		change func(*http.Request)
		want   int
	}{
		"as it should be":  {func(*http.Request) {}, http.StatusBadRequest}, // of a body that is none
		"no token":         {func(q *http.Request) { q.Header.Del("Authorization") }, http.StatusUnauthorized},
		"another token":    {func(q *http.Request) { q.Header.Set("Authorization", "Bearer x") }, http.StatusUnauthorized},
		"a browser":        {func(q *http.Request) { q.Header.Set("Origin", "http://localhost") }, http.StatusForbidden},
		"for another host": {func(q *http.Request) { q.Host = "evil.example" }, http.StatusForbidden},
		"a GET":            {func(q *http.Request) { q.Method = http.MethodGet }, http.StatusForbidden},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.URL, strings.NewReader(`{"deed":"delete"}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+r.Token)
		test.change(request)
		response, err := r.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if response.Body.Close(); response.StatusCode != test.want {
			t.Errorf("%s is answered %d, want %d", what, response.StatusCode, test.want)
		}
	}
	p.end()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the control file outlives its process: %v", err)
	}
	if _, err := r.Cancel(t.Context(), id, "me", ""); err == nil {
		t.Error("a process that has ended can be asked")
	}
}

// TestControlKnowsWhoAsks: whoever a request says it is from, what is kept is who
// the process that serves runs as.
func TestControlKnowsWhoAsks(t *testing.T) {
	c, _ := asker(t, "cli: true")
	p := c.serve("--live", repo+"events/user-compliant.json")
	id := c.runID("--state", "awaiting_approval")
	r, err := reach(c.data)
	if err != nil {
		t.Fatal(err)
	}
	out, _ := c.run(exitDone, "runs", "show", id, "--format", "json", "--data", c.data)
	digest := objects(t, out)[0]["steps"].(map[string]any)["0"].(map[string]any)["approval"].(map[string]any)["digest"]
	who := map[string]any{"kind": "iam", "id": "mallory", "name": "mallory"}
	send := func(path string, request map[string]any) {
		t.Helper()
		var answer map[string]any
		if err := r.send(t.Context(), path, request, &answer); err != nil || answer["error"] != nil || answer["refused"] != nil {
			t.Errorf("%v is answered %v, %v", request, answer, err)
		}
	}
	send(haltPath, map[string]any{"halt": map[string]any{"by": "mallory", "why": "w"}})
	out, _ = c.run(exitDone, "halt", "--show", "--data", c.data)
	send(haltPath, map[string]any{"resume": true, "halt": map[string]any{"by": "mallory"}})
	send("", map[string]any{"id": id, "answer": map[string]any{"step": "0", "digest": digest, "yes": true, "who": who, "from": "mallory's"}})
	c.run(exitDone, "runs", "show", id, "--follow", "--data", c.data)
	for _, deed := range []string{"again", "cancel", "retry"} {
		of := map[string]string{"again": id}[deed]
		send("", map[string]any{"deed": deed, "id": cmp.Or(of, id+"#2"), "by": "mallory"})
	}
	for _, of := range []string{id, id + "#2"} {
		told, _ := c.run(exitDone, "runs", "show", of, "--data", c.data)
		kept, _ := c.run(exitDone, "runs", "show", of, "--data", c.data, "--format", "json")
		out += told + kept
	}
	c.has(out, "every flow, by "+localUser()+" since ", "approved by "+localUser()+" at ", "run again by "+localUser(), "cancelled by "+localUser(), "retried by "+localUser())
	if strings.Contains(out, "mallory") {
		t.Errorf("who a request said it was from is believed:\n%s", out)
	}
	p.end()
}

// TestControlInUse: a process that takes no requests is told of.
func TestControlInUse(t *testing.T) {
	c, _ := steered(t, "1h")
	c.run(exitDone, "run", "--once", "--live", "--data", c.data, repo+"events/user-compliant.json")
	id := c.runID()
	db, err := sqlite.Open(filepath.Join(c.data, dbFile), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, errs := c.run(exitFailed, "runs", "cancel", id, "--data", c.data)
	c.has(errs, "in use by a Responder that takes no requests")
	stale, err := json.Marshal(contact{"http://127.0.0.1:1", "t"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.data, controlFile), stale, 0o600); err != nil {
		t.Fatal(err)
	}
	_, errs = c.run(exitFailed, "runs", "cancel", id, "--data", c.data)
	c.has(errs, "ask the Responder that is running", "refused")
	if run, err := db.Runs().Get(t.Context(), id); err != nil || run.State != responder.RunWaiting {
		t.Errorf("the run is %+v, %v", run, err)
	}
}
