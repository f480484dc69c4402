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
	mu                   sync.Mutex
	keepEvents, keepRuns int // how many are remembered in full

	outcomes []detect.Outcome
	matches  map[string]int              // how often the event of a key was found
	meetings map[string]map[string]*fate // by event key and run
	known    map[string]bool             // findings that met a run of an earlier delivery
	runs     map[string]*responder.Run
	rests    map[string]rest // of every run, by id
	order    []string        // of runs, as they began

	events, matched, ruleErrors, findings int

	teller teller // nil, or told of everything as it happens
}

// teller is told of what happens while serving, one thing at a time.
type teller interface {
	event(detect.Outcome)
	run(*responder.Run)    // as it came to rest
	met(responder.Finding) // it came again: a run of it is there already
}

// fate is what the findings of an event did to one run.
type fate struct {
	made bool
	met  int
}

// rest is how a run stood when it was last stored.
type rest struct {
	state  responder.RunState
	failed int // steps
	held   int // repairs
}

func newTally(keepEvents, keepRuns int) *tally {
	return &tally{
		keepEvents: keepEvents, keepRuns: keepRuns, matches: map[string]int{}, meetings: map[string]map[string]*fate{}, known: map[string]bool{},
		runs: map[string]*responder.Run{}, rests: map[string]rest{},
	}
}

// event implements observer.
func (t *tally) event(o detect.Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.teller != nil {
		t.teller.event(o)
		return
	}
	t.events++
	t.findings += len(o.Findings)
	t.ruleErrors += len(o.Errors)
	if len(t.outcomes) < t.keepEvents {
		t.outcomes = append(t.outcomes, o)
	}
	if len(o.Findings) > 0 {
		t.matched++
		t.matches[o.Event().Key()]++
	}
}

// run implements observer.
func (t *tally) run(r *responder.Run) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.teller != nil {
		if r.State.Ended() || r.State == responder.RunWaiting || r.State == responder.RunAwaitingApproval {
			t.teller.run(r)
		}
		return
	}
	if _, known := t.rests[r.ID]; !known {
		t.order = append(t.order, r.ID)
	}
	t.rests[r.ID] = rest{r.State, r.FailedSteps(), r.HeldBack()}
	if _, known := t.runs[r.ID]; known || len(t.runs) < t.keepRuns {
		t.runs[r.ID] = r
	}
	if r.Version == 1 {
		t.fate(r.Finding, r.ID).made = true
	}
}

// met implements observer: a finding is one of runs that exist.
func (t *tally) met(f responder.Finding, runs []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.teller != nil {
		t.teller.met(f)
		return
	}
	for _, run := range runs {
		t.fate(f, run).met++
	}
	if len(t.known) < t.keepRuns {
		t.known[findingKey(f)] = true
	}
}

// fate is what the event of a finding did to one of its runs so far.
func (t *tally) fate(f responder.Finding, run string) *fate {
	key := f.Key
	if e, err := responder.DecodeEvent(f.Event); err == nil {
		key = e.Key()
	}
	of := t.meetings[key]
	if of == nil {
		of = map[string]*fate{}
		t.meetings[key] = of
	}
	if of[run] == nil {
		of[run] = &fate{}
	}
	return of[run]
}

// goLive forgets what was remembered, and lets everything be told as it happens.
func (t *tally) goLive(to teller) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.outcomes, t.order = nil, nil
	clear(t.matches)
	clear(t.meetings)
	clear(t.known)
	clear(t.runs)
	clear(t.rests)
	t.teller = to
}

// summary is the last line of `run --once --format json`. events is matched +
// unmatched; duplicates are those of the matched whose run an earlier delivery
// had made.
type summary struct {
	Events      int                        `json:"events"`
	Duplicates  int                        `json:"duplicates"`
	Matched     int                        `json:"matched"`
	Unmatched   int                        `json:"unmatched"`
	RuleErrors  int                        `json:"rule_errors"`
	Findings    int                        `json:"findings"`
	Runs        map[responder.RunState]int `json:"runs"`         // made or moved on now, by state
	FailedSteps int                        `json:"failed_steps"` // of these runs
	HeldBack    int                        `json:"held_back"`    // of these runs: see responder.Run.HeldBack
	Dead        int                        `json:"dead"`
	Refused     int                        `json:"refused"` // input that was no event
}

func (t *tally) summary() summary {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := summary{Events: t.events, Matched: t.matched, Unmatched: t.events - t.matched, RuleErrors: t.ruleErrors, Findings: t.findings, Runs: map[responder.RunState]int{}}
	for key, runs := range t.meetings {
		s.Duplicates += duplicates(t.matches[key], runs)
	}
	for _, r := range t.rests {
		s.Runs[r.state]++
		s.FailedSteps += r.failed
		s.HeldBack += r.held
	}
	return s
}

// duplicates is how many of an event's deliveries that matched met a run. One
// made now was made by one of them.
func duplicates(matched int, runs map[string]*fate) int {
	most := 0
	for _, f := range runs {
		others := matched
		if f.made {
			others--
		}
		most = max(most, min(f.met, others))
	}
	return most
}

// stories gives the remembered events, the runs of a finding, and whether a
// finding met a run of an earlier delivery.
func (t *tally) stories() (outcomes []detect.Outcome, runsOf func(responder.Finding) []*responder.Run, known func(responder.Finding) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	byFinding := map[string][]*responder.Run{}
	for _, id := range t.order {
		if r := t.runs[id]; r != nil {
			key := findingKey(r.Finding)
			byFinding[key] = append(byFinding[key], r)
		}
	}
	runsOf = func(f responder.Finding) []*responder.Run { return byFinding[findingKey(f)] }
	known = func(f responder.Finding) bool { return t.known[findingKey(f)] }
	return slices.Clone(t.outcomes), runsOf, known
}

func findingKey(f responder.Finding) string { return f.RunID("") }

// latest gives the last state of every remembered run, as they began.
func (t *tally) latest() []*responder.Run {
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
