package porttest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

// Budget is the conformance suite of responder.Budget, for counters that have
// that ability. open is called once a case.
func Budget(t *testing.T, open func(t *testing.T) CountersHarness) {
	for name, run := range map[string]func(*testing.T, CountersHarness){
		"what fits is counted":              testAdmit,
		"what does not fit wholly is not":   testAdmitWhole,
		"of several keys all or none":       testAdmitKeys,
		"what is counted fits again":        testAdmitAgain,
		"counts are those of Add":           testAdmitAdds,
		"a claim is forgotten at its end":   testAdmitExpiry,
		"claims of one key are refused":     testAdmitSameKey,
		"too many claims are refused":       testAdmitTooMany,
		"of many the limit is met exactly":  testAdmitRace,
		"of many over two keys both hold":   testAdmitKeysRace,
		"one member at once, in any number": testAdmitMemberRace,
	} {
		t.Run(name, func(t *testing.T) { run(t, open(t)) })
	}
}

// claim asks for members under a key that lasts for an hour.
func (h CountersHarness) claim(key string, limit int, members ...string) responder.Claim {
	return responder.Claim{Key: key, Members: members, Limit: limit, Expires: h.Now().Add(time.Hour)}
}

// admit expects claims to be admitted, or not, for the one at full.
func (h CountersHarness) admit(t *testing.T, admitted bool, full int, claims ...responder.Claim) {
	t.Helper()
	got, ok, err := h.Counters.(responder.Budget).Admit(t.Context(), claims...)
	if err != nil {
		t.Fatalf("Admit: %v", err)
	}
	if ok != admitted || !ok && got != full {
		t.Errorf("Admit %v: %v for %d; want %v for %d", claims, ok, got, admitted, full)
	}
}

func testAdmit(t *testing.T, h CountersHarness) {
	h.admit(t, true, 0)
	h.admit(t, true, 0, h.claim("k", 3, "a", "b"))
	h.admit(t, true, 0, h.claim("k", 3, "c"))
	h.admit(t, false, 0, h.claim("k", 3, "d"))
	h.admit(t, true, 0, h.claim("k", 0, "d", "e"))
	h.add(t, "k", "f", 0, 6, true)
}

func testAdmitWhole(t *testing.T, h CountersHarness) {
	h.admit(t, true, 0, h.claim("k", 3, "a"))
	h.admit(t, false, 0, h.claim("k", 3, "b", "c", "d"))
	h.admit(t, true, 0, h.claim("k", 3, "e", "f")) // nothing was eaten
	h.admit(t, false, 0, h.claim("new", 2, "1", "2", "3"))
	h.add(t, "new", "x", 1, 1, true)
}

func testAdmitKeys(t *testing.T, h CountersHarness) {
	h.admit(t, true, 0, h.claim("b", 1, "x"))
	h.admit(t, false, 1, h.claim("a", 5, "1", "2"), h.claim("b", 1, "1"), h.claim("c", 5, "1"))
	h.admit(t, false, 0, h.claim("d", 1, "1", "2"), h.claim("b", 1, "1")) // the first of two is told
	h.add(t, "a", "y", 1, 1, true)
	h.add(t, "c", "y", 1, 1, true)
	h.admit(t, true, 0, h.claim("a", 3, "1", "2"), h.claim("b", 2, "1"), h.claim("c", 2, "1"))
	h.add(t, "a", "z", 3, 3, false)
	h.add(t, "b", "z", 2, 2, false)
}

func testAdmitAgain(t *testing.T, h CountersHarness) {
	h.admit(t, true, 0, h.claim("k", 2, "a", "b"))
	h.admit(t, true, 0, h.claim("k", 2, "b", "a"))
	h.admit(t, true, 0, h.claim("k", 1, "a")) // whatever the limit by now
	h.admit(t, false, 0, h.claim("k", 2, "a", "c"))
	h.admit(t, true, 0, h.claim("k", 3, "a", "c", "c"))
	h.add(t, "k", "d", 0, 4, true)
}

func testAdmitAdds(t *testing.T, h CountersHarness) {
	h.add(t, "k", "a", 0, 1, true)
	h.admit(t, false, 0, h.claim("k", 2, "b", "c"))
	h.admit(t, true, 0, h.claim("k", 2, "a", "b"))
	h.add(t, "k", "b", 2, 2, true)
	h.add(t, "k", "c", 2, 2, false)
}

func testAdmitExpiry(t *testing.T, h CountersHarness) {
	short := responder.Claim{Key: "k", Members: []string{"a", "b"}, Limit: 2, Expires: h.Now().Add(2 * time.Second)}
	h.admit(t, true, 0, short)
	h.admit(t, false, 0, h.claim("k", 2, "c"))
	pass(t, h.Advance, 2*time.Second)
	h.admit(t, true, 0, h.claim("k", 2, "c"), h.claim("other", 1, "c"))
	h.admit(t, false, 0, h.claim("k", 2, "a", "b")) // they were forgotten, and must queue again
	h.admit(t, true, 0, h.claim("k", 2, "a"))
}

func testAdmitSameKey(t *testing.T, h CountersHarness) {
	if _, ok, err := h.Counters.(responder.Budget).Admit(t.Context(), h.claim("k", 2, "a"), h.claim("k", 2, "b")); err == nil || ok {
		t.Errorf("Admit of one key twice: %v, %v; want an error", ok, err)
	}
}

func testAdmitTooMany(t *testing.T, h CountersHarness) {
	var claims []responder.Claim
	for i := range responder.MaxClaims + 1 {
		claims = append(claims, h.claim(fmt.Sprint(i), 1, strings.Repeat("m", 300)))
	}
	h.admit(t, true, 0, claims[:responder.MaxClaims]...)
	if _, ok, err := h.Counters.(responder.Budget).Admit(t.Context(), claims...); !errors.Is(err, responder.ErrTooLarge) || ok {
		t.Errorf("Admit of %d claims: %v, %v; want ErrTooLarge", len(claims), ok, err)
	}
}

// race has many claim at once, each three things of its own, and says how many
// were admitted.
func (h CountersHarness) race(t *testing.T, racers int, claims func(i int, members []string) []responder.Claim) int {
	var admitted atomic.Int64
	var all sync.WaitGroup
	for i := range racers {
		all.Go(func() {
			_, ok, err := h.Counters.(responder.Budget).Admit(t.Context(), claims(i, []string{fmt.Sprint(i, "a"), fmt.Sprint(i, "b"), fmt.Sprint(i, "c")})...)
			if err != nil {
				t.Errorf("Admit: %v", err)
			}
			if ok {
				admitted.Add(1)
			}
		})
	}
	all.Wait()
	return int(admitted.Load())
}

func testAdmitRace(t *testing.T, h CountersHarness) {
	got := h.race(t, 20, func(_ int, members []string) []responder.Claim {
		return []responder.Claim{h.claim("k", 10, members...)}
	})
	if got != 3 {
		t.Errorf("%d claims of 3 were admitted under a limit of 10, want exactly 3", got)
	}
	h.add(t, "k", "one more", 10, 10, true)
	h.add(t, "k", "and another", 10, 10, false)
}

func testAdmitKeysRace(t *testing.T, h CountersHarness) {
	got := h.race(t, 16, func(i int, members []string) []responder.Claim {
		claims := []responder.Claim{h.claim("all", 12, members...), h.claim(fmt.Sprint("account", i%2), 9, members...)}
		if i%3 == 0 {
			claims[0], claims[1] = claims[1], claims[0] // in another order
		}
		return claims
	})
	if got != 4 {
		t.Errorf("%d claims of 3 were admitted under a limit of 12, want exactly 4", got)
	}
	h.add(t, "all", "one more", 12, 12, false)
}

func testAdmitMemberRace(t *testing.T, h CountersHarness) {
	got := h.race(t, 12, func(int, []string) []responder.Claim { return []responder.Claim{h.claim("k", 2, "a", "b")} })
	if got != 12 {
		t.Errorf("the same two were admitted %d times of 12", got)
	}
	h.add(t, "k", "c", 2, 2, false)
}
