package actions

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"github.com/skycrafters/responder"
)

// SFNAPI is what StartExecution asks of Step Functions.
type SFNAPI interface {
	DescribeStateMachine(context.Context, *sfn.DescribeStateMachineInput, ...func(*sfn.Options)) (*sfn.DescribeStateMachineOutput, error)
	ListTagsForResource(context.Context, *sfn.ListTagsForResourceInput, ...func(*sfn.Options)) (*sfn.ListTagsForResourceOutput, error)
	StartExecution(context.Context, *sfn.StartExecutionInput, ...func(*sfn.Options)) (*sfn.StartExecutionOutput, error)
	DescribeExecution(context.Context, *sfn.DescribeExecutionInput, ...func(*sfn.Options)) (*sfn.DescribeExecutionOutput, error)
}

// sfnCalls is a client of just the calls that are made; see ec2Calls.
type sfnCalls struct {
	describeStateMachine func(context.Context, *sfn.DescribeStateMachineInput, ...func(*sfn.Options)) (*sfn.DescribeStateMachineOutput, error)
	listTagsForResource  func(context.Context, *sfn.ListTagsForResourceInput, ...func(*sfn.Options)) (*sfn.ListTagsForResourceOutput, error)
	startExecution       func(context.Context, *sfn.StartExecutionInput, ...func(*sfn.Options)) (*sfn.StartExecutionOutput, error)
	describeExecution    func(context.Context, *sfn.DescribeExecutionInput, ...func(*sfn.Options)) (*sfn.DescribeExecutionOutput, error)
}

// DescribeStateMachine implements SFNAPI.
func (c sfnCalls) DescribeStateMachine(ctx context.Context, in *sfn.DescribeStateMachineInput, options ...func(*sfn.Options)) (*sfn.DescribeStateMachineOutput, error) {
	return c.describeStateMachine(ctx, in, options...)
}

// ListTagsForResource implements SFNAPI.
func (c sfnCalls) ListTagsForResource(ctx context.Context, in *sfn.ListTagsForResourceInput, options ...func(*sfn.Options)) (*sfn.ListTagsForResourceOutput, error) {
	return c.listTagsForResource(ctx, in, options...)
}

// StartExecution implements SFNAPI.
func (c sfnCalls) StartExecution(ctx context.Context, in *sfn.StartExecutionInput, options ...func(*sfn.Options)) (*sfn.StartExecutionOutput, error) {
	return c.startExecution(ctx, in, options...)
}

// DescribeExecution implements SFNAPI.
func (c sfnCalls) DescribeExecution(ctx context.Context, in *sfn.DescribeExecutionInput, options ...func(*sfn.Options)) (*sfn.DescribeExecutionOutput, error) {
	return c.describeExecution(ctx, in, options...)
}

// startExecution hands a finding over to a state machine of one's own.
type startExecution struct {
	*access
	refs references
}

var _ repair = (*startExecution)(nil)

const (
	stateMachineARN = "arn:${AWS::Partition}:states:*:${AWS::AccountId}:stateMachine:responder-action-*"
	executionARN    = "arn:${AWS::Partition}:states:*:${AWS::AccountId}:execution:responder-action-*:responder-*"

	// https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
	executionInput = 256 << 10 // bytes
)

var (
	stateMachineForm = regexp.MustCompile(`^arn:aws[a-z-]*:states:[a-z0-9-]+:[0-9]{12}:stateMachine:[A-Za-z0-9_-]{1,80}$`)

	machineActions   = []string{"states:DescribeStateMachine", "states:ListTagsForResource", "states:StartExecution"}
	executionActions = []string{"states:DescribeExecution"}
)

// Spec implements responder.Action.
func (a *startExecution) Spec() responder.Spec {
	return responder.Spec{
		Name: "StartExecution",
		Kind: responder.Repair,
		Doc:  "Starts an execution of a Step Functions state machine of your own with the finding, once a step, and does not wait for its end.",
		Params: []responder.Param{
			{Name: "stateMachine", Type: responder.TextParam, Required: true, Static: true,
				Doc: "The ARN of a standard state machine, without version or alias, or env:NAME. One whose name does not begin with responder-action- needs a permission of its own."},
		},
		Result: map[string]string{
			"execution": "the execution's ARN",
			"already":   "true if an earlier attempt had started it",
		},
		Permissions: []responder.Permission{
			{Actions: machineActions, Resources: []string{stateMachineARN}},
			{Actions: executionActions, Resources: []string{executionARN}},
		},
		Inverse: "Nothing that Responder knows of: what the state machine does is your own.",
	}
}

// foundMachine is the state machine that a call is about.
type foundMachine struct {
	arn  arn.ARN
	name string // of the execution
	api  SFNAPI
	kind types.StateMachineType // "" if there is none
}

// execution is the ARN of the one execution that a step makes.
func (f foundMachine) execution() string {
	f.arn.Resource = strings.Replace(f.arn.Resource, "stateMachine:", "execution:", 1) + ":" + f.name
	return f.arn.String()
}

// at gives the state machine that a call is about, and a client for it.
func (a *startExecution) at(ctx context.Context, call responder.Call) (foundMachine, error) {
	machine, there, err := a.refs.ownARN(call, "stateMachine", stateMachineForm)
	if err != nil {
		return foundMachine{}, err
	}
	api, err := client(ctx, a.access, a.aws.SFN, a, there, there.Region)
	return foundMachine{arn: machine, name: executionName(call.Key), api: api}, err
}

// find looks what the state machine is. One whose executions cannot be asked for
// by name is *Permanent: whether it was started could not be verified.
func (a *startExecution) find(ctx context.Context, call responder.Call) (foundMachine, error) {
	found, err := a.at(ctx, call)
	if err != nil {
		return foundMachine{}, err
	}
	out, err := found.api.DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{
		StateMachineArn: aws.String(found.arn.String()), IncludedData: types.IncludedDataMetadataOnly})
	switch {
	case hasCode(err, "StateMachineDoesNotExist"):
		return found, nil
	case err != nil:
		return foundMachine{}, awsError("states:DescribeStateMachine", err, reads)
	case out.Type == types.StateMachineTypeExpress:
		return foundMachine{}, permanentf("%s is an express state machine: whether an execution was started cannot be seen there, so it could start twice", found.arn)
	}
	found.kind = out.Type
	return found, nil
}

// executionName gives the name of the one execution of a step, whatever attempt
// it is: Step Functions starts none of a name that it knows, for 90 days.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
func executionName(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "responder-" + hex.EncodeToString(sum[:])[:32]
}

// Do implements responder.Action. It can be repeated: the name is the same.
func (a *startExecution) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	input, err := handedOver(call, executionInput)
	if err != nil {
		return nil, err
	}
	found, err := a.find(ctx, call)
	switch {
	case err != nil:
		return nil, err
	case found.kind == "":
		return nil, permanentf("there is no state machine %s", found.arn)
	}
	out, err := found.api.StartExecution(ctx, &sfn.StartExecutionInput{
		StateMachineArn: aws.String(found.arn.String()), Name: &found.name, Input: aws.String(string(input))})
	switch {
	case hasCode(err, "ExecutionAlreadyExists"):
		return responder.Result{"execution": found.execution(), "already": true}, nil
	case err != nil:
		return nil, awsError("states:StartExecution", err, mutates)
	}
	return responder.Result{"execution": aws.ToString(out.ExecutionArn)}, nil
}

// Verify implements responder.Verifier: done if the execution is known. Step
// Functions may know it late; it is started anew then, in vain.
func (a *startExecution) Verify(ctx context.Context, call responder.Call) (responder.Verdict, error) {
	found, err := a.at(ctx, call)
	if err != nil {
		return responder.VerdictUnknown, err
	}
	_, err = found.api.DescribeExecution(ctx, &sfn.DescribeExecutionInput{
		ExecutionArn: aws.String(found.execution()), IncludedData: types.IncludedDataMetadataOnly})
	switch {
	case hasCode(err, "ExecutionDoesNotExist"):
		return responder.VerdictNotDone, nil
	case err != nil:
		return responder.VerdictUnknown, awsError("states:DescribeExecution", err, reads)
	}
	return responder.VerdictDone, nil
}

// Survey implements responder.Surveyor.
func (a *startExecution) Survey(ctx context.Context, call responder.Call) (responder.Survey, error) {
	found, err := a.find(ctx, call)
	if err != nil || found.kind == "" {
		return responder.Survey{}, err
	}
	out, err := found.api.ListTagsForResource(ctx, &sfn.ListTagsForResourceInput{ResourceArn: aws.String(found.arn.String())})
	if err != nil {
		return responder.Survey{}, awsError("states:ListTagsForResource", err, reads)
	}
	target := responder.Target{ARN: found.arn.String(), Account: found.arn.AccountID, Region: found.arn.Region, Static: true}
	for _, tag := range out.Tags {
		if target.Tags == nil {
			target.Tags = map[string]string{}
		}
		target.Tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return responder.Survey{
		Targets: []responder.Target{target},
		Found:   map[string]any{"execution": found.execution()},
		Lasting: []string{"whatever the state machine does"},
	}, nil
}

// Needs implements responder.Narrower.
func (a *startExecution) Needs(call responder.Call) []responder.Permission {
	machine, _, err := a.refs.ownARN(call, "stateMachine", stateMachineForm)
	if err != nil {
		return nil // Do refuses it
	}
	found := foundMachine{arn: machine, name: executionName(call.Key)}
	return []responder.Permission{
		{Actions: machineActions, Resources: []string{machine.String()}},
		{Actions: executionActions, Resources: []string{found.execution()}},
	}
}

// Describe implements responder.Describer.
func (a *startExecution) Describe(call responder.Call) string {
	return "start " + inline(plain(call.Params["stateMachine"]))
}
