package actions

import (
	"regexp"
	"strings"

	"github.com/skycrafters/responder"
)

// Discord's limits, in characters or items; discordTotal is over the texts of
// all embeds. https://discord.com/developers/docs/resources/message#embed-object-embed-limits
const (
	discordContent     = 2000
	discordUsername    = 80
	discordEmbeds      = 10
	discordTotal       = 6000
	discordTitle       = 256
	discordDescription = 4096
	discordFields      = 25
	discordFieldName   = 256
	discordFieldValue  = 1024
	discordFooter      = 2048
	discordAuthor      = 256
)

// discordNoPreviews is SUPPRESS_EMBEDS of a message's flags.
// https://discord.com/developers/docs/resources/message#message-object-message-flags
const discordNoPreviews = 4

const discordColor = 15258703 // the amber stripe beside an embed

func newSendDiscord(hook *webhook) *chat {
	return &chat{
		name: "SendDiscord", service: "Discord", address: "env:DISCORD_WEBHOOK_URL",
		escape: escapeMarkdown, reread: rereadMarkdown, compose: composeDiscord, ask: askDiscord, leave: leaveDiscord, mark: markDiscord, limit: limitDiscord, read: readDiscord, hook: hook,
	}
}

func composeDiscord(f responder.Finding, m message) map[string]any {
	header := m.header
	var embeds []any
	if header == "" {
		header = escapeMarkdown(title(f))
		embeds = append(embeds, discordEmbed(escapeMarkdown(f.Message)))
	}
	if len(m.values) > 0 {
		rows := make([]string, len(m.values))
		for i, v := range m.values {
			rows[i] = "**" + v.label + "**: " + v.value
		}
		embeds = append(embeds, discordEmbed(strings.Join(rows, "\n")))
	}
	// The bold marks must survive the cut of a long header.
	payload := map[string]any{"content": "**" + cutMarkdown(header, discordContent-100) + "**"}
	if embeds != nil {
		payload["embeds"] = embeds
	}
	return payload
}

func discordEmbed(text string) map[string]any {
	return map[string]any{"description": text, "color": discordColor}
}

// askDiscord puts a question before all else. There are no buttons: it says how to
// answer.
func askDiscord(payload map[string]any, q *responder.Question) {
	embeds, _ := payload["embeds"].([]any)
	a := putting(q, escapeMarkdown)
	payload["embeds"] = append([]any{discordEmbed(strings.Join(a.lines()[1:], "\n"))}, embeds...)
	payload["content"] = strings.TrimSpace("**" + a.head + "**\n" + textAt(payload, "content"))
}

// readDiscord gives the texts of a message.
func readDiscord(payload map[string]any) string {
	all := []string{textAt(payload, "content")}
	for _, embed := range mapsAt(payload, "embeds") {
		all = append(all, textAt(embed, "title"), textAt(embed, "description"))
		for _, field := range mapsAt(embed, "fields") {
			all = append(all, textAt(field, "name")+": "+textAt(field, "value"))
		}
		all = append(all, textAt(mapAt(embed, "footer"), "text"))
	}
	return rereadMarkdown(joinLines(all))
}

func rereadMarkdown(text string) string { return unescapeMarkdown.ReplaceAllString(text, "$1") }

var unescapeMarkdown = regexp.MustCompile(`\\([\\*_~` + "`" + `|<>\[\]()#@:.+-])`)

func markDiscord(payload map[string]any, prefix string) {
	payload["content"] = prefix + textAt(payload, "content")
}

// limitDiscord keeps Discord's limits, drops what came out empty (Discord
// refuses the message for it) and, unless the template's author says otherwise,
// lets nothing in the message ping anybody, and nothing be fetched for a preview.
func limitDiscord(payload map[string]any) error {
	shorten(payload, "content", discordCut(discordContent))
	if !shorten(payload, "username", func(text string) string { return cut(inline(text), discordUsername) }) {
		payload["username"] = "Responder"
	}
	budget := discordBudget{left: discordTotal}
	keep(payload, "embeds", discordEmbeds, budget.embed)
	if payload["allowed_mentions"] == nil {
		payload["allowed_mentions"] = map[string]any{"parse": []any{}}
	}
	if payload["embeds"] == nil && payload["flags"] == nil {
		payload["flags"] = discordNoPreviews // with embeds it would hide them
	}
	if payload["content"] == nil && payload["embeds"] == nil && payload["components"] == nil {
		return permanentf("nothing to send: the message came out empty")
	}
	return nil
}

func discordCut(max int) func(string) string {
	return func(text string) string { return cutMarkdown(trimmed(text), max) }
}

// discordBudget counts down what the embeds of one message may still take.
type discordBudget struct{ left int }

// embed limits one embed and reports whether anything is left to show.
func (b *discordBudget) embed(embed map[string]any) bool {
	shown := b.text(embed, "title", discordTitle)
	shown = b.text(embed, "description", discordDescription) || shown
	keep(embed, "fields", discordFields, b.field)
	for _, part := range []struct {
		name, key string
		max       int
	}{{"author", "name", discordAuthor}, {"footer", "text", discordFooter}} {
		if b.text(mapAt(embed, part.name), part.key, part.max) {
			shown = true
		} else {
			delete(embed, part.name)
		}
	}
	return shown || embed["fields"] != nil || embed["image"] != nil || embed["thumbnail"] != nil
}

// field limits one field; one without name or value is dropped.
func (b *discordBudget) field(field map[string]any) bool {
	left := b.left
	if b.text(field, "name", discordFieldName) && b.text(field, "value", discordFieldValue) {
		return true
	}
	b.left = left
	return false
}

// text limits one text and reports whether anything is left of it.
func (b *discordBudget) text(m map[string]any, key string, max int) bool {
	if b.left < 1 {
		delete(m, key)
		return false
	}
	shown := shorten(m, key, discordCut(min(max, b.left)))
	b.left -= length(textAt(m, key))
	return shown
}
