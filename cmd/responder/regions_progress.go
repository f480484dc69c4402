package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/skycrafters/responder/internal/forwarders"
)

// fleetProgress shows on a terminal which regions are worked on; elsewhere it
// is silent.
type fleetProgress struct {
	out      io.Writer // nil: silent
	total    int
	ended    int
	underWay map[string]string // region → state
}

func (a *app) fleetProgress(total int) *fleetProgress {
	p := &fleetProgress{total: total, underWay: map[string]string{}}
	if isTerminal(a.stderr) {
		p.out = a.stderr
	}
	return p
}

// tell shows how far the regions have come.
func (p *fleetProgress) tell(r forwarders.Result) {
	if r.Did == forwarders.NotBegun && r.Stack.State != "" {
		p.underWay[r.Region] = string(r.Stack.State)
	} else {
		delete(p.underWay, r.Region)
	}
	if r.Did != forwarders.NotBegun {
		p.ended++
	}
	if p.out == nil {
		return
	}
	text := fmt.Sprintf("%d of %s done", p.ended, count(p.total, "region"))
	for _, region := range slices.Sorted(maps.Keys(p.underWay)) {
		text += " · " + region + " " + p.underWay[region]
	}
	showProgress(p.out, text)
}

// clear takes the line away, before something else is printed.
func (p *fleetProgress) clear() {
	if p.out != nil {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
