package sqlite

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

func TestTakeOver(t *testing.T) {
	ctx := context.Background()
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "r.db")
	open := func() *DB {
		db, err := Open(path, Options{Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	db := open()
	q := db.Queue("events", QueueOptions{Visibility: time.Hour})
	if err := q.Send(ctx, responder.Message{Body: []byte("held")}, responder.Message{Body: []byte("delayed"), Delay: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if held, err := q.Receive(ctx, 10, 0); err != nil || len(held) != 1 {
		t.Fatal(held, err)
	}
	event := []byte(`{"id":"1"}`)
	for id, lease := range map[string]time.Time{"leased": now.Add(time.Hour), "free": {}} {
		r := &responder.Run{V: 1, ID: id, State: responder.RunRunning, Lease: lease, Due: now.Add(time.Hour), Created: now, Updated: now, Finding: responder.Finding{Rule: "R", Key: id, Event: event}}
		if err := db.Runs().Create(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	db = open()
	defer db.Close()
	taken, err := db.TakeOver(ctx)
	if err != nil || taken != (TakenOver{Messages: 1, Runs: 1}) {
		t.Fatalf("took over %+v, %v; want one message and one run", taken, err)
	}
	q = db.Queue("events", QueueOptions{Visibility: time.Hour})
	if got, err := q.Receive(ctx, 10, 0); err != nil || len(got) != 1 || string(got[0].Body) != "held" || got[0].Receives != 2 {
		t.Errorf("received %+v, %v; want what was held, for the second time", got, err)
	}
	if due, err := db.Runs().Due(ctx, now, 10); err != nil || len(due) != 1 || due[0] != "leased" {
		t.Errorf("due are %v, %v; want the run that was leased", due, err)
	}
}

// Runs that cannot be decoded do not keep the process from starting, nor the
// others from being listed.
func TestDamagedRuns(t *testing.T) {
	ctx := context.Background()
	db, err := Open(filepath.Join(t.TempDir(), "r.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	now := time.Now()
	for _, id := range []string{"damaged", "foreign", "good"} {
		r := &responder.Run{V: 1, ID: id, State: responder.RunRunning, Lease: now, Due: now, Created: now, Updated: now, Finding: responder.Finding{Rule: "R", Key: id, Event: []byte("{}")}}
		if err := db.Runs().Create(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	err = db.write(ctx, "test", func(tx *tx) error {
		_, err := tx.exec(`UPDATE runs SET payload = x'00' WHERE id IN ('damaged', 'foreign')`)
		if err == nil {
			_, err = tx.exec(`UPDATE runs SET summary = '{"severity":"CRITICAL"}' WHERE id = 'foreign'`)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if taken, err := db.TakeOver(ctx); err != nil || taken.Runs != 1 {
		t.Errorf("took over %+v, %v", taken, err)
	}
	page, err := db.Runs().List(ctx, responder.RunQuery{})
	if err != nil || len(page.Runs) != 3 {
		t.Fatalf("listed %+v, %v", page.Runs, err)
	}
	for _, r := range page.Runs {
		if r.ID == "foreign" && r.State != responder.RunParked {
			t.Errorf("a run whose summary cannot be decoded is listed as %+v", r)
		}
	}
}
