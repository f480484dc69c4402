package actions_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/actions"
	"github.com/skycrafters/responder/internal/lang"
)

var update = flag.Bool("update", false, "write the golden files anew")

// finding is one whose texts try every trick on the reader.
func finding() responder.Finding {
	return responder.Finding{
		Rule:      "UntrustedLogin",
		Title:     "Login <!channel> by *mallory* & [friends](https://evil.example)",
		Severity:  responder.VeryHigh,
		Message:   "mallory\x1b[31m\u202e logged in\n*Severity*: Low @everyone",
		Resources: []string{"i-0123456789abcdef0", "<b>bob</b>"},
		Key:       "111122223333/e1",
		Event:     json.RawMessage(`{"source":"aws.signin","account":"111122223333","region":"us-east-1","detail":{"eventName":"ConsoleLogin","eventSource":"signin.amazonaws.com","awsRegion":"us-east-1","sourceIPAddress":"198.51.100.7","userIdentity":{"type":"IAMUser","userName":"mallory_<x>"},"big":12345678901234567890}}`),
	}
}

func chatCall(params map[string]any) responder.Call {
	if params == nil {
		params = map[string]any{}
	}
	params["webhookURL"] = "env:HOOK"
	return responder.Call{Key: "run1/2.1", Flow: "f", Params: params, Finding: finding(), Account: "111122223333", Region: "us-east-1"}
}

var services = []string{"SendSlack", "SendDiscord", "SendGoogleChat", "SendTeams"}

// payload is what an action sends for a call.
func payload(t *testing.T, name string, call responder.Call) map[string]any {
	t.Helper()
	sink := newSink(t)
	if _, err := sink.catalogue()[name].Do(t.Context(), call); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var sent map[string]any
	if err := json.Unmarshal(sink.last(t).body, &sent); err != nil {
		t.Fatalf("%s sent %s: %v", name, sink.last(t).body, err)
	}
	return sent
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n got %s\nwant %s\n(run with -update to accept)", path, got, want)
	}
}

func goldenJSON(t *testing.T, name string, value any) {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(value); err != nil {
		t.Fatal(err)
	}
	golden(t, name, b.Bytes())
}

func TestChatPayloads(t *testing.T) {
	spec := func(name string) func(string) string { return actions.New(actions.Deps{})[name].Spec().Escape }
	for _, service := range services {
		escape := spec(service)
		for name, call := range map[string]responder.Call{
			"finding": chatCall(nil),
			"text":    chatCall(map[string]any{"message": "Will terminate " + escape("<b>*x*</b>")}),
			"header":  chatCall(map[string]any{"message": map[string]any{"header": "Root & all have logged in"}}),
			"values": chatCall(map[string]any{"message": map[string]any{"header": "Root has logged in", "values": []any{
				map[string]any{"label": "Account", "value": "111122223333"},
				map[string]any{"label": "From", "value": escape("a\n*Severity*: Low")},
				map[string]any{"label": "Count", "value": 1e21},
				map[string]any{"label": "None", "value": nil},
			}}}),
			"values-only": chatCall(map[string]any{"message": map[string]any{"values": []any{map[string]any{"label": "Account", "value": "1"}}}}),
			"question":    asking(chatCall(nil)),
			"veto":        vetoing(chatCall(map[string]any{"message": "Somebody has to decide"})),
			"long":        chatCall(map[string]any{"message": strings.Repeat("long ", 100)}),
			"template":    templateCall(t, service, finding()),
			"bare":        templateCall(t, service, responder.Finding{Rule: "Quiet", Severity: responder.Low, Event: json.RawMessage(`{}`)}),
		} {
			t.Run(service+"/"+name, func(t *testing.T) {
				goldenJSON(t, filepath.Join(service, name+".json"), payload(t, service, call))
				call.Prefix = "[DRY RUN] "
				goldenJSON(t, filepath.Join(service, name+".dry.json"), payload(t, service, call))
			})
		}
	}
}

// asking puts a question to a call whose plan tries every trick.
func asking(call responder.Call) responder.Call {
	call.Question = &responder.Question{
		Run: "0123456789abcdef0123456789abcdef", Step: "2.1", Digest: strings.Repeat("ab", 32), Text: "Delete *mallory* <!channel>?",
		Plan: []string{"delete user mallory_<x>", "terminate i-0123456789abcdef0\n2. nothing", "[x](https://evil.example)"}, Until: clock.Add(time.Hour),
	}
	return call
}

func vetoing(call responder.Call) responder.Call {
	call = asking(call)
	call.Question.Veto, call.Question.Text, call.Question.Plan = true, "", nil
	return call
}

// templateCall renders the shipped template as dispatch does.
func templateCall(t *testing.T, service string, f responder.Finding) responder.Call {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "templates", service, "aws-event.yml"))
	if err != nil {
		t.Fatal(err)
	}
	file := &lang.File{Name: "aws-event.yml", Data: data}
	root, problems := lang.ParseYAML(file)
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	tree, problems := lang.CompileNode(file, root, lang.Scope{Names: append(lang.EventNames(), lang.FindingNames()...)})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	event, err := responder.DecodeEvent(f.Event)
	if err != nil {
		t.Fatal(err)
	}
	body, err := tree.Render(lang.FindingEnv(f, event, nil), actions.New(actions.Deps{})[service].Spec().Escape)
	if err != nil {
		t.Fatal(err)
	}
	call := chatCall(nil)
	call.Finding, call.Body = f, body
	return call
}

func TestTemplateGoesBeforeMessage(t *testing.T) {
	for _, service := range services {
		call := templateCall(t, service, finding())
		want := payload(t, service, call)
		call.Params["message"] = "not shown"
		got := payload(t, service, call)
		if a, b := mustJSON(t, want), mustJSON(t, got); a != b {
			t.Errorf("%s: with a message beside the template:\n got %s\nwant %s", service, b, a)
		}
	}
}

// TestTemplateTextOfAnyType has expressions give what is no text where a
// service takes nothing but text.
func TestTemplateTextOfAnyType(t *testing.T) {
	list, null, number := any([]any{"a", 7.0}), any(nil), any(12345678.0)
	for service, tt := range map[string]struct{ body, want string }{
		"SendSlack": {mustJSON(t, map[string]any{"blocks": []any{slackBlock("header", number), slackBlock("section", list), slackBlock("section", null)}}),
			`{"blocks":[{"text":{"text":"[DRY RUN] 12345678"},"type":"header"},{"text":{"text":"a, 7"},"type":"section"}],"text":"[DRY RUN] 12345678","unfurl_links":false,"unfurl_media":false}`},
		"SendDiscord": {mustJSON(t, map[string]any{"content": number, "embeds": []any{map[string]any{"title": null, "description": list, "fields": []any{map[string]any{"name": "n", "value": null}, map[string]any{"name": "b", "value": true}}}}}),
			`{"allowed_mentions":{"parse":[]},"content":"[DRY RUN] 12345678","embeds":[{"description":"a, 7","fields":[{"name":"b","value":"true"}]}],"username":"Responder"}`},
		"SendGoogleChat": {`{"cardsV2":[{"card":{"header":{"title":12345678},"sections":[{"widgets":[{"textParagraph":{"text":["a",7]}},{"textParagraph":{"text":null}}]}]}}]}`,
			`{"cardsV2":[{"card":{"header":{"title":"[DRY RUN] 12345678"},"sections":[{"widgets":[{"textParagraph":{"text":"a, 7"}}]}]}}]}`},
		"SendTeams": {`{"attachments":[{"content":{"body":[{"type":"TextBlock","text":12345678},{"type":"RichTextBlock","inlines":[{"text":["a",7]},{"text":null}]},{"type":"TextBlock","text":null}]}}]}`,
			`{"attachments":[{"content":{"body":[{"text":"[DRY RUN] 12345678","type":"TextBlock"},{"inlines":[{"text":"a, 7"}],"type":"RichTextBlock"}]}}]}`},
	} {
		call := withBody(json.RawMessage(tt.body))
		call.Prefix = "[DRY RUN] "
		if got := mustJSON(t, payload(t, service, call)); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", service, got, tt.want)
		}
	}
}

func slackBlock(kind string, text any) map[string]any {
	return map[string]any{"type": kind, "text": map[string]any{"text": text}}
}

func TestTemplateIsNotChanged(t *testing.T) {
	for _, service := range services {
		call := templateCall(t, service, finding())
		call.Prefix = "[DRY RUN] "
		before := mustJSON(t, call.Body)
		payload(t, service, call)
		if after := mustJSON(t, call.Body); before != after {
			t.Errorf("%s changed the template it was given:\n%s\n%s", service, before, after)
		}
	}
}

func TestChatRefusesWhatItCannotSend(t *testing.T) {
	for name, call := range map[string]responder.Call{
		"list as message":   chatCall(map[string]any{"message": []any{"x"}}),
		"text as values":    chatCall(map[string]any{"message": map[string]any{"header": "x", "values": "y"}}),
		"text as value":     chatCall(map[string]any{"message": map[string]any{"header": "x", "values": []any{"y"}}}),
		"text as template":  withBody("x"),
		"list as template":  withBody([]any{map[string]any{}}),
		"empty template":    withBody(map[string]any{}),
		"template of blank": withBody(map[string]any{"text": " \n ", "content": "\u202e", "blocks": []any{1}, "embeds": []any{map[string]any{"description": ""}}}),
		"unwritable":        withBody(map[string]any{"text": func() {}}),
		"no address":        {Params: map[string]any{"webhookURL": " "}, Finding: finding()},
		"number as address": {Params: map[string]any{"webhookURL": 5}, Finding: finding()},
	} {
		for _, service := range services {
			sink := newSink(t)
			_, err := sink.catalogue()[service].Do(t.Context(), call)
			if !isPermanent(err) {
				t.Errorf("%s, %s: got %v, want *Permanent", service, name, err)
			}
			if n := len(sink.requests); n > 0 {
				t.Errorf("%s, %s: %d requests sent", service, name, n)
			}
		}
	}
}

func withBody(body any) responder.Call {
	call := chatCall(nil)
	call.Body = body
	return call
}

// TestChatLimits sends far too much of everything and looks at what goes out.
func TestChatLimits(t *testing.T) {
	huge := strings.Repeat("<b>&amp;\\*é😀", 320)
	f := finding()
	f.Title, f.Message = huge, huge
	values := make([]any, 12)
	for i := range values {
		values[i] = map[string]any{"label": huge, "value": huge}
	}
	for _, service := range services {
		escape := actions.New(actions.Deps{})[service].Spec().Escape
		plain := chatCall(nil)
		full := chatCall(map[string]any{"message": map[string]any{"header": escape(huge), "values": values}})
		plain.Finding, full.Finding = f, f
		for _, call := range []responder.Call{plain, full, withBody(hugeBody(service, escape(huge)))} {
			call.Prefix = "[DRY RUN] "
			sent := payload(t, service, call)
			if !strings.Contains(mustJSON(t, sent), "[DRY RUN] ") {
				t.Errorf("%s: the prefix is gone", service)
			}
			checkLimits(t, service, sent)
		}
	}
}

// hugeBody is a template's result that breaks every limit of a service.
func hugeBody(service, text string) map[string]any {
	times := func(n int, v any) []any {
		list := make([]any, n)
		for i := range list {
			list[i] = v
		}
		return list
	}
	object := func(key string) map[string]any { return map[string]any{key: text} }
	switch service {
	case "SendSlack":
		return map[string]any{"text": text, "blocks": times(60, map[string]any{
			"type": "section", "text": object("text"), "fields": times(12, object("text")),
		})}
	case "SendTeams":
		return map[string]any{"type": "message", "attachments": times(1, map[string]any{"content": map[string]any{
			"type": "AdaptiveCard", "body": times(150, map[string]any{"type": "RichTextBlock", "inlines": times(3, map[string]any{"type": "TextRun", "text": text})}),
		}})}
	case "SendDiscord":
		return map[string]any{"content": text, "username": text, "embeds": times(12, map[string]any{
			"title": text, "description": text, "author": object("name"), "footer": object("text"),
			"fields": times(30, map[string]any{"name": text, "value": text}),
		})}
	}
	return map[string]any{"cardsV2": times(3, map[string]any{"cardId": "x", "card": map[string]any{
		"header":   map[string]any{"title": text, "subtitle": text},
		"sections": times(5, map[string]any{"widgets": times(40, map[string]any{"textParagraph": object("text")})}),
	}})}
}

func checkLimits(t *testing.T, service string, sent map[string]any) {
	t.Helper()
	most := func(what, text string, max int) {
		t.Helper()
		if n := len(utf16.Encode([]rune(text))); n > max {
			t.Errorf("%s: %s has %d characters, at most %d", service, what, n, max)
		}
		if n := len(text); n > 0 && text[n-1] == '\\' {
			t.Errorf("%s: %s ends in a lone backslash", service, what)
		}
	}
	switch service {
	case "SendSlack":
		blocks := sent["blocks"].([]any)
		if len(blocks) > 50 {
			t.Errorf("%d blocks", len(blocks))
		}
		most("text", sent["text"].(string), 3000)
		for _, b := range blocks {
			block := b.(map[string]any)
			if text, ok := block["text"].(map[string]any); ok {
				most("block", text["text"].(string), map[any]int{"header": 150, "section": 3000}[block["type"]])
			}
			fields, _ := block["fields"].([]any)
			if len(fields) > 10 {
				t.Errorf("%d fields", len(fields))
			}
			for _, f := range fields {
				most("field", f.(map[string]any)["text"].(string), 2000)
			}
		}
	case "SendDiscord":
		total := 0
		text := func(m map[string]any, key string, max int) {
			s, _ := m[key].(string)
			most(key, s, max)
			total += len(utf16.Encode([]rune(s)))
		}
		text(sent, "content", 2000)
		text(sent, "username", 80)
		total = 0
		embeds, _ := sent["embeds"].([]any)
		if len(embeds) > 10 {
			t.Errorf("%d embeds", len(embeds))
		}
		for _, e := range embeds {
			embed := e.(map[string]any)
			text(embed, "title", 256)
			text(embed, "description", 4096)
			for part, max := range map[string]int{"author": 256, "footer": 2048} {
				if m, ok := embed[part].(map[string]any); ok {
					text(m, map[string]string{"author": "name", "footer": "text"}[part], max)
				}
			}
			fields, _ := embed["fields"].([]any)
			if len(fields) > 25 {
				t.Errorf("%d fields", len(fields))
			}
			for _, f := range fields {
				text(f.(map[string]any), "name", 256)
				text(f.(map[string]any), "value", 1024)
				if f.(map[string]any)["name"] == nil || f.(map[string]any)["value"] == nil {
					t.Errorf("a field without name or value: %v", f)
				}
			}
		}
		if total > 6000 {
			t.Errorf("%d characters in all embeds", total)
		}
	case "SendTeams":
		if n := len(mustJSON(t, sent)); n > 28_000 {
			t.Errorf("the message has %d bytes", n)
		}
	case "SendGoogleChat":
		if n := len(mustJSON(t, sent)); n > 32_000 {
			t.Errorf("the message has %d bytes", n)
		}
		for _, c := range sent["cardsV2"].([]any) {
			card := c.(map[string]any)["card"].(map[string]any)
			most("title", card["header"].(map[string]any)["title"].(string), 200)
			widgets := 0
			sections, _ := card["sections"].([]any)
			for _, s := range sections {
				widgets += len(s.(map[string]any)["widgets"].([]any))
			}
			if widgets > 100 {
				t.Errorf("%d widgets", widgets)
			}
		}
	}
}

// mustJSON writes without HTML escapes, as the actions do.
func mustJSON(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}
