package sqs

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// fake is SQS in memory: standard queues by URL, time told. A receive that
// waits does so in real time, ten times as fast.
type fake struct {
	mu     sync.Mutex
	now    time.Time
	queues map[string]*fakeQueue
	sent   chan struct{} // closed and replaced with each change
	serial int

	// What goes wrong: called before an operation; an error fails the request.
	before func(operation string) error
	// Called for each entry of a batch; a failure is the entry's.
	entry func(operation, body string) *types.BatchResultErrorEntry
	// Called after a SendMessageBatch has happened; an error loses its reply.
	after func(operation string) error

	calls   map[string]int
	batches [][]types.SendMessageBatchRequestEntry
}

type fakeQueue struct {
	visibility  time.Duration
	maxReceives int    // 0: no redrive policy
	dead        string // URL
	messages    []*fakeMessage
}

type fakeMessage struct {
	id, body, receipt, source string
	attributes                map[string]types.MessageAttributeValue
	visible, sent             time.Time
	receives                  int
}

func newFake() *fake {
	return &fake{
		now:    time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		queues: map[string]*fakeQueue{"main": {visibility: 30 * time.Second, maxReceives: 3, dead: "dead"}, "dead": {visibility: 30 * time.Second}},
		sent:   make(chan struct{}),
		calls:  map[string]int{},
	}
}

func (f *fake) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fake) advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
	f.wake()
}

func (f *fake) wake() {
	close(f.sent)
	f.sent = make(chan struct{})
}

// begin locks the fake for an operation, unless it fails.
func (f *fake) begin(ctx context.Context, operation string, url *string) (*fakeQueue, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("operation error SQS: %s, canceled, %w", operation, err)
	}
	f.mu.Lock()
	f.calls[operation]++
	q := f.queues[aws.ToString(url)]
	if q == nil {
		f.mu.Unlock()
		return nil, &types.QueueDoesNotExist{}
	}
	if f.before != nil {
		if err := f.before(operation); err != nil {
			f.mu.Unlock()
			return nil, err
		}
	}
	return q, nil
}

func (f *fake) fault(operation, body string) *types.BatchResultErrorEntry {
	if f.entry == nil {
		return nil
	}
	return f.entry(operation, body)
}

func (f *fake) SendMessageBatch(ctx context.Context, in *awssqs.SendMessageBatchInput, _ ...func(*awssqs.Options)) (*awssqs.SendMessageBatchOutput, error) {
	q, err := f.begin(ctx, "send", in.QueueUrl)
	if err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	f.batches = append(f.batches, in.Entries)
	total := 0
	ids := map[string]bool{}
	for _, e := range in.Entries {
		total += entryBytes(e)
		ids[*e.Id] = true
	}
	switch {
	case len(in.Entries) == 0:
		return nil, &types.EmptyBatchRequest{}
	case len(in.Entries) > 10:
		return nil, &types.TooManyEntriesInBatchRequest{}
	case total > 1<<20:
		return nil, &types.BatchRequestTooLong{}
	case len(ids) != len(in.Entries):
		return nil, &types.BatchEntryIdsNotDistinct{}
	}
	out := &awssqs.SendMessageBatchOutput{}
	for _, e := range in.Entries {
		fault := f.fault("send", *e.MessageBody)
		if fault != nil {
			fault.Id = e.Id
			out.Failed = append(out.Failed, *fault)
			continue
		}
		f.serial++
		q.messages = append(q.messages, &fakeMessage{
			id: fmt.Sprintf("m-%d", f.serial), body: *e.MessageBody, attributes: e.MessageAttributes, sent: f.now,
			visible: f.now.Add(time.Duration(e.DelaySeconds) * time.Second),
		})
		out.Successful = append(out.Successful, types.SendMessageBatchResultEntry{Id: e.Id})
	}
	f.wake()
	if f.after != nil {
		if err := f.after("send"); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (f *fake) ReceiveMessage(ctx context.Context, in *awssqs.ReceiveMessageInput, _ ...func(*awssqs.Options)) (*awssqs.ReceiveMessageOutput, error) {
	if n := in.MaxNumberOfMessages; n < 1 || n > 10 || in.WaitTimeSeconds < 0 || in.WaitTimeSeconds > 20 {
		return nil, fmt.Errorf("InvalidParameterValue: %d messages, %d s", n, in.WaitTimeSeconds)
	}
	over := time.After(time.Duration(in.WaitTimeSeconds) * time.Second / 10)
	for {
		q, err := f.begin(ctx, "receive", in.QueueUrl)
		if err != nil {
			return nil, err
		}
		messages, changed := f.collect(q, in), f.sent
		f.mu.Unlock()
		if len(messages) > 0 || in.WaitTimeSeconds == 0 {
			return &awssqs.ReceiveMessageOutput{Messages: messages}, nil
		}
		select {
		case <-changed:
		case <-over:
			return &awssqs.ReceiveMessageOutput{}, nil
		case <-ctx.Done():
			return nil, fmt.Errorf("operation error SQS: ReceiveMessage, canceled, %w", ctx.Err())
		}
	}
}

func (f *fake) collect(q *fakeQueue, in *awssqs.ReceiveMessageInput) (messages []types.Message) {
	visibility := q.visibility
	if in.VisibilityTimeout > 0 {
		visibility = time.Duration(in.VisibilityTimeout) * time.Second
	}
	for _, m := range slices.Clone(q.messages) {
		if m.visible.After(f.now) {
			continue
		}
		if q.maxReceives > 0 && m.receives >= q.maxReceives {
			q.messages = slices.DeleteFunc(q.messages, func(x *fakeMessage) bool { return x == m })
			m.receipt, m.source = "", "arn:aws:sqs:us-east-1:123456789012:main"
			f.queues[q.dead].messages = append(f.queues[q.dead].messages, m)
			continue
		}
		if len(messages) == int(in.MaxNumberOfMessages) {
			continue
		}
		f.serial++
		m.receives++
		m.receipt = fmt.Sprintf("r-%d", f.serial)
		m.visible = f.now.Add(visibility)
		sum := md5.Sum([]byte(m.body))
		out := types.Message{MessageId: aws.String(m.id), ReceiptHandle: aws.String(m.receipt), Body: aws.String(m.body), MD5OfBody: aws.String(hex.EncodeToString(sum[:]))}
		out.Attributes = map[string]string{}
		for name, value := range map[types.MessageSystemAttributeName]string{
			types.MessageSystemAttributeNameApproximateReceiveCount:  strconv.Itoa(m.receives),
			types.MessageSystemAttributeNameSentTimestamp:            strconv.FormatInt(m.sent.UnixMilli(), 10),
			types.MessageSystemAttributeNameDeadLetterQueueSourceArn: m.source,
		} {
			if value != "" && slices.Contains(in.MessageSystemAttributeNames, name) {
				out.Attributes[string(name)] = value
			}
		}
		out.MessageAttributes = map[string]types.MessageAttributeValue{}
		for name, value := range m.attributes {
			if slices.Contains(in.MessageAttributeNames, name) {
				out.MessageAttributes[name] = value
			}
		}
		messages = append(messages, out)
	}
	return messages
}

func (f *fake) DeleteMessageBatch(ctx context.Context, in *awssqs.DeleteMessageBatchInput, _ ...func(*awssqs.Options)) (*awssqs.DeleteMessageBatchOutput, error) {
	q, err := f.begin(ctx, "delete", in.QueueUrl)
	if err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	out := &awssqs.DeleteMessageBatchOutput{}
	for _, e := range in.Entries {
		fault := f.fault("delete", "")
		i := q.byReceipt(*e.ReceiptHandle)
		if fault == nil && i < 0 {
			fault = staleEntry()
		}
		if fault != nil {
			fault.Id = e.Id
			out.Failed = append(out.Failed, *fault)
			continue
		}
		q.messages = slices.Delete(q.messages, i, i+1)
		out.Successful = append(out.Successful, types.DeleteMessageBatchResultEntry{Id: e.Id})
	}
	return out, nil
}

func (f *fake) ChangeMessageVisibilityBatch(ctx context.Context, in *awssqs.ChangeMessageVisibilityBatchInput, _ ...func(*awssqs.Options)) (*awssqs.ChangeMessageVisibilityBatchOutput, error) {
	q, err := f.begin(ctx, "hide", in.QueueUrl)
	if err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	out := &awssqs.ChangeMessageVisibilityBatchOutput{}
	for _, e := range in.Entries {
		i := q.byReceipt(*e.ReceiptHandle)
		if i < 0 {
			fault := staleEntry()
			fault.Id = e.Id
			out.Failed = append(out.Failed, *fault)
			continue
		}
		q.messages[i].visible = f.now.Add(time.Duration(e.VisibilityTimeout) * time.Second)
		out.Successful = append(out.Successful, types.ChangeMessageVisibilityBatchResultEntry{Id: e.Id})
	}
	f.wake()
	return out, nil
}

func (q *fakeQueue) byReceipt(receipt string) int {
	return slices.IndexFunc(q.messages, func(m *fakeMessage) bool { return m.receipt != "" && m.receipt == receipt })
}

func staleEntry() *types.BatchResultErrorEntry {
	return &types.BatchResultErrorEntry{Code: aws.String("ReceiptHandleIsInvalid"), Message: aws.String("The input receipt handle is invalid."), SenderFault: true}
}

// open gives a queue and its dead letters on the fake, without real pauses.
func (f *fake) open() (*Queue, *Dead) {
	q := NewQueue(f, "main", func() float64 { return 0.5 })
	q.pause = func(ctx context.Context, d time.Duration) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.calls["pause"] += int(d / time.Millisecond)
		return ctx.Err()
	}
	return q, NewDead(q, "dead", "events", f.clock)
}
