package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// Reversal is a repair of a run that acted, or may have, and what became of
// putting it back.
type Reversal struct {
	Path   string
	State  *responder.StepState
	Undone string // the id of the run that has put it back; "" if none has
}

// Back are the repairs that put back what can be put back, in their order; none
// where nothing was recorded before the repair acted, or nothing can be.
func (r Reversal) Back() []responder.Binding {
	if r.State.Survey == nil {
		return nil
	}
	return r.State.Survey.Undo
}

// Undo puts back what the repairs of a run did, the last first, or one of them:
// step is its path, "" means all. It makes a run of its own under the id of the
// run with #undo, #undo2 … behind it, for the same finding. Its steps are what the
// repairs found, before they acted, to put them back.
//
// It is a person's order: neither how its flow stands, halts, limits, nor the
// event's age are asked; what is protected or denied stays untouched all the same,
// and a process that is dry does nothing. While an undo of the run is under way it
// is the one given, and so is one that has put all of it back.
func (c Control) Undo(ctx context.Context, id, step, by, why string) (*responder.Run, error) {
	run, err := c.undo(ctx, id, step, by, why)
	return run, during("undo", err)
}

func (c Control) undo(ctx context.Context, id, step, by, why string) (*responder.Run, error) {
	old, err := c.Runs.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	now := c.now()
	switch {
	case old.Undoes != nil:
		return nil, refuse("run %s is an undo itself: to have things repaired again, run %s again", id, old.Undoes.Run)
	case !old.State.Ended():
		return nil, refuse("run %s is under way: cancel it first", id)
	case old.Lease.After(now):
		return nil, refuse("an attempt of run %s may still be under way: try again after %s", id, old.Lease.UTC().Format(time.RFC3339))
	}
	entry, err := audit(responder.DeedUndo, by, reason("of run "+id, why), now)
	if err != nil {
		return nil, err
	}
	for {
		undos, err := undosOf(ctx, c.Runs, old)
		if err != nil {
			return nil, err
		}
		run, err := c.undoing(old, undos, step)
		switch {
		case err != nil:
			return nil, err
		case run.State.Ended():
			return run, c.noted(ctx, run, by, why)
		case run.ID != "": // perhaps nobody heard that it was made
			return run, errors.Join(c.noted(ctx, run, by, why), c.ring(ctx, run))
		}
		run.ID, run.Token, run.Audit = undoID(id, len(undos)+1), c.token(), []responder.Audit{entry}
		run.Due, run.Created, run.Updated = now, now, now
		switch err := c.Runs.Create(ctx, run); {
		case err == nil:
			err = c.noted(ctx, run, by, why)
			if overtaken := (*Refused)(nil); errors.As(err, &overtaken) {
				_, cancelErr := c.Cancel(ctx, run.ID, by, overtaken.Reason)
				return nil, errors.Join(err, cancelErr)
			}
			return run, errors.Join(err, c.ring(ctx, run))
		case !errors.Is(err, responder.ErrExists) || len(undos) >= maxAgain:
			return nil, err
		}
	}
}

// undoing gives the run that puts back what is asked for: one that is there, or a
// new one without an id. It is pure.
func (c Control) undoing(old *responder.Run, undos []*responder.Run, step string) (*responder.Run, error) {
	for _, u := range undos {
		switch {
		case u.State.Ended():
		case step == "" || slices.Contains(u.Undoes.Steps, step):
			return u, nil
		default:
			return nil, refuse("run %s is under way, and undoes other steps: wait for its end", u.ID)
		}
	}
	asked := reversals(old, undos)
	if step != "" {
		asked = slices.DeleteFunc(asked, func(r Reversal) bool { return r.Path != step })
	}
	run := &responder.Run{
		V: 1, Flow: responder.FlowSnapshot{Name: old.Flow.Name, Repairs: responder.RepairsLive, Guards: old.Flow.Guards},
		Finding: old.Finding, Undoes: &responder.Undoing{Run: old.ID}, Mode: responder.ModeLive,
		State: responder.RunRunning, Steps: map[string]*responder.StepState{},
	}
	undone := ""
	for _, r := range asked {
		if r.Undone != "" {
			undone = r.Undone
			continue
		}
		for _, b := range r.Back() {
			run.Flow.Steps = append(run.Flow.Steps, responder.Step{Kind: responder.StepAction, Action: b.Action, Params: b.Params, Verbatim: true})
			run.Undoes.Steps = append(run.Undoes.Steps, r.Path)
		}
	}
	if len(run.Flow.Steps) == 0 {
		if i := slices.IndexFunc(undos, func(u *responder.Run) bool { return u.ID == undone }); i >= 0 {
			return undos[i], nil
		}
		return nil, irreversible(old, asked, step)
	}
	var err error
	run.Flow.Digest, err = responder.Digest(run.Flow.Steps)
	return run, err
}

// irreversible says why there is nothing that an undo could do.
func irreversible(old *responder.Run, asked []Reversal, step string) error {
	what := "run " + old.ID
	if step != "" {
		what = "step " + step + " of " + what
	}
	if len(asked) == 0 {
		return refuse("%s has repaired nothing: there is nothing to undo", what)
	}
	var lasting []string
	for _, r := range asked {
		switch {
		case r.State.Survey == nil:
			lasting = append(lasting, fmt.Sprintf("nothing was recorded before %s acted at step %s", r.State.Action, r.Path))
		case len(r.State.Survey.Lasting) == 0:
			lasting = append(lasting, fmt.Sprintf("%s at step %s found nothing to change", r.State.Action, r.Path))
		default:
			lasting = append(lasting, r.State.Survey.Lasting...)
		}
	}
	return refuse("%s has nothing that can be put back: %s", what, strings.Join(lasting, "; "))
}

// noted notes in the run that is undone by which run it is, once. It is refused where
// somebody has had that run retried in between; whoever retries it later finds the undo.
func (c Control) noted(ctx context.Context, undo *responder.Run, by, why string) error {
	as := "by run " + undo.ID
	_, err := c.change(ctx, undo.Undoes.Run, responder.DeedUndo, by, reason(as, why), func(run *responder.Run, entry responder.Audit) (*responder.Run, error) {
		known := func(a responder.Audit) bool {
			return a.What == responder.DeedUndo && (a.Why == as || strings.HasPrefix(a.Why, as+": "))
		}
		switch {
		case !run.State.Ended() && !undo.State.Ended():
			return nil, refuse("run %s has been retried meanwhile: cancel it first", run.ID)
		case slices.ContainsFunc(run.Audit, known) || len(run.Audit) >= maxAudit:
			return nil, nil
		}
		after := run.Clone()
		after.Audit = append(after.Audit[:len(after.Audit):len(after.Audit)], entry)
		return after, nil
	})
	if err != nil {
		return fmt.Errorf("run %s is made, and it is not noted in run %s: %w", undo.ID, undo.Undoes.Run, err)
	}
	return nil
}

// reason is what an audit says beside the deed.
func reason(what, why string) string {
	if why = strings.TrimSpace(why); why != "" {
		return what + ": " + why
	}
	return what
}

// undoID is the id of the n-th run that undoes another.
func undoID(id string, n int) string {
	id += "#undo"
	if n > 1 {
		id += strconv.Itoa(n)
	}
	return id
}

// Getter reads runs, as responder.RunStore does.
type Getter interface {
	Get(ctx context.Context, id string) (*responder.Run, error)
}

// Reversals gives the repairs of a run that acted, or may have, the last first,
// and what has been put back. It reads the runs that undo it.
func Reversals(ctx context.Context, runs Getter, run *responder.Run) ([]Reversal, error) {
	undos, err := undosOf(ctx, runs, run)
	if err != nil {
		return nil, err
	}
	return reversals(run, undos), nil
}

// undosOf reads the runs that undo one, oldest first.
func undosOf(ctx context.Context, runs Getter, run *responder.Run) ([]*responder.Run, error) {
	var undos []*responder.Run
	for n := 1; n <= maxAgain; n++ {
		undo, err := runs.Get(ctx, undoID(run.ID, n))
		switch {
		case errors.Is(err, responder.ErrNotFound):
			return undos, nil
		case err != nil:
			return nil, fmt.Errorf("run %s: %w", undoID(run.ID, n), err)
		case undo.Undoes == nil || undo.Undoes.Run != run.ID:
			return nil, fmt.Errorf("run %s is there, and does not undo %s", undo.ID, run.ID)
		}
		undos = append(undos, undo)
	}
	return nil, refuse("run %s has been undone too often", run.ID)
}

// reversals gives the repairs of a run that acted, the last first. It is pure.
func reversals(run *responder.Run, undos []*responder.Run) []Reversal {
	var all []Reversal
	for path, state := range run.Steps {
		if state.Kind != responder.Repair || state.Dry || lastTry(state) == nil {
			continue
		}
		r := Reversal{Path: path, State: state}
		for _, u := range undos {
			if putBack(u, path, lastTry(state).Began) {
				r.Undone = u.ID
			}
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Reversal) int {
		if later := lastTry(b.State).Began.Compare(lastTry(a.State).Began); later != 0 {
			return later
		}
		return comparePaths(b.Path, a.Path)
	})
	return all
}

// putBack reports whether a run that undoes another has put back all of a step
// since a moment.
func putBack(undo *responder.Run, path string, since time.Time) bool {
	n := 0
	for i, of := range undo.Undoes.Steps {
		if of != path {
			continue
		}
		state := undo.Steps[child("", i)]
		if state == nil || state.State != responder.StepSucceeded || state.Dry || state.Ended.Before(since) {
			return false
		}
		n++
	}
	return n > 0
}

// comparePaths orders paths as steps are written.
func comparePaths(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(a, b string) int {
		n, errA := strconv.Atoi(a)
		m, errB := strconv.Atoi(b)
		if errA == nil && errB == nil {
			return n - m
		}
		return strings.Compare(a, b)
	})
}
