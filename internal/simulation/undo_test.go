package simulation

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
)

// undoneBy gives the run that a run undoes, by its id; false: it is no undo.
func undoneBy(id string) (of string, ok bool) {
	at := strings.LastIndex(id, "#undo")
	if at < 0 {
		return "", false
	}
	return id[:at], true
}

// undoing reports whether a run was being undone at some time since. The caller holds mu.
func (w *world) undoing(id string, since time.Time) bool {
	return slices.ContainsFunc(w.undosOf(id), func(u *responder.Run) bool {
		return w.was(u.ID, since, func(s responder.RunState) bool { return !s.Ended() })
	})
}

// undosOf gives the runs that undo a run. The caller holds mu.
func (w *world) undosOf(id string) (undos []*responder.Run) {
	for other, r := range w.stored {
		if of, ok := undoneBy(other); ok && of == id {
			undos = append(undos, r.run)
		}
	}
	return undos
}

// recorded gives the steps of a run whose repairs were tried, and have something that
// puts them back, the last first; with what the judge has seen them find. The caller
// holds mu.
func (w *world) recorded(run *responder.Run) (paths []string, undo map[string][]responder.Binding) {
	undo, written := map[string][]responder.Binding{}, map[string]int{}
	dispatch.Walk(run.Flow.Steps, func(path string, _ *responder.Step) { written[path] = len(written) })
	for path, state := range run.Steps {
		if state.Kind != responder.Repair || state.Dry || lastTry(state) == nil || state.Survey == nil || len(state.Survey.Undo) == 0 || w.isPutBack(run, path) {
			continue
		}
		found, _ := state.Survey.Found["as"].(string)
		paths, undo[path] = append(paths, path), w.surveys[found].undo
		if d := w.latest[run.ID+"/"+path]; d != nil && d.found.name != "" {
			undo[path] = d.found.undo
		}
	}
	slices.SortFunc(paths, func(a, b string) int {
		return cmp.Or(lastTry(run.Steps[b]).Began.Compare(lastTry(run.Steps[a]).Began), written[b]-written[a])
	})
	return paths, undo
}

// isPutBack reports whether an undo has put back all of a step since it was last tried.
func (w *world) isPutBack(run *responder.Run, path string) bool {
	return slices.ContainsFunc(w.undosOf(run.ID), func(u *responder.Run) bool {
		parts := 0
		for i, of := range u.Undoes.Steps {
			if of != path {
				continue
			}
			parts++
			state := u.Steps[strconv.Itoa(i)]
			if state == nil || state.State != responder.StepSucceeded || state.Ended.Before(lastTry(run.Steps[path]).Began) {
				return false
			}
		}
		return parts > 0
	})
}

// judgeUndo looks at a new run that undoes another. The caller holds mu.
func (w *world) judgeUndo(undo *responder.Run, by writing, broken func(string, string, ...any)) bool {
	const promise = "an undo puts back what was found, once"
	of, ok := undoneBy(undo.ID)
	old := w.stored[of]
	if !ok || by.request == nil || by.request.what != responder.DeedUndo || by.request.id != of || old == nil || undo.Undoes == nil || undo.Undoes.Run != of {
		broken(promise, "nobody asked for it")
		return false
	}
	w.sights[sawUndo]++
	if !w.was(of, by.request.began, responder.RunState.Ended) {
		broken(promise, "%s is %s", w.nameOf(of), old.run.State)
	}
	for _, other := range w.undosOf(of) {
		if !w.was(other.ID, by.request.began, responder.RunState.Ended) {
			broken(promise, "%s is under way, too", w.nameOf(other.ID))
		}
	}
	if undo.Flow.Name != old.run.Flow.Name || len(undo.Steps) > 0 || undo.Finding.RunID("") != old.run.Finding.RunID("") {
		broken(promise, "it is of flow %s, with %d steps done", undo.Flow.Name, len(undo.Steps))
	}
	if old.at.After(by.request.began) || w.lastUndone(of).After(by.request.began) {
		return true // by what was so before
	}
	var steps []string
	var bindings []responder.Binding
	paths, recorded := w.recorded(old.run)
	for _, path := range paths {
		if by.request.answer.Step != "" && path != by.request.answer.Step {
			continue
		}
		for _, b := range recorded[path] {
			steps, bindings = append(steps, path), append(bindings, b)
		}
	}
	for i, step := range undo.Flow.Steps {
		if i >= len(bindings) || step.Action != bindings[i].Action || !reflect.DeepEqual(step.Params, bindings[i].Params) || !step.Verbatim {
			broken(promise, "step %d does %s %v; what is to be put back: %v", i, step.Action, step.Params, bindings)
		}
	}
	if !slices.Equal(undo.Undoes.Steps, steps) {
		broken(promise, "it puts back the steps %v, and what is to be put back are %v", undo.Undoes.Steps, steps)
	}
	return true
}

// lastUndone is when an undo of a run was last written.
func (w *world) lastUndone(of string) (at time.Time) {
	for _, u := range w.undosOf(of) {
		at = later(at, w.stored[u.ID].at)
	}
	return at
}

// putBack notes that what a repair did is put back. The caller holds mu.
func (w *world) putBack(call responder.Call) {
	const promise = "an undo puts back what was found, once"
	what, _ := call.Params["what"].(string)
	s, ok := w.surveys[tokenOf(what)]
	of, undo := undoneBy(runOf(call.Key))
	_, _, state := w.step(s.key)
	if !ok || !undo || runOf(s.key) != of || state == nil || state.Survey == nil {
		w.broken(promise, "%s puts back %q of another run, or of none", w.stepName(call.Key), what)
		return
	}
	found, _ := state.Survey.Found["as"].(string)
	d := w.deeds[s.key] // nil: it was marked, and its worker died before it called the action
	if d != nil && d.found.name != "" {
		found = d.found.name
	}
	if found != s.name {
		w.broken(promise, "%s puts back what %s found, and before it was tried first it was %s", w.stepName(call.Key), s.name, found)
	}
	if d != nil {
		d.undone = d.effects
	}
}

// stepToUndo picks a step of a run for an undo of that step alone.
func (l *life) stepToUndo(id string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	stored := l.stored[id]
	if stored == nil {
		return "0"
	}
	paths := slices.Sorted(maps.Keys(stored.run.Steps))
	paths = slices.DeleteFunc(paths, func(path string) bool { return stored.run.Steps[path].Kind != responder.Repair })
	if len(paths) == 0 {
		return "0"
	}
	return one(l.dice, l.name+" of step", paths...)
}
