package actions_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
)

const (
	functionOf = "arn:aws:lambda:eu-west-3:111122223333:function:responder-action-fix"
	machineOf  = "arn:aws:states:eu-west-3:111122223333:stateMachine:responder-action-fix"
)

// fakeHands are Lambda, with one function, and Step Functions, with one machine.
type fakeHands struct {
	gone     bool
	express  bool
	answer   string
	failed   string // FunctionError
	fails    map[string]error
	lost     bool // the answer of what is started
	calls    []string
	regions  []string
	invoked  []*lambda.InvokeInput
	attempts []int             // that the SDK may make, of each invocation
	started  map[string]string // name → input
}

func (f *fakeHands) catalogue() responder.Catalogue {
	if f.started == nil {
		f.started = map[string]string{}
	}
	return actions.New(actions.Deps{
		Getenv: func(name string) string {
			return map[string]string{"FIX": functionOf, "MACHINE": machineOf, "ODD": "nonsense"}[name]
		},
		AWS: actions.AWS{
			STS:    func(aws.Config) actions.STSAPI { return &fakeSTS{account: account} },
			Lambda: func(cfg aws.Config) actions.LambdaAPI { f.regions = append(f.regions, cfg.Region); return f },
			SFN:    func(cfg aws.Config) actions.SFNAPI { f.regions = append(f.regions, cfg.Region); return fakeSFN{f} },
		}})
}

func (f *fakeHands) call(op string) error {
	f.calls = append(f.calls, op)
	return f.fails[op]
}

func (f *fakeHands) Invoke(_ context.Context, in *lambda.InvokeInput, options ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	f.invoked = append(f.invoked, in)
	var o lambda.Options
	for _, option := range options {
		option(&o)
	}
	attempts := 0
	if o.Retryer != nil {
		attempts = o.Retryer.MaxAttempts()
	}
	f.attempts = append(f.attempts, attempts)
	if err := f.call("Invoke"); err != nil {
		return nil, err
	}
	if f.gone {
		return nil, awsErr("ResourceNotFoundException")
	}
	out := &lambda.InvokeOutput{StatusCode: 200, ExecutedVersion: aws.String("7"), Payload: []byte(f.answer)}
	if f.failed != "" {
		out.FunctionError = &f.failed
	}
	return out, nil
}

func (f *fakeHands) ListTags(_ context.Context, in *lambda.ListTagsInput, _ ...func(*lambda.Options)) (*lambda.ListTagsOutput, error) {
	if err := f.call("ListTags"); err != nil {
		return nil, err
	}
	switch {
	case *in.Resource != functionOf:
		return nil, awsErr("InvalidParameterValueException")
	case f.gone:
		return nil, awsErr("ResourceNotFoundException")
	}
	return &lambda.ListTagsOutput{Tags: map[string]string{"team": "red"}}, nil
}

type fakeSFN struct{ *fakeHands }

func (f fakeSFN) DescribeStateMachine(_ context.Context, in *sfn.DescribeStateMachineInput, _ ...func(*sfn.Options)) (*sfn.DescribeStateMachineOutput, error) {
	if err := f.call("DescribeStateMachine"); err != nil {
		return nil, err
	}
	if f.gone || *in.StateMachineArn != machineOf {
		return nil, awsErr("StateMachineDoesNotExist")
	}
	out := &sfn.DescribeStateMachineOutput{Type: sfntypes.StateMachineTypeStandard}
	if f.express {
		out.Type = sfntypes.StateMachineTypeExpress
	}
	return out, nil
}

func (f fakeSFN) ListTagsForResource(context.Context, *sfn.ListTagsForResourceInput, ...func(*sfn.Options)) (*sfn.ListTagsForResourceOutput, error) {
	return &sfn.ListTagsForResourceOutput{Tags: []sfntypes.Tag{{Key: aws.String("team"), Value: aws.String("red")}}}, f.call("ListTagsForResource")
}

func executionOf(name string) string {
	return strings.Replace(machineOf, ":stateMachine:", ":execution:", 1) + ":" + name
}

func (f fakeSFN) StartExecution(_ context.Context, in *sfn.StartExecutionInput, _ ...func(*sfn.Options)) (*sfn.StartExecutionOutput, error) {
	if err := f.call("StartExecution"); err != nil {
		return nil, err
	}
	if _, known := f.started[*in.Name]; known {
		return nil, awsErr("ExecutionAlreadyExists")
	}
	f.started[*in.Name] = *in.Input
	if f.lost {
		return nil, errors.New("EOF")
	}
	return &sfn.StartExecutionOutput{ExecutionArn: aws.String(executionOf(*in.Name))}, nil
}

func (f fakeSFN) DescribeExecution(_ context.Context, in *sfn.DescribeExecutionInput, _ ...func(*sfn.Options)) (*sfn.DescribeExecutionOutput, error) {
	if err := f.call("DescribeExecution"); err != nil {
		return nil, err
	}
	for name := range f.started {
		if *in.ExecutionArn == executionOf(name) {
			return &sfn.DescribeExecutionOutput{}, nil
		}
	}
	return nil, awsErr("ExecutionDoesNotExist")
}

func functionCall(more map[string]any) responder.Call {
	call := repairCall(map[string]any{"function": functionOf})
	maps.Copy(call.Params, more)
	call.Account, call.Region = "444455556666", "us-east-1" // of the event: it has no say in where the function is
	call.Flow, call.Finding.Title = "fix", "<b> & \"quoted\""
	return call
}

func machineCall() responder.Call {
	call := functionCall(nil)
	call.Params = map[string]any{"stateMachine": machineOf}
	return call
}

func TestInvokeLambda(t *testing.T) {
	f := &fakeHands{answer: `{"fixed":["a"]}`}
	repair := f.catalogue()["InvokeLambda"]
	result, err := repair.Do(t.Context(), functionCall(nil))
	want := responder.Result{"function": functionOf, "version": "7", "answer": map[string]any{"fixed": []any{"a"}}}
	if err != nil || !reflect.DeepEqual(result, want) {
		t.Errorf("got %v, %v", result, err)
	}
	in := f.invoked[0]
	const payload = `{"key":"r/1","flow":"fix","account":"444455556666","region":"us-east-1","finding":{"rule":"r","title":"<b> & \"quoted\"","severity":"","message":"","resources":null,"number":0,"key":"k","event":{"time":"2026-11-23T06:50:00Z"}}}`
	if *in.FunctionName != functionOf || in.InvocationType != lambdatypes.InvocationTypeRequestResponse || string(in.Payload) != payload {
		t.Errorf("asked %s, %s:\n%s\n%s", *in.FunctionName, in.InvocationType, in.Payload, payload)
	}
	if f.regions[0] != "eu-west-3" || f.attempts[0] != 1 {
		t.Errorf("in %v, with %v attempts", f.regions, f.attempts)
	}

	found, err := survey(t, repair, functionCall(nil))
	if want := (responder.Survey{
		Targets: []responder.Target{{ARN: functionOf, Account: account, Region: "eu-west-3", Tags: map[string]string{"team": "red"}, Static: true}},
		Lasting: []string{"whatever the function does"},
	}); err != nil || !reflect.DeepEqual(found, want) {
		t.Errorf("found %v, %v", found, err)
	}

	for name, params := range map[string]map[string]any{"alias": {"function": functionOf + ":live"}, "latest": {"function": functionOf + ":$LATEST"}, "by the environment": {"function": "env:FIX"}} {
		if _, err := repair.Do(t.Context(), functionCall(params)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if found, err := survey(t, repair, functionCall(params)); err != nil || found.Targets[0].ARN != functionOf {
			t.Errorf("%s: found %v, %v", name, found, err)
		}
	}
	for _, tt := range []struct {
		params map[string]any
		mode   lambdatypes.InvocationType
		tries  int // 0: as the SDK does
	}{
		{map[string]any{"async": true}, lambdatypes.InvocationTypeEvent, 1},
		{map[string]any{"idempotent": true}, lambdatypes.InvocationTypeRequestResponse, 0},
	} {
		if _, err := repair.Do(t.Context(), functionCall(tt.params)); err != nil || f.invoked[len(f.invoked)-1].InvocationType != tt.mode || f.attempts[len(f.attempts)-1] != tt.tries {
			t.Errorf("%v: %v, %v", tt.params, f.attempts, err)
		}
	}
	needs := repair.(responder.Narrower).Needs(functionCall(map[string]any{"function": functionOf + ":live"}))
	if !reflect.DeepEqual(needs, []responder.Permission{
		{Actions: []string{"lambda:InvokeFunction"}, Resources: []string{functionOf + ":live"}}, {Actions: []string{"lambda:ListTags"}, Resources: []string{functionOf}},
	}) {
		t.Errorf("needs %v", needs)
	}
}

func TestInvokeLambdaOutcomes(t *testing.T) {
	again := map[string]any{"idempotent": true}
	for _, tt := range []struct {
		name   string
		fake   fakeHands
		params map[string]any
		is     func(error) bool
		says   string
	}{
		{"denied", fakeHands{fails: map[string]error{"Invoke": awsErr("AccessDeniedException")}}, nil, isPermanent, "lambda:InvokeFunction: AccessDeniedException"},
		{"throttled", fakeHands{fails: map[string]error{"Invoke": awsErr("TooManyRequestsException")}}, nil, isTransient, "lambda:InvokeFunction"},
		{"being updated", fakeHands{fails: map[string]error{"Invoke": awsErr("ResourceConflictException")}}, nil, isTransient, "lambda:InvokeFunction"},
		{"lost", fakeHands{fails: map[string]error{"Invoke": errors.New("EOF")}}, nil, isUnknown, "lambda:InvokeFunction: EOF"},
		{"not there", fakeHands{gone: true}, nil, isPermanent, "lambda:InvokeFunction: ResourceNotFoundException"},
		{"failed", fakeHands{failed: "Unhandled", answer: `{"errorType":"KeyError","errorMessage":"\u001b[31mno such\nthing"}`}, nil, isPermanent, "the function failed: KeyError: no such thing"},
		{"failed without words", fakeHands{failed: "Unhandled", answer: `{}`}, nil, isPermanent, "the function failed: Unhandled"},
		{"failed with garbage", fakeHands{failed: "Unhandled", answer: "<html>"}, nil, isPermanent, "the function failed: <html>"},
		{"failed, and may run again", fakeHands{failed: "Unhandled", answer: `{"errorMessage":"x"}`}, again, isTransient, "the function failed: x"},
	} {
		_, err := tt.fake.catalogue()["InvokeLambda"].Do(t.Context(), functionCall(tt.params))
		if !tt.is(err) || !strings.Contains(err.Error(), tt.says) || len(err.Error()) > 500 {
			t.Errorf("%s: got %T %v", tt.name, err, err)
		}
	}
	for _, answer := range []string{"", "null", "<html>", `"` + strings.Repeat("x", 5000) + `"`} {
		f := &fakeHands{answer: answer}
		result, err := f.catalogue()["InvokeLambda"].Do(t.Context(), functionCall(nil))
		if _, kept := result["answer"]; kept || err != nil {
			t.Errorf("%.10q: got %v, %v", answer, result, err)
		}
	}
	f := &fakeHands{}
	if verdict, err := verify(t, f.catalogue()["InvokeLambda"], functionCall(nil)); verdict != responder.VerdictUnknown || !strings.Contains(fmt.Sprint(err), "for key r/1") {
		t.Errorf("verified as %v, %v", verdict, err)
	}
	if verdict, err := verify(t, f.catalogue()["InvokeLambda"], functionCall(again)); verdict != responder.VerdictNotDone || err != nil {
		t.Errorf("one that may run again: verified as %v, %v", verdict, err)
	}
	f = &fakeHands{gone: true}
	if found, err := survey(t, f.catalogue()["InvokeLambda"], functionCall(nil)); err != nil || len(found.Targets) > 0 {
		t.Errorf("not there: %v, %v", found, err)
	}
	f = &fakeHands{fails: map[string]error{"ListTags": awsErr("AccessDeniedException")}}
	if _, err := survey(t, f.catalogue()["InvokeLambda"], functionCall(nil)); !isPermanent(err) {
		t.Errorf("denied: %v", err)
	}
}

func TestStartExecution(t *testing.T) {
	f := &fakeHands{}
	catalogue := f.catalogue()
	found, result := doAndUndo(t, catalogue, "StartExecution", machineCall(), func() any { return maps.Clone(f.started) })
	name := strings.TrimPrefix(result["execution"].(string), executionOf(""))
	if len(f.started) != 1 || len(name) != 42 || !strings.HasPrefix(name, "responder-") || !strings.HasPrefix(f.started[name], `{"key":"r/1","flow":"fix",`) {
		t.Errorf("got %v, started %v", result, f.started)
	}
	if want := (responder.Survey{
		Targets: []responder.Target{{ARN: machineOf, Account: account, Region: "eu-west-3", Tags: map[string]string{"team": "red"}, Static: true}},
		Found:   map[string]any{"execution": executionOf(name)}, Lasting: []string{"whatever the state machine does"},
	}); !reflect.DeepEqual(found, want) {
		t.Errorf("found %v", found)
	}
	var used []string
	for _, op := range f.calls {
		used = append(used, "states:"+op)
	}
	checkNeeds(t, catalogue["StartExecution"], machineCall(), used)

	other := machineCall()
	other.Key = "r/2"
	other.Params["stateMachine"] = "env:MACHINE"
	if result, err := catalogue["StartExecution"].Do(t.Context(), other); err != nil || result["already"] != nil || len(f.started) != 2 {
		t.Errorf("another step: %v, %v", result, err)
	}
}

func TestStartExecutionOutcomes(t *testing.T) {
	f := &fakeHands{lost: true}
	repair := f.catalogue()["StartExecution"]
	if _, err := repair.Do(t.Context(), machineCall()); !isUnknown(err) {
		t.Errorf("lost: got %v", err)
	}
	if verdict, err := verify(t, repair, machineCall()); verdict != responder.VerdictDone || err != nil {
		t.Errorf("lost: verified as %v, %v", verdict, err)
	}
	if result, err := repair.Do(t.Context(), machineCall()); err != nil || result["already"] != true || len(f.started) != 1 {
		t.Errorf("again: %v, %v", result, err)
	}
	for _, op := range []string{"DescribeStateMachine", "StartExecution"} {
		for what, is := range map[error]func(error) bool{awsErr("AccessDeniedException"): isPermanent, awsErr("ThrottlingException"): isTransient} {
			f := &fakeHands{fails: map[string]error{op: what}}
			if _, err := f.catalogue()["StartExecution"].Do(t.Context(), machineCall()); !is(err) || !strings.Contains(err.Error(), "states:"+op+": ") || len(f.started) > 0 {
				t.Errorf("%s %v: got %T %v", op, what, err, err)
			}
		}
	}
	for op, ask := range map[string]func(responder.Action) error{
		"ListTagsForResource": func(a responder.Action) error { _, err := survey(t, a, machineCall()); return err },
		"DescribeExecution":   func(a responder.Action) error { _, err := verify(t, a, machineCall()); return err },
	} {
		f := &fakeHands{fails: map[string]error{op: awsErr("AccessDeniedException")}}
		if err := ask(f.catalogue()["StartExecution"]); !isPermanent(err) || !strings.Contains(err.Error(), "states:"+op) {
			t.Errorf("%s: got %v", op, err)
		}
	}
	f = &fakeHands{express: true}
	if _, err := f.catalogue()["StartExecution"].Do(t.Context(), machineCall()); !isPermanent(err) || !strings.Contains(err.Error(), "express") || len(f.started) > 0 {
		t.Errorf("express: got %v", err)
	}
	f = &fakeHands{gone: true}
	if _, err := f.catalogue()["StartExecution"].Do(t.Context(), machineCall()); !isPermanent(err) || err.Error() != "there is no state machine "+machineOf {
		t.Errorf("gone: got %v", err)
	}
	if found, err := survey(t, f.catalogue()["StartExecution"], machineCall()); err != nil || len(found.Targets) > 0 {
		t.Errorf("gone: found %v, %v", found, err)
	}
}

// TestHandedOver keeps within what Step Functions takes.
func TestHandedOver(t *testing.T) {
	for _, tt := range []struct {
		event, message int // bytes
		is             func(error) bool
		whole          bool
	}{
		{1000, 10, nil, true}, {255 << 10, 10, nil, true}, {256 << 10, 10, nil, false}, {10, 300 << 10, isPermanent, false},
	} {
		f := &fakeHands{}
		call := machineCall()
		call.Finding.Event = json.RawMessage(`{"x":"` + strings.Repeat("x", tt.event) + `"}`)
		call.Finding.Message = strings.Repeat("y", tt.message)
		_, err := f.catalogue()["StartExecution"].Do(t.Context(), call)
		if tt.is != nil {
			if !tt.is(err) || len(f.calls) > 0 {
				t.Errorf("%d, %d: got %v", tt.event, tt.message, err)
			}
			continue
		}
		for _, input := range f.started {
			var given struct {
				Finding struct {
					Message string
					Event   any
				}
			}
			if json.Unmarshal([]byte(input), &given) != nil || len(input) > 256<<10 || len(given.Finding.Message) != tt.message || (given.Finding.Event != nil) != tt.whole {
				t.Errorf("%d, %d: %d bytes, event whole %v", tt.event, tt.message, len(input), given.Finding.Event != nil)
			}
		}
		if err != nil || len(f.started) != 1 {
			t.Errorf("%d, %d: got %v", tt.event, tt.message, err)
		}
	}
}

// TestHandoverTargets refuses all that is no ARN of one's own.
func TestHandoverTargets(t *testing.T) {
	for name, param := range map[string]string{"InvokeLambda": "function", "StartExecution": "stateMachine"} {
		f := &fakeHands{}
		call := machineCall()
		call.Params = map[string]any{param: "x"}
		refusesHostile(t, f.catalogue(), name, call, []string{param}, func() int { return len(f.calls) })
		for what, value := range map[string]string{
			"a name": "responder-action-fix", "another service's": "arn:aws:s3:::bucket", "a wildcard": functionOf + "*", "a host": "arn:aws:lambda:evil.example:111122223333:function:x",
			"no region": "arn:aws:states:region:111122223333:stateMachine:x", "a qualifier": machineOf + ":1", "two": functionOf + "," + functionOf, "a secret": "secret:arn", "nothing set": "env:NONE", "nonsense set": "env:ODD",
			"an account of letters": "arn:aws:lambda:eu-west-3:11112222333x:function:x",
		} {
			call.Params[param] = value
			if _, err := f.catalogue()[name].Do(t.Context(), call); !isPermanent(err) || len(f.regions) > 0 {
				t.Errorf("%s, %s: got %v", name, what, err)
			}
		}
		spec := f.catalogue()[name].Spec()
		for _, p := range spec.Params {
			if !p.Static {
				t.Errorf("%s: an event could say %s", name, p.Name)
			}
		}
		call.Params[param] = strings.Replace(map[string]string{"function": functionOf, "stateMachine": machineOf}[param], account, "999988887777", 1)
		if _, err := f.catalogue()[name].Do(t.Context(), call); !isPermanent(err) || !strings.Contains(err.Error(), "999988887777") || len(f.regions) > 0 {
			t.Errorf("%s of another account: got %v", name, err)
		}
	}
}
