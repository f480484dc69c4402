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
	"github.com/skycrafters/responder/internal/metrics"
	"github.com/skycrafters/responder/internal/sqs"
)

// function is detect with the repository's rules, on ports in memory.
type function struct {
	events, findings *memory.Queue
	heartbeats       memory.Heartbeats
	stdout           bytes.Buffer
	handler          lambda.Handler
}

func newFunction(t *testing.T) *function {
	t.Helper()
	f := &function{
		events:   memory.NewQueue("events", time.Now, memory.QueueOptions{}),
		findings: memory.NewQueue("findings", time.Now, memory.QueueOptions{}),
	}
	var err error
	f.handler, err = newHandler(lambdastest.Host(t, io.Discard, nil), ports{
		events: f.events, dead: f.events, findings: f.findings, heartbeats: &f.heartbeats, canary: "responder-canary",
		metrics: metrics.New(&f.stdout, lambdastest.Stack, time.Now), now: time.Now,
	})
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
	lambdastest.Want(t, f.stdout.String(), map[string][]float64{
		"Events": {2}, "RuleErrors": {0}, "QueueLag/events": nil,
		"Findings/RootLogin": {1}, "Findings/SuspiciousLoginIP": {1}, "Findings/NonCompliantUserCreated": {1},
	})
}

// deliver sends bodies to the function, as one batch.
func (f *function) deliver(t *testing.T, bodies ...string) string {
	t.Helper()
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
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(answer))
}

const canary = `{"version":"0","id":"53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa","detail-type":"Scheduled Event","source":"aws.events","account":"012345670123","time":"2024-03-29T11:45:00Z","region":"eu-west-1","resources":["arn:aws:events:eu-west-1:012345670123:rule/responder-canary"],"detail":{}}`

// TestDetectHearsCanaries: that of the forwarders is noted; another schedule's
// event is an event like any other.
func TestDetectHearsCanaries(t *testing.T) {
	f := newFunction(t)
	if got := f.deliver(t, canary, strings.Replace(canary, "rule/responder-canary", "rule/nightly", 1)); got != allHandled {
		t.Errorf("answers %s, want %s", got, allHandled)
	}
	beats, err := f.heartbeats.Beats(t.Context())
	if heard := beats[responder.Place{Account: "012345670123", Region: "eu-west-1"}]; err != nil || len(beats) != 1 || !heard.Equal(time.Date(2024, 3, 29, 11, 45, 0, 0, time.UTC)) {
		t.Errorf("the beats are %v, %v", beats, err)
	}
	lambdastest.Want(t, f.stdout.String(), map[string][]float64{"Canaries": {1}, "Events": {1}, "RuleErrors": {0}})
}

// TestDetectTellsRuleErrors: by rule as well as in all.
func TestDetectTellsRuleErrors(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "rules.yml"), []byte("rules:\n  Odd: event.id\n  Any: event.id != nil\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := newFunction(t)
	var err error
	f.handler, err = newHandler(lambdastest.HostAt(folder, io.Discard, nil), ports{
		events: f.events, dead: f.events, findings: f.findings, metrics: metrics.New(&f.stdout, lambdastest.Stack, time.Now), now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := f.deliver(t, canary, `{"id":"1"}`); got != allHandled {
		t.Errorf("answers %s, want %s", got, allHandled)
	}
	lambdastest.Want(t, f.stdout.String(), map[string][]float64{"Events": {2}, "RuleErrors": {0}, "RuleErrors/Odd": {2}, "Findings/Any": {2}})
}

// TestDetectBuriesPoison: what is no event goes to the dead letters with cause
// and stage; the rest of its batch is handled.
func TestDetectBuriesPoison(t *testing.T) {
	f := newFunction(t)
	event, ok := sqs.DecodeEvent(lambdastest.Sample(t, "detect.json"))
	if !ok {
		t.Fatal("the sample is no batch")
	}
	if got := f.deliver(t, event.Records[0].Body, "not JSON"); got != allHandled {
		t.Fatalf("answers %s, want %s", got, allHandled)
	}
	letters, err := f.events.List(t.Context(), 10)
	if err != nil || len(letters) != 1 || string(letters[0].Body) != "not JSON" || !strings.HasPrefix(letters[0].Cause, "detect: ") {
		t.Errorf("the dead letters are %+v, %v", letters, err)
	}
	lambdastest.Want(t, f.stdout.String(), map[string][]float64{
		"Events": {1}, "RuleErrors": {0}, "DeadLetters/events": {1}, "Findings/RootLogin": {1}, "Findings/SuspiciousLoginIP": {1},
	})
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
// that is wrong, but for what a binding can be given: detect has no actions.
func TestBrokenRules(t *testing.T) {
	folder := t.TempDir()
	var log bytes.Buffer
	if _, err := newHandler(lambdastest.HostAt(folder, &log, nil), ports{}); err == nil || !strings.Contains(log.String(), "there is no such file") {
		t.Errorf("without rules it starts, %v; log:\n%s", err, log.String())
	}
	log.Reset()
	broken := "rules:\n  A: acton == \"x\"\n  B: {when: ok, remediate: {Nothing: {id: \"{{ evnt.id }}\"}}}\n"
	if err := os.WriteFile(filepath.Join(folder, "rules.yml"), []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := newHandler(lambdastest.HostAt(folder, &log, nil), ports{})
	if err == nil || !strings.Contains(err.Error(), "2 errors") {
		t.Errorf("with broken rules it gives %v, want 2 errors", err)
	}
	for _, want := range []string{"acton", "evnt", `"line":2`, `"line":3`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %s:\n%s", want, log.String())
		}
	}
	log.Reset()
	if err := os.WriteFile(filepath.Join(folder, "rules.yml"), []byte("rules:\n  B: {when: ok, remediate: {Nothing: {id: x}}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newHandler(lambdastest.HostAt(folder, &log, nil), ports{}); err != nil || !strings.Contains(log.String(), "checked where it is built") {
		t.Errorf("with a binding of what is no action it gives %v, and the log does not say that nobody has looked:\n%s", err, log.String())
	}
}

// TestSetup: the function starts with what template.yaml puts into its
// environment, and says what it lacks with less.
func TestSetup(t *testing.T) {
	env := lambdastest.Environment(t, "DetectFunction")
	if handler, err := setup(t.Context(), lambdastest.Host(t, io.Discard, env)); err != nil || handler == nil {
		t.Errorf("setup gives %v, %v", handler, err)
	}
	if _, err := setup(t.Context(), lambdastest.Host(t, io.Discard, nil)); err == nil || !strings.Contains(err.Error(), "EVENTS_QUEUE_URL, EVENTS_DEAD_URL, FINDINGS_QUEUE_URL, COUNTERS_TABLE, CANARY_RULE, STACK_NAME") {
		t.Errorf("without its environment, setup gives %v", err)
	}
	if _, err := setup(t.Context(), lambdastest.HostAt(t.TempDir(), io.Discard, env)); err == nil {
		t.Error("it starts without its files")
	}
}
