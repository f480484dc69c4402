package flood

import (
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
)

// judgeHour holds the limits against what was done within the hour.
func judgeHour(t *testing.T, d *deeds) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	all, byAccount, byThing := 0, map[string]int{}, map[string]int{}
	for run, things := range d.touched {
		if len(things) > perRun {
			t.Errorf("run %s touched %d things, at most %d are allowed", run, len(things), perRun)
		}
		for arn := range things {
			all++
			byAccount[strings.Split(arn, ":")[4]]++
			byThing[arn]++
		}
	}
	if all != perHour {
		t.Errorf("%d things were touched, want %d: there were many more to touch", all, perHour)
	}
	for account, n := range byAccount {
		if n > perAccount {
			t.Errorf("%d things of account %s were touched, at most %d are allowed", n, account, perAccount)
		}
	}
	for arn, n := range byThing {
		if n > 1 {
			t.Errorf("%s was touched by %d runs", arn, n)
		}
	}
	if d.most > perFinding {
		t.Errorf("a repair touched %d things, at most %d are allowed", d.most, perFinding)
	}
	usual, undone, repaired := d.lanes()
	if usual != notices || undone != notices || repaired != len(d.touched) {
		t.Errorf("%d usual notices, %d of repairs held back, %d of %d runs that repaired; want %d, %d and all", usual, undone, repaired, len(d.touched), notices, notices)
	}
	if len(d.left) > 0 {
		t.Errorf("before the hour was over it was told what was left out: %v", d.left)
	}
}

// lanes counts the notices: those before a repair, those after one that was held
// back, and those after one that acted.
func (d *deeds) lanes() (usual, undone, repaired int) {
	for key, text := range d.notices {
		run, _, _ := strings.Cut(key, "/")
		switch {
		case text == "found":
			usual++
		case d.touched[run] == nil:
			undone++
		default:
			repaired++
		}
	}
	return usual, undone, repaired
}

// judgeEnd holds against the world what became of the runs, and whether all is
// told that was left out.
func judgeEnd(t *testing.T, w World, d *deeds, f *Figures) {
	t.Helper()
	skipped := map[string]int{}
	for query := (responder.RunQuery{Max: 5000}); ; {
		page, err := w.Lister.List(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Runs {
			f.Runs++
			if r.State != responder.RunSucceeded {
				t.Errorf("run %s has %s: %s", r.ID, r.State, r.Cause)
			}
			run, err := w.Runs.Get(t.Context(), r.ID)
			if err != nil {
				t.Fatal(err)
			}
			for path, state := range run.Steps {
				if state.Kind == responder.Notice && state.State == responder.StepSkipped {
					skipped[map[string]string{"0": "found", "3": "after"}[path]]++
				}
			}
		}
		if query.Cursor = page.Next; query.Cursor == "" {
			break
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if want := f.Events + 2 + len(d.warned); f.Runs != want { // two tell of what was left out
		t.Errorf("%d runs, want %d", f.Runs, want)
	}
	for _, guard := range []string{dispatch.GuardPerHour, dispatch.GuardPerAccount} {
		if f.Held[guard] > 0 != (d.warned[guard] == 1) {
			t.Errorf("%s held back %d repairs, and was warned of %d times", guard, f.Held[guard], d.warned[guard])
		}
	}
	for _, text := range []string{"found", "after"} {
		left, told := d.left[text]
		f.LeftOut += skipped[text]
		if others := skipped[text] - 1; !told || left.N != min(others, 1000) || left.AtLeast != (others >= 1000) {
			t.Errorf("%q: %d were left out, and it is told (%v) that %d others were, at least: %v", text, skipped[text], told, left.N, left.AtLeast)
		}
	}
	if len(d.left) != 2 {
		t.Errorf("told together: %v", d.left)
	}
	f.Told = len(d.notices) + len(d.left) + len(d.warned)
	for _, things := range d.touched {
		f.Touched += len(things)
	}
}

// tally counts by name. Safe for concurrent use.
type tally struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *tally) add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[name]++
}

func (c *tally) counts() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.n)
}
