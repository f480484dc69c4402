// Command dispatch is the Lambda function behind the findings queue: it makes
// findings into runs of the flows and carries them on. A schedule invokes it as
// well, to sweep. rules.yml, flows.yml and templates are shipped beside it.
//
// Environment: FINDINGS_QUEUE_URL, the queue that feeds it; FINDINGS_DEAD_URL,
// that queue's dead letters; RUNS_TABLE; SECRETS_PREFIX, what goes before NAME
// of secret:NAME; OWN_ROLES, the ARNs of Responder's roles, comma-separated;
// LOG_LEVEL (info); and what env:NAME in flows refers to.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awssecrets "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
	"github.com/skycrafters/responder/cmd/internal/lambdas"
	"github.com/skycrafters/responder/cmd/internal/wiring"
	"github.com/skycrafters/responder/dispatch"
	"github.com/skycrafters/responder/internal/dynamodb"
	"github.com/skycrafters/responder/internal/secretsmanager"
	"github.com/skycrafters/responder/internal/sqs"
)

// version is set by the linker; see the Makefile.
var version = "dev"

func main() { lambdas.Start("dispatch", version, setup) }

// ports are what dispatch works on.
type ports struct {
	findings responder.Queue
	dead     responder.Dead
	runs     responder.RunStore
	secrets  responder.Secrets
	ownRoles []string
	now      func() time.Time
}

func setup(_ context.Context, host lambdas.Host) (lambda.Handler, error) {
	v := host.Variables()
	findingsURL, deadURL, table := v.Get("FINDINGS_QUEUE_URL"), v.Get("FINDINGS_DEAD_URL"), v.Get("RUNS_TABLE")
	secretsPrefix, ownRoles := v.Get("SECRETS_PREFIX"), v.Get("OWN_ROLES")
	if err := v.Err(); err != nil {
		return nil, err
	}
	findings := sqs.NewQueue(awssqs.NewFromConfig(host.AWS), findingsURL, rand.Float64)
	return newHandler(host, ports{
		findings: findings,
		dead:     sqs.NewDead(findings, deadURL, "findings", time.Now),
		runs:     dynamodb.NewRuns(awsdynamodb.NewFromConfig(host.AWS), table, time.Now),
		secrets:  secretsmanager.New(awssecrets.NewFromConfig(host.AWS), secretsPrefix, time.Now),
		ownRoles: strings.Split(ownRoles, ","),
		now:      time.Now,
	})
}

// newHandler loads rules and flows. What is wrong with them is logged.
func newHandler(host lambdas.Host, p ports) (lambda.Handler, error) {
	catalogue := actions.New(actions.Deps{
		Secrets: p.secrets, Getenv: host.Getenv, Now: p.now, Version: host.Version, AWS: actions.LazyAWS(),
	})
	definitions, problems := wiring.Load(host.Beside("rules.yml"), host.Beside("flows.yml"), catalogue)
	if err := host.Tell(problems); err != nil {
		return nil, err
	}
	dispatcher, err := dispatch.New(dispatch.Config{
		Flows:     func() *dispatch.Flows { return definitions.Flows },
		Accounts:  func() map[string]map[string]any { return definitions.Rules.Accounts },
		Catalogue: catalogue,
		Runs:      p.runs,
		Findings:  p.findings,
		Mode:      responder.ModeLive,
		OwnRoles:  p.ownRoles,
		Now:       p.now,
		Logger:    host.Log,
	})
	if err != nil {
		return nil, err
	}
	batch := &lambdas.Batch{Stage: dispatcher.Handle, Queue: p.findings, Dead: p.dead, Log: host.Log}
	return lambda.NewHandler(byShape(batch, dispatcher.Sweep)), nil
}

// swept is the answer to a schedule.
type swept struct {
	Rung int `json:"rung"` // runs that were due
}

// byShape tells a schedule from a batch of messages by what the function was
// invoked with.
func byShape(batch *lambdas.Batch, sweep func(context.Context) (int, error)) func(context.Context, json.RawMessage) (any, error) {
	return func(ctx context.Context, raw json.RawMessage) (any, error) {
		if !lambdas.IsSchedule(raw) {
			return batch.Invoke(ctx, raw)
		}
		rung, err := sweep(ctx)
		if err != nil {
			return nil, fmt.Errorf("dispatch: %w", err)
		}
		batch.Log.Debug().Int("rung", rung).Msg("swept")
		return swept{rung}, nil
	}
}
