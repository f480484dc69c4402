package actions

import (
	"html"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/skycrafters/responder/internal/ansi"
)

// clean takes out of a text what deceives or disturbs its reader: terminal
// sequences, control characters, marks of the writing direction, characters
// that show nothing, bytes that are not UTF-8. Line breaks of every kind become \n, tabs a space.
func clean(text string) string {
	text = ansi.Strip(strings.ToValidUTF8(text, "\uFFFD"))
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\r', r == '\u0085', r == '\u2028', r == '\u2029':
			return '\n'
		case r == '\t':
			return ' '
		case unicode.IsControl(r), unseen(r):
			return -1
		}
		return r
	}, text)
}

// unseen tells characters that show nothing themselves: those that turn the
// writing direction, so that a text reads otherwise than it is written, those of
// no width, which break a name that is searched for, tags, and fillers.
func unseen(r rune) bool {
	switch r {
	case '\u034F', '\u115F', '\u1160', '\u17B4', '\u17B5', '\u3164', '\uFFA0':
		return true
	}
	return unicode.Is(unicode.Cf, r)
}

// inline is clean on one line.
func inline(text string) string { return strings.Join(strings.Fields(clean(text)), " ") }

// lines is clean, without blank lines. All but the first line are indented by a
// space that no service folds, so that a value out of an event cannot pass for
// further lines of the message around it.
func lines(text string) string {
	var kept []string
	for line := range strings.SplitSeq(clean(text), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n\u2003")
}

// escapeMail makes a text harmless in plain text.
func escapeMail(text string) string { return lines(text) }

// escapeSlack makes a text harmless in Slack's mrkdwn: with & < > written as
// entities nothing in it is a link or a mention, <!channel> included, and its marks
// are broken. https://docs.slack.dev/messaging/formatting-message-text
func escapeSlack(text string) string { return slackEntities.Replace(breakMarks(lines(text))) }

// exactSlack makes a text harmless where Slack formats nothing.
func exactSlack(text string) string { return slackEntities.Replace(lines(text)) }

var slackEntities = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// rereadSlack reads what escapeSlack, or escapeGoogle, has written.
func rereadSlack(text string) string { return untwin.Replace(html.UnescapeString(text)) }

// escapeGoogle makes a text harmless in a Google Chat message, whose text has marks.
func escapeGoogle(text string) string { return html.EscapeString(breakMarks(lines(text))) }

// escapeHTML makes a text harmless in a Google Chat card, which has tags alone.
func escapeHTML(text string) string { return html.EscapeString(lines(text)) }

// escapeTeams makes a text harmless in an Adaptive Card's Markdown: its marks are
// broken, and so are the brackets of links.
// https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features
func escapeTeams(text string) string { return teamsBrackets.Replace(breakMarks(lines(text))) }

var teamsBrackets = strings.NewReplacer("[", "\uFF3B", "]", "\uFF3D")

// rereadTeams reads what escapeTeams has written.
func rereadTeams(text string) string { return untwin.Replace(teamsBracketed.Replace(text)) }

var teamsBracketed = strings.NewReplacer("\uFF3B", "[", "\uFF3D", "]")

// escapeMarkdown makes a text harmless in Discord's Markdown, which has an escape
// for all that it takes for markup: what would be a link or an invitation is none
// either, and nothing is fetched for a preview of it.
// https://discord.com/developers/docs/reference#message-formatting
func escapeMarkdown(text string) string {
	const special = "\\*_~`|<>[]()#@"
	text = lines(text)
	colons, n := emojiColons(text), 0
	var b strings.Builder
	for i, r := range text {
		switch {
		case strings.ContainsRune(special, r),
			colons[n], r == ':' && strings.HasPrefix(text[i:], "://"),
			(r == '-' || r == '+') && (i == 0 || text[i-1] == '\n'):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		n++
	}
	return invitation.ReplaceAllString(b.String(), `$1\$2`)
}

// invitation is how an address begins that Discord makes a button to join of, also without https.
var invitation = regexp.MustCompile(`(?i)(discord(?:app)?)(\.(?:gg|com)/)`)

// length is a text's length in UTF-16 units, the most cautious of the ways in
// which chat services count characters.
func length(text string) int {
	n := 0
	for _, r := range text {
		n += units(r)
	}
	return n
}

func units(r rune) int { return max(1, utf16.RuneLen(r)) }

// cut shortens a text to at most max UTF-16 units, the last of them "…".
func cut(text string, max int) string {
	return cutAt(text, max, func(head string) string { return head })
}

// cutMarkup is cut for text with <tags> and &entities;, and never ends inside one.
func cutMarkup(text string, max int) string {
	return cutAt(text, max, func(head string) string {
		if i := strings.LastIndexByte(head, '<'); i > strings.LastIndexByte(head, '>') {
			head = head[:i]
		}
		const longest = len("&quot")
		if i := strings.LastIndexByte(head, '&'); i >= len(head)-longest && i > strings.LastIndexByte(head, ';') {
			head = head[:i]
		}
		return head
	})
}

// cutMarkdown is cut for text with backslash escapes, and never ends inside one.
func cutMarkdown(text string, max int) string {
	return cutAt(text, max, func(head string) string {
		if slashes := len(head) - len(strings.TrimRight(head, `\`)); slashes%2 == 1 {
			head = head[:len(head)-1]
		}
		return head
	})
}

// cutAt gives the text if it has at most max units, else as much of its head as
// leaves room for the ellipsis, mended by mend, with the ellipsis. max < 1 gives "".
func cutAt(text string, max int, mend func(head string) string) string {
	if max < 1 {
		return ""
	}
	n, room := 0, 0
	for i, r := range text {
		if n < max {
			room = i // text[:i] has n units
		}
		if n += units(r); n > max {
			return strings.TrimRight(mend(text[:room]), " \n\u2003") + "…"
		}
	}
	return text
}

// trimmed takes the blank off both ends of every line's end and of the text:
// what a template leaves where a conditional line came out empty.
func trimmed(text string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(clean(text), "\n") {
		b.WriteString(strings.TrimRight(line, " \u2003"))
		b.WriteByte('\n')
	}
	return strings.Trim(b.String(), " \n\u2003")
}

// joinLines joins texts, a line each, without the empty ones.
func joinLines(texts []string) string {
	return strings.Join(slices.DeleteFunc(texts, func(text string) bool { return text == "" }), "\n")
}
