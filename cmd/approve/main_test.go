package main

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/skycrafters/responder/cmd/internal/lambdas/lambdastest"
	"github.com/skycrafters/responder/internal/outbound"
)

// TestSetup: the function starts with what template.yaml puts into its
// environment, and says what it lacks with less.
func TestSetup(t *testing.T) {
	env := lambdastest.Environment(t, "ApproveFunction")
	if handler, err := setup(t.Context(), lambdastest.Host(t, io.Discard, env)); err != nil || handler == nil {
		t.Errorf("setup gives %v, %v", handler, err)
	}
	if _, err := setup(t.Context(), lambdastest.Host(t, io.Discard, nil)); err == nil || !strings.Contains(err.Error(), "RUNS_TABLE, COUNTERS_TABLE, FINDINGS_QUEUE_URL, SLACK_SIGNING_SECRET") {
		t.Errorf("without its environment, setup gives %v", err)
	}
}

// TestAnswersLeaveByTheOneWayOut: who answers to Slack reaches no private address,
// and follows no redirect.
func TestAnswersLeaveByTheOneWayOut(t *testing.T) {
	reached := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached++
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	for allowed, want := range map[string]int{"": 0, "127.0.0.1": 1} {
		reached = 0
		client, err := answers(func(name string) string { return map[string]string{"ALLOW_PRIVATE_HOSTS": allowed}[name] })
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Post(server.URL, "application/json", strings.NewReader("{}"))
		var refused *outbound.Refused
		if reached != want || errors.As(err, &refused) != (want == 0) {
			t.Errorf("allowed %q: reached %d times, %v", allowed, reached, err)
		}
		if err == nil {
			response.Body.Close()
		}
	}
	if _, err := answers(func(string) string { return "no: proxy" }); err == nil {
		t.Error("wrong settings are taken")
	}
}
