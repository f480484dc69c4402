package lang

import (
	"fmt"
	"strings"
	"time"
)

// hours are prepared working hours.
type hours struct {
	zone          *time.Location
	week, weekend *shift
}

// shift is a part of the day, in minutes since midnight.
type shift struct{ from, to int }

// prepareHours reads {zone, week: {from, to}, weekend: {from, to}}; `timeZone`
// is taken for zone, as the original called it.
func prepareHours(value any) (any, error) {
	object, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("working hours are {zone, week, weekend}, not %s", kindOf(value))
	}
	h := &hours{}
	for _, key := range keys(object) {
		var err error
		switch key {
		case "zone", "timeZone":
			var zone any
			if zone, err = prepareZone(object[key]); err == nil {
				h.zone = zone.(*time.Location)
			}
		case "week":
			h.week, err = readShift(key, object[key])
		case "weekend":
			h.weekend, err = readShift(key, object[key])
		default:
			err = fmt.Errorf("unknown key %q of working hours: there are zone, week, weekend", key)
		}
		if err != nil {
			return nil, err
		}
	}
	if h.zone == nil {
		return nil, fmt.Errorf("working hours need a zone, such as \"Europe/Paris\" or \"UTC\"")
	}
	return h, nil
}

func readShift(name string, value any) (*shift, error) {
	if value == nil {
		return nil, nil
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s is {from, to}, not %s", name, kindOf(value))
	}
	var s shift
	for _, part := range []struct {
		key     string
		minutes *int
	}{{"from", &s.from}, {"to", &s.to}} {
		said, given := object[part.key]
		if !given {
			return nil, fmt.Errorf("%s has no %s: write {from: 8:00AM, to: 6:00PM}", name, part.key)
		}
		read, err := readClock(Format(said))
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", name, part.key, err)
		}
		*part.minutes = read
	}
	return &s, nil
}

// readClock reads 8:00AM, 02:00PM, 14:00 and 24:00 as minutes since midnight.
func readClock(text string) (int, error) {
	clean := strings.ToUpper(strings.ReplaceAll(text, " ", ""))
	if clean == "24:00" {
		return 24 * 60, nil
	}
	for _, layout := range []string{"3:04PM", "15:04"} {
		if t, err := time.Parse(layout, clean); err == nil {
			return t.Hour()*60 + t.Minute(), nil
		}
	}
	return 0, fmt.Errorf("%q is no time of day: write 8:00AM or 08:00", text)
}

func workingHours(value, in any) (bool, error) {
	h, ok := in.(*hours)
	if !ok {
		ready, err := prepareHours(in)
		if err != nil {
			return false, err
		}
		h = ready.(*hours)
	}
	t, ok := value.(time.Time)
	return ok && h.Contain(t), nil
}

// Contain reports whether a time is in the working hours.
func (h *hours) Contain(t time.Time) bool {
	t = t.In(h.zone)
	s := h.week
	if IsWeekend(t) {
		s = h.weekend
	}
	if s == nil {
		return true
	}
	minute := t.Hour()*60 + t.Minute()
	if s.from <= s.to {
		return s.from <= minute && minute < s.to
	}
	return minute >= s.from || minute < s.to // over midnight
}

// IsWeekend is `weekend` of a time in its zone.
func IsWeekend(t time.Time) bool {
	return t.Weekday() == time.Saturday || t.Weekday() == time.Sunday
}
