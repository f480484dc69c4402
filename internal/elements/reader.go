// Package elements finds the JSON elements that stand in a request body or an
// archive file, without knowing what they mean. A stream is any sequence of
//
//	{…}                   an element: alone, one a line, or one after the other
//	[…, …]                an array of elements
//	{"Records": […, …]}   a CloudTrail file; Records is its only key
//
// Memory is bounded by the largest element allowed, whatever the stream's length.
//
// It imports the root package; ingest and internal/archive import it.
package elements

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/skycrafters/responder"
)

// Element is one JSON value of a stream: valid JSON, its bytes as written.
type Element struct {
	Index int             // 0-based, damaged elements counted
	Line  int             // 1-based line it begins on
	Raw   json.RawMessage // the caller's to keep
}

// Damage is a place where a stream is not what it should be.
type Damage struct {
	Index int   // of the element that is damaged or would have come next
	Line  int   // where that element begins, else where reading stopped
	Byte  int64 // likewise, 0-based in the stream
	Last  int   // the last line that is passed over with it; Line, if it is the only one
	Lost  bool  // the rest of the stream cannot be read
	Err   error
}

func (d *Damage) Error() string {
	return fmt.Sprintf("element %d (line %d): %v", d.Index, d.Line, d.Err)
}

func (d *Damage) Unwrap() error { return d.Err }

var (
	errTruncated = errors.New("the input ends in the middle of it")
	errNotOpened = errors.New("expected a JSON object or array")
)

// Reader reads the elements of one stream in one pass. Next costs about 10 ns a
// byte, most of it json.Valid, and one allocation an element; Scan about half a ns
// a byte, and none. Not safe for concurrent use.
type Reader struct {
	src   io.Reader
	max   int // bytes of one element
	chunk int // bytes to be held at least

	buf   []byte // what has been read of src
	pos   int    // buf[pos:] is not consumed yet
	begun bool   // something was asked for
	err   error  // why src gives no more; io.EOF at its end
	line  int    // of buf[pos]
	gone  int64  // bytes of the stream before buf[pos]

	index int   // of the next element
	place place // in the stream's structure
	lost  bool  // after a Damage that is Lost
}

// place is where in a stream's structure the next byte stands.
type place int

const (
	atTop     place = iota // between top-level values
	atFirst                // behind the [ of an array
	behind                 // behind an element of an array
	atRecords              // as atFirst, in a CloudTrail file
	behindRecord
)

// NewReader reads from src; an element of more than max bytes is damage.
func NewReader(src io.Reader, max int) *Reader {
	return NewReaderIn(make([]byte, 64<<10), src, max)
}

// NewReaderIn is NewReader in room of the caller's, as long as elements are not too
// long for it: the larger, the fewer are met whose end is not held yet, and looked
// at twice.
func NewReaderIn(room []byte, src io.Reader, max int) *Reader {
	return &Reader{src: src, max: max, chunk: len(room), buf: room[:0], line: 1}
}

// Next gives the next element. The error is io.EOF at the end of the stream,
// else a *Damage, which is io.EOF's place in the sequence if it is Lost.
// After other damage the next call goes on behind it: at the next element of
// an array, or at the next line that begins with {. In an array, that is so of an
// element that is too long, whose end is told by its quotes and brackets; one
// that is broken in another way loses the rest.
func (r *Reader) Next() (Element, error) {
	e, err := r.next(r.measure)
	if err != nil {
		return e, err
	}
	e.Raw = bytes.Clone(e.Raw)
	if err := Validate(e.Raw); err != nil {
		return Element{}, &Damage{Index: e.Index, Line: e.Line, Byte: r.gone - int64(len(e.Raw)), Last: r.line, Err: err}
	}
	return e, nil
}

// Scan is Next for those who look at elements more closely themselves: Raw is
// balanced in its brackets and quotes, but may be no JSON ([Validate] tells). It
// is valid until the next call.
//
// Of damage within an element on one line it takes no notice, so that in an array
// what stands behind is not lost, as it is to Next.
func (r *Reader) Scan() (Element, error) {
	return r.ScanBy(func([]byte) int { return 0 })
}

// ScanBy is Scan by a look of the caller's own at what is held from an element's
// beginning on. Where look cannot tell the element's end it says 0: then the
// element is found as by Scan.
func (r *Reader) ScanBy(look func(held []byte) (end int)) (Element, error) {
	return r.next(func() (int, error) {
		held := r.buf[r.pos:]
		if n := look(held[:min(len(held), r.max)]); n > 0 {
			return n, nil
		}
		var b balance // so that damage is judged by what stands there, and not by how much is held
		for {
			switch ends := b.walk(held); {
			case ends == here && b.n <= r.max:
				return b.n, nil
			case ends == later && len(held) <= r.max && r.more():
				held = r.buf[r.pos:]
			default:
				return r.measure()
			}
		}
	})
}

// next gives the next element, its end found by measure.
func (r *Reader) next(measure func() (int, error)) (Element, error) {
	if !r.begun {
		r.begun = true
		r.skipMark()
	}
	for !r.lost {
		c, ok := r.skipSpace()
		if !ok {
			return Element{}, r.ended()
		}
		switch r.place {
		case atTop:
			switch {
			case c == '[':
				r.consume(1)
				r.place = atFirst
			case c != '{':
				return Element{}, r.damagedLine(errNotOpened)
			default:
				if n, ok := r.recordsHead(); ok {
					r.consume(n)
					r.place = atRecords
				} else {
					return r.element(measure)
				}
			}
		case atFirst, atRecords:
			if c != ']' {
				return r.element(measure)
			}
			if err := r.closeList(); err != nil {
				return Element{}, err
			}
		case behind, behindRecord:
			switch c {
			case ']':
				if err := r.closeList(); err != nil {
					return Element{}, err
				}
			case ',':
				r.consume(1)
				if _, ok := r.skipSpace(); !ok {
					return Element{}, r.ended()
				}
				return r.element(measure)
			default:
				return Element{}, r.loseRest(fmt.Errorf("expected , or ] behind an element, found %q", c))
			}
		}
	}
	return Element{}, io.EOF
}

// element reads the value that begins at buf[pos].
func (r *Reader) element(measure func() (int, error)) (Element, error) {
	n, err := measure()
	switch {
	case err != nil && r.place == atTop:
		return Element{}, r.damagedLine(err)
	case err == errTruncated && r.err != io.EOF:
		return Element{}, r.loseRest(r.err)
	case errors.Is(err, responder.ErrTooLarge):
		return Element{}, r.passOver(err)
	case err != nil:
		return Element{}, r.loseRest(err)
	}
	e := Element{Index: r.index, Line: r.line, Raw: r.buf[r.pos : r.pos+n]}
	r.consume(n)
	r.counted()
	return e, nil
}

// counted goes behind an element.
func (r *Reader) counted() {
	r.index++
	switch r.place {
	case atFirst:
		r.place = behind
	case atRecords:
		r.place = behindRecord
	}
}

// measure gives the length of the value that begins at buf[pos].
func (r *Reader) measure() (int, error) {
	var s scanner
	n := 0
	for {
		if n == len(r.buf)-r.pos && !r.more() {
			if s.complete() {
				return n, nil
			}
			return 0, errTruncated
		}
		held := r.buf[r.pos+n:]
		held = held[:min(len(held), r.max-n+1)] // whatever stands behind is not looked at
		taken, done, err := s.scan(held)
		n += taken
		switch {
		case err != nil:
			return 0, err
		case n > r.max:
			return 0, fmt.Errorf("longer than %d bytes: %w", r.max, responder.ErrTooLarge)
		case done:
			return n, nil
		}
	}
}

// recordsHead gives the length of `{"Records":[` if buf[pos:] begins so.
func (r *Reader) recordsHead() (int, bool) {
	n := 0
	for _, token := range []string{"{", `"Records"`, ":", "["} {
		for c, ok := r.at(n); ok && isSpace(c); c, ok = r.at(n) {
			if n++; n > 4096 {
				return 0, false // nobody writes that: keep what is held small
			}
		}
		for i := range len(token) {
			if c, ok := r.at(n); !ok || c != token[i] {
				return 0, false
			}
			n++
		}
	}
	return n, true
}

// closeList goes behind the ] of an array, and the } of a CloudTrail file.
func (r *Reader) closeList() error {
	file := r.place == atRecords || r.place == behindRecord
	r.consume(1)
	if file {
		switch c, ok := r.skipSpace(); {
		case !ok:
			return r.ended()
		case c != '}':
			return r.loseRest(errors.New(`something stands beside "Records"`))
		}
		r.consume(1)
	}
	r.place = atTop
	return nil
}

// ended says why the stream ends here.
func (r *Reader) ended() error {
	switch {
	case r.err != io.EOF:
		return r.loseRest(r.err)
	case r.place != atTop:
		return r.loseRest(errors.New("the input ends inside the array"))
	}
	return io.EOF
}

// damage is that of the next element, at what is not consumed yet.
func (r *Reader) damage(err error) *Damage {
	return &Damage{Index: r.index, Line: r.line, Byte: r.gone, Last: r.line, Err: err}
}

// loseRest gives the damage after which nothing more is read.
func (r *Reader) loseRest(err error) error {
	r.lost = true
	d := r.damage(err)
	d.Lost = true
	return d
}

// passOver gives the damage of an element of an array that cannot be held, and
// consumes it as it is read. If its end cannot be told, the rest is lost.
func (r *Reader) passOver(err error) error {
	d := r.damage(err)
	for b := (balance{lines: true}); ; {
		ends := b.walk(r.buf[r.pos:])
		r.consume(b.n)
		b.n = 0
		if ends == here {
			d.Last = r.line
			r.counted()
			return d
		}
		if ends == nowhere || !r.more() {
			r.lost, d.Lost = true, true
			return d
		}
	}
}

// damagedLine gives the damage of a top-level value and goes on at the next
// line that begins with {. A pretty-printed value is thus one damage, not one
// a line; JSON lines lose only the line.
func (r *Reader) damagedLine(err error) error {
	d := r.damage(err)
	r.index++
	for {
		held := r.buf[r.pos:]
		end := bytes.IndexByte(held, '\n') + 1
		if end > 0 {
			held = held[:end]
		}
		if len(bytes.TrimSpace(held)) > 0 {
			d.Last = r.line
		}
		r.consume(len(held))
		if end == 0 {
			if !r.more() {
				return d
			}
		} else if c, ok := r.at(0); !ok || c == '{' {
			return d
		}
	}
}

// skipSpace consumes white space and shows the byte behind it; false at the end.
func (r *Reader) skipSpace() (byte, bool) {
	for {
		held := r.buf[r.pos:]
		n := 0
		for n < len(held) && isSpace(held[n]) {
			n++
		}
		r.consume(n)
		if n < len(held) {
			return held[n], true
		}
		if !r.more() {
			return 0, false
		}
	}
}

// skipMark consumes the byte order mark that some editors write.
func (r *Reader) skipMark() {
	const mark = "\xef\xbb\xbf"
	for i := range len(mark) {
		if c, ok := r.at(i); !ok || c != mark[i] {
			return
		}
	}
	r.consume(len(mark))
}

// at shows buf[pos+i], reading if need be; false if the stream ends before.
func (r *Reader) at(i int) (byte, bool) {
	for r.pos+i >= len(r.buf) {
		if !r.more() {
			return 0, false
		}
	}
	return r.buf[r.pos+i], true
}

func (r *Reader) consume(n int) {
	r.line += bytes.Count(r.buf[r.pos:r.pos+n], []byte{'\n'})
	r.pos += n
	r.gone += int64(n)
}

// more reads some of src behind what is held; false if there is no more.
func (r *Reader) more() bool {
	if r.err != nil {
		return false
	}
	if r.pos > 0 {
		r.buf = r.buf[:copy(r.buf, r.buf[r.pos:])]
		r.pos = 0
	}
	if cap(r.buf)-len(r.buf) < r.chunk/2 {
		r.buf = append(make([]byte, 0, 2*cap(r.buf)+r.chunk), r.buf...)
	}
	for range 100 {
		n, err := r.src.Read(r.buf[len(r.buf):cap(r.buf)])
		r.buf = r.buf[:len(r.buf)+n]
		r.err = err
		if n > 0 || err != nil {
			return n > 0
		}
	}
	r.err = io.ErrNoProgress
	return false
}

// Validate gives encoding/json's words for what is wrong in raw, nil if it is JSON.
func Validate(raw []byte) error {
	if json.Valid(raw) {
		return nil
	}
	var value json.RawMessage
	if err := json.Unmarshal(raw, &value); err != nil {
		return err
	}
	return errors.New("invalid JSON")
}
