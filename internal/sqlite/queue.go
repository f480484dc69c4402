package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
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

	// Derived says that what is sent comes of what the file holds and lets go of
	// later, as findings come of events that are acknowledged after them. Then
	// Send does not wait for the disk: a power cut that undoes it undoes, too, all
	// that came after, and it comes of the same once more.
	Derived bool
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
		write := q.db.write
		if q.options.Derived {
			write = q.db.writeSoon
		}
		if err := write(ctx, "send to "+q.name, func(tx *tx) error { return q.put(tx, taken...) }); err != nil {
			return failed("send to "+q.name, err)
		}
		q.gate.ring()
	}
	if len(refused) > 0 {
		return &responder.SendError{Failed: refused}
	}
	return nil
}

// put adds messages, a row for each bundle. No id is used again.
func (q *Queue) put(tx *tx, messages ...responder.Message) error {
	now := q.db.now()
	for bundle := range bundles(messages) {
		if _, err := tx.exec(`
			INSERT INTO messages (seq, n, queue, visible_at)
			SELECT ifnull(max(seq), 0) + ?1, ?1, ?2, ?3 FROM sqlite_sequence WHERE name = 'messages'`,
			len(bundle), q.name, nanos(now.Add(bundle[0].Delay))); err != nil {
			return err
		}
		tx.packed = pack(tx.packed[:0], bundle)
		if _, err := tx.exec(`INSERT INTO bodies (seq, body) VALUES (last_insert_rowid(), ?)`, tx.packed); err != nil {
			return err
		}
	}
	return nil
}

// Ack implements responder.Queue: one transaction, whatever the number.
func (q *Queue) Ack(ctx context.Context, deliveries ...responder.Delivery) error {
	if len(deliveries) == 0 {
		return nil
	}
	stale := 0
	err := q.db.writeSoon(ctx, "ack on "+q.name, func(tx *tx) error {
		gone, err := q.drop(tx, deliveries)
		stale = len(deliveries) - gone
		return err
	})
	if err != nil {
		return failed("ack on "+q.name, err)
	}
	if stale > 0 {
		return fmt.Errorf("ack on %s: %d of %d: %w", q.name, stale, len(deliveries), responder.ErrStaleReceipt)
	}
	return nil
}

// drop takes out messages for good, and says how many: those whose receipts are
// stale are not.
func (q *Queue) drop(tx *tx, deliveries []responder.Delivery) (n int, err error) {
	alone := map[int]numbers{}     // by how often they were received
	bundled := map[int64]numbers{} // by their bundle; received once
	for _, d := range deliveries {
		if r, err := parseReceipt(d.Receipt); err != nil {
			continue // as good as stale
		} else if r.bundle > 0 {
			bundled[r.bundle] = append(bundled[r.bundle], r.seq)
		} else {
			alone[r.receives] = append(alone[r.receives], r.seq)
		}
	}
	var gone numbers // rows
	for bundle, seqs := range bundled {
		slices.Sort(seqs)
		seqs = slices.Compact(seqs)
		rows, err := tx.exec(`DELETE FROM messages WHERE seq = ? AND n = ? AND seq - n + 1 = ? AND receives = 1 AND queue = ?`, bundle, len(seqs), seqs[0], q.name)
		if err != nil {
			return 0, err
		}
		if rows == 1 { // it was all of the bundle
			gone = append(gone, bundle)
			n += len(seqs)
			continue
		}
		if err := takeApart(tx, bundle); err != nil {
			return 0, err
		}
		alone[1] = append(alone[1], seqs...)
	}
	for receives, seqs := range alone {
		err := tx.query(func(rows *sql.Rows) error {
			var seq int64
			err := rows.Scan(&seq)
			gone = append(gone, seq)
			n++
			return err
		}, `DELETE FROM messages WHERE seq IN (SELECT value FROM json_each(?)) AND receives = ? AND queue = ? RETURNING seq`, seqs.list(), receives, q.name)
		if err != nil {
			return 0, err
		}
	}
	return n, dropBodies(tx, gone)
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
		if err := takeApart(tx, r.bundle); err != nil {
			return err
		}
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
