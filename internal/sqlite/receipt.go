package sqlite

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/skycrafters/responder"
)

// receipt names one delivery: the message, and which of its deliveries. It is
// stale as soon as the message has been delivered once more or is gone.
type receipt struct {
	seq      int64
	receives int
	bundle   int64 // the row that it was delivered in with others; 0: its own
}

func (r receipt) String() string {
	text := strconv.FormatInt(r.seq, 10) + "." + strconv.Itoa(r.receives)
	if r.bundle > 0 {
		text += "." + strconv.FormatInt(r.bundle, 10)
	}
	return text
}

// parseReceipt reads a receipt; what is none is as good as stale.
func parseReceipt(text string) (receipt, error) {
	seq, rest, _ := strings.Cut(text, ".")
	receives, bundle, _ := strings.Cut(rest, ".")
	r := receipt{seq: parseID(seq), bundle: parseID(bundle)}
	r.receives, _ = strconv.Atoi(receives) // 0 if it is no number, and refused below
	if r.seq < 1 || r.receives < 1 || r.String() != text {
		return receipt{}, fmt.Errorf("no receipt of this queue: %w", responder.ErrStaleReceipt)
	}
	return r, nil
}

// parseID reads the id of a message, 0 (which none has) if it is not one.
func parseID(text string) int64 {
	seq, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strconv.FormatInt(seq, 10) != text {
		return 0
	}
	return seq
}
