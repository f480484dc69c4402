package actions

import (
	"cmp"
	"slices"

	"github.com/skycrafters/responder"
)

// What a notice says of others that were left out, and that it stands for, or of
// what keeps its flow from repairing: a line after its first, so that no limit on length cuts it.

func leaveSlack(payload map[string]any, left *responder.Left) {
	blocks, _ := payload["blocks"].([]any)
	if said := cmp.Or(textAt(payload, "text"), slackSummary(payload)); len(blocks) == 0 && said != "" {
		blocks = []any{slackSection(said)} // beside blocks Slack shows no text
	}
	payload["blocks"] = second(blocks, slackContext(exactSlack(left.Text)))
}

func leaveDiscord(payload map[string]any, left *responder.Left) {
	embeds, _ := payload["embeds"].([]any)
	payload["embeds"] = append([]any{discordEmbed(escapeMarkdown(left.Text))}, embeds...) // below the content
}

func leaveGoogleChat(payload map[string]any, left *responder.Left) {
	cards, _ := payload["cardsV2"].([]any)
	payload["cardsV2"] = second(cards, map[string]any{"cardId": "left", "card": map[string]any{
		"sections": []any{map[string]any{"widgets": []any{googleParagraph(escapeHTML(left.Text))}}},
	}})
}

func leaveTeams(payload map[string]any, left *responder.Left) {
	cards := teamsCards(payload)
	if len(cards) == 0 {
		return // nothing is sent: see limitTeams
	}
	body, _ := cards[0]["body"].([]any)
	cards[0]["body"] = second(body, teamsBlock(teamsRun(lines(left.Text), teamsStrong)))
}

// second puts something in the second place of a list, or in the first of an empty one.
func second(list []any, v map[string]any) []any {
	return slices.Insert(slices.Clone(list), min(1, len(list)), any(v))
}

// leftJSON is what machines are given of it.
type leftJSON struct {
	N       int    `json:"n"`
	AtLeast bool   `json:"at_least,omitempty"`
	Guard   string `json:"guard,omitempty"` // of a warning
	Text    string `json:"text"`
}

func leftObject(left *responder.Left) *leftJSON {
	if left == nil {
		return nil
	}
	return &leftJSON{left.N, left.AtLeast, left.Guard, left.Text}
}
