package sqs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/skycrafters/responder"
)

// Sharing is a Sender for many that send a message each, as runs ring for
// themselves: what is sent while a request is under way goes with the next one.
// Who is alone waits for nobody. Safe for concurrent use.
type Sharing struct {
	queue responder.Sender

	mu      sync.Mutex
	busy    bool // somebody is sending, and will take what waits
	waiting []parcel
}

var _ responder.Sender = (*Sharing)(nil)

// NewSharing gives one that sends to a queue.
func NewSharing(queue responder.Sender) *Sharing { return &Sharing{queue: queue} }

// parcel is what one Send brings.
type parcel struct {
	ctx      context.Context
	messages []responder.Message
	sent     chan<- error // takes one without a reader
}

// Send implements responder.Sender, with the errors of the queue; a request that
// fails as a whole fails for all who share it. If ctx ends meanwhile, it is not
// known whether the messages are sent.
func (s *Sharing) Send(ctx context.Context, messages ...responder.Message) error {
	sent := make(chan error, 1)
	s.mu.Lock()
	s.waiting = append(s.waiting, parcel{ctx, messages, sent})
	if !s.busy {
		s.busy = true
		go s.carry()
	}
	s.mu.Unlock()
	select {
	case err := <-sent:
		return err
	case <-ctx.Done():
		return fmt.Errorf("send to SQS with others: %w", ctx.Err())
	}
}

// carry sends what waits, all at once, until nothing does.
func (s *Sharing) carry() {
	for {
		s.mu.Lock()
		parcels := s.waiting
		s.waiting, s.busy = nil, len(parcels) > 0
		s.mu.Unlock()
		if len(parcels) == 0 {
			return
		}
		s.deliver(parcels)
	}
}

// deliver sends parcels together, and tells each of its own.
func (s *Sharing) deliver(parcels []parcel) {
	var all []responder.Message
	for _, p := range parcels {
		all = append(all, p.messages...)
	}
	ctx, cancel := whileAny(parcels)
	err := s.queue.Send(ctx, all...)
	cancel()
	var partly *responder.SendError
	if !errors.As(err, &partly) {
		for _, p := range parcels {
			p.sent <- err
		}
		return
	}
	first := 0
	for _, p := range parcels {
		failed := map[int]error{}
		for i := range p.messages {
			if cause, ok := partly.Failed[first+i]; ok {
				failed[i] = cause
			}
		}
		first += len(p.messages)
		if len(failed) == 0 {
			p.sent <- nil
			continue
		}
		p.sent <- &responder.SendError{Failed: failed}
	}
}

// whileAny is a context that lasts until the last deadline of those who wait, for
// ever if one has none: nobody's haste costs another's message.
func whileAny(parcels []parcel) (context.Context, context.CancelFunc) {
	ctx := context.WithoutCancel(parcels[0].ctx)
	var last time.Time
	for _, p := range parcels {
		deadline, ok := p.ctx.Deadline()
		if !ok {
			return ctx, func() {}
		}
		if deadline.After(last) {
			last = deadline
		}
	}
	return context.WithDeadline(ctx, last)
}
