package engine

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// generator makes expressions and events out of the same few names and values,
// so that they have to do with each other. What it makes follows from its seed.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) *generator { return &generator{rand.New(rand.NewPCG(seed, 0))} }

func (g *generator) one(of ...string) string { return of[g.IntN(len(of))] }

// chance is true once in n.
func (g *generator) chance(n int) bool { return g.IntN(n) == 0 }

// The names: some differ only in ways that a careless reader takes for the same.
var fields = []string{"a", "b", "A", "list", "items", "k", "\u212a", "s", "\u017f", "é", "long_name_of_field", "long_name_of_Field", "long_name_2_of_field"}

func (g *generator) field() string { return g.one(fields...) }

// words are texts that occur in events and in expressions.
var words = []string{
	"", "a", "b", "abc", "ABC", "abcabc", "kali", "KALI Linux", "\u212aali", "AccessDenied", "Client.UnauthorizedOperation", "iam.amazonaws.com", "ec2.amazonaws.com", "CreateUser", "RunInstances", "ConsoleLogin",
	"iam:CreateUser", "ec2:RunInstances", "signin.amazonaws.com", "Root", "AssumedRole", "IAMUser", "AWSService", "AROA:bob", "arn:aws:iam::1:role/x", "10.1.2.3", "8.8.8.8", "::1", "::ffff:10.1.2.3", "10.1.2.3%eth0",
	"2026-11-23T04:00:00Z", "2026-11-22T23:59:59+05:00", "noon", "012345670123", "999999999999", "eu-west-1", "us-east-1", "t2.micro", "m5.24xlarge", "a\nb", "a\"b\\c", "\u00e9t\u00e9", "\u2028", "😀", "t", "Success", "aws.iam", "aws.partner/x", "aws.events", "Scheduled Event",
}

func (g *generator) word() string { return g.one(words...) }

// literal is a value as an expression writes it.
func (g *generator) literal() string {
	switch g.IntN(12) {
	case 0:
		return g.one("nil", "true", "false")
	case 1:
		return g.one("0", "1", "-1", "4", "1.5", "9007199254740993", "1e300", "0.0", "-0.0")
	case 2:
		return g.one("HIGH", "LOW")
	}
	return strconv.Quote(g.word())
}

// path is a place in an event as an expression writes it.
func (g *generator) path() string {
	switch g.IntN(10) {
	case 0:
		return g.one("action", "ok", "denied", "ip", "region", "time", "account.id", "account.name", "account.env", "account.n", "account.deep")
	case 1:
		return g.one("actor.type", "actor.name", "actor.arn", "actor.id", "actor.account", "actor.key", "actor.session")
	case 2:
		return g.one("event.source", `event["detail-type"]`, "event.detail.eventName", "event.detail.eventSource", "event.detail.errorCode", "event.detail.userIdentity.type", "event.resources[0]", "event.detail.sourceIPAddress", "event.detail", "event", "req", "resp")
	}
	text := g.one("req", "req", "resp", "event.detail")
	for range 1 + g.IntN(3) {
		text += g.step()
	}
	return text
}

func (g *generator) step() string {
	switch g.IntN(8) {
	case 0:
		return "[" + g.one("0", "1", "2", "-1", "7") + "]"
	case 1:
		return fmt.Sprintf("[%q]", g.field())
	case 2:
		return "?." + g.one("a", "b", "list")
	case 3:
		return "[" + g.one("req.a", "actor.name", "1.5") + "]"
	}
	return "." + g.one("a", "b", "A", "list", "items", "long_name_of_field", "long_name_of_Field")
}

// value is an expression that gives something. within says that # stands for an
// element.
func (g *generator) value(depth int, within bool) string {
	if within && g.chance(2) {
		if g.chance(3) {
			return "#"
		}
		return "#" + g.step()
	}
	if depth <= 0 {
		return g.path()
	}
	switch g.IntN(16) {
	case 0:
		return "lower(" + g.value(depth-1, within) + ")"
	case 1:
		return "upper(" + g.value(depth-1, within) + ")"
	case 2:
		return "len(" + g.value(depth-1, within) + ")"
	case 3:
		return "(" + g.value(depth-1, within) + " ?? " + g.value(depth-1, within) + ")"
	case 4:
		return "(" + g.condition(depth-1, within) + " ? " + g.one(g.value(depth-1, within), g.literal()) + " : " + g.one(g.literal(), g.value(depth-1, within)) + ")"
	case 5:
		return "pick(" + g.condition(depth-1, within) + ", " + g.value(depth-1, within) + ", " + g.literal() + ")"
	case 6:
		return "(" + g.value(depth-1, within) + g.one(" + ", " - ", " * ", " % ") + g.literal() + ")"
	case 7:
		return "hour(" + g.one("time", g.path()) + `, "Europe/Paris")`
	case 8:
		return g.one("string", "trim", "first", "keys") + "(" + g.value(depth-1, within) + ")"
	case 9:
		return "filter(" + g.path() + ", " + g.condition(depth-1, true) + ")"
	case 10:
		return "count(" + g.path() + ", " + g.condition(depth-1, true) + ")"
	case 11:
		return g.literal()
	}
	return g.path()
}

// list is what stands on the right of `in`.
func (g *generator) list() string {
	switch g.IntN(6) {
	case 0:
		return g.one("lists.words", "vars.mixed", "vars.object", "lists.none")
	case 1:
		return g.path()
	case 2:
		return g.one("1..3", "0..5")
	}
	parts := make([]string, g.IntN(4))
	for i := range parts {
		parts[i] = g.literal()
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

var patterns = []string{"a", "^abc", "abc$", "^abc$", "(?i)kali", "(?i)^KALI", "a|b", "^(iam|ec2):", "[a-z]+", "x*", "", "a.c", "(?s)a.b", `\.24xlarge$`, "^t2\\.", "(ab)+c", "(?m)^b$", "é", "a{2,3}", "^$", ".", "K", "(abc|ABC)x?", "lin|LIN"}
var globs = []string{"*", "a*", "*c", "a?c", "abc", "*b*", "t2.*", "*.24xlarge", "", "?", "iam:*", "a*c", "[a]"}

func (g *generator) several(of []string) string {
	if g.chance(3) {
		return strconv.Quote(g.one(of...))
	}
	parts := make([]string, g.IntN(3))
	for i := range parts {
		parts[i] = strconv.Quote(g.one(of...))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// condition is an expression that is mostly true or false.
func (g *generator) condition(depth int, within bool) string {
	if depth > 0 {
		switch g.IntN(8) {
		case 0, 1:
			return "(" + g.condition(depth-1, within) + " && " + g.condition(depth-1, within) + ")"
		case 2:
			return "(" + g.condition(depth-1, within) + " || " + g.condition(depth-1, within) + ")"
		case 3:
			return "not (" + g.condition(depth-1, within) + ")"
		case 4:
			return g.one("any", "all", "none", "one") + "(" + g.value(depth-1, within) + ", " + g.condition(depth-1, true) + ")"
		}
	}
	v := g.value(depth-1, within)
	switch g.IntN(22) {
	case 0, 1, 2:
		return v + " == " + g.literal()
	case 3, 4:
		return v + " != " + g.literal()
	case 5:
		return v + g.one(" == ", " != ") + g.value(depth-1, within)
	case 6, 7:
		return v + g.one(" in ", " not in ") + g.list()
	case 8, 9, 10:
		return v + g.one(" contains ", " startsWith ", " endsWith ") + strconv.Quote(g.word())
	case 11, 12:
		return v + " matches " + strconv.Quote(g.one(patterns...))
	case 13:
		return "glob(" + v + ", " + g.several(globs) + ")"
	case 14:
		return "matches_any(" + v + ", " + g.several(patterns) + ")"
	case 15:
		return v + g.one(" < ", " > ", " <= ", " >= ") + g.literal()
	case 16:
		return "ip_in(" + g.one("ip", v) + ", " + g.one("lists.networks", `["10.0.0.0/8", "::1"]`, `"8.8.8.8"`) + ")"
	case 17:
		return "public_ip(" + g.one("ip", v) + ")"
	case 18:
		return g.one(`weekend(time, "Europe/Paris")`, `working_hours(time, {zone: "UTC", week: {from: "8:00AM", to: "6:00PM"}})`, "working_hours("+v+`, {zone: "UTC", weekend: {from: "22:00", to: "3:00"}})`)
	case 19:
		return "grants_public(" + v + ")"
	case 20:
		return v + " == nil"
	}
	return v
}

// expression is a whole one.
func (g *generator) expression() string {
	if g.chance(12) {
		return "let x = " + g.value(2, false) + "; " + g.one("x == "+g.literal(), "x != nil && "+g.condition(2, false), "x in "+g.list(), "any(x, "+g.condition(1, true)+")", "x.a == "+g.literal())
	}
	return g.condition(g.IntN(4), false)
}

// quoted is a text as JSON, with escapes where none are needed, and with some
// that are damaged.
func (g *generator) quoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\' || r < ' ' || g.chance(40):
			if r > 0xffff {
				r -= 0x10000
				fmt.Fprintf(&b, `\u%04x\u%04X`, 0xd800+(r>>10), 0xdc00+(r&0x3ff))
			} else {
				fmt.Fprintf(&b, `\u%04x`, r)
			}
		case g.chance(1200):
			b.WriteString(g.one(`\ud800`, `\ud800\u0041`, `\udc00`, `\ud83d\ud83d\ude00`, `\/`, `\b`, `\n`, `\x`, "\xff", "\xed\xa0\x80", "\ufffe", `\uffff`, "\x01", `\u12`))
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func (g *generator) space() string {
	if g.chance(60) {
		return g.one(" ", "\n", "\t ", "\r")
	}
	return ""
}

// json is a value of any kind.
func (g *generator) json(depth int) string {
	n := g.IntN(16)
	if depth <= 0 && n < 5 {
		n = 9
	}
	switch n {
	case 0, 1, 2:
		return g.object(depth-1, g.IntN(5), g.field)
	case 3, 4:
		parts := make([]string, g.IntN(4))
		for i := range parts {
			parts[i] = g.space() + g.json(depth-1)
		}
		return "[" + strings.Join(parts, g.space()+",") + "]"
	case 5:
		return g.one("null", "true", "false")
	case 6, 7:
		return g.one("0", "1", "4", "-1", "1.5", "-0", "1E2", "9007199254740993", "123456789012345678901234567890", "1e300", "4.0", "0.1e1", "1e-400")
	case 8:
		if g.chance(100) {
			return g.one("1e400", "01", "+1", "1.", ".5", "nul", "tru", "NaN", "-", "1e", `"`, "[1,]", "{,}", `{"a" 1}`, "[1 2]", `{"a":}`, strings.Repeat("9", 400), strings.Repeat("[", 99)+strings.Repeat("]", 99))
		}
	}
	return g.quoted(g.word())
}

// object has fields of any value, some of them twice.
func (g *generator) object(depth, n int, name func() string) string {
	var parts []string
	for range n {
		parts = append(parts, g.space()+g.quoted(name())+g.space()+":"+g.space()+g.json(depth)+g.space())
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// event is an event, or something that nearly is one.
func (g *generator) event() string {
	identity := g.with(map[string]string{"type": g.text("Root", "AssumedRole", "IAMUser", "AWSService"), "principalId": g.text("AROA:bob", "AIDA", "AROA:"), "arn": g.text("arn:aws:iam::1:user/ann", "noslash"), "userName": g.text("ann"), "invokedBy": g.text("ec2.amazonaws.com"),
		"sessionContext": g.object(1, 1, func() string { return "sessionIssuer" })})
	detail := g.with(map[string]string{
		"eventSource": g.text("iam.amazonaws.com", "ec2.amazonaws.com", "signin.amazonaws.com"), "eventName": g.text("CreateUser", "RunInstances", "ConsoleLogin"), "eventTime": g.text("2026-11-23T04:00:00Z", "2026-11-21T23:00:00Z"),
		"errorCode": g.text("AccessDenied", ""), "sourceIPAddress": g.text("10.1.2.3", "8.8.8.8", "ec2.amazonaws.com"), "awsRegion": g.text("eu-west-1"), "userIdentity": identity,
		"requestParameters": g.object(3, g.IntN(6), g.field), "responseElements": g.object(3, g.IntN(6), func() string { return g.one(g.field(), "ConsoleLogin") }), g.field(): g.json(2),
	})
	event := g.with(map[string]string{"source": g.text("aws.iam", "aws.partner/x", "aws.events"), "detail-type": g.text("AWS API Call via CloudTrail", "Scheduled Event"), "account": g.text("012345670123", "999999999999"), "region": g.text("us-east-1"), "time": g.text("2026-11-23T04:00:00Z"),
		"resources": g.json(2), "detail": detail})
	if g.chance(200) {
		event = event[:g.IntN(len(event))]
	}
	if g.chance(200) {
		event = g.one("[", " ", "\ufeff", "{}", "") + event + g.one("", "x", "{}", " \n", "]")
	}
	return event
}

func (g *generator) text(usual ...string) string {
	if g.chance(6) {
		return g.json(1)
	}
	return g.quoted(g.one(usual...))
}

// with is an object of these fields: some are left out, some stand twice, some
// under a key that only looks the same.
func (g *generator) with(given map[string]string) string {
	var parts []string
	for _, name := range sortedKeys(given) {
		if g.chance(8) {
			continue
		}
		if g.chance(25) {
			parts = append(parts, g.quoted(name)+":"+g.json(2))
		}
		key := name
		if g.chance(30) {
			key = g.one(strings.ToUpper(name), strings.ReplaceAll(name, "s", "\u017f"), name+" ")
		}
		parts = append(parts, g.space()+g.quoted(key)+":"+given[name])
		if g.chance(25) {
			parts = append(parts, g.quoted(name)+":"+g.json(2))
		}
	}
	g.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	return "{" + strings.Join(parts, ",") + "}"
}
