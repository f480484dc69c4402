// Package simulation lets the engine of flows live through histories that go
// wrong in every way we can think of, and judges each by what Responder
// promises. It holds tests alone.
//
// The engine is the real one: dispatch.Dispatcher, its machine, and flows that
// were loaded from YAML. Around it are the ports in memory and actions whose
// other side is made up. Everything happens in a bubble with a clock of its
// own, where waiting takes no time. What happens in a history, and when, follows
// from its seed: each call takes as long as the dice say, and is struck by the
// faults that they say. So a history can be lived again, exactly, and again with
// one fault less.
package simulation

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/internal/evidence"
)

var (
	oneSeed   = flag.Int64("seed", -1, "tell the history of this seed alone")
	firstSeed = flag.Uint64("first", 0, "the seed to begin with")
	histories = flag.Int("histories", 0, "how many histories are lived through; 0: a few")
)

// few is how many histories are lived through where nobody says.
func few() int {
	if raced || testing.Short() {
		return 30
	}
	return 300
}

// stuck is how long a history may really take, that takes milliseconds.
const stuck = 2 * time.Minute

// history lives through the history of a seed.
func history(t *testing.T, seed uint64, o options) result {
	t.Helper()
	var r result
	var err error
	guard := time.AfterFunc(stuck, func() {
		panic(fmt.Sprintf("the history of seed %d comes to no end: somebody goes round in circles, and no time passes", seed))
	})
	defer guard.Stop()
	synctest.Test(t, func(*testing.T) { r, err = live(seed, o) })
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	return r
}

// tale is the story of a history that broke a promise, as short as it gets.
func tale(t *testing.T, seed uint64, r result) string {
	t.Helper()
	promise := r.violations[0].promise
	return story(seed, shorten(t, seed, r, options{guarded: r.guarded}, promise), promise)
}

// TestHistories: workers, messages, store, actions, clocks and people go wrong.
func TestHistories(t *testing.T) {
	all := liveThrough(t, false)
	evidence.Report(t, "Simulated histories", evidence.Figures{
		Load:    fmt.Sprintf("%d histories, %d runs, %d things done, %d requests of people, %d runs suppressed; timers at most %v late in the histories without a fault", all.histories, all.runs(), all.effects, all.requests, all.states[responder.RunSuppressed], all.late.Round(100*time.Millisecond)),
		Faults:  fmt.Sprintf("%d of %d kinds", all.faults(), len(all.tally)),
		Doubled: fmt.Sprintf("0 where the key is honoured, %d where it is ignored", all.doubles),
		Seed:    *firstSeed,
	})
}

// TestGuardedHistories: the same, and people are asked, guards stand around
// repairs, flows are halted and disabled, and what was done is put back.
func TestGuardedHistories(t *testing.T) {
	all := liveThrough(t, true)
	evidence.Report(t, "Simulated histories with questions and guards", evidence.Figures{
		Load: fmt.Sprintf("%d histories, %d runs, %d things done, %d questions, %d answers taken, %d repairs that guards held back, %d halts, %d warnings, %d runs parked, %d undos", all.histories, all.runs(), all.effects,
			all.seen[sawQuestion], all.seen[sawAnswer], all.seen[sawHeld], all.seen[sawHalt], all.seen[sawWarning], all.seen[sawParked], all.seen[sawUndo]),
		Faults:  fmt.Sprintf("%d of %d kinds", all.faults(), len(all.tally)),
		Doubled: fmt.Sprintf("0 where the key is honoured, %d where it is ignored", all.doubles),
		Seed:    *firstSeed,
	})
}

// testOf names the test that lives such histories.
func testOf(guarded bool) string {
	if guarded {
		return "TestGuardedHistories"
	}
	return "TestHistories"
}

// liveThrough lives histories, as many as flags say, and judges them.
func liveThrough(t *testing.T, guarded bool) *sums {
	t.Helper()
	if *oneSeed >= 0 {
		seed := uint64(*oneSeed)
		r := history(t, seed, options{talks: true, guarded: guarded})
		if len(r.violations) > 0 {
			t.Fatal(tale(t, seed, r))
		}
		t.Skipf("seed %d keeps every promise:\nflows.yml:\n%s\n%s", seed, write(dice(seed), version{guarded: guarded}), strings.Join(r.told, "\n"))
	}
	began, total := time.Now(), cmp.Or(*histories, few())
	all := sums{guarded: guarded}
	t.Run("all", func(t *testing.T) {
		lanes := runtime.GOMAXPROCS(0)
		for lane := range lanes {
			t.Run(fmt.Sprint("lane ", lane), func(t *testing.T) {
				t.Parallel()
				for n := lane; n < total; n += lanes {
					seed := *firstSeed + uint64(n)
					r := history(t, seed, options{guarded: guarded})
					all.add(r)
					if len(r.violations) > 0 {
						t.Fatal(tale(t, seed, r))
					}
				}
			})
		}
	})
	t.Logf("%v in %v", &all, time.Since(began).Round(time.Millisecond))
	all.judge(t)
	return &all
}

// sums counts over histories.
type sums struct {
	guarded   bool
	mu        sync.Mutex
	histories int
	calm      int
	tally     map[kind]int
	deaths    map[death]int
	states    map[responder.RunState]int
	effects   int
	doubles   int
	requests  int
	late      time.Duration
	span      time.Duration
	seen      map[sight]int
}

func (s *sums) add(r result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tally == nil {
		s.tally, s.deaths, s.states, s.seen = map[kind]int{}, map[death]int{}, map[responder.RunState]int{}, map[sight]int{}
	}
	s.histories++
	if r.calm {
		s.calm++
		s.late = max(s.late, r.lateness)
	}
	for k, n := range r.tally {
		s.tally[k] += n
	}
	for at, n := range r.deaths {
		s.deaths[at] += n
	}
	for state, n := range r.states {
		s.states[state] += n
	}
	for what, n := range r.seen {
		s.seen[what] += n
	}
	s.effects += r.effects
	s.doubles += r.doubles
	s.requests += r.requests
	s.span += r.span
}

// runs is how many runs there were.
func (s *sums) runs() int {
	n := 0
	for _, of := range s.states {
		n += of
	}
	return n
}

// judge holds what only many histories together can show.
func (s *sums) judge(t *testing.T) {
	if s.histories < 300 {
		return
	}
	if s.guarded {
		for _, what := range sights() {
			if s.seen[what] == 0 {
				t.Errorf("in no history there was %s", what)
			}
		}
	} else if runs := s.runs() - s.states[responder.RunSuppressed] - s.states[responder.RunCancelled]; s.states[responder.RunSucceeded] < runs*4/5 {
		t.Errorf("of %d runs that were let be only %d succeeded", runs, s.states[responder.RunSucceeded])
	}
	for _, kinds := range themesOf(s.guarded) {
		for k := range kinds {
			if s.tally[k] == 0 {
				t.Errorf("no history had this fault: %s", k)
			}
		}
	}
	for _, await := range awaits(s.guarded) {
		if s.histories < 1000 {
			break // there are more places than three hundred histories come to
		}
		for _, when := range []kind{crashBefore, crashAfter} {
			if s.deaths[death{await, when}] == 0 {
				t.Errorf("at no %s: %s", await, when)
			}
		}
	}
}

// faults is how many there were.
func (s *sums) faults() int {
	n := 0
	for _, of := range s.tally {
		n += of
	}
	return n
}

// kinds gives the kinds of fault there were, the frequent ones first.
func (s *sums) kinds() []kind {
	return slices.SortedFunc(maps.Keys(s.tally), func(a, b kind) int { return cmp.Or(s.tally[b]-s.tally[a], strings.Compare(string(a), string(b))) })
}

func (s *sums) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%d histories, %d of them without faults; %d years of their own time\n", s.histories, s.calm, s.span/(365*24*time.Hour))
	fmt.Fprintf(&b, "%d runs:", s.runs())
	for _, state := range slices.Sorted(maps.Keys(s.states)) {
		fmt.Fprintf(&b, " %d %s", s.states[state], state)
	}
	fmt.Fprintf(&b, "\n%d effects, %d of them doubled, by actions that ignore the key alone\n", s.effects, s.doubles)
	fmt.Fprintf(&b, "%d requests of people\n", s.requests)
	fmt.Fprintf(&b, "timers at most %v late where nothing goes wrong\n", s.late.Round(time.Millisecond))
	for _, k := range s.kinds() {
		fmt.Fprintf(&b, "%8d  %s\n", s.tally[k], k)
	}
	fmt.Fprintf(&b, "%8d  faults\n", s.faults())
	for _, what := range slices.Sorted(maps.Keys(s.seen)) {
		fmt.Fprintf(&b, "%8d  %s\n", s.seen[what], what)
	}
	b.WriteString("workers died at, before and after its effect:")
	for _, await := range awaits(s.guarded) {
		fmt.Fprintf(&b, " %s %d, %d;", await, s.deaths[death{await, crashBefore}], s.deaths[death{await, crashAfter}])
	}
	return b.String()
}

// TestReplay: what a seed tells, it tells again. Else no story could be trusted.
func TestReplay(t *testing.T) {
	for n := range uint64(few() / 15) {
		seed, o := n/2, options{talks: true, guarded: n%2 == 1}
		first, again := history(t, seed, o), history(t, seed, o)
		for i := range max(len(first.told), len(again.told)) {
			if i >= len(first.told) || i >= len(again.told) || first.told[i] != again.told[i] {
				t.Fatalf("seed %d: line %d of %d and %d differs:\n%s\n%s", seed, i, len(first.told), len(again.told), first.told[i], again.told[i])
			}
		}
	}
}
