package responder

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// Repairs says how far a flow may change the world.
type Repairs string

// What a flow may say under `repairs:`. The zero value means RepairsDry.
const (
	RepairsOff     Repairs = "off"     // repair steps are skipped
	RepairsDry     Repairs = "dry"     // what would be done is recorded
	RepairsApprove Repairs = "approve" // repairs act once somebody has approved them
	RepairsLive    Repairs = "live"    // repairs act
)

// Stricter gives the one of two that allows less.
func (r Repairs) Stricter(other Repairs) Repairs {
	for _, least := range []Repairs{RepairsOff, RepairsDry, RepairsApprove} {
		if r.orDry() == least || other.orDry() == least {
			return least
		}
	}
	return RepairsLive
}

// Armed reports whether repairs may act at all.
func (r Repairs) Armed() bool { return r == RepairsLive || r == RepairsApprove }

// orDry names the zero value, and what a newer Responder may know beyond these.
func (r Repairs) orDry() Repairs {
	switch r {
	case RepairsOff, RepairsApprove, RepairsLive:
		return r
	}
	return RepairsDry
}

// Flow says what to do about findings of some rules. It is immutable once loaded.
type Flow struct {
	Name      string
	Rules     []string // names or globs
	If        string   // expression over the finding; "" is always
	Disabled  bool
	Repairs   Repairs
	Timeout   time.Duration // of a whole run; 0 is none
	Cooldown  *Cooldown     // nil: none
	Guards    *Guards       `json:",omitempty"` // nil: the defaults
	Approvers *Ask          `json:",omitempty"` // who decides of a repair that no step asks about, where Repairs is RepairsApprove; nil: not said
	Steps     []Step
}

// Cooldown keeps a flow quiet for a while after a finding: findings like it are
// suppressed, or, where the flow has repairs, only their notices are.
type Cooldown struct {
	For time.Duration // from the finding that was not suppressed
	By  []string      // what alike findings have in common: expressions, or texts with {{ expr }}
}

// StepKind says what a step is.
type StepKind string

// The kinds of step.
const (
	StepAction     StepKind = "action"     // Action with Params
	StepWait       StepKind = "wait"       // Wait, or Until
	StepCheck      StepKind = "check"      // the finding's check
	StepRemediate  StepKind = "remediate"  // the finding's remediate
	StepIf         StepKind = "if"         // If, Steps (then), Else
	StepSequential StepKind = "sequential" // Steps one after the other
	StepParallel   StepKind = "parallel"   // Steps side by side, joined
	StepApprove    StepKind = "approve"    // Ask; goes on once somebody has approved
	StepVeto       StepKind = "veto"       // Ask; goes on unless somebody objects
)

// Step is one step of a flow, or a group of steps. It is plain data, kept in
// every run that began with it, so that a later edit of flows.yml does not
// change what is under way. Texts hold their `{{ expr }}` unrendered.
type Step struct {
	Kind     StepKind       `json:"kind"`
	Action   string         `json:"action,omitempty"`
	Params   map[string]any `json:"params,omitempty"`
	Verbatim bool           `json:"verbatim,omitempty"` // Params and Body are what is to be done as they stand, with nothing in them to render
	Body     any            `json:"body,omitempty"`     // the content of the template that Params name, unrendered
	Wait     time.Duration  `json:"wait,omitempty"`
	Until    *Until         `json:"until,omitempty"` // of a StepWait: instead of Wait
	If       string         `json:"if,omitempty"`    // skip unless true; for StepIf: which branch
	Steps    []Step         `json:"steps,omitempty"`
	Else     []Step         `json:"else,omitempty"`
	Join     Join           `json:"join,omitempty"` // of a StepParallel
	As       string         `json:"as,omitempty"`   // name under `steps.` in later expressions
	Retry    *Retry         `json:"retry,omitempty"`
	Timeout  time.Duration  `json:"timeout,omitempty"` // of one attempt
	OnError  *OnError       `json:"on_error,omitempty"`
	Ask      *Ask           `json:"ask,omitempty"` // of a StepApprove or StepVeto; of a repair: its own question, where repairs are to be approved
}

// Join says when steps that stand side by side have come together.
type Join string

// The joins.
const (
	JoinAll Join = ""    // all have ended
	JoinAny Join = "any" // one has ended well; the others are given up where they stand
)

// Until is a time of day that a step waits for: the next moment at which the
// clock of a zone shows it, on one of some days.
type Until struct {
	Clock string   `json:"clock"`          // "08:00", on a clock of 24 hours
	Zone  string   `json:"zone"`           // "Europe/Paris"
	Days  []string `json:"days,omitempty"` // of Weekdays; none: every day
}

// String gives it as people say it: "08:00 Europe/Paris, mon tue wed".
func (u Until) String() string {
	text := u.Clock + " " + u.Zone
	if len(u.Days) > 0 {
		text += ", " + strings.Join(u.Days, " ")
	}
	return text
}

// Weekdays lists the days of a week as flows write them, from "mon" on.
func Weekdays() []string { return []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} }

// anyStep reports whether something holds of a step, or of one inside it.
func anyStep(steps []Step, holds func(*Step) bool) bool {
	for i := range steps {
		s := &steps[i]
		if holds(s) || anyStep(s.Steps, holds) || anyStep(s.Else, holds) || s.OnError != nil && anyStep(s.OnError.Steps, holds) || s.Ask.anyStep(holds) {
			return true
		}
	}
	return false
}

// anyStep reports whether something holds of a step that a question has.
func (a *Ask) anyStep(holds func(*Step) bool) bool {
	return a != nil && (anyStep(a.Tell, holds) || a.OnDeny != nil && anyStep(a.OnDeny.Steps, holds) || a.OnTimeout != nil && anyStep(a.OnTimeout.Steps, holds))
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
