package main

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

// repaired is a command line with a run whose repair has quarantined a user.
func repaired(t *testing.T) (c *cli, id string) {
	t.Helper()
	c = newCLI(t)
	c.write("rules.yml", "rules:\n  Created: {when: action == \"iam:CreateUser\", message: '{{ req.userName }}'}\n")
	c.write("flows.yml", "flows:\n  - {name: lock, rule: Created, repairs: 'off', sequential: [IAMQuarantineUser: {user: bob}]}\n")
	event, err := os.ReadFile(repo + "events/user-noncompliant.json")
	if err != nil {
		t.Fatal(err)
	}
	const bob = "arn:aws:iam::111122223333:user/bob"
	began := time.Now().Add(-time.Minute)
	found := &responder.Survey{
		Targets: []responder.Target{{ARN: bob, Account: "111122223333"}}, Found: map[string]any{"quarantined": false},
		Undo:    []responder.Binding{{Action: "IAMReleaseUser", Params: map[string]any{"user": "bob"}}},
		Lasting: []string{"what \x1bbob did"},
	}
	id = strings.Repeat("0a", 16)
	step := responder.Step{Kind: responder.StepAction, Action: "IAMQuarantineUser", Params: map[string]any{"user": "bob"}}
	run := &responder.Run{
		V: 1, ID: id, Flow: responder.FlowSnapshot{Name: "lock", Repairs: responder.RepairsLive, Steps: []responder.Step{step}, Digest: "d"},
		Finding: responder.Finding{Rule: "Created", Title: "bob", Key: "k", Event: event}, Mode: responder.ModeLive, State: responder.RunSucceeded,
		Steps: map[string]*responder.StepState{"0": {
			State: responder.StepSucceeded, Action: "IAMQuarantineUser", Kind: responder.Repair, Params: step.Params, Survey: found,
			Began: began, Ended: began, Attempts: []responder.Attempt{{Began: began, Ended: began, Survey: true}, {Began: began, Ended: began}},
		}},
		Created: began, Updated: began,
	}
	db, err := c.app(nil, nil, nil).openData(c.data)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Runs().Create(context.Background(), run); err != nil {
		t.Fatal(err)
	}
	return c, id
}

// TestUndo: what was found and what would be put back is shown, and ordered once,
// on a folder that nobody uses; the next process does it, if it is live.
func TestUndo(t *testing.T) {
	c, id := repaired(t)
	undo := func(want int, args ...string) string {
		t.Helper()
		out, errs := c.run(want, append([]string{"runs", "undo", "--data", c.data}, args...)...)
		return out + errs
	}
	c.has(undo(exitUsage, id), "  0  IAMQuarantineUser succeeded\n     found  {\"quarantined\":false}\n",
		"     would  release user bob from quarantine (IAMReleaseUser {\"user\":\"bob\"})\n", "     stays  what bob did: nothing puts it back\n", "give --yes")
	c.has(undo(exitUsage, ""), "is empty")
	c.has(undo(exitInput, "zzz", "--yes"), "there is no run")
	c.has(undo(exitInput, id, "--yes", "--step", "1"), "step 1 of run "+id+" has repaired nothing")
	out := undo(exitDone, id[:6], "--yes", "--why", "the wrong\nbob", "--format", "json")
	if said := objects(t, out); len(said) != 1 || said[0]["deed"] != "undo" || said[0]["changed"] != true || said[0]["of"] != id || said[0]["run"].(map[string]any)["id"] != id+"#undo" {
		t.Errorf("undo says %s", out)
	}
	out = undo(exitDone, id, "--yes", "--format", "json")
	if said := objects(t, out); len(said) != 1 || said[0]["changed"] != false {
		t.Errorf("undo says %s", out)
	}
	c.has(undo(exitDone, id, "--yes"), id+" is undone by "+id+"#undo\n")
	out, _ = c.run(exitDone, "runs", "show", id, "--data", c.data)
	c.has(out, "undo ordered by "+localUser()+": by run "+id+"#undo: the wrong bob\n")

	c.run(exitDone, "run", "--once", "--data", c.data, repo+"events/root-login.json") // dry, so it is not done
	out, _ = c.run(exitDone, "runs", "show", id+"#undo", "--data", c.data)
	c.has(out, "succeeded", "  undoes     run "+id, "undo ordered by "+localUser()+": of run "+id+": the wrong bob\n", "IAMReleaseUser", "puts back step 0", "everything is dry here")
	c.has(undo(exitDone, id, "--yes"), id+" is undone by "+id+"#undo2\n")
	c.has(undo(exitInput, id+"#undo2", "--yes"), "is an undo itself")
}

// TestUndoWhileServing: by way of the process that has the folder.
func TestUndoWhileServing(t *testing.T) {
	c, id := repaired(t)
	p := c.serve()
	_, errs := c.run(exitInput, "runs", "undo", id, "--yes", "--step", "7", "--data", c.data)
	c.has(errs, "has repaired nothing")
	out, _ := c.run(exitDone, "runs", "undo", id, "--yes", "--step", "0", "--data", c.data)
	c.has(out, "would  ", id+" is undone by "+id+"#undo\n")
	out, _ = c.run(exitDone, "runs", "show", id+"#undo", "--follow", "--data", c.data)
	c.has(out, "succeeded", "everything is dry here")
	p.end()
}
