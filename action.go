package responder

import (
	"context"
	"strings"
	"time"
)

// Kind says what an action does to the world.
type Kind string

// The kinds of action.
const (
	Notice Kind = "notice" // tells somebody
	Check  Kind = "check"  // reads; a *Stop error means "no"
	Repair Kind = "repair" // changes something
)

// Action is a named thing that a step can do. Implementations are safe for
// concurrent use.
type Action interface {
	Spec() Spec
	// Do acts once. The error is nil (done, or yes), *Stop (a check's no),
	// *Transient (try again), *Permanent (do not), or *Unknown (it may or may
	// not have happened: verify first). Any other error counts as *Unknown for
	// a repair and as *Transient for the rest. Do honours ctx.
	Do(ctx context.Context, call Call) (Result, error)
}

// Verifier is an extra ability that every repair has: to see whether it has
// already been done.
type Verifier interface {
	// Verify looks without changing anything. VerdictUnknown comes with an
	// error that says why.
	Verify(ctx context.Context, call Call) (Verdict, error)
}

// Surveyor is an extra ability that every repair has: to look, before it acts,
// at what it would touch.
type Surveyor interface {
	// Survey says what Do would touch, how that stands now, and how to put it
	// back. It changes nothing. It is asked before the first attempt, and what it
	// gives is kept in the run; and before a later one where that was long ago, for
	// the Targets alone. Errors as Do's; never *Unknown.
	Survey(ctx context.Context, call Call) (Survey, error)
}

// Survey is what a repair found before it acted. It holds no secrets, and is
// small: it is kept in a run.
type Survey struct {
	Targets []Target       `json:"targets,omitempty"` // all that Do would touch; empty: nothing is there (any more), and Do is not called
	Found   map[string]any `json:"found,omitempty"`   // how it stands, for people: {"state": "running"}
	Undo    []Binding      `json:"undo,omitempty"`    // repairs that put back what can be put back, in this order
	Lasting []string       `json:"lasting,omitempty"` // what nothing puts back, a phrase each: "the user's password"
	Touched []string       `json:"touched,omitempty"` // ARNs that tries before may have touched, and that are not among Targets any more; set by who asks
	At      time.Time      `json:"at,omitzero"`       // when Targets were seen; set by who asks. Zero: too long ago to act on
}

// Target is a thing that a repair touches.
type Target struct {
	ARN     string            `json:"arn"`
	Account string            `json:"account"`
	Region  string            `json:"region,omitempty"` // "" of what is global
	Tags    map[string]string `json:"tags,omitempty"`   // nil: it has none
	// TagsUnknown: what tags it has could not be seen, as of what is not there yet.
	TagsUnknown bool `json:"tags_unknown,omitempty"`
	// Static: it is a program that the flow's author names in a static parameter,
	// and no event does. So it may be of another account than the event's.
	Static bool `json:"static,omitempty"`
}

// Narrower is an extra ability: to name what one call needs. Without it that is
// all of Spec.Permissions. What a notice needs depends on its static parameters alone.
type Narrower interface {
	// Needs gives the permissions of this one call, its Survey and its Verify,
	// with the resources named as exactly as AWS allows. It touches nothing.
	Needs(call Call) []Permission
}

// Describer is an extra ability: to say in a few words what Do would do, for
// runs that record instead of acting.
type Describer interface {
	// Describe gives a phrase that follows "would": `delete user bob`. It
	// touches nothing, and holds no secrets. "" leaves the action's name.
	Describe(call Call) string
}

// Closer is an extra ability of a notice: to say of a call that it closes, or
// carries on, what an earlier one has opened elsewhere. Such a call is sent
// whatever limits a flow sets to its notices.
type Closer interface {
	// Closes judges a call. It touches nothing.
	Closes(call Call) bool
}

// Previewer is an extra ability that every notice has: to show what it would send.
type Previewer interface {
	// Preview gives what Do would send. It sends nothing, and looks up no secret:
	// its references stand where they would be. Errors as Do's.
	Preview(call Call) (Preview, error)
}

// Preview is what a notice would send. It holds no secrets.
type Preview struct {
	To      string // where to, for people: "secret:slack", "channel #alerts, token secret:slack-bot"
	Payload any    // exactly what is sent, as JSON says it
	Text    string // what people would read, without layout
	HTML    string // of an e-mail, its HTML; else ""
}

// Verdict is what a verification found.
type Verdict int

// The verdicts.
const (
	VerdictUnknown Verdict = iota
	VerdictDone
	VerdictNotDone
)

// Catalogue is the set of actions, by name.
type Catalogue map[string]Action

// Spec declares an action: load-time checks, documentation and IAM policies
// all derive from it.
type Spec struct {
	Name        string
	Kind        Kind
	Doc         string // one sentence
	Params      []Param
	Result      map[string]string // key of Result → what it holds
	Permissions []Permission
	// Inverse says, of a repair, in one sentence what puts it back and what
	// nothing does: "EC2StartInstances; what was in memory is gone."
	Inverse string
	// Undo names the repairs that its Survey may say put it back; none: nothing does.
	Undo []string

	// Escape makes a text harmless in the place the action puts it. dispatch
	// applies it to what `{{ expr }}` interpolates into the action's texts and
	// templates, never to what the flow's author wrote. nil: nothing to do.
	Escape func(string) string
	// Templates reports whether the action takes `template: NAME`, a file
	// templates/<Action>/<NAME>.yml whose rendered content arrives as Call.Body.
	Templates bool
}

// ParamType is the shape that a parameter must have.
type ParamType string

// The parameter types. A single text is taken where a list is asked for.
const (
	TextParam    ParamType = "text"
	ListParam    ParamType = "list"    // of texts, not empty
	NumberParam  ParamType = "number"  //
	BoolParam    ParamType = "bool"    //
	MessageParam ParamType = "message" // a text, or {header, values: [{label, value}]}
)

// Param declares one parameter.
type Param struct {
	Name     string
	Type     ParamType
	Required bool
	// Static parameters (addresses, topics, roles) come from the flow's author
	// alone: `{{ expr }}` in them is refused at load.
	Static bool
	// Pairs: of a list, each text is NAME=value, and `{{ expr }}` stands in the
	// values alone: which names there are, no event says.
	Pairs bool
	// Secret parameters hold a reference, env:NAME or secret:NAME, resolved by
	// the action at the moment of acting; plain text is taken with a warning.
	Secret bool
	// Default is what a static text is where the flow gives none, "" if nothing is.
	Default string
	Doc     string
}

// IsPair reports whether a text is NAME=value, its name written out in letters,
// digits and _.
func IsPair(text string) bool {
	name, _, paired := strings.Cut(text, "=")
	return paired && name != "" && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// Permission is one IAM statement that an action needs. Resources may use
// CloudFormation's ${AWS::Partition}, ${AWS::Region}, ${AWS::AccountId} and
// ${AWS::StackName}, the name of Responder's stack.
type Permission struct {
	Actions   []string
	Resources []string
	Condition map[string]map[string]string
}

// Call is what an action is given. Everything in it that comes from an event
// is data: never a host, a path or a role.
type Call struct {
	Key     string         // "run/step", or "run/step@…" of a step that was begun anew: the same for each attempt; sent as Idempotency-Key
	Flow    string         // name of the flow
	Params  map[string]any // resolved and checked against the Spec; texts already escaped by Spec.Escape
	Body    any            // the rendered template, nil without one; texts already escaped
	Finding Finding        // not escaped
	Account string         // of the event
	Region  string         // of the event
	Prefix  string         // "[DRY RUN] " after a dry repair; goes before the notice's text
	Now     time.Time
	// Question is what a notice under the `tell:` of an approve or veto step puts
	// to people; nil for all others. Its texts are not escaped.
	Question *Question
	// Left is not nil where this notice goes out in the place of others, which a
	// limit has left out, or warns that a guard keeps the flow from repairing. Its text is not escaped.
	Left *Left
	// Earlier is what notices of the same action have done in this run before,
	// oldest first: for services that keep a run's messages together.
	Earlier []Earlier
	// Progress says in a phrase how far the run has come before this notice: ""
	// where it is the first step.
	Progress string
}

// Earlier is a step of the same run that has succeeded.
type Earlier struct {
	Params map[string]any // as it was given them; what is secret stands as a mark
	Body   any
	Result Result
}

// Result is what an action reports of a success; it is kept in the run and
// seen as `steps.NAME.result`. It holds no secrets.
type Result map[string]any
