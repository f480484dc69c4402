package dispatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// flight is one attempt, or one look, ready to be made.
type flight struct {
	path    string
	look    look // "" of an attempt
	action  responder.Action
	kind    responder.Kind
	call    responder.Call
	timeout time.Duration
	grace   time.Duration
}

// look says at what a flight only looks.
type look string

const (
	verifying look = "verify" // whether it was done
	surveying look = "survey" // what there is, before a try
)

// surveyFor is how long what a repair saw is true enough to act on.
const surveyFor = 5 * time.Minute

// looks says whether a task is only to look. A repair that can sees what there is
// before it is tried for the first time, and again where that is long ago.
func (w *worker) looks(task Task, state *responder.StepState) look {
	_, able := w.Catalogue[state.Action].(responder.Surveyor)
	switch {
	case task.Verb == Verify:
		return verifying
	case able && state.Kind == responder.Repair && w.unseen(state):
		return surveying
	}
	return ""
}

// unseen reports whether it is not known, or not any more, what a repair would
// touch. Of one that was tried without a look nothing that is found now says how
// it stood before.
func (w *worker) unseen(state *responder.StepState) bool {
	if state.Survey == nil {
		return lastTry(state) == nil
	}
	if a := state.Approval; a != nil && a.Granted() && a.At.After(state.Survey.At) {
		return true // while people were asked anything may have changed
	}
	return w.now().Sub(state.Survey.At) > surveyFor
}

// flight readies an attempt of a step that has begun.
func (w *worker) flight(task Task, state *responder.StepState) (flight, error) {
	action := w.Catalogue[state.Action]
	if action == nil {
		return flight{}, fmt.Errorf("there is no action %s", state.Action)
	}
	if _, ok := action.(responder.Verifier); task.Verb == Verify && !ok {
		return flight{}, unsure(fmt.Errorf("%s cannot verify", state.Action))
	}
	params, err := w.reveal(action.Spec(), state.Params)
	if err != nil {
		return flight{}, err
	}
	call := responder.Call{
		Key:     callKey(w.run, task.Path),
		Flow:    w.run.Flow.Name,
		Params:  params,
		Body:    state.Body,
		Finding: w.run.Finding,
		Account: w.scene.event.Account(),
		Region:  w.scene.event.Region(),
		Now:     w.now(),
	}
	if state.Kind == responder.Notice {
		call.Prefix, call.Question = prefix(w.run), question(w.run, task.Path)
		call.Earlier, call.Progress = earlier(w.run, task.Path, state.Action), comeTo(w.run, task.Path)
	}
	f := flight{
		path: task.Path, look: w.looks(task, state), action: action, kind: state.Kind,
		call: call, timeout: timeoutOf(task.Step, state.Kind), grace: w.grace,
	}
	if f.look == surveying {
		f.timeout = timeoutOf(task.Step, responder.Check)
	}
	return f, nil
}

// callKey names a step of a run to the other side: the same for each attempt, and
// another where the step is begun anew, which is no attempt but a deed of its own. The
// notices of a question are, each time it is asked; and what belongs to a step that is
// tried anew, once somebody has the run retried.
func callKey(run *responder.Run, path string) string {
	key := run.ID + "/" + path
	if q := question(run, path); q != nil {
		return key + "@" + q.Digest[:min(12, len(q.Digest))]
	}
	belongs := slices.ContainsFunc(strings.Split(path, "."), func(part string) bool {
		return part == branchError || part == branchDeny || part == branchTimeout
	})
	if !belongs {
		return key
	}
	n := 0
	for _, entry := range run.Audit {
		if state := run.Steps[path]; entry.What == responder.DeedRetry && state != nil && !state.Began.Before(entry.At) {
			n++
		}
	}
	if n == 0 {
		return key
	}
	return key + "@" + strconv.Itoa(n)
}

// would says what an attempt of a step would do: in the words of its action,
// else by its name.
func (w *worker) would(task Task, state *responder.StepState) string {
	return cut(w.wouldWhole(task, state), maxWould)
}

// wouldWhole says all of it.
func (w *worker) wouldWhole(task Task, state *responder.StepState) string {
	describer, ok := w.Catalogue[state.Action].(responder.Describer)
	if !ok {
		return state.Action
	}
	f, err := w.flight(task, state)
	if err != nil {
		return state.Action
	}
	return cmp.Or(cleanText(f.describe(describer)), state.Action)
}

// maxWould is the most bytes kept of what would be done.
const maxWould = 500

// describe asks the action. A panic in it says nothing.
func (f flight) describe(d responder.Describer) (text string) {
	defer func() {
		if recover() != nil {
			text = ""
		}
	}()
	return d.Describe(f.call)
}

// reveal puts addresses that stand in plain text in flows.yml in the place of
// the marks by which runs know them.
func (w *worker) reveal(spec responder.Spec, params map[string]any) (map[string]any, error) {
	revealed := maps.Clone(params)
	for _, p := range spec.Params {
		mark, _ := params[p.Name].(string)
		if !p.Secret || !strings.HasPrefix(mark, plainMark) {
			continue
		}
		text, ok := w.Flows().plain[mark]
		if !ok {
			return nil, fmt.Errorf("the %s that the run began with is not in flows.yml any more", p.Name)
		}
		revealed[p.Name] = text
	}
	return revealed, nil
}

// landing is what a call of an action came back with.
type landing struct {
	result  responder.Result
	verdict responder.Verdict
	survey  responder.Survey
	err     error
}

// fly makes the attempt and judges how it ended. It returns soon after its
// timeout, even if the action does not.
func (f flight) fly(ctx context.Context) Outcome {
	timed, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	landed := make(chan landing, 1)
	go func() { landed <- f.do(timed) }()

	var l landing
	select {
	case l = <-landed:
	case <-timed.Done():
		select {
		case l = <-landed:
		case <-time.After(f.grace):
			l.err = errors.New("the action did not return when its time was over")
		}
	}
	switch f.look {
	case verifying:
		return f.verdict(l, ctx.Err() != nil)
	case surveying:
		return f.surveyed(l, ctx.Err() != nil, timed.Err() != nil)
	}
	return f.outcome(l, ctx.Err() != nil, timed.Err() != nil)
}

// do calls the action. A panic in it is an error like any other.
func (f flight) do(ctx context.Context) (l landing) {
	defer func() {
		if r := recover(); r != nil {
			l = landing{err: fmt.Errorf("the action panicked: %v", r)}
		}
	}()
	switch f.look {
	case verifying:
		l.verdict, l.err = f.action.(responder.Verifier).Verify(ctx, f.call)
		return l
	case surveying:
		l.survey, l.err = f.action.(responder.Surveyor).Survey(ctx, f.call)
		if v, ok := f.action.(responder.Verifier); ok && l.err == nil && len(l.survey.Targets) == 0 {
			l.verdict, l.err = v.Verify(ctx, f.call)
		}
		return l
	}
	l.result, l.err = f.action.Do(ctx, f.call)
	return l
}

// verdict says what a look found. lost: the worker was told to stop meanwhile.
func (f flight) verdict(l landing, lost bool) Outcome {
	if lost && l.err != nil {
		return Tried{Path: Path(f.path), Err: fmt.Errorf("%w: %w", ErrLost, l.err)}
	}
	verdict := l.verdict
	if l.err != nil || verdict != responder.VerdictDone && verdict != responder.VerdictNotDone {
		verdict = responder.VerdictUnknown
	}
	return Verified{Path: Path(f.path), Verdict: verdict, Err: l.err}
}

// surveyed says what a look before a repair found. A look does nothing, so
// whatever is not said to be for good may be tried again. Where nothing is there,
// the action was asked, too, whether that is what it is for: a user who is gone is
// as good as deleted, a trail that is gone does not log.
func (f flight) surveyed(l landing, lost, late bool) Outcome {
	o := Surveyed{Path: Path(f.path)}
	var (
		stop      *responder.Stop
		permanent *responder.Permanent
		transient *responder.Transient
	)
	switch {
	case l.err == nil:
		o.Done = l.verdict == responder.VerdictDone
		o.Found, o.Err = boundSurvey(l.survey)
	case errors.As(l.err, &stop), errors.As(l.err, &permanent):
		o.Err = &responder.Permanent{Err: l.err}
	case lost:
		o.Err = fmt.Errorf("%w: %w", ErrLost, l.err)
	case errors.As(l.err, &transient):
		o.Err = l.err
	default:
		o.Err = &responder.Transient{Err: f.late(l.err, late)}
	}
	return o
}

// outcome classifies how an attempt ended. lost: the worker was told to stop
// meanwhile; late: the attempt's time was over.
func (f flight) outcome(l landing, lost, late bool) Outcome {
	tried := Tried{Path: Path(f.path)}
	if l.err == nil {
		tried.Result = boundResult(l.result)
		return tried
	}
	tried.Err = l.err
	var (
		stop      *responder.Stop
		permanent *responder.Permanent
		transient *responder.Transient
		unknown   *responder.Unknown
	)
	switch {
	case errors.As(l.err, &stop), errors.As(l.err, &permanent):
	case lost:
		tried.Err = fmt.Errorf("%w: %w", ErrLost, l.err)
	case errors.As(l.err, &transient):
	case f.kind == responder.Repair && errors.As(l.err, &unknown):
	case f.kind == responder.Repair:
		tried.Err = &responder.Unknown{Err: f.late(l.err, late)}
	default:
		tried.Err = &responder.Transient{Err: f.late(l.err, late)}
	}
	return tried
}

// late says so if an attempt's time was over.
func (f flight) late(err error, late bool) error {
	if late {
		return fmt.Errorf("not over after %v: %w", f.timeout, err)
	}
	return err
}
