package simulation

import (
	"strings"
	"testing"
)

// sabotage is something that is broken on purpose, to see whether it is seen.
type sabotage string

// What can be broken without touching the engine.
const (
	staleWrites sabotage = "the store takes stale writes"
	blindIndex  sabotage = "the index of due runs tells nothing"
	fastClock   sabotage = "the engine's clock runs ahead"
	oneToken    sabotage = "all writes have one token"
	blindLook   sabotage = "what a look finds is not heard"
)

// TestSabotage: who judges histories sees what is wrong with them, soon, and
// tells it in few words.
func TestSabotage(t *testing.T) {
	if raced {
		t.Skip("making stories short takes long under the race detector, and finds no races")
	}
	for what, promise := range map[sabotage]string{
		staleWrites: "a stale writer is refused",
		blindIndex:  "nothing is running for ever",
		fastClock:   "timers are never early",
		oneToken:    "a stale writer is refused",
		blindLook:   "what was answered counts",
	} {
		t.Run(string(what), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(200) {
				o := options{sabotage: what}
				r := history(t, seed, o)
				if !r.breaks(promise) || len(r.struck) > 50 { // long histories take long to be made short
					continue
				}
				short := shorten(t, seed, r, o, promise)
				if len(short.struck) > 6 {
					t.Errorf("seed %d: the story has %d decisions, of %d:\n%s", seed, len(short.struck), len(r.struck), story(seed, short, promise))
				}
				told := story(seed, short, promise)
				for _, part := range []string{"broken: " + promise, "-seed ", "flows.yml:", "what happened:", "BROKEN"} {
					if !strings.Contains(told, part) {
						t.Errorf("the story lacks %q:\n%s", part, told)
					}
				}
				return
			}
			t.Error("nobody saw it in 200 histories")
		})
	}
}
