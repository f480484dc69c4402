package sqs

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/skycrafters/responder"
)

// As Lambda gives it to a function
// (https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html).
const sqsEvent = `{"Records":[
 {"messageId":"059f36b4-87a3-44ab-83d2-661975830a7d","receiptHandle":"AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a","body":"{\"n\":12345678901234567890}",
  "attributes":{"ApproximateReceiveCount":"3","SentTimestamp":"1545082649183","SenderId":"AIDAIENQZJOLO23YVJ4VO","ApproximateFirstReceiveTimestamp":"1545082649185"},
  "messageAttributes":{},"md5OfBody":"e4e68fb7bd0e697a0ae8f1bb342846b3","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-2:123456789012:my-queue","awsRegion":"us-east-2"},
 {"messageId":"2e1424d4-f796-459a-8184-9c92662be6da","receiptHandle":"AQEBzWwaftRI0KuVm4tP+/7q1rGgNqicHq","body":"two","attributes":{},"messageAttributes":{},"eventSource":"aws:sqs"}]}`

const scheduleEvent = `{"version":"0","id":"53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa","detail-type":"Scheduled Event","source":"aws.events","account":"123456789012",
 "time":"2015-10-08T16:53:06Z","region":"us-east-1","resources":["arn:aws:events:us-east-1:123456789012:rule/my-scheduled-rule"],"detail":{}}`

func TestDecodeEvent(t *testing.T) {
	event, ok := DecodeEvent(json.RawMessage(sqsEvent))
	if !ok || len(event.Records) != 2 {
		t.Fatalf("a batch of two decodes as %v, %v", event, ok)
	}
	got := Deliveries(event)
	want := []responder.Delivery{
		{ID: "059f36b4-87a3-44ab-83d2-661975830a7d", Receipt: "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a", Body: []byte(`{"n":12345678901234567890}`), Receives: 3},
		{ID: "2e1424d4-f796-459a-8184-9c92662be6da", Receipt: "AQEBzWwaftRI0KuVm4tP+/7q1rGgNqicHq", Body: []byte("two"), Receives: 1},
	}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("deliveries are %+v, want %+v", got, want)
	}
	for name, raw := range map[string]string{
		"a schedule's event": scheduleEvent,
		"nothing":            "",
		"null":               "null",
		"an empty object":    "{}",
		"no records":         `{"Records":[]}`,
		"null records":       `{"Records":null}`,
		"a null record":      `{"Records":[null]}`,
		"SNS records":        `{"Records":[{"EventSource":"aws:sns","Sns":{"MessageId":"x"}}]}`,
		"S3 records":         `{"Records":[{"eventSource":"aws:s3","messageId":"x"}]}`,
		"CloudTrail records": `{"Records":[{"eventSource":"iam.amazonaws.com","eventName":"CreateUser"}]}`,
		"a mixed batch":      strings.Replace(sqsEvent, `"body":"two","attributes":{},"messageAttributes":{},"eventSource":"aws:sqs"`, `"eventSource":"aws:s3"`, 1),
		"a record unnamed":   `{"Records":[{"eventSource":"aws:sqs","body":"x"}]}`,
		"an array":           `[` + sqsEvent + `]`,
		"half a batch":       sqsEvent[:200],
		"a number as body":   `{"Records":[{"eventSource":"aws:sqs","messageId":"x","body":1}]}`,
	} {
		if event, ok := DecodeEvent(json.RawMessage(raw)); ok || len(event.Records) > 0 {
			t.Errorf("%s is taken for a batch of SQS", name)
		}
	}
}

func FuzzDecodeEvent(f *testing.F) {
	for _, seed := range []string{sqsEvent, scheduleEvent, `{"Records":[null]}`, `{"records":[{"eventsource":"aws:sqs","MESSAGEID":"x"}]}`, "null", "["} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		event, ok := DecodeEvent(raw)
		if ok != (len(event.Records) > 0) {
			t.Fatalf("ok is %v with %d records", ok, len(event.Records))
		}
		for _, d := range Deliveries(event) {
			if d.ID == "" || d.Receives < 1 {
				t.Fatalf("delivery %+v: Lambda takes a failure without an id as the failure of the batch", d)
			}
		}
	})
}

func TestResponse(t *testing.T) {
	for want, failures := range map[string][]responder.Failure{
		`{"batchItemFailures":[]}`: nil,
		`{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"b"}]}`: {{ID: "a", Err: errors.New("x")}, {ID: "b"}},
	} {
		got, err := json.Marshal(Response(failures))
		if err != nil || string(got) != want {
			t.Errorf("Response is %s, %v; want %s", got, err, want)
		}
	}
}

func TestSettle(t *testing.T) {
	f := newFake()
	q, d := f.open()
	if err := q.Send(t.Context(), numbered(4)...); err != nil {
		t.Fatal(err)
	}
	deliveries, err := q.Receive(t.Context(), 4, 0)
	if err != nil {
		t.Fatal(err)
	}
	deliveries[2].Receipt = "old"
	cause := errors.New("not JSON")
	failures := []responder.Failure{
		{ID: deliveries[0].ID, Err: errors.New("throttled")},
		{ID: deliveries[1].ID, Err: cause, Dead: true},
		{ID: deliveries[2].ID, Err: cause, Dead: true}, // another's by now
		{ID: deliveries[3].ID, Dead: true},
		{ID: "no delivery of this batch", Err: cause, Dead: true},
	}
	back := Settle(t.Context(), d, deliveries, failures)
	if len(back) != 2 || back[0].ID != deliveries[0].ID || back[1].ID != "no delivery of this batch" {
		t.Errorf("given back are %+v; want the throttled one and the unknown one", back)
	}
	letters := list(t, d)
	slices.SortFunc(letters, func(a, b responder.DeadLetter) int { return strings.Compare(b.Cause, a.Cause) }) // they are buried side by side
	if len(letters) != 2 || letters[0].Cause != "not JSON" || letters[1].Cause != "no cause given" {
		t.Errorf("buried are %+v; want the two that are dead and ours", letters)
	}

	fault := errors.New("no luck")
	f.before = func(string) error { return fault }
	back = Settle(t.Context(), d, deliveries[:1], []responder.Failure{{ID: deliveries[0].ID, Err: cause, Dead: true}})
	if len(back) != 1 || !errors.Is(back[0].Err, cause) || !errors.Is(back[0].Err, fault) {
		t.Errorf("given back are %+v; want the one not buried, with both errors", back)
	}
}

func ExampleResponse() {
	var event events.SQSEvent // as DecodeEvent gives it
	failures := []responder.Failure{}
	for _, d := range Deliveries(event) {
		failures = append(failures, responder.Failure{ID: d.ID, Err: errors.New("not handled")})
	}
	body, _ := json.Marshal(Response(failures))
	fmt.Println(string(body))
	// Output: {"batchItemFailures":[]}
}
