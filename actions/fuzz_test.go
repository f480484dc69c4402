package actions

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

// FuzzTemplate renders a template to any JSON there is: a service's message
// comes of it, or *Permanent, and limits once kept stay as they are.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[]`, `null`, `{"text":"x"}`, `{"blocks":[{"type":"header","text":{"text":""}},{"type":"section","fields":[{"text":"a"},1]},{"type":"context","elements":[{"type":"image"}]}]}`,
		`{"content":"\\","username":"","embeds":[{"title":"a","fields":[{"name":"a"},{"name":"a","value":"b"}],"author":{},"footer":{"text":"f"}}]}`,
		`{"cardsV2":[{"card":{"header":{"title":"<b>x"},"sections":[{"widgets":[{"textParagraph":{"text":" "}},{"decoratedText":{"text":"x","topLabel":1}},{"image":{}}]}]}},{"card":1}],"cards":[{}]}`,
		`{"attachments":[{"content":{"body":[{"type":"RichTextBlock","inlines":[{"text":"a\nb "},{"text":1},2]},{"type":"TextBlock","text":[]},{"type":"X"},3]}},4]}`,
		`{"text":{"text":1},"blocks":{"type":"header"},"embeds":"x","content":[]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data string) {
		var body any
		if json.Unmarshal([]byte(data), &body) != nil || body == nil {
			return
		}
		hook := newWebhook(Deps{Now: time.Now, Version: "x", Getenv: os.Getenv}, references{})
		for _, service := range []*chat{newSlack(hook), newSendDiscord(hook), newSendGoogleChat(hook), newSendTeams(hook)} {
			sent, err := service.payload(responder.Call{Body: body, Prefix: "[DRY RUN] ", Question: &responder.Question{Run: "r", Text: data, Plan: []string{data, "x"}}, Left: &responder.Left{N: 1, Text: data}})
			if err != nil {
				if gravity(err) != gravityPermanent {
					t.Fatalf("%s: %v", service.name, err)
				}
				continue
			}
			if service.name == "SendGoogleChat" { // its headings are made plain anew each time
				continue
			}
			again, err := object(sent)
			if err != nil {
				t.Fatalf("%s sent %v: %v", service.name, sent, err)
			}
			before, err := object(sent)
			if err != nil {
				t.Fatal(err)
			}
			if err := service.limit(again); err != nil || !reflect.DeepEqual(before, again) {
				t.Fatalf("%s: limits kept twice: %v\n%v\n%v", service.name, err, before, again)
			}
		}
	})
}

// FuzzMessage reads any JSON there is as the parameter `message`.
func FuzzMessage(f *testing.F) {
	for _, seed := range []string{`null`, `"x"`, `5e30`, `true`, `[]`, `{"header":{},"values":[{"label":1,"value":[1]}]}`, `{"values":[1]}`, `{"values":{}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data string) {
		var value any
		if json.Unmarshal([]byte(data), &value) != nil {
			return
		}
		m, err := messageParam(responder.Call{Params: map[string]any{"message": value}})
		if err != nil && gravity(err) != gravityPermanent {
			t.Fatal(err)
		}
		for _, v := range m.values {
			if v.label != inline(v.label) || v.value != clean(v.value) {
				t.Fatalf("not clean: %q", v)
			}
		}
		if m.header != clean(m.header) {
			t.Fatalf("not clean: %q", m.header)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "5", "-1", "0.5", "NaN", "+Inf", "1e400", "0x1p4", "Mon, 23 Nov 2026 10:01:30 GMT"} {
		f.Add(seed)
	}
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, header string) {
		if after := retryAfter(header, now); after < 0 || after > maxRetryAfter {
			t.Fatalf("retryAfter(%q) = %v", header, after)
		}
	})
}
