package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// claims are what the limits that are counted want of the counters, and which
// guard each is of. A thing that a run touches again counts once.
func (f fence) claims(now time.Time) (claims []responder.Claim, guards []string) {
	arns := f.arns()
	if len(arns) == 0 {
		return nil, nil
	}
	mine := func(arns []string) []string {
		members := make([]string, len(arns))
		for i, arn := range arns {
			members[i] = f.run.ID + " " + arn
		}
		return members
	}
	add := func(guard, key string, members []string, limit int, span time.Duration) {
		claims = append(claims, responder.Claim{Key: "limit/" + key, Members: members, Limit: limit, Expires: now.Add(span)})
		guards = append(guards, guard)
	}
	add(GuardPerHour, "hour/"+f.flow, mine(arns), f.limits.PerHour, time.Hour)
	add(GuardPerAccount, "account/"+f.account+"/"+f.flow, mine(arns), f.limits.PerAccount, time.Hour)
	if rate := f.limits.PerResource; rate != nil {
		for _, arn := range arns {
			add(GuardPerResource, "resource/"+f.matter(arn)+"/"+f.flow, []string{f.run.ID}, rate.N, rate.Per)
		}
	}
	return claims, guards
}

// count has the limits counted, before anything is done: all of the repair, or
// none of it. The same step of the same run counts once, however often it is
// tried.
func (d *Dispatcher) count(ctx context.Context, f fence) (held, error) {
	claims, guards := f.claims(d.now())
	return d.admit(ctx, f, guards, claims...)
}

// room sees whether the limits would let a repair through that people are to be
// asked about, and counts nothing of it: with a claim that nothing fits under, all
// are refused, and the first of those that have no room is told. Questions are
// counted for themselves, by the same limits: nobody is asked, or told that somebody
// is asked, about more than may be done.
func (d *Dispatcher) room(ctx context.Context, f fence) (held, error) {
	claims, guards := f.claims(d.now())
	if len(claims) == 0 {
		return held{}, nil
	}
	never := responder.Claim{Key: "limit/never", Members: []string{"a", "b"}, Limit: 1, Expires: d.now().Add(time.Minute)}
	if h, err := d.admit(ctx, f, guards, append(slices.Clone(claims), never)...); err != nil || h.guard != "" {
		return h, err
	}
	for i := range claims {
		claims[i].Key = "asked/" + strings.TrimPrefix(claims[i].Key, "limit/")
	}
	h, err := d.admit(ctx, f, guards, claims...)
	if h.guard != "" {
		h.why, h.touched, h.halts = h.why+"; people have been asked about the others", 0, false
	}
	return h, err
}

// admit asks the counters. Claims beyond the guards are of none.
func (d *Dispatcher) admit(ctx context.Context, f fence, guards []string, claims ...responder.Claim) (held, error) {
	budget, ok := d.Counters.(responder.Budget)
	if !ok {
		if slices.ContainsFunc(f.rules, func(g *responder.Guards) bool { return g != nil && g.Limits != nil }) {
			return held{}, errors.New("limits: there are no counters")
		}
		return held{}, nil
	}
	full, admitted, err := budget.Admit(ctx, claims...)
	switch {
	case errors.Is(err, responder.ErrTooLarge):
		return hold(GuardPerFinding, "it would touch more than can be counted: %v", err), nil
	case err != nil:
		return held{}, fmt.Errorf("limits: %w", err)
	case admitted, full >= len(guards):
		return held{}, nil
	}
	claim := claims[full]
	n := len(claim.Members)
	var h held
	switch guards[full] {
	case GuardPerHour:
		h = hold(GuardPerHour, "it would touch %s; the flow may touch %d in an hour, and has not so many left", countThings(n), f.limits.PerHour)
	case GuardPerAccount:
		h = hold(GuardPerAccount, "it would touch %s of account %s; the flow may touch %d there in an hour, and has not so many left", countThings(n), f.account, f.limits.PerAccount)
	}
	if h.guard != "" {
		h.touched = max(0, claim.Limit-n+1) // with fewer there would be room
		h.halts = f.limits.Halt && h.touched > 0
		return h, nil
	}
	_, arn, _ := strings.Cut(claims[full].Key, "/resource/")
	arn, _, _ = strings.Cut(arn, "/"+f.flow)
	arn, _, _ = strings.Cut(arn, matterOf)
	return hold(GuardPerResource, "%s was touched before; the flow may touch one thing %s", arn, rateText(*f.limits.PerResource)), nil
}
