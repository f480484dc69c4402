package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"github.com/skycrafters/responder"
)

// Bury implements responder.Dead.
func (q *Queue) Bury(ctx context.Context, delivery responder.Delivery, cause string) error {
	r, err := parseReceipt(delivery.Receipt)
	if err != nil {
		return failed("bury on "+q.name, err)
	}
	err = q.db.write(ctx, "bury on "+q.name, func(tx *tx) error {
		if err := takeApart(tx, r.bundle); err != nil {
			return err
		}
		found, err := q.bury(tx, r, cause)
		if err == nil && !found {
			err = responder.ErrStaleReceipt
		}
		return err
	})
	if err != nil {
		return failed("bury on "+q.name, err)
	}
	return nil
}

// bury moves a message that has a row of its own to the dead letters; false: the receipt is stale.
func (q *Queue) bury(tx *tx, r receipt, cause string) (bool, error) {
	n, err := tx.exec(`
		INSERT INTO dead (seq, queue, died, receives, cause, body)
		SELECT seq, queue, ?, receives, ?, body FROM messages JOIN bodies USING (seq) WHERE seq = ? AND receives = ? AND queue = ?`,
		nanos(q.db.now()), strings.ToValidUTF8(cause, "\uFFFD"), r.seq, r.receives, q.name)
	if err != nil || n == 0 {
		return false, err
	}
	if _, err = tx.exec(`DELETE FROM messages WHERE seq = ?`, r.seq); err != nil {
		return false, err
	}
	return true, dropBodies(tx, numbers{r.seq})
}

// List implements responder.Dead.
func (q *Queue) List(ctx context.Context, max int) ([]responder.DeadLetter, error) {
	if max < 1 {
		return nil, fmt.Errorf("list dead letters of %s: max is %d, must be at least 1", q.name, max)
	}
	rows, err := q.db.read.QueryContext(ctx, `SELECT seq, died, receives, cause, body FROM dead WHERE queue = ? ORDER BY died, seq LIMIT ?`, q.name, max)
	if err != nil {
		return nil, failed("list dead letters of "+q.name, err)
	}
	var letters []responder.DeadLetter
	err = each(rows, func(rows *sql.Rows) error {
		letter := responder.DeadLetter{Queue: q.name}
		var seq, died int64
		if err := rows.Scan(&seq, &died, &letter.Receives, &letter.Cause, &letter.Body); err != nil {
			return err
		}
		letter.ID, letter.Died = strconv.FormatInt(seq, 10), fromNanos(died)
		letters = append(letters, letter)
		return nil
	})
	if err != nil {
		return nil, failed("list dead letters of "+q.name, err)
	}
	return letters, nil
}

// Redrive implements responder.Dead. A message put back gets a new id.
func (q *Queue) Redrive(ctx context.Context, ids ...string) (int, error) {
	n, err := q.exhume(ctx, ids, func(tx *tx, seq int64) error {
		var body []byte
		found, err := tx.find([]any{&body}, `SELECT body FROM dead WHERE seq = ? AND queue = ?`, seq, q.name)
		if err != nil || !found {
			return err
		}
		return q.put(tx, responder.Message{Body: body})
	})
	if err != nil {
		return 0, failed("redrive to "+q.name, err)
	}
	q.gate.ring()
	return n, nil
}

// Purge implements responder.Dead.
func (q *Queue) Purge(ctx context.Context, ids ...string) (int, error) {
	n, err := q.exhume(ctx, ids, func(*tx, int64) error { return nil })
	if err != nil {
		return 0, failed("purge dead letters of "+q.name, err)
	}
	return n, nil
}

// exhume takes letters out, all if none is named, does something with each
// before it is gone, and counts them: one transaction, whatever the number.
func (q *Queue) exhume(ctx context.Context, ids []string, do func(tx *tx, seq int64) error) (n int, err error) {
	err = q.db.write(ctx, "exhume from "+q.name, func(tx *tx) error {
		n = 0
		seqs, err := q.letters(tx, ids)
		if err != nil {
			return err
		}
		for _, seq := range seqs {
			if err := do(tx, seq); err != nil {
				return err
			}
			gone, err := tx.exec(`DELETE FROM dead WHERE seq = ? AND queue = ?`, seq, q.name)
			if err != nil {
				return err
			}
			n += gone
		}
		return nil
	})
	return n, err
}

// letters turns ids into row numbers: those of all letters if there are none.
func (q *Queue) letters(tx *tx, ids []string) (seqs []int64, err error) {
	for _, id := range ids {
		seqs = append(seqs, parseID(id))
	}
	if len(ids) > 0 {
		return seqs, nil
	}
	err = tx.query(func(rows *sql.Rows) error {
		var seq int64
		err := rows.Scan(&seq)
		seqs = append(seqs, seq)
		return err
	}, `SELECT seq FROM dead WHERE queue = ? ORDER BY died, seq`, q.name)
	return seqs, err
}
