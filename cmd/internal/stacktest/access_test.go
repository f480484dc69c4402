package stacktest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	awssecrets "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/skycrafters/responder/internal/dynamodb"
)

// testComplete: every resource of the stack was made, and every output told.
func testComplete(t *testing.T, d *deployed) {
	out, err := cloudformation.NewFromConfig(d.root).DescribeStackResources(t.Context(), &cloudformation.DescribeStackResourcesInput{StackName: &d.Name})
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, r := range out.StackResources {
		if status := string(r.ResourceStatus); status != "CREATE_COMPLETE" && status != "UPDATE_COMPLETE" || aws.ToString(r.PhysicalResourceId) == "" {
			t.Errorf("%s (%s) is %s, %q", aws.ToString(r.LogicalResourceId), aws.ToString(r.ResourceType), status, aws.ToString(r.PhysicalResourceId))
		}
		kinds[aws.ToString(r.ResourceType)]++
	}
	for kind, least := range map[string]int{
		"AWS::Lambda::Function": 3, "AWS::IAM::Role": 4, "AWS::SQS::Queue": 4, "AWS::SQS::QueuePolicy": 1, "AWS::DynamoDB::Table": 2,
		"AWS::ApiGateway::RestApi": 1, "AWS::SecretsManager::Secret": 1, "AWS::Events::Rule": 2, "AWS::Events::EventBus": 1,
		"AWS::Lambda::EventSourceMapping": 2, "AWS::Logs::LogGroup": 3, "AWS::CloudWatch::Alarm": 5, "AWS::CloudWatch::Dashboard": 1,
	} {
		if kinds[kind] < least {
			t.Errorf("%d of %s, want at least %d", kinds[kind], kind, least)
		}
	}
	for name, value := range map[string]string{"OperatorRoleArn": d.OperatorRoleARN, "EventBusArn": d.EventBusARN, "DashboardUrl": d.DashboardURL} {
		if value == "" {
			t.Errorf("the output %s is missing", name)
		}
	}
	shown(t, "%d resources", len(out.StackResources))
}

// testStrangers: somebody whom IAM allows everything in the account is refused by
// the policies of queues and tables; and whoever may operate may do no more.
func testStrangers(t *testing.T, d *deployed) {
	stranger := d.role(t, "stranger", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)
	queues, tables := awssqs.NewFromConfig(stranger), awsdynamodb.NewFromConfig(stranger)
	refused := func(what string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "AccessDenied") {
			t.Errorf("%s gives %v, want a refusal", what, err)
		}
	}
	for _, url := range []string{d.EventsQueueURL, d.EventsDeadURL, d.FindingsQueueURL, d.FindingsDeadURL} {
		_, err := queues.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String(`{"forged":true}`)})
		refused("a stranger sending to "+url, err)
		_, err = queues.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{QueueUrl: &url})
		refused("a stranger receiving from "+url, err)
		_, err = queues.PurgeQueue(t.Context(), &awssqs.PurgeQueueInput{QueueUrl: &url})
		refused("a stranger purging "+url, err)
	}
	for _, table := range []string{d.RunsTable, d.CountersTable} {
		_, err := tables.Scan(t.Context(), &awsdynamodb.ScanInput{TableName: &table})
		refused("a stranger reading "+table, err)
	}
	_, err := tables.PutItem(t.Context(), &awsdynamodb.PutItemInput{TableName: &d.RunsTable, Item: map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: "forged"}}})
	refused("a stranger writing a run", err)
	_, err = awssecrets.NewFromConfig(stranger).GetSecretValue(t.Context(), &awssecrets.GetSecretValueInput{SecretId: &d.APIKeySecret})
	refused("a stranger reading the API key", err)

	_, err = iam.NewFromConfig(d.operator).CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("by-the-operator")})
	refused("the operator making a user", err)
	_, err = awssqs.NewFromConfig(d.operator).PurgeQueue(t.Context(), &awssqs.PurgeQueueInput{QueueUrl: &d.EventsQueueURL})
	refused("the operator purging the events queue", err)
}

// role makes a role with a policy and assumes it.
func (d *deployed) role(t *testing.T, name, policy string) aws.Config {
	t.Helper()
	roles := iam.NewFromConfig(d.root)
	trust := fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::%s:root"}}}`, d.Account)
	made, err := roles.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := roles.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: &name, PolicyName: aws.String("all"), PolicyDocument: &policy}); err != nil {
		t.Fatal(err)
	}
	cfg := d.root.Copy()
	cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(d.root), aws.ToString(made.Role.Arn)))
	return cfg
}

// playDispatch writes runs, as only the account's root can beside dispatch.
func (d *deployed) playDispatch() *dynamodb.Runs {
	return dynamodb.NewRuns(awsdynamodb.NewFromConfig(d.root), d.RunsTable, time.Now)
}

// heartbeats are read as the operator.
func (d *deployed) heartbeats() *dynamodb.Heartbeats {
	return dynamodb.NewHeartbeats(awsdynamodb.NewFromConfig(d.operator), d.CountersTable)
}

// program is the command line, built once.
var program = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "responder-stacktest-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "responder")
	out, err := exec.Command("go", "build", "-o", path, "github.com/skycrafters/responder/cmd/responder").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if os.Getenv(stackVariable) != "" {
		if path, err := program(); err == nil {
			os.RemoveAll(filepath.Dir(path))
		}
	}
	os.Exit(code)
}

// responder runs a command of the command line, which must succeed, and gives
// what it prints. It is run by somebody who may look at stacks and operate this
// one, and nothing else.
func (d *deployed) responder(t *testing.T, args ...string) string {
	t.Helper()
	out, err := d.command(t, d.person(t, "person"), "", args...)
	if err != nil {
		t.Fatalf("responder %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// command runs a command of the command line as somebody, by a proxy if there is
// one, and gives what it prints; if it fails, its complaints too.
func (d *deployed) command(t *testing.T, who aws.Credentials, proxy string, args ...string) (string, error) {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = []string{
		"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "USER=alice", "RESPONDER_API_KEY=" + d.key,
		"AWS_ENDPOINT_URL=" + d.endpoint, "AWS_REGION=" + d.Region, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID=" + who.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + who.SecretAccessKey,
		"SSL_CERT_FILE=" + filepath.Join(os.Getenv(tlsVariable), "cert.pem"), "HTTPS_PROXY=" + proxy,
	}
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String() + stderr.String(), err
	}
	return stdout.String(), nil
}

// person makes an IAM user who may find the stack and assume its operator role, and
// what else is said. The user's name begins as told.
func (d *deployed) person(t *testing.T, named string, may ...map[string]any) aws.Credentials {
	t.Helper()
	users := iam.NewFromConfig(d.root)
	name := fmt.Sprintf("%s-%08x", named, rand.Uint32())
	policy, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": append([]map[string]any{
		{"Effect": "Allow", "Action": "cloudformation:DescribeStacks", "Resource": "*"},
		{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": d.OperatorRoleARN},
	}, may...)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := users.CreateUser(t.Context(), &iam.CreateUserInput{UserName: &name}); err != nil {
		t.Fatal(err)
	}
	if _, err := users.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: &name, PolicyName: aws.String("operate"), PolicyDocument: aws.String(string(policy))}); err != nil {
		t.Fatal(err)
	}
	key, err := users.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: &name})
	if err != nil {
		t.Fatal(err)
	}
	static := credentials.NewStaticCredentialsProvider(aws.ToString(key.AccessKey.AccessKeyId), aws.ToString(key.AccessKey.SecretAccessKey), "")
	who, err := static.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return who
}
