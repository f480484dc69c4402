package dispatch

import (
	"context"
	"slices"
	"time"

	"github.com/skycrafters/responder"
)

// Decide answers a question that a run has put to people. The first decision
// counts: the same from the same person changes nothing, any other is refused and
// told what was decided. So is one that names another digest than what is asked
// has, one that comes too late, and one of somebody who is not asked or who is the
// event's actor. Whether somebody who decided is still among those who are asked is
// judged once more by whoever acts on it.
func (c Control) Decide(ctx context.Context, id string, a responder.Answer) (*responder.Run, error) {
	deed := responder.DeedDeny
	if a.Yes {
		deed = responder.DeedApprove
	}
	run, err := c.change(ctx, id, deed, a.Who.String(), a.Why, func(run *responder.Run, entry responder.Audit) (*responder.Run, error) {
		return decided(run, a, entry)
	})
	return run, during(string(deed), err)
}

// Open gives the paths of a run's open questions, in the order of the flow.
func Open(run *responder.Run) (paths []string) {
	Walk(run.Flow.Steps, func(path string, _ *responder.Step) {
		if state := run.Steps[path]; state != nil && pending(state) && state.Approval.Open() {
			paths = append(paths, path)
		}
	})
	return paths
}

// decided gives a run with an answer in it; nil: that very answer is in it
// already. It is pure.
func decided(run *responder.Run, answer responder.Answer, entry responder.Audit) (*responder.Run, error) {
	path, err := answered(run, answer)
	if err != nil {
		return nil, err
	}
	state := run.Steps[path]
	if state == nil || state.Approval == nil {
		return nil, refuse("step %s of run %s asks nothing", path, run.ID)
	}
	a := *state.Approval
	switch {
	case answer.Digest != a.Digest:
		return nil, refuse("what is asked is not what was shown: look at it again")
	case a.Who != nil && a.Who.Kind == answer.Who.Kind && a.Who.ID == answer.Who.ID && answer.Yes == (a.Decision == responder.Approved):
		return nil, nil
	case a.Decision != "":
		return nil, refuse("it is decided already: %s at %s", said(&a), a.At.UTC().Format(time.RFC3339))
	case run.State.Ended():
		return nil, refuse("run %s has %s: nothing is asked any more", run.ID, past(run.State))
	case !pending(state):
		return nil, refuse("step %s of run %s does not ask any more", path, run.ID)
	case !entry.At.Before(a.Until):
		return nil, refuse("it is too late: the time to decide was over at %s", a.Until.UTC().Format(time.RFC3339))
	case a.Veto && answer.Yes:
		return nil, refuse("there is nothing to approve: it goes on at %s unless somebody objects", a.Until.UTC().Format(time.RFC3339))
	}
	if err := may(answer.Who, a.By, a.Not); err != nil {
		return nil, err
	}
	a.Decision = responder.Denied
	if answer.Yes {
		a.Decision = responder.Approved
	}
	who := responder.Identity{Kind: answer.Who.Kind, ID: answer.Who.ID, Name: cut(cleanText(answer.Who.Name), maxAuditText)}
	a.Who, a.From, a.At, a.Why = &who, cut(cleanText(answer.From), maxAuditText), entry.At, entry.Why
	after := run.Clone()
	after.Steps[path].Approval = &a
	if !run.Lease.After(entry.At) {
		after.Lease, after.Due = time.Time{}, entry.At
	}
	after.Audit = append(after.Audit[:len(after.Audit):len(after.Audit)], entry)
	return after, nil
}

// answered gives the path of the question that an answer is about.
func answered(run *responder.Run, answer responder.Answer) (string, error) {
	if answer.Step != "" {
		return answer.Step, nil
	}
	questions := Open(run)
	if len(questions) == 0 { // perhaps it has been decided: then that is to be told
		for path, state := range run.Steps {
			if state.Approval != nil && state.Approval.Digest == answer.Digest {
				return path, nil
			}
		}
	}
	switch len(questions) {
	case 0:
		return "", refuse("run %s asks nothing", run.ID)
	case 1:
		return questions[0], nil
	}
	slices.Sort(questions)
	return "", refuse("run %s asks at several steps: name one of %s", run.ID, listed(questions))
}

// rebased gives a run that somebody has answered under the lease of a worker, with
// what came of the attempts that were under way, as that worker has seen it. What
// else it had done, and had not stored, is done anew.
func rebased(run, seen *responder.Run, now time.Time) *responder.Run {
	after := run.Clone()
	for path, state := range after.Steps {
		own, n := seen.Steps[path], len(state.Attempts)
		if !underWay(state) || own == nil || len(own.Attempts) != n || own.Attempts[n-1].Ended.IsZero() {
			continue
		}
		landed := *own
		after.Steps[path] = &landed
	}
	closeGroups(after, now)
	return after
}
