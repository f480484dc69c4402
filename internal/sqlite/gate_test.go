package sqlite

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

// TestReceiveGivesUpAtTheGate: who waits for another receiver, which a slow disk
// holds up, still heeds its context.
func TestReceiveGivesUpAtTheGate(t *testing.T) {
	q := openTold(t, QueueOptions{})
	q.send(texts(0, 1)...)
	q.gate.looking <- struct{}{} // another one looks
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := q.Receive(ctx, 1, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("gave %v", err)
	}
	<-q.gate.looking
	q.receive(1, 0, 1)
}

// TestCloseAtTheGate: all who receive hear that the file is closed, and nothing
// else, wherever they are just then.
func TestCloseAtTheGate(t *testing.T) {
	for range 20 {
		db, err := Open(filepath.Join(t.TempDir(), "r.db"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		q := db.Queue("q", QueueOptions{})
		var receivers sync.WaitGroup
		for range 4 {
			receivers.Go(func() {
				for {
					if _, err := q.Receive(t.Context(), 1, time.Minute); err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Errorf("gave %v", err)
						}
						return
					}
				}
			})
		}
		if err := q.Send(t.Context(), responder.Message{Body: []byte("x")}, responder.Message{Body: []byte("y")}); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		receivers.Wait()
	}
}
