package sqs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/rs/zerolog"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/ingest"
)

// turn is what SQS does with one request of a script.
type turn struct {
	want   string // bodies of the request, sorted, with commas
	failed string // bodies of the entries that fail, with commas
	code   string // their error's; "InternalError" if not said
	silent string // bodies of entries of which nothing is said
	err    error  // of the request
	lost   bool   // the entries are taken, in spite of err
}

// script is a client that is asked for one thing after another.
type script struct {
	Client
	t     *testing.T
	mu    sync.Mutex
	turns []turn
	taken []string
}

func (s *script) SendMessageBatch(ctx context.Context, in *awssqs.SendMessageBatchInput, _ ...func(*awssqs.Options)) (*awssqs.SendMessageBatchOutput, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var bodies []string
	for _, e := range in.Entries {
		bodies = append(bodies, aws.ToString(e.MessageBody))
	}
	slices.Sort(bodies)
	if len(s.turns) == 0 {
		s.t.Errorf("a request too many: %q", bodies)
		return nil, errors.New("the script is over")
	}
	now := s.turns[0]
	s.turns = s.turns[1:]
	if got := strings.Join(bodies, ","); got != now.want {
		s.t.Errorf("asked to send %s, want %s", got, now.want)
	}
	if now.err != nil {
		if now.lost {
			s.taken = append(s.taken, bodies...)
		}
		return nil, now.err
	}
	out := &awssqs.SendMessageBatchOutput{}
	for _, e := range in.Entries {
		switch body := *e.MessageBody; {
		case slices.Contains(strings.Split(now.failed, ","), body):
			code := now.code
			if code == "" {
				code = "InternalError"
			}
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: &code, SenderFault: code != "InternalError"})
		case slices.Contains(strings.Split(now.silent, ","), body):
		default:
			s.taken = append(s.taken, body)
			out.Successful = append(out.Successful, types.SendMessageBatchResultEntry{Id: e.Id})
		}
	}
	return out, nil
}

// What becomes of three messages, request by request.
func TestSendScripts(t *testing.T) {
	reset := errors.New("connection reset by peer")
	throttled := &types.RequestThrottled{Message: aws.String("Rate exceeded")}
	for name, c := range map[string]struct {
		turns []turn
		named []int // of messages a, b, c; nil: none
		whole error // instead of names
		taken string
	}{
		"some fail, then some of them, then none": {
			[]turn{{want: "a,b,c", failed: "a,c"}, {want: "a,c", failed: "c"}, {want: "c"}}, nil, nil, "a,b,c"},
		"throttled entry by entry": {
			[]turn{{want: "a,b,c", failed: "a,b,c", code: "RequestThrottled"}, {want: "a,b,c", failed: "b", code: "ThrottlingException"}, {want: "b"}}, nil, nil, "a,b,c"},
		"throttled by the customer key": {
			[]turn{{want: "a,b,c", failed: "b", code: "KmsThrottled"}, {want: "b"}}, nil, nil, "a,b,c"},
		"nothing is said of one": {
			[]turn{{want: "a,b,c", silent: "b"}, {want: "b"}}, nil, nil, "a,b,c"},
		"another one's fault each time": {
			[]turn{{want: "a,b,c", failed: "a,b"}, {want: "a,b", failed: "a", silent: "b"}, {want: "a,b", failed: "b"}, {want: "b", failed: "b"}}, []int{1}, nil, "a,c"},
		"refused for good beside one that is taken later": {
			[]turn{{want: "a,b,c", failed: "b", code: "AccessDenied", silent: "c"}, {want: "c"}}, []int{1}, nil, "a,c"},
		"the second request gets no answer": {
			[]turn{{want: "a,b,c", failed: "a,c"}, {want: "a,c", err: context.DeadlineExceeded}}, []int{0, 2}, nil, "b"},
		"the second request is taken, its answer lost": {
			[]turn{{want: "a,b,c", failed: "a,c"}, {want: "a,c", err: reset, lost: true}}, []int{0, 2}, nil, "a,b,c"},
		"no answer at all":              {[]turn{{want: "a,b,c", err: context.DeadlineExceeded}}, nil, context.DeadlineExceeded, ""},
		"taken, and the answer is lost": {[]turn{{want: "a,b,c", err: reset, lost: true}}, nil, reset, "a,b,c"},
		"throttled as a whole":          {[]turn{{want: "a,b,c", err: throttled}}, nil, throttled, ""},
	} {
		t.Run(name, func(t *testing.T) {
			client := &script{t: t, turns: c.turns}
			err := client.open().Send(t.Context(), messagesOf("a", "b", "c")...)
			switch {
			case c.whole != nil:
				var some *responder.SendError
				if !errors.Is(err, c.whole) || errors.As(err, &some) {
					t.Errorf("Send: %v, want %v for all", err, c.whole)
				}
			case c.named == nil:
				if err != nil {
					t.Errorf("Send: %v", err)
				}
			default:
				if got := named(t, err); !slices.Equal(got, c.named) {
					t.Errorf("named %v, want %v", got, c.named)
				}
			}
			slices.Sort(client.taken)
			if got := strings.Join(client.taken, ","); got != c.taken {
				t.Errorf("taken are %s, want %s: each once", got, c.taken)
			}
			if len(client.turns) > 0 {
				t.Errorf("requests not made: %+v", client.turns)
			}
		})
	}
}

// open gives a queue on the script, without real pauses.
func (s *script) open() *Queue {
	q := NewQueue(s, "main", func() float64 { return 0.5 })
	q.pause = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return q
}

func messagesOf(bodies ...string) []responder.Message {
	messages := make([]responder.Message, len(bodies))
	for i, body := range bodies {
		messages[i].Body = []byte(body)
	}
	return messages
}

// What could not be sent before the caller gives up is named, and nothing more
// is asked of SQS.
func TestSendWhenCallerGivesUpBetweenAttempts(t *testing.T) {
	client := &script{t: t, turns: []turn{{want: "a,b,c", failed: "b"}}}
	q := client.open()
	ctx, cancel := context.WithCancel(t.Context())
	q.pause = func(ctx context.Context, _ time.Duration) error {
		cancel()
		return ctx.Err()
	}
	err := q.Send(ctx, messagesOf("a", "b", "c")...)
	if got := named(t, err); !slices.Equal(got, []int{1}) {
		t.Errorf("named %v, want the second", got)
	}
}

// secret is an API key.
type secret string

func (s secret) Get(context.Context, string) (responder.Secret, error) {
	return responder.Secret{Current: responder.NewSecretText(string(s))}, nil
}

// TestIngestClaimsNothingEarly: behind ingest, whatever goes wrong between SQS
// and us, a 202 means that the queue has every event, and after a 503 sending
// all of them again completes them; none is lost, some may be there twice.
func TestIngestClaimsNothingEarly(t *testing.T) {
	const n = 95
	var lines []string
	for i := range n {
		lines = append(lines, fmt.Sprintf(`{"id":"%d","source":"a","detail-type":"b","detail":{}}`, i))
	}
	reset := errors.New("connection reset by peer")
	for name, c := range map[string]struct {
		fault  func(*fake)
		status int
	}{
		"nothing":                   {func(*fake) {}, 202},
		"one entry, once":           {func(f *fake) { f.entry = failing("42", 1) }, 202},
		"one entry, three times":    {func(f *fake) { f.entry = failing("42", 3) }, 202},
		"one entry, for good":       {func(f *fake) { f.entry = failing("42", 99) }, 503},
		"throttled from the third":  {func(f *fake) { f.before = fromCall(f, 3, &types.RequestThrottled{}) }, 503},
		"no answer from the second": {func(f *fake) { f.before = fromCall(f, 2, context.DeadlineExceeded) }, 503},
		"answers lost":              {func(f *fake) { f.after = fromCall(f, 1, reset) }, 503},
		"the last answer lost":      {func(f *fake) { f.after = fromCall(f, 10, reset) }, 503},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			q, _ := f.open()
			handle := ingest.Lambda(ingest.New(q, ingest.Keys{Secrets: secret("key"), Name: "key", Now: f.clock}), zerolog.Nop())
			post := func() int {
				res, err := handle(t.Context(), events.APIGatewayProxyRequest{
					HTTPMethod: "POST", Resource: "/events", Headers: map[string]string{"X-Api-Key": "key"}, Body: strings.Join(lines, "\n")})
				if err != nil {
					t.Fatal(err)
				}
				return res.StatusCode
			}
			c.fault(f)
			status := post()
			if here := len(slices.Compact(f.bodies("main"))); status == http.StatusAccepted && here != n {
				t.Fatalf("accepted with %d of %d events on the queue", here, n)
			}
			if status != c.status {
				t.Errorf("answered %d, want %d", status, c.status)
			}
			f.before, f.entry, f.after = nil, nil, nil
			if again := post(); again != http.StatusAccepted {
				t.Errorf("sent again: answered %d", again)
			}
			if got := slices.Compact(f.bodies("main")); len(got) != n {
				t.Errorf("in the end %d of %d events are on the queue", len(got), n)
			}
		})
	}
}

// failing fails the entry of an event some times.
func failing(id string, times int) func(_, body string) *types.BatchResultErrorEntry {
	return func(_, body string) *types.BatchResultErrorEntry {
		if times == 0 || !strings.HasPrefix(body, `{"id":"`+id+`"`) {
			return nil
		}
		times--
		return fails("InternalError", false)
	}
}

// fromCall fails the requests to send from one of them on.
func fromCall(f *fake, call int, err error) func(string) error {
	return func(string) error {
		if f.calls["send"] >= call {
			return err
		}
		return nil
	}
}
