package secretsmanager_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/rs/zerolog"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/ingest"
	"github.com/skycrafters/responder/internal/secretsmanager"
)

// The API key as ingest asks for it: how many requests wrong keys can cause, and
// what senders are told while Secrets Manager is down.

type sink struct{}

func (sink) Send(context.Context, ...responder.Message) error { return nil }

// front is ingest on Lambda; it gives the status that a key is answered with.
func front(t *testing.T, f *fake) func(key string) int {
	keys := ingest.Keys{Secrets: secretsmanager.New(f, "", f.Now), Name: "key", Now: f.Now}
	handle := ingest.Lambda(ingest.New(sink{}, keys), zerolog.Nop())
	return func(key string) int {
		res, err := handle(t.Context(), events.APIGatewayProxyRequest{
			HTTPMethod: "POST", Resource: "/events", Headers: map[string]string{"x-api-key": key},
			Body: `{"source":"a","detail-type":"b","account":"111122223333","detail":{}}`,
		})
		if err != nil {
			t.Error(err)
		}
		return res.StatusCode
	}
}

func TestWrongKeysUnderLoad(t *testing.T) {
	f := newFake()
	f.set("key", "right")
	f.Advance(48 * time.Hour)
	post := front(t, f)
	const minutes, senders = 10, 20
	for second := range minutes * 60 {
		var all sync.WaitGroup
		for range senders {
			all.Go(func() {
				if status := post("wrong"); status != http.StatusUnauthorized {
					t.Errorf("second %d: a wrong key is answered %d", second, status)
				}
				if status := post("right"); status != http.StatusAccepted {
					t.Errorf("second %d: the right key is answered %d", second, status)
				}
			})
		}
		all.Wait()
		f.Advance(time.Second)
	}
	if n := f.asked(); n != minutes*60/5 {
		t.Errorf("%d wrong keys in %d minutes made %d requests, want one every five seconds", minutes*60*senders, minutes, n)
	}
	for range minutes * 60 {
		post("right")
		f.Advance(time.Second)
	}
	if n := f.asked(); n != minutes/5 {
		t.Errorf("the right key made %d requests in %d minutes, want one every five", n, minutes)
	}
}

func TestKeysDuringOutages(t *testing.T) {
	f := newFake()
	f.set("key", "old")
	f.Advance(48 * time.Hour)
	post := front(t, f)
	down := errors.New("ServiceUnavailable")
	const either = 0 // a key that is known counts until another makes ingest look
	for _, step := range []struct {
		name            string
		pass            time.Duration
		down            error
		set             string
		old, new, wrong int
		requests        int // at most, however many keys are shown
	}{
		{"a cold start without Secrets Manager", 0, down, "", 503, 503, 503, 1},
		{"a moment later", 4 * time.Second, nil, "", 503, 503, 503, 0},
		{"it is back", time.Second, nil, "", 202, 401, 401, 1},
		{"down again: nobody knows whether a key is wrong or new", time.Minute, down, "", 202, 503, 503, 1},
		{"a new key set meanwhile", time.Minute, down, "new", 202, 503, 503, 1},
		{"back before the old one is forgotten", time.Minute, nil, "", 202, 202, 401, 2},
		{"throttled", 2 * time.Minute, errors.New("ThrottlingException"), "", 202, 202, 503, 1},
		{"the cache is too old", 3 * time.Minute, down, "", 503, 503, 503, 1},
		{"for hours", 12 * time.Hour, down, "", 503, 503, 503, 1},
		{"at last", 5 * time.Second, nil, "", 202, 202, 401, 2},
		{"the old one's time is up", 12 * time.Hour, nil, "", 401, 202, 401, 1},
		{"broken by hand", time.Minute, nil, `{"keys":[`, 503, either, 503, 2},
		{"mended", time.Minute, nil, strings.Repeat("mended", 3), 401, 401, 401, 2},
	} {
		f.Advance(step.pass)
		f.fail = step.down
		if step.set != "" {
			f.set("key", step.set)
		}
		for range 50 {
			for key, want := range map[string]int{"old": step.old, "new": step.new, "wrong": step.wrong} {
				if status := post(key); status != want && want != either {
					t.Fatalf("%s: key %s is answered %d, want %d", step.name, key, status, want)
				}
			}
		}
		if n := f.asked(); n > step.requests {
			t.Errorf("%s: %d requests, want at most %d", step.name, n, step.requests)
		}
	}
	if status := post(strings.Repeat("mended", 3)); status != http.StatusAccepted {
		t.Errorf("the key of the mended secret is answered %d", status)
	}
}
