package memory

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/skycrafters/responder"
)

var _ responder.Secrets = (*Secrets)(nil)

// grace is how long the value that a secret replaced still counts.
const grace = 24 * time.Hour

// Secrets is a set of secrets.
type Secrets struct {
	now    func() time.Time
	mu     sync.Mutex
	byName map[string]responder.Secret
}

// NewSecrets makes an empty set that takes its time from now.
func NewSecrets(now func() time.Time) *Secrets {
	return &Secrets{now: now, byName: map[string]responder.Secret{}}
}

// Set gives a secret its value. What it replaces counts for another 24 hours.
func (s *Secrets) Set(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.byName[name]
	if ok && old.Current.Reveal() == value {
		return
	}
	secret := responder.Secret{Current: responder.NewSecretText(value)}
	if ok {
		secret.Previous, secret.Until = old.Current, s.now().Add(grace)
	}
	s.byName[name] = secret
}

// Get implements responder.Secrets.
func (s *Secrets) Get(ctx context.Context, name string) (responder.Secret, error) {
	if err := ctx.Err(); err != nil {
		return responder.Secret{}, fmt.Errorf("get secret: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	secret, ok := s.byName[name]
	if !ok {
		return responder.Secret{}, fmt.Errorf("get secret %q: %w", name, responder.ErrNotFound)
	}
	if !s.now().Before(secret.Until) {
		secret.Previous, secret.Until = responder.SecretText{}, time.Time{}
	}
	return secret, nil
}
