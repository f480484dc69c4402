package main

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/dynamodb"
)

// deployment acts as AWS with one deployed stack: CloudFormation and STS in
// their query protocol, SQS, DynamoDB and Secrets Manager in JSON, and the
// stack's endpoint. It wants the operator's credentials where the template's
// resource policies do.
type deployment struct {
	t   *testing.T
	url string

	mu       sync.Mutex
	status   string // of the stack
	refuse   string // a code for every request to the queues and tables
	secret   string
	queues   map[string][]letter // by the last part of their address
	received [][2]string         // key and body of what was posted to the endpoint
	regions  map[string]bool     // that were asked
	callers  map[string]bool     // access keys that asked CloudFormation
	codes    []string            // of MFA, with their device, that roles were assumed with
	receipts int
	items    map[string]json.RawMessage // of the runs' table, by id
}

// letter is a message on a queue.
type letter struct {
	id, body, cause, queue string
	hidden                 bool
	receipt                string
}

func newDeployment(t *testing.T) *deployment {
	t.Helper()
	d := &deployment{t: t, status: "CREATE_COMPLETE", secret: "the-api-key-of-the-stack", queues: map[string][]letter{}, regions: map[string]bool{}, callers: map[string]bool{}, items: map[string]json.RawMessage{}}
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	d.url = server.URL
	config := filepath.Join(t.TempDir(), "config")
	profiles := "[default]\nregion = eu-west-1\n[profile other]\nregion = ap-south-1\naws_access_key_id = AKIAOTHER\naws_secret_access_key = s\n[profile mfa]\nregion = eu-west-1\nrole_arn = arn:aws:iam::111122223333:role/r\nrole_session_name = responder-ann\nsource_profile = other\nmfa_serial = arn:aws:iam::111122223333:mfa/ann\n[profile nowhere]\naws_access_key_id = AKIANOWHERE\naws_secret_access_key = s\n"
	if err := os.WriteFile(config, []byte(profiles), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": d.url, "AWS_ACCESS_KEY_ID": "AKIACALLER", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "", "AWS_MAX_ATTEMPTS": "1",
		"AWS_CONFIG_FILE": config, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
	} {
		t.Setenv(name, value)
	}
	return d
}

// set changes what the deployment is like, while requests that nobody waits
// for any more may still be under way.
func (d *deployment) set(field *string, value string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	*field = value
}

// forget forgets who asked and what was received.
func (d *deployment) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.received, d.regions, d.callers = nil, map[string]bool{}, map[string]bool{}
}

func (d *deployment) bury(queue string, causes ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, cause := range causes {
		id := fmt.Sprintf("%s-%d", queue, len(d.queues[queue+"-dead"]))
		d.queues[queue+"-dead"] = append(d.queues[queue+"-dead"], letter{id: id, body: `{"n":"` + id + `"}`, cause: cause, queue: queue})
	}
}

func (d *deployment) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller has gone: another of its requests was refused
	}
	credential := ""
	if _, rest, ok := strings.Cut(r.Header.Get("Authorization"), "Credential="); ok {
		credential = rest
	}
	scope := strings.Split(credential, "/") // key/date/region/service/…
	service, call, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch {
	case r.URL.Path == "/prod/events":
		d.received = append(d.received, [2]string{r.Header.Get("APIKey"), string(body)})
		w.WriteHeader(http.StatusAccepted)
	case service == "":
		d.regions[scope[2]], d.callers[scope[0]] = true, true
		d.query(w, string(body))
	case scope[0] != "ASIAOPERATOR":
		d.fail(w, "AccessDeniedException", "only the operator role may")
	case d.refuse != "":
		d.fail(w, d.refuse, "no "+call)
	default:
		d.call(w, call, body)
	}
}

func (d *deployment) fail(w http.ResponseWriter, code, message string) {
	d.answer(w, http.StatusBadRequest, map[string]any{"__type": "x#" + code, "message": message})
}

func (d *deployment) answer(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		d.t.Error(err)
	}
	w.Header().Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10)) // as DynamoDB does
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		d.t.Logf("an answer was not waited for: %v", err)
	}
}

// query answers CloudFormation and STS.
func (d *deployment) query(w http.ResponseWriter, body string) {
	form, err := url.ParseQuery(body)
	if err != nil {
		d.t.Error(err)
	}
	switch form.Get("Action") {
	case "DescribeStacks":
		if form.Get("StackName") != "responder" {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `<ErrorResponse><Error><Code>ValidationError</Code><Message>Stack with id x does not exist</Message></Error></ErrorResponse>`)
			return
		}
		outputs := ""
		for key, value := range map[string]string{
			"ApiUrl": d.url + "/prod/events", "ApiKeySecret": "arn:secret", "RunsTable": "runs", "CountersTable": "counters", "DispatchRoleArn": "arn:dispatch", "OperatorRoleArn": "arn:aws:iam::111122223333:role/operator",
			"EventsQueueUrl": d.url + "/1/events", "EventsDeadUrl": d.url + "/1/events-dead", "FindingsQueueUrl": d.url + "/1/findings", "FindingsDeadUrl": d.url + "/1/findings-dead",
		} {
			outputs += "<member><OutputKey>" + key + "</OutputKey><OutputValue>" + value + "</OutputValue></member>"
		}
		fmt.Fprintf(w, `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>responder</StackName><StackId>arn:aws:cloudformation:r:111122223333:stack/responder/x</StackId><CreationTime>2026-11-23T00:00:00Z</CreationTime><StackStatus>%s</StackStatus><Outputs>%s</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`, d.status, outputs)
	case "AssumeRole":
		if code := form.Get("TokenCode"); code != "" {
			d.codes = append(d.codes, form.Get("SerialNumber")+" "+code)
		}
		if form.Get("RoleSessionName") != "responder-ann" {
			d.t.Errorf("the session is called %q", form.Get("RoleSessionName"))
		}
		fmt.Fprint(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAOPERATOR</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`)
	default:
		fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>111122223333</Account><Arn>arn:aws:iam::111122223333:user/ann</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	}
}

// call answers SQS, DynamoDB and Secrets Manager.
func (d *deployment) call(w http.ResponseWriter, call string, body []byte) {
	var in struct {
		QueueUrl string
		Entries  []struct {
			Id, MessageBody, ReceiptHandle string
		}
		Key, Item map[string]json.RawMessage
	}
	if err := json.Unmarshal(body, &in); err != nil {
		d.t.Error(err)
	}
	name := in.QueueUrl[strings.LastIndex(in.QueueUrl, "/")+1:]
	type entry map[string]any
	each := func(do func(i, at int)) {
		var done []entry
		for i, e := range in.Entries {
			at := slices.IndexFunc(d.queues[name], func(l letter) bool { return l.receipt == e.ReceiptHandle })
			do(i, at)
			done = append(done, entry{"Id": e.Id, "MessageId": "m", "MD5OfMessageBody": digest(e.MessageBody)})
		}
		d.answer(w, http.StatusOK, map[string]any{"Successful": done, "Failed": []entry{}})
	}
	switch call {
	case "Query":
		d.answer(w, http.StatusOK, map[string]any{"Items": []any{}, "Count": 0, "ScannedCount": 0})
	case "GetItem":
		answer := map[string]any{}
		if item, ok := d.items[string(in.Key["id"])]; ok {
			answer["Item"] = item
		}
		d.answer(w, http.StatusOK, answer)
	case "PutItem":
		item, err := json.Marshal(in.Item)
		if err != nil {
			d.t.Error(err)
		}
		d.items[string(in.Item["id"])] = item
		d.answer(w, http.StatusOK, map[string]any{})
	case "GetSecretValue":
		d.answer(w, http.StatusOK, map[string]any{"SecretString": d.secret, "CreatedDate": 1})
	case "ReceiveMessage":
		var messages []entry
		for i := range d.queues[name] {
			l := &d.queues[name][i]
			if l.hidden || len(messages) == 10 {
				continue
			}
			d.receipts++
			l.hidden, l.receipt = true, strconv.Itoa(d.receipts)
			text := func(s string) entry { return entry{"DataType": "String", "StringValue": s} }
			messages = append(messages, entry{
				"MessageId": l.id, "ReceiptHandle": l.receipt, "Body": l.body, "MD5OfBody": digest(l.body),
				"MessageAttributes": entry{"cause": text(l.cause), "queue": text(l.queue), "receives": text("8"), "died": text("2026-01-02T03:04:05Z")},
			})
		}
		d.answer(w, http.StatusOK, map[string]any{"Messages": messages})
	case "ChangeMessageVisibilityBatch":
		each(func(_, at int) {
			if at >= 0 { // else it is deleted
				d.queues[name][at].hidden = false
			}
		})
	case "DeleteMessageBatch":
		each(func(_, at int) { d.queues[name] = slices.Delete(d.queues[name], at, at+1) })
	case "SendMessageBatch":
		each(func(i, _ int) { d.queues[name] = append(d.queues[name], letter{body: in.Entries[i].MessageBody}) })
	default:
		d.fail(w, "InvalidAction", call)
	}
}

func digest(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

func newStackCLI(t *testing.T) (*cli, *deployment) {
	t.Helper()
	d := newDeployment(t)
	c := newCLI(t)
	c.env["USER"] = "ann"
	return c, d
}

func TestStackRuns(t *testing.T) {
	c, d := newStackCLI(t)
	out, errs := c.run(exitDone, "runs", "list", "--stack", "responder")
	if c.has(out, "0 runs"); errs != "" {
		t.Errorf("it says %q", errs)
	}
	_, errs = c.run(exitInput, "runs", "show", "abc", "--stack", "responder")
	c.has(errs, `there is no run "abc"`)

	d.set(&d.status, "UPDATE_IN_PROGRESS")
	_, errs = c.run(exitDone, "runs", "list", "--stack", "responder")
	c.has(errs, "stack responder is being changed")
	d.set(&d.status, "ROLLBACK_COMPLETE")
	_, errs = c.run(exitFailed, "runs", "list", "--stack", "responder")
	c.has(errs, "is in ROLLBACK_COMPLETE: its creation failed", "aws cloudformation delete-stack --stack-name responder --region eu-west-1")
	d.set(&d.status, "CREATE_COMPLETE")

	for code, want := range map[string]string{
		"AccessDeniedException": "stack responder: AccessDeniedException: no Query",
		"ExpiredTokenException": "stack responder: the AWS credentials have expired: sign in again",
	} {
		d.set(&d.refuse, code)
		_, errs = c.run(exitFailed, "runs", "list", "--stack", "responder")
		c.has(errs, want)
		if strings.Contains(errs, "RequestID") {
			t.Errorf("the SDK's own words: %s", errs)
		}
	}
}

// TestStackControl: what is done to a run of a stack is done by conditional
// writes of the operator, rung for, and kept with the caller's ARN.
func TestStackControl(t *testing.T) {
	c, d := newStackCLI(t)
	cfg := aws.Config{Region: "eu-west-1", BaseEndpoint: &d.url, Credentials: credentials.NewStaticCredentialsProvider("ASIAOPERATOR", "s", "")}
	runs := dynamodb.NewRuns(awsdynamodb.NewFromConfig(cfg), "runs", time.Now)
	run := &responder.Run{
		V: 1, ID: "abc", Token: "t", State: responder.RunWaiting, Due: time.Now().Add(time.Hour), Created: time.Now(), Updated: time.Now(),
		Flow: responder.FlowSnapshot{Name: "tell"}, Finding: responder.Finding{Rule: "R", Key: "k", Event: []byte(`{}`)},
	}
	if err := runs.Create(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	out, _ := c.run(exitDone, "runs", "cancel", "abc", "--why", "a drill", "--stack", "responder")
	c.has(out, "abc is cancelled (tell")
	out, _ = c.run(exitDone, "runs", "show", "abc", "--stack", "responder")
	c.has(out, "cancelled by arn:aws:iam::111122223333:user/ann: a drill")
	out, _ = c.run(exitDone, "runs", "retry", "abc", "--stack", "responder")
	c.has(out, "abc goes on")
	if rung := d.queues["findings"]; len(rung) != 1 || !strings.Contains(rung[0].body, `"wake":"abc"`) {
		t.Errorf("rung: %v", rung)
	}
	d.set(&d.refuse, "AccessDeniedException")
	_, errs := c.run(exitFailed, "runs", "cancel", "abc", "--stack", "responder")
	c.has(errs, "stack responder: AccessDeniedException")
}

// TestStackPlace: region, profile and credentials are found as the AWS CLI finds them.
func TestStackPlace(t *testing.T) {
	c, d := newStackCLI(t)
	for _, test := range []struct {
		flags          string
		env            map[string]string
		region, caller string
	}{
		{"", nil, "eu-west-1", "AKIACALLER"},
		{"--region us-east-2", nil, "us-east-2", "AKIACALLER"},
		{"", map[string]string{"AWS_DEFAULT_REGION": "eu-north-1"}, "eu-north-1", "AKIACALLER"},
		{"", map[string]string{"AWS_DEFAULT_REGION": "eu-north-1", "AWS_REGION": "sa-east-1"}, "sa-east-1", "AKIACALLER"},
		{"--profile other", nil, "ap-south-1", "AKIAOTHER"},
		{"--profile other --region us-east-2", map[string]string{"AWS_REGION": "sa-east-1"}, "us-east-2", "AKIAOTHER"},
		{"", map[string]string{"AWS_PROFILE": "other", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "ap-south-1", "AKIAOTHER"},
	} {
		t.Run(fmt.Sprint(test.flags, test.env), func(t *testing.T) {
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			d.forget()
			c.run(exitDone, append([]string{"runs", "list", "--stack", "responder"}, strings.Fields(test.flags)...)...)
			if !d.regions[test.region] || !d.callers[test.caller] || len(d.regions) != 1 || len(d.callers) != 1 {
				t.Errorf("asked %v as %v", d.regions, d.callers)
			}
		})
	}
	_, errs := c.run(exitFailed, "dlq", "list", "--stack", "respnder")
	c.has(errs, "there is no stack respnder in eu-west-1 of account 111122223333")
	_, errs = c.run(exitUsage, "dlq", "list", "--stack", "responder", "--profile", "nobody")
	c.has(errs, `there is no AWS profile "nobody"`)
	_, errs = c.run(exitFailed, "dlq", "list", "--stack", "responder", "--profile", "nowhere")
	c.has(errs, "no AWS region: give --region")
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	_, errs = c.run(exitFailed, "dlq", "list", "--stack", "responder")
	c.has(errs, "no AWS credentials: sign in")
}

func TestStackUsage(t *testing.T) {
	c := newCLI(t)
	for _, command := range []string{"runs list", "runs show x", "runs cancel x", "runs export x", "dlq list", "dlq redrive", "dlq purge", "send events"} {
		for flags, want := range map[string]string{
			"--stack responder --data x":  "give one of them",
			"--stack=":                    "--stack is empty",
			"--stack a/b":                 "cannot be the name of a stack",
			"--stack responder --region=": "--profile or --region is empty",
			"--profile x":                 "give --stack NAME too",
			"--region x":                  "give --stack NAME too",
		} {
			_, errs := c.run(exitUsage, append(strings.Fields(command), strings.Fields(flags)...)...)
			c.has(errs, want)
		}
	}
}

func TestStackDead(t *testing.T) {
	c, d := newStackCLI(t)
	d.bury("events", "not JSON", "not JSON", "too\x1b[31m deep")
	d.bury("findings", "from the future")
	out, _ := c.run(exitDone, "dlq", "list", "--stack", "responder")
	c.has(out, "events-0  detect    2026-01-02T03:04:05Z  received 8×  not JSON", "findings-0  dispatch", "4 dead letters")
	out, _ = c.run(exitDone, "dlq", "list", "--stack", "responder", "--format", "json")
	if all := objects(t, out); len(all) != 4 || all[3]["queue"] != "findings" || all[3]["stage"] != "dispatch" || all[3]["cause"] != "from the future" || all[3]["body"] != `{"n":"findings-0"}` || all[3]["receives"] != 8.0 || all[3]["died"] != "2026-01-02T03:04:05Z" {
		t.Errorf("listed %v", all)
	}

	out, _ = c.run(exitDone, "dlq", "redrive", "--stack", "responder", "--dry-run")
	c.has(out, "detect: 3 would be put back\n     2 × not JSON\n     1 × too deep\n", "dispatch: 1 would be put back", "4 dead letters would be put back")
	if len(d.queues["events"])+len(d.queues["findings"]) > 0 {
		t.Fatal("a dry run has put letters back")
	}
	out, errs := c.run(exitInput, "dlq", "redrive", "events-1", "no-such", "--stack", "responder")
	c.has(out, "detect: 1 put back\n     1 × not JSON\n1 dead letter put back")
	c.has(errs, "no dead letter was found by the id no-such")
	out, _ = c.run(exitDone, "dlq", "redrive", "--stack", "responder", "--format", "json")
	if want := `{"count":3,"dry_run":false,"queues":[{"queue":"events","stage":"detect","count":2,"causes":[{"cause":"not JSON","count":1},{"cause":"too\u001b[31m deep","count":1}]},{"queue":"findings","stage":"dispatch","count":1,"causes":[{"cause":"from the future","count":1}]}]}` + "\n"; out != want {
		t.Errorf("redrive gives\n%s\nwant\n%s", out, want)
	}
	if len(d.queues["events"]) != 3 || len(d.queues["findings"]) != 1 || len(d.queues["events-dead"])+len(d.queues["findings-dead"]) != 0 {
		t.Errorf("the queues are %v", d.queues)
	}
	d.bury("findings", "x", "y")
	out, _ = c.run(exitDone, "dlq", "purge", "findings-1", "--stack", "responder")
	c.has(out, "dispatch: 1 forgotten\n     1 × y")
	_, errs = c.run(exitUsage, "dlq", "purge", "", "--stack", "responder")
	c.has(errs, "an id is empty")
	if len(d.queues["findings-dead"]) != 1 || len(d.queues["findings"]) != 1 {
		t.Errorf("the queues are %v", d.queues)
	}
	out, _ = c.run(exitDone, "dlq", "purge", "--stack", "responder", "--format", "json")
	c.has(out, `{"count":1,`)
	out, _ = c.run(exitDone, "dlq", "purge", "--stack", "responder", "--format", "json")
	c.has(out, `{"count":0,"dry_run":false,"queues":[]}`)

	d.set(&d.refuse, "AccessDeniedException")
	_, errs = c.run(exitFailed, "dlq", "redrive", "--stack", "responder")
	c.has(errs, "stack responder: AccessDeniedException: no ReceiveMessage (0 dead letters put back before)")
}

// TestStackManyDead: more letters than one look shows are all put back, and a
// list that is cut short says so.
func TestStackManyDead(t *testing.T) {
	c, d := newStackCLI(t)
	for range lookAtMost + 23 {
		d.bury("events", "cause")
	}
	out, errs := c.run(exitDone, "dlq", "list", "--stack", "responder")
	c.has(out, "1000 dead letters")
	c.has(errs, "at most 1000 dead letters of the queue events are looked at, and there may be more")
	out, errs = c.run(exitDone, "dlq", "redrive", "--stack", "responder")
	c.has(out, "detect: 1023 put back\n  1023 × cause\n1023 dead letters put back")
	if errs != "" || len(d.queues["events"]) != lookAtMost+23 {
		t.Errorf("%d are back, and it says %q", len(d.queues["events"]), errs)
	}
}

func TestStackSend(t *testing.T) {
	c, d := newStackCLI(t)
	c.env["RESPONDER_API_KEY"] = "of-another-place"
	send := func(want int, args ...string) (string, string) {
		t.Helper()
		d.forget()
		return c.run(want, append([]string{"send", repo + "events/root-login.json", "--stack", "responder"}, args...)...)
	}
	key := func(want string) {
		t.Helper()
		if len(d.received) != 1 || d.received[0][0] != want {
			t.Errorf("posted %v, want with the key %s", d.received, want)
		}
	}
	out, errs := send(exitDone)
	c.has(out, "1 event accepted by "+d.url+"/prod/events")
	key("the-api-key-of-the-stack")

	d.set(&d.secret, `{"keys":[{"id":"prod","key":"key-of-production","accounts":["111122223333"]},{"id":"dev","key":"key-of-development"}]}`)
	send(exitDone, "--key-id", "dev")
	key("key-of-development")
	_, more := send(exitUsage)
	c.has(more, "the API key of stack responder: there are several: choose one with --key-id: prod, dev")
	errs += more
	_, more = send(exitUsage, "--key-id", "prd")
	c.has(more, `--key-id "prd": there is no such key: there are prod, dev`)
	errs += more
	d.set(&d.secret, `{"keys":[{"id":"prod","key":"key-of-production"`)
	_, more = send(exitFailed)
	c.has(more, "the API key of stack responder: the secret begins like JSON")
	if errs += more; strings.Contains(out+errs, "key-of-") {
		t.Errorf("a key is shown: %s", errs)
	}
	d.set(&d.secret, "one-key-without-an-id")
	_, errs = send(exitUsage, "--key-id", "prod")
	c.has(errs, "it has no id: leave --key-id out")
	_, errs = send(exitUsage, "--key-id", "prod", "--key", "x")
	c.has(errs, "--key and --key-id are two keys")

	d.set(&d.refuse, "AccessDeniedException") // a key of one's own needs no look into the secret
	send(exitDone, "--key", "my-own")
	key("my-own")
	_, errs = send(exitFailed)
	c.has(errs, "read the API key of stack responder: AccessDeniedException: no GetSecretValue")
	if len(d.received) > 0 {
		t.Error("it was sent with another place's key")
	}
	d.set(&d.refuse, "")
	other := httptest.NewServer(d)
	defer other.Close()
	out, _ = send(exitDone, "--url", other.URL+"/prod/events")
	c.has(out, "accepted by "+other.URL)
}

// TestDataDead: what a data folder holds is seen to by the same commands.
func TestDataDead(t *testing.T) {
	c := newCLI(t)
	c.run(exitDone, "run", "--once", "--data", c.data, repo+"events/root-login.json")
	db, err := c.app(nil, nil, nil).openData(c.data)
	if err != nil {
		t.Fatal(err)
	}
	queue := eventsQueue(db)
	if err := queue.Send(t.Context(), responder.Message{Body: []byte("one")}, responder.Message{Body: []byte("two")}); err != nil {
		t.Fatal(err)
	}
	deliveries, err := queue.Receive(t.Context(), 10, 0)
	if err != nil || len(deliveries) != 2 {
		t.Fatalf("received %v, %v", deliveries, err)
	}
	for _, d := range deliveries {
		if err := queue.Bury(t.Context(), d, "the cause of "+string(d.Body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	out, _ := c.run(exitDone, "dlq", "list", "--data", c.data)
	c.has(out, "detect", "the cause of one", "2 dead letters")
	out, _ = c.run(exitDone, "dlq", "purge", "--data", c.data, "--dry-run")
	c.has(out, "detect: 2 would be forgotten", "1 × the cause of two")
	out, _ = c.run(exitDone, "dlq", "redrive", "--data", c.data)
	c.has(out, "detect: 2 put back", "2 dead letters put back")
	out, _ = c.run(exitDone, "dlq", "list", "--data", c.data)
	c.has(out, "0 dead letters")
}
