package actions_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
)

// halfway is a world in which a repair of several things is refused one of them.
type halfway struct {
	catalogue responder.Catalogue
	world     func() any
	calls     func() []string // so far
	fails     func(...error)  // the change, the next times
}

func halfwayEC2(op string) func() halfway {
	return func() halfway {
		f := newFakeEC2()
		return halfway{f.catalogue(), f.world, func() []string { return f.calls }, func(errs ...error) { f.fails[op] = errs }}
	}
}

func halfwayIAM(op string) func() halfway {
	return func() halfway {
		f := newFakeTeam()
		return halfway{iamCatalogue(f), f.world, func() []string { return f.calls }, func(errs ...error) { f.fails[op] = errs }}
	}
}

var halfways = map[string]struct {
	of     func() halfway
	params map[string]any
	change string  // the operation that changes one thing
	first  []error // of the operation, before one thing is done and the other is not
	done   string
	left   string
}{
	"EC2StopInstances":       {halfwayEC2("StopInstances"), map[string]any{"ids": []any{one, two}}, "StopInstances", []error{awsErr("OperationNotPermitted")}, one, two},
	"EC2IsolateInstances":    {halfwayEC2("ModifyNetworkInterfaceAttribute"), map[string]any{"ids": []any{one, two}}, "ModifyNetworkInterfaceAttribute", nil, face1, face2},
	"EC2MakeSnapshotPrivate": {halfwayEC2("ModifySnapshotAttribute"), map[string]any{"ids": []any{snap1, snap2}}, "ModifySnapshotAttribute", nil, snap1, snap2},
	"EC2ShareSnapshot":       {halfwayEC2("ModifySnapshotAttribute"), map[string]any{"ids": []any{snap1, snap2}, "with": "444455556666"}, "ModifySnapshotAttribute", nil, snap1, snap2},
	"IAMDisableAccessKeys":   {halfwayIAM("UpdateAccessKey"), map[string]any{"user": "bob", "id": bobID, "keys": []any{key1, key2}}, "UpdateAccessKey", nil, key1, key2},
}

// run makes a run that is refused the second of two things.
func (h halfway) run(t *testing.T, name string, params map[string]any, first []error) (*engine, *responder.Run) {
	t.Helper()
	h.fails(append(slices.Clone(first), nil, awsErr("UnauthorizedOperation"))...)
	e := newEngine(t, h.catalogue, account, "eu-west-3", "", "      - remediate: {}\n")
	e.finding.Remediate = &responder.Binding{Action: name, Params: params}
	return e, e.run()
}

// changes counts the calls of an operation from some call on.
func (h halfway) changes(op string, from int) int {
	n := 0
	for _, call := range h.calls()[from:] {
		if strings.HasSuffix(call, op) {
			n++
		}
	}
	return n
}

// TestDeniedHalfWay: where the second of two things is refused, the run says what
// was done and what was not, and does not try again by itself; retried by somebody,
// it does the rest alone; undone, it gives back what was done and touches nothing else.
func TestDeniedHalfWay(t *testing.T) {
	for name, tt := range halfways {
		h := tt.of()
		before := h.world()
		e, run := h.run(t, name, tt.params, tt.first)
		step := run.Steps["0"]
		if want := "(done: " + tt.done + "; not known: none; not done: " + tt.left + ")"; run.State != responder.RunFailed || !strings.Contains(step.Error, want) || !strings.Contains(run.Cause, tt.left) {
			t.Errorf("%s: want %s\n%s", name, want, told(run))
		}
		tries := 0
		for _, a := range step.Attempts {
			if a.Try() {
				tries++
			}
		}
		half := h.world()
		if n := h.changes(tt.change, 0); tries != 1 || n != len(tt.first)+2 || reflect.DeepEqual(before, half) {
			t.Errorf("%s: %d tries, %d changes", name, tries, n)
		}

		seen := len(h.calls())
		undo := e.undo()
		if after := h.world(); undo.State != responder.RunSucceeded || !reflect.DeepEqual(before, after) {
			t.Errorf("%s, undone: %v\n%v\n%s", name, before, after, told(undo))
		}
		back := tt.change
		if back == "StopInstances" {
			back = "StartInstances"
		}
		if n := h.changes(back, seen); n != 1 {
			t.Errorf("%s, undone by %d changes: %v", name, n, h.calls()[seen:])
		}

		h = tt.of()
		e, run = h.run(t, name, tt.params, tt.first)
		seen = len(h.calls())
		if _, err := e.Control().Retry(t.Context(), run.ID, "ann"); err != nil {
			t.Fatal(err)
		}
		run = e.ended(run.ID)
		if n := h.changes(tt.change, seen); run.State != responder.RunSucceeded || n != 1 {
			t.Errorf("%s, retried: %d changes\n%s", name, n, told(run))
		}
		if undo := e.undo(); undo.State != responder.RunSucceeded || !reflect.DeepEqual(before, h.world()) {
			t.Errorf("%s, retried and undone: %v\n%s", name, h.world(), told(undo))
		}
	}
}

// TestLostHalfWay: where the answer about the second thing is lost, it is looked
// before anything is tried again, and only what is left is done.
func TestLostHalfWay(t *testing.T) {
	for name, tt := range halfways {
		h := tt.of()
		before := h.world()
		h.fails(append(slices.Clone(tt.first), nil, errors.New("EOF"))...)
		e := newEngine(t, h.catalogue, account, "eu-west-3", "", "      - remediate: {}\n")
		e.finding.Remediate = &responder.Binding{Action: name, Params: tt.params}
		run := e.run()
		looks := 0
		for _, a := range run.Steps["0"].Attempts {
			if a.Verify {
				looks++
			}
		}
		if n := h.changes(tt.change, 0); run.State != responder.RunSucceeded || looks != 1 || n != len(tt.first)+3 {
			t.Errorf("%s: %d looks, %d changes\n%s", name, looks, n, told(run))
		}
		if undo := e.undo(); undo.State != responder.RunSucceeded || !reflect.DeepEqual(before, h.world()) {
			t.Errorf("%s, undone: %v\n%s", name, h.world(), told(undo))
		}
	}
}

// TestDeniedHalfWayForGood: what cannot be put back is said, and nothing is tried.
func TestDeniedHalfWayForGood(t *testing.T) {
	h := halfwayIAM("DeleteAccessKey")()
	e, run := h.run(t, "IAMDeleteUser", map[string]any{"user": "bob", "id": bobID}, nil)
	seen := len(h.calls())
	_, err := e.Control().Undo(t.Context(), run.ID, "", "ann", "")
	var refused *dispatch.Refused
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "has nothing that can be put back: ") || len(h.calls()) != seen || run.State != responder.RunFailed {
		t.Errorf("undone: %v\n%s", err, told(run))
	}
	if last := h.calls()[seen-1]; h.changes("DeleteUser", 0) > 0 {
		t.Errorf("the user was deleted with a credential left: last %s", last)
	}
}

// TestGoneBetweenLookAndAct: what goes after it was seen is no error, and the rest is done.
func TestGoneBetweenLookAndAct(t *testing.T) {
	f := newFakeEC2()
	f.onCall = func(op string) {
		if op == "StopInstances" {
			delete(f.states, two)
		}
	}
	e := newEngine(t, f.catalogue(), account, "eu-west-3", "", "      - remediate: {}\n")
	e.finding.Remediate = &responder.Binding{Action: "EC2StopInstances", Params: map[string]any{"ids": []any{one, two}}}
	run := e.run()
	if result := run.Steps["0"].Result; run.State != responder.RunSucceeded || fmt.Sprint(result["stopped"], result["missing"]) != "["+one+"] ["+two+"]" || f.states[one] != stopped {
		t.Error(told(run))
	}
}

// TestProtectedSinceItWasSeen: a repair whose pause was long looks anew, and asks
// the guards of now about what it sees.
func TestProtectedSinceItWasSeen(t *testing.T) {
	f := newFakeEC2()
	f.fails["StopInstances"] = []error{awsErr("RequestLimitExceeded")}
	e := newEngine(t, f.catalogue(), account, "eu-west-3", "", "      - remediate: {}\n        retry: {backoff: 30m, cap: 30m}\n")
	e.finding.Remediate = &responder.Binding{Action: "EC2StopInstances", Params: map[string]any{"ids": []any{one}}}
	f.onCall = func(op string) {
		if op == "StopInstances" { // somebody protects it while the repair pauses
			e.load("protected: [\"*:instance/"+one+"\"]\n", "", "      - remediate: {}\n        retry: {backoff: 30m, cap: 30m}\n")
		}
	}
	run := e.run()
	step := run.Steps["0"]
	if step.Result["guard"] != dispatch.GuardProtected || f.states[one] != running || run.State == responder.RunFailed {
		t.Errorf("%s\n%v", told(run), f.calls)
	}
	looks := 0
	for _, a := range step.Attempts {
		if a.Survey {
			looks++
		}
	}
	if looks != 2 {
		t.Errorf("%d looks", looks)
	}
}
