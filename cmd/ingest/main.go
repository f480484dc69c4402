// Command ingest is the Lambda function behind the API: it authenticates
// senders and puts their events on the events queue.
//
// Environment: EVENTS_QUEUE_URL; API_KEY_SECRET, the ARN or name of the secret
// with the API key; STACK_NAME, for metrics; LOG_LEVEL (info).
package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	awssecrets "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/cmd/internal/lambdas"
	"github.com/skycrafters/responder/ingest"
	"github.com/skycrafters/responder/internal/metrics"
	"github.com/skycrafters/responder/internal/secretsmanager"
	"github.com/skycrafters/responder/internal/sqs"
)

// version is set by the linker; see the Makefile.
var version = "dev"

func main() { lambdas.Start("ingest", version, setup) }

func setup(_ context.Context, host lambdas.Host) (lambda.Handler, error) {
	v := host.Variables()
	eventsURL, keySecret, stack := v.Get("EVENTS_QUEUE_URL"), v.Get("API_KEY_SECRET"), v.Get("STACK_NAME")
	if err := v.Err(); err != nil {
		return nil, err
	}
	events := sqs.NewQueue(sqs.Requests(awssqs.NewFromConfig(host.AWS)), eventsURL, rand.Float64)
	secrets := secretsmanager.New(awssecrets.NewFromConfig(host.AWS), "", time.Now)
	keys := ingest.Keys{Secrets: secrets, Name: keySecret, Now: time.Now}
	return newHandler(host, events, keys, metrics.New(host.Stdout, stack, time.Now)), nil
}

func newHandler(host lambdas.Host, events responder.Sender, keys ingest.Keys, m *metrics.Recorder) lambda.Handler {
	in := ingest.New(events, keys)
	in.Observe = func(o ingest.Observation) { count(m, o) }
	return lambda.NewHandler(lambdas.Measured(ingest.Lambda(in, host.Log), m, host.Log))
}

// count counts what became of a request.
func count(m *metrics.Recorder, o ingest.Observation) {
	switch {
	case o.Status >= 500:
		m.Count(metrics.RequestsFailed, "", 1)
	case o.Status >= 400:
		m.Count(metrics.RequestsRefused, "", 1)
	case o.Events > 0:
		m.Count(metrics.EventsAccepted, "", o.Events)
	}
}
