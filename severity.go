package responder

import (
	"fmt"
	"strings"
)

// Severity says how much a finding matters. Severities are ordered:
// INFO < LOW < MEDIUM < HIGH < VERY_HIGH < EXTREME. The zero value is none.
type Severity int

// The severities, least first.
const (
	Info Severity = iota + 1
	Low
	Medium
	High
	VeryHigh
	Extreme
)

var severityNames = [...]string{"", "INFO", "LOW", "MEDIUM", "HIGH", "VERY_HIGH", "EXTREME"}

// Severities lists every severity, least first.
func Severities() []Severity { return []Severity{Info, Low, Medium, High, VeryHigh, Extreme} }

// ParseSeverity reads a severity as rules write it, e.g. "VERY_HIGH".
func ParseSeverity(text string) (Severity, error) {
	for i, name := range severityNames {
		if i > 0 && name == text {
			return Severity(i), nil
		}
	}
	return 0, fmt.Errorf("unknown severity %q: use one of %s", text, strings.Join(severityNames[1:], ", "))
}

// String gives the name as rules write it, "" for the zero value.
func (s Severity) String() string {
	if s < 0 || int(s) >= len(severityNames) {
		return fmt.Sprintf("Severity(%d)", int(s))
	}
	return severityNames[s]
}

// Title gives the name as people read it: "Very High".
func (s Severity) Title() string {
	words := strings.Split(strings.ToLower(s.String()), "_")
	for i, w := range words {
		if w != "" {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, " ")
}

// MarshalText implements encoding.TextMarshaler.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler; "" is the zero value.
func (s *Severity) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*s = 0
		return nil
	}
	parsed, err := ParseSeverity(string(text))
	if err != nil {
		return err
	}
	*s = parsed
	return nil
}
