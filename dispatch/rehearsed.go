package dispatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/skycrafters/responder"
)

// steps says what there is to say of the steps that a run has come to.
func (r *Rehearsal) steps(ctx context.Context, run *responder.Run, flow responder.Flow) (map[string]RehearsedStep, error) {
	w, err := r.d.worker(run, subject{})
	if err != nil {
		return nil, err
	}
	all := map[string]RehearsedStep{}
	Walk(run.Flow.Steps, func(path string, step *responder.Step) {
		if state := w.run.Steps[path]; state != nil && resolved(state) {
			all[path] = r.step(ctx, w, Task{Attempt, path, step}, state, flow)
		}
	})
	return all, nil
}

// resolved reports whether a step does an action, and has come so far that it is
// known with what.
func resolved(state *responder.StepState) bool {
	switch {
	case state.Action == "":
		return false
	case state.State == responder.StepSkipped:
		return state.Result["would"] != nil // else by its own condition
	case state.State == responder.StepFailed:
		return state.Params != nil || len(state.Attempts) > 0
	}
	return true
}

func (r *Rehearsal) step(ctx context.Context, w *worker, task Task, state *responder.StepState, flow responder.Flow) RehearsedStep {
	f, err := w.flight(task, state)
	if err != nil {
		return RehearsedStep{Would: state.Action, Err: err}
	}
	call, made := r.calls.of(f.call.Key)
	if made { // with what the run had come to then
		f.call = call
	}
	f.call.Params = state.Params // addresses in plain text stay marks
	action := r.Catalogue[state.Action]
	s := RehearsedStep{Would: state.Action}
	if d, ok := action.(responder.Describer); ok {
		s.Would = cmp.Or(cleanText(f.describe(d)), state.Action)
	}
	s.Needs = action.Spec().Permissions
	if n, ok := action.(responder.Narrower); ok {
		s.Needs = n.Needs(f.call)
	}
	switch {
	case state.Kind == responder.Notice && made:
		s.Sent, s.Err = sent(action, f.call)
	case state.Kind == responder.Repair:
		s.Inverse = action.Spec().Inverse
		r.repair(ctx, w, task, state, flow, f, &s)
	}
	return s
}

// sent is what a notice would have sent, as it was called.
func sent(action responder.Action, call responder.Call) (*responder.Preview, error) {
	previewer, ok := action.(responder.Previewer)
	if !ok {
		return nil, fmt.Errorf("%s does not show what it would send", action.Spec().Name)
	}
	preview, err := previewer.Preview(call)
	if err != nil {
		return nil, err
	}
	return &preview, nil
}

// repair says what a repair would touch and what guards would say. One that was not
// to act is looked at all the same: for whoever is about to arm it.
func (r *Rehearsal) repair(ctx context.Context, w *worker, task Task, state *responder.StepState, flow responder.Flow, f flight, s *RehearsedStep) {
	_, sees := f.action.(responder.Surveyor)
	if looked := surveys(state) > 0; state.Survey == nil && looked {
		s.Err = errors.New(state.Error)
		return
	}
	if state.Survey == nil && sees {
		f.look, f.timeout = surveying, timeoutOf(task.Step, responder.Check)
		o, _ := f.fly(ctx).(Surveyed)
		if o.Err != nil {
			s.Err = fmt.Errorf("it could not be seen what there is: %w", o.Err)
			return
		}
		state.Survey = o.Found
	}
	if s.Survey = state.Survey; s.Survey != nil {
		for _, b := range s.Survey.Undo {
			back := &responder.StepState{Action: b.Action, Kind: responder.Repair, Params: b.Params}
			s.Undo = append(s.Undo, w.wouldWhole(task, back))
		}
		if len(s.Survey.Targets) == 0 {
			return // nothing to guard
		}
		if r.Look {
			f.look, f.timeout = verifying, timeoutOf(task.Step, responder.Check)
			verified, _ := f.fly(ctx).(Verified)
			s.Already = verified.Err == nil && verified.Verdict == responder.VerdictDone
		}
	}
	h := held{}
	around, asked := r.fences[task.Path]
	if guard, _ := state.Result[guardKey].(string); guard != "" {
		h.guard = guard
		h.why, _ = state.Result["why"].(string)
	}
	if !asked {
		around = w.fence(task, flow)
		if h, s.Err = r.d.ask(ctx, r.judged(around)); s.Err != nil {
			return
		}
	}
	s.Guards = around.report(h, r.unseen(around))
}

// judged has guards judge what they can: where it was not looked at what a repair
// would touch, they are asked what they can say all the same.
func (r *Rehearsal) judged(f fence) fence {
	r.fences[f.path] = f
	if r.unseen(f) {
		return f.blind()
	}
	return f
}

// unseen reports whether a repair that could look did not.
func (r *Rehearsal) unseen(f fence) bool {
	_, able := r.Catalogue[f.run.Steps[f.path].Action].(responder.Surveyor)
	return f.survey == nil && able
}
