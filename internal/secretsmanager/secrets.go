// Package secretsmanager reads secrets from AWS Secrets Manager.
//
// It imports the root and the AWS SDK, and needs secretsmanager:GetSecretValue
// on the secrets it is asked for (and kms:Decrypt, where they are under a key of
// one's own).
package secretsmanager

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssecrets "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/skycrafters/responder"
)

const (
	cacheFor = 5 * time.Minute // what Get may give without asking
	restFor  = 5 * time.Second // what Fresh may; and how long a failure is not tried again
	grace    = 24 * time.Hour  // how long the value that was replaced still counts

	// patience is how long a reading may take, attempts of the SDK included:
	// API Gateway waits 29 s, and who waits in vain is told nothing.
	patience = 10 * time.Second
)

// Stages of a secret's versions: the one in force, and the one before it.
const (
	stageCurrent  = "AWSCURRENT"
	stagePrevious = "AWSPREVIOUS"
)

// Client is what this package needs of a *secretsmanager.Client of the AWS SDK.
type Client interface {
	GetSecretValue(context.Context, *awssecrets.GetSecretValueInput, ...func(*awssecrets.Options)) (*awssecrets.GetSecretValueOutput, error)
}

// Secrets reads secrets, each at most every five minutes, one request at a time.
// Safe for concurrent use: nobody waits for a request who could be served
// without.
//
// A reading that failed or took longer than ten seconds is an error, and that
// error is what everybody gets for the next five seconds who would have had to
// ask: an outage does not cost a request, and its attempts, a caller.
//
// A value is given as it stands, whether plain text or JSON. Reading costs one
// request, and a second one on the day after a change, for the value before it.
// A secret counts as changed when the version now in force was made, so that
// one put back into force is not followed by a day of grace.
type Secrets struct {
	client Client
	prefix string
	now    func() time.Time

	mu     sync.Mutex
	byName map[string]*entry
}

// entry is what is known of one secret.
type entry struct {
	gate chan struct{} // holds the token of whoever asks

	mu     sync.Mutex // guards what follows
	secret responder.Secret
	read   time.Time // when; zero: never
	failed time.Time // when it could last not be read; zero: since then it was, if ever
	err    error     // why not
}

var _ responder.Secrets = (*Secrets)(nil)

// New gives the secrets whose names in Secrets Manager are the prefix and the
// name asked for.
func New(client Client, prefix string, now func() time.Time) *Secrets {
	return &Secrets{client: client, prefix: prefix, now: now, byName: map[string]*entry{}}
}

// Get implements responder.Secrets. A secret older than five minutes that
// cannot be read again is an error: a key taken back must not live on.
func (s *Secrets) Get(ctx context.Context, name string) (responder.Secret, error) {
	return s.get(ctx, name, cacheFor)
}

// Fresh is Get for a caller whose counterpart shows a value that Get does not
// know, perhaps one just set: it asks again, but not more often than every five
// seconds, however many such callers there are. If asking fails, that is Fresh's
// error, while Get goes on with what it has.
func (s *Secrets) Fresh(ctx context.Context, name string) (responder.Secret, error) {
	return s.get(ctx, name, restFor)
}

// get gives a secret that was read at most maxAge ago.
func (s *Secrets) get(ctx context.Context, name string, maxAge time.Duration) (responder.Secret, error) {
	e := s.entry(name)
	secret, known, err := e.known(s.now(), maxAge)
	if !known {
		secret, err = s.ask(ctx, e, name, maxAge)
	}
	if err != nil {
		return responder.Secret{}, fmt.Errorf("get secret %q: %w", name, err)
	}
	return secret, nil
}

// ask reads a secret, unless another does so meanwhile. What fails because the
// caller gives up is nobody else's failure.
func (s *Secrets) ask(ctx context.Context, e *entry, name string, maxAge time.Duration) (responder.Secret, error) {
	select {
	case e.gate <- struct{}{}:
		defer func() { <-e.gate }()
	case <-ctx.Done():
		return responder.Secret{}, ctx.Err()
	}
	now := s.now()
	if secret, known, err := e.known(now, maxAge); known {
		return secret, err
	}
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	secret, err := s.read(bounded, s.prefix+name, now)
	switch {
	case err == nil:
		e.learn(secret, now)
	case ctx.Err() == nil:
		e.fail(err, s.now())
	}
	return secret, err
}

// known gives what can be said without asking: the secret if it was read at
// most maxAge ago, else the error of an attempt just made.
func (e *entry) known(now time.Time, maxAge time.Duration) (secret responder.Secret, known bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case within(e.read, now, maxAge):
		return inForce(e.secret, now), true, nil
	case within(e.failed, now, restFor):
		return responder.Secret{}, true, fmt.Errorf("%v ago: %w", now.Sub(e.failed).Round(time.Millisecond), e.err)
	}
	return responder.Secret{}, false, nil
}

func (e *entry) learn(secret responder.Secret, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.secret, e.read = secret, now
	e.failed, e.err = time.Time{}, nil
}

func (e *entry) fail(err error, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failed, e.err = now, err
}

// within reports whether a time, if any, is less than a while ago. A clock set
// back makes nothing live longer.
func within(at, now time.Time, while time.Duration) bool {
	age := now.Sub(at)
	return !at.IsZero() && age >= 0 && age < while
}

// inForce is a secret without the value before it, if that counts no longer.
func inForce(secret responder.Secret, now time.Time) responder.Secret {
	if !now.Before(secret.Until) {
		return responder.Secret{Current: secret.Current}
	}
	return secret
}

func (s *Secrets) entry(name string) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.byName[name]
	if e == nil {
		e = &entry{gate: make(chan struct{}, 1)}
		s.byName[name] = e
	}
	return e
}

// read asks for the value in force and, within its grace, the one before it.
func (s *Secrets) read(ctx context.Context, id string, now time.Time) (responder.Secret, error) {
	current, changed, err := s.version(ctx, id, stageCurrent)
	if err != nil {
		return responder.Secret{}, err
	}
	secret := responder.Secret{Current: current}
	until := changed.Add(grace)
	if !now.Before(until) {
		return secret, nil
	}
	switch previous, _, err := s.version(ctx, id, stagePrevious); {
	case errors.Is(err, responder.ErrNotFound): // it has never changed
	case err != nil:
		return responder.Secret{}, err
	default:
		secret.Previous, secret.Until = previous, until
	}
	return secret, nil
}

// version gives a version's value and when it was made.
func (s *Secrets) version(ctx context.Context, id, stage string) (responder.SecretText, time.Time, error) {
	out, err := s.client.GetSecretValue(ctx, &awssecrets.GetSecretValueInput{SecretId: &id, VersionStage: &stage})
	var missing *types.ResourceNotFoundException
	switch {
	case errors.As(err, &missing):
		return responder.SecretText{}, time.Time{}, fmt.Errorf("%w: %w", responder.ErrNotFound, err)
	case err != nil:
		return responder.SecretText{}, time.Time{}, err
	}
	value := string(out.SecretBinary)
	if out.SecretString != nil {
		value = *out.SecretString
	}
	return responder.NewSecretText(value), aws.ToTime(out.CreatedDate), nil
}
