package actions_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/skycrafters/responder"
)

// motoSend sends the emulator a request that no client here makes.
func motoSend(t *testing.T, method, path, body string) {
	t.Helper()
	req := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), method, os.Getenv("RESPONDER_TEST_MOTO_ENDPOINT")+path, strings.NewReader(body)))
	resp := must[*http.Response](t)(http.DefaultClient.Do(req))
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %s", method, path, resp.Status)
	}
}

// motoRole makes a role that functions and state machines can take.
func motoRole(t *testing.T, cfg aws.Config, name string) *string {
	t.Helper()
	return must[*iam.CreateRoleOutput](t)(iam.NewFromConfig(cfg).CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":["lambda.amazonaws.com","states.amazonaws.com"]},"Action":"sts:AssumeRole"}]}`)})).Role.Arn
}

func TestMotoStartLogging(t *testing.T) {
	cfg, catalogue, account := moto(t)
	ctx := t.Context()
	const region = "eu-west-3"
	api := cloudtrail.NewFromConfig(cfg, func(o *cloudtrail.Options) { o.Region = region })
	name := "t" + time.Now().Format("150405.000000000")
	bucket := strings.ReplaceAll(name, ".", "-")
	motoSend(t, http.MethodPut, "/"+bucket, "")
	trail := must[*cloudtrail.CreateTrailOutput](t)(api.CreateTrail(ctx, &cloudtrail.CreateTrailInput{Name: &name, S3BucketName: &bucket, IsMultiRegionTrail: aws.Bool(true)}))
	logging := func() any {
		return aws.ToBool(must[*cloudtrail.GetTrailStatusOutput](t)(api.GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: &name})).IsLogging)
	}
	for _, said := range []string{name, *trail.TrailARN} {
		must[*cloudtrail.StartLoggingOutput](t)(api.StartLogging(ctx, &cloudtrail.StartLoggingInput{Name: &name}))
		must[*cloudtrail.StopLoggingOutput](t)(api.StopLogging(ctx, &cloudtrail.StopLoggingInput{Name: &name}))
		call := responder.Call{Params: map[string]any{"trail": said}, Account: account, Region: region}
		found, result := doAndUndo(t, catalogue, "CloudTrailStartLogging", call, logging)
		if found.Targets[0].ARN != *trail.TrailARN || found.Targets[0].Region != region || found.Found["bucket"] != bucket || found.Found["stopped"] == nil || result["trail"] != *trail.TrailARN {
			t.Errorf("%s: found %v, did %v", said, found, result)
		}
	}
	gone := responder.Call{Params: map[string]any{"trail": name + "-gone"}, Account: account, Region: region}
	if _, err := catalogue["CloudTrailStartLogging"].Do(ctx, gone); !isPermanent(err) || !strings.Contains(err.Error(), "there is no trail") {
		t.Errorf("a trail that is gone: %v", err)
	}
}

func TestMotoStartExecution(t *testing.T) {
	cfg, catalogue, account := moto(t)
	ctx := t.Context()
	const region = "eu-west-3"
	api := sfn.NewFromConfig(cfg, func(o *sfn.Options) { o.Region = region })
	name := "m" + time.Now().Format("150405000000000")
	machine := must[*sfn.CreateStateMachineOutput](t)(api.CreateStateMachine(ctx, &sfn.CreateStateMachineInput{
		Name: &name, RoleArn: motoRole(t, cfg, name), Definition: aws.String(`{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}`)}))
	inputs := func() any {
		var all []string
		for _, e := range must[*sfn.ListExecutionsOutput](t)(api.ListExecutions(ctx, &sfn.ListExecutionsInput{StateMachineArn: machine.StateMachineArn})).Executions {
			all = append(all, *must[*sfn.DescribeExecutionOutput](t)(api.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: e.ExecutionArn})).Input)
		}
		return all
	}
	call := repairCall(map[string]any{"stateMachine": *machine.StateMachineArn})
	call.Account = account
	found, result := doAndUndo(t, catalogue, "StartExecution", call, inputs)
	if found.Targets[0].ARN != *machine.StateMachineArn || found.Found["execution"] != result["execution"] {
		t.Errorf("found %v, did %v", found, result)
	}
	var given struct {
		Key     string
		Finding responder.Finding
	}
	if all := inputs().([]string); len(all) != 1 || json.Unmarshal([]byte(all[0]), &given) != nil || given.Key != "r/1" || given.Finding.Rule != "r" {
		t.Errorf("given %v", all)
	}
	call.Params["stateMachine"] = *machine.StateMachineArn + "-gone"
	if _, err := catalogue["StartExecution"].Do(ctx, call); !isPermanent(err) || !strings.Contains(err.Error(), "there is no state machine") {
		t.Errorf("a state machine that is gone: %v", err)
	}
}

// TestMotoInvokeLambda has a function that runs nowhere: the emulator answers for
// it, and keeps what it was asked with.
func TestMotoInvokeLambda(t *testing.T) {
	cfg, catalogue, account := moto(t)
	ctx := t.Context()
	const region = "eu-west-3"
	motoSend(t, http.MethodPost, "/moto-api/config", `{"lambda":{"use_docker":false}}`)
	motoSend(t, http.MethodPost, "/moto-api/static/lambda-simple/response", `{"results":["{\"fixed\":true}"],"account_id":"`+account+`","region":"`+region+`"}`)
	api := lambda.NewFromConfig(cfg, func(o *lambda.Options) { o.Region = region })
	name := "responder-action-" + time.Now().Format("150405000000000")
	var code bytes.Buffer
	archive := zip.NewWriter(&code)
	file, err := archive.Create("bootstrap")
	if err == nil {
		_, err = file.Write([]byte("#!/bin/sh"))
	}
	if err := errors.Join(err, archive.Close()); err != nil {
		t.Fatal(err)
	}
	function := must[*lambda.CreateFunctionOutput](t)(api.CreateFunction(ctx, &lambda.CreateFunctionInput{FunctionName: &name, Role: motoRole(t, cfg, name),
		Runtime: lambdatypes.RuntimeProvidedal2023, Handler: aws.String("bootstrap"), Code: &lambdatypes.FunctionCode{ZipFile: code.Bytes()}, Tags: map[string]string{"team": "red"}}))

	call := repairCall(map[string]any{"function": *function.FunctionArn})
	call.Account = account
	repair := catalogue["InvokeLambda"]
	found, err := survey(t, repair, call)
	if err != nil || len(found.Targets) != 1 || found.Targets[0].ARN != *function.FunctionArn || found.Targets[0].Tags["team"] != "red" {
		t.Errorf("found %v, %v", found, err)
	}
	result, err := repair.Do(ctx, call)
	if answer, _ := result["answer"].(map[string]any); err != nil || answer["fixed"] != true {
		t.Errorf("did %v, %v", result, err)
	}
	call.Params["async"] = true
	if result, err := repair.Do(ctx, call); err != nil {
		t.Errorf("left to Lambda: %v, %v", result, err)
	}
	call.Params = map[string]any{"function": *function.FunctionArn + "-gone"}
	if found, err := survey(t, repair, call); err != nil || len(found.Targets) > 0 {
		t.Errorf("a function that is gone: found %v, %v", found, err)
	}
}
