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
	"os"
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
	report    = flag.String("report", "", "a page to write the sums into")
	histories = flag.Int("histories", 0, "how many histories are lived through; 0: a few")
)

// few is how many histories are lived through where nobody says.
func few() int {
	if raced || testing.Short() {
		return 30
	}
	return 300
}

// history lives through the history of a seed.
func history(t *testing.T, seed uint64, o options) result {
	t.Helper()
	var r result
	var err error
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
	return story(seed, shorten(t, seed, r, options{}, promise), promise)
}

func TestHistories(t *testing.T) {
	if *oneSeed >= 0 {
		seed := uint64(*oneSeed)
		r := history(t, seed, options{talks: true})
		if len(r.violations) > 0 {
			t.Fatal(tale(t, seed, r))
		}
		t.Logf("seed %d keeps every promise:\nflows.yml:\n%s\n%s", seed, write(dice(seed), false), strings.Join(r.told, "\n"))
		return
	}
	began, total := time.Now(), cmp.Or(*histories, few())
	var all sums
	t.Run("all", func(t *testing.T) {
		lanes := runtime.GOMAXPROCS(0)
		for lane := range lanes {
			t.Run(fmt.Sprint("lane ", lane), func(t *testing.T) {
				t.Parallel()
				for n := lane; n < total; n += lanes {
					seed := *firstSeed + uint64(n)
					r := history(t, seed, options{})
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
	evidence.Report(t, "Simulated histories", evidence.Figures{
		Load:    fmt.Sprintf("%d histories, %d runs, %d things done", all.histories, all.runs(), all.effects),
		Faults:  fmt.Sprintf("%d of %d kinds", all.faults(), len(all.tally)),
		Doubled: fmt.Sprintf("0 where the key is honoured, %d where it is ignored", all.doubles),
		Seed:    *firstSeed,
	})
	if *report != "" && !t.Failed() {
		if err := all.writeReport(*report); err != nil {
			t.Error(err)
		}
	}
}

// sums counts over histories.
type sums struct {
	mu        sync.Mutex
	histories int
	calm      int
	tally     map[kind]int
	deaths    map[death]int
	states    map[responder.RunState]int
	effects   int
	doubles   int
	late      time.Duration
	span      time.Duration
}

func (s *sums) add(r result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tally == nil {
		s.tally, s.deaths, s.states = map[kind]int{}, map[death]int{}, map[responder.RunState]int{}
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
	s.effects += r.effects
	s.doubles += r.doubles
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
	if runs := s.runs(); s.states[responder.RunSucceeded] < runs*4/5 {
		t.Errorf("of %d runs only %d succeeded", runs, s.states[responder.RunSucceeded])
	}
	for _, kinds := range themes {
		for k := range kinds {
			if s.tally[k] == 0 {
				t.Errorf("no history had this fault: %s", k)
			}
		}
	}
	for _, await := range awaits() {
		for _, when := range []kind{crashBefore, crashAfter} {
			if s.deaths[death{await, when}] == 0 {
				t.Errorf("at no %s: %s", await, when)
			}
		}
	}
}

// tables are the sums as a page of Markdown shows them.
func (s *sums) tables() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	b.WriteString("| | |\n|---|--:|\n")
	row := func(what string, n any) { fmt.Fprintf(&b, "| %s | %v |\n", what, n) }
	row("histories", s.histories)
	row("without any fault", s.calm)
	row("years of their own time", int(s.span/(365*24*time.Hour)))
	row("runs", s.runs())
	for _, state := range slices.Sorted(maps.Keys(s.states)) {
		row("runs that "+map[responder.RunState]string{
			responder.RunSucceeded: "succeeded", responder.RunStopped: "a check stopped", responder.RunFailed: "failed, with their cause",
		}[state], s.states[state])
	}
	row("runs lost, or never ended", 0)
	row("things done", s.effects)
	row("done twice, where the other side honours the key", 0)
	row("done twice, where it ignores the key", s.doubles)
	row("promises broken", 0)
	b.WriteString("\n| fault | times |\n|---|--:|\n")
	for _, k := range s.kinds() {
		row(string(k), s.tally[k])
	}
	b.WriteString("\n| a worker died at | before its effect | after it |\n|---|--:|--:|\n")
	for _, await := range awaits() {
		fmt.Fprintf(&b, "| %s | %d | %d |\n", await, s.deaths[death{await, crashBefore}], s.deaths[death{await, crashAfter}])
	}
	return b.String()
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

// writeReport puts the sums into a page, between the lines that mark their place.
func (s *sums) writeReport(path string) error {
	const begin, end = "<!-- simulation: what it saw last -->\n", "<!-- end of simulation -->\n"
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(page), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return fmt.Errorf("%s has no place for the simulation", path)
	}
	return os.WriteFile(path, []byte(before+begin+s.tables()+end+after), 0o644)
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
	fmt.Fprintf(&b, "timers at most %v late where nothing goes wrong\n", s.late.Round(time.Millisecond))
	for _, k := range s.kinds() {
		fmt.Fprintf(&b, "%8d  %s\n", s.tally[k], k)
	}
	fmt.Fprintf(&b, "%8d  faults\n", s.faults())
	b.WriteString("workers died at, before and after its effect:")
	for _, await := range awaits() {
		fmt.Fprintf(&b, " %s %d, %d;", await, s.deaths[death{await, crashBefore}], s.deaths[death{await, crashAfter}])
	}
	return b.String()
}

// TestReplay: what a seed tells, it tells again. Else no story could be trusted.
func TestReplay(t *testing.T) {
	for seed := range uint64(few() / 15) {
		first, again := history(t, seed, options{talks: true}), history(t, seed, options{talks: true})
		for i := range max(len(first.told), len(again.told)) {
			if i >= len(first.told) || i >= len(again.told) || first.told[i] != again.told[i] {
				t.Fatalf("seed %d: line %d of %d and %d differs:\n%s\n%s", seed, i, len(first.told), len(again.told), first.told[i], again.told[i])
			}
		}
	}
}
