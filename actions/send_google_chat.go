package actions

import (
	"html"
	"strings"

	"github.com/skycrafters/responder"
)

// Google Chat's limits: bytes of a message, widgets of a card. It documents none
// for one text; what a header shows is two lines.
// https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages
const (
	googleMessage = 32_000
	googleWidgets = 100
	googleTitle   = 200
	googleText    = 4096
)

func newSendGoogleChat(hook *webhook) *chat {
	return &chat{
		name: "SendGoogleChat", service: "Google Chat", address: "env:RESPONDER_GOOGLE_CHAT_WEBHOOK",
		escape: escapeHTML, compose: composeGoogleChat, mark: markGoogleChat, limit: limitGoogleChat, hook: hook,
	}
}

func composeGoogleChat(f responder.Finding, m message) map[string]any {
	header := m.header
	var widgets []any
	switch {
	case header == "":
		header = escapeHTML(title(f))
		widgets = append(widgets, googleParagraph(escapeHTML(f.Message)))
	case length(header) > googleTitle || strings.Contains(header, "\n"):
		widgets = append(widgets, googleParagraph(header)) // what a title cannot hold
	case len(m.values) == 0:
		widgets = append(widgets, googleParagraph(escapeHTML(title(f)))) // a card needs something below its header
	}
	if len(m.values) > 0 {
		rows := make([]string, len(m.values))
		for i, v := range m.values {
			rows[i] = "<b>" + v.label + "</b>: " + v.value
		}
		widgets = append(widgets, googleParagraph(strings.Join(rows, "\n")))
	}
	return map[string]any{"cardsV2": []any{map[string]any{"cardId": "responder", "card": map[string]any{
		"header":   map[string]any{"title": header},
		"sections": []any{map[string]any{"widgets": widgets}},
	}}}}
}

func googleParagraph(text string) map[string]any {
	return map[string]any{"textParagraph": map[string]any{"text": text}}
}

// googleCards gives the cards of a message, also in the older form that
// templates of the original use.
func googleCards(payload map[string]any) []map[string]any {
	cards := mapsAt(payload, "cards")
	for _, entry := range mapsAt(payload, "cardsV2") {
		if card := mapAt(entry, "card"); card != nil {
			cards = append(cards, card)
		}
	}
	return cards
}

// markGoogleChat puts the prefix before the message's text, or else before the
// first card's title.
func markGoogleChat(payload map[string]any, prefix string) {
	cards := googleCards(payload)
	if text := textAt(payload, "text"); text != "" || len(cards) == 0 {
		payload["text"] = prefix + text
		return
	}
	header := mapAt(cards[0], "header")
	if header == nil {
		header = map[string]any{}
		cards[0]["header"] = header
	}
	header["title"] = prefix + textAt(header, "title")
}

// limitGoogleChat keeps Google Chat's limits and drops widgets that came out
// empty. A message over the limit as a whole gets shorter texts.
func limitGoogleChat(payload map[string]any) error {
	for most := googleText; most >= 64; most /= 2 {
		limitGoogleTexts(payload, most)
		if textAt(payload, "text") == "" && len(googleCards(payload)) == 0 {
			return permanentf("nothing to send: the message came out empty")
		}
		data, err := encodeJSON(payload)
		if err != nil {
			return permanentf("write the message: %w", err)
		}
		if len(data) <= googleMessage {
			return nil
		}
	}
	return permanentf("the message is larger than the %d bytes that Google Chat takes", googleMessage)
}

func limitGoogleTexts(payload map[string]any, most int) {
	shorten(payload, "text", func(text string) string { return cutMarkup(trimmed(text), most) })
	for _, card := range googleCards(payload) {
		header := mapAt(card, "header")
		shorten(header, "title", googleHeading)
		shorten(header, "subtitle", googleHeading)
		left := googleWidgets
		keep(card, "sections", googleWidgets, func(section map[string]any) bool {
			keep(section, "widgets", left, func(widget map[string]any) bool { return limitGoogleWidget(widget, most) })
			left -= len(mapsAt(section, "widgets"))
			return section["widgets"] != nil
		})
	}
}

// limitGoogleWidget reports whether anything is left to show.
func limitGoogleWidget(widget map[string]any, most int) bool {
	shortened := func(text string) string { return cutMarkup(trimmed(text), most) }
	if paragraph := mapAt(widget, "textParagraph"); paragraph != nil {
		return shorten(paragraph, "text", shortened)
	}
	if decorated := mapAt(widget, "decoratedText"); decorated != nil {
		shorten(decorated, "topLabel", googleHeading)
		shorten(decorated, "bottomLabel", googleHeading)
		return shorten(decorated, "text", shortened)
	}
	return true
}

// googleHeading makes a text fit where a card shows plain text on a line or two:
// entities are resolved, and what could be taken for a tag is not.
func googleHeading(text string) string {
	return cut(angles.Replace(html.UnescapeString(inline(text))), googleTitle)
}

var angles = strings.NewReplacer("<b>", "", "</b>", "", "<", "‹", ">", "›")
