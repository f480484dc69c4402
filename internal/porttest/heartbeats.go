package porttest

import (
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/skycrafters/responder"
)

// Heartbeats is the conformance suite of responder.Heartbeats. open gives fresh,
// empty ones and is called once a case.
func Heartbeats(t *testing.T, open func(t *testing.T) responder.Heartbeats) {
	for name, run := range map[string]func(*testing.T, heart){
		"nothing is known at first":      testNoBeats,
		"the newest beat counts":         testNewestBeat,
		"what is no place is refused":    testNoPlace,
		"what is forgotten is not known": testForget,
		"hundreds of places":             testManyPlaces,
		"many beats at once":             testBeatRace,
	} {
		t.Run(name, func(t *testing.T) { run(t, heart{open(t)}) })
	}
}

// sung is when the first canary of the suite sang.
var sung = time.Date(2026, 3, 29, 1, 59, 59, 0, time.UTC)

var (
	virginia = responder.Place{Account: "012345670123", Region: "us-east-1"}
	ireland  = responder.Place{Account: "012345670123", Region: "eu-west-1"}
	other    = responder.Place{Account: "999999999999", Region: "us-east-1"}
)

func testNoBeats(t *testing.T, h heart) {
	h.want(t, nil)
	h.forget(t)
	h.forget(t, virginia, other)
	h.want(t, nil)
}

func testNewestBeat(t *testing.T, h heart) {
	for _, step := range []struct{ at, heard time.Duration }{
		{0, 0}, {15 * time.Minute, 15 * time.Minute}, {14 * time.Minute, 15 * time.Minute}, {-time.Hour, 15 * time.Minute},
		{15 * time.Minute, 15 * time.Minute}, {15*time.Minute + time.Second, 15*time.Minute + time.Second},
	} {
		h.beat(t, virginia, sung.Add(step.at))
		h.want(t, map[responder.Place]time.Time{virginia: sung.Add(step.heard)})
	}
	h.beat(t, ireland, sung.In(time.FixedZone("", 3600)).Add(time.Second-1))
	h.beat(t, other, sung.Add(-time.Hour))
	h.want(t, map[responder.Place]time.Time{virginia: sung.Add(15*time.Minute + time.Second), ireland: sung, other: sung.Add(-time.Hour)})
}

func testNoPlace(t *testing.T, h heart) {
	for _, place := range []responder.Place{{}, {Account: "012345670123"}, {Region: "us-east-1"}, {Account: "key", Region: "us-east-1"}, {Account: "012345670123", Region: "us-east-1/x"}} {
		if err := h.Beat(t.Context(), place, sung); err == nil {
			t.Errorf("a beat of %q is taken", place)
		}
	}
	h.want(t, nil)
}

func testForget(t *testing.T, h heart) {
	h.beat(t, virginia, sung)
	h.beat(t, ireland, sung)
	h.beat(t, other, sung)
	h.forget(t, virginia, other, responder.Place{Account: "111122223333", Region: "us-east-1"})
	h.want(t, map[responder.Place]time.Time{ireland: sung})
	h.beat(t, virginia, sung.Add(-time.Hour)) // it is as if it had never been heard
	h.want(t, map[responder.Place]time.Time{ireland: sung, virginia: sung.Add(-time.Hour)})
	h.forget(t, virginia, virginia, ireland)
	h.want(t, nil)
}

func testManyPlaces(t *testing.T, h heart) {
	want := map[responder.Place]time.Time{}
	var places []responder.Place
	var all sync.WaitGroup
	for account := range 20 {
		for region := range 15 { // some shards hold more than a hundred
			place := responder.Place{Account: fmt.Sprintf("%012d", account%3+account*7919), Region: fmt.Sprintf("ap-southeast-%d", region)}
			at := sung.Add(time.Duration(account*15+region) * time.Second)
			want[place] = at
			places = append(places, place)
			all.Go(func() { h.beat(t, place, at) })
		}
	}
	all.Wait()
	h.want(t, want)
	h.forget(t, places[1:]...)
	h.want(t, map[responder.Place]time.Time{places[0]: want[places[0]]})
}

func testBeatRace(t *testing.T, h heart) {
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() { h.beat(t, virginia, sung.Add(time.Duration(i*7%20)*time.Minute)) })
	}
	all.Wait()
	h.want(t, map[responder.Place]time.Time{virginia: sung.Add(19 * time.Minute)})
}

// heart is the adapter under test.
type heart struct{ responder.Heartbeats }

func (h heart) beat(t *testing.T, place responder.Place, at time.Time) {
	t.Helper()
	if err := h.Beat(t.Context(), place, at); err != nil {
		t.Errorf("Beat %s: %v", place, err)
	}
}

func (h heart) forget(t *testing.T, places ...responder.Place) {
	t.Helper()
	if err := h.Forget(t.Context(), places...); err != nil {
		t.Errorf("Forget %v: %v", places, err)
	}
}

func (h heart) want(t *testing.T, want map[responder.Place]time.Time) {
	t.Helper()
	got, err := h.Beats(t.Context())
	if err != nil || !maps.EqualFunc(got, want, time.Time.Equal) {
		t.Errorf("Beats: %v, %v; want %v", got, err, want)
	}
}
