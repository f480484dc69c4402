package memory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/skycrafters/responder"
)

var (
	_ responder.Counters = (*Counters)(nil)
	_ responder.Budget   = (*Counters)(nil)
)

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
	k := c.key(key, expires)
	admitted := k.members[member] || limit <= 0 || len(k.members) < limit
	if admitted {
		k.members[member] = true
	}
	return len(k.members), admitted, nil
}

// key gives the counter of a key, a new one where there is none or it is over.
func (c *Counters) key(key string, expires time.Time) counter {
	k, ok := c.keys[key]
	if !ok || !c.now().Before(k.expires) {
		k = counter{members: map[string]bool{}, expires: expires}
		c.keys[key] = k
	}
	return k
}

// Admit implements responder.Budget.
func (c *Counters) Admit(ctx context.Context, claims ...responder.Claim) (int, bool, error) {
	if err := errors.Join(ctx.Err(), responder.CheckClaims(claims)); err != nil {
		return 0, false, fmt.Errorf("admit: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, claim := range claims {
		k := c.keys[claim.Key]
		if !c.now().Before(k.expires) {
			k.members = nil
		}
		fresh := map[string]bool{}
		for _, member := range claim.Members {
			fresh[member] = fresh[member] || !k.members[member]
		}
		maps.DeleteFunc(fresh, func(_ string, is bool) bool { return !is })
		if len(fresh) > 0 && claim.Limit > 0 && len(k.members)+len(fresh) > claim.Limit {
			return i, false, nil
		}
	}
	for _, claim := range claims {
		if len(claim.Members) == 0 {
			continue
		}
		k := c.key(claim.Key, claim.Expires)
		for _, member := range claim.Members {
			k.members[member] = true
		}
	}
	return 0, true, nil
}
