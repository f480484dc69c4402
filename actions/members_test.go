package actions_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
)

const (
	member = "444455556666"
	run    = "0123456789abcdef0123456789abcdef"
)

// membership is a catalogue that acts through the role responder-member.
type membership struct {
	sts   *fakeSTS
	users *fakeIAM
	now   time.Time
	with  []string // the access keys that IAM was asked with
	actions.Members
}

func newMembership() *membership {
	now := time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC)
	return &membership{
		sts: &fakeSTS{account: account, expires: now.Add(15 * time.Minute)}, users: newFakeIAM(), now: now,
		Members: actions.Members{Role: "responder-member", Accounts: []string{account, member}, ExternalID: "x-1"},
	}
}

func (m *membership) catalogue(t *testing.T) responder.Catalogue {
	return actions.New(actions.Deps{Members: m.Members, Now: func() time.Time { return m.now }, AWS: actions.AWS{
		Config: func(context.Context) (aws.Config, error) { return aws.Config{Region: "eu-west-1"}, nil },
		STS: func(cfg aws.Config) actions.STSAPI {
			if cfg.Region != "eu-west-1" || cfg.Credentials != nil {
				t.Errorf("STS is asked with %v", cfg)
			}
			return m.sts
		},
		IAM: func(cfg aws.Config) actions.IAMAPI {
			session, err := cfg.Credentials.Retrieve(t.Context())
			if err != nil || session.SessionToken != "token" || cfg.Region != "eu-west-1" {
				t.Errorf("IAM is asked with %v in %s, %v", session, cfg.Region, err)
			}
			m.with = append(m.with, session.AccessKeyID)
			return m.users
		},
		EC2: func(cfg aws.Config) actions.EC2API {
			if cfg.Credentials == nil || cfg.Region != "eu-west-3" {
				t.Errorf("EC2 is asked in %s", cfg.Region)
			}
			return &fakeEC2{}
		},
	}})
}

func (m *membership) ask(t *testing.T, call responder.Call) error {
	_, err := m.catalogue(t)["IAMUserExists"].Do(t.Context(), call)
	return err
}

func of(account, step string) responder.Call {
	return responder.Call{Key: run + "/" + step, Params: map[string]any{"user": "bob"}, Account: account, Region: "eu-west-3"}
}

func TestMemberRole(t *testing.T) {
	for partition, prefix := range map[string]string{"": "arn:aws:", "aws-cn": "arn:aws-cn:", "aws-us-gov": "arn:aws-us-gov:"} {
		for _, target := range []string{account, member} { // home included
			m := newMembership()
			m.sts.partition = partition
			if err := m.ask(t, of(target, "1")); err != nil {
				t.Fatal(err)
			}
			if len(m.sts.assumed) != 1 {
				t.Fatalf("assumed %d times", len(m.sts.assumed))
			}
			in := m.sts.assumed[0]
			user := prefix + "iam::" + target + ":user/"
			got := []any{*in.RoleArn, *in.RoleSessionName, *in.ExternalId, *in.DurationSeconds, *in.Policy}
			want := []any{prefix + "iam::" + target + ":role/responder-member", run, "x-1", int32(900),
				`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:GetUser","Resource":["` + user + `bob","` + user + `*/bob"]}]}`}
			if !reflect.DeepEqual(got, want) || in.SourceIdentity != nil || len(in.Tags)+len(in.PolicyArns) > 0 {
				t.Errorf("assumed %v\nwant    %v", got, want)
			}
			if !slices.Equal(m.users.calls, []string{"GetUser"}) {
				t.Errorf("IAM was asked %v", m.users.calls)
			}
		}
	}
	m := newMembership()
	m.ExternalID = ""
	call := of(member, "1")
	call.Key = "" // of no run, or of one whose name a session cannot bear
	for _, call.Key = range []string{"", "a/1", "a b/1", "{{x}}/1", strings.Repeat("x", 65) + "/1"} {
		if err := m.ask(t, call); err != nil {
			t.Fatal(err)
		}
	}
	for _, in := range m.sts.assumed {
		if in.ExternalId != nil || *in.RoleSessionName != "responder" {
			t.Errorf("external id %v, session %s", in.ExternalId, *in.RoleSessionName)
		}
	}
}

// TestMemberAccounts: what is not on the list is refused before anybody is asked.
func TestMemberAccounts(t *testing.T) {
	for target, says := range map[string]string{
		"777788889999":              "account 777788889999 is not among the member accounts",
		"":                          "the event names no account",
		member + ":role/other":      "is not among",
		"4444555566\x1b[31m66":      "is not among",
		"arn:aws:iam::444455556666": "is not among",
	} {
		for _, action := range []string{"IAMUserExists", "IAMDeleteUser", "EC2InstanceAlive", "EC2TerminateInstances"} {
			m := newMembership()
			call := of(target, "1")
			call.Params["ids"] = []any{one}
			_, err := m.catalogue(t)[action].Do(t.Context(), call)
			if !isPermanent(err) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("%s of %q: got %v", action, target, err)
			}
			if m.sts.calls+len(m.sts.assumed)+len(m.users.calls) > 0 {
				t.Errorf("%s of %q: AWS was asked", action, target)
			}
		}
	}
}

// TestMemberRoleRefused: whatever STS says, nothing has been done, and so
// nothing is in doubt; and nothing is asked without a session.
func TestMemberRoleRefused(t *testing.T) {
	const role = "arn:aws:iam::" + member + ":role/responder-member"
	for _, tt := range []struct {
		name string
		err  error
		is   func(error) bool
		says string
	}{
		{"denied", awsErr("AccessDenied"), isPermanent, role + " may not be taken: there is no such role, or it does not trust Responder's role with the external id x-1, " +
			"or Responder's role lacks the permission: sts:AssumeRole: AccessDenied: why AccessDenied"},
		{"malformed", awsErr("MalformedPolicyDocument"), isPermanent, "sts:AssumeRole: MalformedPolicyDocument"},
		{"region", awsErr("RegionDisabledException"), isPermanent, "sts:AssumeRole: RegionDisabledException"},
		{"bad key", awsErr("InvalidClientTokenId"), isPermanent, "sts:AssumeRole: InvalidClientTokenId"},
		{"throttled", awsErr("Throttling"), isTransient, "sts:AssumeRole: Throttling"},
		{"expired", awsErr("ExpiredToken"), isTransient, "sts:AssumeRole: ExpiredToken"},
		{"no answer", errors.New("connection reset by peer"), isTransient, "sts:AssumeRole: connection reset"},
	} {
		for _, action := range []string{"IAMUserExists", "IAMDeleteUser"} {
			m := newMembership()
			m.sts.refusals = []error{tt.err}
			catalogue := m.catalogue(t)
			if _, err := catalogue[action].Do(t.Context(), of(member, "1")); !tt.is(err) || !strings.HasPrefix(err.Error(), tt.says) {
				t.Errorf("%s, %s: got %T %v", action, tt.name, err, err)
			}
			if len(m.sts.assumed) != 1 || len(m.users.calls) > 0 {
				t.Errorf("%s, %s: assumed %d times, IAM was asked %v", action, tt.name, len(m.sts.assumed), m.users.calls)
			}
			if v, ok := catalogue[action].(responder.Verifier); ok {
				m.sts.refusals = append(m.sts.refusals, tt.err)
				if verdict, err := v.Verify(t.Context(), of(member, "1")); verdict != responder.VerdictUnknown || !tt.is(err) {
					t.Errorf("%s, %s: verified as %v, %v", action, tt.name, verdict, err)
				}
			}
		}
	}
	for name, sts := range map[string]*fakeSTS{"nobody": {partition: "\x7f"}, "down": {account: account, err: errors.New("reset")}} {
		m := newMembership()
		m.sts = sts
		if err := m.ask(t, of(member, "1")); !isTransient(err) || len(m.users.calls)+len(sts.assumed) > 0 {
			t.Errorf("STS knows %s: got %v", name, err)
		}
	}
}

// TestSessionPolicyTooLarge: STS packs a policy before it measures it.
func TestSessionPolicyTooLarge(t *testing.T) {
	m := newMembership()
	m.sts.refusals = []error{awsErr("PackedPolicyTooLarge")}
	if err := m.ask(t, of(member, "1")); err != nil {
		t.Fatal(err)
	}
	want := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:GetUser","Resource":"arn:aws:iam::` + member + `:user/*"}]}`
	if len(m.sts.assumed) != 2 || *m.sts.assumed[1].Policy != want {
		t.Errorf("then assumed %v", m.sts.assumed[1:])
	}
	m = newMembership()
	m.sts.refusals = []error{awsErr("PackedPolicyTooLarge"), awsErr("PackedPolicyTooLarge"), awsErr("PackedPolicyTooLarge")}
	if err := m.ask(t, of(member, "1")); !isPermanent(err) || len(m.sts.assumed) != 2 || len(m.users.calls) > 0 {
		t.Errorf("assumed %d times: %v", len(m.sts.assumed), err)
	}
}

// TestSessionsAreKept for the step that they were begun for, and while they last.
func TestSessionsAreKept(t *testing.T) {
	m := newMembership()
	catalogue := m.catalogue(t)
	ask := func(call responder.Call) {
		t.Helper()
		if _, err := catalogue["IAMUserExists"].Do(t.Context(), call); err != nil {
			t.Fatal(err)
		}
	}
	ask(of(member, "1"))
	ask(of(member, "1"))
	ask(of(member, "2"))  // another step
	ask(of(account, "1")) // another account
	m.now = m.now.Add(9 * time.Minute)
	ask(of(member, "1"))
	m.now = m.now.Add(time.Minute) // five minutes are left of the session
	m.sts.expires = m.now.Add(15 * time.Minute)
	ask(of(member, "1"))
	ask(of(member, "1"))
	nobody := of(member, "1")
	nobody.Key = ""
	ask(nobody)
	ask(nobody)
	if want := []string{"ASIA1", "ASIA1", "ASIA2", "ASIA3", "ASIA1", "ASIA4", "ASIA4", "ASIA5", "ASIA6"}; !slices.Equal(m.with, want) {
		t.Errorf("asked with %v, want %v", m.with, want)
	}
	other := of(member, "1") // another user: another policy
	other.Params = map[string]any{"user": "alice"}
	if _, err := catalogue["IAMUserExists"].Do(t.Context(), other); !isStop(err) {
		t.Fatal(err)
	}
	if last := m.sts.assumed[len(m.sts.assumed)-1]; len(m.sts.assumed) != 7 || !strings.Contains(*last.Policy, "user/alice") {
		t.Errorf("%d sessions, the last may %s", len(m.sts.assumed), *last.Policy)
	}
}

func TestParseMembers(t *testing.T) {
	for _, tt := range []struct {
		role, accounts, external string
		want                     actions.Members
		says                     string
	}{
		{"", "", "", actions.Members{}, ""},
		{" ", " , ", " ", actions.Members{}, ""},
		{"r", account, "", actions.Members{Role: "r", Accounts: []string{account}}, ""},
		{" responder-member ", account + ", " + member + ",", "o-abc:1/x", actions.Members{Role: "responder-member", Accounts: []string{account, member}, ExternalID: "o-abc:1/x"}, ""},
		{"", account, "", actions.Members{}, "no member role to act through"},
		{"", "", "xx", actions.Members{}, "no member role to act through"},
		{"r", "", "", actions.Members{}, "no account where it may be taken"},
		{"r", "*", "", actions.Members{}, `the member account "*", which is malformed (twelve digits`},
		{"r", account + ",11112222333", "", actions.Members{}, `"11112222333", which is malformed`},
		{"a/r", account, "", actions.Members{}, `the member role "a/r", which is malformed (its name is wanted`},
		{"arn:aws:iam::111122223333:role/r", account, "", actions.Members{}, "without path or ARN"},
		{"*", account, "", actions.Members{}, `"*", which is malformed`},
		{strings.Repeat("r", 65), account, "", actions.Members{}, "which is malformed"},
		{"r", account, "x", actions.Members{}, `the external id "x", which is malformed`},
		{"r", account, "x\n\x1b", actions.Members{}, "the external id"},
	} {
		got, err := actions.ParseMembers(tt.role, tt.accounts, tt.external)
		if !reflect.DeepEqual(got, tt.want) || (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%q %q %q: got %+v, %v", tt.role, tt.accounts, tt.external, got, err)
		}
	}
	if got := (actions.Members{Role: "r", Accounts: []string{account, member}}).Roles("aws-cn"); !slices.Equal(got, []string{"arn:aws-cn:iam::" + account + ":role/r", "arn:aws-cn:iam::" + member + ":role/r"}) {
		t.Errorf("roles %v", got)
	}
	if got := (actions.Members{}).Roles("aws"); got != nil {
		t.Errorf("roles %v", got)
	}
}

// FuzzParseMembers: what is taken for members can stand in the ARN of a role.
func FuzzParseMembers(f *testing.F) {
	f.Add("responder-member", "111122223333,444455556666", "x-1")
	f.Add("a/b", "*", "")
	f.Fuzz(func(t *testing.T, role, accounts, external string) {
		m, err := actions.ParseMembers(role, accounts, external)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\x1b\n") {
				t.Errorf("says %q", err)
			}
			return
		}
		for _, arn := range m.Roles("aws") {
			if parts := strings.Split(arn, ":"); len(parts) != 6 || len(parts[4]) != 12 || strings.Count(arn, "/") != 1 || strings.ContainsAny(arn, "*?$ ") {
				t.Errorf("%q", arn)
			}
		}
	})
}
