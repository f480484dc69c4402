package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/memory"
)

const fenced = `
EXTRA
flows:
  - name: f
    rule: UnauthorizedInstanceCreated
    repairs: live
    GUARDS
    sequential: [remediate: {}, SendSlack: {message: after}]
`

// fencedWorld is a world whose one flow has guards, and whose repair looks.
func fencedWorld(t *testing.T, guards, extra string) *world {
	t.Helper()
	w := newWorld(t, strings.NewReplacer("GUARDS", guards, "EXTRA", extra).Replace(fenced))
	w.sees(nil)
	w.config.Counters = memory.NewCounters(w.clock.Now)
	return w
}

// things are targets of the event's account.
func things(arns ...string) func(int, responder.Call) (responder.Survey, error) {
	return func(_ int, call responder.Call) (responder.Survey, error) {
		var s responder.Survey
		for _, arn := range arns {
			s.Targets = append(s.Targets, responder.Target{ARN: arn, Account: call.Account, Tags: map[string]string{"env": "dev"}})
		}
		return s, nil
	}
}

// program is a function of an account, that the flow's author names or not.
func program(account string, static bool) func(int, responder.Call) (responder.Survey, error) {
	return func(int, responder.Call) (responder.Survey, error) {
		return responder.Survey{Targets: []responder.Target{{ARN: "arn:aws:lambda:eu-west-1:" + account + ":function:fix", Account: account, Region: "eu-west-1", Static: static}}}, nil
	}
}

// TestProgramsAreNotRepaired: one program for many findings trips no breaker and
// meets no limit of one thing; the same finding over and over does.
func TestProgramsAreNotRepaired(t *testing.T) {
	for name, tt := range map[string]struct {
		guards  string
		again   bool // the findings are about one thing
		did     int
		guarded string
	}{
		"many, and the breaker":     {"limits: {again: 2}", false, 4, ""},
		"one, and the breaker":      {"limits: {again: 2}", true, 2, GuardBreaker},
		"many, and the limit":       {"limits: {per_resource: 1/1h}", false, 4, ""},
		"one, and the limit":        {"limits: {per_resource: 1/1h}", true, 1, GuardPerResource},
		"many, and all that it may": {"limits: {per_hour: 3}", false, 3, GuardPerHour},
	} {
		w := fencedWorld(t, tt.guards, "")
		w.sees(program("999999999999", true))
		w.config.Halts = &memory.Halts{}
		guards := map[string]bool{}
		w.config.Held = func(h HeldReport) { guards[h.Guard] = true }
		d := w.dispatcher()
		for n := range 4 {
			about := "i-1"
			if !tt.again {
				about = fmt.Sprintf("i-%d", n)
			}
			w.send(w.found(n, "UnauthorizedInstanceCreated", about))
			w.turn(d)
		}
		if w.terminate.count() != tt.did || tt.guarded != "" != guards[tt.guarded] {
			t.Errorf("%s: did %d times, held by %v", name, w.terminate.count(), guards)
		}
	}
}

func TestFence(t *testing.T) {
	const own = "arn:aws:iam::123412341234:role/responder"
	user := things("arn:aws:iam::123412341234:user/ops/break-glass-1")
	many := func(n int) func(int, responder.Call) (responder.Survey, error) {
		var arns []string
		for i := range n {
			arns = append(arns, fmt.Sprintf("arn:aws:ec2:eu-west-1:123412341234:instance/i-%d", i))
		}
		return things(arns...)
	}
	unknown := func(_ int, call responder.Call) (responder.Survey, error) {
		return responder.Survey{Targets: []responder.Target{{ARN: "arn:aws:ec2:eu-west-1:123412341234:instance/i-1", Account: call.Account, TagsUnknown: true}}}, nil
	}
	tests := []struct {
		name          string
		guards, extra string
		sees          func(int, responder.Call) (responder.Survey, error) // nil: the instances of the finding
		guard         string                                              // "": it acts
		why           string
	}{
		{"nothing said", "", "", nil, "", ""},
		{"own role", "", "", things(own), GuardOwn, own + " is Responder's own"},
		{"own role, with a path", "", "", things("arn:aws:iam::123412341234:role/a/b/responder"), GuardOwn, ""},
		{"own resource", "", "", things("arn:aws:sqs:eu-west-1:123412341234:stack-findings"), GuardOwn, ""},
		{"like our own, elsewhere", "", "", things("arn:aws:sqs:eu-west-1:123412341234:stack-findings-not"), "", ""},
		{"another account", "", "", func(int, responder.Call) (responder.Survey, error) {
			return responder.Survey{Targets: []responder.Target{{ARN: "arn:aws:ec2:eu-west-1:999999999999:instance/i-1", Account: "999999999999"}}}, nil
		}, GuardAccount, "arn:aws:ec2:eu-west-1:999999999999:instance/i-1 is of account 999999999999, and the event is of 123412341234"},
		{"a program at home", "", "", program("999999999999", true), "", ""},
		{"a program that an event names", "", "", program("999999999999", false), GuardAccount, "arn:aws:lambda:eu-west-1:999999999999:function:fix is of account 999999999999, and the event is of 123412341234"},
		{"a program and what it touches at home", "", "", func(n int, call responder.Call) (responder.Survey, error) {
			s, err := program("999999999999", true)(n, call)
			s.Targets = append(s.Targets, responder.Target{ARN: "arn:aws:ec2:eu-west-1:999999999999:instance/i-1", Account: "999999999999"})
			return s, err
		}, GuardAccount, "arn:aws:ec2:eu-west-1:999999999999:instance/i-1 is of account 999999999999, and the event is of 123412341234"},
		{"a protected program", "", `protected: ["arn:aws:lambda:*"]`, program("999999999999", true), GuardProtected, ""},
		{"a program out of scope", `scope: {allow: {accounts: ["123412341234"]}}`, "", program("999999999999", true), GuardScope, "arn:aws:lambda:eu-west-1:999999999999:function:fix is not allowed: account 999999999999"},
		{"a program of our own", "", "", func(int, responder.Call) (responder.Survey, error) {
			return responder.Survey{Targets: []responder.Target{{ARN: "arn:aws:sqs:eu-west-1:123412341234:stack-findings", Account: "123412341234", Static: true}}}, nil
		}, GuardOwn, ""},
		{"another account's ARN", "", "", things("arn:aws:ec2:eu-west-1:999999999999:instance/i-1"), GuardSurvey, ""},
		{"no ARN", "", "", things("i-1"), GuardSurvey, `"i-1" of account "123412341234" is not said whole: nobody can tell whether it may be touched`},
		{"no account in the ARN", "", "", things("arn:aws:s3:::bucket"), "", ""},

		{"protected", "", `protected: ["arn:aws:iam::*:user/break-glass*"]`, user, GuardProtected, "arn:aws:iam::123412341234:user/ops/break-glass-1 is protected, by arn:aws:iam::*:user/break-glass*"},
		{"protected with its path", "", `protected: ["arn:aws:iam::*:user/ops/*"]`, user, GuardProtected, ""},
		{"another is protected", "", `protected: ["arn:aws:iam::*:user/break-glass"]`, user, "", ""},
		{"one of many is protected", "", `protected: ["*instance/i-2"]`, nil, GuardProtected, ""},

		{"allowed account", `scope: {allow: {accounts: ["123412341234"]}}`, "", nil, "", ""},
		{"other accounts are allowed", `scope: {allow: {accounts: ["1234*0000", "4*"]}}`, "", nil, GuardScope, ""},
		{"denied wins", `scope: {allow: {accounts: ["*"]}, deny: {accounts: ["123412341234"]}}`, "", nil, GuardScope, "arn:aws:ec2:eu-west-1:123412341234:instance/i-1 is denied: account 123412341234"},
		{"denied region", `scope: {deny: {regions: ["eu-*"]}}`, "", nil, GuardScope, ""},
		{"no region is global", `scope: {allow: {regions: ["global"]}}`, "", user, "", ""},
		{"no region is not any", `scope: {allow: {regions: ["eu-*"]}}`, "", user, GuardScope, "arn:aws:iam::123412341234:user/ops/break-glass-1 is not allowed: region global"},
		{"allowed resource", `scope: {allow: {resources: ["arn:aws:ec2:*:*:instance/i-?"]}}`, "", nil, "", ""},
		{"one resource is not allowed", `scope: {allow: {resources: ["arn:aws:ec2:*:*:instance/i-1"]}}`, "", nil, GuardScope, ""},
		{"tags", `scope: {allow: {tags: {env: [dev, "test-*"]}}}`, "", nil, "", ""},
		{"other tags", `scope: {allow: {tags: {env: test}}}`, "", nil, GuardScope, "arn:aws:ec2:eu-west-1:123412341234:instance/i-1 is not allowed: it has not the tag env: test"},
		{"no such tag", `scope: {allow: {tags: {team: "*"}}}`, "", nil, GuardScope, ""},
		{"denied tag", `scope: {deny: {tags: {env: "d*"}}}`, "", nil, GuardScope, "arn:aws:ec2:eu-west-1:123412341234:instance/i-1 is denied: tag env: dev"},
		{"all that is allowed counts", `scope: {allow: {tags: {env: dev}, regions: [us-east-1]}}`, "", nil, GuardScope, ""},

		{"ten of a finding", "", "", many(10), "", ""},
		{"more than ten of a finding", "", "", many(11), GuardPerFinding, "it would touch 11 things; a finding may touch 10"},
		{"as many as are said", "limits: {per_finding: 50, per_run: 50, per_hour: 50, per_account: 50}", "", many(50), "", ""},
		{"more than are said", "limits: {per_finding: 1}", "", nil, GuardPerFinding, ""},
		{"of the run", "limits: {per_run: 1}", "", nil, GuardPerRun, "the run would touch 2 things in all; a run may touch 1"},
		{"of the hour", "limits: {per_hour: 1}", "", nil, GuardPerHour, "it would touch 2 things; the flow may touch 1 in an hour, and has not so many left"},
		{"of the account", "limits: {per_account: 1}", "", nil, GuardPerAccount, ""},
		{"the same twice is one", "limits: {per_finding: 1}", "", things("arn:aws:s3:::bucket", "arn:aws:s3:::bucket"), "", ""},
		{"tags that nobody knows are not allowed", `scope: {allow: {tags: {env: "*"}}}`, "", unknown, GuardScope, "arn:aws:ec2:eu-west-1:123412341234:instance/i-1 is not allowed: its tags are not known"},
		{"tags that nobody knows are denied", `scope: {deny: {tags: {responder: hands-off}}}`, "", unknown, GuardScope, "arn:aws:ec2:eu-west-1:123412341234:instance/i-1 is denied: its tags are not known"},
		{"tags that nobody asks for", `scope: {allow: {accounts: ["1*"]}, deny: {regions: [us-east-1]}}`, "", unknown, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := fencedWorld(t, tt.guards, tt.extra)
			w.sees(tt.sees)
			w.config.OwnRoles = []string{own + "-not", own}
			w.config.Own = []string{"arn:aws:sqs:*:123412341234:stack-findings"}
			f := w.finding("UnauthorizedInstanceCreated")
			f.Event = []byte(strings.ReplaceAll(string(f.Event), "role/responder", "role/somebody"))
			var told []HeldReport
			w.config.Held = func(h HeldReport) { told = append(told, h) }
			w.send(f)
			w.live(w.dispatcher(), 2*time.Minute, 10*time.Second)
			run := w.get("f")
			step := run.Steps["0"]
			guard, _ := step.Result["guard"].(string)
			why, _ := step.Result["why"].(string)
			if guard != tt.guard || tt.why != "" && why != tt.why || (guard == "") != (w.terminate.count() == 1) {
				t.Errorf("guard %q: %s\ndid %v\n%s", guard, why, w.did(), outline(run))
			}
			if guard == "" {
				return
			}
			if step.State != responder.StepSkipped || step.Result["would"] != "EC2TerminateInstances" || run.State != responder.RunSucceeded {
				t.Errorf("%+v\n%s", step, outline(run))
			}
			if got := w.did(); got[0] != "SendSlack [HELD BACK] after" || len(got) != 1+len(w.warnings()) || alarming(tt.guard) != (len(got) == 2) {
				t.Errorf("did %q", got)
			}
			if len(told) != 1 || told[0] != (HeldReport{"f", "EC2TerminateInstances", tt.guard}) || !slices.Contains(Guards(), tt.guard) {
				t.Errorf("told %v", told)
			}
		})
	}
}

// TestWhatCannotBeSeenIsNotTouched: of an action that cannot look, guards that
// need to know hold it back.
func TestWhatCannotBeSeenIsNotTouched(t *testing.T) {
	for guards, want := range map[string]string{
		"": "",
		`scope: {allow: {accounts: ["123412341234"]}}`:         "",
		`scope: {allow: {regions: ["eu-west-1"]}}`:             "",
		`scope: {allow: {accounts: ["999999999999"]}}`:         GuardScope,
		`scope: {deny: {regions: ["eu-*"]}}`:                   GuardScope,
		`scope: {allow: {tags: {env: dev}}}`:                   GuardScope,
		`scope: {deny: {resources: ["arn:aws:s3:::nothing"]}}`: GuardScope,
		`limits: {per_hour: 1, per_finding: 1, per_run: 1}`:    "",
		"protected": GuardProtected,
	} {
		extra := ""
		if guards == "protected" {
			guards, extra = "", `protected: ["arn:aws:s3:::nothing"]`
		}
		w := fencedWorld(t, guards, extra)
		w.catalogue["EC2TerminateInstances"] = w.terminate
		w.send(w.finding("UnauthorizedInstanceCreated"))
		w.turn(w.dispatcher())
		guard, _ := w.get("f").Steps["0"].Result["guard"].(string)
		if guard != want || (guard == "") != (w.terminate.count() == 1) {
			t.Errorf("%s%s: %q, did %d times", guards, extra, guard, w.terminate.count())
		}
	}
}

// TestTheStricterGuardsHold: a run keeps those that it began with, and those of
// the flow as it is now count beside them.
func TestTheStricterGuardsHold(t *testing.T) {
	tests := []struct{ name, before, after, guard string }{
		{"as they were", "limits: {per_finding: 2}", "limits: {per_finding: 2}", ""},
		{"tightened", "limits: {per_finding: 2}", "limits: {per_finding: 1}", GuardPerFinding},
		{"loosened", "limits: {per_finding: 1}", "limits: {per_finding: 2}", GuardPerFinding},
		{"taken away", "limits: {per_finding: 1}", "", GuardPerFinding},
		{"denied since", "", `scope: {deny: {accounts: ["1*"]}}`, GuardScope},
		{"allowed since", `scope: {deny: {accounts: ["1*"]}}`, "", GuardScope},
	}
	for _, tt := range tests {
		flow := func(guards string) string {
			return strings.NewReplacer("GUARDS", guards, "EXTRA", "", "[remediate", "[wait: 1h, remediate").Replace(fenced)
		}
		w := fencedWorld(t, "", "")
		w.load(flow(tt.before))
		w.send(w.finding("UnauthorizedInstanceCreated"))
		d := w.dispatcher()
		w.turn(d)
		w.load(flow(tt.after))
		w.live(d, 62*time.Minute, 10*time.Second)
		step := w.get("f").Steps["1"]
		guard, _ := step.Result["guard"].(string)
		if guard != tt.guard {
			t.Errorf("%s: %q\n%s", tt.name, guard, outline(w.get("f")))
		}
	}
}

// TestLimitsOfARun: what several repairs of one run touch is counted together,
// what they touch twice once.
func TestLimitsOfARun(t *testing.T) {
	const flow = `
flows:
  - name: f
    rule: UnauthorizedInstanceCreated
    repairs: live
    limits: {per_run: 3}
    sequential:
      - EC2TerminateInstances: {ids: [a, b]}
      - EC2TerminateInstances: {ids: [b, c]}
      - EC2TerminateInstances: {ids: [a, d]}
      - EC2TerminateInstances: {ids: [c]}
`
	w := newWorld(t, flow)
	w.sees(nil)
	w.config.Counters = memory.NewCounters(w.clock.Now)
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.turn(w.dispatcher())
	run := w.get("f")
	for path, want := range map[string]any{"0": nil, "1": nil, "2": GuardPerRun, "3": nil} {
		if got := run.Steps[path].Result["guard"]; got != want {
			t.Errorf("step %s: %v, want %v", path, got, want)
		}
	}
}

// TestRetriesCountOnce: a step that is tried again, also by another worker after
// a crash, takes nothing more of the budget.
func TestRetriesCountOnce(t *testing.T) {
	w := fencedWorld(t, "limits: {per_hour: 2, per_resource: 1/1h}", "")
	w.terminate.answer = func(_ context.Context, n int, _ responder.Call) (responder.Result, error) {
		switch n {
		case 1:
			return nil, &responder.Transient{Err: errors.New("busy")}
		case 2:
			close(w.dead)
			return nil, errKilled
		}
		return nil, nil
	}
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.live(w.dispatcher(), time.Minute, time.Second)
	w.dead = make(chan struct{})
	w.live(w.dispatcher(), 20*time.Minute, time.Second)
	if run := w.get("f"); run.Steps["0"].State != responder.StepSucceeded || w.terminate.count() != 3 {
		t.Errorf("did it %d times\n%s", w.terminate.count(), outline(run))
	}
	w.send(w.found(1, "UnauthorizedInstanceCreated", "i-9"))
	w.live(w.dispatcher(), time.Minute, time.Second)
	if w.terminate.count() != 3 {
		t.Error("there was budget left")
	}
}

// TestWithoutCountersNothingIsRepaired: guards that cannot be asked let nothing
// through; once they can, the run goes on.
func TestWithoutCountersNothingIsRepaired(t *testing.T) {
	w := fencedWorld(t, "", "")
	broken := &brokenBudget{Counters: memory.NewCounters(w.clock.Now), down: true}
	w.config.Counters = broken
	w.send(w.finding("UnauthorizedInstanceCreated"))
	d := w.dispatcher()
	w.live(d, time.Minute, time.Second)
	run := w.get("f")
	if w.terminate.count() != 0 || run.State != responder.RunWaiting || !strings.Contains(run.Steps["0"].Error, "the guards cannot be asked: limits: down") {
		t.Error(outline(run))
	}
	broken.set(false)
	w.live(d, 5*time.Minute, time.Second)
	if run = w.get("f"); w.terminate.count() != 1 || run.State != responder.RunSucceeded {
		t.Error(outline(run))
	}

	w = fencedWorld(t, "", "")
	w.config.Counters = &brokenBudget{Counters: memory.NewCounters(w.clock.Now), down: true}
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.live(w.dispatcher(), 6*time.Hour, 10*time.Second)
	if run = w.get("f"); run.State != responder.RunFailed || w.terminate.count() != 0 || losses(run.Steps["0"]) != maxLost {
		t.Errorf("%d attempts\n%s", len(run.Steps["0"].Attempts), outline(run))
	}
}

// brokenBudget does not answer while it is down.
type brokenBudget struct {
	*memory.Counters
	mu   sync.Mutex
	down bool
}

func (b *brokenBudget) set(down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = down
}

func (b *brokenBudget) Admit(ctx context.Context, claims ...responder.Claim) (int, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return 0, false, errors.New("down")
	}
	return b.Counters.Admit(ctx, claims...)
}

// TestFlood: four workers and thousands of findings: the caps hold to the unit,
// whatever comes at once, and begin anew with the hour.
func TestFlood(t *testing.T) {
	const findings = 2000
	w := fencedWorld(t, "limits: {per_hour: 7, per_account: 7}", "")
	one := func(n int) responder.Finding {
		f := w.found(n, "UnauthorizedInstanceCreated", "")
		f.Remediate = &responder.Binding{Action: "EC2TerminateInstances", Params: map[string]any{"ids": []any{fmt.Sprint("i-", n)}}}
		return f
	}
	var workers sync.WaitGroup
	for worker := range 4 {
		workers.Go(func() {
			d := w.dispatcher()
			var batch []responder.Delivery
			for n := worker; n < findings; n += 4 {
				f := one(n)
				body, err := responder.Bell{Finding: &f}.Encode()
				if err != nil {
					t.Error(err)
					return
				}
				batch = append(batch, responder.Delivery{ID: fmt.Sprint(n), Body: body})
				if len(batch) == 10 || n+4 >= findings {
					if failures := d.Handle(context.Background(), batch); len(failures) > 0 {
						t.Errorf("%v", failures)
					}
					batch = nil
				}
			}
		})
	}
	workers.Wait()
	if n := w.terminate.count(); n != 7 {
		t.Errorf("%d things were touched, want 7", n)
	}
	w.clock.Advance(time.Hour)
	for n := range 20 {
		w.send(one(findings + n))
	}
	w.live(w.dispatcher(), 2*time.Minute, 10*time.Second)
	if n := w.terminate.count(); n != 14 {
		t.Errorf("%d things were touched by the next hour, want 14", n)
	}
}

func TestWild(t *testing.T) {
	tests := []struct {
		pattern, text string
		fits          bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "a/b:c", true}, {"?", "", false}, {"?", "é", true}, {"a", "A", false},
		{"a*c", "abc", true}, {"a*c", "abcd", false}, {"*b*", "abc", true}, {"a**", "a", true}, {"a?c*e", "abcdde", true}, {"*a*b", "aab", true},
		{"*a?", "aaab", true}, {"[a]", "a", false}, {"[a]", "[a]", true}, {"a.c", "abc", false}, {`a\*`, "a*", false},
		{strings.Repeat("*a", 50) + "b", strings.Repeat("a", 5000), false},
	}
	for _, tt := range tests {
		if got := wild(tt.pattern, tt.text); got != tt.fits {
			t.Errorf("%q fits %.20q: %v, want %v", tt.pattern, tt.text, got, tt.fits)
		}
	}
}
