package porttest

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

// CountersHarness is a fresh, empty set of counters.
type CountersHarness struct {
	Counters responder.Counters
	Now      func() time.Time    // the adapter's clock
	Advance  func(time.Duration) // tells it; nil: real time must pass
}

// Counters is the conformance suite of responder.Counters. open is called once a case.
func Counters(t *testing.T, open func(t *testing.T) CountersHarness) {
	for name, run := range map[string]func(*testing.T, CountersHarness){
		"distinct members are counted":  testMembers,
		"a limit admits so many":        testLimit,
		"limits may differ by call":     testLimits,
		"keys are counted apart":        testKeys,
		"a key is forgotten at its end": testExpiry,
		"the first add sets the end":    testFirstExpiry,
		"any text is key or member":     testCounterTexts,
		"of many exactly limit":         testLimitRace,
		"one member at once":            testMemberRace,
	} {
		t.Run(name, func(t *testing.T) { run(t, open(t)) })
	}
}

func testMembers(t *testing.T, h CountersHarness) {
	for _, step := range []struct {
		member string
		n      int
	}{{"a", 1}, {"b", 2}, {"a", 2}, {"c", 3}, {"b", 3}, {"A", 4}} {
		h.add(t, "k", step.member, 0, step.n, true)
	}
}

func testLimit(t *testing.T, h CountersHarness) {
	h.add(t, "k", "a", 2, 1, true)
	h.add(t, "k", "b", 2, 2, true)
	h.add(t, "k", "c", 2, 2, false)
	h.add(t, "k", "a", 2, 2, true) // counted before: admitted again
	h.add(t, "k", "c", 2, 2, false)
}

func testLimits(t *testing.T, h CountersHarness) {
	for i := range 5 {
		h.add(t, "k", fmt.Sprint(i), 0, i+1, true)
	}
	h.add(t, "k", "x", 3, 5, false)
	h.add(t, "k", "0", 3, 5, true)
	h.add(t, "k", "x", 6, 6, true)
	h.add(t, "k", "y", 6, 6, false)
	h.add(t, "k", "y", 0, 7, true)
}

func testKeys(t *testing.T, h CountersHarness) {
	h.add(t, "k", "a", 1, 1, true)
	h.add(t, "K", "a", 1, 1, true)
	h.add(t, "ka", "", 1, 1, true)
	h.add(t, "k", "b", 1, 1, false)
}

func testExpiry(t *testing.T, h CountersHarness) {
	began := h.Now()
	end := began.Add(2 * time.Second)
	h.addUntil(t, "k", "a", 1, end, 1, true)
	h.addUntil(t, "k", "b", 1, end, 1, false)
	if h.Advance != nil {
		h.Advance(2*time.Second - 1)
		h.addUntil(t, "k", "b", 1, end, 1, false)
		h.Advance(1)
	} else {
		pass(t, nil, 2*time.Second)
	}
	next := h.Now().Add(time.Hour)
	h.addUntil(t, "k", "b", 1, next, 1, true)
	h.addUntil(t, "k", "a", 1, next, 1, false) // a was forgotten, and must queue again
}

func testFirstExpiry(t *testing.T, h CountersHarness) {
	began := h.Now()
	h.addUntil(t, "k", "a", 0, began.Add(2*time.Second), 1, true)
	h.addUntil(t, "k", "b", 0, began.Add(time.Hour), 2, true) // does not prolong
	pass(t, h.Advance, 2*time.Second)
	h.addUntil(t, "k", "c", 0, h.Now().Add(time.Hour), 1, true)
}

func testCounterTexts(t *testing.T, h CountersHarness) {
	texts := []string{"a/b", "a:b", "a b", "根 😀", "'; DROP TABLE counters; --", "%", "a\nb", strings.Repeat("k", 900)}
	for _, key := range texts {
		for i, member := range texts {
			h.add(t, key, member, 0, i+1, true)
		}
	}
}

func testLimitRace(t *testing.T, h CountersHarness) {
	const racers, limit = 100, 10
	var admitted atomic.Int64
	var all sync.WaitGroup
	end := h.Now().Add(time.Hour)
	for i := range racers {
		all.Go(func() {
			n, ok, err := h.Counters.Add(t.Context(), "k", fmt.Sprint(i), limit, end)
			if err != nil || n < 1 || n > limit {
				t.Errorf("Add: %d, %v, %v; want a count of 1 to %d", n, ok, err, limit)
			}
			if ok {
				admitted.Add(1)
			}
		})
	}
	all.Wait()
	if got := admitted.Load(); got != limit {
		t.Errorf("%d racers were admitted, want exactly %d", got, limit)
	}
}

func testMemberRace(t *testing.T, h CountersHarness) {
	var all sync.WaitGroup
	end := h.Now().Add(time.Hour)
	for range 20 {
		all.Go(func() {
			if n, ok, err := h.Counters.Add(t.Context(), "k", "same", 1, end); err != nil || n != 1 || !ok {
				t.Errorf("Add: %d, %v, %v; want 1, true", n, ok, err)
			}
		})
	}
	all.Wait()
}

// add counts under a key that lasts for an hour.
func (h CountersHarness) add(t *testing.T, key, member string, limit, n int, admitted bool) {
	t.Helper()
	h.addUntil(t, key, member, limit, h.Now().Add(time.Hour), n, admitted)
}

func (h CountersHarness) addUntil(t *testing.T, key, member string, limit int, expires time.Time, n int, admitted bool) {
	t.Helper()
	gotN, gotAdmitted, err := h.Counters.Add(t.Context(), key, member, limit, expires)
	if err != nil {
		t.Fatalf("Add %.20q to %.20q: %v", member, key, err)
	}
	if gotN != n || gotAdmitted != admitted {
		t.Errorf("Add %.20q to %.20q with limit %d: %d, %v; want %d, %v", member, key, limit, gotN, gotAdmitted, n, admitted)
	}
}
