package actions_test

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/skycrafters/responder"
)

// iamRepairs are the repairs on users and roles: a call of each, and what must be
// there before for it to have something to do.
var iamRepairs = map[string]struct {
	params map[string]any
	before func(f *fakeIAM)
}{
	"IAMDeleteUser":          {params: map[string]any{"user": "bob", "id": bobID}},
	"IAMDisableAccessKeys":   {params: map[string]any{"user": "bob", "id": bobID, "keys": []any{key1}}},
	"IAMEnableAccessKeys":    {params: map[string]any{"user": "bob", "id": bobID, "keys": []any{key1, key2}}, before: func(f *fakeIAM) { f.off[key2] = true }},
	"IAMDeleteAccessKeys":    {params: map[string]any{"user": "bob", "id": bobID, "keys": []any{key1}}},
	"IAMRemoveConsoleAccess": {params: map[string]any{"user": "bob", "id": bobID}},
	"IAMQuarantineUser":      {params: map[string]any{"user": "bob", "id": bobID}},
	"IAMReleaseUser":         {params: map[string]any{"user": "bob", "id": bobID}, before: quarantined},
	"IAMRevokeRoleSessions":  {params: map[string]any{"role": "ops", "id": roleID}},
	"IAMAllowRoleSessions":   {params: map[string]any{"role": "ops", "id": roleID}, before: revokedAt("2026-11-20T00:00:00.000Z")},
}

const (
	quarantinePolicy = `{"Version":"2012-10-17","Statement":[{"Sid":"ResponderQuarantine","Effect":"Deny","Action":"*","Resource":"*"}]}`
	revocation       = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["*"],"Resource":["*"],"Condition":{"DateLessThan":{"aws:TokenIssueTime":"TIME"}}}]}`
)

func quarantined(f *fakeIAM) { f.policies["ResponderQuarantine"] = quarantinePolicy }

func revokedAt(moment string) func(f *fakeIAM) {
	return func(f *fakeIAM) {
		f.policies["ResponderRevokeOlderSessions"] = strings.Replace(revocation, "TIME", moment, 1)
	}
}

// iamWorld gives IAM as a repair needs it.
func iamWorld(name string) *fakeIAM {
	f := newFakeTeam()
	if before := iamRepairs[name].before; before != nil {
		before(f)
	}
	return f
}

func TestIAMRepairs(t *testing.T) {
	for name, r := range iamRepairs {
		f := iamWorld(name)
		found, _ := doAndUndo(t, iamCatalogue(f), name, repairCall(r.params), f.world)
		want := responder.Target{ARN: bobARN, Account: account, Tags: map[string]string{"team": "blue"}}
		if r.params["role"] != nil {
			want = responder.Target{ARN: opsARN, Account: account, Tags: map[string]string{"team": "red"}}
		}
		if !reflect.DeepEqual(found.Targets, []responder.Target{want}) {
			t.Errorf("%s: targets %v", name, found.Targets)
		}
	}
}

func TestIAMRepairsSurvey(t *testing.T) {
	bobs := func(more map[string]any) map[string]any {
		params := map[string]any{"user": "bob", "id": bobID}
		maps.Copy(params, more)
		return params
	}
	for _, tt := range []struct {
		name, repair string
		params       map[string]any
		before       func(f *fakeIAM)
		found        map[string]any
		undo         []responder.Binding
		lasting      []string
	}{
		{"all keys, one of them off", "IAMDisableAccessKeys", map[string]any{"user": "bob"}, func(f *fakeIAM) { f.off[key1] = true },
			map[string]any{"access_keys": map[string]any{key1: "Inactive", key2: "Active"}},
			[]responder.Binding{{Action: "IAMEnableAccessKeys", Params: bobs(map[string]any{"keys": []any{key2}})}}, nil},
		{"no keys", "IAMDisableAccessKeys", map[string]any{"user": "bob"}, func(f *fakeIAM) { f.has["access_keys"] = nil },
			map[string]any{"access_keys": map[string]any{}}, nil, nil},
		{"keys to delete", "IAMDeleteAccessKeys", map[string]any{"user": "bob"}, nil,
			map[string]any{"access_keys": map[string]any{key1: "Active", key2: "Active"}}, nil, []string{"access key " + key1, "access key " + key2}},
		{"a password", "IAMRemoveConsoleAccess", map[string]any{"user": "bob"}, nil,
			map[string]any{"password": true, "password_created": "2026-11-02T00:00:00Z"}, nil, []string{"the user's password"}},
		{"no password", "IAMRemoveConsoleAccess", map[string]any{"user": "bob"}, func(f *fakeIAM) { f.has["password"] = nil },
			map[string]any{"password": false}, nil, nil},
		{"free", "IAMQuarantineUser", map[string]any{"user": "bob"}, nil,
			map[string]any{"quarantined": false}, []responder.Binding{{Action: "IAMReleaseUser", Params: bobs(nil)}}, nil},
		{"in quarantine before", "IAMQuarantineUser", map[string]any{"user": "bob"}, quarantined, map[string]any{"quarantined": true}, nil, nil},
		{"the name is taken", "IAMQuarantineUser", map[string]any{"user": "bob"}, func(f *fakeIAM) { f.policies["ResponderQuarantine"] = "{}" },
			map[string]any{"quarantined": false}, []responder.Binding{{Action: "IAMReleaseUser", Params: bobs(nil)}},
			[]string{"what the user's inline policy ResponderQuarantine said: it was not Responder's"}},
		{"nothing to release", "IAMReleaseUser", map[string]any{"user": "bob"}, nil, map[string]any{"quarantined": false}, nil, nil},
		{"revoked before", "IAMRevokeRoleSessions", map[string]any{"role": "ops"}, revokedAt("2026-11-20T00:00:00.000Z"),
			map[string]any{"revoked": true, "revoked_before": "2026-11-20T00:00:00.000Z"},
			[]responder.Binding{{Action: "IAMRevokeRoleSessions", Params: map[string]any{"role": "ops", "id": roleID, "before": "2026-11-20T00:00:00.000Z"}}}, nil},
		{"the role's name is taken", "IAMRevokeRoleSessions", map[string]any{"role": "ops"}, func(f *fakeIAM) { f.policies["ResponderRevokeOlderSessions"] = "{}" },
			map[string]any{"revoked": true}, []responder.Binding{{Action: "IAMAllowRoleSessions", Params: map[string]any{"role": "ops", "id": roleID}}},
			[]string{"what the role's inline policy ResponderRevokeOlderSessions said: it was not Responder's"}},
		{"nothing to allow", "IAMAllowRoleSessions", map[string]any{"role": "ops"}, nil, map[string]any{"revoked": false}, nil, nil},
	} {
		f := newFakeTeam()
		if tt.before != nil {
			tt.before(f)
		}
		got, err := survey(t, iamCatalogue(f)[tt.repair], repairCall(tt.params))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		got = stored(t, got)
		if len(got.Targets) != 1 || !reflect.DeepEqual(got.Found, tt.found) || !reflect.DeepEqual(got.Undo, tt.undo) || !reflect.DeepEqual(got.Lasting, tt.lasting) {
			t.Errorf("%s:\n%+v\nwant\n%v %v %v", tt.name, got, tt.found, tt.undo, tt.lasting)
		}
	}

	f := newFakeTeam()
	got, err := survey(t, iamCatalogue(f)["IAMDeleteUser"], bob)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Found) != 10 || len(got.Lasting) != 11 || len(got.Undo) > 0 || got.Lasting[1] != "the user's access keys: "+key1+", "+key2 ||
		got.Lasting[10] != "the user, whose unique id is "+bobID {
		t.Errorf("got %v\n%s", got.Found, strings.Join(got.Lasting, "\n"))
	}
}

// TestIAMRepairsNeed compares what each repair asks of IAM, to look, to act and to
// look again, with what it declares and with what a call needs.
func TestIAMRepairsNeed(t *testing.T) {
	for name, r := range iamRepairs {
		f := iamWorld(name)
		doOnce(t, iamCatalogue(f)[name], repairCall(r.params))
		var used []string
		for _, op := range f.calls {
			used = append(used, "iam:"+op)
		}
		checkNeeds(t, iamCatalogue(f)[name], repairCall(r.params), used)
	}
	for name, want := range map[string]string{
		"IAMDisableAccessKeys":  "arn:${AWS::Partition}:iam::${AWS::AccountId}:user/bob arn:${AWS::Partition}:iam::${AWS::AccountId}:user/*/bob",
		"IAMRevokeRoleSessions": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/ops arn:${AWS::Partition}:iam::${AWS::AccountId}:role/*/ops",
	} {
		needs := iamCatalogue(newFakeTeam())[name].(responder.Narrower).Needs(repairCall(iamRepairs[name].params))
		if len(needs) != 1 || strings.Join(needs[0].Resources, " ") != want {
			t.Errorf("%s: needs %v", name, needs)
		}
	}
}

// doOnce looks, does and verifies.
func doOnce(t *testing.T, repair responder.Action, call responder.Call) {
	t.Helper()
	if _, err := survey(t, repair, call); err != nil {
		t.Error(err)
	}
	if _, err := repair.Do(t.Context(), call); err != nil {
		t.Error(err)
	}
	if verdict, err := verify(t, repair, call); verdict != responder.VerdictDone || err != nil {
		t.Errorf("%s: verified as %v, %v", repair.Spec().Name, verdict, err)
	}
}

// TestIAMRepairsFail has each call that a repair makes denied, throttled and lost.
func TestIAMRepairsFail(t *testing.T) {
	for name, r := range iamRepairs {
		whole := iamWorld(name)
		doOnce(t, iamCatalogue(whole)[name], repairCall(r.params))
		ops := slices.Compact(slices.Sorted(slices.Values(whole.calls)))
		for _, op := range ops {
			changes := !strings.HasPrefix(op, "Get") && !strings.HasPrefix(op, "List")
			for what, is := range map[error]func(error) bool{awsErr("AccessDenied"): isPermanent, awsErr("Throttling"): isTransient, errors.New("reset"): nil} {
				if is == nil {
					if is = isTransient; changes {
						is = isUnknown
					}
				}
				f := iamWorld(name)
				for range 9 {
					f.fails[op] = append(f.fails[op], what)
				}
				repair, call := iamCatalogue(f)[name], repairCall(r.params)
				_, looking := survey(t, repair, call)
				asked := slices.Contains(f.calls, op)
				_, doing := repair.Do(t.Context(), call)
				_, verifying := verify(t, repair, call)
				for how, err := range map[string]error{"survey": looking, "do": doing, "verify": verifying} {
					if err != nil && (!is(err) || !strings.Contains(err.Error(), "iam:"+op+": ")) {
						t.Errorf("%s, %s, %s %v: got %T %v", name, how, op, what, err, err)
					}
				}
				if changes && (doing == nil || looking != nil || verifying != nil) || !changes && asked && looking == nil {
					t.Errorf("%s, %s %v: survey %v, do %v, verify %v", name, op, what, looking, doing, verifying)
				}
			}
		}
	}
}

func TestIAMRepairsRefuseWhatIsNoTarget(t *testing.T) {
	for name, r := range iamRepairs {
		f := iamWorld(name)
		var params []string
		for param := range r.params {
			params = append(params, param)
		}
		if name == "IAMRevokeRoleSessions" {
			params = append(params, "before")
		}
		refusesHostile(t, iamCatalogue(f), name, repairCall(r.params), params, func() int { return len(f.calls) })
	}
	f := newFakeTeam()
	if _, err := iamCatalogue(f)["IAMEnableAccessKeys"].Do(t.Context(), repairCall(map[string]any{"user": "bob"})); !isPermanent(err) || len(f.calls) > 0 {
		t.Errorf("no keys never means all: got %v, %v", err, f.calls)
	}
	// An ARN is no name, whoever's it is.
	for param, arn := range map[string]string{"user": "arn:aws:iam::999988887777:user/bob", "role": opsARN} {
		for name, r := range iamRepairs {
			if r.params[param] == nil {
				continue
			}
			if _, err := iamCatalogue(f)[name].Do(t.Context(), repairCall(map[string]any{param: arn})); !isPermanent(err) || len(f.calls) > 0 {
				t.Errorf("%s of %s: got %v", name, arn, err)
			}
		}
	}
}

// TestIAMRepairsSpareANamesake has another with the name of the one that is meant.
func TestIAMRepairsSpareANamesake(t *testing.T) {
	for name, r := range iamRepairs {
		f := iamWorld(name)
		call := repairCall(maps.Clone(r.params))
		call.Params["id"] = "AXXXEXAMPLE000OTHER0"
		repair, before := iamCatalogue(f)[name], f.world()
		if _, err := repair.Do(t.Context(), call); !isPermanent(err) || !strings.Contains(err.Error(), "is left alone") {
			t.Errorf("%s: got %v", name, err)
		}
		if found, err := survey(t, repair, call); err != nil || !reflect.DeepEqual(found, responder.Survey{}) {
			t.Errorf("%s: found %v, %v", name, found, err)
		}
		if after := f.world(); !reflect.DeepEqual(before, after) {
			t.Errorf("%s: changed", name)
		}
	}
}

// TestIAMRepairsOfNobody has the target gone before, and go at each call.
func TestIAMRepairsOfNobody(t *testing.T) {
	gone := func(f *fakeIAM) {
		f.user, f.role, f.has, f.virtual, f.policies = nil, nil, map[string][]string{}, nil, map[string]string{}
	}
	for name, r := range iamRepairs {
		f := iamWorld(name)
		gone(f)
		repair, call := iamCatalogue(f)[name], repairCall(r.params)
		if found, err := survey(t, repair, call); err != nil || !reflect.DeepEqual(found, responder.Survey{}) {
			t.Errorf("%s: found %v, %v", name, found, err)
		}
		result, err := repair.Do(t.Context(), call)
		if name == "IAMEnableAccessKeys" {
			if !isPermanent(err) || err.Error() != "not there any more: "+key1+", "+key2+" (active: none)" {
				t.Errorf("%s: got %v", name, err)
			}
			continue
		}
		if err != nil || result["already"] != true {
			t.Errorf("%s: got %v, %v", name, result, err)
		}
		if verdict, err := verify(t, repair, call); verdict != responder.VerdictDone || err != nil {
			t.Errorf("%s: verified as %v, %v", name, verdict, err)
		}
		whole := iamWorld(name)
		doOnce(t, iamCatalogue(whole)[name], call)
		for n := range whole.calls {
			f := iamWorld(name)
			seen := 0
			f.onCall = func(string) {
				if seen++; seen == n+1 {
					gone(f)
				}
			}
			repair := iamCatalogue(f)[name]
			_, looking := survey(t, repair, call)
			_, doing := repair.Do(t.Context(), call)
			_, verifying := verify(t, repair, call)
			verdict, _ := verify(t, repair, call)
			if looking != nil || doing != nil || verifying != nil || verdict != responder.VerdictDone {
				t.Errorf("%s, gone at call %d: %v, %v, %v, %v", name, n, looking, doing, verdict, verifying)
			}
		}
	}
}

func TestIAMKeysHalfDone(t *testing.T) {
	for _, tt := range []struct {
		name, op string
		fails    []error
		is       func(error) bool
		says     string
		left     int // keys that are as before
	}{
		{"IAMDisableAccessKeys", "UpdateAccessKey", []error{nil, awsErr("AccessDenied")}, isPermanent, "(done: " + key1 + "; not known: none; not done: " + key2 + ")", 1},
		{"IAMDisableAccessKeys", "UpdateAccessKey", []error{awsErr("AccessDenied")}, isPermanent, "(done: " + key2 + "; not known: none; not done: " + key1 + ")", 1},
		{"IAMDisableAccessKeys", "UpdateAccessKey", []error{errors.New("EOF")}, isUnknown, "(done: none; not known: " + key1 + "; not done: " + key2 + ")", 2},
		{"IAMDeleteAccessKeys", "DeleteAccessKey", []error{nil, awsErr("AccessDenied")}, isPermanent, "(done: " + key1 + "; not known: none; not done: " + key2 + ")", 1},
		{"IAMDeleteAccessKeys", "DeleteAccessKey", []error{awsErr("AccessDenied"), awsErr("Throttling")}, isTransient, "(done: none; not known: none; not done: " + key1 + ", " + key2 + ")", 2},
	} {
		f := newFakeTeam()
		f.fails[tt.op] = tt.fails
		repair := iamCatalogue(f)[tt.name]
		_, err := repair.Do(t.Context(), repairCall(map[string]any{"user": "bob"}))
		if !tt.is(err) || !strings.HasSuffix(err.Error(), tt.says) {
			t.Errorf("%s: got %T %v", tt.name, err, err)
		}
		left := 0
		for _, key := range f.has["access_keys"] {
			if !f.off[key] {
				left++
			}
		}
		if left != tt.left {
			t.Errorf("%s, %v: %d left", tt.name, tt.fails, left)
		}
		if verdict, err := verify(t, repair, repairCall(map[string]any{"user": "bob"})); verdict != responder.VerdictNotDone || err != nil {
			t.Errorf("%s: verified as %v, %v", tt.name, verdict, err)
		}
		if _, err := repair.Do(t.Context(), repairCall(map[string]any{"user": "bob"})); err != nil {
			t.Errorf("%s, the next attempt: %v", tt.name, err)
		}
	}
}

func TestIAMKeysMeant(t *testing.T) {
	hundred := []any{}
	for n := range 100 {
		hundred = append(hundred, "AKIAEXAMPLE00000"+string(rune('A'+n/10))+string(rune('0'+n%10)))
	}
	for _, tt := range []struct {
		name, repair string
		keys         any
		before       func(f *fakeIAM)
		want         responder.Result
	}{
		{"one", "IAMDisableAccessKeys", key2, nil, responder.Result{"user": "bob", "disabled": []string{key2}}},
		{"twice the same", "IAMDisableAccessKeys", []any{key2, key2}, nil, responder.Result{"user": "bob", "disabled": []string{key2}}},
		{"off already", "IAMDisableAccessKeys", []any{key1, key2}, func(f *fakeIAM) { f.off[key1] = true }, responder.Result{"user": "bob", "disabled": []string{key2}, "already": []string{key1}}},
		{"another's", "IAMDisableAccessKeys", "AKIAEXAMPLE00000ELSE", nil, responder.Result{"user": "bob", "missing": []string{"AKIAEXAMPLE00000ELSE"}}},
		{"another's to delete", "IAMDeleteAccessKeys", []any{"AKIAEXAMPLE00000ELSE", key1}, nil, responder.Result{"user": "bob", "missing": []string{"AKIAEXAMPLE00000ELSE"}, "deleted": []string{key1}}},
		{"on already", "IAMEnableAccessKeys", []any{key1, key2}, func(f *fakeIAM) { f.off[key1] = true }, responder.Result{"user": "bob", "enabled": []string{key1}, "already": []string{key2}}},
	} {
		f := newFakeTeam()
		if tt.before != nil {
			tt.before(f)
		}
		got, err := iamCatalogue(f)[tt.repair].Do(t.Context(), repairCall(map[string]any{"user": "bob", "keys": tt.keys}))
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %v, %v", tt.name, got, err)
		}
	}
	f := newFakeTeam()
	got, err := iamCatalogue(f)["IAMDisableAccessKeys"].Do(t.Context(), repairCall(map[string]any{"user": "bob", "keys": hundred}))
	if err != nil || len(got["missing"].([]string)) != 100 || len(f.mutations()) > 0 {
		t.Errorf("a hundred keys: %v, %v, %v", got, err, f.calls)
	}
}

// TestIAMKeysChangedMeanwhile makes a key after the survey: it is turned off with
// the others, and undo leaves it off, for nobody knows whose it is.
func TestIAMKeysChangedMeanwhile(t *testing.T) {
	f := newFakeTeam()
	catalogue, call := iamCatalogue(f), repairCall(map[string]any{"user": "bob"})
	found, err := survey(t, catalogue["IAMDisableAccessKeys"], call)
	if err != nil {
		t.Fatal(err)
	}
	const made = "AKIAEXAMPLE00000MADE"
	f.has["access_keys"] = []string{key1, key2, made}
	if _, err := catalogue["IAMDisableAccessKeys"].Do(t.Context(), call); err != nil || !f.off[made] {
		t.Errorf("got %v, %v", f.off, err)
	}
	call.Params = stored(t, found).Undo[0].Params
	if _, err := catalogue["IAMEnableAccessKeys"].Do(t.Context(), call); err != nil || !f.off[made] || f.off[key1] || f.off[key2] {
		t.Errorf("undone: %v, %v", f.off, err)
	}
}

func TestIAMProtectedByTheService(t *testing.T) {
	f := newFakeTeam()
	f.fails["PutRolePolicy"] = []error{awsErr("UnmodifiableEntity")}
	if _, err := iamCatalogue(f)["IAMRevokeRoleSessions"].Do(t.Context(), repairCall(map[string]any{"role": "ops"})); !failsAsPermanentNaming(err, "iam:PutRolePolicy: UnmodifiableEntity") {
		t.Errorf("a role of a service: got %v", err)
	}
	f.fails["PutUserPolicy"] = []error{awsErr("LimitExceeded")}
	if _, err := iamCatalogue(f)["IAMQuarantineUser"].Do(t.Context(), repairCall(map[string]any{"user": "bob"})); !failsAsPermanentNaming(err, "iam:PutUserPolicy: LimitExceeded") {
		t.Errorf("no room for a policy: got %v", err)
	}
	f.fails["DeleteLoginProfile"] = []error{awsErr("EntityTemporarilyUnmodifiable")}
	if _, err := iamCatalogue(f)["IAMRemoveConsoleAccess"].Do(t.Context(), repairCall(map[string]any{"user": "bob"})); !isTransient(err) {
		t.Errorf("a password made a moment ago: got %v", err)
	}
}

func TestIAMQuarantine(t *testing.T) {
	f := newFakeTeam()
	repair, call := iamCatalogue(f)["IAMQuarantineUser"], repairCall(map[string]any{"user": "bob"})
	if _, err := repair.Do(t.Context(), call); err != nil || f.policies["ResponderQuarantine"] != quarantinePolicy {
		t.Errorf("got %v, %v", f.policies, err)
	}
	// Written otherwise it is the same; weakened it is not, and is put right.
	f.policies["ResponderQuarantine"] = strings.ReplaceAll(quarantinePolicy, ",", " , ")
	if verdict, err := verify(t, repair, call); verdict != responder.VerdictDone || err != nil {
		t.Errorf("spaced: %v, %v", verdict, err)
	}
	f.policies["ResponderQuarantine"] = strings.Replace(quarantinePolicy, `"Action":"*"`, `"Action":"s3:*"`, 1)
	if verdict, err := verify(t, repair, call); verdict != responder.VerdictNotDone || err != nil {
		t.Errorf("weakened: %v, %v", verdict, err)
	}
	if _, err := repair.Do(t.Context(), call); err != nil || f.policies["ResponderQuarantine"] != quarantinePolicy {
		t.Errorf("weakened: %v, %v", f.policies, err)
	}
}

func TestIAMRevokeRoleSessions(t *testing.T) {
	const name = "ResponderRevokeOlderSessions"
	for _, tt := range []struct {
		what     string
		had      string // the policy's moment, "" if there is none
		event    string
		before   any
		want     string
		verified responder.Verdict // before it is done
	}{
		{"now", "", "2026-11-23T06:50:00Z", nil, "2026-11-23T07:00:00.000Z", responder.VerdictNotDone},
		{"an older one", "2026-11-20T00:00:00.000Z", "2026-11-23T06:50:00Z", nil, "2026-11-23T07:00:00.000Z", responder.VerdictNotDone},
		{"the same, whose answer was lost", "2026-11-23T06:59:00.000Z", "2026-11-23T06:50:00Z", nil, "2026-11-23T07:00:00.000Z", responder.VerdictDone},
		{"one of a clock ahead", "2026-11-23T07:00:30.000Z", "2026-11-23T06:50:00Z", nil, "2026-11-23T07:00:30.000Z", responder.VerdictDone},
		{"an event without time", "", "", nil, "2026-11-23T07:00:00.000Z", responder.VerdictNotDone},
		{"an event of tomorrow", "", "2026-11-24T00:00:00Z", nil, "2026-11-23T07:00:00.000Z", responder.VerdictNotDone},
		{"said", "", "", "2026-11-22T12:00:00+02:00", "2026-11-22T10:00:00.000Z", responder.VerdictNotDone},
		{"said to be earlier", "2026-11-23T00:00:00.000Z", "", "2026-11-22T00:00:00Z", "2026-11-22T00:00:00.000Z", responder.VerdictNotDone},
	} {
		f := newFakeTeam()
		if tt.had != "" {
			revokedAt(tt.had)(f)
		}
		call := repairCall(map[string]any{"role": "ops"})
		call.Finding.Event = []byte(`{"time":"` + tt.event + `"}`)
		if tt.before != nil {
			call.Params["before"] = tt.before
		}
		repair := iamCatalogue(f)["IAMRevokeRoleSessions"]
		if verdict, err := verify(t, repair, call); verdict != tt.verified || err != nil {
			t.Errorf("%s: verified as %v, %v", tt.what, verdict, err)
		}
		result, err := repair.Do(t.Context(), call)
		if want := strings.Replace(revocation, "TIME", tt.want, 1); err != nil || result["before"] != tt.want || f.policies[name] != want {
			t.Errorf("%s: got %v, %v, %v", tt.what, result, err, f.policies)
		}
		if verdict, err := verify(t, repair, call); verdict != responder.VerdictDone || err != nil {
			t.Errorf("%s: afterwards: %v, %v", tt.what, verdict, err)
		}
	}
	for _, before := range []any{"2026-11-23T07:06:00Z", "2026-11-23", "now", "2026-11-22T10:00:00Z\"", nil, 7.0} {
		f := newFakeTeam()
		if _, err := iamCatalogue(f)["IAMRevokeRoleSessions"].Do(t.Context(), repairCall(map[string]any{"role": "ops", "before": before})); !isPermanent(err) || len(f.calls) > 0 {
			t.Errorf("before %v: got %v", before, err)
		}
	}
}

func TestIAMRepairsDescribe(t *testing.T) {
	for name, want := range map[string]string{
		"IAMDisableAccessKeys": "disable access keys " + key1 + " of user bob", "IAMEnableAccessKeys": "enable access keys " + key1 + ", " + key2 + " of user bob",
		"IAMDeleteAccessKeys": "delete access keys " + key1 + " of user bob", "IAMRemoveConsoleAccess": "delete the password of user bob",
		"IAMQuarantineUser": "deny user bob everything", "IAMReleaseUser": "release user bob from quarantine",
		"IAMRevokeRoleSessions": "revoke the sessions of role ops", "IAMAllowRoleSessions": "allow the sessions of role ops again",
	} {
		if got := iamCatalogue(newFakeTeam())[name].(responder.Describer).Describe(repairCall(iamRepairs[name].params)); got != want {
			t.Errorf("%s would %s, want %s", name, got, want)
		}
	}
	if got := iamCatalogue(newFakeTeam())["IAMDisableAccessKeys"].(responder.Describer).Describe(bob); got != "disable all access keys of user bob" {
		t.Errorf("would %s", got)
	}
}
