package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awssecrets "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/dynamodb"
	"github.com/skycrafters/responder/internal/emulator"
)

// homeTemplate is as much of Responder's stack as forwarders need.
const homeTemplate = `
Resources:
  ApiKey: {Type: AWS::SecretsManager::Secret, Properties: {Name: !Sub "${AWS::StackName}-api-key", GenerateSecretString: {PasswordLength: 48, ExcludePunctuation: true}}}
  Counters:
    Type: AWS::DynamoDB::Table
    Properties: {BillingMode: PAY_PER_REQUEST, AttributeDefinitions: [{AttributeName: key, AttributeType: S}], KeySchema: [{AttributeName: key, KeyType: HASH}]}
  Bus: {Type: AWS::Events::EventBus, Properties: {Name: !Ref AWS::StackName}}
Outputs:
  ApiUrl: {Value: https://abc.execute-api.us-east-1.amazonaws.com/prod/events}
  ApiKeySecret: {Value: !Ref ApiKey}
  EventsQueueUrl: {Value: x}
  EventsDeadUrl: {Value: x}
  FindingsQueueUrl: {Value: x}
  FindingsDeadUrl: {Value: x}
  RunsTable: {Value: x}
  CountersTable: {Value: !Ref Counters}
  DispatchRoleArn: {Value: x}
  EventBusArn: {Value: !GetAtt Bus.Arn}
`

// The emulator knows neither connections nor API destinations. In their place
// stand a secret, which shows what key the region has been given, and a queue.
var (
	wayByAPI = regexp.MustCompile(`(?s)\n  Connection:\n.*\n  # -+ dead letters\n`)
	standIn  = `
  Connection:
    Type: AWS::SecretsManager::Secret
    Condition: ByApi
    Properties: {Name: !Sub "${Name}-connection-${AWS::Region}", SecretString: !Ref ApiKey}
  ApiDestination:
    Type: AWS::SQS::Queue
    Condition: ByApi
    Properties: {QueueName: !Sub "${Name}-destination", DelaySeconds: 0}
`
)

// fleetCloud is the emulator behind a proxy that puts the stand-ins into
// templates, and that refuses regions as it is told.
type fleetCloud struct {
	*cli
	cfg  aws.Config
	name string // of the home stack

	mu     sync.Mutex
	refuse map[string][2]string // by region: code and message for all that is asked of CloudFormation
	broken string               // the region in which the stand-ins cannot be made

	seen strings.Builder // all output
}

var credentialScope = regexp.MustCompile(`Credential=[^/]+/\d+/([a-z0-9-]+)/cloudformation/`)

func newFleetCloud(t *testing.T) *fleetCloud {
	t.Helper()
	cfg := emulator.AWS(t)
	c := &fleetCloud{cli: newCLI(t), cfg: cfg, name: "fleet" + strings.ToLower(rand.Text()[:8]), refuse: map[string][2]string{}}
	target, err := url.Parse(*cfg.BaseEndpoint)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if scope := credentialScope.FindStringSubmatch(r.Header.Get("Authorization")); scope != nil {
			c.mu.Lock()
			refusal, refused := c.refuse[scope[1]]
			way := standIn
			if c.broken == scope[1] {
				way = strings.ReplaceAll(way, "DelaySeconds: 0", "DelaySeconds: 100000")
			}
			c.mu.Unlock()
			if refused {
				w.Header().Set("Content-Type", "text/xml")
				w.WriteHeader(http.StatusForbidden)
				fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>`, refusal[0], refusal[1])
				return
			}
			if err := substitute(r, way); err != nil {
				t.Error(err)
			}
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "", "AWS_REGION": "us-east-1",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true", "AWS_PROFILE": "",
	} {
		t.Setenv(name, value)
	}
	c.up()
	return c
}

// substitute puts the stand-ins into the template that a request carries.
func substitute(r *http.Request, way string) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return err
	}
	if template := form.Get("TemplateBody"); template != "" {
		changed := wayByAPI.ReplaceAllLiteralString(template, way)
		if changed == template && strings.Contains(template, "ApiDestination") {
			return errors.New("forwarder.yaml has no place for the stand-ins")
		}
		form.Set("TemplateBody", changed)
		body = []byte(form.Encode())
	}
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(string(body))), int64(len(body))
	return nil
}

// up deploys the home stack.
func (c *fleetCloud) up() {
	c.t.Helper()
	client := cloudformation.NewFromConfig(c.cfg)
	if _, err := client.CreateStack(c.t.Context(), &cloudformation.CreateStackInput{StackName: &c.name, TemplateBody: aws.String(homeTemplate)}); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if _, err := client.DeleteStack(context.Background(), &cloudformation.DeleteStackInput{StackName: &c.name}); err != nil {
			c.t.Errorf("delete the home stack: %v", err)
		}
	})
	waiter := cloudformation.NewStackCreateCompleteWaiter(client, func(o *cloudformation.StackCreateCompleteWaiterOptions) {
		o.MinDelay, o.MaxDelay = 100*time.Millisecond, time.Second
	})
	if err := waiter.Wait(c.t.Context(), &cloudformation.DescribeStacksInput{StackName: &c.name}, time.Minute); err != nil {
		c.t.Fatal(err)
	}
}

var fleetRegions = []string{"ap-south-1", "eu-west-1", "us-east-1"}

// regions runs `responder regions`, and gives what it says of each region.
func (c *fleetCloud) regions(want int, args ...string) (map[string]map[string]any, string) {
	c.t.Helper()
	args = append([]string{"regions"}, append(args, "--stack", c.name, "--format", "json")...)
	if !slices.Contains(args, "--regions") {
		args = append(args, "--regions", strings.Join(fleetRegions, ","))
	}
	stdout, stderr := c.run(want, args...)
	c.seen.WriteString(stdout + stderr)
	by := map[string]map[string]any{}
	for _, o := range objects(c.t, stdout) {
		by[o["region"].(string)] = o
	}
	return by, stderr
}

// did wants what became of each region, in the order of fleetRegions; "": of no
// matter.
func (c *fleetCloud) did(by map[string]map[string]any, wants ...string) {
	c.t.Helper()
	for i, want := range wants {
		if got := by[fleetRegions[i]]["did"]; want != "" && got != want {
			c.t.Errorf("%s: %v, want %s (%v)", fleetRegions[i], got, want, by[fleetRegions[i]])
		}
	}
}

// secret reads a secret in a region.
func (c *fleetCloud) secret(region, id, stage string) string {
	c.t.Helper()
	cfg := c.cfg.Copy()
	cfg.Region = region
	out, err := awssecrets.NewFromConfig(cfg).GetSecretValue(c.t.Context(), &awssecrets.GetSecretValueInput{SecretId: &id, VersionStage: &stage})
	if err != nil {
		c.t.Fatalf("%s in %s: %v", id, region, err)
	}
	return *out.SecretString
}

// keys wants the stack's key in each region, and gives it.
func (c *fleetCloud) keys() string {
	c.t.Helper()
	key := c.secret("us-east-1", c.name+"-api-key", "AWSCURRENT")
	for _, region := range fleetRegions {
		if got := c.secret(region, c.name+"-connection-"+region, "AWSCURRENT"); got != key {
			c.t.Errorf("%s has another key than the stack", region)
		}
	}
	return key
}

// TestEmulatedRegions takes forwarders through their life, by forwarder.yaml as
// it is but for the stand-ins.
func TestEmulatedRegions(t *testing.T) {
	c := newFleetCloud(t)
	denied := [2]string{"AccessDenied", "User: x is not authorized to perform: cloudformation:DescribeStacks with an explicit deny in a service control policy"}

	t.Log("nothing is there, and looking makes nothing")
	by, _ := c.regions(0, "status")
	if len(by) != 3 || by["us-east-1"]["state"] != nil {
		t.Errorf("%v", by)
	}
	by, _ = c.regions(0, "deploy", "--dry-run")
	c.did(by, "created", "created", "created")
	_, stderr := c.regions(2, "deploy", "--dry-run", "--parameter", "Sources=foo")
	c.has(stderr, `parameter Sources=foo: "foo" will not do: each must begin with aws.`)
	_, stderr = c.regions(2, "status", "--regions", "eu-wset-1")
	c.has(stderr, `there is no region "eu-wset-1", did you mean "eu-west-1"?`)
	by, _ = c.regions(0, "remove")
	c.did(by, "none", "none", "none")

	t.Log("one region is denied, the others are done; again, it is the one that is done")
	c.refuse["eu-west-1"] = denied
	by, stderr = c.regions(3, "deploy")
	c.did(by, "created", "failed", "created")
	c.has(fmt.Sprint(by["eu-west-1"]["cause"]), "service control policy")
	c.has(stderr, "1 region of 3 failed")
	delete(c.refuse, "eu-west-1")
	by, _ = c.regions(0, "deploy")
	c.did(by, "unchanged", "created", "unchanged")
	first := c.keys()

	t.Log("what is not said stays")
	by, _ = c.regions(0, "deploy", "--read-only-events", "--parameter", "Sources=aws.iam,aws.signin", "--dry-run")
	c.did(by, "updated", "updated", "updated")
	by, _ = c.regions(0, "deploy", "--read-only-events", "--parameter", "Sources=aws.iam,aws.signin")
	c.did(by, "updated", "updated", "updated")
	by, _ = c.regions(0, "deploy")
	c.did(by, "unchanged", "unchanged", "unchanged")

	t.Log("a rotation that one region misses is finished without --rotate-key")
	by, _ = c.regions(0, "deploy", "--rotate-key", "--dry-run")
	c.did(by, "updated", "updated", "updated")
	if c.keys() != first {
		t.Error("a dry run rotates")
	}
	c.refuse["ap-south-1"] = [2]string{"ServiceUnavailable", "sorry"}
	by, stderr = c.regions(3, "deploy", "--rotate-key")
	c.did(by, "failed", "updated", "updated")
	c.has(stderr, "The new key is in the secret", "then run the command again WITHOUT --rotate-key")
	delete(c.refuse, "ap-south-1")
	_, stderr = c.regions(1, "deploy", "--rotate-key")
	c.has(stderr, "the forwarders of ap-south-1 have not got the present key yet", "run the command without --rotate-key first")
	by, _ = c.regions(0, "status")
	if by["ap-south-1"]["key"] != "outdated" || by["us-east-1"]["key"] != "current" || by["us-east-1"]["template"] != "current" {
		t.Errorf("%v", by)
	}
	by, _ = c.regions(0, "deploy")
	c.did(by, "updated", "unchanged", "unchanged")
	second := c.keys()
	if first == second || c.secret("us-east-1", c.name+"-api-key", "AWSPREVIOUS") != first {
		t.Error("the key is not rotated, or the one before does not count")
	}
	_, stderr = c.regions(2, "deploy", "--rotate-key", "--regions", "us-east-1")
	c.has(stderr, "--regions leaves out ap-south-1, eu-west-1")

	t.Log("a stack whose creation fails is created again once its cause is gone")
	by, _ = c.regions(0, "remove", "--regions", "eu-west-1")
	c.did(by, "", "removed")
	c.broken = "eu-west-1"
	by, _ = c.regions(3, "deploy")
	c.did(by, "unchanged", "failed", "unchanged")
	c.has(fmt.Sprint(by["eu-west-1"]["cause"]), "ApiDestination (AWS::SQS::Queue): Invalid value")
	by, _ = c.regions(3, "status")
	c.has(fmt.Sprint(by["eu-west-1"]), "ROLLBACK_COMPLETE", "ApiDestination (AWS::SQS::Queue): Invalid value")
	c.broken = ""
	by, _ = c.regions(0, "deploy", "--parallel", "1")
	c.did(by, "unchanged", "recreated", "unchanged")
	c.keys()

	t.Log("credentials that expire are told once")
	for _, region := range fleetRegions[:2] {
		c.refuse[region] = [2]string{"ExpiredToken", "The security token included in the request is expired"}
	}
	_, stderr = c.regions(3, "deploy", "--parallel", "2")
	if n := strings.Count(stderr, "expired"); n != 1 {
		t.Errorf("told %d times: %s", n, stderr)
	}
	c.refuse = map[string][2]string{}

	t.Log("who is heard, and who is dark")
	c.beats()

	t.Log("by the bus instead: the key is gone from the region")
	by, _ = c.regions(0, "deploy", "--via", "bus")
	c.did(by, "updated", "updated", "updated")
	for _, region := range fleetRegions {
		cfg := c.cfg.Copy()
		cfg.Region = region
		if out, err := awssecrets.NewFromConfig(cfg).DescribeSecret(t.Context(), &awssecrets.DescribeSecretInput{SecretId: aws.String(c.name + "-connection-" + region)}); err == nil && out.DeletedDate == nil {
			t.Errorf("%s still has a connection", region)
		}
	}
	_, stderr = c.regions(2, "deploy", "--rotate-key")
	c.has(stderr, "go by the bus, and have no key")
	by, _ = c.regions(0, "deploy")
	c.did(by, "unchanged", "unchanged", "unchanged")

	t.Log("removed, and forgotten")
	by, _ = c.regions(0, "remove", "--dry-run")
	c.did(by, "removed", "removed", "removed")
	by, _ = c.regions(0, "remove")
	c.did(by, "removed", "removed", "removed")
	by, _ = c.regions(0, "remove")
	c.did(by, "none", "none", "none")
	if places := slices.Collect(maps.Keys(c.heard())); len(places) != 1 || places[0].Account != "111122223333" {
		t.Errorf("known after removal: %v", places)
	}
	c.run(0, "regions", "forget", "--stack", c.name, "--account", "111122223333", "--dry-run")
	if len(c.heard()) != 1 {
		t.Error("a dry run forgets")
	}
	text, _ := c.run(0, "regions", "forget", "--stack", c.name, "--account", "111122223333")
	c.has(text, "111122223333 us-east-1       forgotten, dark since ")
	_, stderr = c.run(1, "regions", "forget", "--stack", c.name, "--account", "111122223333")
	c.has(stderr, "account 111122223333 was never heard: no account was")
	if heard := c.heard(); len(heard) != 0 {
		t.Errorf("known after all is forgotten: %v", heard)
	}
	c.name += "-gone"
	_, stderr = c.regions(0, "remove")
	c.has(stderr, "there is no stack", "looking for its forwarders all the same")

	for _, key := range []string{first, second} {
		if strings.Contains(c.seen.String(), key) {
			t.Error("a key is shown")
		}
	}
}

func (c *fleetCloud) heartbeats() responder.Heartbeats {
	c.t.Helper()
	out, err := cloudformation.NewFromConfig(c.cfg).DescribeStacks(c.t.Context(), &cloudformation.DescribeStacksInput{StackName: &c.name})
	if err != nil {
		c.t.Fatal(err)
	}
	for _, o := range out.Stacks[0].Outputs {
		if *o.OutputKey == "CountersTable" {
			return dynamodb.NewHeartbeats(awsdynamodb.NewFromConfig(c.cfg), *o.OutputValue)
		}
	}
	c.t.Fatal("no table")
	return nil
}

func (c *fleetCloud) heard() map[responder.Place]time.Time {
	c.t.Helper()
	beats, err := c.heartbeats().Beats(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	return beats
}

func (c *fleetCloud) beats() {
	c.t.Helper()
	now := time.Now()
	beats := c.heartbeats()
	for place, ago := range map[responder.Place]time.Duration{
		{Account: "000000000000", Region: "us-east-1"}: 4 * time.Minute,
		{Account: "000000000000", Region: "eu-west-1"}: 5 * time.Hour,
		{Account: "111122223333", Region: "us-east-1"}: 50 * time.Minute,
	} {
		if err := beats.Beat(c.t.Context(), place, now.Add(-ago)); err != nil {
			c.t.Fatal(err)
		}
	}
	by, stderr := c.regions(3, "status")
	if by["us-east-1"]["dark"] != nil || by["eu-west-1"]["dark"] != true || by["ap-south-1"]["heard"] != nil {
		shown, _ := json.Marshal(by)
		c.t.Errorf("%s", shown)
	}
	c.has(stderr, "0 failed, 1 dark")
	text, stderr := c.run(3, "regions", "status", "--stack", c.name)
	c.has(stderr, "; 1 dark in other accounts (", "responder regions forget --stack "+c.name+" --account 111122223333)")
	c.has(text, "heard 4 min ago", "dark since ", "(5 h ago)", "never heard (deployed ", "Heard from other accounts", "111122223333 us-east-1 ")
}
