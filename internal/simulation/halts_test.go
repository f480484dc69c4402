package simulation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// while is a span of time in which a flow is halted, or disabled.
type while struct {
	flow  string // "": all
	from  time.Time
	until time.Time // zero: it goes on
}

// concerns reports whether it is for a flow.
func (s while) concerns(flow string) bool { return s.flow == "" || s.flow == flow }

// covers reports whether all of a span of time lies in it.
func (s while) covers(from, to time.Time) bool {
	return !s.from.After(from) && (s.until.IsZero() || s.until.After(to))
}

// touches reports whether some of a span of time lies in it.
func (s while) touches(from, to time.Time) bool {
	return !s.from.After(to) && (s.until.IsZero() || !s.until.Before(from))
}

// halts are the halts as one life of a worker, or of somebody who halts, sees them.
type halts struct{ *life }

var _ responder.Halts = halts{}

func (h halts) Halts(ctx context.Context) ([]responder.Halt, error) {
	return await(ctx, h.life, "halts for "+tenureOf(ctx), faults{refused: readFailed}, func() ([]responder.Halt, error) {
		return h.halted.Halts(context.Background())
	})
}

func (h halts) Halt(ctx context.Context, halt responder.Halt) error {
	_, err := await(ctx, h.life, "halt by "+tenureOf(ctx), faults{writeFailed, writeUnknown}, func() (struct{}, error) {
		err := h.halted.Halt(context.Background(), halt)
		if err == nil {
			h.begins(tenureOf(ctx), halt)
		}
		return struct{}{}, err
	})
	return err
}

func (h halts) Resume(ctx context.Context, flow string) (responder.Halt, error) {
	return await(ctx, h.life, "halt ended by "+tenureOf(ctx), faults{writeFailed, writeUnknown}, func() (responder.Halt, error) {
		halt, err := h.halted.Resume(context.Background(), flow)
		if err == nil {
			h.ends(flow)
		}
		return halt, err
	})
}

// begins notes a halt, has judged one by the breaker, and lets somebody end it.
func (h halts) begins(by string, halt responder.Halt) {
	h.mu.Lock()
	n := len(h.halting)
	h.halting = append(h.halting, while{flow: halt.Flow, from: time.Now()})
	h.sights[sawHalt]++
	h.tell("halted by %s: %q", halt.By, halt.Flow)
	h.mu.Unlock()
	after := h.span(fmt.Sprint("halt ", n, " ends"), time.Second, 24*time.Hour)
	if h.request == nil {
		h.judgeTrip(halt, by)
		after = h.span(fmt.Sprint("halt ", n, " ends"), time.Hour+10*time.Minute, 6*time.Hour) // by then what was counted is forgotten
	}
	h.order(fmt.Sprint("person at halt ", n), after, func(ctx context.Context, l *life) error {
		_, err := halts{l}.Resume(ctx, halt.Flow)
		if errors.Is(err, responder.ErrNotFound) {
			return nil
		}
		return err
	}, true)
}

// ends notes the end of a halt.
func (h halts) ends(flow string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.halting {
		if s := &h.halting[i]; s.flow == flow && s.until.IsZero() {
			s.until = time.Now()
		}
	}
	h.tell("resumed: %q", flow)
}

// halt lets people halt flows, and have one disabled for a while.
func (w *world) halt() {
	names := flowNames(w.dice)
	for i := range 2 {
		for _, k := range []kind{haltsAll, haltsFlow} {
			name := fmt.Sprintf("person %d, %s", i, k)
			if !w.strikes(k, name) {
				continue
			}
			halt := responder.Halt{By: name, Why: "the simulation says so"}
			if k == haltsFlow {
				halt.Flow = one(w.dice, name, names...)
			}
			w.order(name, w.span(name+" at", time.Second, 24*time.Hour), func(ctx context.Context, l *life) error {
				halt.At = l.now()
				if err := (halts{l}).Halt(ctx, halt); !errors.Is(err, responder.ErrExists) {
					return err
				}
				return nil
			}, false)
		}
	}
	if w.strikes(flowOff, "flows") {
		from := w.begin.Add(w.span("flow off at", time.Second, 24*time.Hour))
		w.off = while{one(w.dice, "flow off", names...), from, from.Add(w.span("flow off for", time.Second, 24*time.Hour))}
	}
}

// order lets somebody do something that is about no run, as a process of its own
// that may die over it, until it is done; unless insists, perhaps no more than once.
func (w *world) order(name string, after time.Duration, do func(context.Context, *life) error, insists bool) {
	w.mu.Lock()
	w.asking++
	w.mu.Unlock()
	w.people.Go(func() {
		defer w.answered()
		time.Sleep(after)
		for n := 1; ; n++ {
			l := newLife(w, fmt.Sprintf("%s, try %d", name, n), w.skew(name))
			l.request = &request{name: name}
			err := do(context.WithValue(l.ctx, tenureKey{}, l.name), l)
			l.cancel()
			if err == nil || !insists && !w.chance(l.name+" is not the last", .7) {
				return
			}
			time.Sleep(w.span(l.name+" rests", time.Second, time.Hour))
		}
	})
}

// revive lets somebody carry on a run that is parked, until it goes on.
func (w *world) revive(run *responder.Run) {
	name := fmt.Sprintf("the parking of %s version %d", w.nameOf(run.ID), run.Version)
	w.insist(request{what: responder.DeedRetry, id: run.ID, name: "person after " + name, insists: true}, w.span(name, 10*time.Minute, 12*time.Hour))
}

// judgeParked: runs are parked where their flow is halted or disabled, and nowhere else.
func (w *world) judgeParked(run *responder.Run, broken func(string, string, ...any)) {
	w.sights[sawParked]++
	now := time.Now()
	lately := func(s while) bool { return s.concerns(run.Flow.Name) && s.touches(now.Add(-w.slack()), now) }
	halted := strings.HasPrefix(run.Cause, "halted by ") && slices.ContainsFunc(w.halting, lately)
	off := strings.HasSuffix(run.Cause, "is disabled") && lately(w.off)
	if run.Undoes != nil || !halted && !off {
		broken("runs are parked for a reason", "%s", run.Cause)
	}
}

// judgeStill: nothing is repaired from a halt on, but what was under way then, and
// nothing is begun of a flow that is disabled. The caller holds mu.
func (w *world) judgeStill(run *responder.Run, step string, marked time.Time) {
	now := time.Now()
	for _, s := range w.halting {
		if s.concerns(run.Flow.Name) && s.covers(marked, now) {
			w.broken("what is halted repairs nothing", "%s was done, marked at %v, halted at %v", step, marked, s.from)
		}
	}
	if w.off.concerns(run.Flow.Name) && w.off.covers(now.Add(-w.slack()), now) && !w.off.from.IsZero() {
		w.broken("a flow that is disabled repairs nothing", "%s was done", step)
	}
}

// slack is how long lies at the most between the moment in which a guard is read and
// that in which what it allows is done.
func (w *world) slack() time.Duration {
	if w.tally[frozen] > 0 {
		return 3 * time.Minute // each call may be waited for, ten seconds at the most
	}
	return 15 * time.Second
}
