// Package flood is a flood of events and what has to hold in it: every limit of a
// flow, to the unit, however many workers there are. Tests alone import it: each
// store lets it through itself.
package flood

import (
	"context"
	"fmt"
	"hash/fnv"
	"strings"
	"sync"
	"time"

	"github.com/skycrafters/responder"
)

// World is where a flood happens. Its clock is told: all of it happens within one
// hour, until somebody advances it.
type World struct {
	Events, Findings responder.Queue
	Runs             responder.RunStore
	Lister           responder.RunLister
	Counters         responder.Counters
	Halts            responder.Halts
	Clock            *Clock
}

// Clock is time as it is told. Safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock begins five minutes into an hour.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 3, 4, 10, 5, 0, 0, time.UTC)} }

// Now is the moment.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *Clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// deeds are what was done. Safe for concurrent use.
type deeds struct {
	mu      sync.Mutex
	touched map[string]map[string]bool // run → ARNs
	most    int                        // things of one call
	notices map[string]string          // key of the call → its text
	left    map[string]responder.Left  // text of the first → the others
	warned  map[string]int             // guard → how often it was warned that it stops repairs
	tries   map[string]int             // by key
}

func newDeeds() *deeds {
	return &deeds{touched: map[string]map[string]bool{}, notices: map[string]string{}, left: map[string]responder.Left{}, warned: map[string]int{}, tries: map[string]int{}}
}

// mend is a repair that looks first. Some attempts fail for now, and of some
// nobody hears that they acted.
type mend struct{ *deeds }

func (m mend) Spec() responder.Spec {
	return responder.Spec{Name: "Mend", Kind: responder.Repair, Doc: "Mends.", Params: []responder.Param{{Name: "ids", Type: responder.ListParam, Required: true}}}
}

func (m mend) Survey(_ context.Context, call responder.Call) (responder.Survey, error) {
	var s responder.Survey
	for _, arn := range arns(call) {
		s.Targets = append(s.Targets, responder.Target{ARN: arn, Account: call.Account, Region: call.Region})
	}
	return s, nil
}

func (m mend) Verify(_ context.Context, call responder.Call) (responder.Verdict, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, arn := range arns(call) {
		if !m.touched[runOf(call)][arn] {
			return responder.VerdictNotDone, nil
		}
	}
	return responder.VerdictDone, nil
}

func (m mend) Do(_ context.Context, call responder.Call) (responder.Result, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tries[call.Key]++
	luck := dice(call.Key)
	if m.tries[call.Key] == 1 && luck == 0 {
		return nil, &responder.Transient{Err: fmt.Errorf("busy")}
	}
	run := runOf(call)
	if m.touched[run] == nil {
		m.touched[run] = map[string]bool{}
	}
	for _, arn := range arns(call) {
		m.touched[run][arn] = true
	}
	m.most = max(m.most, len(arns(call)))
	if m.tries[call.Key] == 1 && luck == 1 {
		return nil, &responder.Unknown{Err: fmt.Errorf("no reply")}
	}
	return nil, nil
}

// tell is a notice. Some attempts fail for now.
type tell struct{ *deeds }

func (n tell) Spec() responder.Spec {
	return responder.Spec{Name: "Tell", Kind: responder.Notice, Doc: "Tells.", Params: []responder.Param{{Name: "message", Type: responder.MessageParam}}}
}

func (n tell) Do(_ context.Context, call responder.Call) (responder.Result, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tries[call.Key]++
	if n.tries[call.Key] == 1 && dice(call.Key) == 0 {
		return nil, &responder.Transient{Err: fmt.Errorf("busy")}
	}
	text := fmt.Sprint(call.Params["message"])
	if call.Left != nil && call.Left.Guard != "" {
		n.warned[call.Left.Guard]++
		return nil, nil
	}
	if call.Left != nil {
		n.left[text] = *call.Left
		return nil, nil
	}
	n.notices[call.Key] = text
	return nil, nil
}

// dice is 0 to 19, always the same for a key.
func dice(key string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(key))
	return h.Sum32() % 20
}

func runOf(call responder.Call) string {
	run, _, _ := strings.Cut(call.Key, "/")
	return run
}

func arns(call responder.Call) []string {
	var all []string
	ids, _ := call.Params["ids"].([]any)
	for _, id := range ids {
		all = append(all, fmt.Sprintf("arn:aws:ec2:%s:%s:instance/%v", call.Region, call.Account, id))
	}
	return all
}
