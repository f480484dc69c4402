package actions

import (
	"fmt"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// asked is a question in words, each escaped for where it is shown.
type asked struct {
	head  string   // "Approval needed"
	text  string   // what is asked; may be empty
	plan  []string // what would be done, numbered
	until string
	how   string // how to answer where there are no buttons
}

// putting puts a question into words. The plan is said whole: whoever cannot
// show it whole offers no way to approve it there.
func putting(q *responder.Question, escape func(string) string) asked {
	a := asked{head: "Approval needed", text: escape(q.Text)}
	verb := "approve"
	if q.Veto {
		a.head, verb = "Going ahead unless somebody objects", "deny"
	}
	for i, would := range q.Plan {
		a.plan = append(a.plan, fmt.Sprintf("%d. %s", i+1, escape(would)))
	}
	if len(a.plan) == 0 {
		a.plan = []string{"No repair is asked about."}
	}
	a.until = "Until " + q.Until.UTC().Format("2006-01-02 15:04:05") + " UTC"
	a.how = escape(fmt.Sprintf("responder runs %s %s --step %s", verb, q.Run, q.Step))
	return a
}

// lines gives all of it, a line each.
func (a asked) lines() []string {
	all := []string{a.head}
	if a.text != "" {
		all = append(all, a.text)
	}
	all = append(all, a.plan...)
	return append(all, a.until, a.how)
}

// questionJSON is a question as machines are given it.
type questionJSON struct {
	Run    string    `json:"run"`
	Step   string    `json:"step"`
	Digest string    `json:"digest"`
	Veto   bool      `json:"veto,omitempty"`
	Text   string    `json:"text,omitempty"`
	Plan   []string  `json:"plan"`
	Until  time.Time `json:"until"`
}

func questionObject(q *responder.Question) *questionJSON {
	if q == nil {
		return nil
	}
	plan := q.Plan
	if plan == nil {
		plan = []string{}
	}
	return &questionJSON{q.Run, q.Step, q.Digest, q.Veto, q.Text, plan, q.Until}
}

// runOf is the run and the step that a call is of, by its key.
func runOf(call responder.Call) (run, step string) {
	run, step, _ = strings.Cut(call.Key, "/")
	step, _, _ = strings.Cut(step, "@")
	return run, step
}
