package lambdas

import (
	"encoding/json"

	"github.com/skycrafters/responder/internal/sqs"
)

// IsSchedule reports whether a function was invoked by the clock: with
// EventBridge's event for a schedule, or with the constant {"sweep": true}. A
// batch of SQS messages is none, whatever else it holds.
func IsSchedule(raw json.RawMessage) bool {
	var event map[string]json.RawMessage
	if err := json.Unmarshal(raw, &event); err != nil {
		return false
	}
	says := func(key, value string) bool { return string(event[key]) == value }
	if !(says("source", `"aws.events"`) && says("detail-type", `"Scheduled Event"`) || says("sweep", "true") && len(event) == 1) {
		return false
	}
	_, batch := sqs.DecodeEvent(raw)
	return !batch
}
