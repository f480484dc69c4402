package simulation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// window is a span of time in which findings like its first one are suppressed.
type window struct {
	first   string // the run of its first finding
	until   time.Time
	counted []string // runs, in the order in which they were counted
}

// verdict is what the windows say of a finding, to who asked.
type verdict struct {
	suppressed bool
	number     int // among what is suppressed; 0: nobody has asked
}

// counters are the counters as one life of a worker sees them.
type counters struct{ *life }

var _ responder.Counters = counters{}

func (c counters) Add(ctx context.Context, key, member string, limit int, expires time.Time) (int, bool, error) {
	type answer struct {
		n        int
		admitted bool
	}
	add := func() (answer, error) {
		n, admitted, err := c.counts.Add(context.Background(), key, member, limit, expires)
		return answer{n, admitted}, err
	}
	name, tenure := "count "+c.nameOf(member), tenureOf(ctx)
	a, err := await(ctx, c.life, name, faults{writeFailed, writeUnknown}, func() (answer, error) {
		a, err := add()
		if err != nil {
			return a, err
		}
		c.judgeCount(tenure, member, limit, expires)
		if c.strikes(writeTwice, c.nth(name)) { // an adapter whose reply was lost asks again
			if a, err = add(); err == nil && (!a.admitted && limit > 1) {
				c.violate("a finding is counted once", "%s was not admitted again", c.nameOf(member))
			}
		}
		return a, err
	})
	return a.n, a.admitted, err
}

// like names what findings have in common by the flow that is for them; "": the
// flow has no cooldown.
func (w *world) like(e *expected) string {
	flow, _ := w.first().Get(e.flow)
	if flow.Cooldown == nil {
		return ""
	}
	value := map[string]string{"rule": e.finding.Rule, "severity": e.finding.Severity.String(), "{{ resources[0] }}": e.finding.Resources[0]}[flow.Cooldown.By[0]]
	return e.flow + "/" + value
}

// judgeCount keeps the windows as they are to be, and notes what they say of a
// finding that is counted, first where windows begin and then with those that
// were suppressed before it.
func (w *world) judgeCount(tenure, member string, limit int, expires time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.due[member]
	if e == nil || w.like(e) == "" || number(member) > 1 {
		w.broken("a cooldown is asked for findings of its flow", "%s was counted", w.nameOf(member))
		return
	}
	key, now, asking := w.like(e), time.Now(), tenure+" "+member
	if past := w.past[member]; len(past) > 0 && past[0].at.Before(now.Add(-maxFrozen)) {
		w.broken("a finding that has its run begins no window", "%s was counted, and is there since %v", w.nameOf(member), past[0].at)
	}
	flow, _ := w.first().Get(e.flow)
	if length := expires.Sub(now); length > flow.Cooldown.For+w.mostSkew() || length < flow.Cooldown.For-w.mostSkew()-maxFrozen {
		w.broken("windows are as long as the flow says", "%v, for a cooldown of %v", length, flow.Cooldown.For)
	}
	at := w.windows[key]
	if at == nil || limit == 1 && !now.Before(at.until) {
		at = &window{first: member, until: expires}
		w.windows[key] = at
	}
	if limit == 1 {
		w.verdicts[asking] = verdict{suppressed: at.first != member}
		w.everCounted(key, member)
		return
	}
	if !slices.Contains(at.counted, member) {
		at.counted = append(at.counted, member)
	}
	v := w.verdicts[asking]
	v.number = max(1, slices.Index(at.counted, member))
	w.verdicts[asking] = v
}

// maxFrozen is how long a call takes at the most, between the moment that its
// caller reads its clock and its effect, with a read before it.
const maxFrozen = 25 * time.Minute

// mostSkew is how far a clock may be off.
func (w *world) mostSkew() time.Duration {
	if w.tally[skewed] > 0 {
		return 5 * time.Minute
	}
	return 0
}

// everCounted notes a finding that was counted at all.
func (w *world) everCounted(key, member string) {
	if !slices.Contains(w.everLike[key], member) {
		w.everLike[key] = append(w.everLike[key], member)
	}
}

// judgeCooldown looks at a new run by what the windows said of its finding. The
// caller holds mu.
func (w *world) judgeCooldown(run *responder.Run, by writing, broken func(string, string, ...any)) {
	key := w.like(w.due[run.ID])
	v, asked := w.verdicts[by.tenure+" "+run.ID]
	switch {
	case key == "" && run.Suppressed == 0:
		return
	case key == "" || !asked:
		broken("a cooldown is asked for findings of its flow", "it is number %d of what is suppressed, asked for: %v", run.Suppressed, asked)
		return
	case v.suppressed != (run.Suppressed > 0):
		broken("the first finding of a window is let through, and no other", "it is number %d of what is suppressed, and the first of its window is %s", run.Suppressed, w.nameOf(w.windows[key].first))
		return
	case run.Suppressed == 0:
		return
	}
	// Who counts the copy of a finding sees those, too, that came between it and the first.
	if n := run.Suppressed; n > len(w.everLike[key])-1 || w.undisturbed() && n != v.number && (n < v.number || w.tally[findAgain] == 0) {
		broken("counts add up", "it is number %d of what is suppressed, not %d; %d findings were counted", n, v.number, len(w.everLike[key]))
	}
	if w.repairs(run) == (run.State == responder.RunSuppressed) {
		broken("suppressing a notice never suppresses a repair", "it is %s, and its flow has repairs: %v", run.State, w.repairs(run))
	}
}

// undisturbed reports whether nothing can have come between two calls of a worker
// that belong together.
func (w *world) undisturbed() bool {
	for _, k := range []kind{crashBefore, crashAfter, frozen, readFailed, writeFailed, writeUnknown, skewed} {
		if w.tally[k] > 0 {
			return false
		}
	}
	return w.plan.deadline == 0
}

// repairs reports whether a run's flow can change the world.
func (w *world) repairs(run *responder.Run) bool {
	for _, step := range newModel(run, w.broken).steps {
		if step.Kind == responder.StepRemediate || step.Action == "Mend" || step.Action == "Break" {
			return true
		}
	}
	return false
}

// judgeHush: what a cooldown keeps quiet is every notice of a run, and nothing else.
func judgeHush(run *responder.Run, step, path string, kind responder.Kind, broken func(string, string, ...any)) {
	if run.Suppressed > 0 && kind == responder.Notice && !strings.Contains(path, ".tell.") { // who decides is told, whatever else is kept quiet
		broken("a suppressed run tells nobody", "%s did, of number %d", step, run.Suppressed)
	}
}

// cooldown writes how long a flow keeps quiet, and what about.
func (a *author) cooldown(flow string) {
	if !a.chance(flow+" has a cooldown", .4) {
		return
	}
	span := a.duration(flow+" cooldown", one(a.dice, flow+" quiet", time.Minute, 5*time.Minute, time.Hour, 3*24*time.Hour))
	by := one(a.dice, flow+" alike", "rule", "rule", "severity", "severity", "{{ resources[0] }}")
	if strings.Contains(by, "{") {
		by = fmt.Sprintf("%q", by)
	}
	a.line(2, "cooldown: {for: %s, by: [%s]}", span, by)
}
