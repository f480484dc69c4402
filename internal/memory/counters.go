package memory

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/skycrafters/responder"
)

var _ responder.Counters = (*Counters)(nil)

// Counters is a set of counters.
type Counters struct {
	now  func() time.Time
	mu   sync.Mutex
	keys map[string]counter
}

// counter is the members counted under one key.
type counter struct {
	members map[string]bool
	expires time.Time
}

// NewCounters makes an empty set that takes its time from now.
func NewCounters(now func() time.Time) *Counters {
	return &Counters{now: now, keys: map[string]counter{}}
}

// Add implements responder.Counters.
func (c *Counters) Add(ctx context.Context, key, member string, limit int, expires time.Time) (int, bool, error) {
	if err := ctx.Err(); err != nil {
		return 0, false, fmt.Errorf("count: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.keys[key]
	if !ok || !c.now().Before(k.expires) {
		k = counter{members: map[string]bool{}, expires: expires}
		c.keys[key] = k
	}
	admitted := k.members[member] || limit <= 0 || len(k.members) < limit
	if admitted {
		k.members[member] = true
	}
	return len(k.members), admitted, nil
}
