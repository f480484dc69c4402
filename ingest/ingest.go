// Package ingest takes events in: it authenticates the sender, normalises what
// was sent to EventBridge's shape, and enqueues it.
//
//	sender ──▶ front (HTTP, API Gateway) ──▶ Accept: key, Split, Send ──▶ [events queue]
//
// One core, Ingest, has two fronts, Handler and Lambda, with the same answers:
// 202 once the queue has every event, else problem JSON as of RFC 9457, and then
// nothing is claimed. It imports the root package, internal/elements, zerolog
// and, for the shape of API Gateway's requests, aws-lambda-go/events.
package ingest

import (
	"context"
	"fmt"
	"io"

	"github.com/skycrafters/responder"
)

// Ingest takes in the events of authenticated senders. Safe for concurrent use.
type Ingest struct {
	// Observe, if set, is told of each request that a front has answered, before
	// the answer is sent. Set it before the first request; it is called by as
	// many goroutines as there are requests.
	Observe func(Observation)

	queue responder.Sender
	keys  keychain
}

// Observation is what there is to count of one request.
type Observation struct {
	Status int    // of HTTP, whatever was asked for
	Events int    // that were accepted: 0 unless Status is 202
	Key    string // the id of the sender's key; "" if that has none, or was not right
}

// New makes an Ingest that sends bare event JSON to queue.
func New(queue responder.Sender, keys Keys) *Ingest {
	return &Ingest{queue: queue, keys: keychain{Keys: keys}}
}

// Request is what a front passes on of a sender's request.
type Request struct {
	Key             string    // the sender's API key, "" if none came
	Body            io.Reader // not read before the key is known to be right
	ContentEncoding string    // "" or gzip
}

// Accept gives the ids of the request's events, in their order, once all are
// durable on the queue. The id of an event without one is its key.
//
// Errors: ErrKey; *BodyError, also for an event of an account that the key may
// not speak for; any other means that the events could not be taken now, and
// that the sender should send all of them again. Some may be on the queue then:
// that they come twice is harmless, as an event's runs are made once.
func (in *Ingest) Accept(ctx context.Context, request Request) (ids []string, err error) {
	_, ids, err = in.accept(ctx, request)
	return ids, err
}

// accept is Accept, and says who the sender is as soon as that is known.
func (in *Ingest) accept(ctx context.Context, request Request) (who sender, ids []string, err error) {
	who, err = in.keys.check(ctx, request.Key)
	if err != nil {
		return sender{}, nil, err
	}
	ids, err = in.acceptFrom(ctx, who.Key, request)
	return who, ids, err
}

func (in *Ingest) acceptFrom(ctx context.Context, key Key, request Request) (ids []string, err error) {
	body, err := readBody(request.Body, request.ContentEncoding)
	if err != nil {
		return nil, err
	}
	var messages []responder.Message
	err = split(body, func(e normal) error {
		if err := key.admits(e); err != nil {
			return err
		}
		ids = append(ids, e.name())
		messages = append(messages, responder.Message{Body: e.raw})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := in.queue.Send(ctx, messages...); err != nil {
		return nil, fmt.Errorf("send %d events to the queue: %w", len(messages), err)
	}
	return ids, nil
}
