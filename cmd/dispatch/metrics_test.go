package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/cmd/internal/lambdas/lambdastest"
	"github.com/skycrafters/responder/internal/memory"
	"github.com/skycrafters/responder/internal/sqs"
)

// told gives what the function told since it was asked last.
func (f *function) told() string {
	defer f.stdout.Reset()
	return f.stdout.String()
}

// TestDispatchTells: what becomes of findings and runs, a line of metrics each
// time.
func TestDispatchTells(t *testing.T) {
	f := newFunction(t)
	f.invoke(t, lambdastest.Sample(t, "dispatch.json"))
	first := lambdastest.Metrics(t, f.told())
	if len(first["StepLatency/SendSlack"]) == 0 {
		t.Errorf("of a new finding it tells %v, which lacks how long its first notices took", first)
	}
	for key, want := range map[string]string{"Runs/created": "[1]", "FailedRuns": "[0]", "Duplicates": "[]"} {
		if got := fmt.Sprint(first[key]); got != want {
			t.Errorf("of a new finding it tells %s: %v, want %s; all: %v", key, got, want, first)
		}
	}
	f.invoke(t, lambdastest.Sample(t, "dispatch.json"))
	lambdastest.Want(t, f.told(), map[string][]float64{"Duplicates": {1}, "FailedRuns": {0}, "QueueLag/findings": nil})

	f.now = f.now.Add(time.Hour)
	f.invoke(t, lambdastest.Sample(t, "sweep.json"))
	lambdastest.Want(t, f.told(), map[string][]float64{"Due": {1}, "DarkForwarders": {0}, "Halted": {0}, "Tripped": {0}, "FailedRuns": {0}})
}

// TestDispatchTellsEnds: a run that fails is counted by its state and as failed.
func TestDispatchTellsEnds(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"rules.yml": "rules: {A: ok, B: ok}\n",
		"flows.yml": "flows:\n  - {name: fails, rule: A, if: severity, sequential: [wait: 1m]}\n  - {name: passes, rule: B, sequential: [{if: \"severity == EXTREME\", then: [wait: 1m]}]}\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := newFunction(t)
	var err error
	if f.handler, err = newHandler(lambdastest.HostAt(folder, &f.log, nil), f.ports()); err != nil {
		t.Fatal(err, f.log.String())
	}
	for _, rule := range []string{"A", "B", "C"} {
		finding := responder.Finding{Rule: rule, Severity: responder.High, Key: "k", Event: []byte(`{"id":"1"}`)}
		f.ring(t, responder.Bell{Finding: &finding})
	}
	f.invoke(t, f.batch(t))
	lambdastest.Want(t, f.told(), map[string][]float64{"Runs/created": {2}, "Runs/failed": {1}, "Runs/succeeded": {1}, "FailedRuns": {1}})
}

func (f *function) ring(t *testing.T, bell responder.Bell) {
	t.Helper()
	body, err := bell.Encode()
	if err != nil {
		t.Fatal(err)
	}
	f.send(t, string(body))
}

func (f *function) send(t *testing.T, body string) {
	t.Helper()
	if err := f.findings.Send(t.Context(), responder.Message{Body: []byte(body)}); err != nil {
		t.Fatal(err)
	}
}

// batch receives what there is.
func (f *function) batch(t *testing.T) []byte {
	t.Helper()
	deliveries, err := f.findings.Receive(t.Context(), 10, 0)
	if err != nil || len(deliveries) == 0 {
		t.Fatalf("%d deliveries, %v", len(deliveries), err)
	}
	return lambdastest.Batch(t, deliveries...)
}

// TestWakesHaveNoLag: they are sent to come late.
func TestWakesHaveNoLag(t *testing.T) {
	f := newFunction(t)
	event, ok := sqs.DecodeEvent(lambdastest.Sample(t, "dispatch.json"))
	if !ok || event.Records[0].Attributes["SentTimestamp"] == "" {
		t.Fatal("the sample is no batch, or does not say when it was sent")
	}
	event.Records[0].Body = `{"v":1,"wake":"0123"}`
	raw, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	f.invoke(t, raw)
	lambdastest.Want(t, f.told(), map[string][]float64{"DeadLetters/findings": {1}, "FailedRuns": {0}})
}

// TestFutureBell: what a newer Responder queued comes again, for a newer
// dispatch may take it, and at last is a dead letter.
func TestFutureBell(t *testing.T) {
	f := newFunction(t)
	f.send(t, `{"v":2,"riddle":1}`)
	for n := range 8 {
		if got := f.invoke(t, f.batch(t)); got != `{"batchItemFailures":[{"itemIdentifier":"1"}]}` {
			t.Fatalf("receive %d is answered %s", n+1, got)
		}
		f.now = f.now.Add(time.Hour)
	}
	if deliveries, err := f.findings.Receive(t.Context(), 10, 0); err != nil || len(deliveries) > 0 {
		t.Errorf("it comes once more: %v, %v", deliveries, err)
	}
	letters, err := f.findings.List(t.Context(), 10)
	if err != nil || len(letters) != 1 || string(letters[0].Body) != `{"v":2,"riddle":1}` {
		t.Errorf("the dead letters are %+v, %v", letters, err)
	}
	if !strings.Contains(f.log.String(), "upgrade this one") {
		t.Errorf("the log does not say what to do: %s", f.log.String())
	}
}

// newer is a store with a run of a newer Responder.
type newer struct {
	*memory.Runs
	parked string
}

func (n *newer) Get(context.Context, string) (*responder.Run, error) {
	return nil, fmt.Errorf("get: %w", responder.ErrFutureVersion)
}

func (n *newer) Park(_ context.Context, id string, _ time.Time) error {
	n.parked = id
	return nil
}

func (n *newer) Unpark(context.Context, *responder.Run) error {
	return errors.New("nothing is read here")
}

// TestFutureRun: it is parked, and told as such.
func TestFutureRun(t *testing.T) {
	f := newFunction(t)
	p, store := f.ports(), &newer{Runs: &f.runs}
	p.runs = store
	var err error
	if f.handler, err = newHandler(lambdastest.Host(t, &f.log, nil), p); err != nil {
		t.Fatal(err)
	}
	f.ring(t, responder.Bell{Wake: "0123"})
	if got := f.invoke(t, f.batch(t)); got != allHandled || store.parked != "0123" {
		t.Errorf("answers %s, and %q is parked", got, store.parked)
	}
	lambdastest.Want(t, f.told(), map[string][]float64{"Runs/parked": {1}, "FailedRuns": {1}})
}

// noBeats are heartbeats that cannot be read.
type noBeats struct{ responder.Heartbeats }

func (noBeats) Beats(context.Context) (map[responder.Place]time.Time, error) {
	return nil, errors.New("throttled")
}

// TestWarnings: that a guard keeps a flow from repairing is counted, and logged as an
// error, when the run that tells of it is taken up.
func TestWarnings(t *testing.T) {
	f := newFunction(t)
	flow := "RootLogin"
	digest, err := responder.Digest(nil)
	if err != nil {
		t.Fatal(err)
	}
	run := &responder.Run{
		V: 1, ID: "0123#warning", Token: "t", Mode: responder.ModeLive, State: responder.RunRunning, Due: f.now, Created: f.now, Updated: f.now,
		Finding: responder.Finding{Rule: flow, Key: "k", Event: []byte(`{"id":"1","source":"s","detail-type":"d","account":"111122223333","detail":{}}`)},
		Flow:    responder.FlowSnapshot{Name: flow, Digest: digest}, Steps: map[string]*responder.StepState{},
		Warns: &responder.Warning{Run: "0123", Guard: "limits.per_hour", Why: "no room"},
	}
	if err := f.runs.Create(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	f.ring(t, responder.Bell{Wake: run.ID})
	f.invoke(t, f.batch(t))
	lambdastest.Want(t, f.told(), map[string][]float64{"Warnings": {1}, "Runs/succeeded": {1}, "FailedRuns": {0}})
	if log := f.log.String(); !strings.Contains(log, `"level":"error"`) || !strings.Contains(log, "a guard keeps the flow from repairing") {
		t.Error(log)
	}
}

// TestTripped: each sweep tells what the breaker has halted, apart from what people
// have, until somebody resumes it.
func TestTripped(t *testing.T) {
	f := newFunction(t)
	for _, h := range []responder.Halt{{Flow: "f", By: "breaker", Why: "5 runs …", At: f.now}, {Flow: "g", By: "ann", At: f.now}, {By: "ann", At: f.now}} {
		if err := f.halts.Halt(t.Context(), h); err != nil {
			t.Fatal(err)
		}
	}
	told := func(halted, tripped float64) {
		t.Helper()
		f.invoke(t, lambdastest.Sample(t, "sweep.json"))
		lambdastest.Want(t, f.told(), map[string][]float64{"Due": {0}, "DarkForwarders": {0}, "Halted": {halted}, "Tripped": {tripped}, "FailedRuns": {0}})
	}
	told(3, 1)
	told(3, 1)
	if _, err := f.halts.Resume(t.Context(), "f"); err != nil {
		t.Fatal(err)
	}
	told(2, 0)
}

// TestDarkPlaces: each sweep tells how many there are; without heartbeats it
// sweeps all the same, and without runs it looks all the same. Either is an
// error, and what was due is told of a sweep that rang alone.
func TestDarkPlaces(t *testing.T) {
	f := newFunction(t)
	for i, region := range []string{"eu-west-1", "us-east-1", "us-west-2"} {
		at := f.now.Add(-time.Duration(i) * responder.DarkAfter)
		if err := f.heartbeats.Beat(t.Context(), responder.Place{Account: "012345670123", Region: region}, at); err != nil {
			t.Fatal(err)
		}
	}
	f.invoke(t, lambdastest.Sample(t, "sweep.json"))
	lambdastest.Want(t, f.told(), map[string][]float64{"Due": {0}, "DarkForwarders": {2}, "Halted": {0}, "Tripped": {0}, "FailedRuns": {0}})
	if n := strings.Count(f.log.String(), `"message":"dark: `); n != 2 {
		t.Errorf("%d dark places are logged, want 2: %s", n, f.log.String())
	}

	for name, c := range map[string]struct {
		change func(*ports)
		fails  string
		want   map[string][]float64
	}{
		"no heartbeats": {func(p *ports) { p.heartbeats = noBeats{} }, "places are dark: throttled", map[string][]float64{"Due": {0}, "Halted": {0}, "Tripped": {0}, "FailedRuns": {0}}},
		"no runs":       {func(p *ports) { p.runs = noStore{} }, "sweep: due runs: ", map[string][]float64{"DarkForwarders": {2}, "Halted": {0}, "Tripped": {0}, "FailedRuns": {0}}},
	} {
		p := f.ports()
		c.change(&p)
		handler, err := newHandler(lambdastest.Host(t, &bytes.Buffer{}, nil), p)
		if err != nil {
			t.Fatal(err)
		}
		if answer, err := handler.Invoke(t.Context(), lambdastest.Sample(t, "sweep.json")); err == nil || !strings.Contains(err.Error(), c.fails) {
			t.Errorf("%s: a sweep answers %s, %v", name, answer, err)
		}
		lambdastest.Want(t, f.told(), c.want)
	}
}
