package actions

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

// TestLeft: every notice says for what others it stands, with a template too, and
// nothing of that is formatting.
func TestLeft(t *testing.T) {
	left := &responder.Left{N: 412, Text: "and 412 more: responder runs list --flow '*x* <!channel>' --since 2026-01-02T10:00:00Z"}
	templates := map[string]any{
		"SendSlack":      map[string]any{"text": "hello"},
		"SendDiscord":    map[string]any{"content": "hello"},
		"SendGoogleChat": map[string]any{"text": "hello"},
		"SendTeams":      teamsMessageOf([]any{teamsBlock(teamsRun("hello", nil))}),
	}
	params := map[string]map[string]any{
		"SendEmail":     {"topicARN": "arn:aws:sns:eu-west-1:123412341234:t"},
		"SendWebhook":   {"url": "env:HOOK"},
		"SendPagerDuty": {},
	}
	told := 0
	for name, action := range New(Deps{Now: time.Now, Getenv: func(string) string { return "" }}) {
		if action.Spec().Kind != responder.Notice {
			continue
		}
		bodies := []any{nil}
		if body, ok := templates[name]; ok {
			bodies = append(bodies, body)
		}
		for _, body := range bodies {
			call := responder.Call{Key: "run/0", Flow: "f", Params: params[name], Body: body, Left: left, Prefix: "[HELD BACK] ",
				Finding: responder.Finding{Rule: "R", Title: "hello", Severity: responder.High, Message: "m", Event: []byte(`{}`)}}
			shown, err := action.(responder.Previewer).Preview(call)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			data, err := json.Marshal(shown.Payload)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(data), "412 more") || !strings.Contains(string(data), "responder runs list") || !strings.Contains(string(data), "hello") {
				t.Errorf("%s: %s", name, data)
			}
			if slices.Contains([]string{"SendSlack", "SendGoogleChat"}, name) && strings.Contains(shown.Text, "<!channel>") && !strings.Contains(string(data), `\u0026lt;!channel`) {
				t.Errorf("%s: formatting: %s", name, data)
			}
			told++
		}
	}
	if told < 10 {
		t.Errorf("only %d notices were asked", told)
	}
}

// TestLeftPagerSummary: a long summary is cut, and not what it stands for.
func TestLeftPagerSummary(t *testing.T) {
	for left, want := range map[responder.Left]string{{N: 0}: "x", {N: 7}: " (and 7 more)", {N: 1000, AtLeast: true}: " (and at least 1000 more)"} {
		call := responder.Call{Key: "r/0", Left: &left, Finding: responder.Finding{Title: strings.Repeat("x", 3000), Severity: responder.High}}
		event, err := pagerEvent(call)
		if err != nil {
			t.Fatal(err)
		}
		summary := textAt(mapAt(event, "payload"), "summary")
		if len([]rune(summary)) > pagerSummary || left.N > 0 && !strings.HasSuffix(summary, want) || left.N == 0 && strings.HasSuffix(summary, "more)") {
			t.Errorf("%d: …%s (%d)", left.N, summary[len(summary)-40:], len(summary))
		}
	}
}

// TestPagerDutyCloses: an alert is limited, its acknowledgement and its end are not.
func TestPagerDutyCloses(t *testing.T) {
	closer := New(Deps{})["SendPagerDuty"].(responder.Closer)
	for event, want := range map[string]bool{"": false, "trigger": false, "acknowledge": true, "resolve": true, "other": false} {
		params := map[string]any{}
		if event != "" {
			params["event"] = event
		}
		if got := closer.Closes(responder.Call{Params: params}); got != want {
			t.Errorf("%q: %v", event, got)
		}
	}
}
