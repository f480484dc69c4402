package sqlite

import "sync"

// gate tells those who wait for a queue that a message may be there for them,
// and lets them look one after the other: who comes second sees what is left,
// which is often nothing, and does not have to write to learn it.
type gate struct {
	looking chan struct{} // has an element while somebody looks and claims
	mu      sync.Mutex    // guards changed
	changed chan struct{} // closed, and replaced, at each ring
}

// wait gives a channel that the next ring closes. Take it before looking, or a
// ring between the look and the wait is lost.
func (g *gate) wait() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.changed
}

// ring wakes all who wait.
func (g *gate) ring() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.changed)
	g.changed = make(chan struct{})
}
