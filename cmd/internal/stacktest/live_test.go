package stacktest

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/ingest"
)

// TestRepairs: in a stack whose flows repair, with the permissions that `responder
// policy --write` gave it and no others, a user and an instance are really gone.
func TestRepairs(t *testing.T) {
	t.Parallel()
	d := find(t, liveVariable)
	for name, test := range map[string]func(*testing.T, *deployed){"user": testUserDeleted, "instance": testInstanceTerminated} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, d)
		})
	}
}

func testUserDeleted(t *testing.T, d *deployed) {
	users := iam.NewFromConfig(d.root)
	name := aws.String("mallory")
	made, err := users.CreateUser(t.Context(), &iam.CreateUserInput{UserName: name})
	if err != nil {
		t.Fatal(err)
	}
	for what, give := range map[string]func() error{
		"an access key": func() error {
			_, err := users.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: name})
			return err
		},
		"a password": func() error {
			_, err := users.CreateLoginProfile(t.Context(), &iam.CreateLoginProfileInput{UserName: name, Password: aws.String("a Password 1")})
			return err
		},
		"a policy": func() error {
			policy := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
			_, err := users.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: name, PolicyName: aws.String("all"), PolicyDocument: &policy})
			return err
		},
		"a group": func() error {
			if _, err := users.CreateGroup(t.Context(), &iam.CreateGroupInput{GroupName: aws.String("friends")}); err != nil {
				return err
			}
			_, err := users.AddUserToGroup(t.Context(), &iam.AddUserToGroupInput{GroupName: aws.String("friends"), UserName: name})
			return err
		},
	} {
		if err := give(); err != nil {
			t.Fatalf("give the user %s: %v", what, err)
		}
	}
	d.repaired(t, "NonCompliantUserCreated", d.now(t, with(t, with(t, alike(t, sample(t, "user-noncompliant.json"), 6),
		"detail.requestParameters.userName", *name), "detail.responseElements.user.userId", aws.ToString(made.User.UserId))))
	if out, err := users.GetUser(t.Context(), &iam.GetUserInput{UserName: name}); err == nil {
		t.Errorf("the user is still there: %v", out.User)
	}
}

func testInstanceTerminated(t *testing.T, d *deployed) {
	instances := ec2.NewFromConfig(d.root)
	run, err := instances.RunInstances(t.Context(), &ec2.RunInstancesInput{
		ImageId: aws.String("ami-0123456789abcdef0"), InstanceType: types.InstanceTypeT2Micro, MinCount: aws.Int32(1), MaxCount: aws.Int32(1),
	})
	if err != nil {
		t.Fatal(err)
	}
	id := run.Instances[0].InstanceId
	element := with(t, d.now(t, alike(t, sample(t, "instance-denied.json"), 7)), "detail.recipientAccountId", d.Account)
	var body map[string]any
	if err := json.Unmarshal(with(t, element, "account", d.Account), &body); err != nil {
		t.Fatal(err)
	}
	body["detail"].(map[string]any)["responseElements"] = map[string]any{"instancesSet": map[string]any{"items": []any{map[string]any{"instanceId": *id, "instanceType": "t2.micro"}}}}
	element, err = json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	d.repaired(t, "UnauthorizedInstanceCreated", element)
	out, err := instances.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{InstanceIds: []string{*id}})
	if err != nil {
		t.Fatal(err)
	}
	if state := out.Reservations[0].Instances[0].State.Name; state != types.InstanceStateNameTerminated && state != types.InstanceStateNameShuttingDown {
		t.Errorf("the instance is %s", state)
	}
}

// now is an event of this moment and of the stack's region: what is older than a
// day is not repaired.
func (d *deployed) now(t *testing.T, element json.RawMessage) json.RawMessage {
	t.Helper()
	now := time.Now().UTC().Format(time.RFC3339)
	for path, text := range map[string]string{"time": now, "detail.eventTime": now, "region": d.Region, "detail.awsRegion": d.Region} {
		element = with(t, element, path, text)
	}
	return element
}

// repaired sends an event, and waits for its run to succeed with the repair done.
func (d *deployed) repaired(t *testing.T, flow string, element json.RawMessage) {
	t.Helper()
	event, err := ingest.Normalise(element)
	if err != nil {
		t.Fatal(err)
	}
	findings, _ := d.definitions.Rules.Evaluate(event)
	if len(findings) != 1 || findings[0].Rule != flow {
		t.Fatalf("the event gives %v", findings)
	}
	if status, answer := d.post(t, d.key, element); status != 202 {
		t.Fatalf("the event is answered %d %s", status, answer)
	}
	id := findings[0].RunID(flow)
	await(t, 2*time.Minute, func(ctx context.Context) string {
		run, err := d.runs.Get(ctx, id)
		if err != nil {
			return err.Error()
		}
		if run.State.Ended() && run.State != responder.RunSucceeded {
			t.Fatalf("the run is %s: %s", run.State, run.Cause)
		}
		if !run.State.Ended() {
			return fmt.Sprintf("the run is %s", run.State)
		}
		for path, step := range run.Steps {
			if step.Dry || step.State != responder.StepSucceeded {
				t.Errorf("step %s (%s) is %s, dry: %v, %s", path, step.Action, step.State, step.Dry, step.Error)
			}
		}
		return ""
	})
}
