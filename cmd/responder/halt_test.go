package main

import (
	"testing"
)

// TestHalt halts and resumes on a data folder that nobody uses, and by way of
// the process that uses it.
func TestHalt(t *testing.T) {
	c, _ := steered(t, "1s")
	says := func(want int, text string, args ...string) {
		t.Helper()
		out, errs := c.run(want, append(args, "--data", c.data)...)
		c.has(out+errs, text)
	}
	round := func() {
		t.Helper()
		says(exitUsage, "--why is needed", "halt")
		says(exitUsage, "--flow is empty", "halt", "--flow", "", "--why", "x")
		says(exitUsage, "--flow is empty", "resume", "--flow", "")
		says(exitDone, "nothing is halted", "halt", "--show")
		says(exitInput, "every flow is not halted", "resume")
		says(exitDone, "the flow tell is halted", "halt", "--flow", "tell", "--why", "a drill\nit is")
		says(exitDone, "the flow tell is halted already", "halt", "--flow", "tell", "--why", "again")
		says(exitDone, "the flow tell, by "+localUser()+" since ", "runs", "list")
		says(exitDone, ": a drill", "halt", "--show")
		says(exitDone, "every flow is halted", "halt", "--why", "all")
		says(exitDone, "the flow tell repairs again", "resume", "--flow", "tell")
		says(exitDone, "every flow repairs again", "resume", "--retry")
		says(exitDone, "nothing is halted", "halt", "--show")
	}
	c.run(exitDone, "run", "--once", "--data", c.data, repo+"events/user-compliant.json")
	round()
	p := c.serve("--live", repo+"events/user-compliant.json")
	round()
	p.end()
}
