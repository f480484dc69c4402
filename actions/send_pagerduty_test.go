package actions_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/skycrafters/responder"
)

const routingKey = "R0UT1NGKEY0123456789abcdef012345"

// pagerDuty is the Events API as far as it matters here: it refuses what PagerDuty
// does.
func pagerDuty(t *testing.T) *sink {
	s := newSink(t)
	s.env["PAGERDUTY_ROUTING_KEY"] = routingKey
	s.answer = func(w http.ResponseWriter, _ *http.Request) {
		body := s.requests[len(s.requests)-1].body
		var sent struct {
			Key    string `json:"routing_key"`
			Action string `json:"event_action"`
			Dedup  string `json:"dedup_key"`
			Alert  *struct {
				Summary  string         `json:"summary"`
				Source   string         `json:"source"`
				Severity string         `json:"severity"`
				Details  map[string]any `json:"custom_details"`
			} `json:"payload"`
		}
		if err := json.Unmarshal(body, &sent); err != nil {
			t.Error(err)
		}
		bad := len(body) > 512_000 || len(sent.Key) != 32 || sent.Dedup == "" || utf8.RuneCountInString(sent.Dedup) > 255 ||
			!slices.Contains([]string{"trigger", "acknowledge", "resolve"}, sent.Action)
		if sent.Action == "trigger" {
			bad = bad || sent.Alert == nil || sent.Alert.Summary == "" || utf8.RuneCountInString(sent.Alert.Summary) > 1024 || sent.Alert.Source == "" ||
				!slices.Contains([]string{"critical", "error", "warning", "info"}, sent.Alert.Severity)
		} else {
			bad = bad || sent.Alert != nil
		}
		if bad {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"status":"invalid event","message":"Event object is invalid","errors":[%q]}`, sent.Key)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, `{"status":"success","message":"Event processed","dedup_key":%q}`, sent.Dedup)
	}
	return s
}

func (s *sink) pagerCall(params map[string]any) responder.Call {
	call := chatCall(map[string]any{"url": s.URL + "/v2/enqueue"})
	delete(call.Params, "webhookURL")
	for key, value := range params {
		call.Params[key] = value
	}
	return call
}

func (s *sink) page(t *testing.T, call responder.Call) (responder.Result, error) {
	return s.catalogue()["SendPagerDuty"].Do(t.Context(), call)
}

func TestSendPagerDuty(t *testing.T) {
	long := finding()
	long.Title, long.Message, long.Resources = strings.Repeat("é", 2000), strings.Repeat("x\n", 50_000), slices.Repeat([]string{strings.Repeat("r", 300)}, 10_000)
	s := pagerDuty(t)
	for name, call := range map[string]responder.Call{
		"finding":     s.pagerCall(nil),
		"question":    asking(s.pagerCall(nil)),
		"acknowledge": s.pagerCall(map[string]any{"event": "acknowledge"}),
		"resolve":     s.pagerCall(map[string]any{"event": " resolve "}),
		"values": s.pagerCall(map[string]any{"message": map[string]any{"header": "Root has\nlogged in", "values": []any{
			map[string]any{"label": "From", "value": "a\nb"}, map[string]any{"label": "", "value": "dropped"}}}}),
		"long": func() responder.Call { c := s.pagerCall(nil); c.Finding = long; c.Account, c.Region = "", ""; return c }(),
	} {
		for _, prefix := range []string{"", "[DRY RUN] "} {
			call.Prefix = prefix
			got, err := s.page(t, call)
			if err != nil || got["status"] != 202 || got["dedup_key"] != "run1" {
				t.Errorf("%s: got %v, %v", name, got, err)
				continue
			}
			if name != "long" {
				goldenJSON(t, "SendPagerDuty/"+name+map[bool]string{true: ".dry"}[prefix != ""]+".json", s.body(t, len(s.requests)-1))
			} else if n := len(s.last(t).body); n > 100_000 {
				t.Errorf("a huge finding gives %d bytes", n)
			}
		}
	}
}

func TestSendPagerDutySeverity(t *testing.T) {
	s := pagerDuty(t)
	for severity, want := range map[responder.Severity]string{
		responder.Info: "info", responder.Low: "info", responder.Medium: "warning", responder.High: "error", responder.VeryHigh: "critical", responder.Extreme: "critical",
	} {
		call := s.pagerCall(nil)
		call.Finding.Severity = severity
		if _, err := s.page(t, call); err != nil {
			t.Fatal(err)
		}
		if got := s.body(t, len(s.requests)-1)["payload"].(map[string]any)["severity"]; got != want {
			t.Errorf("%v: got %v, want %v", severity, got, want)
		}
	}
}

func TestSendPagerDutyRefused(t *testing.T) {
	s := pagerDuty(t)
	s.env["SHORT"] = "too-short-a-key"
	for name, params := range map[string]map[string]any{
		"event": {"event": "close"}, "empty event": {"event": ""}, "url": {"url": "http://events.example/"}, "no key": {"routingKey": "env:NOWHERE"},
		"list as message": {"message": []any{"x"}},
	} {
		if _, err := s.page(t, s.pagerCall(params)); !isPermanent(err) || len(s.requests) > 0 {
			t.Errorf("%s: %v, %d requests", name, err, len(s.requests))
		}
	}
	call := s.pagerCall(nil)
	call.Key = ""
	if _, err := s.page(t, call); !isPermanent(err) {
		t.Errorf("without a run: %v", err)
	}
	if _, err := s.page(t, s.pagerCall(map[string]any{"routingKey": "env:SHORT"})); !isPermanent(err) || strings.Contains(err.Error(), "too-short") || !strings.Contains(err.Error(), "invalid event") {
		t.Errorf("a key that PagerDuty does not know: %v", err)
	}
	for _, answer := range []string{"", "ok", `{"status":"queued"}`} {
		s.answer = func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) }
		if _, err := s.page(t, s.pagerCall(nil)); !isTransient(err) {
			t.Errorf("%q: %v", answer, err)
		}
	}
	s.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }
	if _, err := s.page(t, s.pagerCall(nil)); !isTransient(err) {
		t.Errorf("429: %v", err)
	}
}
