package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/ingest"
	"github.com/skycrafters/responder/internal/archive"
)

// events gives the events of files. What is none is told and counted in unread,
// and the rest goes on.
func (a *app) events(ctx context.Context, paths []string, unread *int) iter.Seq2[archive.Record, responder.Event] {
	return func(yield func(archive.Record, responder.Event) bool) {
		told := damages{to: a.stderr}
		defer told.end()
		for record, err := range archive.Records(ctx, paths, a.stdin) {
			var event responder.Event
			if err == nil {
				event, err = ingest.Normalise(record.Raw)
			}
			if err != nil {
				*unread++
				told.tell(record, err)
				continue
			}
			if !yield(record, event) {
				return
			}
		}
	}
}

// damages tells of records that could not be used: where, and why. Of a file's
// records with the same fault one after the other, it tells of the first, and
// which others there are: a file of the wrong kind does not fill the screen.
type damages struct {
	to   io.Writer
	why  string
	told archive.Record
	last archive.Record // so far with the same fault
}

func (d *damages) tell(record archive.Record, err error) {
	why, whole := err.Error(), false
	if damage := (*archive.Damage)(nil); errors.As(err, &damage) {
		record = archive.Record{File: damage.File, Index: damage.Index, Line: damage.Line}
		why, whole = damage.Err.Error(), damage.Lost || damage.Index < 0
	}
	if !whole && d.why == why && d.last.File == record.File && d.last.Index == record.Index-1 {
		d.last = record
		return
	}
	d.end()
	if whole {
		fmt.Fprintln(d.to, line(err.Error(), 500))
		return
	}
	d.told, d.last, d.why = record, record, why
	fmt.Fprintln(d.to, line(fmt.Sprintf("%s: record %d (line %d): %s", record.File, record.Index, record.Line, why), 500))
}

// end tells what is left to tell.
func (d *damages) end() {
	switch d.last.Index - d.told.Index {
	case 0:
	case 1:
		fmt.Fprintln(d.to, line(fmt.Sprintf("%s: record %d (line %d): the same", d.last.File, d.last.Index, d.last.Line), 500))
	default:
		fmt.Fprintln(d.to, line(fmt.Sprintf("%s: records %d to %d (up to line %d): the same", d.last.File, d.told.Index+1, d.last.Index, d.last.Line), 500))
	}
	*d = damages{to: d.to}
}
