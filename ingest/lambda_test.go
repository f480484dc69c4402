package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/rs/zerolog"

	"github.com/skycrafters/responder"
)

func TestLambda(t *testing.T) {
	var zipped bytes.Buffer
	zw := gzip.NewWriter(&zipped)
	_, err := io.WriteString(zw, event1)
	if err := errors.Join(err, zw.Close()); err != nil {
		t.Fatal(err)
	}
	type request = events.APIGatewayProxyRequest
	headers := func(h ...string) func(*request) {
		return func(r *request) {
			r.Headers = map[string]string{}
			for i := 0; i < len(h); i += 2 {
				r.Headers[h[i]] = h[i+1]
			}
		}
	}
	tests := []struct {
		name   string
		change func(*request)
		status int
		detail string
	}{
		{"events", nil, 202, ""},
		{"header in lower case", headers("x-api-key", rightKey), 202, ""},
		{"header in upper case", headers("APIKEY", rightKey), 202, ""},
		{"header in several cases: the first by name", headers("apikey", "wrong", "APIkey", rightKey), 202, ""},
		{"header in several cases, the first empty", headers("APIKEY", "", "apikey", rightKey), 202, ""},
		{"header in MultiValueHeaders alone", func(r *request) {
			r.Headers, r.MultiValueHeaders = nil, map[string][]string{"apikey": {rightKey, "x"}}
		}, 202, ""},
		{"base64", func(r *request) {
			r.Body, r.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte(event1)), true
		}, 202, ""},
		{"gzip", func(r *request) {
			headers("apikey", rightKey, "content-encoding", "gzip")(r)
			r.Body, r.IsBase64Encoded = base64.StdEncoding.EncodeToString(zipped.Bytes()), true
		}, 202, ""},
		{"below a base path", func(r *request) { r.Path = "/responder/capture" }, 202, ""},
		{"proxy resource", func(r *request) { r.Resource, r.Path = "/{proxy+}", "/events" }, 202, ""},
		{"proxy resource, elsewhere", func(r *request) { r.Resource, r.Path = "/{proxy+}", "/" }, 404, "/events"},
		{"healthz", func(r *request) { r.HTTPMethod, r.Resource = "GET", "/healthz" }, 200, ""},
		{"GET", func(r *request) { r.HTTPMethod = "GET" }, 405, "only POST"},
		{"no key", headers(), 401, "missing or wrong"},
		{"wrong key", headers("apikey", "wrong"), 401, "missing or wrong"},
		{"bad base64", func(r *request) { r.IsBase64Encoded = true }, 400, "cannot be read: illegal base64"},
		{"too large", func(r *request) { r.Body += strings.Repeat(" ", MaxBodyBytes) }, 413, "larger than 5242880"},
		{"brotli", headers("apikey", rightKey, "Content-encoding", "br"), 415, "gzip"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSetup()
			r := request{HTTPMethod: "POST", Resource: "/events", Path: "/events", Headers: map[string]string{"APIKey": rightKey}, Body: event1}
			if tt.change != nil {
				tt.change(&r)
			}
			var log bytes.Buffer
			res, err := Lambda(s.Ingest, zerolog.New(&log))(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != tt.status {
				t.Fatalf("status %d, want %d: %s", res.StatusCode, tt.status, res.Body)
			}
			switch tt.status {
			case 202:
				if res.Body != `{"ids":["1"],"accepted":1}`+"\n" || !slices.Equal(s.queue.sent(), []string{event1}) {
					t.Errorf("body %s, sent %q", res.Body, s.queue.sent())
				}
			case 200:
			default:
				checkProblem(t, tt.status, res.Headers["Content-Type"], []byte(res.Body), tt.detail)
			}
			if strings.Contains(log.String(), rightKey) {
				t.Errorf("the key is logged: %s", log.String())
			}
		})
	}
}

// A request is given up before Lambda kills the function: it is answered.
func TestLambdaAnswersBeforeItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 28*time.Second)
		defer cancel()
		s := newSetup()
		s.Ingest.queue = stuck{}
		began := time.Now()
		res, err := Lambda(s.Ingest, zerolog.Nop())(ctx, events.APIGatewayProxyRequest{
			HTTPMethod: "POST", Resource: "/events", Headers: map[string]string{"APIKey": rightKey}, Body: event1})
		if took := time.Since(began); err != nil || res.StatusCode != 503 || took != 27*time.Second {
			t.Errorf("answered %d, %v after %v; want 503 after 27s", res.StatusCode, err, took)
		}
	})
}

// stuck is a queue that never answers.
type stuck struct{}

func (stuck) Send(ctx context.Context, _ ...responder.Message) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestLambdaBadBodies(t *testing.T) {
	for _, tt := range badBodies {
		s := newSetup()
		res, err := Lambda(s.Ingest, zerolog.Nop())(t.Context(), events.APIGatewayProxyRequest{
			HTTPMethod: "POST", Resource: "/events", Headers: map[string]string{"APIKey": rightKey}, Body: tt.body})
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != tt.status || len(s.queue.calls) > 0 {
			t.Errorf("%s: status %d, want %d; sent %q", tt.name, res.StatusCode, tt.status, s.queue.sent())
		}
		checkProblem(t, tt.status, res.Headers["Content-Type"], []byte(res.Body), tt.want)
	}
}

func TestLambdaRefusesOtherInvocations(t *testing.T) {
	for name, payload := range map[string]string{
		"empty":          `{}`,
		"schedule":       `{"source":"aws.events","detail-type":"Scheduled Event","detail":{}}`,
		"payload 2.0":    `{"version":"2.0","rawPath":"/events","requestContext":{"http":{"method":"POST"}},"body":"{}"}`,
		"queue messages": `{"Records":[{"eventSource":"aws:sqs","body":"{}"}]}`,
	} {
		var r events.APIGatewayProxyRequest
		if err := json.Unmarshal([]byte(payload), &r); err != nil {
			t.Fatal(err)
		}
		s := newSetup()
		if res, err := Lambda(s.Ingest, zerolog.Nop())(t.Context(), r); err == nil || len(s.queue.calls) > 0 {
			t.Errorf("%s: answered %d", name, res.StatusCode)
		}
	}
}
