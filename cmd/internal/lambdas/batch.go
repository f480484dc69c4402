package lambdas

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/rs/zerolog"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/metrics"
	"github.com/skycrafters/responder/internal/sqs"
)

// Of the time that Lambda gives an invocation, the stage leaves settling, in
// which failures are buried and released, and settling leaves reply.
const (
	settling = 4 * time.Second
	reply    = time.Second
)

// Before a message that could not be handled comes again: doubled from first
// with each receive, at most last. Without it, it would come after the queue's
// visibility timeout, six times the function's.
const (
	firstPause = 10 * time.Second
	lastPause  = 15 * time.Minute
)

// Releaser is what Batch asks of the queue: to have deliveries come again, each
// after its own while. It gives the errors of those that it could not release, by
// their indexes.
type Releaser interface {
	ReleaseEach(ctx context.Context, deliveries []responder.Delivery, after func(responder.Delivery) time.Duration) (failed map[int]error)
}

// Batch answers the invocations of a function that an SQS queue feeds.
type Batch struct {
	Stage   func(context.Context, []responder.Delivery) []responder.Failure
	Name    string         // of the queue, for metrics
	Queue   Releaser       // the queue that feeds the function
	Dead    responder.Dead // its dead letters
	Metrics *metrics.Recorder
	Now     func() time.Time
	Log     zerolog.Logger

	// Delayed reports of a message's body that its sender may have wanted it to
	// come late: no lag is told of it. nil: there are none such.
	Delayed func(body []byte) bool
}

// errNoBatch refuses an invocation: what it brings must not count as handled.
var errNoBatch = errors.New("invoked with something else than a batch of SQS messages")

// Invoke has a batch handled. Its answer names the messages that are to come
// again; those whose failure is Dead are buried with the cause, which says the
// stage, and count as handled. Its only error is an invocation that is no batch
// of SQS messages.
func (b *Batch) Invoke(ctx context.Context, raw json.RawMessage) (events.SQSEventResponse, error) {
	event, ok := sqs.DecodeEvent(raw)
	if !ok {
		return events.SQSEventResponse{}, errNoBatch
	}
	b.lag(event)
	deliveries := sqs.Deliveries(event)
	stageTime, endStage := before(ctx, settling)
	defer endStage()
	failures := b.Stage(stageTime, deliveries)

	settleTime, endSettling := before(ctx, reply)
	defer endSettling()
	back := sqs.Settle(settleTime, b.Dead, deliveries, failures)
	b.tell(ctx, failures, back)
	b.release(settleTime, deliveries, back)
	return sqs.Response(back), nil
}

// sentTimestamp is the attribute that says when a message was sent, in
// milliseconds since 1970.
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
const sentTimestamp = "SentTimestamp"

// lag tells for how long the messages were under way.
func (b *Batch) lag(event events.SQSEvent) {
	now := b.Now()
	for _, r := range event.Records {
		sent, err := strconv.ParseInt(r.Attributes[sentTimestamp], 10, 64)
		if err != nil || b.Delayed != nil && b.Delayed([]byte(r.Body)) {
			continue
		}
		b.Metrics.Time(metrics.QueueLag, b.Name, now.Sub(time.UnixMilli(sent)))
	}
}

// before is ctx, ending a while before its deadline if it has one.
func before(ctx context.Context, while time.Duration) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-while))
}

// tell logs what became of the failures, and counts the dead letters.
func (b *Batch) tell(ctx context.Context, failures, back []responder.Failure) {
	log := b.Log
	if invocation, ok := lambdacontext.FromContext(ctx); ok {
		log = log.With().Str("request", invocation.AwsRequestID).Logger()
	}
	again := map[string]bool{}
	for _, f := range back {
		again[f.ID] = true
		log.Warn().Str("message", f.ID).Err(f.Err).Msg("will be tried again")
	}
	for _, f := range failures {
		if !again[f.ID] {
			log.Error().Str("message", f.ID).Err(f.Err).Msg("dead letter")
			b.Metrics.Count(metrics.DeadLetters, b.Name, 1)
		}
	}
}

// release has the messages that go back come again sooner than the queue would
// give them. One that cannot be released comes all the same, later.
func (b *Batch) release(ctx context.Context, deliveries []responder.Delivery, back []responder.Failure) {
	again := map[string]bool{}
	for _, f := range back {
		again[f.ID] = true
	}
	deliveries = slices.DeleteFunc(slices.Clone(deliveries), func(d responder.Delivery) bool { return !again[d.ID] })
	for i, err := range b.Queue.ReleaseEach(ctx, deliveries, func(d responder.Delivery) time.Duration { return pause(d.Receives) }) {
		if !errors.Is(err, responder.ErrStaleReceipt) {
			b.Log.Warn().Str("message", deliveries[i].ID).Err(err).Msg("comes again only after the queue's visibility timeout")
		}
	}
}

// pause is how long a message rests after so many receives.
func pause(receives int) time.Duration {
	rest := firstPause
	for n := 1; n < receives && rest < lastPause; n++ {
		rest *= 2
	}
	return min(rest, lastPause)
}
