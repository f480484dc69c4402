package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/ingest"
	"github.com/skycrafters/responder/internal/archive"
)

// defaultListen is where `run` listens and `send` sends.
const defaultListen = "127.0.0.1:8787"

// runOptions are the flags of `run`.
type runOptions struct {
	listen, data, log string
	once, live        bool
	ownRoles          []string
}

func (a *app) runCommand() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run [PATH…]",
		Short: "Run the whole pipeline in this process",
		Long: "Takes in the events of the files and folders named, tells what became of them, and goes on\nserving POST /events, reloading rules and flows on save. Dry unless --live is given: nothing is\n" +
			"sent, checks count as true, and what would be done is recorded. With --live notices are sent,\nand repairs done where a flow says `repairs: live`.\n\n  responder run events/\n  responder run --once --format json archive.jsonl.gz",
		Args: args(0, -1, "paths"),
		RunE: func(cmd *cobra.Command, paths []string) error {
			if o.once && len(paths) == 0 {
				return usagef("--once needs something to work on: name files or folders")
			}
			return a.runAll(cmd.Context(), o, paths)
		},
	}
	cmd.Flags().StringVar(&o.listen, "listen", defaultListen, "where to serve; port 0 picks a free one")
	cmd.Flags().StringVar(&o.data, "data", "", "the data folder (default: XDG state, ~/.local/state/responder)")
	cmd.Flags().StringVar(&o.log, "log-level", "warn", "what to log to stderr: debug, info, warn, error or disabled")
	cmd.Flags().BoolVar(&o.once, "once", false, "work on the paths, tell what became of them, and end; dry waits are passed over")
	cmd.Flags().BoolVar(&o.live, "live", false, "act: send notices, and repair where a flow says so")
	cmd.Flags().StringSliceVar(&o.ownRoles, "own-role", nil, "ARN of a role or user of Responder's own: what it causes is never repaired live (default: who the credentials belong to)")
	return cmd
}

func (a *app) runAll(ctx context.Context, o runOptions, paths []string) (err error) {
	definitions, err := a.load()
	if err != nil {
		return err
	}
	folder, err := a.dataFolder(o.data)
	if err != nil {
		return err
	}
	db, err := a.openData(folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	level, err := zerolog.ParseLevel(o.log)
	if err != nil || level == zerolog.NoLevel {
		return usagef("--log-level %q: there are debug, info, warn, error, disabled", o.log)
	}
	mode := responder.ModeDry
	if o.live {
		mode = responder.ModeLive
	}
	ownRoles, err := a.ownRoles(ctx, o, definitions)
	if err != nil {
		return err
	}
	if o.live {
		if err := a.warnOfReferences(ctx, definitions, db.Secrets()); err != nil {
			return err
		}
	}
	t := newTally(10 * toldEvents)
	if a.format == "json" {
		t.keep = 1 << 20
	}
	p, err := a.newPipeline(pipelineOptions{
		db: db, runs: meeting{db.Runs(), t.met}, definitions: definitions, mode: mode, skipWaits: o.once && !o.live, ownRoles: ownRoles, observer: t, log: a.logger().Level(level),
	})
	if err != nil {
		return err
	}
	if err := p.takeOver(ctx); err != nil {
		return err
	}
	if o.once {
		return a.once(ctx, p, t, mode, paths)
	}
	return a.serve(ctx, p, t, mode, o.listen, folder, paths)
}

// logger writes to stderr: for people on a terminal, as JSON lines elsewhere.
func (a *app) logger() zerolog.Logger {
	if isTerminal(a.stderr) {
		return zerolog.New(zerolog.ConsoleWriter{Out: a.stderr, NoColor: a.getenv("NO_COLOR") != ""}).With().Timestamp().Logger()
	}
	return zerolog.New(a.stderr).With().Timestamp().Logger()
}

// once works on the paths and ends.
func (a *app) once(ctx context.Context, p *pipeline, t *tally, mode responder.Mode, paths []string) error {
	s, err := a.work(ctx, p, t, paths)
	if err != nil {
		return err
	}
	if err := a.tellWork(p, t, s, mode); err != nil {
		return err
	}
	if n := p.postponed.Load(); n > 0 {
		return fmt.Errorf("%s could not be handled and are kept for another try: run again", count(int(n), "message"))
	}
	if s.Refused > 0 {
		return &inputError{fmt.Errorf("%s could not be taken", count(s.Refused, "record"))}
	}
	return nil
}

// work takes in the paths and drains the queues.
func (a *app) work(ctx context.Context, p *pipeline, t *tally, paths []string) (summary, error) {
	taken, refused, err := a.takeIn(ctx, p.events, paths, func() error { return p.drain(ctx) })
	if err == nil {
		err = p.drain(ctx)
	}
	s := t.summary()
	if stopped := interrupted(ctx, s.Events, "event"); stopped != nil {
		return summary{}, fmt.Errorf("%w of %d taken in: the others are kept for the next run", stopped, taken)
	}
	if err != nil {
		return summary{}, err
	}
	s.Refused = refused
	stats, err := p.db.Stats(ctx)
	if err != nil {
		return summary{}, err
	}
	for _, q := range stats.Queues {
		s.Dead += q.Dead
	}
	return s, nil
}

// takeIn puts the events of files on the queue, a batch a transaction, and
// calls full when many are waiting. It says how many it took in, and how many
// records were no events.
func (a *app) takeIn(ctx context.Context, queue responder.Sender, paths []string, full func() error) (taken, refused int, err error) {
	const most = 10_000
	var batch []responder.Message
	waiting := 0
	progress := a.progress("events taken in")
	defer progress.clear()
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		if err := queue.Send(ctx, batch...); err != nil {
			return fmt.Errorf("take in events: %w", err)
		}
		progress.add(len(batch))
		taken += len(batch)
		waiting += len(batch)
		batch = batch[:0]
		if waiting < most {
			return nil
		}
		waiting = 0
		return full()
	}
	for record, err := range archive.Records(ctx, paths, a.stdin) {
		var event responder.Event
		if err == nil {
			event, err = ingest.Normalise(record.Raw)
		}
		if err != nil {
			refused++
			a.tellDamage(record, err)
			continue
		}
		if batch = append(batch, responder.Message{Body: event.Raw}); len(batch) == batchSize {
			if err := flush(); err != nil {
				return taken, refused, err
			}
		}
	}
	err = ctx.Err()
	if err == nil {
		err = flush()
	}
	return taken, refused, err
}

// tellWork tells what became of the paths: stories for people, else a line a
// run and the summary.
func (a *app) tellWork(p *pipeline, t *tally, s summary, mode responder.Mode) error {
	if a.format == "text" {
		a.tellSummary(s, mode)
		a.tellStories(t, p.definitions.Load())
		return nil
	}
	for _, r := range t.latest() {
		if err := a.printJSON(runLine(r)); err != nil {
			return err
		}
	}
	return a.printJSON(s)
}

// serve works on the paths, then on what is posted.
func (a *app) serve(ctx context.Context, p *pipeline, t *tally, mode responder.Mode, listen, folder string, paths []string) error {
	made, err := ensureKey(ctx, p.db.Secrets(), folder, a.getenv("RESPONDER_API_KEY"))
	if err != nil {
		return err
	}
	server, err := ingest.Listen(listen, ingest.Handler(p.ingest, ingest.HandlerOptions{Log: p.log}), p.log)
	if err != nil {
		return fmt.Errorf("%w (--listen names another address)", err)
	}
	defer server.Close() // no harm if it served
	s, err := a.work(ctx, p, t, paths)
	if err != nil {
		return err
	}
	if len(paths) > 0 {
		if err := a.tellWork(p, t, s, mode); err != nil {
			return err
		}
	}
	t.goLive(a.live(p))
	watcher, err := a.watch(p)
	if err != nil {
		return err
	}
	defer watcher.Close()
	if err := a.tellServing(server.URL(), folder, made, mode); err != nil {
		return err
	}
	return a.all(ctx, p.serve, server.Serve, watcher.loop)
}

func (a *app) tellServing(url, folder string, made bool, mode responder.Mode) error {
	if a.format == "json" {
		return a.printJSON(map[string]string{"serving": url + "/events", "key_file": filepath.Join(folder, keyFile), "mode": string(mode)})
	}
	key := "The API key is in " + filepath.Join(folder, keyFile)
	if made {
		key = "A new API key was made; it is in " + filepath.Join(folder, keyFile)
	}
	acts := "dry: nothing is sent"
	if mode == responder.ModeLive {
		acts = "live: notices are sent, and repairs done where a flow says so"
	}
	_, err := fmt.Fprintf(a.stdout, "Next: edit %s (reloads on save) · responder try 'action == \"iam:CreateUser\"' events/\nServing %s/events (%s). %s. Ctrl-C ends it.\n",
		a.rules, url, acts, key)
	return err
}

// runJSON is the line of a run.
type runJSON struct {
	Run      string             `json:"run"`
	Rule     string             `json:"rule"`
	Flow     string             `json:"flow"`
	Severity responder.Severity `json:"severity"`
	State    responder.RunState `json:"state"`
	Failed   int                `json:"failed_steps"`
	Mode     responder.Mode     `json:"mode"`
	Message  string             `json:"message"`
	Cause    string             `json:"cause,omitempty"`
	EventID  string             `json:"event_id"`
}

func runLine(r *responder.Run) runJSON {
	line := runJSON{Run: r.ID, Rule: r.Finding.Rule, Flow: r.Flow.Name, Severity: r.Finding.Severity, State: r.State, Failed: r.FailedSteps(), Mode: r.Mode, Message: r.Finding.Message, Cause: r.Cause}
	if event, err := responder.DecodeEvent(r.Finding.Event); err == nil {
		line.EventID = eventID(event)
	}
	return line
}

// all runs functions side by side until the first ends, then stops the others.
func (a *app) all(ctx context.Context, functions ...func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, len(functions))
	var wg sync.WaitGroup
	for i, f := range functions {
		wg.Go(func() {
			defer stop()
			errs[i] = f(ctx)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
