package ingest

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"github.com/skycrafters/responder"
)

// ErrKey refuses a sender.
var ErrKey = errors.New("the API key is missing or wrong")

// Keys knows which API keys are right: the secret of the given name, and the
// one it replaced for as long as that counts.
type Keys struct {
	Secrets responder.Secrets
	Name    string
	Now     func() time.Time
}

// check returns nil for a right key and ErrKey for a wrong one; any other error
// means that nobody knows, for want of the secret. Digests are compared, in
// constant time, so that nothing is learnt from how long it takes.
func (k Keys) check(ctx context.Context, key string) error {
	if key == "" {
		return ErrKey
	}
	secret, err := k.Secrets.Get(ctx, k.Name)
	if fresh, cached := k.Secrets.(freshSecrets); err == nil && cached && !k.opens(secret, key) {
		secret, err = fresh.Fresh(ctx, k.Name)
	}
	switch {
	case err != nil:
		return fmt.Errorf("read the API key %q: %w", k.Name, err)
	case !k.opens(secret, key):
		return ErrKey
	}
	return nil
}

// freshSecrets is the extra ability of Secrets that cache: to look past the
// cache, so that a key counts from the moment it is changed. It is asked
// whenever a key does not match, and limits by itself how often it looks.
type freshSecrets interface {
	Fresh(ctx context.Context, name string) (responder.Secret, error)
}

// opens reports whether key is the current secret, or the previous one in its time.
func (k Keys) opens(secret responder.Secret, key string) bool {
	current := matches(key, secret.Current)
	previous := matches(key, secret.Previous) && k.Now().Before(secret.Until)
	return current || previous
}

// matches is false for the empty secret, whatever the key.
func matches(key string, secret responder.SecretText) bool {
	want := secret.Reveal()
	a, b := sha256.Sum256([]byte(key)), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && want != ""
}
