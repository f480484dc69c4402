package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"os"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/faults"
)

// applicationID marks the file as Responder's (PRAGMA application_id): "Rspd".
const applicationID = 0x52737064

// checkBelow is the size in bytes under which a file is checked as a whole when
// it is opened, at about 2 ms a MB. Of larger ones the header
// is looked at, and damage elsewhere shows when it is read.
const checkBelow = 64 << 20

// migrations make a file of format N into one of format N+1, in turn. One that
// has been released is never changed.
//
// Times are nanoseconds since 1970. A message is ready, in flight (held) or
// delayed, as visible_at and held say; seq and receives together are its
// receipt, which is why seq is never used again. Its body lies in a table of its
// own, which is written once: what changes at each delivery is then a few bytes,
// and not a page. A row of n messages is a bundle (bundle.go). Payloads stand last, so that the columns before them are read
// without them.
var migrations = []string{`
CREATE TABLE messages (
	seq        INTEGER PRIMARY KEY AUTOINCREMENT,
	queue      TEXT    NOT NULL,
	visible_at INTEGER NOT NULL,
	held       INTEGER NOT NULL DEFAULT 0,
	receives   INTEGER NOT NULL DEFAULT 0,
	body       BLOB    NOT NULL
) STRICT;
CREATE INDEX messages_by_visibility ON messages (queue, visible_at, held);

CREATE TABLE dead (
	seq      INTEGER PRIMARY KEY,
	queue    TEXT    NOT NULL,
	died     INTEGER NOT NULL,
	receives INTEGER NOT NULL,
	cause    TEXT    NOT NULL,
	body     BLOB    NOT NULL
) STRICT;
CREATE INDEX dead_by_time ON dead (queue, died);

CREATE TABLE runs (
	id      TEXT    PRIMARY KEY,
	version INTEGER NOT NULL,
	token   TEXT    NOT NULL,
	state   TEXT    NOT NULL,
	rule    TEXT    NOT NULL,
	flow    TEXT    NOT NULL,
	due     INTEGER,
	created INTEGER NOT NULL,
	updated INTEGER NOT NULL,
	summary TEXT    NOT NULL,
	payload BLOB    NOT NULL
) STRICT;
CREATE INDEX runs_by_due ON runs (due) WHERE due IS NOT NULL;
CREATE INDEX runs_by_time ON runs (created, id, rule, flow);
CREATE INDEX runs_by_state ON runs (state, created, id);

CREATE TABLE counters (
	key     TEXT    PRIMARY KEY,
	n       INTEGER NOT NULL,
	expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX counters_by_expiry ON counters (expires);
CREATE TABLE counter_members (
	key    TEXT NOT NULL,
	member TEXT NOT NULL,
	PRIMARY KEY (key, member)
) STRICT, WITHOUT ROWID;

CREATE TABLE secrets (
	name     TEXT PRIMARY KEY,
	current  TEXT NOT NULL,
	previous TEXT NOT NULL DEFAULT '',
	until    INTEGER
) STRICT, WITHOUT ROWID;
`, `
CREATE TABLE halts (
	flow TEXT PRIMARY KEY,
	halt TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`, `
CREATE TABLE bodies (
	seq  INTEGER PRIMARY KEY,
	body BLOB NOT NULL
) STRICT;
INSERT INTO bodies (seq, body) SELECT seq, body FROM messages;
ALTER TABLE messages DROP COLUMN body;
`, `
ALTER TABLE messages ADD COLUMN n INTEGER NOT NULL DEFAULT 1;
DROP INDEX messages_by_visibility;
CREATE INDEX messages_by_visibility ON messages (queue, visible_at, seq, held, n);
`}

// queryer is a connection or a pool of them.
type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// identify gives the file's format, 0 for an empty one. It changes nothing.
func identify(ctx context.Context, db queryer) (version int, err error) {
	var application, objects int
	for query, into := range map[string]*int{
		"PRAGMA application_id":              &application,
		"PRAGMA user_version":                &version,
		"SELECT count(*) FROM sqlite_schema": &objects,
	} {
		if err := db.QueryRowContext(ctx, query).Scan(into); err != nil {
			return 0, err
		}
	}
	switch {
	case application == 0 && version == 0 && objects == 0:
		return 0, nil
	case application != applicationID:
		return 0, ErrForeign
	case version > len(migrations):
		return 0, fmt.Errorf("its format is %d, this Responder knows %d: %w", version, len(migrations), responder.ErrFutureVersion)
	}
	return version, nil
}

// prepare makes a connection to the file at path, new or old, ready for writing.
func prepare(ctx context.Context, conn *sql.Conn, path string) error {
	version, err := identify(ctx, conn) // before anything is changed
	if err != nil {
		return err
	}
	if err := check(ctx, conn, path); err != nil {
		return err
	}
	var mode string
	if err := conn.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode); err != nil {
		return fmt.Errorf("switch to WAL: %w", err)
	}
	if mode != "wal" {
		return fmt.Errorf("its file system cannot keep a WAL (journal mode stays %q)", mode)
	}
	for _, pragma := range []string{
		"PRAGMA journal_size_limit = 67108864", // what a long log is cut back to, in bytes
		// When the log is folded into the file, in pages: 16 MB. Most bodies are gone
		// by then, and the page of each is copied once for many.
		"PRAGMA wal_autocheckpoint = 4000",
		"PRAGMA cache_size = -16384", // in KB: some bodies on their way, and the indexes' pages
	} {
		if _, err := conn.ExecContext(ctx, pragma); err != nil {
			return fmt.Errorf("%s: %w", pragma, err)
		}
	}
	for i, migration := range migrations[version:] {
		if err := migrate(ctx, conn, migration, version+i+1); err != nil {
			return fmt.Errorf("bring to format %d: %w", version+i+1, err)
		}
	}
	return nil
}

// migrate takes one step to the given format, whole or not at all.
func migrate(ctx context.Context, conn *sql.Conn, migration string, version int) error {
	step, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	faults.Point("migrate", "begun")
	defer step.Rollback() // after Commit it does nothing
	for _, statement := range []string{
		migration,
		fmt.Sprintf("PRAGMA user_version = %d", version),
		fmt.Sprintf("PRAGMA application_id = %d", applicationID),
	} {
		if _, err := step.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	faults.Point("migrate", "written")
	err = step.Commit()
	faults.Point("migrate", "committed")
	return err
}

// check reads a small file through and says what is damaged in it.
func check(ctx context.Context, conn *sql.Conn, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() >= checkBelow {
		return nil
	}
	var verdict string
	if err := conn.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("%w: %s", ErrDamaged, verdict)
	}
	return nil
}
