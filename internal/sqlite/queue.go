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

var (
	_ responder.Queue = (*Queue)(nil)
	_ responder.Dead  = (*Queue)(nil)
)

// QueueOptions tunes a queue. They are read at each delivery, not stored.
type QueueOptions struct {
	Visibility  time.Duration // how long a delivery is hidden from others; 0: 30 s
	MaxReceives int           // deliveries without an Ack before a message is dead; 0: no bound
}

// Queue is a queue with its dead letters. A Send costs one shared commit; a
// Receive, Ack or Release costs one that does not wait for the disk, and a
// Receive that finds nothing only a look.
type Queue struct {
	db      *DB
	name    string
	options QueueOptions
	gate    *gate
}

// Queue gives the queue of that name.
func (db *DB) Queue(name string, options QueueOptions) *Queue {
	if options.Visibility == 0 {
		options.Visibility = 30 * time.Second
	}
	return &Queue{db: db, name: name, options: options, gate: db.gate(name)}
}

// Send implements responder.Sender: one transaction, whatever the number.
func (q *Queue) Send(ctx context.Context, messages ...responder.Message) error {
	refused := map[int]error{}
	var taken []responder.Message
	for i, m := range messages {
		if err := m.Check(); err != nil {
			refused[i] = err
		} else {
			taken = append(taken, m)
		}
	}
	if len(taken) > 0 {
		err := q.db.write(ctx, "send to "+q.name, func(tx *tx) error { return q.put(tx, taken...) })
		if err != nil {
			return failed("send to "+q.name, err)
		}
		q.gate.ring()
	}
	if len(refused) > 0 {
		return &responder.SendError{Failed: refused}
	}
	return nil
}

// put adds messages. The sequence, and the index, are gone to once for all of them.
func (q *Queue) put(tx *tx, messages ...responder.Message) error {
	now := q.db.now()
	var visible numbers
	for _, m := range messages {
		visible = append(visible, nanos(now.Add(m.Delay)))
	}
	if _, err := tx.exec(`INSERT INTO messages (queue, visible_at) SELECT ?, value FROM json_each(?)`, q.name, visible.list()); err != nil {
		return err
	}
	var last int64
	if _, err := tx.find([]any{&last}, `SELECT last_insert_rowid()`); err != nil {
		return err
	}
	for i, m := range messages { // AUTOINCREMENT counts on by one
		if _, err := tx.exec(`INSERT INTO bodies (seq, body) VALUES (?, ?)`, last-int64(len(messages)-1-i), m.Body); err != nil {
			return err
		}
	}
	return nil
}

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
		next, err := q.nearest(ctx)
		if err != nil {
			return nil, failed("receive from "+q.name, err)
		}
		if next <= 0 {
			deliveries, err := q.claim(ctx, max)
			if err != nil {
				return nil, failed("receive from "+q.name, err)
			}
			if len(deliveries) > 0 {
				return deliveries, nil
			}
		}
		switch {
		case wait <= 0:
			return nil, nil
		case next <= 0: // somebody was quicker, or only the dead were left: look again
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

// claim delivers up to max messages. On the way it buries those that have been
// delivered too often.
func (q *Queue) claim(ctx context.Context, max int) (deliveries []responder.Delivery, err error) {
	err = q.db.writeSoon(ctx, "receive from "+q.name, func(tx *tx) error {
		now := q.db.now()
		deliveries = nil
		for len(deliveries) < max {
			ready, err := q.ready(tx, now, max-len(deliveries))
			if err != nil || len(ready) == 0 {
				return err
			}
			var claimed numbers
			for _, m := range ready {
				if q.options.MaxReceives > 0 && m.receives >= q.options.MaxReceives {
					if _, err := q.bury(tx, m.receipt, fmt.Sprintf("delivered %d times and never acknowledged", m.receives)); err != nil {
						return err
					}
					continue
				}
				m.receives++
				deliveries = append(deliveries, m.delivery())
				claimed = append(claimed, m.seq)
			}
			_, err = tx.exec(`UPDATE messages SET visible_at = ?, held = 1, receives = receives + 1 WHERE seq IN (SELECT value FROM json_each(?))`,
				nanos(now.Add(q.options.Visibility)), claimed.list())
			if err != nil {
				return err
			}
		}
		return nil
	})
	return deliveries, err
}

// message is a message and its latest delivery.
type message struct {
	receipt
	body []byte
}

func (m message) delivery() responder.Delivery {
	return responder.Delivery{ID: strconv.FormatInt(m.seq, 10), Receipt: m.receipt.String(), Body: m.body, Receives: m.receives}
}

// ready gives up to max deliverable messages, those first that have been so longest.
func (q *Queue) ready(tx *tx, now time.Time, max int) (messages []message, err error) {
	err = tx.query(func(rows *sql.Rows) error {
		var m message
		err := rows.Scan(&m.seq, &m.receives, &m.body)
		messages = append(messages, m)
		return err
	}, `SELECT seq, receives, body FROM messages JOIN bodies USING (seq) WHERE queue = ? AND visible_at <= ? ORDER BY visible_at LIMIT ?`, q.name, nanos(now), max)
	return messages, err
}

// Ack implements responder.Queue: one transaction, whatever the number.
func (q *Queue) Ack(ctx context.Context, deliveries ...responder.Delivery) error {
	if len(deliveries) == 0 {
		return nil
	}
	stale := 0
	err := q.db.writeSoon(ctx, "ack on "+q.name, func(tx *tx) error {
		stale = len(deliveries)
		held := map[int]numbers{} // by how often they were received
		for _, d := range deliveries {
			if r, err := parseReceipt(d.Receipt); err == nil {
				held[r.receives] = append(held[r.receives], r.seq)
			}
		}
		for receives, seqs := range held {
			gone, err := q.drop(tx, receives, seqs)
			if err != nil {
				return err
			}
			stale -= gone
		}
		return nil
	})
	if err != nil {
		return failed("ack on "+q.name, err)
	}
	if stale > 0 {
		return fmt.Errorf("ack on %s: %d of %d: %w", q.name, stale, len(deliveries), responder.ErrStaleReceipt)
	}
	return nil
}

// drop takes out those of the messages that have been received so often, and
// says how many those are.
func (q *Queue) drop(tx *tx, receives int, seqs numbers) (int, error) {
	var gone numbers
	err := tx.query(func(rows *sql.Rows) error {
		var seq int64
		err := rows.Scan(&seq)
		gone = append(gone, seq)
		return err
	}, `DELETE FROM messages WHERE seq IN (SELECT value FROM json_each(?)) AND receives = ? AND queue = ? RETURNING seq`, seqs.list(), receives, q.name)
	if err != nil {
		return 0, err
	}
	return len(gone), dropBodies(tx, gone)
}

// dropBodies forgets the bodies of messages that are gone.
func dropBodies(tx *tx, gone numbers) error {
	_, err := tx.exec(`DELETE FROM bodies WHERE seq IN (SELECT value FROM json_each(?))`, gone.list())
	return err
}

// numbers are handed to one statement.
type numbers []int64

// list is the numbers as SQLite's json_each takes them.
func (n numbers) list() string {
	text := []byte("[")
	for i, seq := range n {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, seq, 10)
	}
	return string(append(text, ']'))
}

// Release implements responder.Queue.
func (q *Queue) Release(ctx context.Context, delivery responder.Delivery, after time.Duration) error {
	r, err := parseReceipt(delivery.Receipt)
	if err != nil {
		return failed("release on "+q.name, err)
	}
	err = q.db.writeSoon(ctx, "release on "+q.name, func(tx *tx) error {
		n, err := tx.exec(`UPDATE messages SET visible_at = ?, held = 0 WHERE seq = ? AND receives = ? AND queue = ?`,
			nanos(q.db.now().Add(after)), r.seq, r.receives, q.name)
		if err == nil && n == 0 {
			err = responder.ErrStaleReceipt
		}
		return err
	})
	if err != nil {
		return failed("release on "+q.name, err)
	}
	q.gate.ring()
	return nil
}
