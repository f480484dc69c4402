// Package approvals is the front door for what people decide of runs: a button in
// Slack, or a request that AWS has authenticated. It finds out who decides, and
// leaves it to the runs whether they may.
//
// It decides nothing by GET: links only show.
package approvals

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
)

// Decider is who keeps decisions; see dispatch.Control.
type Decider interface {
	Decide(ctx context.Context, id string, a responder.Answer) (*responder.Run, error)
}

var _ Decider = dispatch.Control{}

// Desk takes decisions. Safe for concurrent use.
type Desk struct {
	Decider  Decider
	Secrets  responder.Secrets
	Signing  string             // the name of the secret by which Slack signs
	Counters responder.Counters // for requests that come again
	Client   *http.Client       // to Slack; see NewClient
	Now      func() time.Time
	Token    func() string // names a request; crypto/rand
	Log      zerolog.Logger
}

// Request is what a signed request says, as JSON.
type Request struct {
	Step   string `json:"step"`
	Digest string `json:"digest"`
	Why    string `json:"why,omitempty"`
}

// Reply is the answer to it.
type Reply struct {
	Run      string             `json:"run,omitempty"`
	Step     string             `json:"step,omitempty"`
	Decision responder.Decision `json:"decision,omitempty"`
	Error    string             `json:"error,omitempty"`
}

// maxRequest bounds a request, in bytes.
const maxRequest = 64 << 10

// Signed takes a decision of a caller whom AWS has authenticated: caller is their
// ARN, from their address, verdict "approve" or "deny".
func (d *Desk) Signed(ctx context.Context, caller, from, run, verdict string, body []byte) (status int, reply Reply) {
	var request Request
	strict := json.NewDecoder(bytes.NewReader(body))
	strict.DisallowUnknownFields()
	switch {
	case !strings.HasPrefix(caller, "arn:"):
		return http.StatusForbidden, Reply{Error: "AWS does not say who this is"}
	case run == "" || verdict != "approve" && verdict != "deny":
		return http.StatusNotFound, Reply{Error: "there is POST /runs/ID/approve and POST /runs/ID/deny"}
	case len(body) > maxRequest || strict.Decode(&request) != nil || strict.More():
		return http.StatusBadRequest, Reply{Error: `this is no decision: {"step": "0", "digest": "…", "why": "…"}`}
	case request.Step == "" || request.Digest == "":
		return http.StatusBadRequest, Reply{Error: "a decision names the step that asks and the digest of what was shown"}
	}
	answer := responder.Answer{
		Step: request.Step, Digest: request.Digest, Yes: verdict == "approve", Why: request.Why, From: from,
		Who: responder.Identity{Kind: responder.IdentityIAM, ID: caller},
	}
	after, err := d.Decider.Decide(ctx, run, answer)
	decision, refused, err := d.judged(after, err, run, answer)
	switch {
	case errors.Is(err, responder.ErrNotFound):
		return http.StatusNotFound, Reply{Run: run, Error: "there is no such run"}
	case err != nil:
		return http.StatusInternalServerError, Reply{Run: run, Error: "it could not be kept: try again"}
	case refused != "":
		return http.StatusConflict, Reply{Run: run, Step: request.Step, Error: refused}
	}
	return http.StatusOK, Reply{Run: run, Step: request.Step, Decision: decision}
}

// judged tells apart what came of a decision, and logs it: decided, refused with
// a reason for whoever decides, or not kept.
func (d *Desk) judged(after *responder.Run, err error, run string, a responder.Answer) (decision responder.Decision, refused string, failed error) {
	log := func(e *zerolog.Event) *zerolog.Event {
		return e.Str("run", run).Str("step", a.Step).Bool("approve", a.Yes).Str("kind", string(a.Who.Kind)).Str("who", a.Who.ID)
	}
	var no *dispatch.Refused
	switch {
	case errors.As(err, &no):
		log(d.Log.Warn()).Str("reason", no.Reason).Msg("decision refused")
		return "", no.Reason, nil
	case err != nil && after == nil:
		log(d.Log.Error()).Err(err).Msg("decision not kept")
		return "", "", err
	case err != nil: // kept, and not rung for: the sweep will
		log(d.Log.Warn()).Err(err).Msg("decision kept")
	default:
		log(d.Log.Info()).Msg("decision kept")
	}
	if state := after.Steps[a.Step]; state != nil && state.Approval != nil {
		decision = state.Approval.Decision
	}
	return decision, "", nil
}
