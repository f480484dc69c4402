package actions

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/skycrafters/responder"
)

// effect says what a call may have done when its answer is lost.
type effect bool

const (
	reads   effect = false // nothing, or nothing that must be verified
	mutates effect = true
)

const maxAWSMessage = 400 // characters; an EC2 refusal carries a long encoded text

// awsError turns the SDK's error into what it means for the step, after the
// SDK's own quick retries:
//
//	throttled, in conflict, not yet ready, credentials expired   *Transient
//	other refusals (4xx)                                         *Permanent
//	5xx, no answer, ctx ended                                    *Transient of a read, *Unknown of a change
//
// "No answer" includes a request that never left: after a retry inside the SDK
// the last error says nothing about the attempts before it, so a change without
// an answer is always verified.
//
// operation is the IAM action, e.g. "iam:DeleteUser", unless the error names it.
func awsError(operation string, err error, does effect) error {
	if _, named := err.(*awsFailure); !named {
		err = &awsFailure{operation, err}
	}
	var api smithy.APIError
	switch {
	case errors.As(err, &api) && passes(api.ErrorCode()):
		return &responder.Transient{Err: err}
	case errors.As(err, &api) && !isServerFault(err, api):
		return &responder.Permanent{Err: err}
	case does == mutates:
		return &responder.Unknown{Err: err}
	}
	return &responder.Transient{Err: err}
}

// passes tells the refusals after which nothing was done and that pass by themselves.
func passes(code string) bool {
	if _, ok := retry.DefaultThrottleErrorCodes[code]; ok {
		return true
	}
	switch code {
	case "ConcurrentModification", "ConcurrentModificationException",
		"DeleteConflict", "DeleteConflictException", // something was attached meanwhile
		"ConflictException", "ResourceConflictException", // of CloudTrail and Lambda: something else is being done to it
		"AutomationExecutionLimitExceededException",                               // as many runbooks run as may
		"EntityTemporarilyUnmodifiable", "EntityTemporarilyUnmodifiableException", // created a moment ago
		"IncorrectInstanceState", // an instance is still starting or stopping
		"ExpiredToken", "ExpiredTokenException", "RequestExpired":
		return true
	}
	return false
}

// isServerFault tells a failure on the other side from a refusal.
func isServerFault(err error, api smithy.APIError) bool {
	if api.ErrorFault() == smithy.FaultServer {
		return true
	}
	var resp *smithyhttp.ResponseError
	return errors.As(err, &resp) && resp.HTTPStatusCode() >= 500
}

// hasCode reports whether AWS refused with one of the codes.
func hasCode(err error, codes ...string) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	for _, code := range codes {
		if api.ErrorCode() == code {
			return true
		}
	}
	return false
}

// awsFailure says in one line which operation failed and why, where the SDK's
// own text is a chain of wrappers with request ids.
type awsFailure struct {
	operation string
	err       error
}

func (e *awsFailure) Unwrap() error { return e.err }

func (e *awsFailure) Error() string {
	var (
		api  smithy.APIError
		sent *url.Error
		why  string
	)
	switch {
	case errors.As(e.err, &api):
		why = strings.TrimSuffix(fmt.Sprintf("%s: %s", api.ErrorCode(), api.ErrorMessage()), ": ")
	case errors.As(e.err, &sent):
		why = "no answer: " + sent.Err.Error()
	default:
		why = e.err.Error()
	}
	return e.operation + ": " + cut(inline(why), maxAWSMessage)
}
