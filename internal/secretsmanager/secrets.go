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
	restFor  = 5 * time.Second // what Fresh may
	grace    = 24 * time.Hour  // how long the value that was replaced still counts
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
// Safe for concurrent use.
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

// entry is what is known of one secret. Its fields belong to whoever has put a
// token into gate.
type entry struct {
	gate   chan struct{}
	secret responder.Secret
	read   time.Time // zero: never
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
// seconds, however many such callers there are.
func (s *Secrets) Fresh(ctx context.Context, name string) (responder.Secret, error) {
	return s.get(ctx, name, restFor)
}

// get gives a secret that was read at most maxAge ago.
func (s *Secrets) get(ctx context.Context, name string, maxAge time.Duration) (responder.Secret, error) {
	e := s.entry(name)
	select {
	case e.gate <- struct{}{}:
		defer func() { <-e.gate }()
	case <-ctx.Done():
		return responder.Secret{}, fmt.Errorf("get secret %q: %w", name, ctx.Err())
	}
	now := s.now()
	if age := now.Sub(e.read); e.read.IsZero() || age < 0 || age >= maxAge {
		secret, err := s.read(ctx, s.prefix+name, now)
		if err != nil {
			return responder.Secret{}, fmt.Errorf("get secret %q: %w", name, err)
		}
		e.secret, e.read = secret, now
	}
	if !now.Before(e.secret.Until) {
		e.secret.Previous, e.secret.Until = responder.SecretText{}, time.Time{}
	}
	return e.secret, nil
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
