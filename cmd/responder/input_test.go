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
		{"one", "{}", 1, "-#1 (line 1): " + none},
		{"two", "{}\n{}", 2, "-#1 (line 1): " + none + "\n-#2 (line 2): the same"},
		{"many", strings.Repeat("{}\n", 310), 310, "-#1 (line 1): " + none + "\n-#2 to #310 (up to line 310): the same"},
		{"an event between", "{}\n" + event + "\n{}", 2, "-#1 (line 1): " + none + "\n-#3 (line 3): " + none},
		{"lines without a record", "{}\nx\n\ny\nz\n{}\nx\ny", 4, "-#1 (line 1): " + none + "\n-#2 (lines 2 to 5): expected a JSON object or array\n-#3 (line 6): " + none + "\n-#4 (lines 7 to 8): expected a JSON object or array"},
		{"lines without a record, alike", "x\n{\"\nx\n{\"\ny\n{\"\nz\ny", 4, "-#1 (line 1): expected a JSON object or array\n-#2 (lines 2 to 3): a string is broken off at byte 2 of it\n-#3 to #4 (up to line 8): the same"},
		{"another fault between", "{}\n{}\nx\n{}\n{", 5, "-#1 (line 1): " + none + "\n-#2 (line 2): the same\n-#3 (line 3): expected a JSON object or array\n-#4 (line 4): " + none +
			"\n-#5 (line 5): the input ends in the middle of it"},
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
