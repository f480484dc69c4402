package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/skycrafters/responder"
)

// List implements responder.RunLister. It is not behind the store. Filters by
// state are looked up; those by rule or flow walk an index of all runs, which
// takes about a microsecond a run passed over.
func (s *Runs) List(ctx context.Context, query responder.RunQuery) (responder.RunPage, error) {
	page, err := s.list(ctx, query)
	if err != nil {
		return responder.RunPage{}, failed("list runs", err)
	}
	return page, nil
}

func (s *Runs) list(ctx context.Context, query responder.RunQuery) (page responder.RunPage, err error) {
	size := query.Max
	if size < 1 {
		size = 100
	}
	where, args, err := conditions(query)
	if err != nil {
		return page, err
	}
	rows, err := s.db.read.QueryContext(ctx,
		`SELECT id, created, summary FROM runs WHERE `+where+` ORDER BY created DESC, id DESC LIMIT ?`,
		append(args, size+1)...) // one more tells whether there is a next page
	if err != nil {
		return page, err
	}
	var last place
	err = each(rows, func(rows *sql.Rows) error {
		if len(page.Runs) == size {
			page.Next = last.String()
			return nil
		}
		var summary []byte
		if err := rows.Scan(&last.id, &last.created, &summary); err != nil {
			return err
		}
		var run responder.RunSummary
		if err := json.Unmarshal(summary, &run); err != nil { // a newer Responder's, or damaged: shown all the same
			run = responder.RunSummary{ID: last.id, State: responder.RunParked, Cause: "its summary cannot be decoded", Created: fromNanos(last.created)}
		}
		page.Runs = append(page.Runs, run)
		return nil
	})
	return page, err
}

// conditions turns a query into SQL. The text is made of constants alone.
func conditions(query responder.RunQuery) (where string, args []any, err error) {
	terms := []string{"1"}
	add := func(term string, values ...any) {
		terms, args = append(terms, term), append(args, values...)
	}
	if query.State != "" {
		add("state = ?", query.State)
	}
	if query.Rule != "" {
		add("rule = ?", query.Rule)
	}
	if query.Flow != "" {
		add("flow = ?", query.Flow)
	}
	if !query.Since.IsZero() {
		add("created >= ?", nanos(query.Since))
	}
	if query.Cursor != "" {
		after, err := parsePlace(query.Cursor)
		if err != nil {
			return "", nil, err
		}
		add("(created, id) < (?, ?)", after.created, after.id)
	}
	return strings.Join(terms, " AND "), args, nil
}

// place is where a run stands in the list; a cursor is the place of the last
// run of its page.
type place struct {
	created int64
	id      string
}

func (p place) String() string { return fmt.Sprintf("%d/%s", p.created, p.id) }

// parsePlace reads a cursor.
func parsePlace(cursor string) (place, error) {
	created, id, ok := strings.Cut(cursor, "/")
	n, err := strconv.ParseInt(created, 10, 64)
	p := place{n, id}
	if !ok || err != nil || id == "" || p.String() != cursor {
		return place{}, errors.New("this cursor is not one that a list gave")
	}
	return p, nil
}
