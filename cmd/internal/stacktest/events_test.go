package stacktest

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// real is where real CloudTrail records lie beside the repository, if they do.
const real = "../shared/data/cloudtrail"

// sample is a file of events/.
func sample(t *testing.T, name string) json.RawMessage {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repository, "events", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// samples are all events of events/, in order.
func samples(t *testing.T) (events []json.RawMessage) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(repository, "events", "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	slices.Sort(paths)
	for _, path := range paths {
		events = append(events, sample(t, filepath.Base(path)))
	}
	return events
}

// with is an event with a text at a path replaced.
func with(t *testing.T, event json.RawMessage, path, text string) json.RawMessage {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal(event, &body); err != nil {
		t.Fatal(err)
	}
	at := body
	keys := strings.Split(path, ".")
	for _, key := range keys[:len(keys)-1] {
		at = at[key].(map[string]any)
	}
	at[keys[len(keys)-1]] = text
	changed, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// alike is an event that differs from another by its ids alone.
func alike(t *testing.T, event json.RawMessage, n int) json.RawMessage {
	t.Helper()
	event = with(t, event, "id", fmt.Sprintf("00000000-0000-4000-8000-%012d", n))
	return with(t, event, "detail.eventID", fmt.Sprintf("00000000-0000-4000-9000-%012d", n))
}

// crowd makes events of the samples, which differ by their ids.
func crowd(t *testing.T, many int) (events []json.RawMessage) {
	t.Helper()
	like := samples(t)
	for n := range many {
		events = append(events, alike(t, like[n%len(like)], 1000+n))
	}
	return events
}

// records are 500 real CloudTrail records; where they are absent, as many events
// made of the samples.
func records(t *testing.T) (events []json.RawMessage) {
	t.Helper()
	const many = 500
	for _, name := range []string{"stratus.jsonl.gz", "invictus.jsonl.gz"} {
		file, err := os.Open(filepath.Join(repository, real, name))
		if os.IsNotExist(err) {
			t.Logf("shown: no real records at %s: %d events made of the samples instead", real, many)
			return crowd(t, many)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		unzipped, err := gzip.NewReader(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(unzipped)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() && len(events) < many {
			var line struct{ Event json.RawMessage }
			if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
				t.Fatal(err)
			}
			if line.Event == nil {
				line.Event = slices.Clone(lines.Bytes())
			}
			events = append(events, line.Event)
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return events
}
