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
	googleMessage   = 32_000
	googleWidgets   = 100
	googleTitle     = 200
	googleText      = 4096
	googleShortText = 128 // not made shorter to save the whole
)

func newSendGoogleChat(hook *webhook) *chat {
	return &chat{
		name: "SendGoogleChat", service: "Google Chat", address: "env:GOOGLE_CHAT_WEBHOOK_URL",
		escape: escapeGoogle, reread: rereadSlack, compose: composeGoogleChat, ask: askGoogleChat, leave: leaveGoogleChat, mark: markGoogleChat, limit: limitGoogleChat, read: readGoogleChat, hook: hook,
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

// askGoogleChat puts a question before all else, as a card of its own. There are
// no buttons: it says how to answer.
func askGoogleChat(payload map[string]any, q *responder.Question) {
	a := putting(q, escapeHTML)
	var widgets []any
	for _, line := range a.lines()[1:] {
		widgets = append(widgets, googleParagraph(line))
	}
	cards, _ := payload["cardsV2"].([]any)
	payload["cardsV2"] = append([]any{map[string]any{"cardId": "question", "card": map[string]any{
		"header":   map[string]any{"title": a.head},
		"sections": []any{map[string]any{"widgets": widgets}},
	}}}, cards...)
}

// readGoogleChat gives the texts of a message.
func readGoogleChat(payload map[string]any) string {
	all := []string{textAt(payload, "text")}
	for _, card := range googleCards(payload) {
		header := mapAt(card, "header")
		all = append(all, textAt(header, "title"), textAt(header, "subtitle"))
		for _, section := range mapsAt(card, "sections") {
			for _, widget := range mapsAt(section, "widgets") {
				decorated := mapAt(widget, "decoratedText")
				all = append(all, textAt(mapAt(widget, "textParagraph"), "text"), textAt(decorated, "topLabel"), textAt(decorated, "text"), textAt(decorated, "bottomLabel"))
			}
		}
	}
	return html.UnescapeString(strings.NewReplacer("<b>", "", "</b>", "").Replace(joinLines(all)))
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
// empty. A message over the limit as a whole gets shorter texts, then fewer
// widgets.
func limitGoogleChat(payload map[string]any) error {
	texts, widgets := googleText, googleWidgets
	for widgets > 0 {
		limitGoogleTexts(payload, texts, widgets)
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
		if texts > googleShortText {
			texts /= 2
		} else {
			widgets /= 2
		}
	}
	return permanentf("the message is larger than the %d bytes that Google Chat takes", googleMessage)
}

// limitGoogleTexts keeps a limit on each text, and one on the widgets of all cards.
func limitGoogleTexts(payload map[string]any, texts, widgets int) {
	shorten(payload, "text", func(text string) string { return cutMarkup(trimmed(text), texts) })
	card := func(card map[string]any) bool {
		header := mapAt(card, "header")
		shorten(header, "subtitle", googleHeading)
		if !shorten(header, "title", googleHeading) {
			delete(card, "header")
		}
		keep(card, "sections", googleWidgets, func(section map[string]any) bool {
			keep(section, "widgets", widgets, func(widget map[string]any) bool { return limitGoogleWidget(widget, texts) })
			widgets -= len(mapsAt(section, "widgets"))
			return section["widgets"] != nil
		})
		return card["header"] != nil || card["sections"] != nil
	}
	keep(payload, "cards", googleWidgets, card)
	keep(payload, "cardsV2", googleWidgets, func(entry map[string]any) bool {
		inner := mapAt(entry, "card")
		return inner != nil && card(inner)
	})
}

// limitGoogleWidget reports whether anything is left to show.
func limitGoogleWidget(widget map[string]any, max int) bool {
	shortened := func(text string) string { return cutMarkup(trimmed(text), max) }
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
