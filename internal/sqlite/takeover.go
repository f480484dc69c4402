package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/skycrafters/responder"
)

// TakenOver counts what TakeOver took.
type TakenOver struct {
	Messages int // in flight, and now ready
	Runs     int // leased, and now free and due
}

// TakeOver takes what the process that owned the file before left in its hands,
// without waiting for visibility timeouts and leases to run out: there is only
// one owner, so nobody else can be at work on it. To be called once, before any
// worker starts.
func (db *DB) TakeOver(ctx context.Context) (TakenOver, error) {
	var taken TakenOver
	err := db.write(ctx, "take over", func(tx *tx) error {
		taken.Messages = 0
		return tx.query(func(rows *sql.Rows) error {
			var n int
			err := rows.Scan(&n)
			taken.Messages += n
			return err
		}, `UPDATE messages SET visible_at = ?, held = 0 WHERE held = 1 RETURNING n`, nanos(db.now()))
	})
	if err != nil {
		return taken, failed("take over messages", err)
	}
	runs := db.Runs()
	for query := (responder.RunQuery{State: responder.RunRunning, Max: 500}); ; {
		page, err := runs.List(ctx, query)
		if err != nil {
			return taken, fmt.Errorf("take over runs: %w", err)
		}
		for _, summary := range page.Runs {
			freed, err := runs.free(ctx, summary.ID)
			if err != nil {
				return taken, fmt.Errorf("take over runs: %w", err)
			}
			if freed {
				taken.Runs++
			}
		}
		if query.Cursor = page.Next; query.Cursor == "" {
			return taken, nil
		}
	}
}

// free ends a run's lease. A run that this version cannot read is left alone.
func (r *Runs) free(ctx context.Context, id string) (bool, error) {
	run, err := r.Get(ctx, id)
	switch {
	case errors.Is(err, responder.ErrUndecodable), errors.Is(err, responder.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	case run.Lease.IsZero():
		return false, nil
	}
	now := r.db.now()
	run.Lease, run.Due, run.Updated, run.Token = time.Time{}, now, now, "taken over "+now.String()
	return true, r.Save(ctx, run)
}
