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

// Left are the notices that one goes out in the place of. Its text is for people,
// and not escaped.
type Left struct {
	N       int    // how many others; 0: it was put off, and no other was left out
	AtLeast bool   // N or more: so far is counted
	Text    string // "and 412 more from …", and how to find them
}
