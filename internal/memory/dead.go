package memory

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/skycrafters/responder"
)

// Bury implements responder.Dead.
func (q *Queue) Bury(ctx context.Context, delivery responder.Delivery, cause string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("bury: %w", err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	m := q.take(delivery)
	if m == nil {
		return fmt.Errorf("bury %s: %w", delivery.ID, responder.ErrStaleReceipt)
	}
	q.bury(m, cause)
	return nil
}

// bury adds a message, taken from the queue, to the dead letters.
func (q *Queue) bury(m *message, cause string) {
	q.letters = append(q.letters, responder.DeadLetter{
		ID: strconv.Itoa(m.id), Queue: q.name, Cause: cause, Receives: m.receives, Died: q.now(), Body: m.body,
	})
}

// List implements responder.Dead.
func (q *Queue) List(ctx context.Context, max int) ([]responder.DeadLetter, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	if max < 1 {
		return nil, fmt.Errorf("list dead letters: max is %d, must be at least 1", max)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	letters := slices.Clone(q.letters[:min(max, len(q.letters))])
	for i := range letters {
		letters[i].Body = bytes.Clone(letters[i].Body)
	}
	return letters, nil
}

// Redrive implements responder.Dead. A message put back gets a new id.
func (q *Queue) Redrive(ctx context.Context, ids ...string) (int, error) {
	letters, err := q.exhume(ctx, ids, func(l responder.DeadLetter) { q.put(l.Body, q.now()) })
	if err != nil {
		return 0, fmt.Errorf("redrive: %w", err)
	}
	return letters, nil
}

// Purge implements responder.Dead.
func (q *Queue) Purge(ctx context.Context, ids ...string) (int, error) {
	letters, err := q.exhume(ctx, ids, func(responder.DeadLetter) {})
	if err != nil {
		return 0, fmt.Errorf("purge: %w", err)
	}
	return letters, nil
}

// exhume takes letters out, all if none is named, does something with each and counts them.
func (q *Queue) exhume(ctx context.Context, ids []string, do func(responder.DeadLetter)) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	before := len(q.letters)
	q.letters = slices.DeleteFunc(q.letters, func(l responder.DeadLetter) bool {
		if len(ids) > 0 && !slices.Contains(ids, l.ID) {
			return false
		}
		do(l)
		return true
	})
	q.ring()
	return before - len(q.letters), nil
}
