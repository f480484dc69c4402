package main

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skycrafters/responder/internal/archive"
)

func TestReplay(t *testing.T) {
	c := newCLI(t)
	out, _ := c.run(exitDone, "replay", repo+"events", "--format", "json")
	all := objects(t, out)
	if len(all) != 6 {
		t.Fatalf("%d findings, want 6", len(all))
	}
	for _, key := range []string{"rule", "severity", "message", "event_id", "file", "record"} {
		if all[0][key] == nil {
			t.Errorf("a finding lacks %q: %v", key, all[0])
		}
	}
	out, _ = c.run(exitDone, "replay", repo+"events", "--rule", "RootLogin")
	c.has(out, "9 events · 1 matched · 1 finding", "EXTREME", "root-login.json#1")
	out, _ = c.run(exitDone, "replay", repo+"events", "--until", "2001-01-01")
	c.has(out, "0 events", "9 outside the time asked for")
	_, errs := c.run(exitInput, "replay", filepath.Join(c.dir, "gone.json"))
	c.has(errs, "gone.json", "1 file or record could not be read")
}

// records is JSON lines of n events, of lengths that differ.
func records(n int, prefix string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"id":"%s%d","source":"a","detail-type":"b","time":"2026-11-%02dT00:00:00Z","detail":{"pad":"%s"}}`+"\n", prefix, i, 1+i%20, strings.Repeat("y", (i*37)%500))
	}
	return b.String()
}

// TestReplayTellsFailuresOnce: a rule that fails on every event is told of ten times,
// and then how often.
func TestReplayTellsFailuresOnce(t *testing.T) {
	c := newCLI(t)
	c.write("rules.yml", "rules:\n  Failing: event.detail.pad && ok\n")
	c.write("many.jsonl", records(25, "many"))
	_, errs := c.run(exitDone, "replay", filepath.Join(c.dir, "many.jsonl"), "--summary")
	if n := strings.Count(errs, "many.jsonl#"); n != 10 || !strings.Contains(errs, "rule error: Failing: 15 more failures\n") {
		t.Errorf("%d of them in %s", n, errs)
	}
}

// TestReplayKeepsOrder: of files that are read at once, findings come in the
// order of the files and of the records in them, damage between.
func TestReplayKeepsOrder(t *testing.T) {
	c := newCLI(t)
	c.write("rules.yml", "rules:\n  All: {when: 'true', message: '{{ event.id }}'}\n")
	if err := os.Mkdir(filepath.Join(c.dir, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	var want []string
	for f := range 40 {
		n := (f * 173) % 1300
		name := fmt.Sprintf("in/%02d", f)
		text := records(n, fmt.Sprintf("%d-", f))
		for i := range n {
			want = append(want, fmt.Sprintf("%d-%d", f, i))
		}
		if f%2 == 0 {
			c.write(name+".jsonl", text)
			continue
		}
		var zipped bytes.Buffer
		w := gzip.NewWriter(&zipped)
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		c.write(name+".json.gz", zipped.String())
	}
	out, _ := c.run(exitDone, "replay", filepath.Join(c.dir, "in"), "--format", "json")
	all := objects(t, out)
	if len(all) != len(want) {
		t.Fatalf("%d findings, want %d", len(all), len(want))
	}
	for i, o := range all {
		if o["message"] != want[i] {
			t.Fatalf("finding %d is of %v, not of %s", i, o["message"], want[i])
		}
	}
}

func TestReplaySummary(t *testing.T) {
	c := newCLI(t)
	c.write("rules.yml", "rules:\n  Odd: {when: 'event.id endsWith \"1\"', severity: LOW}\n  Never: event.id == \"\"\n")
	c.write("in.jsonl", records(100, "e")+"{\n")
	in := filepath.Join(c.dir, "in.jsonl")
	out, _ := c.run(exitInput, "replay", in, "--summary", "--format", "json", "--since", "2026-11-02")
	var report replayReport
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	if report.Events != 95 || report.Skipped != 5 || report.Matched != 10 || report.Damaged != 1 || !report.Complete || len(report.Rules) != 1 {
		t.Fatalf("%+v", report)
	}
	odd := report.Rules[0]
	if odd.Hits != 10 || odd.First != time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC) || odd.Last != time.Date(2026, 11, 12, 0, 0, 0, 0, time.UTC) || odd.Histogram == nil {
		t.Errorf("%+v", odd)
	}
	out, _ = c.run(exitInput, "replay", in, "--summary")
	c.has(out, "100 events", "LOW            10  Odd", "█", "from 2026-11-02")
	if strings.Contains(out, "in.jsonl:") {
		t.Errorf("the summary shows findings:\n%s", out)
	}
	out, _ = c.run(exitInput, "replay", in, "--summary", "--format", "csv")
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(rows) != 2 || rows[1][0] != "Odd" || rows[1][2] != "10" {
		t.Errorf("%q, %v", rows, err)
	}
}

// TestReplayCSV: what events say is a text in a spreadsheet, never a formula.
func TestReplayCSV(t *testing.T) {
	c := newCLI(t)
	c.write("rules.yml", "rules:\n  All: {when: 'true', message: '{{ event.detail.text }}'}\n")
	c.write("in.jsonl", `{"id":"=1+1","source":"a","detail-type":"b","detail":{"text":"=HYPERLINK(\"http://x\",\"a\"),\nb"}}`+"\n"+`{"id":"-","source":"a","detail-type":"b","detail":{"text":"\u001b[31m+1"}}`)
	out, _ := c.run(exitDone, "replay", filepath.Join(c.dir, "in.jsonl"), "--format", "csv")
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatalf("%q, %v", out, err)
	}
	for i, head := range rows[0] {
		for _, row := range rows[1:] {
			if cell := row[i]; cell != "" && strings.ContainsRune("=+-@\t\x1b", rune(cell[0])) {
				t.Errorf("%s: %q", head, cell)
			}
		}
	}
	if message := rows[1][7]; message != "'=HYPERLINK(\"http://x\",\"a\"), b" && message != "'=HYPERLINK(\"http://x\",\"a\"),\nb" {
		t.Errorf("%q", message)
	}
}

// TestReplayLostLines: a person is told how many lines were lost, not only how many runs of them.
func TestReplayLostLines(t *testing.T) {
	c := newCLI(t)
	c.write("rules.yml", "rules:\n  All: 'true'\n")
	c.write("in.jsonl", record(1, true)+"\n"+strings.Repeat("hello\n", 1200)+record(2, true)+"\n{\n")
	out, errs := c.run(exitInput, "replay", filepath.Join(c.dir, "in.jsonl"))
	c.has(out, "in.jsonl#1", "in.jsonl#3", "2 files or records not read")
	c.has(errs, "in.jsonl#2 (lines 2 to 1201): expected a JSON object or array", "in.jsonl#4 (line 1203): ", "2 files or records could not be read (1201 lines)")
}

// TestReplayBucket reads from what speaks S3 at the endpoint given.
func TestReplayBucket(t *testing.T) {
	c := newCLI(t)
	c.write("rules.yml", "rules:\n  All: {when: 'true', message: '{{ event.id }}'}\n")
	s3 := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/trail" || r.URL.Path == "/trail/" {
			fmt.Fprint(w, `<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a/1.jsonl</Key><Size>10</Size><ETag>"x"</ETag></Contents><Contents><Key>a/2.jsonl</Key><Size>10</Size></Contents></ListBucketResult>`)
			return
		}
		fmt.Fprint(w, records(2, r.URL.Path+" "))
	}))
	defer s3.Close()
	t.Setenv("AWS_ENDPOINT_URL_S3", s3.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	t.Setenv("AWS_REGION", "eu-west-1")
	out, _ := c.run(exitDone, "replay", "s3://trail/a/", "--format", "json")
	var got []string
	for _, o := range objects(t, out) {
		got = append(got, fmt.Sprint(o["message"], " of ", o["file"]))
	}
	want := "/trail/a/1.jsonl 0 of s3://trail/a/1.jsonl, /trail/a/1.jsonl 1 of s3://trail/a/1.jsonl, /trail/a/2.jsonl 0 of s3://trail/a/2.jsonl, /trail/a/2.jsonl 1 of s3://trail/a/2.jsonl"
	if strings.Join(got, ", ") != want {
		t.Errorf("got %s", strings.Join(got, ", "))
	}
}

func TestCommonest(t *testing.T) {
	var c commonest
	const n = 200_000
	for i := range n {
		c.add(fmt.Sprintf("rare %d", i))
		if i%10 == 0 {
			c.add("often")
		}
		if i%20 == 0 {
			c.add("less")
		}
	}
	c.add("")
	most := c.most(2)
	if len(c.hits) > commonestNames || most[0].Name != "often" || most[1].Name != "less" {
		t.Fatalf("%v", most)
	}
	for i, want := range []int{n / 10, n / 20} {
		if got := most[i].Hits; got > want || want-got > (n+n/10+n/20)/commonestNames {
			t.Errorf("%s came %d times, not %d", most[i].Name, want, got)
		}
	}
}

func TestHistogram(t *testing.T) {
	at := func(text string) time.Time {
		t.Helper()
		moment, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return moment
	}
	for _, tt := range []struct {
		moments []string
		from    string
		step    string
		hits    string
	}{
		{[]string{"2026-11-23T04:00:10Z"}, "2026-11-23T04:00:00Z", "1m", "[1]"},
		{[]string{"2026-11-23T04:59:10Z", "2026-11-23T04:00:10Z"}, "2026-11-23T04:00:00Z", "1m", "[1 " + strings.Repeat("0 ", 58) + "1]"},
		{[]string{"2026-11-23T04:00:10Z", "2026-11-23T05:00:10Z", "2026-11-23T04:01:00Z"}, "2026-11-23T04:00:00Z", "5m", "[2 " + strings.Repeat("0 ", 11) + "1]"},
		{[]string{"2026-01-01T00:00:00Z", "2026-12-31T23:59:59Z"}, "2026-01-01T00:00:00Z", "7d", "[1 " + strings.Repeat("0 ", 51) + "1]"},
		{[]string{"1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z"}, "1969-12-31T23:59:00Z", "1m", "[1 1]"},
	} {
		var h histogram
		for _, text := range tt.moments {
			h.add(at(text))
		}
		r := h.report()
		if r.From != at(tt.from) || r.Step != tt.step || fmt.Sprint(r.Hits) != tt.hits {
			t.Errorf("%v: from %v, %s each: %v", tt.moments, r.From, r.Step, r.Hits)
		}
	}
	var far histogram
	for _, moment := range []time.Time{{}, at("9999-12-31T23:59:59Z"), at("2026-11-23T04:00:00Z")} {
		far.add(moment)
	}
	sum := 0
	for _, n := range far.report().Hits {
		sum += n
	}
	if n := len(far.report().Hits); sum != 3 || n > histogramSlots {
		t.Errorf("%d hits in %d slots", sum, n)
	}
	if bars := (&histogramReport{Hits: []int{0, 1, 50, 100}}).bars(); bars != "·▁▄█" {
		t.Errorf("drawn as %s", bars)
	}
}

func TestProgressTellsWhatIsLeft(t *testing.T) {
	p := &progress{what: "records", n: 3000}
	if got := p.line(2 * time.Second); got != "3000 records · 1500/s" {
		t.Error(got)
	}
	p.read.Store(250)
	p.total.Store(1000)
	p.weighed.Store(true)
	if got := p.line(2 * time.Second); got != "3000 records · 1500/s · 25 % · 6s left" {
		t.Error(got)
	}
}

// TestProgressStays: what findings and complaints take away comes back behind them.
func TestProgressStays(t *testing.T) {
	var shown bytes.Buffer
	now := time.Unix(0, 0)
	p := &progress{out: &shown, now: func() time.Time { return now }, what: "records", began: now, last: now}
	p.clear()
	p.add(64)
	if shown.Len() > 0 {
		t.Errorf("shown at once, or taken away before: %q", shown.String())
	}
	now = now.Add(progressEvery)
	p.add(64)
	p.add(64) // too soon after the other
	p.clear()
	p.clear()
	p.add(64)
	if got, want := shown.String(), "\r\x1b[K128 records · 427/s"+"\r\x1b[K"+"\r\x1b[K256 records · 853/s"; got != want {
		t.Errorf("shown %q, want %q", got, want)
	}
}

func TestReplayFlows(t *testing.T) {
	c := newCLI(t)
	c.write("rules.yml", "rules:\n  All: {when: 'true', resources: ['event.id']}\n")
	c.write("flows.yml", `flows:
  - name: told
    rules: [All]
    if: event.id != "e0"
    cooldown: {for: 240h, by: rule}
    sequential:
      - SendGoogleChat: {webhookURL: "https://chat.example.com/x", message: "{{ event.id }}"}
      - wait: 1h
      - SendGoogleChat: {webhookURL: "https://chat.example.com/x", message: "later"}
`)
	c.write("in.jsonl", records(60, "e")) // of twenty days, one after the other, three times over
	in := filepath.Join(c.dir, "in.jsonl")
	flows := filepath.Join(c.dir, "flows.yml")
	out, _ := c.run(exitDone, "replay", in, "--flows", flows, "--summary", "--format", "json")
	var report replayReport
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Flows) != 1 {
		t.Fatalf("%+v", report)
	}
	told := report.Flows[0]
	if told.Runs != 59 || told.Unmet != 1 || told.Quiet == 0 || len(told.Steps) != 2 || told.Steps[0].Would+told.Quiet != 59 {
		t.Errorf("%+v", told)
	}
	out, _ = c.run(exitDone, "replay", in, "--flows", flows, "--summary")
	c.has(out, "What the flows of "+flows+" would have done", "59 runs", "1 left out by its condition", "kept quiet by its cooldown", "SendGoogleChat")
	if out, _ = c.run(exitDone, "replay", in, "--summary"); strings.Contains(out, "flows of") {
		t.Error("flows are told though nobody asked")
	}
}

// TestFollowed: files come in their order, each with how many are known to stand
// behind it; what could not be found is among them.
func TestFollowed(t *testing.T) {
	for n, want := range map[int]string{
		0: "",
		1: "f0 0,",
		2: "f0 1,f1 0,",
		5: "f0 2,f1 2,f2 2, 1,f4 0,",
	} {
		files := func(yield func(archive.File, error) bool) {
			for i := range n {
				var err error
				if i == 3 {
					err = os.ErrNotExist
				}
				if !yield(archive.File{Name: fmt.Sprint("f", i)}, err) {
					return
				}
			}
		}
		var got strings.Builder
		for file, behind := range followed(files, 2) {
			fmt.Fprintf(&got, "%s %d,", file.Name, behind)
		}
		if got.String() != want {
			t.Errorf("of %d files: %s, want %s", n, got.String(), want)
		}
		for range followed(files, 2) {
			break
		}
	}
}
