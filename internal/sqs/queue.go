package sqs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/skycrafters/responder"
)

// Queue is a standard SQS queue. Safe for concurrent use.
//
// It is as strict about receipts as SQS is: of a standard queue, SQS may take
// an old receipt without a word, and then the message comes again.
type Queue struct{ remote }

var _ responder.Queue = (*Queue)(nil)

// NewQueue gives the queue at an address. random, in [0, 1) and safe for
// concurrent use, jitters the pauses between attempts.
func NewQueue(client Client, url string, random func() float64) *Queue {
	return &Queue{remote{client: client, url: url, random: random, pause: sleep}}
}

// Receive implements responder.Queue: one request for each ten messages, of
// which the first waits, up to 20 s (SQS's limit) and in whole seconds, rounded
// down. A request that fails after others have brought messages is not
// reported: those messages are given, and the next Receive meets the fault.
func (q *Queue) Receive(ctx context.Context, limit int, wait time.Duration) ([]responder.Delivery, error) {
	var deliveries []responder.Delivery
	for len(deliveries) < limit {
		want := min(limit-len(deliveries), maxEntries)
		out, err := q.client.ReceiveMessage(ctx, &awssqs.ReceiveMessageInput{
			QueueUrl:                    &q.url,
			MaxNumberOfMessages:         int32(want),
			WaitTimeSeconds:             int32(max(min(wait, maxWait), 0) / time.Second),
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameApproximateReceiveCount},
		})
		if err != nil {
			if len(deliveries) > 0 {
				break
			}
			return nil, fmt.Errorf("receive from SQS: %w", err)
		}
		for _, m := range out.Messages {
			deliveries = append(deliveries, responder.Delivery{
				ID:       aws.ToString(m.MessageId),
				Receipt:  aws.ToString(m.ReceiptHandle),
				Body:     []byte(aws.ToString(m.Body)),
				Receives: receives(m.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)]),
			})
		}
		if len(out.Messages) < want {
			break
		}
		wait = 0
	}
	return deliveries, nil
}

// receives reads SQS's count of deliveries; whoever reads it holds one.
func receives(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 1
	}
	return max(n, 1)
}

// Ack implements responder.Queue: one request for each ten deliveries.
func (q *Queue) Ack(ctx context.Context, deliveries ...responder.Delivery) error {
	receipts := make([]string, len(deliveries))
	for i, d := range deliveries {
		receipts[i] = d.Receipt
	}
	return outcome("ack on SQS", len(receipts), q.remove(ctx, receipts))
}

// Release implements responder.Queue: one request. after is rounded up to whole
// seconds and at most twelve hours, counted by SQS from the message's receipt.
func (q *Queue) Release(ctx context.Context, delivery responder.Delivery, after time.Duration) error {
	if after < 0 || after > maxVisibility {
		return errors.New("release on SQS: after must be between 0 and 12h, not " + after.String())
	}
	return outcome("release on SQS", 1, q.ReleaseEach(ctx, []responder.Delivery{delivery}, func(responder.Delivery) time.Duration { return after }))
}

// ReleaseEach is Release for many: one request for each ten deliveries. after says
// of each how long it rests, as for Release. It gives the errors of those that were
// not released, by their indexes.
func (q *Queue) ReleaseEach(ctx context.Context, deliveries []responder.Delivery, after func(responder.Delivery) time.Duration) (failed map[int]error) {
	receipts := make([]string, len(deliveries))
	for i, d := range deliveries {
		receipts[i] = d.Receipt
	}
	return q.hide(ctx, receipts, func(i int) time.Duration { return after(deliveries[i]) })
}
