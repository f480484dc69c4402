package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"time"

	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/spf13/cobra"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
	"github.com/skycrafters/responder/internal/dynamodb"
	"github.com/skycrafters/responder/internal/sqlite"
	"github.com/skycrafters/responder/internal/sqs"
	"github.com/skycrafters/responder/internal/stack"
)

// The queues, and the stage that each feeds.
const (
	eventsName   = "events"
	findingsName = "findings"
)

var stages = map[string]string{eventsName: "detect", findingsName: "dispatch"}

// home says where a Responder keeps its state: a data folder, or a deployed stack.
type home struct {
	data, stack string
	aws         awsFlags
}

func (h *home) add(flags flagSet) {
	flags.StringVar(&h.data, "data", "", "the data `folder` that responder run uses (default: XDG state)")
	flags.StringVar(&h.stack, "stack", "", "the deployed stack of this `name`, in place of a data folder")
	h.aws.add(flags)
}

// check refuses flags that contradict each other. An empty --stack, a
// variable that was not set perhaps, must not mean the data folder.
func (h *home) check(cmd *cobra.Command) error {
	given := func(name string) bool { return cmd.Flags().Changed(name) }
	switch {
	case given("stack") && h.stack == "":
		return usagef("--stack is empty: give the name of a deployed stack")
	case given("stack") && given("data"):
		return usagef("--data and --stack are two homes: give one of them")
	case given("profile") && h.aws.profile == "", given("region") && h.aws.region == "":
		return usagef("--profile or --region is empty: give a name, or leave it out")
	case !given("stack") && (given("profile") || given("region")):
		return usagef("--profile and --region are for a deployed stack: give --stack NAME too")
	case !given("stack"):
		return nil
	}
	if err := stack.CheckName(h.stack); err != nil {
		return usagef("--stack: %w", err)
	}
	return nil
}

// access is what a store is opened for.
type access bool

const (
	toLook   access = false // also while `responder run` is at work
	toChange access = true
)

// runs are a store's runs.
type runs interface {
	responder.RunStore
	responder.RunLister
}

// graveyard is the dead letters of one queue.
type graveyard struct {
	queue string
	responder.Dead
}

// store is what a Responder keeps, wherever that is.
type store struct {
	runs    runs
	dead    []graveyard
	control control                               // what can be done to runs; of a store that is open to be changed
	caller  func(context.Context) (string, error) // who operates a stack
	halts   responder.Halts                       // which flows are halted
	told    func(error) error                     // says of a port's error what people should read
	close   func() error
}

// withStore does something with what is kept at the place that a command's
// flags name.
func (a *app) withStore(cmd *cobra.Command, h *home, to access, do func(*store) error) (err error) {
	if err := h.check(cmd); err != nil {
		return err
	}
	s, err := a.open(cmd.Context(), *h, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return do(s)
}

// open opens what is kept at a place.
func (a *app) open(ctx context.Context, h home, to access) (*store, error) {
	if h.stack != "" {
		return a.openDeployed(ctx, h)
	}
	db, err := a.openFolder(h.data, to)
	if err != nil {
		return nil, err
	}
	return &store{
		runs:    db.Runs(),
		control: dispatch.Control{Runs: db.Runs(), Findings: findingsQueue(db), Now: a.now},
		halts:   db.Halts(),
		dead:    []graveyard{{eventsName, eventsQueue(db)}, {findingsName, findingsQueue(db)}},
		told:    func(err error) error { return err },
		close:   db.Close,
	}, nil
}

func (a *app) openFolder(asked string, to access) (*sqlite.DB, error) {
	if to == toLook {
		return a.readData(asked)
	}
	folder, err := a.dataFolder(asked)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(folder, dbFile)); errors.Is(err, fs.ErrNotExist) { // another folder was meant: nothing is halted in a new one
		return nil, noData(folder)
	}
	return a.openData(folder)
}

func (a *app) openDeployed(ctx context.Context, h home) (*store, error) {
	s, err := a.openStack(ctx, h.aws, h.stack)
	if err != nil {
		return nil, err
	}
	cfg, err := a.operator(ctx, s)
	if err != nil {
		return nil, err
	}
	queues := awssqs.NewFromConfig(cfg)
	dead := func(name, url, deadURL string) graveyard {
		return graveyard{name, sqs.NewDead(sqs.NewQueue(queues, url, rand.Float64), deadURL, name, a.now)}
	}
	tables := awsdynamodb.NewFromConfig(cfg)
	runs := dynamodb.NewRuns(tables, s.RunsTable, a.now)
	return &store{
		runs:    runs,
		control: stackControl{dispatch.Control{Runs: runs, Findings: sqs.NewQueue(queues, s.FindingsQueueURL, rand.Float64), Now: a.now}, s, a.now, &http.Client{Timeout: 30 * time.Second}},
		caller:  func(ctx context.Context) (string, error) { return caller(ctx, s) },
		halts:   dynamodb.NewHalts(tables, s.CountersTable),
		dead:    []graveyard{dead(eventsName, s.EventsQueueURL, s.EventsDeadURL), dead(findingsName, s.FindingsQueueURL, s.FindingsDeadURL)},
		told:    func(err error) error { return fmt.Errorf("stack %s: %w", s.Name, stack.Explain(err)) },
		close:   func() error { return nil },
	}, nil
}
