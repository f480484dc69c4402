// Package stack finds a deployed Responder by the name of its CloudFormation
// stack: what it consists of, what state it is in, and the role through which
// people operate it.
//
// It imports the root and the AWS SDK. Its errors are read by people at a
// terminal: each says what is wrong and what to type.
package stack

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/skycrafters/responder"
)

// Stack is a deployed Responder. Immutable.
type Stack struct {
	Name    string
	ID      string // its ARN
	Account string
	Region  string
	// Status is CloudFormation's word for its state, one in which there is
	// something to operate; Note says what people should know of it.
	Status     string
	Parameters map[string]string // as deployed; NoEcho ones read as ****
	Outputs

	config aws.Config
}

// Outputs are what template.yaml tells of a deployed stack.
type Outputs struct {
	APIURL           string // where events are posted
	APIKeySecret     string // ARN of the secret with the API keys
	EventsQueueURL   string
	EventsDeadURL    string
	FindingsQueueURL string
	FindingsDeadURL  string
	RunsTable        string
	CountersTable    string
	DispatchRoleARN  string

	// What a stack may lack: "" then.
	OperatorRoleARN string // through which people operate it
	EventBusARN     string // the central bus of an organization
	DashboardURL    string
	ApproveURL      string // where people decide what runs ask
}

// required are the outputs that every deployed Responder has.
func (o *Outputs) required() map[string]*string {
	return map[string]*string{
		"ApiUrl": &o.APIURL, "ApiKeySecret": &o.APIKeySecret,
		"EventsQueueUrl": &o.EventsQueueURL, "EventsDeadUrl": &o.EventsDeadURL,
		"FindingsQueueUrl": &o.FindingsQueueURL, "FindingsDeadUrl": &o.FindingsDeadURL,
		"RunsTable": &o.RunsTable, "CountersTable": &o.CountersTable, "DispatchRoleArn": &o.DispatchRoleARN,
	}
}

func (o *Outputs) optional() map[string]*string {
	return map[string]*string{"OperatorRoleArn": &o.OperatorRoleARN, "EventBusArn": &o.EventBusARN, "DashboardUrl": &o.DashboardURL, "ApproveUrl": &o.ApproveURL}
}

// stackName is what CloudFormation takes for a name.
var stackName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,127}$`)

// CheckName refuses what cannot be the name of a stack.
func CheckName(name string) error {
	if !stackName.MatchString(name) {
		return fmt.Errorf("%q cannot be the name of a stack: letters, digits and hyphens, a letter first", name)
	}
	return nil
}

// Open finds the stack of a name in the account and region of cfg: one request,
// and one more to name the account where there is no such stack
// (responder.ErrNotFound). *StateError: it is there and cannot be operated.
func Open(ctx context.Context, cfg aws.Config, name string) (*Stack, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	if err := Check(ctx, cfg); err != nil {
		return nil, err
	}
	out, err := cloudformation.NewFromConfig(cfg).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	switch {
	case absent(err):
		return nil, notFound(ctx, cfg, name)
	case denied(err):
		return nil, fmt.Errorf("may not look at stack %s: %w: ask for cloudformation:DescribeStacks on arn:%s:cloudformation:%s:*:stack/%s/*", name, Explain(err), partition(cfg.Region), cfg.Region, name)
	case err != nil:
		return nil, fmt.Errorf("look for stack %s in %s: %w", name, cfg.Region, Explain(err))
	case len(out.Stacks) == 0 || out.Stacks[0].StackStatus == types.StackStatusDeleteComplete:
		return nil, notFound(ctx, cfg, name)
	}
	return read(cfg, name, out.Stacks[0])
}

// absent recognises CloudFormation's answer for a stack that is not there; it
// has no code of its own.
func absent(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "ValidationError" && strings.Contains(api.ErrorMessage(), "does not exist")
}

func notFound(ctx context.Context, cfg aws.Config, name string) error {
	where := cfg.Region
	if who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}); err == nil { // else the region has to do
		where += " of account " + aws.ToString(who.Account)
	}
	return &explained{fmt.Sprintf("there is no stack %s in %s (--stack, --region and --profile choose another)", name, where), responder.ErrNotFound}
}

func read(cfg aws.Config, name string, found types.Stack) (*Stack, error) {
	s := &Stack{
		Name: name, ID: aws.ToString(found.StackId), Region: cfg.Region, Status: string(found.StackStatus),
		Parameters: map[string]string{}, config: cfg,
	}
	if parts := strings.SplitN(s.ID, ":", 6); len(parts) == 6 {
		s.Account = parts[4]
	}
	if err := judge(s, aws.ToString(found.StackStatusReason)); err != nil {
		return nil, err
	}
	for _, p := range found.Parameters {
		s.Parameters[aws.ToString(p.ParameterKey)] = aws.ToString(p.ParameterValue)
	}
	told := map[string]string{}
	for _, o := range found.Outputs {
		told[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	var lacking []string
	for key, field := range s.Outputs.required() {
		if *field = told[key]; *field == "" {
			lacking = append(lacking, key)
		}
	}
	for key, field := range s.Outputs.optional() {
		*field = told[key]
	}
	if len(lacking) > 0 {
		return nil, &foreignError{name: name, lacking: lacking}
	}
	return s, nil
}
