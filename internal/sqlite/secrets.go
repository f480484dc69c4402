package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/skycrafters/responder"
)

var _ responder.Secrets = (*Secrets)(nil)

// grace is how long the value that a secret replaced still counts.
const grace = 24 * time.Hour

// Secrets is the file's secrets, as plain text in a file of mode 0600. Nothing
// is cached.
type Secrets struct{ db *DB }

// Secrets gives the file's secrets.
func (db *DB) Secrets() *Secrets { return &Secrets{db} }

// Get implements responder.Secrets.
func (s *Secrets) Get(ctx context.Context, name string) (responder.Secret, error) {
	var current, previous string
	var until sql.NullInt64
	err := s.db.secret.QueryRowContext(ctx, name).Scan(&current, &previous, &until)
	if errors.Is(err, sql.ErrNoRows) {
		err = responder.ErrNotFound
	}
	if err != nil {
		return responder.Secret{}, failed(fmt.Sprintf("get secret %q", name), err)
	}
	secret := responder.Secret{Current: responder.NewSecretText(current)}
	if until.Valid && until.Int64 > nanos(s.db.now()) {
		secret.Previous, secret.Until = responder.NewSecretText(previous), fromNanos(until.Int64)
	}
	return secret, nil
}

// Set gives a secret its value. What it replaces counts for another 24 hours;
// setting the same value again changes nothing.
func (s *Secrets) Set(ctx context.Context, name, value string) error {
	if name == "" || value == "" {
		return errors.New("set secret: neither its name nor its value may be empty")
	}
	err := s.db.write(ctx, "set secret", func(tx *tx) error {
		_, err := tx.exec(`
			INSERT INTO secrets (name, current) VALUES (?, ?)
			ON CONFLICT (name) DO UPDATE SET previous = current, current = excluded.current, until = ?
			WHERE current <> excluded.current`,
			name, value, nanos(s.db.now().Add(grace)))
		return err
	})
	if err != nil {
		return failed(fmt.Sprintf("set secret %q", name), err)
	}
	return nil
}
