package lambdas

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/skycrafters/responder/internal/metrics"
)

// TestMeasured: the metrics are told once, however the invocation ends.
func TestMeasured(t *testing.T) {
	fault := errors.New("no")
	for name, c := range map[string]struct {
		end    func() (string, error)
		answer string
		err    error
		panics any
	}{
		"an answer": {func() (string, error) { return "yes", nil }, "yes", nil, nil},
		"an error":  {func() (string, error) { return "", fault }, "", fault, nil},
		"a panic":   {func() (string, error) { panic("oh") }, "", nil, "oh"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, log bytes.Buffer
			recorder := metrics.New(&out, "responder", time.Now)
			h := Measured(func(_ context.Context, rule string) (string, error) {
				recorder.Count(metrics.Findings, rule, 2)
				return c.end()
			}, recorder, zerolog.New(&log), metrics.Events, metrics.RuleErrors)
			func() {
				defer func() {
					if r := recover(); r != c.panics {
						t.Errorf("it panics with %v, want %v", r, c.panics)
					}
				}()
				answer, err := h(t.Context(), "RootLogin")
				if answer != c.answer || err != c.err {
					t.Errorf("it gives %s, %v; want %s, %v", answer, err, c.answer, c.err)
				}
			}()
			lines := strings.SplitAfter(out.String(), "\n")
			if len(lines) != 3 || !strings.HasPrefix(lines[0], `{"Events":0,"RuleErrors":0,`) || !strings.HasPrefix(lines[1], `{"Findings":2,"Rule":"RootLogin",`) {
				t.Errorf("it tells %s", out.String())
			}
			if log.Len() > 0 {
				t.Errorf("it logs %s", log.String())
			}
		})
	}
}

// closed is a stdout that nobody reads.
type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestMeasuredInVain(t *testing.T) {
	var log bytes.Buffer
	recorder := metrics.New(closed{}, "responder", time.Now)
	h := Measured(func(context.Context, int) (string, error) { return "yes", nil }, recorder, zerolog.New(&log), metrics.Events)
	if answer, err := h(t.Context(), 1); err != nil || answer != "yes" {
		t.Errorf("without a stdout it gives %s, %v", answer, err)
	}
	if !strings.Contains(log.String(), "metrics of this invocation are lost") {
		t.Errorf("it logs %q", log.String())
	}
}
