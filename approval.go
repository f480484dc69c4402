package responder

import (
	"strings"
	"time"
)

// Approvers says who may decide a question. The zero value is nobody.
type Approvers struct {
	Slack []string `json:"slack,omitempty"` // ids of users: "U024BE7LH"
	IAM   []string `json:"iam,omitempty"`   // ARNs of users, roles and sessions; * stands for any text in what follows the account
	CLI   bool     `json:"cli,omitempty"`   // whoever owns the data folder of an embedded Responder
}

// None reports whether nobody is named.
func (a Approvers) None() bool { return len(a.Slack) == 0 && len(a.IAM) == 0 && !a.CLI }

// Ask is a question that people decide before a run goes on. It is plain data,
// as a Step is.
type Ask struct {
	Text      string        `json:"text,omitempty"` // its `{{ expr }}` unrendered
	By        Approvers     `json:"by"`
	For       time.Duration `json:"for"`                  // how long it stands
	OnDeny    *Sequel       `json:"on_deny,omitempty"`    // nil: the run stops
	OnTimeout *Sequel       `json:"on_timeout,omitempty"` // nil: the run stops; of a veto it goes on, and this is not there
	Tell      []Step        `json:"tell,omitempty"`       // notices, sent side by side once it is asked; each is given the Question
}

// Sequel is what follows a question that was not answered with yes.
type Sequel struct {
	Policy SequelPolicy `json:"policy"`
	Steps  []Step       `json:"steps,omitempty"` // with SequelSteps
}

// SequelPolicy is what becomes of the run then.
type SequelPolicy string

// The policies.
const (
	SequelStop     SequelPolicy = "stop"     // it ends as stopped
	SequelFail     SequelPolicy = "fail"     // it fails
	SequelContinue SequelPolicy = "continue" // it goes on, without the repairs that were asked about
	SequelSteps    SequelPolicy = "steps"    // it does these, and stops
)

// Decision is what people, or the clock, have made of a question.
type Decision string

// The decisions. "" is none yet.
const (
	Approved  Decision = "approved"
	Denied    Decision = "denied"    // of a veto: somebody objected
	Unopposed Decision = "unopposed" // of a veto: nobody objected in time
	TimedOut  Decision = "timed out"
)

// IdentityKind says by what somebody is known.
type IdentityKind string

// The kinds of identity.
const (
	IdentityCLI   IdentityKind = "cli"   // the user of the machine, who owns the data folder
	IdentityIAM   IdentityKind = "iam"   // the ARN of a caller, as AWS has authenticated it
	IdentitySlack IdentityKind = "slack" // the id of a user, as Slack has signed it
)

// Identity is somebody who decides.
type Identity struct {
	Kind IdentityKind `json:"kind"`
	ID   string       `json:"id"`
	Name string       `json:"name,omitempty"` // for people; nothing is judged by it
}

// String names who it is.
func (i Identity) String() string {
	switch {
	case i.Name == "" || i.Name == i.ID:
		return i.ID
	default:
		return i.Name + " (" + i.ID + ")"
	}
}

// Approval is a question as a run has asked it, and what was decided.
type Approval struct {
	Text     string    `json:"text"`
	Veto     bool      `json:"veto,omitempty"` // it goes on unless somebody objects
	By       Approvers `json:"by"`
	Not      Barred    `json:"not"` // who may not, whatever By says: the event's actor
	Plan     []Planned `json:"plan,omitempty"`
	Digest   string    `json:"digest"` // of exactly what is asked: a decision names it
	Asked    time.Time `json:"asked"`
	Until    time.Time `json:"until"`
	Decision Decision  `json:"decision,omitempty"`
	Who      *Identity `json:"who,omitempty"` // nil: the clock, or nobody yet
	From     string    `json:"from,omitempty"`
	At       time.Time `json:"at,omitzero"`
	Why      string    `json:"why,omitempty"`
	Heeded   bool      `json:"heeded,omitempty"` // the run has gone on by it
}

// Open reports whether nothing is decided yet.
func (a *Approval) Open() bool { return a != nil && a.Decision == "" }

// Granted reports whether what was asked may be done.
func (a *Approval) Granted() bool {
	return a != nil && (a.Decision == Approved || a.Decision == Unopposed)
}

// Barred are the ways in which the actor of an event is known.
type Barred struct {
	Slack []string `json:"slack,omitempty"`
	IAM   []string `json:"iam,omitempty"`   // ARNs
	Names []string `json:"names,omitempty"` // of users of the machine
}

// Planned is a repair that a question is about: what would be done, exactly.
type Planned struct {
	Step    string         `json:"step"` // its path
	Action  string         `json:"action,omitempty"`
	Params  map[string]any `json:"params,omitempty"`
	Account string         `json:"account,omitempty"`
	Region  string         `json:"region,omitempty"`
	Would   string         `json:"would"`             // for people: what, and where
	Perhaps bool           `json:"perhaps,omitempty"` // it stands under a condition
	Unknown string         `json:"unknown,omitempty"` // why it cannot be said yet: then it is not approved
}

// Phrase says it to people.
func (p Planned) Phrase() string {
	switch {
	case p.Unknown != "":
		return p.Would + ": not known yet, and so not approved: " + p.Unknown
	case p.Perhaps:
		return p.Would + ", if its condition is met then"
	}
	return p.Would
}

// Question is an open question as notices put it to people.
type Question struct {
	Run, Step string
	Digest    string
	Veto      bool // it goes on unless somebody objects: there is nothing to approve
	Text      string
	Plan      []string // what would be done, a phrase each
	Until     time.Time
}

// Ref names the question in one word of at most 200 bytes without spaces in its
// three parts: "RUN STEP DIGEST". It holds no secret.
func (q Question) Ref() string { return q.Run + " " + q.Step + " " + q.Digest }

// ParseRef reads what Ref gave.
func ParseRef(ref string) (run, step, digest string, ok bool) {
	parts := strings.Split(ref, " ")
	if len(ref) > 400 || len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
		return "", "", "", false
	}
	return parts[0], parts[1], parts[2], true
}

// Answer is somebody's decision of a question.
type Answer struct {
	Step   string   // its path; "" where one question of the run is open
	Digest string   // of what was shown to whoever decides
	Yes    bool     // approves; else denies, or objects
	Who    Identity //
	From   string   // from where: an address, a machine
	Why    string   // may be empty
}
