package sqs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/skycrafters/responder"
)

// numbered gives n messages, "0" and on.
func numbered(n int) []responder.Message {
	messages := make([]responder.Message, n)
	for i := range messages {
		messages[i].Body = []byte(fmt.Sprint(i))
	}
	return messages
}

// named gives the indexes that a Send's error names.
func named(t *testing.T, err error) []int {
	t.Helper()
	var refused *responder.SendError
	if !errors.As(err, &refused) {
		t.Fatalf("Send: %v, want *SendError", err)
	}
	return slices.Sorted(maps.Keys(refused.Failed))
}

// bodies gives what is on a queue of the fake, sorted.
func (f *fake) bodies(url string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var bodies []string
	for _, m := range f.queues[url].messages {
		bodies = append(bodies, m.body)
	}
	slices.Sort(bodies)
	return bodies
}

func fails(code string, senderFault bool) *types.BatchResultErrorEntry {
	return &types.BatchResultErrorEntry{Code: &code, Message: aws.String("no luck"), SenderFault: senderFault}
}

func TestSendTriesFailedEntriesAgain(t *testing.T) {
	for name, c := range map[string]struct {
		fault  *types.BatchResultErrorEntry
		times  int // how often message 11 fails before it is taken
		failed []int
		calls  int
		pause  int // ms, with jitter at one half
	}{
		"taken at once":                   {nil, 0, nil, 2, 0},
		"taken the second time":           {fails("InternalError", false), 1, nil, 3, 50},
		"taken the last time":             {fails("ServiceUnavailable", false), 3, nil, 5, 50 + 100 + 200},
		"never taken":                     {fails("InternalError", false), 99, []int{11}, 5, 50 + 100 + 200},
		"refused for what it is":          {fails("InvalidMessageContents", true), 99, []int{11}, 2, 0},
		"throttled, and called our fault": {fails("RequestThrottled", true), 2, nil, 4, 50 + 100},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			q, _ := f.open()
			left := c.times
			f.entry = func(_, body string) *types.BatchResultErrorEntry {
				if body != "11" || left == 0 {
					return nil
				}
				left--
				fault := *c.fault
				return &fault
			}
			err := q.Send(t.Context(), numbered(13)...)
			if c.failed == nil {
				if err != nil {
					t.Fatal(err)
				}
			} else if got := named(t, err); !slices.Equal(got, c.failed) {
				t.Errorf("named %v, want %v", got, c.failed)
			}
			if got, want := len(f.bodies("main")), 13-len(c.failed); got != want {
				t.Errorf("%d messages arrived, want %d: each once", got, want)
			}
			if f.calls["send"] != c.calls || f.calls["pause"] != c.pause {
				t.Errorf("%d calls and pauses of %d ms, want %d and %d", f.calls["send"], f.calls["pause"], c.calls, c.pause)
			}
		})
	}
}

// An entry of which SQS says nothing is not taken to be sent.
func TestSendBelievesOnlyWhatIsSaid(t *testing.T) {
	f := newFake()
	q, _ := f.open()
	f.entry = func(_, body string) *types.BatchResultErrorEntry { return fails("InternalError", false) }
	q.client = silent{f}
	if got := named(t, q.Send(t.Context(), numbered(2)...)); !slices.Equal(got, []int{0, 1}) {
		t.Errorf("named %v, want both", got)
	}
}

// silent drops the failures from replies.
type silent struct{ *fake }

func (s silent) SendMessageBatch(ctx context.Context, in *awssqs.SendMessageBatchInput, options ...func(*awssqs.Options)) (*awssqs.SendMessageBatchOutput, error) {
	out, err := s.fake.SendMessageBatch(ctx, in, options...)
	out.Failed = nil
	return out, err
}

func TestSendWhenRequestsFail(t *testing.T) {
	fault := errors.New("no route to host")
	for name, c := range map[string]struct {
		messages int
		fails    func(call int) bool
		whole    bool // nothing arrives, and the error is the request's
	}{
		"the only request":        {3, func(int) bool { return true }, true},
		"all requests":            {95, func(int) bool { return true }, true},
		"the first of many":       {95, func(call int) bool { return call == 1 }, false},
		"a later one":             {95, func(call int) bool { return call == 4 }, false},
		"all from a later one on": {950, func(call int) bool { return call >= 4 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			q, _ := f.open()
			f.before = func(string) error {
				if c.fails(f.calls["send"]) {
					return fault
				}
				return nil
			}
			err := q.Send(t.Context(), numbered(c.messages)...)
			arrived := f.bodies("main")
			if len(arrived) == 0 {
				var refused *responder.SendError
				if !errors.Is(err, fault) || errors.As(err, &refused) {
					t.Errorf("Send: %v, want the request's error", err)
				}
				return
			}
			if c.whole {
				t.Fatalf("%d arrived", len(arrived))
			}
			failed := named(t, err)
			if len(failed)+len(arrived) != c.messages {
				t.Errorf("%d named and %d arrived of %d", len(failed), len(arrived), c.messages)
			}
			for _, i := range failed {
				if slices.Contains(arrived, fmt.Sprint(i)) {
					t.Errorf("message %d arrived and is named", i)
				}
			}
			if most := 4 + 2*parallel; f.calls["send"] > most {
				t.Errorf("%d requests, want at most %d: none begun after a failure", f.calls["send"], most)
			}
		})
	}
}

func TestSendWhenReplyIsLost(t *testing.T) {
	f := newFake()
	q, _ := f.open()
	fault := errors.New("connection reset")
	f.after = func(string) error { return fault }
	if err := q.Send(t.Context(), numbered(2)...); !errors.Is(err, fault) {
		t.Errorf("Send: %v, want the fault", err)
	}
	if got := len(f.bodies("main")); got != 2 {
		t.Errorf("%d arrived, want 2: the caller will send them again", got)
	}
}

func TestSendNamesBadMessagesByCallersIndex(t *testing.T) {
	f := newFake()
	q, _ := f.open()
	messages := numbered(30)
	bad := map[int]responder.Message{
		0: {}, 7: {Body: []byte("nul \x00")}, 8: {Body: []byte("\uFFFE")}, 15: {Body: []byte("\uFFFF")}, 16: {Body: []byte("\x1b[0m")},
		22: {Body: []byte("x"), Delay: 15*time.Minute + 1}, 29: {Body: []byte(strings.Repeat("x", 1<<20+1))},
	}
	for i, m := range bad {
		messages[i] = m
	}
	f.entry = func(_, body string) *types.BatchResultErrorEntry {
		if body == "20" {
			return fails("AccessDenied", true)
		}
		return nil
	}
	err := q.Send(t.Context(), messages...)
	if got, want := named(t, err), []int{0, 7, 8, 15, 16, 20, 22, 29}; !slices.Equal(got, want) {
		t.Fatalf("named %v, want %v", got, want)
	}
	var refused *responder.SendError
	errors.As(err, &refused)
	for i := range bad {
		var permanent *responder.Permanent
		if !errors.As(refused.Failed[i], &permanent) {
			t.Errorf("message %d: %v, want *Permanent", i, refused.Failed[i])
		}
	}
	if !errors.Is(refused.Failed[29], responder.ErrTooLarge) {
		t.Errorf("message 29: %v, want ErrTooLarge", refused.Failed[29])
	}
	if got := len(f.bodies("main")); got != 22 {
		t.Errorf("%d messages arrived, want 22", got)
	}
}

func TestDelaysAreNeverEarly(t *testing.T) {
	f := newFake()
	q, _ := f.open()
	for delay, want := range map[time.Duration]int32{0: 0, 1: 1, time.Second: 1, time.Second + 1: 2, 899*time.Second + 1: 900, 15 * time.Minute: 900} {
		if err := q.Send(t.Context(), responder.Message{Body: []byte("x"), Delay: delay}); err != nil {
			t.Fatal(err)
		}
		if got := f.batches[len(f.batches)-1][0].DelaySeconds; got != want {
			t.Errorf("a delay of %v is sent as %d s, want %d", delay, got, want)
		}
	}
}

func TestPack(t *testing.T) {
	const kib = 1 << 10
	for name, c := range map[string]struct {
		sizes   []int
		batches int
	}{
		"none":                     {nil, 0},
		"ten fit":                  {slices.Repeat([]int{1}, 10), 1},
		"eleven do not":            {slices.Repeat([]int{1}, 11), 2},
		"a MiB alone":              {[]int{1024 * kib, 1, 1024 * kib, 1}, 3},
		"four of a quarter":        {slices.Repeat([]int{256 * kib}, 9), 3},
		"small ones fill the gaps": {[]int{600 * kib, 600 * kib, 400 * kib, 400 * kib, 24 * kib, 24 * kib}, 2},
		"small ones come first":    {slices.Concat(slices.Repeat([]int{1 * kib}, 18), slices.Repeat([]int{250 * kib}, 12)), 3},
		"a body of small events":   {slices.Repeat([]int{1311}, 4000), 400},
		"a body of large events":   {slices.Repeat([]int{256 * kib}, 20), 5},
	} {
		if got := pack(indexesOf(c.sizes), func(i int) int { return c.sizes[i] }); len(got) != c.batches {
			t.Errorf("%s: %d batches, want %d: %v", name, len(got), c.batches, got)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	needed, made := 0, 0 // of events: batches by a lower bound, and by pack
	for round := range 600 {
		sizes := make([]int, random.IntN(200))
		largest, sum := maxBatchBytes>>(round%2*2), 0 // of any message, of an event
		for i := range sizes {
			sizes[i] = 1 + random.IntN(min(largest, 1<<(1+random.IntN(20))))
			sum += sizes[i]
		}
		batches := pack(indexesOf(sizes), func(i int) int { return sizes[i] })
		if largest < maxBatchBytes {
			needed += max((len(sizes)+maxEntries-1)/maxEntries, (sum+maxBatchBytes-1)/maxBatchBytes)
			made += len(batches)
			if most := len(sizes)/maxEntries + 4*sum/(3*maxBatchBytes) + 1; len(batches) > most {
				t.Fatalf("%d messages of %d bytes take %d batches, want at most %d", len(sizes), sum, len(batches), most)
			}
		}
		var seen []int
		for _, batch := range batches {
			total := 0
			for _, i := range batch {
				total += sizes[i]
			}
			if len(batch) == 0 || len(batch) > maxEntries || total > maxBatchBytes {
				t.Fatalf("a batch of %d entries and %d bytes", len(batch), total)
			}
			seen = append(seen, batch...)
		}
		if slices.Sort(seen); !slices.Equal(seen, indexesOf(sizes)) {
			t.Fatalf("packed %v, want each of %d once", seen, len(sizes))
		}
	}
	t.Logf("%d batches of events of all sizes; with fewer than %d it cannot be done", made, needed)
	if made > needed*101/100 {
		t.Errorf("%d batches are over 1%% more than the %d that are needed", made, needed)
	}
}

func indexesOf(sizes []int) []int {
	indexes := make([]int, len(sizes))
	for i := range indexes {
		indexes[i] = i
	}
	return indexes
}
