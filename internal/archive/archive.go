// Package archive reads event files: samples, CloudTrail archives, exports.
// A file is gzipped or plain, and holds what package elements describes: one
// event, JSON lines, an array, or a CloudTrail file {"Records": […]}.
//
// Elements come as they stand in the file; what they mean (event, raw
// CloudTrail record, neither) is the caller's to judge. The package imports
// internal/elements, and a gzip that is twice as fast as the standard library's.
package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/skycrafters/responder/internal/elements"
)

// MaxElementBytes is the longest element of a file, as it stands there.
const MaxElementBytes = 10 << 20

// Stdin is the path that means standard input.
const Stdin = "-"

// Record is one element of a file.
type Record struct {
	File  string          // path, Stdin for standard input
	Index int             // 0-based in that file
	Line  int             // 1-based, of the inflated file
	Raw   json.RawMessage // valid JSON as written; the caller's to keep
}

// Number is what people count records by: the first of a file is 1.
func (r Record) Number() int { return r.Index + 1 }

// Place is how people are told where a record is: file#1 is the first of the file.
func (r Record) Place() string { return fmt.Sprintf("%s#%d", r.File, r.Number()) }

// Damage is what could not be read: an element, the rest of a file, or a path.
type Damage struct {
	File  string
	Index int   // of the element in the file; -1: the file as a whole
	Line  int   // 1-based, of the inflated file; 0 for the file as a whole
	Last  int   // the last line that is passed over with it, if it is behind Line
	Byte  int64 // 0-based, of the inflated file: where the element begins
	Lost  bool  // the rest of the file cannot be read
	Err   error
}

// Error names the place in the form of [Record.Place], and what else there is to
// find it by.
func (d *Damage) Error() string {
	place := Record{File: d.File, Index: d.Index}.Place()
	switch {
	case d.Index < 0:
		return fmt.Sprintf("%s: %v", d.File, d.Err)
	case d.Lost:
		return fmt.Sprintf("%s (line %d, byte %d): %v; the rest of the file is lost: fetch it anew, or mend it there", place, d.Line, d.Byte, d.Err)
	case d.Last > d.Line:
		return fmt.Sprintf("%s (lines %d to %d): %v", place, d.Line, d.Last, d.Err)
	default:
		return fmt.Sprintf("%s (line %d): %v", place, d.Line, d.Err)
	}
}

// Lines is how many lines are passed over with it; 0 if that is not known.
func (d *Damage) Lines() int {
	if d.Index < 0 || d.Lost {
		return 0
	}
	return max(d.Last-d.Line, 0) + 1
}

func (d *Damage) Unwrap() error { return d.Err }

// Records gives the elements of all files that Files finds for paths. Every
// error is a *Damage, and the iteration goes on behind it. Once ctx is done it
// ends, also where it waits for input; ctx.Err() tells that from the end of the
// files. Memory is bounded by MaxElementBytes, whatever the size of files,
// zipped or inflated.
func Records(ctx context.Context, paths []string, stdin io.Reader) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		var desk Desk
		for file, err := range Files(paths, stdin, Window{}) {
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				if !yield(Record{}, err) {
					return
				}
				continue
			}
			for record, err := range file.records(ctx, &desk) {
				if !yield(record, err) {
					return
				}
			}
		}
	}
}

// Read gives the elements of one open file, gzipped or plain; name is what
// records and damages call it. Errors and ctx are as those of Records, but that
// a read of file that waits is waited for.
func Read(ctx context.Context, name string, file io.Reader) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		read(ctx, name, file, new(Desk), nil, (*elements.Reader).Next, yield)
	}
}

// read yields the elements of an open file as next takes them from its reader.
// through, if it is not nil, is what the bytes go through, unzipped if they were zipped.
func read(ctx context.Context, name string, file io.Reader, desk *Desk, through func(src io.Reader, zipped bool) io.Reader, next func(*elements.Reader) (elements.Element, error), yield func(Record, error) bool) {
	src, zipped, err := desk.open(watched{ctx, file})
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		yield(Record{}, damageOf(name, err))
		return
	}
	src = watched{ctx, src}
	if through != nil {
		src = through(src, zipped)
	}
	for r := elements.NewReaderIn(desk.room, src, MaxElementBytes); ; {
		e, err := next(r)
		if err == io.EOF || ctx.Err() != nil {
			return
		}
		if err != nil {
			err = damageOf(name, err)
		}
		if !yield(Record{File: name, Index: e.Index, Line: e.Line, Raw: e.Raw}, err) {
			return
		}
	}
}

// damageOf is what a reader of elements says, of a file.
func damageOf(name string, err error) *Damage {
	var d *elements.Damage
	if errors.As(err, &d) {
		return &Damage{File: name, Index: d.Index, Line: d.Line, Last: d.Last, Byte: d.Byte, Lost: d.Lost, Err: d.Err}
	}
	return &Damage{File: name, Index: -1, Lost: true, Err: err}
}
