package responder

import "time"

// Gathering says of a run that it tells, once, in the place of the notices of a
// flow that its limit left out in a window of time. Its one step is the first of
// them. It is plain data, kept in that run.
type Gathering struct {
	Run     string    `json:"run"`     // whose notice it is
	Step    string    `json:"step"`    // the path of that notice there
	Counter string    `json:"counter"` // the key under which what was left out is counted
	Rate    Rate      `json:"rate"`
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until"`
	Prefix  string    `json:"prefix,omitempty"` // the Prefix of that notice
}

// Warning says of a run that it tells, once, that a limit of an hour or the
// breaker keeps a flow from repairing. There is one for each flow, guard and hour
// of the clock, of what was held back first in it. It is plain data, kept in that
// run, whose steps are the flow's notices.
type Warning struct {
	Run     string    `json:"run"`    // whose repair it was
	Step    string    `json:"step"`   // the path of that repair there
	Action  string    `json:"action"` // what it would have done
	Guard   string    `json:"guard"`  // one of dispatch.Guards
	Why     string    `json:"why"`
	Touched int       `json:"touched,omitempty"` // things that the flow had touched by then under an hour's limit, at the least; 0: not known
	Halts   bool      `json:"halts,omitempty"`   // the flow is halted for it
	Since   time.Time `json:"since"`             // the hour of the clock
}

// Left is what a notice says that goes out in the place of others, or as a
// warning. Its text is for people, and not escaped.
type Left struct {
	N       int    // how many others; 0: it was put off, and no other was left out, or it is a warning
	AtLeast bool   // N or more: so far is counted
	Guard   string // of a warning: what keeps the flow from repairing, one of dispatch.Guards; else ""
	Text    string // "and 412 more from …", and how to find them
}
