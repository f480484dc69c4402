package emulator

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// Asked is one request of AWS.
type Asked struct {
	Operation string // PutItem, AssumeRole …
	By        string // the access key it was signed with
	Form      url.Values
	Body      []byte
}

// Loopback is as much of AWS as one test needs: it notes who asks for what, and
// answers as the test says. It knows the protocols that have the operation in a
// header or in a form. Safe for concurrent use.
type Loopback struct {
	URL string

	mu    sync.Mutex
	asked []Asked
}

// NewLoopback starts one, until the test is over. answer is called for one request
// at a time.
func NewLoopback(t testing.TB, answer func(Asked) (status int, body string)) *Loopback {
	l := &Loopback{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil { // who asked is gone
			return
		}
		a := read(r, body)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.asked = append(l.asked, a)
		status, said := answer(a)
		w.WriteHeader(status)
		fmt.Fprint(w, said)
	}))
	t.Cleanup(server.Close)
	l.URL = server.URL
	return l
}

func read(r *http.Request, body []byte) Asked {
	a := Asked{Body: body}
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	a.By, _, _ = strings.Cut(credential, "/")
	if _, operation, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
		a.Operation = operation
		return a
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	a.Operation, a.Form = r.FormValue("Action"), r.PostForm
	return a
}

// Asked gives all requests, in the order in which they came.
func (l *Loopback) Asked() []Asked {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.asked)
}

// During says how often each operation was asked for while something was done, but
// for those of IAM and STS.
func (l *Loopback) During(do func()) map[string]int {
	before := len(l.Asked())
	do()
	counts := map[string]int{}
	for _, a := range l.Asked()[before:] {
		if a.Form == nil {
			counts[a.Operation]++
		}
	}
	return counts
}

// Env is the environment in which the SDK finds it, with an access key of one's
// own, and asks it once.
func (l *Loopback) Env() map[string]string {
	env := environment(l.URL, "OWN")
	env["AWS_MAX_ATTEMPTS"] = "1"
	return env
}

// Config is what Env says, for clients.
func (l *Loopback) Config() aws.Config {
	return aws.Config{
		Region: "eu-west-1", BaseEndpoint: &l.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("OWN", "test", ""),
	}
}

// environment is that in which the SDK finds AWS at an address, and nothing of
// whoever runs the tests.
func environment(address, key string) map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "",
		"AWS_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true", "AWS_PROFILE": "",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	}
}

// Result is how IAM and STS answer: a result of the operation.
func Result(operation, result string) (status int, body string) {
	return http.StatusOK, fmt.Sprintf("<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>", operation, result)
}

// Refusal is how IAM and STS refuse.
func Refusal(status int, code string) (int, string) {
	return status, "<ErrorResponse><Error><Code>" + code + "</Code><Message>because</Message></Error></ErrorResponse>"
}

// Caller is STS's answer to who one is.
func Caller(account, arn string) (status int, body string) {
	return Result("GetCallerIdentity", "<Account>"+account+"</Account><Arn>"+arn+"</Arn><UserId>u</UserId>")
}

// Session is STS's answer to who takes a role: a session of a quarter of an hour,
// signed for with an access key.
func Session(key string, now time.Time) (status int, body string) {
	return Result("AssumeRole", "<Credentials><AccessKeyId>"+key+"</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>"+
		now.Add(15*time.Minute).UTC().Format(time.RFC3339)+"</Expiration></Credentials>")
}
