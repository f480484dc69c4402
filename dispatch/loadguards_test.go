package dispatch

import (
	"strings"
	"testing"
)

func TestLoadGuards(t *testing.T) {
	w := newWorld(t, `
protected: ["arn:aws:iam::*:user/break-glass*"]
flows:
  - name: f
    rule: UnauthorizedInstanceCreated
    scope:
      allow: {accounts: 123412341234, regions: [eu-*, global], tags: {env: [dev, test]}}
      deny: {resources: "arn:aws:ec2:*:*:instance/i-0*"}
    limits: {per_run: 1, per_hour: 2, per_account: 3, per_finding: 4, per_resource: 1/1h, again: 6}
    sequential: [remediate: {}]
  - {name: g, rule: RootLogin, sequential: [SendSlack: {}]}
`)
	want := map[string]string{
		"f": `{"scope":{"allow":{"accounts":["123412341234"],"regions":["eu-*","global"],"tags":{"env":["dev","test"]}},"deny":{"resources":["arn:aws:ec2:*:*:instance/i-0*"]}},` +
			`"limits":{"per_run":1,"per_hour":2,"per_account":3,"per_finding":4,"per_resource":{"n":1,"per":3600000000000},"again":6},"protected":["arn:aws:iam::*:user/break-glass*"]}`,
		"g": `{"protected":["arn:aws:iam::*:user/break-glass*"]}`,
	}
	for name, guards := range want {
		if flow, _ := w.flows.Load().Get(name); mustJSON(t, flow.Guards) != guards {
			t.Errorf("%s:\n got %s\nwant %s", name, mustJSON(t, flow.Guards), guards)
		}
	}
}

// TestBadGuards: a guard that does not say what it means is refused; it never
// means nothing.
func TestBadGuards(t *testing.T) {
	for text, want := range map[string]string{
		"scope: {}":                                     "a scope allows or denies something",
		"scope: all":                                    "an object of keys is expected here",
		"scope: {allow: {}}":                            "allow names nothing",
		"scope: {allow: {accounts: []}}":                "accounts must be a text or a list of texts",
		"scope: {allow: {accounts: [prod]}}":            `an account has 12 digits; a pattern of accounts has digits, * and ?: not "prod"`,
		"scope: {allow: {accounts: [1234]}}":            "an account has 12 digits",
		"scope: {deny: {regions: [Frankfurt!]}}":        "a region is written as eu-west-1",
		"scope: {deny: {resources: [i-0123]}}":          `a resource is an ARN, or a pattern of ARNs: not "i-0123"`,
		"scope: {deny: {tags: {}}}":                     "tags names nothing",
		"scope: {deny: {tags: [a]}}":                    "an object of keys is expected here",
		"scope: {deny: {tags: {env: }}}":                "env must be a text or a list of texts",
		"scope: {permit: {accounts: ['1*']}}":           `unknown key "permit"`,
		"scope: {allow: {acounts: ['1*']}}":             "did you mean \"accounts\"?",
		"limits: 5":                                     "an object of keys is expected here",
		"limits: {per_hour: 0}":                         "per_hour must be a whole number from 1 to 10000\n    5 |     limits: {per_hour: 0}",
		"limits: {per_hour: -1}":                        "per_hour must be a whole number",
		"limits: {per_hour: 1.5}":                       "per_hour must be a whole number",
		"limits: {per_hour: many}":                      "per_hour must be a whole number",
		"limits: {per_hour: }":                          "per_hour must be a whole number",
		"limits: {per_finding: 1001}":                   "per_finding must be a whole number from 1 to 1000",
		"limits: {per_day: 1}":                          `unknown key "per_day"`,
		"limits: {per_resource: 30}":                    "per_resource is so many, from 1 to 1000, in a time",
		"limits: {per_resource: 0/10m}":                 "per_resource is so many",
		"limits: {per_resource: 30/soon}":               "not a duration",
		"limits: {per_resource: 30/10s}":                "the time is a minute or longer",
		"limits: {per_resource: 30/25h}":                "longer than 1d",
		"limits: {per_resource: [1/1h]}":                "per_resource is so many",
		"limits: {per_resource: 1/1h, per_finding: 91}": "with per_resource, per_finding is at most 90",
		"limits: {beyond: stop}":                        "beyond is hold, or halt: what becomes of what is beyond per_hour or per_account\n    5 |     limits: {beyond: stop}",
		"limits: {beyond: [halt]}":                      "beyond is hold, or halt",
		"limits: {notices: 30}":                         `notices is so many, from 1 to 1000, in a time`,
		"limits: {notices: 0/1h}":                       `notices is so many, from 1 to 1000, in a time`,
		"limits: {notices: 5/30s}":                      `notices: the time is a minute or longer`,
		"protected: x":                                  `unknown key "protected"`,
	} {
		w := newWorld(t, "flows: []")
		flow := "flows:\n  - name: a\n    rule: UnauthorizedInstanceCreated\n    sequential: [remediate: {}]\n    " + text
		_, problems := Load(files(t, map[string]string{"flows.yml": flow}), "flows.yml", w.options())
		if said := problems.Error(); problems.Err() == nil || !strings.Contains(said, want) {
			t.Errorf("%s gives\n%s\nwant %s", text, said, want)
		}
	}
	for text, want := range map[string]string{
		"protected: [break-glass]": `"break-glass" is no ARN, and no pattern of ARNs`,
		"protected: {a: b}":        "protected must be a text or a list of texts",
		"protected: ['']":          "protected must be a text or a list of texts",
	} {
		w := newWorld(t, "flows: []")
		if _, problems := Load(files(t, map[string]string{"flows.yml": text}), "flows.yml", w.options()); problems.Err() == nil || !strings.Contains(problems.Error(), want) {
			t.Errorf("%s gives\n%s\nwant %s", text, problems.Error(), want)
		}
	}
}

// TestNoFileTakesProtectionAway: what one file protects, another cannot unprotect.
func TestNoFileTakesProtectionAway(t *testing.T) {
	w := newWorld(t, "flows: []")
	set, problems := Load(files(t, map[string]string{
		"flows.yml":       "protected: [\"arn:aws:s3:::a\"]\nflows: [{rule: RootLogin, sequential: [SendSlack: {}]}]",
		"flows.local.yml": "protected: [\"arn:aws:s3:::b\", \"arn:aws:s3:::a\"]\n",
	}), "flows.yml", w.options())
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	if got := mustJSON(t, set.All()[0].Guards); got != `{"protected":["arn:aws:s3:::a","arn:aws:s3:::b"]}` {
		t.Error(got)
	}
}
