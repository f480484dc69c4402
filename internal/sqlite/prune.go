package sqlite

import (
	"context"
	"database/sql"

	"github.com/skycrafters/responder"
)

// pruneBatch is how many rows go in one transaction, so that others get their
// turn in between.
const pruneBatch = 500

// Pruned counts what Prune removed.
type Pruned struct {
	Runs     int // ended for longer than responder.RunRetention
	Counters int // expired
	Secrets  int // values replaced for longer than they count
}

// Prune removes what is over: runs that ended longer ago than
// responder.RunRetention, expired counters, values of secrets that were
// replaced and no longer count. Parked runs stay until somebody sees to them.
// What it counts has been removed, also if it gives an error.
func (db *DB) Prune(ctx context.Context) (pruned Pruned, err error) {
	for _, p := range []struct {
		what  string
		count *int
		batch func(*tx) (int, error)
	}{
		{"runs", &pruned.Runs, db.pruneRuns},
		{"counters", &pruned.Counters, db.pruneCounters},
		{"secrets", &pruned.Secrets, db.pruneSecrets},
	} {
		for {
			var n int
			err := db.write(ctx, "prune "+p.what, func(tx *tx) (err error) {
				n, err = p.batch(tx)
				return err
			})
			if err != nil {
				return pruned, failed("prune "+p.what, err)
			}
			*p.count += n
			if n < pruneBatch {
				break
			}
		}
	}
	return pruned, nil
}

// pruneRuns removes one batch of ended runs.
func (db *DB) pruneRuns(tx *tx) (n int, err error) {
	before := nanos(db.now().Add(-responder.RunRetention))
	for _, state := range responder.RunStates() {
		if !state.Ended() || state == responder.RunParked {
			continue
		}
		// No run was created after its last change: the index on created finds them.
		gone, err := tx.exec(`DELETE FROM runs WHERE id IN (
			SELECT id FROM runs WHERE state = ?1 AND created < ?2 AND updated < ?2 LIMIT ?3)`, state, before, pruneBatch-n)
		if err != nil {
			return 0, err
		}
		n += gone
	}
	return n, nil
}

// pruneCounters removes one batch of expired counters.
func (db *DB) pruneCounters(tx *tx) (int, error) {
	var keys []string
	err := tx.query(func(rows *sql.Rows) error {
		var key string
		err := rows.Scan(&key)
		keys = append(keys, key)
		return err
	}, `SELECT key FROM counters WHERE expires <= ? LIMIT ?`, nanos(db.now()), pruneBatch)
	if err != nil {
		return 0, err
	}
	for _, key := range keys {
		if err := forget(tx, key); err != nil {
			return 0, err
		}
	}
	return len(keys), nil
}

// pruneSecrets removes the replaced values that no longer count. Secrets are
// few: one batch takes them all.
func (db *DB) pruneSecrets(tx *tx) (int, error) {
	return tx.exec(`UPDATE secrets SET previous = '', until = NULL WHERE until <= ?`, nanos(db.now()))
}
