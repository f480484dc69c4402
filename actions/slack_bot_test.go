package actions_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/skycrafters/responder"
)

const botToken = "xoxb-1234567890-abcdefgh"

// slackAPI is Slack's API as far as it matters here: it refuses what Slack does.
func slackAPI(t *testing.T) *sink {
	s := newSink(t)
	s.env["BOT"] = botToken
	n := 0
	s.answer = func(w http.ResponseWriter, r *http.Request) {
		var sent map[string]any
		if err := json.Unmarshal(s.requests[len(s.requests)-1].body, &sent); err != nil {
			t.Error(err)
		}
		refuse := func(code string) { fmt.Fprintf(w, `{"ok":false,"error":%q}`, code) }
		switch {
		case r.Header.Get("Authorization") != "Bearer "+botToken:
			refuse("invalid_auth")
		case r.Header.Get("Content-Type") != "application/json; charset=utf-8":
			refuse("invalid_post_type")
		case sent["channel"] == nil:
			refuse("channel_not_found")
		case sent["text"] == nil && sent["blocks"] == nil:
			refuse("no_text")
		case r.URL.Path == "/api/chat.update" && sent["ts"] == nil:
			refuse("message_not_found")
		case r.URL.Path == "/api/chat.update":
			fmt.Fprintf(w, `{"ok":true,"channel":"C024BE91L","ts":%q}`, sent["ts"])
		case r.URL.Path == "/api/chat.postMessage":
			n++
			fmt.Fprintf(w, `{"ok":true,"channel":"C024BE91L","ts":"1700000000.00000%d"}`, n)
		default:
			refuse("unknown_method")
		}
	}
	return s
}

func (s *sink) botCall(params map[string]any) responder.Call {
	call := chatCall(map[string]any{"token": "env:BOT", "channel": "#alerts", "api": s.URL + "/api"})
	delete(call.Params, "webhookURL")
	for key, value := range params {
		call.Params[key] = value
	}
	return call
}

func (s *sink) slack(t *testing.T, call responder.Call) (responder.Result, error) {
	return s.catalogue()["SendSlack"].Do(t.Context(), call)
}

func (s *sink) body(t *testing.T, i int) map[string]any {
	t.Helper()
	var sent map[string]any
	if err := json.Unmarshal(s.requests[i].body, &sent); err != nil {
		t.Fatal(err)
	}
	return sent
}

func TestSlackBot(t *testing.T) {
	s := slackAPI(t)
	got, err := s.slack(t, s.botCall(nil))
	if err != nil || mustJSON(t, got) != `{"channel":"C024BE91L","status":200,"ts":"1700000000.000001"}` {
		t.Fatalf("got %v, %v", got, err)
	}
	if r := s.last(t); r.path != "/api/chat.postMessage" || r.header.Get("Idempotency-Key") != "run1/2.1" {
		t.Errorf("sent to %s with %v", r.path, r.header)
	}
	goldenJSON(t, "SendSlack/bot.json", s.body(t, 0))
}

// TestSlackThread has a run tell three times in one thread, and once elsewhere.
func TestSlackThread(t *testing.T) {
	s := slackAPI(t)
	first := s.botCall(map[string]any{"thread": true})
	head, err := s.slack(t, first)
	if err != nil || head["thread"] != head["ts"] {
		t.Fatalf("got %v, %v", head, err)
	}
	earlier := []responder.Earlier{
		{Params: map[string]any{"webhookURL": "env:HOOK"}, Result: responder.Result{"status": 200}},
		{Params: map[string]any{"channel": "#other", "thread": true}, Result: responder.Result{"channel": "C9", "ts": "9"}},
		{Params: map[string]any{"channel": "#alerts"}, Result: responder.Result{"channel": "C8", "ts": "8"}},
		{Params: first.Params, Result: head},
	}
	reply := s.botCall(map[string]any{"thread": true, "message": "User *deleted*"})
	reply.Earlier, reply.Progress, reply.Prefix = earlier, "IAMDeleteUser succeeded; 3 steps <done>", "[DRY RUN] "
	got, err := s.slack(t, reply)
	if err != nil || mustJSON(t, got) != `{"channel":"C024BE91L","head":"updated","status":200,"thread":"1700000000.000001","ts":"1700000000.000002"}` {
		t.Fatalf("got %v, %v", got, err)
	}
	if len(s.requests) != 3 || s.requests[2].path != "/api/chat.update" {
		t.Fatalf("%d requests", len(s.requests))
	}
	goldenJSON(t, "SendSlack/reply.json", s.body(t, 1))
	goldenJSON(t, "SendSlack/update.json", s.body(t, 2))

	alone := s.botCall(map[string]any{"message": "Not in the thread"})
	alone.Earlier = earlier
	if got, err := s.slack(t, alone); err != nil || got["thread"] != nil || s.body(t, 3)["thread_ts"] != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestSlackHeadGone: that the first message cannot be brought up to date fails
// nothing, for to try again would post the reply again.
func TestSlackHeadGone(t *testing.T) {
	s := slackAPI(t)
	works := s.answer
	s.answer = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/chat.update" {
			fmt.Fprint(w, `{"ok":false,"error":"message_not_found"}`)
			return
		}
		works(w, r)
	}
	call := s.botCall(map[string]any{"thread": true})
	call.Earlier = []responder.Earlier{{Params: call.Params, Result: responder.Result{"channel": "C1", "ts": "1"}}}
	if got, err := s.slack(t, call); err != nil || got["head"] != "not updated: Slack's chat.update: message_not_found" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestSlackBotRefusals(t *testing.T) {
	for answer, is := range map[string]func(error) bool{
		`{"ok":false,"error":"channel_not_found"}`:        isPermanent,
		`{"ok":false,"error":"not_in_channel"}`:           isPermanent,
		`{"ok":false,"error":"invalid_auth"}`:             isPermanent,
		`{"ok":false,"error":"` + botToken + `\nforged"}`: isPermanent,
		`{"ok":false}`:                                 isPermanent,
		`{"ok":false,"error":"ratelimited"}`:           isTransient,
		`{"ok":false,"error":"service_unavailable"}`:   isTransient,
		`<html>Please sign in ` + botToken + `</html>`: isTransient,
		``:                          isTransient,
		`{"ok":true`:                isTransient,
		`{"ok":"yes","channel":{}}`: isTransient,
		`{"ok":false,"error":"` + strings.Repeat("x", 1e5): isTransient,
	} {
		s := slackAPI(t)
		s.answer = func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) }
		_, err := s.slack(t, s.botCall(nil))
		if !is(err) || len(err.Error()) > 400 || strings.Contains(err.Error(), botToken) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60s: %v", answer, err)
		}
	}
	for _, status := range []int{401, 429, 503} {
		s := slackAPI(t)
		s.answer = func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, r.Header.Get("Authorization"))
		}
		if _, err := s.slack(t, s.botCall(nil)); err == nil || strings.Contains(err.Error(), botToken) || !strings.Contains(err.Error(), "[redacted]") {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestSlackBotBadCalls(t *testing.T) {
	for name, params := range map[string]map[string]any{
		"no channel": {"channel": nil}, "empty channel": {"channel": " "}, "empty token": {"token": ""}, "no such token": {"token": "env:NOWHERE"},
		"two tokens": {"token": "env:TWO"}, "api by http": {"api": "http://slack.example/api"}, "no api": {"api": "slack"},
	} {
		s := slackAPI(t)
		s.env["TWO"] = "xoxb-1 xoxb-2"
		_, err := s.slack(t, s.botCall(params))
		if !isPermanent(err) || len(s.requests) > 0 {
			t.Errorf("%s: %v, %d requests", name, err, len(s.requests))
		}
	}
}

// TestSlackPlanIsWhole: there are buttons only under a plan that is shown whole.
func TestSlackPlanIsWhole(t *testing.T) {
	buttons := func(plan ...string) (approve bool, shown string) {
		call := asking(chatCall(nil))
		call.Question.Plan = plan
		text := mustJSON(t, payload(t, "SendSlack", call))
		return strings.Contains(text, `"action_id":"approve"`), text
	}
	many := make([]string, 500)
	for i := range many {
		many[i] = fmt.Sprintf("terminate i-%017d", i)
	}
	if ok, shown := buttons(many...); !ok || !strings.Contains(shown, "500. terminate i-00000000000000499") || strings.Contains(shown, "…") {
		t.Error("a plan of 500 steps is not shown whole")
	}
	for name, plan := range map[string][]string{
		"too many": append(many, make([]string, 20_000)...), "too long a step": {strings.Repeat("x", 3001)}, "entities count": {strings.Repeat("&", 800)},
	} {
		if ok, shown := buttons(plan...); ok || !strings.Contains(shown, "cannot be approved here") {
			t.Errorf("%s: it can be approved", name)
		}
	}
}
