package dispatch

import (
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

// flowTimeout reads how long a run may take, and warns where one of its waits
// alone takes as long.
func (l *loader) flowTimeout(raw *rawFlow, steps []responder.Step) time.Duration {
	f, given := raw.fields["timeout"]
	if !given || isNull(f.value) {
		return 0
	}
	d := l.timeout(f, maxFlowTimeout)
	var longest time.Duration
	Walk(steps, func(_ string, step *responder.Step) { longest = max(longest, step.Wait) })
	if d > 0 && longest >= d {
		l.warnAt(f.file, f.value, "", "a step waits %s: no run that comes to it ends within the timeout", shortDuration(longest))
	}
	return d
}
