package stacktest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// slack is the other side of the stack whose flows ask: Slack's API, where a bot
// posts, and the place of answers to clicks. Safe for concurrent use.
type slack struct {
	mu    sync.Mutex
	heard []heard
}

// heard is a request that Slack was sent.
type heard struct {
	path string // "/api/chat.postMessage"
	said map[string]any
	ts   string // of what was posted
}

// listenSlack plays Slack at its address for as long as the test runs.
func listenSlack(t *testing.T, address string) *slack {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil || u.Port() == "" {
		t.Fatalf("%s is %q, %v", slackVariable, address, err)
	}
	s := &slack{}
	serve(t, "127.0.0.1:"+u.Port(), s, true)
	return s
}

// serve serves on loopback for as long as the test runs, and gives the address.
func serve(t *testing.T, address string, handler http.Handler, tls bool) string {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)} // of killed clients
	served := make(chan error, 1)
	go func() {
		if tls {
			served <- server.ServeTLS(listener, filepath.Join(os.Getenv(tlsVariable), "cert.pem"), filepath.Join(os.Getenv(tlsVariable), "key.pem"))
			return
		}
		served <- server.Serve(listener)
	}()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != http.ErrServerClosed {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

// ServeHTTP takes messages, as Slack's API does, and answers to clicks.
func (s *slack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := heard{path: r.URL.Path}
	if err := json.NewDecoder(r.Body).Decode(&h.said); err != nil {
		http.Error(w, "no JSON", http.StatusBadRequest)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/api/") && r.Header.Get("Authorization") != "Bearer "+botToken {
		fmt.Fprint(w, `{"ok":false,"error":"not_authed"}`)
		return
	}
	s.mu.Lock()
	h.ts, _ = h.said["ts"].(string)
	if h.ts == "" {
		h.ts = fmt.Sprintf("1700000000.%06d", len(s.heard))
	}
	s.heard = append(s.heard, h)
	s.mu.Unlock()
	fmt.Fprintf(w, `{"ok":true,"channel":"C0OPS","ts":%q}`, h.ts)
}

// about gives what was heard that holds a text, at a path, oldest first.
func (s *slack) about(path, text string) (found []heard) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.heard {
		if said, err := json.Marshal(h.said); err == nil && h.path == path && bytes.Contains(said, []byte(text)) {
			found = append(found, h)
		}
	}
	return found
}

// inThread gives what was heard of a thread at a path.
func (s *slack) inThread(path, ts string) (found []heard) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.heard {
		if h.path == path && (h.said["thread_ts"] == ts || h.said["ts"] == ts) {
			found = append(found, h)
		}
	}
	return found
}

// button gives the value of a button of a message, by its action's id.
func button(said any, action string) string {
	switch v := said.(type) {
	case map[string]any:
		if v["action_id"] == action {
			value, _ := v["value"].(string)
			return value
		}
		for _, inside := range v {
			if value := button(inside, action); value != "" {
				return value
			}
		}
	case []any:
		for _, inside := range v {
			if value := button(inside, action); value != "" {
				return value
			}
		}
	}
	return ""
}

// click is what Slack posts when somebody clicks; what it answers goes to a place
// that bears a name.
func click(action, user, value, name string) []byte {
	payload, err := json.Marshal(map[string]any{
		"type": "block_actions", "user": map[string]any{"id": user, "username": "somebody"}, "team": map[string]any{"id": "T0TEAM", "domain": "acme"},
		"response_url": "https://hooks.slack.com/actions/" + name, "actions": []any{map[string]any{"action_id": action, "value": value}},
	})
	if err != nil {
		panic(err) // it holds texts alone
	}
	return []byte(url.Values{"payload": {string(payload)}}.Encode())
}

// signed are the headers by which Slack signs a body.
// https://docs.slack.dev/authentication/verifying-requests-from-slack
func signed(secret string, at time.Time, body []byte) http.Header {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "v0:%s:%s", timestamp, body)
	return http.Header{
		"Content-Type":              {"application/x-www-form-urlencoded"},
		"X-Slack-Request-Timestamp": {timestamp}, "X-Slack-Signature": {"v0=" + hex.EncodeToString(mac.Sum(nil))},
	}
}

// proxy takes those who ask for Slack, or for the deployed API, to where they are
// played.
type proxy struct{ slack, api string }

func (p proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	to := ""
	switch host, _, _ := strings.Cut(r.Host, ":"); {
	case r.Method != http.MethodConnect:
	case host == "hooks.slack.com":
		to = p.slack
	case strings.HasSuffix(host, ".execute-api.us-east-1.amazonaws.com"):
		to = p.api
	}
	if to == "" {
		http.Error(w, "not played here", http.StatusForbidden)
		return
	}
	there, err := net.Dial("tcp", to)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	here, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		there.Close()
		return
	}
	fmt.Fprint(here, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() {
		defer here.Close()
		defer there.Close()
		_, _ = io.Copy(here, there) // it ends when either side does
	}()
	go func() {
		defer there.Close()
		_, _ = io.Copy(there, buffered)
	}()
}
