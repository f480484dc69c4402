package main

import (
	"slices"
	"sync"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/detect"
)

// tally counts what becomes of events, and remembers the first of them in full
// so that they can be told of.
type tally struct {
	mu       sync.Mutex
	keep     int // events remembered in full
	outcomes []detect.Outcome
	seen     map[string]*seen // by event key
	runs     map[string]*responder.Run
	states   map[string]responder.RunState // of every run, by id
	order    []string                      // of runs, as they began

	events, matched, ruleErrors, findings int

	live func(*responder.Run) // nil, or told of each run that comes to rest
}

// seen is what happened to the events of one key.
type seen struct {
	matched int  // how often it was found
	made    bool // whether that made a run
}

func newTally(keep int) *tally {
	return &tally{keep: keep, seen: map[string]*seen{}, runs: map[string]*responder.Run{}, states: map[string]responder.RunState{}}
}

// event implements observer.
func (t *tally) event(o detect.Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.live != nil {
		return
	}
	t.events++
	t.findings += len(o.Findings)
	t.ruleErrors += len(o.Errors)
	if len(t.outcomes) < t.keep {
		t.outcomes = append(t.outcomes, o)
	}
	if len(o.Findings) > 0 {
		t.matched++
		t.of(o.Event.Key()).matched++
	}
}

func (t *tally) of(key string) *seen {
	s := t.seen[key]
	if s == nil {
		s = &seen{}
		t.seen[key] = s
	}
	return s
}

// run implements observer.
func (t *tally) run(r *responder.Run) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.live != nil {
		if r.State.Ended() || r.State == responder.RunWaiting {
			t.live(r)
		}
		return
	}
	if _, known := t.states[r.ID]; !known {
		t.order = append(t.order, r.ID)
	}
	t.states[r.ID] = r.State
	if _, known := t.runs[r.ID]; known || len(t.runs) < 4*t.keep {
		t.runs[r.ID] = r
	}
	if r.Version == 1 {
		if e, err := responder.DecodeEvent(r.Finding.Event); err == nil {
			t.of(e.Key()).made = true
		}
	}
}

// goLive forgets what was remembered and tells of runs as they come to rest.
func (t *tally) goLive(tell func(*responder.Run)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keep, t.outcomes, t.order = 0, nil, nil
	clear(t.runs)
	clear(t.seen)
	clear(t.states)
	t.live = tell
}

// summary is the last line of `run --once --format json`. events is matched +
// unmatched; duplicates are those of the matched that made no run because an
// earlier delivery had.
type summary struct {
	Events     int                        `json:"events"`
	Duplicates int                        `json:"duplicates"`
	Matched    int                        `json:"matched"`
	Unmatched  int                        `json:"unmatched"`
	RuleErrors int                        `json:"rule_errors"`
	Findings   int                        `json:"findings"`
	Runs       map[responder.RunState]int `json:"runs"` // made or moved on now, by state
	Dead       int                        `json:"dead"`
	Refused    int                        `json:"refused"` // input that was no event
}

func (t *tally) summary() summary {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := summary{Events: t.events, Matched: t.matched, Unmatched: t.events - t.matched, RuleErrors: t.ruleErrors, Findings: t.findings, Runs: map[responder.RunState]int{}}
	for _, key := range t.seen {
		s.Duplicates += key.matched
		if key.made && key.matched > 0 {
			s.Duplicates--
		}
	}
	for _, state := range t.states {
		s.Runs[state]++
	}
	return s
}

// stories gives the remembered events, and the runs of a finding.
func (t *tally) stories() ([]detect.Outcome, func(responder.Finding) []*responder.Run) {
	t.mu.Lock()
	defer t.mu.Unlock()
	byFinding := map[string][]*responder.Run{}
	for _, id := range t.order {
		if r := t.runs[id]; r != nil {
			key := findingKey(r.Finding)
			byFinding[key] = append(byFinding[key], r)
		}
	}
	return slices.Clone(t.outcomes), func(f responder.Finding) []*responder.Run { return byFinding[findingKey(f)] }
}

func findingKey(f responder.Finding) string { return f.RunID("") }

// rest gives the latest of every remembered run, as they began.
func (t *tally) rest() []*responder.Run {
	t.mu.Lock()
	defer t.mu.Unlock()
	var runs []*responder.Run
	for _, id := range t.order {
		if r := t.runs[id]; r != nil {
			runs = append(runs, r)
		}
	}
	return runs
}
