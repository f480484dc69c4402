package dispatch

import (
	"context"
	"errors"
	"sync"

	"github.com/skycrafters/responder"
)

// standIn takes the place of an action in a rehearsal. It never acts: what is not
// a check is noted as done well, whatever kind it is of. A check counts as yes, or,
// where the rehearsal looks, is asked; so is a repair for its Survey and Verify,
// which change nothing.
type standIn struct {
	responder.Action
	look  bool
	calls *calls
}

// seeingStandIn is a standIn of a repair that can look, where the rehearsal looks.
type seeingStandIn struct {
	standIn
	surveyor responder.Surveyor
}

var (
	_ responder.Verifier  = standIn{}
	_ responder.Describer = standIn{}
	_ responder.Surveyor  = seeingStandIn{}
)

// standIns gives a catalogue that does nothing.
func standIns(catalogue responder.Catalogue, look bool, noted *calls) responder.Catalogue {
	all := responder.Catalogue{}
	for name, action := range catalogue {
		s := standIn{action, look, noted}
		all[name] = s
		if surveyor, ok := action.(responder.Surveyor); ok && look {
			all[name] = seeingStandIn{s, surveyor}
		}
	}
	return all
}

// Do implements responder.Action.
func (s standIn) Do(ctx context.Context, call responder.Call) (responder.Result, error) {
	s.calls.note(call)
	if s.look && s.Spec().Kind == responder.Check {
		result, err := s.Action.Do(ctx, call)
		return result, once(err)
	}
	return nil, nil
}

// Verify implements responder.Verifier.
func (s standIn) Verify(ctx context.Context, call responder.Call) (responder.Verdict, error) {
	if v, ok := s.Action.(responder.Verifier); ok && s.look {
		verdict, err := v.Verify(ctx, call)
		return verdict, once(err)
	}
	return responder.VerdictUnknown, errors.New("a rehearsal without a look cannot tell")
}

// Survey implements responder.Surveyor.
func (s seeingStandIn) Survey(ctx context.Context, call responder.Call) (responder.Survey, error) {
	survey, err := s.surveyor.Survey(ctx, call)
	return survey, once(err)
}

// Describe implements responder.Describer.
func (s standIn) Describe(call responder.Call) string {
	if d, ok := s.Action.(responder.Describer); ok {
		return d.Describe(call)
	}
	return ""
}

// once makes an error one that is not tried again: whoever rehearses is told at once.
func once(err error) error {
	var stop *responder.Stop
	var permanent *responder.Permanent
	if err == nil || errors.As(err, &stop) || errors.As(err, &permanent) {
		return err
	}
	return &responder.Permanent{Err: err}
}

// calls are what actions of a rehearsal were given, by key. Safe for concurrent use.
type calls struct {
	mu    sync.Mutex
	byKey map[string]responder.Call
}

func (c *calls) note(call responder.Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey == nil {
		c.byKey = map[string]responder.Call{}
	}
	c.byKey[call.Key] = call
}

// forget forgets all of them: what was gone through before is told.
func (c *calls) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byKey = nil
}

func (c *calls) of(key string) (responder.Call, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	call, made := c.byKey[key]
	return call, made
}
