package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/emulator"
)

// memberAWS is AWS as an event of account 111122223333 needs it: who one is,
// the role there, unless that is refused, and no user.
func memberAWS(t *testing.T, refuse bool) *emulator.Loopback {
	return emulator.NewLoopback(t, func(a emulator.Asked) (int, string) {
		switch {
		case a.Operation == "GetCallerIdentity":
			return emulator.Caller("999988887777", "arn:aws:iam::999988887777:user/me")
		case a.Operation == "AssumeRole" && !refuse:
			return emulator.Session("MEMBER", time.Now())
		case a.Operation == "GetUser":
			return emulator.Refusal(http.StatusNotFound, "NoSuchEntity")
		}
		return emulator.Refusal(http.StatusForbidden, "AccessDenied")
	})
}

// member lets one run come to its end on such an AWS.
func member(t *testing.T, cloud *emulator.Loopback, args ...string) responder.Run {
	t.Helper()
	for name, value := range cloud.Env() {
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
	cloud := memberAWS(t, false)
	run := member(t, cloud, "--member-role", "responder-member", "--member-account", "999988887777,111122223333", "--external-id", "x-1")
	if run.State != responder.RunStopped || !strings.Contains(run.Cause, "no longer exists") {
		t.Errorf("the run is %s: %s", run.State, run.Cause)
	}
	asked := cloud.Asked()
	var who []string
	for _, a := range asked {
		who = append(who, a.Operation+" by "+a.By)
	}
	if got := strings.Join(who, ", "); got != "GetCallerIdentity by OWN, AssumeRole by OWN, GetUser by MEMBER" {
		t.Fatalf("AWS was asked %s", got)
	}
	in := asked[1].Form
	if in.Get("RoleArn") != "arn:aws:iam::111122223333:role/responder-member" || in.Get("RoleSessionName") != run.ID || in.Get("ExternalId") != "x-1" || !strings.Contains(in.Get("Policy"), `"Action":"iam:GetUser"`) {
		t.Errorf("assumed %v", in)
	}

	if run := member(t, memberAWS(t, true), "--member-role", "r", "--member-account", "111122223333"); run.State != responder.RunFailed || !strings.Contains(run.Cause, "arn:aws:iam::111122223333:role/r may not be taken") {
		t.Errorf("refused, the run is %s: %s", run.State, run.Cause)
	}
	cloud = memberAWS(t, false)
	if run := member(t, cloud, "--member-role", "r", "--member-account", "999988887777"); run.State != responder.RunFailed || !strings.Contains(run.Cause, "not among the member accounts") || len(cloud.Asked()) > 0 {
		t.Errorf("elsewhere, the run is %s: %s; AWS was asked %v", run.State, run.Cause, cloud.Asked())
	}
	if run := member(t, memberAWS(t, false)); run.State != responder.RunFailed || !strings.Contains(run.Cause, "but the credentials are of account 999988887777") {
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
