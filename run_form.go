package responder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// quick and thorough write gzip. The quickest level takes half the time of the usual
// one, for 7 % more bytes; it stores what looks like noise as it is, which base64 does.
var quick, thorough = zipper(gzip.BestSpeed), zipper(gzip.BestCompression)

// zipper gives what zips at a level. Writers are used again: a new one costs a
// megabyte.
func zipper(level int) func(data []byte) ([]byte, error) {
	writers := sync.Pool{New: func() any {
		zw, err := gzip.NewWriterLevel(nil, level)
		if err != nil { // there is that level
			panic(err)
		}
		return zw
	}}
	return func(data []byte) ([]byte, error) {
		zw := writers.Get().(*gzip.Writer)
		defer writers.Put(zw)
		var buf bytes.Buffer
		zw.Reset(&buf)
		if _, err := zw.Write(data); err != nil {
			return nil, err
		}
		err := zw.Close()
		return buf.Bytes(), err
	}
}

// form is the oldest version that can say all the run holds.
func (r *Run) form() int {
	asks := r.Flow.Repairs == RepairsApprove || r.Flow.Guards != nil || r.Undoes != nil || anyStep(r.Flow.Steps, func(s *Step) bool { return s.Ask != nil })
	for _, s := range r.Steps {
		asks = asks || s.Survey != nil || s.Approval != nil || slices.ContainsFunc(s.Attempts, func(a Attempt) bool { return a.Survey })
	}
	switch {
	case r.Warns != nil, r.Flow.Guards != nil && r.Flow.Guards.Limits != nil && r.Flow.Guards.Limits.Halt:
		return 5
	case r.Gathers != nil, r.CausedBy != nil, len(r.Caused) > 0, r.Flow.Guards != nil && r.Flow.Guards.Limits != nil && r.Flow.Guards.Limits.Notices != nil:
		return 4
	case asks:
		return 3
	}
	if !r.Deadline.IsZero() || r.Suppressed > 0 || len(r.Audit) > 0 || anyStep(r.Flow.Steps, func(s *Step) bool { return s.Until != nil || s.Join != JoinAll }) {
		return 2
	}
	return 1
}

// EncodeRun gives the bytes a store keeps: the run's JSON, gzipped, in a form
// that is at least r.V. A run over MaxRunBytes is refused with ErrTooLarge, one
// that holds what JSON cannot say with ErrUnencodable.
func EncodeRun(r *Run) ([]byte, error) {
	written := *r
	written.V = max(r.V, r.form())
	data, err := encode(written)
	if err != nil {
		return nil, fmt.Errorf("encode run %s: %w: %w", r.ID, ErrUnencodable, err)
	}
	zipped, err := quick(data)
	if err == nil && len(zipped) > MaxRunBytes && len(data) <= maxRunJSON {
		zipped, err = thorough(data)
	}
	if err != nil {
		return nil, fmt.Errorf("encode run %s: %w", r.ID, err)
	}
	if len(zipped) > MaxRunBytes || len(data) > maxRunJSON {
		return nil, fmt.Errorf("run %s takes %d bytes, at most %d are kept: %w", r.ID, len(zipped), MaxRunBytes, ErrTooLarge)
	}
	return zipped, nil
}

// DecodeRun reads what EncodeRun wrote. The error is ErrUndecodable; more
// exactly ErrFutureVersion for a run of a newer Responder.
func DecodeRun(data []byte) (*Run, error) {
	r, err := decodeRun(data)
	if err != nil && !errors.Is(err, ErrUndecodable) {
		err = fmt.Errorf("%w: %w", ErrUndecodable, err)
	}
	if err != nil {
		return nil, fmt.Errorf("decode run: %w", err)
	}
	return r, nil
}

func decodeRun(data []byte) (*Run, error) {
	zr, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(io.LimitReader(zr, maxRunJSON+1))
	if err != nil {
		return nil, err
	}
	if len(plain) > maxRunJSON {
		return nil, fmt.Errorf("inflates to more than %d bytes: %w", maxRunJSON, ErrTooLarge)
	}
	var version struct{ V int }
	if err := json.Unmarshal(plain, &version); err != nil {
		return nil, err
	}
	if version.V > RunVersion {
		return nil, fmt.Errorf("run of version %d: %w", version.V, ErrFutureVersion)
	}
	if version.V < 1 {
		return nil, fmt.Errorf("run of version %d", version.V)
	}
	var r Run
	if err := json.Unmarshal(plain, &r); err != nil {
		return nil, err
	}
	if r.Steps == nil {
		r.Steps = map[string]*StepState{}
	}
	for path, s := range r.Steps {
		if s == nil {
			return nil, fmt.Errorf("run %s: step %s is null", r.ID, path)
		}
	}
	return &r, nil
}
