package stack_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/emulator"
	"github.com/skycrafters/responder/internal/stack"
)

// TestEmulated finds a stack where CloudFormation is not played by this test.
func TestEmulated(t *testing.T) {
	cfg := emulator.AWS(t)
	cloud := cloudformation.NewFromConfig(cfg)
	name := fmt.Sprintf("stack-test-%d", time.Now().UnixNano())
	if _, err := stack.Open(t.Context(), cfg, name); !errors.Is(err, responder.ErrNotFound) || !strings.Contains(err.Error(), "us-east-1 of account ") {
		t.Fatalf("before it is there: %v", err)
	}
	template := strings.Builder{}
	template.WriteString("Resources:\n  Queue: {Type: AWS::SQS::Queue}\n  Role:\n    Type: AWS::IAM::Role\n    Properties: {AssumeRolePolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: {AWS: !Ref AWS::AccountId}, Action: sts:AssumeRole}]}}\nOutputs:\n  OperatorRoleArn: {Value: !GetAtt Role.Arn}\n")
	for key := range outputs() {
		template.WriteString("  " + key + ": {Value: !Ref Queue}\n")
	}
	if _, err := cloud.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: &name, TemplateBody: aws.String(template.String())}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		if _, err := cloud.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: &name}); err != nil {
			t.Error(err)
		}
	})
	if err := cloudformation.NewStackCreateCompleteWaiter(cloud, func(o *cloudformation.StackCreateCompleteWaiterOptions) {
		o.MinDelay, o.MaxDelay = 50*time.Millisecond, 200*time.Millisecond
	}).Wait(t.Context(), &cloudformation.DescribeStacksInput{StackName: &name}, 20*time.Second); err != nil {
		t.Fatal(err)
	}
	s, err := stack.Open(t.Context(), cfg, name)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(s.EventsQueueURL, "http") || s.Account == "" || s.Status != "CREATE_COMPLETE" || s.OperatorRoleARN == "" {
		t.Errorf("opened %+v", s)
	}
	operator, err := s.Operator(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	who, err := sts.NewFromConfig(operator).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || !strings.HasSuffix(aws.ToString(who.Arn), "/responder-ann") {
		t.Errorf("the operator is %v, %v", aws.ToString(who.Arn), err)
	}
}
