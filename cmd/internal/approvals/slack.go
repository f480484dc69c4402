package approvals

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// How Slack signs: https://docs.slack.dev/authentication/verifying-requests-from-slack
const (
	slackVersion  = "v0"
	slackWindow   = 5 * time.Minute // between Slack's clock and ours, either way
	slackPatience = 2 * time.Second // of the three in which Slack wants an answer
)

// Buttons' action ids.
const (
	actionApprove = "approve"
	actionDeny    = "deny"
)

// slackHosts are those that Slack has answers sent to.
func slackHosts() []string { return []string{"hooks.slack.com", "hooks.slack-gov.com"} }

// NewClient gives a client for answers to Slack, by a way out; see
// internal/outbound. It follows nothing.
func NewClient(way http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     way,
		Timeout:       slackPatience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// interaction is what Slack tells of a click.
// https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
type interaction struct {
	Type string `json:"type"`
	User struct {
		ID   string `json:"id"`
		Name string `json:"username"`
	} `json:"user"`
	Team struct {
		ID     string `json:"id"`
		Domain string `json:"domain"`
	} `json:"team"`
	ResponseURL string `json:"response_url"`
	Actions     []struct {
		ID    string `json:"action_id"`
		Value string `json:"value"`
	} `json:"actions"`
}

// Slack takes what Slack posts when somebody clicks a button, and gives a status.
// header reads a request's header by its name, body is as it came. What is not
// signed by Slack, within five minutes and for the first time, is refused with
// 401, and no error or log says more of it than why.
func (d *Desk) Slack(ctx context.Context, header func(string) string, body []byte) (status int) {
	ctx, cancel := context.WithTimeout(ctx, slackPatience)
	defer cancel()
	if err := d.signed(ctx, header("X-Slack-Request-Timestamp"), header("X-Slack-Signature"), body); err != nil {
		var untold *unavailable
		if errors.As(err, &untold) {
			d.Log.Error().Err(err).Msg("Slack's request cannot be judged")
			return http.StatusServiceUnavailable
		}
		d.Log.Warn().Str("reason", err.Error()).Msg("request in Slack's name refused")
		return http.StatusUnauthorized
	}
	form, err := url.ParseQuery(string(body))
	var i interaction
	if err != nil || json.Unmarshal([]byte(form.Get("payload")), &i) != nil {
		d.Log.Warn().Msg("Slack's request is not understood")
		return http.StatusBadRequest
	}
	if i.Type != "block_actions" {
		return http.StatusOK
	}
	for _, action := range i.Actions {
		if action.ID == actionApprove || action.ID == actionDeny {
			d.clicked(ctx, i, action.ID == actionApprove, action.Value)
		}
	}
	return http.StatusOK
}

// unavailable is what keeps a request from being judged.
type unavailable struct{ err error }

func (e *unavailable) Error() string { return e.err.Error() }
func (e *unavailable) Unwrap() error { return e.err }

// signed says why a request is not Slack's, or comes again; nil if neither.
func (d *Desk) signed(ctx context.Context, timestamp, signature string, body []byte) error {
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return errors.New("no timestamp")
	}
	now := d.Now()
	if age := now.Sub(time.Unix(seconds, 0)); age > slackWindow || age < -slackWindow {
		return errors.New("not of these five minutes")
	}
	version, text, _ := strings.Cut(signature, "=")
	given, err := hex.DecodeString(text)
	if err != nil || version != slackVersion || len(given) != sha256.Size {
		return errors.New("no signature")
	}
	secret, err := d.Secrets.Get(ctx, d.Signing)
	if err != nil {
		return &unavailable{fmt.Errorf("signing secret %s: %w", d.Signing, err)}
	}
	keys := []responder.SecretText{secret.Current}
	if now.Before(secret.Until) {
		keys = append(keys, secret.Previous)
	}
	if !slices.ContainsFunc(keys, func(key responder.SecretText) bool {
		return key.Reveal() != "" && hmac.Equal(given, mac(key, timestamp, body))
	}) {
		return errors.New("signed by somebody else")
	}
	return d.first(ctx, given, now)
}

// mac is what Slack signs a request with.
func mac(key responder.SecretText, timestamp string, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(strings.TrimSpace(key.Reveal())))
	h.Write([]byte(slackVersion + ":" + timestamp + ":"))
	h.Write(body)
	return h.Sum(nil)
}

// first refuses a request that was taken before. What is kept of it is a hash.
func (d *Desk) first(ctx context.Context, signature []byte, now time.Time) error {
	sum := sha256.Sum256(signature)
	token := rand.Text
	if d.Token != nil {
		token = d.Token
	}
	_, admitted, err := d.Counters.Add(ctx, "slack/"+hex.EncodeToString(sum[:]), token(), 1, now.Add(2*slackWindow+time.Minute))
	switch {
	case err != nil:
		return &unavailable{err}
	case !admitted:
		return errors.New("it came before")
	}
	return nil
}

// clicked decides as somebody has clicked, and tells them what came of it.
func (d *Desk) clicked(ctx context.Context, i interaction, yes bool, ref string) {
	run, step, digest, ok := responder.ParseRef(ref)
	if !ok {
		d.answer(ctx, i.ResponseURL, private("This button is of no question."))
		return
	}
	a := responder.Answer{
		Step: step, Digest: digest, Yes: yes, From: strings.TrimSpace("Slack " + i.Team.ID + " " + i.Team.Domain),
		Who: responder.Identity{Kind: responder.IdentitySlack, ID: i.User.ID, Name: i.User.Name},
	}
	after, err := d.Decider.Decide(ctx, run, a)
	_, refused, err := d.judged(after, err, run, a)
	switch {
	case errors.Is(err, responder.ErrNotFound):
		d.answer(ctx, i.ResponseURL, private("There is no such run any more."))
	case err != nil:
		d.answer(ctx, i.ResponseURL, private("It could not be kept: click once more."))
	case refused != "":
		d.answer(ctx, i.ResponseURL, private(refused))
	default:
		d.answer(ctx, i.ResponseURL, public(after.Steps[step].Approval))
	}
}

// said is a message that answers a click.
type said struct {
	Text    string `json:"text"`
	Replace bool   `json:"replace_original"`
	Type    string `json:"response_type,omitempty"`
}

// private is seen by whoever clicked, and leaves the question as it is.
func private(text string) said { return said{Text: harmless(text), Type: "ephemeral"} }

// public takes the place of the question: what was asked, what was decided, by whom.
func public(a *responder.Approval) said {
	what := ":white_check_mark: approved"
	if a.Decision != responder.Approved {
		what = ":no_entry: denied"
	}
	text := harmless(a.Text)
	for _, p := range a.Plan {
		text += "\n• " + harmless(p.Phrase())
	}
	return said{Text: text + "\n" + what + " by <@" + a.Who.ID + "> at " + a.At.UTC().Format(time.RFC3339), Replace: true}
}

// harmless makes a text one that pings nobody and links nowhere.
func harmless(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

// answer posts to where Slack wants the answer. That fails quietly: what was
// decided is decided, and the address is nobody's to read in a log.
func (d *Desk) answer(ctx context.Context, address string, s said) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.User != nil || !slices.Contains(slackHosts(), u.Host) {
		d.Log.Warn().Msg("Slack names no address of its own for the answer")
		return
	}
	body, err := json.Marshal(s)
	if err != nil {
		d.Log.Error().Err(err).Msg("answer to Slack")
		return
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		d.Log.Error().Msg("answer to Slack cannot be made")
		return
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := d.Client.Do(request)
	if err != nil {
		d.Log.Warn().Msg("answer to Slack was not taken: no connection")
		return
	}
	if err := response.Body.Close(); err != nil || response.StatusCode/100 != 2 {
		d.Log.Warn().Int("status", response.StatusCode).Msg("answer to Slack was not taken")
	}
}
