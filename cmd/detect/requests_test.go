package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/cmd/internal/lambdas/lambdastest"
	"github.com/skycrafters/responder/internal/emulator"
)

// TestRequests: what a batch costs, on the function as it is deployed.
func TestRequests(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "rules.yml"), []byte("rules: {Hit: event.source == \"hit\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cloud := emulator.NewStore(t, nil)
	host := lambdastest.HostAt(folder, io.Discard, lambdastest.Environment(t, "DetectFunction"))
	host.AWS = cloud.Config()
	handler, err := setup(t.Context(), host)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ what, source string }{
		{"detect: a batch of 100 events without a finding", "miss"},
		{"detect: a batch of 100 events with a finding each", "hit"},
	} {
		var deliveries []responder.Delivery
		for i := range 100 {
			body := fmt.Sprintf(`{"id":"%d","source":%q,"account":"012345670123","detail":{}}`, i, c.source)
			deliveries = append(deliveries, responder.Delivery{ID: fmt.Sprint(i), Receipt: "r", Body: []byte(body), Receives: 1})
		}
		lambdastest.Costs(t, c.what, cloud.During(func() {
			answer, err := handler.Invoke(t.Context(), lambdastest.Batch(t, deliveries...))
			if err != nil || strings.TrimSpace(string(answer)) != allHandled {
				t.Fatalf("answers %s, %v", answer, err)
			}
		}))
	}
}
