package main

import (
	"fmt"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/detect"
)

// toldMisses is how many events without a match are told of in a minute.
const toldMisses = 20

// live tells of what happens while serving. tally calls it for one thing at a time.
type live struct {
	*running
	minute time.Time // when the minute began in which misses are counted
	misses int
}

var _ teller = (*live)(nil)

// event tells of what makes no run: events without a match, as many as can be
// read, and findings that no flow is for.
func (l *live) event(o detect.Outcome) {
	if l.format == "json" {
		return
	}
	d := l.pipeline.definitions.Load()
	for _, f := range o.Findings {
		if len(flowsFor(d, f.Rule)) == 0 {
			l.tellFinding(f, o.Event(), d.Rules.Accounts)
			l.tellNoRun(noFlow)
		}
	}
	if len(o.Findings) > 0 {
		return
	}
	if now := l.now(); now.Sub(l.minute) >= time.Minute {
		l.minute, l.misses = now, 0
	}
	switch l.misses++; {
	case l.misses <= toldMisses:
		l.tellMiss(o.Event(), d.Rules)
	case l.misses == toldMisses+1:
		fmt.Fprintln(l.stdout, l.paint().faint("… more events without a match in this minute"))
	}
}

// run tells of a run that came to rest.
func (l *live) run(r *responder.Run) {
	if l.format == "json" {
		if err := l.printJSON(runLine(r)); err != nil {
			fmt.Fprintln(l.stderr, "responder:", err)
		}
		return
	}
	if l.heading(r.Finding) {
		l.tellChain(r, len(flowsFor(l.pipeline.definitions.Load(), r.Finding.Rule)) > 1)
	}
}

// met tells of a finding that came again.
func (l *live) met(f responder.Finding) {
	if l.format == "text" && l.heading(f) {
		l.tellNoRun(seenBefore)
	}
}

// heading tells of a finding; false if its event cannot be read.
func (l *live) heading(f responder.Finding) bool {
	event, err := responder.DecodeEvent(f.Event)
	if err != nil {
		fmt.Fprintln(l.stderr, "responder:", clean(err.Error()))
		return false
	}
	l.tellFinding(f, event, l.pipeline.definitions.Load().Rules.Accounts)
	return true
}
