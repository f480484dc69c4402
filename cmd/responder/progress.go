package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync/atomic"
	"time"

	"github.com/skycrafters/responder/internal/archive"
)

// progressEvery is how often progress is shown.
const progressEvery = 300 * time.Millisecond

// progress shows on a terminal how far long work has come; elsewhere it is silent.
type progress struct {
	out         io.Writer // nil: silent
	now         func() time.Time
	what        string
	began, last time.Time
	n           int
	shown       bool // the line stands there

	read, total atomic.Int64 // bytes of files, as they are kept
	weighed     atomic.Bool  // total is that of all files
}

func (a *app) progress(what string) *progress {
	p := &progress{now: a.now, what: what, began: a.now()}
	p.last = p.began
	if isTerminal(a.stderr) {
		p.out = a.stderr
	}
	return p
}

// add counts. What has been cleared away is shown again at once.
func (p *progress) add(n int) {
	before := p.n
	p.n += n
	if p.out == nil || p.n/64 == before/64 {
		return
	}
	if now := p.now(); now.Sub(p.last) >= progressEvery || !p.shown && p.last.After(p.began) {
		p.last, p.shown = now, true
		showProgress(p.out, p.line(now.Sub(p.began)))
	}
}

// showProgress shows a line in the place of the one before, cut to what the
// terminal shows: of one that is broken, a part would stay.
func showProgress(terminal io.Writer, text string) {
	width := 100 // of one that does not say
	if columns := columns(terminal); columns > 0 {
		width = columns - 1
	}
	fmt.Fprint(terminal, "\r\x1b[K"+line(text, width))
}

// line is what is shown.
func (p *progress) line(took time.Duration) string {
	words := []string{fmt.Sprintf("%d %s", p.n, p.what), fmt.Sprintf("%.0f/s", float64(p.n)/took.Seconds())}
	if read, total := p.read.Load(), p.total.Load(); p.weighed.Load() && read > 0 && total >= read {
		left := time.Duration(float64(took) / float64(read) * float64(total-read))
		words = append(words, fmt.Sprintf("%d %%", 100*read/total), left.Round(time.Second).String()+" left")
	}
	return strings.Join(words, " · ")
}

// weigh has the files' bytes counted as they are read, and meanwhile learns how
// many there are of them in all, so that the time left can be told. files are
// gone through twice. On no terminal, files stay as they are.
func (p *progress) weigh(ctx context.Context, files iter.Seq2[archive.File, error]) iter.Seq2[archive.File, error] {
	if p.out == nil {
		return files
	}
	go func() {
		for file, err := range files {
			switch {
			case ctx.Err() != nil, err == nil && file.Size < 0: // of a pipe nobody knows
				return
			case err == nil:
				p.total.Add(file.Size)
			}
		}
		p.weighed.Store(true)
	}()
	return func(yield func(archive.File, error) bool) {
		for file, err := range files {
			if open := file.Open; err == nil {
				file.Open = func(ctx context.Context) (io.ReadCloser, error) {
					opened, err := open(ctx)
					if err != nil {
						return nil, err
					}
					return weighing{opened, &p.read}, nil
				}
			}
			if !yield(file, err) {
				return
			}
		}
	}
}

// weighing counts what is read.
type weighing struct {
	io.ReadCloser
	read *atomic.Int64
}

func (w weighing) Read(b []byte) (int, error) {
	n, err := w.ReadCloser.Read(b)
	w.read.Add(int64(n))
	return n, err
}

// clear takes the line away, before something else is printed.
func (p *progress) clear() {
	if p.shown {
		p.shown = false
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
