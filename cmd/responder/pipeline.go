package main

import (
	"context"
	"errors"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/cmd/internal/wiring"
	"github.com/skycrafters/responder/detect"
	"github.com/skycrafters/responder/dispatch"
	"github.com/skycrafters/responder/ingest"
	"github.com/skycrafters/responder/internal/sqlite"
)

// How messages are taken from the queues: a batch is one transaction; it is
// handled within the visibility timeout, or comes again.
const (
	batchSize     = 100
	visibility    = 15 * time.Minute // more than the longest timeout of a step
	handleTimeout = visibility - 30*time.Second
	settleTimeout = 10 * time.Second
	maxReceives   = 100              // a message that ends the process ends there; one that was only in flight then must not
	maxRelease    = 15 * time.Minute // between two tries of a message
	findingPumps  = 4                // batches of findings handled at a time: a slow action holds up only its own
	sweepEvery    = 10 * time.Second // the bound on how late a run moves whose bell was lost
	pruneEvery    = time.Hour
	collectAt     = 400 // percent of what is in use, which is little: the usual 100 would collect it many times a second
)

func eventsQueue(db *sqlite.DB) *sqlite.Queue {
	return db.Queue("events", sqlite.QueueOptions{Visibility: visibility, MaxReceives: maxReceives})
}

func findingsQueue(db *sqlite.DB) *sqlite.Queue {
	return db.Queue("findings", sqlite.QueueOptions{Visibility: visibility, MaxReceives: maxReceives, Derived: true})
}

// pipeline is ingest, detect and dispatch on one embedded store.
type pipeline struct {
	db               *sqlite.DB
	events, findings *sqlite.Queue
	ingest           *ingest.Ingest
	detector         *detect.Detector
	dispatcher       *dispatch.Dispatcher
	definitions      atomic.Pointer[wiring.Definitions]
	log              zerolog.Logger
	postponed        atomic.Int64 // deliveries given back for later
}

// pipelineOptions is what a pipeline is made of.
type pipelineOptions struct {
	db          *sqlite.DB
	definitions *wiring.Definitions
	mode        responder.Mode
	skipWaits   bool
	ownRoles    []string // what they cause gets dry repairs
	observer    observer
	log         zerolog.Logger
}

// observer is told what becomes of events, as detect and dispatch tell it. It is called by many goroutines.
type observer interface {
	event(detect.Outcome)
	run(*responder.Run)
	met(finding responder.Finding, runs []string)
}

func (a *app) newPipeline(o pipelineOptions) (*pipeline, error) {
	p := &pipeline{db: o.db, events: eventsQueue(o.db), findings: findingsQueue(o.db), log: o.log}
	p.definitions.Store(o.definitions)
	secrets := o.db.Secrets()
	p.ingest = ingest.New(p.events, ingest.Keys{Secrets: secrets, Name: keySecret, Now: a.now})
	p.detector = &detect.Detector{
		Rules:    func() *detect.Rules { return p.definitions.Load().Rules },
		Findings: p.findings, Logger: o.log, Observe: o.observer.event,
	}
	var err error
	p.dispatcher, err = dispatch.New(dispatch.Config{
		Flows:     func() *dispatch.Flows { return p.definitions.Load().Flows },
		Accounts:  func() map[string]map[string]any { return p.definitions.Load().Rules.Accounts },
		Catalogue: a.catalogue(secrets), Runs: o.db.Runs(), Findings: p.findings, Counters: o.db.Counters(), Halts: o.db.Halts(),
		Mode: o.mode, SkipWaits: o.skipWaits, OwnRoles: o.ownRoles, Concurrency: 2 * batchSize, Now: a.now, Logger: o.log, Observe: o.observer.run, Repeated: o.observer.met,
	})
	return p, err
}

// takeOver takes up what an earlier process was killed over.
func (p *pipeline) takeOver(ctx context.Context) error {
	taken, err := p.db.TakeOver(ctx)
	if err != nil {
		return err
	}
	if taken != (sqlite.TakenOver{}) {
		p.log.Info().Int("messages", taken.Messages).Int("runs", taken.Runs).Msg("taken over from a process that was stopped at work")
	}
	_, err = p.dispatcher.Sweep(ctx)
	return err
}

// stage is what a pump feeds.
type stage func(context.Context, []responder.Delivery) []responder.Failure

// drain works on what is on the queues now, and on what comes of it, until
// nothing more can be received.
func (p *pipeline) drain(ctx context.Context) error {
	for {
		events, err := p.turn(ctx, p.events, p.detector.Handle, 0)
		if err != nil {
			return err
		}
		findings, err := p.turn(ctx, p.findings, p.dispatcher.Handle, 0)
		if err != nil {
			return err
		}
		if events+findings == 0 {
			return nil
		}
	}
}

// settled returns once serve has worked on all that is on the queues and is due,
// but for what is slow: it is not waited for longer than a while.
func (p *pipeline) settled(ctx context.Context) error {
	const look, most = 50 * time.Millisecond, 10 * time.Second
	for quiet := time.Duration(0); quiet < most; quiet += look {
		stats, err := p.db.Stats(ctx)
		if err != nil {
			return err
		}
		ready, flying := 0, 0
		for _, q := range stats.Queues {
			ready, flying = ready+q.Ready, flying+q.InFlight
		}
		if ready > 0 {
			quiet = 0
		} else if flying == 0 {
			return nil
		}
		if err := sleep(ctx, look); err != nil {
			return err
		}
	}
	return nil
}

// turn receives one batch, has it handled, and settles each delivery. It says
// how many were received.
func (p *pipeline) turn(ctx context.Context, queue *sqlite.Queue, handle stage, wait time.Duration) (int, error) {
	deliveries, err := queue.Receive(ctx, batchSize, wait)
	if err != nil || len(deliveries) == 0 {
		return 0, err
	}
	// What was begun is brought to an end, also when the process is to stop.
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), handleTimeout)
	defer cancel()
	failures := map[string]responder.Failure{}
	for _, f := range handle(work, deliveries) {
		failures[f.ID] = f
	}
	return len(deliveries), p.settle(ctx, queue, deliveries, failures)
}

// settle acknowledges what was handled, buries what cannot be, and gives the
// rest back for later.
func (p *pipeline) settle(ctx context.Context, queue *sqlite.Queue, deliveries []responder.Delivery, failures map[string]responder.Failure) error {
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	var done []responder.Delivery
	var errs []error
	for _, d := range deliveries {
		f, failed := failures[d.ID]
		switch {
		case !failed:
			done = append(done, d)
		case f.Dead:
			p.log.Error().Str("delivery", d.ID).Err(f.Err).Msg("dead letter")
			errs = append(errs, queue.Bury(work, d, f.Err.Error()))
		default:
			p.postponed.Add(1)
			p.log.Warn().Str("delivery", d.ID).Int("receives", d.Receives).Err(f.Err).Msg("will be tried again")
			errs = append(errs, queue.Release(work, d, min(time.Duration(d.Receives*d.Receives)*time.Second, maxRelease)))
		}
	}
	errs = append(errs, queue.Ack(work, done...))
	for i, err := range errs {
		if errors.Is(err, responder.ErrStaleReceipt) { // it comes again, and does no harm
			errs[i] = nil
		}
	}
	return errors.Join(errs...)
}

// serve keeps the pipeline going until ctx is done. A store that fails (a full
// disk) does not end it: senders get 503 meanwhile, and work goes on afterwards.
func (p *pipeline) serve(ctx context.Context) error {
	if os.Getenv("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(collectAt))
	}
	var wg sync.WaitGroup
	loop := func(what string, do func(context.Context) error) {
		wg.Go(func() {
			for pause := time.Second; ctx.Err() == nil; {
				err := do(ctx)
				if err == nil || ctx.Err() != nil {
					pause = time.Second
					continue
				}
				p.log.Error().Err(err).Str("what", what).Dur("pause", pause).Msg("will be tried again")
				if sleep(ctx, pause) != nil {
					return
				}
				pause = min(2*pause, 30*time.Second)
			}
		})
	}
	loop("detect", func(ctx context.Context) error {
		_, err := p.turn(ctx, p.events, p.detector.Handle, 20*time.Second)
		return err
	})
	for range findingPumps {
		loop("dispatch", func(ctx context.Context) error {
			_, err := p.turn(ctx, p.findings, p.dispatcher.Handle, 20*time.Second)
			return err
		})
	}
	loop("sweep", every(sweepEvery, func(ctx context.Context) error {
		_, err := p.dispatcher.Sweep(ctx)
		return err
	}))
	loop("prune", every(pruneEvery, func(ctx context.Context) error {
		_, err := p.db.Prune(ctx)
		return err
	}))
	wg.Wait()
	return nil
}

// every does something at once and then again after each pause.
func every(pause time.Duration, do func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := do(ctx); err != nil {
			return err
		}
		if err := sleep(ctx, pause); err != nil {
			return nil // the loop sees that ctx is done
		}
		return nil
	}
}
