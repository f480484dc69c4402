package simulation

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skycrafters/responder"
	"github.com/skycrafters/responder/dispatch"
	"github.com/skycrafters/responder/internal/memory"
)

// world is one history: what the workers share, and what really happened.
type world struct {
	dice
	options
	plan   plan
	begin  time.Time
	flows  map[version]*dispatch.Flows
	due    map[string]*expected
	runs   *memory.Runs
	queue  *memory.Queue
	counts *memory.Counters
	halted *memory.Halts
	off    while // a flow is disabled then
	tokens atomic.Int64
	over   chan struct{}
	people sync.WaitGroup

	mu         sync.Mutex
	editedAt   time.Time // zero: not yet
	calls      map[string]int
	struck     []string
	tally      map[kind]int
	deaths     map[death]int
	told       []string
	violations []violation
	stirred    chan struct{} // closed, and replaced, when something has changed
	visible    []time.Time   // when messages may become visible
	stored     map[string]*record
	index      []indexed
	deeds      map[string]*deed // by key of the call
	latest     map[string]*deed // by run and step: of one that was begun anew, the last
	doubles    int              // effects that were had twice by those who ignore the key
	lateness   time.Duration    // of timers, the most
	past       map[string][]moment
	asking     int                 // people who are to ask for something, or wait for an answer
	requests   int                 // of people, that were made
	made       map[string]int      // new runs, by the request that made them
	windows    map[string]*window  // of cooldowns, by what findings have in common
	everLike   map[string][]string // runs whose findings were ever counted, likewise
	verdicts   map[string]verdict  // of the windows, by who asked and for which run
	sights     map[sight]int
	asked      map[string]responder.Approval // questions, by their digests
	answers    map[string]answer             // likewise
	surveys    map[string]survey             // by their names
	changes    map[string]time.Time          // when what a repair would touch changes; zero: never
	marks      map[mark]marking              // of attempts
	halting    []while
	ledgers    map[string]*ledger         // of limits, by key
	admitted   map[admission]time.Time    // when last
	refused    map[string][]string        // limits that were full, with their flows, by who asked
	touched    map[string]map[string]bool // by run: things that its repairs acted on
}

// options say how a history is lived.
type options struct {
	guarded  bool            // people are asked, and guards stand around repairs
	dropped  map[string]bool // decisions left out, to make a story shorter
	talks    bool            // whether the tale is kept
	sabotage sabotage        // what is broken on purpose
}

// expected is a run that there is to be: one a finding and flow.
type expected struct {
	name    string // in stories: flow and number of the finding
	finding responder.Finding
	flow    string
	sent    time.Time
	excused bool // its flow was disabled when its finding was handled
}

// record is what the store holds of a run, who wrote it, and when.
type record struct {
	run    *responder.Run
	tenure string
	holder string // the last worker that wrote it
	at     time.Time
}

// indexed is an entry of the index of due runs.
type indexed struct {
	at  time.Time
	id  string
	due time.Time
}

// violation is a promise that was not kept.
type violation struct{ promise, how string }

// result is what came of a history.
type result struct {
	violations []violation
	struck     []string
	tally      map[kind]int
	deaths     map[death]int
	told       []string
	states     map[responder.RunState]int
	effects    int
	doubles    int
	requests   int
	lateness   time.Duration
	span       time.Duration
	calm       bool
	guarded    bool
	seen       map[sight]int
}

// live lets a history happen. It is to be called in a bubble of its own.
func live(seed uint64, o options) (result, error) {
	w := &world{
		dice: dice(seed), options: o, begin: time.Now(),
		due: map[string]*expected{}, runs: &memory.Runs{}, counts: memory.NewCounters(time.Now), over: make(chan struct{}),
		past: map[string][]moment{}, made: map[string]int{}, windows: map[string]*window{}, everLike: map[string][]string{}, verdicts: map[string]verdict{},
		calls: map[string]int{}, tally: map[kind]int{}, deaths: map[death]int{}, stirred: make(chan struct{}),
		stored: map[string]*record{}, deeds: map[string]*deed{}, latest: map[string]*deed{},
		flows: map[version]*dispatch.Flows{}, halted: &memory.Halts{}, sights: map[sight]int{}, asked: map[string]responder.Approval{}, answers: map[string]answer{},
		surveys: map[string]survey{}, changes: map[string]time.Time{}, marks: map[mark]marking{}, ledgers: map[string]*ledger{},
		admitted: map[admission]time.Time{}, refused: map[string][]string{}, touched: map[string]map[string]bool{},
	}
	w.plan = newPlan(w.dice, w.begin, o.guarded)
	w.queue = memory.NewQueue("findings", time.Now, memory.QueueOptions{Visibility: w.plan.visibility})
	edited := w.strikes(flowsEdited, "deploy")
	if w.guarded {
		w.halt()
	}
	if err := w.load(edited); err != nil {
		return result{}, err
	}
	var workers, senders sync.WaitGroup
	for n := range w.plan.workers {
		if n > 0 && w.dropped[decisionWorker(n)] {
			continue
		}
		if n > 0 {
			w.struck = append(w.struck, decisionWorker(n))
		}
		name := fmt.Sprintf("w%d", n)
		skew := w.skew(name)
		workers.Go(func() { w.work(name, skew) })
	}
	for n := range w.plan.findings {
		if n > 0 && w.dropped[decisionFinding(n)] {
			continue
		}
		finding := w.finding(n)
		if n > 0 {
			w.struck = append(w.struck, decisionFinding(n))
		}
		senders.Go(func() { w.send(n, finding) })
		w.visit(finding)
	}
	if edited {
		senders.Go(func() { w.deploy() })
	}
	for w.settle() {
		senders.Wait()
		time.Sleep(w.plan.visibility + responder.MaxDelay + 10*time.Minute) // for what is still on the queue, or on its way to the store
		if at, asking, _ := w.overdue(); at.IsZero() && !asking {
			break
		}
	}
	close(w.over)
	senders.Wait()
	workers.Wait()
	w.people.Wait()
	time.Sleep(time.Hour) // for what no worker waits for any more
	w.judgeEnd()
	return w.result(), nil
}

func decisionWorker(n int) string  { return fmt.Sprintf("there is a worker w%d", n) }
func decisionFinding(n int) string { return fmt.Sprintf("there is a finding %d", n) }

// finding gives a finding, and notes which runs it is to have.
func (w *world) finding(n int) responder.Finding {
	name := fmt.Sprintf("finding %d", n)
	f := responder.Finding{
		Rule: rule, Title: name, Severity: one(w.dice, name+" severity", responder.Low, responder.High),
		Resources: []string{fmt.Sprintf("i-%d", n)}, Number: n % 2, Key: fmt.Sprintf("111122223333/e-%d", n/2),
		Check:     &responder.Binding{Action: "Ask", Params: map[string]any{"what": "check of " + name}},
		Remediate: &responder.Binding{Action: one(w.dice, name+" remedy", "Mend", "Break"), Params: map[string]any{"what": "remedy of " + name}},
	}
	if w.guarded && w.chance(name+" can be undone", .5) {
		f.Remediate.Action = "Mend"
	}
	happened := w.begin.Add(-w.span(name+" age", time.Minute, 100*time.Hour))
	by := ""
	if w.guarded {
		by = actor
	}
	f.Event = fmt.Appendf(nil, `{"id":"e-%d","source":"aws.iam","account":"111122223333","time":%q,"detail":{%s"eventID":"e-%d"}}`, n, happened.Format(time.RFC3339), by, n)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, flow := range flowNames(w.dice) {
		if flow == "b" && f.Severity < responder.High {
			continue
		}
		w.due[f.RunID(flow)] = &expected{name: fmt.Sprintf("%s%d", flow, n), finding: f, flow: flow, sent: w.sent(n)}
	}
	return f
}

// visit lets people come to the runs that a finding is to have.
func (w *world) visit(f responder.Finding) {
	for _, flow := range flowNames(w.dice) {
		w.mu.Lock()
		e := w.due[f.RunID(flow)]
		w.mu.Unlock()
		if e != nil {
			w.bother(f.RunID(flow), e)
		}
	}
}

// sent is when a finding is sent first.
func (w *world) sent(n int) time.Time {
	return w.begin.Add(w.span(fmt.Sprintf("finding %d comes", n), time.Millisecond, 10*time.Minute))
}

// send sends a finding, perhaps again while its runs are under way or have long ended.
func (w *world) send(n int, finding responder.Finding) {
	name := fmt.Sprintf("finding %d", n)
	body, err := responder.Bell{Finding: &finding}.Encode()
	if err != nil {
		w.violate("simulation", "%v", err)
		return
	}
	put := func(after time.Duration) {
		time.Sleep(after)
		if err := w.put(responder.Message{Body: body}); err != nil {
			w.violate("simulation", "%v", err)
		}
	}
	put(time.Until(w.sent(n)))
	for i := range 2 {
		if again := fmt.Sprintf("%s copy %d", name, i); w.strikes(findAgain, again) {
			put(w.span(again+" comes", time.Millisecond, 10*24*time.Hour))
		}
	}
}

// patience is how long a run may be overdue, whatever goes wrong.
const patience = 12 * time.Hour

// maxVersions is how often a run may be written.
const maxVersions = 1000

// settle waits until every run has ended, and nobody asks for anything any more.
// It gives up where a run is overdue.
func (w *world) settle() bool {
	for {
		overdue, asking, stirred := w.overdue()
		if overdue.IsZero() && !asking {
			return true
		}
		if overdue.IsZero() {
			<-stirred
			continue
		}
		timer := time.NewTimer(time.Until(overdue))
		select {
		case <-stirred:
			timer.Stop()
			continue
		case <-timer.C:
		}
		w.judgeUnended()
		return false
	}
}

// overdue gives the nearest moment at which a run has rested for too long; zero:
// all have ended.
func (w *world) overdue() (next time.Time, asking bool, stirred <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.due {
		if at := w.overdueAt(id); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next, w.asking > 0, w.stirred
}

// overdueAt is the moment at which a run has rested for too long; zero: it has ended.
func (w *world) overdueAt(id string) time.Time {
	r := w.stored[id]
	switch {
	case r == nil && w.due[id].excused:
		return time.Time{}
	case r == nil:
		return w.due[id].sent.Add(patience)
	case r.run.State.Ended():
		return time.Time{}
	case r.run.Version > maxVersions:
		return w.begin
	}
	return later(r.at, r.run.Due).Add(patience)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// put puts a message on the queue.
func (w *world) put(m responder.Message) error {
	if err := w.queue.Send(context.Background(), m); err != nil {
		return err
	}
	w.appears(time.Now().Add(m.Delay))
	return nil
}

// appears notes that a message may become visible at a moment.
func (w *world) appears(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.visible = append(w.visible, at)
	w.stir()
}

// stir wakes whoever waits for something to change. The caller holds mu.
func (w *world) stir() {
	close(w.stirred)
	w.stirred = make(chan struct{})
}

// tell adds to the tale. The caller holds mu.
func (w *world) tell(format string, args ...any) {
	if w.talks {
		w.told = append(w.told, fmt.Sprintf("%12v  ", time.Since(w.begin).Round(time.Millisecond))+fmt.Sprintf(format, args...))
	}
}

// violate notes a promise that was not kept. The caller does not hold mu.
func (w *world) violate(promise, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken(promise, format, args...)
}

// broken is violate for who holds mu.
func (w *world) broken(promise, format string, args ...any) {
	v := violation{promise, fmt.Sprintf(format, args...)}
	w.violations = append(w.violations, v)
	w.tell("BROKEN %s: %s", v.promise, v.how)
}

// nameOf is what stories call a run.
func (w *world) nameOf(id string) string {
	if e := w.due[id]; e != nil {
		return e.name
	}
	if e := w.due[first(id)]; e != nil {
		return e.name + strings.TrimPrefix(id, first(id))
	}
	return id
}

func (w *world) result() result {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := result{
		violations: w.violations, struck: w.struck, tally: w.tally, deaths: w.deaths, told: w.told,
		states: map[responder.RunState]int{}, doubles: w.doubles, requests: w.requests, lateness: w.lateness,
		span: time.Since(w.begin), calm: len(w.tally) == 0,
		guarded: w.guarded, seen: w.sights,
	}
	for _, s := range w.stored {
		r.states[s.run.State]++
	}
	for _, d := range w.deeds {
		r.effects += d.effects
	}
	return r
}
