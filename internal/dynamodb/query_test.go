package dynamodb

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/skycrafters/responder"
)

// paged answers queries from items by shard, a few at a time, as DynamoDB does
// whose pages end anywhere, also with none that passed the filter.
func paged(shardsOf map[string][]item, size int) func(*awsdynamodb.QueryInput) (*awsdynamodb.QueryOutput, error) {
	return func(in *awsdynamodb.QueryInput) (*awsdynamodb.QueryOutput, error) {
		items := shardsOf[textOf(in.ExpressionAttributeValues, ":shard")]
		from := 0
		if in.ExclusiveStartKey != nil {
			from, _ = strconv.Atoi(textOf(in.ExclusiveStartKey, "from"))
			if from == -1 {
				from = 0
			}
		} else if len(items) > 0 { // the first page is empty, and not the last
			return &awsdynamodb.QueryOutput{LastEvaluatedKey: item{"from": text("-1")}}, nil
		}
		to := min(from+size, len(items))
		out := &awsdynamodb.QueryOutput{Items: items[from:to]}
		if to < len(items) {
			out.LastEvaluatedKey = item{"from": text(strconv.Itoa(to))}
		}
		return out, nil
	}
}

func TestDueTurnsPagesOfEveryShard(t *testing.T) {
	byShard := map[string][]item{}
	for i := range 50 {
		shard := strconv.Itoa(i % 3)
		byShard[shard] = append(byShard[shard], item{attrID: text(fmt.Sprintf("%02d", i)), attrDue: text(stamp(noon.Add(time.Duration(i/2) * time.Second)))})
	}
	for _, limit := range []int{1, 7, 50, 1_000} {
		s := &script{query: paged(byShard, 4)}
		got, err := NewRuns(s, "runs", atNoon).Due(t.Context(), noon, limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != min(limit, 50) || !slices.IsSorted(got) || got[0] != "00" {
			t.Errorf("Due of %d gave %v", limit, got)
		}
	}
}

func TestQueriesFailWhole(t *testing.T) {
	s := &script{query: func(in *awsdynamodb.QueryInput) (*awsdynamodb.QueryOutput, error) {
		if textOf(in.ExpressionAttributeValues, ":shard") == "5" {
			return nil, errFault
		}
		return &awsdynamodb.QueryOutput{Items: []item{{attrID: text("x"), attrDue: text(stamp(noon)), attrListed: text(place(noon, "x")), attrSummary: text("{}")}}}, nil
	}}
	runs := NewRuns(s, "runs", atNoon)
	if ids, err := runs.Due(t.Context(), noon, 10); !errors.Is(err, errFault) || ids != nil {
		t.Errorf("Due: %v, %v; want the fault", ids, err)
	}
	if page, err := runs.List(t.Context(), responder.RunQuery{}); !errors.Is(err, errFault) || page.Runs != nil {
		t.Errorf("List: %v, %v; want the fault", page, err)
	}
}

func TestListTurnsPages(t *testing.T) {
	byShard := map[string][]item{}
	for i := 40; i >= 0; i-- {
		run := sample()
		run.ID, run.Created = fmt.Sprintf("%02d", i), noon.Add(time.Duration(i)*time.Second)
		summary, err := json.Marshal(run.Summary())
		if err != nil {
			t.Fatal(err)
		}
		shard := strconv.Itoa(i % 5)
		byShard[shard] = append(byShard[shard], item{attrID: text(run.ID), attrListed: text(place(run.Created, run.ID)), attrSummary: text(string(summary))})
	}
	s := &script{query: paged(byShard, 2)}
	page, err := NewRuns(s, "runs", atNoon).List(t.Context(), responder.RunQuery{Max: 10, State: responder.RunFailed})
	if err != nil || len(page.Runs) != 10 || page.Runs[0].ID != "40" || page.Runs[9].ID != "31" || page.Next != place(noon.Add(31*time.Second), "31") {
		t.Errorf("List gave %+v, %v; want 40 to 31 and a next", page, err)
	}
	for _, q := range s.queries {
		if q.Limit != nil {
			t.Error("a filtered query is limited: DynamoDB counts what it passes over")
		}
	}

	byShard["0"][0][attrSummary] = text("not JSON")
	broken := textOf(byShard["0"][0], attrID)
	page, err = NewRuns(s, "runs", atNoon).List(t.Context(), responder.RunQuery{})
	if i := slices.IndexFunc(page.Runs, func(r responder.RunSummary) bool { return r.ID == broken }); err != nil || i < 0 || page.Runs[i].State != responder.RunParked {
		t.Errorf("List with a broken summary: %+v, %v; want the run listed as parked", page.Runs, err)
	}
}

func FuzzCheckPlace(f *testing.F) {
	for _, seed := range []string{place(noon, "0123"), place(time.Time{}, "a/b"), "", "/", "2026-03-01T12:00:00Z/x", "2026-03-01T12:00:00.000000005Z/", "2026-02-30T12:00:00.000000005Z/x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		if checkPlace(cursor) == nil && (len(cursor) <= len(stampLayout)+1 || cursor[len(stampLayout)] != '/') {
			t.Errorf("%q is taken for a place", cursor)
		}
	})
}

func TestStampsOrderAsTimesDo(t *testing.T) {
	zone := time.FixedZone("", -7*60*60)
	times := []time.Time{{}, time.Unix(-1, 5), time.Unix(0, 0), noon, noon.Add(1).In(zone), noon.Add(time.Second), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)}
	for i := 1; i < len(times); i++ {
		if a, b := stamp(times[i-1]), stamp(times[i]); a >= b || len(a) != len(b) {
			t.Errorf("%v is kept as %s, %v as %s", times[i-1], a, times[i], b)
		}
	}
	if stamp(times[len(times)-1]) >= "~" {
		t.Error("the list's upper end is no end")
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{{"", 5, ""}, {"12345", 5, "12345"}, {"123456", 5, "12…"}, {"ééé", 5, "é…"}, {"終終終", 8, "終…"}} {
		if got := cut(c.text, c.n); got != c.want {
			t.Errorf("cut(%q, %d) = %q, want %q", c.text, c.n, got, c.want)
		}
	}
}
