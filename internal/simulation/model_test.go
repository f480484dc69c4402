package simulation

import (
	"fmt"
	"strings"

	"github.com/skycrafters/responder"
)

// model says again, apart from the engine and in its own words, how far a run
// has come, and what it may have reached.
type model struct {
	run    *responder.Run
	named  map[string]string          // paths, by the names of steps
	steps  map[string]*responder.Step // by path
	broken func(promise, format string, args ...any)
}

// standing is how far steps have come.
type standing int

const (
	open standing = iota
	done
	stopped
	failed
)

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
	}
}

// judge compares where the run says it stands with where its steps do.
func (m *model) judge() {
	at := m.list("", m.run.Flow.Steps)
	want := map[responder.RunState]standing{responder.RunSucceeded: done, responder.RunStopped: stopped, responder.RunFailed: failed}[m.run.State]
	if at != want {
		m.broken("a run ends as its steps do", "it is %s, its steps are %v", m.run.State, at)
	}
}

// list goes through steps that follow each other.
func (m *model) list(prefix string, steps []responder.Step) standing {
	at := done
	for i := range steps {
		path := fmt.Sprintf("%s%d", prefix, i)
		if at != done {
			m.unreached(path)
			continue
		}
		at = m.step(path, &steps[i])
	}
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

func (m *model) step(path string, step *responder.Step) standing {
	state := m.run.Steps[path]
	if state == nil {
		m.unreached(path)
		return open
	}
	m.judgeCondition(path, step, state)
	if state.State == responder.StepSkipped {
		m.unreached(path + ".")
		return done
	}
	at := m.own(path, step, state)
	if at != failed {
		m.unreached(path + ".error")
		return at
	}
	switch {
	case step.OnError != nil && step.OnError.Policy == responder.PolicySteps:
		return m.list(path+".error.", step.OnError.Steps)
	case step.OnError != nil && step.OnError.Policy == responder.PolicyContinue, step.OnError == nil && state.Kind == responder.Notice:
		return done
	}
	return failed
}

// own is how far a step has come by itself, whatever its flow makes of that.
func (m *model) own(path string, step *responder.Step, state *responder.StepState) standing {
	said := map[responder.StepStatus]standing{responder.StepSucceeded: done, responder.StepStopped: stopped, responder.StepFailed: failed}[state.State]
	var members standing
	switch step.Kind {
	case responder.StepSequential:
		members = m.list(path+".", step.Steps)
	case responder.StepParallel:
		members = m.join(path, step.Steps)
	case responder.StepIf:
		taken, left := "then", "else"
		steps := step.Steps
		if state.Branch == left {
			taken, left, steps = left, taken, step.Else
		}
		m.unreached(path + "." + left)
		members = m.list(path+"."+taken+".", steps)
	default:
		return said
	}
	if said != members {
		m.broken("a group ends with its members, once", "group %s is %s, its members are %v", path, state.State, members)
	}
	return members
}

// follows reports whether one step comes after another has come to rest.
func (m *model) follows(later, earlier string) bool {
	a, b := strings.Split(earlier, "."), strings.Split(later, ".")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			parent := m.steps[strings.Join(a[:i], ".")]
			return parent == nil || parent.Kind != responder.StepParallel
		}
	}
	return false
}

// join goes through steps side by side.
func (m *model) join(path string, steps []responder.Step) standing {
	worst, anyOpen := done, false
	for i := range steps {
		at := m.step(fmt.Sprintf("%s.%d", path, i), &steps[i])
		anyOpen = anyOpen || at == open
		worst = max(worst, at)
	}
	if anyOpen {
		return open
	}
	return worst
}

// judgeCondition compares what a step's condition says with what was made of it.
func (m *model) judgeCondition(path string, step *responder.Step, state *responder.StepState) {
	if step.If == "" {
		return
	}
	holds := m.holds(step.If)
	if step.Kind == responder.StepIf {
		if want := map[bool]string{true: "then", false: "else"}[holds]; state.Branch != want {
			m.broken("conditions are followed", "step %s took %q where %q is %v", path, state.Branch, step.If, holds)
		}
		return
	}
	if !holds && state.State != responder.StepSkipped || holds && state.State == responder.StepSkipped && state.Kind != responder.Repair {
		m.broken("conditions are followed", "step %s is %s where %q is %v", path, state.State, step.If, holds)
	}
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
