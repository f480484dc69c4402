package porttest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

// RunsHarness is a fresh, empty run store.
type RunsHarness struct {
	Store  responder.RunStore
	Lister responder.RunLister
	// Lag is by how much Due and List may trail what was written.
	Lag time.Duration
}

// Runs is the conformance suite of responder.RunStore and responder.RunLister.
// open is called once a case.
func Runs(t *testing.T, open func(t *testing.T) RunsHarness) {
	for name, run := range map[string]func(*testing.T, RunsHarness){
		"a run is read as created":           testCreate,
		"create refuses an id taken":         testCreateExists,
		"create again with its token":        testCreateLostReply,
		"of many creates one wins":           testCreateRace,
		"a run is read as saved":             testSave,
		"a stale save is refused":            testSaveStale,
		"save again with its token":          testSaveLostReply,
		"of many saves one wins":             testSaveRace,
		"no such run":                        testNoRun,
		"a large run":                        testLargeRun,
		"a run too large":                    testTooLargeRun,
		"a run of a newer version":           testFutureRun,
		"runs are not shared with callers":   testRunNoAliases,
		"due runs, nearest first":            testDue,
		"saving moves and ends what is due":  testDueMoves,
		"a parked run rests":                 testPark,
		"list pages, newest first":           testListPages,
		"list filters":                       testListFilters,
		"list shows what was saved":          testListSaved,
		"list is steady while runs come":     testListSteady,
		"list of many made at the same time": testListSameTime,
		"list refuses a cursor not its own":  testListCursor,
	} {
		t.Run(name, func(t *testing.T) { run(t, open(t)) })
	}
}

// start is when the suite's runs begin: with nanoseconds and a zone, both of
// which a store must carry.
var start = time.Date(2026, 3, 29, 1, 59, 59, 123456789, time.FixedZone("", 2*60*60))

// newRun gives a run that uses every field a store might index by.
func newRun(id string) *responder.Run {
	return &responder.Run{
		V: 1, ID: id, Token: "create-" + id,
		Flow: responder.FlowSnapshot{Name: "tell", Digest: "abc", Steps: []responder.Step{{Kind: responder.StepWait, Wait: time.Minute}}},
		Finding: responder.Finding{
			Rule: "RootLogin", Title: "Root has logged in <b>&amp;</b>", Severity: responder.Extreme, Message: "Wurzel 根",
			Resources: []string{"root"}, Key: "012345670123/e-1", Meta: map[string]any{"n": 1.5},
			Event: json.RawMessage(`{"account":"012345670123","big":12345678901234567890,"a":1,"a":2}`),
		},
		Mode: responder.ModeDry, State: responder.RunRunning,
		Due:     start.Add(time.Minute),
		Steps:   map[string]*responder.StepState{"0": {State: responder.StepWaiting, Due: start.Add(time.Minute), Attempts: []responder.Attempt{{Began: start}}}},
		Created: start, Updated: start,
	}
}

func testCreate(t *testing.T, h RunsHarness) {
	run := newRun("a")
	h.create(t, run)
	if run.Version != 1 {
		t.Errorf("Create set version %d, want 1", run.Version)
	}
	h.holds(t, run)
}

func testCreateExists(t *testing.T, h RunsHarness) {
	first := newRun("a")
	h.create(t, first)
	second := newRun("a")
	second.Token = "another"
	second.Finding.Title = "another"
	if err := h.Store.Create(t.Context(), second); !errors.Is(err, responder.ErrExists) {
		t.Fatalf("Create of an id that is there: %v, want ErrExists", err)
	}
	if second.Version != 0 {
		t.Errorf("a refused Create set version %d", second.Version)
	}
	h.holds(t, first)
}

func testCreateLostReply(t *testing.T, h RunsHarness) {
	first := newRun("a")
	again := first.Clone()
	h.create(t, first)
	h.create(t, again)
	if again.Version != 1 {
		t.Errorf("the second Create with one token set version %d, want 1", again.Version)
	}
	first.Token = "next"
	h.save(t, first)
	late := newRun("a")
	if err := h.Store.Create(t.Context(), late); !errors.Is(err, responder.ErrExists) {
		t.Errorf("Create with its token after a Save: %v, want ErrExists", err)
	}
	h.holds(t, first)
}

func testCreateRace(t *testing.T, h RunsHarness) {
	winner := h.race(t, func(token string) (*responder.Run, error) {
		run := newRun("a")
		run.Token = token
		return run, h.Store.Create(t.Context(), run)
	}, responder.ErrExists)
	h.holds(t, winner)
}

func testSave(t *testing.T, h RunsHarness) {
	run := newRun("a")
	h.create(t, run)
	for i := range 3 {
		run.Token = fmt.Sprint("save-", i)
		run.State = responder.RunWaiting
		run.Updated = run.Updated.Add(time.Second)
		run.Lease = run.Updated.Add(time.Minute)
		run.Steps[fmt.Sprint(i, ".1")] = &responder.StepState{State: responder.StepFailed, Error: "é"}
		h.save(t, run)
		if want := int64(i + 2); run.Version != want {
			t.Fatalf("Save set version %d, want %d", run.Version, want)
		}
		h.holds(t, run)
	}
}

func testSaveStale(t *testing.T, h RunsHarness) {
	run := newRun("a")
	h.create(t, run)
	old := run.Clone()
	run.Token = "first"
	h.save(t, run)
	h.stale(t, old, "second")
	// Two versions on, even the token of a lost reply is too late.
	late := run.Clone()
	run.Token = "third"
	h.save(t, run)
	run.Token = "fourth"
	h.save(t, run)
	h.stale(t, late, "third")
	// A version that never was.
	ahead := run.Clone()
	ahead.Version += 5
	h.stale(t, ahead, "fifth")
	h.holds(t, run)
}

func testSaveLostReply(t *testing.T, h RunsHarness) {
	run := newRun("a")
	h.create(t, run)
	run.Token, run.Cause = "mine", "saved"
	again, other := run.Clone(), run.Clone()
	h.save(t, run)
	h.save(t, again)
	if again.Version != 2 {
		t.Errorf("the second Save with one token set version %d, want 2", again.Version)
	}
	h.stale(t, other, "not mine")
	h.holds(t, run)
}

func testSaveRace(t *testing.T, h RunsHarness) {
	run := newRun("a")
	h.create(t, run)
	for range 3 {
		winner := h.race(t, func(token string) (*responder.Run, error) {
			mine := run.Clone()
			mine.Token, mine.Cause = token, "saved by "+token
			return mine, h.Store.Save(t.Context(), mine)
		}, responder.ErrStale)
		h.holds(t, winner)
		run = winner
	}
}

func testNoRun(t *testing.T, h RunsHarness) {
	if _, err := h.Store.Get(t.Context(), "nobody"); !errors.Is(err, responder.ErrNotFound) {
		t.Errorf("Get: %v, want ErrNotFound", err)
	}
	run := newRun("nobody")
	run.Version = 1
	if err := h.Store.Save(t.Context(), run); !errors.Is(err, responder.ErrNotFound) {
		t.Errorf("Save: %v, want ErrNotFound", err)
	}
	if run.Version != 1 {
		t.Errorf("a refused Save set version %d", run.Version)
	}
	if due, err := h.Store.Due(t.Context(), start.Add(time.Hour), 10); err != nil || len(due) != 0 {
		t.Errorf("Due of an empty store: %v, %v", due, err)
	}
}

// noise gives n bytes that gzip makes no smaller than about n.
func noise(n int) string {
	data := make([]byte, n)
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return base64.StdEncoding.EncodeToString(data)
}

func testLargeRun(t *testing.T, h RunsHarness) {
	run := newRun("a")
	run.Finding.Meta["noise"] = noise(responder.MaxRunBytes * 9 / 10)
	h.create(t, run)
	h.holds(t, run)
	run.Token = "next"
	h.save(t, run)
	h.holds(t, run)
}

func testTooLargeRun(t *testing.T, h RunsHarness) {
	huge := newRun("a")
	huge.Finding.Meta["noise"] = noise(responder.MaxRunBytes)
	if err := h.Store.Create(t.Context(), huge); !errors.Is(err, responder.ErrTooLarge) {
		t.Fatalf("Create: %v, want ErrTooLarge", err)
	}
	if _, err := h.Store.Get(t.Context(), "a"); !errors.Is(err, responder.ErrNotFound) {
		t.Errorf("Get after a refused Create: %v, want ErrNotFound", err)
	}
	run := newRun("a")
	h.create(t, run)
	huge.Version, huge.Token = 1, "huge"
	if err := h.Store.Save(t.Context(), huge); !errors.Is(err, responder.ErrTooLarge) {
		t.Errorf("Save: %v, want ErrTooLarge", err)
	}
	if huge.Version != 1 {
		t.Errorf("a refused Save set version %d", huge.Version)
	}
	h.holds(t, run)
}

func testFutureRun(t *testing.T, h RunsHarness) {
	run := newRun("a")
	run.V = 99
	h.create(t, run)
	if _, err := h.Store.Get(t.Context(), "a"); !errors.Is(err, responder.ErrFutureVersion) {
		t.Errorf("Get: %v, want ErrFutureVersion", err)
	}
}

func testRunNoAliases(t *testing.T, h RunsHarness) {
	run := newRun("a")
	h.create(t, run)
	want := run.Clone()
	run.Steps["0"].State = responder.StepFailed
	run.Steps["9"] = &responder.StepState{}
	h.holds(t, want)
	read, err := h.Store.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	read.State = responder.RunFailed
	clear(read.Steps)
	h.holds(t, want)
}

func testDue(t *testing.T, h RunsHarness) {
	for i, id := range []string{"e", "c", "a", "d", "b"} { // due in the order a … e
		run := newRun(id)
		run.Due = start.Add(time.Duration(id[0]-'a') * time.Second).UTC()
		run.Created = start.Add(time.Duration(i) * time.Hour)
		h.create(t, run)
	}
	ended := newRun("ended")
	ended.State, ended.Due = responder.RunSucceeded, time.Time{}
	h.create(t, ended)

	for _, c := range []struct {
		now  time.Duration
		max  int
		want []string
	}{
		{-1, 10, nil},
		{0, 10, []string{"a"}},
		{2*time.Second - 1, 10, []string{"a", "b"}},
		{2 * time.Second, 10, []string{"a", "b", "c"}},
		{time.Hour, 10, []string{"a", "b", "c", "d", "e"}},
		{time.Hour, 2, []string{"a", "b"}},
	} {
		h.due(t, start.Add(c.now), c.max, c.want...)
	}
}

// testPark is for stores that are responder.RunParker.
func testPark(t *testing.T, h RunsHarness) {
	parker, ok := h.Store.(responder.RunParker)
	if !ok {
		t.Skip("this store does not park")
	}
	run := newRun("a")
	run.Due = start.UTC()
	h.create(t, run)
	if err := parker.Park(t.Context(), "a", start.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	h.due(t, start.Add(time.Hour-1), 10)
	h.due(t, start.Add(time.Hour), 10, "a")
	h.lists(t, responder.RunQuery{State: responder.RunParked}, "a")
	if page := h.page(t, responder.RunQuery{}); len(page.Runs) != 1 || page.Runs[0].State != responder.RunParked || page.Runs[0].Title != run.Finding.Title {
		t.Errorf("listed as %+v", page.Runs)
	}
	stale := run.Clone()
	stale.Version, stale.Due = 7, start.Add(3*time.Hour).UTC()
	if err := errors.Join(parker.Unpark(t.Context(), stale), parker.Unpark(t.Context(), newRun("none"))); err != nil {
		t.Error(err)
	}
	h.lists(t, responder.RunQuery{State: responder.RunParked}, "a")
	run.Due = start.Add(2 * time.Hour).UTC()
	h.save(t, run)
	if err := parker.Park(t.Context(), "a", start); err != nil {
		t.Fatal(err)
	}
	if err := parker.Unpark(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	h.lists(t, responder.RunQuery{State: run.State}, "a")
	h.due(t, start.Add(2*time.Hour-1), 10)
	h.due(t, start.Add(2*time.Hour), 10, "a")
	if err := parker.Unpark(t.Context(), run); err != nil {
		t.Errorf("unparking one that is not parked gives %v", err)
	}
	h.lists(t, responder.RunQuery{State: run.State}, "a")
	if err := parker.Park(t.Context(), "a", start); err != nil {
		t.Fatal(err)
	}
	h.save(t, run) // whoever can decode it goes on with it
	h.lists(t, responder.RunQuery{State: run.State}, "a")
	if err := parker.Park(t.Context(), "none", start); !errors.Is(err, responder.ErrNotFound) {
		t.Errorf("parking a run that is not there gives %v", err)
	}
}

func testDueMoves(t *testing.T, h RunsHarness) {
	a, b := newRun("a"), newRun("b")
	h.create(t, a)
	h.create(t, b)
	now := start.Add(time.Minute)
	a.Token, a.Due = "later", start.Add(time.Hour)
	h.save(t, a)
	h.due(t, now, 10, "b")
	b.Token, b.Due, b.State = "ended", time.Time{}, responder.RunFailed
	h.save(t, b)
	h.due(t, now, 10)
	h.due(t, start.Add(time.Hour), 10, "a")
	b.Token, b.Due, b.State = "tried again", start, responder.RunRunning
	h.save(t, b)
	h.due(t, start.Add(time.Hour), 10, "b", "a")
}

func (h RunsHarness) create(t *testing.T, run *responder.Run) {
	t.Helper()
	if err := h.Store.Create(t.Context(), run); err != nil {
		t.Fatalf("Create %s: %v", run.ID, err)
	}
}

func (h RunsHarness) save(t *testing.T, run *responder.Run) {
	t.Helper()
	if err := h.Store.Save(t.Context(), run); err != nil {
		t.Fatalf("Save %s: %v", run.ID, err)
	}
}

// stale says that a Save of the run under the token must be refused.
func (h RunsHarness) stale(t *testing.T, run *responder.Run, token string) {
	t.Helper()
	run.Token = token
	version := run.Version
	if err := h.Store.Save(t.Context(), run); !errors.Is(err, responder.ErrStale) {
		t.Errorf("Save of version %d as %q: %v, want ErrStale", version, token, err)
	}
	if run.Version != version {
		t.Errorf("a refused Save changed version %d to %d", version, run.Version)
	}
}

// race runs write sixteen times at once, each with a token of its own: one must
// be taken, the others refused. It gives the run of the one.
func (h RunsHarness) race(t *testing.T, write func(token string) (*responder.Run, error), refused error) *responder.Run {
	t.Helper()
	var mu sync.Mutex
	var winners []*responder.Run
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			run, err := write(fmt.Sprint("racer-", i))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				winners = append(winners, run)
			case !errors.Is(err, refused):
				t.Errorf("racer %d: %v, want %v", i, err, refused)
			}
		})
	}
	all.Wait()
	if len(winners) != 1 {
		t.Fatalf("%d of the racing writes were taken, want 1", len(winners))
	}
	return winners[0]
}

// holds says that the store must give the run exactly so.
func (h RunsHarness) holds(t *testing.T, want *responder.Run) {
	t.Helper()
	got, err := h.Store.Get(t.Context(), want.ID)
	if err != nil {
		t.Fatalf("Get %s: %v", want.ID, err)
	}
	gotJSON, wantJSON := toJSON(t, got), toJSON(t, want)
	if gotJSON != wantJSON {
		t.Errorf("stored %.1000s\n  want %.1000s", gotJSON, wantJSON)
	}
	if string(got.Finding.Event) != string(want.Finding.Event) {
		t.Errorf("event stored as %s, want %s", got.Finding.Event, want.Finding.Event)
	}
}

// due says which runs must be due at now, in order.
func (h RunsHarness) due(t *testing.T, now time.Time, max int, want ...string) {
	t.Helper()
	eventually(t, h.Lag, func() string {
		got, err := h.Store.Due(t.Context(), now, max)
		if err != nil {
			t.Fatalf("Due: %v", err)
		}
		if !slices.Equal(got, want) {
			return fmt.Sprintf("due at %v: %v, want %v", now.Sub(start), got, want)
		}
		return ""
	})
}

func toJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
