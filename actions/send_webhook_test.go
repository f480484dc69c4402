package actions_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/skycrafters/responder"
)

const signingKey = "a key of thirty-two characters!!"

func (s *sink) hookCall(params map[string]any) responder.Call {
	s.env["KEY"] = signingKey
	call := chatCall(map[string]any{"url": "env:HOOK"})
	delete(call.Params, "webhookURL")
	for key, value := range params {
		call.Params[key] = value
	}
	return call
}

func TestSendWebhook(t *testing.T) {
	for name, params := range map[string]map[string]any{
		"finding": nil,
		"message": {"message": map[string]any{"header": "Look", "values": []any{map[string]any{"label": "a", "value": "<b>"}}}},
	} {
		s := newSink(t)
		call := s.hookCall(params)
		if name == "message" {
			call = asking(call)
			call.Prefix = "[DRY RUN] "
		}
		if got, err := s.catalogue()["SendWebhook"].Do(t.Context(), call); err != nil || got["status"] != 200 {
			t.Fatalf("%s: %v, %v", name, got, err)
		}
		if got := s.last(t).header.Get("X-Responder-Signature"); got != "" {
			t.Errorf("signed without a key: %s", got)
		}
		if !bytes.Contains(s.last(t).body, []byte(`"big":12345678901234567890`)) {
			t.Error("the event is not as it came")
		}
		var b bytes.Buffer
		if err := json.Indent(&b, s.last(t).body, "", "  "); err != nil {
			t.Fatal(err)
		}
		golden(t, "SendWebhook/"+name+".json", append(b.Bytes(), '\n'))
	}
}

// verified is what docs/actions.md shows to receivers, with the moment told.
func verified(header string, body, key []byte, now int64) bool {
	var t int64
	var v1 string
	if n, err := fmt.Sscanf(header, "t=%d,v1=%s", &t, &v1); n != 2 || err != nil {
		return false
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%d.%s", t, body)
	return hmac.Equal([]byte(v1), []byte(hex.EncodeToString(mac.Sum(nil)))) && now-t <= 300 && t-now <= 300
}

func TestSendWebhookSigned(t *testing.T) {
	s := newSink(t)
	if _, err := s.catalogue()["SendWebhook"].Do(t.Context(), s.hookCall(map[string]any{"signingKey": "env:KEY"})); err != nil {
		t.Fatal(err)
	}
	r, now := s.last(t), clock.Unix()
	header := r.header.Get("X-Responder-Signature")
	for name, tt := range map[string]struct {
		header string
		body   []byte
		key    string
		now    int64
		want   bool
	}{
		"as sent":         {header, r.body, signingKey, now, true},
		"late":            {header, r.body, signingKey, now + 300, true},
		"too late":        {header, r.body, signingKey, now + 301, false},
		"another body":    {header, append([]byte(" "), r.body...), signingKey, now, false},
		"another key":     {header, r.body, signingKey + "x", now, false},
		"another moment":  {strings.Replace(header, fmt.Sprint(now), fmt.Sprint(now+1), 1), r.body, signingKey, now, false},
		"none":            {"", r.body, signingKey, now, false},
		"no such version": {strings.Replace(header, "v1", "v0", 1), r.body, signingKey, now, false},
	} {
		if got := verified(tt.header, tt.body, []byte(tt.key), tt.now); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestSendWebhookTemplate(t *testing.T) {
	s := newSink(t)
	call := s.hookCall(nil)
	call.Body = map[string]any{"what": "\"<x>\n", "n": 7.0}
	if _, err := s.catalogue()["SendWebhook"].Do(t.Context(), call); err != nil || string(s.last(t).body) != `{"n":7,"what":"\"<x>\n"}` {
		t.Errorf("sent %s, %v", s.last(t).body, err)
	}
}

func TestSendWebhookRefused(t *testing.T) {
	for name, params := range map[string]map[string]any{
		"no address": {"url": ""}, "http": {"url": "http://x.example/"}, "no key": {"signingKey": "env:NOWHERE"}, "empty key": {"signingKey": ""},
		"short key": {"signingKey": "env:SHORT"}, "list as message": {"message": []any{}},
	} {
		s := newSink(t)
		s.env["SHORT"] = "fifteen letters"
		_, err := s.catalogue()["SendWebhook"].Do(t.Context(), s.hookCall(params))
		if !isPermanent(err) || len(s.requests) > 0 || strings.Contains(err.Error(), "fifteen") {
			t.Errorf("%s: %v, %d requests", name, err, len(s.requests))
		}
	}
	s := newSink(t)
	s.answer = func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, "bad signature, key is %q %x", signingKey, signingKey)
	}
	_, err := s.catalogue()["SendWebhook"].Do(t.Context(), s.hookCall(map[string]any{"signingKey": "env:KEY"}))
	if !isPermanent(err) || strings.Contains(err.Error(), "thirty-two") || strings.Contains(err.Error(), "7468697274792d74776f") {
		t.Errorf("the key shows: %v", err)
	}
	secretFree(t, err)
}
