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
