package simulation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
)

// The people of a history. Mallory causes every event. Carol, and whoever owns the
// machine, are asked no more once flows are edited.
var (
	carol   = responder.Identity{Kind: responder.IdentitySlack, ID: "U0CAROL"}
	dave    = responder.Identity{Kind: responder.IdentitySlack, ID: "U0DAVE"}
	erin    = responder.Identity{Kind: responder.IdentityCLI, ID: "erin"}
	olga    = responder.Identity{Kind: responder.IdentityIAM, ID: "arn:aws:sts::111122223333:assumed-role/Oncall/olga"}
	strange = []responder.Identity{
		{Kind: responder.IdentitySlack, ID: "U0STRANGER"}, {Kind: responder.IdentitySlack, ID: ""},
		{Kind: responder.IdentityIAM, ID: "arn:aws:sts::999999999999:assumed-role/Oncall/olga"}, {Kind: responder.IdentityIAM, ID: "arn:aws:iam::111122223333:user/Oncall"},
	}
	mallory = []responder.Identity{
		{Kind: responder.IdentitySlack, ID: "U0MALLORY"}, {Kind: responder.IdentityCLI, ID: "Mallory"},
		{Kind: responder.IdentityIAM, ID: "arn:aws:iam::111122223333:user/mallory"}, {Kind: responder.IdentityIAM, ID: "arn:aws:sts::111122223333:assumed-role/Oncall/mallory"},
	}
)

// actor is what events say of who caused them.
const actor = `"userIdentity":{"type":"IAMUser","userName":"mallory","arn":"arn:aws:iam::111122223333:user/mallory"},`

// deciders writes who is who, and who decides of what no step asks about.
func (a *author) deciders() {
	a.line(0, "people: {Mallory: {slack: U0MALLORY, names: [mallory]}, carol: {slack: U0CAROL}, dave: {slack: U0DAVE}}")
	by := "slack: [U0CAROL, U0DAVE, U0MALLORY], cli: true"
	if a.edited {
		by = "slack: [U0DAVE, U0MALLORY]"
	}
	a.line(0, "approvers: {%s, for: %s, tell: [Tell: {what: own}]}", by, a.duration("own question", 20*time.Minute))
	if a.protects() {
		a.line(0, `protected: ["arn:aws:ec2:*:*:thing/p*"]`)
	}
}

// question writes a step that asks people.
func (a *author) question(indent, depth int, name string, past []string) {
	veto := a.chance(name+" is a veto", .3)
	verb := map[bool]string{true: "veto", false: "approve"}[veto]
	by := ""
	if a.chance(name+" says who", .5) {
		by = `, by: {slack: [U0DAVE, U0MALLORY], iam: ["arn:aws:iam::111122223333:role/Oncall"]}`
	}
	a.line(indent, `- %s: {text: "%s of {{ resources[0] }}?", for: %s%s}`, verb, name,
		a.duration(name+" stands", one(a.dice, name+" for", 5*time.Minute, time.Hour, 8*time.Hour, 30*time.Hour)), by)
	a.line(indent+1, "as: %s", name)
	if a.chance(name+" has if", .15) {
		a.line(indent+1, "if: %s", a.condition(name, past))
	}
	if a.chance(name+" tells", .5) {
		a.line(indent+1, "tell:")
		a.steps++
		told := fmt.Sprintf("s%d", a.steps)
		a.action(indent+2, told, one(a.dice, told+" notice", "Tell", "Shout"))
		a.line(indent+3, "as: %s", told)
	}
	a.follow(indent+1, depth, name+" on_deny", "on_deny", past)
	if !veto {
		a.follow(indent+1, depth, name+" on_timeout", "on_timeout", past)
	}
}

// follow writes what follows a question that was not answered with yes.
func (a *author) follow(indent, depth int, question, key string, past []string) {
	switch policy := one(a.dice, question, "", "", "stop", "fail", "continue", "continue", "steps"); {
	case policy == "steps" && a.steps < 14:
		a.line(indent, "%s:", key)
		a.sequel = true
		a.list(indent+1, depth+2, 1+a.upTo(question+" length", 2), past)
		a.sequel = false
	case policy != "" && policy != "steps":
		a.line(indent, "%s: %s", key, policy)
	}
}

// entitled reports whether somebody may decide what is asked of some approvers.
func entitled(who responder.Identity, by responder.Approvers) bool {
	if slices.Contains(mallory, who) {
		return false
	}
	switch who {
	case carol, dave:
		return slices.Contains(by.Slack, who.ID)
	case erin:
		return by.CLI
	case olga:
		return len(by.IAM) > 0
	}
	return false
}

// answer is what the store holds of somebody's decision.
type answer struct {
	who   responder.Identity
	yes   bool
	stood time.Time // when the store took it
}

// puts notes the questions that a run puts to people with a write, and lets them answer.
func (w *world) puts(run *responder.Run) {
	for _, path := range dispatch.Open(run) {
		a := *run.Steps[path].Approval
		w.mu.Lock()
		_, known := w.asked[a.Digest]
		if !known {
			w.asked[a.Digest] = a
		}
		w.mu.Unlock()
		if !known {
			w.consult(run.ID, path, a, fmt.Sprintf("question %s of %s version %d", path, w.nameOf(run.ID), run.Version))
		}
	}
}

// consult lets people answer a question, rightly or wrongly.
func (w *world) consult(id, path string, a responder.Approval, name string) {
	stands := a.Until.Sub(a.Asked)
	say := func(what string, who responder.Identity, yes bool, digest string, after time.Duration) {
		deed := responder.DeedDeny
		if yes {
			deed = responder.DeedApprove
		}
		w.ask(request{what: deed, id: id, name: fmt.Sprintf("%s, %s", name, what), answer: responder.Answer{Step: path, Digest: digest, Yes: yes, Who: who}}, after)
	}
	when := func(what string) time.Duration { return w.span(name+what, min(time.Second, stands/2), stands*13/10) }
	asked := slices.DeleteFunc([]responder.Identity{carol, dave, erin, olga}, func(who responder.Identity) bool { return !entitled(who, a.By) })
	if w.chance(name+" is answered", .85) {
		yes := w.chance(name+" with yes", .75) && !a.Veto
		if !a.Veto || w.chance(name+" meets objection", .3) {
			say("answer", one(w.dice, name+" by", asked...), yes, a.Digest, when(" answered"))
		}
	}
	if w.strikes(contradicts, name) {
		say("another answer", one(w.dice, name+" also by", asked...), w.chance(name+" also with yes", .5), a.Digest, when(" also answered"))
	}
	if w.strikes(wrongPerson, name) {
		say("a stranger's answer", one(w.dice, name+" by stranger", strange...), true, a.Digest, when(" answered by stranger"))
	}
	if w.strikes(actorDecides, name) {
		say("the actor's answer", one(w.dice, name+" by actor", mallory...), true, a.Digest, when(" answered by actor"))
	}
	if w.strikes(wrongDigest, name) {
		say("an answer to something else", one(w.dice, name+" with a digest by", asked...), true, strings.ToUpper(a.Digest), when(" answered otherwise"))
	}
}
