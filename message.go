package responder

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// MaxMessageBytes is the largest message body (SQS's limit, kept by all queues).
const MaxMessageBytes = 1 << 20

// Check refuses a message that no queue takes, so that what works on one works
// on all: an empty body, one over MaxMessageBytes (ErrTooLarge) or not in
// UTF-8, a delay that is negative or over MaxDelay. Adapters call it in Send.
func (m Message) Check() error {
	switch {
	case len(m.Body) == 0:
		return errors.New("message is empty")
	case len(m.Body) > MaxMessageBytes:
		return fmt.Errorf("message is %d bytes, at most %d are taken: %w", len(m.Body), MaxMessageBytes, ErrTooLarge)
	case !utf8.Valid(m.Body):
		return errors.New("message is not valid UTF-8")
	case m.Delay < 0 || m.Delay > MaxDelay:
		return fmt.Errorf("message delay is %v: between 0 and %v is taken", m.Delay, MaxDelay)
	}
	return nil
}
