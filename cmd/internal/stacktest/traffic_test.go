package stacktest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/ingest"
)

// testSamples sends the samples three times: whole, one by one, and from the back.
func testSamples(t *testing.T, d *deployed) {
	events := samples(t)
	d.send(t, events...)
	for _, event := range events {
		d.send(t, event)
	}
	slices.Reverse(events)
	d.send(t, events...)
}

// testRecords sends 500 real records, of which few are seen by the shipped rules,
// and a crowd like the samples, all of them twice, in requests of many sizes; and
// puts some on the queue twice more, as SQS does now and then.
func testRecords(t *testing.T, d *deployed) {
	events := append(crowd(t, 90), records(t)...)
	for _, size := range []int{250, 70} {
		for batch := range slices.Chunk(events, size) {
			d.send(t, batch...)
		}
	}
	for batch := range slices.Chunk(events[:50], 10) {
		var messages []responder.Message
		for _, element := range batch {
			event, err := ingest.Normalise(element)
			if err != nil {
				t.Fatal(err)
			}
			messages = append(messages, responder.Message{Body: event.Raw}, responder.Message{Body: event.Raw})
		}
		if err := d.events.Send(t.Context(), messages...); err != nil {
			t.Fatal(err)
		}
	}
}

// testPoison: what is no event becomes a dead letter with cause and stage; put
// back, it dies again.
func testPoison(t *testing.T, d *deployed) {
	const poison = `{"this is": no event`
	if err := d.events.Send(t.Context(), responder.Message{Body: []byte(poison)}); err != nil {
		t.Fatal(err)
	}
	first := d.letter(t, poison, "")
	if !strings.HasPrefix(first.Cause, "detect: ") || !strings.Contains(first.Cause, "not valid JSON") {
		t.Errorf("its cause is %q", first.Cause)
	}
	out := d.responder(t, "dlq", "redrive", "--stack", d.Name)
	if !strings.Contains(out, "1 dead letter") {
		t.Errorf("dlq redrive says\n%s", out)
	}
	again := d.letter(t, poison, first.ID)
	if again.Cause != first.Cause || !again.Died.After(first.Died) {
		t.Errorf("put back, it died of %q at %v; before, of %q at %v", again.Cause, again.Died, first.Cause, first.Died)
	}
	if n, err := d.events.dead.Purge(t.Context(), again.ID); err != nil || n != 1 {
		t.Errorf("purge gives %d, %v", n, err)
	}
}

// letter waits for the dead letter of a body, another than the one of an id.
func (d *deployed) letter(t *testing.T, body, but string) (found responder.DeadLetter) {
	t.Helper()
	await(t, 90*time.Second, func(ctx context.Context) string {
		letters, err := d.events.dead.List(ctx, 10)
		if err != nil {
			return err.Error()
		}
		for _, letter := range letters {
			if letter.ID != but && string(letter.Body) == body {
				found = letter
				return ""
			}
		}
		return fmt.Sprintf("no dead letter of %q among %d", body, len(letters))
	})
	return found
}

// testLongWait: a wait longer than a message can be delayed is left to the store,
// and ended by the sweep that the schedule starts. The clock is told: the run's
// due is moved in the table.
func testLongWait(t *testing.T, d *deployed) {
	event, err := ingest.Normalise(alike(t, sample(t, "root-login.json"), 2))
	if err != nil {
		t.Fatal(err)
	}
	finding := responder.Finding{Rule: "RootLogin", Title: "A long wait", Severity: responder.High, Resources: []string{}, Key: event.Key(), Event: event.Raw}
	steps := []responder.Step{
		{Kind: responder.StepWait, Wait: 20 * time.Minute},
		{Kind: responder.StepAction, Action: "SendSlack", Params: map[string]any{"webhookURL": "env:SLACK_WEBHOOK_URL", "message": "waited"}},
	}
	digest, err := responder.Digest(steps)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	run := &responder.Run{
		V: 1, ID: finding.RunID("long wait"), Token: "test", Flow: responder.FlowSnapshot{Name: "RootLogin", Steps: steps, Digest: digest},
		Finding: finding, Mode: responder.ModeLive, State: responder.RunRunning, Due: now, Steps: map[string]*responder.StepState{}, Created: now, Updated: now,
	}
	d.ledger.expect(run.ID, expected{state: responder.RunSucceeded, told: []string{"1"}})
	store := d.playDispatch()
	if err := store.Create(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	get := func(ctx context.Context) *responder.Run {
		run, err := store.Get(ctx, run.ID)
		if err != nil {
			t.Fatal(err)
		}
		return run
	}
	await(t, 2*time.Minute, func(ctx context.Context) string {
		if run := get(ctx); run.State != responder.RunWaiting {
			return "no sweep has begun the wait: the run is " + string(run.State)
		}
		return ""
	})
	waiting := get(t.Context())
	if left := waiting.Due.Sub(now); left < 20*time.Minute || left > 23*time.Minute {
		t.Errorf("it waits until %v after it was made", left)
	}
	if waiting.Lease.After(time.Now()) {
		t.Errorf("it is held until %v while it waits", waiting.Lease)
	}
	moved := time.Now().Add(-time.Second)
	waiting.Due, waiting.Steps["0"].Due, waiting.Token = moved, moved, "told"
	if err := store.Save(t.Context(), waiting); err != nil {
		t.Fatal(err)
	}
	await(t, 2*time.Minute, func(ctx context.Context) string {
		if run := get(ctx); run.State != responder.RunSucceeded {
			return "no sweep has ended the wait: the run is " + string(run.State)
		}
		return ""
	})
	shown(t, "a wait of 20 minutes was ended by a sweep %v after it was due", time.Since(moved).Round(time.Second))
}

// testKilled: a function that is killed while a step is under way loses nothing;
// the step is done again, with the same key, once its lease is over.
func testKilled(t *testing.T, d *deployed) {
	element := alike(t, sample(t, "root-login-miss.json"), 3)
	element = with(t, element, "detail.sourceIPAddress", "198.51.100.7") // seen by one rule
	event, err := ingest.Normalise(element)
	if err != nil {
		t.Fatal(err)
	}
	findings, _ := d.definitions.Rules.Evaluate(event)
	if len(findings) != 1 {
		t.Fatalf("%d findings, want 1", len(findings))
	}
	id := findings[0].RunID(findings[0].Rule)
	killed := make(chan int, 1)
	d.webhook.atFirst(id+"/0.0", func() { killed <- d.kill(t, "dispatch") })
	d.send(t, element)
	select {
	case n := <-killed:
		if n == 0 {
			t.Fatal("no process of dispatch was found")
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("the step was not begun")
	}
	began := time.Now()
	await(t, 6*time.Minute, func(ctx context.Context) string {
		run, err := d.runs.Get(ctx, id)
		if err != nil {
			return err.Error()
		}
		if run.State != responder.RunSucceeded {
			return fmt.Sprintf("the run is %s: %s", run.State, run.Cause)
		}
		return ""
	})
	d.webhook.mu.Lock()
	defer d.webhook.mu.Unlock()
	if n := d.webhook.posts[id+"/0.0"]; n < 2 {
		t.Errorf("the step posted %d times: it was not under way when the function was killed", n)
	}
	shown(t, "a step whose function was killed was done %v later", time.Since(began).Round(time.Second))
}

// kill ends all processes of a function at once, as Lambda does with those that
// run out of time or memory, and says how many there were.
func (d *deployed) kill(t *testing.T, function string) (n int) {
	for _, pid := range d.processes(t, function) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Logf("kill %d: %v", pid, err)
			continue
		}
		n++
	}
	return n
}

// processes are those that the emulator runs for a function of this stack.
func (d *deployed) processes(t *testing.T, function string) (pids []int) {
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Error(err)
	}
	for _, folder := range folders {
		environ, err := os.ReadFile(filepath.Join(folder, "environ"))
		if err != nil {
			continue // it has ended, or is another user's
		}
		has := func(variable string) bool {
			return slices.Contains(strings.Split(string(environ), "\x00"), variable)
		}
		if has("AWS_LAMBDA_FUNCTION_NAME="+d.Name+"-"+function) && has("AWS_ENDPOINT_URL="+d.endpoint) {
			pid, err := strconv.Atoi(filepath.Base(folder))
			if err != nil {
				t.Error(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

// testCommandLine: the commands that people type work on the stack.
func testCommandLine(t *testing.T, d *deployed) {
	out := d.responder(t, "send", filepath.Join(repository, "events"), "--url", d.apiURL(), "--format", "json")
	var told struct{ Accepted int }
	if err := json.Unmarshal([]byte(out), &told); err != nil || told.Accepted != len(samples(t)) {
		t.Fatalf("send says %s, %v", out, err)
	}
	d.ledger.accept(told.Accepted)
	for _, element := range samples(t) {
		event, err := ingest.Normalise(element)
		if err != nil {
			t.Fatal(err)
		}
		d.enter(t, event)
	}
	await(t, time.Minute, func(context.Context) string {
		out := d.responder(t, "runs", "list", "--stack", d.Name, "--rule", "RootLogin", "--format", "json")
		var run responder.RunSummary
		line, _, _ := strings.Cut(out, "\n")
		if err := json.Unmarshal([]byte(line), &run); err != nil || run.Rule != "RootLogin" {
			return fmt.Sprintf("runs list says %q", out)
		}
		return ""
	})
}
