package actions

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// What formats a text in a chat: * _ ~ ` around words, :names: of emoji, > at the
// beginning of a line. Slack documents no way to escape them, and whether an
// invisible character beside one is enough depends on a parser that is not
// documented either. So where one could format, its full-width twin stands in for
// it, which no service takes for markup, which people read as what it is, and see to
// be another character; NFKC makes the original of it. Where a service has a place
// for text that is not formatted at all, that is used instead, and nothing is changed.
var twins = map[rune]rune{'*': '＊', '_': '＿', '~': '～', '`': '｀', ':': '：', '>': '＞'}

// untwin reads back what breakMarks has written.
var untwin = strings.NewReplacer("＊", "*", "＿", "_", "～", "~", "｀", "`", "：", ":", "＞", ">")

// breakMarks puts twins in place of the marks in a text that could format it, also
// together with others around the place where it is put. A mark inside a word does
// not format: jane_doe_x and most ARNs stay as they are.
func breakMarks(text string) string {
	if !strings.ContainsAny(text, "*_~`:>") {
		return text
	}
	runes := []rune(text)
	broken := slices.Clone(runes)
	for i, r := range runes {
		switch r {
		case '`':
			broken[i] = twins[r]
		case '*', '_', '~':
			if !insideWord(runes, i) {
				broken[i] = twins[r]
			}
		case '>':
			if beginsLine(runes, i) {
				broken[i] = twins[r]
			}
		}
	}
	for i := range emojiColons(text) {
		broken[i] = twins[':']
	}
	return string(broken)
}

// insideWord tells a mark, or one of a run of the same, with a letter or a digit on
// both sides.
func insideWord(text []rune, i int) bool {
	before, after := i, i
	for before >= 0 && text[before] == text[i] {
		before--
	}
	for after < len(text) && text[after] == text[i] {
		after++
	}
	return before >= 0 && after < len(text) && inWord(text[before]) && inWord(text[after])
}

func inWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func beginsLine(text []rune, i int) bool {
	for i--; i >= 0 && text[i] != '\n'; i-- {
		if !unicode.IsSpace(text[i]) && text[i] != '>' {
			return false
		}
	}
	return true
}

var (
	emoji  = regexp.MustCompile(`^:[\pL\pM\pN_+'-]+:`)
	opened = regexp.MustCompile(`^:[\d_+'-]*\pL[\pL\pM\pN_+'-]*$`) // what follows the text could end it

	// arnHead is what nobody chooses of an ARN: all before the thing.
	arnHead = regexp.MustCompile(`\barn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:(?:\d*|aws):`)
	token   = regexp.MustCompile(`[^\s,;()\[\]"'<>=/]+`)
	// clockOrIP is a time or an IPv6 address.
	clockOrIP = regexp.MustCompile(`^(?:[0-9-]+T)?(?:[0-9A-Fa-f]{1,4}|:):[0-9A-Fa-f:.]*(?:Z|[+-]\d\d:\d\d)?$`)
)

// emojiColons finds the colons of a text, counted in runes, with which the name of
// an emoji could begin.
func emojiColons(text string) map[int]bool {
	hide := func(colons string) string { return strings.ReplaceAll(colons, ":", "/") }
	text = arnHead.ReplaceAllStringFunc(text, hide)
	text = token.ReplaceAllStringFunc(text, func(token string) string {
		if clockOrIP.MatchString(token) {
			return hide(token)
		}
		return token
	})
	found := map[int]bool{}
	n, before := 0, ' '
	for i, r := range text {
		if r == ':' && (emoji.MatchString(text[i:]) || !inWord(before) && opened.MatchString(text[i:])) {
			found[n] = true
		}
		n, before = n+1, r
	}
	return found
}
