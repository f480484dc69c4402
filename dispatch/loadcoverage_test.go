package dispatch

import (
	"strings"
	"testing"
)

// warned gives what is said of flows, "" for nothing.
func warned(t *testing.T, named map[string]string) (said string, failed bool) {
	t.Helper()
	_, problems := Load(files(t, named), "flows.yml", newWorld(t, "flows: []").options())
	return problems.Error(), problems.Err() != nil
}

// TestBesideAQuestion: `check` warns of repairs that look as if a question were about
// them, and do not wait for it.
func TestBesideAQuestion(t *testing.T) {
	const ask = "{approve: {text: t}, tell: [SendSlack: {}]}"
	for name, tt := range map[string]struct{ flow, want string }{
		"beside":                   {"parallel:\n      - " + ask + "\n      - remediate: {}", "flows.yml:8:9: warning: this does not wait for what is asked beside it, at step 0.0"},
		"beside a veto":            {"parallel:\n      - {veto: {text: t}, tell: [SendSlack: {}]}\n      - remediate: {}", "flows.yml:8:9: warning: this does not wait"},
		"deep beside":              {"sequential:\n      - parallel:\n          - {if: rule == rule, then: [" + ask + "]}\n          - sequential: [SendSlack: {}, {if: rule == rule, then: [EC2TerminateInstances: {ids: a}]}]", "flows.yml:9:67: warning: this does not wait for what is asked beside it, at step 0.0.then.0"},
		"in what follows an error": {"parallel:\n      - " + ask + "\n      - {SendSlack: {}, on_error: [remediate: {}]}", "flows.yml:8:36: warning: this does not wait"},
		"before it":                {"sequential: [" + ask + ", remediate: {}]", ""},
		"with its own":             {"parallel: [sequential: [" + ask + ", remediate: {}], remediate: {}]", ""},
		"asked about before":       {"sequential: [" + ask + ", parallel: [" + ask + ", remediate: {}]]", ""},
		"two questions":            {"parallel: [sequential: [" + ask + ", remediate: {}], sequential: [" + ask + ", remediate: {}]]", ""},
		"notices beside":           {"parallel: [" + ask + ", SendSlack: {}]", ""},
		"after both":               {"sequential: [parallel: [" + ask + ", SendSlack: {}], remediate: {}]", ""},
		"to be approved anyhow":    {"repairs: approve\n    parallel: [" + ask + ", remediate: {}]", ""},
		"dry":                      {"repairs: dry\n    parallel: [" + ask + ", remediate: {}]", ""},
	} {
		flow := "approvers: {cli: true, tell: [SendSlack: {}]}\nflows:\n  - name: f\n    rule: UnauthorizedInstanceCreated\n    repairs: live\n    " + tt.flow + "\n"
		if strings.HasPrefix(tt.flow, "repairs") {
			flow = strings.Replace(flow, "    repairs: live\n", "", 1)
		}
		said, failed := warned(t, map[string]string{"flows.yml": flow})
		if failed || !strings.HasPrefix(said, tt.want) || tt.want == "" && said != "" || strings.Count(said, "warning") > 1 {
			t.Errorf("%s:\n%s", name, said)
		}
	}
}

// TestQuestionsNobodyHears: `check` warns of questions that no notice makes known.
func TestQuestionsNobodyHears(t *testing.T) {
	const (
		approve = "nobody hears that they are asked here, and so nobody answers"
		veto    = "nobody hears that they are asked here, and so nobody objects"
	)
	for name, tt := range map[string]struct{ flow, want string }{
		"approve":              {"repairs: live, sequential: [approve: {text: t}, remediate: {}]", approve},
		"veto":                 {"repairs: live, sequential: [veto: {text: t}, remediate: {}]", veto},
		"of the repair itself": {"repairs: approve, sequential: [remediate: {}]", approve},
		"a notice after it":    {"repairs: live, sequential: [veto: {text: t}, SendSlack: {}, remediate: {}]", veto},
		"a notice of its end":  {"repairs: live, sequential: [{approve: {text: t}, on_deny: [SendSlack: {}]}, remediate: {}]", approve},
		"told of":              {"repairs: live, sequential: [{approve: {text: t}, tell: [SendSlack: {}]}, remediate: {}]", ""},
		"a notice before it":   {"repairs: live, sequential: [SendSlack: {}, veto: {text: t}, remediate: {}]", ""},
		"before the repair":    {"repairs: approve, sequential: [SendSlack: {}, remediate: {}]", ""},
		"beside it":            {"repairs: live, parallel: [SendSlack: {}, sequential: [veto: {text: t}, remediate: {}]]", ""},
		"asked by a step":      {"repairs: approve, sequential: [{approve: {text: t}, tell: [SendSlack: {}]}, remediate: {}]", ""},
		"nobody is asked":      {"repairs: dry, sequential: [veto: {text: t}, remediate: {}]", ""},
	} {
		said, failed := warned(t, map[string]string{"flows.yml": "approvers: {cli: true}\nflows:\n  - {name: f, rule: UnauthorizedInstanceCreated, " + tt.flow + "}\n"})
		if failed || !strings.Contains(said, tt.want) || tt.want == "" && said != "" || strings.Count(said, "warning") > 1 {
			t.Errorf("%s:\n%s", name, said)
		}
	}
}

// TestSessionsAsApprovers: whoever takes a role names its sessions.
func TestSessionsAsApprovers(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:iam::123412341234:role/Oncall":                                    "",
		"arn:aws:iam::123412341234:user/ann":                                       "",
		"arn:aws:sts::123412341234:assumed-role/Oncall/ann":                        "arn:aws:iam::123412341234:role/Oncall",
		"arn:aws:sts::123412341234:assumed-role/Oncall/*":                          "arn:aws:iam::123412341234:role/Oncall",
		"arn:aws:sts::123412341234:assumed-role/AWSReservedSSO_Oncall_1a2b/ann@ex": "",
		"arn:aws:sts::123412341234:role/Oncall":                                    "arn:aws:iam::123412341234:role/NAME",
		"arn:aws:iam::123412341234:assumed-role/Oncall/ann":                        "arn:aws:iam::123412341234:role/NAME",
	} {
		said, failed := warned(t, map[string]string{"flows.yml": "approvers: {iam: [\"" + arn + "\"]}\nflows: [{name: f, rule: RootLogin, sequential: [approve: {text: t}]}]"})
		if failed || (said == "") != (want == "") || !strings.HasSuffix(strings.TrimSpace(said), want) {
			t.Errorf("%s:\n%s", arn, said)
		}
	}
	if said, _ := warned(t, map[string]string{"flows.yml": "people: {ann: {iam: [\"arn:aws:sts::123412341234:assumed-role/Oncall/ann\"]}}\nflows: []"}); said != "" {
		t.Errorf("of people, sessions tell who somebody is: %s", said)
	}
}

// TestIncludesArmNothing: what others wrote acts only if one's own file says so.
func TestIncludesArmNothing(t *testing.T) {
	pack := func(repairs string) string {
		return "flows: [{name: theirs, rule: UnauthorizedInstanceCreated, repairs: " + repairs + ", approvers: {cli: true}, sequential: [remediate: {}]}]"
	}
	const main = "include: [packs/*.yml]\n"
	for name, tt := range map[string]struct {
		files  map[string]string
		failed bool
		want   string
	}{
		"live":              {map[string]string{"flows.yml": main, "packs/a.yml": pack("live")}, true, "packs/a.yml:1:68: a file that is included arms nothing: say it in flows.yml, or in flows.local.yml"},
		"to be approved":    {map[string]string{"flows.yml": main, "packs/a.yml": pack("approve")}, true, "arms nothing"},
		"dry":               {map[string]string{"flows.yml": main, "packs/a.yml": pack("dry")}, false, ""},
		"off":               {map[string]string{"flows.yml": main, "packs/a.yml": pack("off")}, false, ""},
		"armed here":        {map[string]string{"flows.yml": main + "flows: [{name: theirs, repairs: live}]", "packs/a.yml": pack("dry")}, false, ""},
		"armed locally":     {map[string]string{"flows.yml": main, "flows.local.yml": "flows: [{name: theirs, repairs: live}]", "packs/a.yml": pack("dry")}, false, ""},
		"disarmed here":     {map[string]string{"flows.yml": main + "flows: [{name: theirs, repairs: dry}]", "packs/a.yml": pack("live")}, false, ""},
		"of the local file": {map[string]string{"flows.yml": "flows: []", "flows.local.yml": main, "packs/a.yml": pack("live")}, true, "arms nothing"},
		"approvers":         {map[string]string{"flows.yml": main + "flows: []", "packs/a.yml": "approvers: {cli: true}"}, false, "packs/a.yml:1:1: warning: approvers counts for all flows, and stands in a file that is included"},
		"people":            {map[string]string{"flows.yml": main + "flows: []", "packs/a.yml": "people: {ann: {names: [ann]}}"}, false, "packs/a.yml:1:1: warning: people counts for all flows"},
	} {
		said, failed := warned(t, tt.files)
		if failed != tt.failed || !strings.Contains(said, tt.want) || tt.want == "" && said != "" {
			t.Errorf("%s: failed %v\n%s", name, failed, said)
		}
	}
}

// TestEventsWithoutAnActor: `check` says where people are asked about what nobody
// may know who has caused.
func TestEventsWithoutAnActor(t *testing.T) {
	for name, tt := range map[string]struct {
		when, flow string
		warns      bool
	}{
		"of a service":      {`event.source == "aws.guardduty" && event.detail.severity >= 7`, "repairs: approve, approvers: {cli: true, tell: [SendSlack: {}]}, sequential: [remediate: {}]", true},
		"a step asks":       {`event.source == "aws.guardduty"`, "repairs: live, sequential: [{approve: {text: t, by: {cli: true}}, tell: [SendSlack: {}]}, remediate: {}]", true},
		"of calls":          {`action == "ec2:RunInstances" && ok`, "repairs: approve, approvers: {cli: true, tell: [SendSlack: {}]}, sequential: [remediate: {}]", false},
		"of records":        {`event.detail.eventName == "RunInstances"`, "repairs: approve, approvers: {cli: true, tell: [SendSlack: {}]}, sequential: [remediate: {}]", false},
		"not known":         {"", "repairs: approve, approvers: {cli: true, tell: [SendSlack: {}]}, sequential: [remediate: {}]", false},
		"nobody is asked":   {`event.source == "aws.guardduty"`, "repairs: live, sequential: [remediate: {}]", false},
		"nothing is armed":  {`event.source == "aws.guardduty"`, "repairs: dry, sequential: [{approve: {text: t, by: {cli: true}}, tell: [SendSlack: {}]}, remediate: {}]", false},
		"approvers for all": {`event.source == "aws.guardduty"`, "repairs: live, approvers: {cli: true, tell: [SendSlack: {}]}, sequential: [remediate: {}]", false},
	} {
		options := newWorld(t, "flows: []").options()
		options.Rules = []RuleInfo{{Name: "Found", HasRemediate: true, When: tt.when}}
		_, problems := Load(files(t, map[string]string{"flows.yml": "flows:\n  - {name: f, rule: Found, " + tt.flow + "}\n"}), "flows.yml", options)
		if said := problems.Error(); problems.Err() != nil || strings.Contains(said, "events of Found may not say who caused them") != tt.warns || !tt.warns && said != "" {
			t.Errorf("%s:\n%s", name, said)
		}
	}
}
