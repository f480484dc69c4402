package main

import (
	"math"
	"testing"

	"github.com/skycrafters/responder/detect"
)

// Where nobody is told stories, events are counted and not kept: an archive of
// any length goes through.
func TestTallyKeepsWhatIsTold(t *testing.T) {
	seen := detect.Sight{Raw: []byte(`{"id":"1"}`)}
	for _, c := range []struct{ events, want int }{{0, 0}, {3, 3}} {
		all := newTally(c.events, math.MaxInt)
		for range 10 {
			all.event(detect.Outcome{Sight: seen})
		}
		if s := all.summary(); len(all.outcomes) != c.want || s.Events != 10 || s.Unmatched != 10 {
			t.Errorf("of ten events %d are kept, want %d; summary %+v", len(all.outcomes), c.want, s)
		}
	}
}
