package forwarders

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"

	"github.com/skycrafters/responder/internal/stack"
)

// Failure is a stack that CloudFormation could not make, change or delete.
type Failure struct {
	State types.StackStatus
	Cause string // the first resource that failed, and why; "" if CloudFormation does not tell
}

func (e *Failure) Error() string {
	if e.Cause == "" {
		return "the stack is " + string(e.State)
	}
	return e.Cause
}

// failure is why a stack failed.
func (w *work) failure(ctx context.Context, s Stack) error {
	cause, err := w.firstCause(ctx, s.ID)
	if err != nil {
		return fmt.Errorf("%w, and why could not be read: %w", &Failure{State: s.State}, err)
	}
	return &Failure{State: s.State, Cause: cause}
}

// maxEventPages bounds the search for a cause: 100 events a page.
const maxEventPages = 20

// firstCause gives the earliest failure of what was last done to a stack, not
// counting what CloudFormation gave up because of it; and, if the rollback
// failed as well, the earliest failure of that.
func (w *work) firstCause(ctx context.Context, id string) (string, error) {
	cause, rollback := "", ""
	var token *string
	for range maxEventPages {
		var out *cloudformation.DescribeStackEventsOutput
		err := w.ask(ctx, "read the stack's events", func() (err error) {
			out, err = w.client.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: &id, NextToken: token})
			return err
		})
		if err != nil {
			return "", err
		}
		for _, e := range out.StackEvents { // latest first
			switch {
			case began(e):
				return causes(cause, rollback), nil
			case rolledBack(e):
				rollback = cmp.Or(rollback, cause)
				cause = ""
			case failed(e):
				cause = fmt.Sprintf("%s (%s): %s", aws.ToString(e.LogicalResourceId), aws.ToString(e.ResourceType), aws.ToString(e.ResourceStatusReason))
			}
		}
		if token = out.NextToken; token == nil {
			break
		}
	}
	return causes(cause, rollback), nil
}

func causes(cause, rollback string) string {
	switch {
	case rollback == "":
		return cause
	case cause == "":
		return rollback
	}
	return cause + "; then its rollback failed: " + rollback
}

// ofStack reports whether an event is of the stack, not of a resource in it.
func ofStack(e types.StackEvent) bool {
	return aws.ToString(e.PhysicalResourceId) == aws.ToString(e.StackId)
}

// rolledBack recognises the event with which a rollback begins.
func rolledBack(e types.StackEvent) bool {
	switch types.StackStatus(e.ResourceStatus) {
	case types.StackStatusRollbackInProgress, types.StackStatusUpdateRollbackInProgress, types.StackStatusImportRollbackInProgress:
		return ofStack(e)
	}
	return false
}

// began recognises the event with which something done to a stack begins. A
// rollback is part of what it rolls back.
func began(e types.StackEvent) bool {
	switch e.ResourceStatus {
	case types.ResourceStatusCreateInProgress, types.ResourceStatusUpdateInProgress, types.ResourceStatusDeleteInProgress, types.ResourceStatusImportInProgress:
		return ofStack(e)
	}
	return false
}

// failed recognises a failure that is nobody else's fault. CloudFormation has
// no code for what it cancels: "Resource creation cancelled".
func failed(e types.StackEvent) bool {
	return strings.HasSuffix(string(e.ResourceStatus), "_FAILED") && !strings.HasSuffix(aws.ToString(e.ResourceStatusReason), "cancelled")
}

// How a request that AWS throttles is asked again, beyond what the SDK does.
var throttledWaits = [...]time.Duration{2 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second}

// ask makes a request, again if it is throttled, and says what it was for.
func (w *work) ask(ctx context.Context, operation string, request func() error) error {
	err := request()
	for _, wait := range throttledWaits {
		if retry.IsErrorThrottles(retry.DefaultThrottles).IsErrorThrottle(err) != aws.TrueTernary {
			break
		}
		if err := w.fleet.Sleep(ctx, wait); err != nil {
			return err
		}
		err = request()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	return nil
}

// change is ask for a request that changes something.
func (w *work) change(ctx context.Context, operation string, request func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w.begun = true
	return w.ask(ctx, operation, request)
}

// clean puts an error in words for people, without what must not be seen.
func (w *work) clean(err error) error {
	return &told{text: w.hidden(words(err)), err: err}
}

// hidden takes out the key, should AWS ever quote it.
func (w *work) hidden(text string) string {
	if w.hide == "" {
		return text
	}
	return strings.ReplaceAll(text, w.hide, "[redacted]")
}

// told is an error with a text for people.
type told struct {
	text string
	err  error
}

func (e *told) Error() string { return e.text }
func (e *told) Unwrap() error { return e.err }

// words says what stands behind an error that AWS gives in one region alone.
func words(err error) string {
	var (
		failure *Failure
		api     smithy.APIError
	)
	if errors.As(err, &failure) {
		return err.Error()
	}
	if !errors.As(err, &api) {
		var sent *smithy.OperationError
		if errors.As(err, &sent) {
			return stack.Explain(err).Error()
		}
		return err.Error()
	}
	answer := strings.TrimSuffix(api.ErrorCode()+": "+api.ErrorMessage(), ": ")
	switch api.ErrorCode() {
	case "OptInRequired", "InvalidClientTokenId", "UnrecognizedClientException":
		return "the region does not take these credentials: is it enabled in this account? (" + answer + ")"
	case "AccessDenied", "AccessDeniedException", "UnauthorizedOperation":
		if strings.Contains(api.ErrorMessage(), "service control policy") {
			return "a service control policy of the organization denies it: leave the region out (--regions), or ask for an exception (" + answer + ")"
		}
		return "no permission in this region: " + answer
	case "ValidationError":
		if strings.Contains(api.ErrorMessage(), "TerminationProtection") {
			return "the stack is protected against termination: switch that off first (" + answer + ")"
		}
		return api.ErrorMessage()
	}
	return stack.Explain(err).Error()
}

// CloudFormation's validation errors have one code for all; their texts are
// what tells them apart.

// absent: there is no such stack.
func absent(err error) bool { return validation(err, "does not exist") }

// unchanged: the stack is already what was asked for.
func unchanged(err error) bool { return validation(err, "No updates are to be performed") }

// outpaced: the stack is no longer in the state in which it was seen.
func outpaced(err error) bool { return validation(err, "can not be updated") }

// exists: there is a stack of that name by now.
func exists(err error) bool {
	var there *types.AlreadyExistsException
	return errors.As(err, &there)
}

func validation(err error, text string) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "ValidationError" && strings.Contains(api.ErrorMessage(), text)
}
