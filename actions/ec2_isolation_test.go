package actions_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/skycrafters/responder"
)

func TestEC2Isolate(t *testing.T) {
	f := newFakeEC2()
	repair, call := f.catalogue()["EC2IsolateInstances"], ec2Call(map[string]any{"ids": []any{one, two, three}})
	f.states[three] = terminated
	found, err := survey(t, repair, call)
	had := []any{face1 + "=" + web + "," + ssh, face2 + "=" + ssh}
	if kept := stored(t, found); err != nil || !reflect.DeepEqual(kept.Undo, []responder.Binding{{Action: "EC2RestoreSecurityGroups", Params: map[string]any{"interfaces": had}}}) || len(kept.Lasting) > 0 {
		t.Errorf("found %+v, %v", kept, err)
	}
	got, err := repair.Do(t.Context(), call)
	if want := (responder.Result{"isolated": []string{one, two}, "ended": []string{three}}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if f.faces[face1][0] != made || f.faces[face2][0] != made || len(f.groups[made].rules) > 0 || f.groups[made].name != isolationName || len(f.snapshots) > 0 {
		t.Errorf("faces %v, group %v", f.faces, f.groups[made])
	}

	// Rules that somebody gives the group are taken from it.
	f.groups[made].rules = []types.SecurityGroupRule{rule("tcp", 22, "0.0.0.0/0", "", false), rule("-1", -1, "0.0.0.0/0", "", true)}
	if verdict, err := verify(t, repair, call); verdict != responder.VerdictNotDone || err != nil {
		t.Errorf("opened: %v, %v", verdict, err)
	}
	if found, err := survey(t, repair, call); err != nil || !slices.Equal(found.Lasting, []string{"the rules that somebody gave security group " + made + " (ResponderIsolation of vpc-1)"}) {
		t.Errorf("opened: %v, %v", found.Lasting, err)
	}
	if _, err := repair.Do(t.Context(), call); err != nil || len(f.groups[made].rules) > 0 {
		t.Errorf("opened: %v, %v", f.groups[made].rules, err)
	}
}

// TestEC2IsolateKeepsVolumes has the snapshots refused, lost and made before.
func TestEC2IsolateKeepsVolumes(t *testing.T) {
	for _, tt := range []struct {
		fails []error
		is    func(error) bool
		made  int // after the attempt
	}{
		{nil, nil, 2},
		{[]error{awsErr("UnauthorizedOperation"), awsErr("UnauthorizedOperation")}, isPermanent, 0},
		{[]error{nil, awsErr("SnapshotLimitExceeded")}, isPermanent, 1},
		{[]error{awsErr("RequestLimitExceeded")}, isTransient, 1},
		{[]error{errors.New("EOF")}, isUnknown, 0},
	} {
		f := newFakeEC2()
		f.fails["CreateSnapshots"] = tt.fails
		repair, call := f.catalogue()["EC2IsolateInstances"], ec2Call(map[string]any{"ids": []any{one, two}, "snapshot": true})
		call.Key = "run-1/2"
		_, err := repair.Do(t.Context(), call)
		if tt.is == nil && err != nil || tt.is != nil && (!tt.is(err) || !strings.Contains(err.Error(), "the instances are isolated, but not all their volumes are kept: ")) {
			t.Errorf("%v: got %v", tt.fails, err)
		}
		if len(f.snapshots) != tt.made || f.faces[face1][0] != made || f.faces[face2][0] != made {
			t.Errorf("%v: snapshots %v, %v", tt.fails, f.snapshots, f.faces)
		}
		want := responder.VerdictDone
		if tt.made < 2 {
			want = responder.VerdictNotDone
		}
		if verdict, err := verify(t, repair, call); verdict != want || err != nil {
			t.Errorf("%v: verified as %v, %v", tt.fails, verdict, err)
		}
		if _, err := repair.Do(t.Context(), call); err != nil || len(f.snapshots) != 2 {
			t.Errorf("%v: the next attempt: %v, %v", tt.fails, f.snapshots, err)
		}
		call.Key = "run-2/2"
		if _, err := repair.Do(t.Context(), call); err != nil || len(f.snapshots) != 4 {
			t.Errorf("%v: another step: %v, %v", tt.fails, f.snapshots, err)
		}
	}
}

// TestEC2TerminateKeepsVolumes: an instance whose volumes cannot be kept stays, and
// the others go.
func TestEC2TerminateKeepsVolumes(t *testing.T) {
	for _, tt := range []struct {
		fails []error
		is    func(error) bool
		made  int
		gone  []string // after the attempt
	}{
		{nil, nil, 2, []string{one, two}},
		{[]error{awsErr("UnauthorizedOperation"), awsErr("UnauthorizedOperation")}, isPermanent, 0, nil},
		{[]error{awsErr("UnauthorizedOperation")}, isPermanent, 1, []string{two}},
		{[]error{nil, awsErr("RequestLimitExceeded")}, isTransient, 1, []string{one}},
		{[]error{errors.New("EOF")}, isUnknown, 0, nil},
	} {
		f := newFakeEC2()
		f.fails["CreateSnapshots"] = tt.fails
		repair, call := f.catalogue()["EC2TerminateInstances"], ec2Call(map[string]any{"ids": []any{one, two}, "snapshot": true})
		call.Key = "run-1/2"
		result, err := repair.Do(t.Context(), call)
		if tt.is == nil && (err != nil || len(result["snapshots"].([]string)) != 2) || tt.is != nil && (!tt.is(err) || !strings.Contains(err.Error(), "instances whose volumes cannot be kept are left as they are: ")) {
			t.Errorf("%v: got %v, %v", tt.fails, result, err)
		}
		for _, id := range []string{one, two} {
			if gone := f.states[id] != running; gone != slices.Contains(tt.gone, id) {
				t.Errorf("%v: %s is %s", tt.fails, id, f.states[id])
			}
		}
		want := responder.VerdictDone
		if len(tt.gone) < 2 {
			want = responder.VerdictNotDone
		}
		if verdict, err := verify(t, repair, call); len(f.snapshots) != tt.made || verdict != want || err != nil {
			t.Errorf("%v: %d snapshots, verified as %v, %v", tt.fails, len(f.snapshots), verdict, err)
		}
		if _, err := repair.Do(t.Context(), call); err != nil || len(f.snapshots) != 2 || f.states[one] == running || f.states[two] == running {
			t.Errorf("%v: the next attempt: %v, %v", tt.fails, f.snapshots, err)
		}
	}
	f := newFakeEC2() // nobody sees which snapshots there are
	f.fails["DescribeSnapshots"] = []error{awsErr("UnauthorizedOperation")}
	if _, err := f.catalogue()["EC2TerminateInstances"].Do(t.Context(), ec2Call(map[string]any{"ids": []any{one}, "snapshot": true})); !isPermanent(err) || f.states[one] != running {
		t.Errorf("%s is %s: %v", one, f.states[one], err)
	}
	f = newFakeEC2()
	if _, err := f.catalogue()["EC2TerminateInstances"].Do(t.Context(), ec2Call(map[string]any{"ids": []any{one}})); err != nil || len(f.snapshots) > 0 {
		t.Errorf("nobody asked for snapshots: %v, %v", f.snapshots, err)
	}
}

func TestEC2IsolateHalfWay(t *testing.T) {
	for _, tt := range []struct {
		op    string
		fails []error
		is    func(error) bool
		says  string
	}{
		{"ModifyNetworkInterfaceAttribute", []error{awsErr("UnauthorizedOperation")}, isPermanent, "(done: " + face2 + "; not known: none; not done: " + face1 + ")"},
		{"ModifyNetworkInterfaceAttribute", []error{errors.New("EOF")}, isUnknown, "(done: none; not known: " + face1 + "; not done: " + face2 + ")"},
		{"CreateSecurityGroup", []error{awsErr("SecurityGroupLimitExceeded")}, isPermanent, "(done: none; not known: none; not done: " + face1 + ", " + face2 + ")"},
		{"RevokeSecurityGroupEgress", []error{awsErr("RequestLimitExceeded")}, isTransient, "(done: none; not known: none; not done: " + face1 + ", " + face2 + ")"},
	} {
		f := newFakeEC2()
		f.fails[tt.op] = tt.fails
		repair, call := f.catalogue()["EC2IsolateInstances"], ec2Call(map[string]any{"ids": []any{one, two}})
		if _, err := repair.Do(t.Context(), call); !tt.is(err) || !strings.HasPrefix(strings.TrimPrefix(err.Error(), "outcome unknown: "), "ec2:"+tt.op) || !strings.HasSuffix(err.Error(), tt.says) {
			t.Errorf("%s: got %v", tt.op, err)
		}
		if _, err := repair.Do(t.Context(), call); err != nil {
			t.Errorf("%s: the next attempt: %v", tt.op, err)
		}
		if verdict, err := verify(t, repair, call); verdict != responder.VerdictDone || err != nil {
			t.Errorf("%s: verified as %v, %v", tt.op, verdict, err)
		}
	}
	// Another makes the group at the same moment.
	f := newFakeEC2()
	f.onCall = func(op string) {
		if op == "CreateSecurityGroup" {
			f.groups[made] = &fakeGroup{name: isolationName, vpc: "vpc-1"}
		}
	}
	if _, err := f.catalogue()["EC2IsolateInstances"].Do(t.Context(), ec2Call(map[string]any{"ids": one})); err != nil || f.faces[face1][0] != made {
		t.Errorf("made by another: %v, %v", f.faces, err)
	}
}

func TestEC2RestoreSecurityGroups(t *testing.T) {
	f := newFakeEC2()
	repair := f.catalogue()["EC2RestoreSecurityGroups"]
	got, err := repair.Do(t.Context(), ec2Call(map[string]any{"interfaces": []any{face1 + "=" + ssh + "," + web, face2 + "=" + web, "eni-0000000f=" + web}}))
	if want := (responder.Result{"already": []string{face1}, "restored": []string{face2}, "missing": []string{"eni-0000000f"}}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := repair.Do(t.Context(), ec2Call(map[string]any{"interfaces": face1 + "=sg-0000dead"})); !isPermanent(err) || !strings.Contains(err.Error(), "InvalidGroup.NotFound") {
		t.Errorf("a group that is gone: got %v", err)
	}
	for _, bad := range []any{face1 + "=", face1, face1 + "=web", []any{face1 + "=" + web, face1 + "=" + ssh}, face1 + "=" + web + ",", face1 + "=" + web + "\n"} {
		if _, err := repair.Do(t.Context(), ec2Call(map[string]any{"interfaces": bad})); !isPermanent(err) {
			t.Errorf("%v: got %v", bad, err)
		}
	}
}

func TestEC2RevokeOpenIngress(t *testing.T) {
	const tcp22, tcp3389, tcp443, all = "tcp 22 0.0.0.0/0 jump host", "tcp 3389 ::/0", "tcp 443 0.0.0.0/0", "all all ::/0 all of it"
	for _, tt := range []struct {
		params map[string]any
		want   []string
	}{
		{map[string]any{}, []string{tcp22, tcp3389, tcp443, all}},
		{map[string]any{"ports": "22"}, []string{tcp22, all}},
		{map[string]any{"ports": []any{"1-100", "400-3389"}}, []string{tcp22, tcp3389, tcp443, all}},
		{map[string]any{"rules": []any{"tcp 22 0.0.0.0/0 said otherwise", "tcp 22 ::/0"}}, []string{tcp22}},
		{map[string]any{"rules": tcp22, "ports": "443"}, nil},
	} {
		f := newFakeEC2()
		tt.params["group"] = web
		repair, call := f.catalogue()["EC2RevokeOpenIngress"], ec2Call(tt.params)
		found, err := survey(t, repair, call)
		if err != nil || len(found.Undo) > 0 != (tt.want != nil) {
			t.Errorf("%v: found %v, %v", tt.params, found, err)
		}
		got, err := repair.Do(t.Context(), call)
		want := responder.Result{"group": web, "revoked": tt.want}
		if tt.want == nil {
			want = responder.Result{"group": web, "already": true}
		} else if !reflect.DeepEqual(found.Undo[0].Params["rules"], tt.want) {
			t.Errorf("%v: undo %v", tt.params, found.Undo)
		}
		if err != nil || !reflect.DeepEqual(got, want) || len(f.groups[web].rules) != 7-len(tt.want) {
			t.Errorf("%v: got %v, %v", tt.params, got, err)
		}
	}
	f := newFakeEC2()
	f.groups[web].rules[0].Tags = []types.Tag{{}}
	if found, err := survey(t, f.catalogue()["EC2RevokeOpenIngress"], ec2Call(map[string]any{"group": web})); err != nil || !slices.Equal(found.Lasting, []string{"the tags of rule sgr-tcp-22-0.0.0.0/0"}) {
		t.Errorf("lasting %v, %v", found.Lasting, err)
	}
	for _, bad := range []any{"", "0x16", "22 ", "70000", "30-20", "22,23", []any{}} {
		if _, err := f.catalogue()["EC2RevokeOpenIngress"].Do(t.Context(), ec2Call(map[string]any{"group": web, "ports": bad})); !isPermanent(err) {
			t.Errorf("ports %v: got %v", bad, err)
		}
	}
	// A rule goes between the look and the deed: nothing is done, and it is looked anew.
	f.onCall = func(op string) {
		if op == "RevokeSecurityGroupIngress" {
			f.groups[web].rules, f.onCall = f.groups[web].rules[1:], nil
		}
	}
	if _, err := f.catalogue()["EC2RevokeOpenIngress"].Do(t.Context(), ec2Call(map[string]any{"group": web})); !isTransient(err) || len(f.groups[web].rules) != 6 {
		t.Errorf("one is gone: %v", err)
	}
}
