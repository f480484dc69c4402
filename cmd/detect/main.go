// Command detect is the Lambda function between the events queue and the
// findings queue: it evaluates rules.yml, which is shipped beside it.
//
// Environment: EVENTS_QUEUE_URL, the queue that feeds it; EVENTS_DEAD_URL, that
// queue's dead letters; FINDINGS_QUEUE_URL; LOG_LEVEL (info).
package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
	"github.com/skycrafters/responder/cmd/internal/lambdas"
	"github.com/skycrafters/responder/cmd/internal/wiring"
	"github.com/skycrafters/responder/detect"
	"github.com/skycrafters/responder/internal/sqs"
)

// version is set by the linker; see the Makefile.
var version = "dev"

func main() { lambdas.Start("detect", version, setup) }

// ports are the queues that detect works on.
type ports struct {
	events   lambdas.Releaser
	dead     responder.Dead
	findings responder.Sender
}

func setup(_ context.Context, host lambdas.Host) (lambda.Handler, error) {
	v := host.Variables()
	eventsURL, deadURL, findingsURL := v.Get("EVENTS_QUEUE_URL"), v.Get("EVENTS_DEAD_URL"), v.Get("FINDINGS_QUEUE_URL")
	if err := v.Err(); err != nil {
		return nil, err
	}
	client := awssqs.NewFromConfig(host.AWS)
	events := sqs.NewQueue(client, eventsURL, rand.Float64)
	return newHandler(host, ports{
		events:   events,
		dead:     sqs.NewDead(events, deadURL, "events", time.Now),
		findings: sqs.NewQueue(client, findingsURL, rand.Float64),
	})
}

// newHandler loads the rules. What is wrong with them is logged.
func newHandler(host lambdas.Host, p ports) (lambda.Handler, error) {
	rules, problems := wiring.LoadRules(host.Beside("rules.yml"), actions.New(actions.Deps{}))
	if err := host.Tell(problems); err != nil {
		return nil, err
	}
	detector := &detect.Detector{
		Rules:    func() *detect.Rules { return rules },
		Findings: p.findings,
		Logger:   host.Log,
	}
	batch := &lambdas.Batch{Stage: detector.Handle, Queue: p.events, Dead: p.dead, Log: host.Log}
	return lambda.NewHandler(batch.Invoke), nil
}
