package sqlite_test

import (
	"bytes"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/sqlite"
)

func send(t testing.TB, q *sqlite.Queue, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := q.Send(t.Context(), responder.Message{Body: []byte(text)}); err != nil {
			t.Fatal(err)
		}
	}
}

func receive(t testing.TB, q *sqlite.Queue, n int) []responder.Delivery {
	t.Helper()
	deliveries, err := q.Receive(t.Context(), n, 0)
	if err != nil || len(deliveries) != n {
		t.Fatalf("Receive gave %d, %v; want %d", len(deliveries), err, n)
	}
	return deliveries
}

func closed(t *testing.T, db *sqlite.DB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// edit changes a file as only a bug, or another program, would.
func edit(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
}

func newRun(id string, state responder.RunState, at time.Time) *responder.Run {
	run := &responder.Run{
		V: 1, ID: id, Token: "t", Flow: responder.FlowSnapshot{Name: "tell"}, State: state, Created: at, Updated: at,
		Finding: responder.Finding{Rule: "RootLogin", Severity: responder.Extreme, Event: []byte(`{}`)},
	}
	if !state.Ended() {
		run.Due = at
	}
	return run
}

func create(t *testing.T, db *sqlite.DB, run *responder.Run) {
	t.Helper()
	if err := db.Runs().Create(t.Context(), run); err != nil {
		t.Error(err)
	}
}

func TestStateSurvivesClose(t *testing.T) {
	path, c, ctx := newPath(t), newClock(), t.Context()
	options := sqlite.QueueOptions{Visibility: time.Minute}
	db := openAt(t, path, c.Now)
	q := db.Queue("events", options)
	send(t, q, "acked", "in flight", "dead", "ready")
	deliveries := receive(t, q, 3)
	if err := errors.Join(
		q.Ack(ctx, deliveries[0]),
		q.Bury(ctx, deliveries[2], "cause"),
		db.Secrets().Set(ctx, "slack", "old"),
		db.Secrets().Set(ctx, "slack", "new"),
	); err != nil {
		t.Fatal(err)
	}
	run := newRun("a", responder.RunWaiting, c.Now())
	create(t, db, run)
	run.Token, run.Cause = "next", "saved"
	if err := db.Runs().Save(ctx, run); err != nil {
		t.Fatal(err)
	}
	if _, _, err := db.Counters().Add(ctx, "k", "a", 1, c.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	closed(t, db)
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the log is still there after Close: %v", err)
	}

	db = openAt(t, path, c.Now)
	q = db.Queue("events", options)
	if d := receive(t, q, 1); string(d[0].Body) != "ready" {
		t.Errorf("got %q, want ready: the other is in flight", d[0].Body)
	}
	if err := q.Release(ctx, deliveries[1], 0); err != nil {
		t.Errorf("Release with a receipt from before: %v", err)
	}
	if d := receive(t, q, 1); string(d[0].Body) != "in flight" || d[0].Receives != 2 {
		t.Errorf("got %+v, want the released one, received twice", d[0])
	}
	if letters, err := q.List(ctx, 10); err != nil || len(letters) != 1 || letters[0].Cause != "cause" || !letters[0].Died.Equal(c.Now()) {
		t.Errorf("dead letters are %+v, %v", letters, err)
	}
	if got, err := db.Runs().Get(ctx, "a"); err != nil || got.Version != 2 || got.Cause != "saved" {
		t.Errorf("run is %+v, %v", got, err)
	}
	if n, admitted, err := db.Counters().Add(ctx, "k", "b", 1, c.Now().Add(time.Hour)); err != nil || n != 1 || admitted {
		t.Errorf("counter gave %d, %v, %v", n, admitted, err)
	}
	if secret, err := db.Secrets().Get(ctx, "slack"); err != nil || secret.Current.Reveal() != "new" || secret.Previous.Reveal() != "old" {
		t.Errorf("secret is not as set: %v", err)
	}
}

func TestOneOwner(t *testing.T) {
	path := newPath(t)
	db := openAt(t, path, time.Now)
	_, err := sqlite.Open(path, sqlite.Options{})
	if !errors.Is(err, sqlite.ErrInUse) || !strings.Contains(err.Error(), path) || runtime.GOOS != "windows" && !strings.Contains(err.Error(), "(process ") {
		t.Errorf("a second Open gave %v, want ErrInUse with path and process", err)
	}
	closed(t, db)
	closed(t, openAt(t, path, time.Now))
}

func TestReadOnly(t *testing.T) {
	path, ctx := newPath(t), t.Context()
	db := openAt(t, path, time.Now)
	send(t, db.Queue("events", sqlite.QueueOptions{}), "a")
	look := func(when string, want int) {
		t.Helper()
		viewer, err := sqlite.OpenReadOnly(path, sqlite.Options{})
		if err != nil {
			t.Fatalf("OpenReadOnly %s: %v", when, err)
		}
		defer closed(t, viewer)
		stats, err := viewer.Stats(ctx)
		if err != nil || stats.Queues["events"].Ready != want {
			t.Errorf("%s: %+v, %v; want %d ready", when, stats, err, want)
		}
		q := viewer.Queue("events", sqlite.QueueOptions{})
		for name, err := range map[string]error{
			"Send":   q.Send(ctx, responder.Message{Body: []byte("x")}),
			"Set":    viewer.Secrets().Set(ctx, "n", "v"),
			"Create": viewer.Runs().Create(ctx, newRun("a", responder.RunFailed, time.Now())),
		} {
			if !errors.Is(err, sqlite.ErrReadOnly) {
				t.Errorf("%s: %s gave %v, want ErrReadOnly", when, name, err)
			}
		}
	}
	look("while its owner lives", 1)
	viewer, err := sqlite.OpenReadOnly(path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	send(t, db.Queue("events", sqlite.QueueOptions{}), "b")
	if stats, err := viewer.Stats(ctx); err != nil || stats.Queues["events"].Ready != 2 {
		t.Errorf("one that looks sees %+v, %v; want what was sent meanwhile", stats, err)
	}
	closed(t, db) // while somebody looks
	closed(t, viewer)
	look("after a clean close", 2)
	if again := openAt(t, path, time.Now); again != nil {
		look("with another owner", 2)
	}

	if _, err := sqlite.OpenReadOnly(newPath(t), sqlite.Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("OpenReadOnly of nothing gave %v, want fs.ErrNotExist", err)
	}
	empty := filepath.Join(t.TempDir(), "empty.db")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.OpenReadOnly(empty, sqlite.Options{}); err == nil || !strings.Contains(err.Error(), "responder run") {
		t.Errorf("OpenReadOnly of an older format gave %v, want what to do", err)
	}
}

func TestFilesArePrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	path := filepath.Join(t.TempDir(), "new", "state", "responder.db")
	db := openAt(t, path, time.Now)
	send(t, db.Queue("events", sqlite.QueueOptions{}), "a")
	for name, want := range map[string]fs.FileMode{
		filepath.Dir(path): 0o700, filepath.Dir(filepath.Dir(path)): 0o700,
		path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600, path + ".lock": 0o600,
	} {
		info, err := os.Stat(name)
		if err != nil {
			t.Errorf("%v", err)
		} else if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", name, got, want)
		}
	}
	closed(t, db)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	openAt(t, path, time.Now)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a file that others could read is left so: %v, %v", info.Mode(), err)
	}
}

func TestPathsOfAnyName(t *testing.T) {
	for _, name := range []string{"a b.db", "a?mode=memory.db", "a#b.db", "a%20b.db", "ü 根.db", "a&b='c'.db", "-"} {
		if runtime.GOOS == "windows" && strings.ContainsAny(name, "?") {
			continue
		}
		path := filepath.Join(t.TempDir(), name)
		db := openAt(t, path, time.Now)
		send(t, db.Queue("events", sqlite.QueueOptions{}), "a")
		closed(t, db)
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("%q does not hold what was sent: %v", name, err)
		}
	}
}

// A file that is not what it should be is named, and left as it is.
func TestWrongFiles(t *testing.T) {
	full := func(t *testing.T, path string) []byte {
		db := openAt(t, path, time.Now)
		for range 50 {
			send(t, db.Queue("events", sqlite.QueueOptions{}), strings.Repeat("x", 3000))
		}
		closed(t, db)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	write := func(t *testing.T, path string, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		make func(t *testing.T, path string)
		want error
	}{
		{"text", func(t *testing.T, path string) { write(t, path, bytes.Repeat([]byte("not a database\n"), 500)) }, sqlite.ErrDamaged},
		{"a few bytes", func(t *testing.T, path string) { write(t, path, []byte("xyz")) }, sqlite.ErrDamaged},
		{"cut off", func(t *testing.T, path string) { data := full(t, path); write(t, path, data[:len(data)/2]) }, sqlite.ErrDamaged},
		{"only its header", func(t *testing.T, path string) { write(t, path, full(t, path)[:100]) }, sqlite.ErrDamaged},
		{"pages overwritten", func(t *testing.T, path string) {
			data := full(t, path)
			copy(data[2*4096:], bytes.Repeat([]byte{0xa5}, 3*4096))
			write(t, path, data)
		}, sqlite.ErrDamaged},
		{"of another program", func(t *testing.T, path string) { edit(t, path, "CREATE TABLE t (a)") }, sqlite.ErrForeign},
		{"of another program that says so", func(t *testing.T, path string) { edit(t, path, "PRAGMA application_id = 7", "PRAGMA user_version = 1") }, sqlite.ErrForeign},
		{"of a newer Responder", func(t *testing.T, path string) { full(t, path); edit(t, path, "PRAGMA user_version = 99") }, responder.ErrFutureVersion},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "responder.db")
			c.make(t, path)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := sqlite.Open(path, sqlite.Options{}); !errors.Is(err, c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("Open gave %v, want %v with the path", err, c.want)
			}
			if c.name != "pages overwritten" { // of which only reading them tells
				if _, err := sqlite.OpenReadOnly(path, sqlite.Options{}); !errors.Is(err, c.want) {
					t.Errorf("OpenReadOnly gave %v, want %v", err, c.want)
				}
			}
			after, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(before, after) {
				t.Errorf("Open changed the file (%v)", err)
			}
		})
	}
	if _, err := sqlite.Open(t.TempDir(), sqlite.Options{}); err == nil {
		t.Error("Open of a folder gave no error")
	}
}

// A run that cannot be decoded is an error to read, and stays in the list.
func TestUndecodableRun(t *testing.T) {
	path := newPath(t)
	db := openAt(t, path, time.Now)
	create(t, db, newRun("a", responder.RunFailed, time.Now()))
	closed(t, db)
	edit(t, path, "UPDATE runs SET payload = x'00'")
	db = openAt(t, path, time.Now)
	if _, err := db.Runs().Get(t.Context(), "a"); err == nil || errors.Is(err, responder.ErrNotFound) {
		t.Errorf("Get gave %v, want what is wrong with it", err)
	}
	if page, err := db.Runs().List(t.Context(), responder.RunQuery{}); err != nil || len(page.Runs) != 1 {
		t.Errorf("List gave %v, %v; want the run", page, err)
	}
}

func TestClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		db := openAt(t, newPath(t), time.Now)
		q := db.Queue("events", sqlite.QueueOptions{})
		waited := make(chan error)
		go func() {
			_, err := q.Receive(ctx, 1, time.Hour)
			waited <- err
		}()
		synctest.Wait()
		closed(t, db)
		if err := <-waited; !errors.Is(err, sqlite.ErrClosed) {
			t.Errorf("a Receive that waited gave %v, want ErrClosed", err)
		}
		if err := q.Send(ctx, responder.Message{Body: []byte("x")}); !errors.Is(err, sqlite.ErrClosed) {
			t.Errorf("Send gave %v, want ErrClosed", err)
		}
		if _, err := db.Runs().Get(ctx, "a"); err == nil || errors.Is(err, responder.ErrNotFound) {
			t.Errorf("Get gave %v, want an error that says it is closed", err)
		}
		closed(t, db) // once more is no error
	})
}

// A Receive that waits wakes at the very moment a message becomes deliverable,
// and gives up at the very moment its wait is over.
func TestReceiveWaitsToTheMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openAt(t, newPath(t), time.Now).Queue("events", sqlite.QueueOptions{Visibility: 10 * time.Second})
		began := time.Now()
		if err := q.Send(t.Context(), responder.Message{Body: []byte("x"), Delay: 3 * time.Second}); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			wait time.Duration
			n    int
			at   time.Duration
		}{{12 * time.Second, 1, 3 * time.Second}, {12 * time.Second, 1, 13 * time.Second}, {5 * time.Second, 0, 18 * time.Second}} {
			deliveries, err := q.Receive(t.Context(), 1, c.wait)
			if err != nil || len(deliveries) != c.n || time.Since(began) != c.at {
				t.Errorf("Receive gave %d, %v after %v; want %d after %v", len(deliveries), err, time.Since(began), c.n, c.at)
			}
		}
	})
}

func TestStats(t *testing.T) {
	db, c := openNew(t)
	ctx := t.Context()
	events, findings := db.Queue("events", sqlite.QueueOptions{Visibility: time.Minute}), db.Queue("findings", sqlite.QueueOptions{})
	want := func(quiet bool, e, f sqlite.QueueStats) {
		t.Helper()
		stats, err := db.Stats(ctx)
		if err != nil || stats.Queues["events"] != e || stats.Queues["findings"] != f || stats.Quiet() != quiet {
			t.Errorf("stats are %+v (quiet: %v), %v; want %+v, %+v (quiet: %v)", stats, stats.Quiet(), err, e, f, quiet)
		}
	}
	none := sqlite.QueueStats{}
	want(true, none, none)
	send(t, events, "a", "b", "c", "d")
	if err := findings.Send(ctx, responder.Message{Body: []byte("x"), Delay: 10 * time.Minute}); err != nil {
		t.Fatal(err)
	}
	deliveries := receive(t, events, 3)
	if err := errors.Join(events.Release(ctx, deliveries[0], time.Second), events.Bury(ctx, deliveries[1], "cause")); err != nil {
		t.Fatal(err)
	}
	want(false, sqlite.QueueStats{Ready: 1, InFlight: 1, Delayed: 1, Dead: 1}, sqlite.QueueStats{Delayed: 1})
	c.Advance(time.Minute)
	want(false, sqlite.QueueStats{Ready: 3, Dead: 1}, sqlite.QueueStats{Delayed: 1})
	if err := events.Ack(ctx, receive(t, events, 3)...); err != nil {
		t.Fatal(err)
	}
	want(false, sqlite.QueueStats{Dead: 1}, sqlite.QueueStats{Delayed: 1})
	c.Advance(10 * time.Minute)
	if err := findings.Ack(ctx, receive(t, findings, 1)...); err != nil {
		t.Fatal(err)
	}
	want(true, sqlite.QueueStats{Dead: 1}, none)

	create(t, db, newRun("a", responder.RunFailed, c.Now()))
	create(t, db, newRun("b", responder.RunFailed, c.Now()))
	want(true, sqlite.QueueStats{Dead: 1}, none)
	create(t, db, newRun("c", responder.RunWaiting, c.Now()))
	want(false, sqlite.QueueStats{Dead: 1}, none)
	if stats, err := db.Stats(ctx); err != nil || len(stats.Runs) != 2 || stats.Runs[responder.RunFailed] != 2 || stats.Runs[responder.RunWaiting] != 1 {
		t.Errorf("runs are %v, %v; want 2 failed, 1 waiting", stats.Runs, err)
	}
}

func TestPrune(t *testing.T) {
	path, c, ctx := newPath(t), newClock(), t.Context()
	db := openAt(t, path, c.Now)
	for _, state := range responder.RunStates() {
		create(t, db, newRun(string(state), state, c.Now()))
	}
	closed(t, db)
	edit(t, path, `
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1201) -- more than two batches
		INSERT INTO runs SELECT i, version, token, state, rule, flow, due, created, updated, summary, payload FROM runs, n WHERE id = 'succeeded'`)
	db = openAt(t, path, c.Now)
	late := newRun("late", responder.RunRunning, c.Now())
	create(t, db, late)
	for _, key := range []string{"short", "long"} {
		for _, member := range []string{"a", "b"} {
			expires := c.Now().Add(time.Hour)
			if key == "long" {
				expires = c.Now().Add(2 * responder.RunRetention)
			}
			if _, _, err := db.Counters().Add(ctx, key, member, 0, expires); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(db.Secrets().Set(ctx, "s", "old"), db.Secrets().Set(ctx, "s", "new")); err != nil {
		t.Fatal(err)
	}
	prune := func(want sqlite.Pruned) {
		t.Helper()
		if got, err := db.Prune(ctx); err != nil || got != want {
			t.Errorf("Prune gave %+v, %v; want %+v", got, err, want)
		}
	}
	prune(sqlite.Pruned{})
	c.Advance(time.Hour)
	prune(sqlite.Pruned{Counters: 1})
	late.Token, late.State, late.Due, late.Updated = "ended", responder.RunFailed, time.Time{}, c.Now()
	if err := db.Runs().Save(ctx, late); err != nil {
		t.Fatal(err)
	}
	c.Advance(responder.RunRetention - time.Hour)
	prune(sqlite.Pruned{Secrets: 1})
	c.Advance(1)
	prune(sqlite.Pruned{Runs: 1201 + 5})
	for _, kept := range []string{"running", "waiting", "awaiting_approval", "parked", "late"} {
		if _, err := db.Runs().Get(ctx, kept); err != nil {
			t.Errorf("run %s was pruned: %v", kept, err)
		}
	}
	c.Advance(time.Hour)
	prune(sqlite.Pruned{Runs: 1})
	if n, _, err := db.Counters().Add(ctx, "long", "c", 0, c.Now()); err != nil || n != 3 {
		t.Errorf("the counter that lasts gave %d, %v; want 3", n, err)
	}
}

func TestSecretSetAgain(t *testing.T) {
	db, _ := openNew(t)
	ctx, secrets := t.Context(), db.Secrets()
	for _, value := range []string{"old", "new", "new"} {
		if err := secrets.Set(ctx, "s", value); err != nil {
			t.Fatal(err)
		}
	}
	if secret, err := secrets.Get(ctx, "s"); err != nil || secret.Previous.Reveal() != "old" {
		t.Error("setting the same value again forgot the one before")
	}
	for _, c := range []struct{ name, value string }{{"", "v"}, {"n", ""}} {
		if err := secrets.Set(ctx, c.name, c.value); err == nil {
			t.Errorf("Set(%q, %q) gave no error", c.name, c.value)
		}
	}
}
