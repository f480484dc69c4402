package responder_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

func TestMessageCheck(t *testing.T) {
	largest := bytes.Repeat([]byte("x"), responder.MaxMessageBytes)
	for _, c := range []struct {
		name    string
		message responder.Message
		ok      bool
	}{
		{"smallest", responder.Message{Body: []byte("x")}, true},
		{"largest", responder.Message{Body: largest, Delay: responder.MaxDelay}, true},
		{"empty", responder.Message{}, false},
		{"too large", responder.Message{Body: append(largest, 'x')}, false},
		{"not UTF-8", responder.Message{Body: []byte("a\xff")}, false},
		{"in the past", responder.Message{Body: []byte("x"), Delay: -1}, false},
		{"too late", responder.Message{Body: []byte("x"), Delay: responder.MaxDelay + time.Nanosecond}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.message.Check()
			if (err == nil) != c.ok {
				t.Fatalf("Check gave %v", err)
			}
			if (len(c.message.Body) > responder.MaxMessageBytes) != errors.Is(err, responder.ErrTooLarge) {
				t.Errorf("Check gave %v; ErrTooLarge goes with a body too large and with nothing else", err)
			}
		})
	}
}
