package actions

import (
	"encoding/json"
	"net/url"
	"reflect"
)

// A policy that is put on a user or role under a name of Responder's own, and is
// the whole of what a repair does.

// policyText gives a policy as IAM's answers hold it: URL-encoded by RFC 3986.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUserPolicy.html
func policyText(document string) string {
	if text, err := url.PathUnescape(document); err == nil {
		return text
	}
	return document
}

// samePolicy reports whether two policies are the same JSON, however written.
func samePolicy(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}
