package porttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

// QueueHarness is a fresh, empty queue with its dead letters.
type QueueHarness struct {
	Queue responder.Queue
	Dead  responder.Dead
	// Visibility is how long the queue hides a delivery.
	Visibility time.Duration
	// MaxReceives is after how many deliveries without an Ack a message goes
	// to the dead letters by itself; at least 2.
	MaxReceives int
	// Advance tells the clock; nil: real time must pass.
	Advance func(time.Duration)
	// MinDelay is the shortest delay the queue can tell from none: a
	// nanosecond if zero, a second for SQS.
	MinDelay time.Duration
	// LaxReceipts says that the service takes an old receipt without a word
	// (SQS does), so that nobody can report it as stale.
	LaxReceipts bool
}

// Queue is the conformance suite of responder.Queue. open is called once a case.
func Queue(t *testing.T, open func(t *testing.T) QueueHarness) {
	for name, run := range map[string]func(*testing.T, QueueHarness){
		"a message arrives as sent":          testArrives,
		"every UTF-8 text arrives unchanged": testTexts,
		"an acked message is gone":           testAck,
		"an unacked message comes again":     testVisibility,
		"a delay is kept":                    testDelay,
		"the longest delay is kept":          testLongestDelay,
		"release brings a message back":      testRelease,
		"a stale receipt is refused":         testStaleReceipt,
		"a late ack counts":                  testLateAck,
		"a batch is split by the adapter":    testBatch,
		"bad messages are named":             testBadMessages,
		"nothing to do is no error":          testNothing,
		"receive takes at most max":          testMax,
		"receive wakes for a message":        testWakes,
		"receive ends with its context":      testContext,
		"receivers never share a delivery":   testReceivers,
		"bodies are not shared with callers": testNoAliases,
		"parts of a batch are settled alone": testParts,
	} {
		t.Run(name, func(t *testing.T) { run(t, open(t)) })
	}
}

func testArrives(t *testing.T, h QueueHarness) {
	h.send(t, "hello")
	d := h.one(t)
	if string(d.Body) != "hello" || d.ID == "" || d.Receipt == "" || d.Receives != 1 {
		t.Errorf("delivered %q with id %q, receipt %q, receives %d; want hello, the two set, 1", d.Body, d.ID, d.Receipt, d.Receives)
	}
	h.none(t, "while it is in flight")
}

func testTexts(t *testing.T, h QueueHarness) {
	for _, text := range []string{
		`{"a":1}`, " leading and trailing \n", "tab\tnewline\r\n", "ü ñ 漢字 😀 \U0010FFFD", "\u2028\u2029", "<&>\"'\\", "%00 %", "e\u0301", strings.Repeat("é", 70_000), "\uFFFD", "\u007f\u0085",
	} {
		h.send(t, text)
		d := h.one(t)
		if string(d.Body) != text {
			t.Errorf("sent %.40q, got %.40q", text, d.Body)
		}
		h.ack(t, d)
	}
	// What SQS cannot carry is either carried all the same or refused by name:
	// never lost, never changed.
	for _, text := range []string{"\x00", "\x01", "\uFFFE", "\uFFFF"} {
		err := h.Queue.Send(t.Context(), responder.Message{Body: []byte(text)})
		var refused *responder.SendError
		if errors.As(err, &refused) {
			if refused.Failed[0] == nil {
				t.Errorf("Send(%q) refused %v, not message 0", text, refused.Failed)
			}
			continue
		}
		if err != nil {
			t.Fatalf("Send(%q): %v; want nil or *SendError", text, err)
		}
		d := h.one(t)
		if string(d.Body) != text {
			t.Errorf("sent %q, got %q", text, d.Body)
		}
		h.ack(t, d)
	}
}

func testAck(t *testing.T, h QueueHarness) {
	h.send(t, "a", "b", "c")
	deliveries := h.receive(t, 3)
	h.ack(t, deliveries[0], deliveries[1])
	h.pass(t, h.Visibility)
	if d := h.one(t); d.ID != deliveries[2].ID {
		t.Errorf("message %s came again, want %s, the one not acked", d.ID, deliveries[2].ID)
	}
	h.none(t, "after the one that was not acked")
}

func testVisibility(t *testing.T, h QueueHarness) {
	h.send(t, "again")
	first := h.one(t)
	if h.Advance != nil {
		h.Advance(h.Visibility - 1)
		h.none(t, "a nanosecond before the visibility timeout")
		h.Advance(1)
	} else {
		h.pass(t, h.Visibility)
	}
	second := h.one(t)
	if second.ID != first.ID || second.Receives != 2 || second.Receipt == first.Receipt || string(second.Body) != "again" {
		t.Errorf("came again as %+v after %+v; want the same id and body, receives 2, another receipt", second, first)
	}
}

func testDelay(t *testing.T, h QueueHarness) {
	delay := 2 * h.minDelay()
	if err := h.Queue.Send(t.Context(), responder.Message{Body: []byte("later"), Delay: delay}, responder.Message{Body: []byte("now")}); err != nil {
		t.Fatal(err)
	}
	if d := h.one(t); string(d.Body) != "now" {
		t.Fatalf("got %q first, want the message without a delay", d.Body)
	} else {
		h.ack(t, d)
	}
	h.none(t, "before the delay is over")
	if h.Advance != nil {
		h.Advance(delay - 1)
		h.none(t, "a nanosecond before the delay is over")
		h.Advance(1)
	} else {
		h.pass(t, delay)
	}
	if d := h.one(t); string(d.Body) != "later" || d.Receives != 1 {
		t.Errorf("after the delay got %q with receives %d; want later, 1", d.Body, d.Receives)
	}
}

func testLongestDelay(t *testing.T, h QueueHarness) {
	if err := h.Queue.Send(t.Context(), responder.Message{Body: []byte("much later"), Delay: responder.MaxDelay}); err != nil {
		t.Fatal(err)
	}
	h.none(t, "before the delay is over")
	h.pass(t, responder.MaxDelay)
	h.one(t)
}

func testRelease(t *testing.T, h QueueHarness) {
	ctx := t.Context()
	h.send(t, "back")
	first := h.one(t)
	if err := h.Queue.Release(ctx, first, 0); err != nil {
		t.Fatal(err)
	}
	second := h.one(t)
	if second.ID != first.ID || second.Receives != 2 {
		t.Errorf("released, came again as %s with receives %d; want %s, 2", second.ID, second.Receives, first.ID)
	}
	after := 2 * h.minDelay()
	if err := h.Queue.Release(ctx, second, after); err != nil {
		t.Fatal(err)
	}
	h.none(t, "before the release's time is over")
	h.pass(t, after)
	if h.MaxReceives > 2 {
		if d := h.one(t); d.Receives != 3 {
			t.Errorf("receives is %d, want 3", d.Receives)
		}
	}
}

func testStaleReceipt(t *testing.T, h QueueHarness) {
	if h.LaxReceipts {
		t.Skip("the service takes old receipts without a word")
	}
	ctx := t.Context()
	h.send(t, "contested")
	old := h.one(t)
	h.pass(t, h.Visibility)
	fresh := h.one(t)
	h.send(t, "other")
	other := h.one(t)

	if err := h.Queue.Ack(ctx, old, other); !errors.Is(err, responder.ErrStaleReceipt) {
		t.Errorf("Ack with an old receipt: %v, want ErrStaleReceipt", err)
	}
	if err := h.Queue.Release(ctx, old, 0); !errors.Is(err, responder.ErrStaleReceipt) {
		t.Errorf("Release with an old receipt: %v, want ErrStaleReceipt", err)
	}
	if err := h.Dead.Bury(ctx, old, "too late"); !errors.Is(err, responder.ErrStaleReceipt) {
		t.Errorf("Bury with an old receipt: %v, want ErrStaleReceipt", err)
	}
	if letters := h.letters(t); len(letters) != 0 {
		t.Errorf("an old receipt buried %v", letters)
	}
	h.none(t, "after a Release with an old receipt")
	h.ack(t, fresh)
	if err := h.Queue.Release(ctx, fresh, 0); !errors.Is(err, responder.ErrStaleReceipt) {
		t.Errorf("Release of an acked message: %v, want ErrStaleReceipt", err)
	}
	h.pass(t, h.Visibility)
	h.none(t, "when all are acked, the one beside the stale receipt too")
	if err := h.Queue.Ack(ctx, responder.Delivery{ID: "x", Receipt: "no such receipt"}); err == nil {
		t.Error("Ack of an invented receipt: nil, want an error")
	}
}

// A worker that finished late has still done the work, if nobody else began.
func testLateAck(t *testing.T, h QueueHarness) {
	h.send(t, "slow")
	d := h.one(t)
	h.pass(t, h.Visibility)
	h.ack(t, d)
	h.none(t, "after a late ack")
}

func testBatch(t *testing.T, h QueueHarness) {
	want := map[string]bool{}
	var messages []responder.Message
	for i := range 23 { // more than 10, and 2.5 MB: more than 1 MiB
		body := fmt.Sprintf("%02d %s", i, strings.Repeat("x", 110_000))
		want[body] = true
		messages = append(messages, responder.Message{Body: []byte(body)})
	}
	largest := strings.Repeat("y", responder.MaxMessageBytes)
	want[largest] = true
	messages = append(messages, responder.Message{Body: []byte(largest)})
	if err := h.Queue.Send(t.Context(), messages...); err != nil {
		t.Fatal(err)
	}
	for _, d := range h.receive(t, len(messages)) {
		if !want[string(d.Body)] {
			t.Errorf("got %.20q… twice, or it was not sent", d.Body)
		}
		delete(want, string(d.Body))
		h.ack(t, d)
	}
	h.none(t, "after the whole batch")
}

func testBadMessages(t *testing.T, h QueueHarness) {
	fine := responder.Message{Body: []byte("fine")}
	bad := map[int]responder.Message{
		1: {},
		2: {Body: bytes.Repeat([]byte("x"), responder.MaxMessageBytes+1)},
		4: {Body: []byte("late"), Delay: responder.MaxDelay + time.Second},
		5: {Body: []byte("early"), Delay: -time.Second},
		6: {Body: []byte("not UTF-8: \xff")},
	}
	messages := slices.Repeat([]responder.Message{fine}, 8)
	for i, m := range bad {
		messages[i] = m
	}
	err := h.Queue.Send(t.Context(), messages...)
	var refused *responder.SendError
	if !errors.As(err, &refused) {
		t.Fatalf("Send: %v, want *SendError", err)
	}
	if got, want := slices.Sorted(maps.Keys(refused.Failed)), slices.Sorted(maps.Keys(bad)); !slices.Equal(got, want) {
		t.Errorf("refused %v, want %v", got, want)
	}
	if !errors.Is(refused.Failed[2], responder.ErrTooLarge) {
		t.Errorf("a body too large is refused with %v, want ErrTooLarge", refused.Failed[2])
	}
	for _, d := range h.receive(t, len(messages)-len(bad)) {
		if string(d.Body) != "fine" {
			t.Errorf("got %.20q, want fine", d.Body)
		}
	}
	h.none(t, "after the good ones")
}

func testNothing(t *testing.T, h QueueHarness) {
	ctx := t.Context()
	if err := h.Queue.Send(ctx); err != nil {
		t.Errorf("Send of nothing: %v", err)
	}
	if err := h.Queue.Ack(ctx); err != nil {
		t.Errorf("Ack of nothing: %v", err)
	}
	h.none(t, "on an empty queue")
	if deliveries, err := h.Queue.Receive(ctx, 1, h.minDelay()); err != nil || len(deliveries) != 0 {
		t.Errorf("Receive on an empty queue, with a wait: %v, %v; want none, nil", deliveries, err)
	}
}

func testMax(t *testing.T, h QueueHarness) {
	h.send(t, "1", "2", "3", "4", "5")
	for left := 5; left > 0; {
		deliveries, err := h.Queue.Receive(t.Context(), 2, h.patience())
		if err != nil {
			t.Fatal(err)
		}
		if len(deliveries) == 0 || len(deliveries) > 2 {
			t.Fatalf("Receive of at most 2 gave %d with %d left", len(deliveries), left)
		}
		left -= len(deliveries)
	}
}

func testWakes(t *testing.T, h QueueHarness) {
	type outcome struct {
		deliveries []responder.Delivery
		err        error
	}
	const receivers = 3
	got := make(chan outcome, receivers)
	began := time.Now()
	for range receivers {
		go func() {
			deliveries, err := h.Queue.Receive(t.Context(), 1, 20*time.Second)
			got <- outcome{deliveries, err}
		}()
	}
	for i := range receivers {
		h.send(t, fmt.Sprint(i))
	}
	for range receivers {
		if o := <-got; o.err != nil || len(o.deliveries) != 1 {
			t.Errorf("woken with %v, %v; want one delivery", o.deliveries, o.err)
		}
	}
	if took := time.Since(began); took > patience {
		t.Errorf("took %v to wake", took)
	}
}

func testContext(t *testing.T, h QueueHarness) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := h.Queue.Receive(ctx, 1, 20*time.Second)
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Receive under a cancelled context: %v", err)
	}
	if err := h.Queue.Send(ctx, responder.Message{Body: []byte("x")}); !errors.Is(err, context.Canceled) {
		t.Errorf("Send under a cancelled context: %v", err)
	}
	h.none(t, "after a Send under a cancelled context")
}

func testReceivers(t *testing.T, h QueueHarness) {
	const senders, each, receivers = 4, 30, 6
	var sending sync.WaitGroup
	for s := range senders {
		sending.Go(func() {
			for i := range each / 2 {
				body := func(half int) []byte { return fmt.Appendf(nil, "%d/%d/%d", s, i, half) }
				if err := h.Queue.Send(t.Context(), responder.Message{Body: body(0)}, responder.Message{Body: body(1)}); err != nil {
					t.Errorf("Send: %v", err)
				}
			}
		})
	}
	var mu sync.Mutex
	times := map[string]int{}
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	var receiving sync.WaitGroup
	for range receivers {
		receiving.Go(func() {
			for {
				deliveries, err := h.Queue.Receive(ctx, 7, time.Second)
				if err != nil {
					if ctx.Err() == nil {
						t.Errorf("Receive: %v", err)
					}
					return
				}
				mu.Lock()
				for _, d := range deliveries {
					times[string(d.Body)]++
				}
				if len(times) == senders*each {
					stop()
				}
				mu.Unlock()
			}
		})
	}
	sending.Wait()
	receiving.Wait()
	if len(times) != senders*each {
		t.Errorf("%d messages arrived, want %d", len(times), senders*each)
	}
	for body, n := range times {
		// Where time is real and visibility short, a second delivery may be due.
		if n > 1 && (h.Advance != nil || h.Visibility > patience) {
			t.Errorf("message %s was delivered %d times within one visibility timeout", body, n)
		}
	}
}

func testNoAliases(t *testing.T, h QueueHarness) {
	body := []byte("unchanged")
	if err := h.Queue.Send(t.Context(), responder.Message{Body: body}); err != nil {
		t.Fatal(err)
	}
	clear(body)
	first := h.one(t)
	if string(first.Body) != "unchanged" {
		t.Fatalf("got %q: the queue keeps its caller's slice", first.Body)
	}
	clear(first.Body)
	h.pass(t, h.Visibility)
	if second := h.one(t); string(second.Body) != "unchanged" {
		t.Errorf("got %q: the queue shares its slice with receivers", second.Body)
	}
}

// send puts texts on the queue, as one batch.
func (h QueueHarness) send(t *testing.T, texts ...string) {
	t.Helper()
	messages := make([]responder.Message, len(texts))
	for i, text := range texts {
		messages[i].Body = []byte(text)
	}
	if err := h.Queue.Send(t.Context(), messages...); err != nil {
		t.Fatalf("Send: %v", err)
	}
}

// receive gives n deliveries; a service may spread them over several calls.
func (h QueueHarness) receive(t *testing.T, n int) []responder.Delivery {
	t.Helper()
	var got []responder.Delivery
	for len(got) < n {
		deliveries, err := h.Queue.Receive(t.Context(), n-len(got), h.patience())
		if err != nil {
			t.Fatalf("Receive: %v", err)
		}
		if len(deliveries) == 0 {
			t.Fatalf("%d messages arrived, want %d", len(got), n)
		}
		got = append(got, deliveries...)
	}
	return got
}

// one gives the one delivery that must be there.
func (h QueueHarness) one(t *testing.T) responder.Delivery {
	t.Helper()
	return h.receive(t, 1)[0]
}

// none says that nothing may be deliverable.
func (h QueueHarness) none(t *testing.T, when string) {
	t.Helper()
	deliveries, err := h.Queue.Receive(t.Context(), 10, 0)
	if err != nil {
		t.Fatalf("Receive: %v", err)
	}
	for _, d := range deliveries {
		t.Errorf("%.40q was delivered %s", d.Body, when)
	}
}

func (h QueueHarness) ack(t *testing.T, deliveries ...responder.Delivery) {
	t.Helper()
	if err := h.Queue.Ack(t.Context(), deliveries...); err != nil {
		t.Fatalf("Ack: %v", err)
	}
}

func (h QueueHarness) pass(t *testing.T, d time.Duration) {
	t.Helper()
	pass(t, h.Advance, d)
}

// patience is how long a Receive may take that must find something.
func (h QueueHarness) patience() time.Duration {
	if h.Advance != nil {
		return 0
	}
	return 5 * time.Second
}

func (h QueueHarness) minDelay() time.Duration { return max(h.MinDelay, 1) }
