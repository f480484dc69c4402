package ansi

import (
	"strings"
	"testing"
)

func TestStrip(t *testing.T) {
	long := strings.Repeat("x", 300)
	for text, want := range map[string]string{
		"":                                       "",
		"plain ünï [2J":                          "plain ünï [2J",
		"a\x1b[2Jb\x1b[1;1Hc":                    "abc",
		"\x1b[31;1mred\x1b[0m":                   "red",
		"\u009b2Jx":                              "x",
		"\x1b[38;5;1mx\x1b[?25lx":                "xx",
		"\x1b[31\x1b[0mm":                        "m",
		"x\x1b[31":                               "x",
		"x\x1b":                                  "x\x1b",
		"\x1b]0;title\x07x":                      "x",
		"\x1b]8;;http://evil\x07x\x1b]8;;\x1b\\": "x",
		"\x1bP1$q\x1b\\x\u009dtitle\u009cy":      "xy",
		"\x1bbob\x1b(By\x1b#8":                   "\x1bboby",
		"\x1b]0;never ended, and more":           "0;never ended, and more",
		"\x1b]0;\nnext\x07":                      "0;\nnext\x07",
		"\x1b]0;" + long + "\x07":                "0;" + long + "\x07",
	} {
		if got := Strip(text); got != want {
			t.Errorf("Strip(%q) = %q, want %q", text, got, want)
		}
	}
}
