package benchmarks

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skycrafters/responder/ingest"
	"github.com/skycrafters/responder/internal/archive"
)

// real is a file of CloudTrail records that may lie beside the checkout.
const real = "../../../shared/data/cloudtrail/invictus.jsonl.gz"

// events are real records as ingest queues them, or where there are none the
// samples, again and again; from says which.
func events(t testing.TB) (events [][]byte, from string) {
	t.Helper()
	paths, from := []string{real}, "real CloudTrail records"
	if _, err := os.Stat(real); err != nil {
		if paths, err = filepath.Glob("../../events/*.json"); err != nil {
			t.Fatal(err)
		}
		from = "the samples in events/"
	}
	for record, err := range archive.Records(t.Context(), paths, nil) {
		if err != nil {
			t.Fatal(err)
		}
		event, err := ingest.Normalise(record.Raw)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, event.Raw)
	}
	for have := len(events); len(events) < 2900; {
		events = append(events, varied(events[len(events)%have], len(events)))
	}
	return events, from
}

// varied is an event that differs from the one it is made of.
func varied(event []byte, n int) []byte {
	return bytes.ReplaceAll(event, []byte(`"eventID":"`), []byte(`"eventID":"`+strings.Repeat("f", n%8)))
}

// zipped is a gzip file of JSON lines, the events so many times over.
func zipped(t testing.TB, events [][]byte, times int) []byte {
	t.Helper()
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	for range times {
		for _, e := range events {
			if !json.Valid(e) {
				t.Fatalf("not JSON: %s", e)
			}
			if _, err := zw.Write(append(e[:len(e):len(e)], '\n')); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
