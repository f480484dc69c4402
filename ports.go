package responder

import (
	"context"
	"time"
)

// Message is one message to send.
type Message struct {
	Body  []byte
	Delay time.Duration // not delivered before; at most MaxDelay
}

// MaxDelay is the longest delay of a message (SQS's limit, kept by all queues).
const MaxDelay = 15 * time.Minute

// Delivery is one delivery of a message. The same message may come again.
type Delivery struct {
	ID       string // of the message, the same at every delivery
	Receipt  string // of this delivery
	Body     []byte
	Receives int // deliveries so far, this one included
}

// Failure is one delivery of a batch that a stage could not handle. The front
// gives it back to the queue, or, if Dead, buries it with the error as cause.
type Failure struct {
	ID   string // the delivery's
	Err  error
	Dead bool // trying again cannot help
}

// Sender puts messages on a queue. Safe for concurrent use.
type Sender interface {
	// Send returns nil once every message is durable. With *SendError those it
	// names are not and all others are; with any other error none may be.
	Send(ctx context.Context, messages ...Message) error
}

// Queue delivers messages at least once, in no promised order. Safe for concurrent use.
type Queue interface {
	Sender
	// Receive gives up to max messages, waiting up to wait for the first; none
	// is not an error. Each is hidden from others for the queue's visibility timeout.
	Receive(ctx context.Context, max int, wait time.Duration) ([]Delivery, error)
	// Ack removes deliveries for good. ErrStaleReceipt (wrapped): some were
	// delivered again meanwhile; the others are removed.
	Ack(ctx context.Context, deliveries ...Delivery) error
	// Release makes a delivery visible again after a while. ErrStaleReceipt as Ack.
	Release(ctx context.Context, delivery Delivery, after time.Duration) error
}

// DeadLetter is a message that could not be handled.
type DeadLetter struct {
	ID       string    `json:"id"`
	Queue    string    `json:"queue"` // where it came from: "events" or "findings"
	Cause    string    `json:"cause"`
	Receives int       `json:"receives"`
	Died     time.Time `json:"died"`
	Body     []byte    `json:"body"`
}

// Dead is a queue's dead letters. Safe for concurrent use.
type Dead interface {
	// Bury moves a delivery to the dead letters, with its cause, in one step.
	// ErrStaleReceipt as Queue.Ack.
	Bury(ctx context.Context, delivery Delivery, cause string) error
	// List gives up to max letters, oldest first.
	List(ctx context.Context, max int) ([]DeadLetter, error)
	// Redrive puts letters back on their queue, all if none is named, and says how many.
	Redrive(ctx context.Context, ids ...string) (int, error)
	// Purge forgets letters, all if none is named, and says how many.
	Purge(ctx context.Context, ids ...string) (int, error)
}

// RunStore keeps runs. Writes are conditional, reads consistent. Safe for
// concurrent use. Adapters keep EncodeRun's bytes and what they index by.
type RunStore interface {
	// Create stores a new run as version 1 and sets run.Version. ErrExists: one
	// with its id is there, unless it carries the same Token and is still at
	// version 1 (a lost reply): then nil.
	Create(ctx context.Context, run *Run) error
	// Get reads the run consistently. ErrNotFound; ErrUndecodable, more exactly
	// ErrFutureVersion.
	Get(ctx context.Context, id string) (*Run, error)
	// Save stores the run if the stored version is still run.Version, and
	// raises run.Version by one. ErrStale otherwise, except where the stored
	// version is run.Version+1 with the same Token: then that write was ours,
	// its reply was lost, and Save returns nil. ErrNotFound: no such run.
	Save(ctx context.Context, run *Run) error
	// Due gives up to max ids of runs whose Due is not after now, nearest
	// first. They are hints: read the run before acting.
	Due(ctx context.Context, now time.Time, max int) ([]string, error)
}

// RunParker is an extra ability of a run store: to put by a run that it holds
// and that cannot be decoded.
type RunParker interface {
	// Park shows the run as parked in lists and puts off its Due, without
	// touching what is stored of it: whoever can decode it will go on with it
	// then. ErrNotFound.
	Park(ctx context.Context, id string, until time.Time) error
	// Unpark shows a run as what is stored of it says, and puts its Due back,
	// where Park has been since that was stored. nil, too, where it has not.
	Unpark(ctx context.Context, run *Run) error
}

// RunQuery selects runs; zero fields select all.
type RunQuery struct {
	State  RunState
	Rule   string
	Flow   string
	Since  time.Time // created at or after
	Max    int       // page size; 0 means 100
	Cursor string    // RunPage.Next of the page before
}

// RunPage is a page of runs, newest first.
type RunPage struct {
	Runs []RunSummary
	Next string // "" on the last page
}

// RunLister lists runs. It may lag behind the store by seconds.
type RunLister interface {
	List(ctx context.Context, query RunQuery) (RunPage, error)
}

// Counters count distinct members under a key: windows, caps and cooldowns.
// Safe for concurrent use.
type Counters interface {
	// Add counts member under key unless limit (0: none) members are counted
	// already, in one atomic step. n is the count afterwards. A member counted
	// before is admitted again and not counted twice. The key is forgotten at
	// expires, set by the first Add; an expired key counts from zero.
	Add(ctx context.Context, key, member string, limit int, expires time.Time) (n int, admitted bool, err error)
}

// Heartbeats know of each place when its canary was last heard. Times are kept
// to the second. Safe for concurrent use.
type Heartbeats interface {
	// Beat notes that a place was heard at a moment. A beat older than what is
	// known changes nothing. A place that is none (Place.Check) is refused.
	Beat(ctx context.Context, place Place, at time.Time) error
	// Beats gives when each known place was last heard: all of them, as of the
	// Beats and Forgets that have returned.
	Beats(ctx context.Context) (map[Place]time.Time, error)
	// Forget makes places unknown; one that is not known is no error.
	Forget(ctx context.Context, places ...Place) error
}

// Secrets reads secrets by name. Safe for concurrent use; may cache up to five minutes.
type Secrets interface {
	// Get: ErrNotFound if there is none of that name.
	Get(ctx context.Context, name string) (Secret, error)
}

// Secret is a value that must not be shown, and the one it replaced.
type Secret struct {
	Current  SecretText
	Previous SecretText // "" if none
	Until    time.Time  // Previous counts until then
}

// SecretText is a text that prints as "[redacted]", whatever the verb or encoding.
type SecretText struct{ text string }

// NewSecretText wraps a text.
func NewSecretText(text string) SecretText { return SecretText{text} }

// Reveal gives the text, for the one place that needs it.
func (s SecretText) Reveal() string { return s.text }

// String redacts.
func (s SecretText) String() string { return "[redacted]" }

// GoString redacts under %#v.
func (s SecretText) GoString() string { return s.String() }

// MarshalText redacts in JSON and YAML.
func (s SecretText) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
