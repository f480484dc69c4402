package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/skycrafters/responder/internal/faults"
)

// maxGroup bounds how many jobs share a commit, and so how long the first of
// them waits for the last.
const maxGroup = 256

// writer is the one connection that changes the file. Jobs that wait while a
// commit is under way go into the next one together, and share its fsync; a
// job that fails is undone alone.
type writer struct {
	pool *sql.DB
	tx   *tx
	jobs chan *job     // unbuffered: a job taken is a job answered
	stop chan struct{} // closed by close
	done chan struct{} // closed when the last job is answered
}

// job is one caller's part of a transaction.
type job struct {
	ctx     context.Context
	what    string // the operation
	do      func(*tx) error
	durable bool       // is answered only when the disk has it
	err     error      // what do gave
	done    chan error // buffered
}

// newWriter opens the file at path for writing and brings it up to date.
func newWriter(path string) (_ *writer, err error) {
	ctx := context.Background()
	pool, err := sql.Open("sqlite", dsn(path, "rw"))
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	defer func() {
		if err != nil {
			err = errors.Join(err, pool.Close())
		}
	}()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, conn.Close())
		}
	}()
	if err := prepare(ctx, conn, path); err != nil {
		return nil, err
	}
	w := &writer{
		pool: pool,
		tx:   &tx{ctx: ctx, conn: conn, statements: map[string]*sql.Stmt{}},
		jobs: make(chan *job),
		stop: make(chan struct{}),
		done: make(chan struct{}),
	}
	if err := w.tx.sync(true); err != nil {
		return nil, err
	}
	go w.loop()
	return w, nil
}

// run does a job inside a transaction and returns once that is committed. do
// runs on another goroutine, but never while its caller does, and perhaps twice,
// if the first time was undone; what it changed is undone if it gives an error,
// which run returns unwrapped. A ctx that ends
// before do has begun ends the wait; after that the outcome is waited for,
// because otherwise nobody could tell it.
func (w *writer) run(j *job) error {
	j.done = make(chan error, 1)
	select {
	case <-w.stop:
		return ErrClosed
	case <-j.ctx.Done():
		return j.ctx.Err()
	case w.jobs <- j:
		return <-j.done
	}
}

func (w *writer) loop() {
	defer close(w.done)
	for {
		select {
		case <-w.stop:
			return
		case first := <-w.jobs:
			group := w.gather(first)
			err := w.commit(group)
			for _, j := range group {
				if err != nil {
					j.done <- err
				} else {
					j.done <- j.err
				}
			}
		}
	}
}

// gather takes the jobs that are waiting now.
func (w *writer) gather(first *job) []*job {
	group := []*job{first}
	for len(group) < maxGroup {
		select {
		case j := <-w.jobs:
			group = append(group, j)
		default:
			return group
		}
	}
	return group
}

// commit runs the jobs in one transaction. An error is everybody's: nothing of
// the group has happened. That a job fails once it has changed something is rare:
// only then are all run again, so that what it changed can be undone alone.
func (w *writer) commit(group []*job) error {
	w.tx.ctx = context.WithoutCancel(group[0].ctx) // the group outlives each of its callers
	if err := w.tx.sync(slices.ContainsFunc(group, func(j *job) bool { return j.durable })); err != nil {
		return err
	}
	err := w.attempt(group, w.tx.runPlain)
	if errors.Is(err, errSpoilt) {
		err = w.attempt(group, w.tx.runGuarded)
	}
	return err
}

// attempt is one transaction in which each job is run.
func (w *writer) attempt(group []*job, run func(*job) error) error {
	if _, err := w.tx.exec("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	err := runAll(group, run)
	if err == nil {
		if _, err = w.tx.exec("COMMIT"); err == nil {
			reached(group, "committed")
			return nil
		}
		err = fmt.Errorf("commit: %w", err)
	}
	// After some errors SQLite has rolled back by itself, and this one says so;
	// if it failed for another reason, the next BEGIN tells.
	_, _ = w.tx.exec("ROLLBACK")
	return err
}

// runAll runs the jobs in turn. An error means that the transaction as a whole is lost.
func runAll(group []*job, run func(*job) error) error {
	for _, j := range group {
		if j.err = j.ctx.Err(); j.err != nil {
			continue
		}
		if err := run(j); err != nil {
			return err
		}
	}
	reached(group, "written")
	return nil
}

// reached marks how far the jobs of a group have come.
func reached(group []*job, stage string) {
	for _, j := range group {
		faults.Point(j.what, stage)
	}
}

// close answers the jobs under way, folds the log into the file and closes it.
// A reader in another process may keep some of the log from being folded; it
// is then left beside the file, and read from there.
func (w *writer) close() error {
	close(w.stop)
	<-w.done
	var errs []error
	for _, statement := range w.tx.statements {
		errs = append(errs, statement.Close()) // an open one would keep SQLite from closing the file
	}
	_, err := w.tx.conn.ExecContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)")
	errs = append(errs, err, w.tx.conn.Close(), w.pool.Close())
	return errors.Join(errs...)
}

// tx is the transaction that is open on the writer's connection. Statements
// are compiled once and kept: their texts are constants.
type tx struct {
	ctx        context.Context
	conn       *sql.Conn
	statements map[string]*sql.Stmt
	packed     []byte // a bundle's bodies (pack): the driver copies what it is given
	synced     bool   // whether commits wait for the disk now
	changed    bool   // whether statements may have changed something: one that fails may undo all
}

// sync says whether the commits from now on wait for the disk.
func (t *tx) sync(durable bool) error {
	if t.synced == durable {
		return nil
	}
	pragma := "PRAGMA synchronous = NORMAL"
	if durable {
		pragma = "PRAGMA synchronous = FULL"
	}
	// Not a prepared statement: SQLite acts on this one while it compiles it.
	if _, err := t.conn.ExecContext(t.ctx, pragma); err != nil {
		return fmt.Errorf("%s: %w", pragma, err)
	}
	t.synced = durable
	return nil
}

// errSpoilt says that a job has failed and left changes in the transaction.
var errSpoilt = errors.New("left changes of a job that failed")

// runPlain runs a job that leaves nothing behind if it fails; errSpoilt if it does.
func (t *tx) runPlain(j *job) error {
	faults.Point(j.what, "begun")
	t.changed = false
	if j.err = j.do(t); j.err != nil && t.changed {
		return errSpoilt
	}
	return nil
}

// runGuarded runs a job as if alone: if it fails, what it changed is undone.
func (t *tx) runGuarded(j *job) error {
	if _, err := t.exec("SAVEPOINT job"); err != nil {
		return err
	}
	faults.Point(j.what, "begun")
	if j.err = j.do(t); j.err != nil {
		if _, err := t.exec("ROLLBACK TO job"); err != nil {
			return fmt.Errorf("%w (and undoing it: %w)", j.err, err)
		}
	}
	_, err := t.exec("RELEASE job")
	return err
}

// exec runs a statement and says how many rows it changed.
func (t *tx) exec(query string, args ...any) (rows int, err error) {
	statement, err := t.prepared(query)
	if err != nil {
		return 0, err
	}
	result, err := statement.ExecContext(t.ctx, args...)
	if err != nil {
		t.changed = true
		return 0, err
	}
	n, err := result.RowsAffected()
	t.changed = t.changed || n > 0
	return int(n), err
}

// query runs a statement and gives each row to scan.
func (t *tx) query(scan func(*sql.Rows) error, query string, args ...any) error {
	statement, err := t.prepared(query)
	if err != nil {
		return err
	}
	rows, err := statement.QueryContext(t.ctx, args...)
	if err == nil {
		err = each(rows, scan)
	}
	t.changed = t.changed || err != nil || !strings.HasPrefix(query, "SELECT")
	return err
}

// find runs a statement that gives at most one row, and says whether it did.
func (t *tx) find(into []any, query string, args ...any) (found bool, err error) {
	err = t.query(func(rows *sql.Rows) error {
		found = true
		return rows.Scan(into...)
	}, query, args...)
	return found, err
}

func (t *tx) prepared(query string) (*sql.Stmt, error) {
	if statement, ok := t.statements[query]; ok {
		return statement, nil
	}
	statement, err := t.conn.PrepareContext(t.ctx, query)
	if err != nil {
		return nil, err
	}
	t.statements[query] = statement
	return statement, nil
}

// each gives every row to scan and closes the rows.
func each(rows *sql.Rows, scan func(*sql.Rows) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
