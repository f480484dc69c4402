package simulation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skycrafters/responder"
)

// What a port says when it fails.
var (
	errRefused = errors.New("refused by the simulation")
	errNoReply = errors.New("no reply")
)

// faults are the kinds of fault that can strike a call, besides those that
// strike any: a crash before or after its effect, and taking minutes.
type faults struct {
	refused kind // it has no effect, and fails
	unheard kind // it has its effect, and fails
}

// await is a worker's wait for the world: a request that travels, has its
// effect and is answered. A worker that dies or gives up meanwhile does not
// call the request back.
func await[T any](ctx context.Context, l *life, name string, f faults, effect func() (T, error)) (T, error) {
	var none T
	if !l.stagger(name) {
		return none, errDead
	}
	call := l.nth(name)
	there, back := l.span(call+" goes", time.Millisecond, 100*time.Millisecond), l.span(call+" comes back", time.Millisecond, 100*time.Millisecond)
	if l.strikes(crashBefore, call) {
		l.die()
		return none, errDead
	}
	if l.strikes(frozen, call) {
		there += l.span(call+" frozen", time.Second, 10*time.Minute)
	}
	type answer struct {
		value T
		err   error
	}
	answered := make(chan answer, 1)
	go func() {
		time.Sleep(there)
		if l.dead() && l.chance(call+" is lost with its worker", .5) {
			return
		}
		var a answer
		if l.strikes(f.refused, call) {
			a.err = errRefused
		} else {
			a.value, a.err = effect()
			if l.strikes(crashAfter, call) {
				l.die()
			}
			if l.strikes(f.unheard, call) {
				a.err = errNoReply
			}
		}
		time.Sleep(back)
		answered <- a
	}()
	select {
	case a := <-answered:
		if l.dead() {
			return none, errDead
		}
		return a.value, a.err
	case <-l.gone:
		return none, errDead
	case <-ctx.Done():
		if !l.sleep(back) {
			return none, errDead
		}
		return none, ctx.Err()
	}
}

// store is the run store as one life of a worker sees it.
type store struct{ *life }

var _ responder.RunStore = store{}

func (s store) Create(ctx context.Context, run *responder.Run) error {
	return s.write(ctx, "create", run, s.runs.Create)
}

func (s store) Save(ctx context.Context, run *responder.Run) error {
	return s.write(ctx, "save", run, s.runs.Save)
}

// writing is who makes a write, when by its own clock, and over which version.
type writing struct {
	tenure  string
	request *request // of somebody who does something to the run; nil for a worker
	clock   time.Time
	version int64
}

// write makes a conditional write of a copy: one that arrives late must not
// touch what its writer has long gone on with.
func (s store) write(ctx context.Context, verb string, run *responder.Run, do func(context.Context, *responder.Run) error) error {
	by := writing{tenure: tenureOf(ctx), request: s.request, clock: s.now(), version: run.Version}
	copied := run.Clone()
	name := s.nameOf(run.ID)
	version, err := await(ctx, s.life, verb+" "+name, faults{writeFailed, writeUnknown}, func() (int64, error) {
		err := s.keep(copied, by, do)
		if err == nil {
			s.react(copied)
		}
		if err == nil && s.strikes(writeTwice, s.nth("write "+name)) { // an adapter whose reply was lost asks again
			copied.Version = by.version
			if err := s.keep(copied, by, do); err != nil {
				s.violate("a write made again is no conflict", "%s of %s: %v", verb, name, err)
			}
		}
		return copied.Version, err
	})
	if err == nil {
		run.Version = version
	}
	return err
}

// keep makes the write, and has judged what the store has then.
func (s store) keep(run *responder.Run, by writing, do func(context.Context, *responder.Run) error) error {
	err := do(context.Background(), run)
	if errors.Is(err, responder.ErrStale) && s.sabotage == staleWrites {
		run.Version = s.version(run.ID)
		err = do(context.Background(), run)
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.judgeWrite(run.Clone(), by)
	s.index = append(s.index, indexed{time.Now(), run.ID, run.Due})
	s.stir()
	return nil
}

// version is what the store has of a run.
func (w *world) version(id string) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stored[id].run.Version
}

func (s store) Get(ctx context.Context, id string) (*responder.Run, error) {
	return await(ctx, s.life, "get "+s.nameOf(id), faults{refused: readFailed}, func() (*responder.Run, error) {
		return s.runs.Get(context.Background(), id)
	})
}

func (s store) Due(ctx context.Context, now time.Time, most int) ([]string, error) {
	return await(ctx, s.life, "index for "+s.name, faults{refused: readFailed}, func() ([]string, error) {
		if call := s.nth("look into the index for " + s.name); s.strikes(staleIndex, call) {
			return s.dueAt(time.Now().Add(-s.span(call+" lags", time.Second, 10*time.Minute)), now), nil
		}
		if s.sabotage == blindIndex {
			return nil, nil
		}
		return s.runs.Due(context.Background(), now, most)
	})
}

// dueAt gives what was due at a moment by what the index knew at another.
func (w *world) dueAt(known, now time.Time) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	latest := map[string]indexed{}
	for _, entry := range w.index {
		if !entry.at.After(known) {
			latest[entry.id] = entry
		}
	}
	var due []indexed
	for _, entry := range latest {
		if !entry.due.IsZero() && !entry.due.After(now) {
			due = append(due, entry)
		}
	}
	slices.SortFunc(due, func(a, b indexed) int { return cmp.Or(a.due.Compare(b.due), cmp.Compare(a.id, b.id)) })
	var ids []string
	for _, entry := range due {
		ids = append(ids, entry.id)
	}
	return ids
}

// sender is the findings queue as one life of a worker sees it: it sends wakes.
type sender struct{ *life }

var _ responder.Sender = sender{}

func (s sender) Send(ctx context.Context, messages ...responder.Message) error {
	name := "send " + s.title(responder.Delivery{Body: messages[0].Body})
	if len(messages) > 1 {
		name = fmt.Sprintf("send %d by %s", len(messages), tenureOf(ctx))
	}
	_, err := await(ctx, s.life, name, faults{sendFailed, sendUnknown}, func() (int, error) {
		for i, m := range messages {
			if err := s.deliver(m); err != nil {
				return i, err
			}
		}
		return len(messages), nil
	})
	return err
}

// deliver puts one wake on the queue, in as many copies and as late as it comes.
func (s sender) deliver(m responder.Message) error {
	call := s.nth(s.title(responder.Delivery{Body: m.Body}))
	if s.strikes(bellLost, call) {
		return nil
	}
	if s.strikes(late, call) {
		m.Delay = min(m.Delay+s.span(call+" late", time.Second, 15*time.Minute), responder.MaxDelay)
	}
	copies := []responder.Message{m}
	if s.strikes(doubled, call) {
		m.Delay = min(m.Delay+s.span(call+" copy", time.Millisecond, 15*time.Minute), responder.MaxDelay)
		copies = append(copies, m)
	}
	for _, m := range copies {
		if err := s.put(m); err != nil {
			return err
		}
	}
	return nil
}
