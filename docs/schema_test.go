package docs

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/skycrafters/responder/internal/lang"
)

func schemaPath(name string) string { return root + "schemas/" + name + ".schema.json" }

// validate judges a YAML text by a schema, read as the loaders read it.
func validate(t *testing.T, schema, text string) error {
	t.Helper()
	compiled, err := jsonschema.NewCompiler().Compile(schemaPath(schema))
	if err != nil {
		t.Fatal(err)
	}
	node, problems := lang.ParseYAML(&lang.File{Name: schema + ".yml", Data: []byte(text)})
	if err := problems.Err(); err != nil {
		return err
	}
	data, err := json.Marshal(lang.Decode(node))
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return compiled.Validate(value)
}

// TestSchemasTakeWhatIsShipped: the shipped files, the examples, and a file in
// the form of the original with all its constructs.
func TestSchemasTakeWhatIsShipped(t *testing.T) {
	files := map[string]string{root + "rules.yml": "rules", root + "rules/self.yml": "rules", root + "flows.yml": "flows", root + "dispatch/testdata/original.yml": "flows"}
	err := filepath.WalkDir(root+"examples", func(path string, entry fs.DirEntry, err error) error {
		folder, name := filepath.Base(filepath.Dir(path)), filepath.Base(path)
		switch {
		case err != nil || filepath.Ext(path) != ".yml" || strings.Contains(path, "/templates/"):
		case strings.HasPrefix(name, "flows."):
			files[path] = "flows"
		case strings.HasPrefix(name, "rules."), folder == "packs":
			files[path] = "rules"
		default:
			t.Errorf("%s is neither rules nor flows", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, schema := range files {
		text := read(t, path)
		if err := validate(t, schema, text); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		first, _, _ := strings.Cut(text, "\n")
		if _, named, ok := strings.Cut(first, "yaml-language-server: $schema="); ok {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), named)); err != nil {
				t.Errorf("%s names a schema that is not there: %v", path, err)
			}
		} else if !strings.Contains(path, "testdata") {
			t.Errorf("%s does not name its schema in its first line", path)
		}
	}
}

// TestSchemasAgree: on the form of a file, loader and schema are of one mind.
func TestSchemasAgree(t *testing.T) {
	flow := func(rest string) string { return "flows: [{name: a, rule: RootLogin, " + rest + "}]" }
	step := func(step string) string {
		return "flows:\n  - name: a\n    rule: NonCompliantUserCreated\n    sequential:\n      - " + step + "\n"
	}
	for _, tt := range []struct {
		schema, text string
		good         bool
	}{
		{"rules", "", true},
		{"rules", "rules:\n  A: ok", true},
		{"rules", "rules:\n  A: true", true},
		{"rules", "rules: {A: {when: ok}}", true},
		{"rules", "rules: {A: {when: ok, severity: HIGH, enabled: false}}", true},
		{"rules", "rules: {A: {when: ok, severity: 'pick(ok, HIGH, LOW)', resources: [req.a, req.b]}}", true},
		{"rules", "rules: {A: {each: req.a, if: item.x == 1, resources: item.y}}", true},
		{"rules", "rules: {A: {when: ok, vars: {a: [1, {b: c}]}, check: {IAMUserExists: {user: bob}}}}", true},
		{"rules", "accounts: {'012345670123': payments, '111122223333': {env: prod, tags: {a: b}}}\nlists: {a: [1, b], b: }\nrules:", true},
		{"rules", "include: packs/*.yml\nrules: {}", true},
		{"rules", "[]", false},
		{"rules", "rule: {}", false},
		{"rules", "flows: []", false},
		{"rules", "rules: [A]", false},
		{"rules", "rules:\n  A:", false},
		{"rules", "rules:\n  A B: ok", false},
		{"rules", "rules: {A: {when: ok, wen: ok}}", false},
		{"rules", "rules: {A: {when: ok, window: 5m}}", false},
		{"rules", "rules: {A: {when: ok, repairs: live}}", false},
		{"rules", "rules: {A: {when: [ok]}}", false},
		{"rules", "rules: {A: {when: ok, enabled: maybe}}", false},
		{"rules", "rules: {A: {when: ok, title: [a]}}", false},
		{"rules", "rules: {A: {when: ok, check: IAMUserExists}}", false},
		{"rules", "rules: {A: {when: ok, check: {}}}", false},
		{"rules", "rules: {A: {when: ok, check: {IAMUserExists: {}}}}", false},
		{"rules", "rules: {A: {when: ok, check: {IAMUserExists: {user: bob, x: y}}}}", false},
		{"rules", "rules: {A: {when: ok, check: {IAMDeleteUser: {user: bob}}}}", false},
		{"rules", "rules: {A: {when: ok, remediate: {IAMUserExists: {user: bob}}}}", false},
		{"rules", "rules: {A: {when: ok, check: {IAMUserExists: {user: bob}, EC2InstanceAlive: {ids: a}}}}", false},
		{"rules", "accounts: {'12345': {env: prod}}", false},
		{"rules", "accounts: {'012345670123': {id: '012345670123'}}", false},
		{"rules", "accounts: {'012345670123': [a]}", false},
		{"rules", "lists: {a: b}", false},
		{"rules", "lists: {a: [[b]]}", false},
		{"rules", "include: [{a: b}]", false},

		{"flows", "", true},
		{"flows", "actions:\nflows:", true},
		{"flows", "actions: {SendSlack: {webhookURL: 'secret:slack', template: aws-event}, SendEmail: }", true},
		{"flows", flow("sequential: []"), true},
		{"flows", flow("parallel: [SendSlack: {}], enabled: true, provider: AWS, repairs: live, if: severity >= HIGH"), true},
		{"flows", "flows: [{name: a, rules: RootLogin, sequential: []}]", true},
		{"flows", "flows: [{name: a, rules: ['*'], sequential: []}]", true},
		{"flows", "flows: [{name: a, globs: ['*', Non*], sequential: []}]", true},
		{"flows", "flows: [{name: a, globs: '*', sequential: []}]", true},
		{"flows", "flows: [{name: a, rules: [], sequential: []}]", false},
		{"flows", "flows: [{name: a, globs: [], sequential: []}]", false},
		{"flows", "flows: [{name: a, globs: ['*'], rule: RootLogin, sequential: []}]", false},
		{"flows", "flows: [{name: a, globs: ['*'], rules: RootLogin, sequential: []}]", false},
		{"flows", step("SendSlack: {message: {header: a, values: [{label: 1, value: true}]}}"), true},
		{"flows", step("SendSlack:"), true},
		{"flows", step("command: SendSlack"), true},
		{"flows", step("{command: SendSlack, message: a, template: aws-event, as: x, retry: {attempts: 2}}"), true},
		{"flows", step("{command: Wait, duration: 10}"), true},
		{"flows", step("rule: check"), true},
		{"flows", step("{rule: remediate, timeout: 2m}"), true},
		{"flows", step("check:"), true},
		{"flows", step("check: {}"), true},
		{"flows", step("wait: 90"), true},
		{"flows", step("wait: 1h30m"), true},
		{"flows", step("wait: {until: '08:00', zone: Europe/Paris}"), true},
		{"flows", step("wait: {until: 8:00, zone: UTC, days: [mon-thu, sat]}"), true},
		{"flows", step("wait: {until: 8:00, zone: UTC, days: mon}"), true},
		{"flows", step("wait: {until: 8:00}"), false},
		{"flows", step("{parallel: [wait: 5], join: any}"), true},
		{"flows", step("{parallel: [wait: 5], join: all}"), true},
		{"flows", step("{parallel: [wait: 5], join: some}"), false},
		{"flows", step("{sequential: [wait: 5], join: any}"), false},
		{"flows", step("{command: SendSlack, join: any}"), false},
		{"flows", flow("parallel: [wait: 5], join: any"), true},
		{"flows", flow("sequential: [], cooldown: 1h"), true},
		{"flows", flow("sequential: [], cooldown: "), true},
		{"flows", flow("sequential: [], cooldown: {for: 90, by: rule}"), true},
		{"flows", flow("sequential: [], cooldown: {for: 1h, by: [rule, '{{ title }}']}"), true},
		{"flows", flow("sequential: [], cooldown: {by: rule}"), false},
		{"flows", flow("sequential: [], cooldown: {for: 1h, by: []}"), false},
		{"flows", flow("sequential: [], cooldown: {for: often}"), false},
		{"flows", flow("sequential: [], cooldown: [1h]"), false},
		{"flows", flow("sequential: [], cooldown: {for: 1h, per: rule}"), false},
		{"flows", flow("sequential: [wait: 5], timeout: 2d"), true},
		{"flows", flow("sequential: [wait: 5], timeout: 90"), true},
		{"flows", flow("sequential: [wait: 5], timeout: soon"), false},
		{"flows", flow("sequential: [wait: 5], timeout: {a: 1}"), false},
		{"flows", flow("sequential: [wait: 5], join: any"), false},
		{"flows", step("wait: {zone: UTC}"), false},
		{"flows", step("wait: {until: '24:00', zone: UTC}"), false},
		{"flows", step("wait: {until: '08:00', zone: UTC, days: monday}"), false},
		{"flows", step("wait: {until: '08:00', zone: UTC, days: []}"), false},
		{"flows", step("wait: {until: '08:00', zone: UTC, for: 1h}"), false},
		{"flows", step("{wait: 0.5, if: ok}"), true},
		{"flows", step("{if: ok, then: [SendSlack: {}], else: [wait: 5]}"), true},
		{"flows", step("{if: ok, then: }"), true},
		{"flows", step("parallel: [SendSlack: {}, {sequential: [wait: 5]}]"), true},
		{"flows", step("{remediate: {}, retry: {attempts: 5, backoff: 2s, cap: 5m}, timeout: 2m, on_error: continue, as: fix}"), true},
		{"flows", step("{SendSlack: {}, on_error: [SendEmail: {}]}"), true},
		{"flows", step("EC2TerminateInstances: {ids: i-1}"), true},
		{"flows", step("EC2TerminateInstances: {ids: [i-1, '{{ resources[0] }}']}"), true},
		{"flows", "flow: []", false},
		{"flows", "limits: {}", false},
		{"flows", "rules: {}", false},
		{"flows", "flows: {}", false},
		{"flows", "flows: [a]", false},
		{"flows", "flows: [{sequential: []}]", false},
		{"flows", "actions: {SendSlak: {}}", false},
		{"flows", "actions: {SendSlack: {webhook: x}}", false},
		{"flows", "actions: {SendSlack: x}", false},
		{"flows", flow("rules: [RootLogin], sequential: []"), false},
		{"flows", flow("sequential: [], parallel: []"), false},
		{"flows", flow("sequential: [], approve: {}"), false},
		{"flows", flow("sequential: [], repairs: approve"), true}, // there is nothing to approve
		{"flows", flow("sequential: [EC2TerminateInstances: {ids: [i-1]}], repairs: approve, approvers: {slack: U024BE7LH, for: 20m, tell: [SendSlack: {}]}"), true},
		{"flows", flow("sequential: [], approvers: {for: 20m}"), false},
		{"flows", flow("sequential: [], approvers: {cli: false}"), false},
		{"flows", flow("sequential: [], approvers: {slack: bob}"), false},
		{"flows", "people: {bob: {slack: U024BE7LH, iam: ['arn:aws:iam::123456789012:user/bob'], names: [bob]}}", true},
		{"flows", "people: {bob: {mail: x}}", false},
		{"flows", "approvers: {iam: 'arn:aws:iam::123456789012:role/on*', cli: true, not: actor}", true},
		{"flows", step("{approve: {text: Go on, by: {cli: true}, for: 30m}, as: ask, tell: [SendSlack: {}], on_deny: continue, on_timeout: [SendEmail: {}]}"), true},
		{"flows", step("{veto: {text: Going on, by: {cli: true}}, tell: [SendSlack: {}], on_deny: fail}"), true},
		{"flows", step("{veto: {text: Going on, by: {cli: true}}, on_timeout: fail}"), false},
		{"flows", step("approve: {by: {cli: true}}"), false},
		{"flows", step("{approve: {text: Go on, by: {}}}"), false},
		{"flows", step("{approve: {text: Go on, by: {cli: true}, until: 1h}}"), false},
		{"flows", step("{approve: {text: Go on, by: {cli: true}}, on_error: continue}"), false},
		{"flows", step("{approve: {text: Go on, by: {cli: true}}, on_deny: explode}"), false},
		{"flows", step("{approve: {text: Go on, by: {cli: true}}, timeout: 1m}"), false},
		{"flows", step("{SendSlack: {}, tell: [SendSlack: {}]}"), false},
		{"flows", step("{SendSlack: {}, on_deny: stop}"), false},
		{"flows", flow("sequential: [], provider: GCP"), false},
		{"flows", flow("sequential: [], enabled: maybe"), false},
		{"flows", flow("sequential: {}"), false},
		{"flows", step("check"), false},
		{"flows", step("{}"), false},
		{"flows", step("as: x"), false},
		{"flows", step("SendSlak: {}"), false},
		{"flows", step("SendSlack: [a]"), false},
		{"flows", step("SendSlack: {mesage: a}"), false},
		{"flows", step("SendSlack: {message: [a]}"), false},
		{"flows", step("SendSlack: {message: {heading: a}}"), false},
		{"flows", step("SendSlack: {message: {}}"), false},
		{"flows", step("SendSlack: {message: {values: [{label: a, unit: b}]}}"), false},
		{"flows", step("SendSlack: {webhookURL: 'https://x.example/{{ region }}'}"), false},
		{"flows", step("SendSlack: {template: ../x}"), false},
		{"flows", step("{SendSlack: {}, SendEmail: {}}"), false},
		{"flows", step("{SendSlack: {}, wait: 5}"), false},
		{"flows", step("EC2TerminateInstances: {ids: []}"), false},
		{"flows", step("EC2TerminateInstances: {ids: {a: b}}"), false},
		{"flows", step("check: {ids: [a]}"), false},
		{"flows", step("wait: soon"), false},
		{"flows", step("wait: -5"), false},
		{"flows", step("wait:"), false},
		{"flows", step("{wait: 5, retry: {attempts: 2}}"), false},
		{"flows", step("{wait: 5, timeout: 5}"), false},
		{"flows", step("{SendSlack: {}, as: two words}"), false},
		{"flows", step("{SendSlack: {}, retry: {attempts: 0}}"), false},
		{"flows", step("{SendSlack: {}, retry: {attempts: 21}}"), false},
		{"flows", step("{SendSlack: {}, retry: {tries: 2}}"), false},
		{"flows", step("{SendSlack: {}, retry: 2}"), false},
		{"flows", step("{SendSlack: {}, on_error: explode}"), false},
		{"flows", step("{SendSlack: {}, else: []}"), false},
		{"flows", step("{if: ok, then: [], SendSlack: {}}"), false},
		{"flows", step("then: []"), false},
		{"flows", step("{if: ok, then: {a: b}}"), false},
		{"flows", step("{command: SendSlak}"), false},
		{"flows", step("{command: SendSlack, mesage: a}"), false},
		{"flows", step("{command: Wait}"), false},
		{"flows", step("{command: Wait, seconds: 5}"), false},
		{"flows", step("{rule: ceck}"), false},
		{"flows", step("{rule: check, message: a}"), false},
		{"flows", step("approve: {}"), false},
	} {
		var problems lang.Problems
		files := map[string]string{tt.schema + ".yml": tt.text}
		if tt.schema == "rules" {
			_, problems = loadRules(t, files)
		} else {
			_, problems = loadFlows(t, files)
		}
		if err := problems.Err(); (err == nil) != tt.good {
			t.Errorf("the loader, %s: %v", tt.text, err)
		}
		if err := validate(t, tt.schema, tt.text); (err == nil) != tt.good {
			t.Errorf("the schema, %s: %v", tt.text, err)
		}
	}
}
