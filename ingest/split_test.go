package ingest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/skycrafters/responder"
)

const (
	event1  = `{"id":"1","source":"a","detail-type":"b","detail":{}}`
	event2  = `{"id":"2","source":"a","detail-type":"b","detail":{}}`
	record3 = `{"eventID":"3","eventSource":"iam.amazonaws.com","eventName":"CreateUser"}`
	event3  = `{"version":"0","id":"3","detail-type":"AWS API Call via CloudTrail","source":"aws.iam","account":"","time":"","region":"","resources":[],"detail":` + record3 + `}`
)

func TestSplit(t *testing.T) {
	tests := []struct {
		name, body string
		want       []string
	}{
		{"event", event1, []string{event1}},
		{"record", record3, []string{event3}},
		{"event over lines", strings.ReplaceAll(event1, ",", ",\n "), []string{event1}},
		{"array", "[" + event1 + "," + record3 + "]", []string{event1, event3}},
		{"lines", event1 + "\n\n" + record3 + "\r\n" + event2 + "\n", []string{event1, event3, event2}},
		{"CloudTrail file", `{"Records":[` + record3 + "," + record3 + `]}`, []string{event3, event3}},
		{"events in Records", `{"Records":[` + event1 + `]}`, []string{event1}},
		{"byte order mark", "\xef\xbb\xbf" + event1, []string{event1}},
		{"an event may have Records", `{"id":"1","source":"a","detail-type":"b","detail":{},"Records":[{}]}`, []string{`{"id":"1","source":"a","detail-type":"b","detail":{},"Records":[{}]}`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events, err := Split([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if got := texts(events); !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

func texts(raw []json.RawMessage) []string {
	out := make([]string, len(raw))
	for i, r := range raw {
		out[i] = string(r)
	}
	return out
}

// badBodies are refused, whole, by Split and by both fronts.
var badBodies = []struct {
	name, body string
	status     int
	want       string // in the detail
	element    int
}{
	{"empty", "", 400, "the body is empty", -1},
	{"white space", " \r\n", 400, "the body is empty", -1},
	{"empty array", "[]", 400, "the body holds no events", -1},
	{"empty Records", `{"Records":[]}`, 400, "the body holds no events", -1},
	{"text", "hello", 400, "element 0 (line 1): expected a JSON object or array", 0},
	{"truncated", event1[:30], 400, "element 0 (line 1): the input ends in the middle of it", 0},
	{"truncated array", "[" + event1 + ",\n", 400, "element 1 (line 2): the input ends inside the array", 1},
	{"truncated file", `{"Records":[` + record3, 400, "element 1 (line 1): the input ends inside the array", 1},
	{"10,000 levels of arrays", strings.Repeat("[", 10000) + strings.Repeat("]", 10000), 400, "nested deeper than 100", 0},
	{"10,000 levels of objects", strings.Repeat(`{"a":`, 10000) + "1" + strings.Repeat("}", 10000), 400, "nested deeper than 100", 0},
	{"not UTF-8", event1 + "\n" + `{"source":"` + "\xff" + `","detail-type":"b","detail":{}}`, 400, "element 1 (line 2): event is not valid UTF-8", 1},
	{"UTF-16", "\xff\xfe{\x00}\x00", 400, "expected a JSON object or array", 0},
	{"SOURCE for source", `{"SOURCE":"a","detail-type":"b","detail":{}}`, 400, "keys are case-sensitive", 0},
	{"source overwritten by a duplicate", `{"source":"a","detail-type":"b","detail":{},"source":7}`, 400, "neither", 0},
	{"6 MB", "[" + strings.Repeat(event1+",", 6<<20/len(event1)) + event1 + "]", 413, "the body is larger than 5242880 bytes", -1},
	{"event too large", event1 + "\n" + `{"source":"a","detail-type":"b","detail":{"x":"` + strings.Repeat("x", 300<<10) + `"}}`, 413, "element 1 (line 2): event is 307250 bytes, at most 262144 are taken", 1},
	{"last of four lines bad", strings.Repeat(event1+"\n", 3) + `{"id":}`, 400, "element 3 (line 4): unexpected '}'", 3},
	{"one bad among good", "[" + event1 + ",\n{},\n" + event2 + "]", 400, "element 1 (line 2): neither", 1},
	{"array in array", "[[" + event1 + "]]", 400, "element 0 (line 1): event is not a JSON object", 0},
	{"Records beside an event", `{"Records":[` + record3 + `],"source":"a","detail-type":"b","detail":{}}`, 400, `something stands beside "Records"`, 1},
	{"rubbish behind", event1 + "x", 400, "element 1 (line 1)", 1},
}

func TestSplitRefuses(t *testing.T) {
	for _, tt := range badBodies {
		t.Run(tt.name, func(t *testing.T) {
			events, err := Split([]byte(tt.body))
			var wrong *BodyError
			if !errors.As(err, &wrong) || events != nil {
				t.Fatalf("got %d events and error %v", len(events), err)
			}
			if wrong.Status != tt.status || wrong.Element != tt.element || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %d, element %d: %q; want %d, element %d: %q", wrong.Status, wrong.Element, err, tt.status, tt.element, tt.want)
			}
		})
	}
}

// Real CloudTrail, all of it, is normalised without changing a byte of a record.
func TestSplitRealRecords(t *testing.T) {
	for file, want := range map[string]int{"invictus.jsonl.gz": 2900, "stratus.jsonl.gz": 310} {
		t.Run(file, func(t *testing.T) {
			f, err := os.Open(filepath.Join("..", "..", "shared", "data", "cloudtrail", file))
			if errors.Is(err, os.ErrNotExist) {
				t.Skipf("the recorded events are not here: %v", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			zr, err := gzip.NewReader(f)
			if err != nil {
				t.Fatal(err)
			}
			var records [][]byte
			lines := bufio.NewScanner(zr)
			lines.Buffer(nil, 1<<20)
			for lines.Scan() {
				record := bytes.Clone(lines.Bytes())
				var technique struct{ Event json.RawMessage }
				if err := json.Unmarshal(record, &technique); err != nil {
					t.Fatal(err)
				}
				if technique.Event != nil {
					record = technique.Event
				}
				records = append(records, record)
			}
			if err := lines.Err(); err != nil {
				t.Fatal(err)
			}
			events, err := Split(bytes.Join(records, []byte("\n")))
			if err != nil {
				t.Fatal(err)
			}
			if len(events) != want || len(records) != want {
				t.Fatalf("%d events of %d records, want %d", len(events), len(records), want)
			}
			sources := map[string]bool{}
			for i, raw := range events {
				if !bytes.HasSuffix(raw, append(append([]byte(`"detail":`), records[i]...), '}')) {
					t.Fatalf("record %d is changed:\n%s\n%s", i, records[i], raw)
				}
				e, err := responder.DecodeEvent(raw)
				if err != nil {
					t.Fatal(err)
				}
				if _, ok := e.Time(); !ok || len(e.Account()) != 12 || e.Region() == "" || e.Name() == "" || !strings.HasSuffix(e.Key(), e.ID()) {
					t.Errorf("record %d becomes %.300s", i, raw)
				}
				sources[e.Body["source"].(string)] = true
			}
			if !sources["aws.iam"] || !sources["aws.ec2"] {
				t.Errorf("sources are %v", sources)
			}
		})
	}
}

func FuzzSplit(f *testing.F) {
	for _, tt := range badBodies {
		if len(tt.body) < 4096 {
			f.Add([]byte(tt.body))
		}
	}
	for _, body := range []string{event1, record3, "[" + event1 + "," + record3 + "]", `{"Records":[` + record3 + `]}`, event1 + "\n" + record3,
		`{"eventSource":"a.b","eventName":"x","eventID":"\ud800","userIdentity":{"accountId":"1"}}`, `{"source":"a","detail-type":"b","detail":{"n":1e400}}`,
		`{"source":"a","source":"b","detail-type":"b","detail":{"n":9007199254740993,"n":1}}`, `{"Source":"a","source":"b","detail-type":"b","detail":{}}`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := Split(body)
		var wrong *BodyError
		switch {
		case err != nil && (!errors.As(err, &wrong) || events != nil || wrong.Status != http.StatusBadRequest && wrong.Status != http.StatusRequestEntityTooLarge):
			t.Fatalf("%d events and error %v", len(events), err)
		case err != nil:
			return
		case len(events) == 0:
			t.Fatal("neither events nor an error")
		}
		for _, raw := range events {
			e, err := responder.DecodeEvent(raw)
			if err != nil || !eventByMap(e.Body) {
				t.Fatalf("%q is no event: %v", raw, err)
			}
		}
		for name, joined := range map[string][]byte{
			"lines": bytes.Join(bytesOf(events), []byte("\n")),
			"array": slices.Concat([]byte("["), bytes.Join(bytesOf(events), []byte(",")), []byte("]")),
		} {
			again, err := Split(joined)
			if err != nil || !slices.Equal(texts(events), texts(again)) {
				t.Fatalf("split again as %s: %q becomes %q (%v)", name, events, again, err)
			}
		}
	})
}

func bytesOf(raw []json.RawMessage) [][]byte {
	out := make([][]byte, len(raw))
	for i, r := range raw {
		out[i] = r
	}
	return out
}

func BenchmarkNormalise(b *testing.B) {
	record := `{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","principalId":"AIDAEXAMPLE","arn":"arn:aws:iam::111122223333:user/alice","accountId":"111122223333","userName":"alice","sessionContext":{"attributes":{"creationDate":"2024-03-12T15:00:00Z","mfaAuthenticated":"true"}}},"eventTime":"2024-03-12T15:30:00Z","eventSource":"iam.amazonaws.com","eventName":"CreateUser","awsRegion":"us-east-1","sourceIPAddress":"198.51.100.7","requestParameters":{"userName":"bob","tags":[{"key":"a","value":"b"}]},"eventID":"11111111-2222-3333-4444-555555555555","recipientAccountId":"111122223333","eventType":"AwsApiCall"}`
	b.SetBytes(int64(len(record)))
	for b.Loop() {
		if _, err := Normalise([]byte(record)); err != nil {
			b.Fatal(err)
		}
	}
}
