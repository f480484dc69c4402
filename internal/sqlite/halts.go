package sqlite

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/skycrafters/responder"
)

var _ responder.Halts = (*Halts)(nil)

// Halts is the file's halts.
type Halts struct{ db *DB }

// Halts gives the file's halts.
func (db *DB) Halts() *Halts { return &Halts{db} }

// Halt implements responder.Halts. It costs one shared commit.
func (h *Halts) Halt(ctx context.Context, halt responder.Halt) error {
	data, err := json.Marshal(halt)
	if err != nil {
		return failed("halt", err)
	}
	err = h.db.write(ctx, "halt", func(tx *tx) error {
		var one int
		if there, err := tx.find([]any{&one}, `SELECT 1 FROM halts WHERE flow = ?`, halt.Flow); err != nil || there {
			if there {
				return responder.ErrExists
			}
			return err
		}
		_, err := tx.exec(`INSERT INTO halts (flow, halt) VALUES (?, ?)`, halt.Flow, string(data))
		return err
	})
	if err != nil {
		return failed("halt", err)
	}
	return nil
}

// Resume implements responder.Halts. It costs one shared commit.
func (h *Halts) Resume(ctx context.Context, flow string) (halt responder.Halt, err error) {
	err = h.db.write(ctx, "resume", func(tx *tx) error {
		var data string
		there, err := tx.find([]any{&data}, `SELECT halt FROM halts WHERE flow = ?`, flow)
		if err != nil {
			return err
		}
		if !there {
			return fmt.Errorf("no such halt: %w", responder.ErrNotFound)
		}
		if err := json.Unmarshal([]byte(data), &halt); err != nil {
			return err
		}
		_, err = tx.exec(`DELETE FROM halts WHERE flow = ?`, flow)
		return err
	})
	if err != nil {
		return halt, failed("resume", err)
	}
	return halt, nil
}

// Halts implements responder.Halts: one read.
func (h *Halts) Halts(ctx context.Context) (all []responder.Halt, err error) {
	rows, err := h.db.read.QueryContext(ctx, `SELECT halt FROM halts ORDER BY flow`)
	if err != nil {
		return nil, failed("halts", err)
	}
	defer rows.Close()
	for rows.Next() {
		var (
			data string
			halt responder.Halt
		)
		if err := rows.Scan(&data); err != nil {
			return nil, failed("halts", err)
		}
		if err := json.Unmarshal([]byte(data), &halt); err != nil {
			return nil, failed("halts", err)
		}
		all = append(all, halt)
	}
	if err := rows.Err(); err != nil {
		return nil, failed("halts", err)
	}
	return all, nil
}
