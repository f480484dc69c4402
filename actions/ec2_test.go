package actions_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/skycrafters/responder"
)

type machines = map[string]types.InstanceStateName

func TestEC2InstanceAlive(t *testing.T) {
	for _, tt := range []struct {
		states machines
		alive  []string // nil: stop
	}{
		{machines{one: running}, []string{one}},
		{machines{one: stopped, two: pending, three: running, four: terminated}, []string{two, three}},
		{machines{one: stopping, two: stopped, three: ending, four: terminated}, nil},
		{machines{}, nil},
	} {
		f := &fakeEC2{states: tt.states}
		got, err := f.catalogue()["EC2InstanceAlive"].Do(t.Context(), idsCall(one, two, three, four, one))
		if tt.alive == nil {
			if !isStop(err) || !strings.Contains(err.Error(), one) {
				t.Errorf("%v: got %v, %v", tt.states, got, err)
			}
			continue
		}
		seen := map[string]any{}
		for id, state := range tt.states {
			seen[id] = string(state)
		}
		if want := (responder.Result{"alive": tt.alive, "states": seen}); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v: got %v, %v", tt.states, got, err)
		}
		if !slices.Equal(f.regions, []string{"eu-west-3"}) {
			t.Errorf("asked in %v", f.regions)
		}
	}
}

func TestEC2TerminateInstances(t *testing.T) {
	for _, tt := range []struct {
		name      string
		states    machines
		protected string
		vanish    string
		want      responder.Result
		says      string // of *Permanent
		left      []string
	}{
		{"all", machines{one: running, two: stopped, three: pending, four: stopping}, "", "", responder.Result{"terminated": []string{one, two, three, four}}, "", nil},
		{"some", machines{one: running, two: terminated, three: ending}, "", "", responder.Result{"terminated": []string{one}, "already": []string{two, three}, "missing": []string{four}}, "", nil},
		{"none left", machines{one: terminated}, "", "", responder.Result{"already": []string{one}, "missing": []string{two, three, four}}, "", nil},
		{"one protected", machines{one: running, two: running, three: running, four: terminated}, two, "", nil,
			"ec2:TerminateInstances: OperationNotPermitted: why OperationNotPermitted (done: " + one + ", " + three + "; not known: none; not done: " + two + ")", []string{two}},
		{"only protected", machines{two: running}, two, "", nil,
			"ec2:TerminateInstances: OperationNotPermitted: why OperationNotPermitted (done: none; not known: none; not done: " + two + ")", []string{two}},
		{"one vanishes", machines{one: running, two: running}, "", two, responder.Result{"terminated": []string{one}, "missing": []string{three, four, two}}, "", nil},
	} {
		f := &fakeEC2{states: tt.states, protected: map[string]bool{tt.protected: true}, vanish: tt.vanish}
		repair := f.catalogue()["EC2TerminateInstances"]
		got, err := repair.Do(t.Context(), idsCall(one, two, three, four))
		if tt.says != "" {
			if !isPermanent(err) || err.Error() != tt.says {
				t.Errorf("%s: got %v, want *Permanent %q", tt.name, err, tt.says)
			}
		} else if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %v, %v; want %v", tt.name, got, err, tt.want)
		}
		verdict, err := verify(t, repair, idsCall(one, two, three, four))
		want := responder.VerdictDone
		if tt.left != nil || tt.vanish != "" { // the fake goes on to describe what vanished
			want = responder.VerdictNotDone
		}
		if err != nil || verdict != want {
			t.Errorf("%s: verified as %v, %v", tt.name, verdict, err)
		}
		for id, state := range f.states {
			if slices.Contains(tt.left, id) != (state == running) && id != tt.vanish {
				t.Errorf("%s: %s is %s", tt.name, id, state)
			}
		}
	}
}

func TestEC2ManyInstances(t *testing.T) {
	f := &fakeEC2{states: machines{}}
	var ids []any
	for i := range 450 {
		id := fmt.Sprintf("i-%017x", i)
		ids = append(ids, id)
		f.states[id] = running
	}
	got, err := f.catalogue()["EC2TerminateInstances"].Do(t.Context(), idsCall(ids...))
	if err != nil || len(got["terminated"].([]string)) != 450 {
		t.Fatalf("got %v, %v", got, err)
	}
	for id, state := range f.states {
		if state != ending {
			t.Errorf("%s is %s", id, state)
		}
	}
}

func TestEC2Failures(t *testing.T) {
	lost := errors.New("connection reset by peer")
	for _, tt := range []struct {
		op   string
		err  error
		is   func(error) bool
		says string
	}{
		{"DescribeInstances", awsErr("UnauthorizedOperation"), isPermanent, "ec2:DescribeInstances: UnauthorizedOperation"},
		{"DescribeInstances", awsErr("RequestLimitExceeded"), isTransient, "ec2:DescribeInstances"},
		{"DescribeInstances", lost, isTransient, "ec2:DescribeInstances: connection reset"},
		{"TerminateInstances", awsErr("UnauthorizedOperation"), isPermanent, "ec2:TerminateInstances: UnauthorizedOperation"},
		{"TerminateInstances", awsErr("RequestLimitExceeded"), isTransient, "ec2:TerminateInstances"},
		{"TerminateInstances", lost, isUnknown, "outcome unknown: ec2:TerminateInstances"},
		{"TerminateInstances", context.DeadlineExceeded, isUnknown, "outcome unknown: ec2:TerminateInstances"},
	} {
		f := &fakeEC2{states: machines{one: running}, fails: map[string][]error{tt.op: {tt.err}}}
		repair := f.catalogue()["EC2TerminateInstances"]
		if _, err := repair.Do(t.Context(), idsCall(one)); !tt.is(err) || !strings.HasPrefix(err.Error(), tt.says) {
			t.Errorf("%s %v: got %T %v", tt.op, tt.err, err, err)
		}
		if _, err := repair.Do(t.Context(), idsCall(one)); err != nil {
			t.Errorf("%s %v: the next attempt: %v", tt.op, tt.err, err)
		}
	}
	f := &fakeEC2{fails: map[string][]error{"DescribeInstances": {lost, lost}}}
	if verdict, err := verify(t, f.catalogue()["EC2TerminateInstances"], idsCall(one)); verdict != responder.VerdictUnknown || !isTransient(err) {
		t.Errorf("verify: got %v, %v", verdict, err)
	}
	if _, err := f.catalogue()["EC2InstanceAlive"].Do(t.Context(), idsCall(one)); !isTransient(err) {
		t.Errorf("alive: got %v", err)
	}
}

func TestInstanceTargets(t *testing.T) {
	with := func(ids any) responder.Call {
		call := idsCall()
		call.Params["ids"] = ids
		return call
	}
	in := func(region string) responder.Call {
		call := idsCall(one)
		call.Region = region
		return call
	}
	for name, call := range map[string]responder.Call{
		"nothing": {Account: account, Region: "eu-west-3"}, "nil": with(nil), "empty list": with([]any{}), "empty texts": with([]string{}), "empty": with(""),
		"nil in list": with([]any{one, nil}), "empty in list": with([]any{one, ""}), "number": with([]any{one, 5.0}), "object": with(map[string]any{"a": one}),
		"wildcard": with([]any{"i-*"}), "all": with("*"), "upper case": with("i-0000000000000000A"), "short": with("i-0"), "two in one": with(one + "," + two), "line": with(one + "\n"),
		"no region": in(""), "region of a host": in("x.evil.example/"), "region with port": in("us-east-1:80"), "region with at": in("a@evil"), "numbers": in("1-2-3"), "line in region": in("us-east-1\n"),
	} {
		f := &fakeEC2{states: machines{one: running}}
		for _, action := range []string{"EC2InstanceAlive", "EC2TerminateInstances"} {
			if _, err := f.catalogue()[action].Do(t.Context(), call); !isPermanent(err) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s with %s: got %v, want *Permanent", action, name, err)
			}
		}
		if verdict, err := verify(t, f.catalogue()["EC2TerminateInstances"], call); verdict != responder.VerdictUnknown || !isPermanent(err) {
			t.Errorf("verify with %s: got %v, %v", name, verdict, err)
		}
		if len(f.calls)+len(f.regions) > 0 {
			t.Errorf("%s: EC2 was asked: %v in %v", name, f.calls, f.regions)
		}
	}
	for _, region := range []string{"us-east-1", "ap-southeast-2", "us-gov-west-1", "us-isob-east-1", "cn-north-1", "eusc-de-east-1", "il-central-1"} {
		f := &fakeEC2{states: machines{one: running}}
		if _, err := f.catalogue()["EC2InstanceAlive"].Do(t.Context(), in(region)); err != nil {
			t.Errorf("%s: %v", region, err)
		}
	}
	f := &fakeEC2{states: machines{one: running}}
	if _, err := f.catalogue()["EC2InstanceAlive"].Do(t.Context(), with(one)); err != nil {
		t.Errorf("a single text: %v", err)
	}
}
