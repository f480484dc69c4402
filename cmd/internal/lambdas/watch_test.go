package lambdas

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/memory"
	"github.com/skycrafters/responder/internal/metrics"
)

// TestWatch: a place is dark when two of its canaries are missing; it is logged
// when it turns dark, again every hour, and anew if it was heard in between.
func TestWatch(t *testing.T) {
	now := time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC)
	start := now
	var beats memory.Heartbeats
	var out, log bytes.Buffer
	clock := func() time.Time { return now }
	watch := &Watch{Heartbeats: &beats, Metrics: metrics.New(&out, "responder", clock), Now: clock, Log: zerolog.New(&log)}
	place := func(region string) responder.Place { return responder.Place{Account: "012345670123", Region: region} }
	beat := func(region string) {
		if err := beats.Beat(t.Context(), place(region), now); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		after  time.Duration // of start
		sings  string        // regions, just before the look
		dark   int
		logged string
	}{
		{0, "", 0, ""}, // nobody is known yet
		{0, "eu-west-1 us-east-1", 0, ""},
		{39 * time.Minute, "eu-west-1", 0, ""},
		{40 * time.Minute, "", 1, "us-east-1@12:00"},
		{41 * time.Minute, "", 1, ""},
		{79 * time.Minute, "", 2, "eu-west-1@12:39"},
		{99 * time.Minute, "", 2, ""},
		{100 * time.Minute, "", 2, "us-east-1@12:00"},
		{101 * time.Minute, "us-east-1", 1, ""},
		{138 * time.Minute, "", 1, ""},
		{141 * time.Minute, "", 2, "eu-west-1@12:39 us-east-1@13:41"},
		{142 * time.Minute, "us-east-1 eu-west-1", 0, ""},
	} {
		now = start.Add(step.after)
		for region := range strings.FieldsSeq(step.sings) {
			beat(region)
		}
		out.Reset()
		log.Reset()
		if err := watch.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := watch.Metrics.Flush(); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf(`{"DarkForwarders":%d,"Stack"`, step.dark); !strings.HasPrefix(out.String(), want) || strings.Count(out.String(), "\n") != 1 {
			t.Errorf("after %v it tells %s, want %s", step.after, out.String(), want)
		}
		wanted := strings.Fields(step.logged)
		if strings.Count(log.String(), "\n") != len(wanted) {
			t.Errorf("after %v it logs %s, want %v", step.after, log.String(), wanted)
		}
		for _, w := range wanted {
			region, since, _ := strings.Cut(w, "@")
			if !strings.Contains(log.String(), `"account":"012345670123","region":"`+region+`","since":"2026-03-29T`+since+`:00Z"`) {
				t.Errorf("after %v it does not log %s:\n%s", step.after, w, log.String())
			}
		}
	}
}

// mute are heartbeats that cannot be read.
type mute struct{ responder.Heartbeats }

func (mute) Beats(ctx context.Context) (map[responder.Place]time.Time, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		return nil, errors.New("and would be waited for without end")
	}
	return nil, errors.New("throttled")
}

// TestWatchBlind: what is not known is an error, not told as a number.
func TestWatchBlind(t *testing.T) {
	var out bytes.Buffer
	watch := &Watch{Heartbeats: mute{}, Metrics: metrics.New(&out, "responder", time.Now), Now: time.Now, Log: zerolog.Nop()}
	if err := watch.Look(t.Context()); err == nil || !strings.HasSuffix(err.Error(), "dark: throttled") {
		t.Errorf("it gives the error %v", err)
	}
	if err := watch.Metrics.Flush(); err != nil || out.Len() > 0 {
		t.Errorf("it tells %s, %v", out.String(), err)
	}
}
