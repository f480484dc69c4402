package dispatch

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/memory"
)

// toApprove is a fenced world in which each repair is a question.
func toApprove(t *testing.T, guards, extra string) *world {
	t.Helper()
	w := fencedWorld(t, "", "")
	w.loadToApprove(guards, extra)
	return w
}

func (w *world) loadToApprove(guards, extra string) {
	w.load(strings.NewReplacer(
		"EXTRA", askHead+extra, "repairs: live", "repairs: approve\n    approvers: {slack: [U0CAROL], for: 30m, tell: [SendEmail: {subject: asked}]}", "GUARDS", guards,
	).Replace(fenced))
}

// TestNobodyIsAskedInVain: what the guards would hold back all the same is no question.
func TestNobodyIsAskedInVain(t *testing.T) {
	for name, tt := range map[string]struct{ guards, extra, guard string }{
		"nothing said":        {"", "", ""},
		"room for all":        {"limits: {per_hour: 2, per_account: 2, per_resource: 1/1h}", "", ""},
		"protected":           {"", `protected: ["*instance/i-2"]`, GuardProtected},
		"out of scope":        {`scope: {deny: {regions: ["eu-*"]}}`, "", GuardScope},
		"too much at once":    {"limits: {per_finding: 1}", "", GuardPerFinding},
		"too much of a run":   {"limits: {per_run: 1}", "", GuardPerRun},
		"too much of an hour": {"limits: {per_hour: 1}", "", GuardPerHour},
		"of an account":       {"limits: {per_account: 1}", "", GuardPerAccount},
	} {
		t.Run(name, func(t *testing.T) {
			w := toApprove(t, tt.guards, tt.extra)
			w.send(w.finding("UnauthorizedInstanceCreated"))
			d := w.dispatcher()
			w.live(d, time.Minute, 10*time.Second)
			run := w.get("f")
			if tt.guard == "" {
				if run.State != responder.RunAwaitingApproval || w.terminate.count() != 0 || w.email.count() != 1 {
					t.Errorf("%s%q", outline(run), w.did())
				}
				return
			}
			warned := len(w.warnings())
			if step := run.Steps["0"]; step.Approval != nil || step.Result["guard"] != tt.guard || w.email.count() != warned {
				t.Errorf("%+v %v\n%s%q", step.Approval, step.Result, outline(run), w.did())
			}
			if got := w.did(); run.State != responder.RunSucceeded || len(got) != 1+warned || got[0] != "SendSlack [HELD BACK] after" {
				t.Errorf("%s%q", outline(run), got)
			}
		})
	}
}

// pairs sends findings about two instances each, and gives the runs.
func (w *world) pairs(instances ...string) (ids []string) {
	for n, instance := range instances {
		f := w.found(n, "UnauthorizedInstanceCreated", instance)
		f.Remediate.Params = map[string]any{"ids": []any{instance, instance + "b"}}
		w.send(f)
		ids = append(ids, f.RunID("f"))
	}
	return ids
}

// TestJudgedAgainWhenItActs: when somebody has said yes it is looked again, however
// soon that was, and the guards are asked anew, as they are then.
func TestJudgedAgainWhenItActs(t *testing.T) {
	w := toApprove(t, "limits: {per_hour: 4}", "")
	seen := w.sees(nil)
	d := w.dispatcher()
	ids := w.pairs("i-1", "i-2")
	w.live(d, time.Minute, 10*time.Second)
	if *seen != 2 {
		t.Fatalf("looked %d times", *seen)
	}
	w.loadToApprove("limits: {per_hour: 2}", "")
	for _, id := range ids {
		run, err := w.runs.Get(t.Context(), id)
		if err != nil || run.State != responder.RunAwaitingApproval {
			t.Fatalf("%v\n%s", err, outline(run))
		}
		w.clock.Advance(time.Minute)
		if err := w.decide(run, answerTo(run, true, slackUser(carol))); err != nil {
			t.Fatal(err)
		}
		w.live(d, time.Minute, 10*time.Second)
	}
	second, err := w.runs.Get(t.Context(), ids[1])
	if err != nil || w.terminate.count() != 1 || second.Steps["0"].Result["guard"] != GuardPerHour || *seen != 4 {
		t.Errorf("%v: terminated %d times, looked %d\n%s", err, w.terminate.count(), *seen, outline(second))
	}
}

// TestChangedWhilePeopleWereAsked: what was taken out of scope between the question and
// the yes, a minute later, is not touched.
func TestChangedWhilePeopleWereAsked(t *testing.T) {
	w := toApprove(t, "scope: {deny: {tags: {responder: hands-off}}}", "")
	tags := map[string]string{}
	w.sees(func(_ int, call responder.Call) (responder.Survey, error) {
		found := instances(call)
		for i := range found.Targets {
			found.Targets[i].Tags = maps.Clone(tags)
		}
		return found, nil
	})
	d := w.dispatcher()
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.live(d, time.Minute, 10*time.Second)
	run := w.get("f")
	if run.State != responder.RunAwaitingApproval {
		t.Fatal(outline(run))
	}
	tags["responder"] = "hands-off"
	if err := w.decide(run, answerTo(run, true, slackUser(carol))); err != nil {
		t.Fatal(err)
	}
	w.live(d, time.Minute, 10*time.Second)
	if run = w.get("f"); w.terminate.count() != 0 || run.Steps["0"].Result["guard"] != GuardScope {
		t.Errorf("terminated %d times\n%s", w.terminate.count(), outline(run))
	}
}

// TestQuestionsAreLimited: people are asked about no more than may be done; the
// others are held back, and nobody is told of them as of questions.
func TestQuestionsAreLimited(t *testing.T) {
	w := toApprove(t, "limits: {per_hour: 4, beyond: halt}", "") // nothing was done yet: nothing is halted
	w.config.Halts = &memory.Halts{}
	w.sees(nil)
	d := w.dispatcher()
	ids := w.pairs("i-1", "i-2", "i-3", "i-4", "i-5")
	w.live(d, time.Minute, 10*time.Second)
	asked, held := 0, 0
	for _, id := range ids {
		run, err := w.runs.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		why, _ := run.Steps["0"].Result["why"].(string)
		switch {
		case run.State == responder.RunAwaitingApproval:
			asked++
		case run.Steps["0"].Result["guard"] == GuardPerHour && strings.Contains(why, "people have been asked about the others"):
			held++
		default:
			t.Errorf("%q\n%s", why, outline(run))
		}
	}
	if told := w.email.count() - len(w.warnings()); asked != 2 || held != 3 || told != 2 {
		t.Errorf("asked %d times, held back %d, told %d", asked, held, told)
	}
}

// TestNoQuestionWithoutGuards: where the guards cannot be asked, nobody is.
func TestNoQuestionWithoutGuards(t *testing.T) {
	w := toApprove(t, "", "")
	w.config.Counters = &brokenBudget{Counters: memory.NewCounters(w.clock.Now), down: true}
	w.send(w.finding("UnauthorizedInstanceCreated"))
	w.live(w.dispatcher(), time.Minute, 10*time.Second)
	if run := w.get("f"); run.Steps["0"].Approval != nil || w.email.count() != 0 || w.terminate.count() != 0 {
		t.Error(outline(run))
	}
}
