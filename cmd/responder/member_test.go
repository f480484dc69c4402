package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

// memberAWS is AWS as an event of account 111122223333 needs it: who one is,
// the role there, and a user.
type memberAWS struct {
	mu     sync.Mutex
	asked  []string     // "OPERATION by ACCESS KEY"
	assume []url.Values // what AssumeRole was given
	refuse bool
}

func (f *memberAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	key, _, _ := strings.Cut(credential, "/")
	operation := r.FormValue("Action")
	f.asked = append(f.asked, operation+" by "+key)
	switch {
	case operation == "GetCallerIdentity":
		fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>999988887777</Account><Arn>arn:aws:iam::999988887777:user/me</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	case operation == "AssumeRole" && !f.refuse:
		f.assume = append(f.assume, r.PostForm)
		fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>MEMBER</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
			time.Now().Add(15*time.Minute).UTC().Format(time.RFC3339))
	case operation == "GetUser":
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `<ErrorResponse><Error><Code>NoSuchEntity</Code></Error></ErrorResponse>`)
	default:
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized</Message></Error></ErrorResponse>`)
	}
}

// member lets one run come to its end on such an AWS.
func member(t *testing.T, f *memberAWS, args ...string) responder.Run {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "OWN", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "", "AWS_REGION": "us-east-1",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_PROFILE": "", "AWS_MAX_ATTEMPTS": "1",
	} {
		t.Setenv(name, value)
	}
	c := newCLI(t)
	c.write("flows.yml", "flows:\n  - {name: look, rule: NonCompliantUserCreated, sequential: [check: {}]}\n")
	c.run(exitDone, append([]string{"run", "--once", "--live", "--data", c.data, repo + "events/user-noncompliant.json"}, args...)...)
	db, err := c.app(nil, nil, nil).openData(c.data)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	page, err := db.Runs().List(t.Context(), responder.RunQuery{})
	if err != nil || len(page.Runs) != 1 {
		t.Fatalf("%d runs, %v", len(page.Runs), err)
	}
	run, err := db.Runs().Get(t.Context(), page.Runs[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	return *run
}

// TestMemberRole: what the flags say reaches AWS, and the user's account is
// asked with a session of the role there.
func TestMemberRole(t *testing.T) {
	f := &memberAWS{}
	run := member(t, f, "--member-role", "responder-member", "--member-account", "999988887777,111122223333", "--external-id", "x-1")
	if run.State != responder.RunStopped || !strings.Contains(run.Cause, "no longer exists") {
		t.Errorf("the run is %s: %s", run.State, run.Cause)
	}
	if got := strings.Join(f.asked, ", "); got != "GetCallerIdentity by OWN, AssumeRole by OWN, GetUser by MEMBER" {
		t.Fatalf("AWS was asked %s", got)
	}
	in := f.assume[0]
	if in.Get("RoleArn") != "arn:aws:iam::111122223333:role/responder-member" || in.Get("RoleSessionName") != run.ID || in.Get("ExternalId") != "x-1" || !strings.Contains(in.Get("Policy"), `"Action":"iam:GetUser"`) {
		t.Errorf("assumed %v", in)
	}

	f = &memberAWS{refuse: true}
	if run := member(t, f, "--member-role", "r", "--member-account", "111122223333"); run.State != responder.RunFailed || !strings.Contains(run.Cause, "arn:aws:iam::111122223333:role/r may not be taken") {
		t.Errorf("refused, the run is %s: %s", run.State, run.Cause)
	}
	f = &memberAWS{}
	if run := member(t, f, "--member-role", "r", "--member-account", "999988887777"); run.State != responder.RunFailed || !strings.Contains(run.Cause, "not among the member accounts") || len(f.asked) > 0 {
		t.Errorf("elsewhere, the run is %s: %s; AWS was asked %v", run.State, run.Cause, f.asked)
	}
	f = &memberAWS{}
	if run := member(t, f); run.State != responder.RunFailed || !strings.Contains(run.Cause, "but the credentials are of account 999988887777") {
		t.Errorf("without a role, the run is %s: %s", run.State, run.Cause)
	}
}

func TestMemberFlags(t *testing.T) {
	c := newCLI(t)
	for args, want := range map[string]string{
		"--member-role r":                                   "no account where it may be taken",
		"--member-account 111122223333":                     "no member role to act through",
		"--external-id xx":                                  "no member role to act through",
		"--member-role a/b --member-account 111122223333":   `"a/b", which is malformed`,
		"--member-role r --member-account 1111-2222-3333":   `"1111-2222-3333", which is malformed`,
		"--member-role r --member-account 1 --external-id ": "malformed",
	} {
		_, errs := c.run(exitUsage, append([]string{"run", "--once", "--live", repo + "events/root-login.json"}, strings.Split(args, " ")...)...)
		c.has(errs, want)
	}
}
