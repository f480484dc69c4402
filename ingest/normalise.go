package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/skycrafters/responder"
)

// Normalise makes an event of one JSON element: an EventBridge event stays as it
// is, a raw CloudTrail record is wrapped into one. Only white space between
// tokens is taken out: big numbers and duplicate keys survive. Keys are
// case-sensitive, of duplicate keys the last counts.
//
// An element is an event if it has texts `source` and `detail-type` and an
// object `detail`; it is a record if it has texts `eventName` and `eventSource`
// and no `detail`. Anything else is refused, as is what exceeds the limits of
// responder.DecodeEvent once wrapped; too many bytes are responder.ErrTooLarge.
// Cost: one decoding into a map and a few looks, about 30 ns a byte.
func Normalise(element json.RawMessage) (responder.Event, error) {
	if err := responder.CheckNesting(element); err != nil {
		return responder.Event{}, err
	}
	if !json.Valid(element) {
		err := json.Compact(new(bytes.Buffer), element) // says what is wrong
		return responder.Event{}, fmt.Errorf("invalid JSON: %w", err)
	}
	n, err := normalise(bytes.Clone(element))
	if err != nil {
		return responder.Event{}, err
	}
	return responder.DecodeEvent(n.raw)
}

// normal is an element as an event, of which only what ingest asks for is decoded.
type normal struct {
	raw       []byte
	id        string // "" if it has none
	account   string // "" if it names none
	recipient []byte // the JSON of `detail.recipientAccountId`; nil if it is absent or null
}

// name is the event's id, or its key if it has none.
func (n normal) name() string {
	if n.id != "" {
		return n.id
	}
	e, err := responder.DecodeEvent(n.raw)
	if err != nil { // it was taken: never
		return ""
	}
	return e.Key()
}

// normalise is Normalise of valid JSON, which it may keep. Nothing is decoded into a map unless
// there is something unusual in it: about 4 ns a byte.
func normalise(element []byte) (normal, error) {
	s := surveyed(element)
	if s.depth > responder.MaxNesting {
		return normal{}, responder.CheckNesting(element)
	}
	if s.spaced {
		var compact bytes.Buffer
		compact.Grow(len(element))
		if err := json.Compact(&compact, element); err != nil {
			return normal{}, fmt.Errorf("invalid JSON: %w", err)
		}
		element = compact.Bytes()
	}
	if err := checkSize(len(element)); err != nil {
		return normal{}, err
	}
	if s.unusual || element[0] != '{' {
		if _, err := responder.DecodeEvent(element); err != nil {
			return normal{}, err
		}
	}
	f := ask(element)
	switch {
	case f.isEvent():
		n := normal{raw: element, id: f.texts[id], account: f.texts[account]}
		members(f.detail, func(key, value []byte) {
			if string(key) == keys[recipient] {
				n.recipient = value
			}
		})
		n.recipient = notNull(n.recipient)
		return n, nil
	case f.isRecord():
		n, err := f.wrap(element)
		if err == nil && s.depth == responder.MaxNesting { // one more, wrapped
			err = responder.CheckNesting(n.raw)
		}
		return n, err
	}
	e, err := responder.DecodeEvent(element)
	if err == nil {
		err = notAnEvent(e.Body)
	}
	return normal{}, err
}

func notNull(value []byte) []byte {
	if string(value) == "null" {
		return nil
	}
	return value
}

func checkSize(n int) error {
	if n > responder.MaxEventBytes {
		return fmt.Errorf("event is %d bytes, at most %d are taken: %w", n, responder.MaxEventBytes, responder.ErrTooLarge)
	}
	return nil
}

// field is a text that ingest asks for at the top of an element.
type field int

const (
	id field = iota
	account
	source
	kind
	eventName
	eventSource
	eventID
	eventType
	eventTime
	awsRegion
	recipient
	numFields
)

// keys are where the texts stand.
var keys = [numFields]string{"id", "account", "source", "detail-type", "eventName", "eventSource", "eventID", "eventType", "eventTime", "awsRegion", "recipientAccountId"}

// asked is what ingest asks for of an element.
type asked struct {
	texts     [numFields]string // "" for what is absent or no text
	detail    []byte            // nil if it is absent
	recipient []byte            // as in normal
	caller    string            // userIdentity.accountId
}

// ask reads compact, valid JSON: an object.
func ask(object []byte) (f asked) {
	members(object, func(key, value []byte) {
		switch string(key) {
		case "detail":
			f.detail = value
		case "userIdentity":
			f.caller = ""
			if value[0] == '{' {
				members(value, func(key, value []byte) {
					if string(key) == "accountId" {
						f.caller = unquoted(value)
					}
				})
			}
		case keys[recipient]:
			f.recipient = notNull(value)
		}
		for i := range keys {
			if string(key) == keys[i] {
				f.texts[i] = unquoted(value)
			}
		}
	})
	return f
}

func (f *asked) isEvent() bool {
	return f.detail != nil && f.detail[0] == '{' && f.texts[source] != "" && f.texts[kind] != ""
}

func (f *asked) isRecord() bool {
	return f.detail == nil && f.texts[eventName] != "" && f.texts[eventSource] != ""
}

// wrap puts a CloudTrail record into the envelope that EventBridge gives it.
// See https://docs.aws.amazon.com/eventbridge/latest/ref/events-structure.html
func (f *asked) wrap(record []byte) (normal, error) {
	service, _, _ := strings.Cut(f.texts[eventSource], ".")
	if !isLabel(service) {
		return normal{}, errors.New("the record's `eventSource` does not begin with the name of a service, as \"iam.amazonaws.com\" does")
	}
	owner := f.texts[recipient]
	if owner == "" {
		owner = f.caller
	}
	raw := make([]byte, 0, len(record)+512)
	for _, member := range [...]struct{ key, value string }{
		{`{"version":`, "0"},
		{`,"id":`, f.texts[eventID]},
		{`,"detail-type":`, detailType(f.texts[eventType])},
		{`,"source":`, "aws." + service},
		{`,"account":`, owner},
		{`,"time":`, f.texts[eventTime]},
		{`,"region":`, f.texts[awsRegion]},
	} {
		quoted, err := quote(member.value)
		if err != nil {
			return normal{}, fmt.Errorf("wrap CloudTrail record: %w", err)
		}
		raw = append(append(raw, member.key...), quoted...)
	}
	raw = append(raw, `,"resources":[],"detail":`...)
	raw = append(raw, record...)
	raw = append(raw, '}')
	if err := checkSize(len(raw)); err != nil {
		return normal{}, err
	}
	return normal{raw: raw, id: f.texts[eventID], account: owner, recipient: f.recipient}, nil
}

// detailType is what EventBridge calls a CloudTrail record of the given eventType.
func detailType(eventType string) string {
	switch eventType {
	case "AwsConsoleSignIn":
		return "AWS Console Sign In via CloudTrail"
	case "AwsServiceEvent":
		return "AWS Service Event via CloudTrail"
	case "AwsCloudTrailInsight":
		return "AWS Insight via CloudTrail"
	}
	return "AWS API Call via CloudTrail"
}

// notAnEvent says what is missing, and what was perhaps meant.
func notAnEvent(body map[string]any) error {
	const kinds = "neither an EventBridge event (texts `source` and `detail-type`, object `detail`) nor a CloudTrail record (texts `eventName` and `eventSource`, no `detail`)"
	for _, want := range []string{"source", "detail-type", "detail", "eventName", "eventSource"} {
		if _, there := body[want]; there {
			continue
		}
		for key := range body {
			if strings.EqualFold(key, want) {
				return fmt.Errorf("%s: it has no `%s`, and `%s` is not the same: keys are case-sensitive", kinds, want, key)
			}
		}
	}
	return errors.New(kinds)
}

// quote writes a text as JSON, without HTML escapes.
func quote(value string) ([]byte, error) {
	if !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r >= utf8.RuneSelf }) {
		return []byte(`"` + value + `"`), nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return nil, err
	}
	return responder.EscapeNoncharacters(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}

// isLabel reports whether the text can be a label of a host name.
func isLabel(label string) bool {
	for _, c := range []byte(label) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return label != ""
}
