package engine_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/ingest"
	"github.com/skycrafters/responder/internal/engine"
	"github.com/skycrafters/responder/internal/lang"
)

// skims holds Skim against what ingest and Look make of the same element. It
// gives what differs, and whether Skim was sure.
func skims(t *testing.T, e *engine.Engine, element string) (sure bool) {
	t.Helper()
	when := time.Time{}
	said := e.Skim([]byte(element), func(at time.Time) bool { when = at; return true })
	skimsNext(t, e, element, said)
	event, err := ingest.Normalise(json.RawMessage(element))
	if said == engine.Perhaps {
		return false
	}
	if err != nil {
		t.Fatalf("Skim takes what ingest refuses: %v\n%s", err, element)
	}
	if at, _ := event.Time(); !at.Equal(when) {
		t.Fatalf("Skim says %v, the event %v\n%s", when, at, element)
	}
	if _, err := responder.DecodeEvent(event.Raw); err != nil {
		t.Fatalf("%v\n%s", err, element)
	}
	if candidates, ok := e.Look(event.Raw, nil); !ok || len(candidates) > 0 {
		t.Fatalf("Skim says nothing, Look %v, %t\n%s", candidates, ok, element)
	}
	return true
}

// skimsNext holds SkimNext against Skim, whatever stands behind the element: it
// finds the same end and says the same, or says that it cannot tell.
func skimsNext(t *testing.T, e *engine.Engine, element string, said engine.Skimmed) {
	t.Helper()
	all := func(time.Time) bool { return true }
	element = strings.TrimRight(element, " \t\r\n")
	valid := json.Valid([]byte(element))
	for _, behind := range []string{"", ",{}", "]}", "\n{\"eventName\":\"x\"}", " x", "}", "\""} {
		end, next := e.SkimNext([]byte(element+behind), all)
		switch {
		case end == 0 && next == engine.Perhaps:
		case valid && end == len(element) && next == said:
		case !valid && json.Valid([]byte(element[:end])) && next == e.Skim([]byte(element[:end]), all):
		default:
			t.Fatalf("SkimNext says %v, end %d of %d; Skim %v\n%s%s", next, end, len(element), said, element, behind)
		}
	}
	for cut := 1; valid && cut < len(element); cut += 1 + len(element)/10 {
		if end, next := e.SkimNext([]byte(element[:cut]), all); end != 0 || next != engine.Perhaps {
			t.Fatalf("SkimNext says %v, end %d, of half an element\n%s", next, end, element[:cut])
		}
	}
}

// TestSkim: of an archive's elements the engine says what it says of the events
// that are made of them.
func TestSkim(t *testing.T) {
	sure, looked := map[bool]int{}, 0
	for seed := range uint64(300) {
		g := engine.NewGenerator(seed)
		var rules []engine.Rule
		for len(rules) < 3 {
			if p, _ := lang.Compile(lang.Plain(g.Expression()), engine.TestScope); p != nil {
				rules = append(rules, engine.Rule{When: p})
			}
		}
		e := engine.New(rules, engine.TestAccounts)
		for range 30 {
			event := g.Event()
			elements := []string{event}
			var parts struct{ Detail json.RawMessage }
			if json.Unmarshal([]byte(event), &parts) == nil && parts.Detail != nil {
				elements = append(elements, string(parts.Detail))
			}
			for i, element := range elements {
				looked++
				if skims(t, e, element) {
					sure[i > 0]++
				}
			}
		}
	}
	t.Logf("of %d, sure of %d events and %d records", looked, sure[false], sure[true])
	if sure[false] < looked/50 || sure[true] < looked/50 {
		t.Error("the comparison does not say much")
	}
}

// TestSkimEnvelope: what a record's event has, its rules see, each in turn.
func TestSkimEnvelope(t *testing.T) {
	record := `{"eventVersion":"1.08","eventSource":"iam.amazonaws.com","eventName":"CreateUser","eventType":"AwsApiCall","eventID":"e-1","eventTime":"2026-11-23T04:00:00Z","awsRegion":"us-east-1","userIdentity":{"accountId":"111122223333"}}`
	for expression, want := range map[string]engine.Skimmed{
		`event.source == "aws.iam"`:                                 engine.Perhaps,
		`event.source == "aws.ec2"`:                                 engine.Nothing,
		`event["detail-type"] == "AWS API Call via CloudTrail"`:     engine.Perhaps,
		`event["detail-type"] == "AWS Insight via CloudTrail"`:      engine.Nothing,
		`account.id == "111122223333"`:                              engine.Perhaps,
		`account.id == "999999999999"`:                              engine.Nothing,
		`event.id == "e-1"`:                                         engine.Perhaps,
		`event.version != "0"`:                                      engine.Nothing,
		`event.resources == nil`:                                    engine.Nothing,
		`event.time == "2026-11-23T04:00:00Z"`:                      engine.Perhaps,
		`event.region == "us-east-1"`:                               engine.Perhaps,
		`region == "eu-west-1"`:                                     engine.Nothing,
		`len(event) == 9`:                                           engine.Perhaps,
		`len(event) == 1000`:                                        engine.Perhaps, // nobody knows: there is no event around it
		`action == "iam:CreateUser" && actor.account == "1"`:        engine.Nothing,
		`action == "iam:CreateUser" && event.detail.detail == nil`:  engine.Perhaps,
		`event.detail.eventName == "CreateUser" && action == "a:b"`: engine.Nothing,
	} {
		p, problems := lang.Compile(lang.Plain(expression), engine.TestScope)
		if p == nil {
			t.Fatal(problems)
		}
		e := engine.New([]engine.Rule{{When: p}}, nil)
		if got := e.Skim([]byte(record), nil); got != want {
			t.Errorf("%s: %v, want %v", expression, got, want)
		}
		if end, got := e.SkimNext([]byte(record+","+record), nil); got != want || want == engine.Nothing && end != len(record) {
			t.Errorf("%s: of the first of two %v, want %v; it ends at %d of %d", expression, got, want, end, len(record))
		}
		skims(t, e, record)
	}
}

func TestSkimOutside(t *testing.T) {
	e := engine.New(nil, nil)
	record := `{"eventSource":"iam.amazonaws.com","eventName":"CreateUser","eventTime":"2026-11-23T04:00:00Z"}`
	for element, want := range map[string]engine.Skimmed{
		record: engine.Outside,
		`{"source":"a","detail-type":"b","detail":{},"time":"2026-11-23T04:00:00Z"}`: engine.Outside,
		`{"source":"a","detail-type":"b","detail":{}}`:                               engine.Nothing, // it has no time
		`{"source":"a","detail-type":"b"}`:                                           engine.Perhaps, // nothing that ingest takes
		`{"eventSource":"i m.amazonaws.com","eventName":"CreateUser"}`:               engine.Perhaps,
		`{"eventSource":"iam.amazonaws.com","eventName":"CreateUser","detail":null}`: engine.Perhaps,
		`{"eventSource":"iam.amazonaws.com"`:                                         engine.Perhaps,
		`{"eventSource":"iam.amazonaws.com","eventName":"CreateUser","x":tru}`:       engine.Perhaps,
	} {
		if got := e.Skim([]byte(element), time.Time.IsZero); got != want {
			t.Errorf("%s: %v, want %v", element, got, want)
		}
	}
}
