package sqs

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/skycrafters/responder"
)

// recorder keeps the receives it passes on.
type recorder struct {
	*fake
	receives []awssqs.ReceiveMessageInput
}

func (r *recorder) ReceiveMessage(ctx context.Context, in *awssqs.ReceiveMessageInput, options ...func(*awssqs.Options)) (*awssqs.ReceiveMessageOutput, error) {
	r.receives = append(r.receives, *in)
	return r.fake.ReceiveMessage(ctx, in, options...)
}

func TestReceiveAsksInTens(t *testing.T) {
	for _, c := range []struct {
		there, limit int
		wait         time.Duration
		got          int
		asked        []int32 // for how many, call by call
		waits        int32   // of the first call
	}{
		{0, 0, 0, 0, nil, 0},
		{0, 5, -time.Second, 0, []int32{5}, 0},
		{3, 5, 1900 * time.Millisecond, 3, []int32{5}, 1},
		{10, 10, time.Hour, 10, []int32{10}, 20},
		{30, 25, time.Second, 25, []int32{10, 10, 5}, 1},
		{12, 25, 0, 12, []int32{10, 10}, 0},
	} {
		f := newFake()
		q, _ := f.open()
		r := &recorder{fake: f}
		q.client = r
		if err := q.Send(t.Context(), numbered(c.there)...); err != nil {
			t.Fatal(err)
		}
		deliveries, err := q.Receive(t.Context(), c.limit, c.wait)
		if err != nil || len(deliveries) != c.got {
			t.Errorf("Receive of %d with %d there: %d, %v; want %d", c.limit, c.there, len(deliveries), err, c.got)
		}
		var asked []int32
		for i, in := range r.receives {
			asked = append(asked, in.MaxNumberOfMessages)
			if want := map[bool]int32{true: c.waits}[i == 0]; in.WaitTimeSeconds != want {
				t.Errorf("call %d waits %d s, want %d", i, in.WaitTimeSeconds, want)
			}
		}
		if fmt.Sprint(asked) != fmt.Sprint(c.asked) {
			t.Errorf("asked for %v, want %v", asked, c.asked)
		}
	}
}

// What has been received is not lost because the next request fails.
func TestReceiveKeepsWhatItHas(t *testing.T) {
	f := newFake()
	q, _ := f.open()
	if err := q.Send(t.Context(), numbered(15)...); err != nil {
		t.Fatal(err)
	}
	fault := errors.New("no route to host")
	f.before = func(string) error {
		if f.calls["receive"] > 1 {
			return fault
		}
		return nil
	}
	if deliveries, err := q.Receive(t.Context(), 15, 0); err != nil || len(deliveries) != 10 {
		t.Errorf("Receive: %d, %v; want the first ten", len(deliveries), err)
	}
	if _, err := q.Receive(t.Context(), 15, 0); !errors.Is(err, fault) {
		t.Errorf("the next Receive: %v, want the fault", err)
	}
}

func TestAckTellsStaleFromFailed(t *testing.T) {
	f := newFake()
	q, _ := f.open()
	if err := q.Send(t.Context(), numbered(25)...); err != nil {
		t.Fatal(err)
	}
	deliveries, err := q.Receive(t.Context(), 25, 0)
	if err != nil {
		t.Fatal(err)
	}
	deliveries[3].Receipt = "old"
	calls := 0
	f.entry = func(operation, _ string) *types.BatchResultErrorEntry {
		if calls++; calls > 20 && calls <= 22 { // two of the last five, once
			return fails("InternalError", false)
		}
		return nil
	}
	if err := q.Ack(t.Context(), deliveries...); !errors.Is(err, responder.ErrStaleReceipt) {
		t.Errorf("Ack: %v, want ErrStaleReceipt", err)
	}
	if got := f.bodies("main"); len(got) != 1 {
		t.Errorf("%v are left, want the stale one", got)
	}

	f.entry = func(string, string) *types.BatchResultErrorEntry { return fails("InternalError", false) }
	err = q.Ack(t.Context(), deliveries[3])
	if err == nil || errors.Is(err, responder.ErrStaleReceipt) {
		t.Errorf("Ack that fails: %v, want an error that is not ErrStaleReceipt", err)
	}

	fault := errors.New("no route to host")
	f.before = func(string) error { return fault }
	before := f.calls["delete"]
	if err := q.Ack(t.Context(), deliveries...); !errors.Is(err, fault) {
		t.Errorf("Ack without a network: %v, want the fault", err)
	}
	if n := f.calls["delete"] - before; n != 1 {
		t.Errorf("%d requests without a network, want 1", n)
	}
}

func TestStaleReceiptsByAnyName(t *testing.T) {
	for _, code := range []string{"ReceiptHandleIsInvalid", "MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight", "InvalidParameterValue"} {
		if err := entryError(types.BatchResultErrorEntry{Code: aws.String(code)}); !errors.Is(err, responder.ErrStaleReceipt) {
			t.Errorf("%s: %v, want ErrStaleReceipt", code, err)
		}
	}
	if err := entryError(types.BatchResultErrorEntry{Code: aws.String("InternalError")}); errors.Is(err, responder.ErrStaleReceipt) {
		t.Errorf("InternalError: %v", err)
	}
}

func TestReleaseRefusesWhatSQSDoesNotKeep(t *testing.T) {
	f := newFake()
	q, _ := f.open()
	for _, after := range []time.Duration{-1, 12*time.Hour + 1} {
		if err := q.Release(t.Context(), responder.Delivery{Receipt: "r"}, after); err == nil || errors.Is(err, responder.ErrStaleReceipt) {
			t.Errorf("Release after %v: %v, want an error", after, err)
		}
	}
	if f.calls["hide"] > 0 {
		t.Error("SQS was asked")
	}
}

// TestReleaseEach: ten deliveries a request, each with its own rest; what cannot be
// released is told by its place.
func TestReleaseEach(t *testing.T) {
	f := newFake()
	q, _ := f.open()
	if err := q.Send(t.Context(), numbered(25)...); err != nil {
		t.Fatal(err)
	}
	deliveries, err := q.Receive(t.Context(), 25, 0)
	if err != nil || len(deliveries) != 25 {
		t.Fatal(len(deliveries), err)
	}
	deliveries[12].Receipt = "old"
	rests := map[string]time.Duration{}
	for i, d := range deliveries {
		rests[d.ID] = time.Duration(i) * time.Second
	}
	failed := q.ReleaseEach(t.Context(), deliveries, func(d responder.Delivery) time.Duration { return rests[d.ID] })
	if len(failed) != 1 || !errors.Is(failed[12], responder.ErrStaleReceipt) {
		t.Errorf("failed %v, want the thirteenth as stale", failed)
	}
	if f.calls["hide"] != 3 {
		t.Errorf("%d requests, want 3", f.calls["hide"])
	}
	f.advance(20 * time.Second)
	if again, err := q.Receive(t.Context(), 25, 0); err != nil || len(again) != 20 {
		t.Errorf("after 20 s %d come again, %v; want those that rested up to 20 s", len(again), err)
	}
}
