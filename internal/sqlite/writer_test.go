package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"
)

func openTemp(t *testing.T) *DB {
	t.Helper()
	db, err := Open(filepath.Join(t.TempDir(), "responder.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// A job that fails, or whose caller is gone, is undone alone.
func TestGroupCommit(t *testing.T) {
	db := openTemp(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	boom := errors.New("boom")
	set := func(name string, err error) func(*tx) error {
		return func(tx *tx) error {
			if _, execErr := tx.exec(`INSERT INTO secrets (name, current) VALUES (?, 'v')`, name); execErr != nil {
				return execErr
			}
			return err
		}
	}
	group := []*job{
		{ctx: t.Context(), do: set("a", nil)},
		{ctx: t.Context(), do: set("b", boom), durable: true},
		{ctx: gone, do: set("c", nil)},
		{ctx: t.Context(), do: set("a", nil)}, // there already
		{ctx: t.Context(), do: set("d", nil)},
	}
	if err := db.writer.commit(group); err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		err    error
		stored string
	}{{nil, "a"}, {boom, ""}, {context.Canceled, ""}, {nil, "a"}, {nil, "d"}} {
		if i == 3 {
			if group[3].err == nil {
				t.Error("inserting twice gave no error")
			}
			continue
		}
		if !errors.Is(group[i].err, want.err) {
			t.Errorf("job %d gave %v, want %v", i, group[i].err, want.err)
		}
	}
	for name, want := range map[string]bool{"a": true, "b": false, "c": false, "d": true} {
		if _, err := db.Secrets().Get(t.Context(), name); (err == nil) != want {
			t.Errorf("after the commit, secret %s: %v; want it there: %v", name, err, want)
		}
	}
}

// Jobs are run once, but where one has failed and may have changed something:
// then twice, and what it changed is undone alone.
func TestGroupIsRunOnce(t *testing.T) {
	const insert = `INSERT INTO secrets (name, current) VALUES (?, 'v')`
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		do    func(*tx) error
		times int
	}{
		"does well":       {func(*tx) error { return nil }, 1},
		"fails unchanged": {func(*tx) error { return boom }, 1},
		"looks and fails": {func(tx *tx) error { _, err := tx.find(nil, `SELECT 1 WHERE 0`); return errors.Join(err, boom) }, 1},
		"changes nothing, fails": {func(tx *tx) error {
			_, err := tx.exec(`DELETE FROM secrets WHERE name = 'none'`)
			return errors.Join(err, boom)
		}, 1},
		"changes and fails": {func(tx *tx) error { _, err := tx.exec(insert, "bad"); return errors.Join(err, boom) }, 2},
		"returns and fails": {func(tx *tx) error {
			var gone string
			_, err := tx.find([]any{&gone}, insert+` RETURNING name`, "bad")
			return errors.Join(err, boom)
		}, 2},
		"fails by a statement": {func(tx *tx) error { _, err := tx.exec(insert, nil); return err }, 2},
		"fails by a look":      {func(tx *tx) error { var x string; _, err := tx.find([]any{&x}, `SELECT json('[')`); return err }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			db, times := openTemp(t), 0
			before := func(tx *tx) error { times++; _, err := tx.exec(insert, "before"); return err }
			after := func(tx *tx) error { _, err := tx.exec(insert, "after"); return err }
			group := []*job{{ctx: t.Context(), do: before}, {ctx: t.Context(), do: c.do}, {ctx: t.Context(), do: after}}
			if err := db.writer.commit(group); err != nil {
				t.Fatal(err)
			}
			if group[0].err != nil || group[2].err != nil || (group[1].err == nil) != (name == "does well") {
				t.Errorf("jobs gave %v, %v, %v", group[0].err, group[1].err, group[2].err)
			}
			if times != c.times {
				t.Errorf("the jobs are run %d times, want %d", times, c.times)
			}
			for name, want := range map[string]bool{"before": true, "bad": false, "after": true} {
				if _, err := db.Secrets().Get(t.Context(), name); (err == nil) != want {
					t.Errorf("after the commit, secret %s: %v; want it there: %v", name, err, want)
				}
			}
		})
	}
}

// A full disk is everybody's error, loses nothing, and passes.
func TestDiskFull(t *testing.T) {
	db := openTemp(t)
	q := db.Queue("events", QueueOptions{})
	if err := q.Send(t.Context(), responder.Message{Body: []byte("before")}); err != nil {
		t.Fatal(err)
	}
	limit := func(pages int) {
		t.Helper()
		if err := db.write(t.Context(), "test", func(tx *tx) error {
			_, err := tx.conn.ExecContext(tx.ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	large := responder.Message{Body: []byte(strings.Repeat("x", 100_000))}
	limit(1) // SQLite takes the present size then
	for range 3 {
		err := q.Send(t.Context(), large)
		var e *driver.Error
		if !errors.As(err, &e) || e.Code()&0xff != codes.SQLITE_FULL {
			t.Fatalf("Send to a full disk: %v, want SQLITE_FULL", err)
		}
	}
	limit(1 << 30)
	if err := q.Send(t.Context(), large); err != nil {
		t.Fatalf("Send once there is room: %v", err)
	}
	deliveries, err := q.Receive(t.Context(), 10, 0)
	if err != nil || len(deliveries) != 2 {
		t.Errorf("Receive gave %d, %v; want the message of before and the last", len(deliveries), err)
	}
}

// Durability is what the groups ask for: FULL if one of them asks.
func TestSync(t *testing.T) {
	db := openTemp(t)
	level := func(durable ...bool) (level int) {
		t.Helper()
		var group []*job
		for _, d := range durable {
			group = append(group, &job{ctx: t.Context(), durable: d, do: func(tx *tx) error {
				_, err := tx.find([]any{&level}, "PRAGMA synchronous")
				return err
			}})
		}
		if err := db.writer.commit(group); err != nil {
			t.Fatal(err)
		}
		return level
	}
	const normal, full = 1, 2
	for _, c := range []struct {
		group []bool
		want  int
	}{{[]bool{true}, full}, {[]bool{false}, normal}, {[]bool{false, true, false}, full}, {[]bool{false, false}, normal}, {[]bool{true, true}, full}} {
		if got := level(c.group...); got != c.want {
			t.Errorf("group %v is committed at level %d, want %d", c.group, got, c.want)
		}
	}
}

// Who waits for the disk.
func TestWaitsForTheDisk(t *testing.T) {
	db, ctx := openTemp(t), t.Context()
	message, now := responder.Message{Body: []byte("x")}, time.Now()
	events, findings := db.Queue("events", QueueOptions{}), db.Queue("findings", QueueOptions{Derived: true})
	run := &responder.Run{V: 1, ID: "r", Due: now, Created: now, Updated: now, Finding: responder.Finding{Event: []byte("{}")}}
	var held []responder.Delivery
	for _, c := range []struct {
		what  string
		waits bool
		do    func() error
	}{
		{"Send", true, func() error { return events.Send(ctx, message, message, message) }},
		{"Receive", false, func() (err error) { held, err = events.Receive(ctx, 3, 0); return err }},
		{"Send of what is derived", false, func() error { return findings.Send(ctx, message) }},
		{"Bury", true, func() error { return events.Bury(ctx, held[0], "cause") }},
		{"Release", false, func() error { return events.Release(ctx, held[1], 0) }},
		{"Redrive", true, func() error { _, err := events.Redrive(ctx); return err }},
		{"Ack", false, func() error { return events.Ack(ctx, held[2]) }},
		{"Create", true, func() error { return db.Runs().Create(ctx, run) }},
		{"Save", true, func() error { db.writer.tx.synced = false; return db.Runs().Save(ctx, run) }},
	} {
		if err := c.do(); err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		if db.writer.tx.synced != c.waits {
			t.Errorf("%s waits for the disk: %v, want %v", c.what, db.writer.tx.synced, c.waits)
		}
	}
}

// What runs often walks an index, and sorts nothing.
func TestQueryPlans(t *testing.T) {
	db := openTemp(t)
	plans := map[string]string{
		"nearest": `SELECT min(visible_at) FROM messages WHERE queue = 'q'`,
		"ready":   `SELECT seq, n, receives FROM messages JOIN bodies USING (seq) WHERE queue = 'q' AND visible_at <= 1 ORDER BY visible_at LIMIT 1`,
		"dead":    `SELECT seq, died, receives, cause, body FROM dead WHERE queue = 'q' ORDER BY died, seq LIMIT 1`,
		"due":     `SELECT id FROM runs WHERE due <= 1 ORDER BY due LIMIT 1`,
		"prune":   `SELECT id FROM runs WHERE state = 's' AND created < 1 AND updated < 1 LIMIT 1`,
		"expired": `SELECT key FROM counters WHERE expires <= 1 LIMIT 1`,
		"secret":  `SELECT current, previous, until FROM secrets WHERE name = 'n'`,
	}
	for name, query := range map[string]responder.RunQuery{
		"list":          {},
		"list by state": {State: responder.RunFailed},
		"list since":    {Since: time.Unix(1, 0)},
		"list on":       {Cursor: "1/a", State: responder.RunFailed},
		"list by rule":  {Rule: "r", Flow: "f"},
	} {
		where, args, err := conditions(query)
		if err != nil {
			t.Fatal(err)
		}
		for _, arg := range args {
			where = strings.Replace(where, "?", fmt.Sprintf("'%v'", arg), 1)
		}
		plans[name] = `SELECT id, created, summary FROM runs WHERE ` + where + ` ORDER BY created DESC, id DESC LIMIT 10`
	}
	for name, query := range plans {
		rows, err := db.read.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := each(rows, func(rows *sql.Rows) error {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				return err
			}
			if strings.Contains(detail, "TEMP B-TREE") || strings.HasPrefix(detail, "SCAN") && !strings.Contains(detail, "INDEX") {
				t.Errorf("%s: %s", name, detail)
			}
			return nil
		}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

func TestNanos(t *testing.T) {
	for _, c := range []struct {
		given, want time.Time
	}{
		{time.Unix(1, 2), time.Unix(1, 2)},
		{time.Unix(0, -1), time.Unix(0, -1)},
		{time.Time{}, time.Unix(0, -1<<63)},
		{time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(0, 1<<63-1)},
		{time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600)), time.Date(2026, 1, 2, 2, 4, 5, 6, time.UTC)},
	} {
		if got := fromNanos(nanos(c.given)); !got.Equal(c.want) {
			t.Errorf("%v is kept as %v, want %v", c.given, got, c.want)
		}
	}
}

func FuzzReceipt(f *testing.F) {
	for _, text := range []string{"1.1", "9223372036854775807.3", "", ".", "1", "1.", "0.0", "-1.1", "01.1", "1.1.1", "99999999999999999999.1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseReceipt(text)
		if err != nil {
			if !errors.Is(err, responder.ErrStaleReceipt) {
				t.Errorf("parseReceipt(%q): %v, want ErrStaleReceipt", text, err)
			}
			return
		}
		if r.String() != text || r.seq < 1 || r.receives < 1 {
			t.Errorf("parseReceipt(%q) gave %+v", text, r)
		}
	})
}

func FuzzCursor(f *testing.F) {
	for _, text := range []string{"1/a", "-1/a/b", "", "/", "1/", "+1/a", "01/a", "99999999999999999999/a", "1/\x00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := parsePlace(text); err == nil && p.String() != text {
			t.Errorf("parsePlace(%q) gave %+v", text, p)
		}
	})
}
