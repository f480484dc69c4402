package simulation

import (
	"time"

	"github.com/skycrafters/responder/dispatch"
)

// load loads the flows that a history comes to have.
func (w *world) load(edited bool) error {
	for _, v := range []version{{}, {edited: true}, {off: w.off.flow}, {edited: true, off: w.off.flow}} {
		v.guarded = w.guarded
		if _, there := w.flows[v]; there || v.edited && !edited {
			continue
		}
		var err error
		if w.flows[v], err = load(write(w.dice, v), catalogue(nil, w.guarded)); err != nil {
			return err
		}
	}
	return nil
}

// deploy changes the flows while runs are under way.
func (w *world) deploy() {
	time.Sleep(w.span("deploy at", time.Second, 24*time.Hour))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.editedAt = time.Now()
	w.tell("flows edited")
}

// current is what workers get of flows.yml.
func (w *world) current() *dispatch.Flows {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := version{guarded: w.guarded, edited: !w.editedAt.IsZero()}
	if now := time.Now(); w.off.covers(now, now) {
		v.off = w.off.flow
	}
	return w.flows[v]
}

// first are the flows as they are in the beginning.
func (w *world) first() *dispatch.Flows { return w.flows[version{guarded: w.guarded}] }
