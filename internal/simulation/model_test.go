package simulation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/skycrafters/responder"
)

// model says again, apart from the engine and in its own words, how far a run
// has come, and what it may have reached.
type model struct {
	run     *responder.Run
	guarded bool
	named   map[string]string          // paths, by the names of steps
	steps   map[string]*responder.Step // by path
	broken  func(promise, format string, args ...any)
}

// standing is how far steps have come.
type standing int

const (
	open standing = iota
	done
	stopped
	failed
)

// end is how far steps have come, and whether that is worth something where one
// branch of several is enough.
type end struct {
	standing
	well   bool // done, and neither failed nor left out
	failed bool // done, though it has failed: its flow goes on
}

// newModel looks at a run.
func newModel(run *responder.Run, broken func(promise, format string, args ...any)) *model {
	m := &model{run: run, named: map[string]string{}, steps: map[string]*responder.Step{}, broken: broken}
	m.name("", run.Flow.Steps)
	return m
}

func (m *model) name(prefix string, steps []responder.Step) {
	for i := range steps {
		s, path := &steps[i], fmt.Sprintf("%s%d", prefix, i)
		m.named[s.As], m.steps[path] = path, s
		if s.Kind == responder.StepIf {
			m.name(path+".then.", s.Steps)
		} else {
			m.name(path+".", s.Steps)
		}
		m.name(path+".else.", s.Else)
		if s.OnError != nil {
			m.name(path+".error.", s.OnError.Steps)
		}
		if s.Ask == nil {
			continue
		}
		m.name(path+".tell.", s.Ask.Tell)
		if s.Ask.OnDeny != nil {
			m.name(path+".deny.", s.Ask.OnDeny.Steps)
		}
		if s.Ask.OnTimeout != nil {
			m.name(path+".timeout.", s.Ask.OnTimeout.Steps)
		}
	}
}

// judge compares where the run says it stands with where its steps do.
func (m *model) judge(by writing) {
	at := m.list("", m.run.Flow.Steps).standing
	for path, s := range m.run.Steps {
		if m.run.State.Ended() && m.run.State != responder.RunParked && !over(s.State) {
			m.broken("an end is an end", "step %s is still %s", path, s.State)
		}
	}
	switch {
	case m.timedOut(), m.run.State == responder.RunCancelled:
		return // wherever its steps are
	case m.run.Warns != nil && len(m.run.Flow.Steps) == 0 && !m.run.State.Ended():
		return // its flow tells nobody: whoever takes it up says it loudly, and ends it
	case unadopted(m.run), m.run.State == responder.RunSuppressed:
		if len(m.run.Steps) > 0 {
			m.broken("no step before those in front of it have ended", "%d steps have begun of a run that is %s", len(m.run.Steps), m.run.State)
		}
		return
	}
	if by.request != nil && (at == done || at == stopped) {
		return // retried, though what was in the air when it was cancelled was the rest: a worker will see
	}
	if at != open && m.run.State == responder.RunRunning && m.telling() {
		return // it is decided, and a notice of the question is under way
	}
	want := map[responder.RunState]standing{responder.RunSucceeded: done, responder.RunStopped: stopped, responder.RunFailed: failed}[m.run.State]
	if at != want {
		m.broken("a run ends as its steps do", "it is %s, its steps are %v", m.run.State, at)
	}
}

// telling reports whether a notice of a question is in the air.
func (m *model) telling() bool {
	for path, s := range m.run.Steps {
		if strings.Contains(path, ".tell.") && inAir(s) {
			return true
		}
	}
	return false
}

// timedOut reports whether the run failed because its flow's time was over.
func (m *model) timedOut() bool {
	return m.run.State == responder.RunFailed && strings.Contains(m.run.Cause, "timeout of")
}

// list goes through steps that follow each other.
func (m *model) list(prefix string, steps []responder.Step) end {
	at := end{standing: done, well: true}
	for i := range steps {
		path := fmt.Sprintf("%s%d", prefix, i)
		if at.standing != done {
			m.unreached(path)
			continue
		}
		at.standing = m.step(path, &steps[i]).standing
	}
	at.well = at.standing == done
	return at
}

// unreached is for steps that cannot have begun: one, and those inside it. A path
// that ends in a dot means those inside alone.
func (m *model) unreached(path string) {
	inside := strings.TrimSuffix(path, ".") + "."
	for reached := range m.run.Steps {
		if reached == path || strings.HasPrefix(reached, inside) {
			m.broken("no step before those in front of it have ended", "step %s has begun", reached)
		}
	}
}

func (m *model) step(path string, step *responder.Step) end {
	state := m.run.Steps[path]
	if state == nil {
		m.unreached(path)
		return end{}
	}
	m.judgeCondition(path, step, state)
	if state.Approval != nil {
		if at, settled := m.question(path, step, state); settled {
			return at
		}
	}
	switch state.State {
	case responder.StepSkipped:
		if state.Approval == nil {
			m.unreached(path + ".")
		}
		return end{standing: done}
	case responder.StepCancelled:
		m.givenUp(path)
		return end{standing: done}
	}
	at := m.own(path, step, state)
	if at != failed {
		m.unreached(path + ".error")
		return end{standing: at, well: at == done}
	}
	switch {
	case step.OnError != nil && step.OnError.Policy == responder.PolicySteps:
		rescued := m.list(path+".error.", step.OnError.Steps).standing
		return end{standing: rescued, failed: rescued == done}
	case step.OnError != nil && step.OnError.Policy == responder.PolicyContinue, step.OnError == nil && state.Kind == responder.Notice:
		return end{standing: done, failed: true}
	}
	return end{standing: failed}
}

// givenUp is for a step that was given up where it stood, and those inside it: of
// them, what is in the air still lands.
func (m *model) givenUp(path string) {
	for inside, s := range m.run.Steps {
		if (inside == path || strings.HasPrefix(inside, path+".")) && !over(s.State) && !inAir(s) {
			m.broken("what is given up is given up whole", "step %s is %s", inside, s.State)
		}
	}
}

// inAir reports whether an attempt is not known to have ended.
func inAir(s *responder.StepState) bool {
	n := len(s.Attempts)
	return n > 0 && s.Attempts[n-1].Ended.IsZero()
}

// own is how far a step has come by itself, whatever its flow makes of that.
func (m *model) own(path string, step *responder.Step, state *responder.StepState) standing {
	said := map[responder.StepStatus]standing{responder.StepSucceeded: done, responder.StepStopped: stopped, responder.StepFailed: failed}[state.State]
	var members standing
	switch step.Kind {
	case responder.StepSequential:
		members = m.list(path+".", step.Steps).standing
	case responder.StepParallel:
		members = m.join(path, step)
	case responder.StepIf:
		taken, left := "then", "else"
		steps := step.Steps
		if state.Branch == left {
			taken, left, steps = left, taken, step.Else
		}
		m.unreached(path + "." + left)
		members = m.list(path+"."+taken+".", steps).standing
	default:
		return said
	}
	if said != members {
		m.broken("a group ends with its members, once", "group %s is %s, its members are %v", path, state.State, members)
	}
	return members
}

// join goes through steps side by side.
func (m *model) join(path string, step *responder.Step) standing {
	worst, anyOpen := done, false
	var well []string
	for i := range step.Steps {
		branch := fmt.Sprintf("%s.%d", path, i)
		at := m.step(branch, &step.Steps[i])
		anyOpen = anyOpen || at.standing == open
		if at.well {
			well = append(well, branch)
		}
		if step.Join == responder.JoinAny && at.failed {
			at.standing = failed
		}
		worst = max(worst, at.standing)
	}
	switch {
	case step.Join == responder.JoinAny && len(well) > 0:
		return m.decided(path, well)
	case anyOpen:
		return open
	}
	return worst
}

// decided is how far a group is of which one branch was enough: what is in the
// air lands first, and everything else is given up. Of a branch that ended well, a
// notice of a question may still be in the air.
func (m *model) decided(path string, well []string) standing {
	at := done
	for inside, s := range m.run.Steps {
		if !strings.HasPrefix(inside, path+".") || over(s.State) || isGroup(m.steps[inside]) {
			continue
		}
		tells := strings.Contains(inside, ".tell.") && inAir(s)
		if tells && slices.ContainsFunc(well, func(branch string) bool { return strings.HasPrefix(inside, branch+".") }) {
			continue
		}
		at = open
		if !inAir(s) {
			m.broken("one branch is enough", "step %s is still %s", inside, s.State)
		}
	}
	return at
}

// enough reports whether a step stands in a group of which another branch has
// already been enough.
func (m *model) enough(path string) bool {
	quiet := &model{run: m.run, named: m.named, steps: m.steps, broken: func(string, string, ...any) {}}
	for i := len(path) - 1; i > 0; i-- {
		group := m.steps[path[:i]]
		if path[i] != '.' || group == nil || group.Kind != responder.StepParallel || group.Join != responder.JoinAny {
			continue
		}
		for n := range group.Steps {
			if quiet.step(fmt.Sprintf("%s.%d", path[:i], n), &group.Steps[n]).well {
				return true
			}
		}
	}
	return false
}

func isGroup(step *responder.Step) bool {
	switch step.Kind {
	case responder.StepIf, responder.StepSequential, responder.StepParallel:
		return true
	}
	return false
}

// follows reports whether one step comes after another has come to rest: whatever is
// beside what, the on_error of a group comes after all that is in it.
func (m *model) follows(later, earlier string) bool {
	a, b := strings.Split(earlier, "."), strings.Split(later, ".")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			parent := m.steps[strings.Join(a[:i], ".")]
			return parent == nil || parent.Kind != responder.StepParallel || b[i] == "error"
		}
	}
	return false
}

// judgeCondition compares what a step's condition says with what was made of it.
func (m *model) judgeCondition(path string, step *responder.Step, state *responder.StepState) {
	holds := step.If == "" || m.holds(step.If)
	if step.Kind == responder.StepIf {
		if want := map[bool]string{true: "then", false: "else"}[holds]; state.Branch != want {
			m.broken("conditions are followed", "step %s took %q where %q is %v", path, state.Branch, step.If, holds)
		}
		return
	}
	declined := state.Approval != nil || m.guarded && state.Kind == responder.Repair && state.Result["why"] != nil // judged with its question, and with its guards
	if !holds && state.State != responder.StepSkipped || holds && state.State == responder.StepSkipped && !m.heldBack(state.Kind) && !declined {
		m.broken("conditions are followed", "step %s is %s where %q is %v", path, state.State, step.If, holds)
	}
}

// heldBack reports whether actions of a kind are not to be done in the run.
func (m *model) heldBack(kind responder.Kind) bool {
	return kind == responder.Repair && m.run.Flow.Repairs == responder.RepairsOff || kind == responder.Notice && m.run.Suppressed > 0
}

// holds judges what author.condition writes.
func (m *model) holds(condition string) bool {
	if condition == "severity >= HIGH" {
		return m.run.Finding.Severity >= responder.High
	}
	rest, not := strings.CutPrefix(condition, "not ")
	parts := strings.Split(rest, ".")
	state := m.run.Steps[m.named[parts[1]]]
	is := state != nil && string(state.State) == parts[2]
	return is != not
}

func (s standing) String() string {
	return [...]string{"open", "done", "stopped", "failed"}[s]
}
