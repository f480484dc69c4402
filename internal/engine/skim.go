package engine

import (
	"math"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// Skimmed is what a look at an element of an archive says.
type Skimmed int

const (
	Perhaps Skimmed = iota // a rule may find something, or the element is an unusual one: it has to be decoded
	Nothing                // no rule finds anything in it, or fails on it
	Outside                // it is outside the time that is wanted
)

// Skim looks at an element of an archive as it stands there: an event, or a
// CloudTrail record, which it sees as the event that ingest.Normalise makes of
// it. within, if it is not nil, says whether a time is wanted; it is asked with
// the zero time where there is none. Cost: that of Look.
func (e *Engine) Skim(element []byte, within func(time.Time) bool) Skimmed {
	f := e.frames.Get().(*frame)
	defer e.frames.Put(f)
	end, ok := e.envelope.record(f, element)
	if !(ok && f.event.space(end) == len(element)) && !e.envelope.event(f, element) {
		return Perhaps
	}
	return e.skimmed(f, within)
}

// SkimNext is Skim of the element that held begins with, and says where that
// ends, so that nobody has to look for its end before. end is 0, and nothing
// known, if held does not begin with all of an element, or with an unusual one.
func (e *Engine) SkimNext(held []byte, within func(time.Time) bool) (end int, seen Skimmed) {
	f := e.frames.Get().(*frame)
	defer e.frames.Put(f)
	end, ok := e.envelope.record(f, held)
	if end == 0 || !ok && !e.envelope.event(f, held[:end]) {
		return end, Perhaps
	}
	return end, e.skimmed(f, within)
}

// skimmed judges what was scanned.
func (e *Engine) skimmed(f *frame, within func(time.Time) bool) Skimmed {
	if within != nil && !within(e.envelope.moment(f)) {
		return Outside
	}
	e.index.candidates(f)
	for _, r := range f.hits {
		if e.rules[r].judge(f) != no {
			return Perhaps
		}
	}
	return Nothing
}

// envelope is what EventBridge puts around a CloudTrail record, by slots.
type envelope struct {
	whole  bool // a rule names the event as a whole, which a record has not got around it
	detail int32
	within int32 // a detail within the detail: a record has none

	eventSource, eventName, eventType, eventID, eventTime, awsRegion, recipient, owner slot

	version, id, detailType, source, account, time, region, resources slot
}

func (b *builder) envelope() envelope {
	return envelope{
		whole: b.paths.whole, detail: int32(b.at("detail")), within: int32(b.at("detail", "detail")),
		eventSource: b.at("detail", "eventSource"), eventName: b.at("detail", "eventName"), eventType: b.at("detail", "eventType"),
		eventID: b.at("detail", "eventID"), eventTime: b.at("detail", "eventTime"), awsRegion: b.at("detail", "awsRegion"),
		recipient: b.at("detail", "recipientAccountId"), owner: b.at("detail", "userIdentity", "accountId"),
		version: b.at("version"), id: b.at("id"), detailType: b.at("detail-type"), source: b.at("source"),
		account: b.at("account"), time: b.at("time"), region: b.at("region"), resources: b.at("resources"),
	}
}

// record scans a CloudTrail record, which raw begins with, as the detail of an
// event, and keeps the rest of that as ingest makes it up. end is where it ends,
// 0 if it is no object. ok is false for what is none, or what ingest has to look
// at more closely.
func (e *envelope) record(f *frame, raw []byte) (end int, ok bool) {
	const around = 512
	s := f.event
	s.begin()
	s.raw, s.depth = raw[:min(len(raw), math.MaxInt32)], 1
	i := s.space(0)
	if e.whole || i == len(raw) || raw[i] != '{' {
		return 0, false
	}
	if end = s.value(i, e.detail); end < 0 {
		return 0, false
	}
	service, _, _ := strings.Cut(f.text(e.eventSource), ".")
	if f.text(e.eventName) == "" || s.notes[e.within].met == s.round || !isLabel(service) || 3*end+around > responder.MaxEventBytes { // as an event it may be too large
		return end, false
	}
	account := f.text(e.recipient)
	if account == "" {
		account = f.text(e.owner)
	}
	put := func(at slot, text string) { s.put(int32(at), textValue(text)) }
	put(e.version, "0")
	put(e.id, f.text(e.eventID))
	put(e.detailType, detailType(f.text(e.eventType)))
	put(e.source, f.join("aws.", service))
	put(e.account, account)
	put(e.time, f.text(e.eventTime))
	put(e.region, f.text(e.awsRegion))
	s.put(int32(e.resources), value{kind: isList, text: "[]"})
	return end, true
}

// event scans an element that is an event by itself.
func (e *envelope) event(f *frame, raw []byte) (ok bool) {
	return f.event.event(raw) && f.text(e.source) != "" && f.text(e.detailType) != "" && f.event.get(e.detail).kind == isObject
}

// moment is responder.Event.Time.
func (e *envelope) moment(f *frame) time.Time {
	for _, at := range [...]slot{e.eventTime, e.time} {
		if t, err := time.Parse(time.RFC3339, f.text(at)); err == nil {
			return t
		}
	}
	return time.Time{}
}

// detailType is ingest's: what EventBridge calls a record of an eventType.
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

// isLabel is ingest's, too: whether a text can be a service's name.
func isLabel(label string) bool {
	for _, c := range []byte(label) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return label != ""
}
