package dispatch

import (
	"slices"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/skycrafters/responder"
)

// duration reads a duration; false: it has been told what is wrong with it.
func (l *loader) duration(f field, most time.Duration) (time.Duration, bool) {
	if f.value.Kind != yaml.ScalarNode || isNull(f.value) {
		l.errorAt(f.file, f.value, f.name()+": 10m", "%s must be a duration", f.name())
		return 0, false
	}
	d, err := parseDuration(f.value.Value, most)
	if err != nil {
		l.errorAt(f.file, f.value, "", "%s: %v", f.name(), err)
	}
	return d, err == nil
}

// timeout reads a duration that is more than nothing.
func (l *loader) timeout(f field, most time.Duration) time.Duration {
	d, ok := l.duration(f, most)
	if ok && d == 0 {
		l.errorAt(f.file, f.value, "", "a timeout must be longer than nothing")
	}
	return d
}

// flowTimeout reads how long a run may take, and warns where its waits, or what a
// step may take, outlast that.
func (l *loader) flowTimeout(raw *rawFlow, steps []responder.Step) time.Duration {
	f, given := raw.fields["timeout"]
	if !given || isNull(f.value) {
		return 0
	}
	d := l.timeout(f, maxFlowTimeout)
	if d <= 0 {
		return d
	}
	if waits := pause(steps); waits >= d {
		l.warnAt(f.file, f.value, "", "the waits take %s: a run that comes to all of them does not end within the timeout", shortDuration(waits))
	}
	Walk(steps, func(_ string, step *responder.Step) {
		switch {
		case step.Until != nil && d < longestUntil(*step.Until):
			l.warnAt(f.file, f.value, "", "a wait until %s takes up to %s, longer than the timeout", step.Until, shortDuration(longestUntil(*step.Until)))
		case step.Timeout > d:
			l.warnAt(f.file, f.value, "", "an attempt of %s may take %s, longer than the timeout of the whole run", title(step, nil), shortDuration(step.Timeout))
		}
	})
	return d
}

// pause is how long steps that follow each other wait if all are come to, whatever
// else they do: the longest of branches, of an any the shortest.
func pause(steps []responder.Step) (sum time.Duration) {
	for i := range steps {
		sum += pauseOf(&steps[i])
	}
	return sum
}

func pauseOf(step *responder.Step) time.Duration {
	switch step.Kind {
	case responder.StepVeto:
		return step.Ask.For
	case responder.StepSequential:
		return pause(step.Steps)
	case responder.StepIf:
		return max(pause(step.Steps), pause(step.Else))
	case responder.StepParallel:
		var shortest, longest time.Duration
		for i := range step.Steps {
			branch := pauseOf(&step.Steps[i])
			longest = max(longest, branch)
			if i == 0 || branch < shortest {
				shortest = branch
			}
		}
		if step.Join == responder.JoinAny {
			return shortest
		}
		return longest
	}
	return step.Wait
}

// longestUntil is how far a time of day can be off: a day, or as many as lie
// between two of its weekdays.
func longestUntil(u responder.Until) time.Duration {
	days := responder.Weekdays()
	if len(u.Days) == 0 {
		return 24 * time.Hour
	}
	gap, most := 0, 0
	for n := range 2 * len(days) {
		gap++
		if slices.Contains(u.Days, days[n%len(days)]) {
			most, gap = max(most, gap), 0
		}
	}
	return time.Duration(min(most, len(days))) * 24 * time.Hour
}
