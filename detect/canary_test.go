package detect

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/memory"
)

// sung is a canary as EventBridge sends it.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html
const sung = `{"version":"0","id":"53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa","detail-type":"Scheduled Event","source":"aws.events","account":"012345670123","time":"2026-03-29T11:45:00Z","region":"eu-west-1","resources":["arn:aws:events:eu-west-1:012345670123:rule/responder-canary"],"detail":{}}`

var (
	noon    = time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC)
	ireland = responder.Place{Account: "012345670123", Region: "eu-west-1"}
)

// aviary is a detector that hears canaries, with a rule that sees any event.
type aviary struct {
	beats memory.Heartbeats
	box   outbox
	seen  []Outcome
	*Detector
}

func newAviary(t *testing.T) *aviary {
	rules := load(t, "rules.yml", "rules:\n  Any: {when: 'event.source != nil'}\n")
	a := &aviary{}
	a.Detector = &Detector{
		Rules: func() *Rules { return rules }, Findings: &a.box, Logger: zerolog.Nop(), Observe: func(o Outcome) { a.seen = append(a.seen, o) },
		Canary: "responder-canary", Heartbeats: &a.beats, Now: func() time.Time { return noon },
	}
	return a
}

func (a *aviary) handle(t *testing.T, bodies ...string) []responder.Failure {
	t.Helper()
	var deliveries []responder.Delivery
	for i, body := range bodies {
		deliveries = append(deliveries, responder.Delivery{ID: string(rune('1' + i)), Body: []byte(body)})
	}
	return a.Handle(t.Context(), deliveries)
}

// TestCanary: a canary is heard, and is no event for the rules; the others of
// its batch are.
func TestCanary(t *testing.T) {
	a := newAviary(t)
	if failures := a.handle(t, sung, call, strings.ReplaceAll(sung, "arn:aws:", "arn:aws-cn:")); len(failures) > 0 {
		t.Fatal(failures)
	}
	beats, err := a.beats.Beats(t.Context())
	if want := map[responder.Place]time.Time{ireland: noon.Add(-15 * time.Minute)}; err != nil || !maps.Equal(beats, want) {
		t.Errorf("the beats are %v, %v; want %v", beats, err, want)
	}
	if len(a.box.sent) != 1 || len(a.seen) != 3 || !a.seen[0].Canary || a.seen[1].Canary || !a.seen[2].Canary || len(a.seen[0].Findings) > 0 {
		t.Errorf("%d findings, and seen is %+v", len(a.box.sent), a.seen)
	}
}

// TestCanaryTime: a canary that comes late is noted as it sang; none sings ahead.
func TestCanaryTime(t *testing.T) {
	for at, want := range map[string]time.Time{
		"2026-03-29T11:45:00Z": noon.Add(-15 * time.Minute), "2026-03-28T12:00:00Z": noon.Add(-24 * time.Hour), "2099-01-01T00:00:00Z": noon,
	} {
		a := newAviary(t)
		if failures := a.handle(t, strings.Replace(sung, "2026-03-29T11:45:00Z", at, 1)); len(failures) > 0 {
			t.Fatal(failures)
		}
		if beats, err := a.beats.Beats(t.Context()); err != nil || !beats[ireland].Equal(want) {
			t.Errorf("a canary of %s is noted at %v, %v; want %v", at, beats[ireland], err, want)
		}
	}
}

// TestNoCanary: what only resembles a canary is an event like any other.
func TestNoCanary(t *testing.T) {
	for name, change := range map[string][2]string{
		"another rule":              {"rule/responder-canary", "rule/responder-canary-2"},
		"a rule of another bus":     {"rule/responder-canary", "rule/bus/responder-canary"},
		"no rule":                   {`"arn:aws:events:eu-west-1:012345670123:rule/responder-canary"`, ""},
		"two rules":                 {`rule/responder-canary"`, `rule/responder-canary","arn:aws:events:eu-west-1:012345670123:rule/responder-canary"`},
		"not a text":                {`["arn:aws:events:eu-west-1:012345670123:rule/responder-canary"]`, `[7]`},
		"resources that are a text": {`["arn:aws:events:eu-west-1:012345670123:rule/responder-canary"]`, `"arn:aws:events:eu-west-1:012345670123:rule/responder-canary"`},
		"another source":            {`"aws.events"`, `"my.events"`},
		"another type":              {"Scheduled Event", "scheduled event"},
		"another account":           {`"account":"012345670123"`, `"account":"999999999999"`},
		"another region":            {`"region":"eu-west-1"`, `"region":"eu-west-2"`},
		"no region":                 {`"region":"eu-west-1",`, ""},
		"an account that is none":   {"012345670123", "somebody"},
		"a region that is none":     {"eu-west-1", "eu-west-1/../x"},
		"no ARN":                    {"arn:aws:", "aws:"},
		"something in it":           {`"detail":{}`, `"detail":{"awsRegion":"eu-west-1"}`},
		"no detail":                 {`,"detail":{}`, ""},
		"a detail that is none":     {`"detail":{}`, `"detail":null`},
		"no time":                   {`"time":"2026-03-29T11:45:00Z",`, ""},
		"a time that is none":       {"2026-03-29T11:45:00Z", "noon"},
	} {
		a := newAviary(t)
		body := strings.ReplaceAll(sung, change[0], change[1])
		if body == sung {
			t.Fatalf("%s: nothing is changed", name)
		}
		if failures := a.handle(t, body); len(failures) > 0 {
			t.Errorf("%s: %v", name, failures)
		}
		if beats, err := a.beats.Beats(t.Context()); err != nil || len(beats) > 0 || len(a.seen) != 1 || a.seen[0].Canary {
			t.Errorf("%s: heard %v, %v; seen %+v", name, beats, err, a.seen)
		}
		if len(a.box.sent) != 1 {
			t.Errorf("%s: the rules did not look at it", name)
		}
	}
	for name, change := range map[string]func(*Detector){
		"without a name": func(d *Detector) { d.Canary = "" }, "without heartbeats": func(d *Detector) { d.Heartbeats = nil },
	} {
		a := newAviary(t)
		change(a.Detector)
		if failures := a.handle(t, sung); len(failures) > 0 || len(a.box.sent) != 1 {
			t.Errorf("%s: %v, %d findings", name, failures, len(a.box.sent))
		}
	}
}

// deaf are heartbeats that cannot be stored.
type deaf struct{ responder.Heartbeats }

func (deaf) Beat(context.Context, responder.Place, time.Time) error { return errors.New("throttled") }

// TestCanaryNotStored: the canary comes again; the others of its batch do not.
func TestCanaryNotStored(t *testing.T) {
	a := newAviary(t)
	a.Heartbeats = deaf{}
	failures := a.handle(t, call, sung, call)
	if len(failures) != 1 || failures[0].ID != "2" || failures[0].Dead || !strings.Contains(failures[0].Err.Error(), "detect: canary: throttled") {
		t.Errorf("failures are %v, want the canary's", failures)
	}
	if len(a.box.sent) != 2 || len(a.seen) != 2 || a.seen[0].Canary || a.seen[1].Canary {
		t.Errorf("%d findings are sent, seen is %+v", len(a.box.sent), a.seen)
	}
}

// slow heartbeats take a second, as anything may by which time runs out.
type slow struct{ responder.Heartbeats }

func (slow) Beat(context.Context, responder.Place, time.Time) error {
	time.Sleep(time.Second)
	return nil
}

// TestDeadlineMidBatch: when time runs out, what was looked at is handled, and
// only the rest comes again.
func TestDeadlineMidBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAviary(t)
		a.Heartbeats = slow{}
		ctx, cancel := context.WithTimeout(t.Context(), margin+1500*time.Millisecond)
		defer cancel()
		var deliveries []responder.Delivery
		for i, body := range []string{call, sung, call, sung, call, sung} {
			deliveries = append(deliveries, responder.Delivery{ID: string(rune('1' + i)), Body: []byte(body)})
		}
		failures := a.Handle(ctx, deliveries)
		if len(failures) != 2 || failures[0].ID != "5" || failures[1].ID != "6" || failures[0].Dead || !errors.Is(failures[1].Err, context.DeadlineExceeded) {
			t.Errorf("failures are %v, want 5 and 6, to come again", failures)
		}
		if ctx.Err() != nil || len(a.box.sent) != 2 || len(a.seen) != 4 {
			t.Errorf("%v; %d findings sent, %d events seen; want 2 and 4", ctx.Err(), len(a.box.sent), len(a.seen))
		}
	})
}

// TestAnswerLost: a function that is killed gets the whole batch again. What it
// gives then is the same to the byte, so that dispatch knows it.
func TestAnswerLost(t *testing.T) {
	a := newAviary(t)
	other := strings.ReplaceAll(call, "bob", "eve")
	for range 2 {
		if failures := a.handle(t, call, sung, other); len(failures) > 0 { // and nobody hears of it
			t.Fatal(failures)
		}
	}
	if len(a.box.sent) != 4 || string(a.box.sent[0]) != string(a.box.sent[2]) || string(a.box.sent[1]) != string(a.box.sent[3]) {
		t.Errorf("it sends %q", a.box.sent)
	}
	if beats, err := a.beats.Beats(t.Context()); err != nil || len(beats) != 1 {
		t.Errorf("the beats are %v, %v", beats, err)
	}
}

// FuzzCanary: whatever is taken for a canary is at a place.
func FuzzCanary(f *testing.F) {
	f.Add(sung)
	f.Add(strings.Replace(sung, `"detail":{}`, `"detail":[]`, 1))
	f.Add(call)
	f.Fuzz(func(t *testing.T, raw string) {
		event, err := responder.DecodeEvent([]byte(raw))
		if err != nil {
			return
		}
		place, at, ok := canary(event, "responder-canary")
		if ok && (place.Check() != nil || at.IsZero() && !strings.Contains(raw, "0001-01-01") || !strings.Contains(raw, "responder-canary") && !strings.Contains(raw, `\u`)) {
			t.Errorf("a canary of %s at %v: %s", place, at, raw)
		}
	})
}
