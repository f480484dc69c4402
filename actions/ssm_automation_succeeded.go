package actions

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/skycrafters/responder"
)

// automationLook is how long a runbook that has not ended is left alone.
const automationLook = 15 * time.Second

// ssmAutomationSucceeded waits for the end of a runbook.
type ssmAutomationSucceeded struct{ automations }

var (
	_ responder.Narrower  = (*ssmAutomationSucceeded)(nil)
	_ responder.Describer = (*ssmAutomationSucceeded)(nil)
)

// Spec implements responder.Action.
func (a *ssmAutomationSucceeded) Spec() responder.Spec {
	return responder.Spec{
		Name: "SSMAutomationSucceeded",
		Kind: responder.Check,
		Doc:  "Goes on if an execution of a runbook has succeeded. While it is under way, the check is tried again, as often as `retry` says; if it has failed, so does the step.",
		Params: append([]responder.Param{
			{Name: "execution", Type: responder.TextParam, Required: true, Doc: "The execution's id: the result `execution` of SSMAutomation."},
		}, placeParams()...),
		Result:      map[string]string{"execution": "the execution's id", "status": "how it ended, as Systems Manager says it"},
		Permissions: []responder.Permission{{Actions: []string{"ssm:GetAutomationExecution"}, Resources: []string{automationExecutionARN}}},
	}
}

// Do implements responder.Action.
func (a *ssmAutomationSucceeded) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	id, err := textTarget(call, "execution", executionID)
	if err != nil {
		return nil, err
	}
	_, api, err := a.at(ctx, a, call)
	if err != nil {
		return nil, err
	}
	out, err := api.GetAutomationExecution(ctx, &ssm.GetAutomationExecutionInput{AutomationExecutionId: &id})
	switch {
	case err != nil:
		return nil, awsError("ssm:GetAutomationExecution", err, reads)
	case out.AutomationExecution == nil:
		return nil, transientf("ssm:GetAutomationExecution: the answer holds no execution")
	}
	found := execution{id, out.AutomationExecution.AutomationExecutionStatus, aws.ToString(out.AutomationExecution.FailureMessage)}
	switch well, err := found.ended(); {
	case err != nil:
		return nil, err
	case !well:
		return nil, &responder.Transient{Err: fmt.Errorf("execution %s is %s", id, inline(string(found.status))), After: automationLook}
	}
	return responder.Result{"execution": id, "status": string(found.status)}, nil
}

// Needs implements responder.Narrower.
func (a *ssmAutomationSucceeded) Needs(call responder.Call) []responder.Permission {
	id, err := textTarget(call, "execution", executionID)
	if err != nil {
		return nil // Do refuses it
	}
	there, err := a.place(call)
	if err != nil {
		return nil
	}
	return []responder.Permission{{Actions: []string{"ssm:GetAutomationExecution"},
		Resources: []string{"arn:${AWS::Partition}:ssm:" + there.Region + ":${AWS::AccountId}:automation-execution/" + id}}}
}

// Describe implements responder.Describer.
func (a *ssmAutomationSucceeded) Describe(call responder.Call) string {
	return "ask whether execution " + inline(plain(call.Params["execution"])) + " has succeeded"
}
