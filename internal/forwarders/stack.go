package forwarders

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// Client is what this package needs of a *cloudformation.Client of the AWS SDK.
type Client interface {
	DescribeStacks(context.Context, *cloudformation.DescribeStacksInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error)
	DescribeStackEvents(context.Context, *cloudformation.DescribeStackEventsInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStackEventsOutput, error)
	CreateStack(context.Context, *cloudformation.CreateStackInput, ...func(*cloudformation.Options)) (*cloudformation.CreateStackOutput, error)
	UpdateStack(context.Context, *cloudformation.UpdateStackInput, ...func(*cloudformation.Options)) (*cloudformation.UpdateStackOutput, error)
	DeleteStack(context.Context, *cloudformation.DeleteStackInput, ...func(*cloudformation.Options)) (*cloudformation.DeleteStackOutput, error)
	ContinueUpdateRollback(context.Context, *cloudformation.ContinueUpdateRollbackInput, ...func(*cloudformation.Options)) (*cloudformation.ContinueUpdateRollbackOutput, error)
}

// Tags of a forwarder's stack: what it was made of.
const (
	templateTag = "responder:template" // digest of the template
	keyTag      = "responder:key"      // version of the secret whose key it sends with, never the key
)

// Stack is a region's forwarder as CloudFormation shows it; the zero value is none.
type Stack struct {
	ID         string // ARN
	State      types.StackStatus
	Created    time.Time
	Changed    time.Time         // of the last update, else Created
	Parameters map[string]string // NoEcho ones as asterisks
	Template   string            // Template.Digest of what it was made from; "" if made by hand
	KeyVersion string            // of the key it was given; "" if made by hand, or without a key
	Tags       map[string]string // all, others' too
}

// Exists reports whether there is a forwarder, in whatever state.
func (s Stack) Exists() bool { return s.State != "" && s.State != types.StackStatusDeleteComplete }

// Complete reports whether it is whole and at work.
func (s Stack) Complete() bool { return moveFor(s.State) == moveUpdate }

// Sends reports whether it may be sending events: it has been whole at some time.
func (s Stack) Sends() bool {
	m := moveFor(s.State)
	return m != moveCreate && m != moveReplace
}

// Busy reports whether CloudFormation is at work on it.
func (s Stack) Busy() bool { return moveFor(s.State) == moveWait }

// see asks for a stack, by its name or ARN. A stack that is not there is the
// zero value.
func (w *work) see(ctx context.Context, id string) (Stack, error) {
	var out *cloudformation.DescribeStacksOutput
	err := w.ask(ctx, "look at the stack", func() (err error) {
		out, err = w.client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &id})
		return err
	})
	switch {
	case absent(err):
		return w.seen(Stack{}), nil
	case err != nil:
		return Stack{}, err
	case len(out.Stacks) == 0:
		return w.seen(Stack{}), nil
	}
	return w.seen(stackOf(out.Stacks[0])), nil
}

// seen keeps what was seen, and tells of it if it is news.
func (w *work) seen(s Stack) Stack {
	news := s.State != w.result.Stack.State
	w.result.Stack = s
	if news {
		w.tell(w.result)
	}
	return s
}

func stackOf(found types.Stack) Stack {
	s := Stack{
		ID: aws.ToString(found.StackId), State: found.StackStatus,
		Created: aws.ToTime(found.CreationTime), Parameters: map[string]string{}, Tags: map[string]string{},
	}
	if s.Changed = aws.ToTime(found.LastUpdatedTime); s.Changed.IsZero() {
		s.Changed = s.Created
	}
	for _, p := range found.Parameters {
		s.Parameters[aws.ToString(p.ParameterKey)] = aws.ToString(p.ParameterValue)
	}
	for _, tag := range found.Tags {
		s.Tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	s.Template, s.KeyVersion = s.Tags[templateTag], s.Tags[keyTag]
	return s
}

// How a change is awaited.
const (
	pollFirst = time.Second
	pollEvery = 5 * time.Second
	waitMost  = 30 * time.Minute
)

// await waits until CloudFormation is done with a stack, whatever becomes of it.
func (w *work) await(ctx context.Context, id string) (Stack, error) {
	until := w.fleet.Now().Add(waitMost)
	for pause := pollFirst; ; pause = min(2*pause, pollEvery) {
		s, err := w.see(ctx, id)
		if err != nil || !s.Busy() {
			return s, err
		}
		if !w.fleet.Now().Before(until) {
			return s, fmt.Errorf("the stack is still %s after %v: run the command again later", s.State, waitMost)
		}
		if err := w.fleet.Sleep(ctx, pause); err != nil {
			return s, err
		}
	}
}

// move is the next thing to do with a stack that is to be deployed.
type move int

const (
	moveRefuse   move = iota // a state this program does not know
	moveCreate               // there is none
	moveUpdate               // it is whole
	moveWait                 // CloudFormation is at work on it
	moveReplace              // it never was whole, or is half gone: delete it, then create it
	moveContinue             // an update's rollback is stuck
)

// moveFor is the whole table of states.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html#cfn-console-view-stack-data-resources-status-codes
func moveFor(state types.StackStatus) move {
	switch state {
	case "", types.StackStatusDeleteComplete:
		return moveCreate
	case types.StackStatusCreateComplete, types.StackStatusUpdateComplete, types.StackStatusUpdateRollbackComplete,
		types.StackStatusImportComplete, types.StackStatusImportRollbackComplete, types.StackStatusUpdateFailed:
		return moveUpdate
	case types.StackStatusReviewInProgress, // a change set that nobody carried out: nothing happens by itself
		types.StackStatusCreateFailed, types.StackStatusRollbackComplete, types.StackStatusRollbackFailed, types.StackStatusDeleteFailed:
		return moveReplace
	case types.StackStatusUpdateRollbackFailed:
		return moveContinue
	}
	if strings.HasSuffix(string(state), "_IN_PROGRESS") {
		return moveWait
	}
	return moveRefuse
}
