package main

import (
	"fmt"
	"io"
	"time"
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
}

func (a *app) progress(what string) *progress {
	p := &progress{now: a.now, what: what, began: a.now()}
	p.last = p.began
	if isTerminal(a.stderr) {
		p.out = a.stderr
	}
	return p
}

// add counts.
func (p *progress) add(n int) {
	p.n += n
	if p.out == nil || p.n%64 != 0 && n < 64 {
		return
	}
	if now := p.now(); now.Sub(p.last) >= progressEvery {
		p.last = now
		fmt.Fprintf(p.out, "\r\x1b[K%d %s · %.0f/s", p.n, p.what, float64(p.n)/now.Sub(p.began).Seconds())
	}
}

// clear takes the line away, before something else is printed.
func (p *progress) clear() {
	if p.out != nil && p.last.After(p.began) {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
