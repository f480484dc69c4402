package memory

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/skycrafters/responder"
)

var (
	_ responder.Queue = (*Queue)(nil)
	_ responder.Dead  = (*Queue)(nil)
)

// QueueOptions tunes a queue.
type QueueOptions struct {
	Visibility  time.Duration // how long a delivery is hidden from others; 0: 30 s
	MaxReceives int           // deliveries without an Ack before a message is dead; 0: no bound
}

// Queue is a queue with its dead letters.
type Queue struct {
	name    string
	now     func() time.Time
	options QueueOptions

	mu       sync.Mutex
	messages []*message // in the order they were sent
	letters  []responder.DeadLetter
	last     int           // id of the newest message
	changed  chan struct{} // closed, and replaced, when a message may have become deliverable
}

// message is one on the queue. It is deliverable from visible on.
type message struct {
	id       int
	body     []byte
	visible  time.Time
	receives int
}

// NewQueue makes an empty queue that takes its time from now.
func NewQueue(name string, now func() time.Time, options QueueOptions) *Queue {
	if options.Visibility == 0 {
		options.Visibility = 30 * time.Second
	}
	return &Queue{name: name, now: now, options: options, changed: make(chan struct{})}
}

// Send implements responder.Sender.
func (q *Queue) Send(ctx context.Context, messages ...responder.Message) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	refused := map[int]error{}
	for i, m := range messages {
		if err := m.Check(); err != nil {
			refused[i] = err
			continue
		}
		q.put(bytes.Clone(m.Body), q.now().Add(m.Delay))
	}
	q.ring()
	if len(refused) > 0 {
		return &responder.SendError{Failed: refused}
	}
	return nil
}

// Receive implements responder.Queue. wait passes in real time, whatever now says.
func (q *Queue) Receive(ctx context.Context, max int, wait time.Duration) ([]responder.Delivery, error) {
	if max < 1 {
		return nil, fmt.Errorf("receive: max is %d, must be at least 1", max)
	}
	patience := time.NewTimer(wait)
	defer patience.Stop()
	for {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("receive: %w", err)
		}
		deliveries, next, changed := q.claim(max)
		if len(deliveries) > 0 || wait <= 0 {
			return deliveries, nil
		}
		ready := time.NewTimer(next)
		select {
		case <-changed:
		case <-ready.C:
		case <-patience.C:
			wait = 0 // one last look
		case <-ctx.Done():
		}
		ready.Stop()
	}
}

// claim delivers what it can. If that is nothing, it says in how long the next
// message is deliverable, and which channel tells of a sooner one.
func (q *Queue) claim(max int) (deliveries []responder.Delivery, next time.Duration, changed <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	next = time.Hour
	q.messages = slices.DeleteFunc(q.messages, func(m *message) bool {
		switch {
		case now.Before(m.visible):
			next = min(next, m.visible.Sub(now))
		case q.options.MaxReceives > 0 && m.receives >= q.options.MaxReceives:
			q.bury(m, fmt.Sprintf("delivered %d times and never acknowledged", m.receives))
			return true
		case len(deliveries) < max:
			m.receives++
			m.visible = now.Add(q.options.Visibility)
			deliveries = append(deliveries, responder.Delivery{
				ID: strconv.Itoa(m.id), Receipt: m.receipt(), Body: bytes.Clone(m.body), Receives: m.receives,
			})
		}
		return false
	})
	return deliveries, next, q.changed
}

// Ack implements responder.Queue.
func (q *Queue) Ack(ctx context.Context, deliveries ...responder.Delivery) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("ack: %w", err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	stale := 0
	for _, d := range deliveries {
		if q.take(d) == nil {
			stale++
		}
	}
	if stale > 0 {
		return fmt.Errorf("ack: %d of %d: %w", stale, len(deliveries), responder.ErrStaleReceipt)
	}
	return nil
}

// Release implements responder.Queue.
func (q *Queue) Release(ctx context.Context, delivery responder.Delivery, after time.Duration) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("release: %w", err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	i := q.index(delivery)
	if i < 0 {
		return fmt.Errorf("release %s: %w", delivery.ID, responder.ErrStaleReceipt)
	}
	q.messages[i].visible = q.now().Add(after)
	q.ring()
	return nil
}

// ReleaseEach releases many, each after its own while, and gives the errors of
// those that were not, by their indexes.
func (q *Queue) ReleaseEach(ctx context.Context, deliveries []responder.Delivery, after func(responder.Delivery) time.Duration) (failed map[int]error) {
	failed = map[int]error{}
	for i, d := range deliveries {
		if err := q.Release(ctx, d, after(d)); err != nil {
			failed[i] = err
		}
	}
	return failed
}

// put adds a message to the queue.
func (q *Queue) put(body []byte, visible time.Time) {
	q.last++
	q.messages = append(q.messages, &message{id: q.last, body: body, visible: visible})
}

// take removes the message of a delivery and gives it, nil if the receipt is stale.
func (q *Queue) take(delivery responder.Delivery) *message {
	i := q.index(delivery)
	if i < 0 {
		return nil
	}
	m := q.messages[i]
	q.messages = slices.Delete(q.messages, i, i+1)
	return m
}

// index finds the message of a delivery, -1 if the receipt is stale.
func (q *Queue) index(delivery responder.Delivery) int {
	return slices.IndexFunc(q.messages, func(m *message) bool { return m.receives > 0 && m.receipt() == delivery.Receipt })
}

// ring wakes whoever waits in Receive.
func (q *Queue) ring() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// receipt names the message's latest delivery. Ids are never used again.
func (m *message) receipt() string { return fmt.Sprintf("%d.%d", m.id, m.receives) }
