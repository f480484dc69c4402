package memory

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/skycrafters/responder"
)

var _ responder.Heartbeats = (*Heartbeats)(nil)

// Heartbeats know when places were heard. The zero value is empty and ready.
type Heartbeats struct {
	mu    sync.Mutex
	beats map[responder.Place]time.Time
}

// Beat implements responder.Heartbeats.
func (h *Heartbeats) Beat(ctx context.Context, place responder.Place, at time.Time) error {
	if err := place.Check(); err != nil {
		return fmt.Errorf("beat: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("beat of %s: %w", place, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.beats == nil {
		h.beats = map[responder.Place]time.Time{}
	}
	at = time.Unix(at.Unix(), 0).UTC()
	if heard, known := h.beats[place]; !known || heard.Before(at) {
		h.beats[place] = at
	}
	return nil
}

// Beats implements responder.Heartbeats.
func (h *Heartbeats) Beats(ctx context.Context) (map[responder.Place]time.Time, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("beats: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	beats := maps.Clone(h.beats)
	if beats == nil {
		beats = map[responder.Place]time.Time{}
	}
	return beats, nil
}

// Forget implements responder.Heartbeats.
func (h *Heartbeats) Forget(ctx context.Context, places ...responder.Place) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("forget places: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, place := range places {
		delete(h.beats, place)
	}
	return nil
}
