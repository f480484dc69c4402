package dispatch

import (
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/lang"
)

const untilExample = `wait: {until: "08:00", zone: Europe/Paris, days: mon-fri}`

var clockText = regexp.MustCompile(`^([01]?[0-9]|2[0-3]):[0-5][0-9]$`)

// until compiles `wait: {until: "08:00", zone: Europe/Paris, days: mon-fri}`.
func (s *stepper) until(f field) *responder.Until {
	fields, _ := s.mapping(f.file, f.value, untilExample)
	u := &responder.Until{}
	for _, part := range fields {
		switch part.name() {
		case "until":
			u.Clock = s.clock(part)
		case "zone":
			u.Zone = s.zone(part)
		case "days":
			u.Days = s.days(part)
		default:
			s.unknownKey(part, []string{"until", "zone", "days"}, nil)
		}
	}
	for _, key := range []string{"until", "zone"} {
		if !slices.ContainsFunc(fields, func(part field) bool { return part.name() == key }) {
			s.errorAt(f.file, f.value, untilExample, "a wait until a time of day needs %s", key)
		}
	}
	return u
}

func (s *stepper) clock(f field) string {
	if f.value.Kind != yaml.ScalarNode || !clockText.MatchString(f.value.Value) {
		s.errorAt(f.file, f.value, "from 00:00 to 23:59", "until is a time of day: write \"08:00\" or \"17:30\"")
		return ""
	}
	return strings.Repeat("0", len(clockForm)-len(f.value.Value)) + f.value.Value
}

func (s *stepper) zone(f field) string {
	_, err := zone(f.value.Value)
	switch {
	case f.value.Kind != yaml.ScalarNode:
		s.errorAt(f.file, f.value, "zone: Europe/Paris", "zone must be a text")
	case err != nil:
		s.errorAt(f.file, f.value, "", "%v", err)
	}
	return f.value.Value
}

// days reads days and spans of days: mon, [mon, thu], fri-mon.
func (s *stepper) days(f field) []string {
	known := responder.Weekdays()
	meant := map[string]bool{}
	for _, node := range s.texts(f) {
		from, to, span := strings.Cut(node.Value, "-")
		first, last := slices.Index(known, from), slices.Index(known, to)
		if !span {
			last = first
		}
		if first < 0 || last < 0 {
			s.errorAt(f.file, node, lang.Suggest(node.Value, known), "days are %s, or a span such as mon-fri", strings.Join(known, ", "))
			continue
		}
		for day := first; ; day = (day + 1) % len(known) {
			meant[known[day]] = true
			if day == last {
				break
			}
		}
	}
	return slices.DeleteFunc(known, func(day string) bool { return !meant[day] })
}
