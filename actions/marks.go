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
// not format: jane_doe_x and most ARNs stay as they are. It goes through a text once.
func breakMarks(text string) string {
	if !strings.ContainsAny(text, "*_~`:>") {
		return text
	}
	runes := []rune(text)
	broken := slices.Clone(runes)
	begins := true // nothing but blanks and > since the line began
	for i := 0; i < len(runes); i++ {
		r, end := runes[i], i+1 // of the run of this mark
		switch r {
		case '*', '_', '~':
			for end < len(runes) && runes[end] == r {
				end++
			}
			if i > 0 && inWord(runes[i-1]) && end < len(runes) && inWord(runes[end]) {
				break
			}
			for j := i; j < end; j++ {
				broken[j] = twins[r]
			}
		case '`':
			broken[i] = twins[r]
		case '>':
			if begins {
				broken[i] = twins[r]
			}
		}
		begins = r == '\n' || begins && (unicode.IsSpace(r) || r == '>')
		i = end - 1
	}
	for i := range emojiColons(text) {
		broken[i] = twins[':']
	}
	return string(broken)
}

func inWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

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
