package ingest

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/skycrafters/responder"
)

// ErrKey refuses a sender.
var ErrKey = errors.New("the API key is missing or wrong")

// Keys knows which API keys are right: those of the secret of the given name,
// as ParseKeys reads it, and those of the value it replaced for as long as that
// counts. A key of both speaks for the accounts that it has now, one of the old
// value alone for those that it had then.
//
// To take back a key at once, set the secret twice: then neither value has it.
type Keys struct {
	Secrets responder.Secrets
	Name    string
	Now     func() time.Time
}

// sender is who showed a right key.
type sender struct {
	Key
	previous bool // the key is of the value that was replaced
}

// keychain is Keys, with the secret read once a value. Safe for concurrent use.
type keychain struct {
	Keys
	last atomic.Pointer[pair]
}

// check tells whose key it is. ErrKey refuses a wrong one; any other error
// means that nobody knows, for want of the secret or of sense in it.
//
// A key that is not known, and a secret that makes no sense, may just have been
// mended: then the cache is looked past. While that fails, a wrong key is not
// told from a new one, and the sender is to try again.
func (k *keychain) check(ctx context.Context, key string) (sender, error) {
	if key == "" {
		return sender{}, ErrKey
	}
	digest := sha256.Sum256([]byte(key))
	who, err := k.checkIn(ctx, k.Secrets.Get, digest)
	if fresh, cached := k.Secrets.(freshSecrets); cached && (errors.Is(err, ErrKey) || errors.Is(err, errSecret)) {
		who, err = k.checkIn(ctx, fresh.Fresh, digest)
	}
	return who, err
}

// freshSecrets is the extra ability of Secrets that cache: to look past the
// cache, so that a key counts from the moment it is changed. It is asked
// whenever a key does not match, and limits by itself how often it looks.
type freshSecrets interface {
	Fresh(ctx context.Context, name string) (responder.Secret, error)
}

func (k *keychain) checkIn(ctx context.Context, get func(context.Context, string) (responder.Secret, error), digest [sha256.Size]byte) (sender, error) {
	secret, err := get(ctx, k.Name)
	if err != nil {
		return sender{}, fmt.Errorf("read the API key %q: %w", k.Name, err)
	}
	return k.read(secret).find(digest, k.Now().Before(secret.Until))
}

// read gives the keys of a secret; nothing is parsed unless its values changed.
func (k *keychain) read(secret responder.Secret) *pair {
	if last := k.last.Load(); last != nil && last.of(secret) {
		return last
	}
	p := &pair{current: newRing(secret.Current)}
	if secret.Previous.Reveal() != "" {
		p.previous = newRing(secret.Previous)
	}
	k.last.Store(p)
	return p
}

// errSecret is an operator's mistake in the value of the secret.
var errSecret = errors.New("the API keys cannot be told")

// pair is the keys of a secret's two values.
type pair struct{ current, previous ring }

// of reports whether the secret still has the values that were parsed.
func (p *pair) of(secret responder.Secret) bool {
	return p.current.value == secret.Current && p.previous.value == secret.Previous
}

// find gives the key of a digest, among those of the previous value too if that
// still counts. A mistake in the current value lets nobody in, one in the
// previous value nobody by that.
func (p *pair) find(digest [sha256.Size]byte, grace bool) (sender, error) {
	if p.current.err != nil {
		return sender{}, fmt.Errorf("%w: %w", errSecret, p.current.err)
	}
	current, previous := p.current.find(digest), p.previous.find(digest)
	switch {
	case current >= 0:
		return sender{Key: p.current.keys[current]}, nil
	case previous >= 0 && grace:
		return sender{Key: p.previous.keys[previous], previous: true}, nil
	case p.previous.err != nil && grace:
		return sender{}, fmt.Errorf("%w; keys of the secret's previous value are not known: %w", ErrKey, p.previous.err)
	}
	return sender{}, ErrKey
}

// ring is the keys of one value of a secret. The zero ring has none.
type ring struct {
	value   responder.SecretText
	keys    []Key
	digests [][sha256.Size]byte // of their texts
	err     error               // what is wrong with the value
}

func newRing(value responder.SecretText) ring {
	r := ring{value: value}
	r.keys, r.err = ParseKeys(value)
	for _, key := range r.keys {
		r.digests = append(r.digests, sha256.Sum256([]byte(key.Text.Reveal())))
	}
	return r
}

// find gives the index of a digest's key, or -1. Digests are compared, with all
// keys and each in constant time, so that nothing is learnt from how long it takes.
func (r *ring) find(digest [sha256.Size]byte) int {
	found := -1
	for i := range r.digests {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(digest[:], r.digests[i][:]), i, found)
	}
	return found
}

// errForeign refuses an event that the sender's key may not speak for.
var errForeign = errors.New("the API key may not speak for this event")

// admits refuses, with errForeign, the event of an account that the key may not
// speak for. An event tells its account in `account` and, as a CloudTrail
// record, in `detail.recipientAccountId`: rules go by the former, the event's
// key by the latter, so both must be the key's. (`userIdentity.accountId` is
// the caller's, and foreign in every call across accounts.)
func (k Key) admits(e normal) error {
	if k.Accounts == nil {
		return nil
	}
	if e.account == "" {
		return fmt.Errorf("%w: it names no `account`", errForeign)
	}
	if !k.SpeaksFor(e.account) {
		return fmt.Errorf("%w: its `account`%s is none of the key's", errForeign, shown(e.account))
	}
	if e.recipient == nil {
		return nil
	}
	if recipient := unquoted(e.recipient); !k.SpeaksFor(recipient) {
		return fmt.Errorf("%w: its `detail.recipientAccountId`%s is none of the key's", errForeign, shown(recipient))
	}
	return nil
}

// shown is an account's id, with a space before it; nothing of what is no id.
func shown(account string) string {
	if !isAccount(account) {
		return ""
	}
	return " " + account
}
