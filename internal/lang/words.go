package lang

import (
	"strings"
	"unicode"
)

// describe puts expr's messages into the words of this product.
func describe(message string) string {
	message = strings.TrimSpace(message)
	for _, r := range []struct{ from, to string }{
		{"unexpected token EOF", "the expression ends too early"},
		{"literal not terminated", "the text is not closed: a quote is missing"},
		{"unexpected token ", "unexpected "},
	} {
		if message == r.from {
			return r.to
		}
		message = strings.Replace(message, r.from, r.to, 1)
	}
	return message
}

// operatorHint is for what other languages write, at the character where an
// expression stops making sense; "" if it is nothing known.
func operatorHint(source []rune, from int) string {
	before, after := string(source[:from]), string(source[from:])
	switch {
	case strings.HasPrefix(after, "=~"):
		return `write matches: action matches "^iam:"`
	case strings.HasPrefix(after, "="):
		return "write == to compare"
	case strings.HasPrefix(after, ">") && strings.HasSuffix(before, "<"):
		return "write != for what differs"
	case strings.HasPrefix(after, "&"):
		return "write && for and"
	}
	notWord := func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	word, _, _ := strings.Cut(strings.Map(func(r rune) rune {
		if notWord(r) {
			return ' '
		}
		return r
	}, after), " ")
	if hint := operatorWritten(word); hint != "" {
		return hint
	}
	words := strings.FieldsFunc(before, notWord)
	if len(words) == 0 || !strings.HasSuffix(strings.TrimRight(before, " "), words[len(words)-1]) {
		return ""
	}
	return operatorWritten(words[len(words)-1]) // NOT ok: the mistake is seen at ok
}

// operatorWritten says how an operator is written here that somebody has
// written as in SQL; "" for any other word.
func operatorWritten(word string) string {
	switch strings.ToLower(word) {
	case "is":
		return "write == to compare"
	case "like":
		return `write contains, matches, or glob(text, "pattern*")`
	}
	for _, operator := range []string{"and", "or", "not", "in", "contains", "matches", "startsWith", "endsWith"} {
		if word != operator && strings.EqualFold(word, operator) {
			return "write " + operator
		}
	}
	return ""
}
