package stack

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// StateError says that a stack is in a state in which there is nothing to operate.
type StateError struct {
	Name   string
	Status string // CloudFormation's word
	text   string
}

func (e *StateError) Error() string { return e.text }

// foreignError says that a stack does not tell what Responder's tells.
type foreignError struct {
	name    string
	lacking []string
}

func (e *foreignError) Error() string {
	slices.Sort(e.lacking)
	return fmt.Sprintf("stack %s lacks the outputs %s: it is not Responder's, or an older one: deploy this version (sam build && sam deploy)", e.name, strings.Join(e.lacking, ", "))
}

// judge refuses a stack in whose state nothing can be operated. reason is
// CloudFormation's, "" if it gives none.
func judge(s *Stack, reason string) error {
	aws := func(command string) string {
		return fmt.Sprintf("`aws cloudformation %s --stack-name %s --region %s`", command, s.Name, s.Region)
	}
	text := ""
	switch types.StackStatus(s.Status) {
	case types.StackStatusRollbackComplete, types.StackStatusRollbackFailed, types.StackStatusCreateFailed:
		text = "its creation failed, and it can only be deleted: see why with " + aws("describe-stack-events") + ", then " + aws("delete-stack") + " (or make remove), and deploy again"
	case types.StackStatusReviewInProgress:
		text = "a change set for it was made and never carried out: carry it out, or " + aws("delete-stack") + " and deploy again"
	case types.StackStatusCreateInProgress:
		text = "it is being created: " + aws("wait stack-create-complete") + " says when it is done"
	case types.StackStatusRollbackInProgress:
		text = "its creation failed and is being undone: wait, then " + aws("delete-stack") + " and deploy again"
	case types.StackStatusDeleteInProgress:
		text = "it is being deleted: " + aws("wait stack-delete-complete") + " says when it is gone"
	case types.StackStatusDeleteFailed:
		text = "its deletion failed: see why with " + aws("describe-stack-events") + ", mend that, and " + aws("delete-stack") + " again"
	default:
		return nil
	}
	if reason != "" {
		reason = " (" + strings.TrimSuffix(reason, ".") + ")"
	}
	return &StateError{Name: s.Name, Status: s.Status, text: fmt.Sprintf("stack %s is in %s%s: %s", s.Name, s.Status, reason, text)}
}

// Note is what people should know of the stack's state while they operate it,
// "" if it is as it should be.
func (s *Stack) Note() string {
	switch status := types.StackStatus(s.Status); status {
	case types.StackStatusCreateComplete, types.StackStatusUpdateComplete, types.StackStatusImportComplete:
		return ""
	case types.StackStatusUpdateRollbackComplete, types.StackStatusImportRollbackComplete:
		return fmt.Sprintf("the last change of stack %s failed and was undone: it runs as before", s.Name)
	case types.StackStatusUpdateRollbackFailed:
		return fmt.Sprintf("the last update of stack %s failed and could not be undone: `aws cloudformation continue-update-rollback --stack-name %s --region %s`", s.Name, s.Name, s.Region)
	default:
		if strings.HasSuffix(s.Status, "_IN_PROGRESS") {
			return fmt.Sprintf("stack %s is being changed (%s)", s.Name, s.Status)
		}
		return fmt.Sprintf("stack %s is in %s", s.Name, s.Status)
	}
}
