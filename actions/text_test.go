package actions

import (
	"html"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		"plain ünï 😀":                            "plain ünï 😀",
		"\x1b[31;1mred\x1b[0m":                   "red",
		"\x1b]8;;http://evil\x07x\x1b]8;;\x1b\\": "x",
		"a\x00b\x07c\x7fd\u009d\u0085e":          "abcd\ne",
		"a\r\nb\rc\u2028d\u2029e\u0085f":         "a\nb\nc\nd\ne\nf",
		"a\tb":                                   "a b",
		"admin\u202Egpj.exe\u2066x\u2069":        "admingpj.exex",
		"a\u200bd\u200dm\u2060in\ufeff\u00ad":    "admin",
		"\u200fa\u061cb\U000e0041\u3164c":        "abc",
		"bad\xff\xfebytes":                       "bad\uFFFDbytes",
		"\x1b[31\x1b[0mm":                        "m",
	} {
		if got := clean(text); got != want {
			t.Errorf("clean(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestEscape(t *testing.T) {
	const text = "<!channel> & [a](b) *b* _i_ @here\n\n `c` \\ ~s~ |p| #h \"q\""
	for name, tt := range map[string]struct {
		escape func(string) string
		want   string
	}{
		"slack":   {escapeSlack, "&lt;!channel&gt; &amp; [a](b) ＊b＊ ＿i＿ @here\n\u2003｀c｀ \\ ～s～ |p| #h \"q\""},
		"exact":   {exactSlack, "&lt;!channel&gt; &amp; [a](b) *b* _i_ @here\n\u2003`c` \\ ~s~ |p| #h \"q\""},
		"discord": {escapeMarkdown, "\\<!channel\\> & \\[a\\]\\(b\\) \\*b\\* \\_i\\_ \\@here\n\u2003\\`c\\` \\\\ \\~s\\~ \\|p\\| \\#h \"q\""},
		"google":  {escapeHTML, "&lt;!channel&gt; &amp; [a](b) *b* _i_ @here\n\u2003`c` \\ ~s~ |p| #h &#34;q&#34;"},
		"mail":    {escapeMail, "<!channel> & [a](b) *b* _i_ @here\n\u2003`c` \\ ~s~ |p| #h \"q\""},
	} {
		if got := tt.escape(text); got != tt.want {
			t.Errorf("%s:\n got %q\nwant %q", name, got, tt.want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, tt := range []struct {
		cut  func(string, int) string
		text string
		max  int
		want string
	}{
		{cut, "abcdef", 6, "abcdef"}, {cut, "abcdef", 5, "abcd…"}, {cut, "abcdef", 1, "…"}, {cut, "abcdef", 0, ""}, {cut, "", 0, ""}, {cut, "a", -1, ""},
		{cut, "a   bcd", 4, "a…"}, {cut, "éééé", 3, "éé…"}, {cut, "😀😀", 4, "😀😀"}, {cut, "😀😀", 3, "😀…"}, {cut, "😀😀", 2, "…"},
		{cutMarkup, "ab&lt;cd", 6, "ab…"}, {cutMarkup, "ab&lt;cd", 7, "ab&lt;…"}, {cutMarkup, "a <b>x</b> y", 5, "a…"}, {cutMarkup, "a <b>x</b> y", 6, "a <b>…"},
		{cutMarkup, "R&D and more", 8, "R&D and…"}, {cutMarkup, "<b>abc", 3, "…"},
		{cutMarkdown, `a\*b`, 3, `a…`}, {cutMarkdown, `a\\\*b`, 5, `a\\…`}, {cutMarkdown, `a\*bc`, 4, `a\*…`},
	} {
		if got := tt.cut(tt.text, tt.max); got != tt.want {
			t.Errorf("cut(%q, %d) = %q, want %q", tt.text, tt.max, got, tt.want)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, seed := range []string{"", "a&lt;b", `\*\*`, "<!channel>", "\x1b[31m\u202e", "😀é\xff", "a\n\nb", "\r\n\u2028"} {
		f.Add(seed, 5)
	}
	f.Fuzz(func(t *testing.T, text string, max int) {
		for name, escape := range map[string]func(string) string{"slack": escapeSlack, "discord": escapeMarkdown, "google": escapeGoogle, "mail": escapeMail} {
			got := escape(text)
			if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return unseen(r) || r < ' ' && r != '\n' }) {
				t.Fatalf("%s: %q", name, got)
			}
			if name == "slack" || name == "google" {
				if strings.ContainsAny(got, "<>") || html.UnescapeString(got) == "" && got != "" {
					t.Fatalf("%s: %q", name, got)
				}
			}
			for line := range strings.SplitSeq(got, "\n") {
				if line != got && strings.TrimSpace(line) == "" {
					t.Fatalf("%s: blank line in %q", name, got)
				}
			}
			for _, cut := range []func(string, int) string{cut, cutMarkup, cutMarkdown} {
				short := cut(got, max)
				if n := len(utf16.Encode([]rune(short))); n > max && short != "" || !utf8.ValidString(short) {
					t.Fatalf("%s cut to %d: %q has %d", name, max, short, n)
				}
			}
			if name == "discord" && max > 0 {
				head, isCut := strings.CutSuffix(cutMarkdown(got, max), "…")
				if n := len(head) - len(strings.TrimRight(head, `\`)); isCut && length(got) > max && n%2 == 1 {
					t.Fatalf("cut inside an escape: %q", head)
				}
			}
		}
	})
}
