package actions

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/outbound"
	"github.com/skycrafters/responder/internal/redact"
)

const (
	webhookTimeout = 10 * time.Second
	maxAnswer      = 64 << 10 // bytes of an answer that are read
	maxExcerpt     = 200      // characters of an answer that an error shows
	maxRetryAfter  = 24 * time.Hour
)

// webhook posts to services by HTTP. Safe for concurrent use.
type webhook struct {
	client *http.Client
	refs   references
	now    func() time.Time
	agent  string
}

func newWebhook(deps Deps, refs references) *webhook {
	timeout, transport := deps.Timeout, deps.Transport
	if timeout <= 0 {
		timeout = webhookTimeout
	}
	if transport == nil {
		transport = outbound.FromEnvironment(deps.Getenv)
	}
	return &webhook{
		client: &http.Client{
			Timeout:   timeout,
			Transport: transport,
			// A redirect can lead the finding to another host, and turns a POST
			// into a GET that succeeds without having told anybody.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		refs:  refs,
		now:   deps.Now,
		agent: "responder/" + deps.Version,
	}
}

// request is one request to a service.
type request struct {
	address *url.URL
	named   string // how errors call the address
	key     string // Call.Key
	header  map[string]string
	body    []byte   // JSON
	hide    []string // what no error may show
}

// answer is what came back.
type answer struct {
	status int
	body   []byte          // at most maxAnswer of it
	hidden redact.Redactor // of what the request hides: what is told of body goes through it
}

// tell gives a text of the answer as an error may show it: one short line.
func (a answer) tell(text string) string { return cut(a.hidden.Text(inline(text)), maxExcerpt) }

// post sends a payload once to an address that is a secret.
func (w *webhook) post(ctx context.Context, key, param, ref string, payload any) (status int, err error) {
	address, err := w.address(ctx, param, ref)
	if err != nil {
		return 0, err
	}
	body, err := encodeJSON(payload)
	if err != nil {
		return 0, permanentf("write the message: %w", err)
	}
	answer, err := w.send(ctx, request{address: address, named: named(ref, param), key: key, body: body, hide: redact.URL(address)})
	return answer.status, err
}

// send makes a request once. nil: a 2xx came back. *Transient: no answer, 408,
// 429 or 5xx, with what Retry-After asks for. *Permanent: anything else. No error
// holds what is to be hidden.
func (w *webhook) send(ctx context.Context, r request) (answer, error) {
	hidden := redact.New(r.hide...)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.address.String(), bytes.NewReader(r.body))
	if err != nil {
		return answer{}, permanentf("%s does not hold a usable address", r.named)
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", w.agent)
	req.Header.Set("Idempotency-Key", r.key)
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return answer{}, unanswered(err, r.named, hidden)
	}
	defer resp.Body.Close()
	// What cannot be read of an answer is left out of the error; the status decides.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	got := answer{resp.StatusCode, body, hidden}
	return got, w.judge(r.named, resp, got.tell(string(body)))
}

// judge turns an answer into the error it means.
func (w *webhook) judge(named string, resp *http.Response, said string) error {
	if said != "" {
		said = ": " + said
	}
	switch status := resp.StatusCode; {
	case status >= 200 && status <= 299:
		return nil
	case status >= 300 && status <= 399:
		return permanentf("%s answered %d: redirects are not followed; give the final address", named, status)
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status >= 500:
		return &responder.Transient{
			After: retryAfter(resp.Header.Get("Retry-After"), w.now()),
			Err:   fmt.Errorf("%s answered %d%s", named, status, said),
		}
	default:
		return permanentf("%s answered %d%s", named, status, said)
	}
}

// unanswered is the error of a request to which nothing came back. It holds
// nothing of http.Client's error but its text: that one has the address.
func unanswered(err error, named string, hidden redact.Redactor) error {
	var (
		refused *outbound.Refused
		wrapped *url.Error
	)
	if errors.As(err, &refused) {
		return permanentf("%s: %w", named, refused)
	}
	if errors.As(err, &wrapped) {
		if wrapped.Timeout() {
			return transientf("post to %s: no answer in time", named)
		}
		err = wrapped.Err
	}
	return transientf("post to %s: %s", named, hidden.Text(inline(err.Error())))
}

// address resolves a reference to an address that may be posted to: https, or
// http on this machine itself.
func (w *webhook) address(ctx context.Context, param, ref string) (*url.URL, error) {
	text, err := w.refs.resolve(ctx, ref)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "": // the parser's error quotes the address
		return nil, permanentf("%s does not hold an address such as https://host/path", named(ref, param))
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return u, nil
	}
	return nil, permanentf("%s does not hold an https address", named(ref, param))
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// named is how an error calls the address: by its reference, or, where the
// flow holds the address itself, by the parameter.
func named(ref, param string) string {
	if strings.HasPrefix(ref, "env:") || strings.HasPrefix(ref, "secret:") {
		return ref
	}
	return param
}

// retryAfter reads a Retry-After header, seconds (Discord sends fractions) or an
// HTTP date; 0 if there is none, it cannot be read, or it is past.
// https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
func retryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	if seconds, err := strconv.ParseFloat(header, 64); err == nil && !math.IsNaN(seconds) {
		seconds = min(max(seconds, 0), maxRetryAfter.Seconds())
		return time.Duration(math.Ceil(seconds*1000)) * time.Millisecond
	}
	if date, err := http.ParseTime(header); err == nil {
		return min(max(date.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

// encodeJSON writes JSON without escaping < > &, which the limits would count.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
