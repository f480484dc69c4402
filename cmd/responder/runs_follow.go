package main

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
)

// followEvery is how often a run that is followed is read: a data folder costs
// nothing, and of a deployed table a read of this size costs about a ten
// thousandth of a cent.
const followEvery = time.Second

// followRun shows a run, and then what changes of it until it has ended. With
// --format json it writes the run anew at each change.
func (a *app) followRun(ctx context.Context, s *store, id string) error {
	run, err := find(ctx, s, id)
	if err != nil {
		return err
	}
	if err := a.writeRun(run); err != nil {
		return err
	}
	ticks := time.NewTicker(followEvery)
	defer ticks.Stop()
	for !run.State.Ended() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("interrupted: run %s is %s", run.ID, run.State)
		case <-ticks.C:
		}
		next, err := s.runs.Get(ctx, run.ID)
		if ctx.Err() != nil {
			continue
		}
		if err != nil {
			return s.told(err)
		}
		if next.Version == run.Version {
			continue
		}
		if a.format == "json" {
			err = a.printJSON(next)
		} else {
			a.tellChange(run, next)
		}
		if err != nil {
			return err
		}
		run = next
	}
	return nil
}

// tellChange tells what is different of a run.
func (a *app) tellChange(before, after *responder.Run) {
	dispatch.Walk(after.Flow.Steps, func(path string, step *responder.Step) {
		if state := after.Steps[path]; state != nil && !reflect.DeepEqual(state, before.Steps[path]) {
			a.tellStep(after, path, step)
		}
	})
	for _, d := range after.Audit[min(len(before.Audit), len(after.Audit)):] {
		a.tellDeed(d)
	}
	if after.State != before.State {
		fmt.Fprintf(a.stdout, "%s  %s", moment(after.Updated), a.state(after.State))
		if after.Cause != "" {
			fmt.Fprintf(a.stdout, "  %s", line(after.Cause, 300))
		}
		fmt.Fprintln(a.stdout)
	}
}

// tellDeed tells what somebody did to a run.
func (a *app) tellDeed(d responder.Audit) {
	why := ""
	if d.Why != "" {
		why = ": " + line(d.Why, 200)
	}
	fmt.Fprintf(a.stdout, "  %s  %s by %s%s\n", moment(d.At), pastOf(d.What), line(d.By, 200), why)
}

// pastOf says what was done.
func pastOf(d responder.Deed) string {
	switch d {
	case responder.DeedCancel:
		return "cancelled"
	case responder.DeedRetry:
		return "retried"
	case responder.DeedAgain:
		return "run again"
	case responder.DeedApprove:
		return "approved"
	case responder.DeedDeny:
		return "denied"
	case responder.DeedUndo:
		return "undo ordered"
	}
	return string(d)
}
