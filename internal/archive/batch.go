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
	batchPassed   = 4096 // that were left out: so often it is asked whether that is to be told
)

// Batch is elements of one file that follow one another, damage in its place:
// what is handed from one goroutine to another at once. It can be filled again.
type Batch struct {
	file   string
	data   []byte
	held   []held
	passed int // elements that were left out
}

// Skim is how elements are looked at before they are put into a batch; the zero
// value: not at all.
type Skim struct {
	// Look looks at what is held of a file from an element's beginning on. It says
	// where the element ends, 0 if it cannot tell, and whether it is to be left out.
	Look func(held []byte) (end int, out bool)
	// Wanted says whether a batch that is not full is wanted by now. What was left
	// out takes no room in it, however much that is: so a file which has to stand in
	// line behind others is read on.
	Wanted func() bool
}

// held is an element of a batch: data up to end, from where the one before ends.
type held struct {
	index, line, end int
	damage           *Damage // what could not be read; then there are no data
}

// Len is the number of elements and damages, those included that were left out.
func (b *Batch) Len() int { return len(b.held) + b.passed }

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
// out used ones; none is empty. skim has seen each element
// before, but for a few, and what it leaves out is only counted. What there is comes before
// a file that is read ahead is waited for. ctx is as in Records. Cost: that of inflating, and
// that of looking, or about 0.5 ns a byte without it; on two cores if it is read ahead.
func (f File) Batches(ctx context.Context, desk *Desk, fresh func() *Batch, skim Skim) iter.Seq[*Batch] {
	return func(yield func(*Batch) bool) {
		begin := func() *Batch {
			b := fresh()
			b.file, b.data, b.held, b.passed = f.Name, b.data[:0], b.held[:0], 0
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
		out := false
		next := (*elements.Reader).Scan
		if skim.Look != nil {
			next = func(r *elements.Reader) (elements.Element, error) {
				return r.ScanBy(func(held []byte) (end int) {
					end, out = skim.Look(held)
					return end
				})
			}
		}
		var ahead *ahead
		through := func(src io.Reader, zipped bool) io.Reader {
			if !f.Ahead && !(f.Spare && zipped) {
				return filling{src}
			}
			ahead = readAhead(src, flush)
			return ahead
		}
		add := func(r Record, err error) bool {
			if out && err == nil {
				out = false
				if batch.passed++; batch.passed%batchPassed == 0 && skim.Wanted() {
					return flush()
				}
				return goOn
			}
			out = false
			if batch.add(r, err); batch.full() {
				return flush()
			}
			return goOn
		}
		f.open(ctx, add, func(file io.Reader) {
			read(ctx, f.Name, file, desk, through, next, add)
			if ahead != nil {
				close(ahead.stop)
			}
		})
		if ahead != nil { // the file is closed: what waited for it does no more
			<-ahead.ended
		}
		flush()
	}
}
