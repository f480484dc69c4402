package simulation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// budget are counters that admit, as one life of a worker sees them.
type budget struct{ counters }

var _ responder.Budget = budget{}

// ledger is what the judge knows to be counted under a key, until when.
type ledger struct {
	members map[string]bool
	until   time.Time
}

func (b budget) Admit(ctx context.Context, claims ...responder.Claim) (int, bool, error) {
	type answer struct {
		full     int
		admitted bool
	}
	asked := time.Now()
	admit := func() (answer, error) {
		full, admitted, err := b.counts.Admit(context.Background(), claims...)
		if err == nil {
			b.judgeAdmission(tenureOf(ctx), asked, claims, full, admitted)
		}
		return answer{full, admitted}, err
	}
	name := "admit " + fmt.Sprint(len(claims)) + " for " + tenureOf(ctx)
	a, err := await(ctx, b.life, name, faults{writeFailed, writeUnknown}, func() (answer, error) {
		a, err := admit()
		if err == nil && b.strikes(writeTwice, b.nth(name)) { // an adapter whose reply was lost asks again
			again, err := admit()
			if err == nil && again != a {
				b.violate("a thing is counted once", "%s: %v, and made again %v", name, a, again)
			}
		}
		return a, err
	})
	return a.full, a.admitted, err
}

// limitOf says what is counted under a key: which limit, of which flow, and of which
// thing.
func limitOf(key string) (limit, flow, arn string) {
	limit, rest, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(key, "limit/"), "asked/"), "/") // questions are counted for themselves
	cut := strings.LastIndexByte(rest, '/')
	switch limit {
	case "hour":
		return limit, rest, ""
	case "account":
		return limit, rest[cut+1:], ""
	}
	return limit, rest[cut+1:], rest[:cut]
}

// most is how much a limit lets through, by the flow as it was when that was asked: if
// it had just changed, as it was before.
func (w *world) most(limit, flow string, asked time.Time) int {
	l := w.limitsOf(flow, !w.editedAt.IsZero() && w.editedAt.Before(asked.Add(-w.slack())))
	return map[string]int{"hour": l.hour, "account": l.account, "resource": l.resource, "again": l.again}[limit]
}

// judgeAdmission keeps the ledgers as they are to be. What was asked a while ago, and has
// been on its way since, asks for what the flow said then.
func (w *world) judgeAdmission(tenure string, asked time.Time, claims []responder.Claim, full int, admitted bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if n := len(claims) - 1; claims[n].Key == "limit/never" { // it is only looked whether there is room
		if admitted {
			w.broken("limits hold to the unit", "what was to count nothing has counted")
		}
		if claims = claims[:n]; full == n {
			return
		}
	}
	for _, c := range claims {
		limit, flow, _ := limitOf(c.Key)
		if want := w.most(limit, flow, asked); c.Limit > want && want > 0 {
			w.broken("limits hold to the unit", "%s is asked for %d, the flow says %d", c.Key, c.Limit, want)
		}
		if span := c.Expires.Sub(now); span > time.Hour+w.mostSkew() || span < time.Hour-w.mostSkew()-maxFrozen {
			w.broken("limits hold to the unit", "%s is counted for %v", c.Key, span)
		}
	}
	if !admitted {
		limit, flow, _ := limitOf(claims[full].Key)
		w.refused[tenure] = append(w.refused[tenure], limit+"/"+flow)
		w.tell("%s is full", claims[full].Key)
		return
	}
	for _, c := range claims {
		at := w.ledgers[c.Key]
		if at == nil || !now.Before(at.until) {
			at = &ledger{members: map[string]bool{}, until: c.Expires}
			w.ledgers[c.Key] = at
		}
		limit, flow, _ := limitOf(c.Key)
		before := len(at.members)
		for _, member := range c.Members {
			at.members[member] = true
			id, arn, _ := strings.Cut(member, " ")
			w.admitted[admission{c.Key, id, arn}] = now
		}
		if want := w.most(limit, flow, asked); len(at.members) > before && len(at.members) > want && want > 0 {
			w.broken("limits hold to the unit", "%s has counted %d, the flow says %d", c.Key, len(at.members), want)
		}
	}
}

// admission is that a thing of a run was counted under a key.
type admission struct{ key, run, arn string }

// judgeCounted: before a thing is touched, it is counted wherever the flow has a
// limit, and fits. The caller holds mu.
func (w *world) judgeCounted(run *responder.Run, step string, targets []responder.Target) {
	l := w.limitsOf(run.Flow.Name, !w.editedAt.IsZero() && w.editedAt.Before(time.Now().Add(-w.slack())))
	flow, named := run.Flow.Name, arns(targets)
	if len(named) > l.finding {
		w.broken("limits hold to the unit", "%s touches %d things, a finding may touch %d", step, len(named), l.finding)
	}
	if w.touched[run.ID] == nil {
		w.touched[run.ID] = map[string]bool{}
	}
	for arn := range named {
		w.touched[run.ID][arn] = true
		keys := []admission{{"limit/hour/" + flow, run.ID, arn}, {"limit/account/111122223333/" + flow, run.ID, arn}, {"again/" + arn + "/" + flow, run.ID, ""}}
		if l.resource > 0 {
			keys = append(keys, admission{"limit/resource/" + arn + "/" + flow, run.ID, ""})
		}
		for _, key := range keys {
			if at, ok := w.admitted[key]; !ok || time.Since(at) > w.slack() {
				w.broken("limits hold to the unit", "%s touches %s, and is counted at %v under %s", step, arn, at, key.key)
			}
		}
	}
	if n := len(w.touched[run.ID]); n > l.run {
		w.broken("limits hold to the unit", "with %s the run has touched %d things, it may touch %d", step, n, l.run)
	}
}

// judgeTrip: the breaker halts what repairs one thing too often, and nothing else.
func (w *world) judgeTrip(halt responder.Halt, tenure string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sights[sawTrip]++
	w.judgeWarned(halt.Flow, "limits.again")
	if slices.Contains(w.refused[tenure], "again/"+halt.Flow) {
		return
	}
	w.broken("the breaker trips for a reason", "%s was halted", halt.Flow)
}
