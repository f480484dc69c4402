package lambdas

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/rs/zerolog"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/memory"
	"github.com/skycrafters/responder/internal/metrics"
)

// bench is a queue with messages in flight, and a batch that is fed from it.
type bench struct {
	now        time.Time
	queue      *memory.Queue
	deliveries []responder.Delivery
	log        bytes.Buffer
	stdout     bytes.Buffer
	batch      *Batch
}

// newBench delivers the bodies; fails says how the stage answers a body, nil for handled.
func newBench(t *testing.T, fails map[string]responder.Failure, bodies ...string) *bench {
	t.Helper()
	b := &bench{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	b.queue = memory.NewQueue("events", func() time.Time { return b.now }, memory.QueueOptions{Visibility: time.Hour})
	for _, body := range bodies {
		if err := b.queue.Send(t.Context(), responder.Message{Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
	}
	b.receive(t)
	b.batch = &Batch{
		Stage: func(_ context.Context, deliveries []responder.Delivery) (failures []responder.Failure) {
			for _, d := range deliveries {
				if f, ok := fails[string(d.Body)]; ok {
					f.ID = d.ID
					failures = append(failures, f)
				}
			}
			return failures
		},
		Name: "events", Queue: b.queue, Dead: b.queue, Log: zerolog.New(zerolog.SyncWriter(&b.log)),
		Metrics: metrics.New(&b.stdout, "responder", func() time.Time { return b.now }), Now: func() time.Time { return b.now },
	}
	return b
}

func (b *bench) receive(t *testing.T) {
	t.Helper()
	var err error
	if b.deliveries, err = b.queue.Receive(t.Context(), 10, 0); err != nil {
		t.Fatal(err)
	}
}

// event is the batch as Lambda gives it to the function.
func (b *bench) event(t *testing.T) json.RawMessage {
	t.Helper()
	var event events.SQSEvent
	for _, d := range b.deliveries {
		event.Records = append(event.Records, events.SQSMessage{
			MessageId: d.ID, ReceiptHandle: d.Receipt, Body: string(d.Body), EventSource: "aws:sqs",
			Attributes: map[string]string{
				"ApproximateReceiveCount": fmt.Sprint(d.Receives),
				"SentTimestamp":           fmt.Sprint(b.now.Add(-1500 * time.Millisecond).UnixMilli()),
			},
		})
	}
	raw, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// invoke gives the answer as Lambda reads it.
func (b *bench) invoke(t *testing.T) string {
	t.Helper()
	response, err := b.batch.Invoke(t.Context(), b.event(t))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := json.Marshal(response)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// told gives the lines of metrics.
func (b *bench) told(t *testing.T) string {
	t.Helper()
	if err := b.batch.Metrics.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.stdout.String()
}

// TestBatchLag: of each message that says when it was sent, unless it was to
// come late.
func TestBatchLag(t *testing.T) {
	b := newBench(t, nil, "a", "late", "b")
	b.batch.Delayed = func(body []byte) bool { return string(body) == "late" }
	b.invoke(t)
	if got := b.told(t); !strings.Contains(got, `"Queue":"events","QueueLag":[1500,1500],`) {
		t.Errorf("told %s, want two lags of 1500 ms", got)
	}

	b = newBench(t, nil, "a")
	for _, odd := range []string{`,"SentTimestamp":"`, `,"SentTimestamp":"x`} {
		raw := strings.Replace(string(b.event(t)), `,"SentTimestamp":"`, odd+`","Other":"`, 1)
		if _, err := b.batch.Invoke(t.Context(), json.RawMessage(raw)); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.told(t); got != "" {
		t.Errorf("of messages that do not say when they were sent, it tells %s", got)
	}
}

func TestBatch(t *testing.T) {
	fails := map[string]responder.Failure{
		"throttled": {Err: errors.New("detect: throttled")},
		"poison":    {Err: errors.New("detect: event is not a JSON object"), Dead: true},
	}
	for name, c := range map[string]struct {
		bodies []string
		want   string
		dead   int
	}{
		"all handled":     {[]string{"a", "b"}, `{"batchItemFailures":[]}`, 0},
		"one comes again": {[]string{"a", "throttled", "b"}, `{"batchItemFailures":[{"itemIdentifier":"2"}]}`, 0},
		"one is dead":     {[]string{"a", "poison"}, `{"batchItemFailures":[]}`, 1},
		"one of each":     {[]string{"poison", "throttled"}, `{"batchItemFailures":[{"itemIdentifier":"2"}]}`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, fails, c.bodies...)
			if got := b.invoke(t); got != c.want {
				t.Errorf("answers %s, want %s", got, c.want)
			}
			letters, err := b.queue.List(t.Context(), 10)
			if err != nil || len(letters) != c.dead {
				t.Fatalf("%d dead letters, %v; want %d", len(letters), err, c.dead)
			}
			for _, l := range letters {
				if l.Cause != "detect: event is not a JSON object" || string(l.Body) != "poison" {
					t.Errorf("the dead letter is %+v", l)
				}
			}
			if got := b.told(t); strings.Contains(got, "DeadLetters") != (c.dead > 0) || c.dead > 0 && !strings.Contains(got, fmt.Sprintf(`"DeadLetters":%d,"Queue":"events"`, c.dead)) {
				t.Errorf("told of other dead letters than %d: %s", c.dead, got)
			}
			for what, n := range map[string]int{"dead letter": c.dead, "will be tried again": strings.Count(c.want, "itemIdentifier")} {
				if got := strings.Count(b.log.String(), what); got != n {
					t.Errorf("%d lines say %q, want %d:\n%s", got, what, n, b.log.String())
				}
			}
		})
	}
}

// TestBatchRests: what goes back comes again soon, and later each time, not
// after the queue's visibility timeout of an hour.
func TestBatchRests(t *testing.T) {
	b := newBench(t, map[string]responder.Failure{"x": {Err: errors.New("throttled")}}, "x")
	for _, rest := range []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second} {
		b.invoke(t)
		b.now = b.now.Add(rest - time.Second)
		if b.receive(t); len(b.deliveries) > 0 {
			t.Fatalf("comes again before %v", rest)
		}
		b.now = b.now.Add(time.Second)
		if b.receive(t); len(b.deliveries) != 1 {
			t.Fatalf("does not come again after %v", rest)
		}
	}
}

func TestPause(t *testing.T) {
	var got []string
	for _, receives := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1 << 30} {
		got = append(got, pause(receives).String())
	}
	want := []string{"10s", "10s", "20s", "40s", "1m20s", "2m40s", "5m20s", "10m40s", "15m0s", "15m0s", "15m0s"}
	if !slices.Equal(got, want) {
		t.Errorf("pauses are %v, want %v", got, want)
	}
}

// TestBatchRefuses: an invocation that brings no messages must not count as a
// batch that was handled.
func TestBatchRefuses(t *testing.T) {
	for name, raw := range map[string]string{
		"a schedule":       `{"source":"aws.events","detail-type":"Scheduled Event"}`,
		"an empty object":  `{}`,
		"no records":       `{"Records":[]}`,
		"an API's request": `{"httpMethod":"POST","body":"{}"}`,
		"another source":   `{"Records":[{"eventSource":"aws:s3","messageId":"x"}]}`,
	} {
		b := newBench(t, nil)
		b.batch.Stage = func(context.Context, []responder.Delivery) []responder.Failure {
			t.Errorf("%s reaches the stage", name)
			return nil
		}
		if _, err := b.batch.Invoke(t.Context(), json.RawMessage(raw)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// broken is a queue that cannot be reached.
type broken struct{ responder.Dead }

func (broken) Bury(context.Context, responder.Delivery, string) error { return errors.New("no SQS") }
func (broken) ReleaseEach(_ context.Context, deliveries []responder.Delivery, _ func(responder.Delivery) time.Duration) map[int]error {
	failed := map[int]error{}
	for i := range deliveries {
		failed[i] = errors.New("no SQS")
	}
	return failed
}

func TestBatchWithoutItsQueue(t *testing.T) {
	b := newBench(t, map[string]responder.Failure{"a": {Err: errors.New("dead"), Dead: true}, "b": {Err: errors.New("throttled")}}, "a", "b", "c")
	b.batch.Queue, b.batch.Dead = broken{}, broken{}
	want := `{"batchItemFailures":[{"itemIdentifier":"1"},{"itemIdentifier":"2"}]}`
	if got := b.invoke(t); got != want {
		t.Errorf("answers %s, want %s: what cannot be buried comes again", got, want)
	}
	if got := b.told(t); strings.Contains(got, "DeadLetters") {
		t.Errorf("what is not buried is told as a dead letter: %s", got)
	}
	if n := strings.Count(b.log.String(), "visibility timeout"); n != 2 {
		t.Errorf("%d of 2 failed releases are logged:\n%s", n, b.log.String())
	}
}

// TestBatchStale: a message that another has by now is left to it, without noise.
func TestBatchStale(t *testing.T) {
	b := newBench(t, map[string]responder.Failure{"x": {Err: errors.New("throttled")}}, "x")
	b.deliveries[0].Receipt = "1.99"
	b.invoke(t)
	if strings.Contains(b.log.String(), "visibility timeout") {
		t.Errorf("a stale receipt is told as a fault:\n%s", b.log.String())
	}
}

// TestBatchLeavesTime: the stage must end before Lambda's deadline, so that what
// it could not do is told.
func TestBatchLeavesTime(t *testing.T) {
	b := newBench(t, nil, "x")
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(time.Hour))
	defer cancel()
	end, _ := ctx.Deadline()
	var left time.Duration
	b.batch.Stage = func(ctx context.Context, _ []responder.Delivery) []responder.Failure {
		stageEnd, ok := ctx.Deadline()
		if !ok {
			t.Error("the stage has no deadline")
		}
		left = end.Sub(stageEnd)
		return nil
	}
	if _, err := b.batch.Invoke(ctx, b.event(t)); err != nil {
		t.Fatal(err)
	}
	if left != settling {
		t.Errorf("the stage leaves %v, want %v", left, settling)
	}
}
