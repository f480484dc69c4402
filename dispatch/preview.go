package dispatch

import (
	"fmt"
	"slices"
	"time"

	"github.com/skycrafters/responder"
)

// Previewed is a notice of a flow as it would be sent, or why it could not be.
type Previewed struct {
	Path, Action string
	If           string // the step's own condition, which is not judged; "" for none
	responder.Preview
	Err error
}

// Previewing is what a preview is made with.
type Previewing struct {
	Flows     *Flows
	Accounts  map[string]map[string]any // as Config.Accounts
	Catalogue responder.Catalogue
	Now       time.Time
}

// Notices gives what each notice of a flow would send for a finding, in the order
// in which they are written. All branches are gone through, as if the steps before
// had done well and given nothing; repairs are done if the flow is live, else
// recorded; questions are put with the digest left out. Nothing is sent or looked
// up. It is pure.
func (p Previewing) Notices(flow responder.Flow, finding responder.Finding) ([]Previewed, error) {
	digest, err := responder.Digest(flow.Steps)
	if err != nil {
		return nil, err
	}
	run := &responder.Run{
		ID: finding.RunID(flow.Name), Flow: responder.FlowSnapshot{Name: flow.Name, Repairs: flow.Repairs, Steps: flow.Steps, Digest: digest},
		Finding: finding, Mode: responder.ModeLive, State: responder.RunRunning, Steps: map[string]*responder.StepState{}, Created: p.Now, Updated: p.Now,
	}
	d := &Dispatcher{Config: Config{
		Flows: func() *Flows { return p.Flows }, Accounts: func() map[string]map[string]any { return p.Accounts },
		Catalogue: p.Catalogue, Now: func() time.Time { return p.Now },
	}}
	w, err := d.worker(run, subject{})
	if err != nil {
		return nil, err
	}
	var all []Previewed
	Walk(flow.Steps, func(path string, step *responder.Step) {
		begun, _, err := w.scene.cast(w.run, Task{Begin, path, step})
		state := &responder.StepState{State: responder.StepSucceeded, Action: begun.Action, Kind: begun.Kind}
		w.run.Steps[path] = state
		if step.Ask != nil {
			state.Approval = w.imagined(path, step)
		}
		switch begun.Kind {
		case responder.Repair:
			state.Dry = flow.Repairs != responder.RepairsLive && flow.Repairs != responder.RepairsApprove
		case responder.Notice:
			if asking, ok := told(path); ok && anew(flow, asking) {
				return
			}
			notice := Previewed{Path: path, Action: begun.Action, If: step.If, Err: err}
			if err == nil {
				notice.Preview, notice.Err = w.preview(Task{Attempt, path, step}, state)
			}
			all = append(all, notice)
		}
	})
	return all, nil
}

// anew reports whether the question of a step is asked only where what was decided
// at another does not count any more.
func anew(flow responder.Flow, path string) bool {
	return slices.ContainsFunc(governing(flow.Steps, path), func(q string) bool {
		return flow.Repairs == responder.RepairsLive || locate(flow.Steps, q).Kind == responder.StepApprove
	})
}

// imagined is the question of a step as it would be asked, but for its digest.
func (w *worker) imagined(path string, step *responder.Step) *responder.Approval {
	a := &responder.Approval{Veto: step.Kind == responder.StepVeto, Until: w.now().Add(step.Ask.For), Digest: "0"}
	task := Task{Begin, path, step}
	if step.Kind == responder.StepApprove || step.Kind == responder.StepVeto {
		a.Plan = w.plan(path)
		var err error
		if a.Text, err = w.scene.asks(w.run, task); err != nil {
			a.Text = cleanText(err.Error())
		}
		return a
	}
	// A repair that asks for itself.
	begun, spec, err := w.scene.cast(w.run, task)
	if err != nil || begun.Kind != responder.Repair {
		return nil
	}
	own := w.planned(path, begun.Action, nil)
	own.Params, _, err = w.scene.resolve(w.run, task, spec, stepEnv(w.scene.finding, w.run, path))
	if err != nil {
		own.Would, own.Unknown = begun.Action, cleanText(err.Error())
	} else {
		own.Would = w.would(task, &responder.StepState{Action: own.Action, Kind: begun.Kind, Params: own.Params})
	}
	own.Would = w.there(own.Would)
	a.Plan = []responder.Planned{own}
	a.Text = askText(w.run, own)
	return a
}

// preview renders a notice and has its action show it.
func (w *worker) preview(task Task, state *responder.StepState) (responder.Preview, error) {
	previewer, ok := w.Catalogue[state.Action].(responder.Previewer)
	if !ok {
		return responder.Preview{}, fmt.Errorf("%s does not show what it would send", state.Action)
	}
	var err error
	spec := w.Catalogue[state.Action].Spec()
	if state.Params, state.Body, err = w.scene.resolve(w.run, task, spec, stepEnv(w.scene.finding, w.run, task.Path)); err != nil {
		return responder.Preview{}, err
	}
	f, err := w.flight(task, state)
	if err != nil {
		return responder.Preview{}, err
	}
	f.call.Params = state.Params // addresses in plain text stay marks
	return previewer.Preview(f.call)
}
