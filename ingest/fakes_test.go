package ingest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/skycrafters/responder"
)

const (
	rightKey    = "right-key-3f9c"
	previousKey = "previous-key-77aa"
)

var errDown = errors.New("it is down")

// fakeQueue remembers what was sent, or fails.
type fakeQueue struct {
	calls [][]string
	err   error
}

func (q *fakeQueue) Send(_ context.Context, messages ...responder.Message) error {
	var bodies []string
	for _, m := range messages {
		bodies = append(bodies, string(m.Body))
	}
	q.calls = append(q.calls, bodies)
	return q.err
}

func (q *fakeQueue) sent() []string { return slices.Concat(q.calls...) }

// fakeSecrets holds one secret, or fails.
type fakeSecrets struct {
	name   string
	secret responder.Secret
	err    error
}

func (s *fakeSecrets) Get(_ context.Context, name string) (responder.Secret, error) {
	if s.err == nil && name != s.name {
		return responder.Secret{}, responder.ErrNotFound
	}
	return s.secret, s.err
}

// setup is an Ingest with its key, and what stands behind it.
type setup struct {
	*Ingest
	queue   *fakeQueue
	secrets *fakeSecrets
	now     time.Time
}

func newSetup() *setup {
	s := &setup{
		queue: &fakeQueue{},
		now:   time.Date(2024, 3, 12, 15, 30, 0, 0, time.UTC),
	}
	s.secrets = &fakeSecrets{name: "api-key", secret: responder.Secret{
		Current:  responder.NewSecretText(rightKey),
		Previous: responder.NewSecretText(previousKey),
		Until:    s.now.Add(24 * time.Hour),
	}}
	s.Ingest = New(s.queue, Keys{Secrets: s.secrets, Name: "api-key", Now: func() time.Time { return s.now }})
	return s
}
