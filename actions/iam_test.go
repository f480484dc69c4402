package actions_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
)

const account = "111122223333"

func iamCatalogue(f *fakeIAM) responder.Catalogue {
	return actions.New(actions.Deps{AWS: actions.AWS{
		IAM: func(aws.Config) actions.IAMAPI { return f },
		STS: func(aws.Config) actions.STSAPI { return &fakeSTS{account: account} },
	}})
}

func userCall(params map[string]any) responder.Call {
	return responder.Call{Key: "r/1", Params: params, Account: account, Region: "us-east-1"}
}

var bob = userCall(map[string]any{"user": "bob"})

func deleteBob(t *testing.T, f *fakeIAM) (responder.Result, error) {
	t.Helper()
	return iamCatalogue(f)["IAMDeleteUser"].Do(t.Context(), bob)
}

func verify(t *testing.T, action responder.Action, call responder.Call) (responder.Verdict, error) {
	t.Helper()
	return action.(responder.Verifier).Verify(t.Context(), call)
}

func TestIAMUserExists(t *testing.T) {
	f := newFakeIAM()
	check := iamCatalogue(f)["IAMUserExists"]
	want := responder.Result{"user": "bob", "id": bobID, "created": "2026-11-01T00:00:00Z"}
	for _, params := range []map[string]any{{"user": "bob"}, {"user": "bob", "id": bobID}} {
		if got, err := check.Do(t.Context(), userCall(params)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v: got %v, %v", params, got, err)
		}
	}
	for says, params := range map[string]map[string]any{
		"user alice no longer exists":                        {"user": "alice"},
		"user bob no longer exists; a new user has its name": {"user": "bob", "id": "AIDAEXAMPLE000OTHER0"},
	} {
		if _, err := check.Do(t.Context(), userCall(params)); !isStop(err) || err.Error() != says {
			t.Errorf("%v: got %v, want *Stop %q", params, err, says)
		}
	}
	for code, is := range map[string]func(error) bool{"AccessDenied": isPermanent, "Throttling": isTransient, "ServiceFailure": isPermanent} {
		f.fails["GetUser"] = []error{awsErr(code)}
		if _, err := check.Do(t.Context(), bob); !is(err) || !strings.HasPrefix(err.Error(), "iam:GetUser: "+code) {
			t.Errorf("%s: got %v", code, err)
		}
	}
}

func TestUserTargets(t *testing.T) {
	for name, params := range map[string]map[string]any{
		"nothing": {}, "nil": {"user": nil}, "empty": {"user": ""}, "blank": {"user": " "}, "number": {"user": 7.0}, "list": {"user": []any{"bob"}},
		"wildcard": {"user": "*"}, "path": {"user": "../bob"}, "slash": {"user": "a/b"}, "line": {"user": "bob\n"}, "long": {"user": strings.Repeat("b", 65)},
		"other script": {"user": "bоb"}, "control": {"user": "bob\x1b[0m"},
		"empty id": {"user": "bob", "id": ""}, "nil id": {"user": "bob", "id": nil}, "short id": {"user": "bob", "id": "AIDA"}, "odd id": {"user": "bob", "id": "AIDA*0000000000000000"},
	} {
		f := newFakeIAM()
		for _, action := range []string{"IAMUserExists", "IAMDeleteUser"} {
			_, err := iamCatalogue(f)[action].Do(t.Context(), userCall(params))
			if !isPermanent(err) || strings.ContainsAny(err.Error(), "\x1b\n") {
				t.Errorf("%s with %s: got %v, want *Permanent", action, name, err)
			}
		}
		if verdict, err := verify(t, iamCatalogue(f)["IAMDeleteUser"], userCall(params)); verdict != responder.VerdictUnknown || !isPermanent(err) {
			t.Errorf("verify with %s: got %v, %v", name, verdict, err)
		}
		if len(f.calls) > 0 {
			t.Errorf("%s: IAM was asked: %v", name, f.calls)
		}
	}
}

func TestIAMDeleteUser(t *testing.T) {
	f := newFakeIAM()
	owned := map[string]any{}
	for kind, ids := range f.has {
		owned[kind] = slices.Clone(ids)
	}
	owned["password"] = []string{"login profile"}
	got, err := deleteBob(t, f)
	if err != nil {
		t.Fatal(err)
	}
	want := responder.Result{"user": "bob", "id": bobID, "removed": owned}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if f.user != nil || len(f.virtual) > 0 {
		t.Errorf("left: %v, %v", f.user, f.virtual)
	}
	order := f.mutations()
	if order[0] != "DeleteLoginProfile" || !slices.Equal(order[len(order)-2:], []string{"DeleteUserPermissionsBoundary", "DeleteUser"}) {
		t.Errorf("credentials go first and the boundary last, not %v", order)
	}
	if last, first := slices.Index(order, "DeleteServiceSpecificCredential"), slices.Index(order, "RemoveUserFromGroup"); last > first {
		t.Errorf("permissions went before credentials: %v", order)
	}
}

func TestIAMDeleteUserWithNothing(t *testing.T) {
	f := newFakeIAM()
	f.has, f.user.PermissionsBoundary = map[string][]string{}, nil
	got, err := deleteBob(t, f)
	if want := (responder.Result{"user": "bob", "id": bobID, "removed": map[string]any{}}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if slices.Contains(f.calls, "DeleteUserPermissionsBoundary") {
		t.Error("a boundary was deleted where there is none")
	}
}

func TestIAMDeleteUserAlreadyGone(t *testing.T) {
	f := newFakeIAM()
	f.user = nil
	got, err := deleteBob(t, f)
	if want := (responder.Result{"user": "bob", "already": true}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if len(f.mutations()) > 0 {
		t.Errorf("calls: %v", f.mutations())
	}
}

// TestIAMDeleteUserResumes breaks off at each call in turn; the next attempt
// finishes the work.
func TestIAMDeleteUserResumes(t *testing.T) {
	whole := newFakeIAM()
	if _, err := deleteBob(t, whole); err != nil {
		t.Fatal(err)
	}
	lost := errors.New("connection reset by peer")
	for n, op := range whole.calls {
		f := newFakeIAM()
		seen := 0
		f.onCall = func(op string) {
			if seen++; seen == n+1 {
				f.fails[op] = []error{lost}
			}
		}
		_, err := deleteBob(t, f)
		isRead := strings.HasPrefix(op, "List") || strings.HasPrefix(op, "Get")
		if isRead && !isTransient(err) || !isRead && !isUnknown(err) {
			t.Errorf("call %d, %s lost: got %T %v", n, op, err, err)
		}
		f.onCall = nil
		if verdict, err := verify(t, iamCatalogue(f)["IAMDeleteUser"], bob); verdict != responder.VerdictNotDone || err != nil {
			t.Errorf("call %d, %s lost: verified as %v, %v", n, op, verdict, err)
		}
		if _, err := deleteBob(t, f); err != nil || f.user != nil {
			t.Errorf("call %d, %s lost: the next attempt: %v", n, op, err)
		}
		if verdict, err := verify(t, iamCatalogue(f)["IAMDeleteUser"], bob); verdict != responder.VerdictDone || err != nil {
			t.Errorf("afterwards: verified as %v, %v", verdict, err)
		}
	}
}

// TestIAMDeleteUserReplyLost deletes the user and loses the answer.
func TestIAMDeleteUserReplyLost(t *testing.T) {
	f := newFakeIAM()
	f.onCall = func(op string) {
		if op == "DeleteUser" {
			f.user = nil
			f.fails[op] = []error{errors.New("EOF")}
		}
	}
	if _, err := deleteBob(t, f); !isUnknown(err) {
		t.Errorf("got %v, want *Unknown", err)
	}
	if verdict, err := verify(t, iamCatalogue(f)["IAMDeleteUser"], bob); verdict != responder.VerdictDone || err != nil {
		t.Errorf("verified as %v, %v", verdict, err)
	}
}

// TestIAMDeleteUserRaces has each thing deleted by somebody else just before.
func TestIAMDeleteUserRaces(t *testing.T) {
	for _, op := range []string{"DeleteLoginProfile", "DeleteAccessKey", "DeactivateMFADevice", "DeleteVirtualMFADevice", "DeleteSigningCertificate",
		"DeleteSSHPublicKey", "DeleteServiceSpecificCredential", "RemoveUserFromGroup", "DeleteUserPolicy", "DetachUserPolicy", "DeleteUserPermissionsBoundary", "DeleteUser"} {
		f := newFakeIAM()
		f.onCall = func(called string) {
			if called == op {
				f.user, f.has, f.virtual = nil, map[string][]string{}, nil
			}
		}
		if _, err := deleteBob(t, f); err != nil {
			t.Errorf("%s: %v", op, err)
		}
	}
}

func TestIAMDeleteUserRefused(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fails map[string][]error
		is    func(error) bool
		says  string
		gone  []string // kinds that are removed all the same
		kept  []string
	}{
		{"too new", map[string][]error{"DeleteLoginProfile": {awsErr("EntityTemporarilyUnmodifiable")}}, isTransient, "iam:DeleteLoginProfile",
			[]string{"access_keys", "service_credentials"}, []string{"password", "groups", "permissions_boundary"}},
		{"denied a list", map[string][]error{"ListSSHPublicKeys": {awsErr("AccessDenied")}}, isPermanent, "iam:ListSSHPublicKeys: AccessDenied: why AccessDenied",
			[]string{"password", "access_keys", "service_credentials"}, []string{"ssh_keys", "groups"}},
		{"denied, then throttled", map[string][]error{"DeleteAccessKey": {awsErr("AccessDenied")}, "DeleteSSHPublicKey": {awsErr("Throttling")}}, isTransient, "iam:DeleteSSHPublicKey",
			[]string{"password", "mfa_devices"}, []string{"access_keys", "ssh_keys", "groups"}},
		{"denied permissions", map[string][]error{"DetachUserPolicy": {awsErr("AccessDenied")}}, isPermanent, "iam:DetachUserPolicy",
			[]string{"access_keys", "groups", "inline_policies", "permissions_boundary"}, []string{"attached_policies"}},
		{"conflict", map[string][]error{"DeleteUser": {awsErr("DeleteConflict")}}, isTransient, "iam:DeleteUser", []string{"groups"}, nil},
		{"denied the user", map[string][]error{"DeleteUser": {awsErr("AccessDenied")}}, isPermanent, "iam:DeleteUser", nil, nil},
		{"concurrent", map[string][]error{"DeleteUser": {awsErr("ConcurrentModification")}}, isTransient, "iam:DeleteUser", nil, nil},
	} {
		f := newFakeIAM()
		f.fails = tt.fails
		_, err := deleteBob(t, f)
		if !tt.is(err) || !strings.HasPrefix(err.Error(), tt.says) {
			t.Errorf("%s: got %T %v, want %q", tt.name, err, err, tt.says)
		}
		if f.user == nil {
			t.Errorf("%s: the user is gone", tt.name)
		}
		for _, kind := range tt.gone {
			if len(f.has[kind]) > 0 {
				t.Errorf("%s: %s left", tt.name, kind)
			}
		}
		for _, kind := range tt.kept {
			if len(f.has[kind]) == 0 {
				t.Errorf("%s: %s removed", tt.name, kind)
			}
		}
	}
}

func TestIAMDeleteUserSparesANamesake(t *testing.T) {
	other := userCall(map[string]any{"user": "bob", "id": "AIDAEXAMPLE000OTHER0"})
	f := newFakeIAM()
	repair := iamCatalogue(f)["IAMDeleteUser"]
	if _, err := repair.Do(t.Context(), other); !isPermanent(err) {
		t.Errorf("another id: got %v", err)
	}
	if verdict, err := verify(t, repair, other); verdict != responder.VerdictDone || err != nil {
		t.Errorf("the one with that id is gone: got %v, %v", verdict, err)
	}
	if len(f.mutations()) > 0 {
		t.Errorf("calls: %v", f.mutations())
	}

	// The name changes hands while the user is being deleted.
	f = newFakeIAM()
	f.onCall = func(op string) {
		if op == "DeleteUserPermissionsBoundary" {
			f.onCall = nil
			swapped := *f.user
			swapped.UserId = aws.String("AIDAEXAMPLE000OTHER0")
			f.user = &swapped
		}
	}
	if _, err := deleteBob(t, f); !isPermanent(err) || f.user == nil {
		t.Errorf("swapped: got %v, %v", err, f.user)
	}
}

func TestIAMDeleteUserStopsWithItsContext(t *testing.T) {
	f := newFakeIAM()
	ctx, cancel := context.WithCancel(t.Context())
	f.onCall = func(op string) {
		if op == "DeleteAccessKey" {
			cancel()
			f.fails[op] = []error{ctx.Err()}
		}
	}
	_, err := iamCatalogue(f)["IAMDeleteUser"].Do(ctx, bob)
	if !isUnknown(err) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if i := slices.Index(f.calls, "DeleteAccessKey"); i != len(f.calls)-1 {
		t.Errorf("went on: %v", f.calls[i+1:])
	}
}

func TestActsInTheEventsAccountOnly(t *testing.T) {
	type step struct {
		action string
		call   responder.Call
	}
	ids := map[string]any{"ids": []any{"i-0123456789abcdef0"}}
	steps := []step{
		{"IAMUserExists", bob}, {"EC2InstanceAlive", userCall(ids)}, {"EC2TerminateInstances", userCall(ids)}, {"CloudTrailStartLogging", trailCall("main")},
	}
	for name, r := range iamRepairs {
		steps = append(steps, step{name, repairCall(r.params)})
	}
	for _, s := range steps {
		for _, tt := range []struct {
			name, event string
			sts         fakeSTS
			is          func(error) bool
			says        string
		}{
			{"another account", "444455556666", fakeSTS{account: account}, isPermanent, "of account 444455556666, but the credentials are of account " + account},
			{"no account", "", fakeSTS{account: account}, isPermanent, "names no account"},
			{"STS down", account, fakeSTS{err: errors.New("reset")}, isTransient, "sts:GetCallerIdentity: reset"},
			{"STS mute", account, fakeSTS{}, isTransient, "names no account"},
		} {
			users, machines, trails := newFakeIAM(), &fakeEC2{}, &fakeTrails{}
			catalogue := actions.New(actions.Deps{AWS: actions.AWS{
				IAM: func(aws.Config) actions.IAMAPI { return users },
				EC2: func(aws.Config) actions.EC2API { return machines },
				STS: func(aws.Config) actions.STSAPI { return &tt.sts },

				CloudTrail: func(aws.Config) actions.CloudTrailAPI { return trails },
			}})
			s.call.Account = tt.event
			if _, err := catalogue[s.action].Do(t.Context(), s.call); !tt.is(err) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s, %s: got %v", s.action, tt.name, err)
			}
			if v, ok := catalogue[s.action].(responder.Verifier); ok {
				if verdict, err := v.Verify(t.Context(), s.call); verdict != responder.VerdictUnknown || err == nil {
					t.Errorf("%s, %s: verified as %v, %v", s.action, tt.name, verdict, err)
				}
			}
			if v, ok := catalogue[s.action].(responder.Surveyor); ok {
				if found, err := v.Survey(t.Context(), s.call); len(found.Targets) > 0 || err == nil {
					t.Errorf("%s, %s: found %v, %v", s.action, tt.name, found, err)
				}
			}
			if len(users.calls)+len(machines.calls)+len(trails.calls) > 0 {
				t.Errorf("%s, %s: AWS was asked", s.action, tt.name)
			}
		}
	}
}

func TestIdentityIsAskedOnce(t *testing.T) {
	sts, f := &fakeSTS{account: account}, newFakeIAM()
	catalogue := actions.New(actions.Deps{AWS: actions.AWS{
		IAM: func(aws.Config) actions.IAMAPI { return f },
		STS: func(aws.Config) actions.STSAPI { return sts },
	}})
	for range 3 {
		for _, action := range []string{"IAMUserExists", "IAMDeleteUser"} {
			_, _ = catalogue[action].Do(t.Context(), bob)
		}
	}
	if sts.calls != 1 {
		t.Errorf("%d calls", sts.calls)
	}
}
