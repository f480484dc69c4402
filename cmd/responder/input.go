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
	to         io.Writer
	told, last *archive.Damage // the last that was told, and the last so far with the same fault
	n, lines   int             // that were told, and the lines that were passed over, as far as that is known
}

func (d *damages) tell(record archive.Record, err error) {
	var damage *archive.Damage
	if !errors.As(err, &damage) {
		damage = &archive.Damage{File: record.File, Index: record.Index, Line: record.Line, Err: err}
	}
	d.n++
	d.lines += damage.Lines()
	if d.goesOn(damage) {
		d.last = damage
		return
	}
	d.end()
	fmt.Fprintln(d.to, line(damage.Error(), 500))
	if damage.Index >= 0 && !damage.Lost {
		d.told, d.last = damage, damage
	}
}

// of says how many lines there were, if they are more than there were damages.
func (d *damages) of() string {
	if d.lines <= d.n {
		return ""
	}
	return fmt.Sprintf(" (%d lines)", d.lines)
}

// goesOn reports whether damage follows what was told, and has the same fault.
func (d *damages) goesOn(damage *archive.Damage) bool {
	return d.told != nil && !damage.Lost && d.last.File == damage.File && d.last.Index == damage.Index-1 && d.told.Err.Error() == damage.Err.Error()
}

// end tells what is left to tell.
func (d *damages) end() {
	if d.told != d.last {
		text := fmt.Sprintf("%s#%d to #%d (up to line %d): the same", d.told.File, d.told.Index+2, d.last.Index+1, max(d.last.Line, d.last.Last))
		if d.last.Index == d.told.Index+1 {
			same := *d.last
			same.Err = errors.New("the same")
			text = same.Error()
		}
		fmt.Fprintln(d.to, line(text, 500))
	}
	d.told, d.last = nil, nil
}
