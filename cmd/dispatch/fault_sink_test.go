package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"testing"
)

// sink is the other side of SendSlack. It notes what it is asked for, by what the
// message says, and under which keys: so it tells what becomes of that where keys
// are honoured (a key that is known does nothing again), and where they are not.
type sink struct {
	url string

	mu    sync.Mutex
	asked map[string]map[string]int // "EVENT STEP" → key → how often
	meet  func(what string)         // called at each post, which is not answered before; nil: not
}

// told finds event and step in a message.
var told = regexp.MustCompile(`event (\S+) step (\w+)`)

func newSink(t *testing.T) *sink {
	s := &sink{asked: map[string]map[string]int{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil { // whoever asks has gone: nothing was asked for
		return
	}
	m := told.FindSubmatch(body)
	if m == nil {
		http.Error(w, "this says neither event nor step", http.StatusBadRequest)
		return
	}
	what := string(m[1]) + " " + string(m[2])
	s.mu.Lock()
	if s.asked[what] == nil {
		s.asked[what] = map[string]int{}
	}
	s.asked[what][r.Header.Get("Idempotency-Key")]++
	meet := s.meet
	s.mu.Unlock()
	if meet != nil {
		meet(what)
	}
}

// meeting has something done at each post from now on; nil: nothing.
func (s *sink) meeting(meet func(what string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meet = meet
}

// tally is what became of steps at the other side.
type tally struct {
	lost    []string // never done
	doubled int      // done more than once though keys are honoured
	deaf    int      // done more than once where they are not
}

// count accounts for the steps of some events. Nothing else may have been asked for
// of these events.
func (s *sink) count(events, steps []string) (n tally) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, event := range events {
		for _, step := range steps {
			keys := s.asked[event+" "+step]
			posts := 0
			for _, times := range keys {
				posts += times
			}
			switch {
			case posts == 0:
				n.lost = append(n.lost, event+" "+step)
			case posts > 1:
				n.deaf++
			}
			if len(keys) > 1 {
				n.doubled++
			}
		}
	}
	return n
}
