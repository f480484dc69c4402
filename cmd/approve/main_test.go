package main

import (
	"io"
	"strings"
	"testing"

	"github.com/skycrafters/responder/cmd/internal/lambdas/lambdastest"
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
