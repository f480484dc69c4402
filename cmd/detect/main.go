// Command detect is the Lambda function between the events queue and the
// findings queue: it evaluates rules.yml, which is shipped beside it.
//
// Environment: EVENTS_QUEUE_URL, the queue that feeds it; EVENTS_DEAD_URL, that
// queue's dead letters; FINDINGS_QUEUE_URL; COUNTERS_TABLE, where heartbeats are
// kept; CANARY_RULE, the name of the schedules whose events are canaries;
// STACK_NAME, for metrics; LOG_LEVEL (info).
package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/cmd/internal/lambdas"
	"github.com/skycrafters/responder/detect"
	"github.com/skycrafters/responder/internal/dynamodb"
	"github.com/skycrafters/responder/internal/metrics"
	"github.com/skycrafters/responder/internal/sqs"
)

// version is set by the linker; see the Makefile.
var version = "dev"

func main() { lambdas.Start("detect", version, setup) }

// ports are what detect works on.
type ports struct {
	events     lambdas.Releaser
	dead       responder.Dead
	findings   responder.Sender
	heartbeats responder.Heartbeats
	canary     string
	metrics    *metrics.Recorder
	now        func() time.Time
}

func setup(_ context.Context, host lambdas.Host) (lambda.Handler, error) {
	v := host.Variables()
	eventsURL, deadURL, findingsURL := v.Get("EVENTS_QUEUE_URL"), v.Get("EVENTS_DEAD_URL"), v.Get("FINDINGS_QUEUE_URL")
	countersTable, canary, stack := v.Get("COUNTERS_TABLE"), v.Get("CANARY_RULE"), v.Get("STACK_NAME")
	if err := v.Err(); err != nil {
		return nil, err
	}
	client := sqs.Requests(awssqs.NewFromConfig(host.AWS))
	events := sqs.NewQueue(client, eventsURL, rand.Float64)
	return newHandler(host, ports{
		events:     events,
		dead:       sqs.NewDead(events, deadURL, "events", time.Now),
		findings:   sqs.NewQueue(client, findingsURL, rand.Float64),
		heartbeats: dynamodb.NewHeartbeats(dynamodb.Requests(awsdynamodb.NewFromConfig(host.AWS)), countersTable),
		canary:     canary,
		metrics:    metrics.New(host.Stdout, stack, time.Now),
		now:        time.Now,
	})
}

// newHandler loads the rules. What is wrong with them is logged. What the checks
// and repairs that rules bind can be given is not looked at here, where all
// actions would have to be linked for it: `make build` has checked that, and
// dispatch, which does them, does not start with what is wrong with it.
func newHandler(host lambdas.Host, p ports) (lambda.Handler, error) {
	rules, problems := detect.LoadFile(host.Beside("rules.yml"), nil)
	if err := host.Tell(problems); err != nil {
		return nil, err
	}
	host.Log.Info().Int("rules", rules.Len()).Msg("rules are loaded; what they bind as check and remediate is checked where it is built, and by dispatch")
	detector := &detect.Detector{
		Rules:      func() *detect.Rules { return rules },
		Findings:   p.findings,
		Logger:     host.Log,
		Observe:    func(o detect.Outcome) { count(p.metrics, o) },
		Canary:     p.canary,
		Heartbeats: p.heartbeats,
		Now:        p.now,
	}
	batch := &lambdas.Batch{
		Stage: detector.Handle, Name: "events", Queue: p.events, Dead: p.dead, Metrics: p.metrics, Now: p.now, Log: host.Log,
	}
	return lambda.NewHandler(lambdas.Measured(batch.Invoke, p.metrics, host.Log, metrics.Events, metrics.RuleErrors)), nil
}

// count counts what became of an event.
func count(m *metrics.Recorder, o detect.Outcome) {
	if o.Canary {
		m.Count(metrics.Canaries, "", 1)
		return
	}
	m.Count(metrics.Events, "", 1)
	for _, f := range o.Findings {
		m.Count(metrics.Findings, f.Rule, 1)
	}
	for _, e := range o.Errors {
		m.Count(metrics.RuleErrors, e.Rule, 1)
	}
}
