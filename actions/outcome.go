package actions

import (
	"errors"
	"fmt"

	"github.com/skycrafters/responder"
)

// permanentf is fmt.Errorf for what trying again will not mend.
func permanentf(format string, args ...any) error {
	return &responder.Permanent{Err: fmt.Errorf(format, args...)}
}

// transientf is fmt.Errorf for what may pass.
func transientf(format string, args ...any) error {
	return &responder.Transient{Err: fmt.Errorf(format, args...)}
}

// stopf is fmt.Sprintf for a check's calm no.
func stopf(format string, args ...any) error {
	return &responder.Stop{Reason: fmt.Sprintf(format, args...)}
}

// graver gives the one of two errors that decides what to do about both: an
// unknown outcome before one that may pass, and that before a permanent one,
// so that what can still be done is done before the step fails for good.
func graver(a, b error) error {
	if gravity(b) > gravity(a) {
		return b
	}
	return a
}

const (
	gravityNone = iota
	gravityPermanent
	gravityTransient
	gravityUnknown
)

func gravity(err error) int {
	var (
		unknown   *responder.Unknown
		transient *responder.Transient
	)
	switch {
	case err == nil:
		return gravityNone
	case errors.As(err, &unknown):
		return gravityUnknown
	case errors.As(err, &transient):
		return gravityTransient
	default:
		return gravityPermanent
	}
}
