package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/skycrafters/responder"
)

var (
	_ responder.RunStore  = (*Runs)(nil)
	_ responder.RunLister = (*Runs)(nil)
	_ responder.RunParker = (*Runs)(nil)
)

// Runs is the run store. A Create or Save costs one shared commit.
type Runs struct{ db *DB }

// Runs gives the file's run store.
func (db *DB) Runs() *Runs { return &Runs{db} }

// row is what is kept of a run: its bytes, and the columns to look it up by.
type row struct {
	version int64
	token   string
	state   responder.RunState
	rule    string
	flow    string
	due     sql.NullInt64
	created int64
	updated int64
	summary []byte
	payload []byte
}

// newRow encodes a run as the given version.
func newRow(run *responder.Run, version int64) (row, error) {
	stored := *run
	stored.Version = version
	payload, err := responder.EncodeRun(&stored)
	if err != nil {
		return row{}, err
	}
	summary, err := json.Marshal(stored.Summary())
	if err != nil {
		return row{}, fmt.Errorf("encode summary: %w", err)
	}
	return row{
		version: version, token: run.Token, state: run.State, rule: run.Finding.Rule, flow: run.Flow.Name,
		due:     sql.NullInt64{Int64: nanos(run.Due), Valid: !run.Due.IsZero()},
		created: nanos(run.Created), updated: nanos(run.Updated), summary: summary, payload: payload,
	}, nil
}

// Create implements responder.RunStore.
func (s *Runs) Create(ctx context.Context, run *responder.Run) error {
	r, err := newRow(run, 1)
	if err != nil {
		return failed("create run", err)
	}
	err = s.db.write(ctx, "create run", func(tx *tx) error {
		n, err := tx.exec(`
			INSERT INTO runs (id, version, token, state, rule, flow, due, created, updated, summary, payload)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
			run.ID, r.version, r.token, r.state, r.rule, r.flow, r.due, r.created, r.updated, string(r.summary), r.payload)
		if err != nil || n == 1 {
			return err
		}
		stored, err := lookUp(tx, run.ID)
		if err == nil && (stored.version != 1 || stored.token != r.token) {
			err = responder.ErrExists
		}
		return err
	})
	if err != nil {
		return failed("create run "+run.ID, err)
	}
	run.Version = 1
	return nil
}

// Get implements responder.RunStore.
func (s *Runs) Get(ctx context.Context, id string) (*responder.Run, error) {
	var payload []byte
	err := s.db.run.QueryRowContext(ctx, id).Scan(&payload)
	if errors.Is(err, sql.ErrNoRows) {
		err = responder.ErrNotFound
	}
	if err != nil {
		return nil, failed("get run "+id, err)
	}
	run, err := responder.DecodeRun(payload)
	if err != nil {
		return nil, failed("get run "+id, err)
	}
	return run, nil
}

// Park implements responder.RunParker.
func (s *Runs) Park(ctx context.Context, id string, until time.Time) error {
	err := s.db.write(ctx, "park run", func(tx *tx) error {
		n, err := tx.exec(`
			UPDATE runs SET state = ?1, due = ?2,
				summary = CASE WHEN json_valid(summary) THEN json_set(summary, '$.state', ?1) ELSE summary END
			WHERE id = ?3`, string(responder.RunParked), nanos(until), id)
		if err == nil && n == 0 {
			err = responder.ErrNotFound
		}
		return err
	})
	if err != nil {
		return failed("park run "+id, err)
	}
	return nil
}

// Unpark implements responder.RunParker.
func (s *Runs) Unpark(ctx context.Context, run *responder.Run) error {
	r, err := newRow(run, run.Version)
	if err != nil {
		return failed("unpark run", err)
	}
	err = s.db.write(ctx, "unpark run", func(tx *tx) error {
		_, err := tx.exec(`UPDATE runs SET state = ?, due = ?, summary = ? WHERE id = ? AND version = ? AND state = ?`,
			r.state, r.due, string(r.summary), run.ID, run.Version, string(responder.RunParked))
		return err
	})
	if err != nil {
		return failed("unpark run "+run.ID, err)
	}
	return nil
}

// Save implements responder.RunStore.
func (s *Runs) Save(ctx context.Context, run *responder.Run) error {
	r, err := newRow(run, run.Version+1)
	if err != nil {
		return failed("save run", err)
	}
	err = s.db.write(ctx, "save run", func(tx *tx) error {
		// A run's rule, flow and time of creation never change.
		n, err := tx.exec(`
			UPDATE runs SET version = ?, token = ?, state = ?, due = ?, updated = ?, summary = ?, payload = ?
			WHERE id = ? AND version = ?`,
			r.version, r.token, r.state, r.due, r.updated, string(r.summary), r.payload, run.ID, run.Version)
		if err != nil || n == 1 {
			return err
		}
		stored, err := lookUp(tx, run.ID)
		if err == nil && (stored.version != r.version || stored.token != r.token) {
			err = fmt.Errorf("as version %d over %d: %w", r.version, stored.version, responder.ErrStale)
		}
		return err
	})
	if err != nil {
		return failed("save run "+run.ID, err)
	}
	run.Version = r.version
	return nil
}

// lookUp gives the version and token that are stored. ErrNotFound.
func lookUp(tx *tx, id string) (stored row, err error) {
	found, err := tx.find([]any{&stored.version, &stored.token}, `SELECT version, token FROM runs WHERE id = ?`, id)
	if err == nil && !found {
		err = responder.ErrNotFound
	}
	return stored, err
}

// Due implements responder.RunStore.
func (s *Runs) Due(ctx context.Context, now time.Time, max int) ([]string, error) {
	if max < 1 {
		return nil, fmt.Errorf("due runs: max is %d, must be at least 1", max)
	}
	rows, err := s.db.read.QueryContext(ctx, `SELECT id FROM runs WHERE due <= ? ORDER BY due LIMIT ?`, nanos(now), max)
	if err != nil {
		return nil, failed("due runs", err)
	}
	var ids []string
	err = each(rows, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	if err != nil {
		return nil, failed("due runs", err)
	}
	return ids, nil
}
