package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

const repo = "../../"

// cli runs command lines in a folder of its own, with copies of what is shipped.
type cli struct {
	t    *testing.T
	dir  string
	data string
	env  map[string]string

	shell string // what a shell does before it becomes the program, for launch
}

func newCLI(t *testing.T) *cli {
	t.Helper()
	c := &cli{t: t, dir: t.TempDir(), env: map[string]string{"HOME": "/nonexistent"}}
	c.data = filepath.Join(c.dir, "data")
	for _, name := range []string{"rules.yml", "flows.yml"} {
		data, err := os.ReadFile(repo + name)
		if err != nil {
			t.Fatal(err)
		}
		c.write(name, string(data))
	}
	for _, name := range []string{"rules", "templates"} {
		if err := os.CopyFS(filepath.Join(c.dir, name), os.DirFS(repo+name)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c *cli) write(name, content string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(content), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cli) app(stdin io.Reader, stdout, stderr io.Writer) *app {
	return &app{stdin: stdin, stdout: stdout, stderr: stderr, now: time.Now, getenv: func(name string) string { return c.env[name] }}
}

// args adds the folder's rules and flows.
func (c *cli) args(args []string) []string {
	args = append(args, "--rules", filepath.Join(c.dir, "rules.yml"))
	if len(args) > 0 && args[0] == "replay" { // which asks flows if they are named
		return args
	}
	return append(args, "--flows", filepath.Join(c.dir, "flows.yml"))
}

// run runs a command line and wants an exit code.
func (c *cli) run(want int, args ...string) (stdout, stderr string) {
	c.t.Helper()
	return c.runWith("", want, args...)
}

func (c *cli) runWith(stdin string, want int, args ...string) (stdout, stderr string) {
	c.t.Helper()
	var out, errs bytes.Buffer
	if got := c.app(strings.NewReader(stdin), &out, &errs).run(context.Background(), c.args(args)); got != want {
		c.t.Fatalf("responder %s: exit %d, want %d\nstdout: %s\nstderr: %s", strings.Join(args, " "), got, want, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

// has wants texts in an output.
func (c *cli) has(output string, wants ...string) {
	c.t.Helper()
	for _, want := range wants {
		if !strings.Contains(output, want) {
			c.t.Errorf("output is\n%s\nwant %q in it", output, want)
		}
	}
}

// objects reads JSON lines.
func objects(t *testing.T, output string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for s := bufio.NewScanner(strings.NewReader(output)); s.Scan(); {
		var o map[string]any
		if err := json.Unmarshal(s.Bytes(), &o); err != nil {
			t.Fatalf("%q is no JSON: %v", s.Text(), err)
		}
		all = append(all, o)
	}
	return all
}

func TestRunOnce(t *testing.T) {
	c := newCLI(t)
	out, _ := c.run(exitDone, "run", "--once", "--data", c.data, repo+"events")
	c.has(out, "9 events · 6 findings · 6 runs · 0 errors", "(dry: nothing is sent)", "EXTREME", "RootLogin", "from 198.51.100.7",
		"NonCompliantUserCreated", "bob", "wait 10s", "no match: iam:CreateUser by Administrator; nearest NonCompliantUserCreated")
	out, _ = c.run(exitDone, "run", "--once", "--data", c.data, repo+"events")
	c.has(out, "6 findings · 0 runs", "5 events seen before", "its run is there already")

	out, _ = c.run(exitDone, "runs", "list", "--data", c.data)
	c.has(out, "6 runs", "succeeded")
	out, _ = c.run(exitDone, "runs", "list", "--data", c.data, "--rule", "RootLogin", "--format", "json")
	runs := objects(t, out)
	if len(runs) != 1 || runs[0]["state"] != "succeeded" || runs[0]["mode"] != "dry" {
		t.Fatalf("runs of RootLogin: %v", runs)
	}
	out, _ = c.run(exitDone, "runs", "show", "--data", c.data, runs[0]["id"].(string)[:10])
	c.has(out, runs[0]["id"].(string), "RootLogin: Suspicious activity detected", "111122223333/", "SendSlack", "SendEmail")
	_, errs := c.run(exitUsage, "runs", "show", "--data", c.data, "")
	c.has(errs, "the id of a run is empty")
	_, errs = c.run(exitInput, "runs", "show", "--data", c.data, "zzz")
	c.has(errs, `there is no run "zzz"`)
}

func TestRunOnceSummary(t *testing.T) {
	c := newCLI(t)
	for pass, want := range []string{
		`{"events":9,"duplicates":0,"matched":5,"unmatched":4,"rule_errors":0,"findings":6,"runs":{"succeeded":6},"failed_steps":0,"held_back":0,"dead":0,"refused":0}`,
		`{"events":9,"duplicates":5,"matched":5,"unmatched":4,"rule_errors":0,"findings":6,"runs":{},"failed_steps":0,"held_back":0,"dead":0,"refused":0}`,
	} {
		out, _ := c.run(exitDone, "run", "--once", "--format", "json", "--data", c.data, repo+"events")
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if got := lines[len(lines)-1]; got != want {
			t.Errorf("pass %d: summary is\n%s\nwant\n%s", pass, got, want)
		}
	}
	// the same event twice in one input, a damaged line, and a rule error
	c.write("rules.local.yml", "rules:\n  Broken: '{when: req.userName}.when'\n")
	bob, err := os.ReadFile(repo + "events/user-noncompliant.json")
	if err != nil {
		t.Fatal(err)
	}
	var one bytes.Buffer
	if err := json.Compact(&one, bob); err != nil {
		t.Fatal(err)
	}
	c.write("in.jsonl", one.String()+"\n"+one.String()+"\n{\"broken\n{\"neither\":1}\n")
	out, errs := c.run(exitInput, "run", "--once", "--format", "json", "--data", filepath.Join(c.dir, "other"), filepath.Join(c.dir, "in.jsonl"))
	c.has(out, `{"events":2,"duplicates":1,"matched":2,"unmatched":0,"rule_errors":2,"findings":2,"runs":{"succeeded":1},"failed_steps":0,"held_back":0,"dead":0,"refused":2}`)
	c.has(errs, "in.jsonl", "rule error", "2 files or records could not be taken")
}

func TestRunOnRealRecords(t *testing.T) {
	const archive = "../../../shared/data/cloudtrail/invictus.jsonl.gz"
	if _, err := os.Stat(archive); err != nil {
		t.Skipf("real CloudTrail records are not here: %v", err)
	}
	c := newCLI(t)
	var before map[string]any
	for pass := range 2 {
		out, _ := c.run(exitDone, "run", "--once", "--format", "json", "--data", c.data, archive)
		all := objects(t, out)
		s := all[len(all)-1]
		if s["events"] != 2900.0 || s["matched"].(float64)+s["unmatched"].(float64) != 2900 || s["dead"] != 0.0 || s["rule_errors"] != 0.0 {
			t.Fatalf("pass %d: summary does not add up: %v", pass, s)
		}
		if pass == 0 {
			before = s
			if s["runs"].(map[string]any)["succeeded"] != s["findings"] {
				t.Errorf("%v findings made runs %v", s["findings"], s["runs"])
			}
		} else if s["duplicates"] != before["matched"] || len(s["runs"].(map[string]any)) != 0 {
			t.Errorf("the second pass made runs: %v", s)
		}
	}
	out, _ := c.run(exitDone, "runs", "list", "--data", c.data, "--format", "json")
	if n := len(objects(t, out)); float64(n) != before["findings"] {
		t.Errorf("%d runs are stored for %v findings", n, before["findings"])
	}
}

func TestUsage(t *testing.T) {
	c := newCLI(t)
	for args, want := range map[string]string{
		"nonsense":                   `there is no command "nonsense"`,
		"chek":                       `did you mean "check"?`,
		"run --once":                 "--once needs something to work on",
		"run --nonsense":             "unknown flag: --nonsense",
		"check --format xml":         "--format is text or json",
		"try x":                      "takes an expression and at least one path",
		"replay s3://b":              "is no bucket: write s3://bucket/prefix",
		"replay s3://bucket/2026-*":  "a bucket knows no patterns",
		"replay events --format xml": "--format is text or json or csv",
		"replay events --since 2026-11-02 --until 2026-11-01": "is not before --until",
		"replay events --since yesterday":                     "is no time",
		"replay events --rule Nonsense":                       `there is no enabled rule "Nonsense"`,
		"replay events --rule RootLogn":                       `did you mean "RootLogin"?`,
		"runs list --state done":                              "there are running, waiting",
		"send events --url nonsense":                          "is no http address",
		"send events":                                         "no key: give --key",
		"secrets set ../x":                                    "cannot name a secret",
		"runs list --max 0":                                   "--max must be at least 1",
		"version extra":                                       "takes no arguments, not 1 argument (responder version --help tells more)",
		"runs show":                                           "(responder runs show --help tells more)",
		"runs list --nonsense":                                "(responder runs list --help tells more)",
		"--nonsense":                                          "(responder --help tells more)",
		"run --listen nonsense":                               `--listen: address nonsense: missing port in address: write 127.0.0.1:8787`,
		"run --listen localhost:99999":                        "a port is a number up to 65535",
		"run --host http://x":                                 "write a name or an address alone",
		"run --host x:80":                                     "write a name or an address alone",
	} {
		_, errs := c.run(exitUsage, strings.Fields(args)...)
		c.has(errs, want)
	}
	_, errs := c.run(exitFailed, "runs", "list", "--data", filepath.Join(c.dir, "none"))
	c.has(errs, "there is no data in")
}

func TestCheck(t *testing.T) {
	c := newCLI(t)
	out, _ := c.run(exitDone, "check")
	c.has(out, "20 rules · 6 flows · 0 errors · 0 warnings")
	c.write("rules.local.yml", "rules:\n  A: req.x != \"a\"\n  B: acton == 1\n")
	c.write("flows.local.yml", "flows:\n  - {name: X, rule: RootLogn, sequential: [SendSlak: {}]}\n")
	out, _ = c.run(exitInput, "check")
	c.has(out, "rules.local.yml:3:6: unknown name \"acton\"", "^^^^^", "warning: true as well where req.x is absent", `flows.local.yml:2:`, `RootLogn`, `SendSlak`)
	out, _ = c.run(exitInput, "check", "--format", "json")
	for _, o := range objects(t, out) {
		if o["level"] == "error" && (o["file"] == nil || o["line"] == nil || o["column"] == nil || o["message"] == nil) {
			t.Errorf("problem without its place: %v", o)
		}
	}
	_, errs := c.run(exitInput, "run", "--once", "--data", c.data, repo+"events")
	c.has(errs, "unknown name \"acton\"", "errors in rules and flows")
}

// check -v says which rules cost more than others.
func TestCheckVerbose(t *testing.T) {
	c := newCLI(t)
	c.write("rules.local.yml", "rules:\n  Fast: action == \"iam:DeleteUser\"\n  Slow: {when: 'action == \"iam:CreateUser\" && len(account) > 2'}\n  Always: req.x == nil\n"+
		"  Chosen: 'action == \"iam:CreateUser\" && ok ? {severity: HIGH} : nil'\n  Named: 'let n = event.detail.eventName; n == \"CreateUser\"'\n")
	out, _ := c.run(exitDone, "check")
	if strings.Contains(out, "Always") {
		t.Errorf("without -v it says %s", out)
	}
	out, _ = c.run(exitDone, "check", "-v")
	c.has(out, "Slow: where it can be true, the event is decoded for account as a whole", "Always: judged for every event", "22 of 25 rules: judged by an event's bytes")
	out, _ = c.run(exitDone, "check", "--verbose", "--format", "json")
	said := map[any]map[string]any{}
	for _, o := range objects(t, out) {
		said[o["rule"]] = o
	}
	for _, rule := range []string{"Chosen", "Named"} {
		if said[rule]["every_event"] != false {
			t.Errorf("it says %v", said[rule])
		}
	}
	if slow, always := said["Slow"], said["Always"]; len(said["Fast"]["vm"].([]any)) != 0 || len(slow["vm"].([]any)) != 1 || slow["every_event"] != false || always["every_event"] != true {
		t.Errorf("it says %v", said)
	}
}

func TestTry(t *testing.T) {
	c := newCLI(t)
	out, _ := c.run(exitDone, "try", `action == "iam:CreateUser" && event.detail.eventname == "x"`, repo+"events/user-noncompliant.json")
	c.has(out, "iam:CreateUser by", `action == "iam:CreateUser" → true`, "→ false", "no `event.detail.eventname`; there is `event.detail.eventName`", "1 event · it holds for 0")
	out, _ = c.run(exitDone, "try", "SuspiciousLoginIP", repo+"events")
	c.has(out, "9 events · it holds for 2")
	out, _ = c.run(exitDone, "try", "ip_in(ip, lists.trusted_ips)", "--format", "json", repo+"events/root-login-miss.json")
	if o := objects(t, out); len(o) != 1 || o[0]["value"] != true || o[0]["record"] != 1.0 {
		t.Errorf("try gives %v", o)
	}
	_, errs := c.run(exitInput, "try", "acton == 1", repo+"events")
	c.has(errs, `1:1: unknown name "acton"`, `did you mean "action"?`)
	out, errs = c.runWith(`{"source":"a","detail-type":"b","detail":{}}`+"\n{\n", exitInput, "try", "event.source", "-")
	c.has(out, `gives "a"`, "1 event · it holds for 0")
	c.has(errs, "1 file or record could not be read")
}

func TestPolicy(t *testing.T) {
	c := newCLI(t)
	out, _ := c.run(exitDone, "policy")
	c.has(out, `"Version": "2012-10-17"`, "sns:Publish", "iam:GetUser", "ec2:DescribeInstances")
	if strings.Contains(out, "iam:DeleteUser") || strings.Contains(out, "TerminateInstances") {
		t.Error("dry repairs are in the policy")
	}
	c.write("flows.local.yml", "flows:\n  - {name: NonCompliantUserCreated, repairs: live}\n  - {name: UnauthorizedInstanceCreated, enabled: false}\n")
	out, _ = c.run(exitDone, "policy")
	c.has(out, "iam:DeleteUser")
	if strings.Contains(out, "ec2:") {
		t.Error("a disabled flow's permissions are in the policy")
	}
}

func TestSecrets(t *testing.T) {
	c := newCLI(t)
	out, errs := c.runWith("https://hooks.example/T0/SECRET\n", exitDone, "secrets", "set", "slack", "--data", c.data)
	if strings.Contains(out+errs, "SECRET") {
		t.Error("the secret is shown")
	}
	c.has(out, "secret slack is set")
	out, errs = c.runWith("https://hooks.example/T0/SECRET\n", exitDone, "secrets", "set", "slack", "--format", "json", "--data", c.data)
	if o := objects(t, out); len(o) != 1 || len(o[0]) != 1 || o[0]["secret"] != "slack" || errs != "" {
		t.Errorf("secrets set gives %q, %q", out, errs)
	}
	_, errs = c.runWith("\n", exitInput, "secrets", "set", "slack", "--data", c.data)
	c.has(errs, "the value is empty")
	c.runWith("my-key\n", exitDone, "secrets", "set", "api-key", "--data", c.data)
	info, err := os.Stat(filepath.Join(c.data, keyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", info, err)
	}
}

func TestVersionAndCompletion(t *testing.T) {
	c := newCLI(t)
	out, _ := c.run(exitDone, "version")
	c.has(out, "responder ")
	if flag, _ := c.run(exitDone, "--version"); flag != out {
		t.Errorf("--version gives %q, version %q", flag, out)
	}
	out, _ = c.run(exitDone, "completion", "bash")
	c.has(out, "responder")
}

// process is a `responder run` that serves.
type process struct {
	*cli
	url  string
	out  *transcript
	stop context.CancelFunc
	done chan int
	once sync.Once
}

// overdue is how long a test waits for what never comes: nobody waits that long for
// what does, however slow the machine.
const overdue = 3 * time.Minute

// transcript is an output that can be waited on.
type transcript struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{}
}

// String is what was written up to now.
func (o *transcript) String() string {
	text, _ := o.read()
	return text
}

// read gives what was written up to now, and a channel that is closed with what is
// written next.
func (o *transcript) read() (text string, changed <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.changed
}

func (o *transcript) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(p)
	close(o.changed)
	o.changed = make(chan struct{})
	return len(p), nil
}

// wait waits for a pattern and gives what its group matched.
func (o *transcript) wait(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	late := time.After(overdue)
	for {
		text, changed := o.read()
		if m := re.FindStringSubmatch(text); m != nil {
			return m[len(m)-1]
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("output is\n%s\nwant %q in it", text, pattern)
		}
	}
}

func (c *cli) serve(args ...string) *process {
	c.t.Helper()
	return c.serveAs(`Serving (http://\S+/events)`, args...)
}

// serveAs serves, and finds its address in the output.
func (c *cli) serveAs(address string, args ...string) *process {
	c.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	p := &process{cli: c, out: &transcript{changed: make(chan struct{})}, stop: stop, done: make(chan int, 1)}
	a := c.app(strings.NewReader(""), p.out, p.out)
	go func() {
		p.done <- a.run(ctx, c.args(append([]string{"run", "--listen", "127.0.0.1:0", "--data", c.data}, args...)))
	}()
	c.t.Cleanup(p.end)
	p.url = p.out.wait(c.t, address)
	return p
}

func (p *process) end() {
	p.stop()
	p.once.Do(func() {
		if code := <-p.done; code != exitDone {
			p.t.Errorf("run ended with %d:\n%s", code, p.out.String())
		}
	})
}

func TestServeReloadSend(t *testing.T) {
	c := newCLI(t)
	flows, err := os.ReadFile(repo + "flows.yml")
	if err != nil {
		t.Fatal(err)
	}
	c.write("flows.yml", strings.Replace(string(flows), "wait: 10s", "wait: 1h", 1)) // no run is to end while this looks
	p := c.serve(repo + "events")
	p.out.wait(t, `A new API key was made; it is in (\S+)`)
	key, err := os.ReadFile(filepath.Join(c.data, keyFile))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(p.out.String(), strings.TrimSpace(string(key))) {
		t.Error("the key is shown")
	}
	p.out.wait(t, `wait 1h ◷`)

	// the data folder has one owner; looking is free
	_, errs := c.run(exitFailed, "run", "--once", "--data", c.data, repo+"events")
	c.has(errs, "in use by another Responder")
	out, _ := c.run(exitDone, "runs", "list", "--data", c.data, "--state", "waiting")
	c.has(out, "2 runs")

	// an own rule and flow, written while it runs
	c.write("rules.local.yml", "rules:\n  Mine: {when: action == \"iam:CreateUser\" && ok, message: 'mine {{ req.userName }}'}\n")
	c.write("flows.local.yml", "flows:\n  - {name: mine, rule: Mine, sequential: [SendSlack: {message: '{{ message }}'}]}\n")
	p.out.wait(t, `Reloaded: 21 rules, 7 flows`)
	out, _ = c.run(exitDone, "send", repo+"events/user-compliant.json", "--url", p.url, "--data", c.data)
	c.has(out, "1 event accepted by "+p.url)
	p.out.wait(t, `Mine`)

	// a broken file leaves the old set in force
	c.write("rules.local.yml", "rules:\n  Mine: acton\n")
	p.out.wait(t, `the rules and flows from before stay in force`)
	c.env["RESPONDER_API_KEY"] = "wrong"
	_, errs = c.run(exitFailed, "send", repo+"events/user-compliant.json", "--url", p.url)
	c.has(errs, "/events answers 401 Unauthorized: ")
	if strings.Count(errs, "Unauthorized") != 1 {
		t.Errorf("said twice: %s", errs)
	}
	p.end()

	// the waiting runs are still there for the next process
	out, _ = c.run(exitDone, "runs", "list", "--data", c.data, "--state", "waiting")
	c.has(out, "2 runs")
}
