package wiring_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
	"github.com/skycrafters/responder/cmd/internal/wiring"
	"github.com/skycrafters/responder/detect"
	"github.com/skycrafters/responder/ingest"
)

const root = "../../../"

// shipped loads what the repository ships, and fails on any problem at all.
func shipped(t *testing.T) *wiring.Definitions {
	t.Helper()
	definitions, problems := wiring.Load(root+"rules.yml", root+"flows.yml", actions.New(actions.Deps{}))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return definitions
}

// TestSamples runs the presets over the samples: each has its hit and its miss.
func TestSamples(t *testing.T) {
	want := map[string][]string{
		"root-login.json":         {"RootLogin EXTREME Root has logged in", "SuspiciousLoginIP MEDIUM Login from an untrusted IP address"},
		"root-login-miss.json":    nil,
		"suspicious-hour.json":    {"SuspiciousLoginHour MEDIUM Log in outside of working hours"},
		"suspicious-ip.json":      {"SuspiciousLoginIP MEDIUM Login from an untrusted IP address"},
		"user-noncompliant.json":  {"NonCompliantUserCreated HIGH Non compliant user created [bob]"},
		"user-compliant.json":     nil,
		"instance-denied.json":    {"UnauthorizedInstanceCreated HIGH Unauthorized instance created [i-0123456789abcdef0 i-0fedcba9876543210]"},
		"instance-allowed.json":   nil,
		"instance-failed.json":    nil,
		"suspicious-hour-we.json": nil,
	}
	rules := shipped(t).Rules
	files, err := filepath.Glob(root + "events/*.json")
	if err != nil || len(files) < 9 {
		t.Fatalf("%d samples, %v", len(files), err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := found(t, rules, string(raw)); !slices.Equal(got, want[filepath.Base(file)]) {
			t.Errorf("%s: found %q, want %q", file, got, want[filepath.Base(file)])
		}
	}
}

// found gives what the rules find in a JSON event or record.
func found(t *testing.T, rules *detect.Rules, raw string) []string {
	t.Helper()
	event, err := ingest.Normalise([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	findings, errs := rules.Evaluate(event)
	for _, err := range errs {
		t.Error(err)
	}
	var out []string
	for _, f := range findings {
		text := fmt.Sprint(f.Rule, " ", f.Severity, " ", f.Title)
		if len(f.Resources) > 0 {
			text += fmt.Sprint(" ", f.Resources)
		}
		for _, b := range []*responder.Binding{f.Check, f.Remediate} {
			if (b != nil) != (len(f.Resources) > 0) {
				t.Errorf("%s: bindings %v with resources %v", f.Rule, b, f.Resources)
			}
		}
		out = append(out, text)
	}
	return out
}

// TestPresetsMeaning is the original's meaning, and what it did wrong mended.
func TestPresetsMeaning(t *testing.T) {
	record := func(service, call, rest string) string {
		return fmt.Sprintf(`{"eventSource":"%s.amazonaws.com","eventName":"%s","eventID":"e","recipientAccountId":"111122223333","awsRegion":"eu-west-1",%s}`, service, call, rest)
	}
	login := func(time, ip, who, result string) string {
		return record("signin", "ConsoleLogin", fmt.Sprintf(`"eventTime":%q,"sourceIPAddress":%q,"userIdentity":%s,"responseElements":{"ConsoleLogin":%q}`, time, ip, who, result))
	}
	const (
		user    = `{"type":"IAMUser","userName":"ann"}`
		rootWho = `{"type":"Root","arn":"arn:aws:iam::111122223333:root"}`
		trusted = "123.123.123.123"
		noon    = "2026-11-23T16:00:00Z" // Monday 12:00 in Barbados
	)
	run := func(types ...string) string {
		items := make([]string, len(types))
		for i, kind := range types {
			items[i] = fmt.Sprintf(`{"instanceId":"i-%08d","instanceType":%q}`, i, kind)
		}
		return record("ec2", "RunInstances", `"eventTime":"`+noon+`","requestParameters":{"launchTemplate":{}},"responseElements":{"instancesSet":{"items":[`+strings.Join(items, ",")+`]}}`)
	}
	create := func(name, rest string) string {
		return record("iam", "CreateUser", fmt.Sprintf(`"eventTime":%q,"requestParameters":{"userName":%q},"responseElements":{"user":{"userId":"AIDA1"}}%s`, noon, name, rest))
	}
	tests := map[string]struct{ record, want string }{
		"root":                     {login(noon, trusted, rootWho, "Success"), "RootLogin"},
		"root, failed":             {login(noon, trusted, rootWho, "Failure"), ""},
		"user at noon":             {login(noon, trusted, user, "Success"), ""},
		"at opening":               {login("2026-11-23T12:00:00Z", trusted, user, "Success"), ""},
		"before opening":           {login("2026-11-23T11:59:59Z", trusted, user, "Success"), "SuspiciousLoginHour"},
		"at closing":               {login("2026-11-23T19:00:00Z", trusted, user, "Success"), "SuspiciousLoginHour"},
		"Sunday noon":              {login("2026-11-22T16:00:00Z", trusted, user, "Success"), "SuspiciousLoginHour"},
		"Sunday afternoon":         {login("2026-11-22T18:30:00Z", trusted, user, "Success"), ""},
		"Monday in UTC only":       {login("2026-11-23T03:00:00Z", trusted, user, "Success"), "SuspiciousLoginHour"},
		"unknown address":          {login(noon, "198.51.100.9", user, "Success"), "SuspiciousLoginIP"},
		"no address":               {login(noon, "AWS Internal", user, "Success"), "SuspiciousLoginIP"},
		"unknown address, failed":  {login(noon, "198.51.100.9", user, "Failure"), ""},
		"denied type":              {run("t2.micro"), "UnauthorizedInstanceCreated"},
		"denied size":              {run("c6g.24xlarge"), "UnauthorizedInstanceCreated"},
		"denied wins over allowed": {run("t3a.8xlarge"), "UnauthorizedInstanceCreated"},
		"not allowed":              {run("m5.large"), "UnauthorizedInstanceCreated"},
		"allowed":                  {run("t3a.small", "c6g.medium"), ""},
		"one of two":               {run("t3a.small", "t2.micro"), "UnauthorizedInstanceCreated"},
		"one item as an object":    {strings.NewReplacer("[{", "{", "}]", "}").Replace(run("t2.micro")), "UnauthorizedInstanceCreated"},
		"no response":              {record("ec2", "RunInstances", `"errorCode":"Client.InstanceLimitExceeded","responseElements":null`), ""},
		"no instances":             {run(), ""},
		"bad name":                 {create("bob", ""), "NonCompliantUserCreated"},
		"good name":                {create("jane_doe", ""), ""},
		"good name inside":         {create("x1-jane_doe-9", ""), "NonCompliantUserCreated"},
		"refused":                  {create("bob", `,"errorCode":"AccessDenied"`), ""},
		"no parameters":            {record("iam", "CreateUser", `"requestParameters":null,"responseElements":null`), ""},
		"another service":          {strings.Replace(create("bob", ""), "iam.amazonaws", "xiam.amazonaws", 1), ""},
	}
	rules := shipped(t).Rules
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var names []string
			for _, f := range found(t, rules, test.record) {
				names = append(names, strings.Fields(f)[0])
			}
			if got := strings.Join(names, " "); got != test.want {
				t.Errorf("found %q, want %q", got, test.want)
			}
		})
	}
}

// TestTuning: presets are tuned by local files alone.
func TestTuning(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"rules.yml", "flows.yml"} {
		data, err := os.ReadFile(root + name)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), string(data))
	}
	for _, name := range []string{"rules", "templates"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(root+name)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "rules.local.yml"), "lists: {trusted_ips: [198.51.100.0/24]}\nrules:\n  NonCompliantUserCreated: {severity: LOW, vars: {pattern: '^b'}}\n  RootLogin: {enabled: false}\n")
	write(t, filepath.Join(dir, "flows.local.yml"), "flows:\n  - {name: SuspiciousLoginIP, enabled: false}\n  - {name: RootLogin, enabled: false}\n  - {name: NonCompliantUserCreated, repairs: live}\n")
	d, problems := wiring.Load(filepath.Join(dir, "rules.yml"), filepath.Join(dir, "flows.yml"), actions.New(actions.Deps{}))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	raw, err := os.ReadFile(root + "events/user-noncompliant.json")
	if err != nil {
		t.Fatal(err)
	}
	if got := found(t, d.Rules, string(raw)); got != nil {
		t.Errorf("bob is found against the tuned pattern: %q", got)
	}
	for name, check := range map[string]func(responder.Flow) bool{
		"SuspiciousLoginIP":       func(f responder.Flow) bool { return f.Disabled },
		"NonCompliantUserCreated": func(f responder.Flow) bool { return f.Repairs == responder.RepairsLive && len(f.Steps) == 8 },
	} {
		if f, ok := d.Flows.Get(name); !ok || !check(f) {
			t.Errorf("flow %s is %+v", name, f)
		}
	}
	used := ActionsOf(d)
	if !slices.Contains(used, "IAMDeleteUser") || slices.Contains(used, "EC2TerminateInstances") {
		t.Errorf("actions in use are %v: want the armed flow's repair, and not the dry one's", used)
	}
}

// ActionsOf is wiring.ActionsUsed over all actions.
func ActionsOf(d *wiring.Definitions) []string {
	return wiring.ActionsUsed(d, actions.New(actions.Deps{}))
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
