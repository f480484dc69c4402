package sqlite

import (
	"context"
	"database/sql"

	"github.com/skycrafters/responder"
)

// Stats is what a file holds at one moment.
type Stats struct {
	Queues map[string]QueueStats      // by name; those that hold nothing are missing
	Runs   map[responder.RunState]int // states that no run is in are missing
}

// QueueStats counts the messages of a queue.
type QueueStats struct {
	Ready    int // can be received now
	InFlight int // delivered, and neither acked nor due again
	Delayed  int // sent or released with a delay that is not over
	Dead     int
}

// Quiet reports whether nothing will happen by itself any more: no message is
// ready, in flight or delayed, and no run will move on.
func (s Stats) Quiet() bool {
	for _, q := range s.Queues {
		if q.Ready+q.InFlight+q.Delayed > 0 {
			return false
		}
	}
	for state := range s.Runs {
		if !state.Ended() {
			return false
		}
	}
	return true
}

// Stats counts what the file holds, all at one moment: a message on its way
// from one queue to another is not missed. It walks indexes:
// about half a microsecond a message or run.
func (db *DB) Stats(ctx context.Context) (Stats, error) {
	stats, err := db.stats(ctx)
	if err != nil {
		return Stats{}, failed("stats", err)
	}
	return stats, nil
}

func (db *DB) stats(ctx context.Context) (Stats, error) {
	stats := Stats{Queues: map[string]QueueStats{}, Runs: map[responder.RunState]int{}}
	moment, err := db.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return stats, err
	}
	defer moment.Rollback() // it only read

	rows, err := moment.QueryContext(ctx, `
		SELECT queue, sum(n * (visible_at <= ?1)), sum(n * (visible_at > ?1 AND held)), sum(n * (visible_at > ?1 AND NOT held)), 0 FROM messages GROUP BY queue
		UNION ALL SELECT queue, 0, 0, 0, count(*) FROM dead GROUP BY queue`, nanos(db.now()))
	if err != nil {
		return stats, err
	}
	err = each(rows, func(rows *sql.Rows) error {
		var name string
		var q QueueStats
		if err := rows.Scan(&name, &q.Ready, &q.InFlight, &q.Delayed, &q.Dead); err != nil {
			return err
		}
		sum := stats.Queues[name]
		stats.Queues[name] = QueueStats{sum.Ready + q.Ready, sum.InFlight + q.InFlight, sum.Delayed + q.Delayed, sum.Dead + q.Dead}
		return nil
	})
	if err != nil {
		return stats, err
	}
	rows, err = moment.QueryContext(ctx, `SELECT state, count(*) FROM runs GROUP BY state`)
	if err != nil {
		return stats, err
	}
	err = each(rows, func(rows *sql.Rows) error {
		var state responder.RunState
		var n int
		err := rows.Scan(&state, &n)
		stats.Runs[state] = n
		return err
	})
	return stats, err
}
