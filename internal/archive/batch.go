package archive

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/skycrafters/responder/internal/elements"
)

// What a batch holds at most, but for one element that is longer by itself.
const (
	batchBytes    = 256 << 10
	batchElements = 512
)

// Batch is elements of one file that follow one another, damage in its place:
// what is handed from one goroutine to another at once. It can be filled again.
type Batch struct {
	file string
	data []byte
	held []held
}

// held is an element of a batch: data up to end, from where the one before ends.
type held struct {
	index, line, end int
	damage           *Damage // what could not be read; then there are no data
}

// Len is the number of elements and damages.
func (b *Batch) Len() int { return len(b.held) }

// All gives the elements and damages. Raw is the batch's, valid until it is
// filled again; its structure is that of JSON, but numbers, words and escapes in
// it may be none of JSON's (elements.Validate tells).
func (b *Batch) All() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		begin := 0
		for _, h := range b.held {
			record := Record{File: b.file, Index: h.index, Line: h.line}
			var err error
			if h.damage != nil {
				err = h.damage
			} else {
				record.Raw = b.data[begin:h.end:h.end]
			}
			if begin = h.end; !yield(record, err) {
				return
			}
		}
	}
}

func (b *Batch) add(r Record, err error) {
	h := held{index: r.Index, line: r.Line}
	if errors.As(err, &h.damage) {
		r.Raw = nil
	}
	b.data = append(b.data, r.Raw...)
	h.end = len(b.data)
	b.held = append(b.held, h)
}

func (b *Batch) full() bool { return len(b.data) >= batchBytes || len(b.held) == batchElements }

// Batches gives what the file holds, in batches as made by fresh, which may hand
// out used ones; none is empty. What there is comes before the file is read on,
// for that may have to be waited for. ctx is as in Records. Cost: that of
// inflating, and about 1.5 ns a byte.
func (f File) Batches(ctx context.Context, fresh func() *Batch) iter.Seq[*Batch] {
	return func(yield func(*Batch) bool) {
		begin := func() *Batch {
			b := fresh()
			b.file, b.data, b.held = f.Name, b.data[:0], b.held[:0]
			return b
		}
		batch, goOn := begin(), true
		flush := func() bool {
			if goOn && batch.Len() > 0 {
				if goOn = yield(batch); goOn {
					batch = begin()
				}
			}
			return goOn
		}
		file := File{Name: f.Name, Open: func(ctx context.Context) (io.ReadCloser, error) {
			opened, err := f.Open(ctx)
			if err != nil {
				return nil, err
			}
			return flushing{opened, flush}, nil
		}}
		file.read(ctx, (*elements.Reader).Scan, func(r Record, err error) bool {
			if batch.add(r, err); batch.full() {
				return flush()
			}
			return goOn
		})
		flush()
	}
}

// flushing is a file before each read of which something is to be done.
type flushing struct {
	io.ReadCloser
	flush func() bool // false: read no more
}

func (f flushing) Read(p []byte) (int, error) {
	if !f.flush() {
		return 0, io.EOF
	}
	return f.ReadCloser.Read(p)
}
