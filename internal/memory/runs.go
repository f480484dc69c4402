package memory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/skycrafters/responder"
)

var (
	_ responder.RunStore  = (*Runs)(nil)
	_ responder.RunLister = (*Runs)(nil)
)

// Runs is a run store. The zero value is empty and ready.
type Runs struct {
	mu   sync.Mutex
	rows map[string]row
}

// row is a stored run: encoded, as any store keeps it, and what is looked up without decoding.
type row struct {
	version int64
	token   string
	payload []byte
	summary responder.RunSummary
}

// newRow encodes the run as the given version.
func newRow(run *responder.Run, version int64) (row, error) {
	stored := *run
	stored.Version = version
	payload, err := responder.EncodeRun(&stored)
	if err != nil {
		return row{}, err
	}
	return row{version: version, token: run.Token, payload: payload, summary: stored.Summary()}, nil
}

// Create implements responder.RunStore.
func (s *Runs) Create(ctx context.Context, run *responder.Run) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("create run: %w", err)
	}
	fresh, err := newRow(run, 1)
	if err != nil {
		return fmt.Errorf("create run: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.rows[run.ID]; ok {
		if old.version != 1 || old.token != run.Token {
			return fmt.Errorf("create run %s: %w", run.ID, responder.ErrExists)
		}
		run.Version = 1 // this very write was made before
		return nil
	}
	if s.rows == nil {
		s.rows = map[string]row{}
	}
	s.rows[run.ID] = fresh
	run.Version = 1
	return nil
}

// Get implements responder.RunStore.
func (s *Runs) Get(ctx context.Context, id string) (*responder.Run, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("get run: %w", err)
	}
	s.mu.Lock()
	stored, ok := s.rows[id]
	s.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("get run %s: %w", id, responder.ErrNotFound)
	}
	run, err := responder.DecodeRun(stored.payload)
	if err != nil {
		return nil, fmt.Errorf("get run %s: %w", id, err)
	}
	return run, nil
}

// Save implements responder.RunStore.
func (s *Runs) Save(ctx context.Context, run *responder.Run) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("save run: %w", err)
	}
	fresh, err := newRow(run, run.Version+1)
	if err != nil {
		return fmt.Errorf("save run: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.rows[run.ID]
	switch {
	case !ok:
		return fmt.Errorf("save run %s: %w", run.ID, responder.ErrNotFound)
	case old.version == run.Version:
		s.rows[run.ID] = fresh
	case old.version == run.Version+1 && old.token == run.Token: // this very write was made before
	default:
		return fmt.Errorf("save run %s as version %d over %d: %w", run.ID, run.Version+1, old.version, responder.ErrStale)
	}
	run.Version++
	return nil
}

// Due implements responder.RunStore.
func (s *Runs) Due(ctx context.Context, now time.Time, max int) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("due runs: %w", err)
	}
	if max < 1 {
		return nil, fmt.Errorf("due runs: max is %d, must be at least 1", max)
	}
	due := s.summaries(func(r responder.RunSummary) bool { return !r.Due.IsZero() && !r.Due.After(now) })
	slices.SortFunc(due, func(a, b responder.RunSummary) int {
		return cmp.Or(a.Due.Compare(b.Due), strings.Compare(a.ID, b.ID))
	})
	var ids []string
	for _, r := range due[:min(max, len(due))] {
		ids = append(ids, r.ID)
	}
	return ids, nil
}

// List implements responder.RunLister.
func (s *Runs) List(ctx context.Context, query responder.RunQuery) (responder.RunPage, error) {
	if err := ctx.Err(); err != nil {
		return responder.RunPage{}, fmt.Errorf("list runs: %w", err)
	}
	begin, err := parsePlace(query.Cursor)
	if err != nil {
		return responder.RunPage{}, fmt.Errorf("list runs: %w", err)
	}
	runs := s.summaries(func(r responder.RunSummary) bool {
		return (query.State == "" || r.State == query.State) &&
			(query.Rule == "" || r.Rule == query.Rule) &&
			(query.Flow == "" || r.Flow == query.Flow) &&
			!r.Created.Before(query.Since) &&
			(query.Cursor == "" || placeOf(r).compare(begin) > 0)
	})
	slices.SortFunc(runs, func(a, b responder.RunSummary) int { return placeOf(a).compare(placeOf(b)) })
	size := query.Max
	if size < 1 {
		size = 100
	}
	page := responder.RunPage{Runs: runs[:min(size, len(runs))]}
	if len(runs) > size {
		page.Next = placeOf(runs[size-1]).String()
	}
	return page, nil
}

// summaries gives the runs that keep approves of, in no order.
func (s *Runs) summaries(keep func(responder.RunSummary) bool) []responder.RunSummary {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kept []responder.RunSummary
	for _, r := range s.rows {
		if keep(r.summary) {
			kept = append(kept, r.summary)
		}
	}
	return kept
}

// place is where a run stands in a list: newest first, ids decide between
// those of one time. A cursor is the place of the last run of its page.
type place struct {
	created int64 // nanoseconds since 1970
	id      string
}

func placeOf(r responder.RunSummary) place { return place{r.Created.UnixNano(), r.ID} }

func (p place) compare(other place) int {
	return cmp.Or(cmp.Compare(other.created, p.created), strings.Compare(other.id, p.id))
}

func (p place) String() string { return fmt.Sprintf("%d/%s", p.created, p.id) }

// parsePlace reads a cursor; "" gives the zero place.
func parsePlace(cursor string) (place, error) {
	if cursor == "" {
		return place{}, nil
	}
	created, id, ok := strings.Cut(cursor, "/")
	nanos, err := strconv.ParseInt(created, 10, 64)
	if !ok || err != nil || id == "" {
		return place{}, errors.New("this cursor is not one that a list gave")
	}
	return place{nanos, id}, nil
}
