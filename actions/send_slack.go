package actions

import (
	"cmp"
	"html"
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
	slackPlan     = 20 // sections of a plan with which there are buttons
)

// newSlack is SendSlack by an incoming webhook.
func newSlack(hook *webhook) *chat {
	return &chat{
		name: "SendSlack", service: "Slack", address: "env:SLACK_WEBHOOK_URL",
		escape: escapeSlack, reread: rereadSlack, compose: composeSlack, ask: askSlack, leave: leaveSlack, mark: markSlack, limit: limitSlack, read: readSlack, hook: hook,
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
		blocks = append(blocks, slackExactHeader(title(f)), map[string]any{"type": "divider"}, slackPlain(exactSlack(f.Message)))
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

// slackExactHeader shows a text exactly: no name in it becomes an emoji.
func slackExactHeader(text string) map[string]any {
	block := slackHeaderBlock(exactSlack(text))
	mapAt(block, "text")["emoji"] = false
	return block
}

func slackSection(text string) map[string]any {
	return map[string]any{"type": "section", "text": map[string]any{"type": "mrkdwn", "text": text}}
}

// slackPlain shows a text exactly: nothing in it is formatting.
func slackPlain(text string) map[string]any {
	return map[string]any{"type": "section", "text": map[string]any{"type": "plain_text", "text": text, "emoji": false}}
}

// slackContext is a small line below; nothing in it is formatting.
func slackContext(text string) map[string]any {
	return map[string]any{"type": "context", "elements": []any{map[string]any{"type": "plain_text", "text": text, "emoji": false}}}
}

// askSlack puts a question before all else, with buttons if all of its plan is
// shown: nobody approves what they have not seen.
func askSlack(payload map[string]any, q *responder.Question) {
	a := putting(q, exactSlack)
	sections, whole := slackPlanSections(a.plan)
	blocks := []any{slackHeaderBlock(a.head)}
	if a.text != "" {
		blocks = append(blocks, slackPlain(a.text))
	}
	blocks = append(blocks, sections...)
	ref := q.Ref()
	switch {
	case !whole || len(ref) > slackValue:
		blocks = append(blocks, slackSection("The plan is too long to be shown here, and so cannot be approved here."))
	case q.Veto:
		blocks = append(blocks, slackButtons(slackButton("deny", "Object", "danger", ref)))
	default:
		blocks = append(blocks, slackButtons(slackButton("approve", "Approve", "primary", ref), slackButton("deny", "Deny", "danger", ref)))
	}
	blocks = append(blocks, slackContext(a.until+" · "+a.how))
	said := cmp.Or(textAt(payload, "text"), slackSummary(payload))
	rest, _ := payload["blocks"].([]any)
	if len(rest) == 0 && said != "" {
		rest = []any{slackSection(said)} // beside blocks Slack shows no text
	}
	payload["blocks"] = append(blocks, rest...)
	payload["text"] = strings.TrimSuffix(a.head+": "+said, ": ")
}

const slackValue = 2000 // characters of a button's value

// slackPlanSections puts the lines of a plan into sections without cutting any,
// and says whether all found room.
func slackPlanSections(plan []string) (sections []any, whole bool) {
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			sections = append(sections, slackPlain(b.String()))
			b.Reset()
		}
	}
	for _, step := range plan {
		if length(step) > slackText {
			return sections, false
		}
		if length(b.String())+1+length(step) > slackText {
			flush()
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(step)
	}
	flush()
	if len(sections) > slackPlan {
		return sections[:slackPlan], false
	}
	return sections, true
}

func slackButtons(buttons ...any) map[string]any {
	return map[string]any{"type": "actions", "block_id": "responder", "elements": buttons}
}

func slackButton(action, text, style, value string) map[string]any {
	return map[string]any{"type": "button", "action_id": action, "style": style, "value": value,
		"text": map[string]any{"type": "plain_text", "text": text}}
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

// limitSlackBlock reports whether anything is left to show. Unless the template's
// author says otherwise, Slack makes nothing in it a link or a mention by itself.
func limitSlackBlock(block map[string]any) bool {
	verbatimSlack(mapAt(block, "text"))
	for _, key := range []string{"fields", "elements"} {
		for _, text := range mapsAt(block, key) {
			verbatimSlack(text)
		}
	}
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

// verbatimSlack has a text shown as it is: names and addresses in it become no
// links. https://docs.slack.dev/reference/block-kit/composition-objects/text-object
func verbatimSlack(text map[string]any) {
	if textAt(text, "type") == "mrkdwn" && text["verbatim"] == nil {
		text["verbatim"] = true
	}
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
		if text := slackFormatted(mapAt(block, "text")); text != "" {
			return text
		}
	}
	for _, block := range mapsAt(payload, "blocks") {
		for _, field := range append(mapsAt(block, "fields"), mapsAt(block, "elements")...) {
			if text := slackFormatted(field); text != "" {
				return text
			}
		}
	}
	return ""
}

// slackFormatted gives a text object's text for where Slack formats it: what was shown exactly is
// shown so there too.
func slackFormatted(object map[string]any) string {
	text := textAt(object, "text")
	if object["emoji"] == false {
		return slackEntities.Replace(breakMarks(html.UnescapeString(text)))
	}
	return text
}

// readSlack gives the texts of a message's blocks, or else its text.
func readSlack(payload map[string]any) string {
	var all []string
	for _, block := range mapsAt(payload, "blocks") {
		var line []string
		for _, text := range append(append([]map[string]any{mapAt(block, "text")}, mapsAt(block, "fields")...), mapsAt(block, "elements")...) {
			if label := mapAt(text, "text"); label != nil { // a button's
				line = append(line, "["+textAt(label, "text")+"]")
			} else if said := textAt(text, "text"); said != "" {
				line = append(line, said)
			}
		}
		if len(line) > 0 {
			all = append(all, strings.Join(line, "\n"))
		}
	}
	if len(all) == 0 {
		all = []string{textAt(payload, "text")}
	}
	return html.UnescapeString(strings.Join(all, "\n"))
}
