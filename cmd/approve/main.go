// Command approve is the Lambda function through which people decide what runs
// ask: API Gateway hands it Slack's clicks, which it verifies, and requests that
// IAM has authenticated.
//
// Environment: RUNS_TABLE; COUNTERS_TABLE, where it remembers which requests it
// has taken; FINDINGS_QUEUE_URL, to ring for runs; SLACK_SIGNING_SECRET, the name
// of the secret by which Slack signs, which need not be there; LOG_LEVEL (info);
// OUTBOUND_PROXY, by which Slack is answered (none: by itself).
package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awssecrets "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/skycrafters/responder/cmd/internal/approvals"
	"github.com/skycrafters/responder/cmd/internal/lambdas"
	"github.com/skycrafters/responder/dispatch"
	"github.com/skycrafters/responder/internal/dynamodb"
	"github.com/skycrafters/responder/internal/outbound"
	"github.com/skycrafters/responder/internal/secretsmanager"
	"github.com/skycrafters/responder/internal/sqs"
)

// version is set by the linker; see the Makefile.
var version = "dev"

func main() { lambdas.Start("approve", version, setup) }

func setup(_ context.Context, host lambdas.Host) (lambda.Handler, error) {
	v := host.Variables()
	runsTable, countersTable, findingsURL := v.Get("RUNS_TABLE"), v.Get("COUNTERS_TABLE"), v.Get("FINDINGS_QUEUE_URL")
	signing := v.Get("SLACK_SIGNING_SECRET")
	if err := v.Err(); err != nil {
		return nil, err
	}
	client, err := answers(host.Getenv)
	if err != nil {
		return nil, err
	}
	tables := dynamodb.Requests(awsdynamodb.NewFromConfig(host.AWS))
	desk := &approvals.Desk{
		Decider: dispatch.Control{
			Runs:     dynamodb.NewRuns(tables, runsTable, time.Now),
			Findings: sqs.NewQueue(sqs.Requests(awssqs.NewFromConfig(host.AWS)), findingsURL, rand.Float64),
		},
		Secrets:  secretsmanager.New(awssecrets.NewFromConfig(host.AWS), "", time.Now),
		Signing:  signing,
		Counters: dynamodb.NewCounters(tables, countersTable, time.Now),
		Client:   client,
		Now:      time.Now,
		Log:      host.Log,
	}
	return lambda.NewHandler(desk.Lambda), nil
}

// answers gives the client for answers to Slack, who says where they go.
func answers(getenv func(string) string) (*http.Client, error) {
	options, err := outbound.Settings(getenv)
	if err != nil {
		return nil, err
	}
	return approvals.NewClient(outbound.Transport(options)), nil
}
