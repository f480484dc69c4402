package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/lang"
)

// job is a run to carry on.
type job struct {
	id    string
	run   *responder.Run  // as just created; nil: to be read
	event responder.Event // the run's, if it was just created
	woken bool            // by a wake, not by its finding
}

// accept makes what a message tells durable, and gives the runs to carry on.
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

// found creates the runs of a finding. One that exists is carried on.
func (d *Dispatcher) found(ctx context.Context, finding responder.Finding) ([]job, fault) {
	event, err := responder.DecodeEvent(finding.Event)
	if err != nil {
		return nil, fault{err: fmt.Errorf("finding of rule %s: %w", finding.Rule, err), dead: true}
	}
	flows := d.Flows().matching(finding.Rule)
	if len(flows) == 0 {
		return nil, fault{}
	}
	env := lang.FindingEnv(finding, event, d.Accounts())
	var jobs []job
	for _, flow := range flows {
		wanted, err := flow.wants(env)
		if err == nil && !wanted {
			continue
		}
		j, f := d.create(ctx, flow, finding, event, env, err)
		if f.err != nil {
			return jobs, f
		}
		jobs = append(jobs, j)
	}
	if slices.ContainsFunc(jobs, func(j job) bool { return j.run == nil }) {
		d.Repeated(finding)
	}
	return jobs, fault{}
}

// create stores a new run. One whose flow's condition could not be judged is
// stored as failed, so that the finding is seen. One that a cooldown suppresses
// is stored, too: each finding gives its runs.
func (d *Dispatcher) create(ctx context.Context, flow *loaded, finding responder.Finding, event responder.Event, env map[string]any, unjudged error) (job, fault) {
	now := d.now()
	run := &responder.Run{
		V:       1,
		ID:      finding.RunID(flow.Name),
		Token:   d.Token(),
		Flow:    flow.snapshot(),
		Finding: finding,
		Account: event.Account(),
		Mode:    d.Mode,
		State:   responder.RunRunning,
		Due:     now.Add(d.Lease), // if this worker dies before it has taken the lease
		Steps:   map[string]*responder.StepState{},
		Created: now,
		Updated: now,
	}
	var err error
	if run.CausedBy, err = d.origin(ctx, event, run.ID); err != nil {
		return job{}, fault{err: fmt.Errorf("run %s of flow %s: %w", run.ID, flow.Name, err)}
	}
	if flow.Timeout > 0 {
		run.Deadline = now.Add(flow.Timeout)
	}
	switch {
	case unjudged != nil:
		run = settle(run, Decision{End: responder.RunFailed, Cause: fmt.Sprintf("the flow's if: %v", unjudged)}, now)
	case flow.cooldown != nil:
		there, n, err := d.cool(ctx, flow, run.ID, env, now)
		switch {
		case err != nil:
			return job{}, fault{err: fmt.Errorf("run %s of flow %s: %w", run.ID, flow.Name, err)}
		case there:
			return job{id: run.ID}, fault{}
		case n > 0:
			run = flow.cooldown.suppress(run, n, now)
		}
	}
	err = d.Runs.Create(ctx, run)
	switch {
	case errors.Is(err, responder.ErrExists):
		return job{id: run.ID}, fault{}
	case err != nil:
		return job{}, fault{fmt.Errorf("create run %s of flow %s: %w", run.ID, flow.Name, err), errors.Is(err, responder.ErrTooLarge)}
	}
	d.Observe(run)
	d.Logger.Debug().Str("run", run.ID).Str("flow", flow.Name).Str("rule", finding.Rule).Msg("run created")
	return job{id: run.ID, run: run, event: event}, fault{}
}
