package responder

import (
	"context"
	"fmt"
	"time"
)

// Guards are the limits that a flow sets to its repairs, and to how many notices
// it sends. Those of a run's beginning and those of its flow at the moment of
// acting both hold. It is plain data, kept in runs.
type Guards struct {
	Scope     *Scope   `json:"scope,omitempty"`     // nil: anywhere
	Limits    *Limits  `json:"limits,omitempty"`    // nil: the defaults of dispatch
	Protected []string `json:"protected,omitempty"` // patterns of ARNs that no flow touches
}

// Scope says what a flow's repairs may touch. What is denied is, whatever is
// allowed.
type Scope struct {
	Allow *Area `json:"allow,omitempty"` // nil: everything
	Deny  *Area `json:"deny,omitempty"`  // nil: nothing
}

// Area is a set of things, by patterns in which * is any text and ? one
// character. A thing is in what is allowed if each list that is given has a
// pattern for it, each tag included; in what is denied if one has.
type Area struct {
	Accounts  []string            `json:"accounts,omitempty"`
	Regions   []string            `json:"regions,omitempty"`   // "global" is what has none
	Resources []string            `json:"resources,omitempty"` // ARNs
	Tags      map[string][]string `json:"tags,omitempty"`      // key → values
}

// Limits bound what a flow does, in things that are touched: one that a run
// touches twice counts once. 0 and nil mean the defaults of dispatch.
type Limits struct {
	PerRun      int   `json:"per_run,omitempty"`
	PerHour     int   `json:"per_hour,omitempty"`    // of all runs of the flow
	PerAccount  int   `json:"per_account,omitempty"` // in one account, of all runs of the flow, an hour
	PerFinding  int   `json:"per_finding,omitempty"` // a repair that would touch more touches nothing
	PerResource *Rate `json:"per_resource,omitempty"`
	Again       int   `json:"again,omitempty"`   // repairs of one thing an hour, beyond which the flow is halted
	Halt        bool  `json:"halt,omitempty"`    // what is beyond PerHour or PerAccount halts the flow
	Notices     *Rate `json:"notices,omitempty"` // notices of all runs of the flow; nil: no limit
}

// Rate is so many in a span.
type Rate struct {
	N   int           `json:"n"`
	Per time.Duration `json:"per"`
}

// Claim is what somebody wants counted under one key of a Budget.
type Claim struct {
	Key     string
	Members []string
	Limit   int       // most members under the key; 0: none
	Expires time.Time // of the key, if this is its first
}

// Budget is an extra ability of counters: to admit claims wholly or not at all.
type Budget interface {
	// Admit counts the members of all claims, in one atomic step, or none of
	// them: where it is not admitted, full names the first claim, by its index, whose
	// members beside those counted before do not fit under its limit. Members
	// counted before are not counted twice, and a claim of such alone fits
	// whatever its limit. Claims are of different keys, at most MaxClaims.
	// Keys expire as in Counters. ErrTooLarge: more than a store can count.
	Admit(ctx context.Context, claims ...Claim) (full int, admitted bool, err error)
}

// CheckClaims refuses claims that no store takes, so that what works on one
// works on all: two of one key, or more than MaxClaims (ErrTooLarge). Adapters
// call it in Admit.
func CheckClaims(claims []Claim) error {
	if len(claims) > MaxClaims {
		return fmt.Errorf("%d claims, at most %d are admitted at once: %w", len(claims), MaxClaims, ErrTooLarge)
	}
	keys := map[string]bool{}
	for _, c := range claims {
		if keys[c.Key] {
			return fmt.Errorf("two claims of one key: %.100q", c.Key)
		}
		keys[c.Key] = true
	}
	return nil
}

// MaxClaims is the most claims that are admitted at once (DynamoDB's limit of
// a transaction, kept by all).
const MaxClaims = 100

// Halt is somebody's word that a flow repairs nothing for now.
type Halt struct {
	Flow string    `json:"flow,omitempty"` // "": every flow
	By   string    `json:"by"`
	Why  string    `json:"why"`
	At   time.Time `json:"at"`
}

// Halts keeps which flows are halted. Safe for concurrent use.
type Halts interface {
	// Halt notes that a flow is halted. One that is halted already stays halted
	// by whoever did it first; then ErrExists.
	Halt(ctx context.Context, halt Halt) error
	// Resume forgets a flow's halt, and gives it. ErrNotFound: there is none.
	Resume(ctx context.Context, flow string) (Halt, error)
	// Halts gives all there are, by flow, as of the Halts and Resumes that have returned.
	Halts(ctx context.Context) ([]Halt, error)
}
