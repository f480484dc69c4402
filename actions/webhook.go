package actions

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

const (
	webhookTimeout = 10 * time.Second
	maxAnswer      = 64 << 10 // bytes of an answer that are read
	maxExcerpt     = 200      // characters of an answer that an error shows
	maxRetryAfter  = 24 * time.Hour
)

// webhook posts JSON to addresses that are secrets. Safe for concurrent use.
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
		transport = http.DefaultTransport
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

// post sends the payload once. nil: a 2xx came back. *Transient: no answer,
// 408, 429 or 5xx, with what Retry-After asks for. *Permanent: anything else.
// No error holds the address.
func (w *webhook) post(ctx context.Context, key, ref string, payload any) (status int, err error) {
	address, err := w.address(ctx, ref)
	if err != nil {
		return 0, err
	}
	body, err := encodeJSON(payload)
	if err != nil {
		return 0, permanentf("write the message: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address.String(), bytes.NewReader(body))
	if err != nil {
		return 0, permanentf("%s does not hold a usable address", named(ref))
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", w.agent)
	req.Header.Set("Idempotency-Key", key)

	resp, err := w.client.Do(req)
	if err != nil {
		return 0, transientf("post to %s: %s", named(ref), withoutAddress(err, address))
	}
	defer resp.Body.Close()
	// What cannot be read of an answer is left out of the error; the status decides.
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, w.judge(ref, resp, excerpt(answer, address))
}

// judge turns an answer into the error it means.
func (w *webhook) judge(ref string, resp *http.Response, said string) error {
	if said != "" {
		said = ": " + said
	}
	switch status := resp.StatusCode; {
	case status >= 200 && status <= 299:
		return nil
	case status >= 300 && status <= 399:
		return permanentf("%s answered %d: redirects are not followed; give the final address", named(ref), status)
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status >= 500:
		err := transientf("%s answered %d%s", named(ref), status, said).(*responder.Transient)
		err.After = retryAfter(resp.Header.Get("Retry-After"), w.now())
		return err
	default:
		return permanentf("%s answered %d%s", named(ref), status, said)
	}
}

// address resolves a reference to an address that may be posted to: https, or
// http on this machine itself.
func (w *webhook) address(ctx context.Context, ref string) (*url.URL, error) {
	text, err := w.refs.resolve(ctx, ref)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "": // the parser's error quotes the address
		return nil, permanentf("%s does not hold an address such as https://host/path", named(ref))
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return u, nil
	}
	return nil, permanentf("%s does not hold an https address", named(ref))
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// named is how an error calls the address: by its reference, or, where the
// flow holds the address itself, by the parameter.
func named(ref string) string {
	if strings.HasPrefix(ref, "env:") || strings.HasPrefix(ref, "secret:") {
		return ref
	}
	return "webhookURL"
}

// withoutAddress is the text of an http.Client's error without the address.
func withoutAddress(err error, address *url.URL) string {
	var wrapped *url.Error
	if !errors.As(err, &wrapped) {
		return redact(err.Error(), address)
	}
	if wrapped.Timeout() {
		return "no answer in time"
	}
	return redact(wrapped.Err.Error(), address)
}

// excerpt is what an error shows of an answer: one short line.
func excerpt(answer []byte, address *url.URL) string {
	return cut(redact(inline(string(answer)), address), maxExcerpt)
}

// redact takes out whatever part of the address the other side has echoed.
func redact(text string, address *url.URL) string {
	for _, secret := range secretParts(address) {
		text = strings.ReplaceAll(text, secret, "[redacted]")
	}
	return text
}

// secretParts lists what must not be shown of an address, longest first: the
// whole, then path and query, then each part of them that can be a token.
func secretParts(u *url.URL) []string {
	const shortest = 6
	parts := []string{u.String(), u.RequestURI(), u.Path, u.EscapedPath(), u.RawQuery}
	parts = append(parts, strings.Split(u.Path, "/")...)
	parts = append(parts, strings.Split(u.EscapedPath(), "/")...)
	for _, values := range u.Query() {
		parts = append(parts, values...)
	}
	if password, ok := u.User.Password(); ok {
		parts = append(parts, password)
	}
	kept := parts[:0]
	for _, part := range parts {
		if len(part) >= shortest {
			kept = append(kept, part)
		}
	}
	return kept
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
