package dispatch

import (
	"context"
	"errors"
	"fmt"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/lang"
)

// job is a run to carry on.
type job struct {
	id    string
	run   *responder.Run // new, and not stored yet; nil: to be read
	about subject        // of a new run
	woken bool           // by a wake, not by its finding
}

// subject is what a finding is about: read-only, and shared by its runs.
type subject struct {
	event responder.Event
	env   map[string]any // as lang.FindingEnv gives it
}

func (d *Dispatcher) subject(f responder.Finding) (subject, error) {
	event, err := responder.DecodeEvent(f.Event)
	if err != nil {
		return subject{}, err
	}
	return subject{event, lang.FindingEnv(f, event, d.Accounts())}, nil
}

// accept gives the runs to carry on for what a message tells.
func (d *Dispatcher) accept(ctx context.Context, body []byte) ([]job, fault) {
	bell, err := responder.DecodeBell(body)
	switch {
	case errors.Is(err, responder.ErrFutureVersion):
		return nil, fault{err: err} // a newer Dispatcher will take it
	case err != nil:
		return nil, fault{err: err, dead: true}
	case bell.Wake != "":
		return []job{{id: bell.Wake, woken: true}}, fault{}
	}
	return d.found(ctx, *bell.Finding)
}

// found gives the runs of a finding, those that exist and those that are to.
func (d *Dispatcher) found(ctx context.Context, finding responder.Finding) ([]job, fault) {
	about, err := d.subject(finding)
	if err != nil {
		return nil, fault{err: fmt.Errorf("finding of rule %s: %w", finding.Rule, err), dead: true}
	}
	flows := d.Flows().matching(finding.Rule)
	if len(flows) == 0 {
		return nil, fault{}
	}
	var jobs []job
	var met []string // ids of runs that are there
	for _, flow := range flows {
		wanted, err := flow.wants(about.env)
		if err == nil && !wanted {
			continue
		}
		j, f := d.create(ctx, flow, finding, about, err)
		if f.err != nil {
			return jobs, f
		}
		jobs = append(jobs, j)
		if j.run == nil {
			met = append(met, j.id)
		}
	}
	if len(met) > 0 {
		d.Repeated(finding, met)
	}
	return jobs, fault{}
}

// enlist stores a new run that has to wait until others have come to rest, due when
// their worker may have died: a sweep then hands it to another.
func (d *Dispatcher) enlist(ctx context.Context, j *job) error {
	if j.run == nil || j.run.State.Ended() {
		return nil
	}
	j.run.Due = d.now().Add(d.Lease)
	err := d.save(ctx, j.run)
	if errors.Is(err, responder.ErrExists) {
		d.Repeated(j.run.Finding, []string{j.id})
		j.run = nil
		return nil
	}
	return err
}

// create makes a new run, unless it is there already. It is stored for the first
// time by whoever carries it on: before anything of it leaves, and at the latest
// when it rests. One whose flow's condition could not be judged has failed, so
// that the finding is seen. One that a cooldown suppresses is made, too: each
// finding gives its runs.
//
// That it is not there yet is looked up first: what is counted for it would else
// be counted once more where an event comes again. Of two who make it at the same
// time one finds out when it is stored.
func (d *Dispatcher) create(ctx context.Context, flow *loaded, finding responder.Finding, about subject, unjudged error) (job, fault) {
	id, now := finding.RunID(flow.Name), d.now()
	failed := func(err error) (job, fault) {
		return job{}, fault{err: fmt.Errorf("run %s of flow %s: %w", id, flow.Name, err)}
	}
	switch there, err := d.exists(ctx, id); {
	case err != nil:
		return failed(err)
	case there:
		return job{id: id}, fault{}
	}
	run := &responder.Run{
		V:       1,
		ID:      id,
		Flow:    flow.snapshot(),
		Finding: finding,
		Account: about.event.Account(),
		Mode:    d.Mode,
		State:   responder.RunRunning,
		Steps:   map[string]*responder.StepState{},
		Created: now,
		Updated: now,
	}
	var err error
	if run.CausedBy, err = d.origin(ctx, about.event, id); err != nil {
		return failed(err)
	}
	if flow.Timeout > 0 {
		run.Deadline = now.Add(flow.Timeout)
	}
	switch {
	case unjudged != nil:
		run = settle(run, Decision{End: responder.RunFailed, Cause: fmt.Sprintf("the flow's if: %v", unjudged)}, now)
	case flow.cooldown != nil:
		n, err := d.suppressed(ctx, flow, id, about.env, now)
		if err != nil {
			return failed(err)
		}
		if n > 0 {
			run = flow.cooldown.suppress(run, n, now)
		}
	}
	return job{id: id, run: run, about: about}, fault{}
}
