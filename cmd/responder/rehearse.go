package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
	"github.com/skycrafters/responder/cmd/internal/wiring"
	"github.com/skycrafters/responder/detect"
	"github.com/skycrafters/responder/dispatch"
	"github.com/skycrafters/responder/internal/lang"
	"github.com/skycrafters/responder/internal/memory"
)

// rehearseOptions are the flags of `rehearse`.
type rehearseOptions struct {
	event, rule, flow, repairs string
	live                       bool
	ownRoles                   []string
	members                    memberFlags
}

func (a *app) rehearseCommand() *cobra.Command {
	var o rehearseOptions
	cmd := &cobra.Command{
		Use:   "rehearse --event FILE",
		Short: "Go through rules and flows for an event, and do nothing",
		Long: `Runs the rules over the events of a file and goes through the flows of each finding,
as a live Responder would that is told of the event just when it happened: conditions, guards, each step and
what it would do, texts as they would be sent, what people would be asked, what it takes and
what would put it back. Nothing is sent, changed or stored.

Waits pass at once; a check counts as yes; what would be asked is taken as approved, and
vetoes as not objected to. Several events are gone through in their order: cooldowns and
limits count what came before.

Without --live-reads nothing is asked of AWS or anybody else. With it, checks are asked and
repairs look at what they would touch, by the credentials of this shell; read-only ones will
do, and calls that do more than read are refused here, whatever the credentials allow.

Exit codes: 0 it was gone through, whatever guards say ("acts" in --format json tells of
each repair); 1 no rule sees anything, or the input has errors; 2 wrong use; 3 what was to be
looked at could not be.

  responder rehearse --event events/user-noncompliant.json
  responder rehearse --event event.json --live-reads --repairs live`,
		Args: args(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case o.event == "":
				return usagef("--event FILE is missing: an event to rehearse with")
			case o.repairs != "" && !slices.Contains(repairModes(), o.repairs):
				return usagef("--repairs is %s, not %q", strings.Join(repairModes(), ", "), line(o.repairs, 40))
			}
			var err error
			if a.members, err = o.members.members(); err != nil {
				return err
			}
			return a.rehearse(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.event, "event", "", "a file or folder of events; - is standard input")
	cmd.Flags().StringVar(&o.rule, "rule", "", "only this rule")
	cmd.Flags().StringVar(&o.flow, "flow", "", "only this flow")
	cmd.Flags().StringVar(&o.repairs, "repairs", "", "go through the flows as if they said so: off, dry, approve or live (default: as they do)")
	cmd.Flags().BoolVar(&o.live, "live-reads", false, "ask checks, and look at what repairs would touch; nothing changes")
	cmd.Flags().StringSliceVar(&o.ownRoles, "own-role", nil, "ARN of a role or user that Responder acts as; may be repeated")
	o.members.add(cmd)
	return cmd
}

func repairModes() []string {
	return []string{string(responder.RepairsOff), string(responder.RepairsDry), string(responder.RepairsApprove), string(responder.RepairsLive)}
}

// rehearsal is one `responder rehearse`.
type rehearsal struct {
	*app
	rehearseOptions
	definitions *wiring.Definitions
	clock       *toldClock
	stage       *dispatch.Rehearsal

	events, findings, unread, unseen int
	played, errors                   int
}

// toldClock is a clock that is told what it shows.
type toldClock struct {
	mu  sync.Mutex
	now time.Time
}

func (t *toldClock) Now() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now
}

func (t *toldClock) set(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now = now
}

func (a *app) rehearse(ctx context.Context, o rehearseOptions) error {
	definitions, err := a.load()
	if err != nil {
		return err
	}
	if err := isKnown(definitions, o.rule, o.flow); err != nil {
		return err
	}
	r := &rehearsal{app: a, rehearseOptions: o, definitions: definitions, clock: &toldClock{now: a.now()}}
	r.stage, err = dispatch.NewRehearsal(dispatch.Rehearsing{
		Config: dispatch.Config{
			Flows:     func() *dispatch.Flows { return definitions.Flows },
			Accounts:  func() map[string]map[string]any { return definitions.Rules.Accounts },
			Catalogue: actions.New(r.deps()), Runs: &memory.Runs{}, Counters: memory.NewCounters(r.clock.Now),
			OwnRoles: wiring.OwnRoles(o.ownRoles, a.members), Now: r.clock.Now,
		},
		Advance: r.clock.set, Look: o.live, As: responder.Repairs(o.repairs), Seen: a.now(),
	})
	if err != nil {
		return err
	}
	for _, event := range a.events(ctx, []string{o.event}, &r.unread) {
		r.events++
		if err := r.rehearseEvent(ctx, event); err != nil {
			return err
		}
	}
	return r.end(ctx)
}

// deps is what actions have at hand in a rehearsal: nothing that acts, even if one
// were called.
func (r *rehearsal) deps() actions.Deps {
	deps := actions.Deps{Getenv: r.getenv, Now: r.now, Version: versionText(), Members: r.app.members, Transport: noWayOut{}}
	if r.live {
		deps.AWS = actions.ReadOnlyAWS()
	}
	return deps
}

// noWayOut carries nothing: a rehearsal sends nothing.
type noWayOut struct{}

// RoundTrip implements http.RoundTripper.
func (noWayOut) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("a rehearsal sends nothing")
}

// isKnown refuses names of rules and flows that there are none of.
func isKnown(d *wiring.Definitions, rule, flow string) error {
	var rules, flows []string
	for _, info := range d.Rules.Infos() {
		rules = append(rules, info.Name)
	}
	for _, f := range d.Flows.All() {
		flows = append(flows, f.Name)
	}
	for _, named := range []struct {
		what, name string
		known      []string
	}{{"rule", rule, rules}, {"flow", flow, flows}} {
		if named.name != "" && !slices.Contains(named.known, named.name) {
			return usagef("there is no %s %q. %s", named.what, line(named.name, 60), cmp.Or(lang.Suggest(named.name, named.known), "`responder check` looks at what there is"))
		}
	}
	if i := slices.IndexFunc(d.Rules.Infos(), func(info detect.Info) bool { return info.Name == rule && info.Disabled }); i >= 0 {
		return &inputError{fmt.Errorf("the rule %s is disabled: it sees nothing", rule)}
	}
	if f, _ := d.Flows.Get(flow); flow != "" && f.Disabled {
		return &inputError{fmt.Errorf("the flow %s is disabled: it does nothing", flow)}
	}
	return nil
}

// rehearseEvent tells of an event: what rules see in it, and what flows would do.
func (r *rehearsal) rehearseEvent(ctx context.Context, event responder.Event) error {
	found, errs := r.definitions.Rules.Evaluate(event)
	for _, err := range errs {
		if r.rule == "" || err.Rule == r.rule {
			r.errors++
			fmt.Fprintln(r.stderr, "rule error:", clean(err.Error()))
		}
	}
	if r.rule != "" {
		found = slices.DeleteFunc(found, func(f responder.Finding) bool { return f.Rule != r.rule })
	}
	if len(found) == 0 {
		r.tellUnseen(event)
		return nil
	}
	for _, finding := range found {
		r.findings++
		all, err := r.stage.Rehearse(ctx, finding, r.flow)
		if err != nil {
			return err
		}
		for i := range all {
			if all[i].Run != nil {
				all[i].Guards = append(all[i].Guards, r.reach(event.Account()))
			}
		}
		if err := r.tellRehearsed(event, finding, all); err != nil {
			return err
		}
		r.played += len(all)
		for _, one := range all {
			r.unseen += unseen(one)
		}
	}
	return nil
}

// unseen is how many steps could not be looked at.
func unseen(one dispatch.Rehearsed) (n int) {
	for path, s := range one.Steps {
		if state := one.Run.Steps[path]; s.Err != nil || state.Kind == responder.Check && state.State == responder.StepFailed {
			n++
		}
	}
	return n
}

// end is how the command ends.
func (r *rehearsal) end(ctx context.Context) error {
	if err := interrupted(ctx, r.events+r.unread, "record"); err != nil {
		return err
	}
	switch {
	case r.unread > 0:
		return &inputError{fmt.Errorf("%s could not be read", damaged(r.unread))}
	case r.events == 0:
		return &inputError{errors.New("there is no event in it")}
	case r.errors > 0:
		return &inputError{fmt.Errorf("rules failed on it: %s", count(r.errors, "error"))}
	case r.findings == 0:
		return &inputError{errors.New("no rule sees anything: there is nothing to rehearse")}
	case r.flow != "" && r.played == 0:
		return &inputError{fmt.Errorf("the flow %s is not for what is found", r.flow)}
	case r.unseen > 0:
		return fmt.Errorf("%s could not be shown or looked at", count(r.unseen, "step"))
	}
	return nil
}

// why explains by which of its clauses a rule sees an event, or does not.
func (r *rehearsal) why(rule string, event responder.Event) []lang.Clause {
	trial, _ := detect.NewTrial(r.definitions.Rules, rule)
	if trial == nil {
		return nil
	}
	return trial.Explain(event)
}
