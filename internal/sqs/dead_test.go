package sqs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/skycrafters/responder"
)

// bury sends and buries one message.
func bury(t *testing.T, q *Queue, d *Dead, body, cause string) {
	t.Helper()
	if err := q.Send(t.Context(), responder.Message{Body: []byte(body)}); err != nil {
		t.Fatal(err)
	}
	deliveries, err := q.Receive(t.Context(), 1, 0)
	if err != nil || len(deliveries) != 1 {
		t.Fatalf("received %v, %v", deliveries, err)
	}
	if err := d.Bury(t.Context(), deliveries[0], cause); err != nil {
		t.Fatal(err)
	}
}

func list(t *testing.T, d *Dead) []responder.DeadLetter {
	t.Helper()
	letters, err := d.List(t.Context(), 1_000)
	if err != nil {
		t.Fatal(err)
	}
	return letters
}

func TestCausesAreCarried(t *testing.T) {
	const full = maxBatchBytes
	for name, c := range map[string]struct {
		size  int
		cause string
		want  string // what the letter's cause begins with
	}{
		"as given":            {1, "not JSON – 終", "not JSON – 終"},
		"none":                {1, "", "no cause given"},
		"not UTF-8":           {1, "bad \xff", "bad \uFFFD"},
		"what SQS refuses":    {1, "nul \x00", "nul \uFFFD"},
		"a long one":          {1, strings.Repeat("終", 1_000), strings.Repeat("終", 341)},
		"a large message":     {full - 300, strings.Repeat("é", 1_000), "ééé"},
		"the largest message": {full, "cause", "not known"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			q, d := f.open()
			bury(t, q, d, strings.Repeat("x", c.size), c.cause)
			letters := list(t, d)
			if len(letters) != 1 || len(letters[0].Body) != c.size {
				t.Fatalf("%d letters", len(letters))
			}
			if got := letters[0].Cause; !strings.HasPrefix(got, c.want) || len(got) > maxCause || !utf8.ValidString(got) {
				t.Errorf("cause is %d bytes, %.40q; want at most %d of UTF-8 that begin %.40q", len(got), got, maxCause, c.want)
			}
			if left := f.bodies("main"); len(left) > 0 {
				t.Error("the message is still there")
			}
		})
	}
}

func TestLettersThatSQSMoved(t *testing.T) {
	f := newFake()
	q, d := f.open()
	sent := f.clock()
	if err := q.Send(t.Context(), numbered(1)...); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if _, err := q.Receive(t.Context(), 1, 0); err != nil {
			t.Fatal(err)
		}
		f.advance(time.Minute)
	}
	letters := list(t, d)
	if len(letters) != 1 || letters[0].Cause != "received 3 times without being handled" || letters[0].Receives != 3 || !letters[0].Died.Equal(sent) || letters[0].Queue != "events" {
		t.Errorf("letters are %+v; want one received 3 times, died when it was sent, from events", letters)
	}
}

// TestLettersOfEventBridge: the bus's rule puts what it cannot deliver among the
// dead letters, and says why in attributes of its own.
func TestLettersOfEventBridge(t *testing.T) {
	f := newFake()
	_, d := f.open()
	text := func(value string) types.MessageAttributeValue {
		return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
	}
	if _, err := f.SendMessageBatch(t.Context(), &awssqs.SendMessageBatchInput{QueueUrl: &d.letters.url, Entries: []types.SendMessageBatchRequestEntry{{
		Id: aws.String("0"), MessageBody: aws.String("{}"),
		MessageAttributes: map[string]types.MessageAttributeValue{
			"RULE_ARN": text("arn:aws:events:eu-west-1:111122223333:rule/r"), "ERROR_CODE": text("NO_PERMISSIONS"), "ERROR_MESSAGE": text("Lack of permissions"),
		},
	}}}); err != nil {
		t.Fatal(err)
	}
	letters := list(t, d)
	if len(letters) != 1 || letters[0].Cause != "EventBridge could not deliver it: NO_PERMISSIONS: Lack of permissions" || letters[0].Receives != 0 {
		t.Errorf("letters are %+v", letters)
	}
}

func TestBuryNeverLoses(t *testing.T) {
	fault := errors.New("no luck")
	for _, operation := range []string{"hide", "send", "delete"} {
		t.Run(operation, func(t *testing.T) {
			f := newFake()
			q, d := f.open()
			if err := q.Send(t.Context(), numbered(1)...); err != nil {
				t.Fatal(err)
			}
			deliveries, err := q.Receive(t.Context(), 1, 0)
			if err != nil {
				t.Fatal(err)
			}
			f.before = func(now string) error {
				if now == operation {
					return fault
				}
				return nil
			}
			if err := d.Bury(t.Context(), deliveries[0], "cause"); !errors.Is(err, fault) {
				t.Errorf("Bury: %v, want the fault", err)
			}
			if left := f.bodies("main"); len(left) != 1 {
				t.Error("the message is gone")
			}
		})
	}
}

func TestEveryLetterIsVisibleAfterwards(t *testing.T) {
	fault := errors.New("no luck")
	refuse := func(operation string) func(*fake, context.CancelFunc) {
		return func(f *fake, _ context.CancelFunc) {
			f.before = func(now string) error {
				if now == operation {
					return fault
				}
				return nil
			}
		}
	}
	all := func(ctx context.Context, d *Dead) error { _, err := d.Redrive(ctx); return err }
	for name, c := range map[string]struct {
		fault func(*fake, context.CancelFunc)
		do    func(context.Context, *Dead) error
		left  int
		want  error
	}{
		"listed":           {nil, func(ctx context.Context, d *Dead) error { _, err := d.List(ctx, 3); return err }, 25, nil},
		"not named":        {nil, func(ctx context.Context, d *Dead) error { _, err := d.Purge(ctx, "nobody"); return err }, 25, nil},
		"redriven in vain": {refuse("send"), all, 25, fault},
		"not deleted":      {refuse("delete"), all, 25, fault},
		"purged":           {nil, func(ctx context.Context, d *Dead) error { _, err := d.Purge(ctx); return err }, 0, nil},
		"after a cancellation": {func(f *fake, cancel context.CancelFunc) {
			f.before = func(now string) error {
				if now == "send" {
					cancel()
					return context.Canceled
				}
				return nil
			}
		}, all, 25, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			q, d := f.open()
			for i := range 25 {
				bury(t, q, d, fmt.Sprint(i), "cause")
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.fault != nil {
				c.fault(f, cancel)
			}
			if err := c.do(ctx, d); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			f.before = nil
			if got := len(list(t, d)); got != c.left {
				t.Errorf("%d letters are visible, want %d", got, c.left)
			}
		})
	}
}

func TestRedriveOfSomeThatFail(t *testing.T) {
	f := newFake()
	q, d := f.open()
	for i := range 12 {
		bury(t, q, d, fmt.Sprint(i), "cause")
	}
	f.entry = func(operation, body string) *types.BatchResultErrorEntry {
		if operation == "send" && body == "3" {
			return fails("AccessDenied", true)
		}
		return nil
	}
	n, err := d.Redrive(t.Context())
	if err == nil || n != 9 {
		t.Errorf("Redrive: %d, %v; want the 9 others of the page and an error", n, err)
	}
	f.entry = nil
	if n, err := d.Redrive(t.Context()); err != nil || n != 3 {
		t.Errorf("Redrive again: %d, %v; want 3", n, err)
	}
	if got := len(f.bodies("main")); got != 12 {
		t.Errorf("%d are back, want 12", got)
	}
}

// What dies while it is redriven is not redriven for ever.
func TestRedriveLeavesWhatDiesMeanwhile(t *testing.T) {
	f := newFake()
	q, d := f.open()
	bury(t, q, d, "before", "cause")
	began := f.clock()
	f.advance(time.Second)
	bury(t, q, d, "since", "cause")
	d.now = func() time.Time { return began }
	if n, err := d.Redrive(t.Context()); err != nil || n != 1 {
		t.Errorf("Redrive: %d, %v; want 1", n, err)
	}
	if got := f.bodies("main"); !slices.Equal(got, []string{"before"}) {
		t.Errorf("redriven %v, want what died before", got)
	}
}

// What is gone is not made visible again: a thousand requests in vain would come
// of ten thousand letters, and an error once their time is over.
func TestLettersThatAreGoneAreLeftAlone(t *testing.T) {
	for name, take := range map[string]func(*Dead) (int, error){
		"redrive": func(d *Dead) (int, error) { return d.Redrive(t.Context()) },
		"purge":   func(d *Dead) (int, error) { return d.Purge(t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			const letters = 25
			f := newFake()
			q, d := f.open()
			for i := range letters {
				bury(t, q, d, fmt.Sprint(i), "cause")
			}
			before := f.calls["hide"]
			if n, err := take(d); err != nil || n != letters {
				t.Fatalf("%d letters, %v; want %d", n, err, letters)
			}
			if n := f.calls["hide"] - before; n > 0 {
				t.Errorf("%d requests made letters visible that are gone", n)
			}
		})
	}
}

// Letters whose hold ends while others are looked at come round again.
func TestListEndsWhenLettersComeRound(t *testing.T) {
	f := newFake()
	q, d := f.open()
	for i := range 25 {
		bury(t, q, d, fmt.Sprint(i), "cause")
	}
	f.before = func(operation string) error {
		if operation == "receive" && f.calls["receive"]%3 == 0 {
			f.now = f.now.Add(2 * lookHold)
		}
		return nil
	}
	letters := list(t, d)
	seen := map[string]bool{}
	for _, l := range letters {
		if seen[l.ID] {
			t.Errorf("letter %s is listed twice", l.ID)
		}
		seen[l.ID] = true
	}
	if len(letters) < 10 {
		t.Errorf("%d letters, want at least those of a page", len(letters))
	}
}
