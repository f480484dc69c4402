// Package ansi takes out of texts what is meant for a terminal and not for
// people. It imports the standard library alone.
package ansi

import (
	"regexp"
	"strings"
)

// sequence is a control sequence (colours, cursor, clearing), also one that is not
// ended; a command with a text of its own (window title, link, device control) that is
// ended soon; the beginning of one that is not; a choice of characters. An
// escape of one letter is no more than that to people: the letter may be a name's.
// ECMA-48, and https://invisible-island.net/xterm/ctlseqs/ctlseqs.html
var sequence = regexp.MustCompile("(?:\x1b\\[|\u009b)[0-?]*[ -/]*[@-~]?" +
	"|(?:\x1b[]PX^_]|[\u0090\u0098\u009d\u009e\u009f])(?:[^\x07\x1b\u009c\n]{0,250}(?:\x07|\x1b\\\\|\u009c))?" +
	"|\x1b[ -/]+[0-~]")

// Strip takes whole terminal sequences out of a text, and not just the control
// character that begins each. Other control characters stay. A command that does not
// end within 250 characters, on its line, loses its beginning alone: nothing longer can be made to
// vanish. Safe for concurrent use; it costs nothing for a text without any.
func Strip(text string) string {
	if !strings.ContainsAny(text, "\x1b\u0090\u0098\u009b\u009d\u009e\u009f") {
		return text
	}
	return sequence.ReplaceAllString(text, "")
}
