package lang

import (
	"testing"
	"unicode/utf8"
)

func TestMask(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"a: b", "a: b"},
		{"x: https://hooks.example.com/T0/B0?c=d#e", "x: https://hooks.example.com/**************"[:len("x: https://hooks.example.com/T0/B0?c=d#e")]},
		{"x: HTTP://h:80?q", "x: HTTP://h:80**"},
		{"x: https://h", "x: https://h"},
		{"x: https://h/", "x: https://h/"},
		{"x: https://me:pw@h/é", "x: https://*****@h/*"},
		{"{x: 'https://h/ab', y: (see https://h/c).", "{x: 'https://h/**', y: (see https://h/*)."},
		{"webhookURL: secret:slack", "webhookURL: secret:slack"},
		{"webhookURL: env:SLACK", "webhookURL: env:SLACK"},
		{"webhookURL: env:https://h/ab", "webhookURL: ****https://h/**"},
		{"webhookURL: 'secret:'", "webhookURL: '*******'"},
		{"webhookURL: https://h/a b c", "webhookURL: https://h/*****"},
		{"{webhookURL: abc, message: d}", "{webhookURL: ***, message: d}"},
		{"{webhookURL: [abc], message: d}", "{webhookURL: *****, message: d}"},
		{"{\"apiKey\":\"a, b\", message: d}", "{\"apiKey\":\"****\", message: d}"},
		{"token: 'abc", "token: '***"},
		{"my-api_key : abc", "my-api_key : ***"},
		{"db.passwords: [a, b]", "db.passwords: ******"},
		{"TokenStolen: acton == \"x\"", "TokenStolen: acton == \"x\""},
		{"SecretRead: ip_in(ip, lists.a)", "SecretRead: ip_in(ip, lists.a)"},
		{"A: action == \"secretsmanager:GetSecretValue\"", "A: action == \"secretsmanager:GetSecretValue\""},
		{"put it in single quotes:\ntoken: abc\nx: https://h/ab", "put it in single quotes:\ntoken: ***\nx: https://h/**"},
	} {
		if got := mask(tt.text); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.text, got, tt.want)
		}
	}
}

// FuzzMask: columns stay, and what is masked stays so.
func FuzzMask(f *testing.F) {
	for _, seed := range []string{"{webhookURL: 'https://h/é', a: b}", "token: \"a\\\"b", "https://a@b@c/d?e", "api_key: {a: [b}", "secret: env:A, password: x ? y : z"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return
		}
		once := mask(text)
		if utf8.RuneCountInString(once) != utf8.RuneCountInString(text) {
			t.Errorf("%q has become %q", text, once)
		}
		if twice := mask(once); twice != once {
			t.Errorf("%q becomes %q, then %q", text, once, twice)
		}
	})
}
