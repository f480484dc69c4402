package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/sqlite"
)

// asResponder makes the test binary be the real program, in a process of its
// own that can be killed.
const asResponder = "RESPONDER_TEST_BE_RESPONDER"

func TestMain(m *testing.M) {
	if os.Getenv(asResponder) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// sink is a webhook that counts what it is told, by idempotency key.
type sink struct {
	mu   sync.Mutex
	told map[string]int
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told[r.Header.Get("Idempotency-Key")]++
	fmt.Fprint(w, "ok")
}

// TestKilled kills the real program over and over while events come in, and
// wants every accepted event to have ended in a run, every step of which was
// done at least once.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("kills and restarts processes for some seconds")
	}
	const rounds = 12
	s := &sink{told: map[string]int{}}
	web := httptest.NewServer(s)
	defer web.Close()
	c := newCLI(t)
	c.write("rules.yml", "rules:\n  Created: {when: action == \"iam:CreateUser\", message: '{{ req.userName }}'}\n")
	c.write("flows.yml", `
actions: {SendSlack: {webhookURL: "env:SINK"}}
flows:
  - name: three
    rule: Created
    sequential:
      - SendSlack: {message: one}
      - parallel: [SendSlack: {message: two}, SendSlack: {message: three}]
      - wait: 1s
      - SendSlack: {message: four}
`)
	var accepted []string
	for round := range rounds {
		p := c.start(web.URL)
		kill := time.After(time.Duration(20+rand.IntN(400)) * time.Millisecond)
		for n := 0; ; n++ {
			id := fmt.Sprintf("round%d-%d", round, n)
			if p.post(id) {
				accepted = append(accepted, id)
			}
			select {
			case <-kill:
				p.kill()
			default:
				continue
			}
			break
		}
	}
	if len(accepted) < rounds {
		t.Fatalf("only %d events were accepted in %d rounds", len(accepted), rounds)
	}
	p := c.start(web.URL)
	ended := p.waitForRuns(len(accepted))
	p.kill()

	s.mu.Lock()
	defer s.mu.Unlock()
	doubled := 0
	for _, id := range accepted {
		run := ended[id]
		if run == nil || run.State != responder.RunSucceeded {
			t.Errorf("event %s was accepted, and its run is %+v", id, run)
			continue
		}
		for _, step := range []string{"0", "1.0", "1.1", "3"} {
			switch n := s.told[run.ID+"/"+step]; {
			case n == 0:
				t.Errorf("event %s: step %s was never done", id, step)
			case n > 1:
				doubled++
			}
		}
	}
	t.Logf("%d kills, %d events accepted, 0 lost, %d steps done more than once", rounds, len(accepted), doubled)
}

// killable is a real process.
type killable struct {
	*cli
	cmd      *exec.Cmd
	url, key string
}

func (c *cli) start(sinkURL string) *killable {
	c.t.Helper()
	out := &transcript{changed: make(chan struct{})}
	cmd := exec.Command(os.Args[0], c.args([]string{"run", "--live", "--listen", "127.0.0.1:0", "--data", c.data})...)
	cmd.Env = append(os.Environ(), asResponder+"=1", "SINK="+sinkURL)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	p := &killable{cli: c, cmd: cmd}
	c.t.Cleanup(p.kill)
	p.url = out.wait(c.t, `Serving (http://\S+/events)`)
	key, err := os.ReadFile(filepath.Join(c.data, keyFile))
	if err != nil {
		c.t.Fatal(err)
	}
	p.key = strings.TrimSpace(string(key))
	return p
}

// kill ends the process at once, as by SIGKILL.
func (p *killable) kill() {
	if p.cmd.ProcessState == nil {
		p.cmd.Process.Kill() // an error means that it is gone already
		p.cmd.Wait()         // its error is the signal
	}
}

// post sends one event and says whether it was accepted.
func (p *killable) post(id string) bool {
	record := fmt.Sprintf(`{"eventSource":"iam.amazonaws.com","eventName":"CreateUser","eventID":%q,"recipientAccountId":"111122223333","eventTime":"2026-11-23T10:00:00Z","requestParameters":{"userName":%q}}`, id, id)
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, p.url, bytes.NewReader([]byte(record)))
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("APIKey", p.key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusAccepted
}

// waitForRuns waits until so many runs have ended, and gives them by event id.
func (p *killable) waitForRuns(n int) map[string]*responder.Run {
	p.t.Helper()
	db, err := sqlite.OpenReadOnly(filepath.Join(p.data, dbFile), sqlite.Options{})
	if err != nil {
		p.t.Fatal(err)
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	for {
		stats, err := db.Stats(ctx)
		if err != nil {
			p.t.Fatal(err)
		}
		if stats.Quiet() && stats.Runs[responder.RunSucceeded] >= n {
			break
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			p.t.Fatalf("not all runs ended: %+v", stats)
		}
	}
	runs := map[string]*responder.Run{}
	for q := (responder.RunQuery{Max: 1000}); ; {
		page, err := db.Runs().List(ctx, q)
		if err != nil {
			p.t.Fatal(err)
		}
		for _, summary := range page.Runs {
			r, err := db.Runs().Get(ctx, summary.ID)
			if err != nil {
				p.t.Fatal(err)
			}
			runs[runLine(r).EventID] = r
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return runs
		}
	}
}
