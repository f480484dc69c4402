package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/skycrafters/responder"
)

// Receive implements responder.Queue. wait passes in real time, whatever the
// clock says. Nothing is polled: it wakes for a Send, Release or Redrive of
// this process, and for the moment the next message becomes deliverable.
func (q *Queue) Receive(ctx context.Context, max int, wait time.Duration) ([]responder.Delivery, error) {
	if max < 1 {
		return nil, fmt.Errorf("receive from %s: max is %d, must be at least 1", q.name, max)
	}
	patience := time.NewTimer(wait)
	defer patience.Stop()
	for {
		changed := q.gate.wait()
		deliveries, next, err := q.look(ctx, max)
		if err != nil {
			return nil, failed("receive from "+q.name, q.ended(err))
		}
		if len(deliveries) > 0 {
			return deliveries, nil
		}
		switch {
		case wait <= 0:
			return nil, nil
		case next <= 0: // only the dead were left: look again
			continue
		}
		ready := time.NewTimer(next)
		select {
		case <-changed:
		case <-ready.C:
		case <-patience.C:
			wait = 0 // one last look
		case <-ctx.Done(): // the look says so
		case <-q.db.closed:
			err = ErrClosed
		}
		ready.Stop()
		if err != nil {
			return nil, failed("receive from "+q.name, err)
		}
	}
}

// ended is what an error of a look means: once the file is closed, no more than that.
func (q *Queue) ended(err error) error {
	select {
	case <-q.db.closed:
		return ErrClosed
	default:
		return err
	}
}

// look delivers up to max messages. If there are none, it says in how long the
// next one will be deliverable; not above 0: perhaps now.
func (q *Queue) look(ctx context.Context, max int) (deliveries []responder.Delivery, next time.Duration, err error) {
	select {
	case q.gate.looking <- struct{}{}:
		defer func() { <-q.gate.looking }()
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	case <-q.db.closed:
		return nil, 0, ErrClosed
	}
	if next, err = q.nearest(ctx); err != nil || next > 0 {
		return nil, next, err
	}
	deliveries, err = q.claim(ctx, max)
	return deliveries, next, err
}

// nearest says in how long a message will be deliverable; not above 0: now.
func (q *Queue) nearest(ctx context.Context) (time.Duration, error) {
	var visible sql.NullInt64
	err := q.db.next.QueryRowContext(ctx, q.name).Scan(&visible)
	if err != nil {
		return 0, err
	}
	if !visible.Valid {
		return math.MaxInt64, nil
	}
	return time.Duration(visible.Int64 - nanos(q.db.now())), nil
}

// claim delivers up to max messages.
func (q *Queue) claim(ctx context.Context, max int) (deliveries []responder.Delivery, err error) {
	err = q.db.writeSoon(ctx, "receive from "+q.name, func(tx *tx) error {
		now := q.db.now()
		deliveries = nil
		for len(deliveries) < max {
			ready, err := q.ready(tx, now, max-len(deliveries))
			if err != nil {
				return err
			}
			picked, changed, err := q.pick(tx, ready, max, max-len(deliveries))
			if err != nil || len(picked) == 0 && !changed { // there is nothing more, or it does not fit
				return err
			}
			claimed, err := deliver(tx, picked, now.Add(q.options.Visibility))
			if err != nil {
				return err
			}
			deliveries = append(deliveries, claimed...)
		}
		return nil
	})
	return deliveries, err
}

// stored is a row of messages: n of them, the last of which has the id seq.
type stored struct {
	seq      int64
	n        int
	receives int
}

// ready gives up to max rows of deliverable messages, those first that have been so longest.
func (q *Queue) ready(tx *tx, now time.Time, max int) (ready []stored, err error) {
	err = tx.query(func(rows *sql.Rows) error {
		var m stored
		err := rows.Scan(&m.seq, &m.n, &m.receives)
		ready = append(ready, m)
		return err
	}, `SELECT seq, n, receives FROM messages JOIN bodies USING (seq) WHERE queue = ? AND visible_at <= ? ORDER BY visible_at LIMIT ? + 0`, q.name, nanos(now), max)
	return ready, err
}

// pick gives the first of the rows that are to be delivered and have room. A
// bundle that has been delivered before, or that never fits, is taken apart: one
// message that is the end of its receiver must not take the others with it. What
// has been delivered too often is buried. changed: look again.
func (q *Queue) pick(tx *tx, ready []stored, max, room int) (picked []stored, changed bool, err error) {
	for _, m := range ready {
		switch {
		case m.n > 1 && (m.receives > 0 || m.n > max):
			return picked, true, takeApart(tx, m.seq)
		case q.options.MaxReceives > 0 && m.receives >= q.options.MaxReceives:
			if _, err := q.bury(tx, receipt{seq: m.seq, receives: m.receives}, fmt.Sprintf("delivered %d times and never acknowledged", m.receives)); err != nil {
				return nil, false, err
			}
			changed = true
		case m.n > room:
			return picked, changed, nil
		default:
			picked = append(picked, m)
			room -= m.n
		}
	}
	return picked, changed, nil
}

// deliver hides rows from others until then, and gives their messages.
func deliver(tx *tx, picked []stored, until time.Time) (deliveries []responder.Delivery, err error) {
	var seqs numbers
	for _, m := range picked {
		seqs = append(seqs, m.seq)
	}
	list := seqs.list()
	if _, err := tx.exec(`UPDATE messages SET visible_at = ?, held = 1, receives = receives + 1 WHERE seq IN (SELECT value FROM json_each(?))`, nanos(until), list); err != nil {
		return nil, err
	}
	bodies := map[int64][]byte{}
	err = tx.query(func(rows *sql.Rows) error {
		var seq int64
		var body []byte
		err := rows.Scan(&seq, &body)
		bodies[seq] = body
		return err
	}, `SELECT seq, body FROM bodies WHERE seq IN (SELECT value FROM json_each(?))`, list)
	if err != nil {
		return nil, err
	}
	for _, m := range picked {
		r := receipt{receives: m.receives + 1}
		if m.n > 1 {
			r.bundle = m.seq
		}
		for i, body := range unpack(bodies[m.seq], m.n) {
			r.seq = m.seq - int64(m.n-1-i)
			deliveries = append(deliveries, responder.Delivery{ID: strconv.FormatInt(r.seq, 10), Receipt: r.String(), Body: body, Receives: r.receives})
		}
	}
	return deliveries, nil
}
