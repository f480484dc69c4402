package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/lang"
)

// Rehearsing is what a rehearsal is made with.
type Rehearsing struct {
	// Config is that of a Dispatcher, with a store and counters of the rehearsal's
	// own. Its Mode, SkipWaits, Findings and Halts are not asked.
	Config
	Advance func(to time.Time) // sets the clock that Now reads, back too: waits pass at once
	// Look has checks asked, and what repairs would touch looked at, by the actions
	// of the catalogue. Without it no action is called.
	Look bool
	As   responder.Repairs // goes through flows as if they said so; "": as they do
	Seen time.Time         // as of when the age of events is judged: now
}

// Rehearsal goes through flows as a Dispatcher that is live does, and does nothing.
// What is asked of people is answered with yes, by nobody; vetoes are not objected
// to. It is for one goroutine.
type Rehearsal struct {
	Rehearsing
	d      *Dispatcher
	calls  calls            // that its actions were given
	fences map[string]fence // of the run that is gone through, by path, as guards were asked
}

// Rehearsed is what a flow would do about a finding.
type Rehearsed struct {
	Flow     responder.Flow
	If       []lang.Clause // the flow's own condition, clause by clause; none: it has none
	Run      *responder.Run
	Met      bool // its run was there already: the event came twice
	Cooldown *Window
	Guards   []GuardReport // of the run: whether its repairs may act at all
	Steps    map[string]RehearsedStep
}

// Window is what a cooldown makes of a finding.
type Window struct {
	For    time.Duration
	By     []string // what alike findings have in common
	Values []any    // and what that is of this one
	Quiet  string   // why it is kept quiet, "" if it is not
	Err    error    // of By: then it is let through
}

// RehearsedStep is what there is to say of a step that does an action, beside its
// state in the run.
type RehearsedStep struct {
	Would   string                 // what it would do
	Needs   []responder.Permission // what that takes
	Sent    *responder.Preview     // of a notice: what it would send; nil: it is kept quiet
	Survey  *responder.Survey      // of a repair: what it would touch; nil: not looked at
	Already bool                   // of a repair that was looked at: what it is for is so already, and it would change nothing
	Guards  []GuardReport          // of a repair: what each would say
	Undo    []string               // of a repair that was looked at: what would put it back
	Inverse string                 // of a repair: the same in one sentence, by its Spec
	Err     error                  // it could not be shown, or looked at
}

// NewRehearsal gives a rehearsal. Errors as New's.
func NewRehearsal(with Rehearsing) (*Rehearsal, error) {
	r := &Rehearsal{Rehearsing: with}
	c := with.Config
	c.Mode, c.SkipWaits, c.Findings, c.Halts = responder.ModeLive, false, silent{}, nil
	if c.Catalogue != nil {
		c.Catalogue = standIns(c.Catalogue, with.Look, &r.calls)
	}
	if flows := c.Flows; flows != nil && with.As != "" {
		c.Flows = func() *Flows { return flows().as(with.As) }
	}
	var err error
	if r.d, err = New(c); err != nil {
		return nil, err
	}
	r.d.judged = r.judged
	return r, nil
}

// silent is the queue of a rehearsal: its runs are carried on without bells.
type silent struct{}

// Send implements responder.Sender.
func (silent) Send(context.Context, ...responder.Message) error { return nil }

// as gives flows whose repairs go as far as is said.
func (f *Flows) as(repairs responder.Repairs) *Flows {
	other := *f
	other.list, other.byName = make([]*loaded, len(f.list)), map[string]*loaded{}
	for i, l := range f.list {
		changed := *l
		changed.Repairs = repairs
		other.list[i], other.byName[l.Name] = &changed, &changed
	}
	return &other
}

// Rehearse goes through the enabled flows that are for a finding, or through the
// one of a name, one after the other. Each begins when the event happened. Counters stay from one finding to the next:
// cooldowns and limits are those of all that is rehearsed.
func (r *Rehearsal) Rehearse(ctx context.Context, finding responder.Finding, only string) ([]Rehearsed, error) {
	about, err := r.d.subject(finding)
	if err != nil {
		return nil, fmt.Errorf("finding of rule %s: %w", finding.Rule, err)
	}
	began, dated := about.event.Time()
	if !dated {
		began = r.Seen
	}
	var all []Rehearsed
	for _, flow := range r.d.Flows().matching(finding.Rule) {
		if only != "" && flow.Name != only {
			continue
		}
		r.Advance(began) // flows go side by side
		one, err := r.flow(ctx, flow, finding, about)
		if err != nil {
			return all, fmt.Errorf("flow %s: %w", flow.Name, err)
		}
		all = append(all, one)
	}
	return all, nil
}

// flow goes through one flow, if its condition lets it.
func (r *Rehearsal) flow(ctx context.Context, flow *loaded, finding responder.Finding, about subject) (Rehearsed, error) {
	out := Rehearsed{Flow: flow.Flow}
	if flow.condition != nil {
		out.If = flow.condition.Explain(about.env)
	}
	wanted, err := flow.wants(about.env)
	if err == nil && !wanted {
		return out, nil
	}
	j, f := r.d.create(ctx, flow, finding, about, err)
	switch {
	case f.err != nil:
		return out, f.err
	case j.run == nil:
		out.Met = true
		return out, nil
	}
	r.fences = map[string]fence{}
	r.calls.forget()
	if out.Run, err = r.play(ctx, j); err != nil {
		return out, err
	}
	out.Cooldown = flow.window(out.Run, about.env)
	out.Guards = r.d.guards.report(out.Run, flow.Flow, about.event, r.Seen)
	out.Steps, err = r.steps(ctx, out.Run, flow.Flow)
	return out, err
}

// window says what a flow's cooldown makes of a finding, nil without one.
func (l *loaded) window(run *responder.Run, env map[string]any) *Window {
	if l.cooldown == nil {
		return nil
	}
	w := &Window{For: l.Cooldown.For, By: l.Cooldown.By, Quiet: hushed(run)}
	for _, value := range l.cooldown.by {
		v, err := value(env)
		w.Values, w.Err = append(w.Values, v), errors.Join(w.Err, err)
	}
	return w
}

// play carries a new run on to its end. What is waited for comes at once.
func (r *Rehearsal) play(ctx context.Context, j job) (*responder.Run, error) {
	if err := r.d.advance(ctx, j); err != nil {
		return nil, err
	}
	for {
		run, err := r.Runs.Get(ctx, j.id)
		if err != nil || run.State.Ended() {
			return run, err
		}
		if run, err = r.approve(ctx, run); err != nil {
			return nil, err
		}
		if next := Next(run, r.d.now()); next.Until.After(r.d.now()) {
			r.Advance(next.Until)
		}
		if err := r.d.advance(ctx, job{id: j.id}); err != nil {
			return nil, err
		}
		after, err := r.Runs.Get(ctx, j.id)
		switch {
		case err != nil:
			return nil, err
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case after.Version == run.Version:
			return nil, fmt.Errorf("the run stands still, as %s", run.State)
		}
	}
}

// approve answers with yes what a run asks, in nobody's name.
func (r *Rehearsal) approve(ctx context.Context, run *responder.Run) (*responder.Run, error) {
	open := slices.DeleteFunc(Open(run), func(path string) bool { return run.Steps[path].Approval.Veto })
	if len(open) == 0 {
		return run, nil
	}
	after := run.Clone()
	for _, path := range open {
		a := *after.Steps[path].Approval
		a.Decision, a.At = responder.Approved, r.d.now()
		after.Steps[path].Approval = &a
	}
	after.Due = r.d.now()
	return after, r.d.save(ctx, after)
}
