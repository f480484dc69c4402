package simulation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// catalogue gives the actions as one life of a worker has them; for nil, to
// load flows with. Guarded repairs look at what they would touch.
func catalogue(l *life, guarded bool) responder.Catalogue {
	c := responder.Catalogue{}
	if guarded {
		defer func() {
			for _, name := range []string{"Mend", "Break"} {
				c[name] = surveyor{c[name].(action)}
			}
			c["Unmend"] = surveyor{action{life: l, name: "Unmend", kind: responder.Repair, honours: true}}
		}()
	}
	for _, a := range []action{
		{name: "Tell", kind: responder.Notice, honours: true},
		{name: "Shout", kind: responder.Notice},
		{name: "Ask", kind: responder.Check},
		{name: "Mend", kind: responder.Repair, honours: true},
		{name: "Break", kind: responder.Repair},
	} {
		a.life = l
		c[a.name] = a
	}
	return c
}

// action is one whose other side does, and says, what the dice say.
type action struct {
	*life
	name    string
	kind    responder.Kind
	honours bool // the other side does a thing once for each key
}

var _ responder.Verifier = action{}

func (a action) Spec() responder.Spec {
	return responder.Spec{Name: a.name, Kind: a.kind, Params: []responder.Param{{Name: "what", Type: responder.TextParam, Required: a.kind != responder.Notice}}}
}

// saying is what an action said of an attempt.
type saying string

// What actions say.
const (
	saidNothing   saying = "nothing" // it has not come back
	saidDone      saying = "done"
	saidNo        saying = "no"
	saidTransient saying = "failed for now"
	saidPermanent saying = "failed for good"
	saidUnknown   saying = "nobody knows"
)

// deed is what really came of one step of a run.
type deed struct {
	kind    responder.Kind
	tries   []*try
	looks   []*look
	effects int
	undone  int    // how many of the effects are put back
	repeats int    // effects that were had though one stood already
	found   survey // of a repair: what it knew when it was tried first
	doubted bool   // something besides the engine may have doubled it: an answer that lied, a request that came late
}

// stands reports whether what it did is so.
func (d *deed) stands() bool { return d.effects > d.undone }

// try is one call of Do.
type try struct {
	at     time.Time // by its worker's clock
	tenure string    // of who made it
	flying bool      // it has not come back, and its worker waits for it
	said   saying
	after  time.Duration // what it asked for, with saidTransient
}

// look is one call of Verify.
type look struct {
	at     time.Time
	tenure string // of who made it
	said   responder.Verdict
}

// behaviour is how the other side behaves in one call.
type behaviour struct {
	there, back time.Duration
	acts        bool
	panics      bool
	deaf        bool // it does not hear that its time is over
	said        saying
	err         error
}

// behave throws the dice for one call.
func (a action) behave(call, what string) behaviour {
	b := behaviour{
		there: a.span(call+" goes", 5*time.Millisecond, 2*time.Second),
		back:  a.span(call+" comes back", 5*time.Millisecond, time.Second),
		acts:  true, said: saidDone,
	}
	if a.strikes(slow, call) {
		b.there += a.span(call+" slow", time.Second, 5*time.Minute)
	}
	// Only one step of a history is ever deaf: two that are given up at one instant
	// land in an order that nobody can replay.
	b.deaf = strings.HasPrefix(what, fmt.Sprintf("s%d ", 1+a.upTo("deaf step", 8))) && a.strikes(deaf, call)
	fails := func(k kind, acts bool, said saying, err error) bool {
		if !a.strikes(k, call) {
			return false
		}
		b.acts, b.said, b.err = acts, said, err
		return true
	}
	err := errors.New("the other side said so")
	switch {
	case a.kind == responder.Check && fails(saysNo, true, saidNo, &responder.Stop{Reason: "no"}):
	case fails(transient, false, saidTransient, &responder.Transient{Err: err}):
	case fails(retryAfter, false, saidTransient, &responder.Transient{Err: err, After: a.span(call+" after", time.Second, 2*time.Hour)}):
	case fails(permanent, false, saidPermanent, &responder.Permanent{Err: err}):
	case fails(unsure, false, saidUnknown, &responder.Unknown{Err: err}):
	case fails(unsureDid, true, saidUnknown, err):
	case fails(lied, true, saidTransient, &responder.Transient{Err: err}):
	case fails(panicked, false, saidUnknown, err):
		b.panics = true
	}
	return b
}

func (a action) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	if !a.stagger(call.Key) {
		return nil, errDead
	}
	what, _ := call.Params["what"].(string)
	name := a.nth("do " + a.stepName(call.Key))
	d, t := a.judgeTry(a, tenureOf(ctx), call, what)
	defer a.landed(t)
	a.interrupt(runOf(call.Key), name)
	if a.strikes(crashBefore, name) {
		a.die()
		return nil, errDead
	}
	b := a.behave(name, what)
	if b.deaf {
		a.landed(t) // it is given up when its time is over
	}
	if err := a.travel(ctx, name, b, func() { a.act(d, call, b) }); err != nil {
		return nil, err
	}
	if b.panics {
		panic("the simulation says so")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	t.said = b.said
	a.tell("%s said %s", name, b.said)
	var passing *responder.Transient
	if errors.As(b.err, &passing) {
		t.after = passing.After
	}
	if b.err != nil {
		return nil, b.err
	}
	return responder.Result{"what": what}, nil
}

// landed notes that nobody waits for a try any more.
func (w *world) landed(t *try) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t.flying = false
}

// travel carries a request to the other side, where it has its effect, and the
// answer back. A request that is given up on its way may arrive all the same.
func (a action) travel(ctx context.Context, name string, b behaviour, effect func()) error {
	if b.deaf {
		select {
		case <-ctx.Done():
		case <-a.gone:
		}
		time.Sleep(a.span(name+" late", time.Second, 10*time.Minute))
		effect()
		return context.DeadlineExceeded
	}
	arrival := time.NewTimer(b.there)
	defer arrival.Stop()
	select {
	case <-arrival.C:
	case <-ctx.Done():
		time.Sleep(b.back / 2)
		if a.chance(name+" arrives though given up", .5) {
			effect()
		}
		return ctx.Err()
	case <-a.gone:
		if a.chance(name+" arrives though its worker is dead", .5) {
			time.Sleep(b.back)
			effect()
		}
		return errDead
	}
	effect()
	if a.strikes(crashAfter, name) {
		a.die()
		return errDead
	}
	reply := time.NewTimer(b.back)
	defer reply.Stop()
	select {
	case <-reply.C:
		return nil
	case <-ctx.Done():
		time.Sleep(b.back / 2)
		return ctx.Err()
	case <-a.gone:
		return errDead
	}
}

// act is the effect.
func (a action) act(d *deed, call responder.Call, b behaviour) {
	a.mu.Lock()
	defer a.mu.Unlock()
	late := a.now().Sub(call.Now) > maxTravel
	d.doubted = d.doubted || late || b.acts && b.said == saidTransient
	if !b.acts {
		return
	}
	if a.honours && d.stands() {
		a.tell("%s: was done before, by its key", a.stepName(call.Key))
		return
	}
	if d.stands() {
		a.doubles++
		d.repeats++
	}
	d.effects++
	if a.name == "Unmend" {
		a.putBack(call)
	}
	a.tell("%s is done", a.stepName(call.Key))
}

// maxTravel is how long a request that is not slow takes at the most. A lease is longer.
const maxTravel = 5 * time.Second

func (a action) Verify(ctx context.Context, call responder.Call) (responder.Verdict, error) {
	if !a.stagger(call.Key) {
		return responder.VerdictUnknown, errDead
	}
	name := a.nth("look at " + a.stepName(call.Key))
	d, seen := a.judgeLook(call, tenureOf(ctx))
	a.interrupt(runOf(call.Key), name)
	if a.strikes(crashBefore, name) {
		a.die()
		return responder.VerdictUnknown, errDead
	}
	b := behaviour{there: a.span(name+" goes", 5*time.Millisecond, 2*time.Second), back: a.span(name+" comes back", 5*time.Millisecond, time.Second)}
	verdict := responder.VerdictNotDone
	err := a.travel(ctx, name, b, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if d.stands() {
			verdict = responder.VerdictDone
		}
	})
	if err == nil && a.strikes(lookFailed, name) {
		err = errors.New("the other side cannot tell")
	}
	if err != nil {
		return responder.VerdictUnknown, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	seen.said = verdict
	if a.sabotage == blindLook {
		return responder.VerdictNotDone, nil
	}
	a.tell("%s said %s", name, map[responder.Verdict]string{responder.VerdictDone: "done", responder.VerdictNotDone: "not done"}[verdict])
	return verdict, nil
}

// runOf is the id of the run in the key of a call.
func runOf(key string) string {
	id, _, _ := strings.Cut(key, "/")
	return id
}

// stepName is what stories call a step of a run, by its key.
func (w *world) stepName(key string) string {
	run, path, _ := strings.Cut(key, "/")
	return w.nameOf(run) + "/" + path
}
