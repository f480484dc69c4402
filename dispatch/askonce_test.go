package dispatch

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

// TestDecidedOnce: the first decision counts.
func TestDecidedOnce(t *testing.T) {
	w, d, run := asked(t, askingFlow)
	yes := answerTo(run, true, slackUser(carol))
	no := yes
	no.Yes = false
	other := yes
	other.Who = responder.Identity{Kind: responder.IdentityCLI, ID: "ann"}
	for range 2 { // two clicks
		if err := w.decide(run, yes); err != nil {
			t.Fatal(err)
		}
	}
	for name, a := range map[string]responder.Answer{"another mind": no, "another person": other} {
		err := w.decide(run, a)
		if !isRefused(err) || !strings.Contains(err.Error(), "approved by U0CAROL") {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.live(d, 2*time.Minute, time.Minute)
	if err := w.decide(run, yes); err != nil || w.terminate.count() != 1 || len(w.get("asking").Audit) != 1 {
		t.Errorf("a click after the end: %v; %d terminations", err, w.terminate.count())
	}
}

// TestDecisionsRace: of many who approve and deny at once one is heard.
func TestDecisionsRace(t *testing.T) {
	for range 20 {
		w, d, run := asked(t, askingFlow)
		errs := make([]error, 8)
		var wg sync.WaitGroup
		for i := range errs {
			a := answerTo(run, i%2 == 0, responder.Identity{Kind: responder.IdentityCLI, ID: fmt.Sprint("ann", i)})
			wg.Go(func() { errs[i] = w.decide(run, a) })
		}
		wg.Wait()
		heard := -1
		for i, err := range errs {
			if err == nil && heard >= 0 || err != nil && !isRefused(err) {
				t.Errorf("%d: %v", i, err)
			}
			if err == nil {
				heard = i
			}
		}
		w.live(d, 2*time.Minute, time.Minute)
		if done := w.terminate.count() == 1; heard < 0 || done != (heard%2 == 0) {
			t.Errorf("heard %d, done %v", heard, done)
		}
	}
}

// TestRefusedAnswers: what cannot be answered any more, or was not asked.
func TestRefusedAnswers(t *testing.T) {
	w, d, run := asked(t, askingFlow)
	yes := answerTo(run, true, slackUser(carol))
	refused := func(name, want string, a responder.Answer) {
		t.Helper()
		if err := w.decide(run, a); !isRefused(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	changed, none, elsewhere, nowhere := yes, yes, yes, yes
	changed.Digest, none.Digest = strings.Repeat("0", 64), ""
	elsewhere.Step, nowhere.Step = "1", "7.then.x"
	refused("a changed step", "not what was shown", changed)
	refused("no digest", "not what was shown", none)
	refused("a step that asks nothing", "asks nothing", elsewhere)
	refused("no step", "asks nothing", nowhere)

	if _, err := w.control().Cancel(context.Background(), run.ID, "ann", ""); err != nil {
		t.Fatal(err)
	}
	refused("after cancel", "cancelled", yes)
	w.live(d, time.Hour, time.Minute)

	w, d, run = asked(t, askingFlow)
	w.clock.Advance(30 * time.Minute)
	refused("after the time, and before any worker has noticed", "too late", answerTo(run, true, slackUser(carol)))
	w.live(d, 2*time.Minute, time.Minute)
	refused("after timeout", "nobody approved it", answerTo(run, true, slackUser(carol)))
	if w.terminate.count() > 0 {
		t.Error("terminated")
	}
}

// TestLongQuestion: a question may stand for 90 days, and not longer.
func TestLongQuestion(t *testing.T) {
	w, d, run := asked(t, strings.Replace(askingFlow, "for: 30m", "for: 90d", 1))
	w.live(d, 90*24*time.Hour-time.Hour, 12*time.Hour)
	if err := w.decide(run, answerTo(run, true, slackUser(carol))); err != nil {
		t.Error(err)
	}
	w, d, run = asked(t, strings.Replace(askingFlow, "for: 30m", "for: 90d", 1))
	w.live(d, 91*24*time.Hour, 12*time.Hour)
	if err := w.decide(run, answerTo(run, true, slackUser(carol))); !isRefused(err) || w.get("asking").State != responder.RunStopped {
		t.Errorf("%v\n%s", err, outline(w.get("asking")))
	}
}

// TestOldYes: what was decided more than a day ago, or before somebody cancelled the
// run, does not count: the same people are asked anew, about the repair itself.
func TestOldYes(t *testing.T) {
	waiting := func(flow, wait string) string {
		return strings.Replace(flow, "- remediate", "- wait: "+wait+"\n      - remediate", 1)
	}
	cancelled := func(w *world, run *responder.Run) {
		if _, err := w.control().Cancel(t.Context(), run.ID, "carol", "changed my mind"); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(time.Minute)
		if _, err := w.control().Retry(t.Context(), run.ID, "bob"); err != nil {
			t.Fatal(err)
		}
	}
	veto := strings.NewReplacer("approve:\n", "veto:\n").Replace(askingFlow)
	both := strings.Replace(askingFlow, "- remediate", "- veto: {text: objections, by: {slack: [U0CAROL]}, for: 1m}\n      - remediate", 1)
	for name, tt := range map[string]struct {
		flow   string
		then   func(w *world, run *responder.Run)
		asked  bool // anew
		veto   bool
		failed bool
	}{
		"on the same day":                 {waiting(askingFlow, "23h"), nil, false, false, false},
		"the day after":                   {waiting(askingFlow, "25h"), nil, true, false, false},
		"cancelled and retried":           {waiting(askingFlow, "1h"), cancelled, true, false, false},
		"nobody objected, the day before": {waiting(veto, "25h"), nil, true, true, false},
		"repairs to approve":              {strings.Replace(waiting(askingFlow, "25h"), "repairs: live", "repairs: approve", 1), nil, true, false, false},
		"several questions":               {waiting(both, "25h"), nil, false, false, true},
	} {
		w, d, run := asked(t, tt.flow)
		if a := run.Steps["0"].Approval; !a.Veto {
			if err := w.decide(run, answerTo(run, true, slackUser(carol))); err != nil {
				t.Fatal(err)
			}
		}
		w.live(d, 35*time.Minute, time.Minute)
		if tt.then != nil {
			tt.then(w, w.get("asking"))
		}
		w.live(d, 26*time.Hour, 10*time.Minute)
		run = w.get("asking")
		var again *responder.Approval
		for path, state := range run.Steps {
			if path != "0" && state.Kind == responder.Repair {
				again = state.Approval
			}
		}
		if (again != nil) != tt.asked || (run.State == responder.RunFailed) != tt.failed || again != nil && again.Veto != tt.veto {
			t.Errorf("%s: asked anew %+v\n%s", name, again, outline(run))
		}
		if tt.asked && again != nil && !tt.veto && (w.terminate.count() != 0 || mustJSON(t, again.By) != mustJSON(t, run.Steps["0"].Approval.By)) {
			t.Errorf("%s: terminated %d times, asks %+v", name, w.terminate.count(), again.By)
		}
		if done := w.terminate.count() == 1; done != (tt.veto || !tt.asked && !tt.failed) {
			t.Errorf("%s: done %v\n%s", name, done, outline(run))
		}
	}
	// Who is asked anew, and says yes, is heeded.
	w, d, run := asked(t, waiting(askingFlow, "25h"))
	for range 2 {
		if err := w.decide(run, answerTo(run, true, slackUser(carol))); err != nil {
			t.Fatal(err)
		}
		w.live(d, 25*time.Hour+5*time.Minute, 5*time.Minute)
		run = w.get("asking")
	}
	if run.State != responder.RunSucceeded || w.terminate.count() != 1 {
		t.Error(outline(run))
	}
}
