package simulation

import (
	"slices"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// mark names an attempt: whoever is to make it, has stored that before.
type mark struct {
	run, path string
	began     time.Time // by the clock of who makes it
}

// marking is who has stored a mark, and when.
type marking struct {
	tenure string
	at     time.Time
}

// judgeAttempts looks at what has come to a step's attempts, and notes who has marked those
// that are new.
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
		if a.Ended.IsZero() && (i < len(c.is.Attempts)-1 || over(c.is.State) && c.run.State != responder.RunCancelled || c.run.State == responder.RunWaiting || c.run.State == responder.RunAwaitingApproval) {
			c.broken("one attempt at a time", "attempt %d has no end", i+1)
		}
		if i < len(c.was.Attempts) {
			was := c.was.Attempts[i]
			if !was.Began.Equal(a.Began) || was.Verify != a.Verify || !was.Ended.IsZero() && (!was.Ended.Equal(a.Ended) || was.Error != a.Error || a.Unknown && !was.Unknown) {
				c.broken("what was done stays known", "attempt %d has changed", i+1)
			}
			continue
		}
		c.marks[mark{c.run.ID, c.path, a.Began}] = marking{c.by.tenure, time.Now()}
		if c.was.State == responder.StepWaiting && a.Began.Before(c.was.Due) && (c.was.Approval == nil || c.was.Approval.Heeded) {
			c.broken("timers are never early", "attempt %d began at %v, due %v", i+1, a.Began, c.was.Due)
		}
		if a.Survey {
			c.judgeNewSurvey(i)
		} else if !a.Verify {
			c.judgeNewTry(i)
		} else if n := c.count(c.is.Attempts[c.is.Retried:i]); n.looks >= c.limit() || n.lost > c.mostLost() {
			c.broken("retries are bounded", "look %d since the last try, of at most %d, and %d attempts lost", n.looks+1, c.limit(), n.lost)
		}
	}
	if asks := c.is.Approval != nil && !c.is.Approval.Heeded; c.is.State == responder.StepWaiting && c.was.State != responder.StepWaiting && len(c.is.Attempts) > 0 && !asks {
		c.judgePause()
	}
}

// judgeNewSurvey: looks at what there is are bounded, too.
func (c *stepChange) judgeNewSurvey(i int) {
	if n := c.count(c.is.Attempts[c.is.Retried:i]); n.surveys >= c.surveyLimit() || n.lost >= c.mostLost() {
		c.broken("retries are bounded", "survey %d in a row, and %d attempts lost", n.surveys+1, n.lost)
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
	if a.Survey {
		if c.is.Survey == nil && c.is.State != responder.StepWaiting && c.is.State != responder.StepCancelled {
			c.broken("what was answered counts", "a look at what there is ended well, and nothing is known")
		}
		return
	}
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
		if a.Survey {
			continue
		}
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
	case c.guarded && c.judgeUntried(n):
	default:
		c.broken("a step fails for a reason", "after %d tries and %d looks, of at most %d, and %d lost, of at most %d: %s", n.tries, n.looks, c.limit(), n.lost, c.mostLost(), c.is.Error)
	}
}

// judgeUntried reports whether a repair has failed for a reason other than its tries.
func (c *stepChange) judgeUntried(n counted) bool {
	last := len(c.is.Attempts) - 1
	denied := last >= 0 && c.is.Attempts[last].Survey && (strings.Contains(c.is.Error, "access denied") || n.surveys >= c.surveyLimit())
	gone := c.is.Survey != nil && len(c.is.Survey.Targets) == 0 && strings.Contains(c.is.Error, "nothing is there")
	lapsed := strings.Contains(c.is.Error, "does not count any more") || strings.Contains(c.is.Error, "is not among those who are any more") || strings.Contains(c.is.Error, "the flow names nobody")
	return denied || gone || lapsed
}

// counted is what there was of a step's attempts.
type counted struct {
	tries, lost int
	looks       int // since the last try
	surveys     int // that failed, in a row
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
		switch failed := a.Survey && (a.Error != "" || a.Lost); {
		case !failed:
			n.surveys = 0
		case !a.Lost:
			n.surveys++
		}
		switch {
		case a.Survey:
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

// surveyLimit is how often a step looks at what there is, where that fails: as a check.
func (c *stepChange) surveyLimit() int {
	if c.step.Retry != nil && c.step.Retry.Attempts > 0 {
		return c.step.Retry.Attempts
	}
	return 3
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
