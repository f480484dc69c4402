package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/evidence"
	"github.com/skycrafters/responder/internal/faults"
	"github.com/skycrafters/responder/internal/sqlite"
)

var (
	crashSeed   = flag.Uint64("seed", 1, "from which the moments of kills follow")
	crashRounds = flag.Int("rounds", 12, "how often the program is killed while events come in")
)

// A point at which the program kills itself, and up to which visit of it is
// worth a try: some are visited once a start.
type point struct {
	name   string
	visits int
}

// points are all the points on the way of an event, and those of a start.
func points() []point {
	var all []point
	for _, p := range []point{
		{"send to events", 8}, {"receive from events", 4}, {"send to findings", 6}, {"ack on events", 4},
		{"create run", 12}, {"receive from findings", 4}, {"save run", 40}, {"ack on findings", 4},
		{"take over", 1}, {"prune runs", 1},
	} {
		for _, stage := range []string{"begun", "written", "committed"} {
			all = append(all, point{p.name + ": " + stage, p.visits})
		}
	}
	return append(all, point{"act: begun", 30}, point{"act: answered", 30})
}

// death is how a process is to die: at a moment after its start or, as a start takes
// as long as the machine is busy, after it began to serve; or at a point, if it comes
// there by that moment.
type death struct {
	after   time.Duration
	serving bool // after it began to serve
	point   string
	visit   int
}

// at is a death at a point, at one of its first visits.
func (p point) at(dice *rand.Rand) death {
	return death{after: 1500 * time.Millisecond, serving: true, point: p.name, visit: 1 + dice.IntN(p.visits)}
}

func (d death) String() string {
	switch {
	case d.point != "":
		return fmt.Sprintf("%s#%d", d.point, d.visit)
	case d.serving:
		return fmt.Sprintf("%v after it began to serve", d.after)
	}
	return d.after.String()
}

// deaths plans the rounds: moments within a span, and every other time one while it
// serves or, where the program has points, one of these, in turn.
func deaths(seed uint64, rounds int, span time.Duration) []death {
	dice := rand.New(rand.NewPCG(seed, 0))
	all := points()
	plan := make([]death, rounds)
	for i := range plan {
		switch {
		case i%2 == 0:
			plan[i] = death{after: time.Duration(dice.Float64() * float64(span))}
		case faults.Built:
			plan[i] = all[i/2%len(all)].at(dice)
		default:
			plan[i] = death{after: time.Duration((0.5 + dice.Float64()) * float64(250*time.Millisecond)), serving: true}
		}
	}
	return plan
}

// stepsTold are the steps of the flows below, as their messages name them.
var stepsTold = []string{"one", "two", "three", "four"}

// twoFlows tells every user created to two sinks. An attempt that its process
// dies over counts as one, hence the many.
func twoFlows(c *cli) {
	c.write("rules.yml", "rules:\n  Created: {when: action == \"iam:CreateUser\", message: '{{ req.userName }}'}\n")
	flows := "flows:\n"
	for _, sink := range []string{"HONEST", "DEAF"} {
		tell := func(step string) string {
			return fmt.Sprintf("{SendSlack: {webhookURL: \"env:%s\", message: \"event {{ message }} step %s\"}, retry: {attempts: 20, backoff: 100ms, cap: 1s}}", sink, step)
		}
		flows += fmt.Sprintf("  - name: %s\n    rule: Created\n    sequential:\n      - %s\n      - parallel: [%s, %s]\n      - wait: 1s\n      - %s\n",
			strings.ToLower(sink), tell("one"), tell("two"), tell("three"), tell("four"))
	}
	c.write("flows.yml", flows)
}

// TestKilled kills the real program over and over while events come in, at
// random moments and at every point that has a name, and wants every accepted
// event to end in a run of each flow with all its steps done; once, where the
// other side honours the key.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("kills and restarts processes for some seconds")
	}
	seed, rounds := *crashSeed, *crashRounds
	honest, deaf := newSink(t, true, seed), newSink(t, false, seed)
	c := newCLI(t)
	twoFlows(c)
	sinks := []string{"HONEST=" + honest.url, "DEAF=" + deaf.url}

	starting := c.startTime()
	began := time.Now()
	var accepted []string
	reached := map[string]int{}
	for round, d := range deaths(seed, rounds, 3*starting+250*time.Millisecond) {
		events, atPoint := c.live(d, fmt.Sprintf("r%d", round), sinks)
		accepted = append(accepted, events...)
		if atPoint {
			reached[d.point]++
		}
	}
	least := 3 // under the race detector, on a busy machine, an event takes most of a life
	if faults.Built {
		least = rounds
	}
	if len(accepted) < least {
		t.Fatalf("only %d events were accepted in %d rounds", len(accepted), rounds)
	}
	killing := time.Since(began)
	v := c.launch(sinks...)
	v.served()
	c.waitForRuns(2 * len(accepted))
	v.stop()

	lost, doubled := honest.count(accepted, stepsTold)
	if doubled > 0 {
		t.Errorf("%d steps were done more than once though the other side honours the key", doubled)
	}
	more, doubledDeaf := deaf.count(accepted, stepsTold)
	if lost = append(lost, more...); len(lost) > 0 {
		t.Errorf("%d steps of accepted events were never done: %.400v", len(lost), lost)
	}
	if rounds >= 4*len(points()) && faults.Built {
		for _, p := range points() {
			if reached[p.name] == 0 {
				t.Errorf("in no round did the program die at %q", p.name)
			}
		}
	}
	if t.Failed() {
		t.Logf("to try again: -seed %d -rounds %d", seed, rounds)
	}
	t.Logf("killed for %v, then worked to the end in %v", killing.Round(time.Second), (time.Since(began) - killing).Round(time.Second))
	steps := 2 * len(stepsTold) * len(accepted)
	evidence.Report(t, "Killed at any moment", evidence.Figures{
		Load:    fmt.Sprintf("%d events, %d runs, %d steps", len(accepted), 2*len(accepted), steps),
		Faults:  fmt.Sprintf("%d kills, %d of them at %d named points", rounds, sum(reached), len(reached)),
		Lost:    len(lost),
		Doubled: fmt.Sprintf("%d where the key is honoured; %d of %d steps where it is not", doubled, doubledDeaf, steps/2),
		Seed:    seed,
	})
}

func sum(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// startTime is how long the program takes until it serves, which depends on how
// it was built.
func (c *cli) startTime(env ...string) time.Duration {
	c.t.Helper()
	began := time.Now()
	v := c.launch(env...)
	v.served()
	took := time.Since(began)
	v.kill()
	return took
}

// live lets a process live until it dies as planned, posting events all the
// while. It gives the events that were accepted, and whether the process died
// at its point.
func (c *cli) live(d death, prefix string, env []string) (accepted []string, atPoint bool) {
	c.t.Helper()
	return c.liveBeside(d, prefix, env, func(<-chan struct{}) {})
}

// liveBeside is live with something done beside, from when it serves until it is gone,
// and perhaps a little longer.
func (c *cli) liveBeside(d death, prefix string, env []string, beside func(gone <-chan struct{})) (accepted []string, atPoint bool) {
	c.t.Helper()
	if d.point != "" {
		env = append(slices.Clone(env), "RESPONDER_FAULT="+d.String())
	}
	v := c.launch(env...)
	end := time.AfterFunc(d.after, func() { _ = v.cmd.Process.Kill() }) // an error means that it is gone already
	if d.serving {
		end.Reset(overdue)
	}
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	context.AfterFunc(ctx, func() { _ = v.cmd.Process.Kill() })
	if url := v.address(ctx); url != "" {
		if d.serving && end.Stop() {
			end.Reset(d.after)
		}
		var others sync.WaitGroup
		others.Go(func() { beside(v.gone) })
		accepted = c.flood(c.doorAt(url), v.gone, prefix)
		others.Wait()
	}
	<-v.gone
	ours := end.Stop() // it died before its time
	switch {
	case v.cmd.ProcessState.ExitCode() != -1, ours && d.point == "":
		c.t.Fatalf("%s: it was to die after %v and ended with %v; it said\n%s", prefix, d, v.cmd.ProcessState, v.said())
	case strings.Contains(v.said(), "panic:"):
		c.t.Fatalf("%s: %s", prefix, v.said())
	}
	return accepted, ours
}

// flood posts events until gone, and gives those that were accepted.
func (c *cli) flood(to *door, gone <-chan struct{}, prefix string) (accepted []string) {
	defer to.client.CloseIdleConnections()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for sender := range 3 {
		wg.Go(func() {
			pace := time.NewTicker(20 * time.Millisecond)
			defer pace.Stop()
			for n := 0; ; n++ {
				name := fmt.Sprintf("%s.%d.%d", prefix, sender, n)
				if to.event(c.t, name) == 202 {
					mu.Lock()
					accepted = append(accepted, name)
					mu.Unlock()
				}
				select {
				case <-pace.C:
				case <-gone:
					return
				}
			}
		})
	}
	wg.Wait()
	return accepted
}

// waitForRuns waits until so many runs have succeeded and all is quiet.
func (c *cli) waitForRuns(n int) {
	c.t.Helper()
	db, err := sqlite.OpenReadOnly(filepath.Join(c.data, dbFile), sqlite.Options{})
	if err != nil {
		c.t.Fatal(err)
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), overdue)
	defer cancel()
	for {
		stats, err := db.Stats(ctx)
		if err != nil {
			c.t.Fatal(err)
		}
		for name, q := range stats.Queues {
			if q.Dead > 0 {
				c.t.Fatalf("%d dead letters on %s: %s", q.Dead, name, c.causes(db, name))
			}
		}
		if stats.Quiet() {
			if done := stats.Runs[responder.RunSucceeded]; done < n || len(stats.Runs) > 1 {
				c.t.Errorf("all is quiet and %d runs have succeeded, want at least %d: %v", done, n, stats.Runs)
			}
			c.noneFailed(ctx, db.Runs())
			return
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			c.t.Fatalf("not all runs ended: %+v", stats)
		}
	}
}

// noneFailed wants no step of any run to have failed, and shows those that did.
func (c *cli) noneFailed(ctx context.Context, runs *sqlite.Runs) {
	c.t.Helper()
	for q := (responder.RunQuery{Max: 1000}); ; {
		page, err := runs.List(ctx, q)
		if err != nil {
			c.t.Fatal(err)
		}
		for _, summary := range page.Runs {
			if summary.FailedSteps == 0 {
				continue
			}
			run, err := runs.Get(ctx, summary.ID)
			if err != nil {
				c.t.Fatal(err)
			}
			var story bytes.Buffer
			c.app(nil, &story, &story).tellRun(run)
			c.t.Errorf("a step failed:\n%s", &story)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return
		}
	}
}

// causes are those of the first dead letters of a queue.
func (c *cli) causes(db *sqlite.DB, queue string) string {
	letters, err := db.Queue(queue, sqlite.QueueOptions{}).List(context.Background(), 3)
	text := fmt.Sprint(err)
	for _, l := range letters {
		text += "; " + l.Cause
	}
	return text
}

// TestKilledAtFirstStart kills the first start of a data folder, at random
// moments and at the points of making it, and wants the next to serve.
func TestKilledAtFirstStart(t *testing.T) {
	if testing.Short() {
		t.Skip("kills and restarts processes for some seconds")
	}
	making := []string{"migrate: begun", "migrate: written", "migrate: committed", "set secret: begun", "set secret: written", "set secret: committed"}
	rounds := max(4, *crashRounds/10)
	dice := rand.New(rand.NewPCG(*crashSeed, 2))
	c := newCLI(t)
	twoFlows(c)
	for round := range rounds {
		c.data = filepath.Join(c.dir, fmt.Sprint("data", round))
		d := death{after: time.Duration(dice.IntN(120)) * time.Millisecond}
		if faults.Built && round%2 == 1 {
			d = point{making[round/2%len(making)], 1}.at(dice)
		}
		if _, atPoint := c.live(d, "first", nil); d.point != "" && !atPoint {
			t.Errorf("it was to die at %v and did not", d)
		}
		v := c.launch()
		if status := v.served().event(t, "second"); status != 202 {
			t.Errorf("after a first start that died at %v the second answers %d with the key of the key file", d, status)
		}
		v.kill()
		if err := os.RemoveAll(c.data); err != nil {
			t.Fatal(err)
		}
	}
	evidence.Report(t, "Killed at its first start", evidence.Figures{
		Load: "1 event after each", Faults: fmt.Sprintf("%d kills", rounds), Doubled: "–", Seed: *crashSeed,
	})
}
