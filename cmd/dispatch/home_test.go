package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/cmd/internal/lambdas/lambdastest"
)

// homeAWS is AWS as a repair at home needs it: Dispatch's own credentials, a role
// that can be taken with them, and a user with one access key that is active.
type homeAWS struct {
	now time.Time

	mu       sync.Mutex
	asked    []string // "OPERATION by ACCESS KEY"
	role     string   // taken last, with the session's name, external id and policy
	session  string
	external string
	policy   string
}

// ServeHTTP implements http.Handler.
func (h *homeAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	key, _, _ := strings.Cut(credential, "/")
	operation := r.FormValue("Action")
	h.asked = append(h.asked, operation+" by "+key)
	result := map[string]string{
		"GetCallerIdentity": `<Account>111122223333</Account><Arn>arn:aws:sts::111122223333:assumed-role/watch-dispatch-eu-west-1/watch-dispatch</Arn>`,
		"AssumeRole": `<Credentials><AccessKeyId>HOME</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>` +
			h.now.Add(15*time.Minute).UTC().Format(time.RFC3339) + `</Expiration></Credentials>`,
		"GetUser":        `<User><UserName>bob</UserName><UserId>AIDAIOSFODNN7BOBXAMPL</UserId><Arn>arn:aws:iam::111122223333:user/bob</Arn></User>`,
		"ListAccessKeys": `<IsTruncated>false</IsTruncated><AccessKeyMetadata><member><AccessKeyId>AKIAIOSFODNN7EXAMPLE</AccessKeyId><Status>Active</Status></member></AccessKeyMetadata>`,
	}[operation]
	if operation == "AssumeRole" {
		h.role, h.session, h.external, h.policy = r.FormValue("RoleArn"), r.FormValue("RoleSessionName"), r.FormValue("ExternalId"), r.FormValue("Policy")
	}
	fmt.Fprintf(w, "<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>", operation, result)
}

// operations are those asked with credentials, each once.
func (h *homeAWS) operations(key string) (all []string) {
	for _, asked := range h.asked {
		if operation, by, _ := strings.Cut(asked, " by "); by == key {
			all = append(all, operation)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(all)))
}

// TestHomeRole: a repair at home acts through the stack's own role for that, in a
// session of this run that may do this and no more; so what that session did is
// known for this run's doing, and is answered with no repair.
func TestHomeRole(t *testing.T) {
	const home = "arn:aws:iam::111122223333:role/watch-home-eu-west-1"
	cloud := &homeAWS{}
	server := httptest.NewServer(cloud)
	defer server.Close()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "OWN", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "", "AWS_REGION": "eu-west-1",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_PROFILE": "", "AWS_MAX_ATTEMPTS": "1",
	} {
		t.Setenv(name, value)
	}
	f := newFunction(t)
	cloud.now = f.now
	host := lambdastest.Host(t, io.Discard, map[string]string{
		"MEMBER_ROLE": "watch-home-eu-west-1", "MEMBER_ACCOUNTS": "111122223333", "MEMBER_EXTERNAL_ID": "arn:aws:cloudformation:eu-west-1:111122223333:stack/watch/0-1",
	})
	flows := "flows: [{name: NonCompliantUserCreated, repairs: live, sequential: [IAMDisableAccessKeys: {user: '{{ resources[0] }}'}]}]"
	if err := os.WriteFile(filepath.Join(host.Getenv("LAMBDA_TASK_ROOT"), "flows.local.yml"), []byte(flows), 0o600); err != nil {
		t.Fatal(err)
	}
	ports := f.ports()
	ports.ownRoles = []string{"arn:aws:iam::111122223333:role/watch-dispatch-eu-west-1"}
	var err error
	if f.handler, err = newHandler(host, ports); err != nil {
		t.Fatal(err)
	}

	first := f.found(t, 1, "", "")
	if first.State != responder.RunSucceeded || first.CausedBy != nil || first.Steps["0"].Dry {
		t.Fatalf("the run is %s: %s", first.State, first.Cause)
	}
	if got, want := cloud.operations("OWN"), []string{"AssumeRole", "GetCallerIdentity"}; !slices.Equal(got, want) {
		t.Errorf("with Dispatch's own credentials AWS was asked %v, want %v", got, want)
	}
	if got, want := cloud.operations("HOME"), []string{"GetUser", "ListAccessKeys", "UpdateAccessKey"}; !slices.Equal(got, want) {
		t.Errorf("in the session AWS was asked %v, want %v", got, want)
	}
	if cloud.role != home || cloud.session != first.ID || !strings.HasSuffix(cloud.external, ":stack/watch/0-1") || !strings.Contains(cloud.policy, "user/bob") || strings.Contains(cloud.policy, "iam:*") {
		t.Errorf("taken is %s, as %s, with %s and %s", cloud.role, cloud.session, cloud.external, cloud.policy)
	}

	asked := len(cloud.asked)
	second := f.found(t, 2, home, cloud.session)
	if second.CausedBy == nil || second.CausedBy.Run != first.ID || !second.Steps["0"].Dry || len(cloud.asked) != asked {
		t.Errorf("what the session did is caused by %+v; its repair is dry: %v, and AWS was asked %v", second.CausedBy, second.Steps["0"].Dry, cloud.asked[asked:])
	}
	if again, err := f.runs.Get(t.Context(), first.ID); err != nil || !slices.Equal(again.Caused, []string{second.ID}) {
		t.Errorf("the first run has caused %v, %v", again.Caused, err)
	}
	for n, role := range map[int]string{3: home + "-x", 4: strings.Replace(home, "111122223333", "444455556666", 1), 5: strings.Replace(home, "home", "away", 1)} {
		if other := f.found(t, n, role, first.ID); other.CausedBy != nil || other.Steps["0"].Dry {
			t.Errorf("what a session of %s did is taken for our own: %+v", role, other.CausedBy)
		}
	}
}

// found gives the run of the sample finding, as the n-th and, if there is a role,
// caused by a session of it.
func (f *function) found(t *testing.T, n int, role, session string) *responder.Run {
	t.Helper()
	var batch struct {
		Records []struct {
			Body string `json:"body"`
		}
	}
	if err := json.Unmarshal(lambdastest.Sample(t, "dispatch.json"), &batch); err != nil {
		t.Fatal(err)
	}
	bell, err := responder.DecodeBell([]byte(batch.Records[0].Body))
	if err != nil {
		t.Fatal(err)
	}
	var event map[string]any
	if err := json.Unmarshal(bell.Finding.Event, &event); err != nil {
		t.Fatal(err)
	}
	if role != "" {
		maps.Copy(event["detail"].(map[string]any)["userIdentity"].(map[string]any), map[string]any{"principalId": "AROAEXAMPLE:" + session, "sessionContext": map[string]any{"sessionIssuer": map[string]any{"arn": role}}})
	}
	finding := *bell.Finding
	finding.Key = fmt.Sprintf("111122223333/%d", n)
	if finding.Event, err = json.Marshal(event); err != nil {
		t.Fatal(err)
	}
	body, err := (responder.Bell{Finding: &finding}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.findings.Send(t.Context(), responder.Message{Body: body}); err != nil {
		t.Fatal(err)
	}
	deliveries, err := f.findings.Receive(t.Context(), 1, 0)
	if err != nil || len(deliveries) != 1 {
		t.Fatal(deliveries, err)
	}
	if got := f.invoke(t, lambdastest.Batch(t, deliveries...)); got != allHandled {
		t.Fatalf("answers %s", got)
	}
	run, err := f.runs.Get(t.Context(), finding.RunID("NonCompliantUserCreated"))
	if err != nil {
		t.Fatal(err)
	}
	return run
}
