//go:build faults

package faults

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Built reports whether the program can be told to die.
const Built = true

// fault is the point to die at, and how many visits of it are left.
type fault struct {
	point string
	left  atomic.Int64
}

var planned = sync.OnceValue(func() *fault {
	point, visit, _ := strings.Cut(os.Getenv("RESPONDER_FAULT"), "#")
	f := &fault{point: point}
	n, err := strconv.ParseInt(visit, 10, 64)
	if err != nil {
		n = 1
	}
	f.left.Store(n)
	return f
})

// Point marks a point: an operation, and how far it has come.
func Point(operation, stage string) {
	f := planned()
	if f.point != operation+": "+stage || f.left.Add(-1) != 0 {
		return
	}
	if self, err := os.FindProcess(os.Getpid()); err == nil && self.Kill() == nil {
		select {} // the signal is on its way: nothing is done any more
	}
	panic("faults: this process cannot kill itself")
}

// Transport marks the points around a request to the other side of an action.
func Transport(next http.RoundTripper) http.RoundTripper { return transport{next} }

type transport struct{ next http.RoundTripper }

func (t transport) RoundTrip(request *http.Request) (*http.Response, error) {
	Point("act", "begun")
	response, err := t.next.RoundTrip(request)
	Point("act", "answered")
	return response, err
}
