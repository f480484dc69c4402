package porttest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

func testListPages(t *testing.T, h RunsHarness) {
	var want []string
	for i := range 23 {
		run := newRun(fmt.Sprintf("run-%02d", (i*7)%23)) // ids do not follow time
		run.Created = start.Add(time.Duration(i) * time.Minute)
		h.create(t, run)
		want = append(want, run.ID)
	}
	slices.Reverse(want)
	h.lists(t, responder.RunQuery{Max: 5}, want...)
	h.lists(t, responder.RunQuery{Max: 23}, want...)
	h.lists(t, responder.RunQuery{}, want...)
	page := h.page(t, responder.RunQuery{Max: 5})
	if len(page.Runs) != 5 || page.Next == "" {
		t.Errorf("a page of 5 holds %d runs and next %q", len(page.Runs), page.Next)
	}
}

func testListFilters(t *testing.T, h RunsHarness) {
	for i, r := range []struct {
		id, rule, flow string
		state          responder.RunState
	}{
		{"a", "One", "tell", responder.RunFailed},
		{"b", "Two", "tell", responder.RunFailed},
		{"c", "One", "mend", responder.RunSucceeded},
		{"d", "One", "tell", responder.RunFailed},
		{"e", "Two", "mend", responder.RunParked},
	} {
		run := newRun(r.id)
		run.Finding.Rule, run.Flow.Name, run.State, run.Due = r.rule, r.flow, r.state, time.Time{}
		run.Created = start.Add(time.Duration(i) * time.Second)
		h.create(t, run)
	}
	for _, c := range []struct {
		query responder.RunQuery
		want  []string
	}{
		{responder.RunQuery{}, []string{"e", "d", "c", "b", "a"}},
		{responder.RunQuery{State: responder.RunFailed}, []string{"d", "b", "a"}},
		{responder.RunQuery{Rule: "One"}, []string{"d", "c", "a"}},
		{responder.RunQuery{Flow: "mend"}, []string{"e", "c"}},
		{responder.RunQuery{Rule: "One", Flow: "tell", State: responder.RunFailed}, []string{"d", "a"}},
		{responder.RunQuery{Since: start.Add(3 * time.Second)}, []string{"e", "d"}},
		{responder.RunQuery{Since: start.Add(3*time.Second + 1)}, []string{"e"}},
		{responder.RunQuery{Since: start.Add(time.Second), State: responder.RunFailed}, []string{"d", "b"}},
		{responder.RunQuery{State: responder.RunWaiting}, nil},
		{responder.RunQuery{Rule: "Three"}, nil},
		{responder.RunQuery{Since: start.Add(time.Hour)}, nil},
	} {
		h.lists(t, c.query, c.want...)
		c.query.Max = 1
		h.lists(t, c.query, c.want...)
	}
}

func testListSaved(t *testing.T, h RunsHarness) {
	run := newRun("a")
	h.create(t, run)
	run.Token, run.State, run.Cause, run.Due = "t", responder.RunFailed, "webhook answered 500", time.Time{}
	run.Updated = run.Updated.Add(time.Minute)
	h.save(t, run)
	h.lists(t, responder.RunQuery{State: responder.RunFailed}, "a")
	h.lists(t, responder.RunQuery{State: responder.RunRunning})
	eventually(t, h.Lag, func() string {
		runs := h.page(t, responder.RunQuery{}).Runs
		if len(runs) != 1 || toJSON(t, runs[0]) != toJSON(t, run.Summary()) {
			return fmt.Sprintf("listed %s, want %s", toJSON(t, runs), toJSON(t, run.Summary()))
		}
		return ""
	})
}

// Runs that begin while somebody turns pages neither shift nor repeat what he sees.
func testListSteady(t *testing.T, h RunsHarness) {
	for i := range 6 {
		run := newRun(fmt.Sprintf("old-%d", i))
		run.Created = start.Add(time.Duration(i) * time.Second)
		h.create(t, run)
	}
	h.lists(t, responder.RunQuery{}, "old-5", "old-4", "old-3", "old-2", "old-1", "old-0")
	first := h.page(t, responder.RunQuery{Max: 3})
	fresh := newRun("new")
	fresh.Created = start.Add(time.Hour)
	h.create(t, fresh)
	second := h.page(t, responder.RunQuery{Max: 3, Cursor: first.Next})
	if got, want := ids(second), []string{"old-2", "old-1", "old-0"}; !slices.Equal(got, want) {
		t.Errorf("second page is %v, want %v", got, want)
	}
}

func testListSameTime(t *testing.T, h RunsHarness) {
	for i := range 10 {
		h.create(t, newRun(fmt.Sprint(i)))
	}
	eventually(t, h.Lag, func() string {
		seen := map[string]bool{}
		for _, id := range h.all(t, responder.RunQuery{Max: 3}) {
			if seen[id] {
				t.Fatalf("run %s is listed twice", id)
			}
			seen[id] = true
		}
		if len(seen) != 10 {
			return fmt.Sprintf("%d runs listed, want 10", len(seen))
		}
		return ""
	})
}

func testListCursor(t *testing.T, h RunsHarness) {
	h.create(t, newRun("a"))
	for _, cursor := range []string{"no cursor", "/", "-", "\x00", "1e9/a", "99999999999999999999/a"} {
		if page, err := h.Lister.List(t.Context(), responder.RunQuery{Cursor: cursor}); err == nil {
			t.Errorf("List with cursor %q gave %v, want an error", cursor, ids(page))
		}
	}
}

// lists says which runs a query must give, in order, over all its pages.
func (h RunsHarness) lists(t *testing.T, query responder.RunQuery, want ...string) {
	t.Helper()
	eventually(t, h.Lag, func() string {
		if got := h.all(t, query); !slices.Equal(got, want) {
			return fmt.Sprintf("listed %v for %+v, want %v", got, query, want)
		}
		return ""
	})
}

// all turns every page of a query.
func (h RunsHarness) all(t *testing.T, query responder.RunQuery) []string {
	t.Helper()
	var got []string
	for range 100 {
		page := h.page(t, query)
		if query.Max > 0 && len(page.Runs) > query.Max {
			t.Fatalf("a page of at most %d holds %d runs", query.Max, len(page.Runs))
		}
		got = append(got, ids(page)...)
		if page.Next == "" {
			return got
		}
		query.Cursor = page.Next
	}
	t.Fatalf("no last page after 100 for %+v", query)
	return nil
}

func (h RunsHarness) page(t *testing.T, query responder.RunQuery) responder.RunPage {
	t.Helper()
	page, err := h.Lister.List(t.Context(), query)
	if err != nil {
		t.Fatalf("List %+v: %v", query, err)
	}
	return page
}

func ids(page responder.RunPage) []string {
	var got []string
	for _, run := range page.Runs {
		got = append(got, run.ID)
	}
	return got
}
