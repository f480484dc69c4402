package simulation

import (
	"fmt"
	"maps"
	"math"
	"strings"
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

	cancels    kind = "somebody cancels the run"
	interrupts kind = "somebody cancels the run just then"
	retries    kind = "somebody retries the run"
	runsAgain  kind = "somebody runs it again"
	askedTwice kind = "somebody asks twice"

	contradicts   kind = "somebody else answers, too"
	wrongPerson   kind = "somebody answers who is not asked"
	actorDecides  kind = "who caused the event answers"
	wrongDigest   kind = "somebody answers what is not asked"
	targetsChange kind = "what a repair would touch changes"
	denied        kind = "look is denied"
	haltsAll      kind = "somebody halts everything"
	haltsFlow     kind = "somebody halts a flow"
	flowOff       kind = "a flow is disabled for a while"
	undoes        kind = "somebody undoes a run"
	undoesStep    kind = "somebody undoes a step"
)

// plan is what a history is like: how often which fault strikes, and who works.
type plan struct {
	rates      map[kind]float64
	quiet      time.Time // from then on nothing strikes
	workers    int
	hands      int           // of each worker
	findings   int           //
	together   int           // runs, of each hand
	visibility time.Duration // of the queue
	lease      time.Duration
	deadline   time.Duration // of a batch; 0: none
}

// themes are what can go wrong together, and of how many calls at the most.
var themes = map[string]map[kind]float64{
	"workers":  {crashBefore: .1, crashAfter: .1, frozen: .1},
	"messages": {bellLost: .5, doubled: .3, late: .3, sendFailed: .2, sendUnknown: .2, ackLost: .3, findAgain: 1},
	"store":    {readFailed: .2, writeFailed: .2, writeUnknown: .2, writeTwice: .2, staleIndex: .5, sweepLost: .5},
	"actions":  {slow: .2, transient: .3, retryAfter: .3, permanent: .1, unsure: .3, unsureDid: .3, lied: .2, deaf: 1, panicked: .2, saysNo: .3},
	"looks":    {lookFailed: .7, unsure: .5, unsureDid: .5},
	"clocks":   {skewed: 1},
	"flows":    {flowsEdited: 1},
	"people":   {cancels: .5, interrupts: .05, retries: .7, runsAgain: .4, askedTwice: .5},
}

// guardThemes are what can go wrong besides where people are asked and guards stand
// around repairs.
var guardThemes = map[string]map[kind]float64{
	"answers": {contradicts: .5, wrongPerson: .5, actorDecides: .5, wrongDigest: .5},
	"targets": {targetsChange: 1, denied: .1},
	"halts":   {haltsAll: .7, haltsFlow: .7, flowOff: 1},
	"undos":   {undoes: .8, undoesStep: .5},
}

// themesOf are the themes of histories.
func themesOf(guarded bool) map[string]map[kind]float64 {
	all := maps.Clone(themes)
	if guarded {
		maps.Copy(all, guardThemes)
	}
	return all
}

// newPlan gives the plan of a seed. Few histories have no faults at all;
// the others have some themes, and their kinds of fault rarely or often.
func newPlan(d dice, begin time.Time, guarded bool) plan {
	p := plan{
		rates:      map[kind]float64{},
		quiet:      begin.Add(d.span("quiet", time.Hour, 60*24*time.Hour)),
		workers:    one(d, "workers", 1, 1, 2, 2, 5),
		hands:      1 + d.upTo("hands", 3),
		findings:   one(d, "findings", 1, 1, 1, 2, 2, 2, 3, 3, 4, 6),
		together:   one(d, "together", 1, 2, 8),
		visibility: d.span("visibility", 20*time.Second, 15*time.Minute),
		lease:      one(d, "lease", 0, 0, 30*time.Second, 10*time.Minute),
		deadline:   one(d, "deadline", 0, 0, 30*time.Second, 5*time.Minute),
	}
	if d.chance("calm", .06) {
		return p
	}
	for theme, kinds := range themesOf(guarded) {
		if !d.chance(theme, .6) {
			continue
		}
		for k, most := range kinds {
			if d.chance("with "+string(k), .6) {
				p.rates[k] = max(p.rates[k], most*math.Pow(.05, d.roll("rate of "+string(k))))
			}
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
	if k == crashBefore || k == crashAfter {
		await, _, _ := strings.Cut(call, " ")
		w.deaths[death{await, k}]++
	}
	w.tell("FAULT %s", decision)
	return true
}

// death is a place at which workers die: the first word of a call, before or
// after its effect.
type death struct {
	await string
	when  kind
}

// awaits are the places at which a worker waits for the world.
func awaits(guarded bool) []string {
	all := []string{"create", "get", "save", "send", "index", "ack", "release", "do", "look", "count"}
	if guarded {
		all = append(all, "survey", "admit", "halts", "halt")
	}
	return all
}

// nth numbers the calls of a name, so that each has one of its own.
func (w *world) nth(name string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls[name]++
	return fmt.Sprintf("%s #%d", name, w.calls[name])
}
