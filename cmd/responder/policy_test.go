package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
	"github.com/skycrafters/responder/cmd/internal/wiring"
)

// allowed gives the IAM actions of the policy that a folder's flows need.
func (c *cli) allowed() []string {
	c.t.Helper()
	out, _ := c.run(exitDone, "policy", "--format", "json")
	var actions []string
	for _, s := range objects(c.t, out)[0]["Statement"].([]any) {
		for _, action := range s.(map[string]any)["Action"].([]any) {
			actions = append(actions, action.(string))
		}
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

// TestPolicyFollowsFlows: what is allowed is what the enabled flows can do.
func TestPolicyFollowsFlows(t *testing.T) {
	const noFlows = "flows: [{name: RootLogin, enabled: false}, {name: SuspiciousLoginHour, enabled: false}, {name: SuspiciousLoginIP, enabled: false}, {name: NonCompliantUserCreated, enabled: false}, {name: UnauthorizedInstanceCreated, enabled: false}, {name: ResponderTampered, enabled: false}]"
	dry := []string{"ec2:DescribeInstances", "iam:GetUser", "sns:Publish"}
	for name, test := range map[string]struct {
		flows, local string // flows.yml in place of the shipped one, flows.local.yml
		has, lacks   []string
		exact        []string
	}{
		"as shipped":         {exact: dry},
		"a repair is armed":  {local: "flows: [{name: NonCompliantUserCreated, repairs: live}]", has: append([]string{"iam:DeleteUser", "iam:DeleteAccessKey"}, dry...), lacks: []string{"ec2:Terminate"}},
		"the other is armed": {local: "flows: [{name: UnauthorizedInstanceCreated, repairs: live}]", exact: []string{"ec2:CreateSnapshots", "ec2:CreateTags", "ec2:DescribeInstanceAttribute", "ec2:DescribeInstances", "ec2:DescribeSnapshots", "ec2:TerminateInstances", "iam:GetUser", "sns:Publish"}},
		"what puts it back":  {flows: "flows:\n  - {rule: NonCompliantUserCreated, repairs: live, sequential: [IAMQuarantineUser: {user: bob}]}\n", has: []string{"iam:PutUserPolicy", "iam:DeleteUserPolicy"}},
		"once approved":      {flows: "flows:\n  - {rule: NonCompliantUserCreated, repairs: approve, approvers: {cli: true}, sequential: [IAMDisableAccessKeys: {user: bob}]}\n", has: []string{"iam:UpdateAccessKey"}},
		"not put back dry":   {flows: "flows:\n  - {rule: NonCompliantUserCreated, repairs: dry, sequential: [IAMQuarantineUser: {user: bob}]}\n", exact: nil},
		"armed and disabled": {local: "flows: [{name: NonCompliantUserCreated, repairs: live, enabled: false}]", exact: []string{"ec2:DescribeInstances", "sns:Publish"}},
		"repairs off":        {local: "flows: [{name: NonCompliantUserCreated, repairs: 'off'}, {name: UnauthorizedInstanceCreated, repairs: 'off'}]", exact: dry},
		"notices alone":      {flows: "flows:\n  - {rule: RootLogin, sequential: [SendEmail: {}]}\n  - {rule: NonCompliantUserCreated, sequential: [SendSlack: {webhookURL: 'env:X'}]}\n", exact: []string{"sns:Publish"}, lacks: []string{"iam:", "ec2:"}},
		"e-mails by SES":     {flows: "flows:\n  - {rule: RootLogin, sequential: [SendEmail: {from: a@example.com, to: b@example.com}]}\n", exact: []string{"ses:SendEmail"}},
		"e-mails by both":    {flows: "flows:\n  - {rule: RootLogin, sequential: [SendEmail: {from: a@example.com, to: b@example.com}, SendEmail: {}, SendEmail: {from: a@example.com, to: c@example.com}]}\n", exact: []string{"ses:SendEmail", "sns:Publish"}},
		"no e-mails":         {flows: "flows:\n  - {rule: NonCompliantUserCreated, sequential: [check: {}]}\n", exact: []string{"iam:GetUser"}},
		"a check of a glob":  {flows: "flows:\n  - {name: all, rules: ['*'], sequential: [check: {}]}\n", exact: []string{"ec2:DescribeInstances", "iam:GetUser"}},
		"inside of steps":    {flows: "flows:\n  - {rule: RootLogin, sequential: [{if: 'true || severity > LOW', then: [], else: [SendEmail: {}]}]}\n", exact: []string{"sns:Publish"}},
		"nothing":            {local: noFlows, exact: nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCLI(t)
			if test.flows != "" {
				c.write("flows.yml", test.flows)
			}
			if test.local != "" {
				c.write("flows.local.yml", test.local)
			}
			got := c.allowed()
			if len(test.has) == 0 && !slices.Equal(got, test.exact) {
				t.Errorf("allowed are %v, want %v", got, test.exact)
			}
			for _, want := range test.has {
				if !slices.Contains(got, want) {
					t.Errorf("%s is not among %v", want, got)
				}
			}
			for _, prefix := range append(test.lacks, "*") {
				if slices.ContainsFunc(got, func(action string) bool { return strings.HasPrefix(action, prefix) }) {
					t.Errorf("%s… is allowed: %v", prefix, got)
				}
			}
		})
	}
}

// TestPolicyOfSES: a mail may be sent as its author says, and as nobody else.
func TestPolicyOfSES(t *testing.T) {
	c := newCLI(t)
	c.write("flows.yml", "flows:\n  - {rule: RootLogin, sequential: [SendEmail: {from: 'Responder <a@example.com>', to: [b@example.com]}]}\n  - {rule: NonCompliantUserCreated, sequential: [SendEmail: {from: a@example.com, to: [c@example.com]}]}\n")
	out, _ := c.run(exitDone, "policy", "--format", "json")
	const want = `{"Version":"2012-10-17","Statement":[{"Sid":"SendEmail","Effect":"Allow","Action":["ses:SendEmail"],"Resource":["arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/a@example.com","arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/example.com"],"Condition":{"StringEquals":{"ses:FromAddress":"a@example.com"}}}]}`
	if strings.TrimSpace(out) != want {
		t.Errorf("got %s", out)
	}
}

// TestPolicyReport: nothing that can be armed changes things on a bare *.
func TestPolicyReport(t *testing.T) {
	c := newCLI(t)
	out, _ := c.run(exitDone, "policy", "--report")
	if want := "3 statements · 1 mutating · 0 mutating on a bare *\n"; out != want {
		t.Errorf("reported %q, want %q", out, want)
	}
	_, errs := c.run(exitDone, "policy")
	c.has(errs, "3 statements · 1 mutating · 0 mutating on a bare *")
	_, errs = c.run(exitDone, "policy", "--format", "json")
	if errs != "" {
		t.Errorf("beside the document it says %q", errs)
	}
	c.write("flows.local.yml", "flows: [{name: NonCompliantUserCreated, repairs: live}, {name: UnauthorizedInstanceCreated, repairs: live}]")
	out, _ = c.run(exitDone, "policy", "--report", "--format", "json")
	if !strings.HasSuffix(out, `"mutating_on_everything":[]}`+"\n") {
		t.Errorf("reported %s", out)
	}
	everything := policyDocument{Statement: []policyStatement{
		{Sid: "Reads", Action: []string{"ec2:DescribeInstances", "iam:ListUsers", "dynamodb:Query"}, Resource: []string{"*"}},
		{Sid: "Changes", Action: []string{"ec2:DescribeInstances", "ec2:TerminateInstances"}, Resource: []string{"arn:x", "*"}},
		{Sid: "Narrow", Action: []string{"ec2:TerminateInstances"}, Resource: []string{"arn:x:instance/*"}},
		{Sid: "Tagged", Action: []string{"ec2:TerminateInstances"}, Resource: []string{"*"}, Condition: map[string]map[string]string{"StringEquals": {"aws:ResourceTag/x": "y"}}},
	}}
	if r := reportOf(everything); !reflect.DeepEqual(r, policyReport{Statements: 4, Mutating: 3, Unbounded: []string{"Changes"}}) {
		t.Errorf("reported %+v", r)
	}
	for action, want := range map[string]bool{
		"iam:GetUser": false, "dynamodb:BatchGetItem": false, "dynamodb:Scan": false, "s3:HeadBucket": false, "cloudtrail:LookupEvents": false, "ec2:Describe*": false,
		"iam:*": true, "*": true, "ec2:RunInstances": true, "iam:getUser": true, "sts:Getaway": true, "x:BatchWriteItem": true, "kms:Decrypt": true, "license-manager:CheckInLicense": true,
	} {
		if mutates(action) != want {
			t.Errorf("%s is taken for mutating: %v", action, !want)
		}
	}
}

// TestPolicyMember: the member role may do what checks and repairs can, and no
// more; its template is kept like the other.
func TestPolicyMember(t *testing.T) {
	c := newCLI(t)
	out, _ := c.run(exitDone, "policy", "--member", "--report")
	if want := "2 statements · 0 mutating · 0 mutating on a bare *\n"; out != want {
		t.Errorf("reported %q, want %q", out, want)
	}
	out, _ = c.run(exitDone, "policy", "--member", "--format", "json")
	if strings.Contains(out, "sns:") || !strings.Contains(out, "iam:GetUser") {
		t.Errorf("the member role may %s", out)
	}
	template, member := filepath.Join(c.dir, "t.yaml"), filepath.Join(c.dir, "member-role.yaml")
	read := func() string {
		t.Helper()
		data, err := os.ReadFile(member)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	const empty = "Policies:\n  # >>> responder policy: member\n  # <<< responder policy: member\n"
	c.write("t.yaml", marked)
	c.write("member-role.yaml", empty)
	out, errs := c.run(exitInput, "policy", "--check", "--template", template)
	c.has(out, member+":2: block member: differs\n+   - PolicyName: flows\n")
	c.has(errs, template+" and "+member+" do not allow what the enabled flows need, and nothing more")
	c.run(exitDone, "policy", "--write", "--template", template)
	c.has(read(), "  - PolicyName: flows\n", "      - Sid: IAMUserExists\n")
	c.run(exitDone, "policy", "--check", "--template", template)

	// its own drift is seen, wherever it is
	c.write("member-role.yaml", empty)
	_, errs = c.run(exitInput, "policy", "--check", "--template", template)
	c.has(errs, member+" does not allow")
	c.write("other.yaml", empty)
	_, errs = c.run(exitInput, "policy", "--check", "--template", template, "--member-template", filepath.Join(c.dir, "other.yaml"))
	c.has(errs, "other.yaml does not allow")
	_, errs = c.run(exitInput, "policy", "--check", "--template", template, "--member-template", filepath.Join(c.dir, "none.yaml"))
	c.has(errs, "read the template: open ")

	// where one cannot be rewritten, neither is
	c.write("t.yaml", marked)
	c.write("member-role.yaml", "no marks")
	_, errs = c.run(exitInput, "policy", "--write", "--template", template)
	c.has(errs, "there is no block member")
	if data, err := os.ReadFile(template); err != nil || string(data) != marked {
		t.Errorf("the other was written: %s, %v", data, err)
	}

	// without one there is nothing to keep
	if err := os.Remove(member); err != nil {
		t.Fatal(err)
	}
	c.run(exitDone, "policy", "--write", "--template", template)
	c.run(exitDone, "policy", "--check", "--template", template)
}

const marked = `Mappings:
  # >>> responder policy: uses
  # <<< responder policy: uses
Resources: # a comment that stays

  Role:
    Policies:
      - PolicyName: stage
      # >>> responder policy: flows
      - PolicyName: flows
        PolicyDocument: {}
      # <<< responder policy: flows
  Home:
    Policies:
      # >>> responder policy: home
      # <<< responder policy: home
`

func TestPolicyWrite(t *testing.T) {
	c := newCLI(t)
	template := filepath.Join(c.dir, "t.yaml")
	read := func() string {
		t.Helper()
		data, err := os.ReadFile(template)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	c.write("t.yaml", marked)
	if err := os.Chmod(template, 0o640); err != nil {
		t.Fatal(err)
	}
	out, errs := c.run(exitInput, "policy", "--check", "--template", template)
	c.has(out, "t.yaml:2: block uses: differs\n+   Flows: {Uses: {SendEmail: \"true\"}}", "t.yaml:9: block flows: differs\n-       - PolicyName: flows\n-         PolicyDocument: {}\n+       - PolicyName: notices\n+         PolicyDocument:\n")
	c.has(errs, "run: responder policy --write")
	if read() != marked {
		t.Fatal("--check has changed the template")
	}
	out, _ = c.run(exitDone, "policy", "--write", "--template", template)
	c.has(out, "block uses: written", "block flows: written", "block home: written")
	want := strings.NewReplacer(
		"  # <<< responder policy: uses", "  Flows: {Uses: {SendEmail: \"true\"}}\n  # <<< responder policy: uses",
		"      - PolicyName: flows\n        PolicyDocument: {}\n", `      - PolicyName: notices
        PolicyDocument:
          Version: "2012-10-17"
          Statement:
            - Sid: SendEmail
              Effect: Allow
              Action: [sns:Publish]
              Resource: [!Sub "arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:${AWS::StackName}-email"]
`, "      # <<< responder policy: home", `      - PolicyName: flows
        PolicyDocument:
          Version: "2012-10-17"
          Statement:
            - Sid: EC2InstanceAlive
              Effect: Allow
              Action: [ec2:DescribeInstances]
              Resource: ["*"]
            - Sid: IAMUserExists
              Effect: Allow
              Action: [iam:GetUser]
              Resource: [!Sub "arn:${AWS::Partition}:iam::${AWS::AccountId}:user/*"]
      # <<< responder policy: home`).Replace(marked)
	if got := read(); got != want {
		t.Errorf("written is\n%s\nwant\n%s", got, want)
	}
	if info, err := os.Stat(template); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	out, _ = c.run(exitDone, "policy", "--check", "--template", template)
	c.has(out, "block uses: up to date", "block flows: up to date", "block home: up to date")
	c.run(exitDone, "policy", "--write", "--template", template)
	if read() != want {
		t.Error("writing twice differs from writing once")
	}

	// a flow less is a permission less; no flow, no policy and no topic
	c.write("flows.yml", "flows:\n  - {rule: RootLogin, sequential: [SendSlack: {webhookURL: 'env:X'}]}\n")
	out, _ = c.run(exitInput, "policy", "--check", "--template", template, "--format", "json")
	if all := objects(t, out); len(all) != 3 || all[1]["block"] != "flows" || all[1]["line"] != 10.0 || all[1]["state"] != "differs" || all[1]["file"] != template {
		t.Errorf("told %v", all)
	}
	c.run(exitDone, "policy", "--write", "--template", template)
	if got := read(); !strings.Contains(got, `SendEmail: "false"`) || !strings.Contains(got, "      # >>> responder policy: flows\n      # <<< responder policy: flows\n") {
		t.Errorf("without anything to allow, written is\n%s", got)
	}

	for args, want := range map[string]string{
		"policy --write --check":      "give one of them",
		"policy --report --write":     "give one of them",
		"policy --template x":         "--template and --member-template go with --write or --check",
		"policy --member-template x":  "go with --write or --check",
		"policy --member --check":     "--member does not go with them",
		"policy --check --template x": "",
	} {
		code := exitUsage
		if want == "" {
			code, want = exitInput, "read the template: open x"
		}
		_, errs := c.run(code, strings.Fields(args)...)
		c.has(errs, want)
	}
}

func TestPolicyMarks(t *testing.T) {
	begin, end := func(name string) string { return "  # >>> responder policy: " + name }, func(name string) string { return "  # <<< responder policy: " + name }
	uses := begin("uses") + "\n" + end("uses") + "\n"
	flows := begin("flows") + "\n" + end("flows") + "\n"
	for name, test := range map[string]struct{ text, want string }{
		"none at all":        {"a: b\n", "t.yaml: there is no block flows: mark its place with the lines `# >>> responder policy: flows` and `# <<< responder policy: flows`"},
		"one is missing":     {flows, "t.yaml: there is no block uses"},
		"not ended":          {uses + begin("flows") + "\n", "t.yaml:3: block flows begins here and does not end: a line `# <<< responder policy: flows` is missing"},
		"not begun":          {uses + end("flows") + "\n" + flows, "t.yaml:3: block flows ends here and did not begin"},
		"out of order":       {end("flows") + "\n" + begin("flows") + "\n", "t.yaml:1: block flows ends here and did not begin"},
		"doubled":            {uses + flows + "x:\n" + flows, "t.yaml:6: block flows begins here for the second time; the first is in line 3"},
		"one in the other":   {begin("uses") + "\n" + flows + end("uses") + "\n", "t.yaml:2: block flows begins here, and block uses that began in line 1 did not end"},
		"crossed":            {begin("uses") + "\n" + end("flows") + "\n", "t.yaml:2: block flows ends here, and block uses that began in line 1 did not yet"},
		"of no known name":   {uses + flows + begin("flow") + "\n", "t.yaml:5: there is no block \"flow\": there are flows and uses"},
		"begun and not left": {begin("uses") + "\n" + begin("uses") + "\n", "t.yaml:2: block uses begins here, and block uses"},
	} {
		_, _, err := rewrite("t.yaml", []byte(test.text), map[string][]string{"flows": nil, "uses": nil})
		var told *templateError
		if !errors.As(err, &told) || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	// line endings, and a last line without one, stay as they are
	in := "x: 1\r\n# >>> responder policy: flows \r\nold\n# <<< responder policy: flows"
	out, _, err := rewrite("t.yaml", []byte(in), map[string][]string{"flows": {"a", "b"}})
	if want := "x: 1\r\n# >>> responder policy: flows \r\na\r\nb\r\n# <<< responder policy: flows"; err != nil || string(out) != want {
		t.Errorf("rewritten to %q, %v", out, err)
	}
}

// TestPolicyYAML: what is written reads back as the policy it was made from,
// whatever texts it holds.
func TestPolicyYAML(t *testing.T) {
	document := policyDocument{Version: "2012-10-17", Statement: []policyStatement{
		{"One", "Allow", []string{"iam:GetUser", "s3:*", "*"}, []string{"*", "arn:aws:s3:::a b/#c", "arn:${AWS::Partition}:iam::${AWS::AccountId}:user/${aws:username}", "${aws:PrincipalTag/Team}"},
			map[string]map[string]string{"StringEquals": {"aws:ResourceTag/x: y": "yes", "aws:SourceAccount": "${AWS::AccountId}"}, "Bool": {"aws:SecureTransport": "true"}}},
		{"Long", "Allow", slices.Repeat([]string{"iam:DeleteServiceSpecificCredential"}, 9), []string{`"quoted" \ and 'so on'`, "\u2028"}, nil},
	}}
	var read []map[string]any
	if err := yaml.Unmarshal([]byte(strings.Join(policyLines("flows", document), "\n")), &read); err != nil {
		t.Fatal(err)
	}
	statements := read[0]["PolicyDocument"].(map[string]any)["Statement"].([]any)
	var got policyDocument
	for _, s := range statements {
		data, err := yaml.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var statement struct {
			Sid       string                       `yaml:"Sid"`
			Effect    string                       `yaml:"Effect"`
			Action    []string                     `yaml:"Action"`
			Resource  []string                     `yaml:"Resource"`
			Condition map[string]map[string]string `yaml:"Condition"`
		}
		if err := yaml.Unmarshal(data, &statement); err != nil {
			t.Fatal(err)
		}
		got.Statement = append(got.Statement, policyStatement(statement))
	}
	document.Statement[0].Resource[2] = "arn:${AWS::Partition}:iam::${AWS::AccountId}:user/${!aws:username}" // as !Sub wants it
	if !reflect.DeepEqual(got.Statement, document.Statement) {
		t.Errorf("read back as\n%+v\nwant\n%+v", got.Statement, document.Statement)
	}
	text := strings.Join(policyLines("flows", document), "\n")
	if n := strings.Count(text, "!Sub "); n != 2 {
		t.Errorf("%d texts are substituted, want 2:\n%s", n, text)
	}
	for _, l := range strings.Split(text, "\n") {
		if len(l) > 200 {
			t.Errorf("a line of %d characters: %s", len(l), l)
		}
	}
}

// TestPolicyOfEveryAction: nothing that the catalogue holds changes things on a
// bare *, and each is written as IAM's names of statements allow.
func TestPolicyOfEveryAction(t *testing.T) {
	for name, action := range actions.New(actions.Deps{}) {
		var document policyDocument
		for _, p := range action.Spec().Permissions {
			document.Statement = append(document.Statement, policyStatement{name, "Allow", p.Actions, p.Resources, p.Condition})
		}
		if r := reportOf(document); len(r.Unbounded) > 0 {
			t.Errorf("%s changes things on a bare *", name)
		}
		if strings.ContainsFunc(name, func(r rune) bool {
			return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", r)
		}) {
			t.Errorf("%s cannot be a Sid", name)
		}
	}
}

// TestPolicyFitsARole: with every check and repair in use, the policy is not too
// long for the member role, nor, beside what its stage needs, for Dispatch's.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func TestPolicyFitsARole(t *testing.T) {
	catalogue := actions.New(actions.Deps{})
	acting := slices.DeleteFunc(slices.Sorted(maps.Keys(catalogue)), func(name string) bool { return catalogue[name].Spec().Kind == responder.Notice })
	text, err := json.Marshal(policyOf(nil, catalogue, acting))
	// As IAM counts it, where names are longest.
	policy := strings.NewReplacer("${AWS::Partition}", "aws-us-gov", "${AWS::AccountId}", "012345670123").Replace(string(text))
	const inline, stage = 10240, 2500 // characters
	if err != nil || len(policy) > inline-stage {
		t.Errorf("the policy of %d actions has %d characters, %v", len(acting), len(policy), err)
	}
}

// TestPolicyShipped: the templates are what --write makes of it.
func TestPolicyShipped(t *testing.T) {
	catalogue := actions.New(actions.Deps{})
	definitions, problems := wiring.Load(repo+"rules.yml", repo+"flows.yml", catalogue)
	if definitions == nil {
		t.Fatal(problems)
	}
	n := needsOf(definitions, catalogue)
	for file, contents := range map[string]map[string][]string{"template.yaml": homeBlocks(n), "member-role.yaml": memberBlocks(n)} {
		old, err := os.ReadFile(repo + file)
		if err != nil {
			t.Fatal(err)
		}
		text, _, err := rewrite(file, old, contents)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(old, text) {
			t.Errorf("%s does not allow what the shipped flows need, and nothing more: run: make policy", file)
		}
	}
}

func TestDifference(t *testing.T) {
	for _, test := range []struct{ old, new, want string }{
		{"", "", ""},
		{"a", "", "-a"},
		{"", "a b", "+a +b"},
		{"a b c", "a c", " a -b  c"},
		{"a b c", "x b y", "-a +x  b -c +y"},
	} {
		got := strings.ReplaceAll(strings.Join(difference(strings.Fields(test.old), strings.Fields(test.new)), "|"), " ", "")
		want := strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(test.want, "  ", "|"), " ", "|"), "||", "|")
		want = strings.TrimPrefix(want, "|")
		if got != want {
			t.Errorf("%q to %q: %q, want %q", test.old, test.new, got, want)
		}
	}
}

// FuzzRewrite: whatever a template holds, rewriting it keeps every byte outside
// of the blocks, puts in what it was given, and changes nothing the second time.
func FuzzRewrite(f *testing.F) {
	f.Add(marked, "- a")
	f.Add(strings.ReplaceAll(marked, "\n", "\r\n"), "")
	f.Add("# >>> responder policy: uses\n# <<< responder policy: uses\n\t# >>> responder policy: flows\nx\n# <<< responder policy: flows", "b\nc")
	f.Add("# >>> responder policy: uses\n# >>> responder policy: flows\n", "x")
	f.Fuzz(func(t *testing.T, template, content string) {
		lines := strings.Split(content, "\n")
		for _, l := range lines {
			if marker.MatchString(l) {
				t.Skip("nothing writes marks into a block")
			}
		}
		contents := map[string][]string{"flows": lines, "uses": nil}
		once, blocks, err := rewrite("t.yaml", []byte(template), contents)
		if err != nil {
			var told *templateError
			if !errors.As(err, &told) || told.line > strings.Count(template, "\n")+1 {
				t.Fatalf("error %v", err)
			}
			return
		}
		back := template
		for _, b := range slices.Backward(blocks) {
			all := strings.SplitAfter(back, "\n")
			back = strings.Join(slices.Concat(all[:b.begin], b.new, all[b.end:]), "")
		}
		if back != string(once) {
			t.Errorf("bytes outside of the blocks have changed:\n%q\n%q", back, once)
		}
		twice, again, err := rewrite("t.yaml", once, contents)
		if err != nil || !bytes.Equal(once, twice) {
			t.Errorf("the second time: %v\n%q\n%q", err, once, twice)
		}
		for _, b := range again {
			if b.changed() {
				t.Errorf("block %s changes again: %q to %q", b.name, b.old, b.new)
			}
			var want []string
			for _, l := range contents[b.name] {
				want = append(want, fmt.Sprint(b.indent, l, b.ending))
			}
			if strings.Join(b.old, "") != strings.Join(want, "") {
				t.Errorf("block %s holds %q, want %q", b.name, b.old, want)
			}
		}
	})
}
