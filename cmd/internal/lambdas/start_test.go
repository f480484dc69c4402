package lambdas

import (
	"bytes"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/skycrafters/responder/internal/lang"
)

func TestNewLog(t *testing.T) {
	for level, want := range map[string]string{"": "info", "debug": "debug", "WARN": "warn", "error": "error"} {
		log, err := newLog(&bytes.Buffer{}, "detect", "1", level)
		if err != nil || log.GetLevel().String() != want {
			t.Errorf("level %q gives %v, %v; want %s", level, log.GetLevel(), err, want)
		}
	}
	var out bytes.Buffer
	log, err := newLog(&out, "detect", "1.2", "loud")
	if err == nil {
		t.Error(`level "loud" is taken`)
	}
	log.Error().Err(err).Msg("x")
	for _, want := range []string{`"function":"detect"`, `"version":"1.2"`, "LOG_LEVEL"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the log lacks %s: %s", want, out.String())
		}
	}
}

// TestUncollected: the collector rests up to half of the memory, and is afterwards
// as it was.
func TestUncollected(t *testing.T) {
	state := func() (percent int, limit int64) {
		percent = debug.SetGCPercent(100)
		debug.SetGCPercent(percent)
		return percent, debug.SetMemoryLimit(-1)
	}
	percent, limit := state()
	for memory, want := range map[string]int64{"": limit, "none": limit, "-1": limit, "512": 256 << 20} {
		restored := uncollected(memory)
		off, most := state()
		restored()
		if most != want || (off == -1) != (want != limit) {
			t.Errorf("with %q MB: %d percent, a limit of %d, want %d", memory, off, most, want)
		}
		if p, l := state(); p != percent || l != limit {
			t.Errorf("afterwards: %d percent, a limit of %d; before: %d, %d", p, l, percent, limit)
		}
	}
}

func TestVariables(t *testing.T) {
	env := map[string]string{"A": "1"}
	v := Host{Getenv: func(name string) string { return env[name] }}.Variables()
	if got := v.Get("A"); got != "1" || v.Err() != nil {
		t.Errorf("A is %q, %v", got, v.Err())
	}
	v.Get("B")
	v.Get("C")
	if err := v.Err(); err == nil || !strings.Contains(err.Error(), "B, C") {
		t.Errorf("Err is %v, want it to name B and C", err)
	}
}

func TestTell(t *testing.T) {
	var out bytes.Buffer
	host := Host{Log: zerolog.New(&out)}
	warning := lang.Problem{File: "rules.yml", Line: 3, Column: 7, Warning: true, Message: "doubtful", Hint: "look"}
	if err := host.Tell(lang.Problems{warning}); err != nil {
		t.Errorf("a warning ends the function: %v", err)
	}
	if want := `{"level":"warn","file":"rules.yml","line":3,"column":7,"hint":"look","message":"doubtful"}` + "\n"; out.String() != want {
		t.Errorf("the log is %s, want %s", out.String(), want)
	}
	if err := host.Tell(lang.Problems{warning, {Message: "wrong"}, {Message: "wrong, too"}}); err == nil || !strings.Contains(err.Error(), "2 errors") {
		t.Errorf("Tell gives %v, want 2 errors", err)
	}
}
