package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

const (
	ownRole    = "arn:aws:iam::123412341234:role/responder"
	foreignOne = "arn:aws:iam::999999999999:role/responder"
)

// by is the n-th finding, of an event that a session of a role caused.
func (w *world) by(n int, role, session string) responder.Finding {
	f := w.found(n, "RootLogin", "i-1")
	var event map[string]any
	if err := json.Unmarshal(f.Event, &event); err != nil {
		w.t.Fatal(err)
	}
	detail := event["detail"].(map[string]any)
	detail["userIdentity"] = map[string]any{
		"type": "AssumedRole", "principalId": "AROAEXAMPLE:" + session,
		"sessionContext": map[string]any{"sessionIssuer": map[string]any{"arn": role}},
	}
	f.Event = []byte(mustJSON(w.t, event))
	return f
}

// TestCausedBy: an event of our own role is matched to the run whose session it
// was, and both say so; of a foreign role nothing a session is called counts.
func TestCausedBy(t *testing.T) {
	ctx := context.Background()
	w := coolWorld(t, `
flows:
  - name: f
    rules: ["*"]
    sequential: [SendSlack: {}]
`)
	w.config.OwnRoles = []string{ownRole}
	d := w.dispatcher()
	handle := func(f responder.Finding) *responder.Run {
		t.Helper()
		w.send(f)
		w.turn(d)
		run, err := w.runs.Get(ctx, f.RunID("f"))
		if err != nil {
			t.Fatal(err)
		}
		return run
	}
	first := handle(w.found(1, "RootLogin", "i-1"))
	if first.CausedBy == nil || first.CausedBy.Run != "" { // the event's role is ours, and there is no session
		t.Errorf("no session: %+v", first.CausedBy)
	}
	undo := first.Clone()
	undo.ID, undo.Undoes, undo.CausedBy = first.ID+"#undo", &responder.Undoing{Run: first.ID}, nil
	if err := w.runs.Create(ctx, undo); err != nil {
		t.Fatal(err)
	}
	for n, test := range []struct {
		role, session string
		want          *responder.Origin
	}{
		{ownRole, first.ID, &responder.Origin{Session: first.ID, Run: first.ID}},
		{"arn:aws:iam::123412341234:role/some/path/responder", first.ID, &responder.Origin{Session: first.ID, Run: first.ID}},
		{ownRole, responder.SessionName(undo.ID), &responder.Origin{Session: first.ID + ".undo", Run: undo.ID}},
		{ownRole, "responder-dispatch", &responder.Origin{Session: "responder-dispatch"}},
		{ownRole, "0123456789abcdef0123456789abcdef", &responder.Origin{Session: "0123456789abcdef0123456789abcdef"}},
		{ownRole, "", &responder.Origin{}},
		{foreignOne, first.ID, nil},
		{"arn:aws:iam::123412341234:role/responder-x", first.ID, nil},
		{"", first.ID, nil},
	} {
		f := w.by(10+n, test.role, test.session)
		run := handle(f)
		if fmt.Sprint(run.CausedBy) != fmt.Sprint(test.want) {
			t.Errorf("%s as %q: %v, want %v", test.role, test.session, run.CausedBy, test.want)
		}
		if test.want == nil || test.want.Run == "" {
			continue
		}
		for range 2 { // again: nothing more is noted
			if cause, err := w.runs.Get(ctx, test.want.Run); err != nil || !slices.Contains(cause.Caused, run.ID) || cause.State != responder.RunSucceeded && cause.Undoes == nil {
				t.Errorf("%q: %+v, %v", test.session, cause, err)
			}
			handle(f)
		}
	}
	cause, err := w.runs.Get(ctx, first.ID)
	if err != nil || len(cause.Caused) != 2 {
		t.Errorf("%v, %v", cause.Caused, err)
	}
	for n := range 2 * responder.MaxCaused {
		handle(w.by(100+n, ownRole, first.ID))
	}
	if cause, err = w.runs.Get(ctx, first.ID); err != nil || len(cause.Caused) != responder.MaxCaused {
		t.Errorf("%d, %v", len(cause.Caused), err)
	}
}

// TestCausedWhileUnderWay: a run whose own doing comes back while it repairs goes
// on, and repairs once.
func TestCausedWhileUnderWay(t *testing.T) {
	ctx := context.Background()
	w := coolWorld(t, `
flows:
  - name: f
    rule: UnauthorizedInstanceCreated
    repairs: live
    sequential: [remediate: {}, wait: 1m, SendSlack: {message: after}]
  - name: seen
    rule: RootLogin
    sequential: [SendEmail: {subject: seen}]
`)
	w.config.OwnRoles = []string{"arn:aws:iam::123412341234:role/member"}
	d := w.dispatcher()
	finding := w.finding("UnauthorizedInstanceCreated")
	id := finding.RunID("f")
	echo := w.by(2, "arn:aws:iam::123412341234:role/member", id)
	w.terminate.answer = func(context.Context, int, responder.Call) (responder.Result, error) {
		body, err := responder.Bell{Finding: &echo}.Encode()
		if err != nil {
			return nil, err
		}
		if failures := d.Handle(ctx, []responder.Delivery{{ID: "echo", Body: body}}); len(failures) > 0 {
			return nil, failures[0].Err
		}
		return nil, nil
	}
	w.send(finding)
	w.live(d, 5*time.Minute, time.Second)
	run, err := w.runs.Get(ctx, id)
	if err != nil || run.State != responder.RunSucceeded || !slices.Equal(run.Caused, []string{echo.RunID("seen")}) {
		t.Errorf("%v\n%s", err, outline(run))
	}
	if n := w.terminate.count(); n != 1 {
		t.Errorf("repaired %d times", n)
	}
	if got := w.get("seen").CausedBy; got == nil || got.Run != id {
		t.Errorf("%+v", got)
	}
}
