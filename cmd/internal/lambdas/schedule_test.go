package lambdas

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/skycrafters/responder/internal/sqs"
)

func TestIsSchedule(t *testing.T) {
	sample, err := os.ReadFile("../../../events/_lambda/sweep.json")
	if err != nil {
		t.Fatal(err)
	}
	for raw, want := range map[string]bool{
		string(sample):   true,
		`{"sweep":true}`: true,
		`{"source":"aws.events","detail-type":"Scheduled Event"}`: true,
		`{"sweep":false}`:                                      false,
		`{"sweep":"true"}`:                                     false,
		`{"sweep":true,"Records":[]}`:                          false,
		`{"SWEEP":true}`:                                       false,
		`{"source":"aws.events"}`:                              false,
		`{"detail-type":"Scheduled Event"}`:                    false,
		`{"source":"aws.ec2","detail-type":"Scheduled Event"}`: false,
		`{"Records":[]}`:                                       false,
		`{}`:                                                   false,
		`null`:                                                 false,
		`[]`:                                                   false,
		``:                                                     false,
		`{"sweep":true`:                                        false,
	} {
		if got := IsSchedule(json.RawMessage(raw)); got != want {
			t.Errorf("IsSchedule(%s) is %v", raw, got)
		}
	}
}

// FuzzShapes: no invocation is both a schedule and a batch of messages.
func FuzzShapes(f *testing.F) {
	for _, seed := range []string{`{"sweep":true}`, `{"source":"aws.events","detail-type":"Scheduled Event","Records":[{"eventSource":"aws:sqs","messageId":"x"}]}`, `{"Records":[null]}`, "null", "["} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		schedule := IsSchedule(raw)
		if _, batch := sqs.DecodeEvent(raw); batch && schedule {
			t.Fatalf("%s is a schedule and a batch", raw)
		}
	})
}
