package dispatch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// A repair may make what its rule looks for, and each time another thing: an
// instance that is terminated, another that is started in its place. No count by
// thing sees that; what ends it is a limit of an hour. Nobody can tell it from many
// findings, or from an attack, so the flow goes on in the next hour, and people are
// told: by a run of its own, stored before anything is held back.

// alarming reports whether people are told where a guard holds a repair back.
func alarming(guard string) bool {
	return guard == GuardPerHour || guard == GuardPerAccount || guard == GuardBreaker
}

// warningID is the id of the run that tells, in an hour of the clock, that a guard
// keeps a flow from repairing.
func warningID(flow, guard string, since time.Time) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{"warning", guard, strconv.FormatInt(since.Unix(), 10), flow}, "/")))
	return hex.EncodeToString(sum[:])[:32] + "#warning"
}

// warn makes the run that tells why a repair is held back, unless somebody has made
// it in this hour.
func (w *worker) warn(ctx context.Context, task Task, state *responder.StepState, h held) error {
	now := w.now()
	since := now.Truncate(time.Hour)
	id := warningID(w.run.Flow.Name, h.guard, since)
	if !alarming(h.guard) || w.told.has(id, now) {
		return nil
	}
	run, err := w.warning(id, task.Path, responder.Warning{
		Run: w.run.ID, Step: task.Path, Action: state.Action, Guard: h.guard, Why: h.why, Touched: h.touched, Halts: h.halts, Since: since,
	})
	if err != nil {
		return err
	}
	err = w.Runs.Create(ctx, run)
	if err != nil && !errors.Is(err, responder.ErrExists) {
		return err
	}
	w.told.put(id, since.Add(time.Hour))
	if err != nil {
		return nil
	}
	w.Observe(run)
	if err := w.ring(ctx, run.ID, run.Due, now); err != nil {
		w.Logger.Warn().Err(err).Msg("not rung for; the sweep will")
	}
	return nil
}

// warning is the run that tells: by the notices of the on_error that the repair, or
// a group around it, has, else by the first of the flow. Of what their author wrote
// only where they go to is kept, for they would tell of something else: they say
// what the finding says.
func (w *worker) warning(id, path string, of responder.Warning) (*responder.Run, error) {
	now := w.now()
	steps := w.announcing(w.run.Flow.Steps, path)
	if len(steps) > 1 {
		steps = []responder.Step{{Kind: responder.StepParallel, Steps: steps}}
	}
	digest, err := responder.Digest(steps)
	if err != nil {
		return nil, err
	}
	return &responder.Run{
		V: 1, ID: id, Token: w.Token(), Mode: w.run.Mode, Finding: w.run.Finding,
		Flow:  responder.FlowSnapshot{Name: w.run.Flow.Name, Repairs: responder.RepairsOff, Steps: steps, Digest: digest},
		Warns: &of, State: responder.RunRunning, Due: now, Steps: map[string]*responder.StepState{}, Created: now, Updated: now,
	}, nil
}

// announcing gives the steps by which a flow warns of the repair at a path, each
// with nothing but where it goes to.
func (w *worker) announcing(steps []responder.Step, path string) []responder.Step {
	for path != "" {
		if step := locate(steps, path); step != nil && step.OnError != nil {
			if found := w.notices(step.OnError.Steps); len(found) > 0 {
				return found
			}
		}
		l, _, _ := within(steps, path)
		if path = ""; l.path != "" {
			path = owner(l.path)
		}
	}
	all := w.notices(steps)
	return all[:min(1, len(all))]
}

// notices gives the notices of a list of steps, bare, each once.
func (w *worker) notices(steps []responder.Step) (found []responder.Step) {
	Walk(steps, func(_ string, step *responder.Step) {
		action := w.Catalogue[step.Action]
		if step.Kind != responder.StepAction || action == nil || action.Spec().Kind != responder.Notice {
			return
		}
		bare := responder.Step{
			Kind: responder.StepAction, Action: step.Action, Params: w.statics(step.Action, step.Params), Verbatim: true,
			Retry: step.Retry, Timeout: step.Timeout, OnError: &responder.OnError{Policy: responder.PolicyStop},
		}
		closer, _ := action.(responder.Closer)
		if closer != nil && closer.Closes(responder.Call{Params: bare.Params}) {
			return
		}
		if _, err := checkParams(action.Spec(), bare.Params, true); err != nil {
			return
		}
		if !slices.ContainsFunc(found, func(other responder.Step) bool {
			return other.Action == bare.Action && reflect.DeepEqual(other.Params, bare.Params)
		}) {
			found = append(found, bare)
		}
	})
	return found
}

// warningPrefix goes before what a warning says.
const warningPrefix = "[REPAIRS STOPPED] "

// warns gives a notice of a run that warns what it warns of.
func (w *worker) warns(f *flight) {
	f.call.Prefix = warningPrefix
	f.call.Left = &responder.Left{Guard: w.run.Warns.Guard, Text: warningText(*w.run.Warns, w.run.Flow.Name)}
}

// warningText says what was stopped, by what, and what to do.
func warningText(of responder.Warning, flow string) string {
	text := fmt.Sprintf("%s is held back by %s: %s.", of.Action, of.Guard, strings.TrimSuffix(of.Why, "."))
	if of.Touched > 0 {
		text += fmt.Sprintf(" By then it had touched %s or more.", countThings(of.Touched))
	}
	name, since := shellWord(flow), of.Since.UTC().Format(time.RFC3339)
	if of.Halts {
		text += fmt.Sprintf(" The flow %s is halted: it repairs nothing until somebody says responder resume --flow %s --retry.", flow, name)
	} else {
		text += fmt.Sprintf(" What comes next may be held back, too. If the flow %s is what triggers itself: responder halt --flow %s --why TEXT.", flow, name)
	}
	return text + fmt.Sprintf(" Its runs: responder runs list --flow %s --since %s; this one first: responder runs show %s", name, since, of.Run)
}

// alarm says loudly what a run warns of, once, as it is taken up for the first
// time: whoever dies over that, the next says it.
func (w *worker) alarm() {
	if w.run.Warns == nil || w.run.Resumed > 1 {
		return
	}
	of := w.run.Warns
	w.Warned(*of)
	w.Logger.Error().Str("flow", w.run.Flow.Name).Str("run", of.Run).Str("step", of.Step).Str("action", of.Action).
		Str("guard", of.Guard).Str("why", of.Why).Int("touched", of.Touched).Msg("a guard keeps the flow from repairing")
}
