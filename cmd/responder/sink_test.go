package main

import (
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"testing"
	"time"
)

// sink is the other side of a webhook. It counts what it was made to do, by
// what the message says and not by what Responder says of itself.
type sink struct {
	url     string
	honours bool // the idempotency key: a key that it knows does nothing again

	mu   sync.Mutex
	dice *rand.Rand
	keys map[string]bool
	done map[string]int // "EVENT STEP" → how often
}

// told finds event and step in a message.
var told = regexp.MustCompile(`event (\S+) step (\w+)`)

func newSink(t *testing.T, honours bool, seed uint64) *sink {
	s := &sink{honours: honours, dice: rand.New(rand.NewPCG(seed, 1)), keys: map[string]bool{}, done: map[string]int{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil { // the sender died over it: nothing was asked for
		return
	}
	m := told.FindSubmatch(body)
	if m == nil {
		http.Error(w, "this says neither event nor step", http.StatusBadRequest)
		return
	}
	if pause := s.do(string(m[1])+" "+string(m[2]), r.Header.Get("Idempotency-Key")); pause > 0 {
		select { // an answer that takes its time can be died over
		case <-time.After(pause):
		case <-r.Context().Done():
		}
	}
}

// do does what is asked for, and says how long the answer takes.
func (s *sink) do(what, key string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.honours || !s.keys[key] {
		s.done[what]++
	}
	s.keys[key] = true
	if s.dice.IntN(4) > 0 {
		return 0
	}
	return time.Duration(s.dice.IntN(20)) * time.Millisecond
}

// count says how many of the steps of some events were never done, and how many
// were done more than once.
func (s *sink) count(events, steps []string) (lost []string, doubled int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, event := range events {
		for _, step := range steps {
			switch n := s.done[event+" "+step]; {
			case n == 0:
				lost = append(lost, event+" "+step)
			case n > 1:
				doubled++
			}
		}
	}
	return lost, doubled
}
