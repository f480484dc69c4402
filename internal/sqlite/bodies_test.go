package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

// A file of an older format keeps all its messages: of that in which they held
// their bodies, and of that in which each was a row of its own.
func TestMessagesOfOldFormats(t *testing.T) {
	held := fmt.Sprint(nanos(time.Now().Add(time.Hour)))
	for format, fill := range map[int]string{
		2: `INSERT INTO messages (seq, queue, visible_at, held, receives, body) VALUES (3, 'q', 1, 0, 0, CAST('new' AS BLOB)), (7, 'q', 2, 0, 4, CAST('old' AS BLOB)), (9, 'q', ` + held + `, 1, 1, CAST('held' AS BLOB))`,
		3: `INSERT INTO messages (seq, queue, visible_at, held, receives) VALUES (3, 'q', 1, 0, 0), (7, 'q', 2, 0, 4), (9, 'q', ` + held + `, 1, 1);
			INSERT INTO bodies (seq, body) VALUES (3, CAST('new' AS BLOB)), (7, CAST('old' AS BLOB)), (9, CAST('held' AS BLOB))`,
	} {
		t.Run(fmt.Sprint(format), func(t *testing.T) { testMessagesOf(t, format, fill) })
	}
}

func testMessagesOf(t *testing.T, format int, fill string) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "r.db")
	func() {
		old, err := sql.Open("sqlite", "file:"+path)
		if err != nil {
			t.Fatal(err)
		}
		defer old.Close()
		conn, err := old.Conn(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for i, migration := range migrations[:format] {
			if err := migrate(ctx, conn, migration, i+1); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := conn.ExecContext(ctx, fill); err != nil {
			t.Fatal(err)
		}
	}()
	db, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	q := db.Queue("q", QueueOptions{})
	if err := q.Send(ctx, responder.Message{Body: []byte("newer")}, responder.Message{Body: []byte("newest")}); err != nil {
		t.Fatal(err)
	}
	deliveries, err := q.Receive(ctx, 10, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range deliveries {
		got = append(got, d.ID+" "+fmt.Sprint(d.Receives)+" "+string(d.Body))
	}
	if want := []string{"3 1 new", "7 5 old", "10 1 newer", "11 1 newest"}; !slices.Equal(got, want) {
		t.Errorf("received %q, want %q", got, want)
	}
	stats, err := db.Stats(ctx)
	if want := (QueueStats{InFlight: 5}); err != nil || stats.Queues["q"] != want {
		t.Errorf("stats are %+v, %v; want %+v", stats.Queues["q"], err, want)
	}
}

// What is acknowledged, buried or put back leaves no body behind, and takes none
// that is another's.
func TestBodiesGoWithTheirMessages(t *testing.T) {
	ctx := context.Background()
	db := openTemp(t)
	q := db.Queue("q", QueueOptions{MaxReceives: 1, Visibility: time.Nanosecond})
	bodies := func() (n int) {
		t.Helper()
		if err := db.read.QueryRowContext(ctx, `SELECT count(*) FROM bodies`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, body := range []string{"acked", "buried", "delivered too often", "stays"} {
		m := responder.Message{Body: []byte(body)}
		if body == "stays" {
			m.Delay = time.Minute
		}
		if err := q.Send(ctx, m); err != nil {
			t.Fatal(err)
		}
	}
	deliveries, err := q.Receive(ctx, 3, 0)
	if err != nil || len(deliveries) != 3 {
		t.Fatal(deliveries, err)
	}
	if err := q.Ack(ctx, deliveries[0]); err != nil {
		t.Fatal(err)
	}
	if n := bodies(); n != 3 {
		t.Errorf("%d bodies after an Ack, want 3", n)
	}
	if err := q.Ack(ctx, deliveries[0]); err == nil {
		t.Error("a stale receipt was taken")
	}
	if err := q.Bury(ctx, deliveries[1], "no good"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Microsecond)
	if more, err := q.Receive(ctx, 3, 0); err != nil || len(more) != 0 {
		t.Fatal(more, err)
	}
	if n := bodies(); n != 1 {
		t.Errorf("%d bodies once all but one are gone, want 1", n)
	}
	if n, err := q.Redrive(ctx); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	again, err := q.Receive(ctx, 3, 0)
	if err != nil || len(again) != 2 || string(again[0].Body) != "buried" || string(again[1].Body) != "delivered too often" {
		t.Fatal(again, err)
	}
	if n := bodies(); n != 3 {
		t.Errorf("%d bodies once two are put back, want 3", n)
	}
}
