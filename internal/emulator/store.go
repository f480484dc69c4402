package emulator

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// NewStore is a Loopback with as much of SQS, DynamoDB and Secrets Manager as the
// functions need where all goes well: queues take whatever is sent, runs are kept
// by their ids and versions, counters admit, nothing is halted, and each secret is
// "key". It is there to count requests: what conditions and queries mean is for an
// emulator to show. What is asked in the protocol of IAM and STS is answered by
// others, nil for a test in which nobody does.
func NewStore(t testing.TB, others func(Asked) (status int, body string)) *Loopback {
	items := map[string]json.RawMessage{} // by their keys
	return NewLoopback(t, func(a Asked) (int, string) {
		if a.Form != nil {
			return others(a)
		}
		var in struct {
			Entries                   []struct{ Id, MessageBody string }
			Item                      json.RawMessage
			Key                       json.RawMessage
			ConditionExpression       string
			ExpressionAttributeValues map[string]struct{ N string }
		}
		if err := json.Unmarshal(a.Body, &in); err != nil {
			return http.StatusBadRequest, err.Error()
		}
		answer := map[string]any{}
		switch a.Operation {
		case "SendMessageBatch":
			var sent []map[string]string
			for _, e := range in.Entries {
				sum := md5.Sum([]byte(e.MessageBody))
				sent = append(sent, map[string]string{"Id": e.Id, "MessageId": e.Id, "MD5OfMessageBody": hex.EncodeToString(sum[:])})
			}
			answer["Successful"] = sent
		case "PutItem":
			key, version := identity(in.Item)
			stored, there := items[key]
			_, before := identity(stored)
			fresh := strings.HasPrefix(in.ConditionExpression, "attribute_not_exists")
			if fresh && there || !fresh && before != in.ExpressionAttributeValues[":version"].N {
				return http.StatusBadRequest, `{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","Item":` + string(stored) + `}`
			}
			if version != "" {
				items[key] = in.Item
			}
		case "GetItem":
			if key, _ := identity(in.Key); items[key] != nil {
				answer["Item"] = items[key]
			}
		case "BatchGetItem":
			answer["Responses"], answer["UnprocessedKeys"] = map[string]any{}, map[string]any{}
		case "GetSecretValue":
			answer["SecretString"], answer["VersionStages"] = "key", []string{"AWSCURRENT"}
		}
		said, err := json.Marshal(answer)
		if err != nil {
			return http.StatusInternalServerError, err.Error()
		}
		return http.StatusOK, string(said)
	})
}

// identity is an item's id and version.
func identity(item json.RawMessage) (id, version string) {
	var it struct {
		ID      struct{ S string } `json:"id"`
		Version struct{ N string } `json:"version"`
	}
	if err := json.Unmarshal(item, &it); err != nil {
		return "", ""
	}
	return it.ID.S, it.Version.N
}
