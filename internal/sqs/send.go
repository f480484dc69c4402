package sqs

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"golang.org/x/sync/errgroup"

	"github.com/skycrafters/responder"
)

// parallel is how many SendMessageBatch calls one Send makes at a time: 4,000
// events in one request body are 400 calls, and API Gateway waits 29 s.
const parallel = 8

// Send implements responder.Sender: one request for each ten messages or MiB of
// bodies, with some more where sizes differ (see pack), up to eight at a time.
// Delays are rounded up to whole seconds.
//
// Messages that SQS fails one by one in a request that works, as when it
// throttles, are sent again, three times at most after up to 100, 200 and 400 ms.
// A message that SQS cannot carry is refused with a *responder.Permanent. Of
// messages whose request got no answer it is not known whether they were sent:
// they are named as failed, and may come twice if sent again. Once a request
// has failed as a whole (the SDK has then tried it several times), no other is
// begun.
func (q *Queue) Send(ctx context.Context, messages ...responder.Message) error {
	entries := make([]types.SendMessageBatchRequestEntry, len(messages))
	failed := map[int]error{}
	var good []int
	for i, m := range messages {
		if err := check(m); err != nil {
			failed[i] = &responder.Permanent{Err: err}
			continue
		}
		entries[i] = types.SendMessageBatchRequestEntry{MessageBody: aws.String(string(m.Body)), DelaySeconds: wholeSeconds(m.Delay)}
		good = append(good, i)
	}
	unsent, broken := q.send(ctx, entries, good)
	if broken != nil && len(unsent) == len(good) {
		return broken
	}
	maps.Copy(failed, unsent)
	if len(failed) > 0 {
		return &responder.SendError{Failed: failed}
	}
	return nil
}

// check refuses what no queue takes, and the few characters that SQS does not.
func check(m responder.Message) error {
	if err := m.Check(); err != nil {
		return err
	}
	for i := 0; i < len(m.Body); {
		r, size := utf8.DecodeRune(m.Body[i:])
		if !carried(r) {
			return fmt.Errorf("message has the character %U at byte %d, which SQS does not carry", r, i)
		}
		i += size
	}
	return nil
}

// carried reports whether SQS takes a character: those of XML 1.0.
func carried(r rune) bool {
	switch {
	case r < 0x20:
		return r == '\t' || r == '\n' || r == '\r'
	case r >= 0xD800 && r < 0xE000, r == 0xFFFE, r == 0xFFFF:
		return false
	}
	return true
}

// send sends the entries of the given indexes, and gives the errors of those
// that were not sent. broken is the error of a request that failed as a whole.
func (r *remote) send(ctx context.Context, entries []types.SendMessageBatchRequestEntry, indexes []int) (failed map[int]error, broken error) {
	failed = map[int]error{}
	var mu sync.Mutex
	calls, begin := errgroup.WithContext(ctx)
	calls.SetLimit(parallel)
	for _, batch := range pack(indexes, func(i int) int { return entryBytes(entries[i]) }) {
		calls.Go(func() error {
			unsent, err := r.sendBatch(ctx, begin, entries, batch)
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(failed, unsent)
			return err
		})
	}
	return failed, calls.Wait()
}

// sendBatch sends one batch under ctx, unless begin is over.
func (r *remote) sendBatch(ctx, begin context.Context, entries []types.SendMessageBatchRequestEntry, indexes []int) (failed map[int]error, broken error) {
	return r.batch(ctx, indexes, func(pending []int) (reply, error) {
		if err := context.Cause(begin); err != nil {
			return reply{}, fmt.Errorf("send to SQS, not tried: %w", err)
		}
		in := &awssqs.SendMessageBatchInput{QueueUrl: &r.url}
		for _, i := range pending {
			entry := entries[i]
			entry.Id = entryID(i)
			in.Entries = append(in.Entries, entry)
		}
		out, err := r.client.SendMessageBatch(ctx, in)
		if err != nil {
			return reply{}, fmt.Errorf("send to SQS: %w", err)
		}
		return newReply(out.Successful, func(e types.SendMessageBatchResultEntry) *string { return e.Id }, out.Failed), nil
	})
}

// entryBytes is what an entry counts towards maxBatchBytes: its body and its
// attributes' names, types and values.
func entryBytes(e types.SendMessageBatchRequestEntry) int {
	n := len(aws.ToString(e.MessageBody))
	for name, value := range e.MessageAttributes {
		n += len(name) + len(aws.ToString(value.DataType)) + len(aws.ToString(value.StringValue))
	}
	return n
}

// pack puts items into batches of at most maxEntries items and maxBatchBytes:
// each into the first batch with room, in the order given or, where that takes
// more batches than the sums demand, the largest first, if that takes fewer.
//
// That is as few as can be wherever one limit decides, as with events of usual
// sizes (ten a batch) or the largest (four). In general, of items up to a quarter
// of maxBatchBytes, every batch but the last has ten items or is over three
// quarters full: their number is at most n/10 + 4/3 of the bytes in MiB + 1.
func pack(items []int, size func(int) int) [][]int {
	sum := 0
	for _, item := range items {
		sum += size(item)
	}
	batches := firstFit(items, size)
	if len(batches) <= max(ceil(len(items), maxEntries), ceil(sum, maxBatchBytes)) {
		return batches
	}
	largestFirst := slices.SortedStableFunc(slices.Values(items), func(a, b int) int { return cmp.Compare(size(b), size(a)) })
	if fewer := firstFit(largestFirst, size); len(fewer) < len(batches) {
		return fewer
	}
	return batches
}

func ceil(n, by int) int { return (n + by - 1) / by }

// firstFit puts each item into the first batch that has room. n times the
// batches still open.
func firstFit(items []int, size func(int) int) [][]int {
	var batches [][]int
	var room []int
	open := 0 // the batches before this one hold maxEntries
	for _, item := range items {
		b := open
		for b < len(batches) && (len(batches[b]) == maxEntries || room[b] < size(item)) {
			b++
		}
		if b == len(batches) {
			batches = append(batches, nil)
			room = append(room, maxBatchBytes)
		}
		batches[b] = append(batches[b], item)
		room[b] -= size(item)
		for open < len(batches) && len(batches[open]) == maxEntries {
			open++
		}
	}
	return batches
}
