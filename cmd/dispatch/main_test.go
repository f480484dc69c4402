package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/cmd/internal/lambdas/lambdastest"
	"github.com/skycrafters/responder/internal/memory"
	"github.com/skycrafters/responder/internal/metrics"
)

// function is dispatch with the repository's rules and flows, on ports in
// memory. No notice leaves it: the environment names no address.
type function struct {
	now        time.Time
	findings   *memory.Queue
	runs       memory.Runs
	heartbeats memory.Heartbeats
	halts      memory.Halts
	log        bytes.Buffer
	stdout     bytes.Buffer
	handler    lambda.Handler
}

// ports are the function's.
func (f *function) ports() ports {
	now := func() time.Time { return f.now }
	return ports{
		findings: f.findings, dead: f.findings, runs: &f.runs, heartbeats: &f.heartbeats, halts: &f.halts, counters: memory.NewCounters(now), secrets: memory.NewSecrets(now),
		metrics: metrics.New(&f.stdout, lambdastest.Stack, now), now: now,
	}
}

func newFunction(t *testing.T) *function {
	t.Helper()
	f := &function{now: time.Date(2024, 3, 13, 14, 21, 0, 0, time.UTC)}
	f.findings = memory.NewQueue("findings", func() time.Time { return f.now }, memory.QueueOptions{MaxReceives: 8})
	var err error
	f.handler, err = newHandler(lambdastest.Host(t, &f.log, nil), f.ports())
	if err != nil {
		t.Fatalf("%v\n%s", err, f.log.String())
	}
	return f
}

func (f *function) invoke(t *testing.T, raw []byte) string {
	t.Helper()
	answer, err := f.handler.Invoke(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(answer))
}

// run gives the only run.
func (f *function) run(t *testing.T) responder.RunSummary {
	t.Helper()
	page, err := f.runs.List(t.Context(), responder.RunQuery{})
	if err != nil || len(page.Runs) != 1 {
		t.Fatalf("%d runs, %v; want 1", len(page.Runs), err)
	}
	return page.Runs[0]
}

const allHandled = `{"batchItemFailures":[]}`

// TestDispatch: a finding becomes a run; delivered again, it makes no second
// one; the sweep rings for it when its wait is over, whichever way the function
// is told to sweep.
func TestDispatch(t *testing.T) {
	f := newFunction(t)
	for range 2 {
		if got := f.invoke(t, lambdastest.Sample(t, "dispatch.json")); got != allHandled {
			t.Fatalf("answers %s, want %s", got, allHandled)
		}
	}
	if run := f.run(t); run.Rule != "NonCompliantUserCreated" || run.Mode != responder.ModeLive || run.State.Ended() {
		t.Fatalf("the run is %+v", run)
	}
	if got := f.invoke(t, lambdastest.Sample(t, "sweep.json")); got != `{"rung":0}` {
		t.Errorf("an early sweep answers %s", got)
	}
	for _, raw := range [][]byte{lambdastest.Sample(t, "sweep.json"), []byte(`{"sweep": true}`)} {
		f.now = f.now.Add(time.Hour)
		if got := f.invoke(t, raw); got != `{"rung":1}` {
			t.Errorf("a sweep after the wait answers %s", got)
		}
	}
	deliveries, err := f.findings.Receive(t.Context(), 10, 0)
	if err != nil || len(deliveries) == 0 {
		t.Fatalf("%d wakes, %v", len(deliveries), err)
	}
	var bell responder.Bell
	for _, d := range deliveries {
		if bell, err = responder.DecodeBell(d.Body); err != nil || bell.Wake != f.run(t).ID {
			t.Errorf("the wake is %s, %v; want run %s", d.Body, err, f.run(t).ID)
		}
	}
}

// TestDispatchBuries: what can never become a run goes to the dead letters with
// cause and stage, also a wake whose run is long forgotten.
func TestDispatchBuries(t *testing.T) {
	for body, cause := range map[string]string{
		`not JSON`:                "findings message",
		`{"v":1}`:                 "neither a finding nor a wake",
		`{"v":1,"wake":"nobody"}`: "not found",
	} {
		f := newFunction(t)
		if err := f.findings.Send(t.Context(), responder.Message{Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
		deliveries, err := f.findings.Receive(t.Context(), 1, 0)
		if err != nil || len(deliveries) != 1 {
			t.Fatal(deliveries, err)
		}
		if got := f.invoke(t, lambdastest.Batch(t, deliveries...)); got != allHandled {
			t.Errorf("%s: answers %s, want %s", body, got, allHandled)
		}
		letters, err := f.findings.List(t.Context(), 10)
		if err != nil || len(letters) != 1 || !strings.HasPrefix(letters[0].Cause, "dispatch: ") || !strings.Contains(letters[0].Cause, cause) {
			t.Errorf("%s: the dead letters are %+v, %v", body, letters, err)
		}
	}
}

// noStore is a run store that is out of order.
type noStore struct{ responder.RunStore }

func (noStore) Get(context.Context, string) (*responder.Run, error) {
	return nil, errors.New("throttled")
}

func (noStore) Create(context.Context, *responder.Run) error {
	return errors.New("throttled")
}

func (noStore) Due(context.Context, time.Time, int) ([]string, error) {
	return nil, errors.New("throttled")
}

// TestDispatchGivesBack: what cannot be stored now comes again, and a sweep that
// failed is seen to have failed.
func TestDispatchGivesBack(t *testing.T) {
	f := newFunction(t)
	p := f.ports()
	p.runs = noStore{}
	handler, err := newHandler(lambdastest.Host(t, io.Discard, nil), p)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := handler.Invoke(t.Context(), lambdastest.Sample(t, "dispatch.json"))
	want := `{"batchItemFailures":[{"itemIdentifier":"19dd0b57-1d2c-4b3a-8f9e-0123456789ab"}]}`
	if err != nil || strings.TrimSpace(string(answer)) != want {
		t.Errorf("answers %s, %v; want %s", answer, err, want)
	}
	if answer, err := handler.Invoke(t.Context(), lambdastest.Sample(t, "sweep.json")); err == nil {
		t.Errorf("a sweep without a store answers %s", answer)
	}
}

func TestDispatchRefuses(t *testing.T) {
	f := newFunction(t)
	for name, raw := range map[string]string{
		"a request": string(lambdastest.Sample(t, "ingest.json")), "nothing": "{}", "no records": `{"Records":[]}`,
		"another event of EventBridge": `{"source":"aws.ec2","detail-type":"EC2 Instance State-change Notification"}`,
	} {
		if answer, err := f.handler.Invoke(t.Context(), []byte(raw)); err == nil {
			t.Errorf("%s is answered %s", name, answer)
		}
	}
}

// TestSetup: the function starts with what template.yaml puts into its
// environment, and says what it lacks with less.
func TestSetup(t *testing.T) {
	env := lambdastest.Environment(t, "DispatchFunction")
	if env["MEMBER_ROLE"] == "" || env["MEMBER_ACCOUNTS"] == "" || env["MEMBER_EXTERNAL_ID"] == "" {
		t.Errorf("the template does not tell of the member role: %v", env)
	}
	env["MEMBER_ACCOUNTS"] = "111122223333"
	if handler, err := setup(t.Context(), lambdastest.Host(t, io.Discard, env)); err != nil || handler == nil {
		t.Errorf("setup gives %v, %v", handler, err)
	}
	if _, err := setup(t.Context(), lambdastest.Host(t, io.Discard, nil)); err == nil || !strings.Contains(err.Error(), "FINDINGS_QUEUE_URL, FINDINGS_DEAD_URL, RUNS_TABLE, COUNTERS_TABLE, SECRETS_PREFIX, OWN_ROLES, STACK_NAME") {
		t.Errorf("without its environment, setup gives %v", err)
	}
	if _, err := setup(t.Context(), lambdastest.HostAt(t.TempDir(), io.Discard, env)); err == nil {
		t.Error("it starts without its files")
	}
}
