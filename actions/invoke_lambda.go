package actions

import (
	"cmp"
	"context"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/skycrafters/responder"
)

// LambdaAPI is what InvokeLambda asks of Lambda.
type LambdaAPI interface {
	Invoke(context.Context, *lambda.InvokeInput, ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
	ListTags(context.Context, *lambda.ListTagsInput, ...func(*lambda.Options)) (*lambda.ListTagsOutput, error)
}

// lambdaCalls is a client of just the calls that are made; see ec2Calls.
type lambdaCalls struct {
	invoke   func(context.Context, *lambda.InvokeInput, ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
	listTags func(context.Context, *lambda.ListTagsInput, ...func(*lambda.Options)) (*lambda.ListTagsOutput, error)
}

// Invoke implements LambdaAPI.
func (c lambdaCalls) Invoke(ctx context.Context, in *lambda.InvokeInput, options ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	return c.invoke(ctx, in, options...)
}

// ListTags implements LambdaAPI.
func (c lambdaCalls) ListTags(ctx context.Context, in *lambda.ListTagsInput, options ...func(*lambda.Options)) (*lambda.ListTagsOutput, error) {
	return c.listTags(ctx, in, options...)
}

// invokeLambda hands a finding over to a function of one's own.
type invokeLambda struct {
	*access
	refs references
}

var _ repair = (*invokeLambda)(nil)

const (
	functionARN = "arn:${AWS::Partition}:lambda:*:${AWS::AccountId}:function:responder-action-*"

	// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
	lambdaPayload      = 6 << 20   // bytes
	lambdaPayloadAsync = 256 << 10 // bytes; more where AWS has raised it

	lambdaAnswer = 4 << 10 // bytes of an answer that is kept in the run
)

var functionForm = regexp.MustCompile(`^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]{1,64}(:(\$LATEST|[A-Za-z0-9_-]{1,128}))?$`)

var lambdaActions = []string{"lambda:InvokeFunction", "lambda:ListTags"}

// Spec implements responder.Action.
func (a *invokeLambda) Spec() responder.Spec {
	return responder.Spec{
		Name: "InvokeLambda",
		Kind: responder.Repair,
		Doc:  "Invokes a Lambda function of your own with the finding, and waits for its answer.",
		Params: []responder.Param{
			{Name: "function", Type: responder.TextParam, Required: true, Static: true,
				Doc: "The function's ARN, with a version or alias or without, or env:NAME. A function whose name does not begin with responder-action- needs a permission of its own."},
			{Name: "idempotent", Type: responder.BoolParam, Static: true,
				Doc: "true if the function does nothing a second time for a `key` that it knows: only then is it invoked again after a failure of unknown outcome."},
			{Name: "async", Type: responder.BoolParam, Static: true,
				Doc: "true: do not wait, leave it to Lambda, which tries again by itself twice where the function fails."},
		},
		Result: map[string]string{
			"function": "the function's ARN",
			"version":  "the version that ran",
			"answer":   "what the function answered, if that is JSON of 4 KiB at most",
		},
		Permissions: []responder.Permission{{Actions: lambdaActions, Resources: []string{functionARN}}},
		Inverse:     "Nothing that Responder knows of: what the function does is your own.",
	}
}

// at gives the function that a call is about, and a client for it.
func (a *invokeLambda) at(ctx context.Context, call responder.Call) (arn.ARN, LambdaAPI, error) {
	function, there, err := a.refs.ownARN(call, "function", functionForm)
	if err != nil {
		return arn.ARN{}, nil, err
	}
	api, err := client(ctx, a.access, a.aws.Lambda, a, there, there.Region)
	return function, api, err
}

// Do implements responder.Action. Whether it can be repeated is the function's
// matter; the SDK repeats it only where the flow's author says so.
func (a *invokeLambda) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	function, api, err := a.at(ctx, call)
	if err != nil {
		return nil, err
	}
	mode, limit := types.InvocationTypeRequestResponse, lambdaPayload
	if flag(call, "async") {
		mode, limit = types.InvocationTypeEvent, lambdaPayloadAsync
	}
	payload, err := handedOver(call, limit)
	if err != nil {
		return nil, err
	}
	out, err := api.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String(function.String()), InvocationType: mode, Payload: payload}, func(o *lambda.Options) {
		if !flag(call, "idempotent") {
			o.Retryer = aws.NopRetryer{}
		}
	})
	switch {
	case err != nil:
		return nil, awsError("lambda:InvokeFunction", err, mutates)
	case out.FunctionError != nil && flag(call, "idempotent"):
		return nil, transientf("%s", functionFailure(out))
	case out.FunctionError != nil:
		return nil, permanentf("%s", functionFailure(out))
	}
	result := responder.Result{"function": function.String()}
	if version := aws.ToString(out.ExecutedVersion); version != "" {
		result["version"] = version
	}
	var answer any
	if len(out.Payload) <= lambdaAnswer && json.Unmarshal(out.Payload, &answer) == nil && answer != nil {
		result["answer"] = answer
	}
	return result, nil
}

// functionFailure says how a function failed. What it had done by then, nobody
// can see from outside.
func functionFailure(out *lambda.InvokeOutput) string {
	var failure struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal(out.Payload, &failure) != nil {
		failure.Message = string(out.Payload)
	}
	why := strings.TrimPrefix(failure.Type+": "+failure.Message, ": ")
	return "the function failed: " + cut(inline(cmp.Or(strings.TrimSuffix(why, ": "), aws.ToString(out.FunctionError))), maxAWSMessage)
}

// Verify implements responder.Verifier. Lambda does not tell what it has run: a
// function that may run twice is taken not to have, of another nobody knows.
func (a *invokeLambda) Verify(_ context.Context, call responder.Call) (responder.Verdict, error) {
	if _, _, err := a.refs.ownARN(call, "function", functionForm); err != nil {
		return responder.VerdictUnknown, err
	}
	if flag(call, "idempotent") {
		return responder.VerdictNotDone, nil
	}
	return responder.VerdictUnknown, permanentf("Lambda does not tell whether the function has run: look at its log for key %s; a flow that says `idempotent: true` invokes it again", inline(call.Key))
}

// Survey implements responder.Surveyor.
func (a *invokeLambda) Survey(ctx context.Context, call responder.Call) (responder.Survey, error) {
	function, api, err := a.at(ctx, call)
	if err != nil {
		return responder.Survey{}, err
	}
	function.Resource = unqualified(function.Resource)
	tags, err := api.ListTags(ctx, &lambda.ListTagsInput{Resource: aws.String(function.String())})
	switch {
	case hasCode(err, "ResourceNotFoundException"):
		return responder.Survey{}, nil
	case err != nil:
		return responder.Survey{}, awsError("lambda:ListTags", err, reads)
	}
	target := responder.Target{ARN: function.String(), Account: function.AccountID, Region: function.Region, Static: true}
	if len(tags.Tags) > 0 {
		target.Tags = tags.Tags
	}
	return responder.Survey{Targets: []responder.Target{target}, Lasting: []string{"whatever the function does"}}, nil
}

// unqualified gives a function without version or alias: function:NAME.
func unqualified(resource string) string {
	parts := strings.SplitN(resource, ":", 3)
	return strings.Join(parts[:2], ":")
}

// Needs implements responder.Narrower.
func (a *invokeLambda) Needs(call responder.Call) []responder.Permission {
	function, _, err := a.refs.ownARN(call, "function", functionForm)
	if err != nil {
		return nil // Do refuses it
	}
	invoked := function.String()
	function.Resource = unqualified(function.Resource)
	return []responder.Permission{
		{Actions: []string{"lambda:InvokeFunction"}, Resources: []string{invoked}},
		{Actions: []string{"lambda:ListTags"}, Resources: []string{function.String()}},
	}
}

// Describe implements responder.Describer.
func (a *invokeLambda) Describe(call responder.Call) string {
	return "invoke " + inline(plain(call.Params["function"]))
}
