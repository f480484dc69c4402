package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/cmd/internal/lambdas/lambdastest"
	"github.com/skycrafters/responder/internal/emulator"
)

// homeAWS is AWS as a repair at home needs it: Dispatch's own credentials, a role
// that can be taken with them, and a user with one access key that is active.
func homeAWS(now time.Time) func(emulator.Asked) (int, string) {
	return func(a emulator.Asked) (int, string) {
		switch a.Operation {
		case "GetCallerIdentity":
			return emulator.Caller("111122223333", "arn:aws:sts::111122223333:assumed-role/watch-dispatch-eu-west-1/watch-dispatch")
		case "AssumeRole":
			return emulator.Session("HOME", now)
		case "GetUser":
			return emulator.Result(a.Operation, `<User><UserName>bob</UserName><UserId>AIDAIOSFODNN7BOBXAMPL</UserId><Arn>arn:aws:iam::111122223333:user/bob</Arn></User>`)
		case "ListAccessKeys":
			return emulator.Result(a.Operation, `<IsTruncated>false</IsTruncated><AccessKeyMetadata><member><AccessKeyId>AKIAIOSFODNN7EXAMPLE</AccessKeyId><Status>Active</Status></member></AccessKeyMetadata>`)
		}
		return emulator.Result(a.Operation, "")
	}
}

// operations are those asked for with an access key, each once.
func operations(asked []emulator.Asked, key string) (all []string) {
	for _, a := range asked {
		if a.By == key {
			all = append(all, a.Operation)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(all)))
}

// TestHomeRole: a repair at home acts through the stack's own role for that, in a
// session of this run that may do this and no more; so what that session did is
// known for this run's doing, and is answered with no repair.
func TestHomeRole(t *testing.T) {
	const home = "arn:aws:iam::111122223333:role/watch-home-eu-west-1"
	f := newFunction(t)
	cloud := emulator.NewLoopback(t, homeAWS(f.now))
	for name, value := range cloud.Env() {
		t.Setenv(name, value)
	}
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
	if got, want := operations(cloud.Asked(), "OWN"), []string{"AssumeRole", "GetCallerIdentity"}; !slices.Equal(got, want) {
		t.Errorf("with Dispatch's own credentials AWS was asked %v, want %v", got, want)
	}
	if got, want := operations(cloud.Asked(), "HOME"), []string{"GetUser", "ListAccessKeys", "UpdateAccessKey"}; !slices.Equal(got, want) {
		t.Errorf("in the session AWS was asked %v, want %v", got, want)
	}
	asked := cloud.Asked()
	taken := asked[slices.IndexFunc(asked, func(a emulator.Asked) bool { return a.Operation == "AssumeRole" })].Form
	if taken.Get("RoleArn") != home || taken.Get("RoleSessionName") != first.ID || !strings.HasSuffix(taken.Get("ExternalId"), ":stack/watch/0-1") ||
		!strings.Contains(taken.Get("Policy"), "user/bob") || strings.Contains(taken.Get("Policy"), "iam:*") {
		t.Errorf("taken is %v", taken)
	}

	second := f.found(t, 2, home, first.ID)
	if second.CausedBy == nil || second.CausedBy.Run != first.ID || !second.Steps["0"].Dry || len(cloud.Asked()) != len(asked) {
		t.Errorf("what the session did is caused by %+v; its repair is dry: %v, and AWS was asked %v", second.CausedBy, second.Steps["0"].Dry, cloud.Asked()[len(asked):])
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
