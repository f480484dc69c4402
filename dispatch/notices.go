package dispatch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/skycrafters/responder"
)

// Notices that a flow's limit leaves out are told of together. The first beyond
// the limit of a window is put off: it becomes a run of its own, stored before
// anything is left out, which waits for the window's end and then tells how many
// there were. So nothing that follows a notice in its run waits for it, and
// whoever dies meanwhile, somebody sends it.

// leftKept is how long after its window's end it is known what was left out.
const leftKept = responder.RunRetention

// window is a span of the clock in which notices of a flow are counted.
type window struct {
	flow, lane   string
	rate         responder.Rate
	since, until time.Time
}

// windowAt is the window that a moment is in. Windows of an hour begin with the
// hours of UTC, so all workers know when one ends.
func windowAt(flow, lane string, rate responder.Rate, now time.Time) window {
	since := now.UTC().Truncate(rate.Per)
	return window{flow, lane, rate, since, since.Add(rate.Per)}
}

// key names the counter of what is sent.
func (w window) key() string {
	return strings.Join([]string{"notices", w.lane, rateText(w.rate), strconv.FormatInt(w.since.Unix(), 10), w.flow}, "/")
}

// leftKey names the counter of what is left out.
func (w window) leftKey() string { return w.key() + "/left" }

// run is the id of the run that tells of what is left out.
func (w window) run() string {
	sum := sha256.Sum256([]byte(w.key()))
	return hex.EncodeToString(sum[:])[:32] + "#digest"
}

// The lanes of a flow's notices: each has the limit for itself, so that what
// somebody has to act upon is not crowded out by the rest.
const (
	laneUsual  = "usual"
	laneUndone = "undone" // of runs whose repair was held back, refused or could not be tried
)

// laneOf says with which notices one of a run is counted. limited is false of what
// always goes out: a run whose repair was tried has changed something, or
// may have, and how often that is the limits of repairs bound.
func laneOf(run *responder.Run) (lane string, limited bool) {
	lane = laneUsual
	for _, state := range run.Steps {
		if a := state.Approval; a != nil && a.Decision != "" && !a.Granted() {
			lane = laneUndone
		}
		switch {
		case state.Kind != responder.Repair || state.Dry:
		case lastTry(state) != nil:
			return "", false
		case state.State == responder.StepFailed, state.Result[guardKey] != nil:
			lane = laneUndone
		}
	}
	return lane, true
}

// noticesOf is what a flow says of its notices, nil for no limit.
func noticesOf(g *responder.Guards) *responder.Rate {
	if g == nil || g.Limits == nil {
		return nil
	}
	return g.Limits.Notices
}

// tells asks whether a notice may be sent now, and puts into the run what becomes
// of it if not. A question is always put, and so is what closes elsewhere what was
// opened there. What has been tried is counted already.
func (w *worker) tells(ctx context.Context, task Task, state *responder.StepState, flow responder.Flow, f *flight) bool {
	switch {
	case w.run.Gathers != nil:
		return w.gathers(ctx, f)
	case w.run.Warns != nil:
		w.warns(f)
		return true
	}
	rate := stricterRate(noticesOf(w.run.Flow.Guards), noticesOf(flow.Guards))
	closer, _ := f.action.(responder.Closer)
	if rate == nil || lastTry(state) != nil || f.call.Question != nil || closer != nil && closer.Closes(f.call) {
		return true
	}
	lane, limited := laneOf(w.run)
	if !limited {
		return true
	}
	timed, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	win := windowAt(w.run.Flow.Name, lane, *rate, w.now())
	sent, err := w.counted(timed, win, task.Path)
	if err == nil && !sent {
		err = w.leave(timed, win, task, state, f.call.Prefix)
	}
	switch {
	case err != nil:
		w.unasked(task.Path, fmt.Errorf("limits: %w", err))
		return false
	case sent:
		return true
	}
	w.apply(Skipped{Path: Path(task.Path), Would: w.would(task, state), Guard: GuardNotices, Why: fmt.Sprintf(
		"the flow sends %s notices; run %s tells at %s how many there were", rateText(*rate), win.run(), win.until.Format(time.RFC3339))})
	w.Held(HeldReport{Flow: w.run.Flow.Name, Action: state.Action, Guard: GuardNotices})
	w.Logger.Info().Str("run", w.run.ID).Str("flow", w.run.Flow.Name).Str("step", task.Path).Str("action", state.Action).
		Str("guard", GuardNotices).Time("told", win.until).Msg("a notice was left out")
	return false
}

// counted counts a notice as sent, unless its window is full.
func (w *worker) counted(ctx context.Context, win window, path string) (bool, error) {
	if w.Counters == nil {
		return false, errors.New("there are no counters")
	}
	_, admitted, err := w.Counters.Add(ctx, win.key(), w.run.ID+"/"+path, win.rate.N, win.until)
	return admitted, err
}

// leave counts a notice as left out. Before that it sees to it that there is a run
// which tells.
func (w *worker) leave(ctx context.Context, win window, task Task, state *responder.StepState, prefix string) error {
	if !w.told.has(win.run(), w.now()) {
		if err := w.putOff(ctx, win, task, state, prefix); err != nil {
			return err
		}
		w.told.put(win.run(), win.until)
	}
	full := win.leftKey()
	if w.told.has(full, w.now()) {
		return nil
	}
	_, admitted, err := w.Counters.Add(ctx, win.leftKey(), w.run.ID+"/"+task.Path, maxCounted+1, win.until.Add(leftKept))
	if err == nil && !admitted {
		w.told.put(full, win.until)
	}
	return err
}

// putOff makes the run that tells what is left out in a window, unless somebody
// has made it. One that no store takes is made once more, without what its notice
// was given beside addresses: then it says what the finding says.
func (w *worker) putOff(ctx context.Context, win window, task Task, state *responder.StepState, prefix string) error {
	run, err := w.gathering(win, task, state, prefix)
	if err != nil {
		return err
	}
	err = w.Runs.Create(ctx, run)
	if errors.Is(err, responder.ErrTooLarge) {
		bare := *state
		bare.Params, bare.Body = w.statics(state.Action, state.Params), nil
		if run, err = w.gathering(win, task, &bare, prefix); err == nil {
			err = w.Runs.Create(ctx, run)
		}
	}
	switch {
	case errors.Is(err, responder.ErrExists):
		return nil
	case err != nil:
		return err
	}
	w.Observe(run)
	w.Logger.Warn().Str("run", run.ID).Str("flow", win.flow).Str("lane", win.lane).Str("limit", rateText(win.rate)).Time("told", win.until).
		Msg("the flow has sent as many notices as it may: the rest is told of together")
	if err := w.ring(ctx, run.ID, run.Due, w.now()); err != nil {
		w.Logger.Warn().Err(err).Msg("not rung for; the sweep will")
	}
	return nil
}

// gathering is the run that tells of what is left out in a window, with the first
// of it as its step: rendered as it is, and waiting for the window's end.
func (w *worker) gathering(win window, task Task, state *responder.StepState, prefix string) (*responder.Run, error) {
	now := w.now()
	step := responder.Step{
		Kind: responder.StepAction, Action: state.Action, Params: state.Params, Body: state.Body, Verbatim: true,
		Retry: task.Step.Retry, Timeout: task.Step.Timeout, OnError: &responder.OnError{Policy: responder.PolicyStop},
	}
	steps := []responder.Step{step}
	digest, err := responder.Digest(steps)
	if err != nil {
		return nil, err
	}
	return &responder.Run{
		V: 1, ID: win.run(), Token: w.Token(), Mode: w.run.Mode, Finding: w.run.Finding,
		Flow:    responder.FlowSnapshot{Name: win.flow, Repairs: responder.RepairsOff, Steps: steps, Digest: digest},
		Gathers: &responder.Gathering{Run: w.run.ID, Step: task.Path, Counter: win.leftKey(), Rate: win.rate, Since: win.since, Until: win.until, Prefix: prefix},
		State:   responder.RunWaiting, Due: win.until, Created: now, Updated: now,
		Steps: map[string]*responder.StepState{child("", 0): {
			State: responder.StepWaiting, Began: now, Action: state.Action, Kind: state.Kind, Params: state.Params, Body: state.Body, Due: win.until,
		}},
	}, nil
}

// statics are the parameters of a step that the flow's author has given: where a
// notice goes.
func (w *worker) statics(action string, params map[string]any) map[string]any {
	kept := map[string]any{}
	for _, p := range w.Catalogue[action].Spec().Params {
		if value, given := params[p.Name]; given && p.Static {
			kept[p.Name] = value
		}
	}
	return kept
}

// gathers gives a notice that goes out in the place of others how many they are.
func (w *worker) gathers(ctx context.Context, f *flight) bool {
	g := w.run.Gathers
	timed, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	n, err := 0, errors.New("there are no counters")
	if w.Counters != nil { // it is counted itself, if that has not come to be
		n, _, err = w.Counters.Add(timed, g.Counter, g.Run+"/"+g.Step, maxCounted+1, g.Until.Add(leftKept))
	}
	if err != nil {
		w.unasked(f.path, fmt.Errorf("limits: %w", err))
		return false
	}
	f.call.Prefix = g.Prefix
	f.call.Left = leftText(*g, w.run.Flow.Name, n-1)
	return true
}

// leftText says how many notices were left out beside the one that tells it.
func leftText(g responder.Gathering, flow string, n int) *responder.Left {
	span := fmt.Sprintf("from %s to %s UTC, beyond %s", g.Since.UTC().Format("2006-01-02 15:04"), g.Until.UTC().Format("15:04"), rateText(g.Rate))
	left := &responder.Left{N: n, AtLeast: n >= maxCounted, Text: "put off: it was the first " + span}
	if n == 0 {
		return left
	}
	many := fmt.Sprintf("%d", n)
	if left.AtLeast {
		many = fmt.Sprintf("at least %d", n)
	}
	left.Text = fmt.Sprintf("and %s more %s: responder runs list --flow %s --since %s", many, span, shellWord(flow), g.Since.UTC().Format(time.RFC3339))
	return left
}

// bareWord is what a shell takes for one word as it stands.
var bareWord = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_./:@%+-]*$`)

// shellWord is a text as a shell takes it for one word.
func shellWord(text string) string {
	if bareWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// remembered keeps texts until a moment, to spare questions. Safe for concurrent use.
type remembered struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (r *remembered) has(text string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.until, func(_ string, until time.Time) bool { return !until.After(now) })
	_, there := r.until[text]
	return there
}

func (r *remembered) put(text string, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.until == nil {
		r.until = map[string]time.Time{}
	}
	r.until[text] = until
}
