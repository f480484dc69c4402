package approvals

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/rs/zerolog"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
	"github.com/skycrafters/responder/internal/memory"
)

const (
	signingSecret = "8f742231b10e8888abcd99yyyzzz85a5"
	digest        = "d1"
	carol         = "U0CAROL"
)

var epoch = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)

// office is a Desk with all around it: a run that asks, Slack's secret, and who
// hears the answers.
type office struct {
	t     *testing.T
	desk  *Desk
	runs  *memory.Runs
	now   time.Time
	log   bytes.Buffer
	heard []map[string]any
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, runs: &memory.Runs{}, now: epoch}
	clock := func() time.Time { return o.now }
	queue := memory.NewQueue("findings", clock, memory.QueueOptions{})
	secrets := memory.NewSecrets(clock)
	secrets.Set("slack-signing", signingSecret)
	o.desk = &Desk{
		Decider: dispatch.Control{Runs: o.runs, Findings: queue, Now: clock}, Secrets: secrets, Signing: "slack-signing",
		Counters: memory.NewCounters(clock), Client: &http.Client{Transport: o}, Now: clock, Log: zerolog.New(&o.log),
	}
	run := &responder.Run{
		V: 1, ID: "abc#2", Token: "t", State: responder.RunAwaitingApproval, Due: epoch.Add(time.Hour), Created: epoch, Updated: epoch,
		Finding: responder.Finding{Rule: "r", Key: "k", Event: []byte("{}")},
		Flow:    responder.FlowSnapshot{Name: "f", Steps: []responder.Step{{Kind: responder.StepApprove, Ask: &responder.Ask{}}}},
		Steps: map[string]*responder.StepState{"0": {State: responder.StepWaiting, Due: epoch.Add(time.Hour), Approval: &responder.Approval{
			Text: "Delete <!channel> bob?", Digest: digest, Asked: epoch, Until: epoch.Add(time.Hour),
			By:   responder.Approvers{Slack: []string{carol, "U0BOB"}, IAM: []string{"arn:aws:iam::123412341234:role/Oncall"}},
			Not:  responder.Barred{Slack: []string{"U0BOB"}},
			Plan: []responder.Planned{{Step: "1", Action: "IAMDeleteUser", Would: "delete user bob"}},
		}}},
	}
	if err := o.runs.Create(context.Background(), run); err != nil {
		t.Fatal(err)
	}
	return o
}

// RoundTrip is Slack, hearing an answer.
func (o *office) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "hooks.slack.com" {
		o.t.Errorf("answered to %s", r.URL)
	}
	var said map[string]any
	if err := json.NewDecoder(r.Body).Decode(&said); err != nil {
		return nil, err
	}
	o.heard = append(o.heard, said)
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("ok"))}, nil
}

func (o *office) decision() responder.Decision {
	o.t.Helper()
	run, err := o.runs.Get(context.Background(), "abc#2")
	if err != nil {
		o.t.Fatal(err)
	}
	return run.Steps["0"].Approval.Decision
}

// click is what Slack posts when somebody clicks.
func click(action, user, value string) []byte {
	payload, err := json.Marshal(map[string]any{
		"type": "block_actions", "user": map[string]any{"id": user, "username": "somebody"}, "team": map[string]any{"id": "T0TEAM", "domain": "acme"},
		"response_url": "https://hooks.slack.com/actions/T0TEAM/1/x", "actions": []any{map[string]any{"action_id": action, "value": value}},
	})
	if err != nil {
		panic(err)
	}
	return []byte(url.Values{"payload": {string(payload)}}.Encode())
}

// signature is Slack's.
func signature(secret string, at time.Time, body []byte) map[string]string {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	return map[string]string{
		"X-Slack-Request-Timestamp": timestamp,
		"X-Slack-Signature":         "v0=" + hex.EncodeToString(mac(responder.NewSecretText(secret), timestamp, body)),
	}
}

func (o *office) post(headers map[string]string, body []byte) int {
	return o.desk.Slack(context.Background(), func(name string) string { return headers[name] }, body)
}

const ref = "abc#2 0 " + digest

// TestSlackVector: the example of Slack's documentation.
func TestSlackVector(t *testing.T) {
	const body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	got := hex.EncodeToString(mac(responder.NewSecretText(signingSecret), "1531420618", []byte(body)))
	if got != "a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503" {
		t.Error(got)
	}
}

// TestSlackClicks: who approves is heard, and the question gives way to what was
// decided.
func TestSlackClicks(t *testing.T) {
	o := newOffice(t)
	body := click("approve", carol, ref)
	if status := o.post(signature(signingSecret, o.now, body), body); status != http.StatusOK || o.decision() != responder.Approved {
		t.Fatalf("%d %q\n%s", status, o.decision(), o.log.String())
	}
	text, _ := o.heard[0]["text"].(string)
	if o.heard[0]["replace_original"] != true || !strings.Contains(text, "Delete &lt;!channel&gt; bob?") || !strings.Contains(text, "delete user bob") || !strings.Contains(text, "approved by <@U0CAROL>") {
		t.Errorf("%q", text)
	}
	o.now = o.now.Add(time.Second)
	body = click("deny", carol, ref) // two clicks, one decision
	if status := o.post(signature(signingSecret, o.now, body), body); status != http.StatusOK || o.decision() != responder.Approved {
		t.Errorf("%d %q", status, o.decision())
	}
	if text, _ := o.heard[1]["text"].(string); o.heard[1]["response_type"] != "ephemeral" || !strings.Contains(text, "approved by somebody (U0CAROL)") {
		t.Errorf("%v", o.heard[1])
	}
}

// TestSlackAbuse: none of these decides anything, or shows what it was signed with.
func TestSlackAbuse(t *testing.T) {
	good := click("approve", carol, ref)
	for name, tt := range map[string]struct {
		body    []byte
		headers func(o *office, body []byte) map[string]string
		status  int
	}{
		"bad MAC":             {good, func(o *office, body []byte) map[string]string { return signature("other", o.now, body) }, 401},
		"MAC of another body": {good, func(o *office, body []byte) map[string]string { return signature(signingSecret, o.now, body[1:]) }, 401},
		"MAC of another time": {good, func(o *office, body []byte) map[string]string {
			h := signature(signingSecret, o.now.Add(-time.Second), body)
			h["X-Slack-Request-Timestamp"] = strconv.FormatInt(o.now.Unix(), 10)
			return h
		}, 401},
		"no MAC": {good, func(o *office, body []byte) map[string]string {
			h := signature(signingSecret, o.now, body)
			delete(h, "X-Slack-Signature")
			return h
		}, 401},
		"half a MAC": {good, func(o *office, body []byte) map[string]string {
			h := signature(signingSecret, o.now, body)
			h["X-Slack-Signature"] = h["X-Slack-Signature"][:20]
			return h
		}, 401},
		"another version": {good, func(o *office, body []byte) map[string]string {
			h := signature(signingSecret, o.now, body)
			h["X-Slack-Signature"] = "v1" + h["X-Slack-Signature"][2:]
			return h
		}, 401},
		"no time": {good, func(o *office, body []byte) map[string]string {
			h := signature(signingSecret, o.now, body)
			delete(h, "X-Slack-Request-Timestamp")
			return h
		}, 401},
		"5 min 1 s old": {good, func(o *office, body []byte) map[string]string {
			return signature(signingSecret, o.now.Add(-5*time.Minute-time.Second), body)
		}, 401},
		"5 min 1 s early": {good, func(o *office, body []byte) map[string]string {
			return signature(signingSecret, o.now.Add(5*time.Minute+time.Second), body)
		}, 401},
		"wrong approver": {click("approve", "U0DAVE", ref), nil, 200},
		"actor approves": {click("approve", "U0BOB", ref), nil, 200},
		"nobody":         {click("approve", "", ref), nil, 200},
		"changed step":   {click("approve", carol, "abc#2 0 d2"), nil, 200},
		"no digest":      {click("approve", carol, "abc#2 0"), nil, 200},
		"another run":    {click("approve", carol, "xyz 0 d1"), nil, 200},
		"another button": {click("open", carol, ref), nil, 200},
		"a view":         {[]byte(url.Values{"payload": {`{"type":"view_submission","user":{"id":"U0CAROL"}}`}}.Encode()), nil, 200},
		"no payload":     {[]byte("a=b"), nil, 400},
		"no JSON":        {[]byte("payload=x"), nil, 400},
		"broken form":    {[]byte("payload=%zz"), nil, 400},
		"nothing":        {nil, nil, 400},
	} {
		o := newOffice(t)
		headers := signature(signingSecret, o.now, tt.body)
		if tt.headers != nil {
			headers = tt.headers(o, tt.body)
		}
		if status := o.post(headers, tt.body); status != tt.status || o.decision() != "" {
			t.Errorf("%s: %d, %q", name, status, o.decision())
		}
		given := strings.TrimPrefix(headers["X-Slack-Signature"], "v0=")
		if log := o.log.String(); len(given) > 8 && strings.Contains(log, given) || strings.Contains(log, signingSecret) || strings.Contains(log, "payload") || strings.Contains(log, "hooks.slack.com") {
			t.Errorf("%s: the log says %s", name, log)
		}
	}
}

// TestSlackReplay: a request that comes again decides nothing, at 10 s or ever.
func TestSlackReplay(t *testing.T) {
	o := newOffice(t)
	body := click("deny", "U0DAVE", ref) // refused: so what comes again could still do something
	headers := signature(signingSecret, o.now, body)
	if status := o.post(headers, body); status != http.StatusOK {
		t.Fatal(status)
	}
	for _, after := range []time.Duration{0, 10 * time.Second, 4 * time.Minute, 50 * time.Second, time.Minute, time.Hour} {
		o.now = o.now.Add(after)
		if status := o.post(headers, body); status != http.StatusUnauthorized {
			t.Errorf("after %v: %d", after, status)
		}
	}
	upper := map[string]string{"X-Slack-Request-Timestamp": headers["X-Slack-Request-Timestamp"], "X-Slack-Signature": "v0=" + strings.ToUpper(headers["X-Slack-Signature"][3:])}
	o = newOffice(t)
	if one, two := o.post(headers, body), o.post(upper, body); one != http.StatusOK || two != http.StatusUnauthorized {
		t.Errorf("in other letters: %d, %d", one, two)
	}
}

// TestSlackRotation: the secret that was replaced counts for a while.
func TestSlackRotation(t *testing.T) {
	o := newOffice(t)
	o.desk.Secrets = rotated{until: o.now.Add(time.Hour)}
	body := click("deny", carol, ref)
	if status := o.post(signature("old", o.now, body), body); status != http.StatusOK || o.decision() != responder.Denied {
		t.Errorf("%d %q", status, o.decision())
	}
	o = newOffice(t)
	o.desk.Secrets = rotated{until: o.now}
	if status := o.post(signature("old", o.now, body), body); status != http.StatusUnauthorized {
		t.Error(status)
	}
	o.desk.Secrets = rotated{} // no previous one: an empty key signs nothing
	if status := o.post(signature("", o.now, body), body); status != http.StatusUnauthorized {
		t.Error(status)
	}
}

type rotated struct{ until time.Time }

func (r rotated) Get(context.Context, string) (responder.Secret, error) {
	s := responder.Secret{Current: responder.NewSecretText("new"), Until: r.until}
	if !r.until.IsZero() {
		s.Previous = responder.NewSecretText("old")
	}
	return s, nil
}

// failing is a port that is down.
type failing struct{}

func (failing) Get(context.Context, string) (responder.Secret, error) {
	return responder.Secret{}, errors.New("down")
}

func (failing) Decide(context.Context, string, responder.Answer) (*responder.Run, error) {
	return nil, errors.New("down")
}

// TestSlackDown: what cannot be judged is not let through; what cannot be kept is
// said to whoever clicked.
func TestSlackDown(t *testing.T) {
	o := newOffice(t)
	body := click("approve", carol, ref)
	o.desk.Secrets = failing{}
	if status := o.post(signature(signingSecret, o.now, body), body); status != http.StatusServiceUnavailable || o.decision() != "" {
		t.Errorf("%d %q", status, o.decision())
	}
	o = newOffice(t)
	o.desk.Decider = failing{}
	if status := o.post(signature(signingSecret, o.now, body), body); status != http.StatusOK || len(o.heard) != 1 || o.heard[0]["replace_original"] != false {
		t.Errorf("%d %v", status, o.heard)
	}
}

// TestSlackAnswers go to Slack alone.
func TestSlackAnswers(t *testing.T) {
	o := newOffice(t)
	for _, address := range []string{"", "http://hooks.slack.com/x", "https://evil.example/x", "https://hooks.slack.com.evil.example", "https://hooks.slack.com:8443/x", "https://a@hooks.slack.com/x", "file:///etc/passwd", "::"} {
		o.desk.answer(context.Background(), address, private("x"))
	}
	if len(o.heard) > 0 {
		t.Error(o.heard)
	}
}

// TestHTTP: a mail scanner's GET decides nothing.
func TestHTTP(t *testing.T) {
	o := newOffice(t)
	body := click("approve", carol, ref)
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodOptions} {
		r := httptest.NewRequest(method, SlackPath+"?"+string(body), bytes.NewReader(body))
		for name, value := range signature(signingSecret, o.now, body) {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		if o.desk.ServeHTTP(w, r); w.Code != http.StatusMethodNotAllowed || o.decision() != "" {
			t.Errorf("%s: %d %q", method, w.Code, o.decision())
		}
	}
	r := httptest.NewRequest(http.MethodPost, SlackPath, bytes.NewReader(body))
	for name, value := range signature(signingSecret, o.now, body) {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	if o.desk.ServeHTTP(w, r); w.Code != http.StatusOK || o.decision() != responder.Approved {
		t.Errorf("%d %q", w.Code, o.decision())
	}
	w = httptest.NewRecorder()
	if o.desk.ServeHTTP(w, httptest.NewRequest(http.MethodPost, SlackPath, strings.NewReader(strings.Repeat("x", maxSlack+1)))); w.Code != http.StatusRequestEntityTooLarge {
		t.Error(w.Code)
	}
}

// proxied is a request as API Gateway hands it on.
func proxied(method, resource, id, caller, body string) events.APIGatewayProxyRequest {
	return events.APIGatewayProxyRequest{
		HTTPMethod: method, Resource: resource, PathParameters: map[string]string{"id": id}, Body: base64.StdEncoding.EncodeToString([]byte(body)), IsBase64Encoded: true,
		RequestContext: events.APIGatewayProxyRequestContext{Identity: events.APIGatewayRequestIdentity{UserArn: caller, SourceIP: "198.51.100.9"}},
	}
}

// TestLambda: who signs is known by what AWS says, and by nothing in the request.
func TestLambda(t *testing.T) {
	const (
		oncall = "arn:aws:sts::123412341234:assumed-role/Oncall/ann"
		right  = `{"step":"0","digest":"d1","why":"fine"}`
		path   = "/runs/{id}/approve"
	)
	for name, tt := range map[string]struct {
		request  events.APIGatewayProxyRequest
		status   int
		decision responder.Decision
	}{
		"approve":             {proxied("POST", path, "abc#2", oncall, right), 200, responder.Approved},
		"deny":                {proxied("POST", "/runs/{id}/deny", "abc%232", oncall, right), 200, responder.Denied},
		"mail scanner GET":    {proxied("GET", path, "abc#2", oncall, right), 405, ""},
		"wrong approver":      {proxied("POST", path, "abc#2", "arn:aws:sts::123412341234:assumed-role/Offcall/ann", right), 409, ""},
		"nobody":              {proxied("POST", path, "abc#2", "", right), 403, ""},
		"changed step":        {proxied("POST", path, "abc#2", oncall, `{"step":"0","digest":"d2"}`), 409, ""},
		"no digest":           {proxied("POST", path, "abc#2", oncall, `{"step":"0"}`), 400, ""},
		"says who it is":      {proxied("POST", path, "abc#2", oncall, `{"step":"0","digest":"d1","who":"x"}`), 400, ""},
		"no JSON":             {proxied("POST", path, "abc#2", oncall, `approve`), 400, ""},
		"more than one":       {proxied("POST", path, "abc#2", oncall, right+right), 400, ""},
		"no run":              {proxied("POST", path, "", oncall, right), 404, ""},
		"another run":         {proxied("POST", path, "xyz", oncall, right), 404, ""},
		"another verdict":     {proxied("POST", "/runs/{id}/cancel", "abc#2", oncall, right), 404, ""},
		"Slack's path by IAM": {proxied("POST", SlackPath, "abc#2", oncall, right), 401, ""},
	} {
		o := newOffice(t)
		got, err := o.desk.Lambda(context.Background(), tt.request)
		if err != nil || got.StatusCode != tt.status || o.decision() != tt.decision {
			t.Errorf("%s: %v, %d %s, %q", name, err, got.StatusCode, got.Body, o.decision())
		}
	}
	o := newOffice(t)
	if _, err := o.desk.Lambda(context.Background(), events.APIGatewayProxyRequest{}); err == nil {
		t.Error("an invocation that is none is taken")
	}
	body := click("deny", carol, ref)
	request := proxied("POST", SlackPath, "", "", string(body))
	request.Headers = map[string]string{}
	for name, value := range signature(signingSecret, o.now, body) {
		request.Headers[strings.ToLower(name)] = value
	}
	if got, err := o.desk.Lambda(context.Background(), request); err != nil || got.StatusCode != 200 || o.decision() != responder.Denied {
		t.Errorf("%v %d %q", err, got.StatusCode, o.decision())
	}
	run, err := o.runs.Get(context.Background(), "abc#2")
	if a := run.Steps["0"].Approval; err != nil || a.Who.Kind != responder.IdentitySlack || a.From != "Slack T0TEAM acme" || run.Audit[0].What != responder.DeedDeny {
		t.Errorf("%+v %+v", a, run.Audit)
	}
}

// FuzzSlack: whatever is posted and signed, nothing breaks, and nobody but who is
// asked decides.
func FuzzSlack(f *testing.F) {
	f.Add(string(click("approve", "U0DAVE", ref)))
	f.Add("payload={}")
	f.Add("payload=%7B%22type%22%3A%22block_actions%22%2C%22actions%22%3A%5B%7B%7D%5D%7D")
	f.Fuzz(func(t *testing.T, body string) {
		o := newOffice(t)
		o.post(signature(signingSecret, o.now, []byte(body)), []byte(body))
		if strings.Contains(body, carol) {
			return
		}
		if o.decision() != "" {
			t.Errorf("decided by %q", body)
		}
	})
}

// TestSample: what the function is invoked with in a container is a request as API
// Gateway makes it.
func TestSample(t *testing.T) {
	sample, err := os.ReadFile("../../../events/_lambda/approve.json")
	if err != nil {
		t.Fatal(err)
	}
	var request events.APIGatewayProxyRequest
	if err := json.Unmarshal(sample, &request); err != nil {
		t.Fatal(err)
	}
	o := newOffice(t)
	if answer, err := o.desk.Lambda(t.Context(), request); err != nil || answer.StatusCode != http.StatusNotFound || !strings.Contains(answer.Body, "there is no such run") {
		t.Errorf("%d %s, %v", answer.StatusCode, answer.Body, err)
	}
	request.PathParameters["id"], request.Body = "abc#2", `{"step":"0","digest":"`+digest+`"}`
	request.RequestContext.Identity.UserArn = strings.Replace(request.RequestContext.Identity.UserArn, "111122223333", "123412341234", 1)
	if answer, err := o.desk.Lambda(t.Context(), request); err != nil || answer.StatusCode != http.StatusOK || o.decision() != responder.Approved {
		t.Errorf("%d %s, %v", answer.StatusCode, answer.Body, err)
	}
}
