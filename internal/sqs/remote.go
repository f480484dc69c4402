package sqs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/skycrafters/responder"
)

// Client is what this package needs of an *sqs.Client of the AWS SDK.
type Client interface {
	SendMessageBatch(context.Context, *awssqs.SendMessageBatchInput, ...func(*awssqs.Options)) (*awssqs.SendMessageBatchOutput, error)
	ReceiveMessage(context.Context, *awssqs.ReceiveMessageInput, ...func(*awssqs.Options)) (*awssqs.ReceiveMessageOutput, error)
	DeleteMessageBatch(context.Context, *awssqs.DeleteMessageBatchInput, ...func(*awssqs.Options)) (*awssqs.DeleteMessageBatchOutput, error)
	ChangeMessageVisibilityBatch(context.Context, *awssqs.ChangeMessageVisibilityBatchInput, ...func(*awssqs.Options)) (*awssqs.ChangeMessageVisibilityBatchOutput, error)
}

// SQS's limits, and how often a batch's failed entries are tried.
const (
	maxEntries    = 10      // in one batch call, and in one receive
	maxBatchBytes = 1 << 20 // sum over one SendMessageBatch
	maxVisibility = 12 * time.Hour
	maxWait       = 20 * time.Second
	attempts      = 4
	backoff       = 100 * time.Millisecond // doubles with each attempt
)

// remote is one SQS queue, with its batch calls made whole: each entry of a
// call gets an outcome of its own, and entries that failed through no fault of
// ours are tried again. (Requests that fail as a whole were already tried again
// by the SDK.)
type remote struct {
	client Client
	url    string
	random func() float64                             // in [0, 1)
	pause  func(context.Context, time.Duration) error // sleeps, or gives the context's error
}

// sleep is remote.pause in real time.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// remove deletes messages by receipt and gives the errors of those that were not.
func (r *remote) remove(ctx context.Context, receipts []string) map[int]error {
	return r.inTens(ctx, len(receipts), func(pending []int) (reply, error) {
		in := &awssqs.DeleteMessageBatchInput{QueueUrl: &r.url}
		for _, i := range pending {
			in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: entryID(i), ReceiptHandle: &receipts[i]})
		}
		out, err := r.client.DeleteMessageBatch(ctx, in)
		if err != nil {
			return reply{}, fmt.Errorf("delete from SQS: %w", err)
		}
		return newReply(out.Successful, func(e types.DeleteMessageBatchResultEntry) *string { return e.Id }, out.Failed), nil
	})
}

// hide makes messages visible again, each after its own while, and gives the
// errors of those that were not changed.
func (r *remote) hide(ctx context.Context, receipts []string, after func(i int) time.Duration) map[int]error {
	return r.inTens(ctx, len(receipts), func(pending []int) (reply, error) {
		in := &awssqs.ChangeMessageVisibilityBatchInput{QueueUrl: &r.url}
		for _, i := range pending {
			in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{
				Id: entryID(i), ReceiptHandle: &receipts[i], VisibilityTimeout: wholeSeconds(after(i)),
			})
		}
		out, err := r.client.ChangeMessageVisibilityBatch(ctx, in)
		if err != nil {
			return reply{}, fmt.Errorf("change visibility on SQS: %w", err)
		}
		return newReply(out.Successful, func(e types.ChangeMessageVisibilityBatchResultEntry) *string { return e.Id }, out.Failed), nil
	})
}

// inTens runs a batch call over the indexes below n, as many at a time as it
// takes, and gathers the errors. A request that fails as a whole ends it.
func (r *remote) inTens(ctx context.Context, n int, call func(pending []int) (reply, error)) map[int]error {
	failed := map[int]error{}
	indexes := make([]int, n)
	for i := range indexes {
		indexes[i] = i
	}
	for tens := range slices.Chunk(indexes, maxEntries) {
		some, broken := r.batch(ctx, tens, call)
		maps.Copy(failed, some)
		if broken != nil {
			for i := tens[len(tens)-1] + 1; i < n; i++ {
				failed[i] = broken
			}
			break
		}
	}
	return failed
}

// reply is what SQS says of a batch call, by entry id. An entry in neither list
// counts as failed.
type reply struct {
	done   []string
	failed []types.BatchResultErrorEntry
}

func newReply[T any](successful []T, id func(T) *string, failed []types.BatchResultErrorEntry) reply {
	r := reply{failed: failed}
	for _, s := range successful {
		r.done = append(r.done, aws.ToString(id(s)))
	}
	return r
}

// batch makes one call for all the indexes, and again for those that failed by
// no fault of ours, with a growing, jittered pause between; attempts times at
// most. It gives the errors of those that failed in the end. broken is the
// error of a request that failed as a whole: nobody knows what became of the
// entries then pending, and they are among the failed.
func (r *remote) batch(ctx context.Context, indexes []int, call func(pending []int) (reply, error)) (failed map[int]error, broken error) {
	failed = map[int]error{}
	pending := indexes
	for attempt := range attempts {
		if attempt > 0 {
			if err := r.pause(ctx, time.Duration(r.random()*float64(backoff<<(attempt-1)))); err != nil {
				broken = err
				break
			}
		}
		answer, err := call(pending)
		if err != nil {
			broken = err
			break
		}
		if pending = settle(pending, answer, failed); len(pending) == 0 {
			return failed, nil
		}
	}
	if broken != nil {
		for _, i := range pending {
			failed[i] = broken
		}
	}
	return failed, broken
}

// settle files each pending index under what the reply says of it: those done are
// removed from failed, the others get their error there. It gives those worth
// another try.
func settle(pending []int, answer reply, failed map[int]error) (again []int) {
	done := make(map[string]bool, len(answer.done))
	for _, id := range answer.done {
		done[id] = true
	}
	refused := make(map[string]types.BatchResultErrorEntry, len(answer.failed))
	for _, f := range answer.failed {
		refused[aws.ToString(f.Id)] = f
	}
	for _, i := range pending {
		id := strconv.Itoa(i)
		f, known := refused[id]
		switch {
		case done[id]:
			delete(failed, i)
		case !known:
			failed[i] = errors.New("SQS did not say what became of it")
			again = append(again, i)
		default:
			failed[i] = entryError(f)
			if !f.SenderFault || strings.Contains(aws.ToString(f.Code), "Throttl") {
				again = append(again, i)
			}
		}
	}
	return again
}

// entryError translates the failure of one entry.
func entryError(f types.BatchResultErrorEntry) error {
	code, message := aws.ToString(f.Code), aws.ToString(f.Message)
	switch strings.TrimPrefix(code, "AWS.SimpleQueueService.") {
	// An expired receipt of a standard queue is an InvalidParameterValue
	// (https://repost.aws/knowledge-center/sqs-receipt-handle-error); our
	// parameters are checked beforehand.
	case "ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue":
		return fmt.Errorf("%s: %s: %w", code, message, responder.ErrStaleReceipt)
	}
	return fmt.Errorf("%s: %s", code, message)
}

func entryID(i int) *string { return aws.String(strconv.Itoa(i)) }

// wholeSeconds rounds up: never early.
func wholeSeconds(d time.Duration) int32 { return int32((d + time.Second - 1) / time.Second) }

// outcome joins the failures of n entries into one error: nil if there are
// none, ErrStaleReceipt if some are stale, and the first of the others.
func outcome(operation string, n int, failed map[int]error) error {
	var stale, other []error
	for _, i := range slices.Sorted(maps.Keys(failed)) {
		if errors.Is(failed[i], responder.ErrStaleReceipt) {
			stale = append(stale, failed[i])
		} else {
			other = append(other, failed[i])
		}
	}
	return errors.Join(several(operation, n, other), several(operation, n, stale))
}

// several is nil, or the first of some errors with their number.
func several(operation string, n int, errs []error) error {
	switch {
	case len(errs) == 0:
		return nil
	case n == 1:
		return fmt.Errorf("%s: %w", operation, errs[0])
	}
	return fmt.Errorf("%s: %d of %d failed, the first: %w", operation, len(errs), n, errs[0])
}
