package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/skycrafters/responder/cmd/internal/lambdas/lambdastest"
	"github.com/skycrafters/responder/internal/emulator"
)

// TestRequests: what a request's events cost, on the function as it is deployed.
// The secret is read once for all requests of five minutes.
func TestRequests(t *testing.T) {
	cloud := emulator.NewStore(t, nil)
	host := lambdastest.Host(t, io.Discard, lambdastest.Environment(t, "IngestFunction"))
	host.AWS = cloud.Config()
	handler, err := setup(t.Context(), host)
	if err != nil {
		t.Fatal(err)
	}
	send := func(n int) {
		var body strings.Builder
		for i := range n {
			fmt.Fprintf(&body, `{"id":"%d","source":"aws.ec2","detail-type":"x","account":"012345670123","detail":{}}`+"\n", i)
		}
		raw, err := json.Marshal(events.APIGatewayProxyRequest{HTTPMethod: "POST", Path: "/events", Headers: map[string]string{"x-api-key": "key"}, Body: body.String()})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := handler.Invoke(t.Context(), raw)
		if err != nil || !strings.Contains(string(answer), `"statusCode":202`) {
			t.Fatalf("answers %s, %v", answer, err)
		}
	}
	for _, c := range []struct {
		what   string
		events int
	}{
		{"ingest: the first request in five minutes, of one event", 1},
		{"ingest: a request of one event", 1},
		{"ingest: a request of 100 events", 100},
	} {
		lambdastest.Costs(t, c.what, cloud.During(func() { send(c.events) }))
	}
}
