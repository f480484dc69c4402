package forwarders

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// maxMoves ends a deployment that somebody else keeps changing.
const maxMoves = 8

// deploy moves the stack until it is what is wanted. Each move is decided by
// what CloudFormation shows, so that it does not matter what was done before,
// by whom, and whether its reply came.
func (w *work) deploy(ctx context.Context, want Wanted) error {
	continued, replaced := false, false
	var before map[string]string // parameters of one that was deleted to be created again
	for range maxMoves {
		s, err := w.see(ctx, w.fleet.Stack)
		if err != nil {
			return err
		}
		switch moveFor(s.State) {
		case moveCreate:
			done, err := w.create(ctx, want, before, replaced)
			if done || err != nil {
				return err
			}
		case moveUpdate:
			done, err := w.update(ctx, s, want)
			if done || err != nil {
				return err
			}
		case moveWait:
			w.note("waited for what was under way (%s)", s.State)
			if _, err := w.await(ctx, s.ID); err != nil {
				return err
			}
		case moveReplace:
			if replaced {
				return w.failure(ctx, s)
			}
			replaced = true
			if len(s.Parameters) > 0 {
				before = s.Parameters
			}
			w.note("deleted first, for it was %s and could not be updated", s.State)
			if err := w.delete(ctx, s); err != nil {
				return err
			}
		case moveContinue:
			if continued {
				return w.failure(ctx, s)
			}
			continued = true
			w.note("its rollback was stuck and was continued")
			if err := w.continueRollback(ctx, s); err != nil {
				return err
			}
		default:
			return fmt.Errorf("the stack is %s, which this version does not know", s.State)
		}
	}
	return fmt.Errorf("gave up: somebody else changes the stack as well (last seen %s)", w.result.Stack.State)
}

// create makes the stack, like the one that had the given parameters before, if
// any. done is false if there is one by now.
func (w *work) create(ctx context.Context, want Wanted, before map[string]string, again bool) (done bool, err error) {
	parameters, err := want.parameters(before)
	if err != nil {
		return false, err
	}
	var out *cloudformation.CreateStackOutput
	err = w.change(ctx, "create the stack", func() (err error) {
		out, err = w.client.CreateStack(ctx, &cloudformation.CreateStackInput{
			StackName: &w.fleet.Stack, TemplateBody: &want.Template.Text, Parameters: parameters, Tags: want.tags(Stack{Parameters: before}),
			Capabilities: []types.Capability{types.CapabilityCapabilityNamedIam},
		})
		return err
	})
	switch {
	case exists(err):
		return false, nil
	case err != nil:
		return false, err
	}
	s, err := w.await(ctx, aws.ToString(out.StackId))
	switch {
	case err != nil:
		return false, err
	case s.State != types.StackStatusCreateComplete:
		return false, w.failure(ctx, s)
	}
	w.result.Did = Created
	if again {
		w.result.Did = Recreated
	}
	return true, nil
}

// update changes the stack, if anything is to be changed. CloudFormation
// compares template, tags and parameters, the hidden ones too: a key that has
// been rotated is a change, and one that has not is none. done is false if the
// stack is not in a state to be updated by now.
func (w *work) update(ctx context.Context, s Stack, want Wanted) (done bool, err error) {
	parameters, err := want.parameters(s.Parameters)
	if err != nil {
		return false, err
	}
	err = w.change(ctx, "update the stack", func() error {
		_, err := w.client.UpdateStack(ctx, &cloudformation.UpdateStackInput{
			StackName: &s.ID, TemplateBody: &want.Template.Text, Parameters: parameters, Tags: want.tags(s),
			Capabilities: []types.Capability{types.CapabilityCapabilityNamedIam},
		})
		return err
	})
	switch {
	case unchanged(err):
		w.result.Did = Unchanged
		return true, nil
	case outpaced(err):
		return false, nil
	case err != nil:
		return false, err
	}
	s, err = w.await(ctx, s.ID)
	switch {
	case err != nil:
		return false, err
	case s.State != types.StackStatusUpdateComplete:
		return false, w.failure(ctx, s)
	}
	w.result.Did = Updated
	return true, nil
}

// continueRollback carries on an update's rollback that had failed.
func (w *work) continueRollback(ctx context.Context, s Stack) error {
	err := w.change(ctx, "continue the rollback of the stack", func() error {
		_, err := w.client.ContinueUpdateRollback(ctx, &cloudformation.ContinueUpdateRollbackInput{StackName: &s.ID})
		return err
	})
	if err != nil {
		return err
	}
	_, err = w.await(ctx, s.ID)
	return err
}

// remove deletes the stack, whatever its state.
func (w *work) remove(ctx context.Context) error {
	s, err := w.see(ctx, w.fleet.Stack)
	if err != nil {
		return err
	}
	if s.Busy() {
		w.note("waited for what was under way (%s)", s.State)
		if s, err = w.await(ctx, s.ID); err != nil {
			return err
		}
	}
	if !s.Exists() {
		w.result.Did = None
		if s.ID != "" { // it was being deleted
			w.result.Did = Removed
		}
		return nil
	}
	if err := w.delete(ctx, s); err != nil {
		return err
	}
	w.result.Did = Removed
	return nil
}

// delete deletes a stack and waits until it is gone.
func (w *work) delete(ctx context.Context, s Stack) error {
	err := w.change(ctx, "delete the stack", func() error {
		_, err := w.client.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: &s.ID})
		return err
	})
	if err != nil {
		return err
	}
	s, err = w.await(ctx, s.ID)
	switch {
	case err != nil:
		return err
	case s.Exists():
		return w.failure(ctx, s)
	}
	return nil
}

// inspect looks at the stack and, if it has failed, for the cause.
func (w *work) inspect(ctx context.Context) error {
	s, err := w.see(ctx, w.fleet.Stack)
	if err != nil {
		return err
	}
	switch {
	case !s.Exists():
		w.result.Did = None
	case s.Complete(), s.Busy(), s.State == types.StackStatusReviewInProgress:
		w.result.Did = Unchanged
	default:
		return w.failure(ctx, s)
	}
	return nil
}
