package dispatch

import (
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/memory"
)

// TestToldAnew: a question that is asked anew, because a yes does not count any more,
// is told as the first was, with its own text and digest; and its answer is heeded.
func TestToldAnew(t *testing.T) {
	const tell = "tell: [SendSlack: {message: \"{{ question.text }} {{ question.step }}\"}]"
	const step = "{approve: {text: first, by: {slack: [U0CAROL]}, for: 90d}, " + tell + "}"
	const dora = "U0DORA"
	for name, tt := range map[string]struct {
		flow  string
		by    string // who answers all questions
		asked []string
		then  string // happens after the first answer
	}{
		"a step's":                      {"repairs: live, sequential: [" + step + ", wait: 25h, remediate: {}]", carol, []string{"first 0", "A message — EC2TerminateInstances in payments (123412341234), eu-west-1? 2"}, ""},
		"a step's, of a flow that asks": {"repairs: approve, approvers: {slack: [U0DORA]}, sequential: [" + step + ", wait: 25h, remediate: {}]", carol, []string{"first 0", "A message — EC2TerminateInstances in payments (123412341234), eu-west-1? 2"}, ""},
		"nobody's objection":            {"repairs: live, sequential: [" + strings.NewReplacer("approve", "veto", "90d", "1m").Replace(step) + ", wait: 25h, remediate: {}]", "", []string{"first 0", "A message — EC2TerminateInstances in payments (123412341234), eu-west-1? 2"}, ""},
		"a repair's own, cancelled": {"repairs: approve, approvers: {slack: [U0DORA], for: 90d, " + tell + "}, sequential: [remediate: {}]", dora,
			[]string{"A message — EC2TerminateInstances in payments (123412341234), eu-west-1? 0", "A message — EC2TerminateInstances in payments (123412341234), eu-west-1? 0"}, "cancel"},
		"a repair's own, halted for a day": {"repairs: approve, approvers: {slack: [U0DORA], for: 90d, " + tell + "}, sequential: [remediate: {}]", dora,
			[]string{"A message — EC2TerminateInstances in payments (123412341234), eu-west-1? 0", "A message — EC2TerminateInstances in payments (123412341234), eu-west-1? 0"}, "halt"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, askHead+"flows: [{name: asking, rule: UnauthorizedInstanceCreated, "+tt.flow+"}]")
			halts := &memory.Halts{}
			w.config.Halts = halts
			w.send(w.finding("UnauthorizedInstanceCreated"))
			d := w.dispatcher()
			w.live(d, time.Minute, 10*time.Second)
			for n := range tt.asked {
				run := w.get("asking")
				if tt.by != "" {
					if run.State != responder.RunAwaitingApproval {
						t.Fatalf("%d: %s", n, outline(run))
					}
					a := run.Steps[Open(run)[0]].Approval
					if q := w.deeds[len(w.deeds)-1].Call.Question; q == nil || q.Digest != a.Digest || q.Text != a.Text {
						t.Errorf("%d: told %+v, asked %+v", n, q, a)
					}
					if err := w.decide(run, answerTo(run, true, slackUser(tt.by))); err != nil {
						t.Fatal(err)
					}
				}
				if n == 0 && tt.then == "cancel" { // and retry
					if _, err := w.control().Cancel(t.Context(), run.ID, "ann", ""); err != nil {
						t.Fatal(err)
					}
					w.clock.Advance(time.Minute)
					w.retry(run.ID)
				}
				if n == 0 && tt.then == "halt" {
					if err := halts.Halt(t.Context(), responder.Halt{By: "ann", At: w.clock.Now()}); err != nil {
						t.Fatal(err)
					}
				}
				w.live(d, 27*time.Hour, 10*time.Minute)
				if n == 0 && tt.then == "halt" {
					if _, err := halts.Resume(t.Context(), ""); err != nil {
						t.Fatal(err)
					}
					w.retry(run.ID)
					w.live(d, 10*time.Minute, 10*time.Minute)
				}
			}
			run := w.get("asking")
			var told []string
			for _, text := range w.did() {
				if text, ok := strings.CutPrefix(text, "SendSlack "); ok {
					told = append(told, text)
				}
			}
			if strings.Join(told, ", ") != strings.Join(tt.asked, ", ") || run.State != responder.RunSucceeded || w.terminate.count() != 1 {
				t.Errorf("told %q\n%s", told, outline(run))
			}
		})
	}
}

// retry is what ann does.
func (w *world) retry(id string) {
	w.t.Helper()
	if _, err := w.control().Retry(w.t.Context(), id, "ann"); err != nil {
		w.t.Fatal(err)
	}
}

// TestWalkRun leaves out what would be told of a question that a repair does not ask.
func TestWalkRun(t *testing.T) {
	_, _, run := asked(t, askingFlow)
	visited := func() (paths []string) {
		WalkRun(run, func(path string, _ *responder.Step) { paths = append(paths, path) })
		return paths
	}
	if got := strings.Join(visited(), " "); got != "0 0.tell.0 1 2" {
		t.Error(got)
	}
	run.Steps["1"] = &responder.StepState{Approval: &responder.Approval{}}
	if got := strings.Join(visited(), " "); got != "0 0.tell.0 1 1.tell.0 2" {
		t.Error(got)
	}
}
