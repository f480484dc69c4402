package detect

import (
	"encoding/json"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/engine"
	"github.com/skycrafters/responder/internal/lang"
)

// Sight is what a set of rules made of one event.
type Sight struct {
	Raw      json.RawMessage // the event as it came
	Findings []responder.Finding
	Errors   []*RuleError

	event *responder.Event // nil where nothing had to be decoded
}

// Event is the event, decoded. Where no rule wanted it so, it is decoded now.
func (s Sight) Event() responder.Event {
	if s.event != nil {
		return *s.event
	}
	event, err := responder.DecodeEvent(s.Raw)
	if err != nil { // the engine has taken it: never
		return responder.Event{Raw: s.Raw}
	}
	return event
}

// Look is responder.DecodeEvent and Evaluate in one: the same findings and the
// same errors. It decodes an event only if a rule finds something in it, fails
// on it, or cannot be judged by its bytes (see internal/engine); of any other
// event it costs about a microsecond and no allocation. The error is that of
// responder.DecodeEvent.
func (rs *Rules) Look(raw []byte) (Sight, error) {
	g, err := rs.glance(raw, nil)
	if err != nil {
		return Sight{}, err
	}
	return rs.judge(g), nil
}

// LookAt is Look for an event that is decoded already.
func (rs *Rules) LookAt(event responder.Event) Sight {
	g, err := rs.glance(event.Raw, &event)
	if err != nil { // it is decoded already: never
		return Sight{Raw: event.Raw, event: &event}
	}
	return rs.judge(g)
}

// Skim says of an element of an archive, without decoding it, whether there is
// anything in it for the rules: see engine.Engine.Skim. What it is not sure of,
// ingest.Normalise and Look have to tell.
func (rs *Rules) Skim(element []byte, within func(time.Time) bool) engine.Skimmed {
	return rs.engine.Skim(element, within)
}

// SkimNext is Skim of the element that held begins with: see engine.Engine.SkimNext.
func (rs *Rules) SkimNext(held []byte, within func(time.Time) bool) (end int, seen engine.Skimmed) {
	return rs.engine.SkimNext(held, within)
}

// glance is an event of which it is known which rules are to look at it.
type glance struct {
	raw        []byte
	event      *responder.Event // decoded, if there is anything to look at
	candidates []engine.Candidate
	canary     bool // it may be a canary
}

// glance asks the engine. What is not an event is an error. event is raw decoded,
// or nil: then it is decoded if need be.
func (rs *Rules) glance(raw []byte, event *responder.Event) (glance, error) {
	g := glance{raw: raw}
	candidates, ok := rs.engine.Look(raw, nil)
	if ok && len(candidates) == 0 {
		return g, nil
	}
	if event == nil {
		decoded, err := responder.DecodeEvent(raw)
		if err != nil {
			return g, err
		}
		event = &decoded
	}
	g.event = event
	if !ok { // what the engine cannot read and DecodeEvent can: every rule looks at it
		candidates = candidates[:0]
		for i := range len(rs.rules) + 1 {
			candidates = append(candidates, engine.Candidate{Rule: i})
		}
	}
	if last := len(candidates) - 1; candidates[last].Rule == len(rs.rules) {
		g.canary, candidates = true, candidates[:last]
	}
	g.candidates = candidates
	return g, nil
}

// judge lets the candidates look, in the order of the rules.
func (rs *Rules) judge(g glance) Sight {
	s := Sight{Raw: g.raw, event: g.event}
	if len(g.candidates) == 0 {
		return s
	}
	env := lang.EventEnv(*g.event, rs.Accounts)
	for _, c := range g.candidates {
		r := rs.rules[c.Rule]
		found, err := r.evaluate(*g.event, env, c.Holds)
		s.Findings = append(s.Findings, found...)
		if err != nil {
			s.Errors = append(s.Errors, &RuleError{Rule: r.name, Event: g.event.Key(), Err: err})
		}
	}
	return s
}

// Judged says how many rules the engine judged for an event, and how many of
// them it left to the fallback: for measuring.
func (rs *Rules) Judged(raw []byte) (judged, asked int) {
	candidates, _ := rs.engine.Look(raw, nil)
	for _, c := range candidates {
		if !c.Holds {
			asked++
		}
	}
	return rs.engine.Candidates(raw), asked
}

// Pace is how a rule is judged.
type Pace struct {
	Rule  string
	Why   []string // what of it only expr's VM can judge, on the decoded event; nil: nothing
	Every bool     // it is judged for every event: nothing says of which events it cannot hold
}

// Paces gives the pace of each enabled rule, in the order of the files.
func (rs *Rules) Paces() []Pace {
	paces := make([]Pace, len(rs.rules))
	for i, r := range rs.rules {
		paces[i] = Pace{Rule: r.name, Why: rs.engine.Why(i), Every: rs.engine.Every(i)}
	}
	return paces
}

// ready makes the engine of the rules. Behind them stands what a canary looks
// like, so that no event has to be decoded to see that it is none.
func (rs *Rules) ready() *Rules {
	rules := make([]engine.Rule, 0, len(rs.rules)+1)
	for _, r := range rs.rules {
		rules = append(rules, engine.Rule{When: r.when, Each: r.each, If: r.condition})
	}
	rs.engine = engine.New(append(rules, engine.Rule{When: rs.canary}), rs.Accounts)
	return rs
}
