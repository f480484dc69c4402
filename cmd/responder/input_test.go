package main

import (
	"strings"
	"testing"

	"github.com/skycrafters/responder/internal/archive"
)

// TestDamages: each is named; those that are alike share a line, and only those.
func TestDamages(t *testing.T) {
	const none = "neither an EventBridge event (texts `source` and `detail-type`, object `detail`) nor a CloudTrail record (texts `eventName` and `eventSource`, no `detail`)"
	const event = `{"eventName": "ConsoleLogin", "eventSource": "signin.amazonaws.com"}`
	for _, c := range []struct {
		name, input string
		unread      int
		want        string
	}{
		{"one", "{}", 1, "-: record 0 (line 1): " + none},
		{"two", "{}\n{}", 2, "-: record 0 (line 1): " + none + "\n-: record 1 (line 2): the same"},
		{"many", strings.Repeat("{}\n", 310), 310, "-: record 0 (line 1): " + none + "\n-: records 1 to 309 (up to line 310): the same"},
		{"an event between", "{}\n" + event + "\n{}", 2, "-: record 0 (line 1): " + none + "\n-: record 2 (line 3): " + none},
		{"another fault between", "{}\n{}\nx\n{}\n{", 5, "-: record 0 (line 1): " + none + "\n-: record 1 (line 2): the same\n-: record 2 (line 3): expected a JSON object or array\n-: record 3 (line 4): " + none +
			"\n-: record 4 (line 5): the input ends in the middle of it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var told strings.Builder
			unread := 0
			a := &app{stdin: strings.NewReader(c.input), stderr: &told}
			for record := range a.events(t.Context(), []string{archive.Stdin}, &unread) {
				if string(record.Raw) != event {
					t.Errorf("%s is an event", record.Raw)
				}
			}
			if got := strings.TrimSuffix(told.String(), "\n"); got != c.want {
				t.Errorf("tells\n%s\nwant\n%s", got, c.want)
			}
			if unread != c.unread {
				t.Errorf("%d unread, want %d", unread, c.unread)
			}
		})
	}
}
