package emulator

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Account is the account that a Lambda says its callers are of.
const Account = "111122223333"

// Function is the ARN of the function that a Lambda has.
const Function = "arn:aws:lambda:eu-west-1:" + Account + ":function:responder-action-test"

// Lambda is as much of Lambda and STS as the repair InvokeLambda asks for: a function
// of one's own, which notes with what it was invoked. Safe for concurrent use.
type Lambda struct {
	URL string

	mu      sync.Mutex
	invoked map[string][]Invocation // by message of the finding
}

// Invocation is one call of the function.
type Invocation struct {
	Key string
	At  time.Time
}

// NewLambda starts one on loopback, until the test is over.
func NewLambda(t testing.TB) *Lambda {
	l := &Lambda{invoked: map[string][]Invocation{}}
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	l.URL = server.URL
	return l
}

// Env is the environment in which the SDK finds it.
func (l *Lambda) Env() map[string]string {
	return environment(l.URL, "test")
}

// Invocations gives the calls of the function, by the message of the finding.
func (l *Lambda) Invocations() map[string][]Invocation {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string][]Invocation{}
	for message, calls := range l.invoked {
		all[message] = append([]Invocation(nil), calls...)
	}
	return all
}

func (l *Lambda) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.Contains(r.URL.Path, "/tags/"):
		fmt.Fprint(w, `{"Tags":{}}`)
	case strings.HasSuffix(r.URL.Path, "/invocations"):
		body, err := io.ReadAll(r.Body)
		if err != nil { // the caller died over it: nothing was asked for
			return
		}
		var given struct {
			Key     string `json:"key"`
			Finding struct{ Message string }
		}
		if err := json.Unmarshal(body, &given); err != nil || given.Key == "" {
			http.Error(w, "this is not handed over by Responder", http.StatusBadRequest)
			return
		}
		l.mu.Lock()
		l.invoked[given.Finding.Message] = append(l.invoked[given.Finding.Message], Invocation{given.Key, time.Now()})
		l.mu.Unlock()
		fmt.Fprint(w, `{"done":true}`)
	case r.URL.Path == "/":
		_, caller := Caller(Account, "arn:aws:iam::"+Account+":user/responder")
		fmt.Fprint(w, caller)
	default:
		http.Error(w, "nothing of that kind", http.StatusNotFound)
	}
}
