// Command dispatch is the Lambda function behind the findings queue: it makes
// findings into runs of the flows and carries them on. A schedule invokes it as
// well, to sweep and to look for places that are dark. rules.yml, flows.yml and
// templates are shipped beside it.
//
// Environment: FINDINGS_QUEUE_URL, the queue that feeds it; FINDINGS_DEAD_URL,
// that queue's dead letters; RUNS_TABLE; COUNTERS_TABLE, where heartbeats and
// the counts of cooldowns and limits, and what is halted, are kept; SECRETS_PREFIX, what goes before NAME of
// secret:NAME; OWN_ROLES, the ARNs of Responder's roles, comma-separated;
// STACK_NAME, for metrics; LOG_LEVEL (info); ALLOW_PRIVATE_HOSTS, what notices may
// reach although it is private; MEMBER_ROLE, MEMBER_ACCOUNTS (comma-separated) and
// MEMBER_EXTERNAL_ID, the role that checks and repairs act through, where, and
// what it asks for (the template names one at home where nobody names another; none
// of them: as itself, at home); and what env:NAME in flows refers to.
package main

import (
	"context"
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
	"github.com/skycrafters/responder/internal/metrics"
	"github.com/skycrafters/responder/internal/outbound"
	"github.com/skycrafters/responder/internal/secretsmanager"
	"github.com/skycrafters/responder/internal/sqs"
)

// version is set by the linker; see the Makefile.
var version = "dev"

func main() { lambdas.Start("dispatch", version, setup) }

// findings is the queue that feeds dispatch, and that it rings through.
type findings interface {
	responder.Queue
	lambdas.Releaser
}

// ports are what dispatch works on.
type ports struct {
	findings   findings
	dead       responder.Dead
	runs       responder.RunStore
	counters   responder.Counters
	halts      responder.Halts
	heartbeats responder.Heartbeats
	secrets    responder.Secrets
	ownRoles   []string
	own        []string // patterns of the ARNs of what the stack is made of
	metrics    *metrics.Recorder
	now        func() time.Time
}

func setup(_ context.Context, host lambdas.Host) (lambda.Handler, error) {
	p, err := onAWS(host, time.Now)
	if err != nil {
		return nil, err
	}
	return newHandler(host, p)
}

// onAWS gives the ports that the environment names.
func onAWS(host lambdas.Host, now func() time.Time) (ports, error) {
	v := host.Variables()
	findingsURL, deadURL := v.Get("FINDINGS_QUEUE_URL"), v.Get("FINDINGS_DEAD_URL")
	runsTable, countersTable := v.Get("RUNS_TABLE"), v.Get("COUNTERS_TABLE")
	secretsPrefix, ownRoles, stack := v.Get("SECRETS_PREFIX"), v.Get("OWN_ROLES"), v.Get("STACK_NAME")
	if err := v.Err(); err != nil {
		return ports{}, err
	}
	findings := sqs.NewQueue(sqs.Requests(awssqs.NewFromConfig(host.AWS)), findingsURL, rand.Float64)
	tables := dynamodb.Requests(awsdynamodb.NewFromConfig(host.AWS))
	return ports{
		findings:   findings,
		dead:       sqs.NewDead(findings, deadURL, "findings", now),
		runs:       dynamodb.NewRuns(tables, runsTable, now),
		counters:   dynamodb.NewCounters(tables, countersTable, now),
		halts:      dynamodb.NewHalts(tables, countersTable),
		heartbeats: dynamodb.NewHeartbeats(tables, countersTable),
		secrets:    secretsmanager.New(awssecrets.NewFromConfig(host.AWS), secretsPrefix, now),
		ownRoles:   strings.Split(ownRoles, ","),
		own:        ownResources(stack, strings.Split(ownRoles, ",")),
		metrics:    metrics.New(host.Stdout, stack, now),
		now:        now,
	}, nil
}

// concurrency is how many runs an invocation carries on at a time: all that the
// findings of a batch usually make, so that no repair waits for another flow's slow
// notice.
const concurrency = 20

// newHandler loads rules and flows. What is wrong with them is logged.
func newHandler(host lambdas.Host, p ports) (lambda.Handler, error) {
	if _, err := outbound.Settings(host.Getenv); err != nil { // better now than at the first notice
		return nil, err
	}
	members, err := actions.ParseMembers(host.Getenv("MEMBER_ROLE"), host.Getenv("MEMBER_ACCOUNTS"), host.Getenv("MEMBER_EXTERNAL_ID"))
	if err != nil {
		return nil, fmt.Errorf("read MEMBER_ROLE, MEMBER_ACCOUNTS and MEMBER_EXTERNAL_ID: %w", err)
	}
	catalogue := actions.New(actions.Deps{
		Secrets: p.secrets, Getenv: host.Getenv, Now: p.now, Version: host.Version, AWS: actions.LazyAWS(), Members: members,
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
		Findings:  sqs.NewSharing(p.findings),
		Counters:  p.counters,
		Halts:     p.halts,
		Mode:      responder.ModeLive,

		Concurrency: concurrency,
		OwnRoles:    wiring.OwnRoles(p.ownRoles, members),
		Own:         p.own,
		Now:         p.now,
		Logger:      host.Log,
		Observe:     func(run *responder.Run) { countRun(p.metrics, run) },
		Attempted:   func(a dispatch.AttemptReport) { timeAttempt(p.metrics, a) },
		Held:        func(h dispatch.HeldReport) { p.metrics.Count(metrics.Held, h.Guard, 1) },
		Warned:      func(responder.Warning) { p.metrics.Count(metrics.Warnings, "", 1) },
		Repeated:    func(responder.Finding, []string) { p.metrics.Count(metrics.Duplicates, "", 1) },
		Parked:      func(string) { countEnd(p.metrics, responder.RunParked) },
	})
	if err != nil {
		return nil, err
	}
	batch := &lambdas.Batch{
		Stage: dispatcher.Handle, Name: "findings", Queue: p.findings, Dead: p.dead, Metrics: p.metrics, Now: p.now, Log: host.Log,
		Delayed: isWake,
	}
	sweep := &sweep{
		ring:    dispatcher.Sweep,
		watch:   &lambdas.Watch{Heartbeats: p.heartbeats, Metrics: p.metrics, Now: p.now, Log: host.Log},
		halts:   p.halts,
		metrics: p.metrics,
		log:     host.Log,
	}
	return lambda.NewHandler(lambdas.Measured(byShape(batch.Invoke, sweep.do), p.metrics, host.Log, metrics.FailedRuns)), nil
}

// isWake reports whether a message is the wake of a run, which is often sent to
// come later.
func isWake(body []byte) bool {
	bell, err := responder.DecodeBell(body)
	return err == nil && bell.Wake != ""
}
