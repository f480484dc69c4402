package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"golang.org/x/sync/errgroup"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/cmd/internal/lambdas/lambdastest"
	"github.com/skycrafters/responder/internal/dynamodb"
	"github.com/skycrafters/responder/internal/emulator"
	"github.com/skycrafters/responder/internal/sqs"
)

// The tests of this and the files fault_*_test.go run the function as it is
// deployed, several instances of it at once, on the adapters of SQS and DynamoDB
// and an emulator of both, with SendSlack posting to a server here. Faults are put
// in from outside: in what Lambda delivers, on the wire to AWS, in the clock, at
// the other side of the webhook. `make test-faults` runs them.

// trouble is the rule that every finding here is of.
const trouble = "Trouble"

// patience is how long instances may take with what is on the queue.
const patience = 4 * time.Minute

// clock is the real one, put forward.
type clock struct{ ahead atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// cloud is what template.yaml gives the function, on an emulator: a findings queue
// with its dead letters, and two tables. Each test has its own.
type cloud struct {
	t *testing.T
	clock
	config   aws.Config // of the test itself: nothing goes wrong on its way
	queueURL string
	deadURL  string
	tables   map[string]string // by variable of the environment
	sink     *sink
	log      complaints // of all instances

	deliveries atomic.Int64

	// What becomes of messages that are received: each batch is delivered so often
	// (0: once) before what was handled of it is deleted; and of those for which
	// delivers is false (nil: none) nobody hears, though they are deleted.
	times    int
	delivers func(responder.Delivery) bool
}

// newCloud makes one whose queue gives up on a message after so many receives.
// The test is skipped, saying so, where there is no emulator.
func newCloud(t *testing.T, maxReceives int) *cloud {
	t.Helper()
	c := &cloud{t: t, config: emulator.AWS(t), tables: map[string]string{}}
	t.Cleanup(func() { c.log.show(t) })
	// One transport a cloud: idle connections are kept, which is most of the speed.
	c.config.HTTPClient = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	c.sink = newSink(t)
	name := fmt.Sprintf("faults-%x", rand.Uint64())
	c.deadURL = c.queue(name+"-dead", nil)
	c.queueURL = c.queue(name, map[string]string{
		"VisibilityTimeout": "240",
		"RedrivePolicy":     fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":"%d"}`, c.attributes(c.deadURL)["QueueArn"], maxReceives),
	})
	tables := awsdynamodb.NewFromConfig(c.config)
	for variable, table := range map[string]*awsdynamodb.CreateTableInput{
		"RUNS_TABLE": dynamodb.RunsTable(name + "-runs"), "COUNTERS_TABLE": dynamodb.CountersTable(name + "-counters"),
	} {
		if _, err := tables.CreateTable(t.Context(), table); err != nil {
			t.Fatal(err)
		}
		c.tables[variable] = aws.ToString(table.TableName)
		t.Cleanup(func() {
			if _, err := tables.DeleteTable(context.Background(), &awsdynamodb.DeleteTableInput{TableName: table.TableName}); err != nil {
				t.Errorf("delete a table: %v", err)
			}
		})
	}
	return c
}

// complaints keeps the first things that the function complains of. Safe for
// concurrent use.
type complaints struct {
	mu    sync.Mutex
	lines []string
}

func (c *complaints) Write(line []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.lines) < 10 && (bytes.Contains(line, []byte(`"level":"error"`)) || bytes.Contains(line, []byte(`"level":"warn"`))) {
		c.lines = append(c.lines, string(line))
	}
	return len(line), nil
}

// show shows them, if the test has failed.
func (c *complaints) show(t *testing.T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.Failed() {
		t.Logf("the function complains, at first, of\n%s", strings.Join(c.lines, ""))
	}
}

func (c *cloud) queue(name string, attributes map[string]string) (url string) {
	c.t.Helper()
	client := awssqs.NewFromConfig(c.config)
	out, err := client.CreateQueue(c.t.Context(), &awssqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if _, err := client.DeleteQueue(context.Background(), &awssqs.DeleteQueueInput{QueueUrl: out.QueueUrl}); err != nil {
			c.t.Errorf("delete a queue: %v", err)
		}
	})
	return aws.ToString(out.QueueUrl)
}

func (c *cloud) attributes(url string) map[string]string {
	out, err := awssqs.NewFromConfig(c.config).GetQueueAttributes(c.t.Context(), &awssqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll}})
	if err != nil {
		c.t.Errorf("attributes of a queue: %v", err)
		return nil
	}
	return out.Attributes
}

// on counts the messages of a queue: visible, in flight and delayed.
func (c *cloud) on(url string) (n int) {
	attributes := c.attributes(url)
	for _, name := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"} {
		some, err := strconv.Atoi(attributes[name])
		if err != nil {
			c.t.Errorf("%s of a queue: %v", name, err)
		}
		n += some
	}
	return n
}

// The ports as somebody beside the function sees them, like the command line.

func (c *cloud) findings() *sqs.Queue {
	return sqs.NewQueue(awssqs.NewFromConfig(c.config), c.queueURL, rand.Float64)
}

func (c *cloud) dead(over aws.HTTPClient) *sqs.Dead {
	config := c.config.Copy()
	config.HTTPClient = over
	return sqs.NewDead(sqs.NewQueue(awssqs.NewFromConfig(config), c.queueURL, rand.Float64), c.deadURL, "findings", c.Now)
}

func (c *cloud) runs() *dynamodb.Runs {
	return dynamodb.NewRuns(awsdynamodb.NewFromConfig(c.config), c.tables["RUNS_TABLE"], c.Now)
}

// list gives all runs by id.
func (c *cloud) list() map[string]responder.RunSummary {
	c.t.Helper()
	all := map[string]responder.RunSummary{}
	for query := (responder.RunQuery{Max: 500}); ; {
		page, err := c.runs().List(c.t.Context(), query)
		if err != nil {
			c.t.Fatal(err)
		}
		for _, run := range page.Runs {
			all[run.ID] = run
		}
		if query.Cursor = page.Next; query.Cursor == "" {
			return all
		}
	}
}

// run reads a run.
func (c *cloud) run(id string) *responder.Run {
	c.t.Helper()
	run, err := c.runs().Get(c.t.Context(), id)
	if err != nil {
		c.t.Fatal(err)
	}
	return run
}

// ring sends bells.
func (c *cloud) ring(bells ...responder.Bell) {
	c.t.Helper()
	messages := make([]responder.Message, len(bells))
	for i, bell := range bells {
		body, err := bell.Encode()
		if err != nil {
			c.t.Fatal(err)
		}
		messages[i].Body = body
	}
	if err := c.findings().Send(c.t.Context(), messages...); err != nil {
		c.t.Fatal(err)
	}
}

// found sends findings of some names.
func (c *cloud) found(names ...string) {
	c.t.Helper()
	bells := make([]responder.Bell, len(names))
	for i, name := range names {
		finding := findingOf(name)
		bells[i].Finding = &finding
	}
	c.ring(bells...)
}

// names gives n names: "x0", "x1" …
func names(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = prefix + strconv.Itoa(i)
	}
	return all
}

func findingOf(name string) responder.Finding {
	return responder.Finding{
		Rule: trouble, Title: "Trouble", Severity: responder.High, Message: name, Resources: []string{name}, Key: name,
		Event: json.RawMessage(fmt.Sprintf(`{"id":%q,"source":"aws.iam","account":"111122223333","region":"us-east-1","detail":{}}`, name)),
	}
}

// instance is one of the function's instances.
type instance struct {
	*cloud
	wire    *wire
	handler lambda.Handler
}

// start starts an instance with the flows of a text; change, unless nil, has a say
// in what it works on.
func (c *cloud) start(flows string, change func(*ports)) *instance {
	c.t.Helper()
	folder := c.t.TempDir()
	for name, text := range map[string]string{"rules.yml": "rules: {" + trouble + ": ok}\n", "flows.yml": flows} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	env := map[string]string{
		"FINDINGS_QUEUE_URL": c.queueURL, "FINDINGS_DEAD_URL": c.deadURL,
		"SECRETS_PREFIX": "responder/", "OWN_ROLES": "arn:aws:iam::111122223333:role/responder", "STACK_NAME": lambdastest.Stack,
		"SINK": c.sink.url, "ALLOW_PRIVATE_HOSTS": "127.0.0.1",
	}
	maps.Copy(env, c.tables)
	host := lambdastest.HostAt(folder, &c.log, env)
	in := &instance{cloud: c, wire: &wire{next: c.config.HTTPClient}}
	host.AWS = c.config.Copy()
	host.AWS.HTTPClient = in.wire
	host.AWS.Retryer = func() aws.Retryer { // three attempts, as ever, in less time and however many fail
		return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff, o.RateLimiter = time.Millisecond, ratelimit.None })
	}
	p, err := onAWS(host, c.Now)
	if err != nil {
		c.t.Fatal(err)
	}
	if change != nil {
		change(&p)
	}
	if in.handler, err = newHandler(host, p); err != nil {
		c.t.Fatal(err)
	}
	return in
}

// starts starts n instances alike.
func (c *cloud) starts(n int, flows string) []*instance {
	c.t.Helper()
	all := make([]*instance, n)
	for i := range all {
		all[i] = c.start(flows, nil)
	}
	return all
}

// invokeTime is what Lambda gives an invocation.
const invokeTime = 15 * time.Minute

// sweep invokes an instance as the schedule does, and says for how many runs it rang.
func (in *instance) sweep() (int, error) {
	ctx, cancel := context.WithTimeout(in.t.Context(), invokeTime)
	defer cancel()
	answer, err := in.handler.Invoke(ctx, []byte(`{"sweep":true}`))
	if err != nil {
		return 0, err
	}
	var said swept
	return said.Rung, json.Unmarshal(answer, &said)
}

// handle invokes an instance with a batch, and gives the messages that are to
// come again, by id.
func (in *instance) handle(batch []responder.Delivery) (again map[string]bool, err error) {
	ctx, cancel := context.WithTimeout(in.t.Context(), invokeTime)
	defer cancel()
	in.deliveries.Add(int64(len(batch)))
	raw, err := in.handler.Invoke(ctx, lambdastest.Batch(in.t, batch...))
	if err != nil {
		return nil, err
	}
	var answer events.SQSEventResponse
	if err := json.Unmarshal(raw, &answer); err != nil {
		return nil, err
	}
	again = map[string]bool{}
	for _, item := range answer.BatchItemFailures {
		again[item.ItemIdentifier] = true
	}
	return again, nil
}

// pollers is how many batches one instance is handed at a time here. (Lambda starts
// one instance for each; what they share here beside the cloud is the connection.)
const pollers = 2

// serve invokes instances with what is on the queue, as Lambda's event source
// mapping does, until `until` says "". Its last word is why the test fails
// otherwise.
func (c *cloud) serve(until func() string, instances ...*instance) {
	c.t.Helper()
	var over atomic.Bool
	var polling sync.WaitGroup
	for _, in := range instances {
		for range pollers {
			polling.Go(func() {
				for !over.Load() {
					if err := c.poll(in, instances); err != nil {
						c.t.Errorf("Lambda's part: %v", err)
						return
					}
				}
			})
		}
	}
	defer polling.Wait()
	defer over.Store(true)
	late := time.After(patience)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		said := until()
		if said == "" {
			return
		}
		select {
		case <-late:
			c.t.Fatalf("after %v: %s", patience, said)
		case <-tick.C:
		}
	}
}

// poll hands one batch to an instance; where batches are delivered again and
// again, to others, too. What somebody has handled is deleted.
func (c *cloud) poll(in *instance, instances []*instance) error {
	queue := c.findings()
	batch, err := queue.Receive(c.t.Context(), 10, time.Second)
	if err != nil {
		return err
	}
	var handled, given []responder.Delivery
	for _, d := range batch {
		if c.delivers == nil || c.delivers(d) {
			given = append(given, d)
		} else {
			handled = append(handled, d)
		}
	}
	if len(given) > 0 {
		again, err := c.hand(in, instances, given)
		if err != nil {
			return err
		}
		for _, d := range given {
			if !again[d.ID] {
				handled = append(handled, d)
			}
		}
	}
	if len(handled) == 0 {
		return nil
	}
	if err := queue.Ack(c.t.Context(), handled...); err != nil && !errors.Is(err, responder.ErrStaleReceipt) { // buried meanwhile
		return err
	}
	return nil
}

// hand delivers a batch as often as it is to be, first to one instance and then to
// all in turn, and gives what the first delivery says is to come again.
func (c *cloud) hand(first *instance, instances []*instance, batch []responder.Delivery) (again map[string]bool, err error) {
	answers := make([]map[string]bool, max(1, c.times))
	errs := make([]error, len(answers))
	var handing errgroup.Group
	handing.SetLimit(len(instances))
	for i := range answers {
		in := instances[(slices.Index(instances, first)+i)%len(instances)]
		handing.Go(func() error {
			answers[i], errs[i] = in.handle(batch)
			return nil
		})
	}
	_ = handing.Wait() // all errors are in errs
	return answers[0], errors.Join(errs...)
}

// drained is an `until` of serve: nothing is on the findings queue, neither a
// message in somebody's hands nor one that is to come later.
func (c *cloud) drained() string {
	if n := c.on(c.queueURL); n > 0 {
		return fmt.Sprintf("%d messages are on the queue", n)
	}
	return ""
}

// succeeded wants so many runs, all of which have succeeded with no step failed.
func (c *cloud) succeeded(n int) {
	c.t.Helper()
	runs := c.list()
	if len(runs) != n {
		c.t.Errorf("there are %d runs, want %d", len(runs), n)
	}
	bad := 0
	for id, run := range runs {
		if run.State == responder.RunSucceeded && run.FailedSteps == 0 {
			continue
		}
		if bad++; bad <= 3 {
			c.t.Errorf("run %s of flow %s is %s (%s) with %d failed steps", id, run.Flow, run.State, run.Cause, run.FailedSteps)
		}
	}
	if bad > 3 {
		c.t.Errorf("… and %d more runs", bad-3)
	}
}

// attemptedOnce wants each step of some runs that acts to have been attempted once.
func (c *cloud) attemptedOnce(ids ...string) {
	c.t.Helper()
	for _, id := range ids {
		for path, step := range c.run(id).Steps {
			if step.Action != "" && len(step.Attempts) != 1 {
				c.t.Errorf("run %s: step %s was attempted %d times: %+v", id, path, len(step.Attempts), step.Attempts)
			}
		}
	}
}

// idsOf gives the ids of runs of a flow.
func idsOf(flow string, names ...string) []string {
	ids := make([]string, len(names))
	for i, name := range names {
		ids[i] = findingOf(name).RunID(flow)
	}
	return ids
}
