package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/cmd/internal/lambdas/lambdastest"
	"github.com/skycrafters/responder/internal/memory"
	"github.com/skycrafters/responder/internal/sqs"
)

// function is detect with the repository's rules, on queues in memory.
type function struct {
	events, findings *memory.Queue
	handler          lambda.Handler
}

func newFunction(t *testing.T) *function {
	t.Helper()
	f := &function{
		events:   memory.NewQueue("events", time.Now, memory.QueueOptions{}),
		findings: memory.NewQueue("findings", time.Now, memory.QueueOptions{}),
	}
	var err error
	f.handler, err = newHandler(lambdastest.Host(t, io.Discard, nil), ports{events: f.events, dead: f.events, findings: f.findings})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// rules of the findings that are queued.
func (f *function) found(t *testing.T) (rules []string) {
	t.Helper()
	deliveries, err := f.findings.Receive(t.Context(), 100, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range deliveries {
		bell, err := responder.DecodeBell(d.Body)
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, bell.Finding.Rule)
	}
	return rules
}

const allHandled = `{"batchItemFailures":[]}`

func TestDetect(t *testing.T) {
	f := newFunction(t)
	answer, err := f.handler.Invoke(t.Context(), lambdastest.Sample(t, "detect.json"))
	if err != nil || strings.TrimSpace(string(answer)) != allHandled {
		t.Fatalf("answers %s, %v; want %s", answer, err, allHandled)
	}
	if got, want := strings.Join(f.found(t), " "), "RootLogin SuspiciousLoginIP NonCompliantUserCreated"; got != want {
		t.Errorf("found %s, want %s", got, want)
	}
}

// TestDetectBuriesPoison: what is no event goes to the dead letters with cause
// and stage; the rest of its batch is handled.
func TestDetectBuriesPoison(t *testing.T) {
	f := newFunction(t)
	event, ok := sqs.DecodeEvent(lambdastest.Sample(t, "detect.json"))
	if !ok {
		t.Fatal("the sample is no batch")
	}
	bodies := []string{event.Records[0].Body, "not JSON"}
	for _, body := range bodies {
		if err := f.events.Send(t.Context(), responder.Message{Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
	}
	deliveries, err := f.events.Receive(t.Context(), 10, 0)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := f.handler.Invoke(t.Context(), lambdastest.Batch(t, deliveries...))
	if err != nil || strings.TrimSpace(string(answer)) != allHandled {
		t.Fatalf("answers %s, %v; want %s", answer, err, allHandled)
	}
	letters, err := f.events.List(t.Context(), 10)
	if err != nil || len(letters) != 1 || string(letters[0].Body) != "not JSON" || !strings.HasPrefix(letters[0].Cause, "detect: ") {
		t.Errorf("the dead letters are %+v, %v", letters, err)
	}
	if got := strings.Join(f.found(t), " "); got != "RootLogin SuspiciousLoginIP" {
		t.Errorf("found %s beside the poison", got)
	}
}

func TestDetectRefuses(t *testing.T) {
	f := newFunction(t)
	for name, raw := range map[string][]byte{
		"a schedule": lambdastest.Sample(t, "sweep.json"), "a request": lambdastest.Sample(t, "ingest.json"),
		"nothing": []byte("{}"), "no records": []byte(`{"Records":[]}`), "null": []byte("null"), "half": []byte(`{"Rec`),
	} {
		if answer, err := f.handler.Invoke(t.Context(), raw); err == nil {
			t.Errorf("%s is answered %s", name, answer)
		}
	}
}

// TestBrokenRules: a function with broken rules does not start, and says all
// that is wrong.
func TestBrokenRules(t *testing.T) {
	folder := t.TempDir()
	var log bytes.Buffer
	if _, err := newHandler(lambdastest.HostAt(folder, &log, nil), ports{}); err == nil || !strings.Contains(log.String(), "there is no such file") {
		t.Errorf("without rules it starts, %v; log:\n%s", err, log.String())
	}
	log.Reset()
	broken := "rules:\n  A: acton == \"x\"\n  B: {when: ok, remediate: {Nothing: {}}}\n"
	if err := os.WriteFile(filepath.Join(folder, "rules.yml"), []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := newHandler(lambdastest.HostAt(folder, &log, nil), ports{})
	if err == nil || !strings.Contains(err.Error(), "2 errors") {
		t.Errorf("with broken rules it gives %v, want 2 errors", err)
	}
	for _, want := range []string{"acton", "Nothing", `"line":2`, `"line":3`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %s:\n%s", want, log.String())
		}
	}
}

// TestSetup: the function starts with what template.yaml puts into its
// environment, and says what it lacks with less.
func TestSetup(t *testing.T) {
	env := lambdastest.Environment(t, "DetectFunction")
	if handler, err := setup(t.Context(), lambdastest.Host(t, io.Discard, env)); err != nil || handler == nil {
		t.Errorf("setup gives %v, %v", handler, err)
	}
	if _, err := setup(t.Context(), lambdastest.Host(t, io.Discard, nil)); err == nil || !strings.Contains(err.Error(), "EVENTS_QUEUE_URL, EVENTS_DEAD_URL, FINDINGS_QUEUE_URL") {
		t.Errorf("without its environment, setup gives %v", err)
	}
	if _, err := setup(t.Context(), lambdastest.HostAt(t.TempDir(), io.Discard, env)); err == nil {
		t.Error("it starts without its files")
	}
}
