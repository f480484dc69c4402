package dispatch

import (
	"fmt"
	"slices"
	"time"

	"github.com/skycrafters/responder"
)

// clockForm is how a time of day is written.
const clockForm = "15:04"

// zone loads a time zone by its name in the IANA database.
func zone(name string) (*time.Location, error) {
	where, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" { // the two that mean the machine's own
		return nil, fmt.Errorf("unknown time zone %q: use a name such as Europe/Paris, or UTC", name)
	}
	return where, nil
}

// nextTime gives the next moment after now that a time of day means. Each day
// has one such moment: the first at which the clock shows that time, or has
// jumped over it. So where clocks are set back and a time comes twice, the first
// counts; where they are set forward and a time does not come, the moment of the
// jump does; a day that a zone leaves out is left out. It is pure.
func nextTime(u responder.Until, now time.Time) (time.Time, error) {
	where, err := zone(u.Zone)
	if err != nil {
		return time.Time{}, err
	}
	clock, err := time.Parse(clockForm, u.Clock)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no time of day", u.Clock)
	}
	year, month, today := now.In(where).Date()
	const enough = 3 * 7 // a weekday comes once a week, unless clocks or a zone skip it
	for day := today; day <= today+enough; day++ {
		midnight := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
		if !onDay(u.Days, midnight.Weekday()) || !exists(midnight, where) {
			continue
		}
		wall := time.Date(year, month, day, clock.Hour(), clock.Minute(), 0, 0, time.UTC)
		if at := firstAt(wall, where); at.After(now) {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("there is no %s in sight", u)
}

// onDay reports whether a day of the week is among some, or they are none.
func onDay(days []string, day time.Weekday) bool {
	return len(days) == 0 || slices.Contains(days, responder.Weekdays()[(day+6)%7])
}

// exists reports whether a zone has a day, given as its midnight in UTC.
func exists(midnight time.Time, where *time.Location) bool {
	year, month, day := firstAt(midnight, where).Date()
	return midnight.Equal(time.Date(year, month, day, 0, 0, 0, 0, time.UTC))
}

// firstAt gives the first moment at which clocks in a zone show a wall's time,
// given as if in UTC, or a later one.
func firstAt(wall time.Time, where *time.Location) time.Time {
	for t := wall.Add(-24 * time.Hour).In(where); ; { // clocks show less there, wherever it is
		_, offset := t.Zone()
		at := wall.Add(-time.Duration(offset) * time.Second).In(where)
		if at.Before(t) {
			return t // they have jumped over it
		}
		_, end := t.ZoneBounds()
		if end.IsZero() || at.Before(end) {
			return at
		}
		t = end
	}
}
