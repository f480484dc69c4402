package forwarders_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"

	"github.com/skycrafters/responder/internal/forwarders"
)

const (
	stackName = "responder-forwarder"
	account   = "111122223333"
)

// cloud is CloudFormation in many regions, with a clock that sleeping moves.
type cloud struct {
	mu      sync.Mutex
	now     time.Time
	regions map[string]*region
	onSleep func()
}

func newCloud(names ...string) *cloud {
	c := &cloud{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), regions: map[string]*region{}}
	for _, name := range names {
		c.regions[name] = &region{cloud: c, name: name, fail: map[string][]error{}, ends: map[string][]string{}}
	}
	return c
}

func (c *cloud) names() []string { return slices.Sorted(maps.Keys(c.regions)) }

func (c *cloud) fleet() *forwarders.Fleet {
	return &forwarders.Fleet{
		Open:  func(name string) forwarders.Client { return c.regions[name] },
		Stack: stackName,
		Now:   func() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now },
		Sleep: func(ctx context.Context, d time.Duration) error {
			c.mu.Lock()
			c.now = c.now.Add(d)
			if c.onSleep != nil {
				c.onSleep()
			}
			c.mu.Unlock()
			return ctx.Err()
		},
	}
}

// region is CloudFormation in one region, with at most one stack. What is asked
// of it takes two looks, and ends as it is told in ends: by operation, a list of
// states for one call after the other; without any, well.
type region struct {
	cloud *cloud
	name  string
	fail  map[string][]error // by operation, one call after the other; nil: none
	ends  map[string][]string

	stack      *types.Stack
	template   string
	parameters map[string]string // as they are, hidden ones too
	coming     []types.StackStatus
	events     []types.StackEvent // latest last
	calls      []string
	made       int
}

var _ forwarders.Client = (*region)(nil)

// has puts a stack there.
func (r *region) has(state types.StackStatus, parameters map[string]string, tags ...types.Tag) {
	r.made++
	r.parameters = maps.Clone(parameters)
	r.stack = &types.Stack{
		StackName: aws.String(stackName), StackStatus: state, Tags: tags, CreationTime: aws.Time(r.cloud.now),
		StackId: aws.String(fmt.Sprintf("arn:aws:cloudformation:%s:%s:stack/%s/%d", r.name, account, stackName, r.made)),
	}
	r.event("", types.ResourceStatusCreateInProgress, "User Initiated")
}

// event adds an event of a resource, or of the stack.
func (r *region) event(resource string, status types.ResourceStatus, reason string) {
	e := types.StackEvent{StackId: r.stack.StackId, ResourceStatus: status, ResourceStatusReason: &reason}
	if resource == "" {
		e.LogicalResourceId, e.ResourceType, e.PhysicalResourceId = aws.String(stackName), aws.String("AWS::CloudFormation::Stack"), r.stack.StackId
	} else {
		e.LogicalResourceId, e.ResourceType, e.PhysicalResourceId = aws.String(resource), aws.String("AWS::Events::"+resource), aws.String("")
	}
	r.events = append(r.events, e)
}

// asked notes a call, and gives the failure that is told for it.
func (r *region) asked(operation string) error {
	r.calls = append(r.calls, operation)
	errs := r.fail[operation]
	if len(errs) == 0 {
		return nil
	}
	r.fail[operation] = errs[1:]
	return errs[0]
}

// begin begins something that takes two looks.
func (r *region) begin(operation string, progress types.StackStatus, end types.StackStatus) {
	if ends := r.ends[operation]; len(ends) > 0 {
		end = types.StackStatus(ends[0])
		r.ends[operation] = ends[1:]
	}
	r.event("", types.ResourceStatus(progress), "User Initiated")
	r.stack.StackStatus = progress
	r.coming = []types.StackStatus{progress, end}
	if strings.Contains(string(end), "ROLLBACK") || strings.HasSuffix(string(end), "FAILED") {
		verb, _, _ := strings.Cut(string(progress), "_")
		failed := types.ResourceStatus(verb + "_FAILED")
		r.event("Connection", failed, "the quota is reached")
		r.event("Rule", failed, "Resource "+strings.ToLower(verb)+" cancelled")
		r.event("Canary", failed, "a later one")
	}
	if strings.Contains(string(end), "ROLLBACK") {
		r.event("", "ROLLBACK_IN_PROGRESS", "")
	}
}

func (r *region) DescribeStacks(ctx context.Context, in *cloudformation.DescribeStacksInput, _ ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error) {
	r.cloud.mu.Lock()
	defer r.cloud.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := r.asked("DescribeStacks"); err != nil {
		return nil, err
	}
	if r.stack == nil || *in.StackName == stackName && r.stack.StackStatus == types.StackStatusDeleteComplete {
		return nil, validation("Stack with id %s does not exist", *in.StackName)
	}
	if len(r.coming) > 0 {
		r.stack.StackStatus, r.coming = r.coming[0], r.coming[1:]
	}
	seen := *r.stack
	for _, name := range slices.Sorted(maps.Keys(r.parameters)) {
		value := r.parameters[name]
		if name == "ApiKey" {
			value = "****"
		}
		seen.Parameters = append(seen.Parameters, types.Parameter{ParameterKey: aws.String(name), ParameterValue: &value})
	}
	return &cloudformation.DescribeStacksOutput{Stacks: []types.Stack{seen}}, nil
}

// DescribeStackEvents gives two events a page.
func (r *region) DescribeStackEvents(_ context.Context, in *cloudformation.DescribeStackEventsInput, _ ...func(*cloudformation.Options)) (*cloudformation.DescribeStackEventsOutput, error) {
	r.cloud.mu.Lock()
	defer r.cloud.mu.Unlock()
	if err := r.asked("DescribeStackEvents"); err != nil {
		return nil, err
	}
	latest := slices.Clone(r.events)
	slices.Reverse(latest)
	from := 0
	if in.NextToken != nil {
		fmt.Sscan(*in.NextToken, &from)
	}
	to := min(from+2, len(latest))
	out := &cloudformation.DescribeStackEventsOutput{StackEvents: latest[from:to]}
	if to < len(latest) {
		out.NextToken = aws.String(fmt.Sprint(to))
	}
	return out, nil
}

func (r *region) CreateStack(ctx context.Context, in *cloudformation.CreateStackInput, _ ...func(*cloudformation.Options)) (*cloudformation.CreateStackOutput, error) {
	r.cloud.mu.Lock()
	defer r.cloud.mu.Unlock()
	if err := r.asked("CreateStack"); err != nil {
		return nil, err
	}
	if r.stack != nil && r.stack.StackStatus != types.StackStatusDeleteComplete {
		return nil, &types.AlreadyExistsException{Message: aws.String("Stack [" + stackName + "] already exists")}
	}
	r.has(types.StackStatusCreateInProgress, valuesOf(in.Parameters), in.Tags...)
	r.template = *in.TemplateBody
	r.begin("CreateStack", types.StackStatusCreateInProgress, types.StackStatusCreateComplete)
	return &cloudformation.CreateStackOutput{StackId: r.stack.StackId}, nil
}

func (r *region) UpdateStack(_ context.Context, in *cloudformation.UpdateStackInput, _ ...func(*cloudformation.Options)) (*cloudformation.UpdateStackOutput, error) {
	r.cloud.mu.Lock()
	defer r.cloud.mu.Unlock()
	if err := r.asked("UpdateStack"); err != nil {
		return nil, err
	}
	if strings.HasSuffix(string(r.stack.StackStatus), "IN_PROGRESS") {
		return nil, validation("Stack:%s is in %s state and can not be updated.", *r.stack.StackId, r.stack.StackStatus)
	}
	if values := valuesOf(in.Parameters); maps.Equal(values, r.parameters) && r.template == *in.TemplateBody && maps.Equal(tagsOf(in.Tags), tagsOf(r.stack.Tags)) {
		return nil, validation("No updates are to be performed.")
	}
	r.parameters, r.template, r.stack.Tags = valuesOf(in.Parameters), *in.TemplateBody, in.Tags
	r.stack.LastUpdatedTime = aws.Time(r.cloud.now)
	r.begin("UpdateStack", types.StackStatusUpdateInProgress, types.StackStatusUpdateComplete)
	return &cloudformation.UpdateStackOutput{StackId: r.stack.StackId}, nil
}

func (r *region) DeleteStack(context.Context, *cloudformation.DeleteStackInput, ...func(*cloudformation.Options)) (*cloudformation.DeleteStackOutput, error) {
	r.cloud.mu.Lock()
	defer r.cloud.mu.Unlock()
	if err := r.asked("DeleteStack"); err != nil {
		return nil, err
	}
	r.begin("DeleteStack", types.StackStatusDeleteInProgress, types.StackStatusDeleteComplete)
	return &cloudformation.DeleteStackOutput{}, nil
}

func (r *region) ContinueUpdateRollback(context.Context, *cloudformation.ContinueUpdateRollbackInput, ...func(*cloudformation.Options)) (*cloudformation.ContinueUpdateRollbackOutput, error) {
	r.cloud.mu.Lock()
	defer r.cloud.mu.Unlock()
	if err := r.asked("ContinueUpdateRollback"); err != nil {
		return nil, err
	}
	r.begin("ContinueUpdateRollback", types.StackStatusUpdateRollbackInProgress, types.StackStatusUpdateRollbackComplete)
	return &cloudformation.ContinueUpdateRollbackOutput{}, nil
}

// changes are the calls that change something.
func (r *region) changes() []string {
	return slices.DeleteFunc(slices.Clone(r.calls), func(call string) bool { return strings.HasPrefix(call, "Describe") })
}

func valuesOf(parameters []types.Parameter) map[string]string {
	values := map[string]string{}
	for _, p := range parameters {
		values[*p.ParameterKey] = *p.ParameterValue
	}
	return values
}

func tagsOf(tags []types.Tag) map[string]string {
	values := map[string]string{}
	for _, tag := range tags {
		values[*tag.Key] = *tag.Value
	}
	return values
}

func validation(format string, args ...any) error {
	return refusal("ValidationError", fmt.Sprintf(format, args...))
}

// refusal is an answer of AWS as the SDK wraps it.
func refusal(code, message string) error {
	return &smithy.OperationError{ServiceID: "CloudFormation", OperationName: "Some", Err: &smithy.GenericAPIError{Code: code, Message: message}}
}

// one gives the only result.
func one(t *testing.T, results []forwarders.Result, err error) forwarders.Result {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 1 {
		t.Fatalf("%d results, want 1", len(results))
	}
	return results[0]
}

var errBroken = errors.New("the connection broke")
