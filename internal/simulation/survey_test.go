package simulation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// surveyor is an action that looks at what it would touch before it acts.
type surveyor struct{ action }

var _ responder.Surveyor = surveyor{}

// survey is one call of Survey that was answered.
type survey struct {
	name    string // which its targets bear as a tag, so that it is known where they come from
	key     string // of the call
	at      time.Time
	targets []responder.Target
	undo    []responder.Binding
}

// seenTag is the tag of targets that says which survey has seen them.
const seenTag = "seen"

func (s surveyor) Survey(ctx context.Context, call responder.Call) (responder.Survey, error) {
	if !s.stagger(call.Key + " survey") {
		return responder.Survey{}, errDead
	}
	name := s.nth("survey for " + s.stepName(call.Key))
	s.interrupt(runOf(call.Key), name)
	if s.strikes(crashBefore, name) {
		s.die()
		return responder.Survey{}, errDead
	}
	what, _ := call.Params["what"].(string)
	b := behaviour{there: s.span(name+" goes", 5*time.Millisecond, 2*time.Second), back: s.span(name+" comes back", 5*time.Millisecond, time.Second)}
	var found responder.Survey
	err := s.travel(ctx, name, b, func() { found = s.find(call.Key, name, what) })
	switch {
	case err != nil:
		return responder.Survey{}, err
	case s.strikes(lookFailed, name):
		return responder.Survey{}, errors.New("the other side cannot tell")
	case s.strikes(denied, name):
		return responder.Survey{}, &responder.Permanent{Err: errors.New("access denied")}
	}
	return found, nil
}

// find looks at what there is, and notes what was found.
func (s surveyor) find(key, call, what string) responder.Survey {
	var targets []responder.Target
	if s.name == "Unmend" {
		targets = s.surveyed(tokenOf(what)).targets
	} else {
		targets = s.touches(what)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := survey{name: fmt.Sprintf("%s|%d", key, len(s.surveys)), key: key, at: time.Now()}
	for _, t := range targets {
		t.Tags = maps.Clone(t.Tags)
		t.Tags[seenTag] = seen.name
		seen.targets = append(seen.targets, t)
	}
	if s.name == "Mend" {
		for n := range 1 + s.upTo(what+" is undone in", 2) {
			seen.undo = append(seen.undo, responder.Binding{Action: "Unmend", Params: map[string]any{"what": fmt.Sprintf("undo %d of %s", n, seen.name)}})
		}
	}
	s.surveys[seen.name] = seen
	s.tell("%s found %d things", call, len(seen.targets))
	found := responder.Survey{Targets: seen.targets, Found: map[string]any{"as": seen.name}, Undo: seen.undo}
	if len(seen.undo) == 0 {
		found.Lasting = []string{"what " + what + " was"}
	}
	return found
}

// tokenOf is the name of the survey in what an undo is given.
func tokenOf(what string) string {
	_, token, _ := strings.Cut(what, " of ")
	return token
}

// surveyed gives a survey by its name.
func (w *world) surveyed(name string) survey {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.surveys[name]
}

// seen finds the survey that the targets of a step's survey come from. The caller holds mu.
func (w *world) seen(found *responder.Survey) (survey, bool) {
	if found == nil || len(found.Targets) == 0 {
		return survey{}, false
	}
	s, ok := w.surveys[found.Targets[0].Tags[seenTag]]
	return s, ok
}
