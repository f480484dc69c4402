package simulation

import (
	"fmt"
	"math"
	"time"
)

// kind is a kind of fault.
type kind string

// The kinds of fault.
const (
	crashBefore kind = "worker dies before a call takes effect"
	crashAfter  kind = "worker dies after a call took effect"
	frozen      kind = "call takes minutes"

	bellLost    kind = "wake lost"
	doubled     kind = "message doubled"
	late        kind = "message late"
	sendFailed  kind = "send fails"
	sendUnknown kind = "send's reply lost"
	ackLost     kind = "acknowledgement lost"
	findAgain   kind = "finding comes again"

	readFailed   kind = "read fails"
	writeFailed  kind = "write fails"
	writeUnknown kind = "write's reply lost"
	writeTwice   kind = "write made twice"
	staleIndex   kind = "index lags"
	sweepLost    kind = "sweep left out"

	slow        kind = "action slow"
	transient   kind = "action fails for now"
	retryAfter  kind = "action says when to try again"
	permanent   kind = "action fails for good"
	unsure      kind = "action does not know, and did not"
	unsureDid   kind = "action does not know, and did"
	lied        kind = "action says failed, and did"
	deaf        kind = "action does not return in time, and does it late"
	panicked    kind = "action panics"
	saysNo      kind = "check says no"
	lookFailed  kind = "look fails"
	skewed      kind = "clock of a worker is off"
	flowsEdited kind = "flows edited"
)

// plan is what a history is like: how often which fault strikes, and who works.
type plan struct {
	rates      map[kind]float64
	quiet      time.Time // from then on nothing strikes
	workers    int
	hands      int           // of each worker
	findings   int           //
	visibility time.Duration // of the queue
	lease      time.Duration
	deadline   time.Duration // of a batch; 0: none
}

// themes are what can go wrong together.
var themes = map[string][]kind{
	"workers":  {crashBefore, crashAfter, frozen},
	"messages": {bellLost, doubled, late, sendFailed, sendUnknown, ackLost, findAgain},
	"store":    {readFailed, writeFailed, writeUnknown, writeTwice, staleIndex, sweepLost},
	"actions":  {slow, transient, retryAfter, permanent, unsure, unsureDid, lied, deaf, panicked, saysNo, lookFailed},
	"clocks":   {skewed},
	"flows":    {flowsEdited},
}

// newPlan gives the plan of a seed. One history in eight has no faults; the
// others have some themes, rarely to often.
func newPlan(d dice, begin time.Time) plan {
	p := plan{
		rates:      map[kind]float64{},
		quiet:      begin.Add(d.span("quiet", time.Hour, 60*24*time.Hour)),
		workers:    one(d, "workers", 1, 1, 2, 2, 5),
		hands:      1 + d.upTo("hands", 3),
		findings:   1 + d.upTo("findings", 3),
		visibility: d.span("visibility", 20*time.Second, 15*time.Minute),
		lease:      one(d, "lease", 0, 0, 30*time.Second, 10*time.Minute),
		deadline:   one(d, "deadline", 0, 0, 30*time.Second, 5*time.Minute),
	}
	if d.chance("calm", .125) {
		return p
	}
	for theme, kinds := range themes {
		if !d.chance(theme, .6) {
			continue
		}
		for _, k := range kinds {
			if d.chance("without "+string(k), .4) {
				continue
			}
			p.rates[k] = .005 * math.Pow(30, d.roll("rate of "+string(k)))
		}
	}
	for _, always := range []kind{skewed, flowsEdited, findAgain} { // asked once or twice a history
		if p.rates[always] > 0 {
			p.rates[always] = .7
		}
	}
	return p
}

// strikes decides whether a fault strikes a call, and notes it if it does.
func (w *world) strikes(k kind, call string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.plan.rates[k] == 0 || !time.Now().Before(w.plan.quiet) || !w.chance(string(k)+call, w.plan.rates[k]) {
		return false
	}
	decision := fmt.Sprintf("%s: %s", call, k)
	if w.dropped[decision] {
		return false
	}
	w.struck = append(w.struck, decision)
	w.tally[k]++
	w.tell("FAULT %s", decision)
	return true
}

// nth numbers the calls of a name, so that each has one of its own.
func (w *world) nth(name string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls[name]++
	return fmt.Sprintf("%s #%d", name, w.calls[name])
}
