package sqs

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"golang.org/x/sync/errgroup"

	"github.com/skycrafters/responder"
)

// DecodeEvent reads what a Lambda function was invoked with as a batch of SQS
// messages. ok is false for anything else: a schedule's event, too, decodes into
// an events.SQSEvent, one without records.
func DecodeEvent(raw json.RawMessage) (event events.SQSEvent, ok bool) {
	if err := json.Unmarshal(raw, &event); err != nil || len(event.Records) == 0 {
		return events.SQSEvent{}, false
	}
	for _, r := range event.Records {
		if r.EventSource != "aws:sqs" || r.MessageId == "" {
			return events.SQSEvent{}, false
		}
	}
	return event, true
}

// Deliveries gives the messages of a Lambda function's batch.
func Deliveries(event events.SQSEvent) []responder.Delivery {
	deliveries := make([]responder.Delivery, len(event.Records))
	for i, r := range event.Records {
		deliveries[i] = responder.Delivery{
			ID:       r.MessageId,
			Receipt:  r.ReceiptHandle,
			Body:     []byte(r.Body),
			Receives: receives(r.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)]),
		}
	}
	return deliveries
}

// Settle buries the deliveries whose failure is Dead, eight at a time, and gives
// the failures that must go back to the queue: the others, and those whose burial
// failed, with both errors. A delivery that is stale is another's by now.
func Settle(ctx context.Context, dead responder.Dead, deliveries []responder.Delivery, failures []responder.Failure) []responder.Failure {
	byID := make(map[string]responder.Delivery, len(deliveries))
	for _, d := range deliveries {
		byID[d.ID] = d
	}
	buried := make([]bool, len(failures))
	failures = slices.Clone(failures)
	var burials errgroup.Group
	burials.SetLimit(parallel)
	for i, f := range failures {
		d, ours := byID[f.ID]
		if !f.Dead || !ours {
			continue
		}
		burials.Go(func() error {
			cause := ""
			if f.Err != nil {
				cause = f.Err.Error()
			}
			err := dead.Bury(ctx, d, cause)
			if buried[i] = err == nil || errors.Is(err, responder.ErrStaleReceipt); !buried[i] {
				failures[i] = responder.Failure{ID: f.ID, Err: errors.Join(f.Err, err)}
			}
			return nil
		})
	}
	_ = burials.Wait() // what failed is among the failures
	var back []responder.Failure
	for i, f := range failures {
		if !buried[i] {
			back = append(back, f)
		}
	}
	return back
}

// Response tells Lambda which messages of the batch go back to the queue; none
// means that all were handled. The list is never nil, so that it reads [] and
// says so.
func Response(failures []responder.Failure) events.SQSEventResponse {
	back := make([]events.SQSBatchItemFailure, 0, len(failures))
	for _, f := range failures {
		back = append(back, events.SQSBatchItemFailure{ItemIdentifier: f.ID})
	}
	return events.SQSEventResponse{BatchItemFailures: back}
}
