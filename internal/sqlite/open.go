package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"
)

// Errors of this package, to be told apart with errors.Is.
var (
	ErrInUse    = errors.New("in use by another Responder")
	ErrDamaged  = errors.New("not a database, or a damaged one: put back a copy of it, or name another folder to begin anew (it is left as it is)")
	ErrForeign  = errors.New("a database, but not of Responder")
	ErrReadOnly = errors.New("opened for reading only")
	ErrClosed   = errors.New("closed")

	// What passes, or can be mended from outside; until then nothing is kept.
	ErrFull    = errors.New("the disk is full: make room, and work goes on by itself")
	ErrLocked  = errors.New("another program holds the database locked: end it, and work goes on by itself")
	ErrRefused = errors.New("the disk refuses to read or write: see to the disk, its quota and its mount")
	ErrGuarded = errors.New("the file or its folder cannot be written to: give the right to, or name another folder")
)

// readers bounds the connections that read at the same time.
const readers = 4

// Options tunes a DB.
type Options struct {
	Now func() time.Time // the clock; nil: time.Now
}

// DB is an open file. Safe for concurrent use.
type DB struct {
	path   string
	now    func() time.Time
	lock   *lock   // nil if read-only
	writer *writer // nil if read-only
	read   *sql.DB

	// What is asked all the time, compiled; on read.
	next   *sql.Stmt // when the first message of a queue is visible
	run    *sql.Stmt
	secret *sql.Stmt

	closed chan struct{} // closed by Close
	close  func() error  // closes once, and says the same each time

	mu    sync.Mutex
	gates map[string]*gate // by queue
}

// Open opens the file for this process alone, and makes it if it is not there:
// with mode 0600, missing folders with 0700. Files of an older Responder are
// brought up to date.
//
// ErrInUse: another process has it; ErrDamaged, ErrForeign; ErrFutureVersion
// of the root: a newer Responder wrote it. A file that was not closed cleanly
// is recovered, at the cost of reading its log (16 MB, if nobody who only looks keeps it longer).
func Open(path string, options Options) (*DB, error) {
	db, err := open(path, options)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, explain(err))
	}
	return db, nil
}

func open(path string, options Options) (_ *DB, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	db := newDB(path, options)
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	if db.lock, err = acquire(path + ".lock"); err != nil {
		return nil, err
	}
	if err := makePrivate(path); err != nil {
		return nil, err
	}
	if db.writer, err = newWriter(path); err != nil {
		return nil, err
	}
	db.read, err = openReaders(path)
	if err != nil {
		return nil, err
	}
	return db, db.prepareReads()
}

// OpenReadOnly opens the file to look at it, also while another process has it
// open; every change gives ErrReadOnly. Errors as Open, and fs.ErrNotExist.
func OpenReadOnly(path string, options Options) (*DB, error) {
	db, err := openReadOnly(path, options)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, explain(err))
	}
	return db, nil
}

func openReadOnly(path string, options Options) (_ *DB, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	db := newDB(path, options)
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	if db.read, err = openReaders(path); err != nil {
		return nil, err
	}
	version, err := identify(context.Background(), db.read)
	if err != nil {
		return nil, err
	}
	if version < len(migrations) {
		return nil, fmt.Errorf("its format is %d, this Responder's is %d: let `responder run` bring it up to date first", version, len(migrations))
	}
	return db, db.prepareReads()
}

// prepareReads compiles what is asked all the time.
func (db *DB) prepareReads() (err error) {
	for query, into := range map[string]**sql.Stmt{
		`SELECT min(visible_at) FROM messages WHERE queue = ?`:        &db.next,
		`SELECT payload FROM runs WHERE id = ?`:                       &db.run,
		`SELECT current, previous, until FROM secrets WHERE name = ?`: &db.secret,
	} {
		if *into, err = db.read.Prepare(query); err != nil {
			return err
		}
	}
	return nil
}

func newDB(path string, options Options) *DB {
	now := options.Now
	if now == nil {
		now = time.Now
	}
	db := &DB{path: path, now: now, closed: make(chan struct{}), gates: map[string]*gate{}}
	db.close = sync.OnceValue(db.closeAll)
	return db
}

// openReaders opens the connections that read. They see each commit at once.
func openReaders(path string) (*sql.DB, error) {
	read, err := sql.Open("sqlite", dsn(path, "ro"))
	if err != nil {
		return nil, err
	}
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	return read, nil
}

// dsn names the file to the driver, as a URI because a plain path with a "?"
// in it would be cut there. mode is SQLite's: ro, rw.
func dsn(path, mode string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") { // C:/… on Windows
		path = "/" + path
	}
	uri := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{
		"mode":          {mode},
		"_busy_timeout": {"5000"}, // milliseconds
	}.Encode()}
	return uri.String()
}

// makePrivate sees to it that the file is there and nobody else's to read. The
// files SQLite puts beside it take over its mode.
func makePrivate(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", path)
	}
	if info.Mode().Perm()&^0o600 != 0 {
		return file.Chmod(0o600)
	}
	return nil
}

// Close ends what is under way, folds the log into the file and lets go of it.
// Receives that wait end with ErrClosed.
func (db *DB) Close() error { return db.close() }

func (db *DB) closeAll() error {
	close(db.closed)
	var errs []error
	if db.read != nil {
		errs = append(errs, db.read.Close())
	}
	if db.writer != nil {
		errs = append(errs, db.writer.close())
	}
	if db.lock != nil {
		errs = append(errs, db.lock.release())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close %s: %w", db.path, explain(err))
	}
	return nil
}

// write runs do in a transaction and returns once that is durable. what names
// the operation.
func (db *DB) write(ctx context.Context, what string, do func(*tx) error) error {
	return db.submit(&job{ctx: ctx, what: what, do: do, durable: true})
}

// writeSoon runs do in a transaction that survives a killed process, but a
// power cut only once a later write has.
func (db *DB) writeSoon(ctx context.Context, what string, do func(*tx) error) error {
	return db.submit(&job{ctx: ctx, what: what, do: do})
}

func (db *DB) submit(j *job) error {
	if db.writer == nil {
		return ErrReadOnly
	}
	return db.writer.run(j)
}

// gate gives the gate of a queue, one for all who use the queue's name.
func (db *DB) gate(queue string) *gate {
	db.mu.Lock()
	defer db.mu.Unlock()
	g := db.gates[queue]
	if g == nil {
		g = &gate{looking: make(chan struct{}, 1), changed: make(chan struct{})}
		db.gates[queue] = g
	}
	return g
}

// failed says which operation an error ended.
func failed(operation string, err error) error {
	return fmt.Errorf("%s: %w", operation, explain(err))
}

// explain marks errors of SQLite and of files that have a name here.
func explain(err error) error {
	name := nameOf(err)
	if name == nil || errors.Is(err, name) {
		return err
	}
	return fmt.Errorf("%w: %w", name, err)
}

func nameOf(err error) error {
	var e *driver.Error
	switch {
	case errors.As(err, &e):
		return nameOfCode(e.Code() & 0xff) // the rest is detail
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return ErrGuarded
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return ErrFull
	}
	return nil
}

func nameOfCode(code int) error {
	switch code {
	case codes.SQLITE_NOTADB, codes.SQLITE_CORRUPT:
		return ErrDamaged
	case codes.SQLITE_FULL:
		return ErrFull
	case codes.SQLITE_BUSY, codes.SQLITE_LOCKED:
		return ErrLocked
	case codes.SQLITE_IOERR:
		return ErrRefused
	case codes.SQLITE_READONLY, codes.SQLITE_CANTOPEN:
		return ErrGuarded
	}
	return nil
}
