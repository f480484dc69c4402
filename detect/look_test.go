package detect

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/skycrafters/responder"
)

// every kind of rule: what the engine judges, and what it leaves to the fallback.
const everyKind = `
accounts: {"012345670123": {name: payments, env: prod}}
lists: {ips: [192.0.2.0/24], names: [bob, eve]}
rules:
  Equal: action == "iam:CreateUser" && ok
  Member: req.userName in lists.names
  Absent: req.userName == nil
  Unequal: req.userName != "bob"
  Denied: denied && actor.type != "Root"
  Fails: req.userName && ok
  FailsLater: action == "iam:CreateUser" && req.userName
  Map: {when: '{message: "m " + string(req.userName), resources: req.tags}'}
  Maps: {when: '[{message: "a"}, {message: "b"}]'}
  Text: {when: req.userName}
  Each: {each: resp.items, if: item.n > 1, message: 'saw {{ item.id }}', resources: [item.id]}
  EachWhen: {when: ok, each: req.tags, message: '{{ item }}'}
  EachFails: {when: req.userName, each: resp.items}
  EachMap: {when: '{a: 1}', each: resp.items}
  Any: any(resp.items, .n == 1)
  Message: {when: 'account.env == "prod"', message: '{{ int(req.userName) }}'}
  Glob: glob(req.userName, ["b*", "*e"])
  Address: ip_in(ip, lists.ips) || public_ip(ip)
`

// sameSight tells how Look and DecodeEvent with Evaluate differ, "" if they do not.
func sameSight(rules *Rules, raw []byte) string {
	sight, err := rules.Look(raw)
	event, wantErr := responder.DecodeEvent(raw)
	if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
		return "Look: " + text(err) + "; DecodeEvent: " + text(wantErr)
	}
	if err != nil {
		return ""
	}
	findings, failed := rules.Evaluate(event)
	if !reflect.DeepEqual(sight.Findings, findings) {
		return "findings are " + text(sight.Findings) + ", want " + text(findings)
	}
	if len(sight.Errors) != len(failed) {
		return "errors are " + text(sight.Errors) + ", want " + text(failed)
	}
	for i, e := range sight.Errors {
		if e.Rule != failed[i].Rule || e.Event != failed[i].Event || e.Err.Error() != failed[i].Err.Error() {
			return "an error is " + e.Error() + ", want " + failed[i].Error()
		}
	}
	if got := sight.Event(); !reflect.DeepEqual(got, event) {
		return "the event is " + text(got.Body)
	}
	return ""
}

func text(value any) string {
	if err, ok := value.(error); ok && err != nil {
		return err.Error()
	}
	data, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// TestLook: with the engine and without it, all is the same to the word.
func TestLook(t *testing.T) {
	rules := load(t, "rules.yml", everyKind)
	seen := map[string]bool{}
	for _, change := range [][2]string{
		{"", ""}, {"bob", "eve"}, {`"bob"`, "null"}, {`"bob"`, `["bob"]`}, {`"bob"`, "true"}, {`"bob"`, "5"}, {`"userName"`, `"username"`}, {`"userName":"bob"`, `"userName":"bob","userName":7`},
		{`"items"`, `"Items"`}, {"CreateUser", "ConsoleLogin"}, {"bob", `b\u006fb`}, {"bob", "\xff"}, {"{", "["}, {"}", ""}, {"012345670123", "999999999999"}, {`"requestParameters"`, `"requestParameters":{"userName":"bob"},"responseElements"`},
	} {
		raw := strings.ReplaceAll(call, change[0], change[1])
		if change[0] == "" {
			raw = call
		}
		if differs := sameSight(rules, []byte(raw)); differs != "" {
			t.Errorf("%q → %q: %s", change[0], change[1], differs)
		}
		if sight, err := rules.Look([]byte(raw)); err == nil {
			for _, f := range sight.Findings {
				seen[f.Rule] = true
			}
			for _, e := range sight.Errors {
				seen[e.Rule] = true
			}
		}
	}
	for _, info := range rules.Infos() {
		if !seen[info.Name] && info.Name != "Denied" && info.Name != "Address" {
			t.Errorf("rule %s neither finds anything nor fails: it shows nothing", info.Name)
		}
	}
}

// TestLookNothing: an event in which nothing is found is not decoded.
func TestLookNothing(t *testing.T) {
	rules := load(t, "rules.yml", "rules:\n  A: action == \"iam:DeleteUser\" && ok\n  B: any(resp.none, .x == 1)\n")
	raw := []byte(call)
	sight, err := rules.Look(raw)
	if err != nil || sight.event != nil || len(sight.Findings)+len(sight.Errors) > 0 {
		t.Errorf("Look gives %+v, %v", sight, err)
	}
	if n := testing.AllocsPerRun(100, func() { rules.Look(raw) }); n > 0 && !raced { // the race detector has pools forget
		t.Errorf("an event without a match costs %v allocations, want none", n)
	}
	if got := sight.Event(); got.Key() != "012345670123/e1" {
		t.Errorf("decoded later, its key is %q", got.Key())
	}
}

// TestLookRealEvents compares both ways on real CloudTrail records, as wrapped.
func TestLookRealEvents(t *testing.T) {
	shipped, problems := Load(os.DirFS(".."), "rules.yml", nil)
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	sets := []*Rules{shipped, load(t, "rules.yml", everyKind)}
	for _, raw := range realEvents(t) {
		for _, rules := range sets {
			if differs := sameSight(rules, raw); differs != "" {
				t.Fatalf("%s\n%s", differs, raw)
			}
		}
	}
}

// realEvents reads the CloudTrail records that lie beside the checkout, each in
// EventBridge's envelope.
func realEvents(t testing.TB) (events [][]byte) {
	files, err := filepath.Glob("../../shared/data/cloudtrail/*.jsonl.gz")
	if err != nil || len(files) == 0 {
		t.Skip("there are no real CloudTrail records at ../shared/data")
	}
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		zr, err := gzip.NewReader(file)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(zr)
		if err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(data) {
			var record struct {
				Event json.RawMessage `json:"event"` // of stratus.jsonl.gz
			}
			if err := json.Unmarshal(line, &record); err != nil {
				t.Fatal(err)
			}
			if record.Event == nil {
				record.Event = bytes.TrimSpace(line)
			}
			var head struct{ EventSource, RecipientAccountID, EventTime, AwsRegion, EventID string }
			if err := json.Unmarshal(record.Event, &head); err != nil {
				t.Fatal(err)
			}
			service, _, _ := strings.Cut(head.EventSource, ".")
			envelope, err := json.Marshal(map[string]any{
				"version": "0", "id": head.EventID, "detail-type": "AWS API Call via CloudTrail", "source": "aws." + service,
				"account": head.RecipientAccountID, "time": head.EventTime, "region": head.AwsRegion, "resources": []any{}, "detail": record.Event,
			})
			if err != nil {
				t.Fatal(err)
			}
			events = append(events, envelope)
		}
	}
	return events
}
