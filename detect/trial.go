package detect

import (
	"fmt"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/lang"
)

// Trial is an expression that is being tried out on events, or a rule's `when`.
type Trial struct {
	program  *lang.Program
	accounts map[string]map[string]any
}

// NewTrial compiles an expression in the scope of rules (which may be nil); the
// name of a rule stands for its `when`.
func NewTrial(rules *Rules, expression string) (*Trial, lang.Problems) {
	t := &Trial{}
	scope := lang.Scope{Names: lang.EventNames()}
	if rules != nil {
		t.accounts = rules.Accounts
		scope.Lists = rules.lists
		for _, r := range rules.rules {
			if r.name == expression && r.when != nil {
				t.program = r.when
				return t, nil
			}
		}
	}
	var problems lang.Problems
	t.program, problems = lang.Compile(lang.Plain(expression), scope)
	if t.program == nil {
		return nil, problems
	}
	return t, problems
}

// Eval gives the expression's value for an event.
func (t *Trial) Eval(event responder.Event) (any, error) {
	return t.program.Eval(lang.EventEnv(event, t.accounts))
}

// Explain gives the value of each clause for an event.
func (t *Trial) Explain(event responder.Event) []lang.Clause {
	return t.program.Explain(lang.EventEnv(event, t.accounts))
}

// Holds reports whether a value of `when` makes findings.
func Holds(value any) bool {
	said, err := results(value)
	return err == nil && len(said) > 0
}

// Near is a rule that almost saw something in an event.
type Near struct {
	Rule string
	Why  string // the first clause that was not true, in a few words
}

// Nearest finds, among the rules that found nothing, the one most of whose
// clauses hold, and says which did not. ok is false if for every rule already
// the first clause fails. Cost: compiles every clause of every rule; it is for
// people who look at samples.
func (rs *Rules) Nearest(event responder.Event) (near Near, ok bool) {
	env := lang.EventEnv(event, rs.Accounts)
	best := 0.0
	for _, r := range rs.rules {
		if r.when == nil {
			continue
		}
		clauses := top(r.when.Explain(env))
		held, why := 0, ""
		for _, c := range clauses {
			if Holds(c.Value) {
				held++
			} else if why == "" {
				why = reason(c)
			}
		}
		if share := float64(held) / float64(len(clauses)); why != "" && Holds(clauses[0].Value) && share > best {
			best, near, ok = share, Near{Rule: r.name, Why: why}, true
		}
	}
	return near, ok
}

// top keeps the clauses that are not parts of others.
func top(clauses []lang.Clause) []lang.Clause {
	var out []lang.Clause
	for _, c := range clauses {
		if c.Depth == 0 {
			out = append(out, c)
		}
	}
	return out
}

// reason says of a clause that it does not hold, in about a line.
func reason(c lang.Clause) string {
	if c.Err != nil {
		return c.Err.Error()
	}
	text := c.Text
	if runes := []rune(text); len(runes) > 60 {
		text = string(runes[:59]) + "…"
	}
	said := fmt.Sprintf("%s is %s", text, lang.Show(c.Value))
	if len(c.Notes) == 1 && c.Notes[0] != said {
		said += " (" + c.Notes[0] + ")"
	}
	return said
}
