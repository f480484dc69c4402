package actions_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
)

// answers is AWS on loopback: what the SDK makes of real answers.
func answers(t *testing.T, handle func(w http.ResponseWriter, operation string)) responder.Catalogue {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		operation := r.FormValue("Action")
		if operation == "GetCallerIdentity" {
			fmt.Fprintf(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>%s</Account><Arn>arn:aws:iam::%s:user/me</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`, account, account)
			return
		}
		handle(w, operation)
	}))
	t.Cleanup(server.Close)
	return actions.New(actions.Deps{AWS: lazy(server.URL)})
}

func lazy(endpoint string) actions.AWS {
	return actions.LazyAWS(
		config.WithBaseEndpoint(endpoint), config.WithRetryMaxAttempts(1),
		config.WithSharedConfigFiles(nil), config.WithSharedCredentialsFiles(nil),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("test", "test", "")))
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `<ErrorResponse><Error><Type>x</Type><Code>%s</Code><Message>because %s</Message></Error><RequestId>r-1</RequestId></ErrorResponse>`, code, strings.Repeat("x", 3000))
}

func TestAWSAnswers(t *testing.T) {
	const found = `<GetUserResponse><GetUserResult><User><UserName>bob</UserName><UserId>` + bobID + `</UserId></User></GetUserResult></GetUserResponse>`
	for _, tt := range []struct {
		name   string
		answer func(w http.ResponseWriter)
		read   func(error) bool // what it means of GetUser
		change func(error) bool // of DeleteUser
	}{
		{"denied", func(w http.ResponseWriter) { refuse(w, 403, "AccessDenied") }, isPermanent, isPermanent},
		{"bad key", func(w http.ResponseWriter) { refuse(w, 403, "InvalidClientTokenId") }, isPermanent, isPermanent},
		{"expired", func(w http.ResponseWriter) { refuse(w, 403, "ExpiredToken") }, isTransient, isTransient},
		{"throttled", func(w http.ResponseWriter) { refuse(w, 400, "Throttling") }, isTransient, isTransient},
		{"concurrent", func(w http.ResponseWriter) { refuse(w, 409, "ConcurrentModification") }, isTransient, isTransient},
		{"conflict", func(w http.ResponseWriter) { refuse(w, 409, "DeleteConflict") }, isTransient, isTransient},
		{"failure", func(w http.ResponseWriter) { refuse(w, 500, "ServiceFailure") }, isTransient, isUnknown},
		{"internal", func(w http.ResponseWriter) { refuse(w, 500, "InternalError") }, isTransient, isUnknown},
		{"unavailable", func(w http.ResponseWriter) { refuse(w, 503, "ServiceUnavailable") }, isTransient, isUnknown},
		{"gateway", func(w http.ResponseWriter) { w.WriteHeader(502); fmt.Fprint(w, "<html>bad gateway") }, isTransient, isUnknown},
		{"hung up", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, isTransient, isUnknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			catalogue := answers(t, func(w http.ResponseWriter, _ string) { tt.answer(w) })
			_, err := catalogue["IAMUserExists"].Do(t.Context(), bob)
			if !tt.read(err) || !strings.HasPrefix(err.Error(), "iam:GetUser: ") || len(err.Error()) > 500 {
				t.Errorf("read: got %T %v", err, err)
			}
			catalogue = answers(t, func(w http.ResponseWriter, operation string) {
				switch {
				case operation == "GetUser":
					fmt.Fprint(w, found)
				case operation == "DeleteUser":
					tt.answer(w)
				case strings.HasPrefix(operation, "List"):
					fmt.Fprintf(w, `<%sResponse><%sResult><IsTruncated>false</IsTruncated></%sResult></%sResponse>`, operation, operation, operation, operation)
				default:
					refuse(w, 404, "NoSuchEntity")
				}
			})
			_, err = catalogue["IAMDeleteUser"].Do(t.Context(), bob)
			if !tt.change(err) || !strings.Contains(err.Error(), "iam:DeleteUser: ") || len(err.Error()) > 500 {
				t.Errorf("change: got %T %v", err, err)
			}
		})
	}
}

func TestAWSNobodyThere(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	catalogue := actions.New(actions.Deps{AWS: lazy(server.URL)})
	for name, call := range map[string]responder.Call{"IAMDeleteUser": bob, "EC2TerminateInstances": idsCall(one)} {
		if _, err := catalogue[name].Do(t.Context(), call); !isTransient(err) || !strings.Contains(err.Error(), "no answer: dial tcp") {
			t.Errorf("%s: got %T %v", name, err, err)
		}
	}
	call := responder.Call{Finding: finding(), Params: map[string]any{"topicARN": topic}}
	if _, err := catalogue["SendEmail"].Do(t.Context(), call); !isTransient(err) {
		t.Errorf("SendEmail: got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := catalogue["IAMUserExists"].Do(ctx, bob); !isTransient(err) {
		t.Errorf("cancelled: got %v", err)
	}
}

// TestLazyAWS makes a catalogue where the configuration is broken: nothing is
// read before an action acts.
func TestLazyAWS(t *testing.T) {
	broken := func(*config.LoadOptions) error { return fmt.Errorf("no such profile") }
	catalogue := actions.New(actions.Deps{AWS: actions.LazyAWS(broken)})
	for name, call := range map[string]responder.Call{
		"IAMUserExists": bob, "EC2InstanceAlive": idsCall(one),
		"SendEmail": {Finding: finding(), Params: map[string]any{"topicARN": topic}},
	} {
		if _, err := catalogue[name].Do(t.Context(), call); !isTransient(err) || !strings.Contains(err.Error(), "no such profile") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
