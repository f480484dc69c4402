package dispatch

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

// TestNextAtTheDeadline: what a run's timeout does to it at a moment.
func TestNextAtTheDeadline(t *testing.T) {
	wait := responder.Step{Kind: responder.StepWait, Wait: time.Hour}
	for _, tt := range []struct {
		name string
		do   []Outcome
		now  time.Duration
		want string
	}{
		{"before", nil, 59 * time.Second, "begin 0"},
		{"at it", nil, time.Minute, "failed: not at its end within the flow's timeout of 1m"},
		{"a wait ends with it", []Outcome{Begun{Path: "0"}}, 0, "until +1m0s"},
		{"a nearer timer counts", []Outcome{Begun{Path: "0", Until: epoch.Add(time.Second)}}, 0, "until +1s"},
		{"what is done is done", []Outcome{Skipped{Path: "0"}}, time.Hour, "succeeded"},
		{"a no is a no", []Outcome{Tried{Path: "0", Err: errors.New("bad")}}, time.Hour, "failed: step 0 (wait): bad"},
	} {
		run := newRun(wait)
		run.Deadline, run.Flow.Timeout = epoch.Add(time.Minute), time.Minute
		for _, o := range tt.do {
			run = Apply(run, o, epoch, half)
		}
		if got := tell(Next(run, epoch.Add(tt.now))); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

const hastyFlow = `
flows:
  - name: f
    rule: UnauthorizedInstanceCreated
    repairs: live
    timeout: 1h
    sequential:
      - SendSlack: {message: one}
      - remediate: {}
        retry: {attempts: 20, backoff: 30m, cap: 30m}
      - SendSlack: {message: two}
`

// TestFlowTimeout: a run that is not at its end in time fails with the reason,
// within the bound for timers; what it was at is given up.
func TestFlowTimeout(t *testing.T) {
	w := newWorld(t, hastyFlow)
	w.terminate.answer = func(context.Context, int, responder.Call) (responder.Result, error) {
		return nil, &responder.Transient{Err: errors.New("busy")}
	}
	w.send(w.finding("UnauthorizedInstanceCreated"))
	began := w.clock.Now()
	w.live(w.dispatcher(), 2*time.Hour, 10*time.Second)
	run := w.get("f")
	if run.State != responder.RunFailed || run.Cause != "not at its end within the flow's timeout of 1h" || !run.Due.IsZero() {
		t.Fatal(outline(run))
	}
	if late := run.Updated.Sub(began.Add(time.Hour)); late < 0 || late > time.Minute {
		t.Errorf("it ended %v after its timeout", late)
	}
	if got := ended(run); got != "0 succeeded, 1 cancelled" || run.Steps["1"].Error != "busy" || !run.Steps["1"].Due.IsZero() {
		t.Errorf("%s %+v", got, run.Steps["1"])
	}
}

// TestFlowTimeoutInTheAir: an attempt that is under way when time is up lands
// and counts.
func TestFlowTimeoutInTheAir(t *testing.T) {
	w := newWorld(t, hastyFlow)
	w.terminate.answer = func(context.Context, int, responder.Call) (responder.Result, error) {
		w.clock.Advance(2 * time.Hour)
		return responder.Result{"ids": "i-1"}, nil
	}
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.turn(w.dispatcher())
	if run := w.get("f"); run.State != responder.RunFailed || ended(run) != "0 succeeded, 1 succeeded" || run.Steps["1"].Result["ids"] != "i-1" {
		t.Error(outline(run))
	}
}

// TestFlowTimeoutAfterDeath: what a dead worker was at when time was up is not
// known to have been done, and the run says so.
func TestFlowTimeoutAfterDeath(t *testing.T) {
	w := newWorld(t, hastyFlow)
	w.killAt = 8 // after the repair was marked, before it is made
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.turn(w.dispatcher())
	if run := w.get("f"); !w.isDead() || run.Steps["1"] == nil || !underWay(run.Steps["1"]) {
		t.Fatal(outline(run))
	}
	w.killAt, w.dead = 0, make(chan struct{})
	w.clock.Advance(2 * time.Hour)
	w.live(w.dispatcher(), 3*time.Minute, 10*time.Second)
	run := w.get("f")
	if run.State != responder.RunFailed || ended(run) != "0 succeeded, 1 cancelled" {
		t.Fatal(outline(run))
	}
	if a := run.Steps["1"].Attempts; len(a) != 1 || !a[0].Unknown || a[0].Ended.IsZero() || w.terminate.looked != 0 {
		t.Errorf("%+v", a)
	}
}

// TestResumptions: a run that is taken up over and over fails with the reason.
func TestResumptions(t *testing.T) {
	w := newWorld(t, fullFlow)
	w.send(w.finding("UnauthorizedInstanceCreated"))
	d := w.dispatcher()
	w.turn(d)
	run := w.get("denied-instance")
	if run.State != responder.RunWaiting || run.Resumed != 1 {
		t.Fatalf("%s taken up %d times", outline(run), run.Resumed)
	}
	run.Resumed = maxResumptions - 1
	if err := w.runs.Save(context.Background(), run); err != nil {
		t.Fatal(err)
	}
	w.live(d, 12*time.Minute, time.Minute)
	if run = w.get("denied-instance"); run.State != responder.RunSucceeded || run.Resumed != maxResumptions {
		t.Errorf("%s taken up %d times", outline(run), run.Resumed)
	}

	w = newWorld(t, fullFlow)
	w.send(w.finding("UnauthorizedInstanceCreated"))
	d = w.dispatcher()
	w.turn(d)
	run = w.get("denied-instance")
	run.Resumed = maxResumptions
	if err := w.runs.Save(context.Background(), run); err != nil {
		t.Fatal(err)
	}
	w.live(d, 12*time.Minute, time.Minute)
	if run = w.get("denied-instance"); run.State != responder.RunFailed || run.Cause != fmt.Sprintf("a run is taken up at most %d times", maxResumptions) {
		t.Error(outline(run))
	}
}

// TestTimeoutRefused: what a flow's timeout may be.
func TestTimeoutRefused(t *testing.T) {
	for text, want := range map[string]string{
		"timeout: 2d\n    sequential: [wait: 1d]":                                                       "",
		"timeout: 365d\n    sequential: [wait: 90d]":                                                    "",
		"timeout: \n    sequential: [wait: 90d]":                                                        "",
		"timeout: 1d\n    sequential: [if: ok, then: [wait: 1d]]":                                       "does nothing",
		"timeout: 1d\n    sequential: [{if: ok, then: [wait: 1d]}]":                                     "the waits take 1d: a run",
		"timeout: 366d\n    sequential: []":                                                             "longer than 365d",
		"timeout: 0\n    sequential: []":                                                                "longer than nothing",
		"timeout: soon\n    sequential: []":                                                             "not a duration",
		"timeout: [1d]\n    sequential: []":                                                             "must be a duration",
		"timeout: -1\n    sequential: []":                                                               "cannot be negative",
		"sequential: [{SendSlack: {}, timeout: 11m}]":                                                   "longer than 10m",
		"sequential: [{SendSlack: {}, timeout: 10m}]":                                                   "",
		"timeout: 1h\n    sequential: [{wait: {until: \"08:00\", zone: UTC}}, {SendSlack: {}}]":         "takes up to 1d, longer than the timeout",
		"timeout: 1d\n    sequential: [{wait: {until: \"08:00\", zone: UTC}}, {SendSlack: {}}]":         "",
		"timeout: 2d\n    sequential: [wait: {until: \"08:00\", zone: UTC, days: [fri, mon]}]":          "takes up to 4d, longer than the timeout",
		"timeout: 6d\n    sequential: [wait: {until: \"08:00\", zone: UTC, days: [tue]}]":               "takes up to 7d, longer than the timeout",
		"timeout: 7d\n    sequential: [wait: {until: \"08:00\", zone: UTC, days: [tue]}]":               "",
		"timeout: 1h\n    sequential: [{wait: 40m}, {SendSlack: {}}, {wait: 20m}]":                      "the waits take 1h: a run",
		"timeout: 1h\n    sequential: [{wait: 40m}, {parallel: [{wait: 19m}, {wait: 15m}]}]":            "",
		"timeout: 1h\n    sequential: [{wait: 40m}, {parallel: [{wait: 30m}, {wait: 15m}]}]":            "the waits take 1h10m",
		"timeout: 1h\n    sequential: [{wait: 40m}, {parallel: [{wait: 30m}, {wait: 15m}], join: any}]": "",
		"timeout: 1m\n    sequential: [{SendSlack: {}, timeout: 5m}]":                                   "an attempt of SendSlack may take 5m",
		"sequential: [{SendSlack: {}, retry: {backoff: 1h, cap: 5s}}]":                                  "the cap of 5s is shorter than the backoff of 1h",
		"sequential: [{SendSlack: {}, retry: {cap: 1s}}]":                                               "the cap of 1s is shorter than the backoff of 2s",
		"sequential: [{SendSlack: {}, retry: {cap: 2s}}]":                                               "",
	} {
		w := newWorld(t, "flows: []")
		_, problems := Load(files(t, map[string]string{"flows.yml": "flows:\n  - name: a\n    rule: NonCompliantUserCreated\n    " + text}), "flows.yml", w.options())
		if said := problems.Error(); !strings.Contains(said, want) || want == "" && said != "" {
			t.Errorf("%s gives\n%s\nwant %q", text, said, want)
		}
	}
}

// TestPlatform: the longest timeout of a step, and what it takes to store what
// came of it, fit in the time of the function that makes the attempt.
func TestPlatform(t *testing.T) {
	_, function, _ := strings.Cut(string(read(t, "../template.yaml")), "\n  DispatchFunction:\n")
	m := regexp.MustCompile(`\n {6}Timeout: (\d+)`).FindStringSubmatch(function)
	if m == nil {
		t.Fatal("template.yaml does not say how long dispatch may take")
	}
	seconds, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	if given, needed := time.Duration(seconds)*time.Second, maxTimeout+margin+storeTimeout; given < needed {
		t.Errorf("the function has %v, a step may need %v", given, needed)
	}
}
