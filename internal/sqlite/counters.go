package sqlite

import (
	"context"
	"errors"
	"time"

	"github.com/skycrafters/responder"
)

var (
	_ responder.Counters = (*Counters)(nil)
	_ responder.Budget   = (*Counters)(nil)
)

// Counters is the file's counters.
type Counters struct{ db *DB }

// Counters gives the file's counters.
func (db *DB) Counters() *Counters { return &Counters{db} }

// Add implements responder.Counters. A member new to its key costs one shared
// commit; one that is refused or counted before changes nothing.
func (c *Counters) Add(ctx context.Context, key, member string, limit int, expires time.Time) (n int, admitted bool, err error) {
	err = c.db.write(ctx, "count", func(tx *tx) error {
		n, admitted, err = add(tx, key, member, limit, expires, c.db.now())
		return err
	})
	if err != nil {
		return 0, false, failed("count", err)
	}
	return n, admitted, nil
}

func add(tx *tx, key, member string, limit int, expires, now time.Time) (n int, admitted bool, err error) {
	var end int64
	live, err := tx.find([]any{&n, &end}, `SELECT n, expires FROM counters WHERE key = ?`, key)
	if err != nil {
		return 0, false, err
	}
	if live && end <= nanos(now) {
		if err := forget(tx, key); err != nil {
			return 0, false, err
		}
		live, n = false, 0
	}
	if live {
		var one int
		counted, err := tx.find([]any{&one}, `SELECT 1 FROM counter_members WHERE key = ? AND member = ?`, key, member)
		if err != nil || counted {
			return n, true, err
		}
	}
	if limit > 0 && n >= limit {
		return n, false, nil
	}
	if _, err := tx.exec(`INSERT INTO counter_members (key, member) VALUES (?, ?)`, key, member); err != nil {
		return 0, false, err
	}
	_, err = tx.exec(`INSERT INTO counters (key, n, expires) VALUES (?, 1, ?) ON CONFLICT (key) DO UPDATE SET n = n + 1`, key, nanos(expires))
	return n + 1, true, err
}

// forget removes a key with its members.
func forget(tx *tx, key string) error {
	if _, err := tx.exec(`DELETE FROM counter_members WHERE key = ?`, key); err != nil {
		return err
	}
	_, err := tx.exec(`DELETE FROM counters WHERE key = ?`, key)
	return err
}

// errFull undoes what an Admit has counted so far.
var errFull = errors.New("full")

// Admit implements responder.Budget. It costs one shared commit.
func (c *Counters) Admit(ctx context.Context, claims ...responder.Claim) (full int, admitted bool, err error) {
	if err := responder.CheckClaims(claims); err != nil {
		return 0, false, failed("admit", err)
	}
	err = c.db.write(ctx, "admit", func(tx *tx) error {
		for i, claim := range claims {
			for _, member := range claim.Members {
				_, fits, err := add(tx, claim.Key, member, claim.Limit, claim.Expires, c.db.now())
				if err != nil {
					return err
				}
				if !fits {
					full = i
					return errFull
				}
			}
		}
		return nil
	})
	switch {
	case errors.Is(err, errFull):
		return full, false, nil
	case err != nil:
		return 0, false, failed("admit", err)
	}
	return 0, true, nil
}
