package stack_test

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/stack"
)

const account = "111122223333"

// cloud answers as CloudFormation and STS do, by a script; it speaks their
// query protocol, so that what the SDK makes of their errors is real.
type cloud struct {
	status, reason string
	outputs        map[string]string
	fail           map[string]failure // by the operation
	asked          []string           // operations, in order
	session        string             // of the role that was assumed
}

type failure struct {
	status        int
	code, message string
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	operation := r.Form.Get("Action")
	c.asked = append(c.asked, operation)
	w.Header().Set("Content-Type", "text/xml")
	if f, ok := c.fail[operation]; ok {
		w.WriteHeader(f.status)
		fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>r</RequestId></ErrorResponse>`, f.code, f.message)
		return
	}
	switch operation {
	case "DescribeStacks":
		type output struct{ OutputKey, OutputValue string }
		var outputs []output
		for k, v := range c.outputs {
			outputs = append(outputs, output{k, v})
		}
		members, err := xml.Marshal(struct {
			XMLName xml.Name `xml:"Outputs"`
			Member  []output `xml:"member"`
		}{Member: outputs})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, `<DescribeStacksResponse><DescribeStacksResult><Stacks><member>
			<StackName>%[1]s</StackName><StackId>arn:aws:cloudformation:eu-west-1:%[2]s:stack/%[1]s/x</StackId>
			<CreationTime>2026-11-23T00:00:00Z</CreationTime><StackStatus>%[3]s</StackStatus><StackStatusReason>%[4]s</StackStatusReason>
			<Parameters><member><ParameterKey>Architecture</ParameterKey><ParameterValue>arm64</ParameterValue></member></Parameters>%[5]s
			</member></Stacks></DescribeStacksResult></DescribeStacksResponse>`, r.Form.Get("StackName"), account, c.status, c.reason, members)
	case "GetCallerIdentity":
		fmt.Fprintf(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::%[1]s:user/ann</Arn><UserId>AIDA</UserId><Account>%[1]s</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`, account)
	case "AssumeRole":
		c.session = r.Form.Get("RoleSessionName")
		fmt.Fprint(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAOPERATOR</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`)
	default:
		http.Error(w, "not in the script", http.StatusNotImplemented)
	}
}

func (c *cloud) config(t *testing.T) aws.Config {
	t.Helper()
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	return aws.Config{
		Region: "eu-west-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIACALLER", "s", ""),
	}
}

// outputs are those of a deployed stack.
func outputs() map[string]string {
	return map[string]string{
		"ApiUrl": "https://api.example/prod/events", "ApiKeySecret": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:responder-api-key",
		"EventsQueueUrl": "https://sqs/events", "EventsDeadUrl": "https://sqs/events-dead", "FindingsQueueUrl": "https://sqs/findings", "FindingsDeadUrl": "https://sqs/findings-dead",
		"RunsTable": "runs", "CountersTable": "counters", "DispatchRoleArn": "arn:aws:iam::111122223333:role/dispatch",
	}
}

func TestOpen(t *testing.T) {
	c := &cloud{status: "CREATE_COMPLETE", outputs: outputs()}
	c.outputs["EventBusArn"] = "arn:bus"
	s, err := stack.Open(t.Context(), c.config(t), "responder")
	if err != nil {
		t.Fatal(err)
	}
	if s.Account != account || s.Region != "eu-west-1" || s.RunsTable != "runs" || s.FindingsDeadURL != "https://sqs/findings-dead" || s.EventBusARN != "arn:bus" || s.Parameters["Architecture"] != "arm64" {
		t.Errorf("opened %+v", s)
	}
	if note := s.Note(); note != "" {
		t.Errorf("a stack as it should be: %q", note)
	}
}

func TestOpenRefuses(t *testing.T) {
	without := outputs()
	delete(without, "RunsTable")
	delete(without, "ApiUrl")
	for name, test := range map[string]struct {
		cloud cloud
		want  []string
	}{
		"no such stack": {
			cloud{fail: map[string]failure{"DescribeStacks": {400, "ValidationError", "Stack with id responder does not exist"}}},
			[]string{"there is no stack responder in eu-west-1 of account 111122223333", "--region and --profile"}},
		"no such stack, nor a name for the account": {
			cloud{fail: map[string]failure{"DescribeStacks": {400, "ValidationError", "Stack with id responder does not exist"}, "GetCallerIdentity": {403, "AccessDenied", "no"}}},
			[]string{"there is no stack responder in eu-west-1 ("}},
		"deleted":            {cloud{status: "DELETE_COMPLETE"}, []string{"there is no stack responder"}},
		"creation failed":    {cloud{status: "ROLLBACK_COMPLETE", reason: "The following resource(s) failed to create: [ApiKey]."}, []string{"is in ROLLBACK_COMPLETE (The following resource(s) failed to create: [ApiKey]): its creation failed", "`aws cloudformation delete-stack --stack-name responder --region eu-west-1`", "make remove"}},
		"rollback failed":    {cloud{status: "ROLLBACK_FAILED"}, []string{"is in ROLLBACK_FAILED: its creation failed", "delete-stack"}},
		"creation kept":      {cloud{status: "CREATE_FAILED"}, []string{"delete-stack"}},
		"never carried out":  {cloud{status: "REVIEW_IN_PROGRESS"}, []string{"change set"}},
		"being created":      {cloud{status: "CREATE_IN_PROGRESS"}, []string{"wait stack-create-complete"}},
		"being rolled back":  {cloud{status: "ROLLBACK_IN_PROGRESS"}, []string{"is being undone"}},
		"being deleted":      {cloud{status: "DELETE_IN_PROGRESS"}, []string{"wait stack-delete-complete"}},
		"deletion failed":    {cloud{status: "DELETE_FAILED", reason: "x"}, []string{"its deletion failed"}},
		"another's stack":    {cloud{status: "CREATE_COMPLETE", outputs: map[string]string{"VpcId": "vpc-1"}}, []string{"lacks the outputs ApiKeySecret, ApiUrl, CountersTable"}},
		"an older Responder": {cloud{status: "UPDATE_COMPLETE", outputs: without}, []string{"lacks the outputs ApiUrl, RunsTable", "deploy this version"}},
		"expired": {
			cloud{fail: map[string]failure{"DescribeStacks": {403, "ExpiredToken", "The security token included in the request is expired"}}},
			[]string{"look for stack responder in eu-west-1: the AWS credentials have expired: sign in again (`aws sso login`"}},
		"credentials of nobody": {
			cloud{fail: map[string]failure{"DescribeStacks": {403, "InvalidClientTokenId", "The security token included in the request is invalid"}}},
			[]string{"AWS does not know the credentials: InvalidClientTokenId", "aws sts get-caller-identity"}},
		"not allowed": {
			cloud{fail: map[string]failure{"DescribeStacks": {403, "AccessDenied", "User: arn:aws:iam::111122223333:user/ann is not authorized"}}},
			[]string{"may not look at stack responder: AccessDenied: User: arn", "ask for cloudformation:DescribeStacks on arn:aws:cloudformation:eu-west-1:*:stack/responder/*"}},
		"another refusal": {
			cloud{fail: map[string]failure{"DescribeStacks": {400, "ValidationError", "1 validation error detected"}}},
			[]string{"look for stack responder in eu-west-1: ValidationError: 1 validation error"}},
	} {
		s, err := stack.Open(t.Context(), test.cloud.config(t), "responder")
		if err == nil {
			t.Errorf("%s: opened %+v", name, s)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is not in %q", name, want, err)
			}
		}
		if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "RequestID") {
			t.Errorf("%s: the SDK's own words are in %q", name, err)
		}
		var state *stack.StateError
		if asked := test.cloud.status; errors.As(err, &state) && state.Status != asked {
			t.Errorf("%s: the state is said to be %q", name, state.Status)
		}
		if missing := strings.Contains(err.Error(), "there is no stack"); errors.Is(err, responder.ErrNotFound) != missing {
			t.Errorf("%s: ErrNotFound is not told", name)
		}
	}
}

func TestNote(t *testing.T) {
	for status, want := range map[string]string{
		"UPDATE_COMPLETE":             "",
		"UPDATE_IN_PROGRESS":          "is being changed (UPDATE_IN_PROGRESS)",
		"UPDATE_ROLLBACK_COMPLETE":    "failed and was undone",
		"UPDATE_ROLLBACK_FAILED":      "continue-update-rollback --stack-name responder --region eu-west-1",
		"UPDATE_ROLLBACK_IN_PROGRESS": "is being changed",
		"UPDATE_FAILED":               "is in UPDATE_FAILED",
	} {
		s, err := stack.Open(t.Context(), (&cloud{status: status, outputs: outputs()}).config(t), "responder")
		if err != nil {
			t.Errorf("%s: its queues and tables are there, and cannot be operated: %v", status, err)
			continue
		}
		if note := s.Note(); (note == "") != (want == "") || !strings.Contains(note, want) {
			t.Errorf("%s: the note is %q, want %q", status, note, want)
		}
	}
}

func TestOperator(t *testing.T) {
	const role = "arn:aws:iam::111122223333:role/responder-operator-eu-west-1"
	c := &cloud{status: "CREATE_COMPLETE", outputs: outputs()}
	cfg := c.config(t)
	key := func(cfg aws.Config) string {
		t.Helper()
		found, err := cfg.Credentials.Retrieve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return found.AccessKeyID
	}
	open := func() *stack.Stack {
		t.Helper()
		s, err := stack.Open(t.Context(), cfg, "responder")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if own, err := open().Operator(t.Context(), "ann"); err != nil || key(own) != "AKIACALLER" {
		t.Errorf("without the role: %v, %s", err, key(own))
	}
	c.outputs["OperatorRoleArn"] = role
	s := open()
	for user, want := range map[string]string{
		"ann": "responder-ann", "": "responder", "Ann O'Hara\n<x>": "responder-Ann-O-Hara-x-", strings.Repeat("x", 99): "responder-" + strings.Repeat("x", 54), "名前": "responder--",
	} {
		operator, err := s.Operator(t.Context(), user)
		if err != nil || key(operator) != "ASIAOPERATOR" || c.session != want {
			t.Errorf("user %q: %v, session %q, want %q", user, err, c.session, want)
		}
	}
	if key(s.Config()) != "AKIACALLER" || key(cfg) != "AKIACALLER" {
		t.Error("the caller's own configuration was changed")
	}
	for code, want := range map[string]string{
		"AccessDenied": "may not operate stack responder: AccessDenied: no: ask for sts:AssumeRole on " + role,
		"ExpiredToken": "assume the operator role of stack responder: the AWS credentials have expired",
	} {
		c.fail = map[string]failure{"AssumeRole": {403, code, "no"}}
		if _, err := s.Operator(t.Context(), "ann"); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %q", code, err, want)
		}
	}
}

// failing gives no credentials.
type failing struct{ err error }

func (f failing) Retrieve(context.Context) (aws.Credentials, error) { return aws.Credentials{}, f.err }

func TestCheck(t *testing.T) {
	for name, test := range map[string]struct {
		cfg  aws.Config
		want string
	}{
		"no region":      {aws.Config{Credentials: failing{}}, "no AWS region: give --region"},
		"none at all":    {aws.Config{Region: "eu-west-1"}, "no AWS credentials: sign in"},
		"nobody gives":   {aws.Config{Region: "eu-west-1", Credentials: failing{errors.New("no EC2 IMDS role found")}}, "AWS_SECRET_ACCESS_KEY (no EC2 IMDS role found)"},
		"SSO is over":    {aws.Config{Region: "eu-west-1", Credentials: aws.NewCredentialsCache(failing{&ssocreds.InvalidTokenError{}})}, "have expired: sign in again"},
		"all that needs": {aws.Config{Region: "eu-west-1", Credentials: failing{}}, ""},
	} {
		switch err := stack.Check(t.Context(), test.cfg); {
		case test.want == "" && err != nil, test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	for _, name := range []string{"", "1x", "a b", "a/b", "arn:aws:x", strings.Repeat("x", 129)} {
		if _, err := stack.Open(t.Context(), aws.Config{}, name); err == nil || !strings.Contains(err.Error(), "cannot be the name of a stack") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestNoAnswer(t *testing.T) {
	c := &cloud{}
	cfg := c.config(t)
	gone := httptest.NewServer(c)
	gone.Close()
	cfg.BaseEndpoint = &gone.URL
	_, err := stack.Open(t.Context(), cfg, "responder")
	if err == nil || !strings.Contains(err.Error(), "no answer from "+strings.TrimPrefix(gone.URL, "http://")) || !strings.Contains(err.Error(), "is the region right?") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	if _, err := stack.Open(ctx, cfg, "responder"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("interrupted: %v", err)
	}
	if stack.Explain(nil) != nil {
		t.Error("no error is explained as one")
	}
}
