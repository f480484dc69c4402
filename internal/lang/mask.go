package lang

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// Problems show lines of files, and files may hold addresses that are secrets.

var (
	// address is an address: scheme, host, and the rest, which may hold a secret.
	address = regexp.MustCompile("(?i)(https?://)([^\\s'\"`<>]*)")
	// secretKey is a key whose value may be a secret, up to where the value begins.
	secretKey = regexp.MustCompile(`(?i)[\w-]*(?:webhook|token|secret|password|api[_-]?key)[\w-]*(?:["']\s*:\s*|\s*:\s+)`)
	// reference says where a secret is, and holds none.
	reference = regexp.MustCompile(`^(?:env:[A-Za-z_][A-Za-z0-9_]*|secret:[A-Za-z0-9/_+=.@-]+)$`)
	// expression is how a rule looks whose name sounds like a secret's key.
	expression = regexp.MustCompile(`\{\{| (?:[=!<>]=|[<>?]|&&|\|\||and|or|in|matches|contains) |\w\(.*\)`)
)

// IsReference reports whether a text says where a secret is: env:NAME or
// secret:NAME, with a name that an environment and a store can have.
func IsReference(text string) bool { return reference.MatchString(text) }

// mask puts * in the place of each character of what may be a secret, so that
// columns stay: the path and query of addresses, and the values of keys such as
// webhookURL or token. A line of text keeps its length in characters.
func mask(text string) string {
	if !address.MatchString(text) && !secretKey.MatchString(text) {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = maskAddresses(maskValues(line))
	}
	return strings.Join(lines, "\n")
}

// maskValues masks the values of keys that sound like secrets. One that begins
// as an address keeps its host.
func maskValues(line string) string {
	var b strings.Builder
	for {
		at := secretKey.FindStringIndex(line)
		if at == nil {
			b.WriteString(line)
			return b.String()
		}
		b.WriteString(line[:at[1]])
		line = line[at[1]:]
		value := line[:valueLength(line)]
		line = line[len(value):]
		b.WriteString(maskValue(value))
	}
}

// valueLength is how long the value is that a line begins with.
func valueLength(line string) int {
	if isQuotedStart(line) {
		if end := quotedFrom(line, 0); end > 0 {
			return end
		}
		return len(line)
	}
	return textLength(line, '}')
}

func isQuotedStart(text string) bool { return text != "" && (text[0] == '"' || text[0] == '\'') }

func maskValue(value string) string {
	bare, quote := value, ""
	if isQuotedStart(value) {
		quote = value[:1]
		bare = strings.TrimSuffix(value[1:], quote)
	}
	closing := value[len(quote)+len(bare):]
	if m := address.FindStringSubmatchIndex(bare); m != nil {
		host := m[3] + hostLength(bare[m[3]:])
		return quote + stars(bare[:m[0]]) + maskAddresses(bare[m[0]:host]) + stars(bare[host:]) + closing
	}
	if IsReference(strings.TrimSpace(bare)) || expression.MatchString(bare) {
		return value
	}
	return quote + stars(bare) + closing
}

// maskAddresses masks all but scheme and host of addresses.
func maskAddresses(line string) string {
	return address.ReplaceAllStringFunc(line, func(found string) string {
		m := address.FindStringSubmatch(found)
		rest := m[2]
		end := len(strings.TrimRight(rest, ",.;:)]}"))
		host := min(hostLength(rest), end)
		shown := rest[:host]
		if i := strings.LastIndexByte(shown, '@'); i >= 0 { // user:password@
			shown = stars(shown[:i]) + shown[i:]
		}
		return m[1] + shown + stars(rest[host:end]) + rest[end:]
	})
}

// hostLength is how much of what follows the scheme is the host, with the
// slash after it.
func hostLength(rest string) int {
	end := strings.IndexAny(rest, "/?#\\ \t'\"`<>")
	if end < 0 {
		return len(rest)
	}
	if rest[end] == '/' {
		end++
	}
	return end
}

func stars(text string) string { return strings.Repeat("*", utf8.RuneCountInString(text)) }
