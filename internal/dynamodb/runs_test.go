package dynamodb

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/skycrafters/responder"
)

// written is an item as it stands after a write.
func written(version int64, token string, expires int64) item {
	it := item{attrID: text("0123"), attrVersion: number(version), attrToken: text(token)}
	if expires > 0 {
		it[attrExpires] = number(expires)
	}
	return it
}

func TestLostReplies(t *testing.T) {
	past, future := noon.Unix(), noon.Unix()+1
	for name, c := range map[string]struct {
		fault  error // of the write of version 5, or 1 by Create, with token "mine"
		save   error
		create error
	}{
		"no fault":                       {nil, nil, nil},
		"ours, version 5":                {refused(written(5, "mine", 0)), nil, responder.ErrExists},
		"ours, version 1":                {refused(written(1, "mine", 0)), responder.ErrStale, nil},
		"another's, version 5":           {refused(written(5, "other", 0)), responder.ErrStale, responder.ErrExists},
		"another's, version 1":           {refused(written(1, "other", 0)), responder.ErrStale, responder.ErrExists},
		"ours, and written over":         {refused(written(6, "mine", 0)), responder.ErrStale, responder.ErrExists},
		"ours ended":                     {refused(written(5, "mine", future)), nil, responder.ErrExists},
		"nothing there":                  {refused(nil), responder.ErrNotFound, responder.ErrExists},
		"expired, not yet deleted":       {refused(written(4, "other", past)), responder.ErrNotFound, responder.ErrExists},
		"the request failed":             {errFault, errFault, errFault},
		"without the attributes of ours": {refused(item{attrID: text("0123")}), responder.ErrStale, responder.ErrExists},
	} {
		t.Run(name, func(t *testing.T) {
			s := &script{put: func(*awsdynamodb.PutItemInput) error { return c.fault }}
			runs := NewRuns(s, "runs", atNoon)
			for method, m := range map[string]struct {
				do   func(*responder.Run) error
				want error
				to   int64
			}{
				"Save":   {func(r *responder.Run) error { return runs.Save(t.Context(), r) }, c.save, 5},
				"Create": {func(r *responder.Run) error { return runs.Create(t.Context(), r) }, c.create, 1},
			} {
				run := sample()
				if err := m.do(run); !errors.Is(err, m.want) {
					t.Errorf("%s: %v, want %v", method, err, m.want)
				}
				if want := map[bool]int64{true: m.to, false: 4}[m.want == nil]; run.Version != want {
					t.Errorf("%s left version %d, want %d", method, run.Version, want)
				}
			}
		})
	}
}

// Two attempts that have no name are not one attempt.
func TestNoTokenIsNoLostReply(t *testing.T) {
	s := &script{put: func(*awsdynamodb.PutItemInput) error { return refused(written(5, "", 0)) }}
	run := sample()
	run.Token = ""
	if err := NewRuns(s, "runs", atNoon).Save(t.Context(), run); !errors.Is(err, responder.ErrStale) {
		t.Errorf("Save: %v, want ErrStale", err)
	}
}

func TestLiveRunsNeverExpire(t *testing.T) {
	for _, state := range responder.RunStates() {
		s := &script{}
		run := sample()
		run.State = state
		if err := NewRuns(s, "runs", atNoon).Save(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		expires, ok := numberOf(s.puts[0], attrExpires)
		ends := state.Ended() && state != responder.RunParked
		if ok != ends {
			t.Errorf("a run that is %s has an end: %v, want %v", state, ok, ends)
		}
		if earliest := noon.Add(responder.RunRetention); ok && time.Unix(expires, 0).Before(earliest) {
			t.Errorf("a run that is %s ends at %v, want %v or later", state, time.Unix(expires, 0), earliest)
		}
	}
}

func TestOnlyWhatIsDueIsIndexedAsDue(t *testing.T) {
	s := &script{}
	runs := NewRuns(s, "runs", atNoon)
	run := sample()
	if err := runs.Save(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	run.Due = time.Time{}
	if err := runs.Save(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	if got := textOf(s.puts[0], attrDue); got != "2026-03-01T12:01:00.000000005Z" {
		t.Errorf("due is kept as %q", got)
	}
	if _, ok := s.puts[1][attrDue]; ok {
		t.Error("a run that is never due is in the index")
	}
}

// What others write must not make an item too large for DynamoDB.
func TestSummariesAreBounded(t *testing.T) {
	s := &script{}
	run := sample()
	long := strings.Repeat("é\x01", 100_000)
	run.Finding.Title, run.Cause, run.Finding.Event = long, long, []byte(`{"account":"`+strings.Repeat("9", 200_000)+`"}`)
	if err := NewRuns(s, "runs", atNoon).Save(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	if n := len(textOf(s.puts[0], attrSummary)); n > 16<<10 {
		t.Errorf("the summary takes %d bytes", n)
	}
}

func TestGet(t *testing.T) {
	run := sample()
	payload, err := responder.EncodeRun(run)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		id    string
		it    item
		fault error
		want  error
	}{
		"there":          {"0123", item{attrPayload: bytes(payload)}, nil, nil},
		"ends later":     {"0123", item{attrPayload: bytes(payload), attrExpires: number(noon.Unix() + 1)}, nil, nil},
		"not there":      {"0123", nil, nil, responder.ErrNotFound},
		"expired":        {"0123", item{attrPayload: bytes(payload), attrExpires: number(noon.Unix())}, nil, responder.ErrNotFound},
		"no id":          {"", nil, errors.New("ValidationException"), responder.ErrNotFound},
		"the read fails": {"0123", nil, errFault, errFault},
	} {
		s := &script{get: func(in *awsdynamodb.GetItemInput) (item, error) {
			if in.ConsistentRead == nil || !*in.ConsistentRead {
				t.Error("the read is not consistent")
			}
			return c.it, c.fault
		}}
		got, err := NewRuns(s, "runs", atNoon).Get(t.Context(), c.id)
		if !errors.Is(err, c.want) || (err == nil) != (got != nil) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, c.want)
		}
	}
	for name, it := range map[string]item{
		"no payload":   {attrID: text("0123")},
		"a text":       {attrPayload: text("x")},
		"not gzip":     {attrPayload: bytes([]byte("x"))},
		"half of gzip": {attrPayload: bytes(payload[:len(payload)/2])},
	} {
		s := &script{get: func(*awsdynamodb.GetItemInput) (item, error) { return it, nil }}
		if run, err := NewRuns(s, "runs", atNoon).Get(t.Context(), "0123"); err == nil || errors.Is(err, responder.ErrNotFound) {
			t.Errorf("payload is %s: %v, %v; want an error that says so", name, run, err)
		}
	}
}

func TestShardsAreEven(t *testing.T) {
	counts := map[string]int{}
	for i := range 8_000 {
		counts[shardOf(responder.Finding{Key: fmt.Sprint(i), Rule: "r"}.RunID("f"))]++
	}
	for shard, n := range counts {
		if n < 800 || n > 1_200 {
			t.Errorf("shard %s has %d of 8,000 runs", shard, n)
		}
	}
	if len(counts) != shards {
		t.Errorf("%d shards, want %d", len(counts), shards)
	}
}
