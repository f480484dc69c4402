package responder

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits on one event.
const (
	MaxEventBytes = 256 << 10 // the bare event JSON, as queued
	MaxNesting    = 100       // objects and arrays inside each other
)

// noncharacters are what SQS refuses of what JSON allows.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
var noncharacters = [][]byte{[]byte("\uFFFE"), []byte("\uFFFF")}

// EscapeNoncharacters writes the characters that SQS refuses as JSON escapes.
// json must be JSON, where they can only stand inside texts.
func EscapeNoncharacters(json []byte) []byte {
	for _, c := range noncharacters {
		if bytes.Contains(json, c) {
			json = bytes.ReplaceAll(json, c, fmt.Appendf(nil, "\\u%04x", []rune(string(c))[0]))
		}
	}
	return json
}

// Event is one thing that happened, in EventBridge's shape.
//
// Raw is the truth and travels unchanged from ingest on; Body is Raw decoded
// as encoding/json decodes into a map: keys are case-sensitive, of duplicate
// keys the last wins, numbers are float64. Both are read-only.
type Event struct {
	Raw  json.RawMessage
	Body map[string]any
}

// DecodeEvent reads one event. It refuses, with an error that says why, what
// is not one JSON object in UTF-8, of characters that every queue carries,
// within MaxEventBytes and MaxNesting.
func DecodeEvent(raw []byte) (Event, error) {
	if len(raw) > MaxEventBytes {
		return Event{}, fmt.Errorf("event is %d bytes; at most %d are taken", len(raw), MaxEventBytes)
	}
	if !utf8.Valid(raw) {
		return Event{}, fmt.Errorf("event is not valid UTF-8")
	}
	for _, c := range noncharacters {
		if i := bytes.Index(raw, c); i >= 0 {
			return Event{}, fmt.Errorf("event holds the character %U at byte %d, which not every queue carries: write it as a JSON escape", []rune(string(c))[0], i)
		}
	}
	if err := CheckNesting(raw); err != nil {
		return Event{}, err
	}
	if trimmed := bytes.TrimLeft(raw, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return Event{}, fmt.Errorf("event is not a JSON object")
	}
	var body map[string]any
	if err := json.Unmarshal(raw, &body); err != nil {
		return Event{}, fmt.Errorf("event is not valid JSON: %w", err)
	}
	return Event{Raw: raw, Body: body}, nil
}

// CheckNesting refuses JSON nested deeper than MaxNesting without decoding it:
// one pass, no allocation. It does not otherwise judge the JSON.
func CheckNesting(raw []byte) error {
	depth, quoted := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > MaxNesting {
				return fmt.Errorf("JSON is nested deeper than %d at byte %d", MaxNesting, i)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// partnerSource begins the source of events that a partner of AWS sends by
// EventBridge: the one kind of aws.* whose content is not AWS's own.
const partnerSource = "aws.partner/"

// OfPartner reports whether a partner of AWS has made the event. Its detail may
// look like a CloudTrail record and is none.
func (e Event) OfPartner() bool { return strings.HasPrefix(e.text("source"), partnerSource) }

// Key identifies the event however often it is sent: a CloudTrail record's
// "recipientAccountId/eventID", else the event's id, else the hash of its bytes.
func (e Event) Key() string {
	if id := e.text("detail", "eventID"); id != "" && !e.OfPartner() {
		account := e.text("detail", "recipientAccountId")
		if account == "" {
			account = e.Account()
		}
		return account + "/" + id
	}
	if id := e.ID(); id != "" {
		return id
	}
	sum := sha256.Sum256(e.Raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// ID is the event's own id, "" if it has none.
func (e Event) ID() string { return e.text("id") }

// Account is the id of the account the event belongs to, "" if it names none.
func (e Event) Account() string { return e.text("account") }

// Region is where it happened: the record's awsRegion, else the event's region.
func (e Event) Region() string {
	if region := e.text("detail", "awsRegion"); region != "" {
		return region
	}
	return e.text("region")
}

// Time is when it happened: the record's eventTime, else the event's time.
// ok is false if neither is a time in RFC 3339.
func (e Event) Time() (t time.Time, ok bool) {
	for _, path := range [][]string{{"detail", "eventTime"}, {"time"}} {
		if t, err := time.Parse(time.RFC3339, e.text(path...)); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// Name is the record's eventName, else the event's detail-type.
func (e Event) Name() string {
	if name := e.text("detail", "eventName"); name != "" {
		return name
	}
	return e.text("detail-type")
}

// Principal is the ARN of who did it: the role behind the caller's session, or
// the IAM user; "" if it is neither. Unlike a session name, it cannot be chosen
// by the caller.
func (e Event) Principal() string {
	if issuer := e.text("detail", "userIdentity", "sessionContext", "sessionIssuer", "arn"); issuer != "" {
		return issuer
	}
	if e.text("detail", "userIdentity", "type") == "IAMUser" {
		return e.text("detail", "userIdentity", "arn")
	}
	return ""
}

// Session is the name of the caller's session, "" where there is none. Whoever
// takes a role chooses it: it proves nothing by itself.
func (e Event) Session() string {
	_, session, _ := strings.Cut(e.text("detail", "userIdentity", "principalId"), ":")
	return session
}

// text follows keys through objects and gives the string at their end, or "".
func (e Event) text(path ...string) string {
	var value any = e.Body
	for _, key := range path {
		object, ok := value.(map[string]any)
		if !ok {
			return ""
		}
		value = object[key]
	}
	text, _ := value.(string)
	return text
}
