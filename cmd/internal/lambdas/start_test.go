package lambdas

import (
	"bytes"
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
