package ingest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/rs/zerolog"

	"github.com/skycrafters/responder"
)

func sample(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "events", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The shipped events are events, each what wrapping its own record would give.
func TestSampleEvents(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "events", "*.json"))
	if err != nil || len(files) != 9 {
		t.Fatalf("found %q (%v)", files, err)
	}
	keys := map[string]string{}
	for _, file := range files {
		name := filepath.Base(file)
		split, err := Split(sample(t, name))
		if err != nil || len(split) != 1 {
			t.Errorf("%s: %d events, %v", name, len(split), err)
			continue
		}
		e, err := responder.DecodeEvent(split[0])
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if other, twice := keys[e.Key()]; twice {
			t.Errorf("%s and %s have the same key", name, other)
		}
		keys[e.Key()] = name
		var parts struct{ Detail json.RawMessage }
		if err := json.Unmarshal(split[0], &parts); err != nil {
			t.Fatal(err)
		}
		wrapped, err := Normalise(parts.Detail)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		wrapped.Body["id"] = e.Body["id"] // EventBridge gives its own
		if !reflect.DeepEqual(wrapped.Body, e.Body) {
			t.Errorf("%s: its envelope is not that of its record:\n%v\n%v", name, e.Body, wrapped.Body)
		}
	}
}

// What the names of the samples promise, the clock of their working hours included.
func TestSampleHours(t *testing.T) {
	zone, err := time.LoadLocation("America/Barbados")
	if err != nil {
		t.Skipf("no time zones here: %v", err)
	}
	for name, want := range map[string]string{
		"root-login.json":      "Tue 11:41",
		"root-login-miss.json": "Tue 11:30",
		"suspicious-hour.json": "Wed 02:12",
		"suspicious-ip.json":   "Wed 10:05",
	} {
		e, err := Normalise(sample(t, name))
		if err != nil {
			t.Fatal(err)
		}
		if at, ok := e.Time(); !ok || at.In(zone).Format("Mon 15:04") != want {
			t.Errorf("%s happens at %s, want %s", name, at.In(zone).Format("Mon 15:04"), want)
		}
	}
}

func TestSampleInvocations(t *testing.T) {
	t.Run("ingest", func(t *testing.T) {
		var request events.APIGatewayProxyRequest
		if err := json.Unmarshal(sample(t, "_lambda/ingest.json"), &request); err != nil {
			t.Fatal(err)
		}
		s := newSetup()
		s.secrets.secret.Current = responder.NewSecretText("REPLACE-WITH-YOUR-KEY")
		res, err := Lambda(s.Ingest, zerolog.Nop())(t.Context(), request)
		if err != nil || res.StatusCode != 202 || len(s.queue.sent()) != 1 {
			t.Fatalf("answered %d %s, %v", res.StatusCode, res.Body, err)
		}
		root, err := Split(sample(t, "root-login.json"))
		if err != nil || s.queue.sent()[0] != string(root[0]) {
			t.Errorf("it is not root-login.json that was sent: %s (%v)", s.queue.sent()[0], err)
		}
	})
	t.Run("detect", func(t *testing.T) {
		for _, message := range queueMessages(t, "_lambda/detect.json", 2) {
			e, err := Normalise([]byte(message.Body))
			if err != nil || !bytes.Equal(e.Raw, []byte(message.Body)) {
				t.Errorf("not a bare event: %s (%v)", message.Body, err)
			}
		}
	})
	t.Run("dispatch", func(t *testing.T) {
		for _, message := range queueMessages(t, "_lambda/dispatch.json", 1) {
			bell, err := responder.DecodeBell([]byte(message.Body))
			if err != nil || bell.Finding == nil {
				t.Fatalf("not a finding: %s (%v)", message.Body, err)
			}
			e, err := Normalise(bell.Finding.Event)
			if err != nil || e.Key() != bell.Finding.Key || bell.Finding.Check == nil || bell.Finding.Remediate == nil {
				t.Errorf("finding %+v of event %q (%v)", bell.Finding, e.Key(), err)
			}
		}
	})
	t.Run("sweep", func(t *testing.T) {
		e, err := Normalise(sample(t, "_lambda/sweep.json"))
		if err != nil || e.Name() != "Scheduled Event" {
			t.Errorf("%q, %v", e.Name(), err)
		}
	})
}

func queueMessages(t *testing.T, name string, want int) []events.SQSMessage {
	t.Helper()
	var event events.SQSEvent
	if err := json.Unmarshal(sample(t, name), &event); err != nil {
		t.Fatal(err)
	}
	if len(event.Records) != want {
		t.Fatalf("%d messages, want %d", len(event.Records), want)
	}
	return event.Records
}
