package actions_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
	"github.com/skycrafters/responder/internal/outbound"
)

const token = "T0KEN-very-secret"

// sink is a webhook on loopback that remembers what came.
type sink struct {
	*httptest.Server
	answer   func(http.ResponseWriter, *http.Request) // 200 "ok" by default
	requests []received
	env      map[string]string
	secrets  responder.Secrets
	timeout  time.Duration
}

type received struct {
	method, path string
	header       http.Header
	body         []byte
}

func newSink(t *testing.T) *sink {
	s := &sink{env: map[string]string{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s.requests = append(s.requests, received{r.Method, r.URL.Path, r.Header.Clone(), body})
		if s.answer != nil {
			s.answer(w, r)
			return
		}
		fmt.Fprint(w, "ok")
	}))
	t.Cleanup(s.Close)
	s.env["HOOK"] = s.URL + "/services/" + token + "?key=" + token + "-key"
	return s
}

var clock = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

func (s *sink) catalogue() responder.Catalogue {
	return actions.New(actions.Deps{
		Timeout: s.timeout,
		Secrets: s.secrets,
		Getenv:  func(name string) string { return s.env[name] },
		Now:     func() time.Time { return clock },
		Version: "1.2.3",

		Transport: outbound.Transport(outbound.Options{Loopback: true}),
	})
}

func (s *sink) post(ctx context.Context) (responder.Result, error) {
	return s.catalogue()["SendSlack"].Do(ctx, chatCall(nil))
}

func (s *sink) last(t *testing.T) received {
	t.Helper()
	if len(s.requests) == 0 {
		t.Fatal("nothing was sent")
	}
	return s.requests[len(s.requests)-1]
}

func isPermanent(err error) bool { var e *responder.Permanent; return errors.As(err, &e) }
func isTransient(err error) bool { var e *responder.Transient; return errors.As(err, &e) }
func isUnknown(err error) bool   { var e *responder.Unknown; return errors.As(err, &e) }
func isStop(err error) bool      { var e *responder.Stop; return errors.As(err, &e) }

// secretFree fails if any part of the webhook's address shows.
func secretFree(t *testing.T, err error) {
	t.Helper()
	for e := err; e != nil; e = errors.Unwrap(e) {
		if text := fmt.Sprintf("%v %+v", e, e); strings.Contains(text, token) || strings.Contains(text, "/services/") {
			t.Errorf("the address shows in: %s", text)
		}
	}
}

func TestWebhookRequest(t *testing.T) {
	s := newSink(t)
	result, err := s.post(t.Context())
	if err != nil || result["status"] != 200 {
		t.Fatalf("got %v, %v", result, err)
	}
	got := s.last(t)
	for name, want := range map[string]string{
		"Idempotency-Key": "run1/2.1", "User-Agent": "responder/1.2.3", "Content-Type": "application/json; charset=utf-8",
	} {
		if got.header.Get(name) != want {
			t.Errorf("%s: got %q, want %q", name, got.header.Get(name), want)
		}
	}
	if got.method != http.MethodPost || got.path != "/services/"+token {
		t.Errorf("got %s %s", got.method, got.path)
	}
}

func TestWebhookStatus(t *testing.T) {
	for _, tt := range []struct {
		status int
		is     func(error) bool
	}{
		{200, nil}, {204, nil},
		{300, isPermanent}, {304, isPermanent},
		{400, isPermanent}, {401, isPermanent}, {403, isPermanent}, {404, isPermanent}, {410, isPermanent}, {413, isPermanent},
		{408, isTransient}, {429, isTransient}, {500, isTransient}, {502, isTransient}, {503, isTransient}, {599, isTransient},
	} {
		s := newSink(t)
		s.answer = func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(tt.status)
			if tt.status != 204 && tt.status != 304 {
				fmt.Fprintf(w, "no\x1b[31m such\nhook %s %s", r.URL, strings.Repeat("x", 100_000))
			}
		}
		_, err := s.post(t.Context())
		if tt.is == nil {
			if err != nil {
				t.Errorf("%d: %v", tt.status, err)
			}
			continue
		}
		if !tt.is(err) {
			t.Errorf("%d: got %T %v", tt.status, errors.Unwrap(err), err)
			continue
		}
		secretFree(t, err)
		if len(err.Error()) > 400 || strings.ContainsAny(err.Error(), "\x1b\n") || !strings.Contains(err.Error(), "env:HOOK") {
			t.Errorf("%d: %q", tt.status, err)
		}
		if tt.status >= 400 && !strings.Contains(err.Error(), "no such hook [redacted]") {
			t.Errorf("%d: does not say what the other side said: %q", tt.status, err)
		}
	}
}

func TestWebhookRetryAfter(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"":                               0,
		"7":                              7 * time.Second,
		" 7 ":                            7 * time.Second,
		"0.65":                           650 * time.Millisecond,
		"0":                              0,
		"-5":                             0,
		"NaN":                            0,
		"soon":                           0,
		"1e300":                          24 * time.Hour,
		"+Inf":                           24 * time.Hour,
		"Mon, 23 Nov 2026 10:01:30 GMT":  90 * time.Second,
		"Mon, 23 Nov 2026 09:00:00 GMT":  0,
		"Mon, 23 Nov 2099 09:00:00 GMT":  24 * time.Hour,
		"Monday, 23-Nov-26 10:00:05 GMT": 5 * time.Second,
	} {
		for _, status := range []int{429, 503} {
			s := newSink(t)
			s.answer = func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Retry-After", header)
				w.WriteHeader(status)
			}
			_, err := s.post(t.Context())
			var transient *responder.Transient
			if !errors.As(err, &transient) || transient.After != want {
				t.Errorf("Retry-After %q with %d: got %v, want After %v", header, status, err, want)
			}
		}
	}
}

func TestWebhookDoesNotFollowRedirects(t *testing.T) {
	other := newSink(t)
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, to := range []string{other.URL + "/" + token, "/elsewhere", "http://[bad/" + token} {
			s := newSink(t)
			s.answer = func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", to)
				w.WriteHeader(status)
			}
			_, err := s.post(t.Context())
			if !isPermanent(err) && !(strings.Contains(to, "[bad") && isTransient(err)) {
				t.Errorf("%d to %s: got %v, want *Permanent", status, to, err)
			}
			secretFree(t, err)
			if len(s.requests) != 1 {
				t.Errorf("%d to %s: %d requests", status, to, len(s.requests))
			}
		}
	}
	if len(other.requests) != 0 {
		t.Errorf("%d requests reached the other host", len(other.requests))
	}
}

func TestWebhookTimeout(t *testing.T) {
	s := newSink(t)
	release := make(chan struct{})
	s.timeout = 20 * time.Millisecond
	s.answer = func(http.ResponseWriter, *http.Request) { <-release }
	_, err := s.post(t.Context())
	close(release)
	if !isTransient(err) || !strings.Contains(err.Error(), "no answer in time") {
		t.Errorf("got %v", err)
	}
	secretFree(t, err)
}

func TestWebhookConnection(t *testing.T) {
	s := newSink(t)
	s.Close()
	_, err := s.post(t.Context())
	if !isTransient(err) {
		t.Errorf("nobody listens: got %v", err)
	}
	secretFree(t, err)

	s = newSink(t)
	s.answer = func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }
	_, err = s.post(t.Context())
	if !isTransient(err) {
		t.Errorf("hung up: got %v", err)
	}
	secretFree(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = newSink(t).post(ctx)
	if !isTransient(err) {
		t.Errorf("cancelled: got %v", err)
	}
	secretFree(t, err)
}

func TestWebhookAddress(t *testing.T) {
	for _, tt := range []struct {
		name, ref string
		value     string // of HOOK
		says      string
	}{
		{"unset", "env:NOWHERE", "", "env:NOWHERE is not set"},
		{"no name", "env:", "", "env: is not set"},
		{"no store", "secret:slack", "", "secret:slack"},
		{"http elsewhere", "env:HOOK", "http://hooks.example/services/" + token, "env:HOOK does not hold an https address"},
		{"localhost's namesake", "env:HOOK", "http://localhost.example/services/" + token, "https"},
		{"not an address", "env:HOOK", token, "env:HOOK"},
		{"no host", "env:HOOK", "https:///services/" + token, "env:HOOK"},
		{"unparsable", "env:HOOK", "https://%zz/services/" + token, "env:HOOK"},
		{"control characters", "env:HOOK", "https://h/\x7f/services/" + token, "env:HOOK"},
		{"other scheme", "env:HOOK", "file:///services/" + token, "env:HOOK"},
		{"in the flow itself", "ftp://h/services/" + token, "", "webhookURL does not hold"},
	} {
		s := newSink(t)
		s.env["HOOK"] = tt.value
		call := chatCall(nil)
		call.Params["webhookURL"] = tt.ref
		_, err := s.catalogue()["SendDiscord"].Do(t.Context(), call)
		if !isPermanent(err) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, want *Permanent saying %q", tt.name, err, tt.says)
		}
		secretFree(t, err)
	}
}

func TestWebhookSecret(t *testing.T) {
	s := newSink(t)
	call := chatCall(nil)
	call.Params["webhookURL"] = "secret:slack"

	s.secrets = secretsFunc(func(name string) (responder.Secret, error) {
		if name != "slack" {
			t.Errorf("asked for %q", name)
		}
		return responder.Secret{Current: responder.NewSecretText(s.env["HOOK"] + "\n")}, nil
	})
	if _, err := s.catalogue()["SendSlack"].Do(t.Context(), call); err != nil || len(s.requests) != 1 {
		t.Errorf("%v, %d requests", err, len(s.requests))
	}

	for _, tt := range []struct {
		secret responder.Secret
		err    error
		is     func(error) bool
	}{
		{err: fmt.Errorf("get: %w", responder.ErrNotFound), is: isPermanent},
		{err: errors.New("throttled"), is: isTransient},
		{is: isPermanent}, // empty
	} {
		s.secrets = secretsFunc(func(string) (responder.Secret, error) { return tt.secret, tt.err })
		_, err := s.catalogue()["SendSlack"].Do(t.Context(), call)
		if !tt.is(err) || !strings.Contains(err.Error(), "secret:slack") {
			t.Errorf("%v: got %v", tt.err, err)
		}
	}
}

func TestWebhookDefaultAddress(t *testing.T) {
	for service, name := range map[string]string{"SendSlack": "SLACK_WEBHOOK_URL", "SendDiscord": "DISCORD_WEBHOOK_URL", "SendGoogleChat": "GOOGLE_CHAT_WEBHOOK_URL"} {
		s := newSink(t)
		s.env[name] = s.env["HOOK"]
		if _, err := s.catalogue()[service].Do(t.Context(), responder.Call{Finding: finding()}); err != nil || len(s.requests) != 1 {
			t.Errorf("%s: %v, %d requests", service, err, len(s.requests))
		}
	}
}

type secretsFunc func(name string) (responder.Secret, error)

func (f secretsFunc) Get(_ context.Context, name string) (responder.Secret, error) { return f(name) }
