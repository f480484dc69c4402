package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
)

// defaultListen is where `run` listens and `send` sends.
const defaultListen = "127.0.0.1:8787"

// runOptions are the flags of `run`.
type runOptions struct {
	listen, data, log string
	once, live        bool
	hosts, ownRoles   []string
	members           memberFlags
}

// memberFlags are those of the role that checks and repairs act through.
type memberFlags struct {
	role, externalID string
	accounts         []string
}

// add gives a command the flags.
func (f *memberFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.role, "member-role", "", "name of the role, the same in every account, that checks and repairs act through (default: they act as whom the credentials belong to, in that account alone)")
	cmd.Flags().StringSliceVar(&f.accounts, "member-account", nil, "an account where that role may be taken, the home account included; may be repeated")
	cmd.Flags().StringVar(&f.externalID, "external-id", "", "the external id that the role asks for")
}

// members reads the flags, all or none of which a run has.
func (f memberFlags) members() (actions.Members, error) {
	members, err := actions.ParseMembers(f.role, strings.Join(f.accounts, ","), f.externalID)
	if err != nil {
		return actions.Members{}, usagef("--member-role, --member-account, --external-id: %v", err)
	}
	return members, nil
}

// mode is dry unless --live is given.
func (o runOptions) mode() responder.Mode {
	if o.live {
		return responder.ModeLive
	}
	return responder.ModeDry
}

// running is one `responder run`.
type running struct {
	*app
	runOptions
	folder   string   // of the data
	files    snapshot // as rules and flows were when they were loaded
	pipeline *pipeline
	tally    *tally
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
			if err := o.checkAddress(); err != nil {
				return err
			}
			var err error
			if a.members, err = o.members.members(); err != nil {
				return err
			}
			return a.runAll(cmd.Context(), o, paths)
		},
	}
	cmd.Flags().StringVar(&o.listen, "listen", defaultListen, "where to serve; port 0 picks a free one")
	cmd.Flags().StringSliceVar(&o.hosts, "host", nil, "another name of this machine that requests may be for; may be repeated (default: localhost and the host of --listen)")
	cmd.Flags().StringVar(&o.data, "data", "", "the data folder (default: XDG state, ~/.local/state/responder)")
	cmd.Flags().StringVar(&o.log, "log-level", "warn", "what to log to stderr: debug, info, warn, error or disabled")
	cmd.Flags().BoolVar(&o.once, "once", false, "work on the paths, tell what became of them, and end; dry waits are passed over")
	cmd.Flags().BoolVar(&o.live, "live", false, "act: send notices, and repair where a flow says so")
	cmd.Flags().StringSliceVar(&o.ownRoles, "own-role", nil, "ARN of a role or user of Responder's own: what it causes is never repaired live (default: who the credentials belong to)")
	o.members.add(cmd)
	return cmd
}

func (a *app) runAll(ctx context.Context, o runOptions, paths []string) (err error) {
	files := a.look() // before they are loaded: what is saved meanwhile is seen
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
	ownRoles, err := a.ownRoles(ctx, o, definitions)
	if err != nil {
		return err
	}
	if o.live {
		if err := a.warnOfReferences(ctx, definitions, db.Secrets()); err != nil {
			return err
		}
	}
	r := &running{app: a, runOptions: o, folder: folder, files: files, tally: newTally(10*toldEvents, 40*toldEvents)}
	if a.format == "json" {
		r.tally = newTally(0, math.MaxInt) // a line for each run, and no stories
	}
	r.pipeline, err = a.newPipeline(pipelineOptions{
		db: db, definitions: definitions, mode: o.mode(), skipWaits: o.once && !o.live, ownRoles: ownRoles, observer: r.tally, log: a.logger().Level(level),
	})
	if err != nil {
		return err
	}
	if err := r.pipeline.takeOver(ctx); err != nil {
		return err
	}
	if o.once {
		return r.workOnce(ctx, paths)
	}
	return r.serve(ctx, paths)
}

// logger writes to stderr, a line at a time whoever logs: for people on a
// terminal, as JSON lines elsewhere.
func (a *app) logger() zerolog.Logger {
	out := zerolog.SyncWriter(a.stderr)
	if isTerminal(a.stderr) {
		return zerolog.New(zerolog.ConsoleWriter{Out: out, NoColor: a.getenv("NO_COLOR") != ""}).With().Timestamp().Logger()
	}
	return zerolog.New(out).With().Timestamp().Logger()
}

// workOnce works on the paths and ends.
func (r *running) workOnce(ctx context.Context, paths []string) error {
	s, err := r.work(ctx, paths, r.pipeline.drain)
	if err != nil {
		return err
	}
	if err := r.tellWork(s); err != nil {
		return err
	}
	if n := r.pipeline.postponed.Load(); n > 0 {
		return fmt.Errorf("what could not be handled is kept for another try, %s: run again", count(int(n), "message"))
	}
	if s.Refused > 0 {
		return &inputError{fmt.Errorf("%s could not be taken", damaged(s.Refused))}
	}
	return nil
}

// work takes in the paths and has done what they give. done returns once nothing
// is left on the queues that can be worked on now.
func (r *running) work(ctx context.Context, paths []string, done func(context.Context) error) (summary, error) {
	taken, refused, err := r.takeIn(ctx, paths, done)
	if err == nil {
		err = done(ctx)
	}
	s := r.tally.summary()
	if stopped := interrupted(ctx, s.Events, "event"); stopped != nil {
		return summary{}, fmt.Errorf("%w of %d taken in: the others are kept for the next run", stopped, taken)
	}
	if err != nil {
		return summary{}, err
	}
	s.Refused = refused
	stats, err := r.pipeline.db.Stats(ctx)
	if err != nil {
		return summary{}, err
	}
	for _, q := range stats.Queues {
		s.Dead += q.Dead
	}
	return s, nil
}

// takeIn puts the events of files on the queue, a batch a transaction, and
// has them done when many are waiting. It says how many it took in, and how many
// records were no events.
func (r *running) takeIn(ctx context.Context, paths []string, done func(context.Context) error) (taken, refused int, err error) {
	const most = 10_000
	var batch []responder.Message
	waiting := 0
	progress := r.progress("events taken in")
	defer progress.clear()
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		if err := r.pipeline.events.Send(ctx, batch...); err != nil {
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
		return done(ctx)
	}
	for _, event := range r.app.events(ctx, paths, &refused) {
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
func (r *running) tellWork(s summary) error {
	if r.format == "text" {
		r.tellSummary(s, r.mode())
		r.tellStories(r.tally, r.pipeline.definitions.Load())
		return nil
	}
	for _, run := range r.tally.latest() {
		if err := r.printJSON(runLine(run)); err != nil {
			return err
		}
	}
	return r.printJSON(s)
}

// runJSON is the line of a run.
type runJSON struct {
	Run      string             `json:"run"`
	Rule     string             `json:"rule"`
	Flow     string             `json:"flow"`
	Severity responder.Severity `json:"severity"`
	State    responder.RunState `json:"state"`
	Failed   int                `json:"failed_steps"`
	Held     int                `json:"held_back"`
	Mode     responder.Mode     `json:"mode"`
	Message  string             `json:"message"`
	Cause    string             `json:"cause,omitempty"`
	EventID  string             `json:"event_id"`
}

func runLine(r *responder.Run) runJSON {
	line := runJSON{Run: r.ID, Rule: r.Finding.Rule, Flow: r.Flow.Name, Severity: r.Finding.Severity, State: r.State, Failed: r.FailedSteps(), Held: r.HeldBack(), Mode: r.Mode, Message: r.Finding.Message, Cause: r.Cause}
	if event, err := responder.DecodeEvent(r.Finding.Event); err == nil {
		line.EventID = eventID(event)
	}
	return line
}
