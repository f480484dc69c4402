// Package redact takes secrets out of texts, copies in other writings included:
// what answers echo and errors quote is shown to people, and kept.
//
// It imports the standard library alone.
package redact

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"
)

// Mark stands where a secret was.
const Mark = "[redacted]"

// shortest is the least number of bytes of a secret that is looked for: a
// shorter one would be found in the midst of words.
const shortest = 6

// Redactor knows secrets in all writings. The zero value knows none. Immutable,
// and safe for concurrent use.
type Redactor struct {
	writings []string // longest first, lower case
}

// New makes a redactor of some secrets; those shorter than six bytes are left
// out. It knows each as it is, and percent-encoded (once and twice), as a text of
// JSON, of HTML and of Go, in hexadecimal, and in base64 wherever in a longer
// text it may stand. Upper and lower case are not told apart.
func New(secrets ...string) Redactor {
	known := map[string]bool{}
	for _, secret := range secrets {
		if len(secret) < shortest {
			continue
		}
		for _, w := range writings(secret) {
			if len(w) >= shortest {
				known[lower(w)] = true
			}
		}
	}
	var r Redactor
	for w := range known {
		r.writings = append(r.writings, w)
	}
	slices.SortFunc(r.writings, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b))
	})
	return r
}

// URL gives the secrets of an address that is one: the whole, what comes after
// the host, and each part of that which can be a token.
func URL(u *url.URL) []string {
	parts := []string{u.String(), u.RequestURI(), u.Path, u.EscapedPath(), u.RawQuery, u.Fragment}
	parts = append(parts, strings.Split(u.Path, "/")...)
	parts = append(parts, strings.Split(u.EscapedPath(), "/")...)
	for _, values := range u.Query() {
		parts = append(parts, values...)
	}
	if password, ok := u.User.Password(); ok {
		parts = append(parts, password)
	}
	return parts
}

// Text gives a text without the secrets. Where two overlap, what is left of
// either is taken out, too.
func (r Redactor) Text(text string) string {
	hidden := r.hidden(text)
	if len(hidden) == 0 {
		return text
	}
	var b strings.Builder
	at := 0
	for _, s := range hidden {
		b.WriteString(text[at:s.from])
		b.WriteString(Mark)
		at = s.to
	}
	b.WriteString(text[at:])
	return b.String()
}

// Value gives decoded JSON with the secrets taken out of its texts, keys
// included. The value itself stays as it is.
func (r Redactor) Value(value any) any {
	switch v := value.(type) {
	case string:
		return r.Text(v)
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = r.Value(item)
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(v))
		for key, item := range v {
			object[r.Text(key)] = r.Value(item)
		}
		return object
	}
	return value
}

// stretch is a part of a text.
type stretch struct{ from, to int }

// hidden finds what is to be taken out, in order, overlaps joined.
func (r Redactor) hidden(text string) []stretch {
	if len(r.writings) == 0 {
		return nil
	}
	folded := lower(text)
	var found []stretch
	for _, w := range r.writings {
		for at := 0; ; {
			i := strings.Index(folded[at:], w)
			if i < 0 {
				break
			}
			found = append(found, stretch{at + i, at + i + len(w)})
			at += i + 1
		}
	}
	slices.SortFunc(found, func(a, b stretch) int { return cmp.Or(a.from-b.from, a.to-b.to) })
	var joined []stretch
	for _, s := range found {
		if n := len(joined); n > 0 && s.from <= joined[n-1].to {
			joined[n-1].to = max(joined[n-1].to, s.to)
			continue
		}
		joined = append(joined, s)
	}
	return joined
}

// lower folds A to Z alone, so that places in the text stay what they are.
func lower(text string) string {
	folded := []byte(text)
	for i, b := range folded {
		if 'A' <= b && b <= 'Z' {
			folded[i] = b + 'a' - 'A'
		}
	}
	return string(folded)
}

// writings gives a secret in all ways in which it is looked for.
func writings(secret string) []string {
	query, path := url.QueryEscape(secret), url.PathEscape(secret)
	all := []string{
		secret, query, path, url.QueryEscape(query), url.PathEscape(path),
		html.EscapeString(secret), quoted(secret), quoted(quoted(secret)), unslashed(secret),
		hex.EncodeToString([]byte(secret)),
	}
	return append(all, base64s(secret)...)
}

// quoted is a text as JSON writes it, without the quotes.
func quoted(text string) string {
	data, err := json.Marshal(text)
	if err != nil { // a string can always be written
		return text
	}
	return string(data[1 : len(data)-1])
}

// unslashed is a text as PHP and others write it in JSON: \/ for /.
func unslashed(text string) string { return strings.ReplaceAll(text, "/", `\/`) }

// base64s gives what a text always looks like inside base64, at each of the three
// places where it can stand in a group: its ends, which depend on what is beside
// it, are left out.
func base64s(text string) []string {
	var all []string
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			padded := strings.Repeat("\x00", before) + text
			encoded := encoding.EncodeToString([]byte(padded))
			from := (before*8 + 5) / 6 // characters that hold bits of what is before
			to := len(padded) * 8 / 6  // the last whole one
			if from < to {
				all = append(all, encoded[from:to])
			}
		}
	}
	return all
}
