package responder

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// MaxRunBytes is the most that an encoded run may take in a store.
const MaxRunBytes = 350_000

// maxRunJSON bounds what decoding a stored run may inflate to.
const maxRunJSON = 32 << 20

// RunVersion is the newest form of a run that this Responder reads. A run is
// written in the oldest form that can say all it holds, so that a Responder
// which does not know a word parks the run and does not pass over the word:
//
//	1  the first
//	2  waits until a time of day, joins of any, timeouts of flows, notices that
//	   a cooldown suppresses, audits
//	3  approvals, surveys, guards, undos
//	4  limits of notices, and what is told in the place of those left out; by what run an event was caused
//	5  warnings, limits that halt their flow
const RunVersion = 5

// RunRetention is how long a finished run is kept at the least, and so how long
// an event sent again is recognised.
const RunRetention = 30 * 24 * time.Hour

// RunState is where a run stands.
type RunState string

// The states of a run. The first three may change on their own; the others are ends.
const (
	RunRunning          RunState = "running"
	RunWaiting          RunState = "waiting"
	RunAwaitingApproval RunState = "awaiting_approval" // as waiting, and a question to people is open
	RunSucceeded        RunState = "succeeded"
	RunStopped          RunState = "stopped" // a check said no
	RunFailed           RunState = "failed"
	RunCancelled        RunState = "cancelled"
	RunSuppressed       RunState = "suppressed" // by a cooldown
	RunParked           RunState = "parked"     // cannot be decoded, or its flow is disabled
)

// RunStates lists every state, in the order that people read them.
func RunStates() []RunState {
	return []RunState{RunRunning, RunWaiting, RunAwaitingApproval, RunSucceeded, RunStopped, RunFailed, RunCancelled, RunSuppressed, RunParked}
}

// Ended reports whether the run will not move on by itself.
func (s RunState) Ended() bool {
	switch s {
	case RunRunning, RunWaiting, RunAwaitingApproval:
		return false
	}
	return true
}

// Mode says whether a run acts. It is set at creation; guards read at the
// moment of acting can only make it stricter.
type Mode string

// The modes.
const (
	ModeLive Mode = "live" // notices act, repairs as the flow says
	ModeDry  Mode = "dry"  // nothing leaves the process: checks count as true
)

// Run is one execution of one flow for one finding.
//
// A store changes it only by conditional write: see RunStore.
type Run struct {
	V       int          `json:"v"`
	ID      string       `json:"id"`
	Version int64        `json:"version"` // counts the writes, 1 after Create
	Token   string       `json:"token"`   // names the attempt that wrote this version
	Flow    FlowSnapshot `json:"flow"`
	Finding Finding      `json:"finding"`
	Account string       `json:"account,omitempty"` // the event's; "": it names none, or the run is from before this was noted
	Undoes  *Undoing     `json:"undoes,omitempty"`  // nil unless the run puts back what another one did
	Gathers *Gathering   `json:"gathers,omitempty"` // nil unless the run tells in the place of notices that a limit left out
	Warns   *Warning     `json:"warns,omitempty"`   // nil unless the run tells that a guard keeps its flow from repairing
	// CausedBy is nil unless one of Responder's own roles caused the event.
	CausedBy *Origin               `json:"caused_by,omitempty"`
	Caused   []string              `json:"caused,omitempty"` // ids of runs that events of this one's doing have led to, MaxCaused at most
	Mode     Mode                  `json:"mode"`
	State    RunState              `json:"state"`
	Due      time.Time             `json:"due,omitzero"`   // when to look again at the latest; zero once ended
	Lease    time.Time             `json:"lease,omitzero"` // until when one worker holds the run; zero if free
	Steps    map[string]*StepState `json:"steps"`          // by path: "0", "2.1"
	Cause    string                `json:"cause,omitempty"`
	// Suppressed is 0 unless a cooldown keeps the run quiet: then it counts the
	// findings that this one's cooldown has suppressed so far, this one included.
	Suppressed int       `json:"suppressed,omitempty"`
	Deadline   time.Time `json:"deadline,omitzero"` // when the run fails if it has not ended; zero for never
	Resumed    int       `json:"resumed,omitempty"` // how often a worker has taken the run up
	Audit      []Audit   `json:"audit,omitempty"`   // what people did to it, oldest first
	Created    time.Time `json:"created"`
	Updated    time.Time `json:"updated"`
}

// Tells reports whether the run is there to tell of others, and not made by a
// finding of its own.
func (r *Run) Tells() bool { return r.Gathers != nil || r.Warns != nil }

// Undoing says what a run puts back.
type Undoing struct {
	Run   string   `json:"run"`   // the run whose repairs are undone
	Steps []string `json:"steps"` // for each step here, the path of the one there
}

// Origin is where an event came from that one of Responder's own roles caused.
type Origin struct {
	Session string `json:"session,omitempty"` // the name of the role's session
	Run     string `json:"run,omitempty"`     // the run whose session that was; "": no run of that name is known
}

// SessionName is what a session that acts for a run is called: its id, with the #
// of undos and repetitions as a dot, for STS takes none.
func SessionName(run string) string { return strings.ReplaceAll(run, "#", ".") }

// SessionRun is the id of the run that a session of this name acts for.
func SessionRun(session string) string { return strings.ReplaceAll(session, ".", "#") }

// MaxCaused is how many runs a run remembers to have led to.
const MaxCaused = 20

// Audit is something that somebody did to a run.
type Audit struct {
	At   time.Time `json:"at"`
	By   string    `json:"by"`
	What Deed      `json:"what"`
	Why  string    `json:"why,omitempty"`
}

// Deed is what people can do to runs.
type Deed string

// The deeds.
const (
	DeedCancel  Deed = "cancel"
	DeedRetry   Deed = "retry" // from the step that failed, in the same run
	DeedAgain   Deed = "again" // from the beginning, in a run of its own
	DeedApprove Deed = "approve"
	DeedDeny    Deed = "deny"
	DeedUndo    Deed = "undo" // what its repairs did, by a run of its own
)

// FlowSnapshot is the flow as it was when the run began. Of a run that is to
// begin with the flow as it will be then, only the name is there.
type FlowSnapshot struct {
	Name    string        `json:"name"`
	Repairs Repairs       `json:"repairs,omitempty"` // the stricter of this and the flow's present one counts
	Guards  *Guards       `json:"guards,omitempty"`  // they hold beside the flow's present ones
	Timeout time.Duration `json:"timeout,omitempty"`
	Steps   []Step        `json:"steps"`
	Digest  string        `json:"digest"` // of Steps
}

// StepStatus is where a step of a run stands.
type StepStatus string

// The states of a step. A step not in Run.Steps has not been reached.
const (
	StepRunning   StepStatus = "running"   // an attempt is under way, or its outcome is not known
	StepWaiting   StepStatus = "waiting"   // until Due: a wait, or before the next attempt
	StepSucceeded StepStatus = "succeeded" //
	StepFailed    StepStatus = "failed"    //
	StepSkipped   StepStatus = "skipped"   // its condition was false, or repairs are off
	StepStopped   StepStatus = "stopped"   // a check said no
	StepCancelled StepStatus = "cancelled" // given up where it stood: another branch was first, or the run was over
)

// StepState is what a run knows of one of its steps.
type StepState struct {
	State    StepStatus     `json:"state"`
	Began    time.Time      `json:"began,omitzero"`   // when it was reached; zero in runs from before this was noted
	Ended    time.Time      `json:"ended,omitzero"`   // when it came to the end that State is; zero while it has not
	Action   string         `json:"action,omitempty"` // what the step does; for check and remediate, what the rule bound
	Kind     Kind           `json:"kind,omitempty"`   // of the action
	Branch   string         `json:"branch,omitempty"` // of an if: "then" or "else"
	Params   map[string]any `json:"params,omitempty"` // as resolved before the first attempt; secrets stay references
	Body     any            `json:"body,omitempty"`   // the rendered template, as Params
	Dry      bool           `json:"dry,omitempty"`    // nothing was done: recorded what would have been
	Attempts []Attempt      `json:"attempts,omitempty"`
	Retried  int            `json:"retried,omitempty"`  // how many of Attempts came before the run was retried, and count no more towards limits
	Survey   *Survey        `json:"survey,omitempty"`   // of a repair: what it found before it acted
	Approval *Approval      `json:"approval,omitempty"` // the question that it asks, or, of a repair, that is about it
	Result   map[string]any `json:"result,omitempty"`
	Error    string         `json:"error,omitempty"`
	Due      time.Time      `json:"due,omitzero"`
}

// Attempt is one try of a step, or one look at whether a repair was done.
type Attempt struct {
	Began   time.Time `json:"began"`
	Ended   time.Time `json:"ended,omitzero"` // zero: not known to have ended
	Error   string    `json:"error,omitempty"`
	Unknown bool      `json:"unknown,omitempty"` // of a repair: nobody knows yet whether it acted
	Lost    bool      `json:"lost,omitempty"`    // its worker died, or was told to stop: no fault of the other side
	Verify  bool      `json:"verify,omitempty"`  // a look at whether it was done, not a try
	Survey  bool      `json:"survey,omitempty"`  // a look at what there is, before a try
}

// Try reports whether the attempt was more than a look.
func (a Attempt) Try() bool { return !a.Verify && !a.Survey }

// Clone gives a copy whose Steps can be changed without touching r. Finding,
// flow, parameters and results are shared: they are never changed in place.
func (r *Run) Clone() *Run {
	c := *r
	c.Steps = maps.Clone(r.Steps)
	for path, s := range c.Steps {
		copied := *s
		copied.Attempts = slices.Clone(s.Attempts)
		c.Steps[path] = &copied
	}
	return &c
}

// RunSummary is what a list shows of a run.
type RunSummary struct {
	ID       string   `json:"id"`
	Flow     string   `json:"flow"`
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	State    RunState `json:"state"`
	Mode     Mode     `json:"mode"`
	Title    string   `json:"title"`
	About    string   `json:"about,omitempty"` // the finding's first resource, and how many more: "i-0abc, and 2 more"
	Account  string   `json:"account,omitempty"`
	Cause    string   `json:"cause,omitempty"`
	// Suppressed is 0 unless a cooldown keeps the run quiet: then it counts the
	// findings that this one's cooldown has suppressed so far, this one included.
	Suppressed int       `json:"suppressed,omitempty"`
	Audit      []Audit   `json:"audit,omitempty"` // what people did to it, oldest first
	Created    time.Time `json:"created"`
	Updated    time.Time `json:"updated"`
	Due        time.Time `json:"due,omitzero"`

	FailedSteps int `json:"failed_steps"` // also of a run that went on and succeeded
	HeldBack    int `json:"held_back"`    // as Run.HeldBack
}

// Summary gives what a list shows of the run.
func (r *Run) Summary() RunSummary {
	return RunSummary{
		ID: r.ID, Flow: r.Flow.Name, Rule: r.Finding.Rule, Severity: r.Finding.Severity,
		State: r.State, Mode: r.Mode, Title: r.Finding.Title, About: about(r.Finding.Resources), Account: r.account(), Cause: r.Cause,
		Created: r.Created, Updated: r.Updated, Due: r.Due, FailedSteps: r.FailedSteps(), HeldBack: r.HeldBack(),
	}
}

const maxAbout = 200 // bytes of the resource that a summary names

// about names what a finding is about, in short.
func about(resources []string) string {
	if len(resources) == 0 {
		return ""
	}
	first := resources[0]
	if len(first) > maxAbout {
		first = strings.ToValidUTF8(first[:maxAbout], "") + "…"
	}
	if more := len(resources) - 1; more > 0 {
		first += fmt.Sprintf(", and %d more", more)
	}
	return first
}

// account is Event.Account of the finding's event. Of runs that have not noted
// it, nothing else of the event is decoded.
func (r *Run) account() (account string) {
	if r.Account != "" {
		return r.Account
	}
	var top map[string]json.RawMessage
	if json.Unmarshal(r.Finding.Event, &top) != nil || json.Unmarshal(top["account"], &account) != nil {
		return ""
	}
	return account
}

// FailedSteps is how many steps have failed for good. A group does not count
// beside the member that failed it.
func (r *Run) FailedSteps() int {
	n := 0
	for path, s := range r.Steps {
		if s.State == StepFailed && (s.Action != "" || !r.failedWithin(path)) {
			n++
		}
	}
	return n
}

// HeldBack is how many repairs a guard has held back, and questions about repairs
// that nobody has answered with yes: what was to be done, and was not, though the
// run may have succeeded.
func (r *Run) HeldBack() int {
	n := 0
	for _, s := range r.Steps {
		held := s.Kind == Repair && s.State == StepSkipped && s.Result["guard"] != nil
		if held || s.Approval != nil && !s.Approval.Open() && !s.Approval.Granted() {
			n++
		}
	}
	return n
}

// failedWithin reports whether a step inside the one at path has failed.
func (r *Run) failedWithin(path string) bool {
	for other, s := range r.Steps {
		if s.State == StepFailed && strings.HasPrefix(other, path+".") {
			return true
		}
	}
	return false
}
