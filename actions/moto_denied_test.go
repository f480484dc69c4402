package actions_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/skycrafters/responder"
)

// denyNth stands before the emulator and has one call of an operation of IAM, the
// n-th, denied as AWS denies it. It is asked from then on.
func denyNth(t *testing.T, operation string, n int) {
	t.Helper()
	target := must[*url.URL](t)(url.Parse(os.Getenv("AWS_ENDPOINT_URL")))
	proxy := httputil.NewSingleHostReverseProxy(target)
	seen := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if form, _ := url.ParseQuery(string(body)); form.Get("Action") == operation {
			if seen++; seen == n {
				w.WriteHeader(http.StatusForbidden)
				fmt.Fprintf(w, `<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not authorized to perform: iam:%s with an explicit deny</Message></Error><RequestId>x</RequestId></ErrorResponse>`, operation)
				return
			}
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
}

// TestMotoDeniedHalfWay has the second of two keys of a user of an emulator denied:
// the run says so, a retry does the rest alone, and an undo gives back all that was.
func TestMotoDeniedHalfWay(t *testing.T) {
	cfg, catalogue, account := moto(t)
	api, ctx := iam.NewFromConfig(cfg), t.Context()
	denyNth(t, "UpdateAccessKey", 2)
	name := "u" + time.Now().Format("150405.000000000")
	user := must[*iam.CreateUserOutput](t)(api.CreateUser(ctx, &iam.CreateUserInput{UserName: &name})).User
	var keys []string
	for range 2 {
		keys = append(keys, *must[*iam.CreateAccessKeyOutput](t)(api.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: &name})).AccessKey.AccessKeyId)
	}
	active := func() (on []string) {
		for _, key := range must[*iam.ListAccessKeysOutput](t)(api.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: &name})).AccessKeyMetadata {
			if key.Status == types.StatusTypeActive {
				on = append(on, *key.AccessKeyId)
			}
		}
		return on
	}
	e := newEngine(t, catalogue, account, "us-east-1", "", "      - remediate: {}\n")
	e.finding.Remediate = &responder.Binding{Action: "IAMDisableAccessKeys", Params: map[string]any{"user": name, "id": *user.UserId, "keys": listOf(keys)}}
	run := e.run()
	says := []string{"iam:UpdateAccessKey: AccessDenied: not authorized", "(done: " + keys[0] + "; not known: none; not done: " + keys[1] + ")"}
	for _, want := range says {
		if !strings.Contains(run.Steps["0"].Error, want) {
			t.Errorf("want %s\n%s", want, told(run))
		}
	}
	if left := active(); run.State != responder.RunFailed || len(left) != 1 || left[0] != keys[1] {
		t.Fatalf("active: %v\n%s", left, told(run))
	}
	if _, err := e.Control().Retry(ctx, run.ID, "ann"); err != nil {
		t.Fatal(err)
	}
	if run = e.ended(run.ID); run.State != responder.RunSucceeded || len(active()) != 0 || fmt.Sprint(run.Steps["0"].Result["disabled"], run.Steps["0"].Result["already"]) != fmt.Sprintf("[%s] [%s]", keys[1], keys[0]) {
		t.Errorf("retried: active %v\n%s", active(), told(run))
	}
	if undo := e.undo(); undo.State != responder.RunSucceeded || len(active()) != 2 {
		t.Errorf("undone: active %v\n%s", active(), told(undo))
	}
}
