package dispatch

import (
	"fmt"
	"time"

	"github.com/skycrafters/responder"
)

// scene is what stays the same while a worker carries on a run: the event,
// decoded once, what the finding says, and the compiled steps.
type scene struct {
	catalogue responder.Catalogue
	event     responder.Event
	finding   map[string]any // environment
	document  map[string]any // for the JSONPaths of the original
	script    script
}

func (d *Dispatcher) scene(run *responder.Run, about subject) (_ scene, err error) {
	if about.env == nil {
		if about, err = d.subject(run.Finding); err != nil {
			return scene{}, err
		}
	}
	script, err := d.scripts.of(run.Flow)
	if err != nil {
		return scene{}, fmt.Errorf("its steps are not understood: %w", err)
	}
	return scene{
		catalogue: d.Catalogue,
		event:     about.event,
		finding:   about.env,
		document:  originalDocument(run.Finding, about.event, run.Created),
		script:    script,
	}, nil
}

// begin judges a step's condition and resolves what resolves once: parameters,
// and the moment that a time of day means. What goes wrong fails the step.
func (s scene) begin(run *responder.Run, task Task, now time.Time, skipWaits bool) Outcome {
	path := Path(task.Path)
	begun, spec, err := s.cast(run, task)
	fail := func(err error) Outcome {
		return Unfit{Path: path, Action: begun.Action, Kind: begun.Kind, Err: err}
	}
	if err != nil {
		return fail(err)
	}
	env := stepEnv(s.finding, run, task.Path)
	yes, err := s.condition(task, env)
	switch {
	case err != nil:
		return fail(fmt.Errorf("if: %w", err))
	case task.Step.Kind == responder.StepIf && yes:
		begun.Branch = branchThen
	case task.Step.Kind == responder.StepIf:
		begun.Branch = branchElse
	case !yes:
		return Skipped{Path: path, Action: begun.Action, Kind: begun.Kind}
	case task.Step.Kind == responder.StepWait && skipWaits:
		return Skipped{Path: path, Would: waiting(task.Step), Why: "waits are passed over here"}
	case task.Step.Until != nil:
		if begun.Until, err = nextTime(*task.Step.Until, now); err != nil {
			return fail(err)
		}
	case begun.Action != "":
		if begun.Params, begun.Body, err = s.resolve(run, task, spec, env); err != nil {
			return fail(err)
		}
	}
	return begun
}

// waiting says what a wait would do.
func waiting(step *responder.Step) string {
	if step.Until != nil {
		return "wait until " + step.Until.String()
	}
	return fmt.Sprintf("wait %v", step.Wait)
}

// cast finds the action that a step does; only its name and kind are set.
func (s scene) cast(run *responder.Run, task Task) (Begun, responder.Spec, error) {
	begun := Begun{Path: Path(task.Path)}
	switch task.Step.Kind {
	case responder.StepAction:
		begun.Action = task.Step.Action
	case responder.StepCheck, responder.StepRemediate:
		binding := bound(run, task.Step)
		begun.Kind = responder.Check
		if task.Step.Kind == responder.StepRemediate {
			begun.Kind = responder.Repair
		}
		if binding == nil {
			return begun, responder.Spec{}, fmt.Errorf("the rule %s has no %s", run.Finding.Rule, task.Step.Kind)
		}
		begun.Action = binding.Action
	default:
		return begun, responder.Spec{}, nil
	}
	action := s.catalogue[begun.Action]
	if action == nil {
		return begun, responder.Spec{}, fmt.Errorf("there is no action %s", begun.Action)
	}
	spec := action.Spec()
	if begun.Kind != "" && begun.Kind != spec.Kind {
		return begun, spec, fmt.Errorf("%s is a %s: the rule %s cannot have it as its %s", begun.Action, spec.Kind, run.Finding.Rule, task.Step.Kind)
	}
	begun.Kind = spec.Kind
	return begun, spec, nil
}

// bound is what the finding's rule bound for the step, nil for none.
func bound(run *responder.Run, step *responder.Step) *responder.Binding {
	if step.Kind == responder.StepCheck {
		return run.Finding.Check
	}
	return run.Finding.Remediate
}

// condition is a step's `if`, true where there is none.
func (s scene) condition(task Task, env map[string]any) (bool, error) {
	program := s.script[task.Path].condition
	if program == nil {
		return true, nil
	}
	return program.Test(env)
}

// resolve gives a step's parameters and template body as the action gets them.
// What a rule bound was resolved with the finding, and holds event data: it is
// never rendered again; nor is what an undo was found to need, or a notice that
// was rendered when it was put off.
func (s scene) resolve(run *responder.Run, task Task, spec responder.Spec, env map[string]any) (map[string]any, any, error) {
	if task.Step.Kind != responder.StepAction {
		params, err := CheckParams(spec, bound(run, task.Step).Params)
		return params, nil, err
	}
	if task.Step.Verbatim {
		params, err := checkParams(spec, task.Step.Params, true)
		return params, task.Step.Body, err
	}
	var escape func(string) string
	if spec.Kind == responder.Notice {
		escape = spec.Escape
	}
	params, body, err := s.script[task.Path].render(env, s.document, escape)
	if err != nil {
		return nil, nil, err
	}
	params, err = CheckParams(spec, params)
	return params, body, err
}
