package dispatch

import (
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

func at(t testing.TB, text string) time.Time {
	t.Helper()
	moment, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return moment
}

// TestNextTime: what a time of day means, where clocks run on and where they jump.
func TestNextTime(t *testing.T) {
	workdays := []string{"mon", "tue", "wed", "thu", "fri"}
	for _, tt := range []struct {
		name, clock, zone string
		days              []string
		now, want         string
	}{
		{"later today", "08:00", "UTC", nil, "2026-03-14T07:59:59Z", "2026-03-14T08:00:00Z"},
		{"tomorrow", "08:00", "UTC", nil, "2026-03-14T08:00:01Z", "2026-03-15T08:00:00Z"},
		{"now is not later", "08:00", "UTC", nil, "2026-03-14T08:00:00Z", "2026-03-15T08:00:00Z"},
		{"midnight", "00:00", "UTC", nil, "2026-12-31T12:00:00Z", "2027-01-01T00:00:00Z"},
		{"over a leap day", "08:00", "UTC", nil, "2028-02-28T09:00:00Z", "2028-02-29T08:00:00Z"},
		{"in a zone where it is another day", "08:00", "Asia/Tokyo", nil, "2026-03-14T23:30:00Z", "2026-03-15T23:00:00Z"},
		{"in summer time", "08:00", "Europe/Paris", nil, "2026-07-01T07:00:00Z", "2026-07-02T06:00:00Z"},
		{"a quarter of an hour off", "08:00", "Asia/Kathmandu", nil, "2026-03-14T00:00:00Z", "2026-03-14T02:15:00Z"},
		{"the farthest east", "08:00", "Pacific/Kiritimati", nil, "2026-03-14T17:59:00Z", "2026-03-14T18:00:00Z"},
		{"the farthest west", "08:00", "Etc/GMT+12", nil, "2026-03-14T19:59:00Z", "2026-03-14T20:00:00Z"},

		{"a workday", "08:00", "UTC", workdays, "2026-03-13T09:00:00Z", "2026-03-16T08:00:00Z"},
		{"this workday", "08:00", "UTC", workdays, "2026-03-13T07:00:00Z", "2026-03-13T08:00:00Z"},
		{"in a week", "08:00", "UTC", []string{"sat"}, "2026-03-14T08:00:00Z", "2026-03-21T08:00:00Z"},
		{"the day is the zone's", "08:00", "Asia/Tokyo", []string{"mon"}, "2026-03-15T22:00:00Z", "2026-03-15T23:00:00Z"},

		{"clocks jump over it: at the jump", "02:30", "Europe/Paris", nil, "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"},
		{"and the day after as ever", "02:30", "Europe/Paris", nil, "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"},
		{"just before the jump", "01:59", "Europe/Paris", nil, "2026-03-28T12:00:00Z", "2026-03-29T00:59:00Z"},
		{"just after the jump", "03:00", "Europe/Paris", nil, "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"},
		{"a day of 23 hours", "08:00", "Europe/Paris", nil, "2026-03-28T08:00:00Z", "2026-03-29T06:00:00Z"},
		{"it comes twice: the first time", "02:30", "Europe/Paris", nil, "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"},
		{"between the two: tomorrow", "02:30", "Europe/Paris", nil, "2026-10-25T00:30:01Z", "2026-10-26T01:30:00Z"},
		{"when clocks are set back", "03:00", "Europe/Paris", nil, "2026-10-24T12:00:00Z", "2026-10-25T02:00:00Z"},
		{"a day of 25 hours", "08:00", "Europe/Paris", nil, "2026-10-24T07:00:00Z", "2026-10-25T07:00:00Z"},
		{"west of Greenwich, forward", "02:30", "America/New_York", nil, "2026-03-07T12:00:00Z", "2026-03-08T07:00:00Z"},
		{"west of Greenwich, back", "01:30", "America/New_York", nil, "2026-10-31T12:00:00Z", "2026-11-01T05:30:00Z"},
		{"half an hour of summer", "02:15", "Australia/Lord_Howe", nil, "2026-10-03T00:00:00Z", "2026-10-03T15:30:00Z"},
		{"a midnight that does not come", "00:00", "America/Sao_Paulo", nil, "2018-11-03T12:00:00Z", "2018-11-04T03:00:00Z"},
		{"a last hour that comes twice", "23:30", "America/Sao_Paulo", nil, "2018-02-17T12:00:00Z", "2018-02-18T01:30:00Z"},
		{"a day that a zone left out", "08:00", "Pacific/Apia", nil, "2011-12-29T20:00:00Z", "2011-12-30T18:00:00Z"},
		{"its weekday is left out, too", "08:00", "Pacific/Apia", []string{"fri"}, "2011-12-29T20:00:00Z", "2012-01-05T18:00:00Z"},
	} {
		got, err := nextTime(responder.Until{Clock: tt.clock, Zone: tt.zone, Days: tt.days}, at(t, tt.now))
		if want := at(t, tt.want); err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%s: %v, %v; want %v", tt.name, got, err, want)
		}
	}
	for _, u := range []responder.Until{{Clock: "08:00", Zone: "Mars/Olympus"}, {Clock: "08:00", Zone: "Local"}, {Clock: "08:00"}, {Clock: "25:00", Zone: "UTC"}, {Clock: "08:00", Zone: "UTC", Days: []string{"someday"}}} {
		if got, err := nextTime(u, epoch); err == nil {
			t.Errorf("%v is %v", u, got)
		}
	}
}

// FuzzNextTime: the moment is later, its clock shows the time or has just jumped
// over it, its day is one of those asked for, and no earlier moment would do.
func FuzzNextTime(f *testing.F) {
	f.Add(int64(1774746000), 150, uint8(0), uint8(0))
	f.Add(int64(1792888200), 150, uint8(0), uint8(127))
	f.Add(int64(1325188800), 480, uint8(1), uint8(16))
	f.Add(int64(1541246400), 0, uint8(2), uint8(0))
	zones := []string{"Europe/Paris", "Pacific/Apia", "America/Sao_Paulo", "Australia/Lord_Howe", "America/New_York", "Asia/Kathmandu", "UTC", "Africa/Casablanca", "Antarctica/Troll"}
	f.Fuzz(func(t *testing.T, unix int64, minute int, which, mask uint8) {
		if unix < 0 || unix > 4e9 || minute < 0 || minute >= 24*60 {
			return
		}
		u := responder.Until{Clock: time.Unix(int64(minute)*60, 0).UTC().Format(clockForm), Zone: zones[int(which)%len(zones)]}
		for i, day := range responder.Weekdays() {
			if mask&(1<<i) != 0 {
				u.Days = append(u.Days, day)
			}
		}
		now := time.Unix(unix, 0)
		got, err := nextTime(u, now)
		if err != nil {
			t.Fatal(err)
		}
		where, err := time.LoadLocation(u.Zone)
		if err != nil {
			t.Fatal(err)
		}
		minuteOf := func(at time.Time) int { return at.In(where).Hour()*60 + at.In(where).Minute() }
		before := got.Add(-time.Second).In(where)
		jumped := minuteOf(got) > minute && (minuteOf(before) < minute || before.Day() != got.In(where).Day())
		if !got.After(now) || minuteOf(got) != minute && !jumped {
			t.Fatalf("%v after %v is %v", u, now.In(where), got.In(where))
		}
		if !onDay(u.Days, got.In(where).Weekday()) && minuteOf(got) == minute {
			t.Fatalf("%v after %v is on a %v", u, now.In(where), got.In(where).Weekday())
		}
		for at := now.Truncate(time.Minute).Add(time.Minute); at.Before(got); at = at.Add(time.Minute) {
			second := firstAt(time.Date(at.In(where).Year(), at.In(where).Month(), at.In(where).Day(), 0, minute, 0, 0, time.UTC), where)
			if minuteOf(at) == minute && onDay(u.Days, at.In(where).Weekday()) && !second.Before(at) {
				t.Fatalf("%v after %v is %v, and %v would do", u, now.In(where), got.In(where), at.In(where))
			}
		}
	})
}

// TestUntil: the moment is found when the wait begins, and stored.
func TestUntil(t *testing.T) {
	w := newWorld(t, `
flows:
  - rule: RootLogin
    sequential:
      - wait: {until: "8:00", zone: Europe/Paris, days: [fri-sat, mon]}
      - SendSlack: {message: good morning}
`)
	flow, _ := w.flows.Load().Get("RootLogin")
	if got := flow.Steps[0].Until.String(); got != "08:00 Europe/Paris, mon fri sat" {
		t.Fatal(got)
	}
	w.send(w.finding("RootLogin")) // on Saturday, March 14, at 10:26:53 in Paris
	d := w.dispatcher()
	w.turn(d)
	monday := at(t, "2026-03-16T07:00:00Z")
	if run := w.get("RootLogin"); run.State != responder.RunWaiting || !run.Due.Equal(monday) || !run.Steps["0"].Due.Equal(monday) {
		t.Fatalf("%s due %v", outline(run), run.Due)
	}
	w.flows.Store(nil)
	w.load("flows: [{rule: RootLogin, sequential: [wait: {until: '23:00', zone: UTC}]}]") // an edit changes nothing
	w.live(d, monday.Sub(w.clock.Now())-time.Second, time.Second*30)
	if len(w.did()) != 0 {
		t.Error("early")
	}
	w.live(d, 3*time.Minute, time.Second)
	if run := w.get("RootLogin"); run.State != responder.RunSucceeded || w.deeds[0].At.Before(monday) || w.deeds[0].At.After(monday.Add(time.Minute)) {
		t.Errorf("%sat %v", outline(run), w.deeds[0].At)
	}
}

// TestUntilPassedOver: where waits are passed over, the run says which.
func TestUntilPassedOver(t *testing.T) {
	w := newWorld(t, "flows: [{rule: RootLogin, sequential: [wait: {until: '23:00', zone: UTC}]}]")
	w.config.SkipWaits = true
	w.send(w.finding("RootLogin"))
	w.turn(w.dispatcher())
	if run := w.get("RootLogin"); run.State != responder.RunSucceeded || run.Steps["0"].Result["would"] != "wait until 23:00 UTC" {
		t.Errorf("%s%v", outline(run), run.Steps["0"].Result)
	}
}

// TestUntilRefused: what is no time of day is told, kindly.
func TestUntilRefused(t *testing.T) {
	for text, want := range map[string]string{
		`wait: {until: "08:00", zone: UTC}`:                            "",
		`wait: {until: 8:00, zone: Europe/Paris}`:                      "",
		`wait: {until: "08:00", zone: UTC, days: mon}`:                 "",
		`wait: {until: "08:00", zone: UTC, days: [mon-wed, sun]}`:      "",
		`wait: {until: "24:00", zone: UTC}`:                            "until is a time of day",
		`wait: {until: 8am, zone: UTC}`:                                "until is a time of day",
		`wait: {until: "2026-01-01", zone: UTC}`:                       "until is a time of day",
		`wait: {until: [8], zone: UTC}`:                                "until is a time of day",
		`wait: {until: "08:00"}`:                                       "needs zone",
		`wait: {zone: UTC}`:                                            "needs until",
		`wait: {}`:                                                     "needs until",
		`wait: {until: "08:00", zone: Local}`:                          "unknown time zone",
		`wait: {until: "08:00", zone: ""}`:                             "unknown time zone",
		`wait: {until: "08:00", zone: CEST/Paris}`:                     "unknown time zone",
		`wait: {until: "08:00", zone: [UTC]}`:                          "must be a text",
		`wait: {until: "08:00", zone: UTC, days: [monday]}`:            "or a span such as mon-fri",
		`wait: {until: "08:00", zone: UTC, days: mon-funday}`:          "days are mon",
		`wait: {until: "08:00", zone: UTC, days: []}`:                  "must be a text or a list",
		`wait: {until: "08:00", zone: UTC, day: mon}`:                  `did you mean "days"`,
		`{wait: {until: "08:00", zone: UTC}, timeout: 5m}`:             "timeout is for actions",
		`{SendSlack: {}, until: "08:00"}`:                              "until stands inside wait",
		`{command: Wait, duration: 5, until: "08:00"}`:                 `unknown key "until"`,
		`{wait: {until: "08:00", zone: UTC}, as: morning, if: number}`: "",
	} {
		w := newWorld(t, "flows: []")
		_, problems := Load(files(t, map[string]string{"flows.yml": "flows:\n  - name: a\n    rule: RootLogin\n    sequential:\n      - " + text}), "flows.yml", w.options())
		if said := problems.Error(); !strings.Contains(said, want) || want == "" && said != "" {
			t.Errorf("%s gives\n%s\nwant %q", text, said, want)
		}
	}
}
