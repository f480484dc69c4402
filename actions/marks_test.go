package actions

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/skycrafters/responder/internal/lang"
)

func TestBreakMarks(t *testing.T) {
	for text, want := range map[string]string{
		// What formats nothing stays as it is, to be copied.
		"jane_doe_x":                              "jane_doe_x",
		"a__b and 2*3 and x~y":                    "a__b and 2*3 and x~y",
		"i-0123456789abcdef0":                     "i-0123456789abcdef0",
		"s3:GetObject":                            "s3:GetObject",
		"Error: no such key":                      "Error: no such key",
		"a > b, c -> d":                           "a > b, c -> d",
		"2026-11-23T10:12:30Z":                    "2026-11-23T10:12:30Z",
		"at 10:12:30, 10:12":                      "at 10:12:30, 10:12",
		"2001:db8:1:2::f/64":                      "2001:db8:1:2::f/64",
		"[fe80::1]:443":                           "[fe80::1]:443",
		"https://a.example:8/x":                   "https://a.example:8/x",
		"arn:aws:iam::111122223333:user/jane_doe": "arn:aws:iam::111122223333:user/jane_doe",
		"arn:aws:iam::aws:policy/Admin":           "arn:aws:iam::aws:policy/Admin",
		"arn:aws-cn:s3:::some-bucket/a_b/c":       "arn:aws-cn:s3:::some-bucket/a_b/c",
		"arn:aws:lambda:eu-west-1:111122223333:function:ab:7": "arn:aws:lambda:eu-west-1:111122223333:function：ab:7",
		// What could format does not.
		"*x*":                     "＊x＊",
		"_admin_ and _":           "＿admin＿ and ＿",
		"jane_ or _doe":           "jane＿ or ＿doe",
		"~gone~":                  "～gone～",
		"a`b`c ```":               "a｀b｀c ｀｀｀",
		"s3:*":                    "s3:＊",
		"a_*b*_c":                 "a＿＊b＊＿c",
		":fire:":                  "：fire:",
		"x:white_check_mark:y":    "x：white_check_mark:y",
		":+1::skin-tone-2:":       "：+1:：skin-tone-2:",
		"a:fire:, 10:bomb:":       "a：fire:, 10：bomb:",
		":100:":                   "：100:",
		"x :fire":                 "x ：fire", // a colon may stand behind it
		"arn:aws:s3:::x/:bomb:":   "arn:aws:s3:::x/：bomb:",
		":é\u0301:":               "：é\u0301:",
		"> quoted\n\u2003>> more": "＞ quoted\n\u2003＞＞ more",
		"":                        "",
	} {
		got := breakMarks(text)
		if got != want {
			t.Errorf("breakMarks(%q) = %q, want %q", text, got, want)
		}
	}
}

// TestBreakMarksOnce: however long a name is, it is gone through once. Twice for
// each mark in it would take longer than a test may.
func TestBreakMarksOnce(t *testing.T) {
	for _, piece := range []string{"*", "_a", ">", ":", ":a", "a:", "`", "arn:aws:iam::1:x ", "::1,", " > "} {
		for _, escape := range []func(string) string{escapeSlack, escapeMarkdown} {
			if name := strings.Repeat(piece, 200_000/len(piece)); len(escape(name)) < len(name)-1 { // a blank at its end
				t.Errorf("of %q something is lost", piece)
			}
		}
	}
}

// TestHostileNames holds what of a name goes over the wire, per service.
func TestHostileNames(t *testing.T) {
	services := []struct {
		name   string
		escape func(string) string
	}{{"Slack", escapeSlack}, {"Discord", escapeMarkdown}, {"Google", escapeGoogle}, {"Teams", escapeTeams}, {"mail", escapeMail}}
	for _, tt := range []struct{ name, slack, discord, google, teams, mail string }{
		{name: "$(reboot)", discord: `$\(reboot\)`},
		{name: "{{ 7*7 }}", discord: `{{ 7\*7 }}`},
		{name: `"a' OR 1=1 --`, google: "&#34;a&#39; OR 1=1 --"},
		{name: "a\r\nSeverity: Low", slack: "a\n\u2003Severity: Low", discord: "a\n\u2003Severity: Low", google: "a\n\u2003Severity: Low", teams: "a\n\u2003Severity: Low", mail: "a\n\u2003Severity: Low"},
		{name: "\x1b[2J\x1b]0;x\x07red", slack: "red", discord: "red", google: "red", teams: "red", mail: "red"},
		{name: "<!channel> <@U1> <users/all>", slack: "&lt;!channel&gt; &lt;@U1&gt; &lt;users/all&gt;", discord: `\<!channel\> \<\@U1\> \<users/all\>`, google: "&lt;!channel&gt; &lt;@U1&gt; &lt;users/all&gt;"},
		{name: "@everyone", discord: `\@everyone`},
		{name: "nimda\u202egpj.exe\u2066", slack: "nimdagpj.exe", discord: "nimdagpj.exe", google: "nimdagpj.exe", teams: "nimdagpj.exe", mail: "nimdagpj.exe"},
		{name: ":rotating_light: *SOLVED*", slack: "：rotating_light: ＊SOLVED＊", discord: `\:rotating\_light: \*SOLVED\*`, google: "：rotating_light: ＊SOLVED＊", teams: "：rotating_light: ＊SOLVED＊"},
		{name: "`x` ~y~ _z_", slack: "｀x｀ ～y～ ＿z＿", discord: "\\`x\\` \\~y\\~ \\_z\\_", google: "｀x｀ ～y～ ＿z＿", teams: "｀x｀ ～y～ ＿z＿"},
		{name: "> said", slack: "＞ said", discord: `\> said`, google: "＞ said", teams: "＞ said"},
		{name: "- item\n+ more", slack: "- item\n\u2003+ more", discord: "\\- item\n\u2003+ more", google: "- item\n\u2003+ more", teams: "- item\n\u2003+ more", mail: "- item\n\u2003+ more"},
		{name: "[x](https://evil.example)", discord: `\[x\]\(https\://evil.example\)`, teams: "［x］(https://evil.example)"},
		{name: "<https://evil.example|here>", slack: "&lt;https://evil.example|here&gt;", discord: `\<https\://evil.example\|here\>`, google: "&lt;https://evil.example|here&gt;"},
		{name: "discord.gg/abc", discord: `discord\.gg/abc`},
		{name: "jane_doe_x", discord: `jane\_doe\_x`},
	} {
		for i, want := range []string{tt.slack, tt.discord, tt.google, tt.teams, tt.mail} {
			if want == "" {
				want = tt.name
			}
			if got := services[i].escape(tt.name); got != want {
				t.Errorf("%s: %q is sent as %q, want %q", services[i].name, tt.name, got, want)
			}
		}
	}
}

// TestAuthorsMarksStay: only what comes from an event is escaped, and it cannot end or
// begin what its surroundings have opened.
func TestAuthorsMarksStay(t *testing.T) {
	template, problems := lang.CompileTemplate(lang.Plain(":siren: *{{ actor.name }}* did _{{ action }}_ `{{ ip }}`"), lang.Scope{Names: lang.EventNames()})
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	env := map[string]any{"actor": map[string]any{"name": "a* *b"}, "action": "_", "ip": "` *x*"}
	for want, escape := range map[string]func(string) string{
		":siren: *a＊ ＊b* did _＿_ `｀ ＊x＊`":             escapeSlack,
		":siren: *a\\* \\*b* did _\\__ `\\` \\*x\\*`": escapeMarkdown,
	} {
		if got, err := template.Text(env, escape); got != want || err != nil {
			t.Errorf("%s, %v", got, err)
		}
	}
}

// FuzzMarks: nothing but marks is changed, nothing is left to be changed.
func FuzzMarks(f *testing.F) {
	for _, seed := range []string{"*x*", "_a_b_", ":a:b:", "> x", "arn:aws:iam::1:user/:x:", "`", "é*é*"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return
		}
		got := breakMarks(text)
		if untwin.Replace(got) != untwin.Replace(text) {
			t.Fatalf("%q became %q", text, got)
		}
		if again := breakMarks(got); again != got {
			t.Fatalf("%q is broken again: %q", got, again)
		}
		if strings.ContainsRune(got, '`') {
			t.Fatal(got)
		}
	})
}
