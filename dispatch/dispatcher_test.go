package dispatch

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skycrafters/responder"
)

const fullFlow = `
flows:
  - name: denied-instance
    rules: [UnauthorizedInstanceCreated]
    if: severity >= HIGH && account.env == "prod"
    repairs: live
    sequential:
      - SendSlack: {template: aws-event}
        as: post
      - wait: 10m
      - check: {}
      - parallel:
          - SendSlack: {message: "Terminating {{ resources[0] }}"}
          - SendEmail: {}
      - remediate: {}
        retry: {attempts: 5}
        timeout: 2m
      - if: steps.post.failed
        then: [SendEmail: {subject: posting failed}]
        else: [SendSlack: {message: all well}]
`

func TestFullFlow(t *testing.T) {
	w := newWorld(t, fullFlow)
	w.send(w.finding("UnauthorizedInstanceCreated"))
	d := w.dispatcher()
	w.turn(d)
	run := w.get("denied-instance")
	if run.State != responder.RunWaiting || !run.Due.Equal(w.clock.Now().Add(10*time.Minute)) || !run.Lease.IsZero() {
		t.Fatalf("after the first turn: %s due %v lease %v", run.State, run.Due, run.Lease)
	}
	w.live(d, 12*time.Minute, time.Second)
	run = w.get("denied-instance")
	want := `succeeded 
0 succeeded tries=1 looks=0
1 succeeded tries=0 looks=0
2 succeeded tries=1 looks=0
3 succeeded tries=0 looks=0
4 succeeded tries=1 looks=0
5 succeeded tries=0 looks=0
3.0 succeeded tries=1 looks=0
3.1 succeeded tries=1 looks=0
5.else.0 succeeded tries=1 looks=0
`
	if got := outline(run); got != want {
		t.Errorf("run:\n%s\nwant:\n%s", got, want)
	}
	did := w.did()
	slices.Sort(did[2:4])
	if got := strings.Join(did, " · "); got != "SendSlack · EC2InstanceAlive · SendEmail · SendSlack Terminating i-1 · EC2TerminateInstances · SendSlack all well" {
		t.Error(got)
	}
	first := w.deeds[0].Call
	if got := mustJSON(t, first.Body); got != `{"blocks":[{"text":"A title","type":"header"},{"color":15258703,"text":"by bob in payments","type":"section"}]}` {
		t.Error(got)
	}
	if first.Account != "123412341234" || first.Region != "eu-west-1" || first.Key != run.ID+"/0" {
		t.Errorf("call %+v", first)
	}
	if wait := w.deeds[1].At.Sub(w.deeds[0].At); wait < 10*time.Minute || wait > 10*time.Minute+2*time.Second {
		t.Errorf("waited %v", wait)
	}
	if !run.Due.IsZero() || !run.Lease.IsZero() {
		t.Errorf("an ended run is due %v, leased %v", run.Due, run.Lease)
	}
}

func TestOriginal(t *testing.T) {
	w := newWorld(t, string(read(t, "testdata/original.yml")))
	var names []string
	for _, f := range w.flows.Load().All() {
		names = append(names, f.Name)
	}
	if got := strings.Join(names, " "); got != "NonCompliantUserCreated UnauthorizedInstanceCreated SuspiciousLoginHour RootLogin RootLogin#2" {
		t.Error(got)
	}
	d := w.dispatcher()
	for _, rule := range []string{"NonCompliantUserCreated", "UnauthorizedInstanceCreated", "SuspiciousLoginHour", "RootLogin"} {
		w.send(w.finding(rule))
	}
	w.live(d, 20*time.Second, time.Second)

	run := w.get("NonCompliantUserCreated")
	if run.State != responder.RunSucceeded || !run.Steps["6"].Dry {
		t.Fatal(outline(run))
	}
	message := run.Steps["5"].Params["message"].(map[string]any)
	var lines []string
	for _, line := range message["values"].([]any) {
		pair := line.(map[string]any)
		lines = append(lines, pair["label"].(string)+"="+pair["value"].(string))
	}
	if got := strings.Join(lines, " "); got != "Removing user=mallory&lt;x> By=bob From=198.51.100.7 Account=123412341234 Region=eu-west-1 Rule=NonCompliantUserCreated Why=A message Which=i-1,i-2 Nothing=" {
		t.Error(got)
	}
	if !slices.Contains(w.did(), "SendSlack [DRY RUN] Non-compliant user removed") {
		t.Errorf("after a dry repair: %v", w.did())
	}
	if w.terminate.count() != 0 {
		t.Error("a repair that no flow armed was done")
	}

	run = w.get("UnauthorizedInstanceCreated")
	if text := mustJSON(t, run); strings.Contains(text, "SECRETWORD") {
		t.Error("an address in plain text is in the run: " + text)
	}
	i := slices.IndexFunc(w.deeds, func(d deed) bool { return d.Text == "Will terminate instances" })
	if url := w.deeds[i].Call.Params["webhookURL"]; url != "https://hooks.example.com/services/T/B/SECRETWORD" {
		t.Errorf("the action was given %v", url)
	}
	for _, flow := range []string{"RootLogin", "RootLogin#2"} {
		if run := w.get(flow); run.State != responder.RunSucceeded {
			t.Error(outline(run))
		}
	}
	if page, _ := w.runs.List(context.Background(), responder.RunQuery{Flow: "SuspiciousLoginHour"}); len(page.Runs) != 0 {
		t.Error("a disabled flow ran")
	}
}

const shortFlow = `
flows:
  - rule: UnauthorizedInstanceCreated
    repairs: live
    sequential:
      - SendSlack: {message: one}
        as: one
      - check: {}
      - remediate: {}
      - SendSlack: {message: two}
`

func TestDuplicatesMakeOneRun(t *testing.T) {
	w := newWorld(t, shortFlow)
	for range 100 {
		w.send(w.finding("UnauthorizedInstanceCreated"))
	}
	d, other := w.dispatcher(), w.dispatcher()
	done := make(chan bool)
	for _, d := range []*Dispatcher{d, other} {
		go func() {
			for w.turn(d) > 0 {
			}
			done <- true
		}()
	}
	<-done
	<-done
	w.live(d, 5*time.Minute, time.Second)
	if run := w.get("UnauthorizedInstanceCreated"); run.State != responder.RunSucceeded {
		t.Error(outline(run))
	}
	if got := strings.Join(w.did(), " · "); got != "SendSlack one · EC2InstanceAlive · EC2TerminateInstances · SendSlack two" {
		t.Error(got)
	}
}

func TestCheckSaysNo(t *testing.T) {
	w := newWorld(t, shortFlow)
	w.alive.answer = func(context.Context, int, responder.Call) (responder.Result, error) {
		return nil, &responder.Stop{Reason: "the instances are gone"}
	}
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.turn(w.dispatcher())
	run := w.get("UnauthorizedInstanceCreated")
	if run.State != responder.RunStopped || run.Cause != "the instances are gone" || run.Steps["1"].State != responder.StepStopped {
		t.Error(outline(run))
	}
	if w.terminate.count() != 0 {
		t.Error("repaired after a no")
	}
}

func TestRetryAfterSurvivesRestart(t *testing.T) {
	w := newWorld(t, shortFlow)
	w.slack.answer = func(_ context.Context, n int, call responder.Call) (responder.Result, error) {
		if n <= 2 {
			return nil, &responder.Transient{After: time.Duration(n) * 10 * time.Minute, Err: errors.New("429")}
		}
		return responder.Result{"n": n}, nil
	}
	w.send(w.finding("UnauthorizedInstanceCreated"))
	for range 31 * 60 { // a new worker every second
		w.live(w.dispatcher(), time.Second, time.Second)
	}
	run := w.get("UnauthorizedInstanceCreated")
	if run.State != responder.RunSucceeded || tries(run.Steps["0"]) != 3 {
		t.Fatal(outline(run))
	}
	a := run.Steps["0"].Attempts
	for i, want := range []time.Duration{10 * time.Minute, 20 * time.Minute} {
		if got := a[i+1].Began.Sub(a[i].Ended); got < want || got > want+2*time.Minute {
			t.Errorf("retry %d came after %v, asked for %v", i+1, got, want)
		}
	}
	if run.Steps["0"].Result["n"] != 3.0 || run.Steps["0"].Error != "" {
		t.Errorf("%+v", run.Steps["0"])
	}
}

func TestFailures(t *testing.T) {
	fails := func(err error) func(context.Context, int, responder.Call) (responder.Result, error) {
		return func(context.Context, int, responder.Call) (responder.Result, error) { return nil, err }
	}
	boom := func(context.Context, int, responder.Call) (responder.Result, error) { panic("boom \x1b[31m") }
	tests := []struct {
		name  string
		setup func(w *world, f *responder.Finding)
		want  string
	}{
		{"a notice's failure is recorded", func(w *world, _ *responder.Finding) {
			w.slack.answer = fails(&responder.Permanent{Err: errors.New("404")})
		},
			"succeeded \n0 failed tries=1 looks=0 error=\"404\"\n1 succeeded tries=1 looks=0\n2 succeeded tries=1 looks=0\n3 failed tries=1 looks=0 error=\"404\"\n"},
		{"a check's failure ends the run", func(w *world, _ *responder.Finding) {
			w.alive.answer = fails(&responder.Permanent{Err: errors.New("denied")})
		},
			"failed step 1 (EC2InstanceAlive): denied\n0 succeeded tries=1 looks=0\n1 failed tries=1 looks=0 error=\"denied\"\n"},
		{"a panic in a notice is tried again", func(w *world, _ *responder.Finding) { w.slack.answer = boom },
			"succeeded \n0 failed tries=3 looks=0 error=\"the action panicked: boom \"\n1 succeeded tries=1 looks=0\n2 succeeded tries=1 looks=0\n3 failed tries=3 looks=0 error=\"the action panicked: boom \"\n"},
		{"a panic in a repair is verified", func(w *world, _ *responder.Finding) { w.terminate.answer = boom },
			"failed step 2 (EC2TerminateInstances): outcome unknown: the action panicked: boom \n0 succeeded tries=1 looks=0\n1 succeeded tries=1 looks=0\n2 failed tries=5 looks=5 error=\"outcome unknown: the action panicked: boom \"\n"},
		{"an unknown outcome that was done", func(w *world, _ *responder.Finding) {
			w.terminate.answer = fails(&responder.Unknown{Err: errors.New("reply lost")})
			w.terminate.verify = func(int) (responder.Verdict, error) { return responder.VerdictDone, nil }
		}, "succeeded \n0 succeeded tries=1 looks=0\n1 succeeded tries=1 looks=0\n2 succeeded tries=1 looks=1\n3 succeeded tries=1 looks=0\n"},
		{"an outcome that stays unknown", func(w *world, _ *responder.Finding) {
			w.terminate.answer = fails(errors.New("odd"))
			w.terminate.verify = func(int) (responder.Verdict, error) { return 0, errors.New("access denied") }
		}, "failed step 2 (EC2TerminateInstances): nobody knows whether it was done: access denied\n0 succeeded tries=1 looks=0\n1 succeeded tries=1 looks=0\n2 failed tries=1 looks=5 error=\"nobody knows whether it was done: access denied\"\n"},
		{"no target", func(w *world, f *responder.Finding) { f.Remediate.Params["ids"] = []any{} },
			"failed step 2 (EC2TerminateInstances): parameter ids of EC2TerminateInstances is empty\n0 succeeded tries=1 looks=0\n1 succeeded tries=1 looks=0\n2 failed tries=0 looks=0 error=\"parameter ids of EC2TerminateInstances is empty\"\n"},
		{"no check", func(w *world, f *responder.Finding) { f.Check = nil },
			"failed step 1 (check): the rule UnauthorizedInstanceCreated has no check\n0 succeeded tries=1 looks=0\n1 failed tries=0 looks=0 error=\"the rule UnauthorizedInstanceCreated has no check\"\n"},
		{"a notice bound as a repair", func(w *world, f *responder.Finding) { f.Remediate.Action = "SendEmail" },
			"failed step 2 (SendEmail): SendEmail is a notice: the rule UnauthorizedInstanceCreated cannot have it as its remediate\n0 succeeded tries=1 looks=0\n1 succeeded tries=1 looks=0\n2 failed tries=0 looks=0 error=\"SendEmail is a notice: the rule UnauthorizedInstanceCreated cannot have it as its remediate\"\n"},
		{"an action that is gone", func(w *world, f *responder.Finding) { delete(w.catalogue, "EC2InstanceAlive") },
			"failed step 1 (EC2InstanceAlive): there is no action EC2InstanceAlive\n0 succeeded tries=1 looks=0\n1 failed tries=0 looks=0 error=\"there is no action EC2InstanceAlive\"\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, shortFlow)
			f := w.finding("UnauthorizedInstanceCreated")
			tt.setup(w, &f)
			w.send(f)
			w.live(w.dispatcher(), 30*time.Minute, time.Second)
			if got := outline(w.get("UnauthorizedInstanceCreated")); got != tt.want {
				t.Errorf("run:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}

func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, `
flows:
  - rule: UnauthorizedInstanceCreated
    repairs: live
    sequential:
      - SendSlack: {message: one}
        timeout: 5ms
        retry: {attempts: 1}
      - remediate: {}
        timeout: 5ms
`)
		w.slack.answer = func(ctx context.Context, _ int, _ responder.Call) (responder.Result, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		hang := make(chan struct{})
		defer close(hang)
		w.terminate.answer = func(_ context.Context, n int, _ responder.Call) (responder.Result, error) {
			if n == 1 {
				<-hang // does not look at its ctx
			}
			return nil, nil
		}
		w.send(w.finding("UnauthorizedInstanceCreated"))
		began := time.Now()
		w.live(w.dispatcher(), 5*time.Minute, time.Second)
		if took := time.Since(began); took != 5*time.Millisecond+5*time.Millisecond+margin/2 {
			t.Errorf("it took %v, want two timeouts, and the grace of what does not return", took)
		}
		run := w.get("UnauthorizedInstanceCreated")
		if run.State != responder.RunSucceeded || run.Steps["0"].Error != "not over after 5ms: context deadline exceeded" || tries(run.Steps["0"]) != 1 {
			t.Error(outline(run))
		}
		fix := run.Steps["1"]
		if tries(fix) != 2 || looks(fix) != 0 || len(fix.Attempts) != 3 || !fix.Attempts[1].Verify || fix.Attempts[0].Error != "outcome unknown: not over after 5ms: the action did not return when its time was over" {
			t.Errorf("%+v", fix)
		}
	})
}
