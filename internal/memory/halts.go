package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/skycrafters/responder"
)

var _ responder.Halts = (*Halts)(nil)

// Halts keeps which flows are halted. The zero value is empty and ready.
type Halts struct {
	mu     sync.Mutex
	halted map[string]responder.Halt
}

// Halt implements responder.Halts.
func (h *Halts) Halt(ctx context.Context, halt responder.Halt) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("halt: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, there := h.halted[halt.Flow]; there {
		return fmt.Errorf("halt: %w", responder.ErrExists)
	}
	if h.halted == nil {
		h.halted = map[string]responder.Halt{}
	}
	h.halted[halt.Flow] = halt
	return nil
}

// Resume implements responder.Halts.
func (h *Halts) Resume(ctx context.Context, flow string) (responder.Halt, error) {
	if err := ctx.Err(); err != nil {
		return responder.Halt{}, fmt.Errorf("resume: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	halt, there := h.halted[flow]
	if !there {
		return halt, fmt.Errorf("resume: no such halt: %w", responder.ErrNotFound)
	}
	delete(h.halted, flow)
	return halt, nil
}

// Halts implements responder.Halts.
func (h *Halts) Halts(ctx context.Context) ([]responder.Halt, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("halts: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []responder.Halt
	for _, flow := range slices.Sorted(maps.Keys(h.halted)) {
		all = append(all, h.halted[flow])
	}
	return all, nil
}
