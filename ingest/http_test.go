package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// post is a request to a Handler on localhost, changed as told.
func post(body string, change func(*http.Request)) *http.Request {
	r := httptest.NewRequest("POST", "http://localhost/events", strings.NewReader(body))
	r.Header.Set("X-Api-Key", rightKey)
	if change != nil {
		change(r)
	}
	return r
}

func serve(s *setup, log io.Writer, r *http.Request, hosts ...string) *http.Response {
	w := httptest.NewRecorder()
	Handler(s.Ingest, HandlerOptions{Hosts: hosts, Log: zerolog.New(log)}).ServeHTTP(w, r)
	return w.Result()
}

// checkProblem judges an answer that is not 2xx, from either front.
func checkProblem(t *testing.T, status int, contentType string, body []byte, detail string) {
	t.Helper()
	var p map[string]any
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatalf("not JSON: %q", body)
	}
	if contentType != "application/problem+json" || len(p) != 4 || p["type"] != "about:blank" || p["title"] != http.StatusText(status) || p["status"] != float64(status) {
		t.Errorf("not the problem of a %d: %s %s", status, contentType, body)
	}
	if text, _ := p["detail"].(string); text == "" || !strings.Contains(text, detail) {
		t.Errorf("detail %q does not say %q", text, detail)
	}
}

func TestHandler(t *testing.T) {
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	to := func(method, path string) func(*http.Request) {
		return func(r *http.Request) { r.Method, r.URL.Path = method, path }
	}
	host := func(h string) func(*http.Request) { return func(r *http.Request) { r.Host = h } }
	tests := []struct {
		name   string
		change func(*http.Request)
		status int
		detail string
	}{
		{"events", nil, 202, ""},
		{"capture", to("POST", "/capture"), 202, ""},
		{"key in APIKey", func(r *http.Request) { r.Header.Del("X-Api-Key"); r.Header.Set("APIKey", rightKey) }, 202, ""},
		{"previous key", header("X-Api-Key", previousKey), 202, ""},
		{"no key", header("X-Api-Key", ""), 401, "missing or wrong"},
		{"wrong key", header("X-Api-Key", "wrong"), 401, "missing or wrong"},
		{"key in Authorization", func(r *http.Request) { r.Header.Set("Authorization", rightKey); r.Header.Del("X-Api-Key") }, 401, "missing or wrong"},
		{"GET", to("GET", "/events"), 405, "only POST"},
		{"PUT", to("PUT", "/capture"), 405, "only POST"},
		{"OPTIONS", to("OPTIONS", "/events"), 405, "only POST"},
		{"healthz", to("GET", "/healthz"), 200, ""},
		{"healthz, HEAD", to("HEAD", "/healthz"), 200, ""},
		{"healthz, POST", to("POST", "/healthz"), 405, "only GET, HEAD"},
		{"elsewhere", to("POST", "/"), 404, "/events"},
		{"below", to("POST", "/events/"), 404, "/events"},
		{"above", to("POST", "/x/../events"), 404, "/events"},
		{"localhost with port", host("localhost:8080"), 202, ""},
		{"LOCALHOST", host("LOCALHOST:1"), 202, ""},
		{"127.0.0.1", host("127.0.0.1:8080"), 202, ""},
		{"127.0.0.1 without port", host("127.0.0.1"), 202, ""},
		{"[::1]", host("[::1]:8080"), 202, ""},
		{"[::1] without port", host("[::1]"), 202, ""},
		{"configured host", host("Responder.example.com:443"), 202, ""},
		{"foreign host", host("evil.example"), 403, "host"},
		{"foreign host with our port", host("evil.example:8080"), 403, "host"},
		{"foreign host that begins like ours", host("localhost.evil.example"), 403, "host"},
		{"foreign host that ends like ours", host("evil.localhost"), 403, "host"},
		{"another address", host("127.0.0.2"), 403, "host"},
		{"no host", host(""), 403, "host"},
		{"host and more", host("localhost@evil.example"), 403, "host"},
		{"foreign host, healthz", func(r *http.Request) { host("evil.example")(r); to("GET", "/healthz")(r) }, 403, "host"},
		{"Origin", header("Origin", "https://evil.example"), 403, "browsers"},
		{"Origin null", header("Origin", "null"), 403, "browsers"},
		{"own Origin", header("Origin", "http://localhost"), 403, "browsers"},
		{"empty Origin", header("Origin", ""), 403, "browsers"},
		{"Content-Length too large", func(r *http.Request) { r.ContentLength = MaxBodyBytes + 1; r.Body = unread{t} }, 413, "larger than 5242880"},
		{"Content-Encoding", header("Content-Encoding", "br"), 415, "gzip"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSetup()
			var log bytes.Buffer
			res := serve(s, &log, post(event1, tt.change), "responder.example.com")
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != tt.status {
				t.Fatalf("status %d, want %d: %s", res.StatusCode, tt.status, body)
			}
			switch tt.status {
			case 202:
				if want := `{"ids":["1"],"accepted":1}` + "\n"; string(body) != want || !slices.Equal(s.queue.sent(), []string{event1}) {
					t.Errorf("body %s, sent %q", body, s.queue.sent())
				}
			case 200:
			default:
				checkProblem(t, tt.status, res.Header.Get("Content-Type"), body, tt.detail)
				if len(s.queue.calls) > 0 {
					t.Errorf("sent %q", s.queue.sent())
				}
			}
			if allow := res.Header.Get("Allow"); (tt.status == 405) != (allow != "") {
				t.Errorf("Allow: %q", allow)
			}
			if (tt.status == 401) != (res.Header.Get("WWW-Authenticate") != "") {
				t.Errorf("WWW-Authenticate: %q", res.Header.Get("WWW-Authenticate"))
			}
			if strings.Contains(log.String()+string(body), rightKey) || strings.Contains(log.String()+string(body), previousKey) {
				t.Errorf("a key is told: %s %s", log.String(), body)
			}
		})
	}
}

// unread is a body that must not be read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}
func (u unread) Close() error { return nil }

func TestHandlerBadBodies(t *testing.T) {
	for _, tt := range badBodies {
		t.Run(tt.name, func(t *testing.T) {
			for name, hide := range map[string]func(*http.Request){
				"with Content-Length": nil,
				"chunked":             func(r *http.Request) { r.ContentLength = -1 },
			} {
				s := newSetup()
				res := serve(s, io.Discard, post(tt.body, hide))
				body, err := io.ReadAll(res.Body)
				if err != nil {
					t.Fatal(err)
				}
				if res.StatusCode != tt.status {
					t.Fatalf("%s: status %d, want %d: %s", name, res.StatusCode, tt.status, body)
				}
				checkProblem(t, tt.status, res.Header.Get("Content-Type"), body, tt.want)
				if len(s.queue.calls) > 0 {
					t.Errorf("%s: sent %q", name, s.queue.sent())
				}
			}
		})
	}
}

func TestHandlerUnavailable(t *testing.T) {
	for name, fail := range map[string]func(*setup){
		"queue":        func(s *setup) { s.queue.err = errDown },
		"secret store": func(s *setup) { s.secrets.err = errDown },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetup()
			fail(s)
			var log bytes.Buffer
			res := serve(s, &log, post(event1+event2, nil))
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != 503 || res.Header.Get("Retry-After") != "5" {
				t.Errorf("status %d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
			}
			checkProblem(t, 503, res.Header.Get("Content-Type"), body, "send them all again")
			if bytes.Contains(body, []byte("it is down")) || bytes.Contains(body, []byte(`"ids"`)) {
				t.Errorf("it says too much: %s", body)
			}
			if !strings.Contains(log.String(), "it is down") || !strings.Contains(log.String(), `"level":"error"`) {
				t.Errorf("the cause is not in the log: %s", log.String())
			}
		})
	}
}

func TestServer(t *testing.T) {
	s := newSetup()
	server, err := Listen(":0", Handler(s.Ingest, HandlerOptions{}), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	if !server.Addr().(*net.TCPAddr).IP.Equal(net.IPv4(127, 0, 0, 1)) {
		t.Fatalf("without a host it binds %v", server.Addr())
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- server.Serve(ctx) }()

	client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
	defer client.CloseIdleConnections()
	do := func(body io.Reader, change func(*http.Request)) (int, string) {
		r, err := http.NewRequest("POST", server.URL()+"/events", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("APIKey", rightKey)
		change(r)
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	if status, text := do(strings.NewReader("["+event1+","+record3+"]"), func(*http.Request) {}); status != 202 || text != `{"ids":["1","3"],"accepted":2}`+"\n" {
		t.Errorf("got %d %s", status, text)
	}
	if status, text := do(strings.NewReader(event1), func(r *http.Request) { r.Host = "evil.example" }); status != 403 {
		t.Errorf("foreign host: got %d %s", status, text)
	}
	// No sender has to send what will not be taken.
	for name, change := range map[string]func(*http.Request){
		"413": func(r *http.Request) { r.ContentLength = 6 << 20; r.Header.Set("Expect", "100-continue") },
		"401": func(r *http.Request) {
			r.ContentLength = 1 << 20
			r.Header.Set("Expect", "100-continue")
			r.Header.Set("APIKey", "x")
		},
	} {
		if status, text := do(unread{t}, change); fmt.Sprint(status) != name {
			t.Errorf("want %s, got %d %s", name, status, text)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if conn, err := net.Dial("tcp", server.Addr().String()); err == nil {
		conn.Close()
		t.Error("it still listens")
	}
}

// A request under way when the server is to end is answered.
func TestServerEndsGracefully(t *testing.T) {
	begun, end := make(chan bool), make(chan bool)
	server, err := Listen("127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-end
		w.WriteHeader(http.StatusAccepted)
	}), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx) }()
	status := make(chan int)
	go func() {
		res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Post(server.URL(), "application/json", nil)
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		res.Body.Close()
		status <- res.StatusCode
	}()
	<-begun
	cancel()
	select {
	case err := <-ended:
		t.Fatalf("ended with a request under way: %v", err)
	default:
	}
	close(end)
	if got := <-status; got != http.StatusAccepted {
		t.Errorf("status %d", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestServerErrors(t *testing.T) {
	for _, address := range []string{"", "8080", "127.0.0.1", "127.0.0.1:http-but-not-quite", "203.0.113.1:1:2"} {
		if server, err := Listen(address, nil, zerolog.Nop()); err == nil {
			t.Errorf("%q: bound %v", address, errors.Join(server.Close()))
		} else if !strings.Contains(err.Error(), fmt.Sprintf("listen on %q", address)) {
			t.Errorf("%q: %v", address, err)
		}
	}
	first, err := Listen("127.0.0.1:0", nil, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(first.Addr().String(), nil, zerolog.Nop()); err == nil {
		t.Error("the same port was bound twice")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := first.Serve(t.Context()); err == nil {
		t.Error("a closed server served")
	}
}
