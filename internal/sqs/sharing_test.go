package sqs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skycrafters/responder"
)

// slow is a Sender whose requests take a second, and fail as they are told.
type slow struct {
	mu       sync.Mutex
	requests [][]string // bodies, in their order
	fails    func(bodies []string) error
}

func (s *slow) Send(ctx context.Context, messages ...responder.Message) error {
	var bodies []string
	for _, m := range messages {
		bodies = append(bodies, string(m.Body))
	}
	s.mu.Lock()
	s.requests = append(s.requests, bodies)
	s.mu.Unlock()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Second):
	}
	if s.fails != nil {
		return s.fails(bodies)
	}
	return nil
}

// send has n senders send two messages each while another is sending, and gives
// what they are told, by sender.
func (s *slow) send(t *testing.T, n int) (errs []error) {
	sharing := NewSharing(s)
	var group sync.WaitGroup
	group.Go(func() {
		if err := sharing.Send(t.Context(), numbered(1)...); err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	errs = make([]error, n)
	for i := range n {
		group.Go(func() {
			errs[i] = sharing.Send(t.Context(), responder.Message{Body: fmt.Append(nil, i, "a")}, responder.Message{Body: fmt.Append(nil, i, "b")})
		})
	}
	group.Wait()
	return errs
}

// TestSharing: what is sent while a request is under way goes with the next, and
// who comes when none is waits for nobody.
func TestSharing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{}
		began := time.Now()
		if err := errors.Join(s.send(t, 9)...); err != nil || len(s.requests) != 2 || len(s.requests[1]) != 18 {
			t.Errorf("sent %v, %v; want nine together after the first", s.requests, err)
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("took %v, want the time of two requests", took)
		}
	})
}

// TestSharingFailures: each hears of its own messages; a request that fails as a
// whole fails for all.
func TestSharingFailures(t *testing.T) {
	fault := errors.New("no luck")
	synctest.Test(t, func(t *testing.T) {
		s := &slow{fails: func(bodies []string) error {
			if i := slices.Index(bodies, "3b"); i >= 0 {
				return &responder.SendError{Failed: map[int]error{i: fault}}
			}
			return nil
		}}
		for i, err := range s.send(t, 5) {
			var partly *responder.SendError
			if i != 3 && err != nil || i == 3 && (!errors.As(err, &partly) || !maps.Equal(partly.Failed, map[int]error{1: fault})) {
				t.Errorf("sender %d is told %v", i, err)
			}
		}
		s = &slow{fails: func(bodies []string) error {
			if len(bodies) > 1 {
				return fault
			}
			return nil
		}}
		for i, err := range s.send(t, 5) {
			if !errors.Is(err, fault) {
				t.Errorf("sender %d of a request that failed is told %v", i, err)
			}
		}
	})
}

// TestSharingHaste: who has no time any more goes; those who share a request with
// somebody in haste have the time that is theirs.
func TestSharingHaste(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{}
		sharing := NewSharing(s)
		began := time.Now()
		var group sync.WaitGroup
		for i, patience := range []time.Duration{10 * time.Second, 1500 * time.Millisecond, 5 * time.Second} {
			group.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				err := sharing.Send(ctx, numbered(1)...)
				if hasty := i == 1; errors.Is(err, context.DeadlineExceeded) != hasty {
					t.Errorf("with patience for %v it is told %v", patience, err)
				}
			})
			synctest.Wait()
		}
		group.Wait()
		if took := time.Since(began); took != 2*time.Second || len(s.requests) != 2 {
			t.Errorf("took %v and %d requests, want 2s and 2", took, len(s.requests))
		}

		for _, end := range []time.Duration{time.Second / 2, time.Second / 4} { // nobody waits any more: the request ends
			ctx, cancel := context.WithTimeout(t.Context(), end)
			if err := sharing.Send(ctx, numbered(1)...); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("told %v", err)
			}
			cancel()
		}
	})
}
