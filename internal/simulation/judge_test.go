package simulation

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// judgeWrite looks at what a write made of a run. The caller holds mu.
func (w *world) judgeWrite(after *responder.Run, by writing) {
	name := w.nameOf(after.ID)
	broken := func(promise, format string, args ...any) {
		w.broken(promise, "run %s version %d, by %s: "+format, append([]any{name, after.Version, by.tenure}, args...)...)
	}
	before, from := w.stored[after.ID], responder.RunState("")
	if before == nil {
		if !w.judgeCreation(after, by, broken) {
			return
		}
		before = &record{run: &responder.Run{ID: after.ID, Flow: after.Flow, Finding: after.Finding, Mode: after.Mode, Created: after.Created, Deadline: after.Deadline, Suppressed: after.Suppressed, State: responder.RunRunning}}
	} else {
		from = before.run.State
	}
	if by.version == before.run.Version-1 { // nothing was written: this very write was there already
		if before.tenure != by.tenure || before.run.Token != after.Token {
			broken("a stale writer is refused", "it was told that its write is made, but %s made it", before.tenure)
		}
		return
	}
	if by.version != before.run.Version || after.Version != by.version+1 {
		broken("a stale writer is refused", "it wrote over version %d, which it had not read", before.run.Version)
	}
	holder := before.holder
	if by.request == nil {
		if holder != by.tenure && before.run.Lease.After(by.clock) {
			broken("one lease a run", "held by %s until %v, and it is %v", holder, before.run.Lease, by.clock)
		}
		if holder != by.tenure && w.tally[skewed] == 0 {
			w.judgeTakeover(before, broken)
		}
		holder = by.tenure
	}
	judgeMove(from, after.State, by, broken)
	judgeAudit(before.run, after, by, broken)
	w.judgeRun(before.run, after, by, broken)
	m := newModel(after, broken)
	w.judgeSteps(before.run, m, by, broken)
	switch {
	case from == responder.RunCancelled && by.request == nil:
		judgeLanded(before.run, after, broken)
	case after.State == responder.RunCancelled:
		judgeCancelled(before.run, after, broken)
	case by.request != nil && by.request.what == responder.DeedRetry:
		judgeRetried(before.run, after, m, broken)
	}
	m.judge(by)
	if m.timedOut() && (after.Deadline.IsZero() || by.clock.Before(after.Deadline)) {
		broken("timers are never early", "its time is over at %v, and it is %v", after.Deadline, by.clock)
	}
	w.stored[after.ID] = &record{run: after, tenure: by.tenure, holder: holder, at: time.Now()}
	w.past[after.ID] = append(w.past[after.ID], moment{time.Now(), after.State})
	if w.talks {
		w.tell("%s v%d by %s: %s", name, after.Version, by.tenure, outline(before.run, after))
	}
}

// judgeTakeover: where clocks agree, a lease outlasts the attempts it is taken for.
func (w *world) judgeTakeover(before *record, broken func(string, string, ...any)) {
	for path := range before.run.Steps {
		d := w.deeds[before.run.ID+"/"+path]
		if d == nil {
			continue
		}
		for _, t := range d.tries {
			if t.flying && t.tenure == before.holder {
				broken("a lease outlasts what it is for", "step %s is being tried by %s", path, t.tenure)
			}
		}
	}
}

// judgeRun looks at the run as a whole.
func (w *world) judgeRun(before, after *responder.Run, by writing, broken func(string, string, ...any)) {
	retry := by.request != nil && by.request.what == responder.DeedRetry
	adopted := unadopted(before) && by.request == nil
	if before.Flow.Digest != after.Flow.Digest && !adopted || before.Flow.Name != after.Flow.Name || before.Finding.RunID("") != after.Finding.RunID("") ||
		before.Mode != after.Mode || !before.Created.Equal(after.Created) || !before.Deadline.Equal(after.Deadline) && !adopted && !retry {
		broken("a run keeps the steps it began with", "its flow, finding, mode, creation or deadline has changed")
	}
	if before.Suppressed != after.Suppressed {
		broken("counts add up", "it was number %d of what is suppressed, and is number %d", before.Suppressed, after.Suppressed)
	}
	if before.Resumed > after.Resumed && !retry {
		broken("what was done stays known", "it was taken up %d times, and now %d", before.Resumed, after.Resumed)
	}
	switch after.State {
	case responder.RunCancelled:
	case responder.RunSucceeded, responder.RunStopped, responder.RunFailed, responder.RunSuppressed:
		if !after.Due.IsZero() || !after.Lease.IsZero() {
			broken("an end is an end", "due %v, leased until %v", after.Due, after.Lease)
		}
		if after.State == responder.RunFailed && after.Cause == "" {
			broken("a failed run says its cause", "it has none")
		}
	case responder.RunRunning, responder.RunWaiting:
		if after.Due.IsZero() {
			broken("nothing is running for ever", "%s, and due never", after.State)
		}
		if after.State == responder.RunWaiting && !after.Lease.IsZero() {
			broken("waiting gives the lease back", "leased until %v", after.Lease)
		}
		if !after.Lease.IsZero() && after.Due.After(after.Lease) {
			broken("nothing is running for ever", "due %v, after the end of its lease %v", after.Due, after.Lease)
		}
	default:
		broken("nothing is given up", "it is %s: %s", after.State, after.Cause)
	}
}

// judgeSteps looks at each step that was or is.
func (w *world) judgeSteps(before *responder.Run, m *model, by writing, broken func(string, string, ...any)) {
	after := m.run
	for path := range before.Steps {
		if after.Steps[path] == nil && (by.request == nil || by.request.what != responder.DeedRetry) {
			broken("what was done stays known", "step %s is forgotten", path)
		}
	}
	was := newModel(before, broken)
	for path, step := range m.steps {
		state := after.Steps[path]
		if state == nil {
			continue
		}
		c := stepChange{
			world: w, path: path, step: step, was: before.Steps[path], is: state, by: by,
			before: before, run: after, deed: w.deeds[after.ID+"/"+path],
			broken: func(promise, format string, args ...any) {
				broken(promise, "step "+path+": "+format, args...)
			},
		}
		if c.was == nil {
			c.was = &responder.StepState{State: responder.StepRunning, Action: state.Action, Kind: state.Kind, Branch: state.Branch, Params: state.Params}
			c.fresh = true
			if was.enough(path) {
				c.broken("one branch is enough", "it has begun though another branch had ended well")
			}
		}
		if c.deed == nil {
			c.deed = &deed{}
		}
		c.judge()
	}
}

// stepChange is a step before and after a write.
type stepChange struct {
	*world
	path    string
	step    *responder.Step
	was, is *responder.StepState
	fresh   bool // it has begun with this write
	by      writing
	before  *responder.Run
	run     *responder.Run
	deed    *deed
	broken  func(promise, format string, args ...any)
}

// unadopted reports whether a run is yet to get the steps of its flow.
func unadopted(run *responder.Run) bool { return run.Flow.Digest == "" && len(run.Flow.Steps) == 0 }

// lands reports whether the step was at an attempt when its run was cancelled,
// and its worker writes what came of it.
func (c *stepChange) lands() bool {
	return c.by.request == nil && c.before.State == responder.RunCancelled && c.was.State == responder.StepCancelled && inAir(c.was)
}

// moves reports whether this write may have brought the step to its end.
func (c *stepChange) moves() bool { return !over(c.was.State) || c.lands() }

func (c *stepChange) judge() {
	if c.was.Action != c.is.Action || c.was.Kind != c.is.Kind || c.was.Branch != c.is.Branch || !reflect.DeepEqual(c.was.Params, c.is.Params) {
		c.broken("what resolves once, resolves once", "action, branch or parameters have changed")
	}
	if retry := c.by.request != nil && c.by.request.what == responder.DeedRetry; !c.moves() && !retry && !reflect.DeepEqual(c.was, c.is) {
		c.broken("what has ended stays so", "it was %s, and is %s", c.was.State, c.is.State)
	}
	if c.step.Kind == responder.StepWait {
		c.judgeWait()
	}
	c.judgeAttempts()
	if n := len(c.was.Attempts); n < len(c.is.Attempts) && !c.run.Deadline.IsZero() && !c.is.Attempts[n].Began.Before(c.run.Deadline) {
		c.broken("nothing is tried when the run's time is over", "attempt %d began at %v, the time was over at %v", n+1, c.is.Attempts[n].Began, c.run.Deadline)
	}
	if c.is.State == responder.StepFailed && c.moves() && c.is.Action != "" {
		c.judgeFailure()
	}
	if c.is.State == responder.StepSucceeded && c.moves() && c.is.Action != "" && !c.is.Dry && c.deed.effects == 0 {
		c.broken("what is said to be done is done", "it succeeded, and nothing was done")
	}
}

func over(s responder.StepStatus) bool {
	return s != responder.StepRunning && s != responder.StepWaiting
}

// judgeWait: timers are never early by the clock of who fires them.
func (c *stepChange) judgeWait() {
	if c.fresh && c.is.State == responder.StepWaiting {
		c.judgeDue()
	}
	if over(c.was.State) || c.is.State != responder.StepSucceeded {
		return
	}
	if c.fresh || c.by.clock.Before(c.was.Due) {
		c.broken("timers are never early", "due %v, and it is %v", c.was.Due, c.by.clock)
	}
	c.lateness = max(c.lateness, c.by.clock.Sub(c.was.Due))
}

// judgeDue: a wait is as long as the flow says.
func (c *stepChange) judgeDue() {
	u := c.step.Until
	if u == nil {
		if c.is.Due.Before(c.by.clock.Add(c.step.Wait-storeTimeout)) || c.is.Due.After(c.by.clock.Add(c.step.Wait)) {
			c.broken("waits are as long as the flow says", "due %v, after a wait of %v from %v on", c.is.Due, c.step.Wait, c.by.clock)
		}
		return
	}
	zone, err := time.LoadLocation(u.Zone)
	if err != nil {
		c.broken("simulation", "%v", err)
		return
	}
	due := c.is.Due.In(zone)
	day := strings.ToLower(due.Format("Mon"))
	if due.Before(c.by.clock.Add(-storeTimeout)) || due.After(c.by.clock.Add(8*24*time.Hour)) ||
		due.Format("15:04:05") != u.Clock+":00" && !jumps(due) || !slices.Contains(u.Days, day) {
		c.broken("waits are as long as the flow says", "due %v, for %s from %v on", due, u, c.by.clock)
	}
}

// jumps reports whether clocks are set forward at a moment.
func jumps(t time.Time) bool {
	_, before := t.Add(-time.Second).Zone()
	_, after := t.Zone()
	return after > before
}

// judgeAttempts looks at what has come to a step's attempts.
func (c *stepChange) judgeAttempts() {
	if len(c.is.Attempts) < len(c.was.Attempts) {
		c.broken("what was done stays known", "it has fewer attempts than before")
		return
	}
	for i, a := range c.is.Attempts {
		if a.Lost && (i >= len(c.was.Attempts) || !c.was.Attempts[i].Lost) {
			c.judgeLoss(a)
		}
		if !a.Ended.IsZero() && a.Error == "" && (i >= len(c.was.Attempts) || c.was.Attempts[i].Ended.IsZero()) {
			c.judgeLanding(a)
		}
		if a.Ended.IsZero() && (i < len(c.is.Attempts)-1 || over(c.is.State) && c.run.State != responder.RunCancelled || c.run.State == responder.RunWaiting) {
			c.broken("one attempt at a time", "attempt %d has no end", i+1)
		}
		if i < len(c.was.Attempts) {
			was := c.was.Attempts[i]
			if !was.Began.Equal(a.Began) || was.Verify != a.Verify || !was.Ended.IsZero() && (!was.Ended.Equal(a.Ended) || was.Error != a.Error || a.Unknown && !was.Unknown) {
				c.broken("what was done stays known", "attempt %d has changed", i+1)
			}
			continue
		}
		if c.was.State == responder.StepWaiting && a.Began.Before(c.was.Due) {
			c.broken("timers are never early", "attempt %d began at %v, due %v", i+1, a.Began, c.was.Due)
		}
		if !a.Verify {
			c.judgeNewTry(i)
		} else if n := c.count(c.is.Attempts[c.is.Retried:i]); n.looks >= c.limit() || n.lost > c.mostLost() {
			c.broken("retries are bounded", "look %d since the last try, of at most %d, and %d attempts lost", n.looks+1, c.limit(), n.lost)
		}
	}
	if c.is.State == responder.StepWaiting && c.was.State != responder.StepWaiting && len(c.is.Attempts) > 0 {
		c.judgePause()
	}
}

// judgeLoss: an attempt is lost where nobody heard how it ended.
func (c *stepChange) judgeLoss(a responder.Attempt) {
	t, l := c.deed.try(a.Began), c.deed.look(a.Began)
	if t != nil && t.tenure == c.by.tenure && slices.Contains([]saying{saidDone, saidNo, saidPermanent}, t.said) || l != nil && l.tenure == c.by.tenure && l.said != responder.VerdictUnknown {
		c.broken("what was answered counts", "an attempt that was answered is called lost")
	}
}

// judgeLanding: what was answered counts.
func (c *stepChange) judgeLanding(a responder.Attempt) {
	t, l := c.deed.try(a.Began), c.deed.look(a.Began)
	var want responder.StepStatus
	switch {
	case !a.Verify && t != nil && t.said == saidDone, a.Verify && l != nil && l.said == responder.VerdictDone:
		want = responder.StepSucceeded
	case !a.Verify && t != nil && t.said == saidNo:
		want = responder.StepStopped
	case a.Verify && l != nil && l.said == responder.VerdictNotDone:
		return // judgeNewTry and judgeFailure see what follows
	default:
		c.broken("what was answered counts", "an attempt ended well, and nobody said so")
		return
	}
	if c.is.State != want {
		c.broken("what was answered counts", "it is %s, though the action said that it is %s", c.is.State, want)
	}
}

// judgeNewTry: a repair is not tried again while nobody knows whether it was done.
func (c *stepChange) judgeNewTry(i int) {
	tries, looked := 0, false
	for _, a := range c.is.Attempts[:i] {
		if !a.Verify {
			tries++
			t := c.deed.try(a.Began)
			looked = t != nil && (t.said == saidTransient || t.said == saidPermanent) && !a.Lost
			continue
		}
		if l := c.deed.look(a.Began); l != nil && l.said == responder.VerdictNotDone {
			looked = true
		}
	}
	if tries > 0 && c.is.Kind == responder.Repair && !looked {
		c.broken("a repair of unknown outcome is verified before it is tried again", "attempt %d", i+1)
	}
	if n := c.count(c.is.Attempts[c.is.Retried:i]); n.tries >= c.limit() || n.lost >= c.mostLost() {
		c.broken("retries are bounded", "attempt %d, after %d tries of at most %d, and %d lost of at most %d", i+1, n.tries, c.limit(), n.lost, c.mostLost())
	}
}

// judgePause: what waits before another attempt waits as long as the other side
// asked, and no longer than the flow says.
func (c *stepChange) judgePause() {
	last := c.is.Attempts[len(c.is.Attempts)-1]
	pause := c.is.Due.Sub(last.Ended)
	var asked time.Duration
	if t := c.deed.try(last.Began); t != nil && !last.Lost {
		asked = min(t.after, time.Hour)
	}
	limit := 5 * time.Minute
	if c.step.Retry != nil && c.step.Retry.Cap > 0 {
		limit = max(c.step.Retry.Cap, c.step.Retry.Backoff)
	}
	if pause < asked || pause > max(asked, limit) {
		c.broken("retries honour Retry-After and the flow", "a pause of %v; asked for were %v, the cap is %v", pause, asked, limit)
	}
}

// judgeFailure: a step fails for a reason that really was.
func (c *stepChange) judgeFailure() {
	n := c.count(c.is.Attempts[c.is.Retried:])
	switch {
	case n.last != nil && n.last.said == saidPermanent:
	case n.lost >= c.mostLost() && (n.lastLost || c.is.Kind == responder.Repair):
	case n.tries >= c.limit() && !n.lastLost:
	case n.looks >= c.limit():
	default:
		c.broken("a step fails for a reason", "after %d tries and %d looks, of at most %d, and %d lost, of at most %d: %s", n.tries, n.looks, c.limit(), n.lost, c.mostLost(), c.is.Error)
	}
}

// counted is what there was of a step's attempts.
type counted struct {
	tries, lost int
	looks       int // since the last try
	last        *try
	lastLost    bool
}

// count counts attempts that have ended. One that was lost is no try and no look.
func (c *stepChange) count(attempts []responder.Attempt) counted {
	var n counted
	for _, a := range attempts {
		if a.Lost {
			n.lost++
		}
		switch {
		case a.Verify && !a.Lost:
			n.looks++
		case !a.Verify:
			n.looks, n.last, n.lastLost = 0, c.deed.try(a.Began), a.Lost
			if !a.Lost {
				n.tries++
			}
		}
	}
	return n
}

// mostLost is how many attempts of a step may be lost before it is given up.
func (c *stepChange) mostLost() int { return max(c.limit(), 10) }

// limit is how many tries a step has.
func (c *stepChange) limit() int {
	switch {
	case c.step.Retry != nil && c.step.Retry.Attempts > 0:
		return c.step.Retry.Attempts
	case c.is.Kind == responder.Repair:
		return 5
	}
	return 3
}

// try finds the call that an attempt made, nil if its worker did not come to it.
func (d *deed) try(began time.Time) *try {
	for _, t := range d.tries {
		if t.at.Equal(began) {
			return t
		}
	}
	return nil
}

func (d *deed) look(began time.Time) *look {
	for _, l := range d.looks {
		if l.at.Equal(began) {
			return l
		}
	}
	return nil
}

// judgeTry looks at a call of an action before it is made, and notes it.
func (w *world) judgeTry(a action, tenure string, call responder.Call, what string) (*deed, *try) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.deedOf(call.Key)
	d.kind = a.kind
	t := &try{at: call.Now, tenure: tenure, flying: true, said: saidNothing}
	d.tries = append(d.tries, t)
	run, path, state := w.step(call.Key)
	step := w.stepName(call.Key)
	if state == nil {
		w.broken("nothing is done before it is stored that it is", "%s was done, and its run does not know of it", step)
		return d, t
	}
	if holder := w.stored[run.ID].holder; holder != tenure && w.tally[skewed] == 0 {
		w.broken("one lease a run", "%s was done by %s, while %s holds the run", step, tenure, holder)
	}
	if run.State == responder.RunCancelled && !slices.ContainsFunc(state.Attempts, func(m responder.Attempt) bool { return m.Ended.IsZero() && m.Began.Equal(call.Now) }) {
		w.broken("cancelled is cancelled", "%s was done, and was not in the air when its run was cancelled", step)
	}
	judgeHush(run, step, a.kind, w.broken)
	marks := 0
	for _, m := range state.Attempts {
		if !m.Verify {
			marks++
		}
	}
	if len(d.tries) > marks {
		w.broken("nothing is done before it is stored that it is", "%s was tried %d times, and its run knows of %d", step, len(d.tries), marks)
	}
	if want := w.whatOf(run, path, state); what != want {
		w.broken("actions get what the flow says", "%s was given %q, not %q", step, what, want)
	}
	if call.Prefix == "" && a.kind == responder.Notice && w.followsDry(run, path) {
		w.broken("a dry run is called one", "%s does not say so", step)
	}
	if a.kind == responder.Repair {
		w.judgeArmed(run, step)
	}
	return d, t
}

// judgeArmed: repairs are dry until a flow arms them, and for old events.
func (w *world) judgeArmed(run *responder.Run, step string) {
	event, err := responder.DecodeEvent(run.Finding.Event)
	if err != nil {
		w.broken("simulation", "%v", err)
		return
	}
	happened, _ := event.Time()
	flow, _ := w.flows[0].Get(run.Flow.Name)
	switch {
	case run.Flow.Repairs != responder.RepairsLive || flow.Repairs != responder.RepairsLive:
		w.broken("repairs stay dry until a flow arms them", "%s was done", step)
	case !w.editedAt.IsZero() && w.editedAt.Before(time.Now().Add(-storeTimeout)):
		w.broken("guards are read at the moment of acting", "%s was done, the flow is dry since %v", step, w.editedAt)
	case run.Created.Sub(happened) > 24*time.Hour:
		w.broken("repairs stay dry for old events", "%s was done for an event of %v", step, happened)
	}
}

// storeTimeout is how long the engine waits for a write, and so how long lies
// between the moment in which it reads its guards and that in which it acts.
const storeTimeout = 10*time.Second + 200*time.Millisecond

func (w *world) judgeLook(call responder.Call, tenure string) (*deed, *look) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.deedOf(call.Key)
	l := &look{at: call.Now, tenure: tenure}
	d.looks = append(d.looks, l)
	if len(d.tries) == 0 && !w.marked(call.Key) {
		w.broken("only what was tried is looked at", "%s", w.stepName(call.Key))
	}
	return d, l
}

func (w *world) marked(key string) bool {
	_, _, state := w.step(key)
	return state != nil && len(state.Attempts) > 1
}

func (w *world) deedOf(key string) *deed {
	d := w.deeds[key]
	if d == nil {
		d = &deed{}
		w.deeds[key] = d
	}
	return d
}

// step finds what the store has of the step that a call's key names.
func (w *world) step(key string) (*responder.Run, string, *responder.StepState) {
	id, path, _ := strings.Cut(key, "/")
	r := w.stored[id]
	if r == nil {
		return nil, path, nil
	}
	return r.run, path, r.run.Steps[path]
}

// whatOf is what an action is to be given, as the flow or the finding says it.
func (w *world) whatOf(run *responder.Run, path string, state *responder.StepState) string {
	step := newModel(run, w.broken).steps[path]
	switch step.Kind {
	case responder.StepCheck:
		return run.Finding.Check.Params["what"].(string)
	case responder.StepRemediate:
		return run.Finding.Remediate.Params["what"].(string)
	}
	what, _ := step.Params["what"].(string)
	return strings.ReplaceAll(what, "{{ resources[0] }}", run.Finding.Resources[0])
}

// followsDry reports whether a step comes after a repair that was only written down.
func (w *world) followsDry(run *responder.Run, path string) bool {
	m := newModel(run, w.broken)
	for earlier, s := range run.Steps {
		if s.Dry && s.Kind == responder.Repair && m.follows(path, earlier) {
			return true
		}
	}
	return false
}

// judgeHandled: a finding that is acknowledged has its runs.
func (w *world) judgeHandled(d responder.Delivery) {
	bell, err := responder.DecodeBell(d.Body)
	if err != nil || bell.Finding == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, flow := range flowNames(w.dice) {
		id := bell.Finding.RunID(flow)
		if w.due[id] != nil && w.stored[id] == nil {
			w.broken("what is acknowledged is durable", "%s is, and has no run of flow %s", bell.Finding.Title, flow)
		}
	}
}

// judgeReturn: Handle returns before its time is over, so that the front can
// still say what is to come again. It may wait for a store that does not answer.
func (w *world) judgeReturn(ctx context.Context, tenure string) {
	deadline, ok := ctx.Deadline()
	w.mu.Lock()
	defer w.mu.Unlock()
	if late := time.Since(deadline); ok && late > 0 && w.tally[frozen] == 0 {
		w.broken("a batch ends before its deadline", "%s came back %v after it", tenure, late)
	}
}

// judgeUnended tells of runs that did not end in time.
func (w *world) judgeUnended() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, e := range w.due {
		at := w.overdueAt(id)
		if at.IsZero() || at.After(time.Now()) {
			continue
		}
		if r := w.stored[id]; r == nil {
			w.broken("every finding has its run", "%s has none", e.name)
		} else {
			w.broken("nothing is running for ever", "%s is still %s, due %v, version %d", e.name, r.run.State, r.run.Due, r.run.Version)
		}
	}
}

// judgeEnd looks at what the history left.
func (w *world) judgeEnd() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, d := range w.deeds {
		if d.kind == responder.Repair && d.effects > 1 && !d.doubted && w.tally[skewed] == 0 && w.tally[frozen] == 0 {
			w.broken("a repair of unknown outcome is verified before it is tried again", "%s was done %d times", w.stepName(key), d.effects)
		}
	}
	for _, r := range w.stored {
		if digest, err := responder.Digest(r.run.Flow.Steps); !unadopted(r.run) && (err != nil || digest != r.run.Flow.Digest) {
			w.broken("a run keeps the steps it began with", "%s: digest %s, %v", w.nameOf(r.run.ID), digest, err)
		}
	}
	for id, e := range w.due {
		if r := w.stored[id]; len(w.tally) == 0 && (r == nil || r.run.State != responder.RunSucceeded && r.run.State != responder.RunSuppressed && r.run.Deadline.IsZero()) {
			w.broken("where nothing fails, flows succeed", "%s did not", e.name)
		}
	}
	for id, r := range w.stored {
		if !r.run.State.Ended() {
			w.broken("nothing is running for ever", "%s was left %s", w.nameOf(id), r.run.State)
		}
		if r.run.State == responder.RunCancelled && !r.run.Lease.IsZero() && w.undisturbed() {
			w.broken("what was answered counts", "%s was cancelled, and what was in the air is not recorded", w.nameOf(id))
		}
	}
	if len(w.tally) == 0 && w.lateness > lateBound {
		w.broken("timers are late by a bound at most", "%v", w.lateness)
	}
}

// lateBound is how late a timer may be where nothing goes wrong.
const lateBound = 2 * time.Minute
