package responder

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Repairs says how far a flow may change the world.
type Repairs string

// What a flow may say under `repairs:`. The zero value means RepairsDry.
const (
	RepairsOff  Repairs = "off"  // repair steps are skipped
	RepairsDry  Repairs = "dry"  // what would be done is recorded
	RepairsLive Repairs = "live" // repairs act
)

// Stricter gives the one of two that allows less.
func (r Repairs) Stricter(other Repairs) Repairs {
	for _, least := range []Repairs{RepairsOff, RepairsDry} {
		if r.orDry() == least || other.orDry() == least {
			return least
		}
	}
	return RepairsLive
}

// orDry names the zero value, and what a newer Responder may know beyond these.
func (r Repairs) orDry() Repairs {
	if r == RepairsOff || r == RepairsLive {
		return r
	}
	return RepairsDry
}

// Flow says what to do about findings of some rules. It is immutable once loaded.
type Flow struct {
	Name     string
	Rules    []string // names or globs
	If       string   // expression over the finding; "" is always
	Disabled bool
	Repairs  Repairs
	Steps    []Step
}

// StepKind says what a step is.
type StepKind string

// The kinds of step.
const (
	StepAction     StepKind = "action"     // Action with Params
	StepWait       StepKind = "wait"       // Wait
	StepCheck      StepKind = "check"      // the finding's check
	StepRemediate  StepKind = "remediate"  // the finding's remediate
	StepIf         StepKind = "if"         // If, Steps (then), Else
	StepSequential StepKind = "sequential" // Steps one after the other
	StepParallel   StepKind = "parallel"   // Steps side by side, joined
)

// Step is one step of a flow, or a group of steps. It is plain data, kept in
// every run that began with it, so that a later edit of flows.yml does not
// change what is under way. Texts hold their `{{ expr }}` unrendered.
type Step struct {
	Kind    StepKind       `json:"kind"`
	Action  string         `json:"action,omitempty"`
	Params  map[string]any `json:"params,omitempty"`
	Body    any            `json:"body,omitempty"` // the content of the template that Params name, unrendered
	Wait    time.Duration  `json:"wait,omitempty"`
	If      string         `json:"if,omitempty"` // skip unless true; for StepIf: which branch
	Steps   []Step         `json:"steps,omitempty"`
	Else    []Step         `json:"else,omitempty"`
	As      string         `json:"as,omitempty"` // name under `steps.` in later expressions
	Retry   *Retry         `json:"retry,omitempty"`
	Timeout time.Duration  `json:"timeout,omitempty"` // of one attempt
	OnError *OnError       `json:"on_error,omitempty"`
}

// Retry bounds the attempts of a step: waits grow from Backoff by a factor of
// two up to Cap, each with full jitter; a Retry-After of the other side counts
// if it is longer. Zero fields mean the defaults of dispatch.
type Retry struct {
	Attempts int           `json:"attempts,omitempty"`
	Backoff  time.Duration `json:"backoff,omitempty"`
	Cap      time.Duration `json:"cap,omitempty"`
}

// OnError overrides what a failed step does to its run.
type OnError struct {
	Policy ErrorPolicy `json:"policy"`
	Steps  []Step      `json:"steps,omitempty"` // with PolicySteps: run these, then go on
}

// ErrorPolicy is what happens to the run when a step has failed for good.
type ErrorPolicy string

// The policies. By default a notice's failure continues, a check's or repair's stops.
const (
	PolicyContinue ErrorPolicy = "continue"
	PolicyStop     ErrorPolicy = "stop"
	PolicySteps    ErrorPolicy = "steps"
)

// Digest identifies a list of steps: SHA-256 of its JSON, in hexadecimal.
func Digest(steps []Step) (string, error) {
	data, err := encode(steps)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}
