package ingest_test

import (
	"fmt"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/ingest"
)

func ExampleNormalise() {
	record := `{"eventID": "e-1", "eventSource": "iam.amazonaws.com", "eventName": "CreateUser",
		"awsRegion": "us-east-1", "recipientAccountId": "111122223333"}`
	event, err := ingest.Normalise([]byte(record))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(event.Key(), event.Name(), event.Body["source"], event.Body["detail-type"])
	// Output: 111122223333/e-1 CreateUser aws.iam AWS API Call via CloudTrail
}

func ExampleSplit() {
	_, err := ingest.Split([]byte(`{"source": "a", "detail-type": "b", "detail": {}}
{"SOURCE": "a", "detail-type": "b", "detail": {}}`))
	fmt.Println(err)
	// Output: element 1 (line 2): neither an EventBridge event (texts `source` and `detail-type`, object `detail`) nor a CloudTrail record (texts `eventName` and `eventSource`, no `detail`): it has no `source`, and `SOURCE` is not the same: keys are case-sensitive
}

func ExampleParseKeys() {
	secret := responder.NewSecretText(`{"keys": [
		{"id": "prod", "key": "Zk3vQ9s1TgRb7XyLw2Hd", "accounts": ["111122223333"]},
		{"id": "audit", "key": "p0Wm4Nc8EaUf6JtKo5Vi"}
	]}`)
	keys, err := ingest.ParseKeys(secret)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, k := range keys {
		fmt.Println(k.ID, k.Text, k.SpeaksFor("111122223333"), k.SpeaksFor("444455556666"))
	}
	// Output:
	// prod [redacted] true false
	// audit [redacted] true true
}
