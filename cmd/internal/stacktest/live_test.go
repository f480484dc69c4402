package stacktest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/ingest"
)

// TestRepairs: in a stack whose flows repair, with the permissions that `responder
// policy --write` gave its role at home and no others, a user and an instance are
// really gone.
func TestRepairs(t *testing.T) {
	t.Parallel()
	d := find(t, liveVariable)
	d.repairs(t, d.Account, d.Name+"-home-"+d.Region)
}

// TestMemberRepairs: the same, where Dispatch may do nothing but take the member
// role: in its own account and in another, and nowhere else.
func TestMemberRepairs(t *testing.T) {
	t.Parallel()
	d := find(t, memberVariable)
	for _, account := range []string{d.Account, memberAccount} {
		t.Run(account, func(t *testing.T) {
			t.Parallel()
			d.repairs(t, account, "responder-member")
		})
	}
	for account, says := range map[string]string{
		strangeAccount: "is not among the member accounts",
		closedAccount:  "may not be taken: there is no such role", // it is on the list, and has no role
	} {
		t.Run(account, func(t *testing.T) {
			t.Parallel()
			users := iam.NewFromConfig(d.rootOf(account))
			name := aws.String("mallory")
			made, err := users.CreateUser(t.Context(), &iam.CreateUserInput{UserName: name})
			if err != nil {
				t.Fatal(err)
			}
			run := d.end(t, "NonCompliantUserCreated", d.userCreated(t, account, made.User))
			if run.State != responder.RunFailed || !strings.Contains(run.Cause, says) {
				t.Errorf("the run is %s: %s", run.State, run.Cause)
			}
			if _, err := users.GetUser(t.Context(), &iam.GetUserInput{UserName: name}); err != nil {
				t.Errorf("the user: %v", err)
			}
		})
	}
}

// repairs has each repair act in an account, through a role there.
func (d *deployed) repairs(t *testing.T, account, role string) {
	for name, test := range map[string]func(t *testing.T, d *deployed, account, role string){"user": testUserDeleted, "instance": testInstanceTerminated} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, d, account, role)
		})
	}
}

func testUserDeleted(t *testing.T, d *deployed, account, role string) {
	users := iam.NewFromConfig(d.rootOf(account))
	name := aws.String("mallory-" + d.Name) // stacks share accounts here
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
			group := aws.String("friends-" + d.Name)
			if _, err := users.CreateGroup(t.Context(), &iam.CreateGroupInput{GroupName: group}); err != nil {
				return err
			}
			_, err := users.AddUserToGroup(t.Context(), &iam.AddUserToGroupInput{GroupName: group, UserName: name})
			return err
		},
	} {
		if err := give(); err != nil {
			t.Fatalf("give the user %s: %v", what, err)
		}
	}
	element := d.userCreated(t, account, made.User)
	run := d.repaired(t, "NonCompliantUserCreated", element)
	if out, err := users.GetUser(t.Context(), &iam.GetUserInput{UserName: name}); err == nil {
		t.Errorf("the user is still there: %v", out.User)
	}
	// What the session of that run does is known for its doing.
	element = with(t, alike(t, element, 8), "detail.userIdentity.sessionContext.sessionIssuer.arn", "arn:aws:iam::"+account+":role/"+role)
	element = with(t, element, "detail.userIdentity.principalId", "AROAEXAMPLE:"+run.ID)
	if led := d.end(t, "NonCompliantUserCreated", element); led.CausedBy == nil || led.CausedBy.Run != run.ID {
		t.Errorf("what the session of %s did is caused by %+v", role, led.CausedBy)
	}
}

// userCreated is the event of a user's creation.
func (d *deployed) userCreated(t *testing.T, account string, user *iamtypes.User) json.RawMessage {
	t.Helper()
	element := d.now(t, account, alike(t, sample(t, "user-noncompliant.json"), 6))
	element = with(t, element, "detail.requestParameters.userName", aws.ToString(user.UserName))
	return with(t, element, "detail.responseElements.user.userId", aws.ToString(user.UserId))
}

func testInstanceTerminated(t *testing.T, d *deployed, account, _ string) {
	instances := ec2.NewFromConfig(d.rootOf(account))
	run, err := instances.RunInstances(t.Context(), &ec2.RunInstancesInput{
		ImageId: aws.String("ami-0123456789abcdef0"), InstanceType: types.InstanceTypeT2Micro, MinCount: aws.Int32(1), MaxCount: aws.Int32(1),
	})
	if err != nil {
		t.Fatal(err)
	}
	id := run.Instances[0].InstanceId
	element := d.now(t, account, alike(t, sample(t, "instance-denied.json"), 7))
	var body map[string]any
	if err := json.Unmarshal(element, &body); err != nil {
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

// rootOf may do everything in an account.
func (d *deployed) rootOf(account string) aws.Config {
	cfg := d.root
	if account != d.Account {
		cfg.Credentials = credentials.NewStaticCredentialsProvider(account, "test", "") // as the emulator names accounts
	}
	return cfg
}

// now is an event of this moment, of an account and of the stack's region: what
// is older than a day is not repaired.
func (d *deployed) now(t *testing.T, account string, element json.RawMessage) json.RawMessage {
	t.Helper()
	now := time.Now().UTC().Format(time.RFC3339)
	for path, text := range map[string]string{
		"time": now, "detail.eventTime": now, "region": d.Region, "detail.awsRegion": d.Region, "account": account, "detail.recipientAccountId": account,
	} {
		element = with(t, element, path, text)
	}
	return element
}

// repaired sends an event, and gives its run when that has succeeded with the
// repair done.
func (d *deployed) repaired(t *testing.T, flow string, element json.RawMessage) *responder.Run {
	t.Helper()
	run := d.end(t, flow, element)
	if run.State != responder.RunSucceeded {
		t.Fatalf("the run is %s: %s", run.State, run.Cause)
	}
	for path, step := range run.Steps {
		if step.Dry || step.State != responder.StepSucceeded {
			t.Errorf("step %s (%s) is %s, dry: %v, %s", path, step.Action, step.State, step.Dry, step.Error)
		}
	}
	return run
}

// end sends an event, and gives its run when that has ended.
func (d *deployed) end(t *testing.T, flow string, element json.RawMessage) (run *responder.Run) {
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
		if run, err = d.runs.Get(ctx, id); err != nil {
			return err.Error()
		}
		if !run.State.Ended() {
			return fmt.Sprintf("the run is %s", run.State)
		}
		return ""
	})
	return run
}
