package main

import (
	"slices"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
	"github.com/skycrafters/responder/internal/lang"
)

// rehearsedJSON is what `rehearse --format json` gives, a line for each flow that
// is for a finding; one without a flow where none is, and without a rule where an
// event is seen by none. schemas/rehearsal.schema.json says it, too.
type rehearsedJSON struct {
	EventID   string              `json:"event_id"`
	Rule      string              `json:"rule,omitempty"`
	Severity  *responder.Severity `json:"severity,omitempty"`
	Title     string              `json:"title,omitempty"`
	Message   string              `json:"message,omitempty"`
	Resources []string            `json:"resources,omitempty"`
	Because   []clauseJSON        `json:"because,omitempty"` // the clauses of the rule
	Nearest   string              `json:"nearest,omitempty"` // of an event that no rule sees: the rule that almost did, and why not
	Flow      string              `json:"flow,omitempty"`
	If        []clauseJSON        `json:"if,omitempty"`
	Starts    bool                `json:"starts"`
	WhyNot    string              `json:"why_not,omitempty"`
	Repairs   responder.Repairs   `json:"repairs,omitempty"`
	Guards    []guardJSON         `json:"guards,omitempty"`
	Cooldown  *windowJSON         `json:"cooldown,omitempty"`
	Ends      responder.RunState  `json:"ends,omitempty"`
	Cause     string              `json:"cause,omitempty"`
	Steps     []rehearsedStepJSON `json:"steps,omitempty"`
	Needs     []needJSON          `json:"needs,omitempty"`
}

type clauseJSON struct {
	Clause string   `json:"clause"`
	Depth  int      `json:"depth"`
	Value  any      `json:"value"`
	Error  string   `json:"error,omitempty"`
	Notes  []string `json:"notes,omitempty"`
}

type guardJSON struct {
	Guard   string                `json:"guard"`
	Verdict dispatch.GuardVerdict `json:"verdict"`
	Says    string                `json:"says"`
}

type windowJSON struct {
	For    string   `json:"for"`
	By     []string `json:"by"`
	Values []any    `json:"values"`
	Quiet  string   `json:"quiet,omitempty"`
	Error  string   `json:"error,omitempty"`
}

type rehearsedStepJSON struct {
	Step    string               `json:"step"`
	What    string               `json:"what"`
	Action  string               `json:"action,omitempty"`
	Kind    responder.Kind       `json:"kind,omitempty"`
	Reached bool                 `json:"reached"`
	State   responder.StepStatus `json:"state,omitempty"`
	Branch  string               `json:"branch,omitempty"`
	Would   string               `json:"would,omitempty"`
	Why     string               `json:"why,omitempty"` // it is skipped, or recorded instead of done
	Error   string               `json:"error,omitempty"`
	Until   *time.Time           `json:"until,omitempty"` // of a wait: when it would end
	Params  map[string]any       `json:"params,omitempty"`
	Sent    *sentJSON            `json:"sent,omitempty"`
	Asks    *asksJSON            `json:"asks,omitempty"`
	Acts    *bool                `json:"acts,omitempty"`    // of a repair: nothing that is known keeps it from acting
	Already bool                 `json:"already,omitempty"` // of a repair that was looked at: it would change nothing
	Targets []responder.Target   `json:"targets,omitempty"`
	Found   map[string]any       `json:"found,omitempty"`
	Undo    []string             `json:"undo,omitempty"`
	Lasting []string             `json:"lasting,omitempty"`
	Inverse string               `json:"inverse,omitempty"`
	Guards  []guardJSON          `json:"guards,omitempty"`
	Needs   []permissionJSON     `json:"needs,omitempty"`
}

type sentJSON struct {
	To      string `json:"to"`
	Text    string `json:"text"`
	Payload any    `json:"payload"`
	HTML    string `json:"html,omitempty"`
}

type asksJSON struct {
	Text  string              `json:"text"`
	Veto  bool                `json:"veto,omitempty"`
	By    responder.Approvers `json:"by"`
	Not   responder.Barred    `json:"not"`
	Plan  []string            `json:"plan"`
	Until time.Time           `json:"until"`
}

type permissionJSON struct {
	Actions   []string                     `json:"actions"`
	Resources []string                     `json:"resources"`
	Condition map[string]map[string]string `json:"condition,omitempty"`
}

type needJSON struct {
	Account string `json:"account"` // "home" is that which Responder runs in
	permissionJSON
}

// rehearsedLine gives the line of a flow. finding is nil where no rule sees the event.
func (r *rehearsal) rehearsedLine(event responder.Event, finding *responder.Finding, one *dispatch.Rehearsed) rehearsedJSON {
	out := rehearsedJSON{EventID: eventID(event)}
	if finding == nil {
		out.WhyNot = noRule
		if near, ok := r.definitions.Rules.Nearest(event); ok && r.rule == "" {
			out.Nearest = near.Rule + ": " + near.Why
		}
		if r.rule != "" {
			out.Because = clausesJSON(r.why(r.rule, event))
		}
		return out
	}
	out.Rule, out.Severity, out.Title, out.Message, out.Resources = finding.Rule, &finding.Severity, finding.Title, finding.Message, finding.Resources
	out.Because = clausesJSON(r.why(finding.Rule, event))
	if one == nil {
		out.WhyNot = noFlow
		return out
	}
	out.Flow, out.If, out.Repairs = one.Flow.Name, clausesJSON(one.If), one.Flow.Repairs
	if out.WhyNot = notBegun(one); out.WhyNot != "" {
		return out
	}
	run := one.Run
	out.Starts, out.Ends, out.Cause, out.Guards = true, run.State, run.Cause, guardsJSON(one.Guards)
	if w := one.Cooldown; w != nil {
		out.Cooldown = &windowJSON{For: duration(w.For), By: w.By, Quiet: w.Quiet}
		for _, v := range w.Values {
			out.Cooldown.Values = append(out.Cooldown.Values, lang.JSONValue(v))
		}
		if w.Err != nil {
			out.Cooldown.Error = w.Err.Error()
		}
	}
	dispatch.WalkRun(run, func(path string, step *responder.Step) {
		out.Steps = append(out.Steps, rehearsedStepLine(one, path, step))
	})
	for _, n := range needed(one, event.Account()) {
		account := n.account
		if account == homeAccount {
			account = "home"
		}
		out.Needs = append(out.Needs, needJSON{account, permissionOf(n.Permission)})
	}
	return out
}

func rehearsedStepLine(one *dispatch.Rehearsed, path string, step *responder.Step) rehearsedStepJSON {
	state := one.Run.Steps[path]
	if state == nil {
		return rehearsedStepJSON{Step: path, What: stepTitle(step, "")}
	}
	s := one.Steps[path]
	out := rehearsedStepJSON{
		Step: path, What: stepTitle(step, state.Action), Action: state.Action, Kind: state.Kind, Reached: true, State: state.State, Branch: state.Branch,
		Would: s.Would, Why: whyNot(state), Error: state.Error, Params: state.Params, Inverse: s.Inverse, Undo: s.Undo, Guards: guardsJSON(s.Guards),
	}
	if s.Err != nil {
		out.Error = s.Err.Error()
	}
	if step.Kind == responder.StepWait {
		out.Until = &state.Ended
	}
	if s.Sent != nil {
		out.Sent = &sentJSON{s.Sent.To, s.Sent.Text, s.Sent.Payload, s.Sent.HTML}
	}
	if q := state.Approval; q != nil {
		out.Asks = &asksJSON{q.Text, q.Veto, q.By, q.Not, []string{}, q.Until}
		for _, p := range q.Plan {
			out.Asks.Plan = append(out.Asks.Plan, p.Phrase())
		}
	}
	if _, shown := one.Steps[path]; shown && state.Kind == responder.Repair {
		acts := acts(one, path)
		out.Acts, out.Already = &acts, s.Already
	}
	if s.Survey != nil {
		out.Targets, out.Found, out.Lasting = s.Survey.Targets, s.Survey.Found, s.Survey.Lasting
	}
	for _, p := range s.Needs {
		out.Needs = append(out.Needs, permissionOf(p))
	}
	return out
}

func permissionOf(p responder.Permission) permissionJSON {
	return permissionJSON{slices.Clone(p.Actions), slices.Clone(p.Resources), p.Condition}
}

func clausesJSON(clauses []lang.Clause) []clauseJSON {
	var all []clauseJSON
	for _, c := range clauses {
		one := clauseJSON{Clause: c.Text, Depth: c.Depth, Value: lang.JSONValue(c.Value), Notes: c.Notes}
		if c.Err != nil {
			one.Error = c.Err.Error()
		}
		all = append(all, one)
	}
	return all
}

func guardsJSON(reports []dispatch.GuardReport) []guardJSON {
	var all []guardJSON
	for _, g := range reports {
		all = append(all, guardJSON(g))
	}
	return all
}
