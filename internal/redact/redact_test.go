package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

const secret = `T0p/s3cr3t+"k&y"<é>=x`

func TestText(t *testing.T) {
	js, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"plain": secret, "in a line": "sent " + secret + " to you", "twice": secret + secret, "upper case": strings.ToUpper("T0p/s3cr3t+") + `"K&Y"<é>=X`,
		"query": url.QueryEscape(secret), "path": url.PathEscape(secret), "query twice": url.QueryEscape(url.QueryEscape(secret)),
		"json": string(js), "json in json": fmt.Sprintf("%q", string(js)), "slashes": strings.ReplaceAll(secret, "/", `\/`), "html": html.EscapeString(secret),
		"hex": hex.EncodeToString([]byte(secret)), "HEX": fmt.Sprintf("%X", secret),
		"base64": base64.StdEncoding.EncodeToString([]byte(secret)), "base64 of urls": base64.URLEncoding.EncodeToString([]byte(secret)),
		"basic":        base64.StdEncoding.EncodeToString([]byte("user:" + secret)),
		"in base64, 1": base64.StdEncoding.EncodeToString([]byte("x" + secret + "y")),
		"in base64, 2": base64.StdEncoding.EncodeToString([]byte("xx" + secret + "yy")),
		"in base64, 3": base64.RawURLEncoding.EncodeToString([]byte("xxx" + secret + "yyy")),
	} {
		got := New("other-secret", secret).Text(text)
		if !strings.Contains(got, Mark) {
			t.Errorf("%s: %q stays", name, got)
		}
		for _, w := range []string{"s3cr3t", "S3CR3T", "733363723374", "733363723374"} {
			if strings.Contains(got, w) {
				t.Errorf("%s: %q shows %s", name, got, w)
			}
		}
	}
}

func TestTextKeepsTheRest(t *testing.T) {
	r := New("abcdef", "cdefgh", "", "short")
	for text, want := range map[string]string{
		"": "", "hello": "hello", "short": "short",
		"x abcdef y": "x " + Mark + " y", "abcdefgh!": Mark + "!", "abcdefabcdef": Mark, "É abcdef É": "É " + Mark + " É", "\xff abcdef \xff": "\xff " + Mark + " \xff",
		"İ abcdef": "İ " + Mark,
	} {
		if got := r.Text(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if got := (Redactor{}).Text("abcdef"); got != "abcdef" {
		t.Errorf("the zero value takes out: %q", got)
	}
}

func TestValue(t *testing.T) {
	given := map[string]any{"a": []any{"is hunter22", 7.0, nil, true}, "hunter22": map[string]any{"b": "x"}}
	want := map[string]any{"a": []any{"is " + Mark, 7.0, nil, true}, Mark: map[string]any{"b": "x"}}
	if got := New("hunter22").Value(given); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	if given["hunter22"] == nil {
		t.Error("the value itself was changed")
	}
}

func TestURL(t *testing.T) {
	u, err := url.Parse("https://user:passw0rd@hooks.example/services/T0KEN99%2Fx/B00/?sig=s1gnature&v=1#fragment")
	if err != nil {
		t.Fatal(err)
	}
	r := New(URL(u)...)
	for _, text := range []string{u.String(), "passw0rd", "T0KEN99/x", "T0KEN99%2Fx", "s1gnature", "/services/T0KEN99", "fragment"} {
		if got := r.Text("a " + text); !strings.Contains(got, Mark) || strings.Contains(got, "T0KEN99") {
			t.Errorf("%s: %s", text, got)
		}
	}
	if got := r.Text("hooks.example v=1"); got != "hooks.example v=1" {
		t.Errorf("got %q", got)
	}
}

func FuzzText(f *testing.F) {
	f.Add("hunter22", "a ", " b")
	f.Add(secret, "<", ">")
	f.Add("ÉÉÉabc", "É", "\xff")
	f.Add("aaaaaa", "aaa", "aaaaaaa")
	f.Fuzz(func(t *testing.T, secret, before, after string) {
		if len(secret) < shortest || len(secret) > 1000 {
			return
		}
		r := New(secret)
		for _, writing := range []string{
			secret, url.QueryEscape(secret), hex.EncodeToString([]byte(secret)),
			base64.StdEncoding.EncodeToString([]byte(before + secret + after)),
		} {
			got := r.Text(before + writing + after)
			if !strings.Contains(got, Mark) {
				t.Errorf("%q stays in %q", writing, got)
			}
			if rest := strings.ReplaceAll(got, Mark, "\x00"); len(r.hidden(rest)) > 0 {
				t.Errorf("%q still holds %q", got, secret)
			}
		}
	})
}
