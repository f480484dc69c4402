package stacktest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/skycrafters/responder/actions"
	"github.com/skycrafters/responder/cmd/internal/wiring"
	"github.com/skycrafters/responder/internal/dynamodb"
	"github.com/skycrafters/responder/internal/sqs"
	"github.com/skycrafters/responder/internal/stack"
)

const repository = "../../.."

// Where the stack is, by environment variable.
const (
	stackVariable    = "RESPONDER_TEST_STACK"          // its name
	liveVariable     = "RESPONDER_TEST_STACK_LIVE"     // name of another, whose flows repair
	memberVariable   = "RESPONDER_TEST_STACK_MEMBER"   // name of a third, whose flows repair through the member role
	endpointVariable = "RESPONDER_TEST_STACK_ENDPOINT" // of the emulator
	tlsVariable      = "RESPONDER_TEST_STACK_TLS"      // folder with cert.pem and key.pem, which the functions trust
	webhookVariable  = "RESPONDER_TEST_STACK_WEBHOOK"  // SlackWebhookUrl as deployed
	slackVariable    = "RESPONDER_TEST_STACK_SLACK"    // of the live stack, where Slack's API is
	builtVariable    = "RESPONDER_TEST_STACK_BUILT"    // what was deployed: a folder a function
)

// Other accounts: of the member stack's list and with the role, of the list
// alone, and neither.
const (
	memberAccount  = "444455556666"
	closedAccount  = "555566667777"
	strangeAccount = "777788889999"
)

// deployed is the stack under test.
type deployed struct {
	*stack.Stack
	endpoint string
	root     aws.Config // may do everything: to look, and to play AWS and the attacker
	operator aws.Config // what `responder … --stack` has
	http     *http.Client

	definitions *wiring.Definitions // the rules and flows that were deployed
	runs        *dynamodb.Runs
	events      queue
	findings    queue
	webhook     *webhook
	ledger      *ledger
	key         string // the API key
}

// queue is a queue with its dead letters.
type queue struct {
	name, url, deadURL string
	client             *awssqs.Client
	*sqs.Queue
	dead *sqs.Dead
}

// TestStack sends events through the deployed stack, breaks what can be broken
// meanwhile, and then accounts for all of them.
func TestStack(t *testing.T) {
	t.Parallel()
	d := find(t, stackVariable)
	// What a killed function held comes again within the test, and what takes
	// longer comes twice.
	d.findings.set(t, "VisibilityTimeout", "45")
	d.webhook = listen(t, os.Getenv(webhookVariable))
	for name, test := range map[string]func(*testing.T, *deployed){"complete": testComplete, "refuses strangers": testStrangers} {
		t.Run(name, func(t *testing.T) { test(t, d) })
	}
	t.Run("keys", func(t *testing.T) { testKeys(t, d) })
	t.Run("traffic", func(t *testing.T) {
		for name, test := range map[string]func(*testing.T, *deployed){
			"samples":         testSamples,
			"records":         testRecords,
			"command line":    testCommandLine,
			"poison":          testPoison,
			"canary":          testCanary,
			"bus":             testBus,
			"long wait":       testLongWait,
			"killed function": testKilled,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, d)
			})
		}
	})
	for _, last := range []struct {
		name string
		test func(*testing.T, *deployed)
	}{
		{"every event is accounted for", testAccounted},
		{"everybody was told", testTold},
		{"queues are empty", testDrained},
		{"metrics", testMetrics},
		{"numbers", testNumbers},
	} {
		t.Run(last.name, func(t *testing.T) { last.test(t, d) })
	}
}

// find finds the stack that a variable names. The test is skipped, saying so, if
// it is not set.
func find(t *testing.T, variable string) *deployed {
	t.Helper()
	name := os.Getenv(variable)
	if name == "" {
		t.Skipf("needs a deployed stack: %s is not set (scripts/test-aws.sh deploys one)", variable)
	}
	d := &deployed{endpoint: os.Getenv(endpointVariable), http: httpClient(t), ledger: &ledger{}}
	d.root = aws.Config{
		Region: "us-east-1", BaseEndpoint: &d.endpoint, HTTPClient: d.http,
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}
	var err error
	if d.Stack, err = stack.Open(t.Context(), d.root, name); err != nil {
		t.Fatal(err)
	}
	if d.operator, err = d.Operator(t.Context(), "tests"); err != nil {
		t.Fatal(err)
	}
	catalogue := actions.New(actions.Deps{})
	definitions, problems := wiring.Load(filepath.Join(repository, "rules.yml"), filepath.Join(repository, "flows.yml"), catalogue)
	if definitions == nil {
		t.Fatal(problems)
	}
	d.definitions = definitions
	d.runs = dynamodb.NewRuns(awsdynamodb.NewFromConfig(d.operator), d.RunsTable, time.Now)
	d.events = d.queue("events", d.EventsQueueURL, d.EventsDeadURL)
	d.findings = d.queue("findings", d.FindingsQueueURL, d.FindingsDeadURL)
	d.key = d.secret(t)
	t.Cleanup(func() { d.explain(t) })
	return d
}

// explain shows what the functions complained of, if the test has failed.
func (d *deployed) explain(t *testing.T) {
	if t.Failed() {
		for _, function := range []string{"ingest", "detect", "dispatch", "approve"} {
			d.complaints(t, function)
		}
	}
}

// complaints shows the first errors in a function's log.
func (d *deployed) complaints(t *testing.T, function string) {
	const most = 5
	n := 0
	for _, line := range d.log(context.Background(), t, function) { // the test's own context may be over
		if strings.Contains(line, `"level":"error"`) || strings.Contains(line, `"level":"fatal"`) || strings.Contains(line, "panic") {
			if n++; n <= most {
				shown(t, "%s: %.600s", function, line)
			}
		}
	}
	if n > most {
		shown(t, "%s: … %d more", function, n-most)
	}
}

func (d *deployed) queue(name, url, deadURL string) queue {
	source := sqs.NewQueue(awssqs.NewFromConfig(d.operator), url, rand.Float64)
	return queue{
		name: name, url: url, deadURL: deadURL, client: awssqs.NewFromConfig(d.root),
		Queue: source, dead: sqs.NewDead(source, deadURL, name, time.Now),
	}
}

// httpClient trusts the emulator's certificate.
func httpClient(t *testing.T) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(filepath.Join(os.Getenv(tlsVariable), "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate in cert.pem")
	}
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: 16}}
}

// await waits until ok says "", for so long; its last word is why the test fails.
func await(t *testing.T, most time.Duration, ok func(context.Context) string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		said := ok(ctx)
		if said == "" {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("after %v: %s", most, said)
		case <-tick.C:
		}
	}
}

// shown logs a line that scripts/test-aws.sh shows even where tests pass.
func shown(t *testing.T, format string, args ...any) {
	t.Helper()
	t.Logf("shown: "+format, args...)
}

// apiURL is the stage of the deployed API, on the emulator.
func (d *deployed) apiURL() string {
	host, _, _ := strings.Cut(strings.TrimPrefix(d.APIURL, "https://"), ".")
	_, path, _ := strings.Cut(strings.TrimPrefix(d.APIURL, "https://"), "/")
	return d.endpoint + "/_aws/execute-api/" + host + "/" + path
}
