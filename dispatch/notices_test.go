package dispatch

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/memory"
)

const noticesFlow = `
flows:
  - name: f
    rules: ["*"]
    limits: {notices: 2/1h}
    sequential:
      - SendSlack: {message: "{{ meta.n }} <{{ req.userName }}>"}
`

// told lists what notices said, with what they say they stand for.
func (w *world) told() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var texts []string
	for _, d := range w.deeds {
		text := d.Text
		if d.Call.Left != nil {
			text += " | " + d.Call.Left.Text
		}
		texts = append(texts, text)
	}
	return texts
}

// foundAll has a dispatcher handle so many findings, an event each.
func (w *world) foundAll(d *Dispatcher, from, to int) {
	w.t.Helper()
	for n := from; n <= to; n++ {
		w.send(w.found(n, "RootLogin", fmt.Sprintf("i-%d", n)))
		w.turn(d)
	}
}

// TestNoticesLimit: so many are sent in an hour of the clock; the first beyond
// them is sent at its end, as it was rendered, and says how many more there were;
// their runs go on at once.
func TestNoticesLimit(t *testing.T) {
	w := coolWorld(t, noticesFlow)
	var reports []HeldReport
	w.config.Held = func(r HeldReport) { reports = append(reports, r) }
	d := w.dispatcher()
	w.foundAll(d, 1, 5)
	first := []string{"1 <mallory&lt;x>>", "2 <mallory&lt;x>>"}
	if got := w.told(); !slices.Equal(got, first) {
		t.Fatalf("at once: %q", got)
	}
	if got := fmt.Sprint(w.states()); got != "map[succeeded:5 waiting:1]" {
		t.Error(got)
	}
	win := windowAt("f", laneUsual, responder.Rate{N: 2, Per: time.Hour}, w.clock.Now())
	for n := 3; n <= 5; n++ {
		run, err := w.runs.Get(context.Background(), w.found(n, "RootLogin", "").RunID("f"))
		if err != nil {
			t.Fatal(err)
		}
		s := run.Steps["0"]
		if s.State != responder.StepSkipped || s.Result[guardKey] != GuardNotices || s.Result["would"] != "SendSlack" ||
			s.Result["why"] != "the flow sends 2/1h notices; run "+win.run()+" tells at 2026-03-14T10:00:00Z how many there were" {
			t.Errorf("finding %d: %s %v", n, s.State, s.Result)
		}
	}
	if want := (HeldReport{Flow: "f", Action: "SendSlack", Guard: GuardNotices}); len(reports) != 3 || reports[0] != want {
		t.Errorf("reported: %v", reports)
	}
	w.live(d, 33*time.Minute, time.Second)
	if got := w.told(); !slices.Equal(got, first) {
		t.Fatalf("before the hour is over: %q", got)
	}
	w.live(d, 2*time.Minute, time.Second)
	digest := "3 <mallory&lt;x>> | and 2 more from 2026-03-14 09:00 to 10:00 UTC, beyond 2/1h: responder runs list --flow f --since 2026-03-14T09:00:00Z"
	if got := w.told()[2:]; !slices.Equal(got, []string{digest}) {
		t.Fatalf("at the end of the hour: %q", got)
	}
	if late := w.deeds[2].At.Sub(win.until); late < 0 || late > time.Minute {
		t.Errorf("%v late", late)
	}
	w.foundAll(d, 6, 8)
	if got := w.told()[3:]; len(got) != 2 {
		t.Errorf("in a new hour: %q", got)
	}
	if run, err := w.runs.Get(context.Background(), win.run()); err != nil || run.State != responder.RunSucceeded || run.Gathers.Run != w.found(3, "RootLogin", "").RunID("f") {
		t.Errorf("%+v, %v", run, err)
	}
}

// TestNoticesDigestAlone: one that was put off is sent, also where no other was.
func TestNoticesDigestAlone(t *testing.T) {
	w := coolWorld(t, noticesFlow)
	d := w.dispatcher()
	w.foundAll(d, 1, 3)
	w.live(d, time.Hour, time.Second)
	if got := w.told(); len(got) != 3 || got[2] != "3 <mallory&lt;x>> | put off: it was the first from 2026-03-14 09:00 to 10:00 UTC, beyond 2/1h" {
		t.Errorf("%q", got)
	}
}

// TestNoticesNeverHoldRepairs: a repair behind a notice that is left out is done
// at once, and what tells of it is sent, whatever was sent before.
func TestNoticesNeverHoldRepairs(t *testing.T) {
	w := coolWorld(t, `
flows:
  - name: f
    rules: ["*"]
    repairs: live
    limits: {notices: 1/1h}
    sequential:
      - SendSlack: {message: "found {{ meta.n }}"}
      - remediate: {}
      - SendSlack: {message: "repaired {{ meta.n }}"}
`)
	w.foundAll(w.dispatcher(), 1, 3)
	if got, want := w.did(), []string{"SendSlack found 1", "EC2TerminateInstances", "SendSlack repaired 1", "EC2TerminateInstances", "SendSlack repaired 2", "EC2TerminateInstances", "SendSlack repaired 3"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// TestNoticesLanes: what says that a repair was not done has the limit for itself.
// A repair that was tried, and failed, is always told.
func TestNoticesLanes(t *testing.T) {
	const flow = `
flows:
  - name: f
    rules: ["*"]
    repairs: live
    limits: {notices: 1/1h, per_hour: HOUR, again: 100}
    sequential:
      - SendSlack: {message: "found {{ meta.n }}"}
      - remediate: {}
        on_error: [SendSlack: {message: "not repaired {{ meta.n }}"}]
      - SendSlack: {message: "after {{ meta.n }}"}
`
	held := coolWorld(t, strings.Replace(flow, "HOUR", "1", 1))
	d := held.dispatcher()
	held.foundAll(d, 1, 4)
	if got, want := held.did(), []string{"SendSlack found 1", "EC2TerminateInstances", "SendSlack after 1", "SendSlack [HELD BACK] after 2", "SendSlack [REPAIRS STOPPED]"}; !slices.Equal(got, want) {
		t.Errorf("held back: %q", got)
	}
	held.live(d, time.Hour, 10*time.Second)
	told := held.told()[5:]
	slices.Sort(told)
	if len(told) != 2 || !strings.HasPrefix(told[0], "[HELD BACK] after 3 | and 1 more") || !strings.HasPrefix(told[1], "found 2 | and 2 more") {
		t.Errorf("together: %q", told)
	}

	failed := coolWorld(t, strings.Replace(flow, "HOUR", "9", 1))
	failed.terminate.answer = func(context.Context, int, responder.Call) (responder.Result, error) {
		return nil, &responder.Permanent{Err: errors.New("denied")}
	}
	failed.foundAll(failed.dispatcher(), 1, 2)
	if got := strings.Join(failed.told(), "; "); got != "found 1; ; not repaired 1; after 1; ; not repaired 2; after 2" {
		t.Errorf("failed: %q", got)
	}

	unseen := coolWorld(t, strings.Replace(flow, "HOUR", "9", 1))
	unseen.sees(func(int, responder.Call) (responder.Survey, error) {
		return responder.Survey{}, &responder.Permanent{Err: errors.New("denied")}
	})
	unseen.foundAll(unseen.dispatcher(), 1, 3)
	if got := strings.Join(unseen.told(), "; "); got != "found 1; not repaired 1" {
		t.Errorf("never tried: %q", got)
	}
}

// closing is a notice that closes something.
type closingNotice struct{ *fake }

func (closingNotice) Closes(call responder.Call) bool { return call.Params["subject"] == "resolve" }

// TestNoticesAlways: questions, and what closes elsewhere what was opened there,
// are not counted and not left out; nor does anything dry use up a place.
func TestNoticesAlways(t *testing.T) {
	const flow = `
flows:
  - name: f
    rules: ["*"]
    repairs: approve
    limits: {notices: 1/1h}
    sequential:
      - SendEmail: {subject: resolve}
      - SendSlack: {message: "found {{ meta.n }}"}
      - approve: {text: "shall I?", by: {cli: true}, for: 30m}
        tell: [SendSlack: {message: "asked {{ meta.n }}"}]
      - remediate: {}
`
	w := coolWorld(t, flow)
	w.catalogue["SendEmail"] = closingNotice{w.email}
	d := w.dispatcher()
	w.foundAll(d, 1, 2)
	if got := strings.Join(w.told(), "; "); got != "resolve; found 1; asked 1; resolve; asked 2" {
		t.Errorf("%q", got)
	}
	dry := coolWorld(t, flow)
	dry.config.Mode = responder.ModeDry
	dry.foundAll(dry.dispatcher(), 1, 3)
	if got := fmt.Sprint(dry.told(), dry.states()); got != "[] map[succeeded:3]" {
		t.Errorf("dry: %s", got)
	}
}

// TestNoticesCountedOnce: a notice that is tried again, in another hour too, takes
// one place.
func TestNoticesCountedOnce(t *testing.T) {
	w := coolWorld(t, strings.Replace(noticesFlow, " <{{ req.userName }}>\"}", "\"}\n        retry: {attempts: 5, backoff: 20m, cap: 20m}", 1))
	w.slack.answer = func(_ context.Context, n int, call responder.Call) (responder.Result, error) {
		if w.clock.Now().Hour() < 10 && call.Left == nil {
			return nil, &responder.Transient{Err: errors.New("not now")}
		}
		return nil, nil
	}
	d := w.dispatcher()
	w.foundAll(d, 1, 2)
	w.live(d, 34*time.Minute, time.Second) // past 10:00
	w.foundAll(d, 3, 5)
	w.live(d, 10*time.Minute, time.Second)
	var sent []string
	for _, d := range w.deeds {
		if d.Action == "SendSlack" {
			sent = append(sent, strings.TrimSpace(d.Text))
		}
	}
	slices.Sort(sent)
	if !slices.Equal(sent, []string{"1", "2", "3", "4"}) {
		t.Errorf("%q", sent)
	}
}

// TestNoticesUnasked: where nobody can count, a notice waits; nothing else is lost.
func TestNoticesUnasked(t *testing.T) {
	w := coolWorld(t, noticesFlow)
	counters := &brokenCounters{Counters: memory.NewCounters(w.clock.Now), broken: true}
	w.config.Counters = counters
	d := w.dispatcher()
	w.foundAll(d, 1, 1)
	if got := w.told(); len(got) != 0 {
		t.Fatalf("sent uncounted: %q", got)
	}
	counters.broken = false
	w.live(d, 10*time.Minute, time.Second)
	if got := w.told(); len(got) != 1 {
		t.Errorf("%q\n%s", got, outline(w.get("f")))
	}
}

type brokenCounters struct {
	*memory.Counters
	broken bool
}

func (c *brokenCounters) Add(ctx context.Context, key, member string, limit int, expires time.Time) (int, bool, error) {
	if c.broken {
		return 0, false, errors.New("throttled")
	}
	return c.Counters.Add(ctx, key, member, limit, expires)
}

// TestNoticesTooLarge: a notice too large to be kept beside its run is told as its
// finding says it.
func TestNoticesTooLarge(t *testing.T) {
	w := coolWorld(t, strings.Replace(noticesFlow, "{{ meta.n }} <{{ req.userName }}>", "{{ meta.noise }}", 1))
	noise := make([]byte, 120_000)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	d := w.dispatcher()
	for n := 1; n <= 4; n++ {
		f := w.found(n, "RootLogin", "i-1")
		f.Meta["noise"] = base64.StdEncoding.EncodeToString(noise)
		w.send(f)
		w.turn(d)
	}
	w.live(d, time.Hour, 10*time.Second)
	if got := w.told(); len(got) != 3 || !strings.HasPrefix(got[2], " | and 1 more") {
		t.Errorf("%d: %.100q", len(got), got)
	}
}

// TestNoticesDigestRetried: one that was cancelled and is retried still waits for its
// window's end, whoever rings for it, and tells of all that was left out by then.
func TestNoticesDigestRetried(t *testing.T) {
	w := coolWorld(t, noticesFlow)
	d := w.dispatcher()
	w.foundAll(d, 1, 4)
	win := windowAt("f", laneUsual, responder.Rate{N: 2, Per: time.Hour}, w.clock.Now())
	if _, err := w.control().Cancel(t.Context(), win.run(), "ann", ""); err != nil {
		t.Fatal(err)
	}
	run, err := w.control().Retry(t.Context(), win.run(), "ann")
	if err != nil || !run.Due.Equal(win.until) {
		t.Fatalf("%+v, %v", run, err)
	}
	if body, err := (responder.Bell{Wake: win.run()}).Encode(); err != nil || w.queue.Send(t.Context(), responder.Message{Body: body}) != nil {
		t.Fatal(err)
	}
	w.foundAll(d, 5, 6)
	if got := w.told(); len(got) != 2 {
		t.Fatalf("early: %q", got)
	}
	w.live(d, time.Hour, time.Second)
	if got := w.told(); len(got) != 3 || !strings.HasPrefix(got[2], "3 <mallory&lt;x>> | and 3 more") || w.deeds[2].At.Before(win.until) {
		t.Errorf("%q", got)
	}
}

// TestNoticesTemplate: what was rendered before it was put off is not rendered
// again: an event can write {{ }}, too.
func TestNoticesTemplate(t *testing.T) {
	w := coolWorld(t, strings.Replace(noticesFlow, `message: "{{ meta.n }} <{{ req.userName }}>"`, "template: aws-event", 1))
	d := w.dispatcher()
	for n := 1; n <= 3; n++ {
		f := w.found(n, "RootLogin", "i-1")
		f.Title = fmt.Sprint(n, " {{ account.env }} {{")
		w.send(f)
		w.turn(d)
	}
	digest := windowAt("f", laneUsual, responder.Rate{N: 2, Per: time.Hour}, w.clock.Now()).run()
	if _, err := w.control().Cancel(context.Background(), digest, "ann", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := w.control().Retry(context.Background(), digest, "ann"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.control().Again(context.Background(), digest, "ann"); !isRefused(err) {
		t.Errorf("again: %v", err)
	}
	w.live(d, time.Hour, 10*time.Second)
	if len(w.deeds) != 3 {
		t.Fatalf("%q\n%v", w.told(), w.states())
	}
	for n, d := range w.deeds {
		if got := mustJSON(t, d.Call.Body); !strings.Contains(got, fmt.Sprintf(`"text":"%d {{ account.env }} {{"`, n+1)) {
			t.Errorf("%d: %s", n+1, got)
		}
	}
}

// TestNoticesCrash kills the worker at every point, and lets another go on, in the
// same hour or the next: what is sent stays within the limit (one that an hour
// has let through is not counted in the next), and whatever is left out is told of.
func TestNoticesCrash(t *testing.T) {
	for _, later := range []time.Duration{0, 40 * time.Minute} {
		for k := 1; ; k++ {
			w := coolWorld(t, noticesFlow)
			w.killAt = k
			for n := 1; n <= 4; n++ {
				w.send(w.found(n, "RootLogin", "i"))
			}
			w.live(w.dispatcher(), 20*time.Second, 5*time.Second)
			died := w.isDead()
			w.killAt, w.dead = 0, make(chan struct{})
			w.clock.Advance(later)
			w.live(w.dispatcher(), 2*time.Hour, 5*time.Second)
			sent := map[string]bool{}
			for _, d := range w.deeds {
				if d.Call.Left == nil {
					sent[d.Text] = true
				}
			}
			if later == 0 && len(sent) > 2 {
				t.Errorf("killed at %d: %d were sent", k, len(sent))
			}
			page, err := w.runs.List(context.Background(), responder.RunQuery{Max: 100})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Runs {
				if r.State != responder.RunSucceeded {
					t.Errorf("killed at %d: run %s is %s", k, r.ID, r.State)
				}
			}
			for n := 1; n <= 4; n++ {
				run, err := w.runs.Get(context.Background(), w.found(n, "RootLogin", "").RunID("f"))
				if err != nil {
					t.Fatalf("killed at %d: %v", k, err)
				}
				if s := run.Steps["0"]; s.State == responder.StepSkipped && !slices.ContainsFunc(w.deeds, func(d deed) bool { return d.Call.Left != nil }) {
					t.Errorf("killed at %d: finding %d is left out, and nobody tells", k, n)
				}
			}
			if !died {
				if k < 16 {
					t.Errorf("only %d points", k)
				}
				break
			}
		}
	}
}
