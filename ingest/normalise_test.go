package ingest

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/skycrafters/responder"
)

func TestNormaliseEvent(t *testing.T) {
	const compact = `{"version":"0","id":"e1","source":"aws.iam","detail-type":"x","account":"111122223333","detail":{"n":12345678901234567890,"f":1.0e+2,"d":1,"d":2,"s":"<a&b> \u00e9 \/"}}`
	for name, in := range map[string]string{
		"compact": compact,
		"spaced":  "\n " + strings.ReplaceAll(strings.ReplaceAll(compact, `":`, "\" :\t"), `,"`, ",\r\n  \"") + "\n",
	} {
		element := []byte(in)
		e, err := Normalise(element)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		clear(element) // it is the caller's
		if string(e.Raw) != compact {
			t.Errorf("%s: got %s\nwant %s", name, e.Raw, compact)
		}
		if e.ID() != "e1" || e.Body["detail"].(map[string]any)["d"] != 2.0 {
			t.Errorf("%s: decoded as %v", name, e.Body)
		}
	}
}

func TestNormaliseRecord(t *testing.T) {
	record := func(more string) string {
		return `{"eventSource":"iam.amazonaws.com","eventName":"CreateUser"` + more + `}`
	}
	envelope := func(id, kind, source, account, time, region, detail string) string {
		return `{"version":"0","id":"` + id + `","detail-type":"` + kind + `","source":"` + source + `","account":"` + account +
			`","time":"` + time + `","region":"` + region + `","resources":[],"detail":` + detail + `}`
	}
	const api, iam = "AWS API Call via CloudTrail", "aws.iam"
	tests := []struct{ name, in, want string }{
		{"all there", record(`,"eventID":"e1","recipientAccountId":"111122223333","awsRegion":"us-east-1","eventTime":"2024-03-12T15:30:00Z","eventType":"AwsApiCall"`),
			envelope("e1", api, iam, "111122223333", "2024-03-12T15:30:00Z", "us-east-1",
				record(`,"eventID":"e1","recipientAccountId":"111122223333","awsRegion":"us-east-1","eventTime":"2024-03-12T15:30:00Z","eventType":"AwsApiCall"`))},
		{"hardly anything there", record(""), envelope("", api, iam, "", "", "", record(""))},
		{"sign-in", record(`,"eventType":"AwsConsoleSignIn"`), envelope("", "AWS Console Sign In via CloudTrail", iam, "", "", "", record(`,"eventType":"AwsConsoleSignIn"`))},
		{"service event", record(`,"eventType":"AwsServiceEvent"`), envelope("", "AWS Service Event via CloudTrail", iam, "", "", "", record(`,"eventType":"AwsServiceEvent"`))},
		{"insight", record(`,"eventType":"AwsCloudTrailInsight"`), envelope("", "AWS Insight via CloudTrail", iam, "", "", "", record(`,"eventType":"AwsCloudTrailInsight"`))},
		{"unknown type", record(`,"eventType":"Other"`), envelope("", api, iam, "", "", "", record(`,"eventType":"Other"`))},
		{"account of the caller", record(`,"userIdentity":{"accountId":"444455556666"}`), envelope("", api, iam, "444455556666", "", "", record(`,"userIdentity":{"accountId":"444455556666"}`))},
		{"caller is no object", record(`,"userIdentity":"x"`), envelope("", api, iam, "", "", "", record(`,"userIdentity":"x"`))},
		{"texts that are none", record(`,"eventID":1,"eventTime":null,"awsRegion":["x"]`), envelope("", api, iam, "", "", "", record(`,"eventID":1,"eventTime":null,"awsRegion":["x"]`))},
		{"texts to be quoted", record(`,"eventID":"\"<&>\\\u2028é"`), envelope(`\"<&>\\\u2028é`, api, iam, "", "", "", record(`,"eventID":"\"<&>\\\u2028é"`))},
		{"duplicate keys: the last counts", record(`,"eventSource":"ec2.amazonaws.com"`), envelope("", api, "aws.ec2", "", "", "", record(`,"eventSource":"ec2.amazonaws.com"`))},
		{"big numbers", record(`,"requestParameters":{"n":9007199254740993}`), envelope("", api, iam, "", "", "", record(`,"requestParameters":{"n":9007199254740993}`))},
		{"a source of its own is the record's", record(`,"source":"aws.root"`), envelope("", api, iam, "", "", "", record(`,"source":"aws.root"`))},
		{"source without dots", `{"eventSource":"iam","eventName":"x"}`, envelope("", api, iam, "", "", "", `{"eventSource":"iam","eventName":"x"}`)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, err := Normalise([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if string(e.Raw) != tt.want {
				t.Errorf("got  %s\nwant %s", e.Raw, tt.want)
			}
			again, err := responder.DecodeEvent(e.Raw)
			if err != nil || !reflect.DeepEqual(e.Body, again.Body) {
				t.Errorf("its body is %v, but its bytes say %v (%v)", e.Body, again.Body, err)
			}
		})
	}
}

func TestNormaliseRefuses(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	event := func(detail string) string { return `{"source":"a","detail-type":"b","detail":{"x":` + detail + `}}` }
	record := func(x string) string { return `{"eventSource":"iam.amazonaws.com","eventName":"x","x":` + x + `}` }
	long := func(n int) string { return `"` + strings.Repeat("x", n) + `"` }
	tests := []struct {
		name, in, want string // want "": taken
	}{
		{"nothing", "", "invalid JSON"},
		{"two values", "{} {}", "invalid JSON"},
		{"array", "[]", "not a JSON object"},
		{"null", "null", "not a JSON object"},
		{"empty object", "{}", "neither an EventBridge event"},
		{"SOURCE is not source", `{"SOURCE":"aws.iam","detail-type":"x","detail":{}}`, "`SOURCE` is not the same"},
		{"EventName is not eventName", `{"EventName":"x","eventSource":"iam.amazonaws.com"}`, "`EventName` is not the same"},
		{"source beside SOURCE", `{"SOURCE":"aws.iam","source":"mine","detail-type":"x","detail":{}}`, ""},
		{"source is no text", `{"source":1,"detail-type":"x","detail":{}}`, "neither"},
		{"source is empty", `{"source":"","detail-type":"x","detail":{}}`, "neither"},
		{"source taken back", `{"source":"x","detail-type":"x","detail":{},"source":null}`, "neither"},
		{"detail is a list", `{"source":"x","detail-type":"x","detail":[]}`, "neither"},
		{"detail is null", `{"source":"x","detail-type":"x","detail":null}`, "neither"},
		{"record with a detail", `{"eventName":"x","eventSource":"iam.amazonaws.com","detail":null}`, "neither"},
		{"record without name", `{"eventName":"","eventSource":"iam.amazonaws.com"}`, "neither"},
		{"an S3 notification is no CloudTrail record", `{"eventName":"ObjectCreated:Put","eventSource":"aws:s3"}`, "`eventSource` does not begin"},
		{"source that would break out", `{"eventName":"x","eventSource":"a\",\"x\":\"b.amazonaws.com"}`, "`eventSource` does not begin"},
		{"source beginning with a dot", `{"eventName":"x","eventSource":".amazonaws.com"}`, "`eventSource` does not begin"},
		{"not UTF-8", event("\"\xff\""), "not valid UTF-8"},
		{"deepest event", event(nested(98)), ""},
		{"event too deep", event(nested(99)), "nested deeper than 100"},
		{"deepest record", record(nested(98)), ""},
		{"record too deep once wrapped", record(nested(99)), "nested deeper than 100"},
		{"10,000 levels", event(nested(10000)), "nested deeper than 100"},
		{"longest event", event(long(responder.MaxEventBytes - len(event(`""`)))), ""},
		{"event too long", event(long(responder.MaxEventBytes - len(event(`""`)) + 1)), "at most 262144"},
		{"event too long but for its spaces", event(strings.Repeat(" ", responder.MaxEventBytes) + "1"), ""},
		{"record too long once wrapped", record(long(responder.MaxEventBytes - len(record(`""`)))), "at most 262144"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, err := Normalise([]byte(tt.in))
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.want != "" && err == nil:
				t.Errorf("taken: %.200s", e.Raw)
			case tt.want != "" && !strings.Contains(err.Error(), tt.want):
				t.Errorf("error %q does not say %q", err, tt.want)
			}
			if tooLong := strings.Contains(tt.name, "too long") && tt.want != ""; tooLong != errors.Is(err, responder.ErrTooLarge) {
				t.Errorf("%v: responder.ErrTooLarge is %v", err, !tooLong)
			}
		})
	}
}
