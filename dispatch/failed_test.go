package dispatch

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/skycrafters/responder"
)

// A notice that fails for good lets its run go on; it is told nonetheless, once
// and at warn.
func TestFailedStepIsLogged(t *testing.T) {
	w := newWorld(t, "flows:\n  - rule: RootLogin\n    sequential:\n      - SendSlack: {message: one}\n        retry: {attempts: 2}\n      - SendEmail: {}\n")
	var log bytes.Buffer
	w.config.Logger = zerolog.New(&log).Level(zerolog.WarnLevel)
	w.slack.answer = func(context.Context, int, responder.Call) (responder.Result, error) {
		return nil, &responder.Transient{Err: errors.New("the post is shut")}
	}
	w.send(w.finding("RootLogin"))
	w.live(w.dispatcher(), time.Minute, time.Second)
	run := w.get("RootLogin")
	if run.State != responder.RunSucceeded || run.FailedSteps() != 1 {
		t.Fatal(outline(run))
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 1 {
		t.Fatalf("logged\n%s\nwant one line", log.String())
	}
	for _, want := range []string{`"level":"warn"`, `"flow":"RootLogin"`, `"step":"0"`, `"action":"SendSlack"`, "the post is shut", run.ID} {
		if !strings.Contains(lines[0], want) {
			t.Errorf("logged %s\nwant %s in it", lines[0], want)
		}
	}
}
