package dispatch

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skycrafters/responder"
)

// guards are the limits on what runs may do, beyond what their flows say.
type guards struct {
	mode     responder.Mode
	maxAge   time.Duration
	ownRoles []string
	own      []string // patterns of the ARNs of Responder's own resources
}

// leave is what a run may do at a moment.
type leave struct {
	dry     bool              // nothing leaves the process
	repairs responder.Repairs // what repairs may do
	why     string            // what keeps repairs from being live
	quiet   string            // why notices are suppressed; "" if they are not
}

// judge reads the guards of a run: the stricter of what was so when it began
// and of what its flow says now. It is pure.
//
// The age that counts is the event's when the run began: how long a run waits
// after that is its flow's own doing.
func (g guards) judge(run *responder.Run, flow responder.Flow, event responder.Event) leave {
	l := leave{
		dry:     run.Mode != responder.ModeLive || g.mode != responder.ModeLive,
		repairs: run.Flow.Repairs.Stricter(flow.Repairs),
		quiet:   hushed(run),
	}
	if run.Undoes != nil { // a person has ordered it: neither flow nor event are asked
		l.repairs = responder.RepairsLive
		if l.dry {
			l.repairs, l.why = responder.RepairsDry, everythingDry
		}
		return l
	}
	if !l.repairs.Armed() {
		l.why = fmt.Sprintf("repairs are %s in the flow %s", l.repairs, flow.Name)
		return l
	}
	if l.dry {
		l.why = everythingDry
	} else {
		l.why = cmp.Or(g.aged(run, event), g.ours(event))
	}
	if l.why != "" {
		l.repairs = responder.RepairsDry
	}
	return l
}

// aged says why an event is too old for its run to repair, "" if it is not.
func (g guards) aged(run *responder.Run, event responder.Event) string {
	happened, ok := event.Time()
	switch {
	case !ok:
		return "the event does not say when it happened"
	case run.Created.Sub(happened) > g.maxAge:
		return fmt.Sprintf("the event was older than %v when the run began", g.maxAge)
	}
	return ""
}

// ours says that Responder has caused an event itself, "" if it has not.
func (g guards) ours(event responder.Event) string {
	if g.causedBy(event) {
		return "the event was caused by Responder's own role"
	}
	return ""
}

// causedBy reports whether one of Responder's own roles caused an event.
func (g guards) causedBy(event responder.Event) bool {
	return slices.ContainsFunc(g.ownRoles, func(own string) bool { return samePrincipal(own, event.Principal()) })
}

// everythingDry is why nothing leaves a process that is dry.
const everythingDry = "everything is dry here"

// samePrincipal compares ARNs of roles or users without their paths: names are
// unique in an account, and AWS does not tell a session the path of its role.
func samePrincipal(a, b string) bool { return a != "" && withoutPath(a) == withoutPath(b) }

// withoutPath is arn:…:role/NAME for arn:…:role/some/path/NAME.
func withoutPath(arn string) string {
	kind, rest, ok := strings.Cut(arn, "/")
	if !ok {
		return arn
	}
	return kind + "/" + rest[strings.LastIndexByte(rest, '/')+1:]
}

// forbids gives what stands in for an attempt that is not allowed, nil if it
// is. would is what the attempt would do.
func (l leave) forbids(path string, kind responder.Kind, would func() string) Outcome {
	repair := kind == responder.Repair
	switch {
	case repair && l.repairs == responder.RepairsOff:
		return Skipped{Path: Path(path), Would: would(), Why: l.why}
	case repair && l.repairs == responder.RepairsDry:
		return Recorded{Path: Path(path), Would: would(), Why: l.why}
	case kind == responder.Notice && l.quiet != "":
		return Skipped{Path: Path(path), Would: would(), Why: l.quiet}
	case l.dry:
		return Recorded{Path: Path(path), Would: would(), Why: everythingDry}
	}
	return nil
}

// What begins the notices that follow a repair which did not act.
const (
	dryPrefix  = "[DRY RUN] "
	heldPrefix = "[HELD BACK] "
)

// prefix is what goes before the texts of a run's notices from now on.
func prefix(run *responder.Run) string {
	text := ""
	for _, state := range run.Steps {
		switch {
		case state.Kind != responder.Repair:
		case state.Dry:
			return dryPrefix
		case state.Result[guardKey] != nil:
			text = heldPrefix
		}
	}
	return text
}
