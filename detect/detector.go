package detect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/skycrafters/responder"
)

// Detector is the stage between the events queue and the findings queue. Safe
// for concurrent use.
type Detector struct {
	Rules    func() *Rules    // the set in force; swapped whole on reload
	Findings responder.Sender // where findings go
	Logger   zerolog.Logger
	Observe  func(Outcome) // nil, or told of each event once its findings are queued; must be safe for concurrent use

	Canary     string               // name of the schedule whose events are canaries, "" for none
	Heartbeats responder.Heartbeats // where they are noted; nil: there are none
	Now        func() time.Time     // nil: time.Now; for canaries alone: rules know the event's time only
}

// Outcome is what became of one event.
type Outcome struct {
	Sight
	Canary bool // its beat was noted, and no rule looked at it
}

// margin is kept free before the deadline of a batch, to queue what was found.
const margin = 2 * time.Second

// Handle evaluates a batch of events and queues what the rules find, all in as
// few sends as the queue allows. It returns the deliveries that could not be
// handled: undecodable ones, and those with a finding larger than a message, as
// Dead; those whose findings were not queued, and canaries whose beat was not
// stored, to be tried again. The same event again gives the same findings.
//
// It looks at no further event two seconds before the deadline of ctx, if there
// is one: the rest of the batch comes again, and the findings of the others are
// queued.
func (d *Detector) Handle(ctx context.Context, deliveries []responder.Delivery) []responder.Failure {
	var failures []responder.Failure
	var batch []pending
	rules := d.Rules()
	looking, end := early(ctx)
	defer end()
	for _, delivery := range deliveries {
		if err := looking.Err(); err != nil { // time is up: the rest comes again
			failures = append(failures, responder.Failure{ID: delivery.ID, Err: fmt.Errorf("detect: %w", err)})
			continue
		}
		seen, err := rules.glance(delivery.Body, nil)
		if err != nil {
			failures = append(failures, responder.Failure{ID: delivery.ID, Err: fmt.Errorf("detect: %w", err), Dead: true})
			continue
		}
		p := pending{id: delivery.ID}
		p.outcome.Sight = Sight{Raw: seen.raw, event: seen.event}
		if p.outcome.Canary, p.err = d.hear(looking, seen); !p.outcome.Canary {
			p.outcome.Sight = rules.judge(seen)
		}
		for _, e := range p.outcome.Errors {
			d.tell(e)
		}
		batch = append(batch, p)
	}
	for _, p := range d.send(ctx, batch) {
		if p.err != nil {
			failures = append(failures, responder.Failure{ID: p.id, Err: fmt.Errorf("detect: %w", p.err), Dead: errors.Is(p.err, responder.ErrTooLarge)})
		} else if d.Observe != nil {
			d.Observe(p.outcome)
		}
	}
	return failures
}

// early is ctx, over by the margin before its deadline.
func early(ctx context.Context) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, deadline.Add(-margin))
	}
	return context.WithCancel(ctx)
}

// tell logs a rule error.
func (d *Detector) tell(e *RuleError) {
	d.Logger.Error().Str("rule", e.Rule).Str("event", e.Event).Err(e.Err).Msg("rule error")
}

// pending is an event whose findings are on their way, or whose beat failed.
type pending struct {
	id      string
	outcome Outcome
	err     error
}

// send queues the findings of a batch and notes which events' were not queued.
func (d *Detector) send(ctx context.Context, batch []pending) []pending {
	var messages []responder.Message
	var of []int // message → index in batch
	for i := range batch {
		for n := range batch[i].outcome.Findings {
			finding := &batch[i].outcome.Findings[n]
			body, err := responder.Bell{Finding: finding}.Encode()
			if err != nil { // a defect of the rule: the other findings go on
				failed := &RuleError{Rule: finding.Rule, Event: batch[i].outcome.Event().Key(), Err: err}
				batch[i].outcome.Errors = append(batch[i].outcome.Errors, failed)
				d.tell(failed)
				continue
			}
			messages, of = append(messages, responder.Message{Body: body}), append(of, i)
		}
	}
	if len(messages) == 0 {
		return batch
	}
	err := d.Findings.Send(ctx, messages...)
	var partly *responder.SendError
	switch {
	case errors.As(err, &partly):
		for m, cause := range partly.Failed {
			batch[of[m]].err = cause
		}
	case err != nil:
		for _, i := range of {
			batch[i].err = err
		}
	}
	return batch
}
