package sqs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/skycrafters/responder"
)

// Names of the message attributes that a buried message carries.
const (
	attrCause    = "cause"
	attrQueue    = "queue"
	attrReceives = "receives"
	attrDied     = "died"
)

// Names of attributes that EventBridge gives to what it could not deliver
// (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html).
const (
	attrErrorCode    = "ERROR_CODE"
	attrErrorMessage = "ERROR_MESSAGE"
)

const (
	maxCause   = 1024             // bytes of a cause that are kept
	buryHold   = time.Minute      // a message is hidden while it is buried
	lookHold   = 5 * time.Minute  // letters are hidden while they are looked at
	lookWait   = time.Second      // a receive that waits asks all of SQS's servers, one that does not asks some
	listMost   = 1_000            // letters that List looks at
	changeMost = 10_000           // letters that one Redrive or Purge looks at
	letGo      = 10 * time.Second // for making letters visible again when the caller's time is over
)

// Dead is the dead letters of a queue: another standard SQS queue. Safe for
// concurrent use.
//
// SQS has no look without a receive. List, Redrive and Purge receive letters
// ten at a time, hidden from others for up to five minutes, and make those that
// stay visible again: two requests for each ten letters that stay, and a second
// at the end. Two such calls at once each see a part. Redrive makes three
// requests for each ten letters it takes, Purge two.
//
// Messages that SQS itself moved there (the source's redrive policy) bear no
// cause and no time of death: their cause says how often they were received,
// Died is the time they were sent, and each later look at them counts as one
// more receive.
type Dead struct {
	source  *Queue
	letters remote
	name    string
	now     func() time.Time
}

var _ responder.Dead = (*Dead)(nil)

// NewDead gives the dead letters of source, kept on the queue at url. name says
// what letters give as their queue.
func NewDead(source *Queue, url, name string, now func() time.Time) *Dead {
	letters := source.remote
	letters.url = url
	return &Dead{source: source, letters: letters, name: name, now: now}
}

// Bury implements responder.Dead in three requests: the message is hidden (a
// stale receipt is seen here), sent to the dead letters, and deleted. If it
// fails after the second, the letter is there and the message comes again: at
// least once, never lost. Of the cause the first 1,024 bytes are kept, less
// where the message leaves less than that of the MiB that SQS takes.
func (d *Dead) Bury(ctx context.Context, delivery responder.Delivery, cause string) error {
	if err := d.source.Release(ctx, delivery, buryHold); err != nil {
		return fmt.Errorf("bury: %w", err)
	}
	entry := types.SendMessageBatchRequestEntry{MessageBody: aws.String(string(delivery.Body))}
	entry.MessageAttributes = d.epitaph(cause, delivery.Receives, maxBatchBytes-entryBytes(entry))
	failed, broken := d.letters.send(ctx, []types.SendMessageBatchRequestEntry{entry}, []int{0})
	if broken != nil {
		return fmt.Errorf("bury: %w", broken)
	}
	if err := outcome("bury", 1, failed); err != nil {
		return err
	}
	if err := d.source.Ack(ctx, delivery); err != nil {
		return fmt.Errorf("bury: %w", err)
	}
	return nil
}

// epitaph gives the attributes of a buried message within room bytes, or none
// if they do not fit.
func (d *Dead) epitaph(cause string, receives, room int) map[string]types.MessageAttributeValue {
	attributes := map[string]types.MessageAttributeValue{}
	set := func(name, kind, value string) {
		attributes[name] = types.MessageAttributeValue{DataType: &kind, StringValue: &value}
	}
	set(attrQueue, "String", d.name)
	set(attrReceives, "Number", strconv.Itoa(receives))
	set(attrDied, "String", d.now().UTC().Format(time.RFC3339Nano))
	set(attrCause, "String", "")
	room -= entryBytes(types.SendMessageBatchRequestEntry{MessageAttributes: attributes})
	cause = shorten(legible(cause), min(room, maxCause))
	if cause == "" {
		return nil // an attribute may not be empty
	}
	set(attrCause, "String", cause)
	return attributes
}

// legible gives a text that SQS carries and that is not empty.
func legible(text string) string {
	text = strings.Map(func(r rune) rune {
		if carried(r) {
			return r
		}
		return utf8.RuneError
	}, strings.ToValidUTF8(text, string(utf8.RuneError)))
	return cmp.Or(text, "no cause given")
}

// shorten cuts a text to at most n bytes, between characters.
func shorten(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:max(n, 0)]
}

// letter is a dead letter in hand.
type letter struct {
	responder.DeadLetter
	receipt string
}

// List implements responder.Dead: the oldest of the first thousand letters that
// SQS hands out.
func (d *Dead) List(ctx context.Context, limit int) ([]responder.DeadLetter, error) {
	var letters []responder.DeadLetter
	err := d.each(ctx, listMost, func(page []letter) (gone []letter, more bool, err error) {
		for _, l := range page {
			letters = append(letters, l.DeadLetter)
		}
		slices.SortStableFunc(letters, func(a, b responder.DeadLetter) int { return a.Died.Compare(b.Died) })
		letters = letters[:min(len(letters), max(limit, 0))]
		return nil, true, nil
	})
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	return letters, nil
}

// Redrive implements responder.Dead. A letter is sent to the source and then
// deleted: it may be redriven twice, never lost. One call looks at 10,000
// letters at most, and leaves alone what died since it began.
func (d *Dead) Redrive(ctx context.Context, ids ...string) (int, error) {
	began := d.now()
	return d.take(ctx, "redrive dead letters", ids, func(l letter) bool { return !l.Died.After(began) }, func(page []letter) ([]letter, error) {
		entries := make([]types.SendMessageBatchRequestEntry, len(page))
		indexes := make([]int, len(page))
		for i, l := range page {
			entries[i].MessageBody = aws.String(string(l.Body))
			indexes[i] = i
		}
		failed, broken := d.source.send(ctx, entries, indexes)
		if broken != nil && len(failed) == len(page) {
			return nil, broken
		}
		var sent []letter
		for i, l := range page {
			if failed[i] == nil {
				sent = append(sent, l)
			}
		}
		gone, err := d.forget(ctx, sent)
		if err == nil {
			err = outcome("send back", len(page), failed)
		}
		return gone, err
	})
}

// Purge implements responder.Dead. One call looks at 10,000 letters at most.
func (d *Dead) Purge(ctx context.Context, ids ...string) (int, error) {
	return d.take(ctx, "purge dead letters", ids, func(letter) bool { return true }, func(page []letter) ([]letter, error) {
		return d.forget(ctx, page)
	})
}

// forget deletes letters, and gives those that are gone.
func (d *Dead) forget(ctx context.Context, letters []letter) (gone []letter, err error) {
	receipts := make([]string, len(letters))
	for i, l := range letters {
		receipts[i] = l.receipt
	}
	failed := d.letters.remove(ctx, receipts)
	for i, l := range letters {
		if failed[i] == nil {
			gone = append(gone, l)
		}
	}
	return gone, outcome("delete", len(letters), failed)
}

// take acts on the letters of the given ids, or all, that are fit, page by
// page, until it has met them all, and counts those that act says are gone.
func (d *Dead) take(ctx context.Context, operation string, ids []string, fit func(letter) bool, act func([]letter) (gone []letter, err error)) (int, error) {
	wanted := map[string]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	total := 0
	err := d.each(ctx, changeMost, func(page []letter) (gone []letter, more bool, err error) {
		var chosen []letter
		for _, l := range page {
			if (len(ids) == 0 || wanted[l.ID]) && fit(l) {
				chosen = append(chosen, l)
				delete(wanted, l.ID)
			}
		}
		if len(chosen) > 0 {
			gone, err = act(chosen)
			total += len(gone)
		}
		return gone, err == nil && (len(ids) == 0 || len(wanted) > 0), err
	})
	if err != nil {
		return total, fmt.Errorf("%s: %w", operation, err)
	}
	return total, nil
}

// each shows every letter to visit, page by page and once, until visit says
// that it wants no more, there are no more, or most were seen. Letters that are
// not gone then, as visit says, are visible again afterwards.
func (d *Dead) each(ctx context.Context, most int, visit func(page []letter) (gone []letter, more bool, err error)) (err error) {
	seen := map[string]bool{}
	held := map[string]string{} // receipts by id; the latest counts
	defer func() {
		if released := d.letGo(ctx, held); err == nil {
			err = released
		}
	}()
	for len(seen) < most {
		messages, err := d.receive(ctx)
		if err != nil {
			return err
		}
		var page []letter
		for _, m := range messages {
			l := d.letter(m)
			if !seen[l.ID] {
				page = append(page, l)
			}
			seen[l.ID], held[l.ID] = true, l.receipt
		}
		if len(page) == 0 {
			return nil // no more, or they come round again
		}
		gone, more, err := visit(page)
		for _, l := range gone {
			delete(held, l.ID)
		}
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// letGo makes letters visible again, also if ctx has ended meanwhile; then it
// takes no longer than the constant of its name. Those that are gone do not
// matter.
func (d *Dead) letGo(ctx context.Context, held map[string]string) error {
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), letGo)
		defer cancel()
	}
	failed := d.letters.hide(ctx, slices.Collect(maps.Values(held)), func(int) time.Duration { return 0 })
	for i, err := range failed {
		if errors.Is(err, responder.ErrStaleReceipt) {
			delete(failed, i)
		}
	}
	return outcome("let go", len(held), failed)
}

func (d *Dead) receive(ctx context.Context) ([]types.Message, error) {
	out, err := d.letters.client.ReceiveMessage(ctx, &awssqs.ReceiveMessageInput{
		QueueUrl:              &d.letters.url,
		MaxNumberOfMessages:   maxEntries,
		VisibilityTimeout:     wholeSeconds(lookHold),
		WaitTimeSeconds:       wholeSeconds(lookWait),
		MessageAttributeNames: []string{attrCause, attrQueue, attrReceives, attrDied, attrErrorCode, attrErrorMessage},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{
			types.MessageSystemAttributeNameApproximateReceiveCount,
			types.MessageSystemAttributeNameSentTimestamp,
			types.MessageSystemAttributeNameDeadLetterQueueSourceArn,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("receive from SQS: %w", err)
	}
	return out.Messages, nil
}

// letter reads a received dead letter. What it does not say itself, because SQS
// moved it, EventBridge put it there, or it left no room, is told from theirs.
func (d *Dead) letter(m types.Message) letter {
	said := func(name string) string { return aws.ToString(m.MessageAttributes[name].StringValue) }
	l := letter{receipt: aws.ToString(m.ReceiptHandle), DeadLetter: responder.DeadLetter{
		ID:    aws.ToString(m.MessageId),
		Queue: cmp.Or(said(attrQueue), d.name),
		Cause: said(attrCause),
		Body:  []byte(aws.ToString(m.Body)),
	}}
	var err error
	if l.Receives, err = strconv.Atoi(said(attrReceives)); err != nil {
		// This look is one of the receives that SQS counts, and no delivery.
		l.Receives = receives(m.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)]) - 1
	}
	if l.Died, err = time.Parse(time.RFC3339Nano, said(attrDied)); err != nil {
		l.Died = epochMillis(m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)])
	}
	switch {
	case l.Cause != "":
	case said(attrErrorCode) != "":
		l.Cause = fmt.Sprintf("EventBridge could not deliver it: %s: %s", said(attrErrorCode), said(attrErrorMessage))
	case m.Attributes[string(types.MessageSystemAttributeNameDeadLetterQueueSourceArn)] != "":
		l.Cause = fmt.Sprintf("received %d times without being handled", l.Receives)
	default:
		l.Cause = "not known: the message was too large to bear it"
	}
	return l
}

// epochMillis reads SQS's times, milliseconds since 1970; zero if it is none.
func epochMillis(text string) time.Time {
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
