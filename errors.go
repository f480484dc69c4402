package responder

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Errors of the ports, to be told apart with errors.Is.
var (
	ErrExists        = errors.New("already exists")
	ErrNotFound      = errors.New("not found")
	ErrStale         = errors.New("stale: changed by another since it was read")
	ErrStaleReceipt  = errors.New("stale receipt: the message was delivered again or is gone")
	ErrUnencodable   = errors.New("cannot be encoded")
	ErrUndecodable   = errors.New("cannot be decoded")
	ErrTooLarge      = errors.New("too large")
	ErrFutureVersion = fmt.Errorf("written by a newer Responder: upgrade this one: it %w", ErrUndecodable)
)

// SendError names the messages of a Send that were not accepted; the others were.
type SendError struct {
	Failed map[int]error // by index in the call
}

func (e *SendError) Error() string {
	indexes := make([]int, 0, len(e.Failed))
	for i := range e.Failed {
		indexes = append(indexes, i)
	}
	slices.Sort(indexes)
	var b strings.Builder
	fmt.Fprintf(&b, "%d messages not sent", len(indexes))
	for n, i := range indexes {
		if n == 3 {
			b.WriteString("; …")
			break
		}
		fmt.Fprintf(&b, "; #%d: %v", i, e.Failed[i])
	}
	return b.String()
}

// Transient is an action's error that may pass: try again, not before After.
type Transient struct {
	After time.Duration // what the other side asked for; 0 if nothing
	Err   error
}

func (e *Transient) Error() string { return e.Err.Error() }
func (e *Transient) Unwrap() error { return e.Err }

// Permanent is an action's error that trying again will not mend.
type Permanent struct{ Err error }

func (e *Permanent) Error() string { return e.Err.Error() }
func (e *Permanent) Unwrap() error { return e.Err }

// Unknown is an action's error after which nobody knows whether it acted: a
// repair is verified before it is tried again.
type Unknown struct{ Err error }

func (e *Unknown) Error() string { return "outcome unknown: " + e.Err.Error() }
func (e *Unknown) Unwrap() error { return e.Err }

// Stop is a check's calm "no": the flow ends as stopped, not as failed.
type Stop struct{ Reason string }

func (e *Stop) Error() string { return e.Reason }
