package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/skycrafters/responder/cmd/internal/lambdas/lambdastest"
	"github.com/skycrafters/responder/ingest"
	"github.com/skycrafters/responder/internal/memory"
	"github.com/skycrafters/responder/internal/metrics"
)

// invoke sends the sample request to an ingest whose secret has a value, and
// gives what the function told on stdout as well.
func invoke(t *testing.T, secret string) (events.APIGatewayProxyResponse, *memory.Queue, string) {
	t.Helper()
	var stdout bytes.Buffer
	queue := memory.NewQueue("events", time.Now, memory.QueueOptions{})
	secrets := memory.NewSecrets(time.Now)
	secrets.Set("key", secret)
	host := lambdastest.Host(t, io.Discard, nil)
	handler := newHandler(host, queue, ingest.Keys{Secrets: secrets, Name: "key", Now: time.Now}, metrics.New(&stdout, lambdastest.Stack, time.Now))
	answer, err := handler.Invoke(t.Context(), lambdastest.Sample(t, "ingest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var response events.APIGatewayProxyResponse
	if err := json.Unmarshal(answer, &response); err != nil {
		t.Fatal(err)
	}
	return response, queue, stdout.String()
}

func TestIngest(t *testing.T) {
	response, queue, stdout := invoke(t, "REPLACE-WITH-YOUR-KEY")
	if response.StatusCode != 202 || !strings.Contains(response.Body, "2c9e5a1f-77d4-0e6b-b3c1-51f0aa3b770d") {
		t.Errorf("the right key is answered %d %s", response.StatusCode, response.Body)
	}
	if queued, err := queue.Receive(t.Context(), 10, 0); err != nil || len(queued) != 1 {
		t.Errorf("%d events are queued, %v; want 1", len(queued), err)
	}

	lambdastest.Want(t, stdout, map[string][]float64{"EventsAccepted": {1}})

	response, queue, stdout = invoke(t, "another key")
	if response.StatusCode != 401 {
		t.Errorf("a wrong key is answered %d %s", response.StatusCode, response.Body)
	}
	if queued, err := queue.Receive(t.Context(), 10, 0); err != nil || len(queued) != 0 {
		t.Errorf("%d events are queued, %v; want none", len(queued), err)
	}
	lambdastest.Want(t, stdout, map[string][]float64{"RequestsRefused": {1}})

	response, _, stdout = invoke(t, "")
	if response.StatusCode < 500 {
		t.Errorf("without a key in the secret, it is answered %d %s", response.StatusCode, response.Body)
	}
	lambdastest.Want(t, stdout, map[string][]float64{"RequestsFailed": {1}})
}

// TestSetup: the function starts with what template.yaml puts into its
// environment, and says what it lacks with less.
func TestSetup(t *testing.T) {
	env := lambdastest.Environment(t, "IngestFunction")
	if handler, err := setup(t.Context(), lambdastest.Host(t, io.Discard, env)); err != nil || handler == nil {
		t.Errorf("setup gives %v, %v", handler, err)
	}
	if _, err := setup(t.Context(), lambdastest.Host(t, io.Discard, nil)); err == nil || !strings.Contains(err.Error(), "EVENTS_QUEUE_URL, API_KEY_SECRET, STACK_NAME") {
		t.Errorf("without its environment, setup gives %v", err)
	}
}
