package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/emulator"
	"github.com/skycrafters/responder/internal/evidence"
	"github.com/skycrafters/responder/internal/sqlite"
)

// guardedFlow asks about every user created, repairs, and tells.
func guardedFlow(c *cli) {
	c.write("rules.yml", "rules:\n  Created: {when: action == \"iam:CreateUser\", message: '{{ req.userName }}', resources: [req.userName]}\n")
	many := "retry: {attempts: 20, backoff: 100ms, cap: 1s}"
	c.write("flows.yml", `
flows:
  - name: guarded
    rule: Created
    repairs: live
    limits: {per_hour: 10000, per_account: 10000, again: 1000}
    sequential:
      - approve: {text: "Do it for {{ message }}?", by: {cli: true}, for: 12h}
      - {InvokeLambda: {function: "`+emulator.Function+`", idempotent: true}, `+many+`}
      - {SendSlack: {webhookURL: "env:HONEST", message: "event {{ message }} step one"}, `+many+`}
`)
}

// unwanted reports whether people deny what is asked about an event.
func unwanted(name string) bool { return strings.HasSuffix(name, "3") }

// crowd is people who answer whatever is asked, over and over, until they are told that
// it is decided.
type crowd struct {
	*cli
	mu    sync.Mutex
	said  map[string]time.Time // by event: when somebody first said yes, whether it was heard or not
	asked int
	heard int
}

// command runs the program once more, beside the one that serves or without one.
func (c *cli) command(args ...string) (exit int, said string) {
	var out, errs bytes.Buffer
	exit = c.app(strings.NewReader(""), &out, &errs).run(context.Background(), c.args(args))
	return exit, out.String() + errs.String()
}

// answer answers what is asked now, until stop.
func (p *crowd) answer(stop <-chan struct{}) {
	for _, run := range p.asking() {
		select {
		case <-stop:
			return
		default:
		}
		name := run.Finding.Message
		deed := "approve"
		if unwanted(name) {
			deed = "deny"
		}
		p.mu.Lock()
		if _, again := p.said[name]; !again && deed == "approve" {
			p.said[name] = time.Now()
		}
		p.asked++
		p.mu.Unlock()
		if exit, _ := p.command("runs", deed, run.ID, "--yes", "--data", p.data); exit == exitDone {
			p.mu.Lock()
			p.heard++
			p.mu.Unlock()
		}
	}
}

// keepAnswering answers until stop.
func (p *crowd) keepAnswering(stop <-chan struct{}) {
	for {
		p.answer(stop)
		select {
		case <-stop:
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// asking gives the runs that ask something.
func (p *crowd) asking() (runs []*responder.Run) {
	db, err := sqlite.OpenReadOnly(filepath.Join(p.data, dbFile), sqlite.Options{})
	if err != nil {
		return nil // there is none yet
	}
	defer db.Close()
	page, err := db.Runs().List(p.t.Context(), responder.RunQuery{State: responder.RunAwaitingApproval, Max: 1000})
	if err != nil {
		p.t.Error(err)
		return nil
	}
	for _, r := range page.Runs {
		run, err := db.Runs().Get(p.t.Context(), r.ID)
		if err != nil && !errors.Is(err, responder.ErrNotFound) {
			p.t.Error(err)
		}
		if run != nil {
			runs = append(runs, run)
		}
	}
	return runs
}

// TestKilledWhilePeopleDecide kills the program while events come in and people answer
// and halt: whoever is told something, or is not because the program died over it,
// nothing is repaired without a yes, nor between a halt that was answered and its end.
func TestKilledWhilePeopleDecide(t *testing.T) {
	if testing.Short() {
		t.Skip("kills and restarts processes for some seconds")
	}
	rounds := max(4, *crashRounds/20)
	function, honest := emulator.NewLambda(t), newSink(t, true, *crashSeed)
	c := newCLI(t)
	guardedFlow(c)
	env := []string{"HONEST=" + honest.url}
	for name, value := range function.Env() {
		env = append(env, name+"="+value)
	}
	people := &crowd{cli: c, said: map[string]time.Time{}}
	dice := rand.New(rand.NewPCG(*crashSeed, 3))
	var accepted []string
	halts, atHalt := 0, 0
	repaired := func() (n int) {
		for _, calls := range function.Invocations() {
			n += len(calls)
		}
		return n
	}
	for round := range rounds {
		all := points()
		d := death{after: time.Duration(dice.Float64() * float64(1200*time.Millisecond)), serving: true}
		if p := all[dice.IntN(len(all))]; round%2 == 1 {
			d = p.at(dice)
		}
		halted, pause := false, time.Duration(dice.Float64()*float64(600*time.Millisecond))
		events, _ := c.liveBeside(d, fmt.Sprintf("r%d", round), env, func(gone <-chan struct{}) {
			var others sync.WaitGroup
			others.Go(func() { people.keepAnswering(gone) })
			if round%2 == 0 {
				others.Go(func() {
					select {
					case <-time.After(pause):
					case <-gone:
					}
					exit, _ := c.command("halt", "--why", "a drill", "--data", c.data)
					halted = exit == exitDone
				})
			}
			others.Wait()
		})
		accepted = append(accepted, events...)
		if !halted {
			continue
		}
		halts++
		before := repaired()
		more, _ := c.liveBeside(death{after: 700 * time.Millisecond, serving: true}, fmt.Sprintf("h%d", round), env, people.keepAnswering)
		accepted = append(accepted, more...)
		if n := repaired() - before; n > 0 {
			t.Errorf("round %d: %d repairs while everything was halted", round, n)
		}
		atHalt += len(more)
		if exit, said := c.command("resume", "--retry", "--data", c.data); exit != exitDone {
			t.Fatalf("resume: %s", said)
		}
	}
	if exit, said := c.command("resume", "--retry", "--data", c.data); exit != exitDone && !strings.Contains(said, "halted") { // of a halt that nobody heard was made
		t.Fatalf("resume: %s", said)
	}

	v := c.launch(env...)
	v.served()
	c.untilAnswered(people, len(accepted))
	v.stop()
	var wanted []string
	lost, doubled := 0, 0
	calls := function.Invocations()
	for _, name := range accepted {
		keys := map[string]bool{}
		for _, call := range calls[name] {
			keys[call.Key] = true
			if said, yes := people.said[name]; !yes || call.At.Before(said) {
				t.Errorf("%s was repaired at %v, and the first yes was at %v", name, call.At, said)
			}
		}
		if unwanted(name) {
			continue
		}
		wanted = append(wanted, name)
		switch {
		case len(keys) == 0:
			lost++
		case len(keys) > 1:
			t.Errorf("%s was repaired under the keys %v", name, keys)
		case len(calls[name]) > 1:
			doubled++
		}
	}
	told, twice := honest.count(wanted, []string{"one"})
	if lost+len(told) > 0 || twice > 0 {
		t.Errorf("%d that were approved were not repaired, %d not told of, %d told twice", lost, len(told), twice)
	}
	if len(wanted) == len(accepted) || len(accepted) < rounds {
		t.Errorf("of %d events %d were to be repaired", len(accepted), len(wanted))
	}
	evidence.Report(t, "Killed while people decide and halt", evidence.Figures{
		Load:   fmt.Sprintf("%d events, %d of them to be denied; %d answers, %d of them heard", len(accepted), len(accepted)-len(wanted), people.asked, people.heard),
		Faults: fmt.Sprintf("%d kills; %d halts that were answered, with %d events while they stood", rounds+halts, halts, atHalt),
		Lost:   lost + len(told), Doubled: fmt.Sprintf("0 where the key is honoured; %d of %d repairs where it is not", doubled, len(wanted)),
		Seed: *crashSeed,
	})
}

// untilAnswered answers until so many runs have ended, and all is quiet.
func (c *cli) untilAnswered(people *crowd, n int) {
	c.t.Helper()
	db, err := sqlite.OpenReadOnly(filepath.Join(c.data, dbFile), sqlite.Options{})
	if err != nil {
		c.t.Fatal(err)
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(c.t.Context(), overdue)
	defer cancel()
	for {
		people.answer(ctx.Done())
		stats, err := db.Stats(ctx)
		if err != nil {
			c.t.Fatal(err)
		}
		if ended := stats.Runs[responder.RunSucceeded] + stats.Runs[responder.RunStopped]; stats.Quiet() && ended >= n {
			if len(stats.Runs) > 2 {
				c.t.Errorf("the runs are %v", stats.Runs)
			}
			c.noneFailed(ctx, db.Runs())
			return
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			c.t.Fatalf("not all runs ended: %+v", stats)
		}
	}
}
