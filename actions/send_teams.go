package actions

import (
	"maps"
	"strings"

	"github.com/skycrafters/responder"
)

// Teams's limits: bytes of a message that a workflow takes, with room for what it
// adds. Cards have none of their own for one text.
// https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
const (
	teamsMessage   = 28_000
	teamsElements  = 100 // of a card
	teamsText      = 4000
	teamsShortText = 125 // not made shorter to save the whole
)

const (
	teamsCardType   = "application/vnd.microsoft.card.adaptive"
	teamsCardSchema = "http://adaptivecards.io/schemas/adaptive-card.json"
)

func newSendTeams(hook *webhook) *chat {
	return &chat{
		name: "SendTeams", service: "Microsoft Teams", address: "env:TEAMS_WEBHOOK_URL",
		escape: escapeTeams, reread: rereadTeams, compose: composeTeams, ask: askTeams, leave: leaveTeams, mark: markTeams, limit: limitTeams, read: readTeams, hook: hook,
	}
}

// composeTeams makes an Adaptive Card of runs of text: in them nothing is Markdown.
func composeTeams(f responder.Finding, m message) map[string]any {
	header := m.header
	var body []any
	if header == "" {
		body = append(body, teamsBlock(teamsRun(lines(title(f)), teamsTitle)), teamsBlock(teamsRun(lines(f.Message), nil)))
	} else {
		body = append(body, teamsBlock(teamsRun(header, teamsTitle)))
	}
	for _, v := range m.values {
		body = append(body, teamsBlock(teamsRun(v.label+": ", teamsStrong), teamsRun(v.value, nil)))
	}
	return teamsMessageOf(body)
}

// teamsMessageOf is what a workflow that waits for a Teams webhook request takes.
func teamsMessageOf(body []any) map[string]any {
	return map[string]any{"type": "message", "attachments": []any{map[string]any{
		"contentType": teamsCardType,
		"contentUrl":  nil,
		"content": map[string]any{
			"$schema": teamsCardSchema, "type": "AdaptiveCard", "version": "1.4",
			"msteams": map[string]any{"width": "Full"},
			"body":    body,
		},
	}}}
}

// How runs of text look.
var (
	teamsTitle  = map[string]any{"size": "Large", "weight": "Bolder"}
	teamsStrong = map[string]any{"weight": "Bolder"}
)

// teamsRun is a stretch of text.
func teamsRun(text string, style map[string]any) map[string]any {
	run := map[string]any{"type": "TextRun", "text": text}
	for key, value := range style {
		run[key] = value
	}
	return run
}

func teamsBlock(runs ...any) map[string]any {
	return map[string]any{"type": "RichTextBlock", "inlines": runs, "spacing": "Small"}
}

// teamsCards gives the cards of a message.
func teamsCards(payload map[string]any) []map[string]any {
	var cards []map[string]any
	for _, attachment := range mapsAt(payload, "attachments") {
		if card := mapAt(attachment, "content"); card != nil {
			cards = append(cards, card)
		}
	}
	return cards
}

// askTeams puts a question before all else. There are no buttons, which an
// incoming webhook's card could only make links: it says how to answer.
func askTeams(payload map[string]any, q *responder.Question) {
	a := putting(q, lines)
	blocks := []any{teamsBlock(teamsRun(a.head, teamsTitle))}
	for _, line := range a.lines()[1:] {
		blocks = append(blocks, teamsBlock(teamsRun(line, nil)))
	}
	cards := teamsCards(payload)
	if len(cards) == 0 {
		for key, value := range teamsMessageOf(blocks) {
			payload[key] = value
		}
		return
	}
	body, _ := cards[0]["body"].([]any)
	cards[0]["body"] = append(blocks, body...)
}

// markTeams puts the prefix before the first card's first text.
func markTeams(payload map[string]any, prefix string) {
	cards := teamsCards(payload)
	if len(cards) == 0 {
		return // nothing is sent: see limitTeams
	}
	for _, element := range mapsAt(cards[0], "body") {
		if text := textAt(element, "text"); text != "" {
			element["text"] = prefix + text
			return
		}
		if runs := mapsAt(element, "inlines"); len(runs) > 0 {
			runs[0]["text"] = prefix + textAt(runs[0], "text")
			return
		}
	}
	body, _ := cards[0]["body"].([]any)
	cards[0]["body"] = append([]any{teamsBlock(teamsRun(strings.TrimSpace(prefix), teamsStrong))}, body...)
}

// limitTeams keeps Teams's limits and drops what came out empty. A message over
// the limit as a whole gets shorter texts, then fewer elements.
func limitTeams(payload map[string]any) error {
	for _, card := range teamsCards(payload) {
		card["body"] = spreadTeams(card)
	}
	texts, elements := teamsText, teamsElements
	for elements > 0 {
		shown := false
		for _, card := range teamsCards(payload) {
			keep(card, "body", elements, func(element map[string]any) bool { return limitTeamsElement(element, texts) })
			shown = shown || card["body"] != nil
		}
		if !shown {
			return permanentf("nothing to send: the message came out empty")
		}
		data, err := encodeJSON(payload)
		if err != nil {
			return permanentf("write the message: %w", err)
		}
		if len(data) <= teamsMessage {
			return nil
		}
		if texts > teamsShortText {
			texts /= 2
		} else {
			elements /= 2
		}
	}
	return permanentf("the message is larger than the %d bytes that Teams takes", teamsMessage)
}

// spreadTeams gives the elements of a card with a block of its own for each line
// of runs of text: inside a run the end of a line is none.
func spreadTeams(card map[string]any) []any {
	body, _ := card["body"].([]any)
	var spread []any
	for _, v := range body {
		element, ok := v.(map[string]any)
		if !ok || textAt(element, "type") != "RichTextBlock" {
			spread = append(spread, v)
			continue
		}
		lines := [][]any{nil}
		for _, run := range mapsAt(element, "inlines") {
			for i, line := range strings.Split(textAt(run, "text"), "\n") {
				if i > 0 {
					lines = append(lines, nil)
				}
				part := maps.Clone(run)
				part["text"] = line
				lines[len(lines)-1] = append(lines[len(lines)-1], part)
			}
		}
		for _, line := range lines {
			block := maps.Clone(element)
			block["inlines"] = line
			spread = append(spread, block)
		}
	}
	return spread
}

// limitTeamsElement reports whether anything is left to show.
func limitTeamsElement(element map[string]any, max int) bool {
	shortened := func(text string) string { return cut(strings.TrimRight(clean(text), " \n"), max) }
	switch textAt(element, "type") {
	case "TextBlock":
		return shorten(element, "text", shortened)
	case "RichTextBlock":
		keep(element, "inlines", teamsElements, func(run map[string]any) bool { return shortenRun(run, shortened) })
		return element["inlines"] != nil
	}
	return true
}

// shortenRun keeps the blank at the end of a run, which parts it from the next.
func shortenRun(run map[string]any, shortened func(string) string) bool {
	blank := strings.HasSuffix(textAt(run, "text"), " ")
	if !shorten(run, "text", shortened) {
		return false
	}
	if blank {
		run["text"] = textAt(run, "text") + " "
	}
	return true
}

// readTeams gives the texts of a message.
func readTeams(payload map[string]any) string {
	var all []string
	for _, card := range teamsCards(payload) {
		for _, element := range mapsAt(card, "body") {
			line := textAt(element, "text")
			for _, run := range mapsAt(element, "inlines") {
				line += textAt(run, "text")
			}
			all = append(all, line)
		}
	}
	return joinLines(all)
}
