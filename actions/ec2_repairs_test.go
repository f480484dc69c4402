package actions_test

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/skycrafters/responder"
)

// ec2Repairs are the repairs on things of EC2: a call of each, what must be there
// for it to have something to do, and the things that it touches.
var ec2Repairs = map[string]struct {
	params  map[string]any
	before  func(f *fakeEC2)
	touches []string // without the first part of their ARNs
	would   string
	lasts   bool             // something is not put back
	gone    func(f *fakeEC2) // takes away what the call is about
	goneSay string           // the error of Do where it is gone; "" means a success
	also    []string         // what it may have to ask, besides
}{
	"EC2TerminateInstances": {params: map[string]any{"ids": []any{one, two}, "snapshot": true}, touches: []string{"instance/" + one, "instance/" + two}, lasts: true,
		would: "terminate " + one + ", " + two + ", after snapshots of their volumes", gone: noInstances, also: []string{"CreateTags"}},
	"EC2StopInstances": {params: map[string]any{"ids": []any{one, two}}, touches: []string{"instance/" + one, "instance/" + two}, lasts: true,
		would: "stop " + one + ", " + two, gone: noInstances},
	"EC2StartInstances": {params: map[string]any{"ids": []any{three, four}}, touches: []string{"instance/" + three, "instance/" + four},
		would: "start " + three + ", " + four, gone: noInstances, goneSay: "not there any more: " + three + ", " + four},
	"EC2IsolateInstances": {params: map[string]any{"ids": []any{one, two}, "snapshot": true}, touches: []string{"instance/" + one, "instance/" + two}, lasts: true,
		would: "isolate " + one + ", " + two + ", after snapshots of their volumes", gone: noInstances,
		also: []string{"RevokeSecurityGroupIngress", "CreateTags"}},
	"EC2RestoreSecurityGroups": {params: map[string]any{"interfaces": []any{face1 + "=" + web, face2 + "=" + ssh + "," + web}}, touches: []string{"network-interface/" + face1, "network-interface/" + face2},
		before: func(f *fakeEC2) { f.faces[face1], f.faces[face2] = []string{ssh}, []string{ssh} },
		would:  "set the security groups of " + face1 + "=" + web + ", " + face2 + "=" + ssh + "," + web,
		gone:   func(f *fakeEC2) { clear(f.faces) }},
	"EC2RevokeOpenIngress": {params: map[string]any{"group": web, "ports": []any{"22", "3300-3400"}}, touches: []string{"security-group/" + web},
		would: "close security group " + web + " to everybody on ports 22, 3300-3400", gone: func(f *fakeEC2) { clear(f.groups) }},
	"EC2AuthorizeIngress": {params: map[string]any{"group": web, "rules": []any{"tcp 22 ::/0 jump host", "udp 53 0.0.0.0/0", "icmp 8:8 0.0.0.0/0"}}, touches: []string{"security-group/" + web},
		would: "open security group " + web + " to everybody by rules tcp 22 ::/0 jump host, udp 53 0.0.0.0/0, icmp 8:8 0.0.0.0/0", gone: func(f *fakeEC2) { clear(f.groups) }, goneSay: "not there any more: " + web},
	"EC2MakeSnapshotPrivate": {params: map[string]any{"ids": []any{snap1, snap2}}, touches: []string{":snapshot/" + snap1, ":snapshot/" + snap2},
		would: "make snapshots " + snap1 + ", " + snap2 + " private", gone: noShares},
	"EC2ShareSnapshot": {params: map[string]any{"ids": []any{snap1, snap2}, "with": []any{"public", "444455556666"}}, touches: []string{":snapshot/" + snap1, ":snapshot/" + snap2},
		would: "share snapshots " + snap1 + ", " + snap2 + " with public, 444455556666", gone: noShares, goneSay: "not there any more: " + snap1 + ", " + snap2},
	"EC2MakeImagePrivate": {params: map[string]any{"ids": image1, "from": []any{"public", organization}}, touches: []string{":image/" + image1},
		would: "make images " + image1 + " private to public, " + organization, gone: noShares},
	"EC2ShareImage": {params: map[string]any{"ids": image1, "with": "444455556666"}, touches: []string{":image/" + image1},
		would: "share images " + image1 + " with 444455556666", gone: noShares, goneSay: "not there any more: " + image1},
}

const (
	snap1, snap2, image1 = "snap-00000000000000001", "snap-00000000000000002", "ami-00000000000000001"
	organization         = "arn:aws:organizations::111122223333:organization/o-abcdefghij"
)

func noShares(f *fakeEC2) { clear(f.shares) }

func noInstances(f *fakeEC2) { f.states = machines{} }

func ec2Call(params map[string]any) responder.Call {
	call := repairCall(params)
	call.Region = "eu-west-3"
	return call
}

func newFakeEC2() *fakeEC2 {
	return &fakeEC2{
		states: machines{one: running, two: running, three: stopped, four: stopped}, fails: map[string][]error{}, protected: map[string]bool{},
		shares: map[string][]string{snap1: {"public", "999988887777"}, snap2: {"999988887777"}, image1: {"public", "999988887777", organization}},
		faces:  map[string][]string{face1: {web, ssh}, face2: {ssh}},
		groups: map[string]*fakeGroup{
			ssh: {name: "ssh", vpc: "vpc-1"},
			web: {name: "web", vpc: "vpc-1", rules: []types.SecurityGroupRule{
				rule("tcp", 22, "0.0.0.0/0", "jump host", false), rule("tcp", 3389, "::/0", "", false), rule("tcp", 443, "0.0.0.0/0", "", false), rule("-1", -1, "::/0", "all of it", false),
				rule("tcp", 22, "10.0.0.0/8", "office", false), rule("tcp", 22, "pl-1", "", false), rule("-1", -1, "0.0.0.0/0", "", true),
			}},
		},
	}
}

// ec2World gives EC2 as a repair needs it.
func ec2World(name string) *fakeEC2 {
	f := newFakeEC2()
	if before := ec2Repairs[name].before; before != nil {
		before(f)
	}
	return f
}

func TestEC2Repairs(t *testing.T) {
	for name, r := range ec2Repairs {
		f := ec2World(name)
		found, _ := doAndUndo(t, f.catalogue(), name, ec2Call(r.params), f.world)
		var want []responder.Target
		for _, thing := range r.touches {
			arn := "arn:aws:ec2:eu-west-3:" + account + ":" + thing
			if strings.HasPrefix(thing, ":") { // of no account
				arn = "arn:aws:ec2:eu-west-3:" + thing
			}
			want = append(want, responder.Target{ARN: arn, Account: account, Region: "eu-west-3", Tags: map[string]string{"team": "blue"}})
		}
		if !reflect.DeepEqual(found.Targets, want) {
			t.Errorf("%s: targets %v", name, found.Targets)
		}
		if (len(found.Lasting) > 0) != r.lasts {
			t.Errorf("%s: lasting %q", name, found.Lasting)
		}
		if said := f.catalogue()[name].(responder.Describer).Describe(ec2Call(r.params)); said != r.would {
			t.Errorf("%s would %s", name, said)
		}
	}
}

// TestEC2RepairsNeed compares what each repair asks of EC2, to look, to act and to
// look again, with what it declares and with what a call needs.
func TestEC2RepairsNeed(t *testing.T) {
	for name, r := range ec2Repairs {
		f := ec2World(name)
		doOnce(t, f.catalogue()[name], ec2Call(r.params))
		asked := f.asked()
		for _, op := range r.also {
			asked = append(asked, "ec2:"+op)
		}
		checkNeeds(t, f.catalogue()[name], ec2Call(r.params), asked)
	}
	needs := newFakeEC2().catalogue()["EC2StopInstances"].(responder.Narrower).Needs(ec2Call(map[string]any{"ids": one}))
	if want := []string{"arn:${AWS::Partition}:ec2:eu-west-3:${AWS::AccountId}:instance/" + one}; len(needs) != 2 || !slices.Equal(needs[1].Resources, want) {
		t.Errorf("needs %v", needs)
	}
}

// TestEC2RepairsFail has each call that a repair makes denied, throttled and lost.
func TestEC2RepairsFail(t *testing.T) {
	for name, r := range ec2Repairs {
		whole := ec2World(name)
		doOnce(t, whole.catalogue()[name], ec2Call(r.params))
		for _, op := range slices.Compact(slices.Sorted(slices.Values(whole.calls))) {
			changes := !strings.HasPrefix(op, "Describe")
			for what, is := range map[error]func(error) bool{awsErr("UnauthorizedOperation"): isPermanent, awsErr("RequestLimitExceeded"): isTransient, errors.New("reset"): nil} {
				if is == nil {
					if is = isTransient; changes {
						is = isUnknown
					}
				}
				f := ec2World(name)
				for range 99 {
					f.fails[op] = append(f.fails[op], what)
				}
				repair, call := f.catalogue()[name], ec2Call(r.params)
				_, looking := survey(t, repair, call)
				asked := slices.Contains(f.calls, op)
				_, doing := repair.Do(t.Context(), call)
				_, verifying := verify(t, repair, call)
				for how, err := range map[string]error{"survey": looking, "do": doing, "verify": verifying} {
					if err != nil && (!is(err) || !strings.Contains(err.Error(), "ec2:"+op+": ")) {
						t.Errorf("%s, %s, %s %v: got %T %v", name, how, op, what, err, err)
					}
				}
				if changes && (doing == nil || looking != nil || verifying != nil) || !changes && asked && looking == nil {
					t.Errorf("%s, %s %v: survey %v, do %v, verify %v", name, op, what, looking, doing, verifying)
				}
				if changes && !strings.Contains(doing.Error(), "not done: ") {
					t.Errorf("%s, %s %v: %v does not say what is done", name, op, what, doing)
				}
				delete(f.fails, op)
				doOnce(t, repair, call)
			}
		}
	}
}

func TestEC2RepairsRefuseWhatIsNoTarget(t *testing.T) {
	for name, r := range ec2Repairs {
		f := ec2World(name)
		var params []string
		for param := range r.params {
			if param != "snapshot" {
				params = append(params, param)
			}
		}
		refusesHostile(t, f.catalogue(), name, ec2Call(r.params), params, func() int { return len(f.calls) })
		for _, param := range params {
			for _, foreign := range []string{"arn:aws:ec2:eu-west-3:999988887777:instance/" + one, "all", "0.0.0.0/0"} {
				call := ec2Call(maps.Clone(r.params))
				call.Params[param] = foreign
				if _, err := f.catalogue()[name].Do(t.Context(), call); !isPermanent(err) || len(f.calls) > 0 {
					t.Errorf("%s: %s is %s: got %v", name, param, foreign, err)
				}
			}
		}
		for _, region := range []string{"", "x.evil.example/", "us-east-1\r\n"} {
			call := ec2Call(r.params)
			call.Region = region
			repair := f.catalogue()[name]
			_, looking := survey(t, repair, call)
			if _, err := repair.Do(t.Context(), call); !isPermanent(err) || !isPermanent(looking) || len(f.calls) > 0 || repair.(responder.Narrower).Needs(call) != nil {
				t.Errorf("%s in %q: got %v, %v", name, region, err, looking)
			}
		}
	}
}

// TestEC2RepairsOfNothing has the target gone before, and go at each call.
func TestEC2RepairsOfNothing(t *testing.T) {
	for name, r := range ec2Repairs {
		f := ec2World(name)
		r.gone(f)
		repair, call := f.catalogue()[name], ec2Call(r.params)
		found, err := survey(t, repair, call)
		if !strings.HasPrefix(r.touches[0], "security-group/") { // they may only not be known yet
			for i, target := range found.Targets {
				if !strings.HasSuffix(target.ARN, r.touches[i]) || !target.TagsUnknown {
					t.Errorf("%s: found %+v", name, target)
				}
			}
			if len(found.Targets) != len(r.touches) || found.Undo != nil || found.Lasting != nil {
				t.Errorf("%s: found %v", name, found)
			}
			found = responder.Survey{}
		}
		if err != nil || !reflect.DeepEqual(found, responder.Survey{}) {
			t.Errorf("%s: found %v, %v", name, found, err)
		}
		_, err = repair.Do(t.Context(), call)
		verdict, verifying := verify(t, repair, call)
		if r.goneSay != "" {
			if !isPermanent(err) || !strings.Contains(err.Error(), r.goneSay) || verdict != responder.VerdictNotDone || verifying != nil {
				t.Errorf("%s: got %v, verified as %v, %v", name, err, verdict, verifying)
			}
		} else if err != nil || verdict != responder.VerdictDone || verifying != nil {
			t.Errorf("%s: got %v, verified as %v, %v", name, err, verdict, verifying)
		}
		whole := ec2World(name)
		doOnce(t, whole.catalogue()[name], call)
		for n := range whole.calls {
			f := ec2World(name)
			seen := 0
			f.onCall = func(string) {
				if seen++; seen == n+1 {
					r.gone(f)
				}
			}
			repair := f.catalogue()[name]
			_, looking := survey(t, repair, call)
			_, doing := repair.Do(t.Context(), call)
			if looking != nil || doing != nil && (r.goneSay == "" || !isPermanent(doing) || !strings.Contains(doing.Error(), "not there any more")) {
				t.Errorf("%s, gone at call %d: survey %v, do %v", name, n, looking, doing)
			}
		}
	}
}

func TestEC2RepairsOfMany(t *testing.T) {
	f := newFakeEC2()
	var ids []any
	for i := range 250 {
		id := fmt.Sprintf("i-1%016x", i)
		ids = append(ids, id)
		f.states[id] = running
	}
	f.protected["i-1"+fmt.Sprintf("%016x", 120)] = true
	_, err := f.catalogue()["EC2StopInstances"].Do(t.Context(), ec2Call(map[string]any{"ids": ids}))
	n := 0
	for _, state := range f.states {
		if state == running {
			n++
		}
	}
	if !isPermanent(err) || len(err.Error()) > 2000 || !strings.HasSuffix(err.Error(), "not done: i-10000000000000078)") || n != 3 {
		t.Errorf("%d are running: %v", n, err)
	}
}

func TestEC2StopAndStart(t *testing.T) {
	for _, tt := range []struct {
		name, repair string
		states       machines
		protected    string
		want         responder.Result
		is           func(error) bool
		says         string
		undo         []any
	}{
		{"mixed", "EC2StopInstances", machines{one: running, two: stopped, three: stopping}, "", responder.Result{"stopped": []string{one}, "already": []string{two, three}, "missing": []string{four}}, nil, "", []any{one}},
		{"ended", "EC2StopInstances", machines{one: ending, two: terminated}, "", responder.Result{"already": []string{one, two}, "missing": []string{three, four}}, nil, "", nil},
		{"starting", "EC2StopInstances", machines{one: running, two: pending}, "", nil, isTransient,
			"ec2:StopInstances: IncorrectInstanceState: why IncorrectInstanceState (done: " + one + "; not known: none; not done: " + two + ")", []any{one, two}},
		{"protected", "EC2StopInstances", machines{one: running, two: running}, one, nil, isPermanent,
			"ec2:StopInstances: OperationNotPermitted: why OperationNotPermitted (done: " + two + "; not known: none; not done: " + one + ")", []any{one, two}},
		{"mixed", "EC2StartInstances", machines{one: running, two: stopped, three: pending, four: stopped}, "", responder.Result{"started": []string{two, four}, "already": []string{one, three}}, nil, "", []any{two, four}},
		{"stopping", "EC2StartInstances", machines{one: stopped, two: stopping, three: running, four: running}, "", nil, isTransient,
			"ec2:StartInstances: IncorrectInstanceState: why IncorrectInstanceState (done: " + one + "; not known: none; not done: " + two + ")", []any{one, two}},
		{"some gone", "EC2StartInstances", machines{one: stopped, two: terminated, three: running}, "", nil, isPermanent,
			"not there any more: " + two + ", " + four + " (done: " + one + "; not known: none; not done: " + two + ", " + four + ")", []any{one}},
	} {
		f := newFakeEC2()
		f.states, f.protected = tt.states, map[string]bool{tt.protected: true}
		repair, call := f.catalogue()[tt.repair], ec2Call(map[string]any{"ids": []any{one, two, three, four}})
		found, err := survey(t, repair, call)
		if err != nil {
			t.Errorf("%s %s: %v", tt.repair, tt.name, err)
		}
		var undo []any
		if kept := stored(t, found); len(kept.Undo) > 0 {
			undo = kept.Undo[0].Params["ids"].([]any)
		}
		if !reflect.DeepEqual(undo, tt.undo) {
			t.Errorf("%s %s: undo %v", tt.repair, tt.name, undo)
		}
		got, err := repair.Do(t.Context(), call)
		if tt.is != nil {
			if !tt.is(err) || err.Error() != tt.says {
				t.Errorf("%s %s: got %v", tt.repair, tt.name, err)
			}
		} else if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s %s: got %v, %v", tt.repair, tt.name, got, err)
		}
	}
}

func TestEC2SurveySays(t *testing.T) {
	f := newFakeEC2()
	f.protected[two] = true
	found, err := survey(t, f.catalogue()["EC2TerminateInstances"], ec2Call(map[string]any{"ids": []any{one, two, three}}))
	want := responder.Survey{
		Targets: found.Targets,
		Found:   map[string]any{"running": []any{one, two}, "stopped": []any{three}, "protected": []any{two}},
		Lasting: []string{"instances " + one + ", " + three, "volumes, which are deleted with them: vol-00000000000000001, vol-00000000000000003"},
	}
	if got := stored(t, found); err != nil || len(got.Targets) != 3 || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	found, err = survey(t, f.catalogue()["EC2StopInstances"], ec2Call(map[string]any{"ids": []any{one, three}}))
	if want := []string{"what is in memory and on instance store volumes of " + one, "public addresses: 203.0.113.7 of " + one}; err != nil || !slices.Equal(found.Lasting, want) {
		t.Errorf("got %q, %v", found.Lasting, err)
	}
}

// TestEC2SharedWithSome takes from some only, and spares others' things.
func TestEC2SharedWithSome(t *testing.T) {
	f := newFakeEC2()
	catalogue := f.catalogue()
	got, err := catalogue["EC2MakeSnapshotPrivate"].Do(t.Context(), ec2Call(map[string]any{"ids": []any{snap1, snap2, "snap-0000000f"}, "from": "public"}))
	if want := (responder.Result{"private": []string{snap1}, "already": []string{snap2}, "missing": []string{"snap-0000000f"}}); err != nil || !reflect.DeepEqual(got, want) || !slices.Equal(f.shares[snap1], []string{"999988887777"}) {
		t.Errorf("got %v, %v, %v", got, err, f.shares)
	}
	if _, err := catalogue["EC2ShareImage"].Do(t.Context(), ec2Call(map[string]any{"ids": image1})); !isPermanent(err) {
		t.Errorf("with nobody: got %v", err)
	}
	for _, bad := range []any{"all", "99998888777", "arn:aws:iam::999988887777:root", []any{"public", "PUBLIC"}} {
		if _, err := catalogue["EC2ShareSnapshot"].Do(t.Context(), ec2Call(map[string]any{"ids": snap1, "with": bad})); !isPermanent(err) {
			t.Errorf("with %v: got %v", bad, err)
		}
	}
	f.fails["ModifySnapshotAttribute"] = []error{nil, awsErr("UnauthorizedOperation")}
	_, err = catalogue["EC2MakeSnapshotPrivate"].Do(t.Context(), ec2Call(map[string]any{"ids": []any{snap1, snap2}}))
	if !isPermanent(err) || !strings.HasSuffix(err.Error(), "(done: "+snap1+"; not known: none; not done: "+snap2+")") || len(f.shares[snap1]) > 0 {
		t.Errorf("half done: got %v, %v", err, f.shares)
	}
}
