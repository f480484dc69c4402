package dispatch

import (
	"strings"
	"testing"

	"github.com/skycrafters/responder"
)

// TestWhoDecides: nobody but those who are asked, and never the event's actor.
func TestWhoDecides(t *testing.T) {
	w, _, run := asked(t, askingFlow)
	for name, tt := range map[string]struct {
		who responder.Identity
		may bool
	}{
		"wrong approver":             {slackUser("U0DAVE"), false},
		"no name":                    {responder.Identity{Kind: responder.IdentitySlack}, false},
		"another kind, same id":      {responder.Identity{Kind: responder.IdentityIAM, ID: carol}, false},
		"unknown kind":               {responder.Identity{Kind: "mail", ID: carol}, false},
		"actor approves, on slack":   {slackUser(bobs), false},
		"actor approves, by iam":     {caller("arn:aws:iam::123412341234:user/bob"), false},
		"actor approves, by cli":     {responder.Identity{Kind: responder.IdentityCLI, ID: "bob"}, false},
		"actor's name, other case":   {responder.Identity{Kind: responder.IdentityCLI, ID: "BOB"}, false},
		"actor's name, as a session": {caller("arn:aws:sts::123412341234:assumed-role/Oncall/Bob"), false},
		"actor's name, as a user":    {caller("arn:aws:iam::123412341234:user/ops/bob"), false},
		"actor's role, new session":  {caller("arn:aws:sts::123412341234:assumed-role/responder/other"), false},
		"another role":               {caller("arn:aws:sts::123412341234:assumed-role/Offcall/ann"), false},
		"another account":            {caller("arn:aws:iam::999999999999:user/ann"), false},
		"a session of the role":      {caller("arn:aws:sts::123412341234:assumed-role/Oncall/ann"), true},
		"a user":                     {caller("arn:aws:iam::123412341234:user/ann"), true},
		"at the machine":             {responder.Identity{Kind: responder.IdentityCLI, ID: "ann"}, true},
		"on slack":                   {slackUser(carol), true},
	} {
		_, err := decided(run, answerTo(run, true, tt.who), responder.Audit{At: w.clock.Now()})
		if tt.may != (err == nil) || err != nil && !isRefused(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPeopleByPattern: an ARN of people may be a pattern, and they are barred by all
// that is theirs; whoever acts under a session's name is known by it in any role.
func TestPeopleByPattern(t *testing.T) {
	const role = `"type":"IAMUser","userName":"bob","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::123412341234:role/responder"}}`
	const user = `"type":"IAMUser","arn":"arn:aws:iam::123412341234:user/bob","userName":"bob"`
	session := func(issuer, name string) string {
		return `"type":"AssumedRole","arn":"arn:aws:sts::123412341234:assumed-role/` + name + `","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::123412341234:role/` + issuer + `"}}`
	}
	const sso = "aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_1"
	for name, tt := range map[string]struct {
		iam, actor string
		who        responder.Identity
		may        bool
	}{
		"a pattern of users":              {"arn:aws:iam::123412341234:user/b*", user, slackUser(bobs), false},
		"a pattern of roles":              {"arn:aws:iam::123412341234:role/resp*", role, slackUser(bobs), false},
		"a pattern of others":             {"arn:aws:iam::123412341234:user/c*", user, slackUser(bobs), true},
		"the approver fits the pattern":   {"arn:aws:iam::123412341234:user/b*", user, caller("arn:aws:iam::123412341234:user/b.robert"), false},
		"a pattern of roles without path": {"arn:aws:iam::123412341234:role/AWSReservedSSO_Admin_*", session(sso, "AWSReservedSSO_Admin_1/bob@corp.example"), slackUser(bobs), false},
		"a pattern of sessions":           {"arn:aws:sts::123412341234:assumed-role/AWSReservedSSO_*/bob@corp.example", session(sso, "AWSReservedSSO_Admin_1/bob@corp.example"), slackUser(bobs), false},
		"another session":                 {"arn:aws:sts::123412341234:assumed-role/AWSReservedSSO_*/ann@corp.example", session(sso, "AWSReservedSSO_Admin_1/bob@corp.example"), slackUser(bobs), true},
		"the same name in another role":   {"arn:aws:iam::123412341234:user/x", session(sso, "AWSReservedSSO_Admin_1/bob@corp.example"), caller("arn:aws:sts::123412341234:assumed-role/Oncall/Bob@corp.example"), false},
		"another name in another role":    {"arn:aws:iam::123412341234:user/x", session(sso, "AWSReservedSSO_Admin_1/bob@corp.example"), caller("arn:aws:sts::123412341234:assumed-role/Oncall/ann@corp.example"), true},
	} {
		w := newWorld(t, strings.Replace(askingFlow, `bob: {slack: U0BOB, iam: ["arn:aws:iam::123412341234:user/bob"], names: [bob]}`, `robert: {slack: U0BOB, iam: ["`+tt.iam+`"]}`, 1))
		f := w.finding("UnauthorizedInstanceCreated")
		f.Event = []byte(strings.Replace(string(f.Event), role, tt.actor, 1))
		w.send(f)
		d := w.dispatcher()
		w.turn(d)
		w.turn(d)
		run := w.get("asking")
		if err := w.decide(run, answerTo(run, true, tt.who)); tt.may != (err == nil) || err != nil && !isRefused(err) {
			t.Errorf("%s: %v; barred %+v", name, err, run.Steps["0"].Approval.Not)
		}
	}
}

// TestFits: patterns of ARNs.
func TestFits(t *testing.T) {
	const session = "arn:aws:sts::123412341234:assumed-role/Oncall/ann"
	for pattern, want := range map[string]bool{
		"arn:aws:iam::123412341234:role/Oncall":              true,
		"arn:aws:iam::123412341234:role/ops/Oncall":          true,
		"arn:aws:iam::123412341234:role/On*":                 true,
		"arn:aws:sts::123412341234:assumed-role/Oncall/ann":  true,
		"arn:aws:sts::123412341234:assumed-role/Oncall/*":    true,
		"arn:aws:sts::123412341234:assumed-role/*/ann":       true,
		"arn:aws:sts::123412341234:assumed-role/Oncall/bob":  false,
		"arn:aws:sts::123412341234:assumed-role/Offcall/ann": false,
		"arn:aws:iam::123412341234:role/On":                  false,
		"arn:aws:iam::123412341234:user/Oncall":              false,
		"arn:aws:iam::999999999999:role/Oncall":              false,
		"arn:aws:iam::123412341234:role/*x*":                 false,
	} {
		if got := isApprover(caller(session), responder.Approvers{IAM: []string{pattern}}); got != want {
			t.Errorf("%s: %v", pattern, got)
		}
	}
}
