package actions

import (
	"strings"

	"github.com/skycrafters/responder"
)

// Slack's limits, in characters or items.
// https://docs.slack.dev/reference/block-kit/blocks
const (
	slackHeader   = 150
	slackText     = 3000
	slackField    = 2000
	slackFields   = 10
	slackElements = 10
	slackBlocks   = 50
)

func newSendSlack(hook *webhook) *chat {
	return &chat{
		name: "SendSlack", service: "Slack", address: "env:SLACK_WEBHOOK_URL",
		escape: escapeSlack, compose: composeSlack, mark: markSlack, limit: limitSlack, hook: hook,
	}
}

func composeSlack(f responder.Finding, m message) map[string]any {
	var blocks []any
	if m.header != "" {
		blocks = append(blocks, slackHeaderBlock(m.header))
		if length(m.header) > slackHeader || strings.Contains(m.header, "\n") {
			blocks = append(blocks, slackSection(m.header)) // what a header cannot hold
		}
	} else {
		blocks = append(blocks, slackHeaderBlock(escapeSlack(title(f))), map[string]any{"type": "divider"}, slackSection(escapeSlack(f.Message)))
	}
	if len(m.values) > 0 {
		rows := make([]string, len(m.values))
		for i, v := range m.values {
			rows[i] = "*" + v.label + "*: " + v.value
		}
		blocks = append(blocks, slackSection(strings.Join(rows, "\n")))
	}
	return map[string]any{"blocks": blocks}
}

func slackHeaderBlock(text string) map[string]any {
	return map[string]any{"type": "header", "text": map[string]any{"type": "plain_text", "text": text}}
}

func slackSection(text string) map[string]any {
	return map[string]any{"type": "section", "text": map[string]any{"type": "mrkdwn", "text": text}}
}

// markSlack puts the prefix before the first header or section, and before the
// text that notifications show.
func markSlack(payload map[string]any, prefix string) {
	marked := false
	if text := textAt(payload, "text"); text != "" {
		payload["text"] = prefix + text
		marked = payload["blocks"] == nil
	}
	for _, block := range mapsAt(payload, "blocks") {
		if text := mapAt(block, "text"); !marked && text != nil {
			text["text"] = prefix + textAt(text, "text")
			marked = true
		}
	}
	if !marked {
		blocks, _ := payload["blocks"].([]any)
		payload["blocks"] = append([]any{slackSection(prefix)}, blocks...)
	}
}

// limitSlack keeps Slack's limits, drops blocks that came out empty (Slack
// refuses the message for one of them), and adds what notifications show. Links
// are not unfurled: Slack would fetch an address that an event may have chosen.
func limitSlack(payload map[string]any) error {
	shorten(payload, "text", slackLong)
	all := len(mapsAt(payload, "blocks"))
	keep(payload, "blocks", slackBlocks, limitSlackBlock)
	if blocks, _ := payload["blocks"].([]any); len(blocks) == slackBlocks && all > slackBlocks {
		blocks[slackBlocks-1] = slackSection("…")
	}
	if textAt(payload, "text") == "" {
		text := slackSummary(payload)
		if text == "" && payload["attachments"] == nil {
			return permanentf("nothing to send: the message came out empty")
		}
		payload["text"] = text
	}
	for _, key := range []string{"unfurl_links", "unfurl_media"} {
		if payload[key] == nil {
			payload[key] = false
		}
	}
	return nil
}

// limitSlackBlock reports whether anything is left to show.
func limitSlackBlock(block map[string]any) bool {
	switch textAt(block, "type") {
	case "header":
		return limitSlackText(block, "text", func(text string) string { return cutMarkup(inline(text), slackHeader) })
	case "section":
		keep(block, "fields", slackFields, func(field map[string]any) bool {
			return shorten(field, "text", func(text string) string { return cutMarkup(trimmed(text), slackField) })
		})
		return limitSlackText(block, "text", slackLong) || block["fields"] != nil
	case "context":
		keep(block, "elements", slackElements, func(element map[string]any) bool {
			return textAt(element, "type") == "image" || shorten(element, "text", slackLong)
		})
		return block["elements"] != nil
	}
	return true
}

// limitSlackText shortens a block's text object and removes it if it is empty.
func limitSlackText(block map[string]any, key string, shortened func(string) string) bool {
	if shorten(mapAt(block, key), "text", shortened) {
		return true
	}
	delete(block, key)
	return false
}

func slackLong(text string) string { return cutMarkup(trimmed(text), slackText) }

// slackSummary is the first text of the blocks.
func slackSummary(payload map[string]any) string {
	for _, block := range mapsAt(payload, "blocks") {
		if text := textAt(mapAt(block, "text"), "text"); text != "" {
			return text
		}
	}
	for _, block := range mapsAt(payload, "blocks") {
		for _, field := range append(mapsAt(block, "fields"), mapsAt(block, "elements")...) {
			if text := textAt(field, "text"); text != "" {
				return text
			}
		}
	}
	return ""
}
